//! HTTP over real sockets: what the endpoint gets, and what the caller gets of its answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use tollgate_entity as entity;
use tollgate_entity::IntegrationType;
use tollgate_entity::integration::PassthroughBehavior;

use super::testing::{Gateway, Setup, has, has_not, http_proxy, is_refused, map};
use crate::net::testing::Upstream;

const JSON: &str = "application/json";

fn optional(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, Option<String>>> {
    let pairs = pairs.iter();
    Some(
        pairs
            .map(|(name, text)| ((*name).to_owned(), Some((*text).to_owned())))
            .collect(),
    )
}

/// An answer by this pattern (none for the default) with these headers and templates.
fn response(
    pattern: &str,
    parameters: &[(&str, &str)],
    templates: &[(&str, &str)],
) -> entity::IntegrationResponse {
    entity::IntegrationResponse {
        selection_pattern: (!pattern.is_empty()).then(|| pattern.to_owned()),
        response_parameters: Some(map(parameters)),
        response_templates: optional(templates),
        ..Default::default()
    }
}

fn http(
    upstream: &Upstream,
    parameters: &[(&str, &str)],
    templates: &[(&str, &str)],
    responses: &[(&str, entity::IntegrationResponse)],
) -> entity::Integration {
    let responses = responses.iter();
    entity::Integration {
        integration_type: IntegrationType::Http,
        request_templates: optional(templates),
        integration_responses: Some(
            responses
                .map(|(status, response)| ((*status).to_owned(), response.clone()))
                .collect(),
        ),
        ..http_proxy(format!("http://{}/to/{{id}}", upstream.address), parameters)
    }
}

fn gateway(integration: entity::Integration) -> Gateway {
    Gateway::new(Setup {
        path: "/pets/{id}",
        integration,
        ..Setup::default()
    })
}

/// One default answer that passes the body.
fn plain() -> [(&'static str, entity::IntegrationResponse); 1] {
    [("200", response("", &[], &[]))]
}

#[test]
fn an_endpoint_gets_what_is_mapped_and_nothing_else() {
    let upstream = Upstream::answering(
        "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nx-own: 1\r\ncontent-type: text/plain\r\n\r\nok",
    );
    let parameters = [
        (
            "integration.request.header.X-Me",
            "method.request.header.X-Name",
        ),
        (
            "integration.request.header.X-All",
            "method.request.multivalueheader.X-Name",
        ),
        ("integration.request.header.X-Stage", "context.stage"),
        (
            "integration.request.header.X-Body",
            "method.request.body.a[0].b",
        ),
        (
            "integration.request.querystring.q",
            "method.request.querystring.x",
        ),
        (
            "integration.request.querystring.all",
            "method.request.multivaluequerystring.x",
        ),
        ("integration.request.path.id", "method.request.path.id"),
    ];
    let gateway = gateway(http(&upstream, &parameters, &[], &plain()));
    let headers = "x-name: Ann\r\nx-name: Bo\r\nx-other: no\r\ncookie: no\r\nuser-agent: me\r\naccept: text/html\r\ncontent-type: application/json; charset=utf-8\r\n";
    let body = r#"{"a":[{"b":"inner"}]}"#;
    let answer = gateway.call("POST /pets/a%20b?x=1&x=2&y=3", headers, body);
    let seen = upstream.told();
    assert!(seen.starts_with("POST /to/a%20b?"), "{seen}");
    assert!(
        seen.contains("q=2") && seen.contains("all=1&all=2") && !seen.contains("y=3"),
        "{seen}"
    );
    for line in [
        "accept: application/json",
        "user-agent: AmazonAPIGateway_api1",
        "content-type: application/json; charset=utf-8",
        "content-length: 21",
        &format!("host: {}", upstream.address),
        "x-amzn-apigateway-api-id: api1",
        "x-amzn-trace-id: Root=1-6553f100-070707070707470787070707",
        "x-me: Bo",
        "x-all: Ann,Bo",
        "x-stage: prod",
        "x-body: inner",
    ] {
        has(&seen, line);
    }
    for part in ["x-other", "cookie", "x-forwarded", "text/html", "x-name"] {
        has_not(&seen, part);
    }
    assert!(seen.ends_with(body), "{seen}");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"),
        "{answer}"
    );
    for line in [
        "content-type: application/json",
        "x-amzn-trace-id: Root=1-6553f100-070707070707470787070707",
    ] {
        has(&answer, line);
    }
    has_not(&answer, "x-own");
    // Without a body none is sent, nor with a verb that has none.
    gateway.get("/pets/1");
    let seen = upstream.told();
    assert!(
        seen.starts_with("GET /to/1 ") && seen.ends_with("\r\n\r\n"),
        "{seen}"
    );
    has_not(&seen, "content-type");
}

#[test]
fn a_template_makes_the_body_and_may_override_the_rest() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let template = "#set($root = $input.path('$'))#set($context.requestOverride.header.X-Two = ['a','b'])\
        #set($context.requestOverride.header.X-One = 'over')#set($context.requestOverride.path.id = 'o/p')\
        #set($context.requestOverride.querystring.q = 'r&s')\
        {\"n\":\"$root.name\",\"id\":\"$input.params('id')\",\"all\":[#foreach($t in $root.tags)\"$t\"#if($foreach.hasNext),#end#end]}";
    let parameters = [
        ("integration.request.header.X-One", "'mapped'"),
        ("integration.request.querystring.q", "'mapped'"),
    ];
    let gateway = gateway(http(&upstream, &parameters, &[(JSON, template)], &plain()));
    gateway.call("POST /pets/7", "", r#"{"name":"Bo","tags":["x","y"]}"#);
    let seen = upstream.told();
    assert!(
        seen.starts_with("POST /to/o%2Fp?q=r%26s HTTP/1.1\r\n"),
        "{seen}"
    );
    for line in [
        "x-one: over",
        "x-two: a",
        "x-two: b",
        "content-type: application/json",
    ] {
        has(&seen, line);
    }
    assert!(
        seen.ends_with(r#"{"n":"Bo","id":"7","all":["x","y"]}"#),
        "{seen}"
    );
    // A body that is not the JSON it begins as is the caller's fault, and goes nowhere.
    let answer = gateway.call("POST /pets/7", "", "{\"name\":");
    is_refused(&answer, 400, "Invalid JSON in request body", "bad-json");
    assert!(upstream.is_silent());
}

#[test]
fn a_body_without_a_template_passes_or_is_refused() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    use PassthroughBehavior::{Never, WhenNoMatch, WhenNoTemplates};
    let template = [(JSON, "{\"made\":1}")];
    for (behavior, templates, content_type, expected) in [
        (WhenNoMatch, &template[..], "text/plain", Some("raw")),
        (
            WhenNoMatch,
            &template,
            "application/json",
            Some("{\"made\":1}"),
        ),
        (WhenNoMatch, &[], "text/plain", Some("raw")),
        (WhenNoTemplates, &template, "text/plain", None),
        (WhenNoTemplates, &[], "text/plain", Some("raw")),
        (Never, &template, "text/plain", None),
        (
            Never,
            &template,
            "application/json; charset=utf-8",
            Some("{\"made\":1}"),
        ),
        (Never, &[], "text/plain", None),
        (Never, &[("$default", "any")], "text/plain", Some("any")),
        (Never, &[("text/plain", "")], "text/plain", Some("raw")),
    ] {
        let gateway = gateway(entity::Integration {
            passthrough_behavior: behavior,
            ..http(&upstream, &[], templates, &plain())
        });
        let answer = gateway.call(
            "PUT /pets/1",
            &format!("content-type: {content_type}\r\n"),
            "raw",
        );
        match expected {
            Some(body) => {
                assert!(
                    upstream.told().ends_with(&format!("\r\n\r\n{body}")),
                    "{behavior:?}"
                );
            }
            None => is_refused(
                &answer,
                415,
                "Unsupported Media Type",
                "unsupported-media-type",
            ),
        }
    }
    assert!(upstream.is_silent());
}

#[test]
fn the_answer_is_chosen_by_its_status_and_mapped() {
    let upstream = Upstream::start(|call| {
        while let Some(request) = call.request() {
            let status = request
                .split(['/', ' '])
                .nth(3)
                .unwrap_or_default()
                .to_owned();
            call.write(&format!(
                "HTTP/1.1 {status} X\r\ncontent-length: 32\r\nx-one: a\r\nx-one: b\r\ndate: then\r\n\r\n{{\"m\":{{\"text\":\"hi\"}},\"list\":[1,2]}}"
            ));
        }
    });
    let mapped = response(
        "4\\d{2}",
        &[
            (
                "method.response.header.X-Last",
                "integration.response.header.X-One",
            ),
            (
                "method.response.header.X-All",
                "integration.response.multivalueheader.x-one",
            ),
            (
                "method.response.header.X-Text",
                "integration.response.body.m.text",
            ),
            (
                "method.response.header.X-List",
                "integration.response.body.$.list",
            ),
            (
                "method.response.header.X-None",
                "integration.response.body.none",
            ),
            (
                "method.response.header.X-Date",
                "integration.response.header.Date",
            ),
            ("method.response.header.X-Host", "stageVariables.colour"),
            ("method.response.header.Content-Length", "'9'"),
            ("method.response.header.Transfer-Encoding", "'x'"),
            ("method.response.header.Content-Type", "'text/special'"),
        ],
        &[
            (
                JSON,
                "<$input.path('$.m').text $input.json('$.list') $context.stage>",
            ),
            ("text/xml", "<x/>"),
        ],
    );
    let integration = http(
        &upstream,
        &[],
        &[],
        &[
            ("200", response("", &[], &[])),
            ("404", mapped),
            ("503", response("5..", &[], &[(JSON, "sorry")])),
        ],
    );
    let gateway = Gateway::new(Setup {
        path: "/pets/{id}",
        integration,
        variables: vec![("colour", "blue".to_owned())],
        ..Setup::default()
    });
    let answer = gateway.get("/pets/418");
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n<hi [1,2] prod>"), "{answer}");
    for line in [
        "x-last: b",
        "x-all: a,b",
        "x-text: hi",
        "x-list: [1,2]",
        "x-date: then",
        "x-host: blue",
        "x-amzn-remapped-content-length: 9",
        "content-type: text/special",
        "content-length: 15",
    ] {
        has(&answer, line);
    }
    for part in ["x-none", "x-one", "transfer-encoding"] {
        has_not(&answer, part);
    }
    let answer = gateway.call("GET /pets/418", "accept: text/html, text/xml;q=0.5\r\n", "");
    assert!(answer.ends_with("\r\n\r\n<x/>"), "{answer}");
    let answer = gateway.get("/pets/500");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("sorry"),
        "{answer}"
    );
    let answer = gateway.get("/pets/302");
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("[1,2]}"),
        "{answer}"
    );
    assert_eq!(gateway.log().len(), 4);
}

