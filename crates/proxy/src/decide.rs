//! Which method a call means, who calls it, and whether the limits let it through.
//!
//! A decision is made at once, by one snapshot and one reading of the clocks, and never waits while
//! it holds the snapshot (the barrier in `build` relies on it). Only a call that finds quota but no
//! reserved unit waits, holding nothing, and is then decided anew from the start.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;
use tokio::time::Instant;
use tollgate_limiter::Slot;

use crate::DataPlaneState;
use crate::admission::{Held, Keyed, Limits};
use crate::gateway_response::{KeyFault, Refused};
use crate::invocation::Invocation;
use crate::rate_limit_headers::RateLimits;
use crate::route::normal_path;
use crate::snapshot::{Snapshot, Stage};
use crate::stage;

/// Where a caller puts the value of its API key.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// When a call that found no reserved unit in time may try again.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);
/// When it may try again after the ledger's disk failed: not before somebody has looked at it.
const FAILED_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Decides a call; fills in where it goes, whose it is, and what its key has left.
pub async fn decide(
    state: &DataPlaneState,
    headers: &HeaderMap,
    invocation: &mut Invocation,
    left: &mut RateLimits,
) -> Result<(), Refused> {
    let mut deadline = None;
    loop {
        match decide_once(state, headers, invocation, left) {
            Ok(()) => return Ok(()),
            Err(Held::Refused(refused)) => return Err(refused),
            Err(Held::Unreserved(slot)) => wait_for_unit(state, slot, &mut deadline).await?,
        }
    }
}

fn decide_once(
    state: &DataPlaneState,
    headers: &HeaderMap,
    invocation: &mut Invocation,
    left: &mut RateLimits,
) -> Result<(), Held> {
    // The clock after the snapshot: whoever waits for the snapshot's holders then knows their time.
    let snapshot = state.snapshot.load();
    let now = state.time.now();
    let stage = Arc::clone(find_stage(&snapshot, invocation)?);
    invocation.stage = Some(Arc::clone(&stage));
    let index = route(&stage, invocation)?;
    let verb = invocation.http_method.clone();
    let verb = verb.as_str();
    let Some(method) = stage.deployed.methods.get(index as usize) else {
        return Err(Held::Refused(Refused::Internal));
    };
    let keyed = match method.api_key_required {
        true => {
            let mut keyed = identify(state, &snapshot, headers, &stage, invocation)?;
            let covered = keyed.plan.stage(stage.index);
            keyed.method = covered.and_then(|c| c.method(&method.resource_path, &method.http_method, verb));
            Some(keyed)
        }
        false => None,
    };
    // Our own refusal counts against nobody's limits.
    if let Err(misconfigured) = &method.integration {
        return Err(Held::Refused(misconfigured.clone().into()));
    }
    let limits = Limits { keyed, stage: stage.throttle(index, verb), account: snapshot.account.as_ref() };
    let admitted = state.limiter.admit(&limits, now);
    *left = match (&admitted, &limits.keyed) {
        (Ok(left), _) => *left,
        (Err(Held::Refused(_)), Some(keyed)) => state.limiter.left(keyed, now),
        _ => RateLimits::default(),
    };
    admitted.map(drop)
}

/// The stage that host and path name; an API that does not exist looks like a stage that does not.
fn find_stage<'a>(snapshot: &'a Snapshot, invocation: &Invocation) -> Result<&'a Arc<Stage>, Held> {
    let host = invocation.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let found = stage::named(host, invocation.uri.path()).and_then(|named| {
        let api = snapshot.api(named.api_id).filter(|api| !api.disabled)?;
        api.stages.get(named.stage)
    });
    found.ok_or(Held::Refused(Refused::ForbiddenStage))
}

fn route(stage: &Stage, invocation: &mut Invocation) -> Result<u32, Held> {
    let host = invocation.host.clone();
    let uri = invocation.uri.clone();
    let host = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = stage::named(host, uri.path()).map_or("", |named| named.path);
    let path = normal_path(path);
    let found = stage.deployed.router.find(&path, invocation.http_method.as_str());
    let (method, spans) = found.ok_or(Held::Refused(Refused::MissingAuthenticationToken))?;
    invocation.set_route(method, &path, spans);
    Ok(method)
}

/// The plan of the caller's key for this stage. All faults look the same from outside.
fn identify<'a>(
    state: &DataPlaneState,
    snapshot: &'a Snapshot,
    headers: &HeaderMap,
    stage: &Stage,
    invocation: &mut Invocation,
) -> Result<Keyed<'a>, Held> {
    let fault = |fault| Held::Refused(Refused::InvalidApiKey(fault));
    let mut values = headers.get_all(X_API_KEY).iter();
    let value = values.next().filter(|value| !value.is_empty()).ok_or(fault(KeyFault::Missing))?;
    if values.next().is_some() {
        return Err(fault(KeyFault::Unknown));
    }
    // The digest is keyed with a secret, so the time of its look-up tells nothing about a value.
    let entry = snapshot.keys.get(&state.digester.digest(value.as_bytes()));
    let entry = entry.ok_or(fault(KeyFault::Unknown))?;
    invocation.api_key_id = Some(entry.id);
    if !entry.enabled {
        return Err(fault(KeyFault::Disabled));
    }
    let found = entry.plans.as_slice().iter().find_map(|membership| {
        let plan = snapshot.plans.get(membership.plan.0 as usize)?.as_ref()?;
        plan.stage(stage.index).map(|_| (plan, membership.slot))
    });
    let (plan, slot) = found.ok_or(fault(KeyFault::NotInPlan))?;
    invocation.usage_plan = Some(Arc::clone(plan));
    Ok(Keyed { plan, slot, method: None })
}

/// Waits until the writer has looked at the counter: the only wait for the disk on the request path.
async fn wait_for_unit(
    state: &DataPlaneState,
    slot: Slot,
    deadline: &mut Option<Instant>,
) -> Result<(), Refused> {
    let writer = &state.limiter.writer;
    if writer.has_failed() {
        return Err(Refused::LedgerFailed { retry_after: FAILED_RETRY_AFTER });
    }
    let busy = Refused::LedgerBusy { retry_after: BUSY_RETRY_AFTER };
    let limits = &state.wait_limits;
    let Some(place) = state.waiting.enter(slot, limits) else {
        return Err(busy);
    };
    let deadline = *deadline.get_or_insert_with(|| Instant::now() + limits.wait_max);
    // The writer answers every need, also with nothing, after this place was taken.
    let asked = || {
        writer.need(slot);
        false
    };
    if place.wait(deadline, asked).await { Ok(()) } else { Err(busy) }
}
