//! The data plane without its network, for the simulator alone: the real decision, writer and builder,
//! put together as `start` does it, on a clock and a ledger that are given.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderValue, Request};
use tollgate_entity::ThrottleSettings;
use tollgate_limiter::{Counters, RateTable, Slot, Start, Ticks};
use tollgate_store::Digester;

pub use crate::build::{Adopter, Rows};
pub use crate::deployed::Deployed;
pub use crate::gateway_response::{KeyFault, Refused};
pub use crate::key_index::{Digest, KeyId};
pub use crate::time::{Now, SimulatedClock};
pub use crate::usage::{Ledger, Writer, WriterHandle};
pub use crate::working::{ApiRows, KeyRow};

use crate::DataPlaneState;
use crate::admission::{Held, Limiter, MethodBuckets};
use crate::decide::{decide, decide_by};
use crate::gateway_response::GatewayResponses;
use crate::invocation::{Invocation, RequestIds};
use crate::mapping::context::X_API_KEY;
use crate::metrics::Metrics;
use crate::net::connection::Peer;
use crate::rate_limit_headers::RateLimits;
use crate::snapshot::Snapshot;
use crate::time::{Past, Source, Time};
use crate::usage;
use crate::waiting::{WaitLimits, Waiting};
use crate::working::Working;

/// A process that serves.
#[derive(Clone)]
pub struct Process {
    state: Arc<DataPlaneState>,
    peer: Arc<Peer>,
    start: Start,
}

/// A call, and what came of it.
pub struct Call {
    headers: HeaderMap,
    invocation: Invocation,
    left: RateLimits,
}

/// A decision that has begun: its thread was taken off the core after it looked at the clock.
pub struct Begun {
    snapshot: Arc<Snapshot>,
    now: Now,
}

/// Puts a process together; fails if its stamp cannot be written. `clock` makes its clock, which shows the given ticks now.
pub fn process<L: Ledger>(
    ledger: L,
    clock: impl Fn(Ticks) -> Arc<dyn SimulatedClock>,
    digester: Digester,
    account: Option<ThrottleSettings>,
    wait_limits: WaitLimits,
) -> std::io::Result<(Process, Writer<L>, Adopter)> {
    let source = |ticks| Source::Simulated(clock(ticks));
    let past = Past::read(ledger.last_stamp(), &source(Ticks(0)));
    let time = Arc::new(Time::start(source(past.ticks_at_start)));
    let counters = Arc::new(Counters::new());
    let rates = Arc::new(RateTable::new());
    let waiting = Arc::new(Waiting::default());
    let (writer, handle) = usage::writer(
        ledger,
        past.last_day,
        Arc::clone(&counters),
        Arc::clone(&waiting),
        Arc::clone(&time),
    )?;
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let working = Working::new(
        Arc::clone(&counters),
        Arc::clone(&rates),
        Arc::new(Metrics::new(1)),
        past.start,
        account,
    );
    let adopter = Adopter::new(working, Arc::clone(&snapshot), handle.clone());
    let state = DataPlaneState {
        snapshot,
        limiter: Limiter {
            counters,
            rates,
            method_buckets: MethodBuckets::default(),
            writer: handle,
        },
        waiting,
        wait_limits,
        time,
        digester,
        responses: GatewayResponses::default(),
        sends_rate_limits: true,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let process = Process {
        state: Arc::new(state),
        peer: Arc::new(Peer::new(address, address, false)),
        start: past.start,
    };
    Ok((process, writer, adopter))
}

impl Process {
    /// The first snapshot is complete.
    pub fn started(&self) {
        let end = Slot(u32::try_from(self.state.limiter.counters.len()).unwrap_or(u32::MAX));
        let buckets = &self.state.limiter.method_buckets;
        buckets.found_at_start(end, self.start);
    }

    /// Takes a change in; every decision is made by it when this returns.
    pub async fn adopt(&self, adopter: &mut Adopter, rows: Rows) {
        adopter.adopt(rows, &self.state.time).await;
    }

    /// A call of GET on `path` (API, stage and all) with a key's value or without.
    pub fn call(&self, path: &str, key: Option<&str>) -> Call {
        let mut request = Request::new(());
        *request.uri_mut() = path.parse().unwrap_or_default();
        let mut headers = HeaderMap::new();
        if let Some(value) = key.and_then(|key| HeaderValue::from_str(key).ok()) {
            headers.insert(X_API_KEY, value);
        }
        let ids = RequestIds::new([0; 27]);
        Call {
            headers,
            invocation: Invocation::new(&request, &self.peer, ids, Instant::now(), 0),
            left: RateLimits::default(),
        }
    }

    /// Decides a call, waiting for units if it must.
    pub async fn decide(&self, call: &mut Call) -> Result<(), Refused> {
        let Call {
            headers,
            invocation,
            left,
        } = call;
        decide(&self.state, headers, invocation, left).await
    }

    /// Begins a decision without making it.
    pub fn begin(&self) -> Begun {
        let snapshot = self.state.snapshot.load_full();
        let now = self.state.time.now();
        Begun { snapshot, now }
    }

    /// Makes a decision that was begun; none when the call would have to wait now.
    pub fn finish(&self, begun: Begun, call: &mut Call) -> Option<Result<(), Refused>> {
        let Begun { snapshot, now } = begun;
        let Call {
            headers,
            invocation,
            left,
        } = call;
        match decide_by(&self.state, &snapshot, now, headers, invocation, left, None) {
            Ok(()) => Some(Ok(())),
            Err(Held::Refused(refused)) => Some(Err(refused)),
            Err(Held::Unreserved(_)) => None,
        }
    }

    pub fn now(&self) -> Now {
        self.state.time.now()
    }

    pub fn writer(&self) -> &WriterHandle {
        &self.state.limiter.writer
    }

    /// Counters that exist, by number.
    pub fn counters(&self) -> u32 {
        u32::try_from(self.state.limiter.counters.len()).unwrap_or(u32::MAX)
    }

    /// Wakes the calls that wait for a counter, for no reason.
    pub fn wake(&self, slot: Slot) {
        self.state.waiting.wake(&[slot]);
    }

    /// Calls that wait.
    pub fn waiting(&self) -> usize {
        self.state.waiting.calls()
    }
}

impl Call {
    /// Whether the answer says what is left of a quota.
    pub fn has_quota(&self) -> bool {
        self.left.quota.is_some()
    }

    /// The plan whose limits the call was held to.
    pub fn plan(&self) -> Option<&str> {
        self.invocation.usage_plan.as_ref().map(|plan| &*plan.id)
    }
}

impl Begun {
    /// The moment by which it will be decided.
    pub fn now(&self) -> Now {
        self.now
    }
}
