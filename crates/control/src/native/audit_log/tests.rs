//! Reading the audit log.

use serde_json::{Value, json};

use crate::testing::Gateway;

async fn operations(gateway: &Gateway, query: &str) -> Vec<String> {
    let listed = gateway
        .get(&format!("/tollgate/audit?{query}"))
        .await
        .ok(200);
    let names = listed["item"].as_array().unwrap().iter();
    names
        .map(|row: &Value| row["operation"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn changes_are_found_newest_first_by_who_operation_and_text() {
    let gateway = Gateway::new();
    gateway
        .post("/apikeys", json!({"name": "alice"}))
        .await
        .ok(201);
    gateway
        .post("/usageplans", json!({"name": "Free"}))
        .await
        .ok(201);
    gateway
        .post("/apikeys", json!({"name": "bob"}))
        .await
        .ok(201);
    assert_eq!(
        operations(&gateway, "").await,
        ["CreateApiKey", "CreateUsagePlan", "CreateApiKey"]
    );
    assert_eq!(
        operations(&gateway, "operation=CreateUsagePlan").await,
        ["CreateUsagePlan"]
    );
    assert_eq!(operations(&gateway, "text=ALICE").await, ["CreateApiKey"]);
    assert_eq!(
        operations(&gateway, "who=anonymous&text=free").await.len(),
        1
    );
    assert!(operations(&gateway, "who=nobody").await.is_empty());
    assert!(operations(&gateway, "text=%25").await.is_empty());
}

#[tokio::test]
async fn pages_join() {
    let gateway = Gateway::new();
    for n in 0..5 {
        gateway
            .post("/apikeys", json!({"name": format!("k{n}")}))
            .await
            .ok(201);
    }
    let mut names = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = gateway
            .get(&format!("/tollgate/audit?{query}"))
            .await
            .ok(200);
        for row in page["item"].as_array().unwrap() {
            names.push(row["what"]["name"].as_str().unwrap().to_owned());
        }
        match page["position"].as_str() {
            Some(position) => query = format!("limit=2&position={position}"),
            None => break,
        }
    }
    assert_eq!(names, ["k4", "k3", "k2", "k1", "k0"]);
}