#[test]
fn an_answer_that_nothing_selects_or_maps_is_a_configuration_error() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{bad}");
    for responses in [
        vec![],
        vec![("500", response("5..", &[], &[]))],
        // A pattern must match the whole status.
        vec![("500", response("20", &[], &[]))],
        vec![("200", response("", &[], &[(JSON, "$input.path('$.a')")]))],
        vec![(
            "200",
            response("", &[], &[(JSON, "#foreach($i in [1..9999])$i#end")]),
        )],
    ] {
        let answer = gateway(http(&upstream, &[], &[], &responses)).get("/pets/1");
        is_refused(&answer, 500, "Internal server error", "misconfigured");
    }
}

#[test]
fn illegal_targets_are_a_configuration_error() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for target in [
        "header.Content-Length",
        "header.Transfer-Encoding",
        "header.X-Amzn-Trace-Id",
        "cookie.a",
        "header.",
    ] {
        let target = format!("integration.request.{target}");
        let answer = gateway(http(&upstream, &[(&target, "'0'")], &[], &plain())).get("/pets/1");
        is_refused(&answer, 500, "Internal server error", "misconfigured");
    }
    let template = "#set($context.requestOverride.header.Content-Length = '5')x";
    let answer = gateway(http(&upstream, &[], &[(JSON, template)], &plain())).get("/pets/1");
    is_refused(&answer, 500, "Internal server error", "misconfigured");
    assert!(upstream.is_silent());
}

