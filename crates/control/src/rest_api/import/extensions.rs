//! The extensions at the root of a definition, and those anywhere in it that nobody knows.

use tollgate_entity::{
    DocumentationPart, DocumentationPartLocation, GatewayResponse, RequestValidator,
};

use super::context::{At, Context, Operation, shown};
use crate::documentation_part;
use crate::error::Error;
use crate::gateway_response::{self, NewGatewayResponse};
use crate::request_validator;
use crate::rest_api::definition::Definition;
use crate::rest_api::node::{Node, escaped};
use crate::rest_api::{json, new, update};

/// Every extension begins with this.
const PREFIX: &str = "x-amazon-apigateway-";
/// The extensions that an import acts on, without their prefix.
const KNOWN: [&str; 18] = [
    "any-method",
    "api-key-source",
    "auth",
    "authorizer",
    "authtype",
    "binary-media-types",
    "documentation",
    "endpoint-access-mode",
    "endpoint-configuration",
    "gateway-responses",
    "integration",
    "minimum-compression-size",
    "policy",
    "request-validator",
    "request-validators",
    "security-policy",
    // Components under names of their own.
    "authorizers",
    "integrations",
];

/// Reads the extensions at the root.
pub fn read<'a>(context: &mut Context<'a>, root: &At<'a>, definition: &mut Definition) {
    let of = |name: &str| root.get(&format!("{PREFIX}{name}"));
    if let Some(at) = of("binary-media-types") {
        let mut types = Vec::new();
        for media_type in at.items().filter_map(|item| item.node.scalar()) {
            update::add_media_type(&mut types, media_type);
        }
        definition.binary_media_types = Some(types);
    }
    if let Some(at) = of("minimum-compression-size") {
        // What is no number is refused like one out of range.
        let size = at.node.scalar().map(|text| text.parse().unwrap_or(-1));
        if let Err(error) = update::check_compression(size) {
            context.fail(format!("At {}: {error}", at.place));
        }
        definition.minimum_compression_size = size;
    }
    if let Some(at) = of("api-key-source") {
        match update::api_key_source(&at.node.scalar().unwrap_or_default().to_ascii_uppercase()) {
            Ok(source) => definition.api_key_source = Some(source),
            Err(error) => context.fail(format!("At {}: {error}", at.place)),
        }
    }
    if let Some(at) = of("policy")
        && let Err(error) = update::check_policy(Some(&shown(at.node)))
    {
        context.fail(format!("At {}: {error}", at.place));
    }
    definition.security_policy = one_of(context, of("security-policy"), &new::SECURITY_POLICIES);
    definition.endpoint_access_mode = one_of(
        context,
        of("endpoint-access-mode"),
        &new::ENDPOINT_ACCESS_MODES,
    );
    let first_server = root
        .get("servers")
        .and_then(|servers| servers.items().next());
    let places = [Some(root.clone()), first_server];
    let endpoint = places
        .iter()
        .flatten()
        .find_map(|at| at.get("x-amazon-apigateway-endpoint-configuration"));
    if let Some(at) = endpoint {
        read_endpoint(context, &at, definition);
    }
    for (name, at) in of("request-validators").iter().flat_map(At::members) {
        let flag = |name: &str| at.node.get(name).and_then(Node::flag).unwrap_or_default();
        let validator = RequestValidator {
            rest_api_id: context.api.to_owned(),
            name: Some(name.to_owned()),
            validate_request_body: flag("validateRequestBody"),
            validate_request_parameters: flag("validateRequestParameters"),
            ..RequestValidator::default()
        };
        match request_validator::check(&validator) {
            Ok(()) => definition.request_validators.push(validator),
            Err(error) => context.fail(format!(
                "Unable to create request validator: {error} (at {})",
                at.place
            )),
        }
    }
    for (name, at) in of("gateway-responses").iter().flat_map(At::members) {
        match gateway_response(context, name, &at) {
            Ok(response) => definition.gateway_responses.push(response),
            Err(error) => context.fail(format!(
                "Unable to put gateway response '{name}': {error} (at {})",
                at.place
            )),
        }
    }
    let parts = of("documentation").and_then(|at| at.get("documentationParts"));
    for part in parts.iter().flat_map(At::items) {
        match documentation_part::checked(part_at(context, &part)) {
            Ok(part) => definition.documentation.push(part),
            Err(error) => context.fail(format!(
                "Unable to create documentation part: {error} (at {})",
                part.place
            )),
        }
    }
}

