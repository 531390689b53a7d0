//! Base path mappings over the router.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method, text};

const PATH: &str = "/domainnames/api.example.com/basepathmappings";

/// A gateway with a domain name and an API that is deployed to `prod` and `beta`; the API's id.
async fn gateway() -> (Gateway, String) {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    for stage in ["prod", "beta"] {
        let deployments = format!("/restapis/{api}/deployments");
        let new = json!({"stageName": stage});
        gateway.post(&deployments, new).await.ok(201);
    }
    let domain = json!({"domainName": "api.example.com"});
    gateway.post("/domainnames", domain).await.ok(201);
    (gateway, api)
}

#[tokio::test]
async fn mappings_are_made_shown_listed_and_deleted() {
    let (gateway, api) = gateway().await;
    let none = json!({"basePath": "(none)", "restApiId": api});
    let new = json!({"restApiId": api});
    gateway.post(PATH, new).await.is(201, none.clone());
    gateway
        .get(&format!("{PATH}/%28none%29"))
        .await
        .is(200, none.clone());
    let levels = json!({"basePath": "shop/v1", "restApiId": api, "stage": "prod"});
    gateway
        .post(PATH, levels.clone())
        .await
        .is(201, levels.clone());
    gateway
        .get(&format!("{PATH}/shop%2Fv1"))
        .await
        .is(200, levels.clone());
    gateway
        .get(PATH)
        .await
        .is(200, json!({"item": [none.clone(), levels]}));
    let first = gateway.get(&format!("{PATH}?limit=1")).await.ok(200);
    assert_eq!(first["item"], json!([none]));
    let position = text(&first, "position");
    let second = gateway
        .get(&format!("{PATH}?limit=1&position={position}"))
        .await
        .ok(200);
    assert_eq!(
        (&second["item"][0]["basePath"], second.get("position")),
        (&json!("shop/v1"), None)
    );

    gateway
        .delete(&format!("{PATH}/(none)"))
        .await
        .is(202, Value::Null);
    let unknown = "Invalid base path mapping identifier specified";
    gateway
        .delete(&format!("{PATH}/(none)"))
        .await
        .missing(unknown);
    gateway.get(&format!("{PATH}/a%20b")).await.missing(unknown);
}

#[tokio::test]
async fn what_a_mapping_leads_to_must_be_there() {
    let (gateway, api) = gateway().await;
    let new = |base: &str, api: &str, stage: &str| json!({"basePath": base, "restApiId": api, "stage": stage});
    gateway
        .post(PATH, new("", "none", "prod"))
        .await
        .bad("Invalid REST API identifier specified");
    gateway
        .post(PATH, new("", &api, "none"))
        .await
        .bad("Invalid stage identifier specified");
    gateway.post(PATH, new("v1", &api, "prod")).await.ok(201);
    let twice = "Base path already exists for this domain name";
    gateway
        .post(PATH, new("/v1/", &api, "beta"))
        .await
        .conflict(twice);
    assert_eq!(
        gateway.post(PATH, new("a//b", &api, "prod")).await.status,
        400
    );
    let missing = gateway.post(PATH, json!({"basePath": "x"})).await.refusal();
    assert!(
        missing.contains("'createBasePathMappingInput.restApiId'"),
        "{missing}"
    );
    let other = "/domainnames/other.example.com/basepathmappings";
    let unknown = "Invalid domain name identifier specified";
    gateway
        .post(other, new("", &api, "prod"))
        .await
        .missing(unknown);
    gateway.get(other).await.missing(unknown);
    gateway
        .get(&format!("{other}/(none)"))
        .await
        .missing(unknown);
}

#[tokio::test]
async fn every_member_can_be_patched() {
    let (gateway, api) = gateway().await;
    let (second, _) = api_with_method(&gateway).await;
    gateway
        .post(PATH, json!({"restApiId": api, "stage": "prod"}))
        .await
        .ok(201);
    gateway
        .post(PATH, json!({"restApiId": api, "basePath": "taken"}))
        .await
        .ok(201);
    let none = format!("{PATH}/%28none%29");
    let beta = gateway
        .patch(&none, &[("replace", "/stage", Some("beta"))])
        .await;
    beta.is(
        200,
        json!({"basePath": "(none)", "restApiId": api, "stage": "beta"}),
    );
    let both = [
        ("replace", "/basePath", Some("a/b")),
        ("replace", "/stage", Some("")),
    ];
    gateway
        .patch(&none, &both)
        .await
        .is(200, json!({"basePath": "a/b", "restApiId": api}));
    assert_eq!(gateway.get(&none).await.status, 404);
    let there = format!("{PATH}/a%2Fb");
    let other = gateway
        .patch(&there, &[("replace", "/restapiId", Some(&second))])
        .await;
    other.is(200, json!({"basePath": "a/b", "restApiId": second}));

    let refused =
        async |operation: &[(&str, &str, Option<&str>)]| gateway.patch(&there, operation).await;
    let stage = [("replace", "/stage", Some("prod"))];
    refused(&stage)
        .await
        .bad("Invalid stage identifier specified");
    let nowhere = [("replace", "/restapiId", Some("none"))];
    refused(&nowhere)
        .await
        .bad("Invalid REST API identifier specified");
    let taken = [("replace", "/basePath", Some("taken"))];
    refused(&taken)
        .await
        .conflict("Base path already exists for this domain name");
    refused(&[("replace", "/restApiId", Some(&api))]).await.bad(
        "Invalid patch path  '/restApiId' specified for op 'replace'. Must be one of: [/basePath, /restapiId, /stage]",
    );
    refused(&[("remove", "/stage", None)]).await.bad(
        "Invalid patch path  '/stage' specified for op 'remove'. Please choose supported operations",
    );
    assert_eq!(
        gateway.get(&there).await.ok(200)["restApiId"],
        json!(second),
        "nothing changed"
    );
}

#[tokio::test]
async fn what_a_domain_leads_to_is_not_deleted() {
    let (gateway, api) = gateway().await;
    gateway
        .post("/domainnames", json!({"domainName": "b.example"}))
        .await
        .ok(201);
    let other = "/domainnames/b.example/basepathmappings";
    gateway
        .post(PATH, json!({"restApiId": api, "stage": "prod"}))
        .await
        .ok(201);
    gateway.post(other, json!({"restApiId": api})).await.ok(201);
    let (path, stages) = (
        format!("/restapis/{api}"),
        format!("/restapis/{api}/stages"),
    );
    gateway.delete(&path).await.bad(
        "Deleting RestApi failed. Please remove all base path mappings related to the RestApi in your domains: api.example.com, b.example",
    );
    gateway.delete(&format!("{stages}/prod")).await.bad(
        "Deleting stage prod failed. Please remove all base path mappings related to the stage in your domains: api.example.com",
    );
    gateway.delete(&format!("{stages}/beta")).await.ok(202);
    gateway.delete("/domainnames/api.example.com").await.ok(202);
    gateway.delete(&format!("{stages}/prod")).await.ok(202);
    gateway.delete(&format!("{other}/(none)")).await.ok(202);
    gateway.delete(&path).await.ok(202);
}
