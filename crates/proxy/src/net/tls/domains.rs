//! Certificates by server name: a domain name's own, or the listener's for every other name.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tollgate_entity::DomainName;

use super::certificate::Certificates;
use super::validity::Validity;
use crate::domain::ByName;

/// A certificate that was uploaded for a domain name, read from PEM.
#[derive(Clone, Debug)]
pub struct Uploaded {
    key: Arc<CertifiedKey>,
    pub validity: Validity,
}

impl Uploaded {
    /// Reads the certificates and the key behind them in one PEM text.
    pub fn read(pem: &str) -> Result<Uploaded, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let chain = chain.map_err(|error| told(&error))?;
        let own = chain.first().ok_or("there is no certificate in it")?;
        let validity = Validity::of(own)?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| told(&error))?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let key = Arc::new(key.map_err(|error| told(&error))?);
        Ok(Uploaded { key, validity })
    }
}

/// The certificates of the data plane's listener.
#[derive(Debug)]
pub struct DomainCertificates {
    default: Arc<Certificates>,
    /// From files, by the ARN that domain names know them by.
    by_arn: BTreeMap<String, Arc<Certificates>>,
    names: ArcSwap<ByName<Own>>,
}

/// How connections to one domain name begin.
#[derive(Clone, Debug)]
struct Own {
    /// None: the listener's.
    certificate: Option<Source>,
    /// Whether TLS 1.2 is too old.
    newest_only: bool,
}

#[derive(Clone, Debug)]
enum Source {
    Uploaded(Arc<CertifiedKey>),
    Files(Arc<Certificates>),
}

impl DomainCertificates {
    pub fn new(
        default: Arc<Certificates>,
        by_arn: BTreeMap<String, Arc<Certificates>>,
    ) -> DomainCertificates {
        DomainCertificates {
            default,
            by_arn,
            names: ArcSwap::default(),
        }
    }

    /// From now on connections begin by these domain names, each with what was uploaded for it.
    pub fn adopt<'a>(&self, domains: impl Iterator<Item = (&'a DomainName, Option<&'a Uploaded>)>) {
        let mut names = ByName::default();
        for (domain, uploaded) in domains {
            names.insert(&domain.domain_name, self.own(domain, uploaded));
        }
        self.names.store(Arc::new(names));
    }

    fn own(&self, domain: &DomainName, uploaded: Option<&Uploaded>) -> Own {
        let arns = [&domain.regional_certificate_arn, &domain.certificate_arn];
        let mut arns = arns.into_iter().flatten().peekable();
        let is_named = arns.peek().is_some();
        let file = arns.find_map(|arn| self.by_arn.get(arn));
        let certificate = match (uploaded, file) {
            (Some(uploaded), _) => Some(Source::Uploaded(Arc::clone(&uploaded.key))),
            (None, Some(file)) => Some(Source::Files(Arc::clone(file))),
            (None, None) => None,
        };
        if certificate.is_none() && is_named {
            tracing::warn!(
                domain_name = %domain.domain_name,
                "the certificate of a domain name is not in [certificates]: its clients are shown tls_certificate"
            );
        }
        let policy = domain.security_policy.as_deref().unwrap_or_default();
        Own {
            certificate,
            newest_only: needs_tls_13(policy),
        }
    }

    fn chosen(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let names = self.names.load();
        let own = name.and_then(|name| names.find(name));
        match own.and_then(|own| own.certificate.as_ref()) {
            Some(Source::Uploaded(key)) => Arc::clone(key),
            Some(Source::Files(files)) => files.current(),
            None => self.default.current(),
        }
    }

    /// Whether TLS 1.2 is too old for this name.
    pub(super) fn needs_tls_13(&self, name: &str) -> bool {
        let names = self.names.load();
        names.find(name).is_some_and(|own| own.newest_only)
    }
}

impl ResolvesServerCert for DomainCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.chosen(hello.server_name()))
    }
}

/// Whether AWS's policy of that name refuses TLS 1.2; TLS 1.0 and 1.1 are spoken by none here.
fn needs_tls_13(policy: &str) -> bool {
    policy.starts_with("SecurityPolicy_TLS13_1_3_") || policy == "SecurityPolicy_TLS13_2025_EDGE"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::certificate::CertificateFiles;
    use tempfile::TempDir;

    fn pem(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn files(directory: &TempDir, name: &str) -> Arc<Certificates> {
        let files = CertificateFiles {
            certificate: directory.path().join(format!("{name}.pem")),
            key: directory.path().join(format!("{name}.key")),
        };
        let (certificate, key) = pem(name);
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        Certificates::load(files).unwrap()
    }

    fn domain(name: &str, arn: Option<&str>, policy: &str) -> DomainName {
        DomainName {
            domain_name: name.into(),
            certificate_arn: arn.map(Into::into),
            security_policy: Some(policy.into()),
            ..Default::default()
        }
    }

    #[test]
    fn every_name_gets_its_own_certificate_and_all_others_the_default() {
        let directory = tempfile::tempdir().unwrap();
        let (default, named) = (files(&directory, "default"), files(&directory, "named"));
        let by_arn = BTreeMap::from([("arn:one".to_owned(), Arc::clone(&named))]);
        let certificates = DomainCertificates::new(Arc::clone(&default), by_arn);
        let (certificate, key) = pem("up.example");
        let uploaded = Uploaded::read(&(certificate + &key)).unwrap();
        let domains = [
            (domain("up.example", None, "TLS_1_2"), Some(&uploaded)),
            (domain("*.arn.example", Some("arn:one"), "TLS_1_2"), None),
            (domain("lost.example", Some("arn:two"), "TLS_1_2"), None),
            (
                domain(
                    "new.example",
                    Some("arn:one"),
                    "SecurityPolicy_TLS13_1_3_2025_09",
                ),
                None,
            ),
        ];
        let shown = |name| certificates.chosen(name);
        assert!(Arc::ptr_eq(&shown(Some("up.example")), &default.current()));
        certificates.adopt(domains.iter().map(|(domain, uploaded)| (domain, *uploaded)));
        for (name, expected) in [
            (Some("up.example"), &uploaded.key),
            (Some("UP.example"), &uploaded.key),
            (Some("a.arn.example"), &named.current()),
            (Some("new.example"), &named.current()),
            (Some("lost.example"), &default.current()),
            (Some("other.example"), &default.current()),
            (None, &default.current()),
        ] {
            assert!(Arc::ptr_eq(&shown(name), expected), "{name:?}");
        }
        assert!(certificates.needs_tls_13("NEW.example"));
        assert!(!certificates.needs_tls_13("up.example"));
        certificates.adopt([].into_iter());
        assert!(Arc::ptr_eq(&shown(Some("up.example")), &default.current()));
    }

    #[test]
    fn policies_that_ask_for_tls_13_are_told_apart() {
        for (policy, newest_only) in [
            ("TLS_1_0", false),
            ("TLS_1_2", false),
            ("SecurityPolicy_TLS13_1_2_PQ_2025_09", false),
            ("SecurityPolicy_TLS13_1_3_2025_09", true),
            ("SecurityPolicy_TLS13_2025_EDGE", true),
            ("SecurityPolicy_TLS12_PFS_2025_EDGE", false),
        ] {
            assert_eq!(needs_tls_13(policy), newest_only, "{policy}");
        }
    }
}
