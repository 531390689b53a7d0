//! What is stored and not enforced lets no call through, and is told by the start's log and by `tollgate check`.

use serde_json::{Value, json};

use crate::api::{Api, Plan, text};
use crate::harness::{Gateway, on_directory};
use crate::http;

const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:F/invocations";

/// An API with a method for each thing that is not enforced, deployed to `prod`; their paths.
fn deployed(gateway: &Gateway) -> (Api, Vec<&'static str>) {
    let control = gateway.control();
    let api = Api::create(&control, "closed");
    let of = |rest: &str| format!("{}/{rest}", api.path());
    let source = "method.request.header.Authorization";
    let authorizer = |body: Value| text(&control.post(&of("authorizers"), &body).ok(201)["id"]);
    let token = authorizer(
        json!({"name": "t", "type": "TOKEN", "authorizerUri": URI, "identitySource": source}),
    );
    let request = authorizer(
        json!({"name": "r", "type": "REQUEST", "authorizerUri": URI, "identitySource": source}),
    );
    let pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a";
    let pools = authorizer(json!({
        "name": "c", "type": "COGNITO_USER_POOLS", "providerARNs": [pool], "identitySource": source,
    }));
    api.mock("/open", "GET", false, "open");
    let mut closed = Vec::new();
    for (path, kind, id) in [
        ("/token", "CUSTOM", Some(&token)),
        ("/request", "CUSTOM", Some(&request)),
        ("/pools", "COGNITO_USER_POOLS", Some(&pools)),
        ("/signed", "AWS_IAM", None),
    ] {
        api.mock(path, "GET", false, "open");
        let mut operations = vec![("replace", "/authorizationType", kind)];
        operations.extend(id.map(|id| ("replace", "/authorizerId", id.as_str())));
        control
            .patch(&api.method_path(path, "GET"), &operations)
            .ok(200);
        closed.push(path);
    }
    let role = "arn:aws:iam::000000000000:role/r";
    for (path, kind) in [("/aws", "AWS"), ("/lambda", "AWS_PROXY")] {
        let integration =
            json!({"type": kind, "httpMethod": "POST", "uri": URI, "credentials": role});
        api.method(path, "GET", false, &integration);
        closed.push(path);
    }
    api.deploy("prod");
    (api, closed)
}

#[test]
fn no_call_gets_through_what_is_not_enforced() {
    let gateway = Gateway::start();
    let (api, closed) = deployed(&gateway);
    let call = |path: &str| {
        let target = format!("/{}/prod{path}", api.id);
        let reply = http::get(gateway.data, &target, &[("Authorization", "Bearer x")]);
        let told = reply.header("x-amzn-errortype").map(str::to_owned);
        (reply.status, told, reply.text())
    };
    assert_eq!(call("/open").0, 200);
    for path in closed {
        let (status, told, body) = call(path);
        assert_eq!(status, 500, "{path}: {body}");
        assert_eq!(
            told.as_deref(),
            Some("InternalServerErrorException"),
            "{path}"
        );
        assert_eq!(body, "{\"message\":\"Internal server error\"}", "{path}");
    }
    for reason in [
        "authorizationType CUSTOM",
        "authorizationType COGNITO_USER_POOLS",
        "authorizationType AWS_IAM",
    ] {
        assert!(gateway.log().contains(reason), "{reason} is not in the log");
    }
}

#[test]
fn a_key_from_an_authorizer_is_not_taken_from_a_header() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "keyed");
    api.mock("/keyed", "GET", true, "open");
    control
        .patch(&api.path(), &[("replace", "/apiKeySource", "AUTHORIZER")])
        .ok(200);
    api.deploy("prod");
    let key = Plan::create(&control, &api, "prod", &json!({})).key("k");
    let target = format!("/{}/prod/keyed", api.id);
    let status = |header: (&str, &str)| http::get(gateway.data, &target, &[header]).status;
    assert_eq!(status(key.header()), 500);
    assert_eq!(status(("x-api-key", "any")), 403);
}

#[test]
fn check_and_the_start_tell_what_is_not_enforced() {
    let mut gateway = Gateway::start();
    let (api, closed) = deployed(&gateway);
    let canary = [
        ("replace", "/canarySettings/percentTraffic", "10"),
        ("replace", "/cacheClusterEnabled", "true"),
    ];
    let stage = format!("{}/stages/prod", api.path());
    gateway.control().patch(&stage, &canary).ok(200);
    let told = |words: &str| {
        for path in &closed {
            assert!(
                words.contains(&format!("{}/prod GET {path}", api.id)),
                "{path}: {words}"
            );
        }
        for setting in [
            "canarySettings does nothing",
            "cacheClusterEnabled does nothing",
        ] {
            assert!(words.contains(setting), "{setting}: {words}");
        }
        assert!(!words.contains("/open"), "{words}");
    };
    let (fine, words) = on_directory(&gateway.data_dir(), &["check"]);
    assert!(fine, "{words}");
    told(&words);
    assert!(gateway.stop().success());
    gateway.start_again();
    told(&gateway.log());
}
