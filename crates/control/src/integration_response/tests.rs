//! Integration responses on the wire.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method};

/// `GET /test`'s integration responses.
async fn responses(gateway: &Gateway) -> String {
    let (api, resource) = api_with_method(gateway).await;
    format!("/restapis/{api}/resources/{resource}/methods/GET/integration/responses")
}

#[tokio::test]
async fn a_response_lives_from_put_to_delete() {
    let gateway = Gateway::new();
    let path = format!("{}/200", responses(&gateway).await);
    let body = |template: &str, pattern: &str| json!({"statusCode": "200", "selectionPattern": pattern, "responseTemplates": {"application/json": template}});
    gateway
        .put(&path, body("\"created\"", ""))
        .await
        .is(201, body("\"created\"", ""));
    gateway.get(&path).await.is(200, body("\"created\"", ""));
    let patched = gateway
        .patch(
            &path,
            &[("replace", "/selectionPattern", Some("updated-pattern"))],
        )
        .await;
    patched.is(200, body("\"created\"", "updated-pattern"));
    gateway
        .put(&path, body("overwrite", "overwrite-pattern"))
        .await
        .is(201, body("overwrite", "overwrite-pattern"));
    let integration = path.strip_suffix("/responses/200").unwrap();
    let shown = gateway.get(integration).await.ok(200);
    assert_eq!(
        shown["integrationResponses"],
        json!({"200": body("overwrite", "overwrite-pattern")})
    );
    gateway.delete(&path).await.is(204, Value::Null);
    assert!(
        gateway
            .get(integration)
            .await
            .ok(200)
            .get("integrationResponses")
            .is_none()
    );
    gateway
        .get(&path)
        .await
        .missing("Invalid Response status code specified");
}

#[tokio::test]
async fn empty_templates_are_null_and_absent_members_absent() {
    let gateway = Gateway::new();
    let path = format!("{}/200", responses(&gateway).await);
    let null = json!({"statusCode": "200", "selectionPattern": "", "responseTemplates": {"application/json": null}});
    for template in [Value::Null, json!("")] {
        let body =
            json!({"selectionPattern": "", "responseTemplates": {"application/json": template}});
        gateway.put(&path, body).await.is(201, null.clone());
    }
    gateway
        .put(&path, json!({"selectionPattern": ""}))
        .await
        .is(201, json!({"statusCode": "200", "selectionPattern": ""}));
    let given = json!({"selectionPattern": "2\\d{2}", "contentHandling": "CONVERT_TO_BINARY", "responseTemplates": {}});
    let mut shown = given.clone();
    shown["statusCode"] = json!("200");
    gateway.put(&path, given).await.is(201, shown);
    gateway
        .put(&path, json!({}))
        .await
        .is(201, json!({"statusCode": "200"}));
}

#[tokio::test]
async fn headers_must_be_declared_by_the_method_response() {
    let gateway = Gateway::new();
    let responses = responses(&gateway).await;
    let path = format!("{responses}/200");
    let headers = || json!({"responseParameters": {"method.response.header.X": "'a'"}});
    let refused = |inner: &str| {
        format!(
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : [{inner}]"
        )
    };
    gateway
        .put(&path, headers())
        .await
        .bad(&refused("No method response exists for method."));
    let method_response = path.replace("/integration", "");
    gateway.put(&method_response, json!({})).await.ok(201);
    gateway.put(&path, headers()).await.bad(&refused(
        "Invalid mapping expression parameter specified: method.response.header.X",
    ));
    let declared = "/responseParameters/method.response.header.X";
    gateway
        .patch(&method_response, &[("add", declared, Some("true"))])
        .await
        .ok(201);
    gateway.put(&path, headers()).await.ok(201);
    let patched = gateway
        .patch(
            &path,
            &[("replace", declared, Some("integration.response.header.Y"))],
        )
        .await
        .ok(200);
    assert_eq!(
        patched["responseParameters"],
        json!({"method.response.header.X": "integration.response.header.Y"})
    );
    gateway
        .patch(&path, &[("replace", declared, Some("plain"))])
        .await
        .bad(&refused("Invalid mapping expression specified: plain"));
}

