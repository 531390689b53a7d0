//! A client's socket as hyper sees it: heads inspected before they pass, every wait bounded, and a
//! close that lets the client read the last answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;
use super::inspect::{Fault, HeadLimits, Inspector, Seen};
use super::pace::WritePace;
use super::stall::Stall;

/// How long a client is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a head's first byte to its last.
    pub head: Duration,
    /// Between requests; at most twice as long after an answer that took its time.
    pub idle: Duration,
    /// Between two reads of a body.
    pub body: Duration,
    /// Until the client takes more of an answer.
    pub write: Duration,
    /// For the client to stop sending after the last answer.
    pub linger: Duration,
    /// Bytes a second a body must come with, once it was waited for longer than `body_rate_grace`.
    pub body_rate_min: u64,
    pub body_rate_grace: Duration,
    /// Bytes a second a client must take of its answers, over every `write_rate_interval` that it was
    /// waited for. That is never less than `write`, so one pause alone is not too slow.
    pub write_rate_min: u64,
    pub write_rate_interval: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(30),
            write: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            body_rate_min: 1024,
            body_rate_grace: Duration::from_secs(10),
            write_rate_min: 1024,
            write_rate_interval: Duration::from_secs(60),
        }
    }
}

/// The method of the request that stands in for a faulty one. A client that sends it is refused too.
pub const REFUSED_METHOD: &str = "TOLLGATE-REFUSED";
const REFUSED_HEAD: &[u8] =
    b"TOLLGATE-REFUSED / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// A socket to a client. What hyper reads from it is strict HTTP; in the place of a faulty head it
/// gets [`REFUSED_METHOD`], in order after the requests before it, and nothing after it.
#[derive(Debug)]
pub struct ClientIo<S> {
    socket: S,
    connection: Arc<Connection>,
    patience: Patience,
    inspector: Inspector,
    /// The beginning of a head.
    held: Vec<u8>,
    /// What may pass but did not fit yet, from `out_from` on.
    out: Vec<u8>,
    out_from: usize,
    fault: Option<Fault>,
    reading: Stall,
    writing: WritePace,
    lingering: Stall,
    /// Answers that had ended when the present wait began.
    answered_before: u32,
    body_bytes: u64,
    body_waited: Duration,
    is_shut: bool,
}

impl<S> ClientIo<S> {
    pub fn new(
        socket: S,
        connection: Arc<Connection>,
        limits: HeadLimits,
        patience: Patience,
    ) -> Self {
        ClientIo {
            socket,
            connection,
            patience,
            inspector: Inspector::new(limits),
            held: Vec::new(),
            out: Vec::new(),
            out_from: 0,
            fault: None,
            reading: Stall::default(),
            writing: WritePace::default(),
            lingering: Stall::default(),
            answered_before: 0,
            body_bytes: 0,
            body_waited: Duration::ZERO,
            is_shut: false,
        }
    }

