//! Documentation versions on the wire: what they freeze, stages that name them.

use serde_json::{Value, json};
use tollgate_entity::DocumentationSnapshot;

use crate::testing::{Gateway, START, api_with_method, text};

#[tokio::test]
async fn a_version_freezes_the_parts_and_is_named_by_a_stage() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let of = |rest: &str| format!("/restapis/{api}/{rest}");
    let deployed = json!({"stageName": "prod"});
    gateway.post(&of("deployments"), deployed).await.ok(201);
    let part = json!({"location": {"type": "API"}, "properties": "{\"a\":1}"});
    let part = gateway.post(&of("documentation/parts"), part).await.ok(201);
    let versions = of("documentation/versions");
    gateway.sleep(5);
    let body = json!({"documentationVersion": "v1", "stageName": "prod", "description": "first"});
    let shown = json!({"version": "v1", "description": "first", "createdDate": START + 5});
    gateway
        .post(&versions, body.clone())
        .await
        .is(201, shown.clone());
    let stage = gateway.get(&of("stages/prod")).await.ok(200);
    assert_eq!(text(&stage, "documentationVersion"), "v1");
    assert_eq!(stage["lastUpdatedDate"], START + 5);
    gateway
        .get(&format!("{versions}/v1"))
        .await
        .is(200, shown.clone());
    gateway
        .get(&versions)
        .await
        .is(200, json!({"item": [shown]}));
    gateway
        .post(&versions, body)
        .await
        .conflict("Documentation version v1 already exists for this API");
    // What is frozen stays.
    let one = of(&format!("documentation/parts/{}", text(&part, "id")));
    gateway.delete(&one).await.ok(202);
    let frozen: DocumentationSnapshot = gateway
        .control
        .store
        .read_blocking(|reader| reader.get(&api, "v1"))
        .unwrap()
        .unwrap();
    assert_eq!(frozen.parts.len(), 1);
    let patched = gateway
        .patch(
            &format!("{versions}/v1"),
            &[("replace", "/description", Some("new"))],
        )
        .await
        .ok(200);
    assert_eq!(text(&patched, "description"), "new");
    gateway
        .delete(&format!("{versions}/v1"))
        .await
        .is(202, Value::Null);
    let stage = gateway.get(&of("stages/prod")).await.ok(200);
    assert!(stage.get("documentationVersion").is_none());
    gateway
        .get(&format!("{versions}/v1"))
        .await
        .missing("Invalid Documentation version identifier specified");
}

#[tokio::test]
async fn bad_versions_are_refused() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let versions = format!("/restapis/{api}/documentation/versions");
    let unknown_api = "Invalid API identifier specified 000000000000:nope";
    let nowhere = "/restapis/nope/documentation/versions";
    gateway.get(nowhere).await.missing(unknown_api);
    gateway
        .post(nowhere, json!({"documentationVersion": "v"}))
        .await
        .missing(unknown_api);
    gateway.post(&versions, json!({})).await.refused(
        400,
        "ValidationException",
        "1 validation error detected: Value null at 'createDocumentationVersionInput.documentationVersion' failed to satisfy \
         constraint: Member must not be null",
    );
    let blank = json!({"documentationVersion": " "});
    gateway
        .post(&versions, blank)
        .await
        .bad("Documentation version must be non-empty");
    gateway
        .post(
            &versions,
            json!({"documentationVersion": "v", "stageName": "nope"}),
        )
        .await
        .missing("Invalid stage identifier specified");
    gateway.get(&versions).await.is(200, json!({"item": []}));
    gateway
        .post(&versions, json!({"documentationVersion": "v"}))
        .await
        .ok(201);
    gateway
        .patch(&format!("{versions}/v"), &[("replace", "/version", Some("w"))])
        .await
        .bad("Invalid patch path  '/version' specified for op 'replace'. Must be one of: [/description]");
    let unknown = "Invalid Documentation version identifier specified";
    gateway
        .delete(&format!("{versions}/w"))
        .await
        .missing(unknown);
    gateway
        .patch(&format!("{versions}/w"), &[])
        .await
        .missing(unknown);
}
