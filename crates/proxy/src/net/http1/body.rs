//! A client's body as it comes on an HTTP/1 connection, read from there by whoever it is handed to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::answer::Answer;
use super::wire::Wire;
use crate::body::Fate;

/// A connection during a call. One whose request has a body is shared with the body until that has ended
/// or the answer has, whichever comes first.
pub enum Line {
    Own(Box<Wire>),
    Lent(Lent),
}

/// None once the connection was taken back.
type Lent = Arc<Mutex<Option<Box<Wire>>>>;

fn lock(lent: &Lent) -> MutexGuard<'_, Option<Box<Wire>>> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// A connection on which a request has just begun, and the request's body if it has one; `length` is
    /// the body's, where it is told.
    pub fn open(wire: Box<Wire>, length: Option<u64>) -> (Line, Option<CallerBody>) {
        if wire.has_ended() {
            return (Line::Own(wire), None);
        }
        let lent = Arc::new(Mutex::new(Some(wire)));
        let body = CallerBody {
            lent: Arc::clone(&lent),
            length,
            has_ended: false,
        };
        (Line::Lent(lent), Some(body))
    }

    fn with<R>(&mut self, ended: R, act: impl FnOnce(&mut Wire) -> R) -> R {
        match self {
            Line::Own(wire) => act(wire),
            Line::Lent(lent) => lock(lent).as_mut().map_or(ended, |wire| act(wire)),
        }
    }

    /// Ready when the client has gone although it has no answer yet.
    pub fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.with(Poll::Pending, |wire| wire.poll_gone(context))
    }

    /// Begins an answer in the connection's buffer.
    pub fn begin_answer(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Answer) -> Option<Answer> {
        self.with(None, |wire| Some(write(wire.answer_buffer())))
    }

    /// Writes an answer to its end.
    pub fn poll_answer(
        &mut self,
        answer: &mut Answer,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let gone = Poll::Ready(Err(std::io::ErrorKind::NotConnected.into()));
        self.with(gone, |wire| wire.poll_answer(answer, context))
    }

    /// Ends the call. What is still to come of its body has no reader any more.
    pub fn close(self) -> Option<Box<Wire>> {
        match self {
            Line::Own(wire) => Some(wire),
            Line::Lent(lent) => lock(&lent).take(),
        }
    }
}

/// The body of one request.
#[derive(Debug)]
pub struct CallerBody {
    lent: Lent,
    /// Bytes still to come, when that was told.
    length: Option<u64>,
    has_ended: bool,
}

impl CallerBody {
    /// The next piece; none at the end.
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fate>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = {
            let mut wire = lock(&self.lent);
            match &mut *wire {
                Some(wire) => {
                    let next = ready!(wire.poll_body(context));
                    self.has_ended = wire.has_ended();
                    next
                }
                None => Some(Err(Fate::Broken)),
            }
        };
        if let (Some(left), Some(Ok(frame))) = (&mut self.length, &next) {
            *left -= frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(next)
    }

    pub fn is_end_stream(&self) -> bool {
        self.has_ended
    }

    pub fn size_hint(&self) -> SizeHint {
        self.length
            .map_or(SizeHint::default(), SizeHint::with_exact)
    }
}
