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

/// An API, the path of its models.
async fn models() -> (Gateway, String, String) {
    let gateway = Gateway::new();
    let created = gateway.post("/restapis", json!({"name": "n"})).await;
    let api = text(&created.ok(201), "id");
    let models = format!("/restapis/{api}/models");
    (gateway, api, models)
}

fn new(name: &str, schema: &Value) -> Value {
    json!({"name": name, "contentType": "application/json", "schema": schema.to_string()})
}

#[tokio::test]
async fn a_model_lives_from_create_to_delete() {
    let (gateway, _, models) = models().await;
    let mut body = new("Pet", &json!({"title": "Pet", "type": "object"}));
    body["description"] = json!("A pet");
    let created = gateway.post(&models, body.clone()).await.ok(201);
    body["id"] = created["id"].clone();
    assert_eq!(created, body);
    let one = format!("{models}/Pet");
    gateway.get(&one).await.is(200, body.clone());
    let patched = gateway
        .patch(
            &one,
            &[
                ("replace", "/description", Some("")),
                ("replace", "/schema", Some("{\"type\": \"string\"}")),
            ],
        )
        .await
        .ok(200);
    assert!(patched.get("description").is_none());
    assert_eq!(text(&patched, "schema"), "{\"type\": \"string\"}");
    gateway.delete(&one).await.is(202, Value::Null);
    gateway
        .get(&one)
        .await
        .missing("Invalid model name specified: Pet");
}

#[tokio::test]
async fn bad_models_are_refused_as_recorded() {
    let (gateway, _, models) = models().await;
    let schema = json!({"type": "object"});
    let post = async |body: Value| gateway.post(&models, body).await;
    gateway
        .post("/restapis/nope/models", new("Pet", &schema))
        .await
        .missing("Invalid API identifier specified 000000000000:nope");
    gateway
        .get("/restapis/nope/models")
        .await
        .missing("Invalid API identifier specified 000000000000:nope");
    for (method, path) in [
        ("GET", "/Pet"),
        ("DELETE", "/Pet"),
        ("PATCH", "/Pet"),
        ("GET", "/Pet/default_template"),
    ] {
        gateway
            .call(method, &format!("{models}{path}"), "{}")
            .await
            .missing("Invalid model name specified: Pet");
    }
    post(new("", &schema))
        .await
        .bad("Model name must be non-empty");
    post(new("Pet_1", &schema))
        .await
        .bad("Model name must be alphanumeric: Pet_1");
    let mut typed = new("Pet", &schema);
    typed["contentType"] = json!("json");
    post(typed)
        .await
        .bad("Invalid content type specified: json");
    let empty = "Model schema must have at least 1 property or array items defined";
    for content_type in ["application/json", "application/xml"] {
        post(json!({"name": "Pet", "contentType": content_type}))
            .await
            .bad(empty);
        post(json!({"name": "Pet", "contentType": content_type, "schema": ""}))
            .await
            .bad(empty);
    }
    post(json!({"schema": "{}"})).await.refused(
        400,
        "ValidationException",
        "2 validation errors detected: Value null at 'createModelInput.name' failed to satisfy constraint: Member must not be \
         null; Value null at 'createModelInput.contentType' failed to satisfy constraint: Member must not be null",
    );
    post(new("Empty", &schema))
        .await
        .conflict("Model name already exists for this REST API");
    post(new("Pet", &schema)).await.ok(201);
    let one = format!("{models}/Pet");
    let patch = async |op: &str, path: &str, value: &str| {
        gateway.patch(&one, &[(op, path, Some(value))]).await
    };
    patch("replace", "/schema", "").await.bad(empty);
    patch("add", "/wrong-path", "x")
        .await
        .bad("Invalid patch path  '/wrong-path' specified for op 'add'. Please choose supported operations");
    patch("replace", "/name", "x")
        .await
        .bad("Invalid patch path  '/name' specified for op 'replace'. Must be one of: [/description, /schema]");
}

