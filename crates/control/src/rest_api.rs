//! RestApi: one API; making it makes its root resource and its two models, deleting it takes everything along.

pub mod canonical;
mod clone;
pub mod definition;
pub mod export;
pub mod import;
mod json;
mod new;
pub mod node;
mod update;

use serde_json::{Value, json};
use tollgate_entity::{
    Authorizer, Deployment, DeploymentContent, DocumentationPart, DocumentationSnapshot,
    DocumentationVersion, GatewayResponse, Model, RequestValidator, Resource, RestApi, Stage, id,
};
use tollgate_store::{Reader, Transaction};

use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::PatchDocument;
use crate::{Control, base_path_mapping, coverage, find, model, shown};
pub use export::get_export;
pub use import::{import, put_rest_api};
use new::Given;
pub use new::NewRestApi;

/// CreateRestApi.
pub async fn create(
    control: Control,
    caller: Caller,
    Json(mut new): Json<NewRestApi>,
) -> Result<Json<RestApi>, Error> {
    let clone_from = new.clone_from.take().filter(|from| !from.is_empty());
    let given = Given::of(&new);
    let mut api = new.checked(caller.operation)?;
    let mut rng = control.rng();
    api.id = id::ten(&mut rng);
    api.created_date = caller.at;
    api.root_resource_id = id::ten(&mut rng);
    let root = Resource {
        rest_api_id: api.id.clone(),
        id: api.root_resource_id.clone(),
        path: "/".to_owned(),
        ..Resource::default()
    };
    let models = model::defaults(&api.id, &mut rng);
    let audit =
        caller.audit(json!({"restApiId": api.id, "name": api.name, "cloneFrom": clone_from}));
    let settings = control.settings.clone();
    let created = control.store.commit(audit, move |tx| {
        if let Some(from) = clone_from {
            let from = find::rest_api(tx, &settings, &from)?;
            given.leave_rest(&mut api, &from);
            tx.insert(&api)?;
            clone::beneath(tx, &from, &api, &mut rng)?;
            return Ok(api);
        }
        tx.insert(&api)?;
        tx.insert(&root)?;
        for model in &models {
            tx.insert(model)?;
        }
        Ok::<_, Error>(api)
    });
    created.await.map(Json)
}

/// GetRestApis: in order of creation.
pub async fn list(control: Control, page: Page) -> Result<Json<Items<RestApi>>, Error> {
    let page = page.oldest_first()?;
    let look =
        move |reader: &Reader<'_>| Ok::<_, Error>(reader.page::<RestApi>("", &page, |_| true)?);
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetRestApi.
pub async fn get(control: Control, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let settings = control.settings.clone();
    let api = control
        .store
        .read(move |reader| find::rest_api(reader, &settings, &id))
        .await?;
    shown::with_tags(&api)
}

/// UpdateRestApi.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(id): Path<String>,
    patch: PatchDocument,
) -> Result<Json<Value>, Error> {
    let audit = caller.audit(json!({"restApiId": id, "patchOperations": patch.patch_operations}));
    let settings = control.settings.clone();
    let changed = control.store.commit(audit, move |tx| {
        let mut api = find::rest_api(tx, &settings, &id)?;
        patch.apply(&mut api)?;
        update::check(&api)?;
        tx.put(&api)?;
        Ok::<_, Error>(api)
    });
    shown::with_tags(&changed.await?)
}

/// DeleteRestApi, with everything beneath it and its places in usage plans.
pub async fn delete(control: Control, caller: Caller, Path(id): Path<String>) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": id}));
    let settings = control.settings.clone();
    let done = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &id)?;
        base_path_mapping::check_api_unmapped(tx, &id)?;
        remove(tx, &id)
    });
    done.await
}

fn remove(tx: &mut Transaction<'_>, id: &str) -> Result<(), Error> {
    coverage::detach(tx, id, None)?;
    for deployment in tx.list::<Deployment>(id)? {
        tx.delete_children::<DeploymentContent>(&deployment.id)?;
    }
    tx.delete_children::<Stage>(id)?;
    tx.delete_children::<Deployment>(id)?;
    tx.delete_children::<Resource>(id)?;
    tx.delete_children::<Model>(id)?;
    tx.delete_children::<RequestValidator>(id)?;
    tx.delete_children::<Authorizer>(id)?;
    tx.delete_children::<GatewayResponse>(id)?;
    tx.delete_children::<DocumentationPart>(id)?;
    tx.delete_children::<DocumentationVersion>(id)?;
    tx.delete_children::<DocumentationSnapshot>(id)?;
    tx.delete::<RestApi>("", id)?;
    Ok(())
}

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
