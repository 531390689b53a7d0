//! MOCK over real sockets.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use tollgate_entity as entity;
use tollgate_entity::IntegrationType;

use super::testing::{Gateway, Setup, has, has_not, is_refused, map, request};
use crate::metrics::Outcome;
use crate::net::serving::ServingLimits;
use crate::net::testing::read_until;

fn mock(
    templates: &[(&str, &str)],
    responses: &[(&str, entity::IntegrationResponse)],
) -> entity::Integration {
    entity::Integration {
        integration_type: IntegrationType::Mock,
        request_templates: Some(
            templates
                .iter()
                .map(|(kind, text)| (kind.to_string(), Some(text.to_string())))
                .collect(),
        ),
        integration_responses: Some(
            responses
                .iter()
                .map(|(status, response)| (status.to_string(), response.clone()))
                .collect(),
        ),
        ..Default::default()
    }
}

fn templates(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, Option<String>>> {
    Some(
        pairs
            .iter()
            .map(|(kind, text)| (kind.to_string(), Some(text.to_string())))
            .collect(),
    )
}

fn mocked(integration: entity::Integration) -> Gateway {
    Gateway::new(Setup {
        path: "/x",
        integration,
        ..Setup::default()
    })
}

#[test]
fn a_mock_answers_by_the_status_its_template_gives() {
    let fixed = entity::IntegrationResponse {
        response_parameters: Some(map(&[
            ("method.response.header.X-Static", "'a b'"),
            ("method.response.header.X-Stage", "context.stage"),
            (
                "method.response.header.X-None",
                "integration.response.header.x",
            ),
        ])),
        response_templates: templates(&[("application/json", r#"{"a":1}"#), ("text/xml", "<a/>")]),
        ..Default::default()
    };
    let teapot = entity::IntegrationResponse {
        selection_pattern: Some("41\\d".into()),
        ..Default::default()
    };
    let integration = mock(
        &[
            ("application/json", "{statusCode: 200}"),
            ("text/plain", r#"{"statusCode": 418}"#),
            ("text/vtl", "#macro(m)#end{\"statusCode\": 200}"),
        ],
        &[("201", fixed), ("419", teapot)],
    );
    let gateway = mocked(integration);
    let answer = gateway.get("/x");
    assert!(
        answer.starts_with("HTTP/1.1 201 Created\r\n") && answer.ends_with("\r\n\r\n{\"a\":1}"),
        "{answer}"
    );
    for line in [
        "content-type: application/json",
        "x-static: a b",
        "x-stage: prod",
        "content-length: 7",
        "x-amzn-requestid: 07070707-0707-4707-8707-070707070707",
    ] {
        has(&answer, line);
    }
    has_not(&answer, "x-none");
    has_not(&answer, "x-amzn-trace-id");
    let answer = gateway.call("GET /x", "accept: text/html, text/xml;q=0.9\r\n", "");
    assert!(answer.ends_with("\r\n\r\n<a/>"), "{answer}");
    has(&answer, "content-type: text/xml");
    let answer = gateway.call(
        "POST /x",
        "content-type: text/plain; charset=utf-8\r\n",
        "ignored",
    );
    assert!(
        answer.starts_with("HTTP/1.1 419 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    has(&answer, "content-type: application/json");
    let answer = gateway.call("POST /x", "content-type: text/vtl\r\n", "x");
    is_refused(&answer, 500, "Internal server error", "misconfigured");
}

#[test]
fn a_mock_without_a_template_for_the_body_passes_it_or_refuses_it() {
    let response = [("200", entity::IntegrationResponse::default())];
    let with = |behavior, templates: &[(&str, &str)]| {
        mocked(entity::Integration {
            passthrough_behavior: behavior,
            ..mock(templates, &response)
        })
    };
    use entity::integration::PassthroughBehavior::{Never, WhenNoMatch, WhenNoTemplates};
    let template = [("application/json", r#"{"statusCode": 200}"#)];
    let call =
        |gateway: &Gateway, body| gateway.call("POST /x", "content-type: text/plain\r\n", body);
    let good = r#"{"statusCode": 200}"#;
    for (behavior, templates, status) in [
        (WhenNoMatch, &template[..], 200),
        (WhenNoMatch, &[], 200),
        (WhenNoTemplates, &template, 415),
        (WhenNoTemplates, &[], 200),
        (Never, &template, 415),
        (Never, &[], 415),
    ] {
        let gateway = with(behavior, templates);
        let answer = call(&gateway, good);
        match status {
            200 => assert!(
                answer.starts_with("HTTP/1.1 200 OK\r\n"),
                "{behavior:?}: {answer}"
            ),
            _ => is_refused(
                &answer,
                415,
                "Unsupported Media Type",
                "unsupported-media-type",
            ),
        }
    }
    let gateway = with(WhenNoMatch, &[]);
    is_refused(
        &call(&gateway, "no status"),
        500,
        "Internal server error",
        "misconfigured",
    );
    is_refused(
        &gateway.get("/x"),
        500,
        "Internal server error",
        "misconfigured",
    );
}

#[test]
fn a_mock_that_selects_nothing_or_has_a_template_that_is_none_is_500() {
    let only = entity::IntegrationResponse {
        selection_pattern: Some("5\\d\\d".into()),
        ..Default::default()
    };
    let expression = entity::IntegrationResponse {
        response_templates: templates(&[("application/json", "#if(true)")]),
        ..Default::default()
    };
    let template = [("application/json", r#"{"statusCode": 200}"#)];
    for integration in [
        mock(&template, &[("500", only)]),
        mock(&template, &[]),
        mock(&template, &[("200", expression)]),
        mock(
            &[("application/json", "{}")],
            &[("200", entity::IntegrationResponse::default())],
        ),
    ] {
        is_refused(
            &mocked(integration).get("/x"),
            500,
            "Internal server error",
            "misconfigured",
        );
    }
}

/// As AWS's console sets it up.
#[test]
fn a_preflight_is_answered_with_the_headers_that_are_mapped() {
    let allowed = entity::IntegrationResponse {
        response_parameters: Some(map(&[
            (
                "method.response.header.Access-Control-Allow-Headers",
                "'Content-Type,X-Api-Key'",
            ),
            (
                "method.response.header.Access-Control-Allow-Methods",
                "'OPTIONS,GET'",
            ),
            ("method.response.header.Access-Control-Allow-Origin", "'*'"),
        ])),
        response_templates: templates(&[("application/json", "")]),
        ..Default::default()
    };
    let template = [("application/json", "{\"statusCode\": 200}")];
    let gateway = mocked(mock(&template, &[("200", allowed)]));
    let headers = "origin: https://a.test\r\naccess-control-request-method: GET\r\n";
    let answer = gateway.call("OPTIONS /x", headers, "");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    for line in [
        "access-control-allow-headers: Content-Type,X-Api-Key",
        "access-control-allow-methods: OPTIONS,GET",
        "access-control-allow-origin: *",
        "content-type: application/json",
    ] {
        has(&answer, line);
    }
}

/// Recorded from AWS: what a mock's request template says reaches its response template.
#[test]
fn templates_of_a_mock_pass_values_on_and_override_the_answer() {
    let request = "#set($context.responseOverride.status = 444)\n#set($context.responseOverride.header.foo = \"bar\")\n\
        #set($context.responseOverride.custom = \"is also passed around\")\n{ \"statusCode\": 200 }";
    let shows = "#set($status = $context.responseOverride.status)\n{\"status\": \"$status\", \
        \"foo\": \"$context.responseOverride.header.foo\", \"custom\": \"$context.responseOverride.custom\"}";
    let with = |response: &[(&str, &str)]| {
        let response = entity::IntegrationResponse {
            selection_pattern: Some("2\\d{2}".into()),
            response_templates: templates(response),
            ..Default::default()
        };
        mocked(mock(&[("application/json", request)], &[("200", response)])).get("/x")
    };
    let answer = with(&[("application/json", shows)]);
    assert!(answer.starts_with("HTTP/1.1 444 "), "{answer}");
    has(&answer, "foo: bar");
    let body =
        "\r\n\r\n{\"status\": \"444\", \"foo\": \"bar\", \"custom\": \"is also passed around\"}";
    assert!(answer.ends_with(body), "{answer}");
    let answer = with(&[]);
    assert!(
        answer.starts_with("HTTP/1.1 444 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn what_the_method_does_not_declare_is_a_configuration_error() {
    let response = entity::IntegrationResponse::default();
    let gateway = Gateway::new(Setup {
        path: "/x",
        integration: mock(
            &[("application/json", "{statusCode: 200}")],
            &[("200", response)],
        ),
        declares_nothing: true,
        ..Setup::default()
    });
    is_refused(
        &gateway.get("/x"),
        500,
        "Internal server error",
        "misconfigured",
    );
}

#[test]
fn an_answer_without_a_body_by_its_status_is_whole_whatever_its_template_says() {
    for (status, code) in [("204", 204), ("304", 304)] {
        let response = entity::IntegrationResponse {
            response_templates: templates(&[("application/json", r#"{"a":1}"#)]),
            ..Default::default()
        };
        let template = [("application/json", r#"{"statusCode": 200}"#)];
        let gateway = mocked(mock(&template, &[(status, response)]));
        let mut stream = gateway.connect();
        for _ in 0..2 {
            stream
                .write_all(request("GET /x", "", "").as_bytes())
                .unwrap();
            let answer = read_until(&mut stream, "\r\n\r\n");
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            has_not(&answer, "\r\ncontent-length");
        }
        assert_eq!(gateway.stage.stats.total(Outcome::Answered(code)), 2);
        for line in gateway.log() {
            assert!(line["reason"].is_null(), "{line}");
            assert_eq!(line["responseLength"], 0);
        }
    }
}

#[test]
fn a_body_that_a_mock_has_no_use_for_is_held_to_the_same_rules() {
    let mut limits = ServingLimits {
        body_bytes_max: 30,
        ..ServingLimits::default()
    };
    limits.patience.body = Duration::from_millis(20);
    let responses = [("200", entity::IntegrationResponse::default())];
    for templates in [
        &[("application/json", r#"{"statusCode": 200}"#)][..],
        &[], // the body itself gives the status
    ] {
        let gateway = Gateway::new(Setup {
            path: "/x",
            integration: mock(templates, &responses),
            limits,
            ..Setup::default()
        });
        let chunked = |chunks: &str| {
            let headers = format!("transfer-encoding: chunked\r\n\r\n{chunks}");
            gateway.call("POST /x", &headers, "")
        };
        let good = "13\r\n{\"statusCode\": 200}\r\n";
        let answer = chunked(&format!("{good}0\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let answer = chunked(&format!("{good}{good}0\r\n"));
        assert!(
            answer.starts_with("HTTP/1.1 413 ")
                && answer.ends_with("HTTP content length exceeded 30 bytes."),
            "{answer}"
        );
        let answer = gateway.call("POST /x", "content-length: 10\r\n\r\nhalf", "");
        is_refused(&answer, 408, "Request Timeout", "slow-body");
        is_refused(&chunked("5\r\nhello6\r\n"), 400, "Bad Request", "bad-body");
    }
}
