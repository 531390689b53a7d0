//! The workers that serve clients: how they are laid over threads, and how they stop.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::{Request, Response};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::connection::{Connection, Peer};
use super::edge;
use super::http1::HeadLimits;
use super::http2::Http2Limits;
use super::listener::Listener;
use super::pace::Patience;
use super::per_ip::PerIp;
use super::tls::ServerTls;
use super::worker::Worker;
use crate::body::{Body, RequestBody};
use crate::gateway_response::Refused;
use crate::metrics::Metrics;

/// How workers are laid over threads. The code is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeLayout {
    /// A single-threaded runtime for each worker: the least CPU per call.
    #[default]
    PerCore,
    /// One runtime whose threads take over each other's work: steadier when some connections are busier.
    Multi,
}

/// What clients may do, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct ServingLimits {
    pub head: HeadLimits,
    pub patience: Patience,
    pub body_bytes_max: u64,
    /// Over all workers. More are answered 503 and closed.
    pub connections_max: usize,
    /// Of each client address; 0 for as many as there are.
    pub connections_per_ip_max: usize,
    /// From a connection's begin to the end of its TLS handshake.
    pub tls_handshake: Duration,
    pub http2: Http2Limits,
}

impl Default for ServingLimits {
    fn default() -> Self {
        ServingLimits {
            head: HeadLimits::default(),
            patience: Patience::default(),
            body_bytes_max: edge::BODY_BYTES_MAX_DEFAULT,
            connections_max: 10_000,
            connections_per_ip_max: 0,
            tls_handshake: Duration::from_secs(10),
            http2: Http2Limits::default(),
        }
    }
}

/// A request as it came in.
pub struct Arrival {
    /// In origin form with one Host, unless it is refused.
    pub request: Request<RequestBody>,
    pub peer: Arc<Peer>,
    pub received: Instant,
    /// Why the edge refuses it. The service answers with that, and records it.
    pub refused: Option<Refused>,
}

/// Answers requests; one per worker.
pub trait Service: Send + Sync + 'static {
    fn answer(self: Arc<Self>, arrival: Arrival) -> impl Future<Output = Response<Body>> + Send;
}

/// What workers are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Serving,
    /// Nothing is accepted any more; calls finish.
    Stopping,
    /// What is left is cut.
    Cutting,
}

/// Known to all workers and their connections.
pub(super) struct Shared {
    pub limits: ServingLimits,
    pub metrics: Arc<Metrics>,
    phase: AtomicU8,
    pub phase_changed: Notify,
    open: AtomicUsize,
    per_ip: PerIp,
    /// HTTP/2 calls in progress. HTTP/1 has at most one for each connection.
    http2_calls: AtomicUsize,
    accepting: AtomicUsize,
    all_closed: Notify,
    /// Every connection, to wake it when the phase changes. Locked only when one opens.
    connections: Mutex<Vec<Weak<Connection>>>,
}

impl Shared {
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Stopping,
            _ => Phase::Cutting,
        }
    }

    fn change(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
        self.phase_changed.notify_waiters();
        let all: Vec<_> = self
            .connections()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for connection in all {
            connection.wake();
        }
    }

    fn cut(&self) {
        self.change(Phase::Cutting);
        self.all_closed.notify_waiters();
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, which will be woken when the phase changes. None at either cap.
    pub fn admit(self: &Arc<Self>, connection: &Arc<Connection>, client: IpAddr) -> Option<Place> {
        let mut place = Place::new(self, |shared| &shared.open);
        if self.open.load(Ordering::Acquire) > self.limits.connections_max {
            return None;
        }
        place.network = self.per_ip.enter(client).ok()?;
        let mut all = self.connections();
        if all.len() == all.capacity() {
            all.retain(|known| known.strong_count() > 0);
        }
        all.push(Arc::downgrade(connection));
        Some(place)
    }

    /// A place for an HTTP/2 call. None at the cap.
    pub fn take_up_call(self: &Arc<Self>) -> Option<Place> {
        let place = Place::new(self, |shared| &shared.http2_calls);
        let calls = self.http2_calls.load(Ordering::Acquire);
        (calls <= self.limits.http2.calls_max).then_some(place)
    }

    /// A place for a worker while it accepts.
    pub fn accepting(self: &Arc<Self>) -> Place {
        Place::new(self, |shared| &shared.accepting)
    }

    /// Returns once nothing accepts any more and no connection is open.
    pub async fn all_closed(&self) {
        loop {
            let closed = self.all_closed.notified();
            let left = self.accepting.load(Ordering::Acquire) + self.open.load(Ordering::Acquire);
            if left == 0 || self.phase() == Phase::Cutting {
                return;
            }
            closed.await;
        }
    }
}

/// Counts as long as it lives.
pub(super) struct Place {
    shared: Arc<Shared>,
    count: fn(&Shared) -> &AtomicUsize,
    /// Where the client is counted, too.
    network: Option<IpAddr>,
}

impl Place {
    fn new(shared: &Arc<Shared>, count: fn(&Shared) -> &AtomicUsize) -> Place {
        count(shared).fetch_add(1, Ordering::AcqRel);
        Place {
            shared: Arc::clone(shared),
            count,
            network: None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(network) = self.network {
            self.shared.per_ip.leave(network);
        }
        if (self.count)(&self.shared).fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.all_closed.notify_waiters();
        }
    }
}

