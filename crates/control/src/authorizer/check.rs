//! What every authorizer keeps to, checked when it is created and after every batch of changes.

use tollgate_entity::{Authorizer, AuthorizerType};

use crate::error::Error;
use crate::mapping;

/// Seconds an answer may be kept.
const TTL_S_MAX: i32 = 3600;
/// User pools an authorizer may name; AWS's quota.
const PROVIDERS_MAX: usize = 1_000;
/// Characters of the name.
const NAME_CHARS_MAX: usize = 128;

/// Checks an authorizer by itself.
pub(super) fn check(authorizer: &Authorizer) -> Result<(), Error> {
    if authorizer.name.trim().is_empty() {
        return Err(Error::bad_request("Authorizer name must be non-empty"));
    }
    if authorizer.name.chars().count() > NAME_CHARS_MAX {
        return Err(Error::bad_request(format!(
            "Authorizer name can be at most {NAME_CHARS_MAX} characters."
        )));
    }
    check_ttl(authorizer)?;
    match authorizer.authorizer_type {
        AuthorizerType::CognitoUserPools => check_pools(&authorizer.provider_arns)?,
        _ => check_uri(authorizer.authorizer_uri.as_deref().unwrap_or_default())?,
    }
    if let Some(role) = &authorizer.authorizer_credentials
        && !role.starts_with("arn:")
    {
        return Err(Error::bad_request("Invalid ARN specified in the request"));
    }
    check_identity_source(authorizer)?;
    let expression = authorizer.identity_validation_expression.as_deref();
    expression.map_or(Ok(()), mapping::check_pattern)
}

/// Refuses a name that another authorizer of the API has.
pub(super) fn name_is_free(others: &[Authorizer], authorizer: &Authorizer) -> Result<(), Error> {
    let mut others = others.iter().filter(|other| other.id != authorizer.id);
    if others.any(|other| other.name == authorizer.name) {
        return Err(Error::bad_request(format!(
            "Authorizer name must be unique. Authorizer {} already exists in this RestApi.",
            authorizer.name
        )));
    }
    Ok(())
}

fn check_ttl(authorizer: &Authorizer) -> Result<(), Error> {
    match authorizer.authorizer_result_ttl_in_seconds {
        Some(ttl) if !(0..=TTL_S_MAX).contains(&ttl) => Err(Error::bad_request(format!(
            "Authorizer result TTL outside allowable range. TTL must be between 0 and {TTL_S_MAX} seconds."
        ))),
        _ => Ok(()),
    }
}

/// `arn:<partition>:apigateway:<region>:lambda:path/<version>/functions/<function's ARN>/invocations`.
fn check_uri(uri: &str) -> Result<(), Error> {
    let parts: Vec<&str> = uri.splitn(6, ':').collect();
    let fine = match parts.as_slice() {
        ["arn", _, "apigateway", _, "lambda", target] => {
            target.starts_with("path/")
                && target.contains("/functions/")
                && target.ends_with("/invocations")
        }
        _ => false,
    };
    if fine {
        return Ok(());
    }
    Err(Error::bad_request(format!(
        "Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
    )))
}

/// `arn:<partition>:cognito-idp:<region>:<account>:userpool/<id>`.
fn check_pools(arns: &[String]) -> Result<(), Error> {
    if arns.is_empty() {
        return Err(Error::bad_request(
            "An authorizer of the type COGNITO_USER_POOLS needs at least one provider ARN",
        ));
    }
    if arns.len() > PROVIDERS_MAX {
        return Err(Error::bad_request(format!(
            "An authorizer can have at most {PROVIDERS_MAX} provider ARNs."
        )));
    }
    let is_pool = |arn: &String| {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        matches!(parts.as_slice(), ["arn", _, "cognito-idp", _, _, pool] if pool.len() > "userpool/".len() && pool.starts_with("userpool/"))
    };
    match arns.iter().find(|arn| !is_pool(arn)) {
        Some(arn) => Err(Error::bad_request(format!(
            "Invalid Cognito User Pool ARN specified: {arn}"
        ))),
        None => Ok(()),
    }
}

/// One header for tokens; for REQUEST any number of expressions, and none only without a cache.
fn check_identity_source(authorizer: &Authorizer) -> Result<(), Error> {
    let source = authorizer.identity_source.as_deref().unwrap_or_default();
    let invalid = |expression: &str| {
        Error::bad_request(format!(
            "Invalid request identity source expression: {expression}"
        ))
    };
    if authorizer.authorizer_type != AuthorizerType::Request {
        let name = source.strip_prefix("method.request.header.");
        return match name.filter(|name| is_name(name)) {
            Some(_) => Ok(()),
            None => Err(invalid(source)),
        };
    }
    if source.is_empty() {
        return match authorizer.authorizer_result_ttl_in_seconds {
            Some(0) => Ok(()),
            _ => Err(Error::bad_request(
                "Identity source must be set if authorizer caching is enabled (TTL is greater than 0)",
            )),
        };
    }
    let places = [
        "method.request.header.",
        "method.request.querystring.",
        "stageVariables.",
        "context.",
    ];
    let fine = |expression: &str| {
        let mut names = places
            .iter()
            .filter_map(|place| expression.strip_prefix(place));
        names.any(is_name)
    };
    match source.split(',').map(str::trim).find(|one| !fine(one)) {
        Some(expression) => Err(invalid(expression)),
        None => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',')
}
