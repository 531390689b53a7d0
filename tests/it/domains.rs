//! Custom domain names: where their paths lead, which certificate their clients are shown, and what upstreams are shown.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::api::{Api, text};
use crate::control::Control;
use crate::harness::{Gateway, run, tollgate, wait_until};
use crate::http::{self, Reply};
use crate::tls_client::{Files, Pair, TlsGateway, connect, trusting};
use crate::upstream::Upstream;

/// A call to the plain port under this host name.
fn call(gateway: &Gateway, host: &str, target: &str) -> Reply {
    http::get(gateway.data, target, &[("Host", host)])
}

fn map(control: &Control, domain: &str, base_path: &str, api: &Api, stage: Option<&str>) {
    let path = format!("/domainnames/{domain}/basepathmappings");
    let mut new = json!({"basePath": base_path, "restApiId": api.id});
    if let Some(stage) = stage {
        new["stage"] = json!(stage);
    }
    control.post(&path, &new).ok(201);
}

/// An API with two stages in front of an upstream.
fn shop(control: &Control, upstream: &Upstream) -> Api {
    let api = Api::create(control, "shop");
    api.pass_on("", false, &upstream.url());
    api.deploy("prod");
    api.deploy("beta");
    api
}

#[test]
fn paths_of_a_domain_lead_to_stages_at_once() {
    let gateway = Gateway::start();
    let (control, upstream) = (gateway.control(), Upstream::start());
    let api = shop(&control, &upstream);
    let host = "api.example.com";
    let own = api.target("prod", "/echo/x");
    assert_eq!(
        call(&gateway, host, &own).status,
        200,
        "not a domain name yet"
    );

    control
        .post("/domainnames", &json!({"domainName": host}))
        .ok(201);
    let nowhere = call(&gateway, host, &own);
    assert_eq!(
        nowhere.brief(),
        (403, r#"{"message":"Forbidden"}"#.to_owned()),
        "a domain wins over path forms"
    );
    map(&control, host, "", &api, Some("prod"));
    map(&control, host, "shop/v2", &api, Some("beta"));
    map(&control, host, "any", &api, None);
    upstream.forget();
    for (host, target, seen) in [
        (host, "/echo/a?b=c", "/echo/a?b=c"),
        ("API.example.com:8080", "/shop/v2/echo/a", "/echo/a"),
        (host, "/shop/v21/echo", "/shop/v21/echo"),
        (host, "/any/beta/echo/b", "/echo/b"),
    ] {
        let reply = call(&gateway, host, target);
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        assert_eq!(upstream.only().target, seen, "{target}");
        upstream.forget();
    }
    assert_eq!(call(&gateway, host, "/any/none/echo").status, 403);
    // By any other host nothing has changed.
    assert_eq!(call(&gateway, "other.example.com", &own).status, 200);

    let mapping = format!("/domainnames/{host}/basepathmappings/shop%2Fv2");
    control
        .patch(&mapping, &[("replace", "/basePath", "shop/v3")])
        .ok(200);
    assert_eq!(call(&gateway, host, "/shop/v3/echo").status, 200);
    upstream.forget();
    assert_eq!(call(&gateway, host, "/shop/v2/echo").status, 200);
    assert_eq!(
        upstream.only().target,
        "/shop/v2/echo",
        "it leads to the root again"
    );
    control.delete(&format!("/domainnames/{host}")).ok(202);
    assert_eq!(call(&gateway, host, "/echo").status, 403);
    assert_eq!(call(&gateway, host, &own).status, 200);
}

#[test]
fn a_wildcard_takes_every_name_one_level_below_and_the_log_tells_which() {
    let gateway = Gateway::start();
    let (control, upstream) = (gateway.control(), Upstream::start());
    let api = shop(&control, &upstream);
    control
        .post("/domainnames", &json!({"domainName": "*.example.com"}))
        .ok(201);
    map(&control, "%2A.example.com", "v1", &api, Some("prod"));
    assert_eq!(
        call(&gateway, "a.example.com:8080", "/v1/echo/x?y=z").status,
        200
    );
    assert_eq!(call(&gateway, "a.b.example.com", "/v1/echo").status, 403);
    let log = gateway.data_dir().join("access.log");
    let line = wait_until("the call to be logged", || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.lines()
            .find(|line| line.contains("/v1/echo/x"))
            .map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["domainName"], "a.example.com");
    assert_eq!(
        (&line["path"], &line["stage"]),
        (&json!("/v1/echo/x"), &json!("prod"))
    );
    assert_eq!(line["apiId"], json!(api.id));
}

#[test]
fn a_disabled_endpoint_is_reached_by_its_domain_only() {
    let gateway = Gateway::start();
    let (control, upstream) = (gateway.control(), Upstream::start());
    let api = shop(&control, &upstream);
    control
        .post("/domainnames", &json!({"domainName": "api.example.com"}))
        .ok(201);
    map(&control, "api.example.com", "", &api, Some("prod"));
    control
        .patch(
            &api.path(),
            &[("replace", "/disableExecuteApiEndpoint", "true")],
        )
        .ok(200);
    let forms = [
        ("localhost".to_owned(), api.target("prod", "/echo")),
        (
            format!("{}.execute-api.localhost", api.id),
            "/prod/echo".to_owned(),
        ),
        (
            "localhost".to_owned(),
            format!("/_aws/execute-api/{}/prod/echo", api.id),
        ),
        (
            "localhost".to_owned(),
            format!("/restapis/{}/prod/_user_request_/echo", api.id),
        ),
    ];
    for (host, target) in &forms {
        assert_eq!(
            call(&gateway, host, target).status,
            200,
            "it is not deployed yet"
        );
    }
    api.deploy("prod");
    for (host, target) in &forms {
        let refused = call(&gateway, host, target);
        assert_eq!(
            refused.brief(),
            (403, r#"{"message":"Forbidden"}"#.to_owned()),
            "{target}"
        );
    }
    assert_eq!(call(&gateway, "api.example.com", "/echo").status, 200);
    assert_eq!(
        call(&gateway, "localhost", &api.target("beta", "/echo")).status,
        200
    );
}

/// The certificate that a client who asks for this name is shown, however it is signed.
fn shown(address: SocketAddr, name: &str, pair: &Pair) -> bool {
    let config = trusting(pair, &["http/1.1"], rustls::ALL_VERSIONS);
    let stream = connect(address, &config, name);
    stream.is_ok_and(|stream| {
        let shown = stream.conn.peer_certificates().and_then(|all| all.first());
        shown == Some(&pair.der())
    })
}

#[test]
fn every_domain_is_served_with_its_own_certificate() {
    let (named, first, second) = (
        Pair::of("named.example"),
        Pair::of("up.example"),
        Pair::of("up.example"),
    );
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        directory.path().join("named.pem"),
        directory.path().join("named.key"),
    );
    std::fs::write(&certificate, &named.certificate).unwrap();
    std::fs::write(&key, &named.key).unwrap();
    let arn = "arn:aws:acm:us-east-1:000000000000:certificate/named";
    let mut tls = TlsGateway::start(&format!(
        "[certificates]\n\"{arn}\" = {{ certificate = \"{}\", key = \"{}\" }}\n",
        certificate.display(),
        key.display()
    ));
    let (control, upstream) = (tls.gateway.control(), Upstream::start());
    let api = shop(&control, &upstream);
    let address = tls.address;
    let unknown = json!({"domainName": "x.example", "certificateArn": format!("{arn}/other")});
    let refused = control
        .post("/domainnames", &unknown)
        .refused_somehow(400, "BadRequestException");
    assert!(refused.contains("[certificates]"), "{refused}");
    control
        .post(
            "/domainnames",
            &json!({"domainName": "named.example", "regionalCertificateArn": arn}),
        )
        .ok(201);
    assert!(shown(address, "named.example", &named));
    let upload = json!({"domainName": "up.example", "certificateBody": first.certificate, "certificatePrivateKey": first.key,
                        "securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"});
    control.post("/domainnames", &upload).ok(201);
    map(&control, "up.example", "", &api, Some("prod"));
    assert!(shown(address, "up.example", &first));
    assert!(shown(address, "named.example", &named));
    assert!(
        shown(address, "localhost", &tls.files.pair),
        "the default for every other name"
    );

    // A call by the name, over TLS and by HTTP/1.1.
    let config = trusting(&first, &["http/1.1"], &[&TLS13]);
    let mut stream = connect(address, &config, "up.example").unwrap();
    stream
        .write_all(b"GET /echo HTTP/1.1\r\nHost: up.example\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // TLS 1.2 is too old for this name, and for no other.
    assert!(connect(address, &trusting(&first, &[], &[&TLS12]), "up.example").is_err());
    assert!(connect(address, &trusting(&named, &[], &[&TLS12]), "named.example").is_ok());

    // A new one is in force when it is acknowledged.
    let path = "/domainnames/up.example";
    control
        .patch(
            path,
            &[
                ("replace", "/certificateBody", &second.certificate),
                ("replace", "/certificatePrivateKey", &second.key),
                ("replace", "/securityPolicy", "TLS_1_2"),
            ],
        )
        .ok(200);
    assert!(shown(address, "up.example", &second) && !shown(address, "up.example", &first));
    assert!(connect(address, &trusting(&second, &[], &[&TLS12]), "up.example").is_ok());
    // Files are followed as those of the default are.
    let renewed = Pair::of("named.example");
    std::fs::write(&certificate, &renewed.certificate).unwrap();
    std::fs::write(&key, &renewed.key).unwrap();
    wait_until("the renewed certificate", || {
        shown(address, "named.example", &renewed).then_some(())
    });

    // The key is in no file in clear, and outlives a restart and a change of the master key.
    let line = second.key.lines().nth(1).unwrap();
    for file in std::fs::read_dir(tls.gateway.data_dir()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(line.len())
                .any(|window| window == line.as_bytes())
        );
    }
    assert!(!tls.gateway.log().contains(line));
    tls.gateway.stop();
    let mut rotate = tollgate();
    rotate
        .arg("rotate-master-key")
        .arg("--data-dir")
        .arg(tls.gateway.data_dir());
    let (rotated, said) = run(&mut rotate);
    assert!(rotated.success(), "{said}");
    tls.gateway.start_again();
    assert!(shown(address, "up.example", &second));
    let control = tls.gateway.control();
    control.delete(path).ok(202);
    assert!(!shown(address, "up.example", &second));
}

/// Which certificate each request of an upstream came with.
type Callers = Arc<Mutex<Vec<CertificateDer<'static>>>>;

/// An https upstream that answers only clients with one of these certificates, and notes which.
fn strict_upstream(own: &Pair, clients: &[CertificateDer<'static>]) -> (SocketAddr, Callers) {
    let mut roots = RootCertStore::empty();
    for client in clients {
        roots.add(client.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![own.der()], key)
        .unwrap();
    let (config, callers) = (Arc::new(config), Callers::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let noted = Arc::clone(&callers);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (config, noted) = (Arc::clone(&config), Arc::clone(&noted));
            std::thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let (mut seen, mut one) = (Vec::new(), [0]);
                // A client without a good certificate fails in the first read.
                while stream.read(&mut one).is_ok_and(|read| read > 0) {
                    seen.push(one[0]);
                    if seen.ends_with(b"\r\n\r\n") {
                        seen.clear();
                        let shown = stream.conn.peer_certificates().unwrap()[0].clone();
                        noted.lock().unwrap().push(shown.into_owned());
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        stream.write_all(answer).unwrap();
                    }
                }
            });
        }
    });
    (address, callers)
}

