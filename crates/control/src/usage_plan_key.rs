//! UsagePlanKey: a key in a plan. CreateUsagePlanKey, GetUsagePlanKey(s), DeleteUsagePlanKey.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_entity::ApiKey;
use tollgate_store::{Listed, Reader, Transaction};

use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::{Items, Page};
use crate::{Control, coverage, find};

/// The only type of key there is.
const API_KEY: &str = "API_KEY";

/// What CreateUsagePlanKey is given.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewUsagePlanKey {
    key_id: Option<String>,
    key_type: Option<String>,
}

/// A key as a plan shows it: always with its value, where that was kept.
#[derive(Debug, Serialize)]
pub struct UsagePlanKey {
    id: String,
    #[serde(rename = "type")]
    key_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// CreateUsagePlanKey.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(plan_id): Path<String>,
    Json(new): Json<NewUsagePlanKey>,
) -> Result<Json<UsagePlanKey>, Error> {
    let audit = caller.audit(json!({ "usagePlanId": plan_id, "keyId": new.key_id }));
    if new.key_type.as_deref() != Some(API_KEY) {
        return Err(Error::bad_request(format!(
            "Invalid key type specified. Must be one of [{API_KEY}]"
        )));
    }
    let key_id = new.key_id.unwrap_or_default();
    let change = move |transaction: &mut Transaction<'_>| {
        let plan = find::usage_plan(transaction, &plan_id)?;
        let key = find::api_key(transaction, &key_id)?;
        if let Some(objection) = coverage::objection(transaction, &plan, &key_id)? {
            return Err(objection);
        }
        transaction.insert_plan_key(&plan_id, &key_id)?;
        UsagePlanKey::of(transaction, key)
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

impl UsagePlanKey {
    fn of(reader: &Reader<'_>, key: ApiKey) -> Result<Self, Error> {
        let value = reader
            .api_key_value(&key.id)?
            .map(|value| value.expose().to_owned());
        Ok(Self {
            id: key.id,
            key_type: API_KEY,
            value,
            name: key.name,
        })
    }
}

/// GetUsagePlanKeys: newest association first; an unknown plan has none, as on AWS.
pub async fn list(
    control: Control,
    Path(plan_id): Path<String>,
    page: Page,
    query: Query,
) -> Result<Json<Items<UsagePlanKey>>, Error> {
    let page = page.newest_first()?;
    let look = move |reader: &Reader<'_>| {
        let Listed { items, next } = reader.plan_keys(&plan_id, &page, query.first("name"))?;
        let items = items
            .into_iter()
            .map(|key| UsagePlanKey::of(reader, key))
            .collect::<Result<_, _>>()?;
        Ok::<_, Error>(Items::from(Listed { items, next }))
    };
    Ok(Json(control.store.read(look).await?))
}

/// GetUsagePlanKey.
pub async fn get(
    control: Control,
    Path((plan_id, key_id)): Path<(String, String)>,
) -> Result<Json<UsagePlanKey>, Error> {
    let look = move |reader: &Reader<'_>| {
        let key = find_in_plan(reader, &plan_id, &key_id)?;
        UsagePlanKey::of(reader, key)
    };
    Ok(Json(control.store.read(look).await?))
}

/// DeleteUsagePlanKey: the key lives on, and what it used stays used.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((plan_id, key_id)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({ "usagePlanId": plan_id, "keyId": key_id }));
    let change = move |transaction: &mut Transaction<'_>| {
        find_in_plan(transaction, &plan_id, &key_id)?;
        transaction.delete_plan_key(&plan_id, &key_id)?;
        Ok::<_, Error>(())
    };
    control.store.commit(audit, change).await
}

fn find_in_plan(reader: &Reader<'_>, plan_id: &str, key_id: &str) -> Result<ApiKey, Error> {
    find::usage_plan(reader, plan_id)?;
    let key = find::api_key(reader, key_id)?;
    if reader.plan_key_exists(plan_id, key_id)? {
        Ok(key)
    } else {
        Err(find::unknown_usage_plan())
    }
}

#[cfg(test)]
mod tests;
