//! Deployment: a frozen copy of an API that stages can point at.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_Deployment.html>

use serde::{Deserialize, Serialize};

use crate::{
    ApiKeySource, Authorizer, GatewayResponse, Model, RequestValidator, Resource, Timestamp,
};

/// A deployment as it is listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub created_date: Timestamp,
}

/// What a deployment froze. It never changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentContent {
    /// The deployment it is the content of; kept beside the JSON, not in it.
    #[serde(skip)]
    pub deployment_id: String,
    pub resources: Vec<Resource>,
    pub api_key_source: ApiKeySource,
    pub binary_media_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_compression_size: Option<i32>,
    pub disable_execute_api_endpoint: bool,
    pub models: Vec<Model>,
    pub request_validators: Vec<RequestValidator>,
    pub authorizers: Vec<Authorizer>,
    /// Only those the API defines.
    pub gateway_responses: Vec<GatewayResponse>,
}
