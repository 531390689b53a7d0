//! ImportApiKeys: the rows of a CSV file become keys and plan keys, in one commit; PreviewImport, the same taken back.

use std::collections::HashMap;

use bytes::Bytes;
use rand::CryptoRng;
use serde::Serialize;
use serde_json::json;
use tollgate_entity::{ApiKey, Invalid, Timestamp, UsagePlan, id};
use tollgate_store::Transaction;

use super::import::{ImportError, ImportedKey, Warning, parse};
use crate::audit::masked_text;
use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Query};
use crate::{Control, coverage};

/// Warnings an answer lists; further ones are only counted.
pub const WARNINGS_SHOWN_MAX: usize = 1_000;
/// Rows a preview lists; further ones are only counted.
pub const ROWS_SHOWN_MAX: usize = 1_000;

/// The answer: `ids` in the order of the rows; `warnings` is there even when it is empty.
#[derive(Debug, Serialize)]
pub struct Imported {
    ids: Vec<String>,
    warnings: Vec<String>,
}

/// ImportApiKeys. With `failonwarnings` any warning leaves everything as it was.
pub async fn import_csv(
    control: Control,
    caller: Caller,
    query: Query,
    body: Bytes,
) -> Result<Json<Imported>, Error> {
    let mut check = Check::bare();
    check.optional("format", query.first("format"), &["csv"]);
    check.finish()?;
    let fail_on_warnings = query.flag("failonwarnings");
    let reading = tokio::task::spawn_blocking(move || parse(&body));
    let (rows, warnings) = reading.await.map_err(Error::internal)??;
    if fail_on_warnings && !warnings.is_empty() {
        return Err(refused(warnings));
    }
    let audit = caller.audit(json!({ "rows": rows.len() }));
    let rng = control.rng();
    let change = move |transaction: &mut Transaction<'_>| {
        let mut import = Import::new(rng, caller.at, warnings);
        for row in rows {
            import.row(transaction, row)?;
        }
        if fail_on_warnings && !import.warnings.is_empty() {
            return Err(refused(import.warnings));
        }
        transaction.audit_mut().what["ids"] = json!(import.ids);
        Ok(Imported {
            ids: import.ids,
            warnings: shown(import.warnings),
        })
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

/// What a row did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Done {
    Created,
    Updated,
}

/// What an import would do.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The first of them, in the order of the file.
    rows: Vec<PreviewRow>,
    created: usize,
    updated: usize,
    /// In the order of their lines, the first of them.
    warnings: Vec<Warning>,
    warning_count: usize,
}

/// A row and what it would do; its value is masked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PreviewRow {
    line: usize,
    name: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    usage_plan_ids: Vec<String>,
    would_be: Done,
}

/// Why the transaction of a preview is taken back.
enum TakenBack {
    Seen(Box<Preview>),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for TakenBack {
    fn from(error: E) -> Self {
        TakenBack::Failed(error.into())
    }
}

/// PreviewImport: does what ImportApiKeys would do and takes it back.
pub async fn preview(
    control: Control,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Preview>, Error> {
    let reading = tokio::task::spawn_blocking(move || parse(&body));
    let (rows, warnings) = reading.await.map_err(Error::internal)??;
    let audit = caller.audit(json!({}));
    let rng = control.rng();
    let look = move |transaction: &mut Transaction<'_>| -> Result<(), TakenBack> {
        let mut import = Import::new(rng, caller.at, warnings);
        let mut preview = Preview::default();
        for row in rows {
            let shown = row.clone();
            let Some(would_be) = import.row(transaction, row)? else {
                continue;
            };
            match would_be {
                Done::Created => preview.created += 1,
                Done::Updated => preview.updated += 1,
            }
            if preview.rows.len() < ROWS_SHOWN_MAX {
                preview.rows.push(PreviewRow {
                    line: shown.line,
                    name: shown.name,
                    value: masked_text(&shown.value),
                    description: shown.description,
                    enabled: shown.enabled,
                    usage_plan_ids: shown.usage_plan_ids,
                    would_be,
                });
            }
        }
        preview.warning_count = import.warnings.len();
        import.warnings.sort();
        import.warnings.truncate(WARNINGS_SHOWN_MAX);
        preview.warnings = import.warnings;
        Err(TakenBack::Seen(Box::new(preview)))
    };
    match control.store.commit(audit, look).await {
        Err(TakenBack::Seen(preview)) => Ok(Json(*preview)),
        Err(TakenBack::Failed(error)) => Err(error),
        Ok(()) => Err(Error::internal("a preview was committed")),
    }
}

/// An import in progress.
struct Import<R> {
    rng: R,
    at: Timestamp,
    /// Plans the rows have named so far; None is a plan that does not exist.
    plans: HashMap<String, Option<UsagePlan>>,
    ids: Vec<String>,
    warnings: Vec<Warning>,
}

impl<R: CryptoRng> Import<R> {
    fn new(rng: R, at: Timestamp, warnings: Vec<Warning>) -> Self {
        Import {
            rng,
            at,
            plans: HashMap::new(),
            ids: Vec::new(),
            warnings,
        }
    }