#[tokio::test]
async fn patterns_compile_and_differ() {
    let gateway = Gateway::new();
    let responses = responses(&gateway).await;
    let put = async |status: u16, pattern: &str| {
        gateway
            .put(
                &format!("{responses}/{status}"),
                json!({"selectionPattern": pattern}),
            )
            .await
    };
    put(200, "").await.ok(201);
    put(400, "4\\d{2}").await.ok(201);
    put(500, "(").await.bad("Invalid regex pattern specified");
    put(500, "")
        .await
        .conflict("Integration response with selection pattern default already exists");
    put(500, "4\\d{2}")
        .await
        .conflict("Integration response with selection pattern 4\\d{2} already exists");
    put(500, "^(?!4).*").await.ok(201); // Java knows look-ahead
    let path = format!("{responses}/500");
    gateway
        .patch(&path, &[("replace", "/selectionPattern", Some("["))])
        .await
        .bad("Invalid regex pattern specified");
}

#[tokio::test]
async fn patches_reach_every_member() {
    let gateway = Gateway::new();
    let path = format!("{}/200", responses(&gateway).await);
    gateway.put(&path, json!({})).await.ok(201);
    let changed = gateway
        .patch(
            &path,
            &[
                ("replace", "/selectionPattern", Some("2..")),
                ("replace", "/contentHandling", Some("CONVERT_TO_TEXT")),
                ("add", "/responseTemplates/application~1json", Some("{}")),
                ("add", "/responseTemplates/text~1plain", None),
            ],
        )
        .await;
    changed.is(
        200,
        json!({
            "statusCode": "200", "selectionPattern": "2..", "contentHandling": "CONVERT_TO_TEXT",
            "responseTemplates": {"application/json": "{}", "text/plain": null},
        }),
    );
    let removed = gateway
        .patch(
            &path,
            &[
                ("remove", "/responseTemplates/application~1json", None),
                ("remove", "/responseTemplates/text~1plain", None),
                ("replace", "/contentHandling", Some("")),
            ],
        )
        .await;
    removed.is(200, json!({"statusCode": "200", "selectionPattern": "2.."}));
    gateway
        .patch(&path, &[("replace", "/statusCode", Some("201"))])
        .await
        .bad("Invalid patch path /statusCode");
    let scalar = "Invalid patch operation specified. Must be one of: [replace]";
    gateway
        .patch(&path, &[("add", "/selectionPattern", Some("x"))])
        .await
        .bad(scalar);
    let absent = "Content-Type specified was not found";
    gateway
        .patch(&path, &[("remove", "/responseTemplates/a~1b", None)])
        .await
        .missing(absent);
}

#[tokio::test]
async fn what_is_not_there_is_told_as_recorded() {
    let gateway = Gateway::new();
    let responses = responses(&gateway).await;
    let path = format!("{responses}/200");
    gateway
        .put(&path, json!({"selectionPattern": ""}))
        .await
        .ok(201);
    let (nowhere, post) = (
        "/restapis/nope/resources/nope/methods/GET/integration/responses/200",
        path.replace("/GET/", "/POST/"),
    );
    let resource = "Invalid Resource identifier specified";
    gateway.put(nowhere, json!({})).await.missing(resource);
    gateway.get(nowhere).await.missing(resource);
    gateway.delete(nowhere).await.missing(resource);
    gateway
        .put(&post, json!({}))
        .await
        .missing("Invalid Method identifier specified");
    gateway
        .get(&post)
        .await
        .missing("Invalid Method identifier specified");
    gateway
        .delete(&post)
        .await
        .missing("Invalid Integration identifier specified");
    gateway
        .delete(&path.replace("/200", "/201"))
        .await
        .missing("Invalid Response status code specified");
    gateway
        .get(&path.replace("/200", "/201"))
        .await
        .missing("Invalid Response status code specified");
    let pattern = r"1 validation error detected: Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [1-5]\d\d";
    gateway
        .put(&format!("{responses}/wrong"), json!({}))
        .await
        .refused(400, "ValidationException", pattern);
    gateway
        .get(&format!("{responses}/wrong"))
        .await
        .refused(400, "ValidationException", pattern);
    let number = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String";
    let body = json!({"responseTemplates": {"application/json": 123}});
    gateway
        .put(&path, body)
        .await
        .refused(400, "SerializationException", number);
    let body = json!({"responseTemplates": {"123": "{}"}});
    gateway
        .put(&path, body)
        .await
        .bad("Validation Result: warnings : [], errors : [Invalid content type specified: 123]");
    gateway
        .delete(path.strip_suffix("/responses/200").unwrap())
        .await
        .ok(204);
    gateway
        .get(&path)
        .await
        .missing("Invalid Integration identifier specified");
    gateway
        .put(&path, json!({}))
        .await
        .missing("Invalid Integration identifier specified");
}
