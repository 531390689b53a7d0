//! Deployment: freezing an API's resources and pointing a stage at the copy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_entity::{Deployment, DeploymentContent, Resource, RestApi, Stage, Timestamp, id};
use tollgate_store::{Reader, Transaction};

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::stage::canary::NewCanary;
use crate::stage::{self, CACHE_CLUSTER_SIZES};
use crate::{Control, find};

/// The body of CreateDeployment. Everything but `description` is for the stage.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewDeployment {
    stage_name: Option<String>,
    stage_description: Option<String>,
    description: Option<String>,
    cache_cluster_enabled: Option<bool>,
    cache_cluster_size: Option<String>,
    variables: Option<BTreeMap<String, String>>,
    canary_settings: Option<NewCanary>,
    tracing_enabled: Option<bool>,
}

/// CreateDeployment; with `stageName` it makes that stage or points it at the new deployment.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    Json(new): Json<NewDeployment>,
) -> Result<Json<Deployment>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.optional(
        "cacheClusterSize",
        new.cache_cluster_size.as_deref(),
        &CACHE_CLUSTER_SIZES,
    );
    check.finish()?;
    let deployment = Deployment {
        rest_api_id: api,
        id: id::six(&mut control.rng()),
        description: new.description.clone().filter(|text| !text.is_empty()),
        created_date: caller.at,
    };
    let audit = caller.audit(json!({
        "restApiId": deployment.rest_api_id, "deploymentId": deployment.id, "stageName": new.stage_name,
    }));
    let settings = control.settings.clone();
    let created = control.store.commit(audit, move |tx| {
        let api = find::rest_api(tx, &settings, &deployment.rest_api_id)?;
        new.check(tx, &api.id)?;
        let content = freeze(tx, &api, &deployment.id)?;
        tx.insert(&deployment)?;
        tx.insert(&content)?;
        new.put_stage(tx, &deployment)?;
        Ok::<_, Error>(deployment)
    });
    created.await.map(Json)
}

/// GetDeployments: in order of creation.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    page: Page,
) -> Result<Json<Items<Deployment>>, Error> {
    let page = page.oldest_first()?;
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        Ok::<_, Error>(reader.page::<Deployment>(&api, &page, |_| true)?)
    };
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetDeployment; `embed=apisummary` lists the methods it froze.
pub async fn get(
    control: Control,
    Path((api, id)): Path<(String, String)>,
    query: Query,
) -> Result<Json<Shown>, Error> {
    let embed = query.all("embed").any(|embed| embed == "apisummary");
    let look = move |reader: &Reader<'_>| {
        let deployment = find::deployment(reader, &api, &id)?;
        let content: Option<DeploymentContent> = if embed { reader.get(&id, &id)? } else { None };
        Ok::<_, Error>(Shown {
            deployment,
            api_summary: content.map(|content| summary(&content)),
        })
    };
    control.store.read(look).await.map(Json)
}

/// UpdateDeployment.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<Deployment>, Error> {
    let audit = caller.audit(
        json!({"restApiId": api, "deploymentId": id, "patchOperations": patch.patch_operations}),
    );
    let changed = control.store.commit(audit, move |tx| {
        let mut deployment = find::deployment(tx, &api, &id)?;
        patch.apply(&mut deployment)?;
        tx.put(&deployment)?;
        Ok::<_, Error>(deployment)
    });
    changed.await.map(Json)
}

/// DeleteDeployment: not while a stage points at it.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "deploymentId": id}));
    let done = control.store.commit(audit, move |tx| {
        find::deployment(tx, &api, &id)?;
        if tx
            .list::<Stage>(&api)?
            .iter()
            .any(|stage| points_at(stage, &id))
        {
            return Err(Error::bad_request(
                "Active stages pointing to this deployment must be moved or deleted",
            ));
        }
        tx.delete::<Deployment>(&api, &id)?;
        tx.delete_children::<DeploymentContent>(&id)?;
        Ok(())
    });
    done.await
}

/// Whether the stage, or its canary, is of that deployment.
fn points_at(stage: &Stage, id: &str) -> bool {
    let canary = stage.canary_settings.as_ref();
    stage.deployment_id == id || canary.is_some_and(|canary| canary.deployment_id == id)
}

#[rustfmt::skip]
impl Patch for Deployment {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/description", |deployment, new| new.set(&mut deployment.description)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

impl NewDeployment {
    /// The stage it is for; an empty name is none.
    fn stage_name(&self) -> Option<&str> {
        self.stage_name.as_deref().filter(|name| !name.is_empty())
    }

    fn check(&self, reader: &Reader<'_>, api: &str) -> Result<(), Error> {
        if self.canary_settings.is_some() {
            self.check_canary_stage(reader, api)?;
        }
        match self.stage_name() {
            Some(name) => stage::check_name(name),
            None => Ok(()),
        }
    }

