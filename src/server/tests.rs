//! A server started and asked as an operator would.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::cli::client::Client;
use crate::cli::credentials;
use crate::config::layers::{Given, Source};
use crate::config::{self, settings};

/// The configuration of a server in `dir` on free ports, with these settings besides.
fn configured(dir: &std::path::Path, more: &[(&str, &str)]) -> Config {
    let dir = dir.display().to_string();
    let usual = [
        ("data_dir", dir.as_str()),
        ("data_plane", "127.0.0.1:0"),
        ("control_plane", "127.0.0.1:0"),
    ];
    let given = usual.iter().chain(more).map(|(name, text)| Given {
        setting: settings::find(name).unwrap(),
        text: (*text).to_owned(),
        source: Source::Default,
    });
    config::load_for_demo(given.collect(), vec![])
        .unwrap()
        .config
}

/// Status and body of a GET without a signature.
fn got(address: SocketAddr, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

#[test]
fn health_is_open_and_the_rest_needs_a_signature_or_the_metrics_token() {
    let dir = tempfile::tempdir().unwrap();
    let token = "0123456789abcdef";
    let config = configured(dir.path(), &[("metrics_token", token)]);
    let server = Server::start(&config).unwrap();
    let address = server.addresses().control_plane;
    assert_eq!(got(address, "/healthz", "").0, 200);
    assert_eq!(
        got(address, "/readyz", ""),
        (200, r#"{"status":"ready"}"#.to_owned())
    );
    for path in ["/status", "/metrics", "/apikeys", "/elsewhere"] {
        assert_eq!(got(address, path, "").0, 403, "{path}");
    }
    let bearer = format!("authorization: Bearer {token}\r\n");
    let (status, metrics) = got(address, "/metrics", &bearer);
    assert_eq!(status, 200);
    assert!(
        metrics.contains("# TYPE tollgate_build_info gauge\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\ntollgate_ledger_poisoned 0\n"),
        "{metrics}"
    );
    assert_eq!(
        got(
            address,
            "/metrics",
            "authorization: Bearer 0123456789abcdeg\r\n"
        )
        .0,
        403
    );
    assert_eq!(
        got(address, "/status", &bearer).0,
        403,
        "the token is for metrics only"
    );

    let key = credentials::read(&dir.path().join(credentials::FILE), "default").unwrap();
    let client = Client::at(address, Some(key), "us-east-1");
    let status = server.block_on(client.get("/status", &[])).unwrap();
    assert_eq!(
        (&status["guarantee"], &status["phase"], &status["ledger"]),
        (&"exact".into(), &"serving".into(), &"ok".into())
    );
    server.stop();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn without_authentication_nothing_needs_a_signature_and_no_key_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&configured(dir.path(), &[("auth", "false")])).unwrap();
    let address = server.addresses().control_plane;
    for path in ["/status", "/metrics", "/apikeys"] {
        assert_eq!(got(address, path, "").0, 200, "{path}");
    }
    assert!(!dir.path().join(credentials::FILE).exists());
    server.stop();
}

#[test]
fn a_directory_in_use_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let config = configured(dir.path(), &[]);
    let server = Server::start(&config).unwrap();
    let error = Server::start(&config).err().unwrap().to_string();
    assert!(
        error.contains("in use") && error.contains("--data-dir"),
        "{error}"
    );
    server.stop();
    Server::start(&config).unwrap().stop();
}

#[test]
fn a_data_plane_port_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let error = Server::start(&configured(dir.path(), &[("data_plane", &taken)]))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with(&format!("the data plane cannot listen on {taken}: ")),
        "{error}"
    );
    assert!(error.contains("--data-plane"), "{error}");
    assert!(
        !dir.path().join(credentials::FILE).exists(),
        "a failed start leaves no key behind"
    );
}
