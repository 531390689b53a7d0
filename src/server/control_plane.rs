//! Serves the control plane's router: bounded connections, slow clients cut off, requests in flight finished at a stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tollgate_proxy::net::tls::{ServerTls, shake_hands};
use tower::ServiceExt;

use super::patient::Patient;

/// Milliseconds to wait when no connection can be accepted, because the system is out of file descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;

/// What bounds a client.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; more wait in the system's queue.
    pub connections_max: usize,
    /// How long a TLS handshake may take.
    pub tls_handshake_timeout: Duration,
    /// How long a request's headers may take; also how long a connection may idle.
    pub header_read_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub write_timeout: Duration,
    /// How long requests in flight have after a stop.
    pub drain_timeout: Duration,
}

/// Serves until `stop` says true, then lets requests in flight finish. With `tls`, nothing else is spoken.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = told(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        let Some((stream, peer, permit)) = accepted else {
            continue;
        };
        let (router, stop, tls) = (router.clone(), stop.clone(), tls.clone());
        connections.spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("no TCP_NODELAY for {peer}: {error}");
            }
            match tls {
                None => connection(stream, peer, router, limits, stop).await,
                Some(tls) => {
                    let mut stop_first = stop.clone();
                    let shaken = tokio::select! {
                        shaken = shake_hands(stream, &tls, limits.tls_handshake_timeout) => shaken,
                        () = told(&mut stop_first) => return,
                    };
                    match shaken {
                        Ok(stream) => connection(stream, peer, router, limits, stop).await,
                        Err(error) => {
                            tracing::debug!("no control-plane connection with {peer}: {error}")
                        }
                    }
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_timeout, drained)
        .await
        .is_err()
    {
        tracing::warn!(
            "control-plane requests were still in flight after {:?}",
            limits.drain_timeout
        );
    }
}

/// Returns once the stop is told; a sender that is gone tells it too.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The next connection, once there is room for one; `None` after a failure.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            tracing::warn!("the control plane cannot accept a connection: {error}");
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            None
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .serve_connection(
            TokioIo::new(Patient::new(stream, limits.write_timeout)),
            service,
        );
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("the control-plane connection of {peer} ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    /// A server with `/wait`, which says when it is entered and answers when it is told to.
    struct Served {
        address: SocketAddr,
        entered: Arc<Notify>,
        answer: Arc<Notify>,
        stop: watch::Sender<bool>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn served(drain_timeout: Duration, header_read_timeout: Duration) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (entered, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (saw, told) = (entered.clone(), answer.clone());
        let wait = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
            saw.notify_one();
            told.notified().await;
            peer.ip().to_string()
        });
        let (stop, stopped) = watch::channel(false);
        let limits = Limits {
            connections_max: 2,
            tls_handshake_timeout: LONG,
            header_read_timeout,
            write_timeout: LONG,
            drain_timeout,
        };
        let task = tokio::spawn(serve(
            listener,
            None,
            Router::new().route("/wait", wait),
            limits,
            stopped,
        ));
        Served {
            address,
            entered,
            answer,
            stop,
            task,
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_stop_lets_the_request_in_flight_finish() {
        let served = served(LONG, LONG).await;
        let mut client = TcpStream::connect(served.address).await.unwrap();
        client
            .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        served.entered.notified().await;
        served.stop.send(true).unwrap();
        served.answer.notify_one();
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(
            text.starts_with("HTTP/1.1 200 OK") && text.ends_with("127.0.0.1"),
            "{text}"
        );
        served.task.await.unwrap();
        assert!(TcpStream::connect(served.address).await.is_err());
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_forever() {
        let served = served(Duration::ZERO, LONG).await;
        let mut client = TcpStream::connect(served.address).await.unwrap();
        client
            .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        served.entered.notified().await;
        served.stop.send(true).unwrap();
        served.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_sends_nothing_is_cut_off() {
        let served = served(LONG, Duration::from_millis(1)).await;
        let mut client = TcpStream::connect(served.address).await.unwrap();
        client.write_all(b"GET /wait HTTP/1.1\r\n").await.unwrap();
        let mut text = Vec::new();
        // The connection ends, with or without a word.
        let _ = client.read_to_end(&mut text).await;
        assert!(!text.starts_with(b"HTTP/1.1 200"));
    }
}
