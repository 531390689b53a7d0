//! What the gateway has now.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tollgate_control::rest_api::definition::Definition;
use tollgate_control::rest_api::export::frozen;
use tollgate_control::rest_api::import::base_path::BasePath;
use tollgate_control::rest_api::import::{document, parse};
use tollgate_entity::{DeploymentContent, GatewayResponse, RestApi};

use crate::cli::client::{Client, encode};
use crate::cli::failed::Failed;
use crate::cli::output::cell;

/// All APIs, plans and keys.
#[derive(Debug)]
pub struct Current {
    pub apis: Vec<Value>,
    pub plans: Vec<Value>,
    /// With their values, where the gateway shows them.
    pub keys: Vec<Value>,
}

impl Current {
    pub async fn read(client: &Client) -> Result<Current, Failed> {
        let values = [("includeValues".to_owned(), "true".to_owned())];
        Ok(Current {
            apis: client.list("/restapis", &[]).await?,
            plans: client.list("/usageplans", &[]).await?,
            keys: client.list("/apikeys", &values).await?,
        })
    }

    /// The name of the API with that id.
    pub fn api_name(&self, id: &str) -> Option<String> {
        let api = self.apis.iter().find(|api| api["id"] == id)?;
        Some(cell(&api["name"]))
    }
}

/// The one of that name, if there is one. Names that several have identify nothing.
pub fn named<'a>(noun: &str, items: &'a [Value], name: &str) -> Result<Option<&'a Value>, Failed> {
    let found: Vec<&Value> = items.iter().filter(|item| item["name"] == name).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let ids: Vec<String> = several.iter().map(|one| cell(&one["id"])).collect();
            Err(Failed::Failed(format!(
                "{} {noun}s are named {name} ({}): rename or delete all but one; nothing was changed",
                several.len(),
                ids.join(", ")
            )))
        }
    }
}

/// The stages of an API.
pub async fn stages(client: &Client, api: &str) -> Result<Vec<Value>, Failed> {
    let listed = client
        .get(&format!("/restapis/{}/stages", encode(api)), &[])
        .await?;
    Ok(listed["item"].as_array().cloned().unwrap_or_default())
}

/// What an API would deploy now.
pub async fn working(client: &Client, api: &Value) -> Result<Definition, Failed> {
    let id = cell(&api["id"]);
    let path = |below: &str| format!("/restapis/{}/{below}", encode(&id));
    let api: RestApi = typed(api.clone())?;
    let embedded = [("embed".to_owned(), "methods".to_owned())];
    let defined: Vec<GatewayResponse> = all(client.list(&path("gatewayresponses"), &[]).await?)?;
    let content = DeploymentContent {
        resources: all(client.list(&path("resources"), &embedded).await?)?,
        api_key_source: api.api_key_source,
        binary_media_types: api.binary_media_types.clone(),
        minimum_compression_size: api.minimum_compression_size,
        disable_execute_api_endpoint: api.disable_execute_api_endpoint,
        models: all(client.list(&path("models"), &[]).await?)?,
        request_validators: all(client.list(&path("requestvalidators"), &[]).await?)?,
        authorizers: all(client.list(&path("authorizers"), &[]).await?)?,
        gateway_responses: own(defined),
        ..DeploymentContent::default()
    };
    Ok(frozen::definition(api, content, Vec::new()))
}

/// The gateway lists all types; those an API does not define are AWS's, or inherited.
fn own(listed: Vec<GatewayResponse>) -> Vec<GatewayResponse> {
    listed
        .into_iter()
        .filter(|one| !one.default_response)
        .collect()
}

/// What a stage serves; none where no definition can say it.
pub async fn deployed(
    client: &Client,
    api: &str,
    stage: &str,
) -> Result<Option<Definition>, Failed> {
    let path = format!(
        "/restapis/{}/stages/{}/exports/oas30",
        encode(api),
        encode(stage)
    );
    let extensions = [("extensions".to_owned(), "apigateway".to_owned())];
    let exported = client.get(&path, &extensions).await?;
    let root = parse::parse(exported.to_string().as_bytes(), usize::MAX).ok();
    let read = root.and_then(|root| document::read(&root, api, BasePath::Ignore).ok());
    Ok(read
        .filter(|read| read.errors.is_empty())
        .map(|read| read.definition))
}

/// The keys of a plan.
pub async fn plan_keys(client: &Client, plan: &str) -> Result<Vec<Value>, Failed> {
    client
        .list(&format!("/usageplans/{}/keys", encode(plan)), &[])
        .await
}

fn all<T: DeserializeOwned>(items: Vec<Value>) -> Result<Vec<T>, Failed> {
    items.into_iter().map(typed).collect()
}

fn typed<T: DeserializeOwned>(item: Value) -> Result<T, Failed> {
    serde_json::from_value(item)
        .map_err(|error| Failed::Failed(format!("the gateway's answer cannot be read: {error}")))
}
