//! The demo's API, plans and keys: found, or made through the control plane as a user would make them.

use std::net::SocketAddr;

use http::Method;
use serde_json::{Value, json};

use crate::cli::client::{Client, encode};
use crate::cli::failed::Failed;
use crate::cli::output::cell;

/// Name of the API.
pub const API: &str = "example";
/// Name of the stage it is deployed to.
pub const STAGE: &str = "prod";

/// A method of the example API. Its upstream's address is a stage variable: the upstream has another port at each
/// start, and a stage variable needs no deployment.
struct Route {
    path: &'static str,
    key_required: bool,
    /// Name of the path parameter that travels to the upstream.
    parameter: Option<&'static str>,
}

const ROUTES: &[Route] = &[
    Route {
        path: "/pets",
        key_required: true,
        parameter: None,
    },
    Route {
        path: "/pets/{petId}",
        key_required: true,
        parameter: Some("petId"),
    },
    Route {
        path: "/health",
        key_required: false,
        parameter: None,
    },
];

/// A plan of the demo, and the name of the key in it.
pub struct Plan {
    pub name: &'static str,
    pub rate_limit: f64,
    pub burst_limit: u32,
    pub quota: u32,
    pub period: &'static str,
    pub key_name: &'static str,
}

pub const FREE: Plan = Plan {
    name: "free",
    rate_limit: 2.0,
    burst_limit: 10,
    quota: 20,
    period: "DAY",
    key_name: "demo-free",
};
pub const PREMIUM: Plan = Plan {
    name: "premium",
    rate_limit: 100.0,
    burst_limit: 200,
    quota: 1_000_000,
    period: "MONTH",
    key_name: "demo-premium",
};

/// What there is to try.
pub struct Example {
    pub api_id: String,
    pub free_key: String,
    pub premium_key: String,
}

/// Finds or makes everything. Each step looks first, so a start that was cut short is completed by the next.
pub async fn set_up(client: &Client, upstream: SocketAddr) -> Result<Example, Failed> {
    let api_id = api(client).await?;
    for route in ROUTES {
        let resource_id = resource(client, &api_id, route.path).await?;
        method(client, &api_id, &resource_id, route).await?;
    }
    stage(client, &api_id, upstream).await?;
    let free_key = plan_with_key(client, &api_id, &FREE).await?;
    let premium_key = plan_with_key(client, &api_id, &PREMIUM).await?;
    Ok(Example {
        api_id,
        free_key,
        premium_key,
    })
}

async fn api(client: &Client) -> Result<String, Failed> {
    if let Some(api) = named(client.list("/restapis", &[]).await?, API) {
        return Ok(cell(&api["id"]));
    }
    let api = create(
        client,
        "/restapis",
        json!({"name": API, "description": "Pets, by tollgate demo"}),
    )
    .await?;
    Ok(cell(&api["id"]))
}

/// The id of the resource at a path, which is made with its parents.
async fn resource(client: &Client, api_id: &str, path: &str) -> Result<String, Failed> {
    let url = format!("/restapis/{}/resources", encode(api_id));
    let known = client.list(&url, &[]).await?;
    let id_at = |path: &str| {
        known
            .iter()
            .find(|other| other["path"] == path)
            .map(|found| cell(&found["id"]))
    };
    let mut id =
        id_at("/").ok_or_else(|| Failed::Failed("the example API has no root resource".into()))?;
    let mut at = String::new();
    for part in path.split('/').skip(1) {
        at = format!("{at}/{part}");
        id = match id_at(&at) {
            Some(id) => id,
            None => {
                let made = create(
                    client,
                    &format!("{url}/{}", encode(&id)),
                    json!({"pathPart": part}),
                )
                .await?;
                cell(&made["id"])
            }
        };
    }
    Ok(id)
}

