//! Everything the data plane needs to decide and to forward, compiled for look-up.
//!
//! A snapshot is replaced whole and never edited; parts that did not change are shared with the one
//! before. Counters are not in it: they live in the limiter's slab and survive every replacement.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;
use http::HeaderValue;
use smallvec::SmallVec;
use tollgate_entity::{QuotaSettings, ThrottleSettings};
use tollgate_limiter::period::{Period, Window, window};
use tollgate_limiter::{RateId, Throttle};

use crate::access_log::StageLog;
use crate::deployed::Deployed;
use crate::domain::Domains;
use crate::key_index::{KeyIndex, PlanIndex};
use crate::metrics::StageStats;
use crate::net::identity::Shown;
use crate::time::Now;

/// One consistent view of the configuration.
#[derive(Clone, Default)]
pub struct Snapshot {
    pub apis: HashMap<Box<str>, Arc<Api>>,
    pub domains: Arc<Domains>,
    /// By [`PlanIndex`]; a deleted plan leaves a gap.
    pub plans: Vec<Option<Arc<Plan>>>,
    pub keys: KeyIndex,
    /// The throttle over all calls, when one is configured.
    pub account: Option<SharedThrottle>,
}

/// An API that can be called.
pub struct Api {
    pub stages: HashMap<Box<str>, Arc<Stage>>,
}

/// Number of a stage; never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageIndex(pub u32);

/// A stage with the deployment it points at.
pub struct Stage {
    pub index: StageIndex,
    /// `$context.accountId`
    pub account_id: Arc<str>,
    pub api_id: Box<str>,
    pub name: Box<str>,
    pub deployment_id: Box<str>,
    pub variables: BTreeMap<String, String>,
    pub deployed: Arc<Deployed>,
    /// By method index; empty when the stage throttles nothing.
    pub throttles: Vec<StageThrottles>,
    pub stats: Arc<StageStats>,
    /// What every line of the access log says of it.
    pub log_members: Box<str>,
    /// The access log in the stage's own format, if it has one.
    pub access_log: Option<StageLog>,
    /// The API's id, as upstreams are told it.
    pub api_id_header: Option<HeaderValue>,
    /// The client certificate that https upstreams are shown.
    pub shown: Shown,
}

/// The settings that one method's calls may meet, the most specific first: usually none or one. A
/// setting of -1 is no throttle, and hides those that are less specific.
pub type StageThrottles = SmallVec<[(VerbMatch, Option<SharedThrottle>); 1]>;

/// A throttle that all callers share, and the rate in force.
#[derive(Clone)]
pub struct SharedThrottle {
    pub cell: Arc<Throttle>,
    pub rate: RateId,
}

/// Which of a method's calls a throttle is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerbMatch {
    All,
    /// Calls with this verb to a method ANY.
    Only(Box<str>),
}

impl Stage {
    /// The throttle of the stage's settings for a call.
    pub fn throttle(&self, method: u32, verb: &str) -> Option<&SharedThrottle> {
        let settings = self.throttles.get(method as usize)?;
        let (_, throttle) = settings.iter().find(|(only, _)| match only {
            VerbMatch::All => true,
            VerbMatch::Only(own) => &**own == verb,
        })?;
        throttle.as_ref()
    }
}

/// A usage plan.
pub struct Plan {
    pub index: PlanIndex,
    pub id: Box<str>,
    pub throttle: Option<PlanThrottle>,
    pub quota: Option<PlanQuota>,
    pub stages: Vec<PlanStage>,
}

/// The plan's throttle: what is enforced, and what is told to the caller.
#[derive(Clone, Copy)]
pub struct PlanThrottle {
    pub rate: RateId,
    pub rate_per_s: f64,
    pub burst: u64,
}

impl PlanThrottle {
    pub fn new(rate: RateId, settings: &ThrottleSettings) -> Self {
        PlanThrottle {
            rate,
            rate_per_s: settings.rate_limit.unwrap_or(0.0),
            burst: settings
                .burst_limit
                .and_then(|burst| u64::try_from(burst).ok())
                .unwrap_or(0),
        }
    }
}

/// The plan's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanQuota {
    pub limit: u64,
    pub period: Period,
    pub offset: u8,
}

impl PlanQuota {
    /// Settings that the control plane would refuse admit nothing.
    pub fn new(settings: &QuotaSettings) -> Self {
        PlanQuota {
            limit: settings
                .limit
                .and_then(|limit| u64::try_from(limit).ok())
                .unwrap_or(0),
            period: settings.period.map_or(Period::Month, Period::from),
            offset: u8::try_from(settings.offset).unwrap_or(0),
        }
    }

    /// The window that is open now.
    pub fn window(&self, now: Now) -> Window {
        window(self.period, self.offset, now.day())
    }
}

/// A stage that a plan covers.
pub struct PlanStage {
    pub stage: StageIndex,
    pub methods: Vec<MethodThrottle>,
}

/// A throttle per key for one method of one stage.
pub struct MethodThrottle {
    /// Names the cell, together with the key's counter; never given to another throttle.
    pub number: u32,
    pub resource_path: Box<str>,
    /// A verb, `ANY`, or `*` for all of the resource together.
    pub verb: Box<str>,
    pub rate: RateId,
}

impl Plan {
    pub fn stage(&self, index: StageIndex) -> Option<&PlanStage> {
        self.stages.iter().find(|stage| stage.stage == index)
    }
}

impl PlanStage {
    /// The method throttle for a call: its verb's own, then ANY's, then the whole resource's.
    pub fn method(&self, resource_path: &str, method: &str, verb: &str) -> Option<&MethodThrottle> {
        let rank = |throttle: &MethodThrottle| match &*throttle.verb {
            own if own == verb => Some(0),
            "ANY" if method == "ANY" => Some(1),
            "*" => Some(2),
            _ => None,
        };
        self.methods
            .iter()
            .filter(|throttle| &*throttle.resource_path == resource_path)
            .filter_map(|throttle| rank(throttle).map(|rank| (rank, throttle)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, throttle)| throttle)
    }
}

impl Snapshot {
    pub fn api(&self, id: &str) -> Option<&Api> {
        self.apis.get(id).map(|api| &**api)
    }
}
