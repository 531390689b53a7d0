//! Security schemes become authorizers and the demand for an API key, and what an operation requires its authorization.

use indexmap::IndexMap;
use tollgate_entity::{Authorizer, AuthorizerType, Method};

use super::context::{At, Context, Dialect, Operation};
use crate::authorizer::NewAuthorizer;

/// What a scheme asks of a caller.
#[derive(Clone, Debug)]
enum Scheme {
    ApiKey,
    Iam,
    Authorizer(Box<Authorizer>),
}

/// The schemes of a definition.
#[derive(Debug, Default)]
pub struct Security {
    schemes: IndexMap<String, Scheme>,
    /// What holds for operations that say nothing themselves: the schemes and their scopes.
    default: Vec<(String, Vec<String>)>,
}

/// Reads the schemes and the requirements at the root.
pub fn read<'a>(context: &mut Context<'a>, root: &At<'a>) -> Security {
    let schemes = match context.dialect {
        Dialect::Swagger => root.get("securityDefinitions"),
        Dialect::OpenApi => root
            .get("components")
            .and_then(|at| at.get("securitySchemes")),
    };
    let mut security = Security::default();
    for (name, at) in schemes.iter().flat_map(At::members) {
        let Some(at) = context.follow(at) else {
            continue;
        };
        if let Some(scheme) = scheme(context, name, &at) {
            security.schemes.insert(name.to_owned(), scheme);
        }
    }
    security.default = root
        .get("security")
        .map(|at| requirements(&at))
        .unwrap_or_default();
    security
}

fn scheme<'a>(context: &mut Context<'a>, name: &str, at: &At<'a>) -> Option<Scheme> {
    let auth_type = at.text("x-amazon-apigateway-authtype");
    if let Some(written) = at.get("x-amazon-apigateway-authorizer") {
        let written = context.follow(written)?;
        return authorizer(context, name, at, &written, auth_type)
            .map(|own| Scheme::Authorizer(Box::new(own)));
    }
    if auth_type.is_some_and(|kind| kind.eq_ignore_ascii_case("awsSigv4")) {
        return Some(Scheme::Iam);
    }
    let kind = at.text("type").unwrap_or_default();
    let is_key = kind == "apiKey"
        && at.text("in").as_deref() == Some("header")
        && at
            .text("name")
            .is_some_and(|name| name.eq_ignore_ascii_case("x-api-key"));
    if is_key {
        return Some(Scheme::ApiKey);
    }
    context.warn(format!(
        "Unsupported security definition type '{kind}' for '{name}'. Ignoring."
    ));
    None
}

fn authorizer<'a>(
    context: &mut Context<'a>,
    name: &str,
    scheme: &At<'a>,
    at: &At<'a>,
    auth_type: Option<String>,
) -> Option<Authorizer> {
    let kind = at.text("type").unwrap_or_default().to_ascii_uppercase();
    let header = scheme.text("name").filter(|_| kind != "REQUEST");
    let from_scheme = header.map(|name| format!("method.request.header.{name}"));
    let ttl = at.text("authorizerResultTtlInSeconds");
    // What is no number is refused like one out of range.
    let ttl = ttl.map(|seconds| seconds.parse().unwrap_or(-1));
    let new = NewAuthorizer {
        name: Some(name.to_owned()),
        authorizer_type: Some(kind),
        provider_arns: at.texts("providerARNs"),
        auth_type,
        authorizer_uri: at.text("authorizerUri"),
        authorizer_credentials: at.text("authorizerCredentials"),
        identity_source: at.text("identitySource").or(from_scheme),
        identity_validation_expression: at.text("identityValidationExpression"),
        authorizer_result_ttl_in_seconds: ttl,
    };
    match new.checked(context.api, String::new()) {
        // AWS's importer sets no time that was not said.
        Ok(authorizer) => Some(Authorizer {
            authorizer_result_ttl_in_seconds: ttl,
            ..authorizer
        }),
        Err(error) => {
            let place = &at.place;
            context.fail(format!(
                "Unable to create authorizer '{name}': {error} (at {place})"
            ));
            None
        }
    }
}

/// The schemes that a list of requirements names, with their scopes.
fn requirements(at: &At<'_>) -> Vec<(String, Vec<String>)> {
    let each = at.items().flat_map(|requirement| {
        let named = requirement.members().map(|(name, scopes)| {
            let scopes = scopes.items().filter_map(|scope| scope.node.scalar());
            (name.to_owned(), scopes.collect())
        });
        named.collect::<Vec<_>>()
    });
    each.collect()
}

impl Security {
    /// The authorizers, in the order of their schemes.
    pub fn authorizers(&self) -> Vec<Authorizer> {
        let own = self.schemes.values().filter_map(|scheme| match scheme {
            Scheme::Authorizer(authorizer) => Some((**authorizer).clone()),
            Scheme::ApiKey | Scheme::Iam => None,
        });
        own.collect()
    }

    /// Gives a method what its operation, or else the whole definition, requires.
    pub fn apply<'a>(
        &self,
        context: &mut Context<'a>,
        at: &At<'a>,
        of: Operation<'_>,
        method: &mut Method,
    ) {
        let own = at.get("security").map(|at| requirements(&at));
        method.authorization_type = "NONE".to_owned();
        for (name, scopes) in own.as_ref().unwrap_or(&self.default) {
            match self.schemes.get(name) {
                Some(Scheme::ApiKey) => method.api_key_required = true,
                Some(Scheme::Iam) => method.authorization_type = "AWS_IAM".to_owned(),
                Some(Scheme::Authorizer(authorizer)) => {
                    let is_cognito = authorizer.authorizer_type == AuthorizerType::CognitoUserPools;
                    let kind = if is_cognito { "COGNITO_USER_POOLS" } else { "CUSTOM" };
                    method.authorization_type = kind.to_owned();
                    method.authorizer_id = Some(name.clone());
                    let scopes = Some(scopes.clone());
                    method.authorization_scopes = scopes.filter(|all| is_cognito && !all.is_empty());
                }
                None => context.warn(format!(
                    "Security requirement '{name}' of method '{} {}' names no supported security definition. Ignoring.",
                    of.verb, of.path
                )),
            }
        }
        let auth = at
            .get("x-amazon-apigateway-auth")
            .and_then(|auth| auth.text("type"));
        if auth.is_some_and(|kind| kind.eq_ignore_ascii_case("AWS_IAM")) {
            method.authorization_type = "AWS_IAM".to_owned();
        }
    }
}
