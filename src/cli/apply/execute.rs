//! Making the changes, in an order in which each finds what it needs.

use http::Method;
use serde_json::{Value, json};

use super::changes::{Change, Step};
use super::current::{self, named};
use super::file::{Key, Plan};
use super::read::Declared;
use crate::cli::client::{Client, encode};
use crate::cli::failed::Failed;
use crate::cli::output::cell;

/// Makes the changes; answers how many were made. What fails says which change it was and how many are made.
pub async fn execute(
    client: &Client,
    declared: &Declared,
    changes: &[Change],
) -> Result<usize, Failed> {
    for (done, change) in changes.iter().enumerate() {
        let made = make(client, declared, change).await;
        made.map_err(|error| {
            Failed::Failed(format!(
                "{} {}: {error}\n{done} of {} changes are made; when what is wrong is mended, apply again to make the others",
                change.noun,
                change.name,
                changes.len()
            ))
        })?;
    }
    Ok(changes.len())
}

async fn make(client: &Client, declared: &Declared, change: &Change) -> Result<(), Failed> {
    match &change.step {
        Step::Api { id } => put_api(client, declared, &change.name, id.as_deref()).await,
        Step::Stage {
            api,
            stage,
            deploy,
            patch,
        } => {
            let api = id_of(client, "API", "/restapis", api).await?;
            let path = format!("/restapis/{}", encode(&api));
            if *deploy {
                let body = json!({"stageName": stage, "description": "tollgate apply"});
                post(client, &format!("{path}/deployments"), &body).await?;
            }
            patched(client, &format!("{path}/stages/{}", encode(stage)), patch).await
        }
        Step::Plan { id, patch, stages } => {
            let Some(plan) = declared.plans.get(&change.name) else {
                return Ok(());
            };
            put_plan(client, &change.name, plan, id.as_deref(), patch, *stages).await
        }
        Step::Key { id, patch, plans } => {
            let Some(key) = declared.keys.get(&change.name) else {
                return Ok(());
            };
            put_key(client, &change.name, key, id.as_deref(), patch, *plans).await
        }
        Step::Delete { path, patch } => {
            patched(client, path, patch).await?;
            client
                .call(Method::DELETE, path, &[], Vec::new())
                .await
                .map(drop)
        }
    }
}

async fn put_api(
    client: &Client,
    declared: &Declared,
    name: &str,
    id: Option<&str>,
) -> Result<(), Failed> {
    let Some(api) = declared.apis.get(name) else {
        return Ok(());
    };
    let (method, path, mode) = match id {
        Some(id) => (
            Method::PUT,
            format!("/restapis/{}", encode(id)),
            "overwrite",
        ),
        None => (Method::POST, "/restapis".to_owned(), "import"),
    };
    let query = [("mode".to_owned(), mode.to_owned())];
    let done = client.call(method, &path, &query, api.body());
    done.await.map(drop)
}

async fn put_plan(
    client: &Client,
    name: &str,
    plan: &Plan,
    id: Option<&str>,
    patch: &[Value],
    stages: bool,
) -> Result<(), Failed> {
    let mut wanted = Vec::new();
    for stage in plan.stages.iter().filter(|_| stages) {
        let api = id_of(client, "API", "/restapis", &stage.api).await?;
        wanted.push(json!({"apiId": api, "stage": stage.stage, "throttle": stage.throttle}));
    }
    let Some(id) = id else {
        let body = json!({
            "name": name, "description": plan.description, "apiStages": wanted,
            "throttle": plan.throttle, "quota": plan.quota,
        });
        return post(client, "/usageplans", &body).await;
    };
    let path = format!("/usageplans/{}", encode(id));
    let mut operations = patch.to_vec();
    if stages {
        let found = client.get(&path, &[]).await?;
        for old in found["apiStages"].as_array().into_iter().flatten() {
            operations.push(json!({"op": "remove", "path": "/apiStages", "value": place(old)}));
        }
        for new in &wanted {
            operations.push(json!({"op": "add", "path": "/apiStages", "value": place(new)}));
            if new["throttle"]
                .as_object()
                .is_some_and(|methods| !methods.is_empty())
            {
                let path = format!("/apiStages/{}/throttle", place(new));
                operations.push(
                    json!({"op": "replace", "path": path, "value": new["throttle"].to_string()}),
                );
            }
        }
    }
    patched(client, &path, &operations).await
}

fn place(stage: &Value) -> String {
    format!("{}:{}", cell(&stage["apiId"]), cell(&stage["stage"]))
}

async fn put_key(
    client: &Client,
    name: &str,
    key: &Key,
    id: Option<&str>,
    patch: &[Value],
    plans: bool,
) -> Result<(), Failed> {
    let id = match id {
        Some(id) => {
            patched(client, &format!("/apikeys/{}", encode(id)), patch).await?;
            id.to_owned()
        }
        None => {
            let body = json!({
                "name": name, "description": key.description, "enabled": key.enabled,
                "customerId": key.customer_id, "value": key.value,
            });
            let made = client.call(Method::POST, "/apikeys", &[], body.to_string().into_bytes());
            cell(&made.await?["id"])
        }
    };
    let Some(wanted) = key.plans.as_ref().filter(|_| plans) else {
        return Ok(());
    };
    for plan in client.list("/usageplans", &[]).await? {
        let is_wanted = wanted.iter().any(|name| plan["name"] == **name);
        let plan = cell(&plan["id"]);
        let keys = current::plan_keys(client, &plan).await?;
        let is_in = keys.iter().any(|one| one["id"] == *id);
        let path = format!("/usageplans/{}/keys", encode(&plan));
        if is_wanted && !is_in {
            post(client, &path, &json!({"keyId": id, "keyType": "API_KEY"})).await?;
        } else if is_in && !is_wanted {
            let path = format!("{path}/{}", encode(&id));
            client.call(Method::DELETE, &path, &[], Vec::new()).await?;
        }
    }
    Ok(())
}

async fn post(client: &Client, path: &str, body: &Value) -> Result<(), Failed> {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let body = body.to_string().into_bytes();
    client.call(Method::POST, path, &[], body).await.map(drop)
}

async fn patched(client: &Client, path: &str, operations: &[Value]) -> Result<(), Failed> {
    if operations.is_empty() {
        return Ok(());
    }
    let body = json!({"patchOperations": operations})
        .to_string()
        .into_bytes();
    client.call(Method::PATCH, path, &[], body).await.map(drop)
}

/// The id of what has that name by now.
async fn id_of(client: &Client, noun: &str, path: &str, name: &str) -> Result<String, Failed> {
    let all = client.list(path, &[]).await?;
    match named(noun, &all, name)? {
        Some(found) => Ok(cell(&found["id"])),
        None => Err(Failed::Failed(format!(
            "there is no {noun} named {name} any more"
        ))),
    }
}
