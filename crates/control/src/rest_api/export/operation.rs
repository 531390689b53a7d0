//! A method becomes an operation: parameters, bodies, responses, what it requires.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_entity::{Method, MethodResponse};

use super::document::put;
use super::{Dialect, Export, integration, schema, security};
use crate::rest_api::definition::Definition;
use crate::rest_api::node::{Members, Node};

/// Writes a method.
pub fn write(method: &Method, definition: &Definition, export: &Export) -> Node {
    let mut operation = Members::new();
    if let Some(name) = &method.operation_name {
        operation.insert("operationId".into(), name.as_str().into());
    }
    if export.dialect == Dialect::Swagger {
        put_types(&mut operation, "consumes", consumed(method));
        put_types(&mut operation, "produces", produced(method));
    }
    let mut parameters = parameters(method, export.dialect);
    match (export.dialect, method.request_models.as_ref().and_then(one)) {
        (Dialect::Swagger, Some(model)) => parameters.push(body_parameter(model)),
        (Dialect::OpenApi, Some(_)) => {
            let content = content(method.request_models.as_ref());
            let body = [
                ("content".to_owned(), content.into()),
                ("required".to_owned(), true.into()),
            ];
            operation.insert("requestBody".into(), Members::from_iter(body).into());
        }
        (_, None) => {}
    }
    if !parameters.is_empty() {
        // Before the body, as AWS orders them.
        operation.insert("parameters".into(), Node::List(parameters));
        if let Some(body) = operation.shift_remove("requestBody") {
            operation.insert("requestBody".into(), body);
        }
    }
    let responses = method.method_responses.iter().flatten();
    let responses =
        responses.map(|(code, response)| (code.clone(), self::response(response, export.dialect)));
    let responses = Members::from_iter(responses);
    if !responses.is_empty() || export.dialect == Dialect::OpenApi {
        operation.insert("responses".into(), responses.into());
    }
    if let Some(required) = security::required(method, definition) {
        operation.insert("security".into(), required);
    }
    if let Some(validator) = &method.request_validator_id
        && export.extensions.validators
    {
        operation.insert(
            "x-amazon-apigateway-request-validator".into(),
            validator.as_str().into(),
        );
    }
    if let Some(own) = &method.method_integration
        && export.extensions.integrations
    {
        operation.insert(
            "x-amazon-apigateway-integration".into(),
            integration::write(own),
        );
    }
    operation.into()
}

fn put_types(operation: &mut Members, name: &str, types: BTreeSet<&str>) {
    if !types.is_empty() {
        operation.insert(name.into(), types.into_iter().collect());
    }
}

/// What a Swagger operation takes: the types of its models, or without one those of its templates.
fn consumed(method: &Method) -> BTreeSet<&str> {
    let integration = method.method_integration.as_ref();
    let templates = integration.and_then(|own| own.request_templates.as_ref());
    let models: BTreeSet<&str> = keys(method.request_models.as_ref()).collect();
    if models.is_empty() {
        keys(templates).collect()
    } else {
        models
    }
}

/// What a Swagger operation makes, likewise.
fn produced(method: &Method) -> BTreeSet<&str> {
    let responses = method.method_responses.iter().flat_map(|all| all.values());
    let models: BTreeSet<&str> = responses
        .flat_map(|one| keys(one.response_models.as_ref()))
        .collect();
    if !models.is_empty() {
        return models;
    }
    let integration = method.method_integration.as_ref();
    let responses = integration.and_then(|own| own.integration_responses.as_ref());
    let responses = responses.iter().flat_map(|all| all.values());
    responses
        .flat_map(|one| keys(one.response_templates.as_ref()))
        .collect()
}

fn keys<V>(map: Option<&BTreeMap<String, V>>) -> impl Iterator<Item = &str> {
    map.into_iter()
        .flat_map(|map| map.keys().map(String::as_str))
}

/// The model that stands for all: a Swagger body has one schema. That for JSON goes first.
fn one(models: &BTreeMap<String, String>) -> Option<&str> {
    let json = models.get("application/json");
    json.or_else(|| models.values().next()).map(String::as_str)
}

fn parameters(method: &Method, dialect: Dialect) -> Vec<Node> {
    let declared = method.request_parameters.iter().flatten();
    let written = declared.filter_map(|(key, required)| {
        let (part, name) = key.strip_prefix("method.request.")?.split_once('.')?;
        let place = match part {
            "querystring" => "query",
            "path" | "header" => part,
            _ => return None,
        };
        let mut parameter = Members::from_iter([
            ("name".to_owned(), name.into()),
            ("in".to_owned(), place.into()),
        ]);
        if *required || dialect == Dialect::Swagger || place == "path" {
            parameter.insert("required".into(), (*required).into());
        }
        typed(&mut parameter, dialect);
        Some(parameter.into())
    });
    written.collect()
}

/// Parameters and headers are texts to the gateway.
fn typed(members: &mut Members, dialect: Dialect) {
    let kind = ("type".to_owned(), Node::from("string"));
    match dialect {
        Dialect::Swagger => drop(members.insert(kind.0, kind.1)),
        Dialect::OpenApi => {
            drop(members.insert("schema".into(), Members::from_iter([kind]).into()))
        }
    }
}

fn body_parameter(model: &str) -> Node {
    let members = [
        ("in".to_owned(), "body".into()),
        ("name".to_owned(), model.into()),
        ("required".to_owned(), true.into()),
        (
            "schema".to_owned(),
            schema::reference(Dialect::Swagger, model),
        ),
    ];
    Members::from_iter(members).into()
}

fn content(models: Option<&BTreeMap<String, String>>) -> Members {
    let each = models.into_iter().flatten().map(|(content_type, model)| {
        let schema = schema::reference(Dialect::OpenApi, model);
        let media = Members::from_iter([("schema".to_owned(), schema)]);
        (content_type.clone(), media.into())
    });
    each.collect()
}

fn response(response: &MethodResponse, dialect: Dialect) -> Node {
    let description = format!("{} response", response.status_code);
    let mut members = Members::from_iter([("description".to_owned(), description.into())]);
    let model = response.response_models.as_ref().and_then(one);
    if let (Dialect::Swagger, Some(model)) = (dialect, model) {
        members.insert("schema".into(), schema::reference(dialect, model));
    }
    let headers = keys(response.response_parameters.as_ref()).filter_map(|key| {
        let name = key.strip_prefix("method.response.header.")?;
        let mut header = Members::new();
        typed(&mut header, dialect);
        Some((name.to_owned(), header.into()))
    });
    put(&mut members, "headers", headers.collect());
    if dialect == Dialect::OpenApi {
        members.insert(
            "content".into(),
            content(response.response_models.as_ref()).into(),
        );
    }
    members.into()
}
