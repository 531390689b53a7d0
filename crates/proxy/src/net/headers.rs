//! Headers that end at the gateway, on the way up and on the way back.

use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SERVER, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, WWW_AUTHENTICATE,
};

pub const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// What no upstream gets: hop-by-hop headers, and those that AWS drops.
fn is_not_sent_on(name: &HeaderName) -> bool {
    match *name {
        CONNECTION
        | CONTENT_LENGTH // written anew from what the body is
        | EXPECT
        | MAX_FORWARDS
        | PROXY_AUTHENTICATE
        | PROXY_AUTHORIZATION
        | SERVER
        | TE
        | TRAILER
        | TRANSFER_ENCODING
        | UPGRADE
        | WWW_AUTHENTICATE => true,
        _ => matches!(
            name.as_str(),
            "content-md5" | "http2-settings" | "keep-alive" | "proxy-connection"
        ),
    }
}

/// Headers that `Connection` cannot take away, because the gateway or an upstream decides by them.
fn is_kept(name: &HeaderName) -> bool {
    const NAMES: [&str; 8] = [
        "authorization",
        "cookie",
        "forwarded",
        "host",
        "origin",
        "x-api-key",
        "x-real-ip",
        "via",
    ];
    const PREFIXES: [&str; 4] = ["content-", "x-amz", "x-forwarded-", "x-tollgate-"];
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Takes from a request's headers what its upstream is not to see. Trailers are announced on if the
/// body is chunked, and wished for if the client does.
pub fn strip_request(headers: &mut HeaderMap, is_chunked: bool) {
    // Most requests have none of these, and looking at their names once is cheaper than removing each.
    if !is_chunked && !headers.keys().any(is_not_sent_on) {
        return;
    }
    strip_named(headers);
    let wants_trailers = names(headers, &TE).any(|name| name.eq_ignore_ascii_case("trailers"));
    let trailers = is_chunked.then(|| announced(headers)).flatten();
    let ending: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_not_sent_on(name))
        .cloned()
        .collect();
    for name in ending {
        headers.remove(name);
    }
    if let Some(trailers) = trailers {
        headers.insert(TRAILER, trailers);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if is_chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// What becomes of an answer's header on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    Same,
    Not,
    /// The gateway has its own under that name.
    Renamed(&'static HeaderName),
}

/// What becomes of this header of an answer. What `Connection` names is [`named`] beside it. What the
/// gateway has its own of comes under another name.
pub fn returned(name: &HeaderName) -> Returned {
    static REMAPPED_CONNECTION: HeaderName = HeaderName::from_static("x-amzn-remapped-connection");
    static REMAPPED_CONTENT_LENGTH: HeaderName =
        HeaderName::from_static("x-amzn-remapped-content-length");
    static REMAPPED_DATE: HeaderName = HeaderName::from_static("x-amzn-remapped-date");
    static REMAPPED_SERVER: HeaderName = HeaderName::from_static("x-amzn-remapped-server");
    static REMAPPED_REQUEST_ID: HeaderName =
        HeaderName::from_static("x-amzn-remapped-x-amzn-requestid");
    static REMAPPED_APIGW_ID: HeaderName =
        HeaderName::from_static("x-amzn-remapped-x-amz-apigw-id");
    match *name {
        CONNECTION => Returned::Renamed(&REMAPPED_CONNECTION),
        CONTENT_LENGTH => Returned::Renamed(&REMAPPED_CONTENT_LENGTH),
        DATE => Returned::Renamed(&REMAPPED_DATE),
        SERVER => Returned::Renamed(&REMAPPED_SERVER),
        PROXY_AUTHENTICATE | TE | TRANSFER_ENCODING | UPGRADE => Returned::Not,
        _ => match name.as_str() {
            "keep-alive" | "proxy-connection" => Returned::Not,
            "x-amzn-requestid" => Returned::Renamed(&REMAPPED_REQUEST_ID),
            "x-amz-apigw-id" => Returned::Renamed(&REMAPPED_APIGW_ID),
            _ => Returned::Same,
        },
    }
}

/// The header that an item of `Connection` takes away, if it may.
pub fn named(item: &str) -> Option<HeaderName> {
    if item.eq_ignore_ascii_case("close") || item.eq_ignore_ascii_case("keep-alive") {
        return None;
    }
    let name = HeaderName::from_bytes(item.as_bytes()).ok()?;
    (name != CONNECTION && name != TE && !is_kept(&name)).then_some(name)
}

/// Removes what `Connection` names.
fn strip_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = names(headers, &CONNECTION).filter_map(named).collect();
    for name in named {
        headers.remove(name);
    }
}

/// The trailers a client announces, without those that would change what its request means.
fn announced(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut list = String::new();
    for name in names(headers, &TRAILER) {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            continue;
        };
        if is_kept(&header) || header == HOST || is_not_sent_on(&header) {
            continue;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(header.as_str());
    }
    (!list.is_empty())
        .then(|| HeaderValue::try_from(list).ok())
        .flatten()
}

/// The items of a header that is a list, over all its lines.
pub fn names<'a>(
    headers: &'a HeaderMap,
    list: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    headers.get_all(list).into_iter().flat_map(items)
}

