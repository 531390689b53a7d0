//! A definition becomes a document, in either of the two specifications.

use super::extensions::{self, Extensions};
use super::{operation, schema, security};
use crate::error::Error;
use crate::rest_api::definition::Definition;
use crate::rest_api::node::{Members, Node};

/// Which specification an export follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Swagger,
    OpenApi,
}

impl Dialect {
    pub fn named(name: &str) -> Result<Self, Error> {
        match name {
            "swagger" => Ok(Dialect::Swagger),
            "oas30" => Ok(Dialect::OpenApi),
            _ => Err(Error::bad_request(format!(
                "Invalid export type specified: {name}. Must be one of: [oas30, swagger]"
            ))),
        }
    }
}

/// How a definition is written.
#[derive(Clone, Debug)]
pub struct Export {
    pub dialect: Dialect,
    /// Where the API is called.
    pub host: String,
    pub stage: String,
    /// The version the document says it has.
    pub version: String,
    pub extensions: Extensions,
}

/// Writes a definition.
pub fn write(definition: &Definition, export: &Export) -> Node {
    let mut document = match export.dialect {
        Dialect::Swagger => swagger(definition, export),
        Dialect::OpenApi => openapi(definition, export),
    };
    extensions::write(definition, export, &mut document);
    document.into()
}

fn swagger(definition: &Definition, export: &Export) -> Members {
    let mut document = Members::new();
    document.insert("swagger".into(), "2.0".into());
    let order = [
        ("description", definition.description.as_deref()),
        ("version", Some(export.version.as_str())),
        ("title", definition.name.as_deref()),
    ];
    document.insert("info".into(), info(order));
    document.insert("host".into(), export.host.as_str().into());
    document.insert("basePath".into(), format!("/{}", export.stage).into());
    document.insert("schemes".into(), Node::from_iter(["https"]));
    document.insert("paths".into(), paths(definition, export));
    put(
        &mut document,
        "securityDefinitions",
        security::schemes(definition, export),
    );
    put(
        &mut document,
        "definitions",
        schema::all(definition, export.dialect),
    );
    document
}

fn openapi(definition: &Definition, export: &Export) -> Members {
    let mut document = Members::new();
    document.insert("openapi".into(), "3.0.1".into());
    let order = [
        ("title", definition.name.as_deref()),
        ("description", definition.description.as_deref()),
        ("version", Some(export.version.as_str())),
    ];
    document.insert("info".into(), info(order));
    let default = Members::from_iter([("default".into(), export.stage.as_str().into())]);
    let variables = Members::from_iter([("basePath".into(), default.into())]);
    let mut server = Members::from_iter([
        (
            "url".into(),
            format!("https://{}/{{basePath}}", export.host).into(),
        ),
        ("variables".into(), Node::from(variables)),
    ]);
    extensions::write_endpoint(definition, export, &mut server);
    document.insert("servers".into(), Node::from_iter([server]));
    document.insert("paths".into(), paths(definition, export));
    let mut components = Members::new();
    put(
        &mut components,
        "schemas",
        schema::all(definition, export.dialect),
    );
    put(
        &mut components,
        "securitySchemes",
        security::schemes(definition, export),
    );
    document.insert("components".into(), components.into());
    document
}

fn info<const N: usize>(members: [(&str, Option<&str>); N]) -> Node {
    let said = members
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
    Members::from_iter(said).into()
}

fn paths(definition: &Definition, export: &Export) -> Node {
    let items = definition.paths.iter().map(|(path, methods)| {
        let operations = methods.iter().map(|(verb, method)| {
            let name = match verb.as_str() {
                "ANY" => "x-amazon-apigateway-any-method".to_owned(),
                verb => verb.to_ascii_lowercase(),
            };
            (name, operation::write(method, definition, export))
        });
        (path.clone(), Members::from_iter(operations).into())
    });
    Members::from_iter(items).into()
}

/// An object goes in only where it has members.
pub fn put(document: &mut Members, name: &str, members: Members) {
    if !members.is_empty() {
        document.insert(name.into(), members.into());
    }
}
