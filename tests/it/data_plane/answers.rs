//! What an API says of requests and refusals: gateway responses, validators, compression, its own access
//! log, and methods that are tried before they are deployed; all of it set up through the control plane.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{refused, start};
use crate::api::text;
use crate::http::{get, request};

#[test]
fn refusals_are_worded_by_the_api_once_it_is_deployed() {
    let (gateway, control, api) = start();
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let target = api.target("prod", "/pets");
    let at = format!("{}/gatewayresponses", api.path());
    control
        .put(
            &format!("{at}/INVALID_API_KEY"),
            &json!({
                "statusCode": "401",
                "responseParameters": { "gatewayresponse.header.Access-Control-Allow-Origin": "'*'" },
                "responseTemplates": { "application/json": "{\"sorry\":$context.error.messageString}" },
            }),
        )
        .ok(201);
    refused(
        &get(gateway.data, &target, &[]),
        403,
        "ForbiddenException",
        "Forbidden",
    );
    api.deploy("prod");
    let reply = get(gateway.data, &target, &[]);
    assert_eq!(reply.brief(), (401, "{\"sorry\":\"Forbidden\"}".to_owned()));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("x-amzn-errortype"), Some("ForbiddenException"));
    control.delete(&format!("{at}/INVALID_API_KEY")).ok(202);
    api.deploy("prod");
    assert_eq!(get(gateway.data, &target, &[]).status, 403);
}

#[test]
fn requests_are_held_to_the_models_of_the_api() {
    let (gateway, control, api) = start();
    let validator = control
        .post(
            &format!("{}/requestvalidators", api.path()),
            &json!({ "name": "all", "validateRequestBody": true, "validateRequestParameters": true }),
        )
        .ok(201);
    let model = |name: &str, schema: Value| {
        let body = json!({ "name": name, "contentType": "application/json", "schema": schema.to_string() });
        control
            .post(&format!("{}/models", api.path()), &body)
            .ok(201);
    };
    model(
        "Name",
        json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } }),
    );
    let reference = format!(
        "https://apigateway.amazonaws.com/restapis/{}/models/Name",
        api.id
    );
    model(
        "Names",
        json!({ "type": "array", "items": { "$ref": reference } }),
    );
    api.mock("/names", "POST", false, "ok");
    control
        .patch(
            &api.method_path("/names", "POST"),
            &[
                ("replace", "/requestValidatorId", &text(&validator["id"])),
                ("add", "/requestModels/application~1json", "Names"),
                (
                    "add",
                    "/requestParameters/method.request.querystring.page",
                    "true",
                ),
            ],
        )
        .ok(200);
    api.deploy("prod");
    let call = |query: &str, body: &str| {
        let target = api.target("prod", &format!("/names{query}"));
        request(gateway.data, "POST", &target, &[], body.as_bytes())
    };
    assert_eq!(call("?page=1", "[{\"name\":\"n\"}]").status, 200);
    refused(
        &call("", "[]"),
        400,
        "BadRequestException",
        "Missing required request parameters: [page]",
    );
    refused(
        &call("?page=1", "[{\"name\":7}]"),
        400,
        "BadRequestException",
        "Invalid request body",
    );
}

#[test]
fn answers_are_compressed_where_the_api_says_so() {
    let (gateway, control, api) = start();
    let answer = "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}";
    api.mock("/pets", "GET", false, answer);
    let minimum = [("replace", "/minimumCompressionSize", "10")];
    control.patch(&api.path(), &minimum).ok(200);
    api.deploy("prod");
    let target = api.target("prod", "/pets");
    let reply = get(gateway.data, &target, &[("Accept-Encoding", "gzip")]);
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut unpacked = String::new();
    GzDecoder::new(&reply.body[..])
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, answer);
    assert_eq!(
        get(gateway.data, &target, &[]).brief(),
        (200, answer.to_owned())
    );
}

#[test]
fn a_stage_logs_in_its_own_format() {
    let (mut gateway, control, api) = start();
    api.mock("/pets", "GET", false, "pets");
    api.deploy("prod");
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/api/prod";
    let format = "$context.requestId,$context.httpMethod,$context.resourcePath,$context.status";
    control
        .patch(
            &format!("{}/stages/prod", api.path()),
            &[
                ("replace", "/accessLogSettings/destinationArn", arn),
                ("replace", "/accessLogSettings/format", format),
            ],
        )
        .ok(200);
    let reply = get(gateway.data, &api.target("prod", "/pets"), &[]);
    let id = reply.header("x-amzn-requestid").unwrap().to_owned();
    assert!(gateway.stop().success());
    let file = gateway.data_dir().join("stage-logs/api_prod.log");
    let lines = std::fs::read_to_string(file).unwrap();
    assert_eq!(lines, format!("{id},GET,/pets,200\n"));
}

#[test]
fn a_method_is_tried_before_it_is_deployed() {
    let (gateway, control, api) = start();
    api.mock("/pets/{petId}", "GET", true, "a pet");
    let tested = control
        .post(
            &api.method_path("/pets/{petId}", "GET"),
            &json!({ "pathWithQueryString": "/pets/7?a=1", "headers": { "X-A": "1" } }),
        )
        .ok(200);
    assert_eq!(
        (&tested["status"], &tested["body"]),
        (&json!(200), &json!("a pet"))
    );
    assert_eq!(tested["headers"]["content-type"], "application/json");
    let log = text(&tested["log"]);
    for part in [
        "Execution log for request ",
        "Method request path: {petId=7}",
        "Method completed with status: 200\n",
    ] {
        assert!(log.contains(part), "no {part:?} in\n{log}");
    }
    let other = get(gateway.data, &api.target("prod", "/pets/7"), &[]);
    assert_eq!(other.status, 403, "it is not deployed");
}
