//! Where a call goes: HTTP_PROXY and MOCK, bodies of every size, upstreams that fail.

use std::time::Duration;

use serde_json::json;

use super::{refused, start};
use crate::api::{Plan, pass_on};
use crate::harness::{clear_of_midnight, wait_until};
use crate::http::{Connection, get, request};
use crate::upstream::Upstream;

#[test]
fn http_proxy_passes_everything_on() {
    let (gateway, control, api) = start();
    let upstream = Upstream::start();
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let key = Plan::create(&control, &api, "prod", &json!({})).key("k");
    let target = api.target("prod", "/echo/a%20b/c?x=1&y=two&x=3");
    let reply = request(
        gateway.data,
        "POST",
        &target,
        &[
            key.header(),
            ("X-Custom", "kept"),
            ("Content-Type", "text/plain"),
        ],
        b"the body",
    );
    assert_eq!(reply.status, 200);
    let seen = upstream.only();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/echo/a%20b/c?x=1&y=two&x=3")
    );
    assert_eq!(seen.body, b"the body");
    assert_eq!(seen.header("x-custom"), Some("kept"));
    assert_eq!(seen.header("x-api-key"), Some(key.value.as_str()));
    assert_eq!(
        seen.header("host"),
        Some(upstream.address.to_string().as_str())
    );
    assert_eq!(seen.header("content-type"), Some("text/plain"));
    // The upstream's own headers come back; those of the gateway are its own.
    assert_eq!(reply.header("x-upstream"), Some("echo"));
    assert_eq!(reply.header("x-amzn-remapped-server"), Some("upstream"));
    assert_eq!(
        reply.header("x-amzn-remapped-date"),
        Some("Mon, 01 Jan 2024 00:00:00 GMT")
    );
    assert!(
        reply.header("x-amzn-requestid").is_some() && reply.header("x-amz-apigw-id").is_some(),
        "{:?}",
        reply.headers
    );
    for status in [204, 301, 404, 418, 500, 503] {
        let reply = get(
            gateway.data,
            &api.target("prod", &format!("/status/{status}")),
            &[key.header()],
        );
        assert_eq!(reply.status, status);
        assert_eq!(
            reply.header("x-amzn-errortype"),
            None,
            "the upstream's answer, not a refusal"
        );
    }
}

#[test]
fn parameters_and_stage_variables_find_their_places() {
    let (gateway, control, api) = start();
    let upstream = Upstream::start();
    let at = api.method_path("/pets/{petId}", "GET");
    let parameters = json!({ "method.request.path.petId": true, "method.request.querystring.page": false, "method.request.header.X-From": false });
    control
        .put(
            &at,
            &json!({ "authorizationType": "NONE", "requestParameters": parameters }),
        )
        .ok(201);
    let integration = json!({
        "type": "HTTP_PROXY",
        "httpMethod": "POST",
        "uri": "http://${stageVariables.backend}/echo/{id}",
        "requestParameters": {
            "integration.request.path.id": "method.request.path.petId",
            "integration.request.querystring.p": "method.request.querystring.page",
            "integration.request.header.X-To": "method.request.header.X-From",
            "integration.request.header.X-Static": "'fixed'",
            "integration.request.header.X-Colour": "stageVariables.colour",
            "integration.request.header.X-Stage": "context.stage",
        },
    });
    control
        .put(&format!("{at}/integration"), &integration)
        .ok(201);
    api.deploy("prod");
    let stage = format!("{}/stages/prod", api.path());
    let backend = upstream.address.to_string();
    control
        .patch(
            &stage,
            &[
                ("replace", "/variables/backend", &backend),
                ("replace", "/variables/colour", "blue"),
            ],
        )
        .ok(200);
    get(
        gateway.data,
        &api.target("prod", "/pets/7?page=3"),
        &[("X-From", "me")],
    )
    .ok_status(200);
    let seen = upstream.only();
    assert_eq!(seen.method, "POST");
    assert!(
        seen.target.starts_with("/echo/7?") && seen.target.contains("p=3"),
        "{}",
        seen.target
    );
    let headers = ["x-to", "x-static", "x-colour", "x-stage"].map(|name| seen.header(name));
    assert_eq!(
        headers,
        [Some("me"), Some("fixed"), Some("blue"), Some("prod")]
    );
    control
        .patch(&stage, &[("replace", "/variables/colour", "red")])
        .ok(200);
    get(gateway.data, &api.target("prod", "/pets/7"), &[]).ok_status(200);
    assert_eq!(
        upstream.seen()[1].header("x-colour"),
        Some("red"),
        "stage variables show without a deployment"
    );
}

