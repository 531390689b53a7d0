//! DomainName and BasePathMapping: names of one's own under which stages are called.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_DomainName.html>

use serde::{Deserialize, Serialize};

use crate::{EndpointConfiguration, Tags, Timestamp};

/// A mapping's base path when it takes every path that no other mapping takes.
pub const NO_BASE_PATH: &str = "(none)";

/// A custom domain name. The private key of its certificate is kept sealed beside it, never in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DomainName {
    /// In lower case; `*.` in front takes every name one level below.
    pub domain_name: String,
    pub domain_name_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_upload_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_hosted_zone_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_certificate_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regional_certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution_domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution_hosted_zone_id: Option<String>,
    pub endpoint_configuration: EndpointConfiguration,
    pub domain_name_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_name_status_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_access_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership_verification_certificate_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_mode: Option<String>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// One base path of a domain name and the API (and stage) behind it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BasePathMapping {
    /// The domain name it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub domain_name: String,
    /// Without slashes at its ends; `(none)` for the root.
    pub base_path: String,
    pub rest_api_id: String,
    /// Without one the first path segment below the base path names the stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}
