//! What an API has that a stage's deployment has not: looked at before somebody deploys.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use tollgate_entity::DeploymentContent;
use tollgate_store::Reader;

use crate::Control;
use crate::deployment::content_of;
use crate::error::Error;
use crate::extract::{Json, Query};
use crate::find;

/// Members of one place that are told by name.
const MEMBERS_MAX: usize = 20;

/// The differences, in the order of their places.
#[derive(Debug, Serialize)]
pub struct Undeployed {
    changes: Vec<Change>,
}

/// One place that differs.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    /// `GET /pets/{id}`, `model Pet`, `api`.
    place: String,
    change: Kind,
    /// Of a place that changed: `methodIntegration.uri`.
    members: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Added,
    Removed,
    Changed,
}

type Places = BTreeMap<String, Value>;

/// GetUndeployed: of `restApiId`; without `stageName` everything is new.
pub async fn undeployed(control: Control, query: Query) -> Result<Json<Undeployed>, Error> {
    let given = |name| query.first(name).unwrap_or_default().to_owned();
    let (api, stage) = (given("restApiId"), given("stageName"));
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        let api = find::rest_api(reader, &settings, &api)?;
        let deployed = match stage.as_str() {
            "" => None,
            stage => {
                let id = find::stage(reader, &api.id, stage)?.deployment_id;
                reader.get::<DeploymentContent>(&id, &id)?
            }
        };
        let before = deployed.map_or_else(|| Ok(Places::new()), |content| places(&content))?;
        let present = places(&content_of(reader, &api, "")?)?;
        Ok::<_, Error>(differences(&before, &present))
    };
    let changes = control.store.read(look).await?;
    Ok(Json(Undeployed { changes }))
}

/// What a deployment consists of, by place.
fn places(content: &DeploymentContent) -> Result<Places, Error> {
    let mut places = Places::new();
    let mut add = |place: String, noun: serde_json::Result<Value>| {
        places.insert(place, noun.map_err(Error::internal)?);
        Ok::<_, Error>(())
    };
    for resource in &content.resources {
        for (verb, method) in &resource.resource_methods {
            let place = format!("{verb} {}", resource.path);
            add(place, serde_json::to_value(method))?;
        }
    }
    for model in &content.models {
        add(format!("model {}", model.name), serde_json::to_value(model))?;
    }
    for response in &content.gateway_responses {
        let place = format!("gateway response {}", response.response_type);
        add(place, serde_json::to_value(response))?;
    }
    for validator in &content.request_validators {
        let name = validator.name.as_ref().unwrap_or(&validator.id);
        let place = format!("request validator {name}");
        add(place, serde_json::to_value(validator))?;
    }
    for authorizer in &content.authorizers {
        let place = format!("authorizer {}", authorizer.name);
        add(place, serde_json::to_value(authorizer))?;
    }
    let api = serde_json::json!({
        "apiKeySource": content.api_key_source,
        "binaryMediaTypes": content.binary_media_types,
        "minimumCompressionSize": content.minimum_compression_size,
        "disableExecuteApiEndpoint": content.disable_execute_api_endpoint,
    });
    add("api".to_owned(), Ok(api))?;
    Ok(places)
}

fn differences(before: &Places, after: &Places) -> Vec<Change> {
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = all.into_iter().filter_map(|place| {
        let (change, members) = match (before.get(place), after.get(place)) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(old), Some(new)) => (Kind::Changed, members(old, new)),
            (None, _) => (Kind::Added, Vec::new()),
            (_, None) => (Kind::Removed, Vec::new()),
        };
        Some(Change {
            place: place.clone(),
            change,
            members,
        })
    });
    differing.collect()
}

/// The paths of the members that differ.
fn members(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), old, new)];
    while let Some((path, old, new)) = open.pop() {
        let (Value::Object(one), Value::Object(other)) = (old, new) else {
            if old != new {
                found.push(path);
            }
            continue;
        };
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        for name in names {
            let below = match path.is_empty() {
                true => name.clone(),
                false => format!("{path}.{name}"),
            };
            match (one.get(name), other.get(name)) {
                (Some(old), Some(new)) => open.push((below, old, new)),
                _ => found.push(below),
            }
        }
    }
    found.sort();
    found.truncate(MEMBERS_MAX);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Gateway, api_with_method};

    #[tokio::test]
    async fn a_stage_tells_what_was_added_removed_and_changed_since() {
        let gateway = Gateway::new();
        let (api, resource) = api_with_method(&gateway).await;
        let ask = async |stage: &str| {
            let query = format!("/tollgate/undeployed?restApiId={api}&stageName={stage}");
            gateway.get(&query).await.ok(200)["changes"].take()
        };
        let first = ask("").await;
        let mut first = first.as_array().unwrap().iter();
        assert!(first.all(|change| change["change"] == "added"));
        gateway
            .post(
                &format!("/restapis/{api}/deployments"),
                json!({"stageName": "prod"}),
            )
            .await
            .ok(201);
        assert_eq!(ask("prod").await, json!([]));

        let method = format!("/restapis/{api}/resources/{resource}/methods");
        let patch = [("replace", "/apiKeyRequired", Some("true"))];
        gateway
            .patch(&format!("{method}/GET"), &patch)
            .await
            .ok(200);
        gateway
            .put(
                &format!("{method}/POST"),
                json!({"authorizationType": "NONE"}),
            )
            .await
            .ok(201);
        assert_eq!(
            ask("prod").await,
            json!([
                {"place": "GET /test", "change": "changed", "members": ["apiKeyRequired"]},
                {"place": "POST /test", "change": "added", "members": []},
            ])
        );
        gateway.delete(&format!("{method}/GET")).await.ok(204);
        assert_eq!(ask("prod").await[0]["change"], "removed");
    }

    #[tokio::test]
    async fn what_is_not_there_is_said() {
        let gateway = Gateway::new();
        let (api, _) = api_with_method(&gateway).await;
        gateway
            .get(&format!(
                "/tollgate/undeployed?restApiId={api}&stageName=none"
            ))
            .await
            .missing("Invalid stage identifier specified");
        let unknown = gateway.get("/tollgate/undeployed?restApiId=none").await;
        assert_eq!(unknown.status, 404);
    }
}
