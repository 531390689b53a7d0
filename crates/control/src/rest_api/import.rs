//! ImportRestApi and PutRestApi: an OpenAPI definition becomes an API, all of it or nothing.

mod apply;
pub mod base_path;
mod context;
pub mod document;
mod extensions;
mod integration;
mod models;
mod operation;
pub mod parse;
mod security;
mod tree;

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_entity::{Resource, RestApi, id};
use tollgate_store::Transaction;

use self::base_path::BasePath;
use self::document::Read;
use self::parse::ParseError;
use super::new::NewRestApi;
use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::{Control, find, shown};

/// Warnings and errors that an answer lists; further ones are only counted.
const SHOWN_MAX: usize = 1_000;

/// What PutRestApi does with what a definition does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It stays.
    Merge,
    /// It goes.
    Overwrite,
}

impl Mode {
    fn named(name: Option<&str>) -> Result<Self, Error> {
        match name {
            None | Some("" | "merge") => Ok(Mode::Merge),
            Some("overwrite") => Ok(Mode::Overwrite),
            Some(_) => Err(Error::bad_request(
                "Enumeration value of OpenAPI import mode must be \"overwrite\" or \"merge\"",
            )),
        }
    }
}

/// ImportRestApi.
pub async fn import(
    control: Control,
    caller: Caller,
    query: Query,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let mut rng = control.rng();
    let id = id::ten(&mut rng);
    let read = read(&control, &query, &id, body).await?;
    let name = read.definition.name.clone();
    let mut api = NewRestApi::imported(name, &query).checked("CreateRestApi")?;
    api.id = id;
    api.created_date = caller.at;
    api.root_resource_id = id::ten(&mut rng);
    let audit = caller.audit(
        json!({"restApiId": api.id, "name": api.name, "paths": read.definition.paths.len()}),
    );
    let fail_on_warnings = query.flag("failonwarnings");
    let imported = control.store.commit(audit, move |tx| {
        tx.insert(&api)?;
        tx.insert(&Resource {
            rest_api_id: api.id.clone(),
            id: api.root_resource_id.clone(),
            path: "/".to_owned(),
            ..Resource::default()
        })?;
        let warnings = put(
            tx,
            &mut api,
            read,
            Mode::Overwrite,
            fail_on_warnings,
            &mut rng,
        )?;
        Ok::<_, Error>((api, warnings))
    });
    let (api, warnings) = imported.await?;
    let api = serde_json::to_value(api).map_err(Error::internal)?;
    Ok(Json(with_warnings(api, warnings)))
}

/// PutRestApi.
pub async fn put_rest_api(
    control: Control,
    caller: Caller,
    Path(id): Path<String>,
    query: Query,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let mode = Mode::named(query.first("mode"))?;
    let read = read(&control, &query, &id, body).await?;
    let audit = caller.audit(json!({"restApiId": id, "mode": format!("{mode:?}").to_lowercase(), "paths": read.definition.paths.len()}));
    let settings = control.settings.clone();
    let fail_on_warnings = query.flag("failonwarnings");
    let mut rng = control.rng();
    let done = control.store.commit(audit, move |tx| {
        let mut api = find::rest_api(tx, &settings, &id)?;
        let warnings = put(tx, &mut api, read, mode, fail_on_warnings, &mut rng)?;
        Ok::<_, Error>((api, warnings))
    });
    let (api, warnings) = done.await?;
    let Json(api) = shown::with_tags(&api)?;
    Ok(Json(with_warnings(api, warnings)))
}

/// Reads a definition where it holds up no other call.
async fn read(control: &Control, query: &Query, api: &str, body: Bytes) -> Result<Read, Error> {
    let base_path = BasePath::named(query.first("basepath"))?;
    let limit = control.settings.max_definition_bytes;
    let api = api.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let root = parse::parse(&body, limit)?;
        document::read(&root, &api, base_path)
    });
    Ok(reading.await.map_err(Error::internal)??)
}

/// Applies what was read, or tells everything that is wrong with it. Answers the warnings.
fn put(
    tx: &mut Transaction<'_>,
    api: &mut RestApi,
    read: Read,
    mode: Mode,
    fail_on_warnings: bool,
    rng: &mut impl rand::CryptoRng,
) -> Result<Vec<String>, Error> {
    let Read {
        definition,
        warnings,
        mut errors,
    } = read;
    errors.extend(apply::apply(tx, api, definition, mode, rng)?);
    if !errors.is_empty() {
        let mut text = format!("Errors found during import:\n\t{}", listed(errors));
        if !warnings.is_empty() {
            text.push_str("\nAdditionally, these warnings were found:\n\t");
            text.push_str(&listed(warnings));
        }
        return Err(Error::bad_request(text));
    }
    if fail_on_warnings && !warnings.is_empty() {
        return Err(Error::bad_request(format!(
            "Warnings found during import:\n\t{}",
            listed(warnings)
        )));
    }
    Ok(shortened(warnings))
}

fn listed(texts: Vec<String>) -> String {
    shortened(texts).join("\n\t")
}

fn shortened(mut texts: Vec<String>) -> Vec<String> {
    let more = texts.len().saturating_sub(SHOWN_MAX);
    texts.truncate(SHOWN_MAX);
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts
}

fn with_warnings(mut api: Value, warnings: Vec<String>) -> Value {
    if !warnings.is_empty() {
        api["warnings"] = json!(warnings);
    }
    api
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::bad_request(error.to_string())
    }
}

#[cfg(test)]
mod tests;
