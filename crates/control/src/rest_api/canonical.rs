//! Definitions side by side: what two of them say, in a form in which saying the same is being equal.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_entity::Model;

use super::definition::Definition;
use super::export::{Dialect, Export, Extensions, write};
use super::node::{Members, Node};

const ENDPOINT: &str = "x-amazon-apigateway-endpoint-configuration";

/// Whether an API that is `found` so says what is `wanted`. What `wanted` leaves to the API (its version, whether it
/// can be called by its own name, its security policy) may be anything; documentation is not compared.
pub fn says(found: &Definition, wanted: &Definition) -> bool {
    let mut found = canonical(found.clone());
    let wanted = canonical(wanted.clone());
    fn leave<T>(found: &mut Option<T>, wanted: &Option<T>) {
        if wanted.is_none() {
            *found = None;
        }
    }
    leave(&mut found.name, &wanted.name);
    leave(&mut found.version, &wanted.version);
    found.disable_execute_api_endpoint.get_or_insert(false);
    leave(
        &mut found.disable_execute_api_endpoint,
        &wanted.disable_execute_api_endpoint,
    );
    leave(&mut found.security_policy, &wanted.security_policy);
    leave(
        &mut found.endpoint_access_mode,
        &wanted.endpoint_access_mode,
    );
    found == wanted
}

fn canonical(mut definition: Definition) -> Definition {
    definition.documentation.clear();
    definition.api_key_source.get_or_insert_default();
    definition.binary_media_types.get_or_insert_default();
    definition.models = definition.models.into_iter().map(schema).collect();
    for own in &mut definition.models {
        own.id.clear();
        own.rest_api_id.clear();
    }
    for own in &mut definition.request_validators {
        own.id.clear();
        own.rest_api_id.clear();
    }
    for own in &mut definition.authorizers {
        own.id.clear();
        own.rest_api_id.clear();
    }
    for own in &mut definition.gateway_responses {
        own.rest_api_id.clear();
    }
    definition.models.sort_by(|a, b| a.name.cmp(&b.name));
    definition
        .request_validators
        .sort_by(|a, b| a.name.cmp(&b.name));
    definition.authorizers.sort_by(|a, b| a.name.cmp(&b.name));
    definition
        .gateway_responses
        .sort_by(|a, b| a.response_type.cmp(&b.response_type));
    let all: Vec<String> = definition.paths.keys().cloned().collect();
    definition.paths.retain(|path, methods| {
        let below = format!("{}/", path.trim_end_matches('/'));
        let is_leaf = path != "/" && !all.iter().any(|other| other.starts_with(&below));
        is_leaf || !methods.is_empty()
    });
    definition
}

/// The model with its schema's members in order, so that a schema is compared by what it says.
fn schema(model: Model) -> Model {
    let text = model.schema.as_deref().unwrap_or_default();
    let value = serde_json::from_str::<BTreeMap<String, Value>>(text);
    let schema = value.ok().and_then(|mut members| {
        members.remove("$schema");
        serde_json::to_string(&members).ok()
    });
    Model {
        schema: schema.or(model.schema),
        ..model
    }
}

/// The definition as an OpenAPI 3 document that says nothing of where it is called.
pub fn document(definition: &Definition) -> Node {
    let export = Export {
        dialect: Dialect::OpenApi,
        host: String::new(),
        stage: String::new(),
        version: definition.version.clone().unwrap_or_else(|| "1".to_owned()),
        extensions: Extensions::ALL,
    };
    let mut document = write(definition, &export);
    if let Node::Object(members) = &mut document {
        members.shift_remove("servers");
        if definition.disable_execute_api_endpoint == Some(true) {
            let disabled = [("disableExecuteApiEndpoint".to_owned(), Node::Bool(true))];
            members.insert(ENDPOINT.to_owned(), Members::from_iter(disabled).into());
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest_api::import::base_path::BasePath;
    use crate::rest_api::import::{document as read_document, parse};

    fn read(text: &str) -> Definition {
        let root = parse::parse(text.as_bytes(), 1 << 20).unwrap();
        read_document::read(&root, "abc", BasePath::Ignore)
            .unwrap()
            .definition
    }

    #[test]
    fn order_layout_and_what_is_left_open_do_not_matter_but_what_is_said_does() {
        let one = "openapi: 3.0.1\ninfo: {title: t}\npaths: {/a: {}, /a/b: {get: {operationId: x}}}\ncomponents: {schemas: {A: {type: object, title: a}, B: {type: array}}}\n";
        let other = "swagger: '2.0'\ninfo: {title: t, version: '7'}\npaths: {/a/b: {get: {operationId: x}}}\ndefinitions: {B: {type: array}, A: {title: a, type: object}}\n";
        assert!(says(&read(other), &read(one)));
        assert!(!says(&read(one), &read(other)), "the version is said");
        let mut called = read(one);
        called.disable_execute_api_endpoint = Some(false);
        assert!(says(&read(one), &called), "what no document says");
        let changed = other.replace("operationId: x", "operationId: y");
        assert!(!says(&read(&changed), &read(one)));
        assert!(!says(
            &read(&other.replace("title: a,", "title: z,")),
            &read(one)
        ));
    }

    #[test]
    fn a_written_document_says_what_was_read() {
        let text = "openapi: 3.0.1\ninfo: {title: t}\nx-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: true}\npaths: {/a: {get: {responses: {200: {description: a}}}}}\n";
        let definition = read(text);
        let written = serde_json::to_string(&document(&definition)).unwrap();
        assert!(!written.contains("servers"));
        assert!(says(&read(&written), &definition));
    }
}