#[test]
fn a_stage_shows_its_own_certificate_to_upstreams() {
    let own = Pair::new();
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, &own.certificate).unwrap();
    let mut gateway = Gateway::start_with(&format!("upstream_ca_file = \"{}\"\n", roots.display()));
    let control = gateway.control();
    let made = [(); 2].map(|()| control.post("/clientcertificates", &json!({})).ok(201));
    let ders = made.each_ref().map(|made| {
        let pem = text(&made["pemEncodedCertificate"]);
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    });
    let (address, callers) = strict_upstream(&own, &ders);
    let api = Api::create(&control, "strict");
    api.pass_on("", false, &format!("https://localhost:{}", address.port()));
    for stage in ["none", "one", "two"] {
        api.deploy(stage);
    }
    for (stage, made) in ["one", "two"].iter().zip(&made) {
        let id = text(&made["clientCertificateId"]);
        let path = format!("{}/stages/{stage}", api.path());
        control
            .patch(&path, &[("replace", "/clientCertificateId", &id)])
            .ok(200);
    }
    let status = |gateway: &Gateway, stage: &str| {
        call(gateway, "localhost", &api.target(stage, "/x")).status
    };
    assert_eq!(
        status(&gateway, "none"),
        504,
        "the upstream wants a certificate"
    );
    for _ in 0..3 {
        assert_eq!(
            (status(&gateway, "one"), status(&gateway, "two")),
            (200, 200)
        );
        assert_eq!(
            status(&gateway, "none"),
            504,
            "no connection of another stage is used"
        );
    }
    let expected: Vec<_> = [&ders[0], &ders[1]]
        .into_iter()
        .cycle()
        .take(6)
        .cloned()
        .collect();
    assert_eq!(*callers.lock().unwrap(), expected);
    // The other certificate is in force when it is acknowledged, and so it is after a restart.
    let path = format!("{}/stages/one", api.path());
    let second = text(&made[1]["clientCertificateId"]);
    control
        .patch(&path, &[("replace", "/clientCertificateId", &second)])
        .ok(200);
    assert_eq!(status(&gateway, "one"), 200);
    assert_eq!(callers.lock().unwrap().last(), Some(&ders[1]));
    gateway.stop();
    gateway.start_again();
    assert_eq!(
        (status(&gateway, "one"), status(&gateway, "none")),
        (200, 504)
    );
    let logged = gateway.log();
    assert!(!logged.contains("PRIVATE KEY"), "{logged}");
    // `check` tells of them beside the running gateway, and of domain names whose certificate is missing.
    let named =
        json!({"domainName": "a.example", "certificateArn": "arn:aws:acm:r:0:certificate/x"});
    control.post("/domainnames", &named).ok(201);
    let files = Files::new();
    let mut check = tollgate();
    check.args(["check", "--data-dir"]).arg(gateway.data_dir());
    let (good, said) = run(&mut check);
    assert!(good.success(), "{said}");
    for made in &made {
        let told = format!(
            "client certificate {} can be used until ",
            text(&made["clientCertificateId"])
        );
        assert!(said.contains(&told), "{said}");
    }
    assert!(
        !said.contains("[certificates]"),
        "TLS is not served: {said}"
    );
    check
        .arg("--tls-certificate")
        .arg(files.certificate())
        .arg("--tls-key")
        .arg(files.key());
    let (good, said) = run(&mut check);
    assert!(good.success() && said.contains("domain name a.example: its certificate arn:aws:acm:r:0:certificate/x is not in [certificates]"), "{said}");
}

#[test]
fn what_is_behind_a_vpc_link_is_called_by_its_uri() {
    let gateway = Gateway::start();
    let (control, upstream) = (gateway.control(), Upstream::start());
    let arns = ["arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/1"];
    let link = control
        .post("/vpclinks", &json!({"name": "l", "targetArns": arns}))
        .ok(202);
    assert_eq!(link["status"], "AVAILABLE");
    let api = Api::create(&control, "linked");
    api.method(
        "/x",
        "GET",
        false,
        &json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": format!("{}/echo/linked", upstream.url()),
                "connectionType": "VPC_LINK", "connectionId": link["id"]}),
    );
    api.deploy("prod");
    assert_eq!(
        call(&gateway, "localhost", &api.target("prod", "/x")).status,
        200
    );
    assert_eq!(upstream.only().target, "/echo/linked");
}
