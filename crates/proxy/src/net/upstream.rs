//! Connections to upstreams, kept for the next call: one pool per worker, last in first out.
//!
//! A connection comes back only when the answer it carried has come to its end and the request was
//! sent whole; a call that is cut takes its connection with it. A call is sent a second time only
//! when hyper hands it back unsent, so an upstream never sees one call twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use foldhash::HashMap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::connect::Connector;
use super::origin::Origin;
use crate::body::RequestBody;
use crate::gateway_response::IntegrationFault;
use crate::metrics::{Metrics, UpstreamStats};

/// How many connections wait for calls, and how long.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Per worker and upstream.
    pub idle_max: usize,
    /// Without a call. Less than most servers' own limit, so that they rarely close first.
    pub idle_time_max: Duration,
    /// Since it was opened, so that a name's new address is found.
    pub age_max: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits {
            idle_max: 256,
            idle_time_max: Duration::from_secs(30),
            age_max: Duration::from_secs(600),
        }
    }
}

/// One worker's connections.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    limits: PoolLimits,
    connector: Arc<Connector>,
    /// Locked for moments only, and by the threads of one worker only.
    idle: Mutex<HashMap<Arc<Origin>, VecDeque<Idle>>>,
    metrics: Arc<Metrics>,
    worker: usize,
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
    opened: Instant,
}

impl Pool {
    /// A pool that cleans itself up from time to time. Must be called inside a runtime.
    pub fn new(
        limits: PoolLimits,
        connector: Arc<Connector>,
        metrics: Arc<Metrics>,
        worker: usize,
    ) -> Pool {
        let shared = Arc::new(Shared {
            limits,
            connector,
            idle: Mutex::default(),
            metrics,
            worker,
        });
        tokio::spawn(clean(Arc::downgrade(&shared), limits.idle_time_max / 2));
        Pool(shared)
    }

    /// Sends a request, taking it, and waits for the head of its answer. `now` may be a little old.
    pub async fn call(
        &self,
        origin: &Arc<Origin>,
        request: &mut Option<Request<RequestBody>>,
        now: Instant,
    ) -> Result<(Response<Incoming>, Lease), IntegrationFault> {
        if let Some(mut lease) = self.0.take(origin, now).await {
            match lease.send(request).await {
                Some(response) => return Ok((response, lease)),
                None if request.is_none() => return Err(IntegrationFault::Answer),
                None => {} // the connection had ended: nothing was sent
            }
        }
        let mut lease = self.open(origin).await?;
        let answered = lease.send(request).await;
        let response = answered.ok_or(IntegrationFault::Answer)?;
        Ok((response, lease))
    }

    async fn open(&self, origin: &Arc<Origin>) -> Result<Lease, IntegrationFault> {
        let socket = self.0.connector.connect(origin).await?;
        let (sender, connection) = match http1::handshake(TokioIo::new(socket)).await {
            Ok(pair) => pair,
            Err(_) => return Err(IntegrationFault::Connect),
        };
        let metrics = Arc::clone(&self.0.metrics);
        let worker = self.0.worker;
        metrics.upstream(worker).opened();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an upstream failed");
            }
            metrics.upstream(worker).closed();
        });
        let pool = Arc::clone(&self.0);
        Ok(Lease {
            sender,
            origin: Arc::clone(origin),
            opened: Instant::now(),
            pool,
        })
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, HashMap<Arc<Origin>, VecDeque<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stats(&self) -> &UpstreamStats {
        self.metrics.upstream(self.worker)
    }

    /// The connection used last that is still good.
    async fn take(self: &Arc<Self>, origin: &Arc<Origin>, now: Instant) -> Option<Lease> {
        // On a shared runtime a connection's task may not have seen yet that the answer it carried is
        // over. That is a matter of moments, but another may be ready at once.
        let mut finishing: Option<Idle> = None;
        while let Some(idle) = self.pop(origin) {
            if !idle.is_good(&self.limits, now) {
                continue;
            }
            if idle.sender.is_ready() {
                if let Some(other) = finishing {
                    self.put(Arc::clone(origin), other);
                }
                return Some(self.lease(idle, origin));
            }
            if finishing.is_some() {
                self.put(Arc::clone(origin), idle);
                break;
            }
            finishing = Some(idle);
        }
        let mut idle = finishing?;
        idle.sender.ready().await.ok()?;
        Some(self.lease(idle, origin))
    }

    fn pop(&self, origin: &Origin) -> Option<Idle> {
        let idle = self.idle().get_mut(origin)?.pop_back()?;
        self.stats().woken(1);
        Some(idle)
    }

    fn lease(self: &Arc<Self>, idle: Idle, origin: &Arc<Origin>) -> Lease {
        let Idle { sender, opened, .. } = idle;
        Lease {
            sender,
            origin: Arc::clone(origin),
            opened,
            pool: Arc::clone(self),
        }
    }

    fn put(&self, origin: Arc<Origin>, idle: Idle) {
        let mut all = self.idle();
        let list = all.entry(origin).or_default();
        list.push_back(idle);
        self.stats().rested();
        if list.len() > self.limits.idle_max {
            list.pop_front();
            self.stats().woken(1);
        }
    }

    fn clean(&self, now: Instant) {
        self.idle().retain(|_, list| {
            let before = list.len();
            list.retain(|idle| idle.is_good(&self.limits, now));
            self.stats().woken((before - list.len()) as u64);
            !list.is_empty()
        });
    }
}

impl Idle {
    fn is_good(&self, limits: &PoolLimits, now: Instant) -> bool {
        !self.sender.is_closed()
            && now.saturating_duration_since(self.since) < limits.idle_time_max
            && now.saturating_duration_since(self.opened) < limits.age_max
    }
}

async fn clean(pool: Weak<Shared>, every: Duration) {
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(100)));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        pool.clean(Instant::now());
    }
}

/// A connection while a call uses it. Dropping it closes the connection.
pub struct Lease {
    sender: SendRequest<RequestBody>,
    origin: Arc<Origin>,
    opened: Instant,
    pool: Arc<Shared>,
}

impl Lease {
    /// None when no answer came. The request is put back if not a byte of it was sent.
    async fn send(
        &mut self,
        request: &mut Option<Request<RequestBody>>,
    ) -> Option<Response<Incoming>> {
        match self.sender.try_send_request(request.take()?).await {
            Ok(response) => Some(response),
            Err(mut error) => {
                tracing::debug!(host = %self.origin.host, error = %error.error(), "an upstream did not answer");
                *request = error.take_message();
                None
            }
        }
    }

    /// Keeps the connection for the next call.
    pub fn give_back(self) {
        let Lease {
            sender,
            origin,
            opened,
            pool,
        } = self;
        if !sender.is_closed() {
            pool.put(
                origin,
                Idle {
                    sender,
                    since: Instant::now(),
                    opened,
                },
            );
        }
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("host", &self.origin.host)
            .finish_non_exhaustive()
    }
}
