//! ClientCertificate: what the gateway shows to upstreams that ask who calls them.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_ClientCertificate.html>

use serde::{Deserialize, Serialize};

use crate::{Tags, Timestamp};

/// A client certificate. Its private key is kept sealed beside it, never in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientCertificate {
    pub client_certificate_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub pem_encoded_certificate: String,
    pub created_date: Timestamp,
    pub expiration_date: Timestamp,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}
