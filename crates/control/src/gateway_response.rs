//! GatewayResponse: how an API words what the gateway itself answers; what it does not define has AWS's form.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::gateway_response::RESPONSE_TYPES;
use tollgate_entity::{GatewayResponse, ResponseType};
use tollgate_store::Reader;

use crate::check::{self, Check};
use crate::entries;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::mapping;
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchRule, Patched, PathRefusal, UncheckedPatch, entry, replace};
use crate::{Control, find};

/// The types in the order AWS's refusals list them.
pub(crate) const TYPES: [&str; 21] = [
    "REQUEST_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "MISSING_AUTHENTICATION_TOKEN",
    "BAD_REQUEST_BODY",
    "INVALID_SIGNATURE",
    "INVALID_API_KEY",
    "BAD_REQUEST_PARAMETERS",
    "AUTHORIZER_FAILURE",
    "UNAUTHORIZED",
    "INTEGRATION_TIMEOUT",
    "ACCESS_DENIED",
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "WAF_FILTERED",
    "QUOTA_EXCEEDED",
    "THROTTLED",
    "API_CONFIGURATION_ERROR",
    "UNSUPPORTED_MEDIA_TYPE",
    "INTEGRATION_FAILURE",
    "EXPIRED_TOKEN",
];
/// The one template there is by default, and its content type.
const JSON_TYPE: &str = "application/json";
const TEMPLATE: &str = "{\"message\":$context.error.messageString}";

/// The body of PutGatewayResponse.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewGatewayResponse {
    pub(crate) status_code: Option<String>,
    pub(crate) response_parameters: Option<BTreeMap<String, String>>,
    pub(crate) response_templates: Option<BTreeMap<String, Option<String>>>,
}

/// PutGatewayResponse: in place of the one there; what is left out has AWS's default.
pub async fn put(
    control: Control,
    caller: Caller,
    Path((api, response_type)): Path<(String, String)>,
    Json(new): Json<NewGatewayResponse>,
) -> Result<Json<GatewayResponse>, Error> {
    let mut check = Check::bare();
    check.one_of("responseType", &response_type, &TYPES);
    if let Some(status_code) = &new.status_code {
        check.status_code(status_code);
    }
    check.finish()?;
    let audit = caller.audit(json!({
        "restApiId": api, "responseType": response_type, "statusCode": new.status_code,
    }));
    let settings = control.settings.clone();
    let put = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        let response = new.checked(&api, known(&response_type)?)?;
        tx.put(&response)?;
        Ok::<_, Error>(response)
    });
    put.await.map(Json)
}

/// GetGatewayResponses: all types by name, with what they have or inherit.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    page: Page,
) -> Result<Json<Items<GatewayResponse>>, Error> {
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        Ok::<_, Error>((reader.list::<GatewayResponse>(&api)?, api))
    };
    let (defined, api) = control.store.read(look).await?;
    let mut all: Vec<GatewayResponse> = RESPONSE_TYPES
        .iter()
        .map(|own| effective(own, &api, &defined))
        .collect();
    all.sort_by(|a, b| a.response_type.cmp(&b.response_type));
    Ok(Json(page.cut(all, |one| one.response_type.clone())))
}

/// GetGatewayResponse.
pub async fn get(
    control: Control,
    Path((api, response_type)): Path<(String, String)>,
) -> Result<Json<GatewayResponse>, Error> {
    let own = checked_type(&response_type)?;
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        let defined: Vec<GatewayResponse> = reader.list(&api)?;
        Ok::<_, Error>(effective(own, &api, &defined))
    };
    control.store.read(look).await.map(Json)
}

/// UpdateGatewayResponse: what was not defined starts from AWS's default and is defined then.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, response_type)): Path<(String, String)>,
    patch: UncheckedPatch,
) -> Result<Json<GatewayResponse>, Error> {
    let mut check = Check::body_of(caller.operation);
    let patch = patch.checked(&mut check);
    check.finish()?;
    let own = checked_type(&response_type)?;
    let audit = caller.audit(json!({
        "restApiId": api, "responseType": response_type, "patchOperations": patch.patch_operations,
    }));
    let settings = control.settings.clone();
    let changed = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        let defined: Option<GatewayResponse> = tx.get(&api, &response_type)?;
        let mut response = defined.unwrap_or_else(|| default(own, &api));
        patch.apply(&mut response)?;
        response.default_response = false;
        check_parts(&response)?;
        tx.put(&response)?;
        Ok::<_, Error>(response)
    });
    changed.await.map(Json)
}