    /// Gives hyper what waits for it. Says whether there was any.
    fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = &self.out[self.out_from..];
        if rest.is_empty() {
            return false;
        }
        let run = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..run]);
        self.out_from += run;
        if self.out_from == self.out.len() {
            self.out = Vec::new();
            self.out_from = 0;
        }
        true
    }

    /// Sorts the bytes just read, which stand in the buffer from `start` on.
    fn sort(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        if self.held.is_empty() {
            match self.inspector.look(&buffer.filled()[start..]) {
                Seen::All => {}
                Seen::Until(at) => {
                    self.held.extend_from_slice(&buffer.filled()[start + at..]);
                    buffer.set_filled(start + at);
                }
                Seen::Faulty(at, fault) => {
                    buffer.set_filled(start + at);
                    self.refuse(fault);
                }
            }
            return;
        }
        self.held.extend_from_slice(&buffer.filled()[start..]);
        buffer.set_filled(start);
        match self.inspector.look(&self.held) {
            Seen::All => self.out.append(&mut self.held),
            Seen::Until(at) => self.out.extend(self.held.drain(..at)),
            Seen::Faulty(at, fault) => {
                self.out.extend_from_slice(&self.held[..at]);
                self.refuse(fault);
            }
        }
    }

    fn refuse(&mut self, fault: Fault) {
        self.held = Vec::new();
        self.fault = Some(fault);
        self.connection.set_fault(fault);
        if fault != Fault::BadChunk {
            self.out.extend_from_slice(REFUSED_HEAD);
        }
    }

    /// Accounts for a read: ends the wait for it, unless that is for a head which is still not whole.
    fn note_read(&mut self, bytes: usize, was_in_body: bool, was_in_head: bool) -> io::Result<()> {
        if was_in_head && !self.held.is_empty() && self.out.is_empty() {
            return Ok(());
        }
        let waited = self.reading.over();
        self.answered_before = self.connection.answered();
        if !was_in_body {
            (self.body_bytes, self.body_waited) = (0, Duration::ZERO);
            return Ok(());
        }
        self.body_bytes += bytes as u64;
        self.body_waited += waited;
        let least = self.patience.body_rate_min as f64 * self.body_waited.as_secs_f64();
        if self.body_waited > self.patience.body_rate_grace && (self.body_bytes as f64) < least {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Nothing to read now: how long that may go on depends on what is waited for.
    fn wait(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.inspector.in_body() {
            ready!(self.reading.poll(self.patience.body, context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if !self.held.is_empty() {
            ready!(self.reading.poll(self.patience.head, context));
            self.inspector.fail(Fault::SlowHead);
            self.refuse(Fault::SlowHead);
            self.hand_out(buffer);
            return Poll::Ready(Ok(()));
        }
        // hyper does not say when an answer has ended, and need not read again after it. So the timer
        // runs on during an answer, and begins anew when it fires and there was one.
        loop {
            ready!(self.reading.poll(self.patience.idle, context));
            let answered = self.connection.answered();
            if !self.connection.is_answering() && answered == self.answered_before {
                // Nothing in the buffer is the end of the stream: hyper closes the connection for it.
                return Poll::Ready(Ok(()));
            }
            self.answered_before = answered;
            self.reading.over();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buffer.filled().len();
        loop {
            if this.hand_out(buffer) {
                return Poll::Ready(Ok(()));
            }
            match this.fault {
                Some(Fault::BadChunk) => {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                Some(_) => return Poll::Pending, // the last answer ends the connection
                None => {}
            }
            let (was_in_body, was_in_head) = (this.inspector.in_body(), !this.held.is_empty());
            match Pin::new(&mut this.socket).poll_read(context, buffer)? {
                Poll::Pending => return this.wait(context, buffer),
                Poll::Ready(()) => {}
            }
            let bytes = buffer.filled().len() - start;
            if bytes == 0 {
                return Poll::Ready(Ok(()));
            }
            this.sort(buffer, start);
            this.note_read(bytes, was_in_body, was_in_head)?;
            if buffer.filled().len() > start {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientIo<S> {
    /// Bounds a write that does not go on, or goes on too slowly.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(result) = poll else {
            ready!(self.writing.poll_stuck(&self.patience, context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        let bytes = result?;
        match self.writing.takes(bytes, &self.patience) {
            true => Poll::Ready(Ok(bytes)),
            false => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Whether the client may be sending still. Closing then would reset the connection, and the
    /// client would never see its answer.
    fn expects_more(&self) -> bool {
        self.inspector.in_body() || self.fault.is_some() || !self.held.is_empty()
    }

    /// Reads and forgets, until the client has nothing more to say or has said enough.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 16 * 1024];
        while self
            .lingering
            .poll(self.patience.linger, context)
            .is_pending()
        {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.socket).poll_write(context, bytes);
        this.written(context, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.socket).poll_write_vectored(context, slices);
        this.written(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.socket).poll_flush(context);
        this.written(context, poll.map_ok(|()| 0)).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_shut {
            let poll = Pin::new(&mut this.socket).poll_shutdown(context);
            ready!(this.written(context, poll.map_ok(|()| 0)))?;
            this.is_shut = true;
        }
        if this.expects_more() {
            ready!(this.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    static ANSWER: [u8; 1 << 20] = [b'x'; 1 << 20];

    /// Writes an answer to a client that takes so many bytes, then pauses, and again. Says how it ended.
    async fn written_to(bytes: usize, pause: Duration) -> io::Result<()> {
        let (socket, mut client) = duplex(64 * 1024);
        let reading = tokio::spawn(async move {
            let mut taken = vec![0; bytes];
            while client.read_exact(&mut taken).await.is_ok() {
                sleep(pause).await;
            }
        });
        let mut io = ClientIo::new(
            socket,
            Arc::default(),
            HeadLimits::default(),
            Patience::default(),
        );
        let written = io.write_all(&ANSWER).await;
        reading.abort();
        written
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_an_answer_too_slowly_is_given_up() {
        for (bytes, pause_s) in [(1, 1), (1, 59), (20_000, 40), (1, 3600)] {
            let ended = written_to(bytes, Duration::from_secs(pause_s)).await;
            let error = ended.expect_err("it was waited for");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_pauses_or_is_slow_but_gets_on_has_its_answer() {
        for (bytes, pause_s) in [(1 << 17, 59), (1 << 16, 30), (1100, 1), (1 << 20, 50)] {
            let ended = written_to(bytes, Duration::from_secs(pause_s)).await;
            assert!(ended.is_ok(), "{bytes} bytes, then {pause_s} s: {ended:?}");
        }
    }
}