fn one_of(context: &mut Context<'_>, at: Option<At<'_>>, allowed: &[&str]) -> Option<String> {
    let at = at?;
    let value = at.node.scalar().unwrap_or_default();
    if !allowed.contains(&value.as_str()) {
        let allowed = allowed.join(", ");
        context.fail(format!("At {}: '{value}' is none of [{allowed}]", at.place));
    }
    Some(value)
}

fn read_endpoint(context: &mut Context<'_>, at: &At<'_>, definition: &mut Definition) {
    let disabled = at
        .node
        .get("disableExecuteApiEndpoint")
        .and_then(Node::flag);
    definition.disable_execute_api_endpoint = disabled;
    if at
        .texts("vpcEndpointIds")
        .is_some_and(|ids| !ids.is_empty())
    {
        context.warn(format!(
            "VPC endpoints at {}/vpcEndpointIds are not supported. Ignoring.",
            at.place
        ));
    }
}

fn gateway_response<'a>(
    context: &mut Context<'a>,
    name: &str,
    at: &At<'a>,
) -> Result<GatewayResponse, Error> {
    let of = Operation {
        path: &at.place,
        verb: name,
    };
    let mut texts = |member: &str| {
        let said = at.get(member).is_some();
        said.then(|| context.text_map(at, member, of).unwrap_or_default())
    };
    let parameters = texts("responseParameters");
    let templates = texts("responseTemplates");
    let templates = templates.map(|all| {
        all.into_iter()
            .map(|(key, text)| (key, Some(text)))
            .collect()
    });
    let new = NewGatewayResponse {
        status_code: at.text("statusCode"),
        response_parameters: parameters,
        response_templates: templates,
    };
    new.checked(context.api, gateway_response::checked_type(name)?)
}

fn part_at(context: &Context<'_>, at: &At<'_>) -> DocumentationPart {
    let location = at.get("location").unwrap_or_else(|| at.clone());
    DocumentationPart {
        rest_api_id: context.api.to_owned(),
        location: DocumentationPartLocation {
            part_type: location.text("type").unwrap_or_default(),
            path: location.text("path"),
            method: location.text("method"),
            status_code: location.text("statusCode"),
            name: location.text("name"),
        },
        properties: at
            .get("properties")
            .map(|at| json::pretty(at.node))
            .unwrap_or_default(),
        ..DocumentationPart::default()
    }
}

/// Warns of every extension of AWS's name that an import does nothing with.
pub fn warn_of_unknown(context: &mut Context<'_>) {
    let mut found = Vec::new();
    look(context.root, &mut String::new(), &mut found);
    for (name, place) in found {
        context.warn(format!("Unknown extension '{name}' at {place}. Ignoring."));
    }
}

fn look(node: &Node, place: &mut String, found: &mut Vec<(String, String)>) {
    let whole = place.len();
    match node {
        Node::Object(members) => {
            for (name, value) in members.iter() {
                place.push('/');
                place.push_str(&escaped(name));
                let extension = name.strip_prefix(PREFIX);
                if extension.is_some_and(|name| !KNOWN.contains(&name)) {
                    found.push((name.clone(), place.clone()));
                }
                look(value, place, found);
                place.truncate(whole);
            }
        }
        Node::List(items) => {
            for (number, value) in items.iter().enumerate() {
                place.push_str(&format!("/{number}"));
                look(value, place, found);
                place.truncate(whole);
            }
        }
        _ => {}
    }
}