    /// A canary is of a stage that is there already.
    fn check_canary_stage(&self, reader: &Reader<'_>, api: &str) -> Result<(), Error> {
        const CONTENT: &str = "Invalid deployment content specified.";
        let Some(name) = self.stage_name() else {
            let given = self.stage_name.as_deref().unwrap_or("null");
            return Err(Error::bad_request(format!(
                "{CONTENT}Non null and non empty stageName must be provided for canary deployment. Provided value is {given}"
            )));
        };
        match reader.get::<Stage>(api, name)? {
            Some(_) => Ok(()),
            None => Err(Error::bad_request(format!(
                "{CONTENT}Stage {name} must already be created before making a canary release deployment"
            ))),
        }
    }

    fn put_stage(&self, tx: &mut Transaction<'_>, deployment: &Deployment) -> Result<(), Error> {
        let Some(name) = self.stage_name() else {
            return Ok(());
        };
        let now = deployment.created_date;
        let found = tx.get::<Stage>(&deployment.rest_api_id, name)?;
        let mut stage = found.unwrap_or_else(|| empty_stage(&deployment.rest_api_id, name, now));
        match self.canary_settings.clone() {
            Some(canary) => stage.canary_settings = Some(canary.of_deployment(&deployment.id)),
            None => stage.deployment_id.clone_from(&deployment.id),
        }
        stage.last_updated_date = now;
        if let Some(description) = &self.stage_description {
            stage.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        if let Some(variables) = &self.variables {
            stage.variables = Some(variables.clone()).filter(|variables| !variables.is_empty());
        }
        if let Some(enabled) = self.cache_cluster_enabled {
            stage.cache_cluster_enabled = enabled;
        }
        if self.cache_cluster_size.is_some() {
            stage
                .cache_cluster_size
                .clone_from(&self.cache_cluster_size);
        }
        stage.tracing_enabled = self.tracing_enabled.unwrap_or(stage.tracing_enabled);
        stage::check(tx, &mut stage)?;
        tx.put(&stage)?;
        Ok(())
    }
}

fn empty_stage(api: &str, name: &str, now: Timestamp) -> Stage {
    Stage {
        rest_api_id: api.to_owned(),
        stage_name: name.to_owned(),
        created_date: now,
        ..Stage::default()
    }
}

/// Copies what a call needs. There must be methods, each with an integration.
fn freeze(
    reader: &Reader<'_>,
    api: &RestApi,
    deployment_id: &str,
) -> Result<DeploymentContent, Error> {
    let content = content_of(reader, api, deployment_id)?;
    let methods = || {
        content
            .resources
            .iter()
            .flat_map(|resource| resource.resource_methods.values())
    };
    if methods().next().is_none() {
        return Err(Error::bad_request(
            "The REST API doesn't contain any methods",
        ));
    }
    if methods().any(|method| method.method_integration.is_none()) {
        return Err(Error::bad_request("No integration defined for method"));
    }
    Ok(content)
}

/// What a deployment made now would consist of.
pub fn content_of(
    reader: &Reader<'_>,
    api: &RestApi,
    deployment_id: &str,
) -> Result<DeploymentContent, Error> {
    Ok(DeploymentContent {
        deployment_id: deployment_id.to_owned(),
        resources: reader.list(&api.id)?,
        api_key_source: api.api_key_source,
        binary_media_types: api.binary_media_types.clone(),
        minimum_compression_size: api.minimum_compression_size,
        disable_execute_api_endpoint: api.disable_execute_api_endpoint,
        models: reader.list(&api.id)?,
        request_validators: reader.list(&api.id)?,
        authorizers: reader.list(&api.id)?,
        gateway_responses: reader.list(&api.id)?,
    })
}

/// A deployment as it is answered.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    deployment: Deployment,
    #[serde(rename = "apiSummary", skip_serializing_if = "Option::is_none")]
    api_summary: Option<Summary>,
}

/// Methods by verb, by path.
type Summary = BTreeMap<String, BTreeMap<String, MethodSnapshot>>;

/// What a summary tells of a method.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MethodSnapshot {
    authorization_type: String,
    api_key_required: bool,
}

fn summary(content: &DeploymentContent) -> Summary {
    let with_methods = content
        .resources
        .iter()
        .filter(|resource| !resource.resource_methods.is_empty());
    let of = |resource: &Resource| {
        let snapshots = resource.resource_methods.iter().map(|(verb, method)| {
            let snapshot = MethodSnapshot {
                authorization_type: method.authorization_type.clone(),
                api_key_required: method.api_key_required,
            };
            (verb.clone(), snapshot)
        });
        (resource.path.clone(), snapshots.collect())
    };
    with_methods.map(of).collect()
}

#[cfg(test)]
mod tests;
