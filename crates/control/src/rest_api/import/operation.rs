//! An operation becomes a method: its parameters, its bodies, its security, its validator.

use std::collections::BTreeMap;

use tollgate_entity::{Method, MethodResponse, RequestValidator};

use super::context::{At, Context, Dialect, Operation};
use super::models;
use super::security::Security;
use crate::mapping;
use crate::rest_api::node::Node;

/// What an operation takes from around it.
pub struct Shared<'s, 'a> {
    pub item: &'s At<'a>,
    pub root: &'s At<'a>,
    pub security: &'s Security,
    pub validators: &'s [RequestValidator],
    pub default_validator: Option<&'s str>,
}

/// The content type of bodies that a Swagger definition says none of.
const JSON: &str = "application/json";

/// Reads the operation at `at`; its integration is read apart.
pub fn read<'a>(
    context: &mut Context<'a>,
    at: &At<'a>,
    of: Operation<'_>,
    shared: &Shared<'_, 'a>,
) -> Method {
    let mut method = Method {
        http_method: of.verb.to_owned(),
        operation_name: at.text("operationId").filter(|name| !name.is_empty()),
        ..Method::default()
    };
    let parameters = parameters(context, at, shared);
    method.request_parameters = declared(context, &parameters, of);
    method.request_models = request_models(context, at, &parameters, of, shared);
    method.method_responses = responses(context, at, of, shared);
    shared.security.apply(context, at, of, &mut method);
    let validator = at.text("x-amazon-apigateway-request-validator");
    let validator = validator.as_deref().or(shared.default_validator);
    method.request_validator_id = validator.filter(|name| !name.is_empty()).map(str::to_owned);
    check(context, of, shared, &method);
    method
}

fn check(context: &mut Context<'_>, of: Operation<'_>, shared: &Shared<'_, '_>, method: &Method) {
    let mut refuse = |error: String| {
        context.fail(format!(
            "Unable to put method '{}' on resource at path '{}': {error}",
            of.verb, of.path
        ));
    };
    if let Some(parameters) = &method.request_parameters {
        if let Err(error) = mapping::check_declared_request(parameters) {
            refuse(error.to_string());
        }
        let is_name = |key: &String| {
            let name = key.splitn(4, '.').nth(3).unwrap_or_default();
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._$-".contains(&byte))
        };
        if !parameters.keys().all(is_name) {
            refuse("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Parameter name should match the following regular expression: ^[a-zA-Z0-9._$-]+$]".to_owned());
        }
    }
    if let Err(error) = mapping::check_content_types(method.request_models.as_ref()) {
        refuse(error.to_string());
    }
    if let Some(name) = &method.request_validator_id
        && !shared
            .validators
            .iter()
            .any(|own| own.name.as_ref() == Some(name))
    {
        refuse(format!(
            "Invalid Request Validator identifier specified: {name}"
        ));
    }
}

/// The path's parameters, those of the operation in place of them where place and name are the same.
fn parameters<'a>(context: &mut Context<'a>, at: &At<'a>, shared: &Shared<'_, 'a>) -> Vec<At<'a>> {
    let mut found: Vec<((String, String), At<'a>)> = Vec::new();
    let lists = [shared.item.get("parameters"), at.get("parameters")];
    for parameter in lists.iter().flatten().flat_map(At::items) {
        let Some(parameter) = context.follow(parameter) else {
            continue;
        };
        let place = parameter.text("in").unwrap_or_default();
        let name = parameter.text("name").unwrap_or_default();
        let key = (place, name);
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = parameter,
            None => found.push((key, parameter)),
        }
    }
    found.into_iter().map(|(_, parameter)| parameter).collect()
}

