//! Method: what a verb on a resource needs, stored inside its resource.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::method::HTTP_METHODS;
use tollgate_entity::{Method, Model, Resource};
use tollgate_store::Reader;

use crate::check::Check;
use crate::entries;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::mapping;
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, add, entry, remove, replace};
use crate::resource::{self, At};
use crate::{Control, find};

/// The body of PutMethod.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewMethod {
    authorization_type: Option<String>,
    api_key_required: Option<bool>,
    operation_name: Option<String>,
    request_parameters: Option<BTreeMap<String, bool>>,
    request_models: Option<BTreeMap<String, String>>,
    request_validator_id: Option<String>,
    authorization_scopes: Option<Vec<String>>,
}

/// PutMethod: only where there is none yet.
pub async fn put(
    control: Control,
    caller: Caller,
    Path(at): Path<At>,
    Json(new): Json<NewMethod>,
) -> Result<Json<Method>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("authorizationType", &new.authorization_type);
    check.finish()?;
    let detail = json!({"apiKeyRequired": new.api_key_required, "authorizationType": new.authorization_type});
    let verb = at.verb.clone();
    let done = resource::change(&control, &caller, &at, detail, move |reader, resource| {
        check_verb(&verb)?;
        let method = new.checked(reader, resource, &verb)?;
        resource.resource_methods.insert(verb, method.clone());
        Ok(method)
    });
    done.await.map(Json)
}

/// GetMethod, with its integration and responses.
pub async fn get(control: Control, Path(at): Path<At>) -> Result<Json<Method>, Error> {
    let look = move |reader: &Reader<'_>| {
        let mut resource = find::resource(reader, &at.api, &at.resource)?;
        resource
            .resource_methods
            .remove(&at.verb)
            .ok_or_else(unknown)
    };
    control.store.read(look).await.map(Json)
}

/// UpdateMethod.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(at): Path<At>,
    patch: PatchDocument,
) -> Result<Json<Method>, Error> {
    let (detail, verb) = (json!(patch.patch_operations), at.verb.clone());
    let done = resource::change(&control, &caller, &at, detail, move |reader, resource| {
        let (api, method) = (resource.rest_api_id.clone(), find(resource, &verb)?);
        patch.apply(method)?;
        check_parts(reader, &api, method)?;
        Ok(method.clone())
    });
    done.await.map(Json)
}

/// DeleteMethod, with its integration and responses.
pub async fn delete(control: Control, caller: Caller, Path(at): Path<At>) -> Result<(), Error> {
    let verb = at.verb.clone();
    let done = resource::change(&control, &caller, &at, json!(null), move |_, resource| {
        resource
            .resource_methods
            .remove(&verb)
            .map(drop)
            .ok_or_else(unknown)
    });
    done.await
}

/// The method of a resource, or AWS's 404.
pub(crate) fn find<'a>(resource: &'a mut Resource, verb: &str) -> Result<&'a mut Method, Error> {
    resource.resource_methods.get_mut(verb).ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::not_found("Invalid Method identifier specified")
}

/// Refuses a verb that AWS does not have, in AWS's words.
pub(crate) fn check_verb(verb: &str) -> Result<(), Error> {
    if HTTP_METHODS.contains(&verb) {
        return Ok(());
    }
    Err(Error::bad_request(format!(
        "Invalid HttpMethod specified. Valid options are {}",
        HTTP_METHODS.join(",")
    )))
}

/// Refuses models that the API does not have.
pub(crate) fn check_models(
    reader: &Reader<'_>,
    api: &str,
    models: Option<&BTreeMap<String, String>>,
) -> Result<(), Error> {
    mapping::check_content_types(models)?;
    for name in models.into_iter().flat_map(BTreeMap::values) {
        if reader.get::<Model>(api, name)?.is_none() {
            return Err(Error::bad_request(format!(
                "Invalid model identifier specified: {name}"
            )));
        }
    }
    Ok(())
}

impl NewMethod {
    fn checked(
        self,
        reader: &Reader<'_>,
        resource: &Resource,
        verb: &str,
    ) -> Result<Method, Error> {
        if resource.resource_methods.contains_key(verb) {
            return Err(Error::conflict("Method already exists for this resource"));
        }
        let mut method = Method {
            http_method: verb.to_owned(),
            authorization_type: authorization_type(&self.authorization_type.unwrap_or_default())?,
            api_key_required: self.api_key_required.unwrap_or_default(),
            operation_name: self.operation_name,
            request_parameters: self.request_parameters,
            request_models: self.request_models,
            ..Method::default()
        };
        set_validator(self.request_validator_id.as_deref())?;
        if self
            .authorization_scopes
            .is_some_and(|scopes| !scopes.is_empty())
        {
            return Err(scopes_without_cognito());
        }
        check_parts(reader, &resource.rest_api_id, &mut method)?;
        Ok(method)
    }
}

fn check_parts(reader: &Reader<'_>, api: &str, method: &mut Method) -> Result<(), Error> {
    if let Some(parameters) = &method.request_parameters {
        mapping::check_declared_request(parameters)?;
    }
    check_models(reader, api, method.request_models.as_ref())
}

/// `NONE` in any case; the others need what is not there yet.
fn authorization_type(text: &str) -> Result<String, Error> {
    match text.to_ascii_uppercase().as_str() {
        "NONE" => Ok("NONE".to_owned()),
        "CUSTOM" | "COGNITO_USER_POOLS" => Err(Error::bad_request(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
        )),
        "AWS_IAM" => Err(Error::bad_request(
            "The authorization type AWS_IAM is not supported yet. Use NONE.",
        )),
        _ => Err(Error::bad_request(
            "Invalid authorization type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS",
        )),
    }
}

/// There are no request validators, so that only none at all is valid.
fn set_validator(id: Option<&str>) -> Result<(), Error> {
    match id {
        None | Some("") => Ok(()),
        Some(_) => Err(Error::bad_request(
            "Invalid Request Validator identifier specified",
        )),
    }
}

fn scopes_without_cognito() -> Error {
    Error::bad_request(
        "Authorization Scopes are only valid for COGNITO_USER_POOLS authorization type",
    )
}

#[rustfmt::skip]
impl Patch for Method {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/authorizationType", |method, new| { method.authorization_type = authorization_type(new.text()?)?; Ok(()) }),
        replace("/authorizerId",      |_, _| Ok(())), // AWS ignores it on a method without an authorizer
        replace("/apiKeyRequired",    |method, new| new.set(&mut method.api_key_required)),
        replace("/operationName",     |method, new| new.set(&mut method.operation_name)),
        replace("/requestValidatorId", |_, new| set_validator(new.value())),
        add("/authorizationScopes",    |_, _| Err(scopes_without_cognito())),
        remove("/authorizationScopes", |_, _| Err(scopes_without_cognito())),
        entry("/requestParameters/{name}",     |method, new| entries::patch_declared(&mut method.request_parameters, new)),
        entry("/requestModels/{contentType}",  |method, new| entries::patch_model(&mut method.request_models, new)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::PlainOrOps;
}

#[cfg(test)]
mod tests;
