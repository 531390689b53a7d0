//! Certificates from PEM files, replaced while connections go on when the files change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::pem_file::{self, NotRead};
use super::validity::Validity;

/// Seconds between two looks at the files. They are read whole, so a file that is renamed, linked
/// anew or written in place is noticed alike.
const LOOK_INTERVAL_S: u64 = 5;

/// Fingerprints of files that cannot be read, and of those that are to be looked at whatever they hold.
const NOT_READ: u64 = 0;
const NEVER_SEEN: u64 = 1;

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
    Unreadable { path: PathBuf, cause: NotRead },
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
    #[error("the private key in {} is broken, or of a kind that is not served; make one of ECDSA P-256 or P-384, Ed25519, or RSA with 2048 to 4096 bits", path.display())]
    UnknownKey { path: PathBuf },
    #[error("the private key in {} does not belong to the first certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
}

/// A certificate as it is served.
#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

/// What the files held when they were looked at.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl CertificateFiles {
    fn read(&self) -> Result<Contents, BadCertificate> {
        let read = |path: &PathBuf| {
            pem_file::read(path).map_err(|cause| BadCertificate::Unreadable {
                path: path.clone(),
                cause,
            })
        };
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
        let validity = Validity::of(own).map_err(broken)?;
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
        let provider = ring::default_provider();
        if provider
            .key_provider
            .load_private_key(key.clone_key())
            .is_err()
        {
            let path = self.key.clone();
            return Err(BadCertificate::UnknownKey { path });
        }
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(bad_key)?;
        Ok(Served {
            key: Arc::new(key),
            validity,
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
        Ok(Arc::new(Certificates {
            files,
            seen: AtomicU64::new(contents.fingerprint()),
            served: ArcSwap::from_pointee(served),
        }))
    }

    /// The certificate in force, with its chain and key.
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.served.load().key)
    }

    /// Where the certificate is.
    pub fn files(&self) -> &CertificateFiles {
        &self.files
    }

    /// When the certificate in force ends, in seconds since 1970.
    pub fn expires_s(&self) -> i64 {
        self.served.load().validity.until_s
    }

    /// What is wrong with what is in force, though it is served.
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        if let Some(trouble) = self.served.load().validity.trouble(SystemTime::now()) {
            let path = self.files.certificate.display();
            troubles.push(format!("the TLS certificate in {path} {trouble}"));
        }
        if pem_file::is_open_to_all(&self.files.key) {
            let path = self.files.key.display();
            troubles.push(format!(
                "every user of this machine can read the private key in {path}; chmod 640 it, for the gateway's group"
            ));
        }
        troubles
    }

    /// Writes the troubles to the log.
    pub fn warn(&self) {
        for trouble in self.troubles() {
            tracing::warn!("{trouble}");
        }
    }

    /// Looks at the files, and serves what they hold from now on if that is new and good. What is bad
    /// is told once.
    pub fn look(&self) -> Look {
        let contents = match self.files.read() {
            Ok(contents) => contents,
            Err(bad) => return self.refuse(NOT_READ, bad),
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

    /// Looks at the files as if for the first time, because somebody asked for it, and says what came of it.
    pub fn reload(&self) {
        self.seen.store(NEVER_SEEN, Ordering::Relaxed);
        self.told(self.look());
    }

    /// Looks at the files from time to time, for ever.
    pub async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_secs(LOOK_INTERVAL_S)).await;
            let own = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || own.told(own.look()));
            if looked.await.is_err() {
                tracing::error!("looking for a new TLS certificate panicked");
            }
        }
    }

    fn told(&self, look: Look) {
        match look {
            Look::Unchanged => {}
            Look::Replaced => {
                let path = self.files.certificate.display();
                tracing::info!(certificate = %path, expires = self.expires_s(), "a TLS certificate was read and is in force");
                self.warn();
            }
            Look::Refused(bad) => {
                tracing::warn!(
                    "the new TLS certificate is not used, the one before stays in force: {bad}"
                );
            }
        }
    }
}

impl Contents {
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.certificate, &self.key).hash(&mut hasher);
        hasher.finish().max(NEVER_SEEN + 1)
    }
}

impl ResolvesServerCert for Certificates {
    // One certificate for every name; a client that asked for another sees that itself.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    struct Directory(TempDir);

    impl Directory {
        fn new(certificate: &str, key: &str) -> Directory {
            let directory = Directory(tempfile::tempdir().unwrap());
            directory.write(certificate, key);
            directory
        }

        fn write(&self, certificate: &str, key: &str) {
            let files = self.files();
            std::fs::write(files.certificate, certificate).unwrap();
            std::fs::write(files.key, key).unwrap();
        }

        fn files(&self) -> CertificateFiles {
            CertificateFiles {
                certificate: self.0.path().join("own.pem"),
                key: self.0.path().join("own.key"),
            }
        }
    }

