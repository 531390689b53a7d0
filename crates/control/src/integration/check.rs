//! What every integration keeps to, checked when it is put and after every batch of changes.

use tollgate_entity::integration::{TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MIN};
use tollgate_entity::{Integration, IntegrationType, Method};

use crate::error::Error;
use crate::mapping;
use crate::method;

/// Milliseconds an integration may take at most; AWS's quota.
const TIMEOUT_MS_MAX: i32 = TIMEOUT_MS_DEFAULT;

/// Checks the integration of a method. `has_vpc_link` tells whether there is a VPC link of that id.
pub(crate) fn check(
    integration: &Integration,
    method: &Method,
    has_vpc_link: impl FnOnce(&str) -> Result<bool, Error>,
) -> Result<(), Error> {
    match (
        integration.http_method.as_deref(),
        integration.integration_type,
    ) {
        (Some(verb), _) => method::check_verb(verb)?,
        (None, IntegrationType::Mock) => {}
        (None, _) => {
            return Err(Error::bad_request(
                "Enumeration value for HttpMethod must be non-empty",
            ));
        }
    }
    check_target(integration)?;
    if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&integration.timeout_in_millis) {
        return Err(Error::bad_request(format!(
            "Timeout should be between {TIMEOUT_MS_MIN} ms and {TIMEOUT_MS_MAX} ms"
        )));
    }
    check_connection(integration, has_vpc_link)?;
    if let Some(parameters) = &integration.request_parameters {
        mapping::check_request(parameters, method.request_parameters.as_ref())?;
    }
    mapping::check_content_types(integration.request_templates.as_ref())?;
    check_cache_keys(integration, method)
}

fn check_target(integration: &Integration) -> Result<(), Error> {
    let uri = integration.uri.as_deref().unwrap_or_default();
    match integration.integration_type {
        IntegrationType::Mock => Ok(()),
        IntegrationType::Http | IntegrationType::HttpProxy if is_http(uri) => Ok(()),
        IntegrationType::Http | IntegrationType::HttpProxy => Err(Error::bad_request(
            "Invalid HTTP endpoint specified for URI",
        )),
        IntegrationType::Aws | IntegrationType::AwsProxy => check_arn(integration, uri),
    }
}

