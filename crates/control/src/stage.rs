//! Stage: a name under which a deployment is called, with variables and method settings of its own.

pub(crate) mod canary;
mod settings;
pub(crate) mod update;
pub(crate) mod variables;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::stage::CacheClusterStatus;
use tollgate_entity::{Deployment, DocumentationVersion, Stage, Tags, Timestamp, tags};
use tollgate_store::Reader;

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::Items;
use crate::patch::PatchDocument;
use crate::{Control, base_path_mapping, client_certificate, coverage, find};
use canary::NewCanary;
pub use settings::Shown;
use update::Change;
pub(crate) use variables::check as check_variables;

/// Sizes of a cache cluster in AWS's model; they are kept and reported.
pub(crate) const CACHE_CLUSTER_SIZES: [&str; 8] =
    ["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"];
/// Characters in a stage's name at most.
const STAGE_NAME_CHARS_MAX: usize = 128;

/// The body of CreateStage.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewStage {
    stage_name: Option<String>,
    deployment_id: Option<String>,
    description: Option<String>,
    cache_cluster_enabled: Option<bool>,
    cache_cluster_size: Option<String>,
    variables: Option<BTreeMap<String, String>>,
    documentation_version: Option<String>,
    canary_settings: Option<NewCanary>,
    tracing_enabled: Option<bool>,
    tags: Option<Tags>,
}

/// CreateStage.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    Json(new): Json<NewStage>,
) -> Result<Json<Shown>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("stageName", &new.stage_name);
    check.present("deploymentId", &new.deployment_id);
    check.optional(
        "cacheClusterSize",
        new.cache_cluster_size.as_deref(),
        &CACHE_CLUSTER_SIZES,
    );
    check.finish()?;
    let audit = caller.audit(
        json!({"restApiId": api, "stageName": new.stage_name, "deploymentId": new.deployment_id}),
    );
    let settings = control.settings.clone();
    let created = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        let stage = new.checked(tx, api, caller.at)?;
        tx.insert(&stage)?;
        Ok::<_, Error>(stage)
    });
    created.await.map(|stage| Json(Shown::of(stage)))
}

/// GetStages: all of them, or those that point at `deploymentId`; never paged.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    query: Query,
) -> Result<Json<Items<Shown>>, Error> {
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        Ok::<Vec<Stage>, Error>(reader.list(&api)?)
    };
    let mut stages = control.store.read(look).await?;
    if let Some(deployment) = query.first("deploymentId").filter(|id| !id.is_empty()) {
        stages.retain(|stage| stage.deployment_id == deployment);
    }
    Ok(Json(Items::whole(
        stages.into_iter().map(Shown::of).collect(),
    )))
}

/// GetStage.
pub async fn get(
    control: Control,
    Path((api, name)): Path<(String, String)>,
) -> Result<Json<Shown>, Error> {
    let stage = control
        .store
        .read(move |reader| find::stage(reader, &api, &name))
        .await?;
    Ok(Json(Shown::of(stage)))
}

/// UpdateStage.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, name)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<Shown>, Error> {
    let audit = caller.audit(
        json!({"restApiId": api, "stageName": name, "patchOperations": patch.patch_operations}),
    );
    let changed = control.store.commit(audit, move |tx| {
        let mut change = Change::of(find::stage(tx, &api, &name)?);
        patch.apply(&mut change)?;
        let stage = Stage {
            last_updated_date: caller.at,
            ..change.checked(tx)?
        };
        tx.put(&stage)?;
        Ok::<_, Error>(stage)
    });
    changed.await.map(|stage| Json(Shown::of(stage)))
}

/// DeleteStage, and its places in usage plans.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, name)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "stageName": name}));
    let done = control.store.commit(audit, move |tx| {
        base_path_mapping::check_stage_unmapped(tx, &api, &name)?;
        if !tx.delete::<Stage>(&api, &name)? {
            return Err(find::unknown_stage());
        }
        coverage::detach(tx, &api, Some(&name))
    });
    done.await
}

impl NewStage {
    fn checked(self, reader: &Reader<'_>, api: String, now: Timestamp) -> Result<Stage, Error> {
        let (name, deployment_id) = (
            self.stage_name.unwrap_or_default(),
            self.deployment_id.unwrap_or_default(),
        );
        check_name(&name)?;
        check_deployment(reader, &api, &deployment_id)?;
        if reader.get::<Stage>(&api, &name)?.is_some() {
            return Err(Error::conflict("Stage already exists"));
        }
        let tags = self.tags.unwrap_or_default();
        tags::check(&tags)?;
        let mut stage = Stage {
            rest_api_id: api,
            stage_name: name,
            canary_settings: self
                .canary_settings
                .map(|canary| canary.of_stage(&deployment_id)),
            deployment_id,
            description: self.description.filter(|text| !text.is_empty()),
            cache_cluster_enabled: self.cache_cluster_enabled.unwrap_or_default(),
            cache_cluster_size: self.cache_cluster_size,
            variables: self.variables.filter(|variables| !variables.is_empty()),
            documentation_version: self.documentation_version.filter(|text| !text.is_empty()),
            tracing_enabled: self.tracing_enabled.unwrap_or_default(),
            tags,
            created_date: now,
            last_updated_date: now,
            ..Stage::default()
        };
        check(reader, &mut stage)?;
        Ok(stage)
    }
}

/// What holds for every stage. What it names must be there; what the cache cluster is follows from whether there is one.
pub(crate) fn check(reader: &Reader<'_>, stage: &mut Stage) -> Result<(), Error> {
    let api = &stage.rest_api_id;
    check_deployment(reader, api, &stage.deployment_id)?;
    if let Some(canary) = &stage.canary_settings {
        canary::check(canary)?;
        check_deployment(reader, api, &canary.deployment_id)?;
    }
    if let Some(version) = &stage.documentation_version
        && reader.get::<DocumentationVersion>(api, version)?.is_none()
    {
        return Err(Error::bad_request(
            "Invalid Documentation version identifier specified",
        ));
    }
    client_certificate::check(reader, stage.client_certificate_id.as_deref())?;
    check_variables(stage.variables.as_ref())?;
    if stage.cache_cluster_enabled {
        let size = &mut stage.cache_cluster_size;
        size.get_or_insert_with(|| CACHE_CLUSTER_SIZES[0].to_owned());
        stage.cache_cluster_status = CacheClusterStatus::Available;
    } else {
        stage.cache_cluster_status = CacheClusterStatus::NotAvailable;
    }
    Ok(())
}

/// FlushStageCache and FlushStageAuthorizersCache: nothing is kept that would have to go.
pub async fn flush(
    control: Control,
    caller: Caller,
    Path((api, name)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "stageName": name}));
    let done = control
        .store
        .commit(audit, move |tx| find::stage(tx, &api, &name).map(drop));
    done.await
}

pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let fine = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !fine {
        return Err(Error::bad_request("Stage name only allows a-zA-Z0-9_-"));
    }
    if name.len() > STAGE_NAME_CHARS_MAX {
        return Err(Error::bad_request(format!(
            "Stage name can be at most {STAGE_NAME_CHARS_MAX} characters."
        )));
    }
    Ok(())
}

fn check_deployment(reader: &Reader<'_>, api: &str, id: &str) -> Result<(), Error> {
    match reader.get::<Deployment>(api, id)? {
        Some(_) => Ok(()),
        None => Err(Error::bad_request("Deployment id does not exist")),
    }
}

#[cfg(test)]
mod tests;
