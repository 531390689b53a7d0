//! TLS on both planes: what is agreed on, certificates that change while the gateway runs, what is refused.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion};

use crate::api::{Api, text};
use crate::harness::{Gateway, run, tollgate, wait_until};
use crate::http::{Connection, get as plain_get};
use crate::tls_client::{Files, Pair, TlsGateway, connect, get, trusting};
use crate::upstream::Upstream;

/// A gateway with TLS and an open API in front of an upstream.
fn start(config: &str) -> (TlsGateway, Upstream, String) {
    let tls = TlsGateway::start(config);
    let upstream = Upstream::start();
    let control = tls.gateway.control();
    let api = Api::create(&control, "tls");
    api.pass_on("", false, &upstream.url());
    api.deploy("prod");
    let target = api.target("prod", "/echo");
    (tls, upstream, target)
}

#[test]
fn both_versions_and_protocols_are_spoken() {
    let (tls, upstream, target) = start("");
    for version in [&TLS12, &TLS13] {
        for (offered, agreed) in [
            (&["h2", "http/1.1"][..], Some("h2")),
            (&["http/1.1", "h2"][..], Some("h2")),
            (&["http/1.1"][..], Some("http/1.1")),
            (&[][..], None),
        ] {
            let config = trusting(&tls.files.pair, offered, &[version]);
            let mut stream = connect(tls.address, &config, "localhost").unwrap();
            assert_eq!(stream.conn.protocol_version(), Some(version.version));
            assert_eq!(
                stream.conn.alpn_protocol(),
                agreed.map(str::as_bytes),
                "{offered:?}"
            );
            if agreed != Some("h2") {
                let answer = get(&mut stream, &target, "");
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            }
        }
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0].header("x-forwarded-proto"), Some("https"));
    let port = tls.address.port().to_string();
    assert_eq!(seen[0].header("x-forwarded-port"), Some(port.as_str()));
    // Whoever offers neither is refused, and the plain port goes on beside.
    let strange = trusting(&tls.files.pair, &["smtp"], rustls::ALL_VERSIONS);
    assert!(connect(tls.address, &strange, "localhost").is_err());
    assert_eq!(plain_get(tls.gateway.data, &target, &[]).status, 200);
    assert_eq!(ProtocolVersion::TLSv1_3, TLS13.version);
}

#[test]
fn a_name_the_certificate_does_not_have_is_the_clients_affair() {
    let (tls, _upstream, target) = start("");
    let config = tls.client(&["http/1.1"]);
    let other = connect(tls.address, &config, "other.example").unwrap_err();
    assert!(other.to_string().contains("not valid for name"), "{other}");
    // By address there is no server name at all.
    let mut stream = connect(tls.address, &config, "127.0.0.1").unwrap();
    assert!(get(&mut stream, &target, "").starts_with("HTTP/1.1 200"));
}

#[test]
fn sessions_are_resumed() {
    let (tls, _upstream, target) = start("");
    for version in [&TLS12, &TLS13] {
        let config = trusting(&tls.files.pair, &["http/1.1"], &[version]);
        let kinds = [(); 2].map(|()| {
            let mut stream = connect(tls.address, &config, "localhost").unwrap();
            assert!(get(&mut stream, &target, "").starts_with("HTTP/1.1 200"));
            stream.conn.handshake_kind()
        });
        let expected = [HandshakeKind::Full, HandshakeKind::Resumed].map(Some);
        assert_eq!(kinds, expected, "{:?}", version.version);
    }
}

#[test]
fn plain_http_on_the_tls_port_is_told_so() {
    let (tls, upstream, target) = start("");
    let answer = plain_get(tls.address, &target, &[]);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["message"], "This port speaks TLS: use https");
    let mut nonsense = Connection::open(tls.address).unwrap();
    nonsense.write_raw(b"\x00\x01\x02nonsense").unwrap();
    assert_eq!(nonsense.read_to_close(100).unwrap_or_default(), b"");
    assert_eq!(upstream.count(), 0);
    let config = tls.client(&["http/1.1"]);
    let mut stream = connect(tls.address, &config, "localhost").unwrap();
    assert!(get(&mut stream, &target, "").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_handshake_that_takes_too_long_ends() {
    let (tls, _upstream, _target) = start("tls_handshake_timeout_ms = 300\n");
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut slow = Connection::open(tls.address).unwrap();
        slow.write_raw(beginning).unwrap();
        slow.set_read_timeout(Duration::from_secs(20)).unwrap();
        slow.read_to_close(100).expect("the gateway closes it");
    }
}

