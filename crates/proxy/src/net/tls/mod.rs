//! TLS towards clients: what is offered to them, and the handshake.

pub mod certificate;
pub mod domains;
mod handshake;
pub mod pem_file;
pub mod validity;

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};

use certificate::Certificates;
use domains::DomainCertificates;

pub use handshake::{NoHandshake, shake_hands};

/// The name of HTTP/2 among a connection's protocols.
pub const HTTP_2: &[u8] = b"h2";
/// The name of HTTP/1.1.
pub const HTTP_1_1: &[u8] = b"http/1.1";

/// How a listener speaks TLS: with the certificates that are in force when a connection begins, for
/// the given protocols, the preferred one first. Sessions are resumed by tickets whose keys are in this
/// process's memory only and change every few hours, so nothing is kept for a client; no data is taken
/// before the handshake's end.
pub struct ServerTls {
    /// TLS 1.2 and 1.3.
    both: Arc<ServerConfig>,
    /// TLS 1.3 only, and the names that are for.
    newest: Option<(Arc<ServerConfig>, Arc<DomainCertificates>)>,
}

impl ServerTls {
    /// One certificate for every name.
    pub fn new(
        certificates: Arc<Certificates>,
        protocols: &[&[u8]],
    ) -> Result<ServerTls, rustls::Error> {
        let both = server_config(certificates, ALL_VERSIONS, protocols)?;
        Ok(ServerTls { both, newest: None })
    }

    /// To each domain name its own.
    pub fn by_name(
        names: Arc<DomainCertificates>,
        protocols: &[&[u8]],
    ) -> Result<ServerTls, rustls::Error> {
        let own = || Arc::clone(&names);
        let newest = server_config(own(), &[&TLS13], protocols)?;
        Ok(ServerTls {
            both: server_config(own(), ALL_VERSIONS, protocols)?,
            newest: Some((newest, names)),
        })
    }

    /// How to go on with a client that asks for this name.
    fn config_for(&self, name: Option<&str>) -> &Arc<ServerConfig> {
        match (&self.newest, name) {
            (Some((newest, names)), Some(name)) if names.needs_tls_13(name) => newest,
            _ => &self.both,
        }
    }
}

fn server_config(
    certificates: Arc<dyn ResolvesServerCert>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}
