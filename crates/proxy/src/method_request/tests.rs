//! Requests that a validator looks at, over real sockets.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tollgate_entity::{
    DeploymentContent, GatewayResponse, Method, Model, QuotaPeriod, QuotaSettings,
    RequestValidator, Stage, UsagePlan,
};

use crate::integration::testing::{has, is_refused, map, proxy};
use crate::net::testing::Upstream;
use crate::testing::{KEY, Served, content, keyed, method, mock};

fn validated(own: Method) -> Method {
    let required = [
        ("method.request.header.X-Tenant", true),
        ("method.request.header.X-Other", false),
        ("method.request.querystring.qs1", true),
        ("method.request.querystring.qs2", true),
        ("method.request.path.issuer", true),
        ("method.request.path.petId", true),
    ];
    Method {
        request_validator_id: Some("both".into()),
        request_parameters: Some(required.map(|(name, is)| (name.to_owned(), is)).into()),
        request_models: Some(map(&[("application/json", "Pet")])),
        ..own
    }
}

fn bodies(own: Method, models: &[(&str, &str)]) -> Method {
    Method {
        request_validator_id: Some("body".into()),
        request_models: Some(map(models)),
        ..own
    }
}

fn with_validators(content: DeploymentContent) -> DeploymentContent {
    let validator = |id: &str, body: bool, parameters: bool| RequestValidator {
        id: id.into(),
        validate_request_body: body,
        validate_request_parameters: parameters,
        ..RequestValidator::default()
    };
    let model = |name: &str, schema: Value| Model {
        name: name.into(),
        schema: Some(schema.to_string()),
        ..Model::default()
    };
    DeploymentContent {
        request_validators: vec![
            validator("both", true, true),
            validator("body", true, false),
            validator("none", false, false),
        ],
        models: vec![
            model(
                "Pet",
                json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } }),
            ),
            model("Broken", json!({ "$ref": "http://elsewhere.test/" })),
        ],
        ..content
    }
}

#[test]
fn all_missing_parameters_are_named_in_awss_order() {
    let served = Served::new(with_validators(content(vec![(
        "/pets/{petId}",
        "POST",
        validated(mock("ok")),
    )])));
    let missing = |path: &str, headers: &str, names: &str| {
        let answer = served.call("POST", path, headers, b"{\"name\":\"n\"}");
        let message = format!("Missing required request parameters: [{names}]");
        is_refused_400(&answer, &message);
    };
    missing("/pets/7", "", "X-Tenant, issuer, qs1, qs2");
    missing(
        "/pets/7?qs1=&qs2=1",
        "x-tenant: \r\n",
        "X-Tenant, issuer, qs1",
    );
    missing("/pets/7?qs2=1&qs1=&qs1=x", "x-tenant: t\r\n", "issuer");
}

#[track_caller]
fn is_refused_400(answer: &str, message: &str) {
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    has(answer, "x-amzn-errortype: BadRequestException");
    has(answer, "content-type: application/json");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body, json!({ "message": message }).to_string());
}

#[test]
fn a_body_must_fit_the_model_of_its_type() {
    let served = Served::new(with_validators(content(vec![
        (
            "/pets",
            "POST",
            bodies(mock("ok"), &[("application/json", "Pet")]),
        ),
        ("/any", "POST", bodies(mock("ok"), &[("$default", "Pet")])),
        (
            "/broken",
            "POST",
            bodies(mock("ok"), &[("application/json", "Broken")]),
        ),
        (
            "/absent",
            "POST",
            bodies(mock("ok"), &[("application/json", "Absent")]),
        ),
        (
            "/free",
            "POST",
            Method {
                request_validator_id: Some("none".into()),
                ..mock("ok")
            },
        ),
        (
            "/lost",
            "POST",
            Method {
                request_validator_id: Some("gone".into()),
                ..mock("ok")
            },
        ),
    ])));
    let call =
        |path: &str, kind: &str, body: &str| served.call("POST", path, kind, body.as_bytes());
    let json_type = "content-type: application/json; charset=utf-8\r\n";
    for kind in ["", json_type] {
        is_refused_400(&call("/pets", kind, "{}"), "Invalid request body");
        is_refused_400(&call("/pets", kind, "{"), "Invalid request body");
        is_refused_400(&call("/pets", kind, ""), "Invalid request body");
        assert!(call("/pets", kind, "{\"name\":\"n\"}").starts_with("HTTP/1.1 200 "));
    }
    let text = "content-type: text/plain\r\n";
    assert!(
        call("/pets", text, "{").starts_with("HTTP/1.1 200 "),
        "AWS lets types without a model through"
    );
    is_refused_400(&call("/any", text, "{"), "Invalid request body");
    assert!(call("/free", "", "{").starts_with("HTTP/1.1 200 "));
    for path in ["/broken", "/absent", "/lost"] {
        let answer = call(path, "", "{\"name\":\"n\"}");
        assert!(answer.starts_with("HTTP/1.1 500 "), "{path}: {answer}");
        assert!(
            answer.ends_with("{\"message\":\"Internal server error\"}"),
            "{answer}"
        );
    }
}

