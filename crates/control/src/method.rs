//! Method: what a verb on a resource needs, stored inside its resource.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::method::HTTP_METHODS;
use tollgate_entity::{Authorizer, Method, Model, RequestValidator, Resource};
use tollgate_store::Reader;

use crate::check::Check;
use crate::entries;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::mapping;
use crate::patch::{
    Op, Patch, PatchDocument, PatchRule, Patched, PathRefusal, add, entry, remove, replace,
};
use crate::resource::{self, At};
use crate::{Control, authorizer, find};

/// The body of PutMethod.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewMethod {
    authorization_type: Option<String>,
    authorizer_id: Option<String>,
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
        check(reader, &api, method)?;
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
            authorizer_id: self.authorizer_id,
            authorization_scopes: self.authorization_scopes,
            api_key_required: self.api_key_required.unwrap_or_default(),
            request_validator_id: self.request_validator_id,
            operation_name: self.operation_name,
            request_parameters: self.request_parameters,
            request_models: self.request_models,
            ..Method::default()
        };
        check(reader, &resource.rest_api_id, &mut method)?;
        Ok(method)
    }
}

/// Checks a method, and drops what its authorization type has no use for. What it names must be there.
pub(crate) fn check(reader: &Reader<'_>, api: &str, method: &mut Method) -> Result<(), Error> {
    check_authorization(reader, api, method)?;
    method.request_validator_id.take_if(|id| id.is_empty());
    if let Some(id) = &method.request_validator_id
        && reader.get::<RequestValidator>(api, id)?.is_none()
    {
        return Err(Error::bad_request(
            "Invalid Request Validator identifier specified",
        ));
    }
    if let Some(parameters) = &method.request_parameters {
        mapping::check_declared_request(parameters)?;
    }
    check_models(reader, api, method.request_models.as_ref())
}

/// CUSTOM and COGNITO_USER_POOLS need an authorizer of their kind; the others have none.
fn check_authorization(reader: &Reader<'_>, api: &str, method: &mut Method) -> Result<(), Error> {
    method
        .authorization_scopes
        .take_if(|scopes| scopes.is_empty());
    let cognito = method.authorization_type == "COGNITO_USER_POOLS";
    if cognito || method.authorization_type == "CUSTOM" {
        let id = method.authorizer_id.as_deref().unwrap_or_default();
        let found: Option<Authorizer> = reader.get(api, id)?;
        if found.is_none_or(|found| authorizer::serves_cognito(&found) != cognito) {
            return Err(Error::bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
            ));
        }
    } else {
        // AWS ignores it on a method without an authorizer.
        method.authorizer_id = None;
    }
    if !cognito && method.authorization_scopes.is_some() {
        return Err(Error::bad_request(
            "Authorization Scopes are only valid for COGNITO_USER_POOLS authorization type",
        ));
    }
    Ok(())
}

/// Where the first method is that `uses` something, newest resource first: `<path>/<verb>`.
pub(crate) fn first(
    reader: &Reader<'_>,
    api: &str,
    uses: impl Fn(&Method) -> bool,
) -> Result<Option<String>, Error> {
    let resources: Vec<Resource> = reader.list(api)?;
    let mut methods = resources.iter().rev().flat_map(|resource| {
        let methods = resource.resource_methods.iter();
        methods.map(move |(verb, method)| (resource, verb, method))
    });
    let found = methods.find(|(_, _, method)| uses(method));
    Ok(found.map(|(resource, verb, _)| place(resource, verb)))
}

/// A method as AWS's refusals name it: `/pets/GET`, and `//GET` for the root's.
pub(crate) fn place(resource: &Resource, verb: &str) -> String {
    format!("{}/{verb}", resource.path)
}

/// One of AWS's authorization types, in any case.
fn authorization_type(text: &str) -> Result<String, Error> {
    const KNOWN: [&str; 4] = ["NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"];
    let text = text.to_ascii_uppercase();
    match KNOWN.contains(&text.as_str()) {
        true => Ok(text),
        false => Err(Error::bad_request(format!(
            "Invalid authorization type specified. Valid options are {}",
            KNOWN.join(",")
        ))),
    }
}

/// Adds the scope that is the value, or takes it out.
fn patch_scope(method: &mut Method, new: &Patched<'_>) -> Result<(), Error> {
    let scope = new.text()?;
    let scopes = method.authorization_scopes.get_or_insert_default();
    scopes.retain(|known| known != scope);
    if new.op() == Op::Add {
        scopes.push(scope.to_owned());
    }
    Ok(())
}

#[rustfmt::skip]
impl Patch for Method {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/authorizationType",  |method, new| { method.authorization_type = authorization_type(new.text()?)?; Ok(()) }),
        replace("/authorizerId",       |method, new| new.set(&mut method.authorizer_id)),
        replace("/apiKeyRequired",     |method, new| new.set(&mut method.api_key_required)),
        replace("/operationName",      |method, new| new.set(&mut method.operation_name)),
        replace("/requestValidatorId", |method, new| new.set(&mut method.request_validator_id)),
        add(    "/authorizationScopes", patch_scope),
        remove( "/authorizationScopes", patch_scope),
        entry(  "/requestParameters/{name}",     |method, new| entries::patch_declared(&mut method.request_parameters, new)),
        entry(  "/requestModels/{contentType}",  |method, new| entries::patch_model(&mut method.request_models, new)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::PlainOrOps;
}

#[cfg(test)]
mod tests;
