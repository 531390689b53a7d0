//! Usage plans beside what they should be. Their stages are compared by the names of their APIs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::current::{Current, named};
use super::super::file::{Plan, PlanStage, Throttle};
use super::super::read::Declared;
use super::{Change, Sign, Step, deleted, operation, replace_text};
use crate::cli::client::encode;
use crate::cli::failed::Failed;
use crate::cli::output::cell;

/// The changes of all declared plans.
pub fn changes(declared: &Declared, current: &Current) -> Result<Vec<Change>, Failed> {
    let mut changes = Vec::new();
    for (name, plan) in &declared.plans {
        match named("plan", &current.plans, name)? {
            Some(found) => changes.extend(change(name, plan, found, current)),
            None => changes.push(Change {
                sign: Sign::Add,
                noun: "plan",
                name: name.clone(),
                details: told(plan),
                step: Step::Plan {
                    id: None,
                    patch: Vec::new(),
                    stages: true,
                },
            }),
        }
    }
    Ok(changes)
}

/// Plans that are there and not declared. A plan with stages cannot be deleted, so those go first.
pub fn gone(declared: &Declared, current: &Current) -> Vec<Change> {
    let others = current.plans.iter();
    let others = others.filter(|plan| !declared.plans.contains_key(&cell(&plan["name"])));
    let gone = others.map(|plan| {
        let stages = plan["apiStages"].as_array().into_iter().flatten();
        let patch = stages.map(|stage| {
            let stage = format!("{}:{}", cell(&stage["apiId"]), cell(&stage["stage"]));
            operation("remove", "/apiStages", Some(stage))
        });
        let path = format!("/usageplans/{}", encode(&cell(&plan["id"])));
        deleted("plan", cell(&plan["name"]), path, patch.collect())
    });
    gone.collect()
}

fn told(plan: &Plan) -> Vec<String> {
    let mut details = Vec::new();
    if let Some(throttle) = &plan.throttle {
        details.push(limits("throttle", throttle));
    }
    if let Some(quota) = &plan.quota {
        details.push(format!("quota: {}", json!(quota)));
    }
    details.extend(
        plan.stages
            .iter()
            .map(|stage| format!("stage {}/{}", stage.api, stage.stage)),
    );
    details
}

fn limits(what: &str, throttle: &Throttle) -> String {
    format!(
        "{what}: {} a second, {} at once",
        throttle.rate_limit, throttle.burst_limit
    )
}

fn change(name: &str, wanted: &Plan, found: &Value, current: &Current) -> Option<Change> {
    let (mut patch, mut details) = (Vec::new(), Vec::new());
    let own = self::declared(found, current);
    let description = wanted.description.as_deref();
    replace_text(
        &mut patch,
        &mut details,
        "description",
        &found["description"],
        description,
    );
    if own.throttle != wanted.throttle {
        match &wanted.throttle {
            Some(throttle) => {
                details.push(limits("throttle", throttle));
                let (rate, burst) = (
                    throttle.rate_limit.to_string(),
                    throttle.burst_limit.to_string(),
                );
                patch.push(operation("replace", "/throttle/rateLimit", Some(rate)));
                patch.push(operation("replace", "/throttle/burstLimit", Some(burst)));
            }
            None => {
                details.push("throttle goes".to_owned());
                patch.push(operation("remove", "/throttle", None));
            }
        }
    }
    if own.quota != wanted.quota {
        match &wanted.quota {
            Some(quota) => {
                details.push(format!("quota: {}", json!(quota)));
                let period = json!(quota.period).as_str().unwrap_or_default().to_owned();
                patch.push(operation(
                    "replace",
                    "/quota/limit",
                    Some(quota.limit.to_string()),
                ));
                patch.push(operation(
                    "replace",
                    "/quota/offset",
                    Some(quota.offset.to_string()),
                ));
                patch.push(operation("replace", "/quota/period", Some(period)));
            }
            None => {
                details.push("quota goes".to_owned());
                patch.push(operation("remove", "/quota", None));
            }
        }
    }
    let stages = by_place(&own) != by_place(wanted);
    if stages {
        let places: Vec<String> = wanted
            .stages
            .iter()
            .map(|one| format!("{}/{}", one.api, one.stage))
            .collect();
        details.push(format!("stages: {}", places.join(", ")));
    }
    if patch.is_empty() && !stages {
        return None;
    }
    Some(Change {
        sign: Sign::Change,
        noun: "plan",
        name: name.to_owned(),
        details,
        step: Step::Plan {
            id: Some(cell(&found["id"])),
            patch,
            stages,
        },
    })
}

/// Stages do not come in an order.
fn by_place(plan: &Plan) -> BTreeMap<(&str, &str), &BTreeMap<String, Throttle>> {
    plan.stages
        .iter()
        .map(|one| ((one.api.as_str(), one.stage.as_str()), &one.throttle))
        .collect()
}

/// The declared form of a plan that is there. A throttle without both members limits nothing and is none.
pub fn declared(plan: &Value, current: &Current) -> Plan {
    let throttle =
        |value: &Value| -> Option<Throttle> { serde_json::from_value(value.clone()).ok() };
    let stages = plan["apiStages"].as_array().into_iter().flatten();
    let stages = stages.map(|stage| {
        let id = cell(&stage["apiId"]);
        let methods = stage["throttle"].as_object().into_iter().flatten();
        PlanStage {
            api: current.api_name(&id).unwrap_or(id),
            stage: cell(&stage["stage"]),
            throttle: methods
                .filter_map(|(method, one)| Some((method.clone(), throttle(one)?)))
                .collect(),
        }
    });
    Plan {
        description: plan["description"].as_str().map(str::to_owned),
        stages: stages.collect(),
        throttle: throttle(&plan["throttle"]),
        quota: serde_json::from_value(plan["quota"].clone()).ok(),
    }
}
