//! Content codings: requests are taken out of theirs where the gateway has to read them, answers are put
//! into one where an API asks for that (`minimumCompressionSize`).

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, VARY,
};
use http::{Request, Response, StatusCode};

use crate::body::inflate::Coding;
use crate::body::{Body, RequestBody};
use crate::gateway_response::Refused;

/// Takes a request's body out of gzip or deflate as it is read, and the header away. Any other coding, and
/// several at once, are AWS's 415.
pub fn decode(request: &mut Request<RequestBody>) -> Result<(), Refused> {
    let coding = match named(request.headers())? {
        None => return Ok(()),
        Some(coding) => coding,
    };
    request.headers_mut().remove(CONTENT_ENCODING);
    if let Some(coding) = coding {
        request.body_mut().inflate(coding);
    }
    Ok(())
}

/// None without the header; within, none is identity.
fn named(headers: &HeaderMap) -> Result<Option<Option<Coding>>, Refused> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refused::UnsupportedMediaType);
    }
    let name = value
        .to_str()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match name.as_str() {
        "identity" | "" => Ok(Some(None)),
        "gzip" | "x-gzip" => Ok(Some(Some(Coding::Gzip))),
        "deflate" => Ok(Some(Some(Coding::Deflate))),
        _ => Err(Refused::UnsupportedMediaType),
    }
}

/// The coding a caller wants most, if it is one of ours. As on AWS a caller that says nothing, or only
/// `*`, wants none, and so does one whose first choice is none of ours.
pub fn wanted(headers: &HeaderMap) -> Option<Coding> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let items = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    let mut best = 0.0;
    let mut chosen: Option<Option<Coding>> = None;
    for item in items {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        let coding = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "deflate" => Some(Coding::Deflate),
            _ => None,
        };
        // Of those that are wanted equally, the first that is ours.
        let is_better = weight > best;
        let is_ours_at_last = weight == best && chosen == Some(None) && name != "identity";
        if is_better || (is_ours_at_last && coding.is_some()) {
            best = weight;
            chosen = Some(coding);
        }
    }
    chosen.flatten()
}

/// Compresses an answer if it is large enough and may be changed on its way.
pub async fn encode(response: Response<Body>, coding: Coding, bytes_min: u64) -> Response<Body> {
    let (mut head, mut body) = response.into_parts();
    if !may_change(head.status, &head.headers) || !body.has_at_least(bytes_min).await {
        return Response::from_parts(head, body);
    }
    body.deflate(coding);
    let name = match coding {
        Coding::Gzip => "gzip",
        Coding::Deflate => "deflate",
    };
    let headers = &mut head.headers;
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    // Other bytes under the same name: the tag says from now on only that they mean the same.
    if let Some(tag) = headers
        .get(ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
    Response::from_parts(head, body)
}

fn may_change(status: StatusCode, headers: &HeaderMap) -> bool {
    let has_body = !matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
    );
    let says = |name, what: &str| {
        let values = headers.get_all(name).iter();
        let mut texts = values.filter_map(|value| value.to_str().ok());
        texts.any(|text| text.to_ascii_lowercase().contains(what))
    };
    has_body
        && !headers.contains_key(CONTENT_ENCODING)
        && !headers.contains_key(CONTENT_RANGE)
        && !says(CACHE_CONTROL, "no-transform")
        // Events are sent when they happen, and the least size would hold them up.
        && !says(CONTENT_TYPE, "text/event-stream")
}

#[cfg(test)]
mod tests;
