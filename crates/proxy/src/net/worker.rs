//! One worker: accepts connections, shakes hands for TLS, and lets hyper speak HTTP/1.1 on them.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

use super::client_io::ClientIo;
use super::connection::{Connection, Exchange, Peer};
use super::serving::{Arrival, Phase, Place, Service, Shared};
use super::{edge, http2, tls};
use crate::body::{Body, Cut};
use crate::gateway_response::turned_away;

/// How long connections go on after a stop, with answers that say they close. A client that pauses
/// for longer between two calls may find its connection closed, as it may at any time.
const LAST_ANSWERS: Duration = Duration::from_millis(250);

/// Pause when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What hyper has room for without being told: headers, and bytes of a head.
const HYPER_HEADERS_MAX: usize = 100;
const HYPER_HEAD_BYTES_MAX: usize = 400 * 1024;

/// One worker: its number, and who answers.
pub(super) struct Worker<S> {
    pub index: usize,
    pub shared: Arc<Shared>,
    pub service: Arc<S>,
}

impl<S: Service> Worker<S> {
    /// Accepts until a stop, and then what was waiting to be accepted; for TLS if it is given.
    pub async fn accept(
        &self,
        socket: std::net::TcpListener,
        tls: Option<&Arc<ServerConfig>>,
        accepting: Place,
    ) {
        let listener = match TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "a worker cannot listen");
                return;
            }
        };
        loop {
            let changed = self.shared.phase_changed.notified();
            if self.shared.phase() != Phase::Serving {
                break;
            }
            tokio::select! {
                biased;
                () = changed => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, remote)) => self.open(stream, remote, tls),
                    Err(error) => pause_after(error).await,
                }
            }
        }
        if let Ok(queue) = listener.into_std() {
            while let Ok((stream, remote)) = queue.accept() {
                if let Ok(stream) = nonblocking(stream) {
                    self.open(stream, remote, tls);
                }
            }
        }
        drop(accepting);
    }

    fn open(&self, stream: TcpStream, remote: SocketAddr, tls: Option<&Arc<ServerConfig>>) {
        let connection = Arc::new(Connection::default());
        let Some(place) = self.shared.admit(&connection) else {
            self.shared.metrics.client_turned_away(self.index);
            if tls.is_none() {
                turn_away(stream);
            }
            return;
        };
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let _ = stream.set_nodelay(true); // without it answers are slower, not wrong
        let front = Arc::new(Front {
            worker: self.index,
            shared: Arc::clone(&self.shared),
            service: Arc::clone(&self.service),
            peer: Arc::new(Peer::new(remote, local, tls.is_some())),
            connection,
        });
        // Two tasks and not one: a plain connection has no room in memory for a handshake.
        match tls.cloned() {
            None => tokio::spawn(async move {
                front.shared.metrics.client_opened(front.worker);
                serve(&front, stream).await;
                front.shared.metrics.client_closed(front.worker);
                drop(place);
            }),
            Some(config) => tokio::spawn(async move {
                front.shared.metrics.client_opened(front.worker);
                serve_tls(&front, stream, &config).await;
                front.shared.metrics.client_closed(front.worker);
                drop(place);
            }),
        };
    }
}

fn nonblocking(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

/// A connection that was given up before it was accepted is nothing; too many open files is.
async fn pause_after(error: io::Error) {
    let is_gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !is_gone {
        tracing::warn!(%error, "cannot accept connections for now");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Best effort: a full house does not wait for those outside.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(turned_away().as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// What every request of a connection needs.
pub(super) struct Front<S> {
    pub worker: usize,
    pub shared: Arc<Shared>,
    pub service: Arc<S>,
    pub peer: Arc<Peer>,
    pub connection: Arc<Connection>,
}

impl<S> Front<S> {
    /// Notes that the connection broke off.
    pub fn broke(&self, error: &dyn std::error::Error) {
        tracing::debug!(%error, client = %self.peer.remote, "a client's connection ended early");
    }
}

/// Shakes hands and serves a connection to its end in the protocol that was agreed on.
async fn serve_tls<S: Service>(
    front: &Arc<Front<S>>,
    stream: TcpStream,
    config: &Arc<ServerConfig>,
) {
    let limit = front.shared.limits.tls_handshake;
    let stream = match tls::shake_hands(stream, config, limit).await {
        Ok(stream) => stream,
        Err(error) => {
            let is_plain = matches!(error, tls::NoHandshake::Plain);
            let metrics = &front.shared.metrics;
            metrics.client_handshake_failed(front.worker, is_plain);
            return front.broke(&error);
        }
    };
    match stream.get_ref().1.alpn_protocol() {
        Some(tls::HTTP_2) => http2::serve(front, stream).await,
        _ => serve(front, stream).await,
    }
}

/// Serves a connection to its end.
async fn serve<S, IO>(front: &Arc<Front<S>>, stream: IO)
where
    S: Service,
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let limits = &front.shared.limits;
    let io = ClientIo::new(
        stream,
        Arc::clone(&front.connection),
        limits.head,
        limits.patience,
    );
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None); // ClientIo bounds all waiting
    if limits.head.headers_max > HYPER_HEADERS_MAX {
        builder.max_headers(limits.head.headers_max);
    }
    if limits.head.head_bytes_max > HYPER_HEAD_BYTES_MAX {
        builder.max_buf_size(limits.head.head_bytes_max);
    }
    // Boxed, so that a connection between two calls keeps no room for one.
    let service =
        service_fn(|request| Box::pin(answer(Arc::clone(front), request, Instant::now())));
    let mut hyper = pin!(builder.serve_connection(TokioIo::new(io), service));
    let mut last_answers: Option<Pin<Box<Sleep>>> = None;
    let mut is_told = false;
    let ended = poll_fn(|context| {
        front.connection.remember(context.waker());
        if let Poll::Ready(result) = hyper.as_mut().poll(context) {
            return Poll::Ready(Some(result));
        }
        match front.shared.phase() {
            Phase::Serving => Poll::Pending,
            Phase::Stopping if is_told => Poll::Pending,
            Phase::Stopping => {
                let timer = last_answers.get_or_insert_with(|| Box::pin(sleep(LAST_ANSWERS)));
                ready!(timer.as_mut().poll(context));
                is_told = true;
                hyper.as_mut().graceful_shutdown();
                hyper.as_mut().poll(context).map(Some)
            }
            Phase::Cutting => Poll::Ready(None),
        }
    });
    if let Some(Err(error)) = ended.await {
        front.broke(&error);
        if error.is_parse() {
            front.shared.metrics.client_unreadable(front.worker);
        }
    }
}

async fn answer<S: Service>(
    front: Arc<Front<S>>,
    request: Request<Incoming>,
    received: Instant,
) -> Result<Response<Answer>, Infallible> {
    let exchange = Exchange::open(Arc::clone(&front.connection));
    let (request, refused) = edge::receive(
        request,
        &front.connection,
        front.shared.limits.body_bytes_max,
    );
    let arrival = Arrival {
        request,
        peer: Arc::clone(&front.peer),
        received,
        refused,
    };
    let mut response = Arc::clone(&front.service).answer(arrival).await;
    if front.shared.phase() != Phase::Serving {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Answer {
        body,
        _exchange: exchange,
    }))
}

/// An answer's body, for as long as which its exchange is open.
struct Answer {
    body: Body,
    _exchange: Exchange,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