#[test]
fn bodies_stream_both_ways_and_trailers_pass() {
    let (gateway, _, api) = start();
    let upstream = Upstream::start();
    api.pass_on("", false, &upstream.url());
    api.deploy("prod");
    // The first half of the answer is here while the upstream still holds the second.
    let mut connection = Connection::open(gateway.data).unwrap();
    connection
        .write_request("GET", &api.target("prod", "/gate/halves"), &[], b"")
        .unwrap();
    assert_eq!(connection.read_head().unwrap().0, 200);
    assert_eq!(connection.read_chunk().unwrap().unwrap(), b"first");
    upstream.open_gate("halves");
    assert_eq!(connection.read_chunk().unwrap().unwrap(), b"rest");
    assert_eq!(connection.read_chunk().unwrap(), None);
    // Trailers come through from the upstream, and go through to it.
    let reply = get(
        gateway.data,
        &api.target("prod", "/trailers"),
        &[("TE", "trailers")],
    );
    assert_eq!(
        (reply.text().as_str(), reply.trailer("x-checksum")),
        ("body", Some("42"))
    );
    upstream.forget();
    let mut connection = Connection::open(gateway.data).unwrap();
    let headers = [("Transfer-Encoding", "chunked"), ("Trailer", "x-sum")];
    connection
        .write_request(
            "POST",
            &api.target("prod", "/echo"),
            &headers,
            b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n",
        )
        .unwrap();
    assert_eq!(connection.read_reply("POST").unwrap().status, 200);
    let seen = upstream.only();
    assert_eq!(seen.body, b"abcdefg");
    assert_eq!(crate::http::find(&seen.trailers, "x-sum"), Some("7"));
    // A big answer arrives whole.
    let reply = get(gateway.data, &api.target("prod", "/big/5000000"), &[]);
    assert_eq!((reply.status, reply.body.len()), (200, 5_000_000));
}

#[test]
fn ten_megabytes_pass_and_one_byte_more_does_not() {
    const LIMIT: usize = 10_485_760;
    let (gateway, _, api) = start();
    let upstream = Upstream::start();
    api.pass_on("", false, &upstream.url());
    api.deploy("prod");
    let target = api.target("prod", "/take");
    let whole = vec![b'x'; LIMIT];
    request(gateway.data, "POST", &target, &[], &whole).ok_status(200);
    assert_eq!(upstream.only().body.len(), LIMIT);
    let mut connection = Connection::open(gateway.data).unwrap();
    let too_long = (LIMIT + 1).to_string();
    connection
        .write_request("POST", &target, &[("Content-Length", &too_long)], b"")
        .unwrap();
    let reply = connection.read_reply("POST").unwrap();
    assert_eq!(
        reply.brief(),
        (
            413,
            "HTTP content length exceeded 10485760 bytes.".to_owned()
        )
    );
    assert_eq!(reply.header("x-amzn-errortype"), None);
    assert_eq!(upstream.count(), 1, "nothing of it reached the upstream");
}

#[test]
fn a_body_without_end_is_cut_off() {
    let (gateway, _, api) = start();
    let upstream = Upstream::start();
    api.pass_on("", false, &upstream.url());
    api.mock("/ping", "GET", false, "pong");
    api.deploy("prod");
    let mut connection = Connection::open(gateway.data).unwrap();
    let endless = [("Transfer-Encoding", "chunked")];
    connection
        .write_request("POST", &api.target("prod", "/take"), &endless, b"")
        .unwrap();
    let piece = [&b"10000\r\n"[..], &vec![b'x'; 1 << 16], b"\r\n"].concat();
    wait_until("the gateway to hang up", || {
        connection.write_raw(&piece).is_err().then_some(())
    });
    let pong = get(gateway.data, &api.target("prod", "/ping"), &[]);
    assert_eq!(pong.status, 200);
    assert_eq!(
        upstream.count(),
        0,
        "an oversized body looked whole to the upstream"
    );
    assert!(
        gateway.memory_max_kib() < 200 * 1024,
        "{} KiB of memory",
        gateway.memory_max_kib()
    );
}

