//! An integration becomes its extension, without what is AWS's default.

use std::collections::BTreeMap;

use tollgate_entity::integration::{PassthroughBehavior, TIMEOUT_MS_DEFAULT};
use tollgate_entity::{Integration, IntegrationResponse, IntegrationType};

use super::document::put;
use crate::rest_api::node::{Members, Node};

/// Writes an integration.
pub fn write(integration: &Integration) -> Node {
    let mut members = Members::from_iter([("type".to_owned(), kind(integration).into())]);
    text(
        &mut members,
        "httpMethod",
        integration.http_method.as_deref(),
    );
    text(&mut members, "uri", integration.uri.as_deref());
    let connection = integration.connection_type.as_deref();
    text(
        &mut members,
        "connectionType",
        connection.filter(|kind| *kind != "INTERNET"),
    );
    text(
        &mut members,
        "connectionId",
        integration.connection_id.as_deref(),
    );
    text(
        &mut members,
        "credentials",
        integration.credentials.as_deref(),
    );
    let responses = integration.integration_responses.iter().flatten();
    put(
        &mut members,
        "responses",
        responses.map(|(_, one)| response(one)).collect(),
    );
    put(
        &mut members,
        "requestParameters",
        texts(integration.request_parameters.as_ref()),
    );
    put(
        &mut members,
        "requestTemplates",
        templates(integration.request_templates.as_ref()),
    );
    let passthrough = match integration.passthrough_behavior {
        PassthroughBehavior::WhenNoMatch => "when_no_match",
        PassthroughBehavior::WhenNoTemplates => "when_no_templates",
        PassthroughBehavior::Never => "never",
    };
    text(&mut members, "passthroughBehavior", Some(passthrough));
    text(
        &mut members,
        "contentHandling",
        integration.content_handling.as_deref(),
    );
    if integration.timeout_in_millis != TIMEOUT_MS_DEFAULT {
        members.insert(
            "timeoutInMillis".into(),
            integration.timeout_in_millis.into(),
        );
    }
    let namespace = Some(integration.cache_namespace.as_str());
    text(
        &mut members,
        "cacheNamespace",
        namespace.filter(|name| !name.is_empty()),
    );
    if !integration.cache_key_parameters.is_empty() {
        let keys = integration.cache_key_parameters.iter().map(String::as_str);
        members.insert("cacheKeyParameters".into(), keys.collect());
    }
    if let Some(tls) = integration.tls_config {
        let skip = tls.insecure_skip_verification.into();
        let tls = Members::from_iter([("insecureSkipVerification".to_owned(), skip)]);
        members.insert("tlsConfig".into(), tls.into());
    }
    text(
        &mut members,
        "responseTransferMode",
        integration.response_transfer_mode.as_deref(),
    );
    text(
        &mut members,
        "integrationTarget",
        integration.integration_target.as_deref(),
    );
    members.into()
}

fn kind(integration: &Integration) -> &'static str {
    match integration.integration_type {
        IntegrationType::Http => "http",
        IntegrationType::Mock => "mock",
        IntegrationType::AwsProxy => "aws_proxy",
        IntegrationType::HttpProxy => "http_proxy",
        IntegrationType::Aws => "aws",
    }
}

fn response(response: &IntegrationResponse) -> (String, Node) {
    let pattern = response.selection_pattern.as_deref();
    let pattern = pattern
        .filter(|pattern| !pattern.is_empty())
        .unwrap_or("default");
    let status = response.status_code.as_str();
    let mut members = Members::from_iter([("statusCode".to_owned(), status.into())]);
    put(
        &mut members,
        "responseParameters",
        texts(response.response_parameters.as_ref()),
    );
    put(
        &mut members,
        "responseTemplates",
        templates(response.response_templates.as_ref()),
    );
    text(
        &mut members,
        "contentHandling",
        response.content_handling.as_deref(),
    );
    (pattern.to_owned(), members.into())
}

fn text(members: &mut Members, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        members.insert(name.to_owned(), text.into());
    }
}

fn texts(map: Option<&BTreeMap<String, String>>) -> Members {
    let each = map.into_iter().flatten();
    each.map(|(name, text)| (name.clone(), text.as_str().into()))
        .collect()
}

/// An empty template, which is kept as null, is an empty text.
fn templates(map: Option<&BTreeMap<String, Option<String>>>) -> Members {
    let each = map.into_iter().flatten();
    each.map(|(name, text)| (name.clone(), text.as_deref().unwrap_or_default().into()))
        .collect()
}
