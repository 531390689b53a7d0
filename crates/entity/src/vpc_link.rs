//! VpcLink: AWS's way into a private network; here a name, for on one's own machine there is nothing to link.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_VpcLink.html>

use serde::{Deserialize, Serialize};

use crate::Tags;

/// A VPC link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VpcLink {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub target_arns: Vec<String>,
    /// `AVAILABLE` from the start.
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}
