//! Schemas become models: those declared keep their names, inline ones are given one.

use sha2::{Digest, Sha256};
use tollgate_entity::Model;
use tollgate_entity::model::{reference, reference_to};

use super::context::{At, Context, Dialect, Operation};
use crate::error::Error;
use crate::model::NewModel;
use crate::rest_api::json;
use crate::rest_api::node::{Members, Node};

/// Where schemas are declared.
const PREFIXES: [&str; 2] = ["#/definitions/", "#/components/schemas/"];
/// What AWS's importer calls the schemas that it takes no models from, by type and format.
const UNSUPPORTED: [(&str, &str, &str); 4] = [
    ("string", "StringProperty", "StringSchema"),
    ("integer", "IntegerProperty", "IntegerSchema"),
    ("number", "DecimalProperty", "NumberSchema"),
    ("boolean", "BooleanProperty", "BooleanSchema"),
];

/// Reads the declared schemas.
pub fn declared<'a>(context: &mut Context<'a>, root: &At<'a>) {
    let schemas = match context.dialect {
        Dialect::Swagger => root.get("definitions"),
        Dialect::OpenApi => root.get("components").and_then(|at| at.get("schemas")),
    };
    let schemas: Vec<_> = schemas.iter().flat_map(At::members).collect();
    // First their names: they may refer to each other in any order.
    for (name, _) in &schemas {
        context.models.insert((*name).to_owned(), Model::default());
    }
    for (name, schema) in schemas {
        if is_circle(context, &schema) {
            context.fail(format!(
                "Unable to create model for '{name}': the references at {} are cyclic",
                schema.place
            ));
            continue;
        }
        match model(context, name, &schema) {
            Ok(model) => drop(context.models.insert(name.to_owned(), model)),
            Err(error) => {
                let at = &schema.place;
                context.fail(format!(
                    "Unable to create model for '{name}': {error} (at {at})"
                ));
            }
        }
    }
}

/// The model of a schema, if it is good.
fn model(context: &Context<'_>, name: &str, schema: &At<'_>) -> Result<Model, Error> {
    let new = NewModel {
        name: Some(name.to_owned()),
        description: schema.text("description"),
        schema: Some(json::pretty(&rewritten(
            context,
            schema.node,
            &schema.place,
        ))),
        content_type: Some("application/json".to_owned()),
    };
    let known = |name: &str| context.models.contains_key(name);
    new.checked(context.api, String::new(), known)
}

/// Whether a schema that is nothing but a reference leads back to itself.
fn is_circle<'a>(context: &Context<'a>, schema: &At<'a>) -> bool {
    let mut node = schema.node;
    for _ in 0..=context.models.len() {
        let reference = node.get("$ref").and_then(Node::text);
        let target = reference.and_then(|text| text.strip_prefix('#'));
        match target.and_then(|pointer| context.root.at(pointer)) {
            Some(next) => node = next,
            None => return false,
        }
    }
    true
}

/// The model of a body's schema; none, with a warning, where AWS takes none.
pub fn of_schema<'a>(
    context: &mut Context<'a>,
    schema: &At<'a>,
    of: Operation<'_>,
    part: &str,
) -> Option<String> {
    if let Some(reference) = schema.node.get("$ref").and_then(Node::text) {
        let name = named(reference).unwrap_or(reference);
        if context.models.contains_key(name) {
            return Some(name.to_owned());
        }
        context.warn(format!("Reference to model '{name}' not found. Ignoring."));
        return None;
    }
    if let Some(kind) = unsupported(context.dialect, schema.node) {
        context.warn(format!(
            "Unsupported model type '{kind}' in {part} to method '{} {}'. Ignoring.",
            of.verb, of.path
        ));
        return None;
    }
    inline(context, schema)
}

fn inline<'a>(context: &mut Context<'a>, schema: &At<'a>) -> Option<String> {
    // AWS draws lots; made from its content, the same schema gets the same name each time.
    let digest = Sha256::digest(json::pretty(schema.node).as_bytes());
    for bytes in digest.windows(3) {
        let name = format!("MODEL{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2]);
        let model = match model(context, &name, schema) {
            Ok(model) => Model {
                description: None,
                ..model
            },
            Err(error) => {
                context.fail(format!(
                    "Unable to create a model for the schema at {}: {error}",
                    schema.place
                ));
                return None;
            }
        };
        let other = context.models.get(&name);
        if other.is_none_or(|other| *other == model) {
            context.models.insert(name.clone(), model);
            return Some(name);
        }
    }
    None
}

fn unsupported(dialect: Dialect, schema: &Node) -> Option<&'static str> {
    let Some(kind) = schema.get("type").and_then(Node::text) else {
        let composed = ["allOf", "oneOf", "anyOf", "properties", "items", "not"];
        let says_something = composed.iter().any(|name| schema.get(name).is_some());
        return (!says_something).then_some("Schema");
    };
    let found = UNSUPPORTED.iter().find(|(of, ..)| *of == kind)?;
    Some(match dialect {
        Dialect::Swagger => found.1,
        Dialect::OpenApi => found.2,
    })
}

/// The declared schema that a reference names.
fn named(text: &str) -> Option<&str> {
    PREFIXES
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .or_else(|| reference(text).map(|(_, name)| name))
}

/// The schema with its references as AWS stores them: to models, or into the schema itself. What refers to anything
/// else stays, and is refused with the model.
fn rewritten(context: &Context<'_>, schema: &Node, place: &str) -> Node {
    match schema {
        Node::Object(members) => {
            let each = members.iter().map(|(name, value)| {
                let value = match value {
                    Node::Text(text) if name == "$ref" => Node::Text(stored(context, text, place)),
                    value => rewritten(context, value, place),
                };
                (name.clone(), value)
            });
            Members::from_iter(each).into()
        }
        Node::List(items) => items
            .iter()
            .map(|item| rewritten(context, item, place))
            .collect(),
        other => other.clone(),
    }
}

fn stored(context: &Context<'_>, text: &str, place: &str) -> String {
    if let Some(name) = named(text).filter(|name| context.models.contains_key(*name)) {
        return reference_to(context.api, name);
    }
    let inside = text
        .strip_prefix('#')
        .and_then(|pointer| pointer.strip_prefix(place));
    match inside.filter(|rest| rest.starts_with('/')) {
        Some(rest) => format!("#{rest}"),
        None => text.to_owned(),
    }
}
