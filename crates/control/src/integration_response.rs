//! IntegrationResponse: how an integration's answer becomes the method's, stored inside its resource.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::{Integration, IntegrationResponse, Method, MethodResponse, Resource};
use tollgate_store::Reader;

use crate::check::{self, Check};
use crate::entries;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::integration::{self, CONTENT_HANDLINGS};
use crate::mapping;
use crate::method;
use crate::patch::{Patch, PatchRule, PathRefusal, UncheckedPatch, entry, replace};
use crate::resource::{self, AtResponse};
use crate::{Control, find};

/// The body of PutIntegrationResponse.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewIntegrationResponse {
    selection_pattern: Option<String>,
    response_parameters: Option<BTreeMap<String, String>>,
    response_templates: Option<BTreeMap<String, Option<String>>>,
    content_handling: Option<String>,
}

/// PutIntegrationResponse: in place of the one there.
pub async fn put(
    control: Control,
    caller: Caller,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
    Json(new): Json<NewIntegrationResponse>,
) -> Result<Json<IntegrationResponse>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.status_code(&status_code);
    check.optional(
        "contentHandling",
        new.content_handling.as_deref(),
        &CONTENT_HANDLINGS,
    );
    check.finish()?;
    let (detail, verb) = (json!({"statusCode": status_code}), at.verb.clone());
    let done = resource::change(&control, &caller, &at, detail, move |_, resource| {
        let method = method::find(resource, &verb)?;
        let response = IntegrationResponse {
            status_code,
            selection_pattern: new.selection_pattern,
            response_parameters: new.response_parameters,
            response_templates: new.response_templates.map(integration::kept_templates),
            content_handling: new.content_handling,
        };
        store(method, response)
    });
    done.await.map(Json)
}

/// GetIntegrationResponse.
pub async fn get(
    control: Control,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
) -> Result<Json<IntegrationResponse>, Error> {
    check::status_code(&status_code)?;
    let look = move |reader: &Reader<'_>| {
        let mut resource = find::resource(reader, &at.api, &at.resource)?;
        let integration = integration::find(method::find(&mut resource, &at.verb)?)?;
        find(integration, &status_code).cloned()
    };
    control.store.read(look).await.map(Json)
}

/// UpdateIntegrationResponse.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
    patch: UncheckedPatch,
) -> Result<Json<IntegrationResponse>, Error> {
    let mut check = Check::body_of(caller.operation);
    let patch = patch.checked(&mut check);
    check.status_code(&status_code);
    check.finish()?;
    let detail = json!({"statusCode": status_code, "patchOperations": patch.patch_operations});
    let verb = at.verb.clone();
    let done = resource::change(&control, &caller, &at, detail, move |_, resource| {
        let method = method::find(resource, &verb)?;
        let mut response = find(integration::find(method)?, &status_code)?.clone();
        patch.apply(&mut response)?;
        store(method, response)
    });
    done.await.map(Json)
}

/// DeleteIntegrationResponse.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path(AtResponse { at, status_code }): Path<AtResponse>,
) -> Result<(), Error> {
    check::status_code(&status_code)?;
    let (detail, verb) = (json!({"statusCode": status_code}), at.verb.clone());
    let done = resource::change(&control, &caller, &at, detail, move |_, resource| {
        remove(resource, &verb, &status_code)
    });
    done.await
}

/// Here AWS tells a missing method like a missing integration.
fn remove(resource: &mut Resource, verb: &str, status_code: &str) -> Result<(), Error> {
    let method = resource
        .resource_methods
        .get_mut(verb)
        .ok_or_else(integration::unknown)?;
    let integration = integration::find(method)?;
    find(integration, status_code)?;
    let responses = integration.integration_responses.get_or_insert_default();
    responses.remove(status_code);
    if responses.is_empty() {
        integration.integration_responses = None;
    }
    Ok(())
}

fn find<'a>(
    integration: &'a Integration,
    status_code: &str,
) -> Result<&'a IntegrationResponse, Error> {
    let found = integration
        .integration_responses
        .as_ref()
        .and_then(|responses| responses.get(status_code));
    found.ok_or_else(|| Error::not_found("Invalid Response status code specified"))
}

/// Checks the response against its method and its siblings and puts it in its place.
pub(crate) fn store(
    method: &mut Method,
    response: IntegrationResponse,
) -> Result<IntegrationResponse, Error> {
    let responses = method.method_responses.as_ref();
    let declared = responses.and_then(|responses| responses.get(&response.status_code));
    check_parts(&response, declared)?;
    let integration = integration::find(method)?;
    check_pattern_is_free(integration, &response)?;
    let responses = integration.integration_responses.get_or_insert_default();
    responses.insert(response.status_code.clone(), response.clone());
    Ok(response)
}

/// Checks a response of an integration against what its method declares of that status.
pub(crate) fn check_parts(
    response: &IntegrationResponse,
    declared: Option<&MethodResponse>,
) -> Result<(), Error> {
    if let Some(pattern) = &response.selection_pattern {
        mapping::check_pattern(pattern)?;
    }
    if let Some(parameters) = &response.response_parameters {
        mapping::check_response(
            parameters,
            declared.map(|declared| declared.response_parameters.as_ref()),
        )?;
    }
    mapping::check_content_types(response.response_templates.as_ref())
}

pub(crate) fn check_pattern_is_free(
    integration: &Integration,
    response: &IntegrationResponse,
) -> Result<(), Error> {
    let pattern = pattern_of(response);
    let others = integration
        .integration_responses
        .iter()
        .flat_map(BTreeMap::values);
    let mut others = others.filter(|other| other.status_code != response.status_code);
    if others.any(|other| pattern_of(other) == pattern) {
        let named = if pattern.is_empty() {
            "default"
        } else {
            pattern
        };
        return Err(Error::conflict(format!(
            "Integration response with selection pattern {named} already exists"
        )));
    }
    Ok(())
}

/// Absent and empty are both the default.
fn pattern_of(response: &IntegrationResponse) -> &str {
    response.selection_pattern.as_deref().unwrap_or_default()
}

#[rustfmt::skip]
impl Patch for IntegrationResponse {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/selectionPattern", |response, new| { response.selection_pattern = new.value().map(str::to_owned); Ok(()) }),
        replace("/contentHandling",  |response, new| { response.content_handling = new.one_of("contentHandling", &CONTENT_HANDLINGS)?; Ok(()) }),
        entry("/responseParameters/{name}",       |response, new| entries::patch_mapped(&mut response.response_parameters, new)),
        entry("/responseTemplates/{contentType}", |response, new| entries::patch_template(&mut response.response_templates, new)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::PlainOrOps;
}

#[cfg(test)]
mod tests;
