//! Why a call would pass or be refused now: the steps of a decision looked at one by one, with nothing taken.
//!
//! It reads what `decide` reads, in the same order. What it tells holds for the moment at which it looked.

use std::time::Duration;

use tollgate_entity::Timestamp;
use tollgate_limiter::{Denied, RateId, Throttle, Ticks};

use crate::DataPlaneState;
use crate::admission::{Keyed, NEVER};
use crate::gateway_response::Reason;
use crate::key_index::{Digest, Key};
use crate::route::normal_path;
use crate::snapshot::{Plan, SharedThrottle, Snapshot, Stage};
use crate::time::Now;

/// A call as far as limits look at it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub api_id: &'a str,
    pub stage: &'a str,
    pub http_method: &'a str,
    /// Below the stage, without a query.
    pub path: &'a str,
    /// Of the key's value; none is a call without a key.
    pub key: Option<Digest>,
}

/// What would become of the call.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// In order; they end with the first that says no.
    pub steps: Vec<Step>,
    /// In the order in which they are asked. All are told, also those after one that says no.
    pub limits: Vec<LimitNow>,
    pub usage_plan_id: Option<String>,
    pub resource_path: Option<String>,
    /// None when the call would pass.
    pub refused: Option<Refusal>,
}

/// Why the call would be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub reason: &'static str,
    /// None when waiting does not help.
    pub retry_after: Option<Duration>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: &'static str,
    pub passed: bool,
    pub text: String,
}

/// What a limit says.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitNow {
    pub name: &'static str,
    pub state: LimitState,
    /// None when it lets the next call pass; then how long until it would, `None` inside if never.
    pub denied: Option<Option<Duration>>,
}

/// A limit's figures.
#[derive(Clone, Debug, PartialEq)]
pub enum LimitState {
    Throttle {
        /// Requests per second.
        rate: f64,
        burst: u64,
        /// Requests that would pass now, one after the other.
        available: u64,
    },
    Quota {
        limit: u64,
        period: &'static str,
        remaining: u64,
        resets_at: Timestamp,
    },
}

impl Explanation {
    fn step(&mut self, name: &'static str, passed: bool, text: impl Into<String>) {
        self.steps.push(Step {
            name,
            passed,
            text: text.into(),
        });
    }

    fn refuse(mut self, reason: Reason, name: &'static str, text: impl Into<String>) -> Self {
        self.step(name, false, text);
        let row = reason.row();
        self.refused = Some(Refusal {
            status: row.status,
            reason: row.name,
            retry_after: None,
        });
        self
    }
}

/// Explains a call.
pub(crate) fn explain(state: &DataPlaneState, question: &Question<'_>) -> Explanation {
    let mut told = Explanation::default();
    let snapshot = state.snapshot.load();
    let now = state.time.now();

    let api = snapshot.api(question.api_id);
    let Some(stage) = api.and_then(|api| api.stages.get(question.stage)) else {
        return told.refuse(
            Reason::NoStage,
            "stage",
            format!(
                "{}/{} cannot be called: there is no such stage, or nothing is deployed to it.",
                question.api_id, question.stage
            ),
        );
    };
    told.step(
        "stage",
        true,
        format!(
            "Stage {} serves deployment {}{}.",
            stage.name,
            stage.deployment_id,
            match stage.deployed.by_domain_only {
                true => ", to callers of a custom domain name only",
                false => "",
            }
        ),
    );

    let path = normal_path(question.path);
    let found = stage.deployed.router.find(&path, question.http_method);
    let method = found.and_then(|(index, _)| {
        let method = stage.deployed.methods.get(index as usize)?;
        Some((index, method))
    });
    let Some((index, method)) = method else {
        return told.refuse(
            Reason::NoMethod,
            "method",
            format!("No method of the deployment takes {} {path}. Deploy the API again if it was made after the deployment.", question.http_method),
        );
    };
    told.resource_path = Some(method.resource_path.to_string());
    told.step(
        "method",
        true,
        format!(
            "{} {path} is {} {}, which {} a key.",
            question.http_method,
            method.http_method,
            method.resource_path,
            match method.api_key_required {
                true => "requires",
                false => "does not ask for",
            },
        ),
    );

    let mut keyed = None;
    if method.api_key_required {
        match identify(&snapshot, stage, question.key, &mut told) {
            Err((reason, name, text)) => return told.refuse(reason, name, text),
            Ok((plan, slot)) => {
                told.usage_plan_id = Some(plan.id.to_string());
                let covered = plan.stage(stage.index);
                let throttle = covered.and_then(|covered| {
                    covered.method(
                        &method.resource_path,
                        &method.http_method,
                        question.http_method,
                    )
                });
                keyed = Some(Keyed {
                    plan,
                    slot,
                    method: throttle,
                });
            }
        }
    }
    if let Err(misconfigured) = &method.integration {
        let text = format!("The method cannot work as it is set up: {misconfigured}.");
        return told.refuse(Reason::Misconfigured, "integration", text);
    }

    if let Some(keyed) = &keyed {
        told.limits.extend(state.limiter.limits_now(keyed, now));
    }
    let stage_throttle = stage.throttle(index, question.http_method);
    let shared = [
        ("stage-method-throttle", stage_throttle),
        ("account-throttle", snapshot.account.as_ref()),
    ];
    let shared = shared
        .into_iter()
        .filter_map(|(name, throttle)| Some(shared_now(state, name, throttle?, now.ticks)));
    // The quota is asked last.
    let quota = told.limits.iter().position(|limit| limit.name == "quota");
    let at = quota.unwrap_or(told.limits.len());
    told.limits.splice(at..at, shared);

    told.refused = told.limits.iter().find_map(|limit| {
        let retry_after = limit.denied?;
        let reason = match limit.state {
            LimitState::Throttle { .. } => Reason::Throttled,
            LimitState::Quota { .. } => Reason::QuotaExceeded,
        };
        Some(Refusal {
            status: reason.row().status,
            reason: reason.row().name,
            retry_after: retry_after
                .filter(|wait| *wait < NEVER || reason == Reason::QuotaExceeded),
        })
    });
    told
}

