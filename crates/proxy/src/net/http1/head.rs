//! A request's head: read strictly in one pass, each line looked at once, whatever pieces it comes in.
//!
//! What could be read in two ways is refused: both lengths, a length or an encoding given twice, line ends
//! without a carriage return, folded lines, blanks before a colon. So this gateway and what stands before or
//! behind it always agree on where the next request begins.

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HeaderMap, HeaderName, HeaderValue, TE};
use http::{Method, Request, Uri, Version};
use smallvec::SmallVec;

use crate::net::headers::items;

/// What a request head may hold.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Request line and headers together.
    pub head_bytes_max: usize,
    pub headers_max: usize,
    /// The request target, in whatever form it comes.
    pub target_bytes_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits {
            head_bytes_max: 64 * 1024,
            headers_max: 100,
            target_bytes_max: 10 * 1024,
        }
    }
}

/// Why a message is not read any further. The connection ends with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A request line or a header line that is not one.
    Malformed,
    BareLineFeed,
    /// Content-Length and Transfer-Encoding.
    BothLengths,
    /// Content-Length or Transfer-Encoding more than once.
    SeveralLengths,
    BadLength,
    /// Anything but `chunked`.
    BadEncoding,
    BadChunk,
    BadVersion,
    TargetTooLong,
    HeadTooLarge,
    TooManyHeaders,
    /// The head did not come in time.
    SlowHead,
}

/// A head as it was read.
#[derive(Debug)]
pub struct Head {
    pub request: Request<()>,
    pub framing: Framing,
    /// Whether the client wants to send another request on the connection.
    pub keeps_alive: bool,
    /// Whether the client sends the body only when it is told to.
    pub expects_continue: bool,
    /// Whether the client can take trailers.
    pub takes_trailers: bool,
}

/// Where a request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// At once, if that is 0.
    Length(u64),
    Chunked,
}

/// A head as far as it was read.
#[derive(Debug, Default)]
pub struct Reading {
    /// Up to where line ends were looked for.
    searched: usize,
    line_start: usize,
    /// The request line, once it is there.
    first: Option<FirstLine>,
    headers: SmallVec<[HeaderLine; LINES_USUAL]>,
    length: Option<u64>,
    is_chunked: bool,
}

/// Header lines there is room for without an allocation.
const LINES_USUAL: usize = 16;

/// Places in the head.
#[derive(Clone, Copy, Debug)]
struct FirstLine {
    method: (u32, u32),
    target: (u32, u32),
    is_http_10: bool,
}

/// Places in the head; a value is without the blanks around it.
#[derive(Clone, Copy, Debug)]
struct HeaderLine {
    name: (u32, u32),
    value: (u32, u32),
}

impl Reading {
    /// Reads on in a head that begins where `bytes` does. Says where it ends, once it does.
    pub fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Fault> {
        while let Some(found) = memchr::memchr(b'\n', &bytes[self.searched..]) {
            let end = self.searched + found;
            self.searched = end + 1;
            if self.searched > limits.head_bytes_max {
                return Err(self.too_large());
            }
            let start = self.line_start;
            let line = bytes[start..end]
                .strip_suffix(b"\r")
                .ok_or(Fault::BareLineFeed)?;
            self.line_start = self.searched;
            match (line.is_empty(), &self.first) {
                (true, None) => {} // empty lines before a request are to be ignored
                (true, Some(_)) => return Ok(Some(self.searched)),
                (false, None) => self.first = Some(first_line(line, start, limits)?),
                (false, Some(_)) if self.headers.len() >= limits.headers_max => {
                    return Err(Fault::TooManyHeaders);
                }
                (false, Some(_)) => self.header_line(line, start)?,
            }
        }
        self.searched = bytes.len();
        let open_line = bytes.len() - self.line_start;
        if self.first.is_none() && open_line > limits.target_bytes_max + LINE_OVERHEAD {
            return Err(Fault::TargetTooLong);
        }
        match bytes.len() > limits.head_bytes_max {
            true => Err(self.too_large()),
            false => Ok(None),
        }
    }

    fn too_large(&self) -> Fault {
        match self.first {
            None => Fault::TargetTooLong,
            Some(_) => Fault::HeadTooLarge,
        }
    }

