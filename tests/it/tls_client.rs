//! TLS for tests: certificates made on the spot, and a blocking client that tells what was agreed on.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use tempfile::TempDir;

use crate::harness::{Gateway, free_address};

/// How long a test waits for any one read or write before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate for `localhost` and its key, in PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Pair {
    pub fn new() -> Pair {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Pair {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    /// For another name.
    pub fn of(name: &str) -> Pair {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        Pair {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

/// The files a gateway reads its certificate from.
pub struct Files {
    directory: TempDir,
    pub pair: Pair,
}

impl Files {
    pub fn new() -> Files {
        let files = Files {
            directory: tempfile::tempdir().unwrap(),
            pair: Pair::new(),
        };
        files.write(&files.pair);
        files
    }

    pub fn write(&self, pair: &Pair) {
        std::fs::write(self.certificate(), &pair.certificate).unwrap();
        std::fs::write(self.key(), &pair.key).unwrap();
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }
}

/// A gateway with TLS on its data plane, and where that is.
pub struct TlsGateway {
    pub gateway: Gateway,
    pub files: Files,
    pub address: SocketAddr,
}

impl TlsGateway {
    pub fn start(more: &str) -> TlsGateway {
        let (files, address) = (Files::new(), free_address());
        let config = format!(
            "tls_address = \"{address}\"\ntls_certificate = \"{}\"\ntls_key = \"{}\"\n{more}",
            files.certificate().display(),
            files.key().display()
        );
        TlsGateway {
            gateway: Gateway::start_with(&config),
            files,
            address,
        }
    }

    /// How clients that trust the first certificate connect.
    pub fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        trusting(&self.files.pair, protocols, rustls::ALL_VERSIONS)
    }
}

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client's settings: whom it trusts and what it offers.
pub fn trusting(
    pair: &Pair,
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(pair.der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

/// A connection whose handshake is done.
pub fn connect(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> io::Result<Stream> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut connection =
        ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(connection, socket))
}

/// One HTTP/1.1 request that ends the connection, and everything that came back.
pub fn get(stream: &mut Stream, target: &str, headers: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
