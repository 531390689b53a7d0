//! Bytes of a connection: whatever the inspector lets pass, httparse and hyper read it as the same messages.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};

use super::reference::dechunked;
use crate::net::inspect::{Fault, HeadLimits, Inspector, Seen};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 1024,
    headers_max: 20,
    target_bytes_max: 256,
};

/// A message as the inspector cut it out, its body as it is on the wire.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

/// The first byte says how the rest is split into reads.
pub fn head(bytes: &[u8]) {
    let Some((step, bytes)) = bytes.split_first() else {
        return;
    };
    let (messages, passed, fault) = cut(bytes);
    let (passed_in_pieces, fault_in_pieces) = in_pieces(bytes, usize::from(*step) % 61 + 2);
    // Of two faults the pieces choose which one is seen first.
    assert_eq!(
        fault.is_some(),
        fault_in_pieces.is_some(),
        "the pieces in which bytes arrive must not matter"
    );
    // Of the chunk that is faulty more or less may have passed: its body never ends.
    let is_same = passed.len() == passed_in_pieces;
    assert!(is_same || (fault == Some(Fault::BadChunk) && passed_in_pieces < passed.len()));
    for (number, message) in messages.iter().enumerate() {
        check(message, number + 1 == messages.len());
    }
    check_with_hyper(&messages, passed);
}

/// Byte by byte: the messages, all that passed, and why it ended.
fn cut(bytes: &[u8]) -> (Vec<Message>, Vec<u8>, Option<Fault>) {
    let mut inspector = Inspector::new(LIMITS);
    let (mut messages, mut held): (Vec<Message>, Vec<u8>) = Default::default();
    let mut passed = Vec::new();
    for byte in bytes {
        let in_body = inspector.in_body();
        held.push(*byte);
        match inspector.look(&held) {
            Seen::Faulty(at, fault) => {
                assert_eq!(at, 0);
                return (messages, passed, Some(fault));
            }
            Seen::Until(at) => assert!(at == 0 && !in_body),
            Seen::All => {
                passed.extend_from_slice(&held);
                match messages.last_mut() {
                    Some(message) if in_body => message.body.append(&mut held),
                    _ => messages.push(Message {
                        head: std::mem::take(&mut held),
                        body: Vec::new(),
                    }),
                }
            }
        }
    }
    (messages, passed, None)
}

/// How much passed, and why it ended, when the bytes come in pieces of this size.
fn in_pieces(bytes: &[u8], size: usize) -> (usize, Option<Fault>) {
    let mut inspector = Inspector::new(LIMITS);
    let (mut held, mut passed) = (Vec::new(), 0);
    for piece in bytes.chunks(size) {
        held.extend_from_slice(piece);
        let at = match inspector.look(&held) {
            Seen::All => held.len(),
            Seen::Until(at) => at,
            Seen::Faulty(at, fault) => return (passed + at, Some(fault)),
        };
        passed += at;
        held.drain(..at);
    }
    (passed, None)
}

/// httparse ends the head where the inspector did, and its headers say the body's length in one way only.
fn check(message: &Message, is_last: bool) {
    let mut headers = [httparse::EMPTY_HEADER; 20];
    let mut parsed = httparse::Request::new(&mut headers);
    let end = parsed.parse(&message.head);
    assert_eq!(end, Ok(httparse::Status::Complete(message.head.len())));
    let all = |name: &str| {
        let same = parsed
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case(name));
        same.map(|header| String::from_utf8_lossy(header.value).into_owned())
            .collect::<Vec<_>>()
    };
    let (lengths, encodings) = (all("content-length"), all("transfer-encoding"));
    assert!(lengths.len() + encodings.len() <= 1);
    if let Some(encoding) = encodings.first() {
        assert!(encoding.trim().eq_ignore_ascii_case("chunked") && parsed.version == Some(1));
        let (_, is_whole) = dechunked(&message.body).expect("a chunked body");
        assert!(is_whole || is_last);
        return;
    }
    let length = lengths
        .first()
        .map_or(0, |text| text.trim().parse::<usize>().unwrap());
    assert!(message.body.len() == length || (is_last && message.body.len() < length));
}

type Read1 = (String, Vec<u8>, bool);

/// hyper reads the same methods, targets and bodies, in the same order.
fn check_with_hyper(messages: &[Message], passed: Vec<u8>) {
    let seen: Rc<RefCell<Vec<Read1>>> = Rc::default();
    let note = Rc::clone(&seen);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let note = Rc::clone(&note);
        async move {
            let (head, mut body) = request.into_parts();
            let line = format!("{} {}", head.method, head.uri);
            let at = note.borrow().len();
            note.borrow_mut().push((line, Vec::new(), false));
            let mut is_whole = true;
            while let Some(frame) = body.frame().await {
                match frame.map(|frame| frame.into_data()) {
                    Ok(Ok(data)) => note.borrow_mut()[at].1.extend_from_slice(&data),
                    Ok(Err(_)) => {} // trailers
                    Err(_) => {
                        is_whole = false;
                        break;
                    }
                }
            }
            note.borrow_mut()[at].2 = is_whole;
            Ok::<_, io::Error>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.header_read_timeout(None).half_close(true);
    let mut connection = pin!(builder.serve_connection(Wire { rest: passed }, service));
    let mut context = Context::from_waker(Waker::noop());
    let ended = (0..1_000).find_map(|_| match connection.as_mut().poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    });
    if let Some(Err(error)) = &ended {
        assert!(!error.is_parse(), "hyper refuses what passed: {error}");
    }
    let seen = seen.borrow();
    assert!(
        seen.len() <= messages.len(),
        "hyper sees more requests than there are"
    );
    // A trailer that is no header is the one thing in a body that hyper is stricter about: it gives up there.
    let gave_up = seen.iter().any(|(_, _, is_whole)| !is_whole);
    let may_end = gave_up
        || messages
            .iter()
            .any(|message| ends_connection(&message.head));
    let unseen = messages.get(seen.len()).filter(|_| !may_end);
    let unseen = unseen.map(|message| String::from_utf8_lossy(&message.head));
    assert_eq!(
        unseen, None,
        "hyper sees fewer requests than there are: {ended:?} {seen:?}"
    );
    for ((line, body, is_whole), message) in seen.iter().zip(messages) {
        let (own_line, is_chunked) = told(&message.head);
        assert_eq!(*line, own_line);
        let own_body = match is_chunked {
            true => dechunked(&message.body).unwrap().0,
            false => message.body.clone(),
        };
        assert!(*body == own_body || !is_whole, "{body:?} {own_body:?}");
    }
}

/// Method and target as `http` writes them, and whether the body is chunked.
fn told(head: &[u8]) -> (String, bool) {
    let mut headers = [httparse::EMPTY_HEADER; 20];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).unwrap();
    let uri: http::Uri = parsed.path.unwrap().parse().unwrap();
    let is_chunked = parsed
        .headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("transfer-encoding"));
    (format!("{} {uri}", parsed.method.unwrap()), is_chunked)
}

/// Whether a connection may end after this head's message, or turn into something else.
fn ends_connection(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    ["connection:", "http/1.0", "connect ", "upgrade:", "expect:"]
        .iter()
        .any(|word| text.contains(word))
}

/// A client that has said everything and takes every answer.
struct Wire {
    rest: Vec<u8>,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let run = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..run]);
        self.rest.drain(..run);
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
