//! HTTP/2 with a client: one connection, its streams, and how both end.

pub mod body;
mod frame_io;
mod scan;
mod stream;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection as Frames};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::pace::Patience;
use super::serving::{Phase, Service};
use super::stall::Stall;
use super::worker::Front;
use frame_io::FrameIo;

/// Bytes a client may send on one stream, and on all together, before they are read.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of a frame that a client may send: the least a peer must take, and all need.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// Bytes of an answer that wait to be sent, for each stream.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Requests at once that were taken back by the client before they were taken up here.
const RESET_UNSEEN_MAX: usize = 20;
/// Streams in a connection's life that end because the client broke the rules on them.
const BROKEN_STREAMS_MAX: usize = 100;

/// What an HTTP/2 client may do, besides what holds for every client.
#[derive(Clone, Copy, Debug)]
pub struct Http2Limits {
    /// Requests at once on one connection.
    pub streams_max: u32,
    /// Requests at once on all connections together. More are answered 503.
    pub calls_max: usize,
    /// Frames that bring neither a request nor data, beyond those that go with a request or an answer.
    pub idle_frames_burst: u32,
    pub idle_frames_per_s: u32,
    /// Requests taken back by the client.
    pub resets_burst: u32,
    pub resets_per_s: u32,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Http2Limits {
            streams_max: 100,
            calls_max: 10_000,
            idle_frames_burst: 1000,
            idle_frames_per_s: 100,
            resets_burst: 200,
            resets_per_s: 50,
        }
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S, IO>(front: &Arc<Front<S>>, socket: IO)
where
    S: Service,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let limits = &front.shared.limits;
    let (connection, patience) = (&front.connection, limits.patience);
    let io = FrameIo::new(socket, Arc::clone(connection), patience, &limits.http2);
    let greeting = builder(&limits.http2, limits.head.head_bytes_max).handshake(io);
    let greeted = front.until_stop(tokio::time::timeout(patience.head, greeting));
    let frames = match greeted.await {
        Some(Ok(Ok(frames))) => frames,
        Some(Ok(Err(error))) => return front.broke(&error),
        Some(Err(_)) | None => return,
    };
    let mut serving = Serving {
        front,
        frames,
        end: End::Open,
        quiet: Quiet::default(),
    };
    if let Err(error) = poll_fn(|context| serving.poll(context)).await {
        front.broke(&error);
        if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) && error.is_library() {
            front.shared.metrics.client_flooded(front.worker);
        }
    }
}

fn builder(limits: &Http2Limits, head_bytes_max: usize) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.streams_max)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(RESET_UNSEEN_MAX)
        .max_local_error_reset_streams(Some(BROKEN_STREAMS_MAX));
    builder
}

/// How far a connection's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// The client knows; streams that are open go on.
    Told,
    /// Nothing more is read.
    Closing,
}

struct Serving<'a, S, IO> {
    front: &'a Arc<Front<S>>,
    frames: Frames<FrameIo<IO>, Bytes>,
    end: End,
    quiet: Quiet,
}

impl<S, IO> Serving<'_, S, IO>
where
    S: Service,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let connection = &self.front.connection;
        connection.remember(context.waker());
        loop {
            while let Poll::Ready(next) = self.frames.poll_accept(context)? {
                match next {
                    None => return Poll::Ready(Ok(())),
                    Some((request, respond)) => stream::open(self.front, request, respond),
                }
            }
            if connection.is_flooded() && self.end != End::Closing {
                self.front.shared.metrics.client_flooded(self.front.worker);
                tracing::debug!(client = %self.front.peer.remote, "an HTTP/2 client floods");
                self.close(Reason::ENHANCE_YOUR_CALM);
                continue;
            }
            match (self.front.shared.phase(), self.end) {
                (Phase::Cutting, _) => return Poll::Ready(Ok(())),
                (Phase::Stopping, End::Open) => {
                    self.frames.graceful_shutdown();
                    self.end = End::Told;
                    continue;
                }
                _ => {}
            }
            let patience = &self.front.shared.limits.patience;
            ready!(self.quiet.poll(self.end, patience, connection, context));
            match self.end {
                End::Open => {
                    self.frames.graceful_shutdown();
                    self.end = End::Told;
                }
                End::Told => self.close(Reason::NO_ERROR),
                End::Closing => return Poll::Ready(Ok(())),
            }
        }
    }

    fn close(&mut self, reason: Reason) {
        self.frames.abrupt_shutdown(reason);
        self.end = End::Closing;
    }
}

/// Notices when a connection has had no stream for too long. What a client sends besides does not count.
#[derive(Debug, Default)]
struct Quiet {
    stall: Stall,
    /// Answers that had ended when the present wait began.
    answered_before: u32,
}

impl Quiet {
    /// An answer's end need not wake the connection. So the timer runs on while there are answers, and
    /// begins anew when it fires and there was one.
    fn poll(
        &mut self,
        end: End,
        patience: &Patience,
        connection: &Connection,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let limit = match end {
            End::Open => patience.idle,
            End::Told => patience.linger,
            End::Closing => patience.write + patience.linger + Duration::from_secs(1),
        };
        loop {
            ready!(self.stall.poll(limit, context));
            self.stall.over();
            let answered = connection.answered();
            let is_open = end != End::Closing && connection.is_answering();
            if !is_open && answered == self.answered_before {
                return Poll::Ready(());
            }
            self.answered_before = answered;
        }
    }
}
