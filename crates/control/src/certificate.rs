//! Certificates that come in by the control plane: read, checked against key and name, put together for keeping.

use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Deserializer};
use tollgate_store::SecretValue;

use crate::error::Error;

/// Certificates in a chain, the server's own not counted.
const CHAIN_MAX: usize = 10;

/// A certificate and its key as a caller gives them, in PEM. Never printed.
#[derive(Default)]
pub struct Given {
    pub body: Option<String>,
    pub key: Option<PrivateKey>,
    pub chain: Option<String>,
}

/// A private key in PEM, wiped when dropped.
pub struct PrivateKey(SecretValue);

impl PrivateKey {
    pub fn new(pem: String) -> Self {
        PrivateKey(SecretValue::new(pem))
    }
}

impl<'de> Deserialize<'de> for PrivateKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(PrivateKey::new)
    }
}

impl Given {
    /// Whether any part of a certificate was given.
    pub fn is_there(&self) -> bool {
        self.body.is_some() || self.key.is_some() || self.chain.is_some()
    }

    /// Everything in one PEM text, the server's own certificate first and the key last, once it is known
    /// that a server of that name can use it.
    pub fn checked(self, name: &str) -> Result<SecretValue, Error> {
        let (Some(body), Some(key)) = (self.body, self.key) else {
            return Err(Error::bad_request(
                "certificateBody and certificatePrivateKey must be given together",
            ));
        };
        let mut certificates = read("certificateBody", &body)?;
        let Some(own) = certificates.first().cloned() else {
            return Err(Error::bad_request(
                "certificateBody must be a PEM text with BEGIN CERTIFICATE, the server's own certificate",
            ));
        };
        let chain = self.chain.unwrap_or_default();
        certificates.extend(read("certificateChain", &chain)?);
        if certificates.len() > CHAIN_MAX + 1 {
            return Err(Error::bad_request(format!(
                "certificateChain has more than {CHAIN_MAX} certificates"
            )));
        }
        check_pair(certificates, key.0.expose())?;
        check_name(&own, name)?;
        let parts = [body.trim(), chain.trim(), key.0.expose().trim(), ""];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        Ok(SecretValue::new(
            parts.flat_map(|part| [part, "\n"]).collect(),
        ))
    }
}

fn read(member: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Result<_, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.map_err(|error| Error::bad_request(format!("A certificate in {member} is broken: {error}")))
}

/// The key must be readable and belong to the first certificate.
fn check_pair(certificates: Vec<CertificateDer<'static>>, key: &str) -> Result<(), Error> {
    if key.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        return Err(Error::bad_request(
            "certificatePrivateKey is encrypted; give it decrypted, it is sealed where it is kept",
        ));
    }
    // What exactly is wrong with a key could tell of the key.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
        Error::bad_request(
            "certificatePrivateKey must be a PEM text with BEGIN PRIVATE KEY (or RSA or EC)",
        )
    })?;
    let pair = CertifiedKey::from_der(certificates, key, &ring::default_provider());
    pair.map(drop).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Error::bad_request(
            "certificatePrivateKey does not belong to the certificate in certificateBody",
        ),
        rustls::Error::InvalidCertificate(why) => Error::bad_request(format!(
            "The certificate in certificateBody cannot be used: {why:?}"
        )),
        _ => Error::bad_request(
            "certificatePrivateKey cannot be used: its kind is none of RSA, ECDSA (P-256, P-384) and Ed25519",
        ),
    })
}

/// The certificate must be for the domain name; for a wildcard, for a name that it stands for.
fn check_name(own: &CertificateDer<'_>, domain: &str) -> Result<(), Error> {
    let broken = |_| Error::bad_request("The certificate in certificateBody is broken");
    let parsed = ParsedCertificate::try_from(own).map_err(broken)?;
    let not_for_it = || {
        Error::bad_request(format!(
            "The certificate in certificateBody is not for the domain name {domain}: no subject alternative name of it matches"
        ))
    };
    let example = domain.replacen('*', "any", 1);
    let name = ServerName::try_from(example).map_err(|_| not_for_it())?;
    verify_server_name(&parsed, &name).map_err(|_| not_for_it())
}
