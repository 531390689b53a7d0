//! VPC links over the router.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method, text};

const ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/1";

#[tokio::test]
async fn links_are_available_at_once() {
    let gateway = Gateway::new();
    let new = json!({"name": "l", "description": "d", "targetArns": [ARN], "tags": {"a": "b"}});
    let made = gateway.post("/vpclinks", new.clone()).await.ok(202);
    let mut expected = new;
    expected["id"] = made["id"].clone();
    expected["status"] = json!("AVAILABLE");
    assert_eq!((&made, text(&made, "id").len()), (&expected, 6));
    let path = format!("/vpclinks/{}", text(&made, "id"));
    gateway.get(&path).await.is(200, expected.clone());
    gateway
        .get("/vpclinks?limit=1")
        .await
        .is(200, json!({"item": [expected]}));
    let changed = gateway
        .patch(
            &path,
            &[
                ("replace", "/name", Some("m")),
                ("replace", "/description", Some("")),
            ],
        )
        .await
        .ok(200);
    assert_eq!(
        (&changed["name"], changed.get("description")),
        (&json!("m"), None)
    );
    gateway
        .patch(&path, &[("replace", "/name", Some(""))])
        .await
        .bad("Name cannot be empty");
    gateway.patch(&path, &[("replace", "/targetArns", Some(ARN))]).await.bad(
        "Invalid patch path  '/targetArns' specified for op 'replace'. Must be one of: [/name, /description]",
    );
    gateway.delete(&path).await.is(202, Value::Null);
    let unknown = "Invalid Vpc Link identifier specified";
    gateway.get(&path).await.missing(unknown);
    gateway.patch(&path, &[]).await.missing(unknown);
    gateway.delete(&path).await.missing(unknown);
}

#[tokio::test]
async fn a_link_has_a_name_and_one_target() {
    let gateway = Gateway::new();
    let new = |name: &str, arns: &[&str]| {
        gateway.post("/vpclinks", json!({"name": name, "targetArns": arns}))
    };
    new("", &[ARN]).await.bad("Name cannot be empty");
    new("l", &["invalid-arn"])
        .await
        .bad("Invalid ARN. ARN is not well formed invalid-arn");
    for arns in [&[][..], &[ARN, ARN]] {
        new("l", arns)
            .await
            .bad("A VPC link must have exactly one target ARN");
    }
    let missing = gateway.post("/vpclinks", json!({})).await.refusal();
    assert!(
        missing.contains("2 validation errors detected"),
        "{missing}"
    );
}

#[tokio::test]
async fn an_integration_names_a_link_that_is_there_and_keeps_it() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/resources/{resource}/methods/GET/integration");
    let through = |id: &str| {
        json!({"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "http://nlb.example/x",
               "connectionType": "VPC_LINK", "connectionId": id})
    };
    let unknown = "Invalid Vpc Link identifier specified";
    gateway.put(&path, through("none")).await.bad(unknown);
    let link = gateway
        .post("/vpclinks", json!({"name": "l", "targetArns": [ARN]}))
        .await
        .ok(202);
    let link = text(&link, "id");
    let put = gateway.put(&path, through(&link)).await.ok(201);
    assert_eq!(put["connectionId"], json!(link));
    gateway
        .patch(&path, &[("replace", "/connectionId", Some("none"))])
        .await
        .bad(unknown);
    gateway.delete(&format!("/vpclinks/{link}")).await.bad(&format!(
        "Cannot delete vpc link. Vpc link '{link}', is referenced in [GET:{resource}] in format of [Method:Resource]."
    ));
    gateway.delete(&path).await.ok(204);
    gateway.delete(&format!("/vpclinks/{link}")).await.ok(202);
}
