//! Methods on the wire: putting, patching, what is refused.

use serde_json::{Value, json};

use crate::testing::{Answer, Gateway, api_with_method, text};

struct Root {
    gateway: Gateway,
    methods: String,
}

impl Root {
    async fn new() -> Self {
        let gateway = Gateway::new();
        let api = gateway
            .post("/restapis", json!({"name": "n"}))
            .await
            .ok(201);
        let methods = format!(
            "/restapis/{}/resources/{}/methods",
            text(&api, "id"),
            text(&api, "rootResourceId")
        );
        Root { gateway, methods }
    }

    async fn put(&self, verb: &str, mut body: Value) -> Answer {
        if body.get("authorizationType").is_none() {
            body["authorizationType"] = json!("NONE");
        }
        self.gateway
            .put(&format!("{}/{verb}", self.methods), body)
            .await
    }

    async fn patch(&self, operations: &[(&str, &str, Option<&str>)]) -> Answer {
        self.gateway
            .patch(&format!("{}/ANY", self.methods), operations)
            .await
    }
}

#[tokio::test]
async fn a_method_lives_from_put_to_delete() {
    let root = Root::new().await;
    let plain = json!({"httpMethod": "ANY", "authorizationType": "NONE", "apiKeyRequired": false});
    root.put("ANY", json!({"authorizationType": "none"}))
        .await
        .is(201, plain.clone());
    let path = format!("{}/ANY", root.methods);
    root.gateway.get(&path).await.is(200, plain);
    root.put("ANY", json!({}))
        .await
        .conflict("Method already exists for this resource");
    root.gateway.delete(&path).await.is(204, Value::Null);
    let unknown = "Invalid Method identifier specified";
    root.gateway.get(&path).await.missing(unknown);
    root.gateway.delete(&path).await.missing(unknown);
    root.patch(&[("replace", "/operationName", Some("x"))])
        .await
        .missing(unknown);
}

#[tokio::test]
async fn what_is_given_is_kept() {
    let root = Root::new().await;
    let body = json!({
        "apiKeyRequired": true, "operationName": "list", "authorizerId": "ignored", "requestValidatorId": "",
        "requestParameters": {"method.request.querystring.q": true, "method.request.header.h": false},
        "requestModels": {"application/json": "Empty"},
    });
    let expected = json!({
        "httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": true, "operationName": "list",
        "requestParameters": {"method.request.header.h": false, "method.request.querystring.q": true},
        "requestModels": {"application/json": "Empty"},
    });
    root.put("GET", body).await.is(201, expected.clone());
    root.gateway
        .get(&format!("{}/GET", root.methods))
        .await
        .is(200, expected);
}

#[tokio::test]
async fn bad_methods_are_refused_in_the_recorded_order() {
    let root = Root::new().await;
    let body = || json!({"authorizationType": "NONE"});
    let unknown = "Invalid Resource identifier specified";
    root.gateway
        .put("/restapis/nope/resources/nope/methods/WRONG", body())
        .await
        .missing(unknown);
    let verb = "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY";
    root.put("WRONG", json!({})).await.bad(verb);
    root.put("get", json!({})).await.bad(verb);
    let authorizer = "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires \
                      a valid authorizer.";
    for kind in ["CUSTOM", "COGNITO_USER_POOLS"] {
        root.put(
            "ANY",
            json!({"authorizationType": kind, "authorizerId": "abc123"}),
        )
        .await
        .bad(authorizer);
    }
    root.put("ANY", json!({"authorizationType": "BASIC"}))
        .await
        .bad("Invalid authorization type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS");
    root.put("ANY", json!({"requestValidatorId": "fake"}))
        .await
        .bad("Invalid Request Validator identifier specified");
    let models = json!({"requestModels": {"application/json": "petModel"}});
    root.put("ANY", models)
        .await
        .bad("Invalid model identifier specified: petModel");
    let scopes = "Authorization Scopes are only valid for COGNITO_USER_POOLS authorization type";
    root.put("ANY", json!({"authorizationScopes": ["a"]}))
        .await
        .bad(scopes);
    let twice = json!({"requestParameters": {"method.request.querystring.a": false, "method.request.header.a": false}});
    root.put("ANY", twice)
        .await
        .bad("Parameter names must be unique across querystring, header and path");
    root.put("ANY", json!({"requestParameters": {"true": true}})).await.bad(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: true]",
    );
    let missing = root
        .gateway
        .put(&format!("{}/ANY", root.methods), json!({}))
        .await;
    missing.refused(
        400,
        "ValidationException",
        "1 validation error detected: Value null at 'putMethodInput.authorizationType' failed to satisfy constraint: Member must \
         not be null",
    );
    root.gateway
        .get(&format!("{}/ANY", root.methods))
        .await
        .missing("Invalid Method identifier specified");
}

