//! Authorizers on the wire: all three types, what is refused, and methods that use them.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method, text};

const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:F/invocations";
const POOL: &str = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a";

fn token(name: &str) -> Value {
    json!({"name": name, "type": "TOKEN", "authorizerUri": URI, "identitySource": "method.request.header.Authorization"})
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

#[tokio::test]
async fn each_type_lives_from_create_to_delete() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let authorizers = format!("/restapis/{api}/authorizers");
    let request = json!({"name": "r", "type": "REQUEST", "authorizerUri": URI, "authorizerResultTtlInSeconds": 0});
    let pools = json!({
        "name": "c", "type": "COGNITO_USER_POOLS", "providerARNs": [POOL],
        "identitySource": "method.request.header.Authorization",
    });
    let mut ids = Vec::new();
    for (body, member, shown) in [
        (token("t"), "authorizerResultTtlInSeconds", json!(300)),
        (request, "authorizerResultTtlInSeconds", json!(0)),
        (pools, "providerARNs", json!([POOL])),
    ] {
        let created = gateway.post(&authorizers, body.clone()).await.ok(201);
        let kind = if text(&body, "type") == "COGNITO_USER_POOLS" {
            "cognito_user_pools"
        } else {
            "custom"
        };
        let id = text(&created, "id");
        let mut expected = with(with(body, "id", json!(id)), "authType", json!(kind));
        expected[member] = shown;
        assert_eq!(created, expected);
        gateway
            .get(&format!("{authorizers}/{id}"))
            .await
            .is(200, expected);
        ids.push(id);
    }
    let listed = gateway.get(&format!("{authorizers}?limit=2")).await.ok(200);
    assert_eq!(listed["item"].as_array().unwrap().len(), 2);
    let next = format!("{authorizers}?position={}", text(&listed, "position"));
    assert_eq!(gateway.get(&next).await.ok(200)["item"][0]["name"], "c");
    for id in ids {
        gateway
            .delete(&format!("{authorizers}/{id}"))
            .await
            .is(202, Value::Null);
    }
    gateway.get(&authorizers).await.is(200, json!({"item": []}));
}

#[tokio::test]
async fn bad_authorizers_are_refused() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let authorizers = format!("/restapis/{api}/authorizers");
    gateway
        .post("/restapis/nope/authorizers", token("t"))
        .await
        .conflict(
            "Unable to complete operation due to concurrent modification. Please try again later.",
        );
    gateway
        .get("/restapis/nope/authorizers")
        .await
        .missing("Invalid API identifier specified 000000000000:nope");
    let unknown = "Invalid Authorizer identifier specified";
    let one = format!("{authorizers}/nope");
    gateway.get(&one).await.missing(unknown);
    gateway.delete(&one).await.missing(unknown);
    gateway.patch(&one, &[]).await.missing(unknown);
    gateway.post(&authorizers, json!({"type": "NONE"})).await.refused(
        400,
        "ValidationException",
        "2 validation errors detected: Value null at 'createAuthorizerInput.name' failed to satisfy constraint: Member must not \
         be null; Value 'NONE' at 'createAuthorizerInput.type' failed to satisfy constraint: Member must satisfy enum value set: \
         [TOKEN, REQUEST, COGNITO_USER_POOLS]",
    );
    let ttl =
        "Authorizer result TTL outside allowable range. TTL must be between 0 and 3600 seconds.";
    let uri = |uri: &str| {
        format!(
            "Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
        )
    };
    let source = |text: &str| format!("Invalid request identity source expression: {text}");
    let function = "arn:aws:lambda:us-east-1:1:function:F";
    let request = json!({"name": "r", "type": "REQUEST", "authorizerUri": URI});
    let pools = json!({"name": "c", "type": "COGNITO_USER_POOLS", "identitySource": "method.request.header.A"});
    for (body, refusal) in [
        (
            with(token("t"), "authorizerResultTtlInSeconds", json!(3601)),
            ttl.to_owned(),
        ),
        (
            with(token("t"), "authorizerResultTtlInSeconds", json!(-1)),
            ttl.to_owned(),
        ),
        (
            with(token("t"), "authorizerUri", json!(function)),
            uri(function),
        ),
        (with(token("t"), "authorizerUri", Value::Null), uri("")),
        (
            with(token("t"), "identitySource", json!("Authorization")),
            source("Authorization"),
        ),
        (
            with(
                token("t"),
                "identitySource",
                json!("method.request.querystring.a"),
            ),
            source("method.request.querystring.a"),
        ),
        (
            with(token("t"), "authorizerCredentials", json!("role")),
            "Invalid ARN specified in the request".to_owned(),
        ),
        (
            with(token("t"), "identityValidationExpression", json!("(")),
            "Invalid regex pattern specified".to_owned(),
        ),
        (
            with(token("t"), "name", json!(" ")),
            "Authorizer name must be non-empty".to_owned(),
        ),
        (
            request.clone(),
            "Identity source must be set if authorizer caching is enabled (TTL is greater than 0)"
                .to_owned(),
        ),
        (
            with(request, "identitySource", json!("context.path, body.x")),
            source("body.x"),
        ),
        (
            with(pools.clone(), "providerARNs", json!([function])),
            format!("Invalid Cognito User Pool ARN specified: {function}"),
        ),
        (
            pools,
            "An authorizer of the type COGNITO_USER_POOLS needs at least one provider ARN"
                .to_owned(),
        ),
    ] {
        gateway.post(&authorizers, body).await.bad(&refusal);
    }
    gateway.post(&authorizers, token("t")).await.ok(201);
    gateway
        .post(&authorizers, token("t"))
        .await
        .bad("Authorizer name must be unique. Authorizer t already exists in this RestApi.");
    gateway
        .post(&format!("{authorizers}/any"), json!({}))
        .await
        .refused(501, "NotImplementedException", "The operation TestInvokeAuthorizer is not implemented: authorizers are stored and not enforced yet, so there is no decision to test; a call to a method that uses one answers 500.");
}

