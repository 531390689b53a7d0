//! Methods that are tried without being deployed, past key and limits.

use bytes::Bytes;
use tollgate_entity::{DeploymentContent, GatewayResponse, Method, RequestValidator};

use super::{Test, Tested};
use crate::integration::testing::{map, proxy};
use crate::net::testing::Upstream;
use crate::testing::{Served, content, keyed, method, mock};

fn tested(
    content: DeploymentContent,
    verb: &str,
    path: &str,
    body: &str,
) -> Result<Tested, String> {
    let served = Served::new(DeploymentContent::default());
    let test = Test {
        content,
        rest_api_id: "api1".into(),
        account_id: "000000000000".into(),
        http_method: verb.into(),
        path_with_query: path.into(),
        headers: vec![("X-One".into(), "1".into())],
        body: Bytes::copy_from_slice(body.as_bytes()),
        stage_variables: [("colour".to_owned(), "blue".to_owned())].into(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(served.tester().run(test))
}

#[test]
fn a_keyed_method_is_called_and_its_steps_are_told() {
    let tested = tested(
        content(vec![("/pets/{petId}", "GET", keyed(mock("a pet")))]),
        "GET",
        "/pets/7?b=2&a=1&a=3",
        "",
    )
    .unwrap();
    assert_eq!((tested.status, &tested.body[..]), (200, &b"a pet"[..]));
    assert_eq!(tested.headers["content-type"], "application/json");
    assert_eq!(tested.request_id.len(), 36);
    let log = tested.log.join("\n");
    for line in [
        "HTTP Method: GET, Resource Path: /pets/7",
        "Method request path: {petId=7}",
        "Method request query string: {a=1,3, b=2}",
        "Method request headers: {x-one=1, host=api1.execute-api.localhost}",
        "Method request body before transformations: ",
        "Method response body after transformations: a pet",
        "Successfully completed execution",
        "Method completed with status: 200",
    ] {
        assert!(
            tested.log.iter().any(|own| own == line),
            "no {line:?} in\n{log}"
        );
    }
}

#[test]
fn a_request_that_does_not_pass_is_worded_as_the_api_defines() {
    let own = Method {
        request_validator_id: Some("v".into()),
        request_parameters: Some([("method.request.querystring.q".to_owned(), true)].into()),
        ..mock("ok")
    };
    let content = DeploymentContent {
        request_validators: vec![RequestValidator {
            id: "v".into(),
            validate_request_parameters: true,
            ..RequestValidator::default()
        }],
        gateway_responses: vec![GatewayResponse {
            response_type: "DEFAULT_4XX".into(),
            response_templates: map(&[(
                "application/json",
                "$context.stage $stageVariables.colour $method.request.header.X-One",
            )]),
            ..GatewayResponse::default()
        }],
        ..content(vec![("/", "ANY", own)])
    };
    let refused = tested(content.clone(), "POST", "", "").unwrap();
    assert_eq!(
        (refused.status, &refused.body[..]),
        (400, &b"test-invoke-stage blue 1"[..])
    );
    let log = refused.log.join("\n");
    assert!(
        log.contains("Execution failed due to an error: Missing required request parameters: [q]"),
        "{log}"
    );
    assert!(log.ends_with("Method completed with status: 400"), "{log}");
    assert_eq!(
        tested(content.clone(), "POST", "?q=1", "").unwrap().status,
        200
    );
    assert!(tested(content, "POST", "/elsewhere", "").is_err());
}

#[test]
fn upstreams_are_called_and_what_cannot_work_says_why() {
    let upstream = Upstream::answering(
        "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nx-a: 1\r\nx-a: 2\r\n\r\nok",
    );
    let own = content(vec![("/{proxy+}", "ANY", method(proxy(upstream.address)))]);
    let called = tested(own, "POST", "/a b", "{}").unwrap();
    assert_eq!((called.status, &called.body[..]), (201, &b"ok"[..]));
    assert_eq!(called.headers.get_all("x-a").iter().count(), 2);
    let seen = upstream.told();
    assert!(
        seen.starts_with("POST /a%20b HTTP/1.1") && seen.ends_with("{}"),
        "{seen}"
    );

    let signed = Method {
        authorization_type: "AWS_IAM".into(),
        ..mock("ok")
    };
    let failed = tested(content(vec![("/", "GET", signed)]), "GET", "/", "").unwrap();
    assert_eq!(failed.status, 500);
    assert!(
        failed
            .log
            .iter()
            .any(|line| line.starts_with("Execution failed due to configuration error: ")),
        "{:?}",
        failed.log
    );
}