#[test]
fn a_gateway_response_can_tell_what_is_wrong() {
    let template = "{\"message\":$context.error.messageString,\"why\":\"$context.error.validationErrorString\"}";
    let response = |kind: &str| GatewayResponse {
        response_type: kind.into(),
        status_code: Some("422".into()),
        response_templates: map(&[("application/json", template)]),
        ..GatewayResponse::default()
    };
    let own = content(vec![
        ("/pets/{petId}", "POST", validated(mock("ok"))),
        (
            "/pets",
            "POST",
            bodies(mock("ok"), &[("application/json", "Pet")]),
        ),
    ]);
    let served = Served::new(DeploymentContent {
        gateway_responses: vec![
            response("BAD_REQUEST_BODY"),
            response("BAD_REQUEST_PARAMETERS"),
        ],
        ..with_validators(own)
    });
    let told = |path: &str| -> Value {
        let answer = served.call("POST", path, "", b"{\"name\":7}");
        assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let body = told("/pets");
    assert_eq!(body["message"], "Invalid request body");
    assert_eq!(
        body["why"],
        "[instance type (integer) does not match any allowed primitive type (allowed: [\"string\"])]"
    );
    let parameters = told("/pets/7?qs1=1&qs2=2");
    assert_eq!(
        parameters["message"],
        "Missing required request parameters: [X-Tenant, issuer]"
    );
    assert_eq!(parameters["why"], parameters["message"]);
}

#[test]
fn a_call_counts_before_its_request_is_looked_at() {
    let own = content(vec![(
        "/pets",
        "POST",
        keyed(bodies(mock("ok"), &[("application/json", "Pet")])),
    )]);
    let quota = QuotaSettings {
        limit: Some(2),
        period: Some(QuotaPeriod::Month),
        ..QuotaSettings::default()
    };
    let plan = UsagePlan {
        quota: Some(quota),
        ..UsagePlan::default()
    };
    let served = Served::staged(with_validators(own), Stage::default(), plan, |_| {});
    let key = format!("x-api-key: {KEY}\r\n");
    is_refused(
        &served.call("POST", "/pets", "", b"{}"),
        403,
        "Forbidden",
        "key-missing",
    );
    for _ in 0..2 {
        is_refused_400(
            &served.call("POST", "/pets", &key, b"{}"),
            "Invalid request body",
        );
    }
    is_refused(
        &served.call("POST", "/pets", &key, b"{}"),
        429,
        "Limit Exceeded",
        "quota-exceeded",
    );
}

#[test]
fn what_fits_goes_on_as_it_came() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let own = content(vec![(
        "/{proxy+}",
        "ANY",
        bodies(
            method(proxy(upstream.address)),
            &[("application/json", "Pet")],
        ),
    )]);
    let served = Served::new(with_validators(own));
    let body = "{ \"name\" : \"e\" }";
    let answer = served.call("POST", "/a/b", "", body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let seen = upstream.told();
    has(&seen, &format!("content-length: {}", body.len()));
    assert!(seen.ends_with(body), "{seen}");

    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    served.call(
        "POST",
        "/a/b",
        "transfer-encoding: chunked\r\n",
        chunked.as_bytes(),
    );
    let seen = upstream.told();
    has(&seen, &format!("content-length: {}", body.len()));
    assert!(seen.ends_with(body), "{seen}");

    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    served.call(
        "POST",
        "/a/b",
        "content-encoding: gzip\r\n",
        &encoder.finish().unwrap(),
    );
    let seen = upstream.told();
    assert!(
        seen.ends_with(body) && !seen.contains("content-encoding"),
        "{seen}"
    );

    is_refused_400(
        &served.call("POST", "/a/b", "", b"{}"),
        "Invalid request body",
    );
    for coding in ["br", "gzip, gzip", "gzip"] {
        let answer = served.call(
            "POST",
            "/a/b",
            &format!("content-encoding: {coding}\r\n"),
            body.as_bytes(),
        );
        assert!(answer.starts_with("HTTP/1.1 415 "), "{coding}: {answer}");
    }
    assert!(upstream.is_silent(), "what does not fit went on");
}

#[test]
fn bodies_in_memory_are_bounded_together() {
    let own = content(vec![(
        "/pets",
        "POST",
        bodies(mock("ok"), &[("application/json", "Pet")]),
    )]);
    let served = Served::staged(
        with_validators(own),
        Stage::default(),
        UsagePlan::default(),
        |settings| {
            settings.buffered_bytes_max = 100;
        },
    );
    let long = format!("{{\"name\":\"{}\"}}", "n".repeat(100));
    let answer = served.call("POST", "/pets", "", long.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    has(&answer, "retry-after: 1");
    assert!(
        served
            .call("POST", "/pets", "", b"{\"name\":\"n\"}")
            .starts_with("HTTP/1.1 200 "),
        "the room came back"
    );
}
