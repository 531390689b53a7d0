//! RequestValidator: which parts of a request a method checks before its integration is called.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_RequestValidator.html>

use serde::{Deserialize, Serialize};

/// A request validator of an API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestValidator {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The body against the model of its content type.
    pub validate_request_body: bool,
    /// That required parameters are there and not empty.
    pub validate_request_parameters: bool,
}
