//! The head of an upstream's answer: parsed strictly, and what it says of the body and the connection.
//!
//! Framing follows RFC 9112, section 6.3. What could be read in two ways is not an answer.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Response, StatusCode, Version};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;
use smallvec::SmallVec;

use super::chunked::Chunked;
use super::headers::names;

/// Header lines of an answer.
pub const ANSWER_HEADERS_MAX: usize = 100;
/// Bytes of an answer's head.
pub const ANSWER_HEAD_BYTES_MAX: usize = 256 * 1024;
/// Room for the headers that the gateway adds.
const ADDED_HEADERS: usize = 8;

/// A head as it was read.
#[derive(Debug)]
pub struct AnswerHead {
    pub response: Response<()>,
    pub framing: Framing,
    /// Whether the connection may carry another call once the body has ended.
    pub keeps_alive: bool,
}

/// Where an answer's body ends.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    Length(u64),
    Chunked(Chunked),
    /// With the connection.
    Close,
}

/// Why the bytes are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    #[error("the answer is not HTTP/1")]
    Malformed,
    #[error("the answer's head is too large")]
    HeadTooLarge,
    #[error("the answer's length is not clear")]
    Length,
    #[error("the answer's transfer encoding is not chunked alone")]
    Encoding,
    #[error("the answer switches protocols")]
    Upgrade,
}

/// Where the next head ends in `bytes`, if it does; `searched` bytes were looked at before.
fn has_end(bytes: &[u8], searched: usize) -> bool {
    let from = searched.saturating_sub(3);
    memchr::memchr_iter(b'\n', &bytes[from..]).any(|at| {
        let rest = &bytes[from + at + 1..];
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    })
}

/// Takes a whole head off the buffer's beginning. None until it is whole; `searched` is for the caller
/// to keep meanwhile, and begins with 0. Interim answers (1xx) are for the caller to skip.
pub fn take(
    buffer: &mut BytesMut,
    searched: &mut usize,
    is_head_request: bool,
) -> Result<Option<AnswerHead>, BadAnswer> {
    // The first look parses at once; after that, only a head that has its end is parsed again.
    let is_partial = *searched > 0 && !has_end(buffer, *searched);
    if is_partial {
        return partial(buffer, searched);
    }
    let mut lines = [const { MaybeUninit::uninit() }; ANSWER_HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, buffer, &mut lines)
        .map_err(|_| BadAnswer::Malformed)?;
    let Status::Complete(head_bytes) = status else {
        return partial(buffer, searched);
    };
    let code = parsed.code.unwrap_or_default();
    let code = StatusCode::from_u16(code).map_err(|_| BadAnswer::Malformed)?;
    let is_http_10 = parsed.version == Some(0);
    let reason = parsed
        .reason
        .filter(|own| code.canonical_reason() != Some(own));
    let reason = reason.and_then(|own| ReasonPhrase::try_from(own.as_bytes()).ok());
    let places = places(buffer, parsed.headers);
    *searched = 0;
    let head = buffer.split_to(head_bytes).freeze();

    let mut headers = HeaderMap::with_capacity(places.len() + ADDED_HEADERS);
    for (name, start, end) in places {
        let value = HeaderValue::from_maybe_shared(head.slice(start..end));
        headers.append(name?, value.map_err(|_| BadAnswer::Malformed)?);
    }
    let framing = framing(&headers, code, is_http_10, is_head_request)?;
    let keeps_alive = keeps_alive(&headers, is_http_10) && !matches!(framing, Framing::Close);
    let mut response = Response::new(());
    *response.status_mut() = code;
    *response.version_mut() = Version::HTTP_11;
    *response.headers_mut() = headers;
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    Ok(Some(AnswerHead {
        response,
        framing,
        keeps_alive,
    }))
}

