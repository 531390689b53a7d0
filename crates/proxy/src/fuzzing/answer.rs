//! Bytes of an upstream: however they arrive they are the same answer, framed in one way only, and its body is
//! what a second decoder makes of it.

use bytes::BytesMut;
use http::HeaderName;
use httparse::Status;

use crate::net::answer_head::{ANSWER_HEADERS_MAX, AnswerHead, BadAnswer, Framing, take};
use crate::net::exchange::Exchange;
use crate::net::headers::{self, Returned};

/// What came of the bytes.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Where the last head that was looked at began, and what followed it; for a head that never ended nothing did.
    head: (usize, usize),
    /// The final head, in words.
    told: Option<String>,
    data: Vec<u8>,
    trailers: usize,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// There is more to come.
    Open,
    /// After so many bytes.
    Whole(usize),
    Bad(BadAnswer),
}

/// The first byte says how the rest is split into reads, and whether it answers HEAD.
pub fn answer(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    let is_head_request = how & 0x80 != 0;
    let (whole, head) = read(bytes, bytes.len().max(1), is_head_request);
    for size in [1, usize::from(how & 0x7f) + 2] {
        let (mut pieces, _) = read(bytes, size, is_head_request);
        if pieces.end == End::Bad(BadAnswer::Malformed) && whole.told.is_none() {
            pieces.head.1 = whole.head.1; // what is no head is refused before it ends
        }
        assert_eq!(whole, pieces, "the pieces must not matter");
    }
    let refused = match whole.end {
        End::Bad(why) if head.is_none() => Some(why),
        _ => None,
    };
    if whole.head.1 > whole.head.0 {
        let text = &bytes[whole.head.0..whole.head.1];
        check_head(text, head.as_ref().ok_or(refused), is_head_request);
    }
    if let Some(AnswerHead { framing, .. }) = head {
        check_body(framing, &bytes[whole.head.1..], &whole);
    }
}

fn read(bytes: &[u8], size: usize, is_head_request: bool) -> (Seen, Option<AnswerHead>) {
    let (mut buffer, mut searched, mut fed) = (BytesMut::new(), 0, 0);
    let mut final_head = None;
    let mut body: Option<Exchange> = None;
    let mut seen = Seen {
        head: (0, 0),
        told: None,
        data: Vec::new(),
        trailers: 0,
        end: End::Open,
    };
    for piece in bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        fed += piece.len();
        while body.is_none() {
            let begin = fed - buffer.len();
            let taken = take(&mut buffer, &mut searched, is_head_request);
            seen.head = (begin, fed - buffer.len());
            match taken {
                Ok(None) => break,
                Ok(Some(head)) if head.response.status().is_informational() => {}
                Ok(Some(head)) => {
                    seen.told = Some(format!("{head:?}"));
                    body = Some(Exchange::receiving(head.framing, head.keeps_alive));
                    final_head = Some(head);
                }
                Err(why) => {
                    seen.end = End::Bad(why);
                    return (seen, final_head);
                }
            }
        }
        let Some(body) = &mut body else { continue };
        while !body.has_ended() {
            match body.take(&mut buffer) {
                Ok(None) => break,
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(data) => {
                        assert!(!data.is_empty(), "a piece of a body has bytes");
                        seen.data.extend_from_slice(&data);
                    }
                    Err(frame) => seen.trailers += frame.trailers_ref().unwrap().len(),
                },
                Err(why) => {
                    seen.end = End::Bad(why);
                    return (seen, final_head);
                }
            }
        }
        if body.has_ended() {
            seen.end = End::Whole(fed - buffer.len());
            return (seen, final_head);
        }
    }
    (seen, final_head)
}

