//! TLS towards clients: what is offered to them, and the handshake.

pub mod certificate;
pub mod domains;
mod handshake;
pub mod pem_file;
pub mod validity;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};

pub use handshake::{NoHandshake, shake_hands};

/// The name of HTTP/2 among a connection's protocols.
pub const HTTP_2: &[u8] = b"h2";
/// The name of HTTP/1.1.
pub const HTTP_1_1: &[u8] = b"http/1.1";

/// TLS 1.2 and 1.3 with the certificates that are in force when a connection begins, for the given
/// protocols, the preferred one first. Sessions are resumed by tickets whose keys are in this
/// process's memory only and change every few hours, so nothing is kept for a client; no data is
/// taken before the handshake's end.
pub fn server_config(
    certificates: Arc<dyn ResolvesServerCert>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}
