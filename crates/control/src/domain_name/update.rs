//! What UpdateDomainName can change.

use serde_json::{Value, json};
use tollgate_entity::{DomainName, Timestamp};
use tollgate_store::SecretValue;

use super::new::{arns, certificate, check_arns, check_mutual_tls, check_policy, finish};
use crate::Control;
use crate::certificate::{Given, PrivateKey};
use crate::enumerations::{
    ENDPOINT_ACCESS_MODES, IP_ADDRESS_TYPES, ROUTING_MODES, SECURITY_POLICIES,
};
use crate::error::Error;
use crate::patch::{Op, Patch, PatchDocument, PatchRule, Patched, PathRefusal, replace, set};

/// Endpoint types as this operation lists them.
const ENDPOINT_TYPES: [&str; 3] = ["REGIONAL", "EDGE", "PRIVATE"];
/// The path whose value is a secret.
const PRIVATE_KEY: &str = "/certificatePrivateKey";

/// A domain name being changed, and the certificate that is uploaded for it.
pub(crate) struct Change {
    domain: DomainName,
    uploaded: Given,
}

impl Change {
    pub fn of(domain: DomainName) -> Self {
        let uploaded = Given::default();
        Change { domain, uploaded }
    }

    /// The changed domain name, if it holds as a whole, and its new certificate, if one was uploaded.
    pub fn checked(
        self,
        before: &DomainName,
        control: &Control,
        now: Timestamp,
    ) -> Result<(DomainName, Option<SecretValue>), Error> {
        let mut domain = self.domain;
        if self.uploaded.is_there() && !names_another(before, &domain) {
            // What is uploaded takes the place of what was named.
            (domain.certificate_arn, domain.regional_certificate_arn) = (None, None);
        }
        let uploaded = certificate(&domain, self.uploaded)?;
        check_arns(before, &domain, control)?;
        if uploaded.is_some() || names_another(before, &domain) {
            domain.certificate_upload_date = Some(now);
        }
        finish(&mut domain, control)?;
        Ok((domain, uploaded))
    }
}

/// Whether the change names a certificate that was not named before.
pub(super) fn names_another(before: &DomainName, domain: &DomainName) -> bool {
    arns(domain).any(|arn| !arns(before).any(|known| known == arn))
}

/// The operations as the audit log keeps them.
pub(super) fn without_secrets(patch: &PatchDocument) -> Value {
    let mut operations = json!(patch.patch_operations);
    for operation in operations.as_array_mut().into_iter().flatten() {
        if operation["path"] == PRIVATE_KEY && operation.get("value").is_some() {
            operation["value"] = json!("****");
        }
    }
    operations
}

#[rustfmt::skip]
impl Patch for Change {
    const RULES: &'static [PatchRule<Self>] = &[
        set(    "/certificateName",         |it, new| new.set(&mut it.domain.certificate_name)),
        set(    "/certificateArn",          |it, new| new.set(&mut it.domain.certificate_arn)),
        set(    "/regionalCertificateName", |it, new| new.set(&mut it.domain.regional_certificate_name)),
        set(    "/regionalCertificateArn",  |it, new| new.set(&mut it.domain.regional_certificate_arn)),
        set(    "/certificateBody",         |it, new| new.set(&mut it.uploaded.body)),
        set(    PRIVATE_KEY,                |it, new| { it.uploaded.key = new.value().map(|pem| PrivateKey::new(pem.to_owned())); Ok(()) }),
        set(    "/certificateChain",        |it, new| new.set(&mut it.uploaded.chain)),
        replace("/ownershipVerificationCertificateArn", |it, new| new.set(&mut it.domain.ownership_verification_certificate_arn)),
        replace("/securityPolicy",          |it, new| { it.domain.security_policy = new.one_of("securityPolicy", &SECURITY_POLICIES)?; Ok(()) }),
        replace("/endpointAccessMode",      |it, new| { it.domain.endpoint_access_mode = new.one_of("endpointAccessMode", &ENDPOINT_ACCESS_MODES)?; Ok(()) }),
        replace("/routingMode",             |it, new| { it.domain.routing_mode = new.one_of("routingMode", &ROUTING_MODES)?; Ok(()) }),
        PatchRule { ops: &[Op::Add, Op::Remove], path: "/endpointConfiguration/types", apply: patch_types },
        PatchRule { ops: &[Op::Add, Op::Replace, Op::Remove], path: "/endpointConfiguration/types/{type}", apply: patch_type },
        replace("/endpointConfiguration/ipAddressType", patch_ip_address_type),
        set(    "/mutualTlsAuthentication/truststoreUri",     |_, new| check_mutual_tls(new.value())),
        set(    "/mutualTlsAuthentication/truststoreVersion", |_, new| check_mutual_tls(new.value())),
        replace("/policy",           |_, new| check_policy(new.value())),
        replace("/managementPolicy", |_, new| check_policy(new.value())),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

/// Adds or removes the type that is the value: a name has both while it moves from one to the other.
fn patch_types(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    change_types(change, new.op(), new.text()?)
}

/// The last segment is an index, whose type is replaced, or the type itself.
fn patch_type(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    if new.op() != Op::Replace {
        return change_types(change, new.op(), new.hole());
    }
    let types = &mut change.domain.endpoint_configuration.types;
    let value = endpoint_type(new.text()?)?;
    let index = types.iter().position(|kind| kind == new.hole());
    let index = index
        .or_else(|| new.hole().parse().ok())
        .filter(|index| *index < types.len());
    let Some(index) = index else {
        return Err(Error::bad_request(format!(
            "Invalid patch path {}",
            new.path
        )));
    };
    types[index] = value;
    types.dedup();
    Ok(())
}

fn change_types(change: &mut Change, op: Op, kind: &str) -> Result<(), Error> {
    let kind = endpoint_type(kind)?;
    let types = &mut change.domain.endpoint_configuration.types;
    types.retain(|own| *own != kind);
    if op == Op::Add {
        types.push(kind);
    }
    Ok(())
}

fn endpoint_type(text: &str) -> Result<String, Error> {
    match ENDPOINT_TYPES.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(Error::bad_request(format!(
            "Invalid EndpointTypes specified. Valid options are {}",
            ENDPOINT_TYPES.join(",")
        ))),
    }
}

fn patch_ip_address_type(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let value = new.value().unwrap_or_default();
    if !IP_ADDRESS_TYPES.contains(&value) {
        return Err(Error::bad_request(
            "ipAddressType must be either ipv4 or dualstack.",
        ));
    }
    value.clone_into(&mut change.domain.endpoint_configuration.ip_address_type);
    Ok(())
}
