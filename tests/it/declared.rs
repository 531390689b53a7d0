//! `tollgate apply`, `diff` and `export` against a gateway: what is declared is there, and nothing else happens.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::{Gateway, run, tollgate};
use crate::http::get;

const DEFINITION: &str = r##"
openapi: 3.0.1
info: {title: another, version: "1"}
paths:
  /pets/{id}:
    get:
      security: [{key: []}]
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: fine, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: {application/json: '{"statusCode": 200}'}
        responses: {default: {statusCode: "200", responseTemplates: {application/json: '{"version": 1}'}}}
components:
  securitySchemes: {key: {type: apiKey, name: x-api-key, in: header}}
  schemas: {Pet: {type: object, properties: {friend: {$ref: "#/components/schemas/Pet"}}}}
"##;

const FILE: &str = r#"
apis:
  pets:
    openapi: pets.yaml
    stages:
      prod:
        description: for all
        variables: {color: blue}
        methods:
          "*/*": {rateLimit: 1000, burstLimit: 500}
          "/pets/{id}/GET": {rateLimit: 100, burstLimit: 50}
      beta: {}
plans:
  free:
    description: costs nothing
    stages:
    - {api: pets, stage: prod, throttle: {"/pets/{id}/GET": {rateLimit: 90, burstLimit: 45}}}
    throttle: {rateLimit: 10, burstLimit: 20}
    quota: {limit: 1000, period: WEEK, offset: 1}
keys:
  alice: {value: "${env:ALICE_KEY}", plans: [free], description: a customer}
  bob: {value: "${file:bob.key}", enabled: false}
"#;

const ALICE: &str = "alice-0123456789abcdef";

/// Runs a command against a gateway: its exit code and what it printed.
fn tell(gateway: &Gateway, dir: &Path, words: &[&str]) -> (i32, String) {
    let mut command = tollgate();
    command
        .args(words)
        .arg("--endpoint")
        .arg(format!("http://{}", gateway.plane))
        .arg("--data-dir")
        .arg(gateway.data_dir())
        .env("ALICE_KEY", ALICE)
        .current_dir(dir);
    let (status, printed) = run(&mut command);
    (status.code().unwrap_or(-1), printed)
}

#[track_caller]
fn done(gateway: &Gateway, dir: &Path, words: &[&str]) -> String {
    let (code, printed) = tell(gateway, dir, words);
    assert_eq!(code, 0, "{words:?}: {printed}");
    printed
}

fn files(dir: &Path, file: &str, definition: &str) {
    fs::write(dir.join("gateway.yaml"), file).unwrap();
    fs::write(dir.join("pets.yaml"), definition).unwrap();
    fs::write(dir.join("bob.key"), "bob-0123456789abcdef01\nsecond line\n").unwrap();
}

/// Everything the control plane shows of APIs, plans and keys, and how often it was changed.
fn state(gateway: &Gateway) -> String {
    let control = gateway.control();
    let lists = ["/restapis", "/usageplans", "/apikeys?includeValues=true"];
    let mut state: Vec<String> = lists
        .iter()
        .map(|path| control.get(path).ok(200).to_string())
        .collect();
    for api in control.get("/restapis").ok(200)["item"].as_array().unwrap() {
        let id = api["id"].as_str().unwrap();
        for below in ["stages", "deployments", "resources?embed=methods"] {
            state.push(
                control
                    .get(&format!("/restapis/{id}/{below}"))
                    .ok(200)
                    .to_string(),
            );
        }
    }
    state.join("\n")
}

#[test]
fn what_is_declared_is_made_once_and_comes_back_in_an_export() {
    let gateway = Gateway::start();
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    files(dir, FILE, DEFINITION);
    let empty = state(&gateway);
    let (code, printed) = tell(&gateway, dir, &["diff", "gateway.yaml"]);
    assert_eq!(code, 2, "{printed}");
    for line in [
        "+ api pets",
        "+ stage pets/prod",
        "+ stage pets/beta",
        "+ plan free",
        "+ key alice",
        "6 to add, 0 to change, 0 to delete.",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    assert!(!printed.contains(ALICE), "{printed}");
    done(&gateway, dir, &["apply", "gateway.yaml", "--dry-run"]);
    assert_eq!(
        state(&gateway),
        empty,
        "a diff or a dry run changed something"
    );

    done(&gateway, dir, &["apply", "gateway.yaml"]);
    let made = state(&gateway);
    let api = gateway.control().get("/restapis").ok(200)["item"][0].clone();
    assert_eq!(api["name"], "pets");
    let target = format!("/{}/prod/pets/7", api["id"].as_str().unwrap());
    let reply = get(gateway.data, &target, &[("x-api-key", ALICE)]);
    assert_eq!((reply.status, reply.json()), (200, json!({"version": 1})));
    let key = gateway
        .control()
        .get("/apikeys?name=bob&includeValues=true")
        .ok(200)["item"][0]
        .clone();
    assert_eq!(
        (&key["value"], &key["enabled"]),
        (&json!("bob-0123456789abcdef01"), &json!(false))
    );

    for words in [
        ["apply", "gateway.yaml"],
        ["diff", "gateway.yaml"],
        ["apply", "."],
    ] {
        let printed = done(&gateway, dir, &words);
        assert!(
            printed.contains("Nothing to change."),
            "{words:?}: {printed}"
        );
    }
    let exported = done(&gateway, dir, &["export"]);
    assert!(!exported.contains(ALICE), "a value in an export");
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("exported.yaml"), &exported).unwrap();
    let printed = done(
        &gateway,
        other.path(),
        &["apply", "exported.yaml", "--prune"],
    );
    assert!(
        printed.contains("Nothing to change."),
        "{printed}\n{exported}"
    );
    assert_eq!(
        state(&gateway),
        made,
        "applying what is there changed something"
    );
    assert!(done(&gateway, dir, &["export", "--with-values"]).contains(ALICE));

    // The export makes the same on an empty gateway.
    let second = Gateway::start();
    done(&second, other.path(), &["apply", "exported.yaml"]);
    assert_eq!(done(&second, dir, &["export"]), exported);
}

