//! Which method a call means, who calls it, and whether the limits let it through.
//!
//! A decision is made at once, by one snapshot and one reading of the clocks, and never waits while
//! it holds the snapshot (the barrier in `build` relies on it). Only a call that finds quota but no
//! reserved unit waits, holding nothing, and is then decided anew from the start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use tollgate_limiter::Slot;

use crate::DataPlaneState;
use crate::admission::{FAILED_RETRY_AFTER, Held, Keyed, Limits};
use crate::gateway_response::{KeyFault, Refused};
use crate::invocation::Invocation;
use crate::mapping::context::X_API_KEY;
use crate::rate_limit_headers::RateLimits;
use crate::route::normal_path;
use crate::snapshot::{Snapshot, Stage};
use crate::stage;
use crate::time::Now;
use crate::waiting::Turn;

/// When a call that found no reserved unit in time may try again.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Decides a call; fills in where it goes, whose it is, and what its key has left.
pub async fn decide(
    state: &DataPlaneState,
    headers: &HeaderMap,
    call: &mut Invocation,
    left: &mut RateLimits,
) -> Result<(), Refused> {
    let mut turn: Option<Turn<'_>> = None;
    loop {
        let has_turn_for = turn.as_ref().map(Turn::slot);
        let slot = match decide_once(state, headers, call, left, has_turn_for) {
            Ok(()) => return Ok(()),
            Err(Held::Refused(refused)) => return Err(refused),
            Err(Held::Unreserved(slot)) => slot,
        };
        if state.limiter.writer.has_failed() {
            return Err(Refused::LedgerFailed {
                retry_after: FAILED_RETRY_AFTER,
            });
        }
        let waited = match &turn {
            Some(turn) if turn.slot() == slot => {
                turn.woken(|| state.limiter.writer.need(slot)).await
            }
            _ => {
                // A turn for another counter, from before a change of the configuration, is given up first.
                drop(turn.take());
                let own = state.waiting.turn(slot, &state.wait_limits).await;
                own.map(|own| turn = Some(own))
            }
        };
        if waited.is_err() {
            return Err(Refused::LedgerBusy {
                retry_after: BUSY_RETRY_AFTER,
            });
        }
        call.decided = Instant::now();
    }
}

/// `has_turn_for`: the counter that this call may take units of although others wait for them.
fn decide_once(
    state: &DataPlaneState,
    headers: &HeaderMap,
    call: &mut Invocation,
    left: &mut RateLimits,
    has_turn_for: Option<Slot>,
) -> Result<(), Held> {
    // The clock after the snapshot: whoever waits for the snapshot's holders then knows their time.
    let snapshot = state.snapshot.load();
    let now = state.time.now();
    decide_by(state, &snapshot, now, headers, call, left, has_turn_for)
}

/// Decides by this snapshot at this moment.
pub(crate) fn decide_by(
    state: &DataPlaneState,
    snapshot: &Snapshot,
    now: Now,
    headers: &HeaderMap,
    call: &mut Invocation,
    left: &mut RateLimits,
    has_turn_for: Option<Slot>,
) -> Result<(), Held> {
    let (stage, index) = find_method(snapshot, call)?;
    let verb = call.http_method.clone();
    let verb = verb.as_str();
    let Some(method) = stage.deployed.methods.get(index as usize) else {
        return Err(Held::Refused(Refused::Internal));
    };
    let keyed = match method.api_key_required {
        true => {
            let mut keyed = identify(state, snapshot, headers, &stage, call)?;
            let covered = keyed.plan.stage(stage.index);
            keyed.method =
                covered.and_then(|c| c.method(&method.resource_path, &method.http_method, verb));
            Some(keyed)
        }
        false => None,
    };
    // Our own refusal counts against nobody's limits.
    if let Err(misconfigured) = &method.integration {
        return Err(Held::Refused(misconfigured.clone().into()));
    }
    if let Some(slot) = keyed.as_ref().map(|keyed| keyed.slot)
        && has_turn_for != Some(slot)
        && state.waiting.has_queue(slot)
    {
        return Err(Held::Unreserved(slot));
    }
    let limits = Limits {
        keyed,
        stage: stage.throttle(index, verb),
        account: snapshot.account.as_ref(),
    };
    let admitted = state.limiter.admit(&limits, now);
    *left = match (&admitted, &limits.keyed) {
        (Ok(left), _) => *left,
        (Err(Held::Refused(_)), Some(keyed)) => state.limiter.left(keyed, now),
        _ => RateLimits::default(),
    };
    admitted.map(drop)
}

/// The stage and the method that host, path and verb name, noted in the call as far as they are found.
/// An API that does not exist looks like a stage that does not.
fn find_method(snapshot: &Snapshot, call: &mut Invocation) -> Result<(Arc<Stage>, u32), Held> {
    let forbidden = Held::Refused(Refused::ForbiddenStage);
    let host = call.host.as_ref().and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let domain = snapshot.domains.of_host(host);
    call.by_domain = domain.is_some();
    // A custom domain name wins over every other form, even where it leads nowhere.
    let named = match domain {
        Some(domain) => domain.named(call.uri.path()),
        None => stage::named(host, call.uri.path()),
    };
    let Some(named) = named else {
        return Err(forbidden);
    };
    let stages = snapshot.api(named.api_id).map(|api| &api.stages);
    let stage = stages.and_then(|stages| stages.get(named.stage));
    let Some(stage) = stage.filter(|stage| call.by_domain || !stage.deployed.by_domain_only) else {
        return Err(forbidden);
    };
    let stage = Arc::clone(stage);
    let path = normal_path(named.path);
    let found = stage.deployed.router.find(&path, call.http_method.as_str());
    let route = found.map(|(method, spans)| call.routed(method, &path, spans));
    call.stage = Some(Arc::clone(&stage));
    let route = route.ok_or(Held::Refused(Refused::MissingAuthenticationToken))?;
    let method = route.method;
    call.route = Some(route);
    Ok((stage, method))
}

/// The plan of the caller's key for this stage. All faults look the same from outside.
fn identify<'a>(
    state: &DataPlaneState,
    snapshot: &'a Snapshot,
    headers: &HeaderMap,
    stage: &Stage,
    call: &mut Invocation,
) -> Result<Keyed<'a>, Held> {
    let fault = |fault| Held::Refused(Refused::InvalidApiKey(fault));
    let mut values = headers.get_all(X_API_KEY).iter();
    let value = values
        .next()
        .filter(|value| !value.is_empty())
        .ok_or(fault(KeyFault::Missing))?;
    if values.next().is_some() {
        return Err(fault(KeyFault::Unknown));
    }
    // The digest is keyed with a secret, so the time of its look-up tells nothing about a value.
    let entry = snapshot.keys.get(&state.digester.digest(value.as_bytes()));
    let entry = entry.ok_or(fault(KeyFault::Unknown))?;
    call.api_key_id = Some(entry.id);
    if !entry.enabled {
        return Err(fault(KeyFault::Disabled));
    }
    let found = entry.plans.iter().find_map(|membership| {
        let plan = snapshot.plans.get(membership.plan.0 as usize)?.as_ref()?;
        plan.stage(stage.index).map(|_| (plan, membership.slot))
    });
    let (plan, slot) = found.ok_or(fault(KeyFault::NotInPlan))?;
    call.usage_plan = Some(Arc::clone(plan));
    Ok(Keyed {
        plan,
        slot,
        method: None,
    })
}
