//! The extensions at the root of an export, and which of all extensions were asked for.

use std::collections::BTreeMap;

use tollgate_entity::{ApiKeySource, DocumentationPart, GatewayResponse, RequestValidator};

use super::document::put;
use super::{Dialect, Export};
use crate::rest_api::definition::Definition;
use crate::rest_api::import::parse;
use crate::rest_api::node::{Members, Node};

const ENDPOINT: &str = "x-amazon-apigateway-endpoint-configuration";

/// Which extensions an export has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    pub integrations: bool,
    pub authorizers: bool,
    pub documentation: bool,
    pub validators: bool,
    pub gateway_responses: bool,
    /// What belongs to the whole API.
    pub api: bool,
}

impl Extensions {
    /// All of them.
    pub const ALL: Extensions = Extensions {
        integrations: true,
        authorizers: true,
        documentation: true,
        validators: true,
        gateway_responses: true,
        api: true,
    };

    /// Those the query's `extensions` name, with commas between; `apigateway` names all.
    pub fn named<'a>(lists: impl Iterator<Item = &'a str>) -> Self {
        let mut extensions = Extensions::default();
        for name in lists.flat_map(|list| list.split(',')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "apigateway" => return Extensions::ALL,
                "integrations" => extensions.integrations = true,
                "authorizers" => extensions.authorizers = true,
                "documentation" => extensions.documentation = true,
                "validators" => extensions.validators = true,
                "gatewayresponses" => extensions.gateway_responses = true,
                // `postman` shapes what AWS adds for that program; there is nothing to add here.
                _ => {}
            }
        }
        extensions
    }
}

/// Writes the extensions at the root.
pub fn write(definition: &Definition, export: &Export, document: &mut Members) {
    let of = |name: &str| format!("x-amazon-apigateway-{name}");
    let asked = export.extensions;
    if asked.api {
        if let Some(types) = &definition.binary_media_types {
            let types = types.iter().map(String::as_str).collect();
            document.insert(of("binary-media-types"), types);
        }
        if let Some(size) = definition.minimum_compression_size {
            document.insert(of("minimum-compression-size"), size.into());
        }
        if definition.api_key_source == Some(ApiKeySource::Authorizer) {
            document.insert(of("api-key-source"), "AUTHORIZER".into());
        }
        for (name, value) in [
            ("security-policy", &definition.security_policy),
            ("endpoint-access-mode", &definition.endpoint_access_mode),
        ] {
            if let Some(value) = value {
                document.insert(of(name), value.as_str().into());
            }
        }
        if export.dialect == Dialect::Swagger {
            write_endpoint(definition, export, document);
        }
    }
    if asked.gateway_responses {
        let each = definition.gateway_responses.iter();
        let each = each.map(|own| (own.response_type.clone(), gateway_response(own)));
        put(document, &of("gateway-responses"), each.collect());
    }
    if asked.validators {
        let each = definition.request_validators.iter();
        let each = each.filter_map(|own| Some((own.name.clone()?, validator(own))));
        put(document, &of("request-validators"), each.collect());
    }
    if asked.documentation && !definition.documentation.is_empty() {
        let parts = definition.documentation.iter().map(part).collect();
        let documentation =
            Members::from_iter([("documentationParts".to_owned(), Node::List(parts))]);
        document.insert(of("documentation"), documentation.into());
    }
}

/// Writes whether the API can be called by its own name: at the root, or at the server in OpenAPI 3.
pub fn write_endpoint(definition: &Definition, export: &Export, members: &mut Members) {
    if export.extensions.api && definition.disable_execute_api_endpoint == Some(true) {
        let endpoint = [("disableExecuteApiEndpoint".to_owned(), true.into())];
        members.insert(ENDPOINT.into(), Members::from_iter(endpoint).into());
    }
}

fn gateway_response(own: &GatewayResponse) -> Node {
    let mut members = Members::new();
    if let Some(status) = &own.status_code {
        members.insert("statusCode".into(), status.as_str().into());
    }
    put(
        &mut members,
        "responseParameters",
        texts(&own.response_parameters),
    );
    // Even where there are none: left out, they would be AWS's.
    let templates = texts(&own.response_templates);
    members.insert("responseTemplates".into(), templates.into());
    members.into()
}

fn texts(map: &BTreeMap<String, String>) -> Members {
    map.iter()
        .map(|(name, text)| (name.clone(), text.as_str().into()))
        .collect()
}

fn validator(own: &RequestValidator) -> Node {
    let members = [
        (
            "validateRequestParameters".to_owned(),
            own.validate_request_parameters.into(),
        ),
        (
            "validateRequestBody".to_owned(),
            own.validate_request_body.into(),
        ),
    ];
    Members::from_iter(members).into()
}

fn part(part: &DocumentationPart) -> Node {
    let place = &part.location;
    let members = [
        ("type", Some(&place.part_type)),
        ("path", place.path.as_ref()),
        ("method", place.method.as_ref()),
        ("statusCode", place.status_code.as_ref()),
        ("name", place.name.as_ref()),
    ];
    let said = members
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text?.as_str().into())));
    let properties = parse::parse(part.properties.as_bytes(), usize::MAX);
    let members = [
        ("location".to_owned(), Members::from_iter(said).into()),
        (
            "properties".to_owned(),
            properties.unwrap_or_else(|_| Node::empty()),
        ),
    ];
    Members::from_iter(members).into()
}