#[tokio::test]
async fn a_model_that_is_named_somewhere_stays() {
    let (gateway, api, models) = models().await;
    gateway
        .post(&models, new("Pet", &json!({"type": "object"})))
        .await
        .ok(201);
    let reference = format!("https://apigateway.amazonaws.com/restapis/{api}/models/Pet");
    gateway
        .post(&models, new("Pets", &json!({"items": {"$ref": reference}})))
        .await
        .ok(201);
    let root = text(
        &gateway.get(&format!("/restapis/{api}")).await.ok(200),
        "rootResourceId",
    );
    let method = format!("/restapis/{api}/resources/{root}/methods/ANY");
    let named = json!({"application/json": "Pet"});
    gateway
        .put(
            &method,
            json!({"authorizationType": "NONE", "requestModels": named}),
        )
        .await
        .ok(201);
    let response = format!("{method}/responses/200");
    gateway
        .put(&response, json!({"responseModels": named}))
        .await
        .ok(201);
    let one = format!("{models}/Pet");
    let conflict = |place: &str| format!("Cannot delete model 'Pet', is referenced in {place}");
    gateway
        .delete(&one)
        .await
        .conflict(&conflict("method request: //ANY"));
    gateway
        .patch(
            &method,
            &[("remove", "/requestModels/application~1json", None)],
        )
        .await
        .ok(200);
    gateway
        .delete(&one)
        .await
        .conflict(&conflict("method response: //ANY"));
    gateway.delete(&response).await.ok(204);
    gateway
        .delete(&one)
        .await
        .conflict(&conflict("model: Pets"));
    gateway.delete(&format!("{models}/Pets")).await.ok(202);
    gateway.delete(&one).await.ok(202);
}

#[tokio::test]
async fn models_that_refer_to_each_other_are_flattened_and_sampled() {
    let (gateway, api, models) = models().await;
    let reference = |name: &str| json!({"$ref": format!("https://apigateway.amazonaws.com/restapis/{api}/models/{name}")});
    let owner = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    gateway.post(&models, new("Owner", &owner)).await.ok(201);
    let pet = json!({"type": "object", "properties": {"id": {"type": "integer"}, "owner": reference("Owner")}});
    gateway.post(&models, new("Pet", &pet)).await.ok(201);
    // Closes the circle; the two refer to each other from now on.
    let mut circle = owner.clone();
    circle["properties"]["pets"] = json!({"type": "array", "items": reference("Pet")});
    gateway
        .patch(
            &format!("{models}/Owner"),
            &[("replace", "/schema", Some(&circle.to_string()))],
        )
        .await
        .ok(200);
    let flat = gateway
        .get(&format!("{models}/Pet?flatten=true"))
        .await
        .ok(200);
    let flat: Value = serde_json::from_str(&text(&flat, "schema")).unwrap();
    assert_eq!(
        flat["properties"]["owner"],
        json!({"$ref": "#/definitions/Owner"})
    );
    assert_eq!(
        flat["definitions"]["Owner"]["properties"]["pets"]["items"],
        json!({"$ref": "#/definitions/Pet"})
    );
    assert_eq!(
        flat["definitions"]["Pet"]["properties"]["id"],
        json!({"type": "integer"})
    );
    let plain = gateway.get(&format!("{models}/Pet")).await.ok(200);
    assert_eq!(text(&plain, "schema"), pet.to_string());
    let template = gateway
        .get(&format!("{models}/Pet/default_template"))
        .await
        .ok(200);
    let template = text(&template, "value");
    assert!(template.starts_with("#set($inputRoot = $input.path('$'))\n{\n  \"id\" : 42,\n  \"owner\" : {\n    \"name\" : \"foo\",\n"), "{template}");
    gateway
        .get(&format!("{models}/Empty/default_template"))
        .await
        .is(
            200,
            json!({"value": "#set($inputRoot = $input.path('$'))\n{ }"}),
        );
}