    /// What became of the row; none when it could not be used.
    fn row(
        &mut self,
        transaction: &mut Transaction<'_>,
        row: ImportedKey,
    ) -> Result<Option<Done>, Error> {
        let (id, done) = match transaction.api_key_by_value(&row.value)? {
            Some(known) => (self.update(transaction, known, &row)?, Done::Updated),
            None => (self.create(transaction, &row)?, Done::Created),
        };
        let Some(id) = id else {
            return Ok(None);
        };
        for plan_id in &row.usage_plan_ids {
            self.add_to_plan(transaction, plan_id, &id, row.line)?;
        }
        self.ids.push(id);
        Ok(Some(done))
    }

    fn create(
        &mut self,
        transaction: &mut Transaction<'_>,
        row: &ImportedKey,
    ) -> Result<Option<String>, Error> {
        let key = ApiKey {
            id: id::ten(&mut self.rng),
            name: Some(row.name.clone()),
            description: row.description.clone(),
            enabled: row.enabled.unwrap_or(true),
            created_date: self.at,
            last_updated_date: self.at,
            ..ApiKey::default()
        };
        let Some(key) = self.usable(key.validated(), row.line) else {
            return Ok(None);
        };
        transaction.insert_api_key(&key, &row.value)?;
        Ok(Some(key.id))
    }

    /// A row whose value is known changes that key; what the row does not say stays.
    fn update(
        &mut self,
        transaction: &mut Transaction<'_>,
        known: ApiKey,
        row: &ImportedKey,
    ) -> Result<Option<String>, Error> {
        let key = ApiKey {
            name: Some(row.name.clone()),
            description: row.description.clone().or(known.description),
            enabled: row.enabled.unwrap_or(known.enabled),
            last_updated_date: self.at,
            ..known
        };
        let Some(key) = self.usable(key.validated(), row.line) else {
            return Ok(None);
        };
        transaction.put_api_key(&key)?;
        Ok(Some(key.id))
    }

    fn add_to_plan(
        &mut self,
        transaction: &mut Transaction<'_>,
        plan_id: &str,
        key_id: &str,
        line: usize,
    ) -> Result<(), Error> {
        if !self.plans.contains_key(plan_id) {
            self.plans
                .insert(plan_id.to_owned(), transaction.get("", plan_id)?);
        }
        let Some(Some(plan)) = self.plans.get(plan_id) else {
            self.warn(line, format!("there is no Usage Plan {plan_id}"));
            return Ok(());
        };
        if transaction.plan_key_exists(plan_id, key_id)? {
            return Ok(());
        }
        match coverage::objection(transaction, plan, key_id)? {
            Some(objection) => self.warn(line, objection.to_string()),
            None => drop(transaction.insert_plan_key(plan_id, key_id)?),
        }
        Ok(())
    }

    fn usable(&mut self, key: Result<ApiKey, Invalid>, line: usize) -> Option<ApiKey> {
        key.map_err(|invalid| self.warn(line, invalid.to_string()))
            .ok()
    }

    fn warn(&mut self, line: usize, text: String) {
        self.warnings.push(Warning { line, text });
    }
}

impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        Self::bad_request(error.to_string())
    }
}

fn refused(warnings: Vec<Warning>) -> Error {
    Error::bad_request(format!(
        "Nothing was imported because of warnings: {}",
        shown(warnings).join("; ")
    ))
}

/// The warnings in order of their lines.
fn shown(mut warnings: Vec<Warning>) -> Vec<String> {
    warnings.sort();
    let more = warnings.len().saturating_sub(WARNINGS_SHOWN_MAX);
    warnings.truncate(WARNINGS_SHOWN_MAX);
    let mut shown: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    if more > 0 {
        shown.push(format!("and {more} more warnings"));
    }
    shown
}

#[cfg(test)]
#[path = "import_keys_tests.rs"]
mod tests;
