//! Bytes on their way to a client: written in as few pieces as there can be, at the client's pace.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::net::pace::{Patience, WritePace};
use crate::net::scratch;

/// What is to be written: short pieces gathered in one buffer, and one long piece after them.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub short: Vec<u8>,
    /// Of `short`.
    written: usize,
    pub long: Bytes,
    pace: WritePace,
}

impl Outgoing {
    /// Makes room for an answer in the thread's own buffer.
    pub fn begin(&mut self) {
        if self.short.is_empty() {
            self.short = scratch::to_write();
        }
    }

    /// Writes all there is. A client that takes nothing, or too little, for too long is an error.
    pub fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut S,
        patience: &Patience,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let rest = &self.short[self.written..];
            let socket = Pin::new(&mut *socket);
            let polled = match (rest.is_empty(), self.long.is_empty()) {
                (true, true) => break,
                (true, false) => socket.poll_write(context, &self.long),
                (false, true) => socket.poll_write(context, rest),
                (false, false) => {
                    let slices = [IoSlice::new(rest), IoSlice::new(&self.long)];
                    socket.poll_write_vectored(context, &slices)
                }
            };
            let Poll::Ready(result) = polled else {
                self.keep_rest();
                return self.wait(patience, context);
            };
            let bytes = result?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let short = bytes.min(rest.len());
            self.written += short;
            self.long.advance(bytes - short);
            if !self.pace.takes(bytes, patience) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        scratch::written(std::mem::take(&mut self.short));
        self.written = 0;
        // TLS may hold bytes back.
        match Pin::new(socket).poll_flush(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.wait(patience, context),
        }
    }

    fn wait(&mut self, patience: &Patience, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.pace.poll_stuck(patience, context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// A client that is waited for keeps no more than what it has not taken.
    fn keep_rest(&mut self) {
        if self.short.capacity() > 0 && self.written == self.short.len() {
            scratch::written(std::mem::take(&mut self.short));
        } else if self.short.capacity() > 2 * self.short.len() {
            let rest = self.short[self.written..].to_vec();
            scratch::written(std::mem::replace(&mut self.short, rest));
        } else {
            return;
        }
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, duplex};
    use tokio::time::sleep;

    /// Writes an answer to a client that takes so many bytes, then pauses, and again. Says how it ended.
    async fn written_to(bytes: usize, pause: Duration) -> io::Result<()> {
        let (mut socket, mut client) = duplex(64 * 1024);
        let reading = tokio::spawn(async move {
            let mut taken = vec![0; bytes];
            while client.read_exact(&mut taken).await.is_ok() {
                sleep(pause).await;
            }
        });
        let mut outgoing = Outgoing {
            short: vec![b'x'; 100],
            long: vec![b'x'; 1 << 20].into(),
            ..Outgoing::default()
        };
        let patience = Patience::default();
        let written = poll_fn(|context| outgoing.poll_write(&mut socket, &patience, context)).await;
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

    #[tokio::test]
    async fn all_bytes_arrive_in_order_however_little_is_taken_at_a_time() {
        let (mut socket, mut client) = duplex(7);
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.map(|_| all)
        });
        let mut outgoing = Outgoing::default();
        let patience = Patience::default();
        let mut sent = Vec::new();
        for (short, long) in [(30, 50), (0, 20), (10, 0), (5000, 1)] {
            outgoing.begin();
            let piece = |from: usize, bytes: usize| (from..from + bytes).map(|n| n as u8);
            outgoing.short.extend(piece(1, short));
            outgoing.long = piece(100, long).collect::<Vec<u8>>().into();
            sent.extend_from_slice(&outgoing.short);
            sent.extend_from_slice(&outgoing.long);
            poll_fn(|context| outgoing.poll_write(&mut socket, &patience, context))
                .await
                .unwrap();
        }
        drop(socket);
        assert_eq!(reading.await.unwrap().unwrap(), sent);
    }
}
