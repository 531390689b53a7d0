//! What the parts that serve one client connection know of each other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use http::HeaderValue;

/// Shared by a connection's socket, its requests and the listener.
#[derive(Debug, Default)]
pub struct Connection {
    /// Whether an HTTP/1 connection takes up no further request.
    is_last: AtomicBool,
    /// Whether an HTTP/2 client sent more frames than it may.
    is_flooded: AtomicBool,
    /// Requests of HTTP/2 whose answers are not finished.
    open: AtomicU32,
    /// Requests whose answers are; it may wrap.
    answered: AtomicU32,
    waker: OnceLock<Waker>,
}

impl Connection {
    /// Whether no further request is taken up.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.load(Ordering::Relaxed)
    }

    pub(super) fn set_last(&self) {
        self.is_last.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_flooded(&self) -> bool {
        self.is_flooded.load(Ordering::Relaxed)
    }

    pub(super) fn set_flooded(&self) {
        self.is_flooded.store(true, Ordering::Relaxed);
    }

    /// Whether an answer is still to be finished.
    pub fn is_answering(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// How many answers have ended, to see whether one did.
    pub(super) fn answered(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Remembers the connection's task, which stays the same for its life.
    pub(super) fn remember(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

/// One request's claim on its connection, from its arrival until its answer is finished or dropped.
#[derive(Debug)]
pub struct Exchange(Arc<Connection>);

impl Exchange {
    pub(super) fn open(connection: Arc<Connection>) -> Exchange {
        connection.open.fetch_add(1, Ordering::Relaxed);
        Exchange(connection)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The two ends of a client connection, with what upstreams are told of them.
#[derive(Clone, Debug)]
pub struct Peer {
    pub remote: SocketAddr,
    pub local: SocketAddr,
    pub is_tls: bool,
    /// The client's address, as `x-forwarded-for` has it.
    pub remote_ip: HeaderValue,
    /// Our port, as `x-forwarded-port` has it.
    pub local_port: HeaderValue,
}

impl Peer {
    /// An IPv4 client of an IPv6 socket is named by its IPv4 address.
    pub fn new(remote: SocketAddr, local: SocketAddr, is_tls: bool) -> Peer {
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let text = |text: String| {
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
        };
        Peer {
            remote,
            local,
            is_tls,
            remote_ip: text(remote.ip().to_string()),
            local_port: HeaderValue::from(local.port()),
        }
    }
}
