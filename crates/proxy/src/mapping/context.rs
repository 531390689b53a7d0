//! `$context`: what is known of a call besides its own words, for mapping expressions, templates, gateway
//! responses and access log formats. The one table of AWS's variables.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

use super::expression::Values;
use crate::access_log::common_log_time;
use crate::invocation::Invocation;
use crate::snapshot::Stage;

/// The header API keys come in.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A variable of AWS's `$context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextVariable {
    AccountId,
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
    IntegrationStatus,
    IntegrationLatency,
    Path,
    Protocol,
    RequestId,
    RequestTime,
    RequestTimeEpoch,
    ResourceId,
    ResourcePath,
    ResponseLatency,
    ResponseLength,
    Stage,
    Status,
    XrayTraceId,
    /// One that this gateway has no value for, as AWS has none for authorizers that did not run.
    Unknown,
}

/// Where a variable may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// In everything.
    Always,
    /// When the call has ended: in access logs.
    AtTheEnd,
}

use ContextVariable as Variable;
use Known::{Always, AtTheEnd};

/// All that can have a value, by their names without `context.`.
#[rustfmt::skip]
const TABLE: [(&str, Variable, Known); 29] = [
    ("accountId",                     Variable::AccountId,            Always),
    ("apiId",                         Variable::ApiId,                Always),
    ("deploymentId",                  Variable::DeploymentId,         Always),
    ("domainName",                    Variable::DomainName,           Always),
    ("domainPrefix",                  Variable::DomainPrefix,         Always),
    ("extendedRequestId",             Variable::ExtendedRequestId,    Always),
    ("httpMethod",                    Variable::HttpMethod,           Always),
    ("identity.apiKey",               Variable::ApiKey,               Always),
    ("identity.apiKeyId",             Variable::ApiKeyId,             Always),
    ("identity.sourceIp",             Variable::SourceIp,             Always),
    ("identity.userAgent",            Variable::UserAgent,            Always),
    ("integration.integrationStatus", Variable::IntegrationStatus,    AtTheEnd),
    ("integration.latency",           Variable::IntegrationLatency,   AtTheEnd),
    ("integration.status",            Variable::IntegrationStatus,    AtTheEnd),
    ("integrationLatency",            Variable::IntegrationLatency,   AtTheEnd),
    ("integrationStatus",             Variable::IntegrationStatus,    AtTheEnd),
    ("path",                          Variable::Path,                 Always),
    ("protocol",                      Variable::Protocol,             Always),
    ("requestId",                     Variable::RequestId,            Always),
    ("requestTime",                   Variable::RequestTime,          Always),
    ("requestTimeEpoch",              Variable::RequestTimeEpoch,     Always),
    ("resourceId",                    Variable::ResourceId,           Always),
    ("resourcePath",                  Variable::ResourcePath,         Always),
    ("responseLatency",               Variable::ResponseLatency,      AtTheEnd),
    ("responseLength",                Variable::ResponseLength,       AtTheEnd),
    ("stage",                         Variable::Stage,                Always),
    ("status",                        Variable::Status,               AtTheEnd),
    ("xrayTraceId",                   Variable::XrayTraceId,          AtTheEnd),
    ("xrayTraceID",                   Variable::XrayTraceId,          AtTheEnd),
];

/// A call, as far as it is known.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub call: &'a Invocation,
    pub stage: Option<&'a Stage>,
    /// Where they are still at hand: the caller's key is in them.
    pub request_headers: Option<&'a HeaderMap>,
    /// Once the answer has ended.
    pub answered: Option<Answered>,
}

/// How a call was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    pub latency: Duration,
}

impl<'a> From<&Values<'a>> for Facts<'a> {
    fn from(values: &Values<'a>) -> Self {
        Facts {
            call: values.call,
            stage: Some(values.stage),
            request_headers: Some(values.request_headers),
            answered: None,
        }
    }
}

/// Every variable that a template may read and that has a value, by its name with dots.
pub fn known<'a>(
    values: &Values<'a>,
) -> impl Iterator<Item = (&'static str, Cow<'a, str>)> + use<'a> {
    let facts = Facts::from(values);
    TABLE
        .iter()
        .filter(|(_, _, known)| *known == Always)
        .filter_map(move |(name, variable, _)| Some((*name, variable.value_of(&facts)?)))
}

impl ContextVariable {
    /// By its name without `context.`.
    pub fn named(name: &str) -> ContextVariable {
        let row = TABLE.iter().find(|(own, _, _)| *own == name);
        row.map_or(ContextVariable::Unknown, |(_, variable, _)| *variable)
    }

    /// Its value in a mapping, if it has one there.
    pub fn value<'a>(self, values: &Values<'a>) -> Option<Cow<'a, str>> {
        self.value_of(&Facts::from(values))
    }

    /// Its value in a call, if it has one there.
    pub fn value_of<'a>(self, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
        let call = facts.call;
        let text = match self {
            ContextVariable::AccountId => &*facts.stage?.account_id,
            ContextVariable::ApiId => &facts.stage?.api_id,
            ContextVariable::DeploymentId => &facts.stage?.deployment_id,
            ContextVariable::DomainName => call.domain_name()?,
            ContextVariable::DomainPrefix => call.domain_name()?.split('.').next()?,
            ContextVariable::ExtendedRequestId => call.ids.extended(),
            ContextVariable::HttpMethod => call.http_method.as_str(),
            // Only a key the call is counted under; what else stands in the header is not a key.
            ContextVariable::ApiKey if call.api_key_id.is_some() => {
                facts.request_headers?.get(X_API_KEY)?.to_str().ok()?
            }
            ContextVariable::ApiKey | ContextVariable::Unknown => return None,
            ContextVariable::ApiKeyId => call.api_key_id.as_ref()?.as_str(),
            ContextVariable::SourceIp => call.peer.remote_ip.to_str().ok()?,
            ContextVariable::UserAgent => call.user_agent.as_ref()?.to_str().ok()?,
            ContextVariable::Path => return Some(Cow::Owned(call.context_path().concat())),
            ContextVariable::Protocol => crate::access_log::protocol(call.version),
            ContextVariable::RequestId => call.ids.request(),
            ContextVariable::ResourceId => &call.method()?.resource_id,
            ContextVariable::ResourcePath => &call.method()?.resource_path,
            ContextVariable::Stage => &facts.stage?.name,
            _ => return self.made(facts).map(Cow::Owned),
        };
        Some(Cow::Borrowed(text))
    }

    /// Values that are made when they are asked for.
    fn made(self, facts: &Facts<'_>) -> Option<String> {
        let call = facts.call;
        let answered = facts.answered;
        Some(match self {
            ContextVariable::IntegrationLatency => {
                call.integration_latency?.as_millis().to_string()
            }
            ContextVariable::IntegrationStatus => call.integration_status?.to_string(),
            ContextVariable::RequestTime => common_log_time(call.received_ms.div_euclid(1000)),
            ContextVariable::RequestTimeEpoch => call.received_ms.to_string(),
            ContextVariable::ResponseLatency => answered?.latency.as_millis().to_string(),
            ContextVariable::ResponseLength => answered?.bytes.to_string(),
            ContextVariable::Status => answered?.status.to_string(),
            ContextVariable::XrayTraceId => {
                let trace = call.ids.trace(call.received_ms);
                String::from_utf8_lossy(&trace)
                    .trim_start_matches("Root=")
                    .to_owned()
            }
            _ => return None,
        })
    }
}
