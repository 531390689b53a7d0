//! Documentation parts on the wire: their life, filters, imports.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method, text};

async fn parts() -> (Gateway, String, String) {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
    let parts = format!("/restapis/{api}/documentation/parts");
    (gateway, parts, method)
}

fn part(location: Value) -> Value {
    json!({"location": location, "properties": "{\"description\":\"d\"}"})
}

#[tokio::test]
async fn a_part_lives_from_create_to_delete() {
    let (gateway, parts, _) = parts().await;
    let created = gateway
        .post(&parts, part(json!({"type": "API"})))
        .await
        .ok(201);
    let id = text(&created, "id");
    let shown =
        |properties: &str| json!({"id": id, "location": {"type": "API"}, "properties": properties});
    assert_eq!(created, shown("{\"description\":\"d\"}"));
    let one = format!("{parts}/{id}");
    gateway.get(&one).await.is(200, created.clone());
    gateway
        .post(&parts, part(json!({"type": "API"})))
        .await
        .conflict("Documentation part already exists for the specified location: type 'API'.");
    gateway
        .patch(&one, &[("replace", "/properties", Some("{\"a\":1}"))])
        .await
        .is(200, shown("{\"a\":1}"));
    gateway
        .get(&parts)
        .await
        .is(200, json!({"item": [shown("{\"a\":1}")]}));
    gateway.delete(&one).await.is(202, Value::Null);
    let unknown = "Invalid Documentation part identifier specified";
    gateway.get(&one).await.missing(unknown);
    gateway.delete(&one).await.missing(unknown);
    gateway.patch(&one, &[]).await.missing(unknown);
}

#[tokio::test]
async fn bad_parts_are_refused_as_recorded() {
    let (gateway, parts, _) = parts().await;
    let api = "Invalid API identifier specified 000000000000:nope";
    let nowhere = "/restapis/nope/documentation/parts";
    gateway.get(nowhere).await.missing(api);
    gateway
        .post(nowhere, part(json!({"type": "API"})))
        .await
        .missing(api);
    gateway.delete(&format!("{nowhere}/x")).await.missing(api);
    let unknown = "Invalid Documentation part identifier specified";
    gateway.get(&format!("{nowhere}/x")).await.missing(unknown);
    gateway
        .post(&parts, part(json!({"type": "INVALID"})))
        .await
        .refused(
            400,
            "ValidationException",
            "1 validation error detected: Value 'INVALID' at 'createDocumentationPartInput.location.type' failed to satisfy \
             constraint: Member must satisfy enum value set: [RESPONSE_BODY, RESPONSE, METHOD, MODEL, AUTHORIZER, \
             RESPONSE_HEADER, RESOURCE, PATH_PARAMETER, REQUEST_BODY, QUERY_PARAMETER, API, REQUEST_HEADER]",
        );
    assert_eq!(gateway.post(&parts, json!({})).await.status, 400);
    for (properties, refusal) in [
        ("", "Documentation part properties must be non-empty"),
        ("[]", "Documentation part properties must be a JSON object"),
        ("{", "Documentation part properties must be a JSON object"),
    ] {
        let body = json!({"location": {"type": "API"}, "properties": properties});
        gateway.post(&parts, body).await.bad(refusal);
    }
    gateway
        .post(&parts, part(json!({"type": "MODEL"})))
        .await
        .bad("Invalid location specified: 'name' is a required field for type 'MODEL'");
    let created = gateway.post(&parts, part(json!({"type": "API"}))).await;
    let one = format!("{parts}/{}", text(&created.ok(201), "id"));
    gateway
        .patch(&one, &[("add", "/properties", Some("{}"))])
        .await
        .bad("Invalid patch path  '/properties' specified for op 'add'. Please choose supported operations");
    gateway
        .patch(&one, &[("replace", "/invalidPath", Some("{}"))])
        .await
        .bad("Invalid patch path  '/invalidPath' specified for op 'replace'. Must be one of: [/properties]");
}

#[tokio::test]
async fn lists_are_filtered_and_paged_and_tell_what_is_not_documented() {
    let (gateway, parts, method) = parts().await;
    gateway
        .patch(
            &method,
            &[(
                "add",
                "/requestParameters/method.request.querystring.q",
                Some("true"),
            )],
        )
        .await
        .ok(200);
    gateway
        .put(&format!("{method}/responses/200"), json!({}))
        .await
        .ok(201);
    for location in [
        json!({"type": "API"}),
        json!({"type": "MODEL", "name": "Empty"}),
        json!({"type": "METHOD", "path": "/test", "method": "GET"}),
        json!({"type": "RESPONSE", "path": "/test", "method": "GET", "statusCode": "200"}),
    ] {
        gateway.post(&parts, part(location)).await.ok(201);
    }
    let types = async |query: &str| -> Vec<String> {
        let list = gateway.get(&format!("{parts}{query}")).await.ok(200);
        let items = list["item"].as_array().unwrap().iter();
        items.map(|one| text(&one["location"], "type")).collect()
    };
    assert_eq!(types("").await, ["API", "MODEL", "METHOD", "RESPONSE"]);
    assert_eq!(types("?locationStatus=DOCUMENTED").await.len(), 4);
    assert_eq!(types("?type=METHOD").await, ["METHOD"]);
    assert_eq!(types("?path=/test").await, ["METHOD", "RESPONSE"]);
    assert_eq!(types("?name=Empty").await, ["MODEL"]);
    assert_eq!(
        types("?locationStatus=UNDOCUMENTED").await,
        ["MODEL", "RESOURCE", "RESOURCE", "QUERY_PARAMETER"]
    );
    let first = gateway.get(&format!("{parts}?limit=3")).await.ok(200);
    let rest = format!("?limit=3&position={}", text(&first, "position"));
    assert_eq!(types(&rest).await, ["RESPONSE"]);
    for bad in ["?type=OTHER", "?locationStatus=LOST"] {
        let answer = gateway.get(&format!("{parts}{bad}")).await;
        assert!(
            answer.refusal().starts_with("400 ValidationException"),
            "{bad}"
        );
    }
}

