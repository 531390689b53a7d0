//! Integration: where a method's requests go, and how its answers come back.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Milliseconds an integration may take, unless it says otherwise.
pub const TIMEOUT_MS_DEFAULT: i32 = 29_000;
/// The shortest timeout that can be set.
pub const TIMEOUT_MS_MIN: i32 = 50;

/// The integration of a method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Integration {
    #[serde(rename = "type")]
    pub integration_type: IntegrationType,
    /// The verb used upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    /// `integration.request.{path,querystring,header}.<name>` to a mapping expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<BTreeMap<String, String>>,
    /// Content type to template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_templates: Option<BTreeMap<String, Option<String>>>,
    pub passthrough_behavior: PassthroughBehavior,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<String>,
    pub timeout_in_millis: i32,
    pub cache_namespace: String,
    pub cache_key_parameters: Vec<String>,
    /// By status code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_responses: Option<BTreeMap<String, IntegrationResponse>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_config: Option<TlsConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_transfer_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_target: Option<String>,
}

/// AWS's five kinds of integration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IntegrationType {
    Http,
    #[default]
    Mock,
    AwsProxy,
    HttpProxy,
    Aws,
}

/// What happens to a request body whose content type has no template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PassthroughBehavior {
    #[default]
    WhenNoMatch,
    WhenNoTemplates,
    Never,
}

/// How the upstream's certificate is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsConfig {
    pub insecure_skip_verification: bool,
}

/// How an integration's answer becomes the method's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IntegrationResponse {
    pub status_code: String,
    /// A regular expression over the integration's status; absent or empty is the default answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection_pattern: Option<String>,
    /// `method.response.header.<name>` to a mapping expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_parameters: Option<BTreeMap<String, String>>,
    /// Content type to template; an empty template is kept as null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_templates: Option<BTreeMap<String, Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_handling: Option<String>,
}
