//! Throttles, then the quota: whether a call passes, and if not, which limit refuses it.
//!
//! The order is AWS's (plan's method throttle, plan's throttle, stage's method throttle, account),
//! the quota last. All are looked at before any is taken, and nothing is handed back.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use smallvec::SmallVec;
use tollgate_limiter::{Counter, Counters, RateId, RateTable, Slot, Start, Throttle, Ticks, admit};

use crate::explain::LimitNow;
use crate::gateway_response::Refused;
use crate::rate_limit_headers::{QuotaLeft, RateLimits, ThrottleLeft};
use crate::snapshot::{MethodThrottle, Plan, PlanQuota, SharedThrottle};
use crate::time::Now;
use crate::usage::WriterHandle;

/// What a caller is told whom no wait would help: a rate or burst of 0.
pub const NEVER: Duration = Duration::from_secs(86_400);
/// When a call may be tried again after the ledger's disk failed: not before somebody has looked at it.
pub const FAILED_RETRY_AFTER: Duration = Duration::from_secs(60);

/// What the limits look at besides the snapshot; one for the whole process.
pub struct Limiter {
    pub counters: Arc<Counters>,
    pub rates: Arc<RateTable>,
    pub method_buckets: MethodBuckets,
    pub writer: WriterHandle,
}

/// The limits that one call meets.
pub struct Limits<'a> {
    pub keyed: Option<Keyed<'a>>,
    pub stage: Option<&'a SharedThrottle>,
    pub account: Option<&'a SharedThrottle>,
}

/// The plan a call is held to and the counter it is counted by.
pub struct Keyed<'a> {
    pub plan: &'a Plan,
    pub slot: Slot,
    pub method: Option<&'a MethodThrottle>,
}

/// Why a call is not let through now.
#[derive(Debug)]
pub enum Held {
    Refused(Refused),
    /// No unit is reserved though quota is left: wait for the writer, then decide again.
    Unreserved(Slot),
}

type Throttles<'a> = SmallVec<[(&'a Throttle, RateId); 4]>;

impl Limiter {
    /// Lets the call through and counts it, or says why not.
    pub fn admit(&self, limits: &Limits<'_>, now: Now) -> Result<RateLimits, Held> {
        match &limits.keyed {
            Some(keyed) => self.admit_keyed(keyed, limits, now),
            None => {
                let throttles: Throttles<'_> = shared(limits).collect();
                let admitted = admit(&throttles, &self.rates, None, now.day(), now.ticks);
                admitted
                    .map(|_| RateLimits::default())
                    .map_err(|held| refuse(held, None, now))
            }
        }
    }

    fn admit_keyed(
        &self,
        keyed: &Keyed<'_>,
        limits: &Limits<'_>,
        now: Now,
    ) -> Result<RateLimits, Held> {
        let Some(counter) = self.counters.get(keyed.slot) else {
            tracing::error!(
                slot = keyed.slot.0,
                "a key names a counter that does not exist"
            );
            return Err(Held::Refused(Refused::Internal));
        };
        if keyed.plan.quota.is_none() && self.writer.has_failed() {
            // Nothing would hold this call back, and nobody could count it.
            return Err(Held::Refused(Refused::LedgerFailed {
                retry_after: FAILED_RETRY_AFTER,
            }));
        }
        let buckets;
        let bucket = match keyed.method {
            Some(method) => {
                let start = self.method_buckets.start(keyed.slot);
                let make = || Arc::new(Throttle::new(start));
                buckets = self.method_buckets.buckets.pin();
                let bucket = buckets.get_or_insert_with((keyed.slot, method.number), make);
                Some((&**bucket, method.rate))
            }
            None => None,
        };
        let plan = keyed
            .plan
            .throttle
            .map(|throttle| (&counter.throttle, throttle.rate));
        let throttles: Throttles<'_> = bucket
            .into_iter()
            .chain(plan)
            .chain(shared(limits))
            .collect();

        let quota = keyed.plan.quota.as_ref();
        let units = quota.map(|_| &counter.quota);
        let admitted = admit(&throttles, &self.rates, units, now.day(), now.ticks)
            .map_err(|held| refuse(held, Some(keyed), now))?;

        if admitted.quota_left.is_some_and(|left| left.ask) {
            self.writer.low(keyed.slot);
        }
        if counter.used.note(admitted.day) {
            self.writer.used(keyed.slot);
        }
        let left = admitted.quota_left.map_or(0, |left| left.units);
        Ok(RateLimits {
            throttle: self.throttle_left(keyed.plan, counter, now),
            quota: quota.map(|quota| quota_left(quota, left, now)),
        })
    }