#[test]
fn connections_that_shake_hands_count_against_the_cap() {
    let (tls, _upstream, target) = start("max_connections = 2\n");
    wait_until("the cap to be reached", || {
        // Anew each time: a handshake that does not come ends after a while.
        let _idle = [(); 2].map(|()| TcpStream::connect(tls.address).unwrap());
        let mut third = TcpStream::connect(tls.gateway.data).unwrap();
        third
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let mut turned_away = [0; 12];
        let read = third.read_exact(&mut turned_away);
        (read.is_ok() && turned_away == *b"HTTP/1.1 503").then_some(())
    });
    wait_until("room again", || {
        let next =
            Connection::open(tls.gateway.data).and_then(|mut c| c.send("GET", &target, &[], b""));
        next.is_ok_and(|reply| reply.status == 200).then_some(())
    });
}

/// Whether new connections get this certificate.
fn serves(address: SocketAddr, pair: &Pair) -> Option<()> {
    let config: Arc<ClientConfig> = trusting(pair, &["http/1.1"], rustls::ALL_VERSIONS);
    let stream = connect(address, &config, "localhost").ok()?;
    let shown = stream.conn.peer_certificates()?.first()?.clone();
    (shown == pair.der()).then_some(())
}

#[test]
fn certificates_are_replaced_while_connections_go_on() {
    let (tls, _upstream, target) = start("");
    let first = tls.client(&["http/1.1"]);
    let mut old = connect(tls.address, &first, "localhost").unwrap();

    // Written over in place.
    let second = Pair::new();
    tls.files.write(&second);
    wait_until("the second certificate", || serves(tls.address, &second));

    // A key that does not belong to it, then nonsense: the second stays in force.
    std::fs::write(tls.files.key(), Pair::new().key).unwrap();
    let log = wait_until("the mismatch to be logged", || {
        Some(tls.gateway.log())
            .filter(|log| log.contains("does not belong to the first certificate"))
    });
    assert!(log.contains("the one before stays in force"), "{log}");
    serves(tls.address, &second).expect("the second certificate");
    std::fs::write(tls.files.certificate(), "nonsense").unwrap();
    wait_until("the nonsense to be logged", || {
        tls.gateway
            .log()
            .contains("holds no certificate")
            .then_some(())
    });
    serves(tls.address, &second).expect("the second certificate");

    // Both at once under other names, as renewals do it.
    let third = Pair::new();
    for (file, content) in [
        (tls.files.certificate(), &third.certificate),
        (tls.files.key(), &third.key),
    ] {
        let aside = file.with_extension("new");
        std::fs::write(&aside, content).unwrap();
        std::fs::rename(&aside, &file).unwrap();
    }
    wait_until("the third certificate", || serves(tls.address, &third));

    // The connection of the first certificate is still served.
    assert!(get(&mut old, &target, "").starts_with("HTTP/1.1 200"));
}

#[cfg(unix)]
#[test]
fn a_link_that_points_elsewhere_is_followed() {
    let files = Files::new();
    let version = |name: &str, pair: &Pair| {
        let directory = files.directory().join(name);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("tls.crt"), &pair.certificate).unwrap();
        std::fs::write(directory.join("tls.key"), &pair.key).unwrap();
    };
    let (first, second) = (Pair::new(), Pair::new());
    version("first", &first);
    version("second", &second);
    let current = files.directory().join("current");
    std::os::unix::fs::symlink("first", &current).unwrap();
    let address = crate::harness::free_address();
    let _gateway = Gateway::start_with(&format!(
        "tls_address = \"{address}\"\ntls_certificate = \"{0}/tls.crt\"\ntls_key = \"{0}/tls.key\"\n",
        current.display()
    ));
    serves(address, &first).expect("the first certificate");
    let aside = files.directory().join("next");
    std::os::unix::fs::symlink("second", &aside).unwrap();
    std::fs::rename(&aside, &current).unwrap();
    wait_until("the second certificate", || serves(address, &second));
}

#[test]
fn files_that_cannot_be_used_are_an_error_at_the_start_and_for_check() {
    let files = Files::new();
    let check = |words: &[&str]| {
        run(tollgate()
            .args(words)
            .arg("--data-dir")
            .arg(files.directory()))
    };
    let (certificate, key) = (files.certificate(), files.key());
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let both = ["--tls-certificate", certificate, "--tls-key", key];
    let (good, said) = check(&[&["check"][..], &both].concat());
    assert!(good.success(), "{said}");
    assert!(
        said.contains("tls_certificate can be used until "),
        "{said}"
    );

    let (alone, said) = check(&["check", "--tls-certificate", certificate]);
    assert_eq!(alone.code(), Some(2));
    assert!(said.contains("without tls_key"), "{said}");

    std::fs::write(files.key(), Pair::new().key).unwrap();
    for command in ["check", "serve"] {
        let (bad, said) = check(&[&[command][..], &both].concat());
        assert!(!bad.success());
        assert!(
            said.contains("tls_certificate: the private key in ")
                && said.contains(" does not belong to the first certificate in "),
            "{said}"
        );
    }
}

