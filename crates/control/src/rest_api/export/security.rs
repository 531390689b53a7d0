//! Authorizers and the demand for an API key become security schemes and requirements.

use tollgate_entity::{Authorizer, AuthorizerType, Method};

use super::Export;
use crate::rest_api::definition::Definition;
use crate::rest_api::node::{Members, Node};

/// The schemes that the definition's methods and authorizers need.
pub fn schemes(definition: &Definition, export: &Export) -> Members {
    let mut schemes = Members::new();
    for authorizer in &definition.authorizers {
        schemes.insert(authorizer.name.clone(), of_authorizer(authorizer, export));
    }
    let methods = || {
        definition
            .paths
            .values()
            .flat_map(|methods| methods.values())
    };
    if methods().any(|method| method.authorization_type == "AWS_IAM") {
        let mut scheme = in_header("Authorization");
        scheme.insert("x-amazon-apigateway-authtype".into(), "awsSigv4".into());
        schemes.insert(free(definition, "sigv4"), scheme.into());
    }
    if methods().any(|method| method.api_key_required) {
        schemes.insert(free(definition, "api_key"), in_header("x-api-key").into());
    }
    schemes
}

/// What a method requires; none where it requires nothing.
pub fn required(method: &Method, definition: &Definition) -> Option<Node> {
    let mut required = Vec::new();
    if let Some(name) = &method.authorizer_id {
        let scopes = method.authorization_scopes.iter().flatten();
        required.push((name.clone(), scopes.map(String::as_str).collect()));
    }
    if method.authorization_type == "AWS_IAM" {
        required.push((free(definition, "sigv4"), Node::List(Vec::new())));
    }
    if method.api_key_required {
        required.push((free(definition, "api_key"), Node::List(Vec::new())));
    }
    let each = required.into_iter().map(|one| Members::from_iter([one]));
    let each: Vec<Node> = each.map(Node::from).collect();
    (!each.is_empty()).then_some(Node::List(each))
}

/// A scheme's name that no authorizer has.
fn free(definition: &Definition, name: &str) -> String {
    let mut free = name.to_owned();
    while definition.authorizers.iter().any(|own| own.name == free) {
        free.push('_');
    }
    free
}

fn in_header(name: &str) -> Members {
    Members::from_iter([
        ("type".to_owned(), "apiKey".into()),
        ("name".to_owned(), name.into()),
        ("in".to_owned(), "header".into()),
    ])
}

fn of_authorizer(authorizer: &Authorizer, export: &Export) -> Node {
    let source = authorizer.identity_source.as_deref();
    let header = source.and_then(|source| source.strip_prefix("method.request.header."));
    let is_request = authorizer.authorizer_type == AuthorizerType::Request;
    let header = header.filter(|name| !is_request && !name.contains(','));
    let mut scheme = in_header(header.unwrap_or("Unused"));
    let (kind, auth_type) = match authorizer.authorizer_type {
        AuthorizerType::Token => ("token", "custom"),
        AuthorizerType::Request => ("request", "custom"),
        AuthorizerType::CognitoUserPools => ("cognito_user_pools", "cognito_user_pools"),
    };
    let auth_type = authorizer.auth_type.as_deref().unwrap_or(auth_type);
    scheme.insert("x-amazon-apigateway-authtype".into(), auth_type.into());
    if !export.extensions.authorizers {
        return scheme.into();
    }
    let mut own = Members::new();
    if !authorizer.provider_arns.is_empty() {
        let arns = authorizer.provider_arns.iter().map(String::as_str);
        own.insert("providerARNs".into(), arns.collect());
    }
    let texts = [
        ("authorizerUri", authorizer.authorizer_uri.as_deref()),
        (
            "authorizerCredentials",
            authorizer.authorizer_credentials.as_deref(),
        ),
        ("identitySource", source.filter(|_| header.is_none())),
        (
            "identityValidationExpression",
            authorizer.identity_validation_expression.as_deref(),
        ),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            own.insert(name.into(), text.into());
        }
    }
    if let Some(seconds) = authorizer.authorizer_result_ttl_in_seconds {
        own.insert("authorizerResultTtlInSeconds".into(), seconds.into());
    }
    own.insert("type".into(), kind.into());
    scheme.insert("x-amazon-apigateway-authorizer".into(), own.into());
    scheme.into()
}
