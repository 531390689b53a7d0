//! `x-amazon-apigateway-integration` becomes the method's integration and its responses.

use std::collections::BTreeMap;

use tollgate_entity::integration::TlsConfig;
use tollgate_entity::{IntegrationResponse, Method};

use super::context::{At, Context, Operation, shown};
use crate::error::Error;
use crate::integration::{self, NewIntegration};
use crate::integration_response;
use crate::rest_api::node::Node;

const EXTENSION: &str = "x-amazon-apigateway-integration";

/// Reads the integration of the operation at `at` into its method. Its cache namespace is empty where it is the
/// resource's id, which is not known yet.
pub fn read<'a>(context: &mut Context<'a>, at: &At<'a>, of: Operation<'_>, method: &mut Method) {
    let Some(written) = at.get(EXTENSION) else {
        return;
    };
    let Some(written) = context.follow(written) else {
        return;
    };
    let new = new_integration(context, &written, of);
    let put = new.imported(method);
    if let Err(error) = put {
        context.fail(format!(
            "Unable to put integration on '{}' for resource at path '{}': {error}",
            of.verb, of.path
        ));
        return;
    }
    for (pattern, response) in written.get("responses").iter().flat_map(At::members) {
        let response = integration_response(context, pattern, &response, of);
        if let Err(error) = put_response(method, response) {
            context.fail(format!(
                "Unable to put integration response on '{}' for resource at path '{}': {error}",
                of.verb, of.path
            ));
        }
    }
}

/// A second response of the same status would take the place of the first.
fn put_response(method: &mut Method, response: IntegrationResponse) -> Result<(), Error> {
    let responses = integration::find(method)?.integration_responses.as_ref();
    if responses.is_some_and(|known| known.contains_key(&response.status_code)) {
        return Err(Error::conflict(format!(
            "Response already exists for this resource: {}",
            response.status_code
        )));
    }
    integration_response::store(method, response).map(drop)
}

fn new_integration<'a>(
    context: &mut Context<'a>,
    at: &At<'a>,
    of: Operation<'_>,
) -> NewIntegration {
    let upper = |name: &str| at.text(name).map(|text| text.to_ascii_uppercase());
    let timeout = at
        .text("timeoutInMillis")
        .map(|ms| ms.trim().parse().unwrap_or(0));
    let insecure = at.get("tlsConfig").and_then(|tls| {
        tls.node
            .get("insecureSkipVerification")
            .and_then(Node::flag)
    });
    NewIntegration {
        integration_type: upper("type"),
        http_method: upper("httpMethod"),
        uri: at.text("uri"),
        connection_type: upper("connectionType"),
        connection_id: at.text("connectionId"),
        credentials: at.text("credentials"),
        request_parameters: context.text_map(at, "requestParameters", of),
        request_templates: templates(context, at, "requestTemplates", of),
        passthrough_behavior: upper("passthroughBehavior"),
        content_handling: upper("contentHandling"),
        timeout_in_millis: timeout,
        cache_namespace: at.text("cacheNamespace"),
        cache_key_parameters: at.texts("cacheKeyParameters"),
        tls_config: insecure.map(|insecure_skip_verification| TlsConfig {
            insecure_skip_verification,
        }),
        response_transfer_mode: upper("responseTransferMode"),
        integration_target: at.text("integrationTarget"),
    }
}

/// Templates are texts; one that was written as an object is told as AWS does.
fn templates<'a>(
    context: &mut Context<'a>,
    at: &At<'a>,
    name: &str,
    of: Operation<'_>,
) -> Option<BTreeMap<String, Option<String>>> {
    let texts = context.text_map(at, name, of)?;
    let templates = texts.into_iter().map(|(key, text)| (key, Some(text)));
    Some(integration::kept_templates(templates.collect()))
}

fn integration_response<'a>(
    context: &mut Context<'a>,
    pattern: &str,
    at: &At<'a>,
    of: Operation<'_>,
) -> IntegrationResponse {
    let status_code = at.text("statusCode").unwrap_or_default();
    if !at
        .node
        .members()
        .is_some_and(|members| members.contains_key("statusCode"))
    {
        context.warn(format!(
            "The status code at {} is missing: {}",
            at.place,
            shown(at.node)
        ));
    }
    IntegrationResponse {
        status_code,
        // AWS keeps no pattern for the default.
        selection_pattern: Some(pattern.to_owned())
            .filter(|text| !matches!(text.as_str(), "" | "default")),
        response_parameters: context.text_map(at, "responseParameters", of),
        response_templates: templates(context, at, "responseTemplates", of),
        content_handling: at
            .text("contentHandling")
            .map(|text| text.to_ascii_uppercase()),
    }
}