/// The sockets of one address, of which each worker gets one.
pub struct Door {
    pub listener: Listener,
    /// None serves plain HTTP.
    pub tls: Option<Arc<ServerTls>>,
}

impl From<Listener> for Door {
    fn from(listener: Listener) -> Door {
        Door {
            listener,
            tls: None,
        }
    }
}

/// One worker's part of a door.
struct OneSocket {
    socket: std::net::TcpListener,
    tls: Option<Arc<ServerTls>>,
    accepting: Place,
}

/// Must be called inside the worker's runtime.
fn start_accepting<S: Service>(worker: Arc<Worker<S>>, sockets: Vec<OneSocket>) {
    for OneSocket {
        socket,
        tls,
        accepting,
    } in sockets
    {
        let worker = Arc::clone(&worker);
        tokio::spawn(async move { worker.accept(socket, tls.as_ref(), accepting).await });
    }
}

/// Workers at work.
pub struct Serving {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Serving {
    /// Starts as many workers as the first door has sockets; every door has one for each. `make` is
    /// called once for each worker, inside its runtime.
    pub fn start<S: Service>(
        doors: Vec<Door>,
        layout: RuntimeLayout,
        limits: ServingLimits,
        metrics: Arc<Metrics>,
        make: impl Fn(usize) -> Arc<S> + Send + Sync + 'static,
    ) -> io::Result<Serving> {
        let addresses = doors.iter().map(|door| door.listener.address()).collect();
        let shared = Arc::new(Shared {
            per_ip: PerIp::new(limits.connections_per_ip_max),
            http2_calls: AtomicUsize::new(0),
            limits,
            metrics,
            phase: AtomicU8::new(Phase::Serving as u8),
            phase_changed: Notify::new(),
            open: AtomicUsize::new(0),
            accepting: AtomicUsize::new(0),
            all_closed: Notify::new(),
            connections: Mutex::default(),
        });
        let mut serving = Serving {
            shared,
            addresses,
            threads: Vec::new(),
            runtime: None,
        };
        match layout {
            RuntimeLayout::PerCore => serving.start_per_core(doors, make)?,
            RuntimeLayout::Multi => serving.start_multi(doors, make)?,
        }
        Ok(serving)
    }

    /// The sockets of each worker.
    fn shared_out(&self, doors: Vec<Door>) -> Vec<Vec<OneSocket>> {
        let mut workers: Vec<Vec<OneSocket>> = Vec::new();
        for Door { listener, tls } in doors {
            for (index, socket) in listener.sockets.into_iter().enumerate() {
                if workers.len() <= index {
                    workers.push(Vec::new());
                }
                workers[index].push(OneSocket {
                    socket,
                    tls: tls.clone(),
                    accepting: self.shared.accepting(),
                });
            }
        }
        workers
    }

    fn start_per_core<S: Service>(
        &mut self,
        doors: Vec<Door>,
        make: impl Fn(usize) -> Arc<S> + Send + Sync + 'static,
    ) -> io::Result<()> {
        let make = Arc::new(make);
        for (index, sockets) in self.shared_out(doors).into_iter().enumerate() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (shared, make) = (Arc::clone(&self.shared), Arc::clone(&make));
            let run = move || {
                runtime.block_on(async {
                    let worker = Worker {
                        index,
                        shared: Arc::clone(&shared),
                        service: make(index),
                    };
                    start_accepting(Arc::new(worker), sockets);
                    // A runtime that ends takes its connections with it.
                    shared.all_closed().await;
                });
            };
            let name = format!("tollgate-worker-{index}");
            self.threads
                .push(std::thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(())
    }

    fn start_multi<S: Service>(
        &mut self,
        doors: Vec<Door>,
        make: impl Fn(usize) -> Arc<S>,
    ) -> io::Result<()> {
        let workers = self.shared_out(doors);
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers.len().max(1))
            .thread_name("tollgate-worker")
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        for (index, sockets) in workers.into_iter().enumerate() {
            let worker = Worker {
                index,
                shared: Arc::clone(&self.shared),
                service: make(index),
            };
            start_accepting(Arc::new(worker), sockets);
        }
        drop(entered);
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Where it listens: one address for each door.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Stops accepting, lets calls in flight finish for at most `limit`, then cuts what is left. Says
    /// how many connections were cut.
    pub async fn stop(mut self, limit: Duration) -> usize {
        let shared = Arc::clone(&self.shared);
        let threads = std::mem::take(&mut self.threads);
        shared.change(Phase::Stopping);
        let finished = tokio::time::timeout(limit, shared.all_closed()).await;
        let left = match finished {
            Ok(()) => 0,
            Err(_) => shared.open.load(Ordering::Acquire),
        };
        shared.cut();
        let joined = tokio::task::spawn_blocking(move || {
            threads
                .into_iter()
                .map(JoinHandle::join)
                .filter(Result::is_err)
                .count()
        });
        if joined.await.unwrap_or(1) > 0 {
            tracing::error!("a worker had panicked");
        }
        left
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shared.cut();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
