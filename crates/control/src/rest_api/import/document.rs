//! A document becomes a definition: what stands at its root, and then path by path.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tollgate_entity::{Method, RequestValidator};

use super::base_path::{self, BasePath};
use super::context::{At, Context, Dialect, Operation};
use super::parse::ParseError;
use super::{extensions, integration, models, operation, security};
use crate::rest_api::definition::Definition;
use crate::rest_api::node::Node;

/// What a document became.
#[derive(Debug)]
pub struct Read {
    pub definition: Definition,
    pub warnings: Vec<String>,
    /// Where there is one, nothing may be applied.
    pub errors: Vec<String>,
}

/// Members of a path item that are methods.
const VERBS: [(&str, &str); 8] = [
    ("get", "GET"),
    ("put", "PUT"),
    ("post", "POST"),
    ("delete", "DELETE"),
    ("options", "OPTIONS"),
    ("head", "HEAD"),
    ("patch", "PATCH"),
    ("x-amazon-apigateway-any-method", "ANY"),
];

/// Reads a document for the API of that id.
pub fn read(root: &Node, api: &str, base_path: BasePath) -> Result<Read, ParseError> {
    let mut context = Context {
        root,
        dialect: dialect(root)?,
        api,
        models: IndexMap::new(),
        warnings: Vec::new(),
        errors: Vec::new(),
    };
    let at = At::root(root);
    let mut definition = Definition::default();
    read_info(&at, &mut definition);
    extensions::read(&mut context, &at, &mut definition);
    models::declared(&mut context, &at);
    let security = security::read(&mut context, &at);
    let prefix = base_path::prefix(&mut context, &at, base_path);
    let validators = &definition.request_validators;
    definition.paths = read_paths(&mut context, &at, &prefix, &security, validators);
    definition.authorizers = security.authorizers();
    extensions::warn_of_unknown(&mut context);
    definition.models = context.models.into_values().collect();
    Ok(Read {
        definition,
        warnings: context.warnings,
        errors: context.errors,
    })
}

fn dialect(root: &Node) -> Result<Dialect, ParseError> {
    let version = |name: &str| root.get(name).and_then(Node::scalar);
    match (version("swagger"), version("openapi")) {
        (Some(version), None) if version == "2.0" || version == "2" => Ok(Dialect::Swagger),
        (None, Some(version)) if version.starts_with("3.0") => Ok(Dialect::OpenApi),
        (None, Some(version)) => Err(ParseError::Version(version)),
        _ => Err(ParseError::Unreadable(
            "it says neither `swagger: \"2.0\"` nor `openapi: 3.0.1`".to_owned(),
        )),
    }
}

fn read_info(root: &At<'_>, definition: &mut Definition) {
    if let Some(info) = root.get("info") {
        let text = |name| info.text(name).filter(|text| !text.is_empty());
        definition.name = text("title");
        definition.description = text("description");
        definition.version = text("version");
    }
}

fn read_paths<'a>(
    context: &mut Context<'a>,
    root: &At<'a>,
    prefix: &str,
    security: &security::Security,
    validators: &[RequestValidator],
) -> IndexMap<String, BTreeMap<String, Method>> {
    let mut paths: IndexMap<String, BTreeMap<String, Method>> = IndexMap::new();
    let default_validator = root.text("x-amazon-apigateway-request-validator");
    for (written, item) in root.get("paths").iter().flat_map(At::members) {
        if written.starts_with("x-") {
            continue;
        }
        if !written.starts_with('/') {
            context.warn(format!(
                "Parse issue: attribute paths. Resource {written} should start with /"
            ));
            continue;
        }
        let Some(item) = context.follow(item) else {
            continue;
        };
        let path = joined(prefix, written);
        let methods = paths.entry(path.clone()).or_default();
        for (member, verb) in VERBS {
            let Some(at) = item.get(member) else {
                continue;
            };
            let of = Operation { path: &path, verb };
            let shared = operation::Shared {
                item: &item,
                root,
                security,
                validators,
                default_validator: default_validator.as_deref(),
            };
            let mut method = operation::read(context, &at, of, &shared);
            integration::read(context, &at, of, &mut method);
            if methods.insert(verb.to_owned(), method).is_some() {
                context.fail(format!(
                    "Unable to put method '{verb}' on resource at path '{written}': Method already exists for this resource"
                ));
            }
        }
    }
    paths
}

/// A path without its last slash, after the base path.
fn joined(prefix: &str, path: &str) -> String {
    let whole = format!("{prefix}{path}");
    match whole.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}