fn partial(buffer: &BytesMut, searched: &mut usize) -> Result<Option<AnswerHead>, BadAnswer> {
    *searched = buffer.len();
    match buffer.len() > ANSWER_HEAD_BYTES_MAX {
        true => Err(BadAnswer::HeadTooLarge),
        false => Ok(None),
    }
}

type Place = (Result<HeaderName, BadAnswer>, usize, usize);

/// Names, and where their values stand in the buffer.
fn places(buffer: &[u8], headers: &[httparse::Header<'_>]) -> SmallVec<[Place; 16]> {
    let base = buffer.as_ptr() as usize;
    let place = |header: &httparse::Header<'_>| {
        let start = (header.value.as_ptr() as usize).saturating_sub(base);
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let name = name.map_err(|_| BadAnswer::Malformed);
        (name, start, start + header.value.len())
    };
    headers.iter().map(place).collect()
}

fn framing(
    headers: &HeaderMap,
    code: StatusCode,
    is_http_10: bool,
    is_head_request: bool,
) -> Result<Framing, BadAnswer> {
    if code == StatusCode::SWITCHING_PROTOCOLS {
        return Err(BadAnswer::Upgrade);
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let encoding = encodings.next();
    let is_chunked = encoding.is_some();
    if let Some(encoding) = encoding
        && (is_http_10
            || encodings.next().is_some()
            || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(BadAnswer::Encoding);
    }
    let length = length(headers)?;
    let has_no_body = is_head_request
        || code.is_informational()
        || code == StatusCode::NO_CONTENT
        || code == StatusCode::NOT_MODIFIED;
    match (has_no_body, is_chunked, length) {
        (true, _, _) => Ok(Framing::Length(0)),
        (false, true, Some(_)) => Err(BadAnswer::Length),
        (false, true, None) => Ok(Framing::Chunked(Chunked::START)),
        (false, false, Some(length)) => Ok(Framing::Length(length)),
        (false, false, None) => Ok(Framing::Close),
    }
}

/// The length told, the same however often.
fn length(headers: &HeaderMap) -> Result<Option<u64>, BadAnswer> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let text = value.to_str().map_err(|_| BadAnswer::Length)?;
        for item in text.split(',').map(str::trim) {
            let is_number = !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit());
            let own: u64 = match is_number {
                true => item.parse().map_err(|_| BadAnswer::Length)?,
                false => return Err(BadAnswer::Length),
            };
            if length.is_some_and(|length| length != own) {
                return Err(BadAnswer::Length);
            }
            length = Some(own);
        }
    }
    Ok(length)
}

