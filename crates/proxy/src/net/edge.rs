//! The rules a request must meet before anything is decided on it: one Host, a target in origin form,
//! no tunnel, a body that is not too large.

use std::net::Ipv6Addr;

use h2::RecvStream;
use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

use super::http1::Fault;
use super::http2::body::StreamBody;
use super::serving::ServingLimits;
use crate::body::RequestBody;
use crate::gateway_response::{BadRequest, Refused};

/// Bytes of a request's body, as on AWS.
pub const BODY_BYTES_MAX_DEFAULT: u64 = 10 * 1024 * 1024;

/// Makes a request as it is decided on from one on an HTTP/2 stream; and why it is refused, if it is. What HTTP/1's inspection of heads refuses and the h2
/// crate does not is refused here.
pub fn receive_stream(
    request: Request<RecvStream>,
    limits: &ServingLimits,
) -> (Request<RequestBody>, Option<Refused>) {
    let (mut head, stream) = request.into_parts();
    let length = content_length(&head.headers);
    let body = (!stream.is_end_stream()).then(|| {
        let length = length.unwrap_or_default();
        StreamBody::new(stream, length, limits.patience)
    });
    let refused = match length {
        Err(fault) => Err(Refused::Faulty(fault)),
        Ok(length) => check_stream(&mut head, limits).and(match length {
            Some(length) if length > limits.body_bytes_max => Err(Refused::RequestTooLarge {
                bytes_max: limits.body_bytes_max,
            }),
            _ => Ok(()),
        }),
    };
    let body = RequestBody::of_stream(body, limits.body_bytes_max);
    (Request::from_parts(head, body), refused.err())
}

fn check_stream(head: &mut Parts, limits: &ServingLimits) -> Result<(), Refused> {
    if head.method == Method::CONNECT {
        return Err(Refused::BadRequest(BadRequest::Method));
    }
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > limits.head.target_bytes_max {
        return Err(Refused::Faulty(Fault::TargetTooLong));
    }
    join_cookies(&mut head.headers);
    if head.headers.len() > limits.head.headers_max {
        return Err(Refused::Faulty(Fault::TooManyHeaders));
    }
    let bad_host = Refused::BadRequest(BadRequest::Host);
    if let Some(authority) = head.uri.authority() {
        let same = |host: &HeaderValue| {
            host.as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes())
        };
        if !head.headers.get_all(HOST).iter().all(same) {
            return Err(bad_host);
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad_host)?;
        head.headers.insert(HOST, host);
    }
    if let Some((uri, host)) = origin_form(&head.uri, &head.headers)? {
        head.uri = uri;
        head.headers.insert(HOST, host);
    }
    match head.uri.path().starts_with('/') {
        true => Ok(()),
        false => Err(Refused::BadRequest(BadRequest::Target)), // such as `OPTIONS *`
    }
}

/// HTTP/2 lets a client send its cookies one by one; upstreams know one header.
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut all = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        all.extend_from_slice(b"; ");
        all.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(all) = HeaderValue::from_maybe_shared(bytes::Bytes::from(all)) {
        headers.insert(COOKIE, all);
    }
}

/// The length a client says its body has.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Fault> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(None);
    };
    if lengths.next().is_some() {
        return Err(Fault::SeveralLengths);
    }
    let is_number = length.as_bytes().iter().all(u8::is_ascii_digit);
    let number = length.to_str().ok().filter(|_| is_number);
    number
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or(Fault::BadLength)
}

/// Makes a request as it is decided on from one of HTTP/1, or says why it is refused.
pub fn check(request: &mut Request<RequestBody>, body_bytes_max: u64) -> Result<(), Refused> {
    if request.method() == Method::CONNECT {
        return Err(Refused::BadRequest(BadRequest::Method));
    }
    if let Some(origin_form) = origin_form(request.uri(), request.headers())? {
        let (uri, host) = origin_form;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, host);
    }
    match http_body::Body::size_hint(request.body()).exact() {
        Some(length) if length > body_bytes_max => Err(Refused::RequestTooLarge {
            bytes_max: body_bytes_max,
        }),
        _ => Ok(()),
    }
}

/// The target and Host to go on with, when they are not those that came.
pub(crate) fn origin_form(
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<(Uri, HeaderValue)>, Refused> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Refused::BadRequest(BadRequest::Host));
    };
    if !is_host(host.as_bytes()) {
        return Err(Refused::BadRequest(BadRequest::Host));
    }
    let bad_target = Refused::BadRequest(BadRequest::Target);
    let Some(authority) = uri.authority() else {
        return match uri.path().starts_with('/') {
            true => Ok(None),
            false => Err(bad_target), // such as `OPTIONS *`
        };
    };
    let is_web = uri
        .scheme()
        .is_some_and(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS);
    if !is_web || !is_host(authority.as_str().as_bytes()) {
        return Err(bad_target);
    }
    // The target's authority counts, whatever the Host header says.
    let target = uri
        .path_and_query()
        .cloned()
        .unwrap_or(PathAndQuery::from_static("/"));
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad_target)?;
    Ok(Some((Uri::from(target), host)))
}

/// A host with an optional port, and nothing that could be taken for more.
fn is_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    if let Some((address, port)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        let port = port.strip_prefix(':').or(port.is_empty().then_some(""));
        return address.parse::<Ipv6Addr>().is_ok() && port.is_some_and(is_port);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !host.is_empty() && host.bytes().all(is_plain) && is_port(port)
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formed(uri: &str, hosts: &[&str]) -> Result<Option<(String, String)>, Refused> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
        }
        let formed = origin_form(&uri.parse().unwrap(), &headers)?;
        Ok(formed.map(|(uri, host)| (uri.to_string(), host.to_str().unwrap().to_owned())))
    }

    #[test]
    fn exactly_one_usable_host_is_needed() {
        let bad = Err(Refused::BadRequest(BadRequest::Host));
        for hosts in [
            &[][..],
            &["a", "a"],
            &["a", "b"],
            &[""],
            &["a b"],
            &["a,b"],
            &["a/b"],
            &["u@a"],
            &["a:b"],
            &["a:123456"],
            &[":80"],
            &["[::1"],
            &["[::1]x"],
            &["[:,1]:80"],
            &["[u@::1]"],
        ] {
            assert_eq!(formed("/x", hosts), bad, "{hosts:?}");
        }
        for host in ["a", "a.b-c_d:8080", "127.0.0.1:1", "[::1]:80", "a:"] {
            assert_eq!(formed("/x?y", &[host]), Ok(None), "{host}");
        }
    }

    #[test]
    fn an_absolute_target_becomes_an_origin_target_and_names_the_host() {
        let is = |uri: &str, expected: &str| {
            let expected = Some((expected.to_owned(), "b:81".to_owned()));
            assert_eq!(formed(uri, &["a"]), Ok(expected), "{uri}");
        };
        is("http://b:81/x?y=1", "/x?y=1");
        is("https://b:81", "/");
        let bad = Err(Refused::BadRequest(BadRequest::Target));
        for uri in ["*", "ftp://b/x", "http://u:p@b/x", "b:81"] {
            assert_eq!(formed(uri, &["a"]), bad, "{uri}");
        }
        assert_eq!(
            formed("http://b/", &[]),
            Err(Refused::BadRequest(BadRequest::Host))
        );
    }
}
