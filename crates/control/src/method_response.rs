//! MethodResponse: what a method may answer with one status, stored inside its resource.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::{Method, MethodResponse};
use tollgate_store::Reader;

use crate::check::{self, Check};
use crate::entries;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::mapping;
use crate::method;
use crate::patch::{Patch, PatchRule, PathRefusal, UncheckedPatch, entry};
use crate::resource::{self, AtResponse};
use crate::{Control, find};

/// The body of PutMethodResponse.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewMethodResponse {
    response_parameters: Option<BTreeMap<String, bool>>,
    response_models: Option<BTreeMap<String, String>>,
}

/// PutMethodResponse: only where there is none yet.
pub async fn put(
    control: Control,
    caller: Caller,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
    Json(new): Json<NewMethodResponse>,
) -> Result<Json<MethodResponse>, Error> {
    check::status_code(&status_code)?;
    let (detail, verb) = (json!({"statusCode": status_code}), at.verb.clone());
    let done = resource::change(&control, &caller, &at, detail, move |reader, resource| {
        let api = resource.rest_api_id.clone();
        let method = method::find(resource, &verb)?;
        let response = MethodResponse {
            status_code: status_code.clone(),
            response_parameters: new.response_parameters,
            response_models: new.response_models,
        };
        let responses = method.method_responses.get_or_insert_default();
        if responses.contains_key(&status_code) {
            return Err(Error::conflict("Response already exists for this resource"));
        }
        check_parts(reader, &api, &response)?;
        responses.insert(status_code, response.clone());
        Ok(response)
    });
    done.await.map(Json)
}

/// GetMethodResponse.
pub async fn get(
    control: Control,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
) -> Result<Json<MethodResponse>, Error> {
    check::status_code(&status_code)?;
    let look = move |reader: &Reader<'_>| {
        let mut resource = find::resource(reader, &at.api, &at.resource)?;
        find(method::find(&mut resource, &at.verb)?, &status_code).cloned()
    };
    control.store.read(look).await.map(Json)
}

/// UpdateMethodResponse.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
    patch: UncheckedPatch,
) -> Result<Json<MethodResponse>, Error> {
    let mut check = Check::body_of(caller.operation);
    let patch = patch.checked(&mut check);
    check.status_code(&status_code);
    check.finish()?;
    let detail = json!({"statusCode": status_code, "patchOperations": patch.patch_operations});
    let verb = at.verb.clone();
    let done = resource::change(&control, &caller, &at, detail, move |reader, resource| {
        let api = resource.rest_api_id.clone();
        let response = find(method::find(resource, &verb)?, &status_code)?;
        patch.apply(response)?;
        check_parts(reader, &api, response)?;
        Ok(response.clone())
    });
    done.await.map(Json)
}

/// DeleteMethodResponse.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
) -> Result<(), Error> {
    check::status_code(&status_code)?;
    let (detail, verb) = (json!({"statusCode": status_code}), at.verb.clone());
    let done = resource::change(&control, &caller, &at, detail, move |_, resource| {
        let method = method::find(resource, &verb)?;
        find(method, &status_code)?;
        method
            .method_responses
            .as_mut()
            .map(|responses| responses.remove(&status_code));
        if method
            .method_responses
            .as_ref()
            .is_some_and(BTreeMap::is_empty)
        {
            method.method_responses = None;
        }
        Ok(())
    });
    done.await
}

fn find<'a>(method: &'a mut Method, status_code: &str) -> Result<&'a mut MethodResponse, Error> {
    let found = method
        .method_responses
        .as_mut()
        .and_then(|responses| responses.get_mut(status_code));
    found.ok_or_else(|| Error::not_found("Invalid Response status code specified"))
}

/// What holds for a response of a method.
pub(crate) fn check_parts(
    reader: &Reader<'_>,
    api: &str,
    response: &MethodResponse,
) -> Result<(), Error> {
    if let Some(parameters) = &response.response_parameters {
        mapping::check_declared_response(parameters)?;
    }
    method::check_models(reader, api, response.response_models.as_ref())
}

#[rustfmt::skip]
impl Patch for MethodResponse {
    const RULES: &'static [PatchRule<Self>] = &[
        entry("/responseParameters/{name}",    |response, new| entries::patch_declared(&mut response.response_parameters, new)),
        entry("/responseModels/{contentType}", |response, new| entries::patch_model(&mut response.response_models, new)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::PlainOrOps;
}

#[cfg(test)]
mod tests;