#[tokio::test]
async fn patches_reach_every_member() {
    let root = Root::new().await;
    root.put("ANY", json!({})).await.ok(201);
    let parameter = "/requestParameters/method.request.querystring.optional";
    let plain = json!({"httpMethod": "ANY", "authorizationType": "NONE", "apiKeyRequired": false});
    let with = |parameter: bool| {
        let mut method = plain.clone();
        method["requestModels"] = json!({"application/json": "Empty"});
        method["requestParameters"] = json!({"method.request.querystring.optional": parameter});
        method
    };
    let added = root
        .patch(&[
            ("add", parameter, Some("true")),
            ("add", "/requestModels/application~1json", Some("Empty")),
        ])
        .await;
    added.is(200, with(true));
    let replaced = root
        .patch(&[
            ("replace", "/operationName", Some("ReplacedOperationName")),
            ("replace", "/apiKeyRequired", Some("true")),
            ("replace", "/authorizationType", Some("NONE")),
            ("replace", "/authorizerId", Some("abc123")),
            ("replace", "/requestValidatorId", Some("")),
            ("replace", parameter, Some("false")),
        ])
        .await;
    let mut expected = with(false);
    expected["operationName"] = json!("ReplacedOperationName");
    expected["apiKeyRequired"] = json!(true);
    replaced.is(200, expected);
    let removed = root
        .patch(&[
            ("remove", parameter, Some("true")),
            ("remove", "/requestModels/application~1json", Some("Empty")),
            ("replace", "/apiKeyRequired", Some("whatever")),
            ("replace", "/operationName", Some("")),
        ])
        .await;
    removed.is(200, plain);
}

#[tokio::test]
async fn bad_patches_are_refused_as_recorded() {
    let root = Root::new().await;
    root.put("ANY", json!({})).await.ok(201);
    let bad = async |op: &str, path: &str, value: &str, text: &str| {
        root.patch(&[(op, path, Some(value))]).await.bad(text)
    };
    let replace_only = "Invalid patch operation specified. Must be one of: [replace]";
    bad("add", "/operationName", "x", replace_only).await;
    bad("add", "/requestValidatorId", "x", replace_only).await;
    bad("remove", "/apiKeyRequired", "x", replace_only).await;
    bad(
        "add",
        "/httpMethod",
        "PUT",
        "Invalid patch path /httpMethod",
    )
    .await;
    bad(
        "replace",
        "/requestParameters",
        "x",
        "Invalid patch path /requestParameters",
    )
    .await;
    bad(
        "add",
        "/requestModels/application/json",
        "Empty",
        "Invalid patch path /requestModels/application/json",
    )
    .await;
    let authorizer = "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires \
                      a valid authorizer.";
    bad("replace", "/authorizationType", "CUSTOM", authorizer).await;
    bad(
        "replace",
        "/requestValidatorId",
        "fake-id",
        "Invalid Request Validator identifier specified",
    )
    .await;
    bad(
        "add",
        "/requestModels/application~1json",
        "nope",
        "Invalid model identifier specified: nope",
    )
    .await;
    let scopes = "Authorization Scopes are only valid for COGNITO_USER_POOLS authorization type";
    bad("add", "/authorizationScopes", "a", scopes).await;
    let absent = "/requestParameters/method.request.path.x";
    for op in ["replace", "remove"] {
        root.patch(&[(op, absent, Some("true"))])
            .await
            .missing("Invalid parameter name specified");
        root.patch(&[(op, "/requestModels/a~1b", Some("Empty"))])
            .await
            .missing("Content-Type specified was not found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_inside_one_resource_lose_none() {
    let gateway = std::sync::Arc::new(Gateway::new());
    let (api, resource) = api_with_method(&gateway).await;
    let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
    let changes = (0..30).map(|n| {
        let (gateway, method) = (gateway.clone(), method.clone());
        tokio::spawn(async move {
            match n % 3 {
                0 => {
                    let path = format!("/requestParameters/method.request.header.h{n}");
                    gateway
                        .patch(&method, &[("add", &path, Some("true"))])
                        .await
                        .ok(200)
                }
                1 => gateway
                    .put(&format!("{method}/responses/{}", 200 + n), json!({}))
                    .await
                    .ok(201),
                _ => {
                    let path = format!("/requestTemplates/a~1t{n}");
                    gateway
                        .patch(
                            &format!("{method}/integration"),
                            &[("add", &path, Some("{}"))],
                        )
                        .await
                        .ok(200)
                }
            }
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let method = gateway.get(&method).await.ok(200);
    let count = |map: &Value| map.as_object().unwrap().len();
    assert_eq!(count(&method["requestParameters"]), 10);
    assert_eq!(count(&method["methodResponses"]), 10);
    assert_eq!(count(&method["methodIntegration"]["requestTemplates"]), 10);
}