    fn header_line(&mut self, line: &[u8], start: usize) -> Result<(), Fault> {
        let (colon, value) = split(line).ok_or(Fault::Malformed)?;
        let (name, text) = (&line[..colon], &line[value.0..value.1]);
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(text)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(text)?
            }
            _ => {}
        }
        self.headers.push(HeaderLine {
            name: span(start, 0, colon),
            value: span(start, value.0, value.1),
        });
        Ok(())
    }

    fn content_length(&mut self, digits: &[u8]) -> Result<(), Fault> {
        if self.is_chunked {
            return Err(Fault::BothLengths);
        }
        if self.length.is_some() {
            return Err(Fault::SeveralLengths);
        }
        if digits.is_empty()
            || digits.len() > LENGTH_DIGITS_MAX
            || !digits.iter().all(u8::is_ascii_digit)
        {
            return Err(Fault::BadLength);
        }
        let length = digits
            .iter()
            .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        self.length = Some(length);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.length.is_some() {
            return Err(Fault::BothLengths);
        }
        if self.is_chunked {
            return Err(Fault::SeveralLengths);
        }
        let is_http_10 = self.first.is_some_and(|first| first.is_http_10);
        if is_http_10 || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::BadEncoding);
        }
        self.is_chunked = true;
        Ok(())
    }

    /// The request that was read; `bytes` are those of its whole head, which its headers share.
    pub fn head(&self, bytes: &Bytes) -> Result<Head, Fault> {
        let part = |(from, to): (u32, u32)| from as usize..to as usize;
        let first = self.first.as_ref().ok_or(Fault::Malformed)?;
        let target = part(first.target);
        if memchr::memchr(b'#', &bytes[target.clone()]).is_some() {
            return Err(Fault::Malformed);
        }
        let (mut closes, mut keeps) = (false, !first.is_http_10);
        let mut head = Head {
            request: Request::new(()),
            framing: match self.is_chunked {
                true => Framing::Chunked,
                false => Framing::Length(self.length.unwrap_or_default()),
            },
            keeps_alive: false,
            expects_continue: false,
            takes_trailers: false,
        };
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for line in &self.headers {
            let name = HeaderName::from_bytes(&bytes[part(line.name)]);
            let value = HeaderValue::from_maybe_shared(bytes.slice(part(line.value)));
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Fault::Malformed);
            };
            match name {
                CONNECTION => {
                    for item in items(&value) {
                        closes |= item.eq_ignore_ascii_case("close");
                        keeps |= item.eq_ignore_ascii_case("keep-alive");
                    }
                }
                EXPECT => {
                    let expected = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                    head.expects_continue = expected && !first.is_http_10;
                }
                TE => {
                    let has = |item: &str| item.eq_ignore_ascii_case("trailers");
                    head.takes_trailers |= items(&value).any(has);
                }
                _ => {}
            }
            headers.append(name, value);
        }
        head.keeps_alive = keeps && !closes;
        let request = &mut head.request;
        *request.method_mut() =
            Method::from_bytes(&bytes[part(first.method)]).map_err(|_| Fault::Malformed)?;
        *request.uri_mut() =
            Uri::from_maybe_shared(bytes.slice(target)).map_err(|_| Fault::Malformed)?;
        if first.is_http_10 {
            *request.version_mut() = Version::HTTP_10;
        }
        *request.headers_mut() = headers;
        Ok(head)
    }
}

/// The lines of a trailer section, the empty one at its end included.
pub fn trailers(lines: &[u8], headers_max: usize) -> Result<HeaderMap, Fault> {
    let mut trailers = HeaderMap::new();
    let mut rest = lines;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest[..end].strip_suffix(b"\r").ok_or(Fault::BareLineFeed)?;
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        if trailers.len() >= headers_max {
            return Err(Fault::TooManyHeaders);
        }
        let (colon, value) = split(line).ok_or(Fault::Malformed)?;
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(&line[value.0..value.1]);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Fault::Malformed);
        };
        trailers.append(name, value);
    }
    Ok(trailers)
}

/// Digits of a Content-Length that surely fits 64 bits.
const LENGTH_DIGITS_MAX: usize = 18;

/// Room in a request line for the method, two spaces and the version.
const LINE_OVERHEAD: usize = 64;

/// Where a piece of a line that begins at `start` lies in the head.
fn span(start: usize, from: usize, to: usize) -> (u32, u32) {
    ((start + from) as u32, (start + to) as u32)
}

/// Where a header line's name ends, and between which places its value lies without blanks.
fn split(line: &[u8]) -> Option<(usize, (usize, usize))> {
    let colon = line.iter().position(|byte| !TOKEN[usize::from(*byte)])?;
    if colon == 0 || line[colon] != b':' || has_control(&line[colon + 1..]) {
        return None;
    }
    let is_blank = |byte: &u8| matches!(*byte, b' ' | b'\t');
    let (mut from, mut to) = (colon + 1, line.len());
    while from < to && is_blank(&line[from]) {
        from += 1;
    }
    while to > from && is_blank(&line[to - 1]) {
        to -= 1;
    }
    Some((colon, (from, to)))
}

