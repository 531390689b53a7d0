//! One worker: accepts connections, and shakes hands for TLS.

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::connection::{Connection, Peer};
use super::serving::{Phase, Place, Service, Shared};
use super::socket::Socket;
use super::{http1, http2, tls};
use crate::gateway_response::turned_away;

/// Pause when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
        tls: Option<&Arc<tls::ServerTls>>,
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

    fn open(&self, stream: TcpStream, remote: SocketAddr, tls: Option<&Arc<tls::ServerTls>>) {
        let connection = Arc::new(Connection::default());
        let Some(place) = self.shared.admit(&connection, remote.ip()) else {
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
                http1::serve(&front, Socket::Plain(stream)).await;
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
    /// What a client begins before its first request; none when a stop comes first, which does not wait for it.
    pub async fn until_stop<T>(&self, begun: impl Future<Output = T>) -> Option<T> {
        let mut begun = pin!(begun);
        poll_fn(|context| {
            self.connection.remember(context.waker());
            match self.shared.phase() {
                Phase::Serving => begun.as_mut().poll(context).map(Some),
                _ => Poll::Ready(None),
            }
        })
        .await
    }

    /// Notes that the connection broke off.
    pub fn broke(&self, error: &dyn std::error::Error) {
        tracing::debug!(%error, client = %self.peer.remote, "a client's connection ended early");
    }
}

/// Shakes hands and serves a connection to its end in the protocol that was agreed on.
async fn serve_tls<S: Service>(
    front: &Arc<Front<S>>,
    stream: TcpStream,
    config: &Arc<tls::ServerTls>,
) {
    let limit = front.shared.limits.tls_handshake;
    let shaken = front.until_stop(tls::shake_hands(stream, config, limit));
    let Some(shaken) = shaken.await else {
        return;
    };
    let stream = match shaken {
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
        _ => http1::serve(front, Socket::Tls(Box::new(stream.into()))).await,
    }
}
