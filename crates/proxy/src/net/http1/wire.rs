//! The connection to a client: what is read from it, what is written to it, and every wait bounded.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::Frame;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::Instant;

use super::answer::Answer;
use super::head::{Fault, Framing, Head};
use super::inbox::Inbox;
use super::outgoing::Outgoing;
use crate::body::Fate;
use crate::net::connection::Connection;
use crate::net::pace::ReadPace;
use crate::net::scratch;
use crate::net::serving::Shared;
use crate::net::socket::Socket;
use crate::net::stall::Stall;

/// As much as is read of a large body at once.
const READ_BYTES_LARGE: usize = 64 * 1024;

/// A connection to a client.
pub struct Wire {
    socket: Socket,
    shared: Arc<Shared>,
    inbox: Inbox,
    body_pace: ReadPace,
    /// The client sends its body only when it is told to, and was not.
    owes_continue: bool,
    out: Outgoing,
    idle: Stall,
    heading: Stall,
    lingering: Stall,
}

/// What a client's connection goes on with.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Next {
    Request(Head),
    /// What comes is no request, and nothing is read after it.
    Fault(Fault),
    /// Nothing.
    End,
}

impl Wire {
    pub fn new(socket: Socket, shared: Arc<Shared>) -> Wire {
        Wire {
            socket,
            inbox: Inbox::new(shared.limits.head),
            shared,
            body_pace: ReadPace::default(),
            owes_continue: false,
            out: Outgoing::default(),
            idle: Stall::default(),
            heading: Stall::default(),
            lingering: Stall::default(),
        }
    }

    /// Waits for the next request's head.
    pub fn poll_head(
        &mut self,
        connection: &Connection,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Next>> {
        if !self.inbox.is_in_head()
            && let Some(head) = self.inbox.next_head()
        {
            return Poll::Ready(Ok(Next::of(head)));
        }
        self.inbox.rest();
        loop {
            let polled = scratch::reading(|room| {
                let bytes = ready!(self.socket.poll_read_into(context, room))?;
                Poll::Ready(Ok::<_, io::Error>((
                    bytes,
                    self.inbox.push_head(&room[..bytes]),
                )))
            })?;
            let limit = self.shared.limits.patience.head;
            match polled {
                Poll::Ready((0, _)) => return Poll::Ready(Ok(Next::End)),
                Poll::Ready((_, Some(head))) => {
                    self.heading.forget();
                    return Poll::Ready(Ok(Next::of(head)));
                }
                Poll::Ready((_, None)) => {}
                Poll::Pending if self.inbox.is_in_head() => {
                    ready!(self.heading.poll(limit, context));
                    return Poll::Ready(Ok(Next::Fault(Fault::SlowHead)));
                }
                Poll::Pending if connection.is_last() => return Poll::Ready(Ok(Next::End)),
                Poll::Pending => {
                    ready!(self.idle.poll(self.shared.limits.patience.idle, context));
                    return Poll::Ready(Ok(Next::End));
                }
            }
        }
    }

    /// A request has come, whose body follows.
    pub fn begin(&mut self, framing: Framing, expects_continue: bool) {
        self.inbox.begin_body(framing);
        if !self.has_ended() {
            self.body_pace = ReadPace::default();
            self.owes_continue = expects_continue;
        }
    }

    /// An answer has ended. The idle timer runs on and is moved when it fires, so that none is moved for
    /// each call.
    pub fn rest(&mut self) {
        self.idle.begin(Instant::now());
    }

    /// Whether the request has come to its end.
    pub fn has_ended(&self) -> bool {
        self.inbox.has_ended()
    }

    /// Ready when the client has gone although it has no answer yet. What it sends instead is kept,
    /// up to a read of it.
    pub fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.inbox.is_empty() || !self.has_ended() {
            return Poll::Pending;
        }
        match self.poll_read(context) {
            Poll::Ready(Ok(1..)) | Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
        }
    }