#[test]
fn an_upstream_that_fails_gives_awss_answers() {
    let (gateway, control, api) = start();
    let upstream = Upstream::start();
    api.pass_on("", true, &upstream.url());
    let nobody = json!({ "type": "HTTP_PROXY", "httpMethod": "GET", "uri": format!("http://{}/", crate::harness::free_address()) });
    api.method("/nobody", "GET", false, &nobody);
    let mut hasty = pass_on(&upstream.url());
    hasty["timeoutInMillis"] = json!(150);
    hasty["uri"] = json!(format!("{}/hang", upstream.url()));
    hasty.as_object_mut().unwrap().remove("requestParameters");
    api.method("/hang", "GET", false, &hasty);
    api.deploy("prod");
    let key = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 100, "period": "DAY" } }),
    )
    .key("k");
    clear_of_midnight(Duration::from_secs(30));
    let failure = "Network error communicating with endpoint";
    refused(
        &get(gateway.data, &api.target("prod", "/nobody"), &[]),
        504,
        "InternalServerErrorException",
        failure,
    );
    refused(
        &get(gateway.data, &api.target("prod", "/hang"), &[]),
        504,
        "InternalServerErrorException",
        "Endpoint request timed out",
    );
    upstream.forget();
    refused(
        &get(gateway.data, &api.target("prod", "/reset"), &[key.header()]),
        504,
        "InternalServerErrorException",
        failure,
    );
    assert_eq!(upstream.count(), 1, "one admission, one call");
    // An answer cut short must not look whole.
    let mut connection = Connection::open(gateway.data).unwrap();
    assert!(
        connection
            .send("GET", &api.target("prod", "/cut"), &[key.header()], b"")
            .is_err()
    );
    // What failed after the admission has been counted, and the gateway goes on.
    assert_eq!(
        get(gateway.data, &api.target("prod", "/hit"), &[key.header()]).status,
        200
    );
}

#[test]
fn a_reused_upstream_connection_that_died_is_not_called_twice() {
    let (gateway, _, api) = start();
    let upstream = Upstream::start();
    api.pass_on("", false, &upstream.url());
    api.deploy("prod");
    for round in 0..10 {
        assert_eq!(
            get(gateway.data, &api.target("prod", "/hit"), &[]).status,
            200
        );
        let before = upstream.count();
        let reply = get(gateway.data, &api.target("prod", "/reset"), &[]);
        assert_eq!(reply.status, 504, "round {round}");
        assert_eq!(upstream.count(), before + 1, "round {round}");
    }
}

#[test]
fn mock_selects_by_status_and_sets_headers() {
    let (gateway, control, api) = start();
    let at = api.method_path("/mock", "GET");
    control
        .put(&at, &json!({ "authorizationType": "NONE" }))
        .ok(201);
    control.put(&format!("{at}/integration"), &json!({ "type": "MOCK", "requestTemplates": { "application/json": "{\"statusCode\": 404}" } })).ok(201);
    for (status, pattern, text) in [
        ("200", None, "default"),
        ("404", Some("4\\d\\d"), "not here"),
    ] {
        control
            .put(
                &format!("{at}/responses/{status}"),
                &json!({ "responseParameters": { "method.response.header.X-Kind": true } }),
            )
            .ok(201);
        let mut body = json!({ "responseTemplates": { "application/json": text }, "responseParameters": { "method.response.header.X-Kind": format!("'{text}'") } });
        if let Some(pattern) = pattern {
            body["selectionPattern"] = json!(pattern);
        }
        control
            .put(&format!("{at}/integration/responses/{status}"), &body)
            .ok(201);
    }
    api.deploy("prod");
    let call = || get(gateway.data, &api.target("prod", "/mock"), &[]);
    let reply = call();
    assert_eq!(reply.brief(), (404, "not here".to_owned()));
    assert_eq!(
        (reply.header("x-kind"), reply.header("content-type")),
        (Some("not here"), Some("application/json"))
    );
    control
        .patch(
            &format!("{at}/integration"),
            &[(
                "replace",
                "/requestTemplates/application~1json",
                "{\"statusCode\": 200}",
            )],
        )
        .ok(200);
    api.deploy("prod");
    assert_eq!(call().brief(), (200, "default".to_owned()));
    // A template outside the subset answers AWS's 500, never the template's text.
    let clever = "#macro(m)x#end{\"a\": $input.json('$')}";
    control
        .patch(
            &format!("{at}/integration/responses/200"),
            &[("replace", "/responseTemplates/application~1json", clever)],
        )
        .ok(200);
    api.deploy("prod");
    refused(
        &call(),
        500,
        "InternalServerErrorException",
        "Internal server error",
    );
}