/// The items of one line of a list. One that is no text hides none of the others.
pub fn items(line: &HeaderValue) -> impl Iterator<Item = &str> {
    line.as_bytes()
        .split(|byte| *byte == b',')
        .filter_map(|item| str::from_utf8(item.trim_ascii()).ok())
        .filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn hop_by_hop_headers_end_here_and_connection_cannot_remove_what_counts() {
        let mut headers = map(&[
            ("connection", "close, X-Hop, x-api-key, Host"),
            (
                "connection",
                "authorization, x-forwarded-for, content-length, te, x-amzn-trace-id",
            ),
            ("x-hop", "gone"),
            ("x-api-key", "kept"),
            ("host", "kept"),
            ("authorization", "kept"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-amzn-trace-id", "kept"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "websocket"),
            ("http2-settings", "x"),
            ("expect", "100-continue"),
            ("te", "gzip"),
            ("proxy-authorization", "x"),
            ("accept", "*/*"),
        ]);
        strip_request(&mut headers, false);
        let expected = [
            "accept: */*",
            "authorization: kept",
            "host: kept",
            "x-amzn-trace-id: kept",
            "x-api-key: kept",
            "x-forwarded-for: 1.2.3.4",
        ];
        assert_eq!(shown(&headers), expected);
    }

    #[test]
    fn trailers_are_announced_and_wished_for_on_the_next_hop() {
        let pairs = [
            ("te", "gzip, trailers"),
            ("trailer", "X-Sum, content-length, host, x-api-key"),
            ("trailer", "x-b"),
        ];
        let mut headers = map(&pairs);
        strip_request(&mut headers, true);
        let expected = [
            "connection: te",
            "te: trailers",
            "trailer: x-sum, x-b",
            "transfer-encoding: chunked",
        ];
        assert_eq!(shown(&headers), expected);
        let mut headers = map(&pairs[1..]);
        strip_request(&mut headers, false);
        assert_eq!(shown(&headers), [""; 0]);
    }

    #[test]
    fn what_the_gateway_says_itself_is_renamed_in_answers() {
        let renamed = |name: &'static str| match returned(&HeaderName::from_static(name)) {
            Returned::Renamed(to) => to.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        for name in [
            "connection",
            "content-length",
            "date",
            "server",
            "x-amzn-requestid",
            "x-amz-apigw-id",
        ] {
            assert_eq!(renamed(name), format!("x-amzn-remapped-{name}"));
        }
        for name in [
            "keep-alive",
            "proxy-authenticate",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "upgrade",
        ] {
            assert_eq!(renamed(name), "Not");
        }
        assert_eq!(renamed("content-type"), "Same");
        assert_eq!(named("X-Hop"), Some(HeaderName::from_static("x-hop")));
        for kept in [
            "close",
            "Keep-Alive",
            "te",
            "connection",
            "x-api-key",
            "content-type",
            "a b",
        ] {
            assert_eq!(named(kept), None, "{kept}");
        }
    }
}
