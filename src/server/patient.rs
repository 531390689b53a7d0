//! A socket that gives up on a client which does not take its answers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tollgate_proxy::net::stall::Stall;

/// Writes fail once the other side has taken nothing for `write_max`.
pub struct Patient<S> {
    socket: S,
    write_max: Duration,
    stall: Stall,
}

impl<S> Patient<S> {
    pub fn new(socket: S, write_max: Duration) -> Self {
        Patient {
            socket,
            write_max,
            stall: Stall::default(),
        }
    }

    fn watch<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall.over();
            return written;
        }
        match self.stall.poll(self.write_max, context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.watch(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        self.watch(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Over TLS a goodbye is written, which waits for the client like any other write.
        let shut = Pin::new(&mut self.socket).poll_shutdown(context);
        self.watch(shut, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (ours, _theirs) = duplex(4);
        let mut patient = Patient::new(ours, Duration::from_millis(1));
        let failed = patient.write_all(b"more than four bytes").await;
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_reads_is_served() {
        let (ours, mut theirs) = duplex(4);
        let mut patient = Patient::new(ours, Duration::from_secs(60));
        let write = async {
            patient.write_all(b"eight by").await.unwrap();
            drop(patient);
        };
        let mut taken = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut taken);
        let ((), read) = tokio::join!(write, read);
        assert_eq!((read.unwrap(), taken.as_slice()), (8, &b"eight by"[..]));
    }
}
