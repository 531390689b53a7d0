//! Models on the wire: the two that every API has.

use serde_json::{Value, json};

use crate::testing::{Gateway, text};

#[tokio::test]
async fn every_api_has_empty_and_error() {
    let gateway = Gateway::new();
    let api = text(
        &gateway
            .post("/restapis", json!({"name": "n"}))
            .await
            .ok(201),
        "id",
    );
    let models = gateway
        .get(&format!("/restapis/{api}/models"))
        .await
        .ok(200);
    let [empty, error] = models["item"].as_array().unwrap().as_slice() else {
        panic!("{models}")
    };
    assert_eq!(
        (text(empty, "name"), text(error, "name")),
        ("Empty".to_owned(), "Error".to_owned())
    );
    assert_eq!(
        text(empty, "description"),
        "This is a default empty schema model"
    );
    assert_eq!(text(error, "contentType"), "application/json");
    let schema: Value = serde_json::from_str(&text(error, "schema")).unwrap();
    assert_eq!(
        schema,
        json!({
            "$schema": "http://json-schema.org/draft-04/schema#", "title": "Error Schema", "type": "object",
            "properties": {"message": {"type": "string"}},
        })
    );
    gateway
        .get(&format!("/restapis/{api}/models/Error?flatten=true"))
        .await
        .is(200, error.clone());
    gateway
        .get(&format!("/restapis/{api}/models/Nope"))
        .await
        .missing("Invalid model name specified: Nope");
    gateway
        .get("/restapis/nope/models/Empty")
        .await
        .missing("Invalid model name specified: Empty");
}

#[tokio::test]
async fn models_are_paged_by_name() {
    let gateway = Gateway::new();
    let api = text(
        &gateway
            .post("/restapis", json!({"name": "n"}))
            .await
            .ok(201),
        "id",
    );
    let first = gateway
        .get(&format!("/restapis/{api}/models?limit=1"))
        .await
        .ok(200);
    assert_eq!(first["item"][0]["name"], "Empty");
    let second = gateway
        .get(&format!(
            "/restapis/{api}/models?limit=1&position={}",
            text(&first, "position")
        ))
        .await
        .ok(200);
    assert_eq!(second["item"][0]["name"], "Error");
    assert!(second.get("position").is_none());
}
