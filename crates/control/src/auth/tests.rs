//! Tests of the layers around the operations: who may call, what cannot be called, how large a call may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tollgate_entity::Timestamp;
use tollgate_store::{AccessKey, Audit, StoreOptions};

use super::{BODIES_BYTES_MAX, BODIES_WAIT_S_MAX, BODY_BYTES_MAX, sigv4};
use crate::ControlSettings;
use crate::testing::{Answer, Gateway, START};

/// A gateway that asks for signatures, and an access key for it.
fn guarded() -> (Gateway, AccessKey) {
    let gateway = Gateway::with(ControlSettings::default(), StoreOptions::default());
    let key = gateway
        .control
        .store
        .commit_blocking(Audit::default(), |transaction| {
            transaction.create_access_key("test")
        })
        .unwrap();
    (gateway, key)
}

fn request(method: &str, target: &str, body: &str) -> Request<String> {
    Request::builder()
        .method(method)
        .uri(target)
        .header("host", "gateway.example")
        .body(body.to_owned())
        .unwrap()
}

async fn send(gateway: &Gateway, mut request: Request<String>, id: &str, secret: &str) -> Answer {
    sigv4::sign(&mut request, id, secret, "eu-west-3", Timestamp(START)).unwrap();
    gateway.send(request.map(Body::from)).await
}

