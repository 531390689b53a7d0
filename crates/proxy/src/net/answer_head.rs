//! The head of an upstream's answer: parsed strictly, and what it says of the body and the connection.
//!
//! Framing follows RFC 9112, section 6.3. What could be read in two ways is not an answer.

use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::{Response, StatusCode};
use httparse::{ParserConfig, Status};

use super::chunked::Chunked;
use super::headers::{self, KEEP_ALIVE, Returned, items};

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
    /// For how long it may wait for that, a second less than the upstream told (`Keep-Alive: timeout=`).
    pub idle: Option<Duration>,
}

/// Where an answer's body ends.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    Length(u64),
    Chunked(Chunked),
    /// With the connection.
    Close,
}

/// What an answer's status line says besides the status, where that is not the usual. It goes on as it came.
#[derive(Clone, Debug)]
pub struct ReasonPhrase(pub Bytes);

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

/// Where the first head in `bytes` ends, if it does; `searched` bytes were looked at before.
fn end(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    memchr::memchr_iter(b'\n', &bytes[from..]).find_map(|at| {
        let end = from + at + 1;
        match &bytes[end..] {
            [b'\n', ..] => Some(end + 1),
            [b'\r', b'\n', ..] => Some(end + 2),
            _ => None,
        }
    })
}

/// Takes a whole head off the buffer's beginning. None until it is whole; `searched` is for the caller
/// to keep meanwhile, and begins with 0. Interim answers (1xx) are for the caller to skip. Headers are
/// already as the client is to see them (see [`headers::returned`]).
pub fn take(
    buffer: &mut BytesMut,
    searched: &mut usize,
    is_head_request: bool,
) -> Result<Option<AnswerHead>, BadAnswer> {
    let Some(head_bytes) = end(buffer, *searched) else {
        return partial(buffer, searched);
    };
    *searched = 0;
    let head = buffer.split_to(head_bytes).freeze();
    let mut lines = [const { MaybeUninit::uninit() }; ANSWER_HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let status = ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, &head, &mut lines)
        .map_err(|_| BadAnswer::Malformed)?;
    if status != Status::Complete(head.len()) {
        return Err(BadAnswer::Malformed);
    }
    let code = parsed.code.unwrap_or_default();
    let code = StatusCode::from_u16(code).map_err(|_| BadAnswer::Malformed)?;
    let mut said = Said {
        is_http_10: parsed.version == Some(0),
        ..Said::default()
    };
    let mut response = Response::new(());
    let mut headers = HeaderMap::with_capacity(parsed.headers.len() + ADDED_HEADERS);
    for line in &*parsed.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(head.slice_ref(line.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(BadAnswer::Malformed);
        };
        match headers::returned(&name) {
            Returned::Same => drop(headers.append(name, value)),
            Returned::Not => said.hear(&name, &value)?,
            Returned::Renamed(to) => {
                said.hear(&name, &value)?;
                headers.entry(to).or_insert(value);
            }
        }
    }
    for named in &said.named {
        headers.remove(named);
    }
    if let (true, Some(length), false) = (is_head_request, said.length, said.is_chunked) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let framing = said.framing(code, is_head_request)?;
    if let Some(reason) = parsed
        .reason
        .filter(|own| code.canonical_reason() != Some(own))
    {
        let reason = head.slice_ref(reason.as_bytes());
        response.extensions_mut().insert(ReasonPhrase(reason));
    }
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    Ok(Some(AnswerHead {
        response,
        keeps_alive: said.keeps_alive() && said.ends_surely(code, framing),
        idle: said.timeout_s.map(before_the_end),
        framing,
    }))
}

/// When a connection is no longer used, so that the upstream does not close it while a call is on its way.
fn before_the_end(timeout_s: u32) -> Duration {
    let told = Duration::from_secs(timeout_s.into());
    told - (told / 2).min(Duration::from_secs(1))
}

fn partial(buffer: &BytesMut, searched: &mut usize) -> Result<Option<AnswerHead>, BadAnswer> {
    *searched = buffer.len();
    let beginning = buffer.trim_ascii_start();
    let is_http = beginning
        .iter()
        .zip(b"HTTP/1.")
        .all(|(own, http)| own == http);
    match buffer.len() > ANSWER_HEAD_BYTES_MAX {
        true => Err(BadAnswer::HeadTooLarge),
        false if !is_http => Err(BadAnswer::Malformed), // whoever speaks first in another tongue
        false => Ok(None),
    }
}

