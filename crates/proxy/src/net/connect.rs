//! Opens connections to upstreams: resolve, check the address, connect, verify.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::AddressRules;
use super::identity::Identity;
use super::origin::Origin;
use super::socket::Socket;
use super::tls::{HTTP_1_1, pem_file};
use crate::gateway_response::IntegrationFault;

/// Milliseconds until a connection must stand, name and handshake included.
pub const CONNECT_TIMEOUT_MS_DEFAULT: u64 = 5_000;

/// Opens connections; shared by all workers.
pub struct Connector {
    rules: AddressRules,
    roots: Arc<RootCertStore>,
    tls: TlsConnector,
    timeout: Duration,
}

/// Why a bundle of certificates cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum BadRoots {
    #[error("cannot read the certificates in {path}: {cause}")]
    Unreadable { path: String, cause: String },
    #[error("{path} holds no certificate")]
    Empty { path: String },
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

impl Connector {
    /// Trusts the machine's own roots and, if given, those in a PEM file.
    pub fn new(
        rules: AddressRules,
        extra_roots: Option<&Path>,
        timeout: Duration,
    ) -> Result<Connector, BadRoots> {
        let roots = Arc::new(trusted(extra_roots)?);
        let config = verifying(Arc::clone(&roots))?.with_no_client_auth();
        Ok(Connector {
            rules,
            roots,
            tls: TlsConnector::from(Arc::new(for_http_1_1(config))),
            timeout,
        })
    }

    /// A client certificate as it is shown to upstreams; both texts in PEM.
    pub fn identity(&self, id: &str, certificate: &str, key: &str) -> Result<Identity, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
        let chain = chain.map_err(|error| told(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| told(&error))?;
        let verifying = verifying(Arc::clone(&self.roots)).map_err(|error| told(&error))?;
        let config = verifying.with_client_auth_cert(chain, key);
        let config = config.map_err(|error| told(&error))?;
        let tls = TlsConnector::from(Arc::new(for_http_1_1(config)));
        Ok(Identity::new(id, tls))
    }

    /// A new connection to an upstream.
    pub async fn connect(&self, origin: &Origin) -> Result<Socket, IntegrationFault> {
        let opening = tokio::time::timeout(self.timeout, self.open(origin));
        opening.await.unwrap_or(Err(IntegrationFault::Connect))
    }

    async fn open(&self, origin: &Origin) -> Result<Socket, IntegrationFault> {
        let stream = self.reach(origin).await?;
        if !origin.is_tls {
            return Ok(Socket::Plain(stream));
        }
        let name = origin.server_name.clone().ok_or(IntegrationFault::Name)?;
        let identity = origin.identity.as_ref();
        let tls = identity.map_or(&self.tls, |identity| &identity.tls);
        match tls.connect(name, stream).await {
            Ok(stream) => Ok(Socket::Tls(Box::new(stream.into()))),
            Err(error) => {
                tracing::debug!(host = %origin.host, %error, "TLS with an upstream failed");
                Err(IntegrationFault::Tls)
            }
        }
    }

    /// The first permitted address that answers.
    async fn reach(&self, origin: &Origin) -> Result<TcpStream, IntegrationFault> {
        let resolved: Vec<SocketAddr> = match origin.address {
            Some(address) => vec![SocketAddr::new(address, origin.port)],
            None => match tokio::net::lookup_host((&*origin.host, origin.port)).await {
                Ok(found) => found.collect(),
                Err(error) => {
                    tracing::debug!(host = %origin.host, %error, "an upstream's name does not resolve");
                    return Err(IntegrationFault::Name);
                }
            },
        };
        let mut fault = IntegrationFault::Address;
        for address in resolved {
            if !self.rules.permit(&origin.host, address.ip()) {
                tracing::warn!(host = %origin.host, %address, "an integration points at an address that may not be called");
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true); // without it calls are slower, not wrong
                    return Ok(stream);
                }
                Err(error) => {
                    tracing::debug!(host = %origin.host, %address, %error, "an upstream cannot be reached");
                    fault = IntegrationFault::Connect;
                }
            }
        }
        Err(fault)
    }
}

/// TLS towards servers, for HTTP/1.1. Trusts the machine's own roots and, if given, those in a PEM file.
pub fn client_config(extra_roots: Option<&Path>) -> Result<ClientConfig, BadRoots> {
    let config = verifying(Arc::new(trusted(extra_roots)?))?.with_no_client_auth();
    Ok(for_http_1_1(config))
}

fn verifying(
    roots: Arc<RootCertStore>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    Ok(builder
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots))
}

fn for_http_1_1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    config
}

/// The machine's own roots and, if given, those in a PEM file.
fn trusted(extra_roots: Option<&Path>) -> Result<RootCertStore, BadRoots> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some of the machine's root certificates cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = extra_roots {
        add_roots(&mut roots, path)?;
    }
    if roots.is_empty() {
        tracing::warn!("no root certificates: https calls will fail");
    }
    Ok(roots)
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), BadRoots> {
    let shown = || path.display().to_string();
    let unreadable = |cause: String| BadRoots::Unreadable {
        path: shown(),
        cause,
    };
    let bytes = pem_file::read(path).map_err(|e| unreadable(e.to_string()))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|e| unreadable(e.to_string()))?;
        roots
            .add(certificate)
            .map_err(|e| unreadable(e.to_string()))?;
        count += 1;
    }
    match count {
        0 => Err(BadRoots::Empty { path: shown() }),
        _ => Ok(()),
    }
}
