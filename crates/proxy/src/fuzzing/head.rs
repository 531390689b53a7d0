//! Bytes of a connection: whatever is taken for requests, httparse and hyper read it as the same messages.

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
use crate::net::http1::{Fault, HeadLimits, Inbox};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 1024,
    headers_max: 20,
    target_bytes_max: 256,
};

/// A message as it was cut out of the bytes.
#[derive(Debug, Default, PartialEq)]
struct Message {
    /// As on the wire, if it was cut out byte by byte.
    head: Vec<u8>,
    raw_body: Vec<u8>,
    /// Method and target.
    line: String,
    headers: usize,
    body: Vec<u8>,
    is_whole: bool,
}

/// The first byte says how the rest is split into reads.
pub fn head(bytes: &[u8]) {
    let Some((step, bytes)) = bytes.split_first() else {
        return;
    };
    let (messages, passed, fault) = cut(bytes);
    let (in_pieces, fault_in_pieces) = taken(bytes, usize::from(*step) % 61 + 2);
    // Of two faults the pieces choose which one is seen first.
    assert_eq!(
        fault.is_some(),
        fault_in_pieces.is_some(),
        "the pieces in which bytes arrive must not matter"
    );
    assert_eq!(messages.len(), in_pieces.len());
    for (number, (message, other)) in messages.iter().zip(&in_pieces).enumerate() {
        let is_same = (
            &message.line,
            message.headers,
            &message.body,
            message.is_whole,
        ) == (&other.line, other.headers, &other.body, other.is_whole);
        // Of the chunk that is faulty more or less may have been taken: its body never ends.
        let is_cut = fault == Some(Fault::BadChunk) && message.body.starts_with(&other.body);
        assert!(is_same || is_cut, "{message:?} {other:?}");
        check(message, number + 1 == messages.len());
    }
    check_with_hyper(&messages, passed);
}

/// Byte by byte: the messages, all that was taken for part of one, and why it ended.
fn cut(bytes: &[u8]) -> (Vec<Message>, Vec<u8>, Option<Fault>) {
    let mut inbox = Inbox::new(LIMITS);
    let (mut messages, mut held): (Vec<Message>, Vec<u8>) = Default::default();
    let mut passed = Vec::new();
    for byte in bytes {
        let in_body = !inbox.has_ended();
        held.push(*byte);
        if let Err(fault) = feed(&mut inbox, &[*byte], &mut messages) {
            return (messages, passed, Some(fault));
        }
        if in_body || !inbox.is_in_head() {
            passed.extend_from_slice(&held);
            match messages.last_mut() {
                Some(message) if in_body => message.raw_body.append(&mut held),
                Some(message) => message.head = std::mem::take(&mut held),
                None => {}
            }
        }
    }
    (messages, passed, None)
}

/// The messages, and why it ended, when the bytes come in pieces of this size.
fn taken(bytes: &[u8], size: usize) -> (Vec<Message>, Option<Fault>) {
    let mut inbox = Inbox::new(LIMITS);
    let mut messages = Vec::new();
    for piece in bytes.chunks(size) {
        if let Err(fault) = feed(&mut inbox, piece, &mut messages) {
            return (messages, Some(fault));
        }
    }
    (messages, None)
}

/// Gives the connection more bytes and takes all that can be taken, as it is done there.
fn feed(inbox: &mut Inbox, bytes: &[u8], messages: &mut Vec<Message>) -> Result<(), Fault> {
    let mut next = None;
    match inbox.has_ended() {
        true => next = inbox.push_head(bytes),
        false => inbox.bytes().extend_from_slice(bytes),
    }
    loop {
        if let Some(head) = next.take() {
            let head = head?;
            inbox.begin_body(head.framing);
            messages.push(Message {
                line: format!("{} {}", head.request.method(), head.request.uri()),
                headers: head.request.headers().len(),
                ..Message::default()
            });
        }
        if let Some(message) = messages.last_mut() {
            while let Some(frame) = inbox.take()? {
                let data = frame.into_data().unwrap_or_default();
                message.body.extend_from_slice(&data);
            }
            message.is_whole = inbox.has_ended();
        }
        if !inbox.has_ended() || inbox.is_in_head() {
            return Ok(());
        }
        next = inbox.next_head();
        if next.is_none() {
            return Ok(());
        }
    }
}

/// httparse ends the head at the same place, and its headers say the body's length in one way only.
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
    assert_eq!(parsed.headers.len(), message.headers);
    if let Some(encoding) = encodings.first() {
        assert!(encoding.trim().eq_ignore_ascii_case("chunked") && parsed.version == Some(1));
        let (body, is_whole) = dechunked(&message.raw_body).expect("a chunked body");
        assert!(is_whole || is_last);
        assert_eq!(is_whole, message.is_whole);
        assert_eq!(body, message.body);
        return;
    }
    let length = lengths
        .first()
        .map_or(0, |text| text.trim().parse::<usize>().unwrap());
    assert!(message.body.len() == length || (is_last && message.body.len() < length));
    assert!(message.body == message.raw_body && message.is_whole == (length == message.body.len()));
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
    // hyper bounds trailers in other ways: it gives up there.
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
        assert_eq!(*line, message.line);
        assert!(*body == message.body || !is_whole, "{body:?} {message:?}");
    }
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