/// What a head says of its body and its connection.
#[derive(Default)]
struct Said {
    is_http_10: bool,
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    keeps: bool,
    timeout_s: Option<u32>,
    /// Headers for this connection only.
    named: Vec<HeaderName>,
}

impl Said {
    fn hear(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), BadAnswer> {
        match *name {
            CONTENT_LENGTH => self.length(value),
            TRANSFER_ENCODING => {
                let is_alone = !self.is_chunked && !self.is_http_10;
                if !is_alone || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                    return Err(BadAnswer::Encoding);
                }
                self.is_chunked = true;
                Ok(())
            }
            CONNECTION => {
                for item in items(value) {
                    match item {
                        _ if item.eq_ignore_ascii_case("close") => self.closes = true,
                        _ if item.eq_ignore_ascii_case("keep-alive") => self.keeps = true,
                        _ => self.named.extend(headers::named(item)),
                    }
                }
                Ok(())
            }
            _ if *name == KEEP_ALIVE => {
                let timeout = items(value).find_map(|item| {
                    let (name, seconds) = item.split_once('=')?;
                    let is_it = name.trim().eq_ignore_ascii_case("timeout");
                    seconds.trim().parse().ok().filter(|_| is_it)
                });
                self.timeout_s = timeout.or(self.timeout_s);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A length may be told more than once, if it is the same.
    fn length(&mut self, value: &HeaderValue) -> Result<(), BadAnswer> {
        let text = value.to_str().map_err(|_| BadAnswer::Length)?;
        for item in text.split(',').map(str::trim) {
            let is_number = !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit());
            let own: u64 = match is_number {
                true => item.parse().map_err(|_| BadAnswer::Length)?,
                false => return Err(BadAnswer::Length),
            };
            if self.length.is_some_and(|length| length != own) {
                return Err(BadAnswer::Length);
            }
            self.length = Some(own);
        }
        Ok(())
    }

    fn framing(&self, code: StatusCode, is_head_request: bool) -> Result<Framing, BadAnswer> {
        if code == StatusCode::SWITCHING_PROTOCOLS {
            return Err(BadAnswer::Upgrade);
        }
        let has_no_body = is_head_request
            || code.is_informational()
            || code == StatusCode::NO_CONTENT
            || code == StatusCode::NOT_MODIFIED;
        match (has_no_body, self.is_chunked, self.length) {
            (true, _, _) => Ok(Framing::Length(0)),
            (false, true, Some(_)) => Err(BadAnswer::Length),
            (false, true, None) => Ok(Framing::Chunked(Chunked::START)),
            (false, false, Some(length)) => Ok(Framing::Length(length)),
            (false, false, None) => Ok(Framing::Close),
        }
    }

    /// Whether nothing can follow the answer that others would not take for its body. Bytes that did
    /// would be read as the next call's answer.
    fn ends_surely(&self, code: StatusCode, framing: Framing) -> bool {
        let tells_of_one = match code {
            StatusCode::NO_CONTENT => {
                self.is_chunked || self.length.is_some_and(|length| length > 0)
            }
            _ => self.is_chunked, // to HEAD, or 304: a length is usual there
        };
        match framing {
            Framing::Close => false,
            Framing::Length(0) => !tells_of_one,
            Framing::Length(_) | Framing::Chunked(_) => true,
        }
    }

    fn keeps_alive(&self) -> bool {
        !self.closes && (self.keeps || !self.is_http_10)
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
            assert_eq!(&reason.0[..], b"Made Up");
        }
    }

    #[test]
    fn how_long_a_connection_may_wait_is_told_a_second_early() {
        let idle = |lines: &str| {
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{lines}\r\n");
            head(&text).unwrap().unwrap().idle
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(idle("Keep-Alive: timeout=5\r\n"), seconds(4));
        assert_eq!(idle("keep-alive: max=100, Timeout = 75\r\n"), seconds(74));
        assert_eq!(
            idle("keep-alive: timeout=1\r\n"),
            Some(Duration::from_millis(500))
        );
        assert_eq!(idle("keep-alive: timeout=0\r\n"), seconds(0));
        for nothing in [
            "",
            "keep-alive: 5\r\n",
            "keep-alive: timeout=-1\r\n",
            "keep-alive: timeout\r\n",
        ] {
            assert_eq!(idle(nothing), None, "{nothing}");
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
        assert_eq!(head("SSH-2.0-x").err(), Some(BadAnswer::Malformed));
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
            ("1.1", "connection: \u{e9}, close\r\n", false),
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