#[test]
fn an_http_integration_maps_both_ways() {
    let (gateway, control, api) = start();
    let upstream = Upstream::start();
    let at = api.method_path("/orders/{id}", "POST");
    let parameters =
        json!({ "method.request.path.id": true, "method.request.header.X-Who": false });
    control
        .put(
            &at,
            &json!({ "authorizationType": "NONE", "requestParameters": parameters }),
        )
        .ok(201);
    let template = "#set($o = $input.path('$'))\n{\"customer\": \"$o.customer\", \"lines\": [#foreach($l in $o.lines)\
        {\"sku\": \"$l.sku\", \"n\": $foreach.count}#if($foreach.hasNext),#end#end], \"stage\": \"$context.stage\"}";
    let integration = json!({
        "type": "HTTP",
        "httpMethod": "PUT",
        "uri": format!("{}/echo/{{order}}", upstream.url()),
        "requestParameters": {
            "integration.request.path.order": "method.request.path.id",
            "integration.request.header.X-Caller": "method.request.header.X-Who",
            "integration.request.querystring.customer": "method.request.body.customer",
        },
        "requestTemplates": { "application/json": template },
        "passthroughBehavior": "NEVER",
    });
    control
        .put(&format!("{at}/integration"), &integration)
        .ok(201);
    let declared = json!({ "responseParameters": { "method.response.header.X-From": true } });
    control
        .put(&format!("{at}/responses/202"), &declared)
        .ok(201);
    let response = json!({
        "responseParameters": { "method.response.header.X-From": "integration.response.header.X-Upstream" },
        "responseTemplates": { "application/json": "{\"path\": \"$input.path('$.target')\"}" },
    });
    control
        .put(&format!("{at}/integration/responses/202"), &response)
        .ok(201);
    api.deploy("prod");
    let body = br#"{"customer":"Ann B","lines":[{"sku":"x"},{"sku":"y"}]}"#;
    let target = api.target("prod", "/orders/7?dropped=1");
    let headers = [("X-Who", "me"), ("Cookie", "dropped=1")];
    let reply = request(gateway.data, "POST", &target, &headers, body);
    let seen = upstream.only();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("PUT", "/echo/7?customer=Ann%20B")
    );
    let sent: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    let lines = json!([{ "sku": "x", "n": 1 }, { "sku": "y", "n": 2 }]);
    assert_eq!(
        sent,
        json!({ "customer": "Ann B", "lines": lines, "stage": "prod" })
    );
    assert_eq!(seen.header("x-caller"), Some("me"));
    assert_eq!(seen.header("cookie"), None);
    let expected = json!({ "path": "/echo/7?customer=Ann%20B" }).to_string();
    assert_eq!(reply.brief(), (202, expected.replace(':', ": ")));
    assert_eq!(reply.header("x-from"), Some("echo"));
    assert_eq!(reply.header("x-upstream"), None);
    let text = [("Content-Type", "text/plain")];
    let reply = request(gateway.data, "POST", &target, &text, b"x");
    refused(&reply, 415, "BadRequestException", "Unsupported Media Type");
    let reply = request(gateway.data, "POST", &target, &[], b"{\"customer\":");
    refused(
        &reply,
        400,
        "BadRequestException",
        "Invalid JSON in request body",
    );
    assert_eq!(upstream.count(), 1);
    // A template that loops ends, and says why in the log only.
    control
        .patch(
            &format!("{at}/integration"),
            &[(
                "replace",
                "/requestTemplates/application~1json",
                "#foreach($i in [1..100000])$i#end",
            )],
        )
        .ok(200);
    api.deploy("prod");
    let reply = request(gateway.data, "POST", &target, &[], body);
    refused(
        &reply,
        500,
        "InternalServerErrorException",
        "Internal server error",
    );
}

#[test]
fn a_mock_without_a_status_is_a_configuration_error() {
    let (gateway, _, api) = start();
    api.method(
        "/mock",
        "GET",
        false,
        &json!({ "type": "MOCK", "requestTemplates": { "application/json": "{}" } }),
    );
    api.deploy("prod");
    refused(
        &get(gateway.data, &api.target("prod", "/mock"), &[]),
        500,
        "InternalServerErrorException",
        "Internal server error",
    );
}

#[test]
fn metadata_addresses_are_never_called() {
    let (gateway, _, api) = start();
    api.method("/meta", "GET", false, &json!({ "type": "HTTP_PROXY", "httpMethod": "GET", "uri": "http://169.254.169.254/latest/meta-data/", "timeoutInMillis": 2000 }));
    api.deploy("prod");
    let reply = get(gateway.data, &api.target("prod", "/meta"), &[]);
    assert!(matches!(reply.status, 500 | 504), "{:?}", reply.brief());
    assert_ne!(
        reply.json()["message"],
        "Endpoint request timed out",
        "it was called"
    );
}
