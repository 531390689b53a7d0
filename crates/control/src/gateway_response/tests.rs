//! Gateway responses on the wire, as recorded: defaults, what is defined, what is inherited.

use serde_json::{Value, json};

use super::TYPES;
use crate::testing::{Gateway, api_with_method, text};

const TEMPLATE: &str = "{\"message\":$context.error.messageString}";

fn shown(kind: &str, status: &str, default: bool) -> Value {
    json!({
        "responseType": kind, "statusCode": status, "defaultResponse": default, "responseParameters": {},
        "responseTemplates": {"application/json": TEMPLATE},
    })
}

async fn responses() -> (Gateway, String) {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let responses = format!("/restapis/{api}/gatewayresponses");
    (gateway, responses)
}

#[tokio::test]
async fn all_types_are_listed_by_name_with_aws_defaults() {
    let (gateway, responses) = responses().await;
    let list = gateway.get(&responses).await.ok(200);
    let list = list["item"].as_array().unwrap();
    let names: Vec<String> = list.iter().map(|one| text(one, "responseType")).collect();
    let mut sorted: Vec<String> = TYPES.iter().map(|name| (*name).to_owned()).collect();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(list[0], shown("ACCESS_DENIED", "403", true));
    let four = list.iter().find(|one| one["responseType"] == "DEFAULT_4XX");
    assert!(four.unwrap().get("statusCode").is_none());
    let page = gateway.get(&format!("{responses}?limit=20")).await.ok(200);
    let rest = format!("{responses}?limit=20&position={}", text(&page, "position"));
    let rest = gateway.get(&rest).await.ok(200);
    assert_eq!(rest["item"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_put_takes_defaults_for_what_is_left_out_and_goes_back_when_deleted() {
    let (gateway, responses) = responses().await;
    let one = format!("{responses}/MISSING_AUTHENTICATION_TOKEN");
    let default = shown("MISSING_AUTHENTICATION_TOKEN", "403", true);
    gateway.get(&one).await.is(200, default.clone());
    gateway
        .put(&one, json!({"statusCode": "404"}))
        .await
        .is(201, shown("MISSING_AUTHENTICATION_TOKEN", "404", false));
    let parameters = json!({
        "gatewayresponse.header.Access-Control-Allow-Origin": "'a.b.c'",
        "gatewayresponse.header.x-request-path": "method.request.path.petId",
        "gatewayresponse.header.x-id": "context.requestId",
        "gatewayresponse.header.x-a": "stageVariables.a",
    });
    let mut expected = shown("MISSING_AUTHENTICATION_TOKEN", "403", false);
    expected["responseParameters"] = parameters.clone();
    gateway
        .put(&one, json!({"responseParameters": parameters}))
        .await
        .is(201, expected.clone());
    gateway.get(&one).await.is(200, expected);
    gateway.delete(&one).await.is(202, Value::Null);
    gateway.get(&one).await.is(200, default);
    gateway
        .delete(&one)
        .await
        .missing("Gateway response type not defined on api");
}

#[tokio::test]
async fn a_class_hands_down_what_its_types_do_not_define() {
    let (gateway, responses) = responses().await;
    let templates = json!({"application/xml": "<m>$context.error.message</m>"});
    let class = json!({
        "statusCode": "599", "responseTemplates": templates,
        "responseParameters": {"gatewayresponse.header.x": "'y'"},
    });
    gateway
        .put(&format!("{responses}/DEFAULT_5XX"), class)
        .await
        .ok(201);
    let own = json!({"responseParameters": {"gatewayresponse.header.foo": "'bar'"}});
    let defined = gateway
        .put(&format!("{responses}/AUTHORIZER_FAILURE"), own)
        .await
        .ok(201);
    assert_eq!(text(&defined, "statusCode"), "500");
    assert_eq!(
        defined["responseTemplates"],
        json!({"application/json": TEMPLATE})
    );
    let inherits = gateway
        .get(&format!("{responses}/INTEGRATION_TIMEOUT"))
        .await;
    inherits.is(
        200,
        json!({
            "responseType": "INTEGRATION_TIMEOUT", "statusCode": "599", "defaultResponse": true,
            "responseTemplates": templates, "responseParameters": {"gatewayresponse.header.x": "'y'"},
        }),
    );
    // Without a status of its own the class leaves each type its own.
    gateway
        .put(
            &format!("{responses}/DEFAULT_4XX"),
            json!({"responseParameters": {"gatewayresponse.header.x": "'z'"}}),
        )
        .await
        .ok(201);
    let throttled = gateway.get(&format!("{responses}/THROTTLED")).await.ok(200);
    assert_eq!(text(&throttled, "statusCode"), "429");
    assert_eq!(
        throttled["responseParameters"]["gatewayresponse.header.x"],
        "'z'"
    );
}

#[tokio::test]
async fn patches_define_and_change() {
    let (gateway, responses) = responses().await;
    let one = format!("{responses}/DEFAULT_4XX");
    gateway
        .patch(&one, &[("replace", "/statusCode", Some("444"))])
        .await
        .is(200, shown("DEFAULT_4XX", "444", false));
    let header = "/responseParameters/gatewayresponse.header.x";
    let changed = gateway
        .patch(
            &one,
            &[
                ("add", header, Some("'a'")),
                ("replace", header, Some("'b'")),
                ("add", "/responseTemplates/application~1xml", Some("<m/>")),
                ("remove", "/responseTemplates/application~1json", None),
            ],
        )
        .await
        .ok(200);
    assert_eq!(
        changed["responseParameters"],
        json!({"gatewayresponse.header.x": "'b'"})
    );
    assert_eq!(
        changed["responseTemplates"],
        json!({"application/xml": "<m/>"})
    );
    gateway.get(&one).await.is(200, changed);
    let refused = async |op: &str, path: &str, value: Option<&str>| {
        gateway.patch(&one, &[(op, path, value)]).await
    };
    for op in ["add", "remove"] {
        refused(op, "/statusCode", Some("400"))
            .await
            .bad("Invalid patch path /statusCode");
    }
    refused("replace", "/wrongPath", Some("x"))
        .await
        .bad("Invalid patch path /wrongPath");
    for op in ["replace", "remove"] {
        refused(op, "/responseParameters/nope", Some("'x'"))
            .await
            .missing("Invalid parameter name specified");
        refused(op, "/responseTemplates/a~1b", Some("x"))
            .await
            .missing("Content-Type specified was not found");
    }
    refused("replace", "/responseTemplates/application~1xml", None)
        .await
        .bad("Invalid null or empty value in responseTemplates");
    refused("replace", header, None)
        .await
        .bad("Invalid null or empty value in responseParameters");
    let no_path = json!({"patchOperations": [{"op": "replace", "value": "x"}]});
    gateway
        .call("PATCH", &one, no_path.to_string())
        .await
        .bad("Invalid patch path null");
    assert_eq!(
        refused("replace", "/statusCode", Some("99")).await.status,
        400
    );
}

#[tokio::test]
async fn unknown_types_apis_and_parts_are_refused() {
    let (gateway, responses) = responses().await;
    let known = TYPES.join(", ");
    let text = format!(
        "1 validation error detected: Value 'FAKE' at 'responseType' failed to satisfy constraint: Member must satisfy enum value set: [{known}]"
    );
    for api in ["/restapis/nope/gatewayresponses", responses.as_str()] {
        let one = format!("{api}/FAKE");
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            let answer = gateway.call(method, &one, "{}").await;
            answer.refused(400, "ValidationException", &text);
        }
    }
    for (method, path) in [
        ("GET", ""),
        ("GET", "/THROTTLED"),
        ("DELETE", "/THROTTLED"),
        ("PATCH", "/THROTTLED"),
        ("PUT", "/THROTTLED"),
    ] {
        gateway
            .call(
                method,
                &format!("/restapis/nope/gatewayresponses{path}"),
                "{}",
            )
            .await
            .missing("Invalid API identifier specified 000000000000:nope");
    }
    let one = format!("{responses}/THROTTLED");
    let mapping = |text: &str| {
        format!(
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: {text}]"
        )
    };
    for (key, value, told) in [
        ("gatewayresponse.body.x", "'a'", "gatewayresponse.body.x"),
        (
            "method.response.header.x",
            "'a'",
            "method.response.header.x",
        ),
        ("gatewayresponse.header.x", "a", "a"),
        (
            "gatewayresponse.header.x",
            "method.request.body",
            "method.request.body",
        ),
    ] {
        gateway
            .put(&one, json!({"responseParameters": {key: value}}))
            .await
            .bad(&mapping(told));
    }
    gateway
        .put(&one, json!({"responseTemplates": {"json": "{}"}}))
        .await
        .bad("Validation Result: warnings : [], errors : [Invalid content type specified: json]");
    assert_eq!(
        gateway.put(&one, json!({"statusCode": "999"})).await.status,
        400
    );
}
