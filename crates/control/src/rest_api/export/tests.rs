//! Exports over the router: AWS's shape, its headers, and that importing one gives the same API again.

use serde_json::{Value, json};

use crate::testing::{Gateway, text};

async fn deployed(gateway: &Gateway, definition: &Value) -> String {
    let api = gateway
        .call("POST", "/restapis?mode=import", definition.to_string())
        .await
        .ok(201);
    let id = text(&api, "id");
    let deployment = json!({"stageName": "local"});
    gateway
        .post(&format!("/restapis/{id}/deployments"), deployment)
        .await
        .ok(201);
    id
}

fn pets() -> Value {
    json!({
        "swagger": "2.0", "info": {"title": "Pets", "version": "1.0.0"},
        "x-amazon-apigateway-binary-media-types": ["image/png"],
        "securityDefinitions": {"key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
        "paths": {"/pets/{petId}": {"get": {
            "security": [{"key": []}], "operationId": "GetPet", "produces": ["application/json"],
            "parameters": [{"name": "petId", "in": "path", "required": true, "type": "string"}, {"name": "q", "in": "query", "type": "string"}],
            "responses": {"200": {"description": "", "schema": {"$ref": "#/definitions/Pet"}, "headers": {"X-A": {"type": "string"}}}},
            "x-amazon-apigateway-integration": {
                "type": "http", "httpMethod": "GET", "uri": "http://127.0.0.1:1/{id}",
                "requestParameters": {"integration.request.path.id": "method.request.path.petId"},
                "responses": {"default": {"statusCode": "200", "responseParameters": {"method.response.header.X-A": "'*'"}}},
            },
        }}},
        "definitions": {"Pet": {"type": "object", "properties": {"kind": {"$ref": "#/definitions/Kind"}}}, "Kind": {"type": "string", "enum": ["dog"]}},
    })
}

#[tokio::test]
async fn swagger_has_the_shape_that_was_recorded() {
    let gateway = Gateway::new();
    let id = deployed(&gateway, &pets()).await;
    let path = format!("/restapis/{id}/stages/local/exports/swagger");
    let answer = gateway.get(&path).await;
    assert_eq!(answer.headers["content-type"], "application/octet-stream");
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"swagger_1.0.0.json\""
    );
    let mut operation = json!({
        "operationId": "GetPet", "produces": ["application/json"],
        "parameters": [
            {"name": "petId", "in": "path", "required": true, "type": "string"},
            {"name": "q", "in": "query", "required": false, "type": "string"},
        ],
        "responses": {"200": {"description": "200 response", "schema": {"$ref": "#/definitions/Pet"}, "headers": {"X-A": {"type": "string"}}}},
        "security": [{"api_key": []}],
    });
    let mut expected = json!({
        "swagger": "2.0", "info": {"version": "1.0.0", "title": "Pets"},
        "host": format!("{id}.execute-api.us-east-1.amazonaws.com"), "basePath": "/local", "schemes": ["https"],
        "paths": {"/pets/{petId}": {"get": operation}},
        "securityDefinitions": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
        "definitions": {"Pet": {"type": "object", "properties": {"kind": {"$ref": "#/definitions/Kind"}}}, "Kind": {"type": "string", "enum": ["dog"]}},
    });
    assert_eq!(answer.body, expected);

    operation["x-amazon-apigateway-integration"] = json!({
        "type": "http", "httpMethod": "GET", "uri": "http://127.0.0.1:1/{id}", "passthroughBehavior": "when_no_match",
        "requestParameters": {"integration.request.path.id": "method.request.path.petId"},
        "responses": {"default": {"statusCode": "200", "responseParameters": {"method.response.header.X-A": "'*'"}}},
    });
    expected["paths"]["/pets/{petId}"]["get"] = operation;
    let integrations = gateway
        .get(&format!("{path}?extensions=integrations,validators"))
        .await
        .ok(200);
    assert_eq!(integrations, expected);
    expected["x-amazon-apigateway-binary-media-types"] = json!(["image/png"]);
    assert_eq!(
        gateway
            .get(&format!("{path}?extensions=apigateway"))
            .await
            .ok(200),
        expected
    );
}

#[tokio::test]
async fn oas30_has_the_shape_that_was_recorded() {
    let gateway = Gateway::new();
    let id = deployed(&gateway, &pets()).await;
    let path = format!("/restapis/{id}/stages/local/exports/oas30");
    let answer = gateway.get(&path).await;
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"oas30_1.0.0.json\""
    );
    assert_eq!(
        answer.body,
        json!({
            "openapi": "3.0.1", "info": {"title": "Pets", "version": "1.0.0"},
            "servers": [{"url": format!("https://{id}.execute-api.us-east-1.amazonaws.com/{{basePath}}"), "variables": {"basePath": {"default": "local"}}}],
            "paths": {"/pets/{petId}": {"get": {
                "operationId": "GetPet",
                "parameters": [
                    {"name": "petId", "in": "path", "required": true, "schema": {"type": "string"}},
                    {"name": "q", "in": "query", "schema": {"type": "string"}},
                ],
                "responses": {"200": {
                    "description": "200 response", "headers": {"X-A": {"schema": {"type": "string"}}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                }},
                "security": [{"api_key": []}],
            }}},
            "components": {
                "schemas": {"Pet": {"type": "object", "properties": {"kind": {"$ref": "#/components/schemas/Kind"}}}, "Kind": {"type": "string", "enum": ["dog"]}},
                "securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
            },
        })
    );
}

#[tokio::test]
async fn an_export_is_of_what_is_deployed_and_is_told_where_there_is_none() {
    let gateway = Gateway::new();
    let mut definition = pets();
    definition["info"] = json!({"title": "t"});
    let id = deployed(&gateway, &definition).await;
    definition["paths"] = json!({});
    gateway
        .call(
            "PUT",
            &format!("/restapis/{id}?mode=overwrite"),
            definition.to_string(),
        )
        .await
        .ok(200);
    let stages = format!("/restapis/{id}/stages");
    let answer = gateway.get(&format!("{stages}/local/exports/oas30")).await;
    let name = "attachment; filename=\"oas30_2023-11-14T22:13:20Z.json\"";
    assert_eq!(answer.headers["content-disposition"], name);
    assert!(answer.body["paths"]["/pets/{petId}"].is_object());
    gateway
        .get(&format!("{stages}/gone/exports/oas30"))
        .await
        .missing("Invalid stage identifier specified");
    gateway
        .get(&format!("{stages}/local/exports/raml"))
        .await
        .bad("Invalid export type specified: raml. Must be one of: [oas30, swagger]");
}

#[tokio::test]
async fn the_two_models_of_a_new_api_are_exported_where_they_are_used() {
    let gateway = Gateway::new();
    let (id, resource) = crate::testing::api_with_method(&gateway).await;
    let method = format!("/restapis/{id}/resources/{resource}/methods/GET");
    let models = json!({"responseModels": {"application/json": "Empty"}});
    gateway
        .put(&format!("{method}/responses/200"), models)
        .await
        .ok(201);
    gateway
        .post(
            &format!("/restapis/{id}/deployments"),
            json!({"stageName": "s"}),
        )
        .await
        .ok(201);
    let export = gateway
        .get(&format!("/restapis/{id}/stages/s/exports/swagger"))
        .await
        .ok(200);
    assert_eq!(
        export["definitions"],
        json!({"Empty": {"title": "Empty Schema", "type": "object"}})
    );
}
