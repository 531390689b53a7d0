//! Which plans cover which stages and methods, and what that forbids: a key may not be in two plans that share a stage.

use tollgate_entity::usage_plan::{PLANS_PER_KEY_MAX, split_method};
use tollgate_entity::{ApiStage, DeploymentContent, Stage, UsagePlan};
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

/// Refuses method throttles, as far as the change set or changed them, of methods that are not deployed at their stage.
/// What a later deployment takes away keeps its throttle.
pub fn check_new_methods(
    reader: &Reader<'_>,
    before: &UsagePlan,
    plan: &UsagePlan,
) -> Result<(), Error> {
    for entry in &plan.api_stages {
        let known = before.stage(&entry.api_id, &entry.stage);
        let new = entry.throttle.iter().filter(|(name, throttle)| {
            known.and_then(|known| known.throttle.get(*name)) != Some(*throttle)
        });
        let new: Vec<(&str, &str)> = new.filter_map(|(name, _)| split_method(name)).collect();
        if new.is_empty() {
            continue;
        }
        let content = deployed(reader, entry)?;
        if let Some((path, verb)) = new
            .into_iter()
            .find(|(path, verb)| !has_method(content.as_ref(), path, verb))
        {
            return Err(Error::not_found(format!(
                "Invalid method {{resourcePath: {path},method: {verb}}} specified"
            )));
        }
    }
    Ok(())
}

fn deployed(reader: &Reader<'_>, entry: &ApiStage) -> Result<Option<DeploymentContent>, Error> {
    let Some(stage) = reader.get::<Stage>(&entry.api_id, &entry.stage)? else {
        return Ok(None);
    };
    Ok(reader.get(&stage.deployment_id, &stage.deployment_id)?)
}

/// Whether a throttle of that verb would meet any call: an ANY method takes every verb, `*` is any method at all.
fn has_method(content: Option<&DeploymentContent>, path: &str, verb: &str) -> bool {
    let mut resources = content.into_iter().flat_map(|content| &content.resources);
    let Some(resource) = resources.find(|resource| resource.path == path) else {
        return false;
    };
    let methods = &resource.resource_methods;
    match verb {
        "*" => !methods.is_empty(),
        verb => methods.contains_key(verb) || methods.contains_key("ANY"),
    }
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
