//! Tests of the API key operations, on the wire.

use serde_json::{Value, json};
use tollgate_store::StoreOptions;

use crate::ControlSettings;
use crate::testing::{Gateway, START, text};

const VALUE: &str = "a-value-of-twenty-characters-or-more";

fn names(list: &Value) -> Vec<&str> {
    list["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_created_key_is_disabled_has_a_value_and_no_tags() {
    let gateway = Gateway::new();
    let key = gateway
        .post(
            "/apikeys",
            json!({"name": "n", "colour": "unknown members are ignored"}),
        )
        .await
        .ok(201);
    assert_eq!(key["id"].as_str().unwrap().len(), 10);
    let value = key["value"].as_str().unwrap();
    assert!(value.len() == 40 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let expected = json!({
        "id": key["id"], "value": value, "name": "n", "enabled": false,
        "createdDate": START, "lastUpdatedDate": START, "stageKeys": [],
    });
    assert_eq!(key, expected);
}

#[tokio::test]
async fn what_is_given_at_creation_is_kept() {
    let gateway = Gateway::new();
    let body = json!({
        "name": "n", "description": "d", "enabled": true, "value": VALUE, "customerId": "c", "generateDistinctId": true,
        "stageKeys": [{"restApiId": "a1", "stageName": "s1"}], "tags": {"team": "x"},
    });
    let key = gateway.post("/apikeys", body).await.ok(201);
    assert_eq!(
        (&key["value"], &key["tags"]),
        (&json!(VALUE), &json!({"team": "x"}))
    );
    assert_eq!(
        (&key["stageKeys"], &key["customerId"], &key["enabled"]),
        (&json!(["a1/s1"]), &json!("c"), &json!(true))
    );
    assert_ne!(key["id"], key["value"]);
}

#[tokio::test]
async fn empty_texts_are_as_if_not_given() {
    let gateway = Gateway::new();
    for body in ["", "{}", r#"{"name": "", "value": "", "description": ""}"#] {
        let key = gateway.call("POST", "/apikeys", body).await.ok(201);
        assert!(key.get("name").is_none() && key.get("description").is_none());
        assert_eq!(key["value"].as_str().unwrap().len(), 40);
    }
}

#[tokio::test]
async fn bad_keys_are_refused_in_the_words_of_aws() {
    let gateway = Gateway::new();
    let cases = [
        (
            json!({"name": "n".repeat(1025)}),
            "Invalid API Key name, can be at most 1024 characters.",
        ),
        (
            json!({"value": "short"}),
            "API Key value should be at least 20 characters",
        ),
        (
            json!({"value": "v".repeat(129)}),
            "API Key value exceeds maximum size of 128 characters",
        ),
        (
            json!({"description": "d".repeat(125_001)}),
            "Invalid API Key description specified.",
        ),
    ];
    for (body, text) in cases {
        assert_eq!(
            gateway.post("/apikeys", body).await.refusal(),
            format!("400 BadRequestException: {text}")
        );
    }
    assert_eq!(gateway.audit_log().len(), 0);
}

#[tokio::test]
async fn a_value_is_taken_once() {
    let gateway = Gateway::new();
    gateway
        .post("/apikeys", json!({"value": VALUE}))
        .await
        .ok(201);
    let again = gateway.post("/apikeys", json!({"value": VALUE})).await;
    assert_eq!(
        again.refusal(),
        "409 ConflictException: API Key already exists"
    );
    assert_eq!(
        names(&gateway.get("/apikeys?name=x").await.ok(200)),
        Vec::<&str>::new()
    );
}

#[tokio::test]
async fn values_are_shown_only_where_they_are_asked_for() {
    let gateway = Gateway::new();
    let key = gateway
        .post("/apikeys", json!({"name": "n", "value": VALUE}))
        .await
        .ok(201);
    let path = format!("/apikeys/{}", key["id"].as_str().unwrap());
    let plain = gateway.get(&path).await.ok(200);
    assert!(plain.get("value").is_none());
    assert_eq!(plain["tags"], json!({}));
    assert_eq!(
        gateway
            .get(&format!("{path}?includeValue=true"))
            .await
            .ok(200)["value"],
        VALUE
    );
    let listed = gateway.get("/apikeys").await.ok(200);
    assert!(listed["item"][0].get("value").is_none() && listed["item"][0].get("tags").is_none());
    assert_eq!(
        gateway.get("/apikeys?includeValues=true").await.ok(200)["item"][0]["value"],
        VALUE
    );
}

#[tokio::test]
async fn with_reveal_once_only_the_creation_shows_the_value() {
    let settings = ControlSettings {
        auth: false,
        ..ControlSettings::default()
    };
    let gateway = Gateway::with(
        settings,
        StoreOptions {
            keep_key_values: false,
            ..StoreOptions::default()
        },
    );
    let key = gateway
        .post("/apikeys", json!({"value": VALUE}))
        .await
        .ok(201);
    assert_eq!(key["value"], VALUE);
    let shown = gateway
        .get(&format!(
            "/apikeys/{}?includeValue=true",
            key["id"].as_str().unwrap()
        ))
        .await
        .ok(200);
    assert!(shown.get("value").is_none());
    let again = gateway.post("/apikeys", json!({"value": VALUE})).await;
    assert_eq!(again.status, 409);
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_paged() {
    let gateway = Gateway::new();
    for name in ["alpha", "alphabet", "Alpha", "beta alpha", "gamma"] {
        let customer = if name == "gamma" {
            json!("c1")
        } else {
            Value::Null
        };
        gateway
            .post("/apikeys", json!({"name": name, "customerId": customer}))
            .await
            .ok(201);
    }
    let all = gateway.get("/apikeys?limit=-1").await.ok(200);
    assert_eq!(
        names(&all),
        ["gamma", "beta alpha", "Alpha", "alphabet", "alpha"]
    );
    assert!(all.get("position").is_none());
    let prefix = gateway.get("/apikeys?name=alpha").await.ok(200);
    assert_eq!(names(&prefix), ["alphabet", "alpha"]);
    for none in [
        "/apikeys?name=bet%20",
        "/apikeys?name=ALPHA",
        "/apikeys?customerId=c",
    ] {
        assert_eq!(
            gateway.get(none).await.ok(200),
            json!({"item": []}),
            "{none}"
        );
    }
    assert_eq!(
        names(&gateway.get("/apikeys?customerId=c1").await.ok(200)),
        ["gamma"]
    );
    let first = gateway.get("/apikeys?limit=3").await.ok(200);
    let next = format!(
        "/apikeys?limit=3&position={}",
        first["position"].as_str().unwrap()
    );
    let second = gateway.get(&next).await.ok(200);
    assert_eq!([names(&first), names(&second)].concat(), names(&all));
    assert!(second.get("position").is_none());
    assert_eq!(
        gateway.get("/apikeys?position=nonsense!").await.refusal(),
        "400 BadRequestException: Invalid position specified"
    );
}

#[tokio::test]
async fn an_update_changes_what_it_may_and_never_shows_the_value() {
    let gateway = Gateway::new();
    let key = gateway
        .post("/apikeys", json!({"name": "n", "enabled": true}))
        .await
        .ok(201);
    let path = format!("/apikeys/{}", key["id"].as_str().unwrap());
    gateway.sleep(5);
    let changes = [
        ("replace", "/name", Some("new")),
        ("replace", "/enabled", Some("not-a-boolean")),
        ("replace", "/customerId", Some("c")),
    ];
    let changed = gateway.patch(&path, &changes).await.ok(200);
    assert_eq!(
        (
            &changed["name"],
            &changed["enabled"],
            &changed["customerId"]
        ),
        (&json!("new"), &json!(false), &json!("c"))
    );
    assert_eq!(
        (&changed["createdDate"], &changed["lastUpdatedDate"]),
        (&json!(START), &json!(START + 5))
    );
    assert!(changed.get("value").is_none());
    assert_eq!(changed["tags"], json!({}));
    let staged = gateway
        .patch(&path, &[("add", "/stages", Some("a1/s1"))])
        .await
        .ok(200);
    assert_eq!(staged["stageKeys"], json!(["a1/s1"]));
    assert_eq!(
        gateway
            .patch(&path, &[("remove", "/stages", Some("a1/s1"))])
            .await
            .ok(200)["stageKeys"],
        json!([])
    );
}

#[tokio::test]
async fn a_refused_update_changes_nothing() {
    let gateway = Gateway::new();
    let key = gateway.post("/apikeys", json!({"name": "n"})).await.ok(201);
    let path = format!("/apikeys/{}", key["id"].as_str().unwrap());
    let refused = gateway
        .patch(
            &path,
            &[
                ("replace", "/name", Some("new")),
                ("replace", "/id", Some("x")),
            ],
        )
        .await;
    assert_eq!(
        refused.refusal(),
        "400 BadRequestException: Invalid patch path  '/id' specified for op 'replace'. \
         Must be one of: [/description, /enabled, /name, /customerId]"
    );
    let long = "d".repeat(125_001);
    let refused = gateway
        .patch(&path, &[("replace", "/description", Some(&long))])
        .await;
    assert_eq!(
        refused.refusal(),
        "400 BadRequestException: Invalid API Key description specified."
    );
    assert!(gateway.patch(&path, &[("wrong", "/name", Some("x"))]).await.refusal().starts_with(
        "400 ValidationException: 1 validation error detected: Value 'wrong' at 'updateApiKeyInput.patchOperations.1.member.op'"
    ));
    assert_eq!(gateway.get(&path).await.ok(200)["name"], "n");
}

#[tokio::test]
async fn unknown_keys_are_not_found() {
    let gateway = Gateway::new();
    let expected = "404 NotFoundException: Invalid API Key identifier specified";
    assert_eq!(gateway.get("/apikeys/x").await.refusal(), expected);
    assert_eq!(gateway.delete("/apikeys/x").await.refusal(), expected);
    assert_eq!(
        gateway
            .patch("/apikeys/x", &[("replace", "/name", Some("n"))])
            .await
            .refusal(),
        expected
    );
}

#[tokio::test]
async fn a_deleted_key_leaves_its_plans() {
    let gateway = Gateway::new();
    let key = gateway.post("/apikeys", json!({"name": "n"})).await.ok(201);
    let plan = gateway
        .post("/usageplans", json!({"name": "p"}))
        .await
        .ok(201);
    let keys = format!("/usageplans/{}/keys", plan["id"].as_str().unwrap());
    gateway
        .post(&keys, json!({"keyId": key["id"], "keyType": "API_KEY"}))
        .await
        .ok(201);
    let path = format!("/apikeys/{}", key["id"].as_str().unwrap());
    assert_eq!(gateway.delete(&path).await.ok(202), Value::Null);
    assert_eq!(gateway.get(&keys).await.ok(200), json!({"item": []}));
    assert_eq!(gateway.get(&path).await.status, 404);
}

#[tokio::test]
async fn every_change_is_audited_without_values() {
    let gateway = Gateway::new();
    let key = gateway
        .post("/apikeys", json!({"name": "n", "value": VALUE}))
        .await
        .ok(201);
    gateway
        .patch(
            &format!("/apikeys/{}", key["id"].as_str().unwrap()),
            &[("replace", "/name", Some("m"))],
        )
        .await
        .ok(200);
    let log = gateway.audit_log();
    let operations: Vec<_> = log
        .iter()
        .map(|row| (row.audit.operation.as_str(), row.audit.who.as_str()))
        .collect();
    assert_eq!(
        operations,
        [("UpdateApiKey", "anonymous"), ("CreateApiKey", "anonymous")]
    );
    assert_eq!(
        log[1].audit.what,
        json!({"id": key["id"], "name": "n", "value": "****more"})
    );
    assert_eq!(log[1].audit.at.0, START);
    assert!(!format!("{log:?}").contains(VALUE));
}

#[tokio::test]
async fn wrong_types_and_broken_json_are_serialization_errors() {
    let gateway = Gateway::new();
    assert_eq!(
        gateway
            .post("/apikeys", json!({"name": true}))
            .await
            .refusal(),
        "400 SerializationException: class java.lang.Boolean can not be converted to an String"
    );
    let broken = gateway.call("POST", "/apikeys", "{\"name\": ").await;
    assert!(
        broken
            .refusal()
            .starts_with("400 SerializationException: Could not parse request body into json")
    );
}

#[tokio::test]
async fn customers_and_stage_keys_are_bounded() {
    let gateway = Gateway::new();
    let stages = |count: usize| -> Vec<Value> {
        let stage = |n: usize| json!({"restApiId": format!("a{n}"), "stageName": "s"});
        (0..count).map(stage).collect()
    };
    gateway
        .post("/apikeys", json!({"customerId": "c".repeat(1025)}))
        .await
        .bad("API Key customerId can be at most 1024 characters");
    gateway
        .post("/apikeys", json!({"stageKeys": stages(101)}))
        .await
        .bad("An API Key can have at most 100 stage keys");
    let full = gateway
        .post("/apikeys", json!({"stageKeys": stages(100)}))
        .await
        .ok(201);
    let path = format!("/apikeys/{}", text(&full, "id"));
    gateway
        .patch(&path, &[("add", "/stages", Some("one/more"))])
        .await
        .bad("An API Key can have at most 100 stage keys");
    let long = "c".repeat(1025);
    gateway
        .patch(&path, &[("replace", "/customerId", Some(&long))])
        .await
        .bad("API Key customerId can be at most 1024 characters");
}
