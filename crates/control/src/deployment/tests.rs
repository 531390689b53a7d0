//! Deployments on the wire: freezing, stages that follow, deletion.

use serde_json::{Value, json};
use tollgate_entity::DeploymentContent;
use tollgate_store::StoreError;

use crate::testing::{Gateway, START, api_with_method, text};

#[tokio::test]
async fn a_deployment_is_made_read_described_and_deleted() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/deployments");
    let made = gateway
        .post(&path, json!({"description": "first"}))
        .await
        .ok(201);
    let id = text(&made, "id");
    assert_eq!(
        made,
        json!({"id": id, "description": "first", "createdDate": START})
    );
    let one = format!("{path}/{id}");
    gateway.get(&one).await.is(200, made.clone());
    let mut with_summary = made;
    with_summary["apiSummary"] =
        json!({"/test": {"GET": {"authorizationType": "NONE", "apiKeyRequired": false}}});
    gateway
        .get(&format!("{one}?embed=apisummary"))
        .await
        .is(200, with_summary);
    let described = gateway
        .patch(&one, &[("replace", "/description", Some("second"))])
        .await;
    described.is(
        200,
        json!({"id": id, "description": "second", "createdDate": START}),
    );
    let unnamed = text(&gateway.post(&path, json!({})).await.ok(201), "id");
    let list = gateway.get(&path).await.ok(200);
    let ids: Vec<_> = list["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deployment| text(deployment, "id"))
        .collect();
    assert_eq!(ids, [id, unnamed]);
    gateway.delete(&one).await.is(202, Value::Null);
    for answer in [
        gateway.get(&one).await,
        gateway.delete(&one).await,
        gateway.patch(&one, &[]).await,
    ] {
        answer.missing("Invalid Deployment identifier specified");
    }
}

#[tokio::test]
async fn a_deployment_keeps_what_was_there_and_goes_with_its_content() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/deployments");
    let id = text(&gateway.post(&path, json!({})).await.ok(201), "id");
    let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
    gateway
        .patch(&method, &[("replace", "/apiKeyRequired", Some("true"))])
        .await
        .ok(200);
    gateway
        .delete(&format!("/restapis/{api}/resources/{resource}"))
        .await
        .ok(202);
    let content = |id: String| {
        let look =
            move |reader: &tollgate_store::Reader<'_>| reader.get::<DeploymentContent>(&id, &id);
        gateway
            .control
            .store
            .read_blocking::<_, StoreError>(look)
            .unwrap()
    };
    let frozen = content(id.clone()).unwrap();
    let test = frozen
        .resources
        .iter()
        .find(|resource| resource.path == "/test")
        .unwrap();
    assert!(!test.resource_methods["GET"].api_key_required);
    assert!(test.resource_methods["GET"].method_integration.is_some());
    gateway.delete(&format!("{path}/{id}")).await.ok(202);
    assert_eq!(content(id), None);
}

#[tokio::test]
async fn methods_need_integrations_and_apis_methods() {
    let gateway = Gateway::new();
    let api = gateway
        .post("/restapis", json!({"name": "n"}))
        .await
        .ok(201);
    let (id, root) = (text(&api, "id"), text(&api, "rootResourceId"));
    let path = format!("/restapis/{id}/deployments");
    gateway
        .post(&path, json!({}))
        .await
        .bad("The REST API doesn't contain any methods");
    let method = format!("/restapis/{id}/resources/{root}/methods/GET");
    gateway
        .put(&method, json!({"authorizationType": "NONE"}))
        .await
        .ok(201);
    gateway
        .post(&path, json!({"stageName": "s"}))
        .await
        .bad("No integration defined for method");
    gateway.get(&path).await.is(200, json!({"item": []}));
    gateway
        .get(&format!("/restapis/{id}/stages"))
        .await
        .is(200, json!({"item": []}));
}

