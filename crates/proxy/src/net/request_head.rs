//! A request as an upstream gets it: its head, and the framing of its body.

use http::header::{CONTENT_LENGTH, HeaderMap, TRAILER, TRANSFER_ENCODING};
use http::{Method, Request};
use http_body::Body;

use super::headers::names;
use crate::body::RequestBody;

/// Room for a head, so that writing it grows the buffer once.
const HEAD_BYTES_USUAL: usize = 1024;

/// How the end of a body is told.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// By the head: a length, or none for no body.
    Length,
    /// In chunks, with those trailers that were announced.
    Chunked { trailers: Vec<String> },
}

/// Writes a request's head; says how its body goes on. The target must be in origin form; framing
/// headers other than `transfer-encoding: chunked` must be gone.
pub fn write(out: &mut Vec<u8>, request: &Request<RequestBody>) -> BodyFraming {
    let headers = request.headers();
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |all| all.as_str());
    out.reserve(HEAD_BYTES_USUAL);
    push(
        out,
        [request.method().as_str(), " ", target, " HTTP/1.1\r\n"],
    );
    for (name, value) in headers {
        line(out, name.as_str(), value.as_bytes());
    }
    let framing = match headers.contains_key(TRANSFER_ENCODING) {
        true => BodyFraming::Chunked {
            trailers: names(headers, &TRAILER).map(str::to_owned).collect(),
        },
        false => {
            let length = request.body().size_hint().exact().unwrap_or_default();
            // A server may ask for a length where a body is usual, even if there is none.
            let is_usual = matches!(
                *request.method(),
                Method::POST | Method::PUT | Method::PATCH
            );
            if length > 0 || is_usual {
                let digits = itoa::Buffer::new().format(length).to_owned();
                line(out, CONTENT_LENGTH.as_str(), digits.as_bytes());
            }
            BodyFraming::Length
        }
    };
    out.extend_from_slice(b"\r\n");
    framing
}

/// The line before a chunk of so many bytes.
pub fn chunk_size(out: &mut Vec<u8>, bytes: usize) {
    push(out, [&format!("{bytes:x}"), "\r\n"]);
}

/// The last chunk and the trailers that were announced.
pub fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>, announced: &[String]) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        if announced.iter().any(|own| own == name.as_str()) {
            line(out, name.as_str(), value.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    push(out, [name, ": "]);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn push<const N: usize>(out: &mut Vec<u8>, pieces: [&str; N]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}
