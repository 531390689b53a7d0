//! Connections to upstreams, kept for the next call: one pool per worker, last in first out.
//!
//! A connection comes back only when the answer it carried has come to its end and the request was
//! sent whole; a call that is cut takes its connection with it. A call is sent a second time only
//! when not a byte of it was written, so an upstream never sees one call twice. That is why
//! connections wait for less time than servers usually keep them: one that the server closes while a
//! call is on its way to it costs that call.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::HashMap;
use http::Response;
use http_body::Frame;
use tokio::sync::mpsc;

use super::alarm::Alarms;
use super::connect::Connector;
use super::exchange::{Exchange, Unanswered, Wire};
use super::origin::Origin;
use super::request_head::Outbound;
use crate::gateway_response::IntegrationFault;
use crate::metrics::{Metrics, UpstreamStats};

/// How many connections wait for calls, and how long.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Per worker and upstream.
    pub idle_max: usize,
    /// Without a call, where the upstream does not tell for how long (`Keep-Alive: timeout=`). Less than
    /// most servers' own limit, so that they rarely close first.
    pub idle_time_max: Duration,
    /// Since it was opened, so that a name's new address is found.
    pub age_max: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits {
            idle_max: 256,
            idle_time_max: Duration::from_secs(4), // many servers keep them for 5
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
    alarms: Alarms,
    /// Locked for moments only, and by the threads of one worker only.
    idle: Mutex<HashMap<Arc<Origin>, VecDeque<Idle>>>,
    metrics: Arc<Metrics>,
    worker: usize,
}

struct Idle {
    open: Open,
    until: Instant,
}

/// A connection that is counted as long as it is open.
struct Open {
    wire: Wire,
    opened: Instant,
    pool: Weak<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.stats().closed();
        }
    }
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
            alarms: Alarms::default(),
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
        request: &mut Option<Box<Outbound>>,
        now: Instant,
    ) -> Result<(Response<()>, Lease), IntegrationFault> {
        if let Some(mut lease) = self.0.take(origin, now) {
            match lease.send(request).await {
                Some(response) => return Ok((response, lease)),
                None if request.is_none() => return Err(IntegrationFault::Answer),
                None => {} // the connection had ended: nothing was sent
            }
        }
        // Boxed, so that a call on a connection that stands keeps no room for opening one.
        let mut lease = Box::pin(self.open(origin)).await?;
        let answered = lease.send(request).await;
        let response = answered.ok_or(IntegrationFault::Answer)?;
        Ok((response, lease))
    }

    /// Timers for this worker's calls.
    pub fn alarms(&self) -> &Alarms {
        &self.0.alarms
    }

    async fn open(&self, origin: &Arc<Origin>) -> Result<Lease, IntegrationFault> {
        let socket = self.0.connector.connect(origin).await?;
        self.0.stats().opened();
        let opened = Instant::now();
        let open = Open {
            wire: Wire::new(socket),
            opened,
            pool: Arc::downgrade(&self.0),
        };
        Ok(self.0.lease(open, origin, opened))
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
    fn take(self: &Arc<Self>, origin: &Arc<Origin>, now: Instant) -> Option<Lease> {
        loop {
            let mut idle = self.pop(origin)?;
            if idle.is_good(&self.limits, now) {
                return Some(self.lease(idle.open, origin, now));
            }
        }
    }

    fn pop(&self, origin: &Origin) -> Option<Idle> {
        let idle = self.idle().get_mut(origin)?.pop_back()?;
        self.stats().woken(1);
        Some(idle)
    }

    fn lease(self: &Arc<Self>, open: Open, origin: &Arc<Origin>, now: Instant) -> Lease {
        Lease {
            open,
            exchange: None,
            origin: Arc::clone(origin),
            pool: Arc::clone(self),
            taken: now,
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
            list.retain_mut(|idle| idle.is_good(&self.limits, now));
            self.stats().woken((before - list.len()) as u64);
            !list.is_empty()
        });
    }
}