fn declared(
    context: &mut Context<'_>,
    parameters: &[At<'_>],
    of: Operation<'_>,
) -> Option<BTreeMap<String, bool>> {
    let mut declared = BTreeMap::new();
    for parameter in parameters {
        let place = parameter.text("in").unwrap_or_default();
        let name = parameter.text("name").unwrap_or_default();
        let part = match place.as_str() {
            "path" | "header" => place.as_str(),
            "query" => "querystring",
            "body" if context.dialect == Dialect::Swagger => continue,
            _ => {
                context.warn(format!(
                    "Unsupported parameter '{name}' in '{place}' at {} for method '{} {}'. Ignoring.",
                    parameter.place, of.verb, of.path
                ));
                continue;
            }
        };
        let required = parameter.node.get("required").and_then(Node::flag);
        let required = required.unwrap_or(part == "path");
        declared.insert(format!("method.request.{part}.{name}"), required);
    }
    (!declared.is_empty()).then_some(declared)
}

fn request_models<'a>(
    context: &mut Context<'a>,
    at: &At<'a>,
    parameters: &[At<'a>],
    of: Operation<'_>,
    shared: &Shared<'_, 'a>,
) -> Option<BTreeMap<String, String>> {
    if context.dialect == Dialect::OpenApi {
        let body = at.get("requestBody")?;
        let body = context.follow(body)?;
        return content_models(context, &body, of, "request body");
    }
    let body = parameters
        .iter()
        .find(|at| at.text("in").as_deref() == Some("body"))?;
    let model = models::of_schema(context, &body.get("schema")?, of, "request body")?;
    Some(of_each(content_types(at, shared, "consumes"), &model))
}

/// OpenAPI 3: the models of a body's `content`.
fn content_models<'a>(
    context: &mut Context<'a>,
    body: &At<'a>,
    of: Operation<'_>,
    part: &str,
) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (content_type, media) in body.get("content").iter().flat_map(At::members) {
        if let Some(schema) = media.get("schema")
            && let Some(model) = models::of_schema(context, &schema, of, part)
        {
            found.insert(content_type.to_owned(), model);
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Swagger 2: what the operation says it takes or makes, or the whole definition, or JSON.
fn content_types(at: &At<'_>, shared: &Shared<'_, '_>, name: &str) -> Vec<String> {
    let said = at.texts(name).or_else(|| shared.root.texts(name));
    said.filter(|types| !types.is_empty())
        .unwrap_or_else(|| vec![JSON.to_owned()])
}

fn of_each(content_types: Vec<String>, model: &str) -> BTreeMap<String, String> {
    content_types
        .into_iter()
        .map(|content_type| (content_type, model.to_owned()))
        .collect()
}

fn responses<'a>(
    context: &mut Context<'a>,
    at: &At<'a>,
    of: Operation<'_>,
    shared: &Shared<'_, 'a>,
) -> Option<BTreeMap<String, MethodResponse>> {
    let mut found = BTreeMap::new();
    let written = at.get("responses");
    for (status_code, response) in written.iter().flat_map(At::members) {
        if status_code.starts_with("x-") {
            continue;
        }
        if !matches!(
            status_code.as_bytes(),
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9']
        ) {
            context.warn(format!(
                "Unsupported response '{status_code}' at {} to method '{} {}'. Ignoring.",
                response.place, of.verb, of.path
            ));
            continue;
        }
        let Some(response) = context.follow(response) else {
            continue;
        };
        let part = format!("{status_code} response");
        let response_models = match context.dialect {
            Dialect::OpenApi => content_models(context, &response, of, &part),
            Dialect::Swagger => response
                .get("schema")
                .and_then(|schema| models::of_schema(context, &schema, of, &part))
                .map(|model| of_each(content_types(at, shared, "produces"), &model)),
        };
        let headers: BTreeMap<String, bool> = response
            .get("headers")
            .iter()
            .flat_map(At::members)
            .map(|(name, _)| (format!("method.response.header.{name}"), false))
            .collect();
        let response = MethodResponse {
            status_code: status_code.to_owned(),
            response_parameters: (!headers.is_empty()).then_some(headers),
            response_models,
        };
        check_response(context, of, &response);
        found.insert(status_code.to_owned(), response);
    }
    if written.is_none() {
        context.warn(format!(
            "No responses specified for '{} {}'",
            of.verb, of.path
        ));
    }
    (!found.is_empty()).then_some(found)
}

fn check_response(context: &mut Context<'_>, of: Operation<'_>, response: &MethodResponse) {
    let headers = response.response_parameters.as_ref();
    let checked = headers
        .map_or(Ok(()), mapping::check_declared_response)
        .and_then(|()| mapping::check_content_types(response.response_models.as_ref()));
    if let Err(error) = checked {
        context.fail(format!(
            "Unable to put method response '{}' on '{}' for resource at path '{}': {error}",
            response.status_code, of.verb, of.path
        ));
    }
}