fn definition(parts: Value) -> String {
    let documentation = json!({"version": "1", "documentationParts": parts});
    json!({"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": {},
           "x-amazon-apigateway-documentation": documentation})
    .to_string()
}

#[tokio::test]
async fn parts_are_imported_merged_or_in_place_of_all() {
    let (gateway, parts, _) = parts().await;
    let import = async |query: &str, body: String| {
        gateway.call("PUT", &format!("{parts}{query}"), body).await
    };
    let first = definition(json!([
        {"location": {"type": "API"}, "properties": {"description": "d", "info": {"a": 1}}},
        {"location": {"type": "METHOD", "path": "/", "method": "GET"}, "properties": {"description": "m"}},
    ]));
    let made = import("", first.clone()).await.ok(200);
    let ids = made["ids"].as_array().unwrap().clone();
    assert_eq!(ids.len(), 2);
    assert!(made.get("warnings").is_none());
    let yaml = "swagger: '2.0'\nx-amazon-apigateway-documentation:\n  documentationParts:\n  - location: {type: RESPONSE, path: /, statusCode: 200}\n    properties:\n      description: fine\n";
    let from_yaml = import("", yaml.to_owned()).await.ok(200);
    let one = format!("{parts}/{}", from_yaml["ids"][0].as_str().unwrap());
    let part = gateway.get(&one).await.ok(200);
    assert_eq!(part["location"]["statusCode"], "200");
    assert_eq!(text(&part, "properties"), "{\"description\":\"fine\"}");
    gateway.delete(&one).await.ok(202);
    let second = definition(json!([
        {"location": {"type": "API"}, "properties": {"description": "new"}},
        {"location": {"type": "MODEL", "name": "Empty"}, "properties": "{\"title\":\"t\"}"},
    ]));
    let merged = import("?mode=merge", second.clone()).await.ok(200);
    assert_eq!(merged["ids"][0], ids[0]);
    let list = gateway.get(&parts).await.ok(200);
    assert_eq!(list["item"].as_array().unwrap().len(), 3);
    let api: Value = serde_json::from_str(&text(&list["item"][0], "properties")).unwrap();
    assert_eq!(api, json!({"description": "new", "info": {"a": 1}}));
    let overwritten = import("?mode=overwrite", second).await.ok(200);
    let list = gateway.get(&parts).await.ok(200);
    let now: Vec<&Value> = list["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(json!(now), overwritten["ids"]);
}

#[tokio::test]
async fn what_cannot_be_imported_warns_or_refuses_all() {
    let (gateway, parts, _) = parts().await;
    let import = async |query: &str, body: String| {
        gateway.call("PUT", &format!("{parts}{query}"), body).await
    };
    let unreadable = "Unable to build importer with provided input.";
    for bad in ["", "{", "[]", "{\"info\": {}}"] {
        import("", bad.to_owned()).await.bad(unreadable);
    }
    import("?mode=replace", definition(json!([])))
        .await
        .bad("Enumeration value of OpenAPI import mode must be \"overwrite\" or \"merge\"");
    let doubtful = definition(json!([
        {"location": {"type": "API"}, "properties": {"a": 1}},
        {"location": {"type": "MODEL"}, "properties": {"a": 1}},
        {"location": {"type": "API"}, "properties": {"a": 2}},
        7,
    ]));
    let refused = import("?failonwarnings=true", doubtful.clone()).await;
    let message = text(&refused.body, "message");
    assert_eq!(refused.status, 400);
    assert!(
        message.contains(
            "documentationParts[1]: Invalid location specified: 'name' is a required field"
        ),
        "{message}"
    );
    gateway.get(&parts).await.is(200, json!({"item": []}));
    let done = import("", doubtful).await.ok(200);
    assert_eq!(done["ids"].as_array().unwrap().len(), 1);
    assert_eq!(done["warnings"].as_array().unwrap().len(), 3);
    let list = gateway.get(&parts).await.ok(200);
    assert_eq!(text(&list["item"][0], "properties"), "{\"a\":2}");
}
