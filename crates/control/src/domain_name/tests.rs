//! Domain names over the router.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tollgate_entity::DomainName;
use tollgate_store::StoreOptions;

use crate::ControlSettings;
use crate::testing::{Gateway, START, text};

const ARN: &str = "arn:aws:acm:us-east-1:000000000000:certificate/one";
const OTHER_ARN: &str = "arn:aws:acm:us-east-1:000000000000:certificate/two";

/// A certificate for these names and its key, in PEM.
fn pair(names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn secret(gateway: &Gateway, name: &str) -> Option<String> {
    let store = &gateway.control.store;
    let secret = store.read_blocking(|reader| reader.secret::<DomainName>(name));
    secret.unwrap().map(|secret| secret.expose().to_owned())
}

#[tokio::test]
async fn an_edge_domain_has_the_shape_of_aws() {
    let gateway = Gateway::new();
    let new = json!({"domainName": "api.example.com", "certificateArn": ARN, "certificateName": "n", "tags": {"a": "b"}});
    let made = gateway.post("/domainnames", new).await.ok(201);
    let distribution = text(&made, "distributionDomainName");
    assert!(distribution.starts_with('d') && distribution.ends_with(".cloudfront.net"));
    let expected = json!({
        "domainName": "api.example.com", "domainNameArn": "arn:aws:apigateway:us-east-1::/domainnames/api.example.com",
        "certificateName": "n", "certificateArn": ARN, "certificateUploadDate": START,
        "distributionDomainName": distribution, "distributionHostedZoneId": "Z2FDTNDATAQYW2",
        "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"}, "domainNameStatus": "AVAILABLE",
        "securityPolicy": "TLS_1_2", "routingMode": "BASE_PATH_MAPPING_ONLY", "tags": {"a": "b"},
    });
    assert_eq!(made, expected);
    gateway
        .get("/domainnames/api.example.com")
        .await
        .is(200, expected.clone());
    gateway
        .get("/domainnames")
        .await
        .is(200, json!({"item": [expected]}));
    gateway
        .post("/domainnames", json!({"domainName": "api.example.com"}))
        .await
        .bad("The domain name you provided already exists.");
    gateway
        .delete("/domainnames/api.example.com")
        .await
        .is(202, Value::Null);
    let unknown = "Invalid domain name identifier specified";
    gateway
        .get("/domainnames/api.example.com")
        .await
        .missing(unknown);
    gateway
        .delete("/domainnames/api.example.com")
        .await
        .missing(unknown);
    gateway
        .patch("/domainnames/api.example.com", &[])
        .await
        .missing(unknown);
}

#[tokio::test]
async fn a_regional_domain_has_the_shape_of_aws_and_lists_are_paged() {
    let gateway = Gateway::new();
    let new = json!({"domainName": "*.example.com", "regionalCertificateArn": ARN, "endpointConfiguration": {"types": ["REGIONAL"]}});
    let made = gateway.post("/domainnames", new).await.ok(201);
    let name = text(&made, "regionalDomainName");
    assert!(
        name.starts_with("d-") && name.ends_with(".execute-api.us-east-1.amazonaws.com"),
        "{name}"
    );
    assert_eq!(
        (
            made["regionalHostedZoneId"].is_string(),
            made.get("distributionDomainName")
        ),
        (true, None)
    );
    gateway
        .post("/domainnames", json!({"domainName": "b.example"}))
        .await
        .ok(201);
    let first = gateway.get("/domainnames?limit=1").await.ok(200);
    let position = text(&first, "position");
    let second = gateway
        .get(&format!("/domainnames?limit=1&position={position}"))
        .await
        .ok(200);
    assert_eq!(first["item"][0]["domainName"], json!("*.example.com"));
    assert_eq!(second["item"][0]["domainName"], json!("b.example"));
    assert_eq!(
        gateway.get("/domainnames/%2A.example.com").await.status,
        200
    );
}

#[tokio::test]
async fn what_is_not_enforced_is_refused() {
    let gateway = Gateway::new();
    let with = |member: &str, value: Value| {
        gateway.post(
            "/domainnames",
            json!({"domainName": "a.example", member: value}),
        )
    };
    with(
        "mutualTlsAuthentication",
        json!({"truststoreUri": "s3://b/k"}),
    )
    .await
    .bad("mutualTlsAuthentication is not supported yet.");
    with("policy", json!("{}"))
        .await
        .bad("A policy of a domain name is not supported yet.");
    with("endpointConfiguration", json!({"types": ["PRIVATE"]}))
        .await
        .bad("The endpoint type PRIVATE is not supported. Use REGIONAL or EDGE.");
    with(
        "endpointConfiguration",
        json!({"types": ["EDGE", "REGIONAL"]}),
    )
    .await
    .bad("Cannot create a domain name with multiple Endpoint Types.");
    with("endpointAccessMode", json!("STRICT"))
        .await
        .bad("The endpointAccessMode STRICT is not supported yet. Use BASIC.");
    for (member, value) in [
        ("routingMode", "ROUTING_RULE_ONLY"),
        ("securityPolicy", "SecurityPolicy_TLS13_1_3_FIPS_2025_09"),
        ("domainName", "not a name"),
        ("certificateArn", "text"),
    ] {
        assert!(
            with(member, json!(value))
                .await
                .refusal()
                .starts_with("400 BadRequest"),
            "{member}"
        );
    }
    let strange = with("securityPolicy", json!("TLS_9")).await.refusal();
    assert!(strange.starts_with("400 ValidationException: 1 validation error detected: Value 'TLS_9' at 'createDomainNameInput.securityPolicy'"), "{strange}");
    assert_eq!(
        gateway.get("/domainnames").await.ok(200),
        json!({"item": []})
    );
}

