//! API keys beside what they should be, and the plans they are in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::current::{self, Current, named};
use super::super::file::Key;
use super::super::read::Declared;
use super::{Change, Sign, Step, deleted, operation, replace_text};
use crate::cli::client::{Client, encode};
use crate::cli::failed::Failed;
use crate::cli::output::cell;

/// The plans of each key: names by the key's id.
pub type Members = BTreeMap<String, BTreeSet<String>>;

/// Which keys are in which plans.
pub async fn members(client: &Client, current: &Current) -> Result<Members, Failed> {
    let mut members = Members::new();
    for plan in &current.plans {
        for key in current::plan_keys(client, &cell(&plan["id"])).await? {
            members
                .entry(cell(&key["id"]))
                .or_default()
                .insert(cell(&plan["name"]));
        }
    }
    Ok(members)
}

/// The changes of all declared keys.
pub async fn changes(
    client: &Client,
    declared: &Declared,
    current: &Current,
) -> Result<Vec<Change>, Failed> {
    let mut changes = Vec::new();
    if declared.keys.is_empty() {
        return Ok(changes);
    }
    let members = members(client, current).await?;
    for (name, key) in &declared.keys {
        match named("key", &current.keys, name)? {
            Some(found) => {
                let file = declared.origin("key", name);
                changes.extend(change(&file, name, key, found, &members)?);
            }
            None => changes.push(Change {
                sign: Sign::Add,
                noun: "key",
                name: name.clone(),
                details: key
                    .plans
                    .iter()
                    .flatten()
                    .map(|plan| format!("in plan {plan}"))
                    .collect(),
                step: Step::Key {
                    id: None,
                    patch: Vec::new(),
                    plans: true,
                },
            }),
        }
    }
    Ok(changes)
}

/// Keys that are there and not declared.
pub fn gone(declared: &Declared, current: &Current) -> Vec<Change> {
    let others = current.keys.iter();
    let others = others.filter(|key| !declared.keys.contains_key(&cell(&key["name"])));
    let gone = others.map(|key| {
        let id = cell(&key["id"]);
        let name = key["name"].as_str().filter(|name| !name.is_empty());
        let path = format!("/apikeys/{}", encode(&id));
        deleted("key", name.unwrap_or(&id).to_owned(), path, Vec::new())
    });
    gone.collect()
}

fn change(
    file: &str,
    name: &str,
    wanted: &Key,
    found: &Value,
    members: &Members,
) -> Result<Option<Change>, Failed> {
    let (mut patch, mut details) = (Vec::new(), Vec::new());
    if let (Some(wanted), Some(found)) = (&wanted.value, found["value"].as_str())
        && wanted != found
    {
        return Err(Failed::Failed(format!(
            "{file}keys.{name}.value: the key is there with another value, and a value cannot be changed: delete the key \
             first, or give the new one another name; nothing was changed"
        )));
    }
    let texts = [
        ("description", wanted.description.as_deref()),
        ("customerId", wanted.customer_id.as_deref()),
    ];
    for (member, text) in texts {
        replace_text(&mut patch, &mut details, member, &found[member], text);
    }
    if found["enabled"] != wanted.enabled {
        details.push(format!("enabled: {}", wanted.enabled));
        patch.push(operation(
            "replace",
            "/enabled",
            Some(wanted.enabled.to_string()),
        ));
    }
    let id = cell(&found["id"]);
    let none = BTreeSet::new();
    let own = members.get(&id).unwrap_or(&none);
    let plans = wanted
        .plans
        .as_ref()
        .is_some_and(|plans| plans.iter().collect::<BTreeSet<_>>() != own.iter().collect());
    if plans {
        let plans = wanted.plans.iter().flatten().cloned().collect::<Vec<_>>();
        details.push(format!("plans: {}", plans.join(", ")));
    }
    if patch.is_empty() && !plans {
        return Ok(None);
    }
    Ok(Some(Change {
        sign: Sign::Change,
        noun: "key",
        name: name.to_owned(),
        details,
        step: Step::Key {
            id: Some(id),
            patch,
            plans,
        },
    }))
}

/// The declared form of a key that is there.
pub fn declared(key: &Value, members: &Members, with_values: bool) -> Key {
    let text = |name: &str| {
        key[name]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let plans = members.get(&cell(&key["id"]));
    Key {
        value: text("value").filter(|_| with_values),
        description: text("description"),
        customer_id: text("customerId"),
        enabled: key["enabled"] == true,
        plans: Some(plans.into_iter().flatten().cloned().collect()),
    }
}