#[test]
fn bodies_are_converted_between_text_and_binary() {
    let upstream = Upstream::start(|call| {
        while let Some(request) = call.request() {
            call.tell(
                request
                    .rsplit("\r\n\r\n")
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            );
            call.write(
                "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 4\r\n\r\nAMOp",
            );
        }
    });
    let with = |handling: Option<&str>, back: Option<&str>| {
        let response = entity::IntegrationResponse {
            content_handling: back.map(str::to_owned),
            ..response("", &[], &[])
        };
        Gateway::new(Setup {
            path: "/pets/{id}",
            integration: entity::Integration {
                content_handling: handling.map(str::to_owned),
                ..http(&upstream, &[], &[], &[("200", response)])
            },
            binary_types: vec!["image/png"],
            ..Setup::default()
        })
    };
    let (to_text, to_binary) = (Some("CONVERT_TO_TEXT"), Some("CONVERT_TO_BINARY"));
    for (handling, content_type, sent, expected) in [
        (None, "image/png", "ab", "ab"),
        (to_text, "image/png", "ab", "YWI="),
        (to_binary, "image/png", "ab", "ab"),
        (to_text, "text/plain", "ab", "ab"),
        (to_binary, "text/plain", "YWI=", "ab"),
    ] {
        let gateway = with(handling, to_binary);
        gateway.call(
            "POST /pets/1",
            &format!("content-type: {content_type}\r\naccept: image/png\r\n"),
            sent,
        );
        assert_eq!(upstream.told(), expected, "{handling:?} {content_type}");
    }
    let answer =
        with(to_binary, None).call("POST /pets/1", "content-type: text/plain\r\n", "no base64");
    is_refused(&answer, 500, "Internal server error", "misconfigured");
    assert!(upstream.is_silent());
    for (back, accept, expected) in [
        (None, "image/png", "AMOp"),
        (None, "text/plain", "QU1PcA=="),
        (to_text, "image/png", "QU1PcA=="),
        (to_binary, "text/plain", "AMOp"),
    ] {
        let answer = with(None, back).call("GET /pets/1", &format!("accept: {accept}\r\n"), "");
        assert!(
            answer.ends_with(&format!("\r\n\r\n{expected}")),
            "{back:?} {accept}: {answer}"
        );
    }
}

