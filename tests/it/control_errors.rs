//! What the control plane says to requests that are wrong: in AWS's form, and with nothing half-done.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::api::Api;
use crate::control::{Control, Credentials, Signing};
use crate::harness::Gateway;
use crate::http::{self, Connection};

#[test]
fn bad_credentials_get_awss_answers() {
    let gateway = Gateway::start();
    let good = gateway.control();
    let anonymous = Control::new(gateway.plane, None);
    anonymous.get("/apikeys").refused(
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
    let mut stranger = good.clone();
    stranger.credentials.as_mut().unwrap().id = "AKIDOESNOTEXIST00000".to_owned();
    stranger.get("/apikeys").refused(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    );
    let mut guesser = good.clone();
    guesser.credentials.as_mut().unwrap().secret.push('x');
    guesser
        .get("/apikeys")
        .refused(403, "InvalidSignatureException", MISMATCH);
    let body = json!({ "name": "never made" }).to_string();
    guesser.send("POST", "/apikeys", body.as_bytes()).refused(
        403,
        "InvalidSignatureException",
        MISMATCH,
    );
    assert_eq!(good.get("/apikeys").ok(200), json!({ "item": [] }));
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
    Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

#[test]
fn a_signature_covers_body_path_query_time_and_service() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let signed = |method: &str, path: &str, body: &[u8], signing| {
        let signature = control.sign(method, path, &[], body, signing);
        move |method: &str, path: &str, body: &[u8]| {
            let headers: Vec<(&str, &str)> = signature
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            http::request(gateway.plane, method, path, &headers, body)
        }
    };
    signed("GET", "/apikeys?limit=2", b"", Signing::default())("GET", "/apikeys?limit=2", b"")
        .ok_status(200);
    let other_query =
        signed("GET", "/apikeys?limit=2", b"", Signing::default())("GET", "/apikeys?limit=3", b"");
    other_query.refused(403, "InvalidSignatureException", MISMATCH);
    let other_path = signed("GET", "/apikeys", b"", Signing::default())("GET", "/usageplans", b"");
    other_path.refused(403, "InvalidSignatureException", MISMATCH);
    let other_method =
        signed("GET", "/account", b"", Signing::default())("DELETE", "/account", b"");
    other_method.refused(403, "InvalidSignatureException", MISMATCH);
    let other_body =
        signed("POST", "/apikeys", b"{}", Signing::default())("POST", "/apikeys", b"{ }");
    other_body.refused(403, "InvalidSignatureException", MISMATCH);
    signed(
        "GET",
        "/apikeys",
        b"",
        Signing {
            region: "eu-central-1",
            ..Signing::default()
        },
    )("GET", "/apikeys", b"")
    .ok_status(200);
    let other_service = signed(
        "GET",
        "/apikeys",
        b"",
        Signing {
            service: "s3",
            ..Signing::default()
        },
    )("GET", "/apikeys", b"");
    assert_eq!(other_service.status, 403, "{}", other_service.text());
    for (minutes, status) in [(4, 200), (6, 403)] {
        for at in [
            SystemTime::now() - Duration::from_secs(60 * minutes),
            SystemTime::now() + Duration::from_secs(60 * minutes),
        ] {
            let reply = signed(
                "GET",
                "/apikeys",
                b"",
                Signing {
                    at,
                    ..Signing::default()
                },
            )("GET", "/apikeys", b"");
            assert_eq!(
                reply.status,
                status,
                "{minutes} minutes off: {}",
                reply.text()
            );
        }
    }
}

#[test]
fn without_authentication_strange_hosts_and_origins_are_still_refused() {
    let gateway = Gateway::start_with("auth = false\n");
    let call = |headers: &[(&str, &str)]| http::get(gateway.plane, "/apikeys", headers);
    call(&[]).ok_status(200);
    let port = gateway.plane.port();
    call(&[("Host", &format!("localhost:{port}"))]).ok_status(200);
    for headers in [
        ("Host", "rebound.example"),
        ("Origin", "http://elsewhere.example"),
        ("Origin", "null"),
    ] {
        let refused = call(&[headers]);
        assert_eq!(refused.status, 403, "{headers:?}: {}", refused.text());
    }
}

#[test]
fn a_malformed_authorization_header_is_refused() {
    let gateway = Gateway::start();
    for value in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=zz",
        "Bearer token",
        "AWS4-HMAC-SHA256 rubbish",
    ] {
        let reply = http::get(
            gateway.plane,
            "/apikeys",
            &[("Authorization", value), ("X-Amz-Date", "20240101T000000Z")],
        );
        assert_eq!(reply.status, 403, "{value}: {}", reply.text());
        let exception = reply
            .header("x-amzn-errortype")
            .unwrap_or_default()
            .to_owned();
        reply.refused_somehow(403, &exception);
        assert!(exception.ends_with("Exception"), "{value}: {exception}");
    }
}

