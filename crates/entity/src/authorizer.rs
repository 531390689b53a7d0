//! Authorizer: who decides whether a caller may call. Stored and reported; a method that uses one
//! answers AWS's 500 until authorizers are enforced.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_Authorizer.html>

use serde::{Deserialize, Serialize};

/// An authorizer of an API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Authorizer {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub authorizer_type: AuthorizerType,
    #[serde(rename = "providerARNs", skip_serializing_if = "Vec::is_empty")]
    pub provider_arns: Vec<String>,
    /// Free text; `custom` or `cognito_user_pools` where AWS's importer sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_credentials: Option<String>,
    /// `method.request.header.Authorization`; several with commas between for REQUEST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_validation_expression: Option<String>,
    /// Seconds an answer is kept; 0 keeps none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorizer_result_ttl_in_seconds: Option<i32>,
}

/// AWS's kinds of authorizer of a REST API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthorizerType {
    #[default]
    Token,
    Request,
    CognitoUserPools,
}
