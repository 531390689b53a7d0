//! Making, listing and deleting access keys.

use serde_json::json;

use crate::testing::{Gateway, text};

#[tokio::test]
async fn a_key_is_told_its_secret_once_and_the_last_one_stays() {
    let gateway = Gateway::new();
    let make = |label: &str| gateway.post("/tollgate/access-keys", json!({ "label": label }));
    let first = make("ci").await.ok(201);
    let second = make(" laptop ").await.ok(201);
    assert_eq!(text(&second, "label"), "laptop");
    assert_eq!(text(&first, "secretAccessKey").len(), 40);
    let listed = gateway.get("/tollgate/access-keys").await.ok(200);
    let ids: Vec<_> = listed["item"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|key| key.get("secretAccessKey").is_none()));

    let path = |key| format!("/tollgate/access-keys/{}", text(key, "accessKeyId"));
    gateway.delete(&path(&first)).await.ok(204);
    gateway
        .delete(&path(&first))
        .await
        .missing("Invalid access key identifier specified");
    gateway
        .delete(&path(&second))
        .await
        .conflict("This is the last access key. Make another one before you delete it.");
}

#[tokio::test]
async fn a_label_says_something() {
    let gateway = Gateway::new();
    for label in ["", "  ", &"x".repeat(257)] {
        gateway
            .post("/tollgate/access-keys", json!({ "label": label }))
            .await
            .bad("label must say whose the key is or what for, in 1 to 256 characters");
    }
}

#[tokio::test]
async fn the_audit_log_has_the_id_and_not_the_secret() {
    let gateway = Gateway::new();
    let made = gateway
        .post("/tollgate/access-keys", json!({"label": "ci"}))
        .await
        .ok(201);
    let row = gateway.audit_log().remove(0).audit;
    assert_eq!(row.operation, "CreateAccessKey");
    assert_eq!(
        row.what,
        json!({"label": "ci", "accessKeyId": made["accessKeyId"]})
    );
}