#[tokio::test]
async fn an_uploaded_certificate_is_checked_and_its_key_is_nowhere_to_be_seen() {
    let gateway = Gateway::new();
    let (body, key) = pair(&["api.example.com"]);
    let with = |name: &str, body: &str, key: &str| {
        let new =
            json!({"domainName": name, "certificateBody": body, "certificatePrivateKey": key});
        gateway.post("/domainnames", new)
    };
    with("api.example.com", &body, "nonsense")
        .await
        .bad("certificatePrivateKey must be a PEM text with BEGIN PRIVATE KEY (or RSA or EC)");
    with("api.example.com", "nonsense", &key).await.bad(
        "certificateBody must be a PEM text with BEGIN CERTIFICATE, the server's own certificate",
    );
    with("api.example.com", &body, &pair(&["x.example"]).1)
        .await
        .bad("certificatePrivateKey does not belong to the certificate in certificateBody");
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    with("api.example.com", &body, &encrypted).await.bad(
        "certificatePrivateKey is encrypted; give it decrypted, it is sealed where it is kept",
    );
    with("b.example.com", &body, &key).await.bad(
        "The certificate in certificateBody is not for the domain name b.example.com: no subject alternative name of it matches",
    );
    let alone = json!({"domainName": "api.example.com", "certificateBody": body});
    gateway
        .post("/domainnames", alone)
        .await
        .bad("certificateBody and certificatePrivateKey must be given together");
    let both = json!({"domainName": "api.example.com", "certificateBody": body, "certificatePrivateKey": key, "certificateArn": ARN});
    assert_eq!(gateway.post("/domainnames", both).await.status, 400);

    let made = with("api.example.com", &body, &key).await.ok(201);
    assert_eq!(made["certificateUploadDate"], json!(START));
    assert!(!made.to_string().contains("BEGIN"), "{made}");
    assert!(
        !gateway
            .get("/domainnames")
            .await
            .ok(200)
            .to_string()
            .contains("BEGIN")
    );
    let kept = secret(&gateway, "api.example.com").unwrap();
    assert_eq!(kept, format!("{}\n{}\n", body.trim(), key.trim()));
    let (wild_body, wild_key) = pair(&["*.example.com"]);
    with("*.example.com", &wild_body, &wild_key).await.ok(201);

    // A new one in place of it, with a chain; the log keeps neither key.
    let (next, next_key) = pair(&["api.example.com"]);
    gateway.sleep(5);
    let path = "/domainnames/api.example.com";
    let operations = [
        ("replace", "/certificateBody", Some(next.as_str())),
        ("replace", "/certificatePrivateKey", Some(&next_key)),
        ("replace", "/certificateChain", Some(&wild_body)),
    ];
    let changed = gateway.patch(path, &operations).await.ok(200);
    assert_eq!(changed["certificateUploadDate"], json!(START + 5));
    let kept = secret(&gateway, "api.example.com").unwrap();
    assert_eq!(
        kept,
        format!(
            "{}\n{}\n{}\n",
            next.trim(),
            wild_body.trim(),
            next_key.trim()
        )
    );
    gateway
        .patch(path, &operations[..1])
        .await
        .bad("certificateBody and certificatePrivateKey must be given together");
    let logged = format!("{:?}", gateway.audit_log());
    for secret in [&key, &next_key] {
        let line = secret.lines().nth(1).unwrap();
        assert!(!logged.contains(line), "a private key is in the audit log");
    }
    assert!(logged.contains("****"));

    // One that is named takes its place; deleting the name deletes what is kept.
    gateway
        .patch(path, &[("replace", "/certificateArn", Some(ARN))])
        .await
        .ok(200);
    assert_eq!(secret(&gateway, "api.example.com"), None);
    gateway.delete("/domainnames/*.example.com").await.ok(202);
    assert_eq!(secret(&gateway, "*.example.com"), None);
}

