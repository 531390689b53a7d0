//! ClientCertificate: what stages show to https upstreams. Generate, get, list, update, delete.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use tollgate_entity::{ClientCertificate, RestApi, Stage, Tags, Timestamp, id, tags};
use tollgate_store::{Reader, SecretValue, Transaction};

use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find, shown};

/// How long a certificate can be used, in seconds: a year, as on AWS.
const LIFE_S: i64 = 365 * 24 * 3600;
/// How long before its making it is good already, for upstreams whose clocks are behind, in seconds.
const HEAD_START_S: i64 = 3600;

/// The body of GenerateClientCertificate.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewClientCertificate {
    description: Option<String>,
    tags: Option<Tags>,
}

/// GenerateClientCertificate: a key pair and a certificate signed by itself, for a year.
pub async fn generate(
    control: Control,
    caller: Caller,
    Json(new): Json<NewClientCertificate>,
) -> Result<Json<ClientCertificate>, Error> {
    let mut audit = caller.audit(json!(new));
    let tags = new.tags.unwrap_or_default();
    tags::check(&tags)?;
    let id = id::six(&mut control.rng());
    let (pem, key) = made(&id, caller.at).map_err(Error::internal)?;
    let certificate = ClientCertificate {
        client_certificate_id: id,
        description: new.description.filter(|text| !text.is_empty()),
        pem_encoded_certificate: pem,
        created_date: caller.at,
        expiration_date: Timestamp(caller.at.0 + LIFE_S),
        tags,
    };
    audit.what["clientCertificateId"] = json!(certificate.client_certificate_id);
    let change = move |tx: &mut Transaction<'_>| {
        tx.insert(&certificate)?;
        tx.put_secret::<ClientCertificate>(&certificate.client_certificate_id, &key)?;
        Ok::<_, Error>(certificate)
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

/// A certificate and its key, both in PEM: ECDSA on P-256, which every TLS server knows.
fn made(id: &str, now: Timestamp) -> Result<(String, SecretValue), rcgen::Error> {
    let key = KeyPair::generate()?;
    let at = |seconds: i64| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    };
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Tollgate");
    name.push(DnType::OrganizationalUnitName, id);
    name.push(DnType::CommonName, "ApiGateway");
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.not_before = at(now.0 - HEAD_START_S);
    params.not_after = at(now.0 + LIFE_S);
    params.serial_number = Some(SerialNumber::from(uuid::Uuid::new_v4().as_bytes().to_vec()));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), SecretValue::new(key.serialize_pem())))
}

/// GetClientCertificates: in order of creation.
pub async fn list(control: Control, page: Page) -> Result<Json<Items<ClientCertificate>>, Error> {
    let page = page.oldest_first()?;
    let look = move |reader: &Reader<'_>| Ok::<_, Error>(reader.page("", &page, |_| true)?);
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetClientCertificate.
pub async fn get(control: Control, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let look = move |reader: &Reader<'_>| find::client_certificate(reader, &id);
    shown::with_tags(&control.store.read(look).await?)
}

/// UpdateClientCertificate.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(id): Path<String>,
    patch: PatchDocument,
) -> Result<Json<Value>, Error> {
    let audit =
        caller.audit(json!({"clientCertificateId": id, "patchOperations": patch.patch_operations}));
    let change = move |tx: &mut Transaction<'_>| {
        let mut certificate = find::client_certificate(tx, &id)?;
        patch.apply(&mut certificate)?;
        tx.put(&certificate)?;
        Ok::<_, Error>(certificate)
    };
    shown::with_tags(&control.store.commit(audit, change).await?)
}

/// DeleteClientCertificate: refused while a stage shows it.
pub async fn delete(control: Control, caller: Caller, Path(id): Path<String>) -> Result<(), Error> {
    let audit = caller.audit(json!({"clientCertificateId": id}));
    let change = move |tx: &mut Transaction<'_>| {
        find::client_certificate(tx, &id)?;
        if let Some(user) = stage_that_shows(tx, &id)? {
            return Err(Error::bad_request(format!(
                "Cannot delete client certificate {id} because stages use it, including {}:{}",
                user.rest_api_id, user.stage_name
            )));
        }
        tx.delete_secret::<ClientCertificate>(&id)?;
        tx.delete::<ClientCertificate>("", &id)?;
        Ok::<_, Error>(())
    };
    control.store.commit(audit, change).await
}

fn stage_that_shows(reader: &Reader<'_>, id: &str) -> Result<Option<Stage>, Error> {
    for api in reader.list::<RestApi>("")? {
        let mut stages = reader.list::<Stage>(&api.id)?.into_iter();
        let found = stages.find(|stage| stage.client_certificate_id.as_deref() == Some(id));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whether a stage may show the certificate of that id; no id is no certificate.
pub(crate) fn check(reader: &Reader<'_>, id: Option<&str>) -> Result<(), Error> {
    match id.filter(|id| !id.is_empty()) {
        Some(id) if reader.get::<ClientCertificate>("", id)?.is_none() => Err(Error::bad_request(
            "Invalid client certificate identifier specified",
        )),
        _ => Ok(()),
    }
}

#[rustfmt::skip]
impl Patch for ClientCertificate {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/description", |it, new| new.set(&mut it.description)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

#[cfg(test)]
mod tests;
