//! Documentation of an API: its parts, and the versions that freeze them.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_DocumentationPart.html>

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What is said about one place of an API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DocumentationPart {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub id: String,
    pub location: DocumentationPartLocation,
    /// A JSON object, as text.
    pub properties: String,
}

/// The place a part speaks of; what a type has no use for is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DocumentationPartLocation {
    /// `API`, `RESOURCE`, `METHOD` and so on.
    #[serde(rename = "type")]
    pub part_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A version as it is listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DocumentationVersion {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub version: String,
    pub created_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a version froze. It never changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DocumentationSnapshot {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub version: String,
    pub parts: Vec<DocumentationPart>,
}