#[test]
fn a_proxy_converts_and_maps_from_the_body_too() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-own: 1\r\n\r\nok");
    let uri = format!("http://{}/to/{{id}}", upstream.address);
    let parameters = [
        (
            "integration.request.header.X-Kind",
            "method.request.body.kind",
        ),
        (
            "integration.request.querystring.k",
            "method.request.body.kind",
        ),
        (
            "integration.request.querystring.y",
            "method.request.querystring.y",
        ),
        ("integration.request.path.id", "method.request.body.id"),
    ];
    let gateway = gateway(http_proxy(uri, &parameters));
    let answer = gateway.call(
        "POST /pets/1?y=2",
        "x-other: on\r\n",
        r#"{"kind":"a b","id":5}"#,
    );
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    has(&answer, "x-own: 1");
    let seen = upstream.told();
    assert!(
        seen.starts_with("POST /to/5?y=2&k=a%20b HTTP/1.1\r\n"),
        "{seen}"
    );
    for line in [
        "x-kind: a b",
        "x-other: on",
        "x-forwarded-proto: http",
        "content-length: 21",
    ] {
        has(&seen, line);
    }
    let chunked = "transfer-encoding: chunked\r\n\r\n15\r\n{\"kind\":\"c\",\"id\":\"7\"}\r\n0\r\n";
    gateway.call("POST /pets/1", chunked, "");
    let seen = upstream.told();
    has(&seen, "content-length: 21");
    has_not(&seen, "chunked");
    let answer = gateway.call("POST /pets/1", "", "{");
    is_refused(&answer, 400, "Invalid JSON in request body", "bad-json");
}

