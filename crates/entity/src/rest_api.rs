//! RestApi: one API, the owner of resources, deployments and stages.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_RestApi.html>

use serde::{Deserialize, Serialize};

use crate::{Invalid, Tags, Timestamp};

/// Characters in an API's name.
pub const NAME_CHARS_MAX: usize = 1024;
/// Characters in an API's description.
pub const DESCRIPTION_CHARS_MAX: usize = 125_000;

/// A REST API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestApi {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub created_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub binary_media_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_compression_size: Option<i32>,
    pub api_key_source: ApiKeySource,
    pub endpoint_configuration: EndpointConfiguration,
    pub disable_execute_api_endpoint: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_access_mode: Option<String>,
    pub root_resource_id: String,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl RestApi {
    /// Checks name and description.
    pub fn check_texts(&self) -> Result<(), Invalid> {
        if self.name.is_empty() {
            return Err(Invalid::new("API name cannot be an empty string"));
        }
        Invalid::check_chars("API name", &self.name, NAME_CHARS_MAX)?;
        let description = self.description.as_deref().unwrap_or_default();
        Invalid::check_chars("API description", description, DESCRIPTION_CHARS_MAX)
    }
}

/// Where a call's API key is read from. `AUTHORIZER` is refused until authorizers exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ApiKeySource {
    #[default]
    Header,
    Authorizer,
}

/// How AWS would expose the API; reported, without effect on one's own machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointConfiguration {
    pub types: Vec<String>,
    pub ip_address_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vpc_endpoint_ids: Vec<String>,
}

impl Default for EndpointConfiguration {
    fn default() -> Self {
        EndpointConfiguration {
            types: vec!["EDGE".into()],
            ip_address_type: "ipv4".into(),
            vpc_endpoint_ids: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded() {
        let of = |name: usize, description: usize| {
            let description = Some("é".repeat(description));
            let api = RestApi {
                name: "é".repeat(name),
                description,
                ..RestApi::default()
            };
            api.check_texts().is_ok()
        };
        assert!(of(1, 0) && of(NAME_CHARS_MAX, DESCRIPTION_CHARS_MAX));
        assert!(!of(0, 0) && !of(NAME_CHARS_MAX + 1, 0) && !of(1, DESCRIPTION_CHARS_MAX + 1));
    }
}
