//! What the gateway has, as a file that `apply` reads: applying it changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_control::rest_api::canonical::{document, says};
use tollgate_control::rest_api::export::text;
use tollgate_control::rest_api::import::parse;
use tollgate_control::rest_api::node::Node;

use super::changes::{keys, plans, stages};
use super::current::{self, Current, named};
use super::file::{Api, File};
use crate::cli::client::Client;
use crate::cli::failed::Failed;
use crate::cli::output::cell;

/// The file's text, and what it could not say.
pub async fn export(client: &Client, with_values: bool) -> Result<(String, Vec<String>), Failed> {
    let current = Current::read(client).await?;
    let mut warnings = Vec::new();
    let mut file = File::default();
    let mut documents = BTreeMap::new();
    for api in unique("API", &current.apis, &mut warnings) {
        let (name, declared, document) = export_api(client, api, &mut warnings).await?;
        documents.insert(name.clone(), document);
        file.apis.insert(name, declared);
    }
    for plan in unique("plan", &current.plans, &mut warnings) {
        file.plans
            .insert(cell(&plan["name"]), plans::declared(plan, &current));
    }
    let members = keys::members(client, &current).await?;
    for key in unique("key", &current.keys, &mut warnings) {
        file.keys.insert(
            cell(&key["name"]),
            keys::declared(key, &members, with_values),
        );
    }
    Ok((written(&file, documents)?, warnings))
}

/// Those whose names are their own; of the others there is a warning.
fn unique<'a>(noun: &str, items: &'a [Value], warnings: &mut Vec<String>) -> Vec<&'a Value> {
    let mut unique = Vec::new();
    for item in items {
        let name = cell(&item["name"]);
        if name.is_empty() || named(noun, items, &name).is_err() {
            let id = cell(&item["id"]);
            warnings.push(format!(
                "the {noun} {id} has no name of its own ({name:?}) and is left out"
            ));
        } else {
            unique.push(item);
        }
    }
    unique
}

async fn export_api(
    client: &Client,
    api: &Value,
    warnings: &mut Vec<String>,
) -> Result<(String, Api, Node), Failed> {
    let (id, name) = (cell(&api["id"]), cell(&api["name"]));
    let definition = current::working(client, api).await?;
    let mut declared = Api::default();
    for stage in current::stages(client, &id).await? {
        let stage_name = cell(&stage["stageName"]);
        let serves = current::deployed(client, &id, &stage_name).await?;
        if !serves.is_some_and(|serves| says(&serves, &definition)) {
            warnings.push(format!(
                "stage {name}/{stage_name} serves an older definition; applying this file deploys the present one to it"
            ));
        }
        declared.stages.insert(stage_name, stages::declared(&stage));
    }
    Ok((name, declared, document(&definition)))
}

fn written(file: &File, mut documents: BTreeMap<String, Node>) -> Result<String, Failed> {
    let cannot = |error: String| Failed::Failed(format!("the export cannot be written: {error}"));
    let json = serde_json::to_vec(file).map_err(|error| cannot(error.to_string()))?;
    let mut root = parse::parse(&json, usize::MAX).map_err(|error| cannot(error.to_string()))?;
    if let Node::Object(members) = &mut root
        && let Some(Node::Object(apis)) = members.get_mut("apis")
    {
        for (name, api) in apis.iter_mut() {
            if let (Node::Object(api), Some(document)) = (api, documents.remove(name)) {
                api.insert("openapi".to_owned(), document);
            }
        }
    }
    text(&root, true).map_err(|error| cannot(error.to_string()))
}
