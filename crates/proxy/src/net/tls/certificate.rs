//! Certificates from PEM files, replaced while connections go on when the files change.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Seconds between two looks at the files. They are read whole, so a file that is renamed, linked
/// anew or written in place is noticed alike.
const LOOK_INTERVAL_S: u64 = 5;

/// Bytes of a PEM file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Seconds before the end of a certificate from which on it is warned of.
const EXPIRES_SOON_S: i64 = 14 * 24 * 3600;

/// Where a certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the server's own certificate first, then those up to the authority's.
    pub certificate: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key: PathBuf,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificate {
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{} is larger than {FILE_BYTES_MAX} bytes, which no certificate is", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} holds no certificate; it must be a PEM file with BEGIN CERTIFICATE, the server's own first", path.display())]
    NoCertificate { path: PathBuf },
    #[error("a certificate in {} is broken: {cause}", path.display())]
    Broken { path: PathBuf, cause: String },
    #[error("the private key in {} is encrypted; store it decrypted, readable by the gateway only", path.display())]
    Encrypted { path: PathBuf },
    #[error("{} holds no private key; it must be a PEM file with BEGIN PRIVATE KEY (or RSA or EC)", path.display())]
    NoKey { path: PathBuf },
    #[error("the private key in {} cannot be used: {cause}", path.display())]
    BadKey { path: PathBuf, cause: String },
    #[error("the private key in {} does not belong to the first certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
}

/// A certificate as it is served.
#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    /// Seconds since 1970.
    expires_s: i64,
}

/// What the files held when they were looked at.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl CertificateFiles {
    fn read(&self) -> Result<Contents, BadCertificate> {
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        })
    }

    fn parse(&self, contents: &Contents) -> Result<Served, BadCertificate> {
        let path = || self.certificate.clone();
        let broken = |cause: String| BadCertificate::Broken {
            path: path(),
            cause,
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| broken(error.to_string()))?;
        let Some(own) = chain.first() else {
            return Err(BadCertificate::NoCertificate { path: path() });
        };
        let expires_s = expiry(own).map_err(broken)?;
        let key = self.parse_key(&contents.key)?;
        let bad_key = |error: Error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => BadCertificate::Mismatch {
                certificate: path(),
                key: self.key.clone(),
            },
            Error::InvalidCertificate(_) => broken(error.to_string()),
            _ => BadCertificate::BadKey {
                path: self.key.clone(),
                cause: error.to_string(),
            },
        };
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(bad_key)?;
        Ok(Served {
            key: Arc::new(key),
            expires_s,
        })
    }

    fn parse_key(&self, pem: &[u8]) -> Result<PrivateKeyDer<'static>, BadCertificate> {
        PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
            let path = self.key.clone();
            let encrypted = b"BEGIN ENCRYPTED PRIVATE KEY";
            let is_encrypted = pem
                .windows(encrypted.len())
                .any(|window| window == encrypted);
            match error {
                _ if is_encrypted => BadCertificate::Encrypted { path },
                rustls::pki_types::pem::Error::NoItemsFound => BadCertificate::NoKey { path },
                other => BadCertificate::BadKey {
                    path,
                    cause: other.to_string(),
                },
            }
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BadCertificate> {
    let unreadable = |cause| BadCertificate::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(BadCertificate::TooLarge {
            path: path.to_owned(),
        }),
        false => Ok(bytes),
    }
}

/// When a certificate ends, in seconds since 1970.
fn expiry(certificate: &CertificateDer<'_>) -> Result<i64, String> {
    let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let end = parsed.tbs_certificate().validity().not_after;
    Ok(i64::try_from(end.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
}

/// The certificates of one listener: chosen here for every connection that begins.
#[derive(Debug)]
pub struct Certificates {
    files: CertificateFiles,
    served: ArcSwap<Served>,
    /// A fingerprint of what the files held at the last look.
    seen: AtomicU64,
}

/// What a look at the files came to.
#[derive(Debug)]
pub enum Look {
    Unchanged,
    Replaced,
    /// What was in force stays in force.
    Refused(BadCertificate),
}

impl Certificates {
    /// Reads the files for the first time.
    pub fn load(files: CertificateFiles) -> Result<Arc<Certificates>, BadCertificate> {
        let contents = files.read()?;
        let served = files.parse(&contents)?;
        warn_of_expiry(&files, served.expires_s);
        Ok(Arc::new(Certificates {
            files,
            seen: AtomicU64::new(contents.fingerprint()),
            served: ArcSwap::from_pointee(served),
        }))
    }

    /// When the certificate in force ends, in seconds since 1970.
    pub fn expires_s(&self) -> i64 {
        self.served.load().expires_s
    }

    /// Looks at the files, and serves what they hold from now on if that is new and good. What is bad
    /// is told once.
    pub fn look(&self) -> Look {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(bad) => return self.refuse(0, bad),
        };
        let fingerprint = contents.fingerprint();
        if fingerprint == self.seen.load(Ordering::Relaxed) {
            return Look::Unchanged;
        }
        match self.files.parse(&contents) {
            Ok(served) => {
                self.served.store(Arc::new(served));
                self.seen.store(fingerprint, Ordering::Relaxed);
                Look::Replaced
            }
            Err(bad) => self.refuse(fingerprint, bad),
        }
    }

    fn refuse(&self, fingerprint: u64, bad: BadCertificate) -> Look {
        match self.seen.swap(fingerprint, Ordering::Relaxed) == fingerprint {
            true => Look::Unchanged,
            false => Look::Refused(bad),
        }
    }

    /// Looks at the files from time to time, for ever.
    pub async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_secs(LOOK_INTERVAL_S)).await;
            let own = Arc::clone(&self);
            let path = self.files.certificate.display();
            match tokio::task::spawn_blocking(move || own.look()).await {
                Ok(Look::Unchanged) => {}
                Ok(Look::Replaced) => {
                    tracing::info!(certificate = %path, expires = self.expires_s(), "a new TLS certificate is in force");
                    warn_of_expiry(&self.files, self.expires_s());
                }
                Ok(Look::Refused(bad)) => {
                    tracing::warn!(
                        "the new TLS certificate is not used, the one before stays in force: {bad}"
                    );
                }
                Err(_) => tracing::error!("looking for a new TLS certificate panicked"),
            }
        }
    }
}

impl Contents {
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key).hash(&mut hasher);
        hasher.finish().max(1) // 0 is for files that cannot be read
    }
}

fn warn_of_expiry(files: &CertificateFiles, expires_s: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let left_s = expires_s - now.map_or(0, |now| now.as_secs() as i64);
    let certificate = files.certificate.display();
    match left_s {
        ..=0 => tracing::warn!(%certificate, "the TLS certificate has expired"),
        1..EXPIRES_SOON_S => {
            tracing::warn!(%certificate, days = left_s / (24 * 3600), "the TLS certificate expires soon");
        }
        _ => {}
    }
}

impl ResolvesServerCert for Certificates {
    // One certificate for every name; a client that asked for another sees that itself.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.served.load().key))
    }
}
