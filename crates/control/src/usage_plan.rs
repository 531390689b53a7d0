//! UsagePlan: which stages a key may call, how fast and how often. CreateUsagePlan, GetUsagePlan(s), UpdateUsagePlan, DeleteUsagePlan.

mod changes;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_entity::{ApiStage, QuotaSettings, Tags, ThrottleSettings, UsagePlan, id};
use tollgate_store::{Reader, Transaction};

use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::{Items, Page};
use crate::patch::PatchDocument;
use crate::{Control, audit, coverage, find, patch, shown};

/// What CreateUsagePlan is given.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewUsagePlan {
    name: Option<String>,
    description: Option<String>,
    api_stages: Option<Vec<NewApiStage>>,
    throttle: Option<ThrottleSettings>,
    quota: Option<NewQuota>,
    tags: Option<Tags>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct NewApiStage {
    api_id: Option<String>,
    stage: Option<String>,
    throttle: Option<BTreeMap<String, ThrottleSettings>>,
}

/// Text where the entity has an enumeration: AWS refuses a bad period in its own words.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct NewQuota {
    limit: Option<i32>,
    offset: Option<i32>,
    period: Option<String>,
}

/// CreateUsagePlan.
pub async fn create(
    control: Control,
    caller: Caller,
    Json(new): Json<NewUsagePlan>,
) -> Result<Json<UsagePlan>, Error> {
    let audit = caller.audit(audit::masked(json!(new)));
    let plan = new.into_plan(id::six(&mut control.rng()))?.validated()?;
    let change = move |transaction: &mut Transaction<'_>| {
        transaction.audit_mut().what["id"] = json!(plan.id);
        let nothing = UsagePlan::default();
        coverage::check_new_stages(transaction, &nothing, &plan)?;
        coverage::check_new_methods(transaction, &nothing, &plan)?;
        transaction.insert(&plan)?;
        Ok::<_, Error>(plan)
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

impl NewUsagePlan {
    fn into_plan(self, id: String) -> Result<UsagePlan, Error> {
        let mut plan = UsagePlan {
            id,
            name: self.name.unwrap_or_default(),
            description: self.description.filter(|text| !text.is_empty()),
            throttle: self.throttle,
            quota: self.quota.map(NewQuota::into_quota).transpose()?,
            tags: self.tags.unwrap_or_default(),
            ..UsagePlan::default()
        };
        for entry in self.api_stages.unwrap_or_default() {
            let entry = entry.into_entry()?;
            // The same stage twice is one entry, as it is when it is added twice.
            match plan
                .api_stages
                .iter_mut()
                .find(|known| known.api_id == entry.api_id && known.stage == entry.stage)
            {
                Some(known) => known.throttle.extend(entry.throttle),
                None => plan.api_stages.push(entry),
            }
        }
        Ok(plan)
    }
}

impl NewApiStage {
    fn into_entry(self) -> Result<ApiStage, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (Some(api_id), Some(stage)) = (given(self.api_id), given(self.stage)) else {
            // AWS forgets to fill the text in, and clients compare it.
            return Err(Error::bad_request(
                "Invalid API Stage {api: %s, stage: %s} specified for usageplan %s",
            ));
        };
        let throttle = self.throttle.unwrap_or_default();
        let throttle = throttle
            .into_iter()
            .map(|(name, throttle)| (patch::unescape(&name), throttle))
            .collect();
        Ok(ApiStage {
            api_id,
            stage,
            throttle,
        })
    }
}

impl NewQuota {
    fn into_quota(self) -> Result<QuotaSettings, Error> {
        let period = self
            .period
            .as_deref()
            .map(changes::read_period)
            .transpose()?;
        Ok(QuotaSettings {
            limit: self.limit,
            offset: self.offset.unwrap_or(0),
            period,
        })
    }
}

/// GetUsagePlan.
pub async fn get(control: Control, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let plan = control
        .store
        .read(move |reader| find::usage_plan(reader, &id))
        .await?;
    shown::with_tags(&plan)
}

/// GetUsagePlans: all, or those that have the key `keyId`.
pub async fn list(
    control: Control,
    page: Page,
    query: Query,
) -> Result<Json<Items<UsagePlan>>, Error> {
    let page = page.oldest_first()?;
    let look = move |reader: &Reader<'_>| match query.first("keyId") {
        Some(key_id) => Ok(reader.plans_of_key(key_id, &page)?),
        None => Ok::<_, Error>(reader.page("", &page, |_| true)?),
    };
    Ok(Json(control.store.read(look).await?.into()))
}

/// UpdateUsagePlan: the whole batch or nothing; the plan is checked once, as the batch leaves it.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(id): Path<String>,
    patch: PatchDocument,
) -> Result<Json<Value>, Error> {
    let audit =
        caller.audit(json!({ "usagePlanId": id, "patchOperations": patch.patch_operations }));
    let change = move |transaction: &mut Transaction<'_>| {
        let before = find::usage_plan(transaction, &id)?;
        let mut plan = before.clone();
        patch.apply(&mut plan)?;
        let plan = plan.validated()?;
        coverage::check_new_stages(transaction, &before, &plan)?;
        coverage::check_new_methods(transaction, &before, &plan)?;
        transaction.put(&plan)?;
        Ok::<_, Error>(plan)
    };
    shown::with_tags(&control.store.commit(audit, change).await?)
}

/// DeleteUsagePlan: refused while it covers stages; its keys live on.
pub async fn delete(control: Control, caller: Caller, Path(id): Path<String>) -> Result<(), Error> {
    let audit = caller.audit(json!({ "usagePlanId": id }));
    let change = move |transaction: &mut Transaction<'_>| {
        let plan = find::usage_plan(transaction, &id)?;
        if let Some(entry) = plan.api_stages.first() {
            let (api_id, stage) = (&entry.api_id, &entry.stage);
            return Err(Error::bad_request(format!(
                "Cannot delete Usage Plan {id} because there are API Stages associated with it, including {api_id}:{stage}"
            )));
        }
        transaction.delete_plan_keys(&id)?;
        transaction.delete::<UsagePlan>("", &id)?;
        Ok::<_, Error>(())
    };
    control.store.commit(audit, change).await
}

#[cfg(test)]
mod tests;
