//! RequestValidator: which parts of a request its methods check before their integrations are called.

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::{RequestValidator, RestApi, id};
use tollgate_store::Reader;

use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find, method};

/// Validators an API may have.
const VALIDATORS_PER_API_MAX: usize = 100;

/// The body of CreateRequestValidator.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewRequestValidator {
    name: Option<String>,
    validate_request_body: Option<bool>,
    validate_request_parameters: Option<bool>,
}

/// CreateRequestValidator. AWS tells a missing API as a bad request here.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    Json(new): Json<NewRequestValidator>,
) -> Result<Json<RequestValidator>, Error> {
    let id = id::six(&mut control.rng());
    let audit = caller.audit(json!({"restApiId": api, "requestValidatorId": id, "name": new.name}));
    let created = control.store.commit(audit, move |tx| {
        if tx.get::<RestApi>("", &api)?.is_none() {
            return Err(Error::bad_request("Invalid REST API identifier specified"));
        }
        let validator = RequestValidator {
            rest_api_id: api,
            id,
            name: new.name,
            validate_request_body: new.validate_request_body.unwrap_or_default(),
            validate_request_parameters: new.validate_request_parameters.unwrap_or_default(),
        };
        check(&validator)?;
        if tx.list::<RequestValidator>(&validator.rest_api_id)?.len() >= VALIDATORS_PER_API_MAX {
            return Err(Error::too_many("Request Validators"));
        }
        tx.insert(&validator)?;
        Ok::<_, Error>(validator)
    });
    created.await.map(Json)
}

/// GetRequestValidators: in order of creation.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    page: Page,
) -> Result<Json<Items<RequestValidator>>, Error> {
    let page = page.oldest_first()?;
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        Ok::<_, Error>(reader.page::<RequestValidator>(&api, &page, |_| true)?)
    };
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetRequestValidator.
pub async fn get(
    control: Control,
    Path((api, id)): Path<(String, String)>,
) -> Result<Json<RequestValidator>, Error> {
    let look = move |reader: &Reader<'_>| find(reader, &api, &id);
    control.store.read(look).await.map(Json)
}

/// UpdateRequestValidator.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<RequestValidator>, Error> {
    let audit = caller.audit(
        json!({"restApiId": api, "requestValidatorId": id, "patchOperations": patch.patch_operations}),
    );
    let changed = control.store.commit(audit, move |tx| {
        let mut validator = find(tx, &api, &id)?;
        patch.apply(&mut validator)?;
        tx.put(&validator)?;
        Ok::<_, Error>(validator)
    });
    changed.await.map(Json)
}

/// DeleteRequestValidator: not while a method uses it, which would then check nothing.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "requestValidatorId": id}));
    let done = control.store.commit(audit, move |tx| {
        find(tx, &api, &id)?;
        let uses = method::first(tx, &api, |method| {
            method.request_validator_id.as_ref() == Some(&id)
        })?;
        if let Some(place) = uses {
            return Err(Error::conflict(format!(
                "Cannot delete request validator '{id}', is referenced in method: {place}"
            )));
        }
        tx.delete::<RequestValidator>(&api, &id)?;
        Ok(())
    });
    done.await
}

fn find(reader: &Reader<'_>, api: &str, id: &str) -> Result<RequestValidator, Error> {
    reader
        .get(api, id)?
        .ok_or_else(|| Error::not_found("Invalid Request Validator identifier specified"))
}

/// What holds for every validator.
pub(crate) fn check(validator: &RequestValidator) -> Result<(), Error> {
    match validator.name.as_deref() {
        Some(name) if name.trim().is_empty() => {
            Err(Error::bad_request("Request Validator name cannot be blank"))
        }
        _ => Ok(()),
    }
}

#[rustfmt::skip]
impl Patch for RequestValidator {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/name", |validator, new| { validator.name = Some(new.value().unwrap_or_default().to_owned()); check(validator) }),
        replace("/validateRequestParameters", |validator, new| new.set(&mut validator.validate_request_parameters)),
        replace("/validateRequestBody",       |validator, new| new.set(&mut validator.validate_request_body)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

#[cfg(test)]
mod tests;