#[tokio::test]
async fn a_method_takes_an_authorizer_of_its_kind_and_keeps_it_from_being_deleted() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let authorizers = format!("/restapis/{api}/authorizers");
    let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
    let custom = text(&gateway.post(&authorizers, token("t")).await.ok(201), "id");
    let pools = json!({
        "name": "c", "type": "COGNITO_USER_POOLS", "providerARNs": [POOL], "identitySource": "method.request.header.A",
    });
    let pools = text(&gateway.post(&authorizers, pools).await.ok(201), "id");
    let refusal = "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires \
                   a valid authorizer.";
    for (kind, id) in [
        ("CUSTOM", &pools),
        ("COGNITO_USER_POOLS", &custom),
        ("CUSTOM", &"nope".to_owned()),
    ] {
        let patch = [
            ("replace", "/authorizationType", Some(kind)),
            ("replace", "/authorizerId", Some(id)),
        ];
        gateway.patch(&method, &patch).await.bad(refusal);
    }
    let patch = [
        ("replace", "/authorizationType", Some("CUSTOM")),
        ("replace", "/authorizerId", Some(&custom)),
    ];
    let patched = gateway.patch(&method, &patch).await.ok(200);
    assert_eq!(
        (
            text(&patched, "authorizationType"),
            text(&patched, "authorizerId")
        ),
        ("CUSTOM".to_owned(), custom.clone())
    );
    let one = format!("{authorizers}/{custom}");
    let used = "Cannot delete authorizer 't', is referenced in method: /test/GET";
    gateway.delete(&one).await.conflict(used);
    let type_change = [
        ("replace", "/type", Some("COGNITO_USER_POOLS")),
        ("add", "/providerARNs", Some(POOL)),
    ];
    gateway
        .patch(&one, &type_change)
        .await
        .conflict("Cannot change the type of authorizer 't', is referenced in method: /test/GET");
    let scopes = [
        ("replace", "/authorizationType", Some("COGNITO_USER_POOLS")),
        ("replace", "/authorizerId", Some(&pools)),
        ("add", "/authorizationScopes", Some("pets.read")),
        ("add", "/authorizationScopes", Some("pets.write")),
        ("remove", "/authorizationScopes", Some("pets.read")),
    ];
    let patched = gateway.patch(&method, &scopes).await.ok(200);
    assert_eq!(patched["authorizationScopes"], json!(["pets.write"]));
    gateway.delete(&one).await.is(202, Value::Null);
    gateway
        .patch(&method, &[("replace", "/authorizationType", Some("NONE"))])
        .await
        .bad("Authorization Scopes are only valid for COGNITO_USER_POOLS authorization type");
    let off = [
        ("replace", "/authorizationType", Some("NONE")),
        ("remove", "/authorizationScopes", Some("pets.write")),
    ];
    let patched = gateway.patch(&method, &off).await.ok(200);
    assert!(patched.get("authorizerId").is_none() && patched.get("authorizationScopes").is_none());
    gateway
        .delete(&format!("{authorizers}/{pools}"))
        .await
        .is(202, Value::Null);
}

#[tokio::test]
async fn a_put_method_keeps_its_authorization() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let pools = json!({
        "name": "c", "type": "COGNITO_USER_POOLS", "providerARNs": [POOL], "identitySource": "method.request.header.A",
    });
    let created = gateway
        .post(&format!("/restapis/{api}/authorizers"), pools)
        .await
        .ok(201);
    let id = text(&created, "id");
    let methods = format!("/restapis/{api}/resources/{resource}/methods");
    let body = json!({"authorizationType": "COGNITO_USER_POOLS", "authorizerId": id, "authorizationScopes": ["a", "b"]});
    let mut expected = with(body.clone(), "httpMethod", json!("PUT"));
    expected["apiKeyRequired"] = json!(false);
    gateway
        .put(&format!("{methods}/PUT"), body)
        .await
        .is(201, expected);
    let signed = gateway
        .put(
            &format!("{methods}/POST"),
            json!({"authorizationType": "AWS_IAM"}),
        )
        .await
        .ok(201);
    assert_eq!(text(&signed, "authorizationType"), "AWS_IAM");
}
