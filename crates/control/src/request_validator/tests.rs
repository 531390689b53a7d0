//! Request validators on the wire, as recorded.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method, text};

#[tokio::test]
async fn a_validator_lives_from_create_to_delete() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let validators = format!("/restapis/{api}/requestvalidators");
    let created = gateway
        .post(&validators, json!({"name": "both"}))
        .await
        .ok(201);
    let id = text(&created, "id");
    let shown = |body: bool, parameters: bool| json!({"id": id, "name": "both", "validateRequestBody": body, "validateRequestParameters": parameters});
    assert_eq!(created, shown(false, false));
    let one = format!("{validators}/{id}");
    gateway.get(&one).await.is(200, shown(false, false));
    let on = [("replace", "/validateRequestBody", Some("true"))];
    gateway.patch(&one, &on).await.is(200, shown(true, false));
    let without_value = [("replace", "/validateRequestBody", None)];
    gateway
        .patch(&one, &without_value)
        .await
        .is(200, shown(false, false));
    gateway
        .get(&validators)
        .await
        .is(200, json!({"item": [shown(false, false)]}));
    gateway.delete(&one).await.is(202, Value::Null);
    gateway
        .get(&one)
        .await
        .missing("Invalid Request Validator identifier specified");
    gateway.get(&validators).await.is(200, json!({"item": []}));
}

#[tokio::test]
async fn bad_validators_are_refused_as_recorded() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let validators = format!("/restapis/{api}/requestvalidators");
    gateway
        .post("/restapis/nope/requestvalidators", json!({"name": "n"}))
        .await
        .bad("Invalid REST API identifier specified");
    gateway
        .get("/restapis/nope/requestvalidators")
        .await
        .missing("Invalid API identifier specified 000000000000:nope");
    let unknown = "Invalid Request Validator identifier specified";
    for api in [api.as_str(), "nope"] {
        let one = format!("/restapis/{api}/requestvalidators/nope");
        gateway.get(&one).await.missing(unknown);
        gateway.delete(&one).await.missing(unknown);
        gateway.patch(&one, &[]).await.missing(unknown);
    }
    let created = gateway.post(&validators, json!({"name": "n"})).await;
    let one = format!("{validators}/{}", text(&created.ok(201), "id"));
    for op in ["add", "remove"] {
        gateway
            .patch(&one, &[(op, "/validateRequestBody", Some("true"))])
            .await
            .bad(&format!(
                "Invalid patch path  '/validateRequestBody' specified for op '{op}'. Please choose supported operations"
            ));
    }
    gateway
        .patch(&one, &[("replace", "/invalidPath", Some("true"))])
        .await
        .bad("Invalid patch path  '/invalidPath' specified for op 'replace'. Must be one of: [/name, /validateRequestParameters, /validateRequestBody]");
    gateway
        .patch(&one, &[("replace", "/name", Some(""))])
        .await
        .bad("Request Validator name cannot be blank");
    gateway
        .post(&validators, json!({"name": " "}))
        .await
        .bad("Request Validator name cannot be blank");
}

#[tokio::test]
async fn a_validator_that_a_method_uses_stays() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let created = gateway
        .post(
            &format!("/restapis/{api}/requestvalidators"),
            json!({"name": "n", "validateRequestParameters": true}),
        )
        .await
        .ok(201);
    let id = text(&created, "id");
    let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
    let with = gateway
        .patch(&method, &[("replace", "/requestValidatorId", Some(&id))])
        .await
        .ok(200);
    assert_eq!(text(&with, "requestValidatorId"), id);
    let one = format!("/restapis/{api}/requestvalidators/{id}");
    gateway.delete(&one).await.conflict(&format!(
        "Cannot delete request validator '{id}', is referenced in method: /test/GET"
    ));
    gateway
        .patch(&method, &[("replace", "/requestValidatorId", Some(""))])
        .await
        .ok(200);
    gateway.delete(&one).await.is(202, Value::Null);
}
