//! Which plans cover which stages, and what that forbids: a key may not be in two plans that share one.

use tollgate_entity::usage_plan::PLANS_PER_KEY_MAX;
use tollgate_entity::{Stage, UsagePlan};
use tollgate_store::{Reader, Transaction};

use crate::error::Error;

/// Refuses what a changed plan newly covers: stages that do not exist, and stages that another plan
/// of one of its keys covers already.
pub fn check_new_stages(
    reader: &Reader<'_>,
    before: &UsagePlan,
    plan: &UsagePlan,
) -> Result<(), Error> {
    let mut added = plan.clone();
    added
        .api_stages
        .retain(|entry| before.stage(&entry.api_id, &entry.stage).is_none());
    for entry in &added.api_stages {
        if reader.get::<Stage>(&entry.api_id, &entry.stage)?.is_none() {
            return Err(Error::not_found(format!(
                "API Stage not found: {}:{}",
                entry.api_id, entry.stage
            )));
        }
    }
    if added.api_stages.is_empty() {
        return Ok(());
    }
    for other in reader.list::<UsagePlan>("")? {
        if other.id == plan.id {
            continue;
        }
        if let Some(shared) = added.shared_stage(&other)
            && let Some(key) = reader.key_in_both(&plan.id, &other.id)?
        {
            return Err(Error::conflict(twice(
                plan,
                &key,
                &shared.api_id,
                &shared.stage,
            )));
        }
    }
    Ok(())
}

/// Why a key must not be added to a plan, if it must not.
pub fn objection(
    reader: &Reader<'_>,
    plan: &UsagePlan,
    key_id: &str,
) -> Result<Option<Error>, Error> {
    let others = reader.key_plans(key_id)?;
    if others.contains(&plan.id) {
        let text = format!("API Key {key_id} is already in Usage Plan {}", plan.id);
        return Ok(Some(Error::conflict(text)));
    }
    if others.len() >= PLANS_PER_KEY_MAX {
        let text =
            format!("API Key {key_id} cannot be in more than {PLANS_PER_KEY_MAX} Usage Plans");
        return Ok(Some(Error::bad_request(text)));
    }
    for other in others {
        let other: Option<UsagePlan> = reader.get("", &other)?;
        if let Some(shared) = other.as_ref().and_then(|other| plan.shared_stage(other)) {
            return Ok(Some(Error::conflict(twice(
                plan,
                key_id,
                &shared.api_id,
                &shared.stage,
            ))));
        }
    }
    Ok(None)
}

fn twice(plan: &UsagePlan, key_id: &str, api_id: &str, stage: &str) -> String {
    format!(
        "Usage Plan {} cannot be added because API Key {key_id} cannot reference multiple Usage Plans \
         with the same API stage: {api_id}:{stage}",
        plan.id
    )
}

/// Takes a deleted stage (or, without a name, all stages of a deleted API) out of every plan, silently, as AWS does.
pub fn detach(
    transaction: &mut Transaction<'_>,
    api_id: &str,
    stage: Option<&str>,
) -> Result<(), Error> {
    for mut plan in transaction.list::<UsagePlan>("")? {
        let before = plan.api_stages.len();
        plan.api_stages.retain(|entry| {
            entry.api_id != api_id || stage.is_some_and(|stage| stage != entry.stage)
        });
        if plan.api_stages.len() < before {
            transaction.put(&plan)?;
        }
    }
    Ok(())
}
