//! ApiKey: who calls, for metering. CreateApiKey, GetApiKey(s), UpdateApiKey, DeleteApiKey; ImportApiKeys in `import_keys`.

pub mod import;
mod import_keys;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_entity::{ApiKey, Tags, api_key, id};
use tollgate_store::{Reader, StoreError, Transaction};

pub use import_keys::{import_csv, preview as preview_import};

use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, add, remove, replace};
use crate::{Control, audit, find, shown};

/// What CreateApiKey is given; `generateDistinctId` is of no effect since ids are always distinct.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewApiKey {
    name: Option<String>,
    description: Option<String>,
    enabled: Option<bool>,
    value: Option<String>,
    customer_id: Option<String>,
    stage_keys: Option<Vec<StageKey>>,
    tags: Option<Tags>,
}

/// Deprecated by usage plans on AWS: kept and shown, without effect.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct StageKey {
    rest_api_id: Option<String>,
    stage_name: Option<String>,
}

/// CreateApiKey.
pub async fn create(
    control: Control,
    caller: Caller,
    Json(new): Json<NewApiKey>,
) -> Result<Json<ApiKey>, Error> {
    let audit = caller.audit(audit::masked(json!(new)));
    let value = match new.value.as_deref() {
        None | Some("") => id::key_value(&mut control.rng()),
        Some(value) => {
            api_key::check_value(value)?;
            value.to_owned()
        }
    };
    let key = new
        .into_key(id::ten(&mut control.rng()), &caller)?
        .validated()?;
    let change = move |transaction: &mut Transaction<'_>| {
        transaction.audit_mut().what["id"] = json!(key.id);
        transaction
            .insert_api_key(&key, &value)
            .map_err(|error| match error {
                StoreError::Duplicate => Error::conflict("API Key already exists"),
                other => other.into(),
            })?;
        Ok::<_, Error>(ApiKey {
            value: Some(value),
            ..key
        })
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

impl NewApiKey {
    fn into_key(self, id: String, caller: &Caller) -> Result<ApiKey, Error> {
        let stage_keys = self
            .stage_keys
            .unwrap_or_default()
            .into_iter()
            .map(StageKey::path)
            .collect::<Result<_, _>>()?;
        let unless_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(ApiKey {
            id,
            value: None,
            name: unless_empty(self.name),
            customer_id: unless_empty(self.customer_id),
            description: unless_empty(self.description),
            enabled: self.enabled.unwrap_or(false),
            created_date: caller.at,
            last_updated_date: caller.at,
            stage_keys,
            tags: self.tags.unwrap_or_default(),
        })
    }
}

impl StageKey {
    /// As AWS shows it: `<restApiId>/<stageName>`.
    fn path(self) -> Result<String, Error> {
        match (self.rest_api_id, self.stage_name) {
            (Some(api), Some(stage)) => Ok(format!("{api}/{stage}")),
            _ => Err(invalid_stage_key()),
        }
    }
}

fn invalid_stage_key() -> Error {
    Error::bad_request("Invalid stage key specified, must name a REST API and a stage")
}

/// GetApiKey.
pub async fn get(
    control: Control,
    Path(id): Path<String>,
    query: Query,
) -> Result<Json<Value>, Error> {
    let with_value = query.flag("includeValue");
    let look = move |reader: &Reader<'_>| valued(reader, find::api_key(reader, &id)?, with_value);
    shown::with_tags(&control.store.read(look).await?)
}

/// GetApiKeys: newest first, by the beginning of the name and by customer if asked.
pub async fn list(
    control: Control,
    page: Page,
    query: Query,
) -> Result<Json<Items<ApiKey>>, Error> {
    let page = page.newest_first()?;
    let look = move |reader: &Reader<'_>| {
        let customer_id = query.first("customerId").filter(|id| !id.is_empty());
        let mut listed = reader.api_keys(&page, query.first("name"), customer_id)?;
        let with_values = query.flag("includeValues");
        let keys = listed
            .items
            .into_iter()
            .map(|key| valued(reader, key, with_values));
        listed.items = keys.collect::<Result<_, Error>>()?;
        Ok::<_, Error>(Items::from(listed))
    };
    Ok(Json(control.store.read(look).await?))
}

/// The key with its value, if that is wanted and was kept.
fn valued(reader: &Reader<'_>, key: ApiKey, with_value: bool) -> Result<ApiKey, Error> {
    let value = if with_value {
        reader.api_key_value(&key.id)?
    } else {
        None
    };
    Ok(ApiKey {
        value: value.map(|value| value.expose().to_owned()),
        ..key
    })
}

/// UpdateApiKey.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(id): Path<String>,
    patch: PatchDocument,
) -> Result<Json<Value>, Error> {
    let audit = caller.audit(json!({ "apiKey": id, "patchOperations": patch.patch_operations }));
    let change = move |transaction: &mut Transaction<'_>| {
        let mut key = find::api_key(transaction, &id)?;
        patch.apply(&mut key)?;
        key.last_updated_date = caller.at;
        let key = key.validated()?;
        transaction.put_api_key(&key)?;
        Ok::<_, Error>(key)
    };
    shown::with_tags(&control.store.commit(audit, change).await?)
}

impl Patch for ApiKey {
    #[rustfmt::skip]
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/description", |key, new| new.set(&mut key.description)),
        replace("/enabled",     |key, new| new.set(&mut key.enabled)),
        replace("/name",        |key, new| new.set(&mut key.name)),
        replace("/customerId",  |key, new| new.set(&mut key.customer_id)),
        add(    "/stages",      |key, new| add_stage(key, new.text()?)),
        remove( "/stages",      |key, old| remove_stage(key, old.text()?)),
        add(    "/labels",      |_, _| Ok(())), // a leftover that AWS accepts and shows nowhere
        remove( "/labels",      |_, _| Ok(())),
    ];
    const REFUSAL: PathRefusal = PathRefusal::Listed;
}

fn add_stage(key: &mut ApiKey, stage: &str) -> Result<(), Error> {
    let names_both = stage
        .split_once('/')
        .is_some_and(|(api, stage)| !api.is_empty() && !stage.is_empty());
    if !names_both {
        return Err(invalid_stage_key());
    }
    if !key.stage_keys.iter().any(|known| known == stage) {
        key.stage_keys.push(stage.to_owned());
    }
    // With every one: the search above must not run through what a long batch adds.
    Ok(key.check_stage_keys()?)
}

fn remove_stage(key: &mut ApiKey, stage: &str) -> Result<(), Error> {
    key.stage_keys.retain(|known| known != stage);
    Ok(())
}

/// DeleteApiKey: takes it out of all plans, too.
pub async fn delete(control: Control, caller: Caller, Path(id): Path<String>) -> Result<(), Error> {
    let audit = caller.audit(json!({ "apiKey": id }));
    let change = move |transaction: &mut Transaction<'_>| {
        find::api_key(transaction, &id)?;
        transaction.delete_api_key(&id)?;
        Ok::<_, Error>(())
    };
    control.store.commit(audit, change).await
}

#[cfg(test)]
mod tests;