#[tokio::test]
async fn a_stage_name_makes_the_stage_or_moves_it() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let (path, stage) = (
        format!("/restapis/{api}/deployments"),
        format!("/restapis/{api}/stages/s1"),
    );
    let first = json!({"stageName": "s1", "stageDescription": "d", "variables": {"a": "1"}, "tracingEnabled": true});
    let first = text(&gateway.post(&path, first).await.ok(201), "id");
    let made = gateway.get(&stage).await.ok(200);
    assert_eq!(
        made,
        json!({
            "stageName": "s1", "deploymentId": first, "description": "d", "variables": {"a": "1"}, "methodSettings": {},
            "cacheClusterEnabled": false, "cacheClusterStatus": "NOT_AVAILABLE", "tracingEnabled": true,
            "createdDate": START, "lastUpdatedDate": START,
        })
    );
    gateway
        .patch(
            &stage,
            &[("replace", "/*/*/throttling/rateLimit", Some("5"))],
        )
        .await
        .ok(200);
    gateway.sleep(7);
    let second = text(
        &gateway
            .post(&path, json!({"stageName": "s1"}))
            .await
            .ok(201),
        "id",
    );
    let moved = gateway.get(&stage).await.ok(200);
    assert_eq!(moved["deploymentId"], json!(second));
    assert_eq!(
        (&moved["createdDate"], &moved["lastUpdatedDate"]),
        (&json!(START), &json!(START + 7))
    );
    assert_eq!(
        (&moved["description"], &moved["variables"]),
        (&json!("d"), &json!({"a": "1"}))
    );
    assert_eq!(moved["methodSettings"]["*/*"]["throttlingRateLimit"], 5.0);
    let in_use = "Active stages pointing to this deployment must be moved or deleted";
    gateway
        .delete(&format!("{path}/{second}"))
        .await
        .bad(in_use);
    gateway.delete(&format!("{path}/{first}")).await.ok(202);
    gateway.delete(&stage).await.ok(202);
    gateway.delete(&format!("{path}/{second}")).await.ok(202);
}

#[tokio::test]
async fn bad_stages_are_refused_with_the_deployment() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/deployments");
    let bad = async |body: Value, text: &str| gateway.post(&path, body).await.bad(text);
    bad(
        json!({"stageName": "a b"}),
        "Stage name only allows a-zA-Z0-9_-",
    )
    .await;
    let name = "Invalid stage variable name: a-b. Please use names with only word characters.";
    bad(json!({"stageName": "s", "variables": {"a-b": "1"}}), name).await;
    let canary =
        |stage: Value| json!({"stageName": stage, "canarySettings": {"percentTraffic": 50}});
    let nameless = "Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. \
                    Provided value is ";
    bad(canary(Value::Null), &format!("{nameless}null")).await;
    bad(canary(json!("")), nameless).await;
    bad(
        canary(json!("non-existing")),
        "Invalid deployment content specified.Stage non-existing must already be created before making a canary release deployment",
    )
    .await;
    gateway.post(&path, json!({"stageName": "s"})).await.ok(201);
    let share = json!({"stageName": "s", "canarySettings": {"percentTraffic": 150}});
    bad(
        share,
        "Invalid percentTraffic value specified, must be between 0.0 and 100.0",
    )
    .await;
    let list = gateway.get(&path).await.ok(200);
    assert_eq!(list["item"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn bad_patches_are_refused() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/deployments");
    let one = format!(
        "{path}/{}",
        text(&gateway.post(&path, json!({})).await.ok(201), "id")
    );
    gateway
        .patch(&one, &[("replace", "/id", Some("x"))])
        .await
        .bad(
            "Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/description]",
        );
    gateway
        .patch(&one, &[("remove", "/description", None)])
        .await
        .bad("Invalid patch path  '/description' specified for op 'remove'. Please choose supported operations");
}

#[tokio::test]
async fn a_canary_deployment_leaves_the_stage_on_its_own() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/deployments");
    let first = gateway
        .post(
            &path,
            json!({"stageName": "s", "cacheClusterEnabled": true}),
        )
        .await;
    let first = text(&first.ok(201), "id");
    let canary = json!({"stageName": "s", "canarySettings": {"percentTraffic": 50, "stageVariableOverrides": {"a": "b"}}});
    let second = text(&gateway.post(&path, canary).await.ok(201), "id");
    let stage = gateway
        .get(&format!("/restapis/{api}/stages/s"))
        .await
        .ok(200);
    assert_eq!(text(&stage, "deploymentId"), first);
    assert_eq!(text(&stage, "cacheClusterStatus"), "AVAILABLE");
    assert_eq!(
        stage["canarySettings"],
        json!({
            "deploymentId": second, "percentTraffic": 50.0, "stageVariableOverrides": {"a": "b"}, "useStageCache": false,
        })
    );
}