/// DeleteGatewayResponse: back to what AWS gives, or what the type inherits.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, response_type)): Path<(String, String)>,
) -> Result<(), Error> {
    checked_type(&response_type)?;
    let audit = caller.audit(json!({"restApiId": api, "responseType": response_type}));
    let settings = control.settings.clone();
    let done = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        match tx.delete::<GatewayResponse>(&api, &response_type)? {
            true => Ok(()),
            false => Err(Error::not_found("Gateway response type not defined on api")),
        }
    });
    done.await
}

pub(crate) fn checked_type(name: &str) -> Result<&'static ResponseType, Error> {
    let mut check = Check::bare();
    check.one_of("responseType", name, &TYPES);
    check.finish()?;
    known(name)
}

fn known(name: &str) -> Result<&'static ResponseType, Error> {
    ResponseType::named(name)
        .ok_or_else(|| Error::internal(format!("the response type {name} is not in the table")))
}

/// What AWS gives a type by itself.
fn default(own: &ResponseType, api: &str) -> GatewayResponse {
    GatewayResponse {
        rest_api_id: api.to_owned(),
        response_type: own.name.to_owned(),
        status_code: own.status.map(|status| status.to_string()),
        response_parameters: BTreeMap::new(),
        response_templates: BTreeMap::from([(JSON_TYPE.to_owned(), TEMPLATE.to_owned())]),
        default_response: true,
    }
}

/// What a type is on an API: as defined; else as the default of its class is defined, and only the
/// status its own where that leaves it open; else AWS's.
pub(crate) fn effective(
    own: &ResponseType,
    api: &str,
    defined: &[GatewayResponse],
) -> GatewayResponse {
    let named = |name: &str| defined.iter().find(|one| one.response_type == name);
    if let Some(response) = named(own.name) {
        return response.clone();
    }
    let mut response = default(own, api);
    if let Some(inherited) = own.falls_back_to.and_then(named) {
        let inherited = inherited.clone();
        response.status_code = inherited.status_code.or(response.status_code);
        response.response_parameters = inherited.response_parameters;
        response.response_templates = inherited.response_templates;
    }
    response
}

impl NewGatewayResponse {
    /// The response, if it is good. The status must have been checked before.
    pub(crate) fn checked(self, api: &str, own: &ResponseType) -> Result<GatewayResponse, Error> {
        let default = default(own, api);
        let templates = self.response_templates.map(|templates| {
            let kept = templates.into_iter();
            kept.map(|(content_type, text)| (content_type, text.unwrap_or_default()))
                .collect()
        });
        let response = GatewayResponse {
            status_code: self.status_code.or(default.status_code),
            response_parameters: self.response_parameters.unwrap_or_default(),
            response_templates: templates.unwrap_or(default.response_templates),
            default_response: false,
            rest_api_id: default.rest_api_id,
            response_type: default.response_type,
        };
        check_parts(&response)?;
        Ok(response)
    }
}

/// What holds for every gateway response.
pub(crate) fn check_parts(response: &GatewayResponse) -> Result<(), Error> {
    if let Some(status_code) = &response.status_code {
        check::status_code(status_code)?;
    }
    let empty = |map: &BTreeMap<String, String>| map.values().any(String::is_empty);
    for (map, member) in [
        (&response.response_templates, "responseTemplates"),
        (&response.response_parameters, "responseParameters"),
    ] {
        if empty(map) {
            return Err(Error::bad_request(format!(
                "Invalid null or empty value in {member}"
            )));
        }
    }
    mapping::check_gateway_response(&response.response_parameters)?;
    mapping::check_content_types(Some(&response.response_templates))
}

#[rustfmt::skip]
impl Patch for GatewayResponse {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/statusCode", patch_status),
        entry("/responseParameters/{name}",        |response, new| entries::patch_parameter(&mut response.response_parameters, new)),
        entry("/responseTemplates/{contentType}",  |response, new| entries::patch_text(&mut response.response_templates, new)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::Plain;
}

fn patch_status(response: &mut GatewayResponse, new: &Patched<'_>) -> Result<(), Error> {
    let status = new.text()?;
    check::status_code(status)?;
    response.status_code = Some(status.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests;