    /// What a key that was refused has left, for the answer's headers.
    pub fn left(&self, keyed: &Keyed<'_>, now: Now) -> RateLimits {
        let Some(counter) = self.counters.get(keyed.slot) else {
            return RateLimits::default();
        };
        let quota = keyed.plan.quota.as_ref().map(|quota| {
            let left = counter.quota.left_on(now.day());
            quota_left(quota, left.unwrap_or(quota.limit), now)
        });
        RateLimits {
            throttle: self.throttle_left(keyed.plan, counter, now),
            quota,
        }
    }

    /// What the method throttle of a plan says to the key of this counter; no bucket is made by looking.
    pub fn method_throttle_now(
        &self,
        name: &'static str,
        slot: Slot,
        method: &MethodThrottle,
        now: Ticks,
    ) -> LimitNow {
        let buckets = self.method_buckets.buckets.pin();
        match buckets.get(&(slot, method.number)) {
            Some(bucket) => self.throttle_now(name, bucket, method.rate, now),
            None => {
                let unused = Throttle::new(self.method_buckets.start(slot));
                self.throttle_now(name, &unused, method.rate, now)
            }
        }
    }

    fn throttle_left(&self, plan: &Plan, counter: &Counter, now: Now) -> Option<ThrottleLeft> {
        let throttle = plan.throttle.as_ref()?;
        let left = counter
            .throttle
            .tokens(&self.rates, throttle.rate, now.ticks);
        Some(ThrottleLeft {
            burst: throttle.burst,
            rate: throttle.rate_per_s,
            left,
        })
    }
}

fn shared<'a>(limits: &Limits<'a>) -> impl Iterator<Item = (&'a Throttle, RateId)> {
    [limits.stage, limits.account]
        .into_iter()
        .flatten()
        .map(|throttle| (&*throttle.cell, throttle.rate))
}

fn quota_left(quota: &PlanQuota, left: u64, now: Now) -> QuotaLeft {
    let window = quota.window(now);
    QuotaLeft {
        limit: quota.limit,
        window_s: seconds_between(window.start.start_ms(), window.end.start_ms()),
        left,
        resets_in_s: seconds_between(now.wall_ms, window.end.start_ms()),
    }
}

/// Rounded up.
fn seconds_between(from_ms: i64, to_ms: i64) -> u64 {
    u64::try_from(to_ms - from_ms).unwrap_or(0).div_ceil(1000)
}

fn refuse(held: tollgate_limiter::Refused, keyed: Option<&Keyed<'_>>, now: Now) -> Held {
    use tollgate_limiter::Refused as Limited;
    match (held, keyed) {
        (Limited::Throttled { retry_after, .. }, _) => Held::Refused(Refused::Throttled {
            retry_after: retry_after.unwrap_or(NEVER),
        }),
        (
            Limited::Exhausted,
            Some(Keyed {
                plan: Plan {
                    quota: Some(quota), ..
                },
                ..
            }),
        ) => {
            let resets_in_s = seconds_between(now.wall_ms, quota.window(now).end.start_ms());
            Held::Refused(Refused::QuotaExceeded {
                resets_in: Duration::from_secs(resets_in_s),
            })
        }
        (Limited::Unreserved, Some(keyed)) => Held::Unreserved(keyed.slot),
        // Only a call that is held to a quota can meet it.
        (Limited::Exhausted | Limited::Unreserved, _) => Held::Refused(Refused::Internal),
    }
}

/// Buckets of plans' method throttles, one per counter and method throttle, made on first use.
#[derive(Default)]
pub struct MethodBuckets {
    buckets: papaya::HashMap<(Slot, u32), Arc<Throttle>>,
    /// How buckets begin whose counters were found at start: those below the slot.
    at_start: OnceLock<(Slot, Start)>,
}

impl MethodBuckets {
    /// Counters below `end` were found at start, and their buckets begin as `start` says.
    pub fn found_at_start(&self, end: Slot, start: Start) {
        // Called once, when the first snapshot is complete.
        let _ = self.at_start.set((end, start));
    }

    fn start(&self, slot: Slot) -> Start {
        match self.at_start.get() {
            Some((end, start)) if slot < *end => *start,
            _ => Start::Full,
        }
    }
}
