//! DomainName and BasePathMapping: names of one's own under which stages are called.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_DomainName.html>

use serde::{Deserialize, Serialize};

use crate::{EndpointConfiguration, Invalid, Tags, Timestamp};

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

/// Characters in a domain name; DNS's own limit.
pub const DOMAIN_NAME_CHARS_MAX: usize = 253;
/// Characters in one label of a domain name; DNS's own limit.
const LABEL_CHARS_MAX: usize = 63;
/// Characters in a base path.
pub const BASE_PATH_CHARS_MAX: usize = 300;
/// What may stand in a base path besides letters and digits.
const BASE_PATH_MARKS: &str = "$-_.+!*'()";

impl DomainName {
    /// Checks the name: labels in lower case, the first of which may be `*`.
    pub fn check_name(name: &str) -> Result<(), Invalid> {
        let bare = name.strip_prefix("*.").unwrap_or(name);
        let is_label = |label: &str| {
            (1..=LABEL_CHARS_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_address = bare.parse::<std::net::Ipv4Addr>().is_ok();
        if name.len() <= DOMAIN_NAME_CHARS_MAX && !is_address && bare.split('.').all(is_label) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "Invalid domain name '{name}' specified. A domain name has lower-case letters, digits and hyphens between dots, at most \
             {DOMAIN_NAME_CHARS_MAX} characters, and may begin with '*.'"
        )))
    }
}

impl BasePathMapping {
    /// A base path as it is kept: without slashes at its ends; none, or an empty one, is `(none)`.
    pub fn kept_base_path(given: Option<&str>) -> Result<String, Invalid> {
        let path = given.unwrap_or_default().trim_matches('/');
        if path.is_empty() || path == NO_BASE_PATH {
            return Ok(NO_BASE_PATH.to_owned());
        }
        let is_fine = |c: char| c.is_ascii_alphanumeric() || BASE_PATH_MARKS.contains(c);
        let is_segment = |text: &str| !matches!(text, "" | "." | "..") && text.chars().all(is_fine);
        if path.split('/').all(is_segment) {
            Invalid::check_chars("A base path", path, BASE_PATH_CHARS_MAX)?;
            return Ok(path.to_owned());
        }
        Err(Invalid::new(format!(
            "Invalid base path '{path}' specified. Base paths have letters, digits and any of {BASE_PATH_MARKS} between slashes"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_dns_in_lower_case() {
        let long = format!("{}.example", "a".repeat(LABEL_CHARS_MAX));
        for fine in [
            "api.example.com",
            "*.example.com",
            "localhost",
            "1.a",
            &long,
        ] {
            assert_eq!(DomainName::check_name(fine), Ok(()), "{fine}");
        }
        let too_long = ["a"; 128].join(".");
        for bad in [
            "",
            ".",
            "*",
            "*.",
            "a..b",
            "-a.b",
            "a-.b",
            "API.example.com",
            "a.*.b",
            "a b",
            "a:80",
            "127.0.0.1",
            "a.example.",
            "é.example",
            &format!("a{long}"),
            &too_long,
        ] {
            assert!(DomainName::check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn base_paths_have_any_number_of_levels() {
        let kept = |given: Option<&str>| BasePathMapping::kept_base_path(given).ok();
        for none in [None, Some(""), Some("/"), Some("(none)")] {
            assert_eq!(kept(none).as_deref(), Some(NO_BASE_PATH), "{none:?}");
        }
        assert_eq!(kept(Some("v1")).as_deref(), Some("v1"));
        assert_eq!(kept(Some("/shop/v1.2/")).as_deref(), Some("shop/v1.2"));
        assert_eq!(
            kept(Some("it's+(a)$-_!*")).as_deref(),
            Some("it's+(a)$-_!*")
        );
        let long = "a".repeat(BASE_PATH_CHARS_MAX);
        assert!(kept(Some(&long)).is_some() && kept(Some(&format!("{long}a"))).is_none());
        for bad in ["a//b", "a b", "a?b", "a%2Fb", "é", "../a", "a/."] {
            assert_eq!(kept(Some(bad)), None, "{bad}");
        }
    }
}