/// The head says what httparse reads of it; or there was a reason to refuse it.
fn check_head(text: &[u8], head: Result<&AnswerHead, Option<BadAnswer>>, is_head_request: bool) {
    let mut lines = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut lines);
    let is_whole = parsed.parse(text) == Ok(Status::Complete(text.len()));
    let code = parsed.code.unwrap_or_default();
    let all = |name: &str| -> Vec<String> {
        let same = parsed.headers.iter();
        same.filter(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| String::from_utf8_lossy(header.value).to_ascii_lowercase())
            .collect()
    };
    let encodings = all("transfer-encoding");
    let lengths: Vec<Option<u64>> = all("content-length")
        .iter()
        .flat_map(|value| value.split(','))
        .map(|text| {
            let text = text.trim_matches([' ', '\t']);
            text.parse().ok().filter(|_| !text.starts_with('+'))
        })
        .collect();
    let is_one_length = lengths
        .iter()
        .all(|length| length.is_some() && *length == lengths[0]);
    let is_chunked = encodings == ["chunked"] && parsed.version == Some(1);
    let has_no_body = is_head_request || code < 200 || code == 204 || code == 304;
    let head = match head {
        Ok(head) => head,
        Err(None) => return assert!(is_whole && (100..200).contains(&code)),
        Err(Some(BadAnswer::Malformed)) => return assert!(!is_whole || code < 100),
        Err(Some(BadAnswer::Length)) => {
            return assert!(!is_one_length || (!lengths.is_empty() && !encodings.is_empty()));
        }
        Err(Some(BadAnswer::Encoding)) => return assert!(!encodings.is_empty() && !is_chunked),
        Err(Some(BadAnswer::Upgrade)) => return assert_eq!(code, 101),
        Err(Some(BadAnswer::HeadTooLarge)) => unreachable!("a head that ended"),
    };
    assert!(is_whole && head.response.status() == code);
    assert!(is_one_length && (encodings.is_empty() || is_chunked));
    match head.framing {
        Framing::Length(0) if has_no_body => {}
        Framing::Length(length) => {
            assert!(encodings.is_empty() && lengths.first() == Some(&Some(length)));
        }
        Framing::Chunked(_) => assert!(is_chunked && lengths.is_empty() && !has_no_body),
        Framing::Close => assert!(encodings.is_empty() && lengths.is_empty() && !has_no_body),
    }
    let may_stay = !all("connection")
        .iter()
        .flat_map(|value| value.split(','))
        .any(|item| item.trim_matches([' ', '\t']) == "close");
    assert!(!head.keeps_alive || (may_stay && !matches!(head.framing, Framing::Close)));
    for ended in ["connection", "transfer-encoding", "keep-alive", "upgrade"] {
        assert!(!head.response.headers().contains_key(ended));
    }
}

fn check_body(framing: Framing, raw: &[u8], seen: &Seen) {
    let used = match seen.end {
        End::Whole(at) => Some(at - seen.head.1),
        _ => None,
    };
    match framing {
        Framing::Close => assert!(seen.data == raw && seen.end == End::Open),
        Framing::Length(length) => {
            let most = usize::try_from(length).unwrap_or(usize::MAX);
            assert_eq!(seen.data, raw[..most.min(raw.len())]);
            assert_eq!(used, (raw.len() >= most).then_some(most));
        }
        Framing::Chunked(_) => {
            let decoded = dechunked(raw);
            let trailers = decoded.as_ref().and_then(|decoded| decoded.trailers);
            let mut lines = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
            let lines = trailers.map(|text| httparse::parse_headers(text, &mut lines));
            let ended = match lines {
                // Those that are for one hop, or that the gateway says itself, end here.
                Some(Ok(Status::Complete((_, lines)))) => {
                    let goes_on = |line: &&httparse::Header<'_>| {
                        HeaderName::from_bytes(line.name.as_bytes()).is_ok_and(|name| {
                            headers::returned(&name) == Returned::Same
                                && headers::named(name.as_str()).is_some()
                        })
                    };
                    Some(lines.iter().filter(goes_on).count())
                }
                _ => None,
            };
            match seen.end {
                End::Bad(why) => assert!(why == BadAnswer::Malformed && ended.is_none()),
                End::Open => assert!(decoded.is_some() && trailers.is_none()),
                End::Whole(_) => assert_eq!(ended, Some(seen.trailers)),
            }
            if let Some(decoded) = decoded {
                assert_eq!(seen.data, decoded.data);
                assert!(used.is_none_or(|used| used == raw.len() - decoded.rest));
            }
        }
    }
}

/// What a chunked body says.
struct Decoded<'a> {
    data: Vec<u8>,
    /// Once the body is whole.
    trailers: Option<&'a [u8]>,
    /// Bytes that follow it.
    rest: usize,
}

/// A line at a time. None when it is no such body.
fn dechunked(mut raw: &[u8]) -> Option<Decoded<'_>> {
    let mut data = Vec::new();
    let line = |raw: &[u8]| raw.windows(2).position(|pair| pair == b"\r\n");
    let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    let open = |data| Decoded {
        data,
        trailers: None,
        rest: 0,
    };
    loop {
        let Some(end) = line(raw) else {
            return Some(open(data));
        };
        let (size, extension) =
            raw[..end].split_at(raw.iter().position(|b| !b.is_ascii_hexdigit())?);
        raw = &raw[end + 2..];
        let is_extension = matches!(extension, [] | [b';' | b' ' | b'\t', ..]);
        let is_bounded = size.len() <= 15 && extension.len() <= 257;
        if !is_extension || !is_bounded || !extension.iter().all(is_text) {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        data.extend_from_slice(&raw[..size.min(raw.len())]);
        let Some(after) = raw.get(size..).filter(|after| after.len() >= 2) else {
            return Some(open(data));
        };
        raw = after.strip_prefix(b"\r\n")?;
    }
    let section = raw;
    loop {
        let Some(end) = line(raw) else {
            return Some(open(data));
        };
        let is_fine = raw[..end].iter().all(|byte| is_text(byte) || *byte >= 0x80);
        raw = &raw[end + 2..];
        match end {
            0 => break,
            _ if !is_fine => return None,
            _ => {}
        }
    }
    Some(Decoded {
        data,
        trailers: Some(&section[..section.len() - raw.len()]),
        rest: raw.len(),
    })
}