#[tokio::test]
async fn a_signed_call_is_answered_and_audited_under_its_key() {
    let (gateway, key) = guarded();
    let answer = send(
        &gateway,
        request("POST", "/apikeys", r#"{"name":"n"}"#),
        &key.id,
        key.secret.expose(),
    )
    .await;
    let (id, extended) = (
        answer.headers["x-amzn-requestid"].clone(),
        answer.headers["x-amz-apigw-id"].clone(),
    );
    assert!(id.len() == 36 && extended.to_str().unwrap().ends_with('='));
    answer.ok(201);
    let row = gateway.audit_log().remove(0);
    assert_eq!(
        (row.audit.who, row.audit.request_id),
        (key.id, id.to_str().unwrap().to_owned())
    );
}

#[tokio::test]
async fn bad_credentials_are_answered_as_aws_does() {
    let (gateway, key) = guarded();
    let unsigned = gateway
        .send(request("GET", "/apikeys", "").map(Body::from))
        .await;
    assert_eq!(unsigned.headers["content-type"], "application/json");
    assert!(unsigned.headers.contains_key("x-amzn-requestid"));
    unsigned.refused(
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
    let unknown = send(
        &gateway,
        request("GET", "/apikeys", ""),
        "AKIANOSUCHKEY",
        key.secret.expose(),
    )
    .await;
    unknown.refused(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    );
    let wrong = send(&gateway, request("GET", "/apikeys", ""), &key.id, "wrong").await;
    wrong.refused(
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
         and signing method. Consult the service documentation for details.",
    );
    let mut bearer = request("GET", "/apikeys", "");
    bearer
        .headers_mut()
        .insert("authorization", "Bearer x".parse().unwrap());
    assert!(
        gateway
            .send(bearer.map(Body::from))
            .await
            .refusal()
            .starts_with("403 IncompleteSignatureException: 'Bearer' not a valid")
    );
    gateway.sleep(301);
    let old = send(
        &gateway,
        request("GET", "/apikeys", ""),
        &key.id,
        key.secret.expose(),
    )
    .await;
    assert!(old.refusal().starts_with(
        "403 InvalidSignatureException: Signature expired: 20231114T221320Z is now earlier than"
    ));
}

#[tokio::test]
async fn a_stranger_learns_nothing_about_what_exists() {
    let (gateway, _) = guarded();
    for (method, target) in [
        ("GET", "/apikeys/x"),
        ("GET", "/nosuch"),
        ("POST", "/vpclinks"),
        ("PATCH", "/apikeys"),
    ] {
        let answer = gateway
            .send(request(method, target, "").map(Body::from))
            .await;
        answer.refused(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        );
    }
}

#[tokio::test]
async fn a_name_in_an_arn_keeps_its_signature() {
    let (gateway, key) = guarded();
    let target = "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapikeys%2Fx?tagKeys=b&tagKeys=a";
    let answer = send(
        &gateway,
        request("DELETE", target, ""),
        &key.id,
        key.secret.expose(),
    )
    .await;
    answer.missing("Invalid API Key identifier specified");
}

#[tokio::test]
async fn without_authentication_only_loopback_is_answered() {
    let gateway = Gateway::new();
    let with = async |name: &'static str, value: &'static str| {
        let request = Request::builder()
            .uri("/account")
            .header("host", "localhost")
            .header(name, value);
        gateway.send(request.body(Body::empty()).unwrap()).await
    };
    with("origin", "http://127.0.0.1:8081").await.ok(200);
    assert!(
        with("origin", "https://evil.example")
            .await
            .refusal()
            .starts_with("403 AccessDeniedException")
    );
    let foreign = Request::builder()
        .uri("/account")
        .header("host", "evil.example")
        .body(Body::empty())
        .unwrap();
    assert!(
        gateway
            .send(foreign)
            .await
            .refusal()
            .starts_with("403 AccessDeniedException")
    );
}

#[tokio::test]
async fn absent_operations_say_their_name_and_why_if_they_stay_absent() {
    let gateway = Gateway::new();
    for operation in crate::OPERATIONS {
        if operation.handler.is_some() {
            continue;
        }
        let segment = |text: &str| {
            if text.starts_with('{') {
                "a".to_owned()
            } else {
                text.to_owned()
            }
        };
        let path: Vec<String> = operation.path.split('/').map(segment).collect();
        let mode = if operation.importing {
            "?mode=import"
        } else {
            ""
        };
        let target = path.join("/") + mode;
        let answer = gateway.call(operation.method.as_str(), &target, "").await;
        let (name, reason) = (operation.name, operation.reason);
        let text = match reason {
            "" => format!("The operation {name} is not implemented."),
            _ => format!("The operation {name} is not implemented: {reason}."),
        };
        answer.refused(501, "NotImplementedException", &text);
    }
}

#[tokio::test]
async fn unknown_calls_are_unknown_operations() {
    let gateway = Gateway::new();
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/nosuch"),
        ("PUT", "/apikeys"),
        ("HEAD", "/account"),
        ("GET", "/apikeys/a/b"),
        ("GET", "/v2/apis"),
    ] {
        let answer = gateway.call(method, target, "").await;
        assert_eq!(
            answer.refusal().split(':').next(),
            Some("404 UnknownOperationException"),
            "{method} {target}"
        );
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    let gateway = Gateway::new();
    let announced = Request::builder()
        .method("POST")
        .uri("/apikeys")
        .header("host", "localhost")
        .header("content-length", "1073741824");
    let answer = gateway.send(announced.body(Body::empty()).unwrap()).await;
    assert!(
        answer
            .refusal()
            .starts_with("413 RequestEntityTooLargeException")
    );
    let answer = gateway
        .call("POST", "/apikeys", vec![b' '; BODY_BYTES_MAX + 1])
        .await;
    assert!(
        answer
            .refusal()
            .starts_with("413 RequestEntityTooLargeException")
    );
    let padded = format!("{{{}}}", " ".repeat(BODY_BYTES_MAX - 2));
    gateway.call("POST", "/apikeys", padded).await.ok(201);
}

/// A signed call, and whether anybody has read its body.
fn watched(id: &str, secret: &str) -> (Request<Body>, Arc<AtomicBool>) {
    let mut request = request("POST", "/apikeys", "{}");
    sigv4::sign(&mut request, id, secret, "eu-west-3", Timestamp(START)).unwrap();
    let read = Arc::new(AtomicBool::new(false));
    let noted = read.clone();
    let request = request.map(|body| {
        Body::new(Full::new(Bytes::from(body)).map_frame(move |frame| {
            noted.store(true, Ordering::Relaxed);
            frame
        }))
    });
    (request, read)
}

#[tokio::test]
async fn the_body_of_a_stranger_is_not_read() {
    let (gateway, key) = guarded();
    let (unknown, read) = watched("AKIANOSUCHKEY", key.secret.expose());
    let answer = gateway.send(unknown).await;
    answer.refused(
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    );
    assert!(!read.load(Ordering::Relaxed));
    let (known, read) = watched(&key.id, key.secret.expose());
    gateway.send(known).await.ok(201);
    assert!(read.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn bodies_share_a_room_and_wait_for_it_no_longer_than_said() {
    let gateway = Gateway::new();
    let bodies = gateway.control.bodies.clone();
    let rest = bodies.available_permits();
    assert_eq!(rest, BODIES_BYTES_MAX);
    let others = bodies
        .clone()
        .acquire_many_owned(u32::try_from(rest).unwrap() - 1);
    let others = others.await.unwrap();
    let started = tokio::time::Instant::now();
    let waited = gateway.call("POST", "/apikeys", "{}").await;
    assert!(waited.headers.contains_key("retry-after"));
    waited.refused(
        503,
        "ServiceUnavailableException",
        "Too many large calls are being read; nothing was changed.",
    );
    assert!(started.elapsed().as_secs() >= BODIES_WAIT_S_MAX);
    // What has no body needs no room, and room comes back.
    gateway.get("/apikeys").await.ok(200);
    drop(others);
    gateway.call("POST", "/apikeys", "{}").await.ok(201);
    assert_eq!(bodies.available_permits(), BODIES_BYTES_MAX);
}

#[tokio::test]
async fn every_operation_is_reached_by_its_path() {
    let gateway = Gateway::new();
    for operation in crate::OPERATIONS {
        let mut path = operation.path.to_owned();
        while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
            path.replace_range(start..=end, "x");
        }
        let query = if operation.importing {
            "?mode=import"
        } else {
            ""
        };
        let answer = gateway
            .call(operation.method.as_str(), &format!("{path}{query}"), "")
            .await;
        assert_ne!(
            answer.refusal().split(':').next(),
            Some("404 UnknownOperationException"),
            "{}",
            operation.name
        );
        let implemented = operation.handler.is_some();
        assert_eq!(
            answer.status != 501,
            implemented,
            "{} {}",
            operation.name,
            answer.body
        );
        if answer.status < 300 {
            assert_eq!(answer.status, operation.status, "{}", operation.name);
        }
    }
}
