//! Tests of the usage plan key operations, on the wire.

use serde_json::{Value, json};

use crate::testing::{Gateway, text};

async fn plan(gateway: &Gateway) -> String {
    let plan = gateway
        .post("/usageplans", json!({"name": "p"}))
        .await
        .ok(201);
    format!("/usageplans/{}", text(&plan, "id"))
}

async fn key(gateway: &Gateway, name: &str) -> Value {
    gateway
        .post("/apikeys", json!({"name": name}))
        .await
        .ok(201)
}

fn body(key: &Value) -> Value {
    json!({"keyId": key["id"], "keyType": "API_KEY"})
}

#[tokio::test]
async fn a_key_of_a_plan_is_always_shown_with_its_value() {
    let gateway = Gateway::new();
    let (plan, key) = (plan(&gateway).await, key(&gateway, "n").await);
    let expected = json!({"id": key["id"], "type": "API_KEY", "value": key["value"], "name": "n"});
    gateway
        .post(&format!("{plan}/keys"), body(&key))
        .await
        .is(201, expected.clone());
    gateway
        .get(&format!("{plan}/keys/{}", text(&key, "id")))
        .await
        .is(200, expected.clone());
    gateway
        .get(&format!("{plan}/keys"))
        .await
        .is(200, json!({"item": [expected]}));
}

#[tokio::test]
async fn keys_of_a_plan_are_listed_newest_first_by_prefix_and_page() {
    let gateway = Gateway::new();
    let plan = plan(&gateway).await;
    for name in ["b1", "a1", "a2", "B1"] {
        gateway
            .post(&format!("{plan}/keys"), body(&key(&gateway, name).await))
            .await
            .ok(201);
    }
    let names = |list: &Value| -> Vec<String> {
        list["item"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| text(key, "name"))
            .collect()
    };
    assert_eq!(
        names(&gateway.get(&format!("{plan}/keys")).await.ok(200)),
        ["B1", "a2", "a1", "b1"]
    );
    assert_eq!(
        names(&gateway.get(&format!("{plan}/keys?name=a")).await.ok(200)),
        ["a2", "a1"]
    );
    let first = gateway.get(&format!("{plan}/keys?limit=3")).await.ok(200);
    let second = gateway
        .get(&format!(
            "{plan}/keys?limit=3&position={}",
            text(&first, "position")
        ))
        .await
        .ok(200);
    assert_eq!(
        (names(&first).len(), names(&second)),
        (3, vec!["b1".to_owned()])
    );
    assert!(second.get("position").is_none());
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let gateway = Gateway::new();
    let (plan, key) = (plan(&gateway).await, key(&gateway, "n").await);
    let id = text(&key, "id");
    gateway
        .get("/usageplans/nosuch/keys")
        .await
        .is(200, json!({"item": []}));
    gateway
        .post("/usageplans/nosuch/keys", body(&key))
        .await
        .missing("Invalid Usage Plan ID specified");
    gateway
        .post(
            &format!("{plan}/keys"),
            json!({"keyId": "x", "keyType": "API_KEY"}),
        )
        .await
        .missing("Invalid API Key identifier specified");
    gateway
        .get(&format!("{plan}/keys/x"))
        .await
        .missing("Invalid API Key identifier specified");
    gateway
        .get(&format!("{plan}/keys/{id}"))
        .await
        .missing("Invalid Usage Plan ID specified");
    gateway
        .get(&format!("/usageplans/nosuch/keys/{id}"))
        .await
        .missing("Invalid Usage Plan ID specified");
    gateway
        .delete(&format!("{plan}/keys/{id}"))
        .await
        .missing("Invalid Usage Plan ID specified");
}

#[tokio::test]
async fn a_key_is_in_a_plan_once_and_of_one_type() {
    let gateway = Gateway::new();
    let (plan, key) = (plan(&gateway).await, key(&gateway, "n").await);
    let keys = format!("{plan}/keys");
    for wrong in [
        json!({"keyId": key["id"], "keyType": "api_key"}),
        json!({"keyId": key["id"]}),
    ] {
        gateway
            .post(&keys, wrong)
            .await
            .bad("Invalid key type specified. Must be one of [API_KEY]");
    }
    gateway.post(&keys, body(&key)).await.ok(201);
    assert!(
        gateway
            .post(&keys, body(&key))
            .await
            .refusal()
            .starts_with("409 ConflictException: ")
    );
}

#[tokio::test]
async fn a_key_is_in_ten_plans_at_most() {
    let gateway = Gateway::new();
    let key = key(&gateway, "n").await;
    for _ in 0..10 {
        let plan = plan(&gateway).await;
        gateway
            .post(&format!("{plan}/keys"), body(&key))
            .await
            .ok(201);
    }
    let plan = plan(&gateway).await;
    assert_eq!(
        gateway
            .post(&format!("{plan}/keys"), body(&key))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_key_leaves_a_plan_and_lives_on() {
    let gateway = Gateway::new();
    let (plan, key) = (plan(&gateway).await, key(&gateway, "n").await);
    gateway
        .post(&format!("{plan}/keys"), body(&key))
        .await
        .ok(201);
    let id = text(&key, "id");
    gateway
        .delete(&format!("{plan}/keys/{id}"))
        .await
        .is(202, Value::Null);
    gateway
        .get(&format!("{plan}/keys"))
        .await
        .is(200, json!({"item": []}));
    assert_eq!(gateway.get(&format!("/apikeys/{id}")).await.status, 200);
    gateway
        .post(&format!("{plan}/keys"), body(&key))
        .await
        .ok(201);
}