/// `http://` or `https://`, a host, and nothing that cannot stand in a request line.
fn is_http(uri: &str) -> bool {
    let after = |scheme: &str| {
        uri.get(..scheme.len())
            .filter(|start| start.eq_ignore_ascii_case(scheme))
            .map(|start| &uri[start.len()..])
    };
    let Some(rest) = after("http://").or_else(|| after("https://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// `arn:<partition>:apigateway:<region>:<service>:{path,action}/<rest>`.
fn check_arn(integration: &Integration, uri: &str) -> Result<(), Error> {
    let parts: Vec<&str> = uri.splitn(6, ':').collect();
    let (["arn", _, _, _, service, target], true) =
        (parts.as_slice(), is_arn(integration.credentials.as_deref()))
    else {
        return Err(Error::bad_request("Invalid ARN specified in the request"));
    };
    if !target.starts_with("path") && !target.starts_with("action") {
        return Err(Error::bad_request(
            "AWS ARN for integration must contain path or action",
        ));
    }
    if *service == "lambda" {
        return Ok(());
    }
    match integration.integration_type {
        IntegrationType::AwsProxy if *service != "firehose" => Err(Error::bad_request(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
        )),
        _ if integration.credentials.is_none() => Err(Error::bad_request(
            "Role ARN must be specified for AWS integrations",
        )),
        _ => Ok(()),
    }
}

/// Whether it is an ARN, if it is there at all.
fn is_arn(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.starts_with("arn:"))
}

/// A VPC link must be there; one named by a stage variable need not: calls go to the URI in any case.
fn check_connection(
    integration: &Integration,
    has_vpc_link: impl FnOnce(&str) -> Result<bool, Error>,
) -> Result<(), Error> {
    if integration.connection_type.as_deref() != Some("VPC_LINK") {
        return Ok(());
    }
    match integration.connection_id.as_deref() {
        None => Err(Error::bad_request(
            "ConnectionId should be set to the vpcLinkId or stage variable on connection type VPC_LINK",
        )),
        Some(id) if id.starts_with("${stageVariables.") && id.ends_with('}') => Ok(()),
        Some(id) if has_vpc_link(id)? => Ok(()),
        Some(_) => Err(Error::bad_request("Invalid Vpc Link identifier specified")),
    }
}

/// What the cache is keyed by must be declared by the method or mapped by the integration.
fn check_cache_keys(integration: &Integration, method: &Method) -> Result<(), Error> {
    let declared = |key: &str| {
        method
            .request_parameters
            .as_ref()
            .is_some_and(|parameters| parameters.contains_key(key))
    };
    let mapped = |key: &str| {
        integration
            .request_parameters
            .as_ref()
            .is_some_and(|parameters| parameters.contains_key(key))
    };
    if integration
        .cache_key_parameters
        .iter()
        .all(|key| declared(key) || mapped(key))
    {
        return Ok(());
    }
    Err(Error::bad_request("Invalid cache key parameter specified"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Integration)) -> String {
        let mut integration = Integration {
            integration_type: IntegrationType::HttpProxy,
            http_method: Some("GET".into()),
            uri: Some("http://example.com".into()),
            timeout_in_millis: 29_000,
            ..Integration::default()
        };
        change(&mut integration);
        check(&integration, &Method::default(), |id| Ok(id == "link"))
            .map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn http_endpoints_are_absolute() {
        let of = |uri: &str| refusal(|integration| integration.uri = Some(uri.to_owned()));
        for fine in [
            "http://a",
            "HTTPS://a.b:8443/x?y=z",
            "http://${stageVariables.host}/x",
            "http://127.0.0.1:9/{proxy}",
        ] {
            assert_eq!(of(fine), "fine", "{fine}");
        }
        for bad in [
            "non-valid-http",
            "",
            "http://",
            "http:///x",
            "ftp://a",
            "http://a b",
            "https://a\n",
            "é",
        ] {
            assert_eq!(of(bad), "Invalid HTTP endpoint specified for URI", "{bad}");
        }
    }

    #[test]
    fn arns_are_told_apart_as_recorded() {
        let of = |kind: IntegrationType, uri: &str, credentials: Option<&str>| {
            refusal(|integration| {
                integration.integration_type = kind;
                integration.uri = Some(uri.to_owned());
                integration.credentials = credentials.map(str::to_owned);
            })
        };
        let lambda = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:F/invocations";
        let s3 = "arn:aws:apigateway:us-east-1:s3:path/b/k";
        let role = Some("arn:aws:iam::111111111111:role/r");
        assert_eq!(of(IntegrationType::Aws, lambda, None), "fine");
        assert_eq!(of(IntegrationType::AwsProxy, lambda, None), "fine");
        assert_eq!(of(IntegrationType::Aws, s3, role), "fine");
        assert_eq!(
            of(IntegrationType::Aws, s3, None),
            "Role ARN must be specified for AWS integrations"
        );
        assert_eq!(
            of(IntegrationType::AwsProxy, s3, role),
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
        );
        assert_eq!(
            of(IntegrationType::Aws, "non-valid-arn", None),
            "Invalid ARN specified in the request"
        );
        assert_eq!(
            of(IntegrationType::Aws, lambda, Some("role")),
            "Invalid ARN specified in the request"
        );
        assert_eq!(
            of(
                IntegrationType::Aws,
                "arn:aws:iam::0000000000:role/service-role/asdf",
                None
            ),
            "AWS ARN for integration must contain path or action"
        );
    }

    #[test]
    fn the_rest_has_limits_of_its_own() {
        assert_eq!(
            refusal(|it| it.http_method = None),
            "Enumeration value for HttpMethod must be non-empty"
        );
        assert!(
            refusal(|it| it.http_method = Some("get".into()))
                .starts_with("Invalid HttpMethod specified. Valid options are GET,")
        );
        for ms in [49, 29_001, 0, -1] {
            assert_eq!(
                refusal(|it| it.timeout_in_millis = ms),
                "Timeout should be between 50 ms and 29000 ms"
            );
        }
        assert_eq!(refusal(|it| it.timeout_in_millis = 50), "fine");
        assert_eq!(
            refusal(|it| it.cache_key_parameters = vec!["method.request.path.x".into()]),
            "Invalid cache key parameter specified"
        );
        let vpc = |id: Option<&str>| {
            refusal(|it| {
                it.connection_type = Some("VPC_LINK".into());
                it.connection_id = id.map(str::to_owned);
            })
        };
        assert_eq!(
            vpc(None),
            "ConnectionId should be set to the vpcLinkId or stage variable on connection type VPC_LINK"
        );
        assert_eq!(vpc(Some("abc123")), "Invalid Vpc Link identifier specified");
        assert_eq!(vpc(Some("link")), "fine");
        assert_eq!(vpc(Some("${stageVariables.vpcLinkId}")), "fine");
    }
}
