//! Integrations on the wire: what is kept, defaults, patches.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method};

struct Test {
    gateway: Gateway,
    resource: String,
    /// `GET /test`.
    method: String,
    integration: String,
}

impl Test {
    async fn new() -> Self {
        let gateway = Gateway::new();
        let (api, resource) = api_with_method(&gateway).await;
        let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
        Test {
            gateway,
            resource,
            integration: format!("{method}/integration"),
            method,
        }
    }

    async fn declare(&self, parameter: &str) {
        let path = format!("/requestParameters/{parameter}");
        self.gateway
            .patch(&self.method, &[("add", &path, Some("true"))])
            .await
            .ok(200);
    }

    async fn patch(&self, operations: &[(&str, &str, Option<&str>)]) -> crate::testing::Answer {
        self.gateway.patch(&self.integration, operations).await
    }
}

fn http(more: Value) -> Value {
    let mut body = json!({"type": "HTTP_PROXY", "httpMethod": "POST", "uri": "http://example.com"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn defaults_are_filled_in_as_recorded() {
    let test = Test::new().await;
    let mock = json!({
        "type": "MOCK", "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000,
        "cacheNamespace": test.resource, "cacheKeyParameters": [],
    });
    let body = json!({"type": "MOCK", "uri": "http://example.com"});
    test.gateway
        .put(&test.integration, body)
        .await
        .is(201, mock.clone());
    test.gateway
        .get(&test.integration)
        .await
        .is(200, mock.clone());
    let mut proxy = mock;
    for (member, value) in [
        ("type", "HTTP_PROXY"),
        ("connectionType", "INTERNET"),
        ("httpMethod", "POST"),
        ("uri", "http://example.com"),
    ] {
        proxy[member] = json!(value);
    }
    test.gateway
        .put(&test.integration, http(json!({})))
        .await
        .is(201, proxy.clone());
    let lambda = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:F/invocations";
    let made = test
        .gateway
        .put(
            &test.integration,
            json!({"type": "AWS_PROXY", "httpMethod": "POST", "uri": lambda}),
        )
        .await
        .ok(201);
    assert!(made.get("connectionType").is_none());
    assert_eq!(
        (&made["type"], &made["uri"]),
        (&json!("AWS_PROXY"), &json!(lambda))
    );
}

#[tokio::test]
async fn what_is_given_is_kept() {
    let test = Test::new().await;
    test.declare("method.request.path.id").await;
    let given = json!({
        "requestParameters": {"integration.request.path.id": "method.request.path.id", "integration.request.header.a": "'b'"},
        "requestTemplates": {"application/json": "{\"statusCode\": 200}", "text/plain": ""},
        "passthroughBehavior": "NEVER", "timeoutInMillis": 3000, "cacheNamespace": "ns",
        "cacheKeyParameters": ["method.request.path.id"], "contentHandling": "CONVERT_TO_TEXT",
        "tlsConfig": {"insecureSkipVerification": true}, "responseTransferMode": "BUFFERED",
        "connectionType": "VPC_LINK", "connectionId": "${stageVariables.vpcLinkId}",
    });
    let mut expected = http(given.clone());
    expected["requestTemplates"]["text/plain"] = Value::Null;
    test.gateway
        .put(&test.integration, http(given))
        .await
        .is(201, expected.clone());
    test.gateway.get(&test.integration).await.is(200, expected);
}

#[tokio::test]
async fn bad_integrations_are_refused() {
    let test = Test::new().await;
    let bad =
        async |body: Value, text: &str| test.gateway.put(&test.integration, body).await.bad(text);
    for kind in ["HTTP", "HTTP_PROXY", "AWS"] {
        bad(
            json!({"type": kind, "uri": "http://example.com"}),
            "Enumeration value for HttpMethod must be non-empty",
        )
        .await;
    }
    bad(
        http(json!({"uri": "non-valid-http"})),
        "Invalid HTTP endpoint specified for URI",
    )
    .await;
    bad(
        http(json!({"timeoutInMillis": 49})),
        "Timeout should be between 50 ms and 29000 ms",
    )
    .await;
    let undeclared = http(
        json!({"requestParameters": {"integration.request.path.id": "method.request.path.id"}}),
    );
    bad(
        undeclared,
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : \
         [Invalid mapping expression parameter specified: method.request.path.id]",
    )
    .await;
    let templates = http(json!({"requestTemplates": {"123": "{}"}}));
    bad(
        templates,
        "Validation Result: warnings : [], errors : [Invalid content type specified: 123]",
    )
    .await;
    bad(
        http(json!({"cacheKeyParameters": ["method.request.path.x"]})),
        "Invalid cache key parameter specified",
    )
    .await;
    let wrong = test
        .gateway
        .put(&test.integration, json!({"type": "HTTPS_PROXY"}))
        .await;
    wrong.refused(
        400,
        "ValidationException",
        "1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed to satisfy constraint: Member must \
         satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
    );
    let parameters =
        http(json!({"requestParameters": {"integration.request.path.testPath": true}}));
    let boolean = "class java.lang.Boolean can not be converted to an String";
    test.gateway
        .put(&test.integration, parameters)
        .await
        .refused(400, "SerializationException", boolean);
}

#[tokio::test]
async fn what_is_not_there_is_told_as_recorded() {
    let test = Test::new().await;
    let resource = "Invalid Resource identifier specified";
    let mock = || json!({"type": "MOCK"});
    test.gateway
        .get("/restapis/nope/resources/nope/methods/GET/integration")
        .await
        .missing(resource);
    test.gateway
        .put(
            "/restapis/nope/resources/nope/methods/GET/integration",
            mock(),
        )
        .await
        .missing(resource);
    let post = test.integration.replace("/GET/", "/POST/");
    test.gateway
        .get(&post)
        .await
        .missing("Invalid Method identifier specified");
    test.gateway
        .put(&post, mock())
        .await
        .missing("Invalid Method identifier specified");
    let integration = "Invalid Integration identifier specified";
    test.gateway.delete(&post).await.missing(integration);
    test.gateway
        .delete(&test.integration)
        .await
        .is(204, Value::Null);
    test.gateway
        .get(&test.integration)
        .await
        .missing(integration);
    test.gateway
        .delete(&test.integration)
        .await
        .missing(integration);
    test.patch(&[("replace", "/uri", Some("x"))])
        .await
        .missing(integration);
    assert!(
        test.gateway
            .get(&test.method)
            .await
            .ok(200)
            .get("methodIntegration")
            .is_none()
    );
}

#[tokio::test]
async fn patches_reach_every_member() {
    let test = Test::new().await;
    test.declare("method.request.path.id").await;
    let before = test
        .gateway
        .put(&test.integration, http(json!({})))
        .await
        .ok(201);
    test.patch(&[]).await.is(200, before.clone());
    let changed = test
        .patch(&[
            ("replace", "/uri", Some("https://example.org/{id}")),
            ("replace", "/httpMethod", Some("GET")),
            ("replace", "/passthroughBehavior", Some("WHEN_NO_TEMPLATES")),
            ("replace", "/contentHandling", Some("CONVERT_TO_BINARY")),
            ("replace", "/timeoutInMillis", Some("3000")),
            (
                "replace",
                "/credentials",
                Some("arn:aws:iam::111111111111:role/r"),
            ),
            ("replace", "/cacheNamespace", Some("ns")),
            ("replace", "/integrationTarget", Some("t")),
            ("replace", "/responseTransferMode", Some("STREAM")),
            (
                "replace",
                "/tlsConfig/insecureSkipVerification",
                Some("true"),
            ),
            ("replace", "/connectionType", Some("VPC_LINK")),
            ("replace", "/connectionId", Some("${stageVariables.v}")),
            (
                "add",
                "/requestParameters/integration.request.path.id",
                Some("method.request.path.id"),
            ),
            ("add", "/requestTemplates/application~1json", Some("{}")),
            ("add", "/requestTemplates/text~1plain", Some("")),
            (
                "add",
                "/cacheKeyParameters/method.request.path.id",
                Some(""),
            ),
        ])
        .await;
    let expected = json!({
        "type": "HTTP_PROXY", "uri": "https://example.org/{id}", "httpMethod": "GET", "passthroughBehavior": "WHEN_NO_TEMPLATES",
        "contentHandling": "CONVERT_TO_BINARY", "timeoutInMillis": 3000, "credentials": "arn:aws:iam::111111111111:role/r",
        "cacheNamespace": "ns", "integrationTarget": "t", "responseTransferMode": "STREAM",
        "tlsConfig": {"insecureSkipVerification": true}, "connectionType": "VPC_LINK", "connectionId": "${stageVariables.v}",
        "requestParameters": {"integration.request.path.id": "method.request.path.id"},
        "requestTemplates": {"application/json": "{}", "text/plain": null}, "cacheKeyParameters": ["method.request.path.id"],
    });
    changed.is(200, expected);
    let removed = test
        .patch(&[
            ("replace", "/requestTemplates/application~1json", Some("[]")),
            ("remove", "/requestTemplates/text~1plain", None),
            (
                "remove",
                "/requestParameters/integration.request.path.id",
                None,
            ),
            (
                "remove",
                "/cacheKeyParameters/method.request.path.id",
                Some(""),
            ),
        ])
        .await
        .ok(200);
    assert_eq!(
        removed["requestTemplates"],
        json!({"application/json": "[]"})
    );
    assert!(removed.get("requestParameters").is_none());
    assert_eq!(removed["cacheKeyParameters"], json!([]));
}

#[tokio::test]
async fn bad_patches_are_refused_and_change_nothing() {
    let test = Test::new().await;
    let before = test
        .gateway
        .put(&test.integration, http(json!({})))
        .await
        .ok(201);
    let bad = async |op: &str, path: &str, value: &str, text: &str| {
        test.patch(&[
            ("replace", "/uri", Some("http://changed")),
            (op, path, Some(value)),
        ])
        .await
        .bad(text);
    };
    bad("replace", "/type", "MOCK", "Invalid patch path /type").await;
    bad(
        "add",
        "/uri",
        "http://a",
        "Invalid patch operation specified. Must be one of: [replace]",
    )
    .await;
    bad(
        "replace",
        "/timeoutInMillis",
        "long",
        "Timeout should be between 50 ms and 29000 ms",
    )
    .await;
    bad(
        "replace",
        "/uri",
        "nowhere",
        "Invalid HTTP endpoint specified for URI",
    )
    .await;
    bad(
        "replace",
        "/httpMethod",
        "",
        "Enumeration value for HttpMethod must be non-empty",
    )
    .await;
    bad(
        "add",
        "/cacheKeyParameters/method.request.path.x",
        "",
        "Invalid cache key parameter specified",
    )
    .await;
    test.patch(&[("remove", "/requestParameters/x", None)])
        .await
        .missing("Invalid parameter name specified");
    test.patch(&[("remove", "/requestTemplates/x", None)])
        .await
        .missing("Content-Type specified was not found");
    test.patch(&[("remove", "/cacheKeyParameters/x", None)])
        .await
        .missing("Invalid parameter name specified");
    test.gateway.get(&test.integration).await.is(200, before);
}

#[tokio::test]
async fn a_mock_forgets_what_it_is_told_of_an_upstream() {
    let test = Test::new().await;
    let mock = test.gateway.put(&test.integration, json!({"type": "MOCK"}));
    let mock = mock.await.ok(201);
    let changes = [
        ("replace", "/uri", Some("http://example.com")),
        ("replace", "/httpMethod", Some("GET")),
    ];
    test.patch(&changes).await.is(200, mock);
}
