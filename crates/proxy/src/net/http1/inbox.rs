//! What was read from a client and not yet taken: cut into heads and pieces of bodies, without any IO.

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use super::head::{self, Fault, Framing, Head, HeadLimits, Reading};
use crate::net::chunked::{Chunked, Piece};

/// Bytes of a connection from the present request on.
#[derive(Debug)]
pub struct Inbox {
    limits: HeadLimits,
    read: BytesMut,
    /// The head that `read` begins with, when it is not whole yet.
    partial: Option<Box<Reading>>,
    body: Incoming,
}

/// What is still to come of a request's body.
#[derive(Debug)]
enum Incoming {
    Ended,
    Length(u64),
    Chunked {
        state: Chunked,
        /// Lines of the trailer section.
        trailers: Vec<u8>,
    },
}

impl Inbox {
    pub fn new(limits: HeadLimits) -> Inbox {
        Inbox {
            limits,
            read: BytesMut::new(),
            partial: None,
            body: Incoming::Ended,
        }
    }

    /// Bytes that were read and not taken.
    pub fn bytes(&mut self) -> &mut BytesMut {
        &mut self.read
    }

    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// Whether a head was begun and is not whole.
    pub fn is_in_head(&self) -> bool {
        self.partial.is_some()
    }

    /// A connection that waits keeps no buffer.
    pub fn rest(&mut self) {
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
    }

    /// Takes bytes of a head that were read. Most often they are one head and nothing else.
    pub fn push_head(&mut self, bytes: &[u8]) -> Option<Result<Head, Fault>> {
        if !self.read.is_empty() {
            self.read.extend_from_slice(bytes);
            return self.next_head();
        }
        let mut reading = Reading::default();
        match reading.read(bytes, &self.limits) {
            Ok(Some(end)) => {
                self.read.extend_from_slice(&bytes[end..]);
                Some(reading.head(&Bytes::copy_from_slice(&bytes[..end])))
            }
            Ok(None) => {
                self.read.extend_from_slice(bytes);
                self.partial = (!bytes.is_empty()).then(|| Box::new(reading));
                None
            }
            Err(fault) => Some(Err(fault)),
        }
    }

    /// The next request's head, if all of it was read.
    pub fn next_head(&mut self) -> Option<Result<Head, Fault>> {
        if self.read.is_empty() {
            return None;
        }
        let mut reading = self.partial.take().unwrap_or_default();
        match reading.read(&self.read, &self.limits) {
            Ok(Some(end)) => Some(reading.head(&self.read.split_to(end).freeze())),
            Ok(None) => {
                self.partial = Some(reading);
                None
            }
            Err(fault) => Some(Err(fault)),
        }
    }

    /// A request's head was taken; its body follows.
    pub fn begin_body(&mut self, framing: Framing) {
        self.body = match framing {
            Framing::Length(0) => Incoming::Ended,
            Framing::Length(bytes) => Incoming::Length(bytes),
            Framing::Chunked => Incoming::Chunked {
                state: Chunked::START,
                trailers: Vec::new(),
            },
        };
    }

    /// Whether the request has come to its end.
    pub fn has_ended(&self) -> bool {
        matches!(self.body, Incoming::Ended)
    }

    /// Bytes that are still to come of the body, when that is known.
    pub fn bytes_left(&self) -> Option<u64> {
        match self.body {
            Incoming::Ended => Some(0),
            Incoming::Length(left) => Some(left),
            Incoming::Chunked { .. } => None,
        }
    }

    /// The next piece of the body in what was read of it, taking that; none when there is no more.
    pub fn take(&mut self) -> Result<Option<Frame<Bytes>>, Fault> {
        let (state, lines) = match &mut self.body {
            Incoming::Ended => return Ok(None),
            Incoming::Length(left) => {
                let run = usize::try_from(*left).unwrap_or(usize::MAX);
                let run = run.min(self.read.len());
                *left -= run as u64;
                if *left == 0 {
                    self.body = Incoming::Ended;
                }
                return Ok((run > 0).then(|| Frame::data(self.read.split_to(run).freeze())));
            }
            Incoming::Chunked { state, trailers } => (state, trailers),
        };
        while !self.read.is_empty() {
            let in_trailers = state.in_trailers();
            let (run, has_ended) = match state.piece(&self.read)? {
                Piece::Data(run) => {
                    return Ok(Some(Frame::data(self.read.split_to(run).freeze())));
                }
                Piece::Framing(run) => (run, false),
                Piece::End(run) => (run, true),
            };
            let framing = self.read.split_to(run);
            if in_trailers {
                lines.extend_from_slice(&framing);
            }
            if has_ended {
                let trailers = head::trailers(lines, self.limits.headers_max)?;
                self.body = Incoming::Ended;
                return Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
            }
        }
        Ok(None)
    }
}
