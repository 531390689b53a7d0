//! Content codings: requests are taken out of theirs where the gateway has to read them.

use http::Request;
use http::header::{CONTENT_ENCODING, HeaderMap};

use crate::body::RequestBody;
use crate::body::inflate::Coding;
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
