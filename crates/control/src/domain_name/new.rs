//! The body of CreateDomainName, its defaults, and the rules that every domain name keeps.

use rand::RngExt;
use serde::{Deserialize, Serialize};
use tollgate_entity::{DomainName, EndpointConfiguration, Tags, Timestamp, id, tags};
use tollgate_store::SecretValue;

use crate::certificate::{Given, PrivateKey};
use crate::check::Check;
use crate::enumerations::{
    BASE_PATHS_ONLY, ENDPOINT_ACCESS_MODES, ENDPOINT_TYPES, IP_ADDRESS_TYPES, ROUTING_MODES,
    SECURITY_POLICIES,
};
use crate::error::Error;
use crate::{Control, ControlSettings};

const SECURITY_POLICY_DEFAULT: &str = "TLS_1_2";

/// The zones that AWS names beside its own host names. Nothing here answers for them; clients read them.
const DISTRIBUTION_ZONE: &str = "Z2FDTNDATAQYW2";
const REGIONAL_ZONE: &str = "Z1UJRXOUMOOFQ8";

/// The body of CreateDomainName. Of a certificate that comes along nothing is written to the audit log
/// but that it came.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewDomainName {
    domain_name: Option<String>,
    certificate_name: Option<String>,
    #[serde(skip_serializing)]
    certificate_body: Option<String>,
    #[serde(skip_serializing)]
    certificate_private_key: Option<PrivateKey>,
    #[serde(skip_serializing)]
    certificate_chain: Option<String>,
    certificate_arn: Option<String>,
    regional_certificate_name: Option<String>,
    regional_certificate_arn: Option<String>,
    endpoint_configuration: Option<NewEndpointConfiguration>,
    tags: Option<Tags>,
    security_policy: Option<String>,
    endpoint_access_mode: Option<String>,
    mutual_tls_authentication: Option<MutualTls>,
    ownership_verification_certificate_arn: Option<String>,
    policy: Option<String>,
    routing_mode: Option<String>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct NewEndpointConfiguration {
    types: Option<Vec<String>>,
    ip_address_type: Option<String>,
    vpc_endpoint_ids: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct MutualTls {
    truststore_uri: Option<String>,
    truststore_version: Option<String>,
}

impl NewDomainName {
    pub(super) fn check_front(&self, operation: &str) -> Result<(), Error> {
        let mut check = Check::body_of(operation);
        check.present("domainName", &self.domain_name);
        if let Some(endpoint) = &self.endpoint_configuration {
            let types = endpoint.types.as_deref().unwrap_or_default();
            check.all_of("endpointConfiguration.types", types, &ENDPOINT_TYPES);
            check.optional(
                "endpointConfiguration.ipAddressType",
                endpoint.ip_address_type.as_deref(),
                &IP_ADDRESS_TYPES,
            );
        }
        for (member, value, allowed) in [
            (
                "securityPolicy",
                &self.security_policy,
                SECURITY_POLICIES.as_slice(),
            ),
            (
                "endpointAccessMode",
                &self.endpoint_access_mode,
                &ENDPOINT_ACCESS_MODES,
            ),
            ("routingMode", &self.routing_mode, &ROUTING_MODES),
        ] {
            check.optional(member, value.as_deref(), allowed);
        }
        check.finish()
    }

    /// The domain name, and its certificate in PEM if one was uploaded.
    pub(super) fn checked(
        self,
        control: &Control,
        now: Timestamp,
    ) -> Result<(DomainName, Option<SecretValue>), Error> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let name = self.domain_name.unwrap_or_default();
        DomainName::check_name(&name)?;
        check_mutual_tls(
            self.mutual_tls_authentication
                .and_then(|it| it.truststore_uri)
                .as_deref(),
        )?;
        check_policy(self.policy.as_deref())?;
        let tags = self.tags.unwrap_or_default();
        tags::check(&tags)?;
        let regional_certificate_arn = given(self.regional_certificate_arn);
        let endpoint = self.endpoint_configuration.unwrap_or_default();
        let default = match regional_certificate_arn {
            Some(_) => "REGIONAL",
            None => "EDGE",
        };
        let types = endpoint.types.unwrap_or_else(|| vec![default.to_owned()]);
        if types.len() > 1 {
            return Err(Error::bad_request(
                "Cannot create a domain name with multiple Endpoint Types.",
            ));
        }
        let mut domain = DomainName {
            domain_name_arn: arn(&control.settings, &name),
            domain_name: name,
            certificate_name: given(self.certificate_name),
            certificate_arn: given(self.certificate_arn),
            regional_certificate_name: given(self.regional_certificate_name),
            regional_certificate_arn,
            endpoint_configuration: EndpointConfiguration {
                types,
                ip_address_type: endpoint
                    .ip_address_type
                    .unwrap_or_else(|| "ipv4".to_owned()),
                vpc_endpoint_ids: endpoint.vpc_endpoint_ids.unwrap_or_default(),
            },
            domain_name_status: "AVAILABLE".to_owned(),
            security_policy: given(self.security_policy)
                .or_else(|| Some(SECURITY_POLICY_DEFAULT.to_owned())),
            endpoint_access_mode: given(self.endpoint_access_mode),
            ownership_verification_certificate_arn: given(
                self.ownership_verification_certificate_arn,
            ),
            routing_mode: given(self.routing_mode).or_else(|| Some(BASE_PATHS_ONLY.to_owned())),
            tags,
            ..DomainName::default()
        };
        let uploaded = Given {
            body: given(self.certificate_body),
            key: self.certificate_private_key,
            chain: given(self.certificate_chain),
        };
        let certificate = certificate(&domain, uploaded)?;
        check_arns(&DomainName::default(), &domain, control)?;
        if certificate.is_some() || arns(&domain).next().is_some() {
            domain.certificate_upload_date = Some(now);
        }
        finish(&mut domain, control)?;
        Ok((domain, certificate))
    }
}