fn keeps_alive(headers: &HeaderMap, is_http_10: bool) -> bool {
    let says = |what: &str| names(headers, &CONNECTION).any(|name| name.eq_ignore_ascii_case(what));
    match is_http_10 {
        true => says("keep-alive"),
        false => !says("close"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<AnswerHead>, BadAnswer> {
        take(&mut BytesMut::from(text), &mut 0, false)
    }

    fn framed(lines: &str) -> Result<Framing, BadAnswer> {
        let head = head(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"))?;
        head.map(|head| head.framing).ok_or(BadAnswer::Malformed)
    }

    #[test]
    fn a_head_is_read_wherever_it_is_split_and_the_rest_stays() {
        let text = "HTTP/1.1 203 Made Up\r\nX-A: one\r\nx-a:two\r\nContent-Length: 3\r\n\r\nabcd";
        let head_bytes = text.len() - 4;
        for size in 1..text.len() {
            let (mut buffer, mut searched, mut found) = (BytesMut::new(), 0, None);
            for piece in text.as_bytes().chunks(size) {
                buffer.extend_from_slice(piece);
                if found.is_none() {
                    found = take(&mut buffer, &mut searched, false).unwrap();
                }
            }
            let head = found.unwrap();
            assert_eq!(&buffer[..], &text.as_bytes()[head_bytes..]);
            assert_eq!(head.response.status(), 203);
            let values: Vec<_> = head.response.headers().get_all("x-a").iter().collect();
            assert_eq!(values, ["one", "two"]);
            assert!(matches!(head.framing, Framing::Length(3)) && head.keeps_alive);
            let reason: &ReasonPhrase = head.response.extensions().get().unwrap();
            assert_eq!(reason.as_bytes(), b"Made Up");
        }
    }

    #[test]
    fn a_body_ends_in_one_way_or_the_answer_is_none() {
        assert!(matches!(
            framed("content-length: 7\r\n"),
            Ok(Framing::Length(7))
        ));
        assert!(matches!(
            framed("content-length: 7, 7\r\ncontent-length: 7\r\n"),
            Ok(Framing::Length(7))
        ));
        assert!(matches!(
            framed("Transfer-Encoding: CHUNKED\r\n"),
            Ok(Framing::Chunked(_))
        ));
        assert!(matches!(framed(""), Ok(Framing::Close)));
        for (lines, expected) in [
            (
                "content-length: 7\r\ncontent-length: 8\r\n",
                BadAnswer::Length,
            ),
            ("content-length: 7, 8\r\n", BadAnswer::Length),
            ("content-length: -1\r\n", BadAnswer::Length),
            ("content-length: +1\r\n", BadAnswer::Length),
            ("content-length: \r\n", BadAnswer::Length),
            (
                "content-length: 99999999999999999999\r\n",
                BadAnswer::Length,
            ),
            (
                "content-length: 7\r\ntransfer-encoding: chunked\r\n",
                BadAnswer::Length,
            ),
            ("transfer-encoding: gzip, chunked\r\n", BadAnswer::Encoding),
            (
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                BadAnswer::Encoding,
            ),
            ("x: a\r\n folded\r\n", BadAnswer::Malformed),
            ("x : a\r\n", BadAnswer::Malformed),
            ("x: a\0b\r\n", BadAnswer::Malformed),
        ] {
            assert_eq!(framed(lines).err(), Some(expected), "{lines}");
        }
        assert_eq!(
            head("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").err(),
            Some(BadAnswer::Encoding)
        );
        assert_eq!(
            head("HTTP/1.1 101 Switching Protocols\r\n\r\n").err(),
            Some(BadAnswer::Upgrade)
        );
        assert_eq!(head("HTTP/2 200\r\n\r\n").err(), Some(BadAnswer::Malformed));
        assert_eq!(head("SSH-2.0-x\r\n").err(), Some(BadAnswer::Malformed));
    }

    #[test]
    fn answers_to_head_and_without_content_have_no_body() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
        let head = take(&mut BytesMut::from(text), &mut 0, true)
            .unwrap()
            .unwrap();
        assert!(matches!(head.framing, Framing::Length(0)));
        for status in ["204 No Content", "304 Not Modified", "103 Early Hints"] {
            let head = super::tests::head(&format!("HTTP/1.1 {status}\r\n\r\n"))
                .unwrap()
                .unwrap();
            assert!(
                matches!(head.framing, Framing::Length(0)) && head.keeps_alive,
                "{status}"
            );
        }
    }

    #[test]
    fn connections_are_kept_as_the_answer_says() {
        for (version, line, expected) in [
            ("1.1", "", true),
            ("1.1", "connection: x, Close\r\n", false),
            ("1.1", "connection: keep-alive\r\n", true),
            ("1.0", "", false),
            ("1.0", "connection: Keep-Alive\r\n", true),
        ] {
            let text = format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{line}\r\n");
            assert_eq!(
                head(&text).unwrap().unwrap().keeps_alive,
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        let mut buffer = BytesMut::from("HTTP/1.1 200 OK\r\nx: ");
        let mut searched = 0;
        let mut result = take(&mut buffer, &mut searched, false);
        while matches!(result, Ok(None)) {
            buffer.extend_from_slice(&[b'a'; 8192]);
            result = take(&mut buffer, &mut searched, false);
        }
        assert_eq!(result.err(), Some(BadAnswer::HeadTooLarge));
    }
}