#[tokio::test]
async fn where_tls_is_served_a_named_certificate_must_be_known() {
    let settings = ControlSettings {
        auth: false,
        certificate_arns: Some(BTreeSet::from([ARN.to_owned()])),
        ..ControlSettings::default()
    };
    let gateway = Gateway::with(settings, StoreOptions::default());
    let new = |arn: &str| {
        gateway.post(
            "/domainnames",
            json!({"domainName": "a.example", "regionalCertificateArn": arn}),
        )
    };
    let refusal = new(OTHER_ARN).await.refusal();
    assert!(
        refusal.contains("[certificates]") && refusal.contains(OTHER_ARN),
        "{refusal}"
    );
    new(ARN).await.ok(201);
    let path = "/domainnames/a.example";
    let other = [("replace", "/regionalCertificateArn", Some(OTHER_ARN))];
    assert_eq!(gateway.patch(path, &other).await.status, 400);
    gateway
        .patch(path, &[("replace", "/securityPolicy", Some("TLS_1_2"))])
        .await
        .ok(200);
}

#[tokio::test]
async fn every_path_of_awss_table_can_be_patched() {
    let gateway = Gateway::new();
    gateway
        .post(
            "/domainnames",
            json!({"domainName": "a.example", "certificateArn": ARN}),
        )
        .await
        .ok(201);
    let path = "/domainnames/a.example";
    for (at, member, value) in [
        ("/certificateName", "certificateName", "n"),
        ("/certificateArn", "certificateArn", OTHER_ARN),
        ("/regionalCertificateName", "regionalCertificateName", "r"),
        ("/regionalCertificateArn", "regionalCertificateArn", ARN),
        (
            "/ownershipVerificationCertificateArn",
            "ownershipVerificationCertificateArn",
            ARN,
        ),
        (
            "/securityPolicy",
            "securityPolicy",
            "SecurityPolicy_TLS13_1_3_2025_09",
        ),
        ("/endpointAccessMode", "endpointAccessMode", "BASIC"),
        ("/routingMode", "routingMode", "BASE_PATH_MAPPING_ONLY"),
    ] {
        let changed = gateway
            .patch(path, &[("replace", at, Some(value))])
            .await
            .ok(200);
        assert_eq!(changed[member], json!(value), "{at}");
    }
    let dual = [(
        "replace",
        "/endpointConfiguration/ipAddressType",
        Some("dualstack"),
    )];
    let dual = gateway.patch(path, &dual).await.ok(200);
    assert_eq!(
        dual["endpointConfiguration"],
        json!({"types": ["EDGE"], "ipAddressType": "dualstack"})
    );
    for (at, value) in [
        ("/mutualTlsAuthentication/truststoreUri", "s3://b/k"),
        ("/mutualTlsAuthentication/truststoreVersion", "1"),
        ("/policy", "{}"),
        ("/managementPolicy", "{}"),
        ("/endpointAccessMode", "STRICT"),
        ("/routingMode", "ROUTING_RULE_ONLY"),
        ("/securityPolicy", "TLS_9"),
        ("/endpointConfiguration/ipAddressType", "ipv6"),
        ("/endpointConfiguration/types/0", "PRIVATE"),
        ("/endpointConfiguration/types/1", "EDGE"),
        ("/domainName", "b.example"),
    ] {
        assert_eq!(
            gateway
                .patch(path, &[("replace", at, Some(value))])
                .await
                .status,
            400,
            "{at}"
        );
        if at.starts_with("/mutual") || at.ends_with("olicy") && !at.starts_with("/security") {
            gateway
                .patch(path, &[("replace", at, Some(""))])
                .await
                .ok(200);
        }
    }
}

#[tokio::test]
async fn a_name_moves_from_one_endpoint_type_to_the_other() {
    let gateway = Gateway::new();
    gateway
        .post(
            "/domainnames",
            json!({"domainName": "a.example", "certificateArn": ARN}),
        )
        .await
        .ok(201);
    let path = "/domainnames/a.example";
    let types = "/endpointConfiguration/types";
    let both = [
        ("add", types, Some("REGIONAL")),
        ("add", "/regionalCertificateArn", Some(ARN)),
    ];
    let both = gateway.patch(path, &both).await.ok(200);
    assert_eq!(
        both["endpointConfiguration"]["types"],
        json!(["EDGE", "REGIONAL"])
    );
    let (edge, regional) = (
        text(&both, "distributionDomainName"),
        text(&both, "regionalDomainName"),
    );
    let one = gateway
        .patch(path, &[("remove", types, Some("EDGE"))])
        .await
        .ok(200);
    assert_eq!(one["endpointConfiguration"]["types"], json!(["REGIONAL"]));
    assert_eq!(
        (
            one.get("distributionDomainName"),
            text(&one, "regionalDomainName")
        ),
        (None, regional)
    );
    let back = gateway
        .patch(
            path,
            &[("replace", "/endpointConfiguration/types/0", Some("EDGE"))],
        )
        .await
        .ok(200);
    assert_ne!(text(&back, "distributionDomainName"), edge);
    assert_eq!(back.get("regionalHostedZoneId"), None);
    gateway
        .patch(path, &[("remove", types, Some("EDGE"))])
        .await
        .bad("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.");
}