type NotIdentified = (Reason, &'static str, String);

/// The plan by which the key may call this stage, and its counter there.
fn identify<'a>(
    snapshot: &'a Snapshot,
    stage: &Stage,
    key: Option<Digest>,
    told: &mut Explanation,
) -> Result<(&'a Plan, tollgate_limiter::Slot), NotIdentified> {
    let no_key = || {
        (
            Reason::KeyMissing,
            "key",
            "The call has no x-api-key header, and the method requires one.".to_owned(),
        )
    };
    let digest = key.ok_or_else(no_key)?;
    let entry: Key<'_> = snapshot.keys.get(&digest).ok_or_else(|| {
        (
            Reason::KeyUnknown,
            "key",
            "No key has this value.".to_owned(),
        )
    })?;
    let id = entry.id.as_str();
    if !entry.enabled {
        let text = format!("Key {id} is disabled.");
        return Err((Reason::KeyDisabled, "key", text));
    }
    told.step("key", true, format!("Key {id} is enabled."));
    let found = entry.plans.iter().find_map(|membership| {
        let plan = snapshot.plans.get(membership.plan.0 as usize)?.as_ref()?;
        plan.stage(stage.index).map(|_| (&**plan, membership.slot))
    });
    let (plan, slot) = found.ok_or_else(|| {
        let text = match entry.plans.is_empty() {
            true => format!("Key {id} is in no usage plan."),
            false => format!(
                "None of the usage plans of key {id} covers {}/{}.",
                stage.api_id, stage.name
            ),
        };
        (Reason::KeyNotInPlan, "plan", text)
    })?;
    told.step(
        "plan",
        true,
        format!(
            "Usage plan {} covers {}/{}.",
            plan.id, stage.api_id, stage.name
        ),
    );
    Ok((plan, slot))
}

fn shared_now(
    state: &DataPlaneState,
    name: &'static str,
    throttle: &SharedThrottle,
    now: Ticks,
) -> LimitNow {
    state
        .limiter
        .throttle_now(name, &throttle.cell, throttle.rate, now)
}

impl crate::admission::Limiter {
    /// What the limits of a plan say to a key.
    fn limits_now(&self, keyed: &Keyed<'_>, now: Now) -> Vec<LimitNow> {
        let mut limits = Vec::new();
        if let Some(method) = keyed.method {
            let name = "plan-method-throttle";
            limits.push(self.method_throttle_now(name, keyed.slot, method, now.ticks));
        }
        let Some(counter) = self.counters.get(keyed.slot) else {
            return limits;
        };
        if let Some(throttle) = &keyed.plan.throttle {
            limits.push(self.throttle_now(
                "plan-throttle",
                &counter.throttle,
                throttle.rate,
                now.ticks,
            ));
        }
        if let Some(quota) = &keyed.plan.quota {
            let remaining = counter.quota.left_on(now.day()).unwrap_or(quota.limit);
            let resets_ms = quota.window(now).end.start_ms();
            let wait = Duration::from_millis(u64::try_from(resets_ms - now.wall_ms).unwrap_or(0));
            limits.push(LimitNow {
                name: "quota",
                state: LimitState::Quota {
                    limit: quota.limit,
                    period: quota.period.name(),
                    remaining,
                    resets_at: Timestamp::from_ms(resets_ms),
                },
                denied: (remaining == 0).then_some(Some(wait)),
            });
        }
        limits
    }

    /// What a throttle says.
    pub(crate) fn throttle_now(
        &self,
        name: &'static str,
        throttle: &Throttle,
        rate: RateId,
        now: Ticks,
    ) -> LimitNow {
        let settings = self.rates.rate(rate);
        let denied = throttle.peek(&self.rates, rate, now).err();
        LimitNow {
            name,
            state: LimitState::Throttle {
                rate: settings.per_s(),
                burst: settings.burst(),
                available: throttle.tokens(&self.rates, rate, now),
            },
            denied: denied.map(|Denied { retry_after }| retry_after),
        }
    }
}