/// Method, target, version; one space between them and no other.
fn first_line(line: &[u8], start: usize, limits: &HeadLimits) -> Result<FirstLine, Fault> {
    let space = |from: usize| memchr::memchr(b' ', &line[from..]).map(|at| from + at);
    let method = space(0).ok_or(Fault::Malformed)?;
    let target = space(method + 1).ok_or(Fault::Malformed)?;
    let version = &line[target + 1..];
    if target - method - 1 > limits.target_bytes_max {
        return Err(Fault::TargetTooLong);
    }
    let is_token = line[..method].iter().all(|byte| TOKEN[usize::from(*byte)]);
    if method == 0 || target == method + 1 || !is_token {
        return Err(Fault::Malformed);
    }
    let is_http_10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ if version.starts_with(b"HTTP/") && !version.contains(&b' ') => {
            return Err(Fault::BadVersion);
        }
        _ => return Err(Fault::Malformed),
    };
    Ok(FirstLine {
        method: span(start, 0, method),
        target: span(start, method + 1, target),
        is_http_10,
    })
}

/// Whether a header's value holds a byte that may not: NUL, bare CR, other controls but tab. Without
/// an early exit, so that the compiler looks at many bytes at once.
fn has_control(value: &[u8]) -> bool {
    value.iter().fold(false, |bad, byte| {
        bad | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f)
    })
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(
            byte as u8,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
                | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(bytes: &[u8], limits: &HeadLimits) -> Result<Option<Head>, Fault> {
        let mut reading = Reading::default();
        match reading.read(bytes, limits)? {
            Some(end) => reading
                .head(&Bytes::copy_from_slice(&bytes[..end]))
                .map(Some),
            None => Ok(None),
        }
    }

    fn fault(head: &str) -> Option<Fault> {
        head_of(head.as_bytes(), &HeadLimits::default()).err()
    }

    /// The fault of a request with these header lines.
    fn header_fault(lines: &str) -> Option<Fault> {
        fault(&format!(
            "POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\nrest"
        ))
    }

    #[test]
    fn lengths_must_be_given_once_and_in_one_way() {
        assert_eq!(header_fault("Content-Length: 4"), None);
        assert_eq!(
            header_fault("Content-Length: 4\r\nTransfer-Encoding: chunked"),
            Some(Fault::BothLengths)
        );
        assert_eq!(
            header_fault("Transfer-Encoding: chunked\r\nx: y\r\ncontent-length: 4"),
            Some(Fault::BothLengths)
        );
        assert_eq!(
            header_fault("Content-Length: 4\r\nCONTENT-LENGTH: 4"),
            Some(Fault::SeveralLengths)
        );
        assert_eq!(
            header_fault("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            Some(Fault::SeveralLengths)
        );
        for bad in ["4, 4", "+4", "-1", "", "0x4", "4 4", "99999999999999999999"] {
            assert_eq!(
                header_fault(&format!("Content-Length: {bad}")),
                Some(Fault::BadLength),
                "{bad}"
            );
        }
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(fault(old), Some(Fault::BadEncoding));
        for bad in [
            "gzip",
            "gzip, chunked",
            "chunked, identity",
            "identity",
            "",
            "xchunked",
            "\"chunked\"",
        ] {
            assert_eq!(
                header_fault(&format!("Transfer-Encoding: {bad}")),
                Some(Fault::BadEncoding),
                "{bad}"
            );
        }
    }

    #[test]
    fn loose_lines_are_refused() {
        for bad in [
            "Host : a",
            " Host: a",
            "x: a\r\n folded",
            "no colon",
            ": empty",
            "x: a\u{0}b",
            "x: a\rb",
            "x\u{b}: a",
            "x(y): a",
        ] {
            assert_eq!(header_fault(bad), Some(Fault::Malformed), "{bad:?}");
        }
        assert_eq!(header_fault("x: a\nb: c"), Some(Fault::BareLineFeed));
        assert_eq!(
            fault("GET / HTTP/1.1\nHost: a\n\n"),
            Some(Fault::BareLineFeed)
        );
        for bad in [
            "GET  / HTTP/1.1",
            "GET /",
            "GET / HTTP/1.1 ",
            "/ HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "G\tT / HTTP/1.1",
            "GET /<a> HTTP/1.1",
            "GET http:// HTTP/1.1",
            "GET /\u{7f} HTTP/1.1",
        ] {
            assert_eq!(
                fault(&format!("{bad}\r\n\r\n")),
                Some(Fault::Malformed),
                "{bad}"
            );
        }
        assert_eq!(fault("PRI * HTTP/2.0\r\n\r\n"), Some(Fault::BadVersion));
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let limits = HeadLimits {
            head_bytes_max: 200,
            headers_max: 3,
            target_bytes_max: 20,
        };
        let look = |text: &str| head_of(text.as_bytes(), &limits).map(|head| head.is_some());
        let target = |bytes: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(bytes - 1));
        assert_eq!(look(&target(20)), Ok(true));
        assert_eq!(look(&target(21)), Err(Fault::TargetTooLong));
        assert_eq!(
            look(&format!("GET /{}", "a".repeat(199))),
            Err(Fault::TargetTooLong)
        );
        let headers = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert_eq!(look(&headers(3)), Ok(true));
        assert_eq!(look(&headers(4)), Err(Fault::TooManyHeaders));
        let frame = "GET / HTTP/1.1\r\nx: \r\n\r\n".len();
        let sized =
            |bytes: usize| format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(bytes - frame));
        assert_eq!(look(&sized(200)), Ok(true));
        assert_eq!(look(&sized(201)), Err(Fault::HeadTooLarge));
        assert_eq!(look(&sized(300)[..250]), Err(Fault::HeadTooLarge));
    }

    #[test]
    fn a_head_is_read_the_same_wherever_it_is_split() {
        let text = b"\r\n\r\nPOST /a?b=c HTTP/1.1\r\nHost: a\r\nX-One:  two words \t\r\nx-one:\r\n\
            X-\xc3\xa9t: no\r\n";
        assert_eq!(
            head_of(text, &HeadLimits::default()).err(),
            Some(Fault::Malformed)
        );
        let text = b"\r\n\r\nPOST /a?b=c HTTP/1.1\r\nHost: a\r\nX-One:  two words \t\r\nx-one:\r\n\
            Content-Length: 7\r\nx: \xc3\xa9\r\nTE: trailers\r\nExpect: 100-Continue\r\n\
            Connection: x, close\r\n\r\nGET / HT";
        let end = text.len() - "GET / HT".len();
        for size in 1..text.len() {
            let mut reading = Reading::default();
            let mut fed = 0;
            let found = text.chunks(size).find_map(|piece| {
                fed += piece.len();
                reading.read(&text[..fed], &HeadLimits::default()).unwrap()
            });
            assert_eq!(found, Some(end), "in pieces of {size}");
            let head = reading.head(&Bytes::from_static(&text[..end])).unwrap();
            let request = &head.request;
            assert_eq!(
                (request.method(), request.uri().path()),
                (&Method::POST, "/a")
            );
            assert_eq!(request.uri().query(), Some("b=c"));
            let values: Vec<&[u8]> = request
                .headers()
                .get_all("x-one")
                .iter()
                .map(HeaderValue::as_bytes)
                .collect();
            assert_eq!(values, [&b"two words"[..], b""]);
            assert_eq!(request.headers()["x"].as_bytes(), b"\xc3\xa9");
            assert_eq!(head.framing, Framing::Length(7));
            assert!(!head.keeps_alive && head.expects_continue && head.takes_trailers);
        }
    }

    #[test]
    fn what_a_version_means_for_the_connection() {
        let keeps = |first: &str, lines: &str| {
            let text = format!("GET / {first}\r\nHost: a\r\n{lines}\r\n");
            let head = head_of(text.as_bytes(), &HeadLimits::default());
            head.unwrap().unwrap().keeps_alive
        };
        assert!(keeps("HTTP/1.1", ""));
        assert!(keeps("HTTP/1.1", "Connection: keep-alive\r\n"));
        assert!(!keeps("HTTP/1.1", "Connection: keep-alive, CLOSE\r\n"));
        assert!(!keeps("HTTP/1.0", ""));
        assert!(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
        assert!(!keeps(
            "HTTP/1.0",
            "Connection: close\r\nConnection: keep-alive\r\n"
        ));
    }

    #[test]
    fn trailers_are_as_strict_as_headers() {
        let read = |text: &str| trailers(text.as_bytes(), 2).map(|trailers| trailers.len());
        assert_eq!(read("\r\n"), Ok(0));
        assert_eq!(read("a: b\r\nA:c\r\n\r\n"), Ok(2));
        assert_eq!(
            read("a: b\r\na: c\r\na: d\r\n\r\n"),
            Err(Fault::TooManyHeaders)
        );
        for bad in [
            "a : b\r\n\r\n",
            "a\r\n\r\n",
            " b\r\n\r\n",
            "a: \x7f\r\n\r\n",
        ] {
            assert_eq!(read(bad), Err(Fault::Malformed), "{bad:?}");
        }
    }
}
