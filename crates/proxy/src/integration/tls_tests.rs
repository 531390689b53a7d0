//! https upstreams: whom the gateway trusts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::testing::{Gateway, OK, Setup, http_proxy, is_refused};
use crate::net::address::AddressRules;
use crate::net::connect::Connector;

// A certificate authority and a certificate for `localhost` by it, made for these tests alone.
const AUTHORITY: &str = include_str!("test-certificates/authority.pem");
const CERTIFICATE: &str = include_str!("test-certificates/localhost.pem");
const KEY: &str = include_str!("test-certificates/localhost.key");

/// An https upstream that answers `OK`.
fn tls_upstream() -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![certificate], key)
    .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut seen = Vec::new();
            let mut one = [0];
            while !seen.ends_with(b"\r\n\r\n") && stream.read(&mut one).is_ok_and(|n| n > 0) {
                seen.push(one[0]);
            }
            let _ = stream.write_all(OK.as_bytes()); // the gateway may have refused the certificate
        }
    });
    address
}

#[test]
fn https_upstreams_are_verified() {
    let address = tls_upstream();
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, AUTHORITY).unwrap();
    let gateway = |host: &str, roots: Option<&Path>| {
        let connector =
            Connector::new(AddressRules::default(), roots, Duration::from_secs(5)).unwrap();
        let integration = http_proxy(format!("https://{host}:{}/", address.port()), &[]);
        Gateway::with(
            Setup {
                path: "/x",
                integration,
                ..Setup::default()
            },
            connector,
        )
    };
    let answer = gateway("localhost", Some(&roots)).get("/x");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    let network = "Network error communicating with endpoint";
    is_refused(
        &gateway("localhost", None).get("/x"),
        504,
        network,
        "upstream-tls",
    );
    is_refused(
        &gateway("127.0.0.1", Some(&roots)).get("/x"),
        504,
        network,
        "upstream-tls",
    );
}

#[test]
fn a_bundle_that_holds_no_certificate_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("roots.pem");
    let open = || {
        Connector::new(AddressRules::default(), Some(&path), Duration::from_secs(5))
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(open().starts_with("cannot read the certificates in"));
    std::fs::write(&path, "nothing").unwrap();
    assert!(open().ends_with("holds no certificate"));
}