#[test]
fn the_control_plane_speaks_tls_and_the_commands_follow() {
    let files = Files::new();
    let gateway = Gateway::start_with(&format!(
        "metrics_token = \"0123456789abcdef\"\ncontrol_tls_certificate = \"{}\"\ncontrol_tls_key = \"{}\"\n",
        files.certificate().display(),
        files.key().display()
    ));
    let config = trusting(&files.pair, &["h2", "http/1.1"], rustls::ALL_VERSIONS);
    let mut stream = connect(gateway.plane, &config, "localhost").unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(get(&mut stream, "/readyz", "").starts_with("HTTP/1.1 200"));
    let mut stream = connect(gateway.plane, &config, "localhost").unwrap();
    let metrics = get(
        &mut stream,
        "/metrics",
        "Authorization: Bearer 0123456789abcdef\r\n",
    );
    let end = metrics.lines().find_map(|line| {
        line.strip_prefix("tollgate_tls_certificate_expires_seconds{plane=\"control\"} ")
    });
    assert!(
        end.is_some_and(|end| end.parse::<i64>().unwrap() > 1_700_000_000),
        "{metrics}"
    );
    assert_eq!(plain_get(gateway.plane, "/healthz", &[]).status, 400);

    let call = |endpoint: &str, more: &[&str]| {
        let mut command = tollgate();
        command.args(["call", "GetAccount", "--endpoint"]);
        command.arg(format!("{endpoint}:{}", gateway.plane.port()));
        command.arg("--data-dir").arg(gateway.data_dir()).args(more);
        run(&mut command)
    };
    let trusted = files.certificate();
    let trusted = ["--ca-file", trusted.to_str().unwrap()];
    let (good, said) = call("https://localhost", &trusted);
    assert!(good.success(), "{said}");
    let account: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(text(&account["apiKeyVersion"]), "4");
    let (unknown, said) = call("https://localhost", &[]);
    assert_eq!(unknown.code(), Some(1));
    assert!(said.contains("--ca-file"), "{said}");
    let (plain, said) = call("http://localhost", &[]);
    assert_eq!(plain.code(), Some(1));
    assert!(said.contains("use https"), "{said}");
}

#[test]
fn off_loopback_the_control_plane_needs_tls() {
    let files = Files::new();
    let check = |words: &[&str]| {
        let mut command = tollgate();
        command.args(["check", "--control-plane", "0.0.0.0:8081"]);
        run(command.args(words).arg("--data-dir").arg(files.directory()))
    };
    let (refused, said) = check(&[]);
    assert_eq!(refused.code(), Some(2));
    assert!(said.contains("control_tls_certificate"), "{said}");
    let (certificate, key) = (files.certificate(), files.key());
    let with = [
        "--control-tls-certificate",
        certificate.to_str().unwrap(),
        "--control-tls-key",
        key.to_str().unwrap(),
    ];
    let (allowed, said) = check(&with);
    assert!(allowed.success(), "{said}");
    let (refused, said) = check(&[&with[..], &["--no-auth"]].concat());
    assert_eq!(refused.code(), Some(2));
    assert!(said.contains("without authentication"), "{said}");
}

#[test]
fn a_stop_does_not_wait_for_handshakes() {
    let files = Files::new();
    let mut tls = TlsGateway::start(&format!(
        "tls_handshake_timeout_ms = 600000\nheader_read_timeout_ms = 600000\ndrain_timeout_s = 3600\ncontrol_tls_certificate = \"{}\"\ncontrol_tls_key = \"{}\"\n",
        files.certificate().display(),
        files.key().display()
    ));
    // Half a greeting, none at all, and one that agrees on HTTP/2 and says no more.
    let mut half = TcpStream::connect(tls.address).unwrap();
    std::io::Write::write_all(&mut half, &[22, 3, 1]).unwrap();
    let mut control = TcpStream::connect(tls.gateway.plane).unwrap();
    std::io::Write::write_all(&mut control, &[22, 3, 1]).unwrap();
    let _silent = TcpStream::connect(tls.address).unwrap();
    let _greeted = connect(tls.address, &tls.client(&["h2"]), "localhost").unwrap();
    // A handshake after those: they were accepted.
    serves(tls.address, &tls.files.pair).expect("a handshake");
    assert_eq!(tls.gateway.stop().code(), Some(0));
}

#[test]
fn one_address_has_no_more_connections_than_its_own() {
    let (tls, _upstream, target) = start("connections_per_ip_max = 2\n");
    let ask = |mut connection: Connection| connection.send("GET", &target, &[], b"");
    wait_until("the places of this address to be taken", || {
        let held = [(); 2].map(|()| Connection::open(tls.gateway.data).unwrap());
        let third = Connection::open(tls.gateway.data).and_then(ask);
        let is_refused = third.is_ok_and(|reply| reply.status == 503);
        is_refused.then(|| drop(held))
    });
    wait_until("room again", || {
        let next = Connection::open(tls.gateway.data).and_then(ask);
        next.is_ok_and(|reply| reply.status == 200).then_some(())
    });
}
