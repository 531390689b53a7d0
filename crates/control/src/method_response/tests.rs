//! Method responses on the wire.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method};

const HEADER: &str = "/responseParameters/method.response.header.my-header";
const MODEL: &str = "/responseModels/application~1json";

/// `GET /test`'s responses.
async fn responses(gateway: &Gateway) -> String {
    let (api, resource) = api_with_method(gateway).await;
    format!("/restapis/{api}/resources/{resource}/methods/GET/responses")
}

#[tokio::test]
async fn a_response_lives_from_put_to_delete() {
    let gateway = Gateway::new();
    let path = format!("{}/200", responses(&gateway).await);
    let empty = json!({"statusCode": "200", "responseModels": {}, "responseParameters": {}});
    gateway
        .put(
            &path,
            json!({"responseModels": {}, "responseParameters": {}}),
        )
        .await
        .is(201, empty.clone());
    gateway.get(&path).await.is(200, empty);
    gateway
        .put(&path, json!({}))
        .await
        .conflict("Response already exists for this resource");
    let full = json!({
        "statusCode": "200", "responseModels": {"application/json": "Empty"},
        "responseParameters": {"method.response.header.my-header": true},
    });
    gateway
        .patch(
            &path,
            &[("add", HEADER, Some("true")), ("add", MODEL, Some("Empty"))],
        )
        .await
        .is(201, full.clone());
    gateway
        .patch(
            &path,
            &[
                ("replace", HEADER, Some("true")),
                ("replace", MODEL, Some("Empty")),
            ],
        )
        .await
        .is(201, full.clone());
    let method = path.strip_suffix("/responses/200").unwrap();
    assert_eq!(
        gateway.get(method).await.ok(200)["methodResponses"],
        json!({"200": full})
    );
    gateway
        .patch(
            &path,
            &[
                ("remove", HEADER, Some("true")),
                ("remove", MODEL, Some("Empty")),
            ],
        )
        .await
        .is(201, json!({"statusCode": "200"}));
    gateway.delete(&path).await.is(204, Value::Null);
    assert!(
        gateway
            .get(method)
            .await
            .ok(200)
            .get("methodResponses")
            .is_none()
    );
    gateway
        .get(&path)
        .await
        .missing("Invalid Response status code specified");
    gateway
        .delete(&path)
        .await
        .missing("Invalid Response status code specified");
    gateway
        .put(&path, json!({}))
        .await
        .is(201, json!({"statusCode": "200"}));
}

#[tokio::test]
async fn bad_responses_are_refused() {
    let gateway = Gateway::new();
    let responses = responses(&gateway).await;
    let path = format!("{responses}/200");
    let models = json!({"responseModels": {"application/json": "petModel"}});
    gateway
        .put(&path, models)
        .await
        .bad("Invalid model identifier specified: petModel");
    gateway.put(&path, json!({"responseParameters": {"X": true}})).await.bad(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: X]",
    );
    let pattern = r"1 validation error detected: Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\d\d";
    let wrong = format!("{responses}/wrong");
    gateway
        .put(&wrong, json!({}))
        .await
        .refused(400, "ValidationException", pattern);
    gateway
        .get(&wrong)
        .await
        .refused(400, "ValidationException", pattern);
    gateway
        .delete(&wrong)
        .await
        .refused(400, "ValidationException", pattern);
    gateway
        .get(&path)
        .await
        .missing("Invalid Response status code specified");
    gateway
        .get(&path.replace("/GET/", "/POST/"))
        .await
        .missing("Invalid Method identifier specified");
    gateway
        .get("/restapis/nope/resources/nope/methods/GET/responses/200")
        .await
        .missing("Invalid Resource identifier specified");
}

#[tokio::test]
async fn bad_patches_are_refused_as_recorded() {
    let gateway = Gateway::new();
    let responses = responses(&gateway).await;
    let path = format!("{responses}/200");
    gateway.put(&path, json!({})).await.ok(201);
    gateway
        .patch(&path, &[("remove", HEADER, Some("true"))])
        .await
        .missing("Invalid parameter name specified");
    gateway
        .patch(&path, &[("remove", MODEL, Some("Empty"))])
        .await
        .missing("Content-Type specified was not found");
    for op in ["replace", "remove"] {
        gateway
            .patch(&path, &[(op, "/responseParameters/wrong", Some("true"))])
            .await
            .missing("Invalid parameter name specified");
        gateway
            .patch(&path, &[(op, "/responseModels/wrong", Some("Empty"))])
            .await
            .missing("Content-Type specified was not found");
    }
    gateway
        .patch(
            &path,
            &[(
                "remove",
                "/wrong/method.response.header.my-header",
                Some("true"),
            )],
        )
        .await
        .bad("Invalid patch path /wrong/method.response.header.my-header");
    let change: &[_] = &[("replace", HEADER, Some("true"))];
    gateway
        .patch(&path.replace("/200", "/201"), change)
        .await
        .missing("Invalid Response status code specified");
    gateway
        .patch(&path.replace("/GET/", "/POST/"), change)
        .await
        .missing("Invalid Method identifier specified");
    gateway.patch(&format!("{responses}/wrong"), &[("wrong_op", HEADER, Some("true"))]).await.refused(
        400,
        "ValidationException",
        r"2 validation errors detected: Value 'wrong_op' at 'updateMethodResponseInput.patchOperations.1.member.op' failed to satisfy constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]; Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\d\d",
    );
}