async fn method(
    client: &Client,
    api_id: &str,
    resource_id: &str,
    route: &Route,
) -> Result<(), Failed> {
    let url = format!(
        "/restapis/{}/resources/{}/methods/GET",
        encode(api_id),
        encode(resource_id)
    );
    let of_caller = route
        .parameter
        .map(|name| format!("method.request.path.{name}"));
    let mut body = json!({"authorizationType": "NONE", "apiKeyRequired": route.key_required});
    if let Some(of_caller) = &of_caller {
        body["requestParameters"] = json!({of_caller: true});
    }
    put_once(client, &url, body).await?;
    let uri = format!("http://${{stageVariables.upstream}}{}", route.path);
    let mut body = json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": uri});
    if let (Some(name), Some(of_caller)) = (route.parameter, of_caller) {
        body["requestParameters"] = json!({format!("integration.request.path.{name}"): of_caller});
    }
    put_once(client, &format!("{url}/integration"), body).await
}

/// The stage, pointing to where the upstream is this time.
async fn stage(client: &Client, api_id: &str, upstream: SocketAddr) -> Result<(), Failed> {
    let url = format!("/restapis/{}/stages/{STAGE}", encode(api_id));
    match client.get(&url, &[]).await {
        Ok(_) => {
            let patch = json!({"patchOperations": [
                {"op": "replace", "path": "/variables/upstream", "value": upstream.to_string()}
            ]});
            client
                .call(Method::PATCH, &url, &[], patch.to_string().into_bytes())
                .await?;
        }
        Err(failed) if failed.is_not_found() => {
            let body = json!({"stageName": STAGE, "variables": {"upstream": upstream.to_string()}});
            create(
                client,
                &format!("/restapis/{}/deployments", encode(api_id)),
                body,
            )
            .await?;
        }
        Err(failed) => return Err(failed),
    }
    Ok(())
}

/// A plan and the key in it; returns the key's value.
async fn plan_with_key(client: &Client, api_id: &str, wanted: &Plan) -> Result<String, Failed> {
    let plan = match named(client.list("/usageplans", &[]).await?, wanted.name) {
        Some(plan) => plan,
        None => {
            let body = json!({
                "name": wanted.name,
                "apiStages": [{"apiId": api_id, "stage": STAGE}],
                "throttle": {"rateLimit": wanted.rate_limit, "burstLimit": wanted.burst_limit},
                "quota": {"limit": wanted.quota, "period": wanted.period},
            });
            create(client, "/usageplans", body).await?
        }
    };
    let query = [
        ("name".to_owned(), wanted.key_name.to_owned()),
        ("includeValues".to_owned(), "true".to_owned()),
    ];
    let key = match named(client.list("/apikeys", &query).await?, wanted.key_name) {
        Some(key) => key,
        None => {
            create(
                client,
                "/apikeys",
                json!({"name": wanted.key_name, "enabled": true}),
            )
            .await?
        }
    };
    let url = format!("/usageplans/{}/keys", encode(&cell(&plan["id"])));
    if !client
        .list(&url, &[])
        .await?
        .iter()
        .any(|other| other["id"] == key["id"])
    {
        create(
            client,
            &url,
            json!({"keyId": key["id"], "keyType": "API_KEY"}),
        )
        .await?;
    }
    Ok(cell(&key["value"]))
}

/// The element of that name, the oldest if there are several.
fn named(list: Vec<Value>, name: &str) -> Option<Value> {
    let same = list.into_iter().filter(|other| other["name"] == name);
    same.min_by_key(|other| other["createdDate"].as_i64())
}

async fn create(client: &Client, path: &str, body: Value) -> Result<Value, Failed> {
    client
        .call(Method::POST, path, &[], body.to_string().into_bytes())
        .await
}

/// PUT of what is not there yet.
async fn put_once(client: &Client, path: &str, body: Value) -> Result<(), Failed> {
    match client.get(path, &[]).await {
        Err(failed) if failed.is_not_found() => client
            .call(Method::PUT, path, &[], body.to_string().into_bytes())
            .await
            .map(drop),
        found => found.map(drop),
    }
}
