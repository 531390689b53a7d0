//! Models become schemas, with references to each other as the specification writes them.

use tollgate_entity::Model;
use tollgate_entity::model;

use super::Dialect;
use crate::model::is_default;
use crate::rest_api::definition::Definition;
use crate::rest_api::import::parse;
use crate::rest_api::node::{Members, Node};

/// All schemas by name.
pub fn all(definition: &Definition, dialect: Dialect) -> Members {
    let each = definition.models.iter();
    each.map(|model| (model.name.clone(), schema(model, dialect)))
        .collect()
}

/// The reference to a model.
pub fn reference(dialect: Dialect, model: &str) -> Node {
    let text = pointer(dialect, model);
    Members::from_iter([("$ref".to_owned(), text.into())]).into()
}

fn pointer(dialect: Dialect, model: &str) -> String {
    match dialect {
        Dialect::Swagger => format!("#/definitions/{model}"),
        Dialect::OpenApi => format!("#/components/schemas/{model}"),
    }
}

fn schema(model: &Model, dialect: Dialect) -> Node {
    let text = model.schema.as_deref().unwrap_or("{}");
    let read = parse::parse(text.as_bytes(), usize::MAX);
    let mut node = read.unwrap_or_else(|_| Node::empty());
    localise(&mut node, dialect, &model.name);
    if let Node::Object(members) = &mut node {
        // A definition says which dialect its schemas are in.
        members.shift_remove("$schema");
        if let Some(description) = &model.description
            && !members.contains_key("$ref")
            && !is_default(model)
        {
            let own = members.entry("description".to_owned());
            own.or_insert_with(|| description.as_str().into());
        }
    }
    node
}

/// References to models become references to their schemas; those into the schema itself get its place in front.
fn localise(node: &mut Node, dialect: Dialect, own: &str) {
    match node {
        Node::Object(members) => {
            for (name, value) in members.iter_mut() {
                match value {
                    Node::Text(text) if name == "$ref" => {
                        if let Some((_, model)) = model::reference(text) {
                            *text = pointer(dialect, model);
                        } else if let Some(inside) = text.strip_prefix('#') {
                            *text = format!("{}{inside}", pointer(dialect, own));
                        }
                    }
                    value => localise(value, dialect, own),
                }
            }
        }
        Node::List(items) => items
            .iter_mut()
            .for_each(|item| localise(item, dialect, own)),
        _ => {}
    }
}