    /// A certificate that ends with the year, and its key.
    fn made(year: i32) -> (String, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 12, 31);
        (params.self_signed(&key).unwrap().pem(), key)
    }

    fn bad(certificate: &str, key: &str) -> String {
        let directory = Directory::new(certificate, key);
        let bad = Certificates::load(directory.files())
            .unwrap_err()
            .to_string();
        bad.replace(&directory.0.path().display().to_string(), "D")
    }

    fn pem(label: &str, der: &[u8]) -> String {
        use std::fmt::Write;
        let mut text = format!("-----BEGIN {label}-----\n");
        let all = der.chunks(3).fold(String::new(), |mut all, three| {
            const DIGITS: &[u8; 64] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let word = three
                .iter()
                .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
                << (8 * (3 - three.len()));
            for digit in 0..4 {
                all.push(match digit <= three.len() {
                    true => char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]),
                    false => '=',
                });
            }
            all
        });
        writeln!(text, "{all}\n-----END {label}-----").unwrap();
        text
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let (certificate, key) = made(2040);
        let key_pem = key.serialize_pem();
        assert_eq!(
            bad(&certificate, &made(2040).1.serialize_pem()),
            "the private key in D/own.key does not belong to the first certificate in D/own.pem"
        );
        assert!(bad("", &key_pem).starts_with("D/own.pem holds no certificate"));
        assert!(bad(&key_pem, &key_pem).starts_with("D/own.pem holds no certificate"));
        assert!(bad(&certificate, "").starts_with("D/own.key holds no private key"));
        assert!(bad(&certificate, &certificate).starts_with("D/own.key holds no private key"));
        let encrypted = key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(
            bad(&certificate, &encrypted).starts_with("the private key in D/own.key is encrypted")
        );
        let cut = pem("CERTIFICATE", &[0x30, 0x03, 1, 2, 3]);
        assert!(bad(&cut, &key_pem).starts_with("a certificate in D/own.pem is broken"));
        let nonsense = pem("PRIVATE KEY", &[0x30, 0x03, 1, 2, 3]);
        assert!(bad(&certificate, &nonsense).starts_with(
            "the private key in D/own.key is broken, or of a kind that is not served; "
        ));
        let large = "x".repeat(pem_file::FILE_BYTES_MAX as usize + 1);
        assert!(bad(&large, &key_pem).contains("larger than"));
        let missing = CertificateFiles {
            certificate: "/nonexistent/own.pem".into(),
            key: "/nonexistent/own.key".into(),
        };
        let missing = Certificates::load(missing).unwrap_err().to_string();
        assert!(
            missing.starts_with("cannot read /nonexistent/own.pem: "),
            "{missing}"
        );
    }

    #[test]
    fn a_key_may_be_in_the_older_form() {
        let (certificate, key) = made(2040);
        // A P-256 key of PKCS#8 ends with the same key in SEC1's form, 109 bytes long.
        let der = key.serialize_der();
        let sec1 = pem("EC PRIVATE KEY", &der[der.len() - 109..]);
        let directory = Directory::new(&certificate, &sec1);
        Certificates::load(directory.files()).unwrap();
    }

    #[test]
    fn the_end_is_read_and_a_chain_is_served_whole() {
        let ((certificate, key), (authority, _)) = (made(2040), made(2050));
        let directory = Directory::new(&(certificate + &authority), &key.serialize_pem());
        let loaded = Certificates::load(directory.files()).unwrap();
        const END_OF_2040: i64 = 2_240_524_800;
        assert_eq!(loaded.expires_s(), END_OF_2040);
        assert_eq!(loaded.served.load().key.cert.len(), 2);
    }

    #[test]
    fn new_files_take_effect_only_when_they_are_good() {
        let (certificate, key) = made(2040);
        let directory = Directory::new(&certificate, &key.serialize_pem());
        let served = Certificates::load(directory.files()).unwrap();
        assert!(matches!(served.look(), Look::Unchanged));
        let end = served.expires_s();

        let (other, other_key) = made(2041);
        directory.write(&other, &key.serialize_pem());
        let look = served.look();
        assert!(
            matches!(look, Look::Refused(BadCertificate::Mismatch { .. })),
            "{look:?}"
        );
        assert!(matches!(served.look(), Look::Unchanged), "told once");
        assert_eq!(served.expires_s(), end);
        directory.write(&other, &other_key.serialize_pem());
        assert!(matches!(served.look(), Look::Replaced));
        assert!(served.expires_s() > end);

        std::fs::remove_file(directory.files().key).unwrap();
        let look = served.look();
        assert!(
            matches!(look, Look::Refused(BadCertificate::Unreadable { .. })),
            "{look:?}"
        );
        assert!(matches!(served.look(), Look::Unchanged), "told once");
        directory.write(&other, &other_key.serialize_pem());
        assert!(matches!(served.look(), Look::Replaced));
    }
}