/// The certificate that was uploaded for a domain name, checked; none if there was none.
pub(super) fn certificate(domain: &DomainName, given: Given) -> Result<Option<SecretValue>, Error> {
    if !given.is_there() {
        return Ok(None);
    }
    if arns(domain).next().is_some() {
        return Err(Error::bad_request(
            "Give either the ARN of a certificate or certificateBody with certificatePrivateKey, not both",
        ));
    }
    given.checked(&domain.domain_name).map(Some)
}

/// The ARNs of its certificates.
pub(super) fn arns(domain: &DomainName) -> impl Iterator<Item = &str> {
    [&domain.regional_certificate_arn, &domain.certificate_arn]
        .into_iter()
        .filter_map(|arn| arn.as_deref())
}

/// Certificates that were not named before must be well named and, where TLS is served, be there.
pub(super) fn check_arns(
    before: &DomainName,
    domain: &DomainName,
    control: &Control,
) -> Result<(), Error> {
    for arn in arns(domain).filter(|arn| !arns(before).any(|known| known == *arn)) {
        if !arn.starts_with("arn:") || arn.splitn(6, ':').count() < 6 {
            return Err(Error::bad_request(format!(
                "Invalid ARN. ARN is not well formed {arn}"
            )));
        }
        let known = control.settings.certificate_arns.as_ref();
        if known.is_some_and(|known| !known.contains(arn)) {
            return Err(Error::bad_request(format!(
                "Certificate {arn} is not known to this gateway. Name its files in tollgate.toml and restart: [certificates] \
                 \"{arn}\" = {{ certificate = \"FILE\", key = \"FILE\" }}; or give certificateBody and certificatePrivateKey instead"
            )));
        }
    }
    Ok(())
}

/// Checks the whole and gives it the host names that its endpoint types have.
pub(super) fn finish(domain: &mut DomainName, control: &Control) -> Result<(), Error> {
    let endpoint = &domain.endpoint_configuration;
    if endpoint.types.is_empty() {
        return Err(Error::bad_request(
            "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.",
        ));
    }
    if endpoint.types.iter().any(|kind| kind == "PRIVATE") || !endpoint.vpc_endpoint_ids.is_empty()
    {
        return Err(Error::bad_request(
            "The endpoint type PRIVATE is not supported. Use REGIONAL or EDGE.",
        ));
    }
    check_enforced(domain)?;
    let has = |kind: &str| endpoint.types.iter().any(|own| own == kind);
    let (edge, regional) = (has("EDGE"), has("REGIONAL"));
    let region = &control.settings.region;
    domain.distribution_domain_name = domain.distribution_domain_name.take().filter(|_| edge);
    domain.regional_domain_name = domain.regional_domain_name.take().filter(|_| regional);
    if edge && domain.distribution_domain_name.is_none() {
        let name = format!("d{}.cloudfront.net", letters(control, 13));
        domain.distribution_domain_name = Some(name);
    }
    if regional && domain.regional_domain_name.is_none() {
        let name = format!(
            "d-{}.execute-api.{region}.amazonaws.com",
            id::ten(&mut control.rng())
        );
        domain.regional_domain_name = Some(name);
    }
    domain.distribution_hosted_zone_id = edge.then(|| DISTRIBUTION_ZONE.to_owned());
    domain.regional_hosted_zone_id = regional.then(|| REGIONAL_ZONE.to_owned());
    Ok(())
}

/// What would protect something and is not enforced is refused.
fn check_enforced(domain: &DomainName) -> Result<(), Error> {
    let policy = domain.security_policy.as_deref().unwrap_or_default();
    if policy.contains("FIPS") {
        return Err(Error::bad_request(format!(
            "The securityPolicy {policy} is not supported: the gateway's cryptography is not validated by FIPS 140. Use the policy without FIPS."
        )));
    }
    if domain.endpoint_access_mode.as_deref() == Some("STRICT") {
        return Err(Error::bad_request(
            "The endpointAccessMode STRICT is not supported yet. Use BASIC.",
        ));
    }
    match domain.routing_mode.as_deref() {
        None | Some(BASE_PATHS_ONLY) => Ok(()),
        Some(mode) => Err(Error::bad_request(format!(
            "The routingMode {mode} is not supported: there are no routing rules. Use {BASE_PATHS_ONLY}."
        ))),
    }
}

/// Client certificates would keep callers out, so that they are refused until they are asked for.
pub(super) fn check_mutual_tls(truststore: Option<&str>) -> Result<(), Error> {
    match truststore {
        None | Some("") => Ok(()),
        Some(_) => Err(Error::bad_request(
            "mutualTlsAuthentication is not supported yet.",
        )),
    }
}

/// A policy would keep callers out, too.
pub(super) fn check_policy(policy: Option<&str>) -> Result<(), Error> {
    match policy {
        None | Some("") => Ok(()),
        Some(_) => Err(Error::bad_request(
            "A policy of a domain name is not supported yet.",
        )),
    }
}

fn arn(settings: &ControlSettings, name: &str) -> String {
    format!(
        "arn:aws:apigateway:{}::/domainnames/{name}",
        settings.region
    )
}

/// Lower-case letters and digits.
fn letters(control: &Control, count: usize) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = control.rng();
    (0..count)
        .map(|_| char::from(DIGITS[rng.random_range(0..DIGITS.len())]))
        .collect()
}