#[test]
fn real_aws_keys_are_not_needed_but_ours_are() {
    let gateway = Gateway::start();
    let example = Credentials {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
    };
    let control = Control::new(gateway.plane, Some(example));
    control.get("/account").refused(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    );
}

#[test]
fn a_body_that_is_not_json_changes_nothing() {
    let gateway = Gateway::start();
    let control = gateway.control();
    for body in [
        &b"not json"[..],
        b"{\"name\":",
        b"[1,2]",
        b"\"text\"",
        b"{\"name\":\"a\"} and more",
        b"\xff\xfe{}",
    ] {
        control
            .send("POST", "/apikeys", body)
            .refused_somehow(400, "SerializationException");
    }
    assert_eq!(control.get("/apikeys").ok(200), json!({ "item": [] }));
}

#[test]
fn an_unknown_member_is_ignored_and_a_wrong_type_is_not() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let made = control
        .post("/apikeys", &json!({ "name": "n", "flavour": "sweet" }))
        .ok(201);
    assert_eq!(made.get("flavour"), None);
    for (body, message) in [
        (
            json!({ "name": true }),
            "class java.lang.Boolean can not be converted to an String",
        ),
        (
            json!({ "name": 5 }),
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
        ),
    ] {
        control
            .post("/restapis", &body)
            .refused(400, "SerializationException", message);
    }
    for body in [
        json!({ "name": "n", "throttle": [] }),
        json!({ "name": "n", "throttle": { "rateLimit": "fast" } }),
        json!({ "name": "n", "apiStages": {} }),
    ] {
        control
            .post("/usageplans", &body)
            .refused_somehow(400, "SerializationException");
    }
    assert_eq!(control.get("/usageplans").ok(200), json!({ "item": [] }));
    assert_eq!(control.get("/restapis").ok(200), json!({ "item": [] }));
}

#[test]
fn what_makes_no_sense_here_says_why() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let message = control
        .get("/restapis/abc/stages/prod/sdks/java")
        .refused_somehow(501, "NotImplementedException");
    assert!(
        message.starts_with("The operation GetSdk is not implemented: "),
        "{message}"
    );
}

#[test]
fn what_would_protect_but_cannot_yet_is_refused() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let refused = control.post("/restapis", &json!({ "name": "n", "policy": "{}" }));
    refused.refused_somehow(400, "BadRequestException");
    let api = Api::create(&control, "open");
    control
        .patch(&api.path(), &[("replace", "/policy", "{}")])
        .refused_somehow(400, "BadRequestException");
    let at = api.method_path("/pets", "GET");
    for kind in ["CUSTOM", "COGNITO_USER_POOLS"] {
        control
            .put(&at, &json!({ "authorizationType": kind }))
            .refused_somehow(400, "BadRequestException");
    }
    control.get(&at).refused(
        404,
        "NotFoundException",
        "Invalid Method identifier specified",
    );
}

#[test]
fn a_bad_patch_applies_nothing_of_it() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let plan = control
        .post("/usageplans", &json!({ "name": "before" }))
        .ok(201);
    let path = format!("/usageplans/{}", plan["id"].as_str().unwrap());
    let before = control.get(&path).ok(200);
    let bad_path = [("replace", "/name", "after"), ("replace", "/nonsense", "1")];
    let message = control
        .patch(&path, &bad_path)
        .refused_somehow(400, "BadRequestException");
    let beginning =
        "Invalid patch path  '/nonsense' specified for op 'replace'. Must be one of: [/name, ";
    assert!(
        message.starts_with(beginning) && message.contains(", /quota/limit"),
        "{message}"
    );
    control
        .patch(
            &path,
            &[
                ("replace", "/name", "after"),
                ("replace", "/quota/limit", "-1"),
            ],
        )
        .refused_somehow(400, "BadRequestException");
    control
        .patch(&path, &[("replace", "/throttle/rateLimit", "fast")])
        .refused_somehow(400, "BadRequestException");
    control.patch(&path, &[("wrong", "/name", "after")]).refused(
        400,
        "ValidationException",
        "1 validation error detected: Value 'wrong' at 'updateUsagePlanInput.patchOperations.1.member.op' failed to satisfy constraint: \
         Member must satisfy enum value set: [add, remove, move, test, replace, copy]",
    );
    assert_eq!(control.get(&path).ok(200), before);
}

