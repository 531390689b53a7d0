//! A request as an upstream gets it: its head, and the framing of its body.

use http::Method;
use http::header::{
    CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRAILER, TRANSFER_ENCODING,
};
use http::uri::PathAndQuery;
use http_body::Body;
use smallvec::SmallVec;

use super::headers::names;
use crate::body::RequestBody;

/// Room for a head, so that writing it grows the buffer once.
const HEAD_BYTES_USUAL: usize = 1024;

/// A request to an upstream.
#[derive(Debug)]
pub struct Outbound {
    pub method: Method,
    pub target: PathAndQuery,
    /// As they came, without what ends here. Framing headers other than `transfer-encoding: chunked`
    /// must be gone.
    pub headers: HeaderMap,
    pub own: OwnHeaders,
    pub body: RequestBody,
}

/// Headers that the gateway sets, in the place of any that came under the same name.
#[derive(Debug, Default)]
pub struct OwnHeaders(SmallVec<[(HeaderName, HeaderValue); 8]>);

impl OwnHeaders {
    /// Sets a header; the last value holds.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        match self.0.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = value,
            None => self.0.push((name, value)),
        }
    }

    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value)
    }
}

/// How the end of a body is told.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// By the head: a length, or none for no body.
    Length,
    /// In chunks, with those trailers that were announced.
    Chunked { trailers: Vec<String> },
}

/// Writes a request's head; says how its body goes on.
pub fn write(out: &mut Vec<u8>, request: &Outbound) -> BodyFraming {
    out.reserve(HEAD_BYTES_USUAL);
    push(
        out,
        [
            request.method.as_str(),
            " ",
            request.target.as_str(),
            " HTTP/1.1\r\n",
        ],
    );
    for (name, value) in &request.own.0 {
        line(out, name.as_str(), value.as_bytes());
    }
    let mut is_chunked = false;
    for (name, value) in &request.headers {
        is_chunked |= *name == TRANSFER_ENCODING;
        if request.own.get(name).is_none() {
            line(out, name.as_str(), value.as_bytes());
        }
    }
    let framing = match is_chunked {
        true => BodyFraming::Chunked {
            trailers: names(&request.headers, &TRAILER)
                .map(str::to_owned)
                .collect(),
        },
        false => {
            let length = request.body.size_hint().exact().unwrap_or_default();
            // A server may ask for a length where a body is usual, even if there is none.
            let is_usual = matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
            if length > 0 || is_usual {
                let mut digits = itoa::Buffer::new();
                line(
                    out,
                    CONTENT_LENGTH.as_str(),
                    digits.format(length).as_bytes(),
                );
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

/// Writes a header.
pub fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    push(out, [name, ": "]);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn push<const N: usize>(out: &mut Vec<u8>, pieces: [&str; N]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}
