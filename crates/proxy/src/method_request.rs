//! What a method asks of a request before its integration is called: parameters, and a body that fits
//! its model.

mod describe;
mod schema;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use tollgate_entity as entity;
use tollgate_entity::DeploymentContent;

use self::schema::Schema;
use crate::deployed::Misconfigured;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::mapping::expression::path_variables;
use crate::mapping::query;

/// The model of any content type that has none of its own.
const ANY_TYPE: &str = "$default";

/// What a method with a request validator asks for.
#[derive(Debug)]
pub struct MethodRequest {
    required: Vec<Parameter>,
    /// By content type; empty when bodies are not looked at.
    models: Vec<(Box<str>, Arc<Schema>)>,
}

/// A parameter that must be there and not be empty.
#[derive(Debug)]
struct Parameter {
    name: Box<str>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Header(HeaderName),
    /// By its place in the resource's path.
    Path(usize),
    Query,
}

/// Compiles the requests of one deployment's methods; a model is compiled once.
pub struct Compiler<'a> {
    content: &'a DeploymentContent,
    schemas: HashMap<&'a str, Result<Arc<Schema>, Misconfigured>>,
}

impl<'a> Compiler<'a> {
    pub fn new(content: &'a DeploymentContent) -> Self {
        Compiler {
            content,
            schemas: HashMap::new(),
        }
    }

    /// None when the method has no validator, or one that asks for nothing.
    pub fn compile(
        &mut self,
        resource_path: &str,
        method: &'a entity::Method,
    ) -> Result<Option<Box<MethodRequest>>, Misconfigured> {
        let Some(id) = method.request_validator_id.as_deref() else {
            return Ok(None);
        };
        let validators = &self.content.request_validators;
        let validator = validators.iter().find(|validator| validator.id == id);
        let validator = validator
            .ok_or_else(|| Misconfigured::new(format!("there is no request validator {id}")))?;
        let mut request = MethodRequest {
            required: Vec::new(),
            models: Vec::new(),
        };
        if validator.validate_request_parameters {
            request.required = required(resource_path, method)?;
        }
        if validator.validate_request_body {
            for (kind, model) in method.request_models.iter().flatten() {
                request
                    .models
                    .push((kind.as_str().into(), self.schema(model)?));
            }
        }
        let asks = !request.required.is_empty() || !request.models.is_empty();
        Ok(asks.then(|| Box::new(request)))
    }

    fn schema(&mut self, name: &'a str) -> Result<Arc<Schema>, Misconfigured> {
        let models = &self.content.models;
        let compiled = self
            .schemas
            .entry(name)
            .or_insert_with(|| Schema::compile(name, models).map(Arc::new));
        compiled.clone()
    }
}

/// The required parameters, in the order in which AWS lists those that are missing.
fn required(resource_path: &str, method: &entity::Method) -> Result<Vec<Parameter>, Misconfigured> {
    let all = || method.request_parameters.iter().flatten();
    let wanted = all().filter(|(_, is_required)| **is_required);
    let mut required = Vec::new();
    for (target, _) in wanted {
        let bad = || Misconfigured::new(format!("{target} is not a request parameter"));
        let place = target.strip_prefix("method.request.").ok_or_else(bad)?;
        let (place, name) = place.split_once('.').ok_or_else(bad)?;
        let place = match place {
            "header" => Place::Header(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?),
            "path" => {
                let mut variables = path_variables(resource_path);
                let index = variables.position(|(own, _)| own == name);
                // A path that has no such variable never has a value for it.
                Place::Path(index.unwrap_or(usize::MAX))
            }
            "querystring" => Place::Query,
            _ => return Err(bad()),
        };
        required.push(Parameter {
            name: name.into(),
            place,
        });
    }
    required.sort_by_key(|parameter| match parameter.place {
        Place::Header(_) => 0,
        Place::Path(_) => 1,
        Place::Query => 2,
    });
    Ok(required)
}

impl MethodRequest {
    /// Whether the body has to be read before the call goes on.
    pub fn wants_body(&self) -> bool {
        !self.models.is_empty()
    }

    /// Asks for the parameters.
    pub fn check_parameters(&self, call: &Invocation, headers: &HeaderMap) -> Result<(), Refused> {
        let missing = self.required.iter().filter(|one| !one.is_in(call, headers));
        let missing: Vec<&str> = missing.map(|one| &*one.name).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Refused::MissingParameters(missing.join(", ").into())),
        }
    }

    /// Holds the body to the model of its content type. A type without a model is let through, as on AWS.
    pub fn check_body(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Refused> {
        let given = content_type(headers);
        let bare = given.split(';').next().unwrap_or_default().trim();
        let named = |wanted: &str| {
            let mut models = self.models.iter();
            models.find(|(kind, _)| kind.eq_ignore_ascii_case(wanted))
        };
        let model = named(&given)
            .or_else(|| named(bare))
            .or_else(|| named(ANY_TYPE));
        match model {
            Some((_, schema)) => schema
                .check(body)
                .map_err(|faults| Refused::InvalidBody(faults.into())),
            None => Ok(()),
        }
    }
}

/// The content type of a request; JSON where it names none.
pub fn content_type(headers: &HeaderMap) -> Cow<'_, str> {
    let given = headers.get(CONTENT_TYPE);
    let text = given.map(|value| String::from_utf8_lossy(value.as_bytes()));
    text.unwrap_or(Cow::Borrowed("application/json"))
}

impl Parameter {
    fn is_in(&self, call: &Invocation, headers: &HeaderMap) -> bool {
        match &self.place {
            Place::Header(name) => headers.get_all(name).iter().any(|value| !value.is_empty()),
            Place::Path(index) => call
                .path_parameter(*index)
                .is_some_and(|value| !value.is_empty()),
            Place::Query => {
                let mut values = call
                    .uri
                    .query()
                    .into_iter()
                    .flat_map(|q| query::values(q, &self.name));
                values.any(|value| !value.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