impl Idle {
    fn is_good(&mut self, limits: &PoolLimits, now: Instant) -> bool {
        now < self.until
            && now.saturating_duration_since(self.open.opened) < limits.age_max
            && self.open.wire.is_quiet()
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
    open: Open,
    /// Once the answer has begun.
    exchange: Option<Exchange>,
    origin: Arc<Origin>,
    pool: Arc<Shared>,
    taken: Instant,
}

impl Lease {
    /// None when no answer came. The request is put back if not a byte of it was sent.
    async fn send(&mut self, request: &mut Option<Box<Outbound>>) -> Option<Response<()>> {
        match self.open.wire.call(request).await {
            Ok((response, exchange)) => {
                self.exchange = Some(exchange);
                Some(response)
            }
            Err(error) => {
                tracing::debug!(host = %self.origin.host, %error, "an upstream did not answer");
                None
            }
        }
    }

    /// The next piece of the answer's body; none at its end.
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unanswered>>> {
        match &mut self.exchange {
            Some(exchange) => exchange.poll_frame(&mut self.open.wire, context),
            None => Poll::Ready(None),
        }
    }

    /// Whether the answer is whole.
    pub fn has_ended(&self) -> bool {
        self.exchange.as_ref().is_none_or(Exchange::has_ended)
    }

    /// Bytes of the answer's body that are still to come, when that is known.
    pub fn bytes_left(&self) -> Option<u64> {
        self.exchange.as_ref().map_or(Some(0), Exchange::bytes_left)
    }

    /// Whether the request is not sent whole yet.
    pub fn is_sending(&self) -> bool {
        self.exchange.as_ref().is_some_and(Exchange::is_sending)
    }

    /// Goes on in a task of its own: an upstream may wait for the rest of the request before it goes on
    /// with its answer, and a client may send all before it reads. Must be called inside a runtime.
    pub fn relay(mut self) -> Relayed {
        let bytes_left = self.bytes_left();
        let (pieces, receiver) = mpsc::channel(RELAYED_PIECES_MAX);
        tokio::spawn(async move {
            loop {
                let mut room = std::pin::pin!(pieces.reserve());
                let has_room = poll_fn(|context| {
                    self.poll_sending(context);
                    room.as_mut().poll(context)
                });
                let Ok(room) = has_room.await else {
                    return; // nobody wants the answer any more
                };
                let next = poll_fn(|context| {
                    if let Poll::Ready(next) = self.poll_frame(context) {
                        return Poll::Ready(Some(next));
                    }
                    std::pin::pin!(pieces.closed()).poll(context).map(|()| None)
                });
                match next.await {
                    Some(Some(Ok(frame))) => room.send(Ok(Some(frame))),
                    Some(Some(Err(error))) => return room.send(Err(error)),
                    Some(None) => {
                        room.send(Ok(None));
                        return self.give_back();
                    }
                    None => return,
                }
            }
        });
        Relayed {
            pieces: receiver,
            bytes_left,
        }
    }

    fn poll_sending(&mut self, context: &mut Context<'_>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.poll_sending(&mut self.open.wire, context);
        }
    }

    /// Keeps the connection for the next call, if it may carry one.
    pub fn give_back(self) {
        let Lease {
            mut open,
            exchange,
            origin,
            pool,
            taken,
        } = self;
        let Some(exchange) = exchange.filter(|exchange| exchange.leaves_usable(&open.wire)) else {
            return;
        };
        let idle = exchange.idle().unwrap_or(pool.limits.idle_time_max);
        open.wire.rest();
        // Its idle time is counted from its last call's beginning: the clock is not read for each.
        let until = taken + idle;
        pool.put(origin, Idle { open, until });
    }
}

/// Pieces of a relayed answer that wait to be taken.
const RELAYED_PIECES_MAX: usize = 2;

/// An answer that comes by way of a task. Dropping it ends the task and closes the connection.
#[derive(Debug)]
pub struct Relayed {
    pieces: mpsc::Receiver<Result<Option<Frame<Bytes>>, Unanswered>>,
    bytes_left: Option<u64>,
}

impl Relayed {
    pub fn bytes_left(&self) -> Option<u64> {
        self.bytes_left
    }

    /// The next piece of the answer's body; none at its end.
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unanswered>>> {
        let next = std::task::ready!(self.pieces.poll_recv(context));
        let frame = match next.unwrap_or_else(|| Err(Unanswered::ended())) {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        if let (Some(left), Some(frame)) = (&mut self.bytes_left, &frame) {
            *left -= frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame.map(Ok))
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("host", &self.origin.host)
            .finish_non_exhaustive()
    }
}
