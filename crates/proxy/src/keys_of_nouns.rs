//! Private keys that belong to nouns: domain names' towards clients, client certificates' towards upstreams.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tollgate_entity::{ClientCertificate, DomainName};
use tollgate_store::{Document, Reader, SecretValue, StoreError};

use crate::build::Rows;
use crate::net::connect::Connector;
use crate::net::identity::Shown;
use crate::net::tls::domains::{DomainCertificates, Uploaded};
use crate::net::tls::validity::Validity;

/// Opens them, and keeps what is shown to clients in step. Clones share it.
#[derive(Clone)]
pub struct Keys {
    connector: Arc<Connector>,
    /// None where TLS is not served: then nothing is opened for it.
    certificates: Option<Arc<DomainCertificates>>,
    ends: Arc<Mutex<Ends>>,
}

/// How long certificates are good, by the kind and the id of their noun.
type Ends = BTreeMap<(&'static str, String), Validity>;

impl Keys {
    pub fn new(connector: Arc<Connector>, certificates: Option<Arc<DomainCertificates>>) -> Keys {
        Keys {
            connector,
            certificates,
            ends: Arc::default(),
        }
    }

    /// The certificate that was uploaded for a domain name, if one was and TLS is served.
    pub fn uploaded(&self, reader: &Reader<'_>, domain: &DomainName) -> Option<Uploaded> {
        self.certificates.as_ref()?;
        let name = &domain.domain_name;
        let pem = opened(DomainName::KIND, name, reader.secret::<DomainName>(name))?;
        match Uploaded::read(pem.expose()) {
            Ok(uploaded) => Some(uploaded),
            Err(cause) => {
                tracing::error!(domain_name = %name, %cause, "the certificate of a domain name cannot be used: its clients are shown tls_certificate");
                None
            }
        }
    }

    /// A client certificate as upstreams are shown it.
    pub fn shown(&self, reader: &Reader<'_>, certificate: &ClientCertificate) -> Shown {
        let id = &certificate.client_certificate_id;
        let validity = Validity {
            from_s: certificate.created_date.0,
            until_s: certificate.expiration_date.0,
        };
        self.note(ClientCertificate::KIND, id, validity);
        let key = reader.secret::<ClientCertificate>(id);
        let Some(key) = opened(ClientCertificate::KIND, id, key) else {
            return Shown::Unusable;
        };
        let pem = &certificate.pem_encoded_certificate;
        match self.connector.identity(id, pem, key.expose()) {
            Ok(identity) => Shown::Certificate(Arc::new(identity)),
            Err(cause) => {
                tracing::error!(client_certificate_id = %id, %cause, "a client certificate cannot be used: https upstreams are not called by stages that name it");
                Shown::Unusable
            }
        }
    }

    /// Clients that connect from now on are shown what these rows say.
    pub fn adopt(&self, rows: &Rows) {
        for (id, shown) in &rows.client_certificates {
            if shown.is_none() {
                self.ends().remove(&(ClientCertificate::KIND, id.clone()));
            }
        }
        let (Some(domains), Some(certificates)) = (&rows.domains, &self.certificates) else {
            return;
        };
        self.ends().retain(|(kind, _), _| *kind != DomainName::KIND);
        for row in domains {
            if let Some(uploaded) = &row.uploaded {
                self.note(DomainName::KIND, &row.domain.domain_name, uploaded.validity);
            }
        }
        let domains = domains.iter();
        certificates.adopt(domains.map(|row| (&row.domain, row.uploaded.as_ref())));
    }

    fn note(&self, kind: &'static str, id: &str, validity: Validity) {
        if self.ends().insert((kind, id.to_owned()), validity) != Some(validity) {
            warn(kind, id, validity);
        }
    }

    /// Says which certificates end soon or have ended.
    pub fn warn_of_expiry(&self) {
        for ((kind, id), validity) in self.ends().iter() {
            warn(kind, id, *validity);
        }
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened(
    kind: &'static str,
    id: &str,
    secret: Result<Option<SecretValue>, StoreError>,
) -> Option<SecretValue> {
    secret.unwrap_or_else(|error| {
        tracing::error!(kind, id, %error, "a private key cannot be opened");
        None
    })
}

fn warn(kind: &'static str, id: &str, validity: Validity) {
    if let Some(trouble) = validity.trouble(SystemTime::now()) {
        tracing::warn!(kind, id, "the certificate {trouble}");
    }
}
