//! `context.*`: what is known of a call besides its own words.

use std::borrow::Cow;

use http::header::HeaderName;

use super::expression::Values;
use crate::access_log::common_log_time;

/// The header API keys come in.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A variable of AWS's `$context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextVariable {
    ApiId,
    DeploymentId,
    DomainName,
    DomainPrefix,
    ExtendedRequestId,
    HttpMethod,
    ApiKey,
    ApiKeyId,
    SourceIp,
    UserAgent,
    Path,
    Protocol,
    RequestId,
    RequestTime,
    RequestTimeEpoch,
    ResourceId,
    ResourcePath,
    Stage,
    /// One that this gateway has no value for, as AWS has none for authorizers that did not run.
    Unknown,
}

impl ContextVariable {
    /// By its name without `context.`.
    pub fn named(name: &str) -> ContextVariable {
        match name {
            "apiId" => ContextVariable::ApiId,
            "deploymentId" => ContextVariable::DeploymentId,
            "domainName" => ContextVariable::DomainName,
            "domainPrefix" => ContextVariable::DomainPrefix,
            "extendedRequestId" => ContextVariable::ExtendedRequestId,
            "httpMethod" => ContextVariable::HttpMethod,
            "identity.apiKey" => ContextVariable::ApiKey,
            "identity.apiKeyId" => ContextVariable::ApiKeyId,
            "identity.sourceIp" => ContextVariable::SourceIp,
            "identity.userAgent" => ContextVariable::UserAgent,
            "path" => ContextVariable::Path,
            "protocol" => ContextVariable::Protocol,
            "requestId" => ContextVariable::RequestId,
            "requestTime" => ContextVariable::RequestTime,
            "requestTimeEpoch" => ContextVariable::RequestTimeEpoch,
            "resourceId" => ContextVariable::ResourceId,
            "resourcePath" => ContextVariable::ResourcePath,
            "stage" => ContextVariable::Stage,
            _ => ContextVariable::Unknown,
        }
    }

    /// Its value in a call, if it has one there.
    pub fn value<'a>(self, values: &Values<'a>) -> Option<Cow<'a, str>> {
        let call = values.call;
        let text = match self {
            ContextVariable::ApiId => &values.stage.api_id,
            ContextVariable::DeploymentId => &values.stage.deployment_id,
            ContextVariable::DomainName => call.domain_name()?,
            ContextVariable::DomainPrefix => call.domain_name()?.split('.').next()?,
            ContextVariable::ExtendedRequestId => call.ids.extended(),
            ContextVariable::HttpMethod => call.http_method.as_str(),
            // Only a key the call is counted under; what else stands in the header is not a key.
            ContextVariable::ApiKey if call.api_key_id.is_some() => {
                values.request_headers.get(X_API_KEY)?.to_str().ok()?
            }
            ContextVariable::ApiKey | ContextVariable::Unknown => return None,
            ContextVariable::ApiKeyId => call.api_key_id.as_ref()?.as_str(),
            ContextVariable::SourceIp => call.peer.remote_ip.to_str().ok()?,
            ContextVariable::UserAgent => call.user_agent.as_ref()?.to_str().ok()?,
            ContextVariable::Path => return Some(Cow::Owned(call.context_path().concat())),
            ContextVariable::Protocol => crate::access_log::protocol(call.version),
            ContextVariable::RequestId => call.ids.request(),
            ContextVariable::RequestTime => {
                return Some(Cow::Owned(common_log_time(
                    call.received_ms.div_euclid(1000),
                )));
            }
            ContextVariable::RequestTimeEpoch => {
                return Some(Cow::Owned(call.received_ms.to_string()));
            }
            ContextVariable::ResourceId => &call.method()?.resource_id,
            ContextVariable::ResourcePath => &call.method()?.resource_path,
            ContextVariable::Stage => &values.stage.name,
        };
        Some(Cow::Borrowed(text))
    }
}
