//! Usage: what keys have used of a plan, and what a key may still use. GetUsage, UpdateUsage.
//!
//! Both show the ledger that enforcement writes. A plan without a quota shows 0 as remaining.

mod days;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use tollgate_entity::{Extension, UsagePlan};
use tollgate_store::{DayUsage, KeyUsage, Ledger, LedgerError, Reader, Transaction, UsagePage};

use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::{self, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find};
use days::{Days, Remaining};

/// Requests that UpdateUsage can leave at most: as large as a quota can be.
pub const REMAINING_MAX: i64 = i32::MAX as i64;

/// The answer of both operations: for every key one `[used, remaining]` a day, oldest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    // In alphabetical order, as AWS sends them.
    end_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    start_date: String,
    usage_plan_id: String,
    values: BTreeMap<String, Vec<[u64; 2]>>,
}

/// GetUsage: the keys that used something, or the one asked for; pages run over keys.
pub async fn get(
    control: Control,
    Path(plan_id): Path<String>,
    page: Page,
    query: Query,
) -> Result<Json<Usage>, Error> {
    let days = Days::of_query(&query)?;
    let key_id = query
        .first("keyId")
        .filter(|id| !id.is_empty())
        .map(str::to_owned);
    let ledger = control.store.ledger().clone();
    if let Err(error) = ledger.flush().await {
        // What is written is right, only not up to this moment.
        tracing::warn!(%error, "GetUsage shows what was written last");
    }
    let today = control.now().day();
    let look = move |reader: &Reader<'_>| {
        let plan = find::usage_plan(reader, &plan_id)?;
        if let Some(key_id) = &key_id {
            find_key(reader, &plan_id, key_id)?;
        }
        let keys = UsagePage {
            position: page.after().map(str::to_owned),
            limit: page.limit,
        };
        let from = days::lead_in(&plan, days.first);
        let mut listed =
            ledger.usage_blocking(&plan_id, key_id.as_deref(), from, days.last, &keys)?;
        if let (Some(key_id), true) = (key_id, listed.keys.is_empty()) {
            listed.keys.push(KeyUsage {
                key_id,
                days: Vec::new(),
            });
        }
        let mut values = BTreeMap::new();
        for key in listed.keys {
            let remaining = Remaining {
                plan: &plan,
                extension: reader.extension(&plan_id, &key.key_id)?,
                today,
            };
            values.insert(
                key.key_id,
                remaining.pairs(&key.days, days.first, days.last),
            );
        }
        let position = listed.next.map(|last| page::encode(&last));
        Ok::<_, Error>(Usage {
            usage_plan_id: plan_id,
            start_date: days.start_date,
            end_date: days.end_date,
            position,
            values,
        })
    };
    Ok(Json(control.store.read(look).await?))
}

/// UpdateUsage: sets what a key may still use in the current window, more or less than before. It ends with the window.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((plan_id, key_id)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<Usage>, Error> {
    let audit = caller.audit(json!({ "usagePlanId": plan_id, "keyId": key_id, "patchOperations": patch.patch_operations }));
    let ledger = control.store.ledger().clone();
    ledger.flush().await?;
    let today = control.now().day();
    let change = move |transaction: &mut Transaction<'_>| {
        let plan = find::usage_plan(transaction, &plan_id)?;
        find_key(transaction, &plan_id, &key_id)?;
        let mut wanted = Wanted::default();
        patch.apply(&mut wanted)?;
        let days = used_in_window(&ledger, &plan, &key_id, today)?;
        let mut extension = transaction.extension(&plan_id, &key_id)?;
        if let Some(remaining) = wanted.remaining {
            let new = extend(&plan, &key_id, &days, today, remaining)?;
            transaction.audit_mut().what["delta"] = json!(new.delta);
            transaction.put_extension(&new)?;
            extension = Some(new);
        }
        let pairs = Remaining {
            plan: &plan,
            extension,
            today,
        }
        .pairs(&days, today, today);
        let date = days::date(today);
        let values = BTreeMap::from([(key_id, pairs)]);
        Ok::<_, Error>(Usage {
            usage_plan_id: plan_id,
            start_date: date.clone(),
            end_date: date,
            position: None,
            values,
        })
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

fn used_in_window(
    ledger: &Ledger,
    plan: &UsagePlan,
    key_id: &str,
    today: i32,
) -> Result<Vec<DayUsage>, Error> {
    let page = UsagePage {
        position: None,
        limit: 1,
    };
    let listed = ledger.usage_blocking(
        &plan.id,
        Some(key_id),
        days::lead_in(plan, today),
        today,
        &page,
    )?;
    Ok(listed
        .keys
        .into_iter()
        .next()
        .map(|key| key.days)
        .unwrap_or_default())
}

/// The extension after which `remaining` requests are left in the window of `today`.
fn extend(
    plan: &UsagePlan,
    key_id: &str,
    days: &[DayUsage],
    today: i32,
    remaining: i64,
) -> Result<Extension, Error> {
    let limit = plan.quota.as_ref().and_then(|quota| quota.limit);
    let (Some(limit), Some(window_start_day)) = (limit, days::window_start(plan, today)) else {
        return Err(Error::bad_request(format!(
            "Usage Plan {} has no quota to extend",
            plan.id
        )));
    };
    let spent: u64 = days
        .iter()
        .map(|day| day.used.saturating_add(day.written_off))
        .sum();
    let spent = i64::try_from(spent).unwrap_or(i64::MAX);
    Ok(Extension {
        plan_id: plan.id.clone(),
        key_id: key_id.to_owned(),
        window_start_day,
        delta: spent
            .saturating_add(remaining)
            .saturating_sub(i64::from(limit)),
    })
}

fn find_key(reader: &Reader<'_>, plan_id: &str, key_id: &str) -> Result<(), Error> {
    if reader.plan_key_exists(plan_id, key_id)? {
        return Ok(());
    }
    Err(Error::not_found("Invalid Key identifier specified"))
}

/// What UpdateUsage can be asked for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    remaining: Option<i64>,
}

impl Patch for Wanted {
    const RULES: &'static [PatchRule<Self>] = &[replace("/remaining", |wanted, new| {
        let mut remaining = 0;
        new.set(&mut remaining)?;
        if !(0..=REMAINING_MAX).contains(&remaining) {
            return Err(Error::bad_request(format!(
                "Invalid remaining quota specified, must be between 0 and {REMAINING_MAX}"
            )));
        }
        wanted.remaining = Some(remaining);
        Ok(())
    })];
    const REFUSAL: PathRefusal = PathRefusal::Listed;
}

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotReadable(_) => Self::internal(error),
            other => Self::ServiceUnavailable(format!(
                "The usage of the last moments is not known: {other}"
            )),
        }
    }
}

#[cfg(test)]
mod tests;
