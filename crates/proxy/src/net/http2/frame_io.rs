//! A client's connection as the h2 crate sees it: frames counted before they pass, every wait bounded.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Http2Limits;
use super::scan::{Flood, Next, Scanner};
use crate::net::connection::Connection;
use crate::net::pace::{Patience, WritePace};
use crate::net::stall::Stall;

/// A connection on which HTTP/2 is spoken. After a flood nothing more is read from it, and its
/// [`Connection`] says so.
#[derive(Debug)]
pub struct FrameIo<S> {
    socket: S,
    connection: Arc<Connection>,
    patience: Patience,
    scanner: Scanner,
    reading: Stall,
    writing: WritePace,
    lingering: Stall,
    is_flooded: bool,
    is_shut: bool,
}

impl<S> FrameIo<S> {
    pub fn new(
        socket: S,
        connection: Arc<Connection>,
        patience: Patience,
        limits: &Http2Limits,
    ) -> FrameIo<S> {
        FrameIo {
            socket,
            connection,
            patience,
            scanner: Scanner::new(limits),
            reading: Stall::default(),
            writing: WritePace::default(),
            lingering: Stall::default(),
            is_flooded: false,
            is_shut: false,
        }
    }

    /// Nothing to read now. What was begun must be ended in time; between frames it is for the streams
    /// and the connection to say how long that may go on.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limit = match self.scanner.next() {
            Next::Frame => return Poll::Pending,
            Next::Rest => self.patience.head,
            Next::Data => self.patience.body,
        };
        ready!(self.reading.poll(limit, context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_flooded {
            return Poll::Pending; // the connection's task, which polls this, ends it
        }
        let start = buffer.filled().len();
        if Pin::new(&mut this.socket)
            .poll_read(context, buffer)?
            .is_pending()
        {
            return this.wait(context);
        }
        if let Err(Flood) = this.scanner.look(&buffer.filled()[start..]) {
            this.is_flooded = true;
            this.connection.set_flooded();
            buffer.set_filled(start);
            return Poll::Pending;
        }
        // A header block that comes in drops does not begin anew with each.
        if this.scanner.next() != Next::Rest {
            this.reading.over();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FrameIo<S> {
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
        self.scanner.sent(bytes);
        match self.writing.takes(bytes, &self.patience) {
            true => Poll::Ready(Ok(bytes)),
            false => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Reads and forgets, so that the client can read why the connection ends.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FrameIo<S> {
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
        ready!(this.poll_linger(context));
        Poll::Ready(Ok(()))
    }
}