#[test]
fn a_gigabyte_is_refused_without_being_read() {
    let gateway = Gateway::start();
    let control = gateway.control();
    const GIGABYTE: u64 = 1_000_000_000;
    let declared = format!(
        "POST /apikeys HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {GIGABYTE}\r\n",
        gateway.plane
    );
    let chunked = format!(
        "POST /apikeys HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        gateway.plane
    );
    for (head, frame) in [(&declared, false), (&chunked, true)] {
        let signature = control.sign(
            "POST",
            "/apikeys",
            &[("Content-Type", "application/json")],
            b"",
            Signing::default(),
        );
        let fields: String = signature
            .iter()
            .map(|(n, v)| format!("{n}: {v}\r\n"))
            .collect();
        let mut connection = Connection::open(gateway.plane).unwrap();
        connection
            .write_raw(format!("{head}{fields}\r\n").as_bytes())
            .unwrap();
        let sent = pour(&mut connection, frame, GIGABYTE);
        assert!(sent < GIGABYTE / 10, "it took {sent} bytes of a gigabyte");
        // An answer that the flood did not wash away must be an error in AWS's form.
        if let Ok(reply) = connection.read_reply("POST") {
            assert!(matches!(reply.status, 400 | 403 | 413), "{}", reply.text());
            assert!(
                reply.header("x-amzn-errortype").is_some(),
                "{:?}",
                reply.headers
            );
        }
    }
    assert_eq!(control.get("/apikeys").ok(200), json!({ "item": [] }));
}

/// Writes rubbish until the other side has had enough; how much it took.
fn pour(connection: &mut Connection, chunked: bool, limit: u64) -> u64 {
    let block = vec![b' '; 1 << 16];
    let mut piece = format!("{:x}\r\n", block.len()).into_bytes();
    piece.extend_from_slice(&block);
    piece.extend_from_slice(b"\r\n");
    let piece = if chunked { piece } else { block };
    let mut sent = 0;
    while sent < limit && connection.write_raw(&piece).is_ok() {
        sent += piece.len() as u64;
    }
    sent
}

#[test]
fn a_big_body_within_the_limit_is_read() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let body = json!({ "name": "n", "description": "d".repeat(200_000) });
    control.post("/apikeys", &body).refused(
        400,
        "BadRequestException",
        "Invalid API Key description specified.",
    );
}

#[test]
fn slow_clients_do_not_hold_up_others() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(gateway.plane).unwrap();
            stream
                .write_all(b"POST /apikeys HTTP/1.1\r\nHost: x\r\nContent-Le")
                .unwrap();
            stream
        })
        .collect();
    for _ in 0..5 {
        control.get("/account").ok(200);
    }
    drop(slow);
}

#[test]
fn every_answer_has_a_request_id() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let ids: Vec<String> = (0..3)
        .map(|_| {
            control
                .get("/account")
                .header("x-amzn-requestid")
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}

#[test]
fn unknown_things_are_not_found() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let not_found: [(&str, &str, Value, &str); 9] = [
        (
            "GET",
            "/apikeys/nothere",
            Value::Null,
            "Invalid API Key identifier specified",
        ),
        (
            "DELETE",
            "/apikeys/nothere",
            Value::Null,
            "Invalid API Key identifier specified",
        ),
        (
            "GET",
            "/usageplans/nothere",
            Value::Null,
            "Invalid Usage Plan ID specified",
        ),
        (
            "PATCH",
            "/usageplans/nothere",
            json!({ "patchOperations": [] }),
            "Invalid Usage Plan ID specified",
        ),
        (
            "POST",
            "/usageplans/nothere/keys",
            json!({ "keyId": "x", "keyType": "API_KEY" }),
            "Invalid Usage Plan ID specified",
        ),
        (
            "GET",
            "/usageplans/nothere/usage?startDate=2024-01-01&endDate=2024-01-02",
            Value::Null,
            "Invalid Usage Plan ID specified",
        ),
        (
            "GET",
            "/restapis/nothere",
            Value::Null,
            "Invalid API identifier specified 000000000000:nothere",
        ),
        (
            "GET",
            "/restapis/nothere/resources/x",
            Value::Null,
            "Invalid Resource identifier specified",
        ),
        (
            "POST",
            "/usageplans",
            json!({ "name": "n", "apiStages": [{ "apiId": "a", "stage": "s" }] }),
            "API Stage not found: a:s",
        ),
    ];
    for (method, path, body, message) in not_found {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        control
            .send(method, path, body.as_bytes())
            .refused(404, "NotFoundException", message);
    }
    assert_eq!(
        control.get("/usageplans/nothere/keys").ok(200),
        json!({ "item": [] })
    );
}
