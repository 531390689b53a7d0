//! GatewayResponse: how an API words what the gateway itself answers.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A gateway response that an API defines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayResponse {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    /// A name of [`RESPONSE_TYPES`].
    pub response_type: String,
    /// Absent: the status of `DEFAULT_4XX` or `DEFAULT_5XX` if defined, else the type's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
    /// `gatewayresponse.header.<name>` to a mapping expression.
    pub response_parameters: BTreeMap<String, String>,
    /// Content type to template.
    pub response_templates: BTreeMap<String, String>,
    /// Whether it is AWS's own, not the API's.
    pub default_response: bool,
}

/// A type of gateway response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseType {
    pub name: &'static str,
    /// The status it has by itself. The two defaults have none of their own: they leave it to the type.
    pub status: Option<u16>,
    /// The type whose definition stands in where this one has none.
    pub falls_back_to: Option<&'static str>,
}

const fn client(name: &'static str, status: u16) -> ResponseType {
    ResponseType {
        name,
        status: Some(status),
        falls_back_to: Some("DEFAULT_4XX"),
    }
}

const fn server(name: &'static str, status: u16) -> ResponseType {
    ResponseType {
        name,
        status: Some(status),
        falls_back_to: Some("DEFAULT_5XX"),
    }
}

const fn default(name: &'static str) -> ResponseType {
    ResponseType {
        name,
        status: None,
        falls_back_to: None,
    }
}

/// Every type, in the order of AWS's model.
pub static RESPONSE_TYPES: [ResponseType; 21] = [
    default("DEFAULT_4XX"),
    default("DEFAULT_5XX"),
    client("RESOURCE_NOT_FOUND", 404),
    client("UNAUTHORIZED", 401),
    client("INVALID_API_KEY", 403),
    client("ACCESS_DENIED", 403),
    server("AUTHORIZER_FAILURE", 500),
    server("AUTHORIZER_CONFIGURATION_ERROR", 500),
    client("INVALID_SIGNATURE", 403),
    client("EXPIRED_TOKEN", 403),
    client("MISSING_AUTHENTICATION_TOKEN", 403),
    server("INTEGRATION_FAILURE", 504),
    server("INTEGRATION_TIMEOUT", 504),
    server("API_CONFIGURATION_ERROR", 500),
    client("UNSUPPORTED_MEDIA_TYPE", 415),
    client("BAD_REQUEST_PARAMETERS", 400),
    client("BAD_REQUEST_BODY", 400),
    client("REQUEST_TOO_LARGE", 413),
    client("THROTTLED", 429),
    client("QUOTA_EXCEEDED", 429),
    client("WAF_FILTERED", 403),
];

impl ResponseType {
    /// The type of that name.
    pub fn named(name: &str) -> Option<&'static ResponseType> {
        RESPONSE_TYPES.iter().find(|own| own.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_falls_back_to_the_default_of_its_class() {
        for own in &RESPONSE_TYPES {
            let fallback = own
                .status
                .map(|status| format!("DEFAULT_{}XX", status / 100));
            assert_eq!(own.falls_back_to, fallback.as_deref(), "{}", own.name);
            assert_eq!(ResponseType::named(own.name), Some(own));
        }
    }
}