    /// The next piece of the request's body; none at its end.
    pub fn poll_body(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fate>>> {
        loop {
            match self.inbox.take() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if self.has_ended() => return Poll::Ready(None),
                Ok(None) => {}
                Err(_) => return Poll::Ready(Some(Err(Fate::Broken))),
            }
            let patience = &self.shared.limits.patience;
            if self.owes_continue {
                self.out.begin();
                self.out
                    .short
                    .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                self.owes_continue = false;
            }
            if let Poll::Ready(Err(_)) = self.out.poll_write(&mut self.socket, patience, context) {
                return Poll::Ready(Some(Err(Fate::Broken)));
            }
            let fate = match self.poll_fill(context) {
                Poll::Ready(Ok(0) | Err(_)) => Fate::Broken,
                Poll::Ready(Ok(bytes)) => {
                    let patience = &self.shared.limits.patience;
                    if self.body_pace.brings(bytes, patience) {
                        continue;
                    }
                    Fate::TooSlow
                }
                Poll::Pending => {
                    let patience = &self.shared.limits.patience;
                    ready!(self.body_pace.poll_stuck(patience, context));
                    Fate::TooSlow
                }
            };
            return Poll::Ready(Some(Err(fate)));
        }
    }

    /// Reads more of a body; 0 at the end.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match self.inbox.bytes_left() {
            Some(left) if left > scratch::READ_BYTES as u64 => {
                let read = self.inbox.bytes();
                if read.capacity() - read.len() < scratch::READ_BYTES {
                    read.reserve(READ_BYTES_LARGE);
                }
                pin!(self.socket.read_buf(read)).poll(context)
            }
            _ => self.poll_read(context),
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        scratch::reading(|room| {
            let bytes = ready!(self.socket.poll_read_into(context, room))?;
            self.inbox.bytes().extend_from_slice(&room[..bytes]);
            Poll::Ready(Ok(bytes))
        })
    }

    /// Whether the next request can begin: what is left of this one's body has been read, or comes in one
    /// more read at most.
    pub fn skip_body(&mut self) -> bool {
        let mut may_read = true;
        loop {
            while let Ok(Some(_)) = self.inbox.take() {}
            if self.has_ended() || !std::mem::take(&mut may_read) {
                return self.has_ended();
            }
            let mut context = Context::from_waker(Waker::noop());
            if !matches!(self.poll_read(&mut context), Poll::Ready(Ok(1..))) {
                return false;
            }
        }
    }

    /// The buffer that an answer's head is to be written to.
    pub fn answer_buffer(&mut self) -> &mut Vec<u8> {
        self.owes_continue = false;
        self.out.begin();
        &mut self.out.short
    }

    /// Writes an answer to its end.
    pub fn poll_answer(
        &mut self,
        answer: &mut Answer,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let patience = &self.shared.limits.patience;
            let waits = answer.poll_gather(&mut self.out, context).is_pending();
            ready!(self.out.poll_write(&mut self.socket, patience, context))?;
            if answer.has_ended() {
                return Poll::Ready(answer.result());
            }
            if waits {
                ready!(self.poll_gone(context));
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        }
    }

    /// Tells the client that nothing more comes. One that may be sending still is read for a while: closing
    /// would reset the connection, and the client would never see its answer.
    pub fn poll_close(&mut self, reads_on: bool, context: &mut Context<'_>) -> Poll<()> {
        let patience = &self.shared.limits.patience;
        if Pin::new(&mut self.socket)
            .poll_shutdown(context)
            .is_pending()
        {
            return self.lingering.poll(patience.linger, context);
        }
        if !reads_on {
            return Poll::Ready(());
        }
        while self.lingering.poll(patience.linger, context).is_pending() {
            let polled = scratch::reading(|room| self.socket.poll_read_into(context, room));
            if !matches!(ready!(polled), Ok(1..)) {
                break;
            }
        }
        Poll::Ready(())
    }

    /// Whether the client may be sending more than it is read.
    pub fn has_more(&self) -> bool {
        !self.has_ended() || !self.inbox.is_empty()
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Next {
    fn of(head: Result<Head, Fault>) -> Next {
        head.map_or_else(Next::Fault, Next::Request)
    }
}