#[test]
fn only_what_changed_is_changed_and_only_then_deployed() {
    let gateway = Gateway::start();
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    files(dir, FILE, DEFINITION);
    done(&gateway, dir, &["apply", "gateway.yaml"]);
    let id = gateway.control().get("/restapis").ok(200)["item"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let deployments = || {
        let all = gateway
            .control()
            .get(&format!("/restapis/{id}/deployments"))
            .ok(200);
        all["item"].as_array().unwrap().len()
    };
    assert_eq!(deployments(), 2);

    let limits = FILE
        .replace("color: blue", "shade: dark")
        .replace("burstLimit: 50}", "burstLimit: 51}")
        .replace(
            "limit: 1000, period: WEEK, offset: 1",
            "limit: 7, period: DAY",
        );
    let limits = limits
        .replace("enabled: false", "plans: [free]")
        .replace("burstLimit: 45", "burstLimit: 44")
        .replace("      beta: {}\n", "");
    files(dir, &limits, DEFINITION);
    let printed = done(&gateway, dir, &["apply", "gateway.yaml"]);
    for line in [
        "~ stage pets/prod",
        "variable color goes",
        "variable shade: \"dark\"",
        "~ plan free",
        "~ key bob",
        "0 to add, 3 to change, 0 to delete.",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    assert_eq!(deployments(), 2, "settings need no deployment");
    assert!(done(&gateway, dir, &["apply", "gateway.yaml"]).contains("Nothing to change."));
    let pruned = done(&gateway, dir, &["apply", "gateway.yaml", "--prune"]);
    assert!(pruned.contains("- stage pets/beta"), "{pruned}");

    files(
        dir,
        &limits,
        &DEFINITION.replace("\"version\": 1", "\"version\": 2"),
    );
    let printed = done(&gateway, dir, &["apply", "gateway.yaml"]);
    assert!(
        printed.contains("~ api pets") && printed.contains("a new deployment"),
        "{printed}"
    );
    assert_eq!(deployments(), 3);
    let reply = get(
        gateway.data,
        &format!("/{id}/prod/pets/7"),
        &[("x-api-key", ALICE)],
    );
    assert_eq!(reply.json(), json!({"version": 2}));

    fs::write(dir.join("gateway.yaml"), "keys: {alice: {}}\n").unwrap();
    let pruned = done(&gateway, dir, &["apply", "gateway.yaml", "--prune"]);
    assert!(
        pruned.contains("0 to add, 1 to change, 3 to delete."),
        "{pruned}"
    );
    let exported = done(&gateway, dir, &["export"]);
    assert!(
        !exported.contains("apis") && !exported.contains("bob") && exported.contains("alice"),
        "{exported}"
    );
}

#[test]
fn what_is_wrong_is_told_with_file_and_place_before_anything_is_changed() {
    let gateway = Gateway::start();
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    files(dir, FILE, DEFINITION);
    done(&gateway, dir, &["apply", "gateway.yaml"]);
    let before = state(&gateway);
    let circle = DEFINITION.replace(
        "    get:\n",
        "    post: {$ref: '#/x'}\n    parameters: [{$ref: '#/y'}]\n    get:\n",
    ) + "y: {$ref: '#/y'}\n";
    for (file, definition, told) in [
        (
            FILE.replace("quota:", "quotas:"),
            DEFINITION,
            "gateway.yaml: plans.free.quotas: unknown field",
        ),
        (
            FILE.replace("limit: 1000", "limit: many"),
            DEFINITION,
            "gateway.yaml: plans.free.quota.limit: invalid type",
        ),
        (
            FILE.replace("offset: 1", "offset: 9"),
            DEFINITION,
            "gateway.yaml: plans.free: Usage Plan quota offset must be between 0 and 6",
        ),
        (
            FILE.replace("stage: prod", "stage: gone"),
            DEFINITION,
            "gateway.yaml: plans.free.stages[0]: there is no stage gone of an API pets",
        ),
        (
            FILE.replace("plans: [free]", "plans: [none]"),
            DEFINITION,
            "gateway.yaml: keys.alice.plans: there is no plan none",
        ),
        (
            FILE.replace("ALICE_KEY", "NO_SUCH_VARIABLE"),
            DEFINITION,
            "gateway.yaml: keys.alice.value: the environment has no variable NO_SUCH_VARIABLE",
        ),
        (
            FILE.replace("bob.key", "gone.key"),
            DEFINITION,
            "keys.bob.value: ",
        ),
        (
            FILE.replace("${env:ALICE_KEY}", "another-0123456789abcdef"),
            DEFINITION,
            "gateway.yaml: keys.alice.value: the key is there with another value",
        ),
        (
            FILE.replace("pets.yaml", "gone.yaml"),
            DEFINITION,
            "apis.pets.openapi: ",
        ),
        (
            FILE.to_owned(),
            "openapi: 3.0.1\npaths: {/a/{x}: {}, b: [",
            "gateway.yaml: apis.pets.openapi: pets.yaml: ",
        ),
        (
            FILE.to_owned(),
            "openapi: 3.0.1\npaths: {}\n",
            "pets.yaml: an API with stages needs a method",
        ),
        (
            FILE.to_owned(),
            &circle,
            "pets.yaml: References at /paths/~1pets~1{id}/parameters/0 are cyclic",
        ),
        (
            "a: &a [x]\nb: *gone\n".to_owned(),
            DEFINITION,
            "line 2, column",
        ),
    ] {
        files(dir, &file, definition);
        let (code, printed) = tell(&gateway, dir, &["apply", "gateway.yaml"]);
        assert_eq!(code, 1, "{told}: {printed}");
        assert!(printed.contains(told), "{told}: {printed}");
        assert!(!printed.contains(ALICE), "{printed}");
        assert_eq!(state(&gateway), before, "{told}");
    }
}

#[test]
fn a_definition_of_a_thousand_paths_is_imported_and_every_path_leads_where_it_should() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let definition = thousand_paths().to_string();
    let started = std::time::Instant::now();
    let imported = control
        .send(
            "POST",
            "/restapis?mode=import&failonwarnings=true",
            definition.as_bytes(),
        )
        .ok(201);
    let took = started.elapsed();
    println!(
        "{} bytes of definition were imported in {took:?}",
        definition.len()
    );
    let id = imported["id"].as_str().unwrap();
    control
        .post(
            &format!("/restapis/{id}/deployments"),
            &json!({"stageName": "s"}),
        )
        .ok(201);
    for number in (0..1000).step_by(37) {
        let target = format!("/{id}/s/group{}/item{number}/x/parts/y", number % 50);
        let reply = get(gateway.data, &target, &[]);
        assert_eq!(
            (reply.status, reply.json()),
            (200, json!({"number": number})),
            "{target}"
        );
    }
}

/// A thousand paths in fifty groups, each with two methods, models, parameters and an integration of its own.
fn thousand_paths() -> serde_json::Value {
    let mut paths = serde_json::Map::new();
    let mut schemas = serde_json::Map::new();
    for number in 0..1000 {
        let model = json!({"$ref": format!("#/components/schemas/Model{number}")});
        let content = json!({"application/json": {"schema": model}});
        let answer = format!("{{\"number\": {number}}}");
        let operation = json!({
            "operationId": format!("operation{number}"),
            "parameters": [
                {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}},
                {"name": "part", "in": "path", "required": true, "schema": {"type": "string"}},
                {"name": "q", "in": "query", "schema": {"type": "string"}},
            ],
            "responses": {"200": {"description": "fine", "content": content}, "400": {"description": "bad"}},
            "x-amazon-apigateway-integration": {
                "type": "mock", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
                "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": answer}}},
            },
        });
        let mut post = operation.clone();
        post["operationId"] = json!(format!("make{number}"));
        post["requestBody"] = json!({"content": content});
        let path = format!("/group{}/item{number}/{{id}}/parts/{{part}}", number % 50);
        paths.insert(path, json!({"get": operation, "post": post}));
        let next = json!({"$ref": format!("#/components/schemas/Model{}", (number + 1) % 1000)});
        schemas.insert(format!("Model{number}"), json!({
            "type": "object", "required": ["name"],
            "properties": {"name": {"type": "string", "maxLength": 100}, "next": next, "tags": {"type": "array", "items": {"type": "string"}}},
        }));
    }
    json!({"openapi": "3.0.1", "info": {"title": "large", "version": "1"}, "paths": paths, "components": {"schemas": schemas}})
}
