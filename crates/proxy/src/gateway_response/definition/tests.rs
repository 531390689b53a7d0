//! Refusals as an API words them, over real sockets.

use std::collections::BTreeMap;

use tollgate_entity::{DeploymentContent, GatewayResponse, Stage, ThrottleSettings, UsagePlan};

use crate::integration::testing::{has, has_not, is_refused};
use crate::testing::{KEY, Served, content, keyed, mock};

fn defined(
    kind: &str,
    status: Option<&str>,
    parameters: &[(&str, &str)],
    templates: &[(&str, &str)],
) -> GatewayResponse {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    };
    GatewayResponse {
        response_type: kind.to_owned(),
        status_code: status.map(str::to_owned),
        response_parameters: map(parameters),
        response_templates: map(templates),
        ..GatewayResponse::default()
    }
}

fn serving(responses: Vec<GatewayResponse>) -> Served {
    let methods = vec![
        ("/pets", "GET", keyed(mock("pets"))),
        ("/pets/{petId}", "GET", keyed(mock("pet"))),
        (
            "/gone",
            "GET",
            crate::testing::method(crate::integration::testing::http_proxy(
                "http://127.0.0.1:1/".into(),
                &[],
            )),
        ),
    ];
    let content = DeploymentContent {
        gateway_responses: responses,
        ..content(methods)
    };
    let stage = Stage {
        variables: Some([("colour".to_owned(), "blue".to_owned())].into()),
        ..Stage::default()
    };
    let plan = UsagePlan {
        throttle: Some(ThrottleSettings {
            rate_limit: Some(0.001),
            burst_limit: Some(1),
        }),
        ..UsagePlan::default()
    };
    Served::staged(content, stage, plan, |_| {})
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn a_type_is_worded_by_its_definition() {
    let served = serving(vec![defined(
        "INVALID_API_KEY",
        Some("456"),
        &[
            ("gatewayresponse.header.Access-Control-Allow-Origin", "'*'"),
            (
                "gatewayresponse.header.X-Origin",
                "method.request.header.Origin",
            ),
            (
                "gatewayresponse.header.X-Page",
                "method.request.querystring.page",
            ),
            ("gatewayresponse.header.X-Pet", "method.request.path.petId"),
            ("gatewayresponse.header.X-Stage", "context.stage"),
            ("gatewayresponse.header.X-Colour", "stageVariables.colour"),
            (
                "gatewayresponse.header.X-Type",
                "context.error.responseType",
            ),
            (
                "gatewayresponse.header.X-None",
                "method.request.header.X-None",
            ),
            ("gatewayresponse.header.Content-Length", "'7'"),
            ("gatewayresponse.header.bad name", "'7'"),
            ("elsewhere.header.X-Bad", "'7'"),
        ],
        &[(
            "application/json",
            "{\"m\":$context.error.messageString,\"t\":\"${context.error.responseType}\",\"c\":\"$stageVariables.colour\",\"p\":\"$context.resourcePath\",\"o\":\"$method.request.header.Origin\",\"n\":\"$context.nothing$context.error.validationErrorString\",\"$5\":1}",
        )],
    )]);
    let answer = served.get("/pets/7?page=3", "origin: http://a.test\r\n");
    assert!(answer.starts_with("HTTP/1.1 456 "), "{answer}");
    for line in [
        "content-type: application/json",
        "x-amzn-errortype: ForbiddenException",
        "access-control-allow-origin: *",
        "x-origin: http://a.test",
        "x-page: 3",
        "x-pet: 7",
        "x-stage: prod",
        "x-colour: blue",
        "x-type: INVALID_API_KEY",
    ] {
        has(&answer, line);
    }
    has_not(&answer, "x-none");
    has_not(&answer, "content-length: 7");
    assert_eq!(
        body(&answer),
        "{\"m\":\"Forbidden\",\"t\":\"INVALID_API_KEY\",\"c\":\"blue\",\"p\":\"/pets/{petId}\",\"o\":\"http://a.test\",\"n\":\"\",\"$5\":1}"
    );
    assert!(answer.contains("x-amzn-requestid: "), "{answer}");
}

#[test]
fn the_defaults_stand_in_and_a_types_own_definition_is_whole() {
    let served = serving(vec![
        defined(
            "DEFAULT_4XX",
            Some("418"),
            &[("gatewayresponse.header.X-From", "'default'")],
            &[("text/plain", "teapot: $context.error.message")],
        ),
        defined("INVALID_API_KEY", None, &[], &[]),
        defined(
            "DEFAULT_5XX",
            None,
            &[("gatewayresponse.header.X-From", "'five'")],
            &[],
        ),
    ]);
    let unknown = served.get("/nowhere", "");
    assert!(unknown.starts_with("HTTP/1.1 418 "), "{unknown}");
    has(&unknown, "x-from: default");
    has(&unknown, "content-type: text/plain");
    has(
        &unknown,
        "x-amzn-errortype: MissingAuthenticationTokenException",
    );
    assert_eq!(body(&unknown), "teapot: Missing Authentication Token");

    let keyless = served.get("/pets", "");
    assert!(
        keyless.starts_with("HTTP/1.1 418 "),
        "the status is inherited: {keyless}"
    );
    has_not(&keyless, "x-from");
    assert_eq!(body(&keyless), "{\"message\":\"Forbidden\"}");

    let failed = served.get("/gone", "");
    assert!(
        failed.starts_with("HTTP/1.1 504 "),
        "without a status each keeps its own: {failed}"
    );
    has(&failed, "x-from: five");
}

#[test]
fn limits_still_say_when_to_come_again() {
    let served = serving(vec![defined(
        "THROTTLED",
        Some("503"),
        &[],
        &[("application/json", "slow down")],
    )]);
    let key = format!("x-api-key: {KEY}\r\n");
    assert!(served.get("/pets", &key).starts_with("HTTP/1.1 200 "));
    let throttled = served.get("/pets", &key);
    assert!(throttled.starts_with("HTTP/1.1 503 "), "{throttled}");
    has(&throttled, "retry-after: 1000");
    assert!(throttled.contains("\r\nratelimit: "), "{throttled}");
    has(&throttled, "x-amzn-errortype: TooManyRequestsException");
    assert_eq!(body(&throttled), "slow down");
}

#[test]
fn the_template_is_the_one_the_caller_accepts() {
    let templates = [
        ("application/json", "j"),
        ("application/xml", "x"),
        ("text/html", "h"),
    ];
    let served = serving(vec![defined(
        "MISSING_AUTHENTICATION_TOKEN",
        Some("404"),
        &[],
        &templates,
    )]);
    for (accept, kind, text) in [
        ("", "application/json", "j"),
        (
            "accept: text/html;q=0.9, application/xml\r\n",
            "text/html",
            "h",
        ),
        (
            "accept: image/png, Application/XML\r\n",
            "application/xml",
            "x",
        ),
        ("accept: */*\r\n", "application/json", "j"),
    ] {
        let answer = served.get("/nowhere", accept);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        has(&answer, &format!("content-type: {kind}"));
        assert_eq!(body(&answer), text);
    }
}

#[test]
fn without_a_stage_and_above_the_size_the_answers_are_awss() {
    let served = serving(vec![
        defined("DEFAULT_4XX", Some("418"), &[], &[]),
        defined("REQUEST_TOO_LARGE", Some("419"), &[], &[]),
    ]);
    let elsewhere =
        served.send(b"GET /api1/beta/x HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\n\r\n");
    let elsewhere = String::from_utf8(elsewhere).unwrap();
    is_refused(&elsewhere, 403, "Forbidden", "no-stage");
    let large = served.call("POST", "/pets", "content-length: 99999999\r\n", b"");
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
    assert_eq!(body(&large), "HTTP content length exceeded 10485760 bytes.");
}

#[test]
fn a_status_without_a_body_has_none() {
    let served = serving(vec![
        defined("DEFAULT_4XX", Some("204"), &[], &[]),
        defined("DEFAULT_5XX", Some("100"), &[], &[]),
    ]);
    let empty = served.get("/nowhere", "");
    assert!(
        empty.starts_with("HTTP/1.1 204 ") && body(&empty).is_empty(),
        "{empty}"
    );
    let failed = served.get("/gone", "");
    assert!(
        failed.starts_with("HTTP/1.1 504 "),
        "100 is no answer: {failed}"
    );
}