#[test]
fn an_answer_is_read_whole_only_up_to_the_limit_and_otherwise_streams() {
    let long = 300_000;
    let upstream = Upstream::start(move |call| {
        while call.request().is_some() {
            call.write(&format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {long}\r\n\r\n"
            ));
            call.write(&"x".repeat(long));
        }
    });
    let limits = crate::net::serving::ServingLimits {
        body_bytes_max: 100_000,
        ..Default::default()
    };
    let with = |templates: &[(&str, &str)]| {
        Gateway::new(Setup {
            path: "/pets/{id}",
            integration: http(
                &upstream,
                &[],
                &[],
                &[("200", response("", &[], templates))],
            ),
            limits,
            ..Setup::default()
        })
    };
    let answer = with(&[]).get("/pets/1");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.len() > long);
    let answer = with(&[(JSON, "$input.body")]).get("/pets/1");
    is_refused(
        &answer,
        504,
        "Network error communicating with endpoint",
        "upstream-answer",
    );
}

#[test]
fn a_body_that_is_compressed_is_taken_out_before_a_template_reads_it() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let gateway = gateway(http(
        &upstream,
        &[],
        &[(JSON, "$input.json('$.a')")],
        &plain(),
    ));
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    coder.write_all(b"{\"a\": [1]}").unwrap();
    let body = coder.finish().unwrap();
    let head = format!(
        "POST /pets/1 HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = gateway.connect();
    stream
        .write_all(&[head.as_bytes(), &body].concat())
        .unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert!(upstream.told().ends_with("\r\n\r\n[1]"));
}

/// The lines that `TestInvokeMethod` shows, in AWS's order and words.
#[test]
fn every_step_is_written_to_an_execution_log() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nx-own: 1\r\n\r\n{\"a\":1}");
    let (at, host) = (
        format!("http://{}/to/7?q=1", upstream.address),
        upstream.address,
    );
    let lines_of = |integration: entity::Integration| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let gateway = Gateway::new(Setup {
            path: "/pets/{id}",
            integration,
            execution_log: Some(Arc::clone(&lines)),
            ..Setup::default()
        });
        gateway.call("POST /pets/7?q=1", "x-name: Ann\r\n", "{\"b\":2}");
        let lines = lines.lock().unwrap().clone();
        lines.join("\n")
    };
    let mapped = http(
        &upstream,
        &[(
            "integration.request.querystring.q",
            "method.request.querystring.q",
        )],
        &[(JSON, "<$input.path('$.b')>")],
        &[("200", response("", &[], &[(JSON, "[$input.path('$.a')]")]))],
    );
    let proxied = http_proxy(format!("http://{}/to/{{id}}", upstream.address), &[]);
    for (integration, sent, returned) in
        [(mapped, "<2>", "[1]"), (proxied, "{\"b\":2}", "{\"a\":1}")]
    {
        let lines = lines_of(integration);
        let mut rest = lines.as_str();
        for part in [
            "Method request path: {id=7}\n",
            "Method request query string: {q=1}\n",
            "Method request headers: {",
            "x-name=Ann",
            "Method request body before transformations: {\"b\":2}\n",
            &format!("Endpoint request URI: {at}\n"),
            "Endpoint request headers: {",
            &format!("Endpoint request body after transformations: {sent}\n"),
            &format!("Sending request to {at}\n"),
            "Received response. Status: 200, Integration latency: ",
            "Endpoint response headers: {",
            "x-own=1",
            "Endpoint response body before transformations: {\"a\":1}\n",
            &format!("Method response body after transformations: {returned}\n"),
            "Method response headers: {",
        ] {
            let at = rest
                .find(part)
                .unwrap_or_else(|| panic!("no {part:?} in\n{lines}"));
            rest = &rest[at + part.len()..];
        }
        assert!(lines.contains(&format!("host={host}")), "{lines}");
    }
}
