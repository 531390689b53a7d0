//! Which method of which stage answers a call, and when a change shows.

use serde_json::json;

use super::{refused, start};
use crate::api::{Key, Plan};
use crate::http::{get, request};

#[test]
fn literal_beats_variable_beats_greedy() {
    let (gateway, _, api) = start();
    for path in [
        "/pets",
        "/pets/{petId}",
        "/pets/dog",
        "/{proxy+}",
        "/pets/{petId}/toys",
        "/files/{path+}",
    ] {
        api.mock(path, "GET", false, path);
    }
    api.mock("/pets/dog", "POST", false, "post dog");
    api.mock("/{proxy+}", "ANY", false, "any");
    api.mock("/", "GET", false, "root");
    api.deploy("prod");
    let expected = [
        ("GET", "/pets", "/pets"),
        ("GET", "/pets/", "/pets"),
        ("GET", "/pets/dog", "/pets/dog"),
        ("GET", "/pets/cat", "/pets/{petId}"),
        ("GET", "/pets/d%6Fg", "/pets/dog"),
        ("GET", "/pets/cat/toys", "/pets/{petId}/toys"),
        ("GET", "/pets/dog/toys", "/pets/{petId}/toys"),
        ("GET", "/pets/cat/food", "/{proxy+}"),
        ("GET", "/files/a/b/c", "/files/{path+}"),
        ("GET", "/files", "/{proxy+}"),
        ("GET", "/other", "/{proxy+}"),
        ("POST", "/pets/dog", "post dog"),
        // A resource that lacks the method leaves the call to a greedy one that covers it.
        ("DELETE", "/pets/dog", "any"),
        ("PUT", "/pets", "any"),
        ("HEAD", "/pets", ""),
        ("GET", "/", "root"),
        ("GET", "", "root"),
    ];
    for (method, path, answer) in expected {
        let reply = request(gateway.data, method, &api.target("prod", path), &[], b"");
        assert_eq!(reply.brief(), (200, answer.to_owned()), "{method} {path}");
    }
}

#[test]
fn what_does_not_exist_is_refused_as_on_aws() {
    let (gateway, _, api) = start();
    api.mock("/pets", "GET", false, "pets");
    api.deploy("prod");
    let call = |method: &str, target: &str| request(gateway.data, method, target, &[], b"");
    refused(
        &call("GET", &api.target("prod", "/nothing")),
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
    refused(
        &call("POST", &api.target("prod", "/pets")),
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
    refused(
        &call("GET", &api.target("prod", "/")),
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
    refused(
        &call("GET", &api.target("beta", "/pets")),
        403,
        "ForbiddenException",
        "Forbidden",
    );
    refused(
        &call("GET", "/nosuchapi1/prod/pets"),
        403,
        "ForbiddenException",
        "Forbidden",
    );
    refused(&call("GET", "/"), 403, "ForbiddenException", "Forbidden");
    // Ids are case-sensitive, paths too.
    refused(
        &call("GET", &api.target("prod", "/PETS")),
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    );
    refused(
        &call("GET", &format!("/{}/PROD/pets", api.id)),
        403,
        "ForbiddenException",
        "Forbidden",
    );
}

#[test]
fn a_stage_is_reached_by_host_and_by_every_path_form() {
    let (gateway, _, api) = start();
    api.mock("/pets", "GET", false, "pets");
    api.deploy("prod");
    let host = format!("{}.execute-api.us-east-1.amazonaws.com", api.id);
    for (host, target) in [
        (host.clone(), "/prod/pets".to_owned()),
        (format!("{host}:8080"), "/prod/pets".to_owned()),
        (
            format!("{}.execute-api.localhost.localstack.cloud:4566", api.id),
            "/prod/pets".to_owned(),
        ),
        (
            "gateway.example".to_owned(),
            format!("/{}/prod/pets", api.id),
        ),
        (
            "gateway.example".to_owned(),
            format!("/_aws/execute-api/{}/prod/pets", api.id),
        ),
        (
            "gateway.example".to_owned(),
            format!("/restapis/{}/prod/_user_request_/pets", api.id),
        ),
        (
            "ignored.example".to_owned(),
            format!("http://{host}/prod/pets"),
        ),
    ] {
        let reply = get(gateway.data, &target, &[("Host", &host)]);
        assert_eq!(reply.brief(), (200, "pets".to_owned()), "{host} {target}");
    }
    let other = get(
        gateway.data,
        "/prod/pets",
        &[("Host", "zzzzzzzzzz.execute-api.us-east-1.amazonaws.com")],
    );
    refused(&other, 403, "ForbiddenException", "Forbidden");
}

#[test]
fn methods_show_after_a_deployment_and_settings_at_once() {
    let (gateway, control, api) = start();
    api.mock("/pets", "GET", false, "first");
    let first = api.deploy("prod");
    let target = api.target("prod", "/pets");
    let call = |headers: &[(&str, &str)]| get(gateway.data, &target, headers).brief();
    assert_eq!(call(&[]), (200, "first".to_owned()));
    // Neither a key requirement nor another answer shows before the deployment.
    let at = api.method_path("/pets", "GET");
    control
        .patch(&at, &[("replace", "/apiKeyRequired", "true")])
        .ok(200);
    control
        .patch(
            &format!("{at}/integration/responses/200"),
            &[("replace", "/responseTemplates/application~1json", "second")],
        )
        .ok(200);
    assert_eq!(call(&[]), (200, "first".to_owned()));
    let second = api.deploy("prod");
    assert_eq!(call(&[]).0, 403);
    // Keys and plans show as soon as the control plane has answered.
    let plan = Plan::create(&control, &api, "prod", &json!({}));
    let key = Key::create(&control, "k");
    assert_eq!(call(&[key.header()]).0, 403);
    plan.attach(&key);
    assert_eq!(call(&[key.header()]), (200, "second".to_owned()));
    key.set_enabled(&control, false);
    assert_eq!(call(&[key.header()]).0, 403);
    key.set_enabled(&control, true);
    plan.detach(&key);
    assert_eq!(call(&[key.header()]).0, 403);
    plan.attach(&key);
    control
        .patch(
            &plan.path(),
            &[("remove", "/apiStages", &format!("{}:prod", api.id))],
        )
        .ok(200);
    assert_eq!(call(&[key.header()]).0, 403);
    control
        .patch(
            &plan.path(),
            &[("add", "/apiStages", &format!("{}:prod", api.id))],
        )
        .ok(200);
    assert_eq!(call(&[key.header()]).0, 200);
    // Going back to an earlier deployment is one patch of the stage.
    let stage = format!("{}/stages/prod", api.path());
    control
        .patch(&stage, &[("replace", "/deploymentId", &first)])
        .ok(200);
    assert_eq!(call(&[]), (200, "first".to_owned()));
    control
        .patch(&stage, &[("replace", "/deploymentId", &second)])
        .ok(200);
    assert_eq!(call(&[]).0, 403);
    control.delete(&format!("/apikeys/{}", key.id)).ok(202);
    assert_eq!(call(&[key.header()]).0, 403);
    control.delete(&stage).ok(202);
    refused(
        &get(gateway.data, &target, &[]),
        403,
        "ForbiddenException",
        "Forbidden",
    );
}
