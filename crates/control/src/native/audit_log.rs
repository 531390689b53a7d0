//! The audit log as it is read: newest first, by who, by operation, by a word in it.

use serde::Serialize;
use serde_json::Value;
use tollgate_entity::Timestamp;
use tollgate_store::{AuditFilter, AuditRow};

use crate::Control;
use crate::error::Error;
use crate::extract::{Json, Query};
use crate::page::{Items, Page};

/// One change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    revision: i64,
    at: Timestamp,
    who: String,
    operation: String,
    request_id: String,
    source_ip: String,
    /// What was asked for, secrets masked.
    what: Value,
}

/// GetAuditLog: `who` and `operation` whole, `text` anywhere in what was asked for.
pub async fn list(control: Control, page: Page, query: Query) -> Result<Json<Items<Shown>>, Error> {
    let page = page.newest_first()?;
    let given = |name| query.first(name).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        who: given("who").map(str::to_owned),
        operation: given("operation").map(str::to_owned),
        text: given("text").map(str::to_owned),
    };
    let rows = control
        .store
        .read(move |reader| reader.audit_matching(&page, &filter))
        .await?;
    Ok(Json(Items::from(rows).map(shown)))
}

fn shown(row: AuditRow) -> Shown {
    Shown {
        revision: row.seq,
        at: row.audit.at,
        who: row.audit.who,
        operation: row.audit.operation,
        request_id: row.audit.request_id,
        source_ip: row.audit.source_ip,
        what: row.audit.what,
    }
}

#[cfg(test)]
mod tests;
