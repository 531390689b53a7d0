//! What would have to change for the gateway to be as declared.

pub mod keys;
pub mod plans;
pub mod stages;

use std::collections::BTreeSet;

use serde_json::Value;
use tollgate_control::rest_api::canonical::says;

use super::current::{self, Current, named};
use super::read::Declared;
use crate::cli::client::{Client, encode};
use crate::cli::failed::Failed;
use crate::cli::output::cell;

/// Whether something comes, changes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Add,
    Change,
    Delete,
}

impl Sign {
    pub fn as_str(self) -> &'static str {
        match self {
            Sign::Add => "+",
            Sign::Change => "~",
            Sign::Delete => "-",
        }
    }
}

/// One thing that changes.
#[derive(Debug)]
pub struct Change {
    pub sign: Sign,
    pub noun: &'static str,
    pub name: String,
    /// What of it changes, a line each.
    pub details: Vec<String>,
    pub step: Step,
}

/// How a change is made. Ids of what does not exist yet are found out when it is.
#[derive(Debug)]
pub enum Step {
    /// The definition is put, or the API imported where it has no id.
    Api { id: Option<String> },
    Stage {
        api: String,
        stage: String,
        deploy: bool,
        patch: Vec<Value>,
    },
    Plan {
        id: Option<String>,
        patch: Vec<Value>,
        stages: bool,
    },
    Key {
        id: Option<String>,
        patch: Vec<Value>,
        plans: bool,
    },
    /// The path that is deleted; a plan's stages go first.
    Delete { path: String, patch: Vec<Value> },
}

/// Compares. Everything is read and checked; nothing is changed.
pub async fn changes(
    client: &Client,
    declared: &Declared,
    current: &Current,
    prune: bool,
) -> Result<Vec<Change>, Failed> {
    check_names(client, declared, current).await?;
    let mut changes = Vec::new();
    let mut pruned = Vec::new();
    for (name, api) in &declared.apis {
        let found = named("API", &current.apis, name)?;
        let (added, gone) = api_changes(client, name, api, found).await?;
        changes.extend(added);
        pruned.extend(gone);
    }
    changes.extend(plans::changes(declared, current)?);
    changes.extend(keys::changes(client, declared, current).await?);
    if prune {
        changes.extend(keys::gone(declared, current));
        changes.extend(plans::gone(declared, current));
        changes.extend(pruned);
        changes.extend(apis_gone(declared, current));
    }
    Ok(changes)
}

/// An API with its stages, and the stages that are there and not declared.
async fn api_changes(
    client: &Client,
    name: &str,
    api: &super::read::Api,
    found: Option<&Value>,
) -> Result<(Vec<Change>, Vec<Change>), Failed> {
    let mut changes = Vec::new();
    let id = found.map(|found| cell(&found["id"]));
    let there = match &id {
        Some(id) => current::stages(client, id).await?,
        None => Vec::new(),
    };
    let wanted = api.definition(id.as_deref().unwrap_or("id"))?.definition;
    let put = match found {
        Some(found) => !says(&current::working(client, found).await?, &wanted),
        None => true,
    };
    if put {
        let paths = wanted.paths.len();
        changes.push(Change {
            sign: if id.is_some() {
                Sign::Change
            } else {
                Sign::Add
            },
            noun: "api",
            name: name.to_owned(),
            details: vec![match id {
                Some(_) => "the definition is another".to_owned(),
                None => format!("with {paths} paths"),
            }],
            step: Step::Api { id: id.clone() },
        });
    }
    for (stage, wanted_stage) in &api.stages {
        let known = there.iter().find(|one| one["stageName"] == *stage);
        let serves = match (&id, known) {
            (Some(id), Some(_)) => {
                let serves = current::deployed(client, id, stage).await?;
                serves.is_some_and(|serves| says(&serves, &wanted))
            }
            _ => false,
        };
        changes.extend(stages::change(name, stage, wanted_stage, known, !serves));
    }
    let id = id.unwrap_or_default();
    let gone = there.iter().filter_map(|stage| {
        let stage = cell(&stage["stageName"]);
        let path = format!("/restapis/{}/stages/{}", encode(&id), encode(&stage));
        let gone = !api.stages.contains_key(&stage);
        gone.then(|| deleted("stage", format!("{name}/{stage}"), path, Vec::new()))
    });
    Ok((changes, gone.collect()))
}

fn apis_gone(declared: &Declared, current: &Current) -> Vec<Change> {
    let gone = current.apis.iter().filter_map(|api| {
        let name = cell(&api["name"]);
        let path = format!("/restapis/{}", encode(&cell(&api["id"])));
        let gone = !declared.apis.contains_key(&name);
        gone.then(|| deleted("api", name, path, Vec::new()))
    });
    gone.collect()
}

/// Something that is deleted.
fn deleted(noun: &'static str, name: String, path: String, patch: Vec<Value>) -> Change {
    Change {
        sign: Sign::Delete,
        noun,
        name,
        details: Vec::new(),
        step: Step::Delete { path, patch },
    }
}

/// Plans and keys may name what is declared or what is there.
async fn check_names(
    client: &Client,
    declared: &Declared,
    current: &Current,
) -> Result<(), Failed> {
    let mut errors = Vec::new();
    for (name, plan) in &declared.plans {
        for (number, place) in plan.stages.iter().enumerate() {
            let known = match declared.apis.get(&place.api) {
                Some(api) if api.stages.contains_key(&place.stage) => true,
                _ => match named("API", &current.apis, &place.api)? {
                    Some(api) => {
                        let there = current::stages(client, &cell(&api["id"])).await?;
                        there.iter().any(|one| one["stageName"] == place.stage)
                    }
                    None => false,
                },
            };
            if !known {
                errors.push(format!(
                    "{}plans.{name}.stages[{number}]: there is no stage {} of an API {}",
                    declared.origin("plan", name),
                    place.stage,
                    place.api
                ));
            }
        }
    }
    for (name, key) in &declared.keys {
        let unique: BTreeSet<_> = key.plans.iter().flatten().collect();
        for plan in unique {
            let known =
                declared.plans.contains_key(plan) || named("plan", &current.plans, plan)?.is_some();
            if !known {
                let file = declared.origin("key", name);
                errors.push(format!("{file}keys.{name}.plans: there is no plan {plan}"));
            }
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    errors.push("nothing was changed".to_owned());
    Err(Failed::Failed(errors.join("\n")))
}

/// An operation of a patch.
fn operation(op: &str, path: &str, value: Option<String>) -> Value {
    match value {
        Some(value) => serde_json::json!({"op": op, "path": path, "value": value}),
        None => serde_json::json!({"op": op, "path": path}),
    }
}

/// A replacement of a text, told as a detail, where the text is another.
fn replace_text(
    patch: &mut Vec<Value>,
    details: &mut Vec<String>,
    member: &str,
    found: &Value,
    wanted: Option<&str>,
) {
    let found = found.as_str().unwrap_or_default();
    let wanted = wanted.unwrap_or_default();
    if found != wanted {
        details.push(format!("{member}: {found:?} -> {wanted:?}"));
        patch.push(operation(
            "replace",
            &format!("/{member}"),
            Some(wanted.to_owned()),
        ));
    }
}
