//! Every path of AWS's patch-operation table, sent as clients send it: operation, op, path, value, and what is shown then.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::listed::LISTED;
use super::matched;
use crate::testing::{Gateway, api_with_method, text};

/// Where in the answer to look; empty for the whole.
type At = &'static str;

/// One patch: the operation, op, path, value (`@name` for an id of the fixture; `from` of a copy), and where in the
/// answer what must stand (null: nothing).
struct Row(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    At,
    Value,
);

const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:G/invocations";
const POOL: &str = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_b";
const STRATEGY: &str = "FAIL_WITH_403";

/// A setting of all methods in a stage's answer.
macro_rules! of_all {
    ($setting:literal) => {
        concat!("/methodSettings/*~1*/", $setting)
    };
}

/// Rows of one operation are sent in their order, each to what the one before left.
#[rustfmt::skip]
fn rows() -> Vec<Row> {
    vec![
        Row("UpdateAccount", "replace", "/cloudwatchRoleArn", "arn:aws:iam::1:role/r", "/cloudwatchRoleArn", json!("arn:aws:iam::1:role/r")),
        Row("UpdateAccount", "add", "/features", "UsagePlans", "/features/0", json!("UsagePlans")),

        Row("UpdateApiKey", "replace", "/description", "d", "/description", json!("d")),
        Row("UpdateApiKey", "replace", "/enabled", "true", "/enabled", json!(true)),
        Row("UpdateApiKey", "replace", "/name", "n2", "/name", json!("n2")),
        Row("UpdateApiKey", "replace", "/customerId", "c", "/customerId", json!("c")),
        Row("UpdateApiKey", "add", "/stages", "@api/prod", "/stageKeys/0", json!("@api/prod")),
        Row("UpdateApiKey", "remove", "/stages", "@api/prod", "/stageKeys/0", json!(null)),
        Row("UpdateApiKey", "add", "/labels", "l", "/labels", json!(null)),
        Row("UpdateApiKey", "remove", "/labels", "l", "/labels", json!(null)),

        Row("UpdateAuthorizer", "replace", "/name", "n2", "/name", json!("n2")),
        Row("UpdateAuthorizer", "replace", "/authType", "own", "/authType", json!("own")),
        Row("UpdateAuthorizer", "replace", "/authorizerUri", URI, "/authorizerUri", json!(URI)),
        Row("UpdateAuthorizer", "replace", "/authorizerCredentials", "arn:aws:iam::1:role/r", "/authorizerCredentials", json!("arn:aws:iam::1:role/r")),
        Row("UpdateAuthorizer", "replace", "/authorizerResultTtlInSeconds", "60", "/authorizerResultTtlInSeconds", json!(60)),
        Row("UpdateAuthorizer", "replace", "/identitySource", "method.request.header.X", "/identitySource", json!("method.request.header.X")),
        Row("UpdateAuthorizer", "replace", "/identityValidationExpression", "^a", "/identityValidationExpression", json!("^a")),
        Row("UpdateAuthorizer", "add", "/providerARNs", POOL, "/providerARNs/0", json!(POOL)),
        Row("UpdateAuthorizer", "remove", "/providerARNs", POOL, "/providerARNs", json!(null)),
        Row("UpdateAuthorizer", "replace", "/type", "REQUEST", "/type", json!("REQUEST")),

        Row("UpdateBasePathMapping", "replace", "/stage", "prod", "/stage", json!("prod")),
        Row("UpdateBasePathMapping", "replace", "/restapiId", "@api", "/restApiId", json!("@api")),
        Row("UpdateBasePathMapping", "replace", "/basePath", "b", "/basePath", json!("b")),
        Row("UpdateClientCertificate", "replace", "/description", "d", "/description", json!("d")),
        Row("UpdateVpcLink", "replace", "/description", "d", "/description", json!("d")),
        Row("UpdateVpcLink", "replace", "/name", "n2", "/name", json!("n2")),

        Row("UpdateDeployment", "replace", "/description", "d", "/description", json!("d")),
        Row("UpdateDocumentationPart", "replace", "/properties", "{\"a\":1}", "/properties", json!("{\"a\":1}")),
        Row("UpdateDocumentationVersion", "replace", "/description", "d", "/description", json!("d")),

        Row("UpdateGatewayResponse", "replace", "/statusCode", "431", "/statusCode", json!("431")),
        Row("UpdateGatewayResponse", "add", "/responseParameters/gatewayresponse.header.x", "'a'", "/responseParameters/gatewayresponse.header.x", json!("'a'")),
        Row("UpdateGatewayResponse", "replace", "/responseParameters/gatewayresponse.header.x", "'b'", "/responseParameters/gatewayresponse.header.x", json!("'b'")),
        Row("UpdateGatewayResponse", "remove", "/responseParameters/gatewayresponse.header.x", "", "/responseParameters/gatewayresponse.header.x", json!(null)),
        Row("UpdateGatewayResponse", "add", "/responseTemplates/application~1xml", "<a/>", "/responseTemplates/application~1xml", json!("<a/>")),
        Row("UpdateGatewayResponse", "replace", "/responseTemplates/application~1xml", "<b/>", "/responseTemplates/application~1xml", json!("<b/>")),
        Row("UpdateGatewayResponse", "remove", "/responseTemplates/application~1xml", "", "/responseTemplates/application~1xml", json!(null)),

        Row("UpdateIntegration", "replace", "/uri", "http://b.example/{proxy}", "/uri", json!("http://b.example/{proxy}")),
        Row("UpdateIntegration", "replace", "/httpMethod", "PUT", "/httpMethod", json!("PUT")),
        Row("UpdateIntegration", "replace", "/passthroughBehavior", "NEVER", "/passthroughBehavior", json!("NEVER")),
        Row("UpdateIntegration", "replace", "/contentHandling", "CONVERT_TO_TEXT", "/contentHandling", json!("CONVERT_TO_TEXT")),
        Row("UpdateIntegration", "replace", "/timeoutInMillis", "1000", "/timeoutInMillis", json!(1000)),
        Row("UpdateIntegration", "replace", "/connectionId", "${stageVariables.link}", "/connectionId", json!("${stageVariables.link}")),
        Row("UpdateIntegration", "replace", "/connectionType", "VPC_LINK", "/connectionType", json!("VPC_LINK")),
        Row("UpdateIntegration", "replace", "/credentials", "arn:aws:iam::1:role/r", "/credentials", json!("arn:aws:iam::1:role/r")),
        Row("UpdateIntegration", "replace", "/cacheNamespace", "ns", "/cacheNamespace", json!("ns")),
        Row("UpdateIntegration", "replace", "/integrationTarget", "arn:aws:x", "/integrationTarget", json!("arn:aws:x")),
        Row("UpdateIntegration", "replace", "/responseTransferMode", "STREAM", "/responseTransferMode", json!("STREAM")),
        Row("UpdateIntegration", "replace", "/tlsConfig/insecureSkipVerification", "true", "/tlsConfig/insecureSkipVerification", json!(true)),
        Row("UpdateIntegration", "add", "/requestParameters/integration.request.header.a", "'x'", "/requestParameters/integration.request.header.a", json!("'x'")),
        Row("UpdateIntegration", "replace", "/requestParameters/integration.request.header.a", "'y'", "/requestParameters/integration.request.header.a", json!("'y'")),
        Row("UpdateIntegration", "add", "/cacheKeyParameters/integration.request.header.a", "", "/cacheKeyParameters/0", json!("integration.request.header.a")),
        Row("UpdateIntegration", "replace", "/cacheKeyParameters/integration.request.header.a", "", "/cacheKeyParameters/0", json!("integration.request.header.a")),
        Row("UpdateIntegration", "remove", "/cacheKeyParameters/integration.request.header.a", "", "/cacheKeyParameters/0", json!(null)),
        Row("UpdateIntegration", "remove", "/requestParameters/integration.request.header.a", "", "/requestParameters", json!(null)),
        Row("UpdateIntegration", "add", "/requestTemplates/application~1json", "{}", "/requestTemplates/application~1json", json!("{}")),
        Row("UpdateIntegration", "replace", "/requestTemplates/application~1json", "[]", "/requestTemplates/application~1json", json!("[]")),
        Row("UpdateIntegration", "remove", "/requestTemplates/application~1json", "", "/requestTemplates", json!(null)),

        Row("UpdateIntegrationResponse", "replace", "/selectionPattern", "2..", "/selectionPattern", json!("2..")),
        Row("UpdateIntegrationResponse", "replace", "/contentHandling", "CONVERT_TO_BINARY", "/contentHandling", json!("CONVERT_TO_BINARY")),
        Row("UpdateIntegrationResponse", "add", "/responseParameters/method.response.header.h", "'x'", "/responseParameters/method.response.header.h", json!("'x'")),
        Row("UpdateIntegrationResponse", "replace", "/responseParameters/method.response.header.h", "'y'", "/responseParameters/method.response.header.h", json!("'y'")),
        Row("UpdateIntegrationResponse", "remove", "/responseParameters/method.response.header.h", "", "/responseParameters", json!(null)),
        Row("UpdateIntegrationResponse", "add", "/responseTemplates/application~1json", "{}", "/responseTemplates/application~1json", json!("{}")),
        Row("UpdateIntegrationResponse", "replace", "/responseTemplates/application~1json", "[]", "/responseTemplates/application~1json", json!("[]")),
        Row("UpdateIntegrationResponse", "remove", "/responseTemplates/application~1json", "", "/responseTemplates", json!(null)),

        Row("UpdateMethod", "replace", "/apiKeyRequired", "true", "/apiKeyRequired", json!(true)),
        Row("UpdateMethod", "replace", "/operationName", "list", "/operationName", json!("list")),
        Row("UpdateMethod", "replace", "/requestValidatorId", "@validator", "/requestValidatorId", json!("@validator")),
        Row("UpdateMethod", "add", "/requestParameters/method.request.header.h", "true", "/requestParameters/method.request.header.h", json!(true)),
        Row("UpdateMethod", "replace", "/requestParameters/method.request.header.h", "false", "/requestParameters/method.request.header.h", json!(false)),
        Row("UpdateMethod", "remove", "/requestParameters/method.request.header.h", "", "/requestParameters", json!(null)),
        Row("UpdateMethod", "add", "/requestModels/application~1json", "Empty", "/requestModels/application~1json", json!("Empty")),
        Row("UpdateMethod", "replace", "/requestModels/application~1json", "Error", "/requestModels/application~1json", json!("Error")),
        Row("UpdateMethod", "remove", "/requestModels/application~1json", "", "/requestModels", json!(null)),
        Row("UpdateMethod", "replace", "/authorizationType", "AWS_IAM", "/authorizationType", json!("AWS_IAM")),
        Row("UpdateMethod", "replace", "/authorizerId", "@pools", "/authorizerId", json!(null)),
        // What follows belongs to one type, so it is sent with it.
        Row("UpdateMethod", "add", "/authorizationScopes", "a", "/authorizationScopes/0", json!("a")),
        Row("UpdateMethod", "remove", "/authorizationScopes", "a", "/authorizationScopes", json!(null)),

        Row("UpdateMethodResponse", "add", "/responseParameters/method.response.header.x", "true", "/responseParameters/method.response.header.x", json!(true)),
        Row("UpdateMethodResponse", "replace", "/responseParameters/method.response.header.x", "false", "/responseParameters/method.response.header.x", json!(false)),
        Row("UpdateMethodResponse", "remove", "/responseParameters/method.response.header.x", "", "/responseParameters/method.response.header.x", json!(null)),
        Row("UpdateMethodResponse", "add", "/responseModels/application~1json", "Empty", "/responseModels/application~1json", json!("Empty")),
        Row("UpdateMethodResponse", "replace", "/responseModels/application~1json", "Error", "/responseModels/application~1json", json!("Error")),
        Row("UpdateMethodResponse", "remove", "/responseModels/application~1json", "", "/responseModels", json!(null)),

        Row("UpdateModel", "replace", "/description", "d", "/description", json!("d")),
        Row("UpdateModel", "replace", "/schema", "{\"type\":\"array\"}", "/schema", json!("{\"type\":\"array\"}")),

        Row("UpdateRequestValidator", "replace", "/name", "n2", "/name", json!("n2")),
        Row("UpdateRequestValidator", "replace", "/validateRequestParameters", "true", "/validateRequestParameters", json!(true)),
        Row("UpdateRequestValidator", "replace", "/validateRequestBody", "true", "/validateRequestBody", json!(true)),

        Row("UpdateResource", "replace", "/pathPart", "other", "/path", json!("/other")),
        Row("UpdateResource", "replace", "/parentId", "@second", "/path", json!("/second/other")),

        Row("UpdateRestApi", "replace", "/name", "n2", "/name", json!("n2")),
        Row("UpdateRestApi", "add", "/description", "a", "/description", json!("a")),
        Row("UpdateRestApi", "replace", "/description", "b", "/description", json!("b")),
        Row("UpdateRestApi", "remove", "/description", "", "/description", json!(null)),
        Row("UpdateRestApi", "replace", "/apiKeySource", "AUTHORIZER", "/apiKeySource", json!("AUTHORIZER")),
        Row("UpdateRestApi", "replace", "/disableExecuteApiEndpoint", "true", "/disableExecuteApiEndpoint", json!(true)),
        Row("UpdateRestApi", "replace", "/minimumCompressionSize", "1024", "/minimumCompressionSize", json!(1024)),
        Row("UpdateRestApi", "replace", "/policy", "", "/policy", json!(null)),
        Row("UpdateRestApi", "replace", "/securityPolicy", "TLS_1_2", "/securityPolicy", json!("TLS_1_2")),
        Row("UpdateRestApi", "replace", "/endpointAccessMode", "STRICT", "/endpointAccessMode", json!("STRICT")),
        Row("UpdateRestApi", "replace", "/endpointConfiguration/ipAddressType", "dualstack", "/endpointConfiguration/ipAddressType", json!("dualstack")),
        Row("UpdateRestApi", "replace", "/endpointConfiguration/types/EDGE", "REGIONAL", "/endpointConfiguration/types/0", json!("REGIONAL")),
        Row("UpdateRestApi", "add", "/endpointConfiguration/types/REGIONAL", "", "/endpointConfiguration/types/0", json!("REGIONAL")),
        Row("UpdateRestApi", "remove", "/endpointConfiguration/vpcEndpointIds", "vpce-1", "/endpointConfiguration/vpcEndpointIds", json!(null)),
        Row("UpdateRestApi", "add", "/binaryMediaTypes/image~1png", "", "/binaryMediaTypes/0", json!("image/png")),
        Row("UpdateRestApi", "replace", "/binaryMediaTypes/image~1png", "image/gif", "/binaryMediaTypes/0", json!("image/gif")),
        Row("UpdateRestApi", "remove", "/binaryMediaTypes/image~1gif", "", "/binaryMediaTypes", json!(null)),

        Row("UpdateStage", "replace", "/deploymentId", "@second_deployment", "/deploymentId", json!("@second_deployment")),
        Row("UpdateStage", "replace", "/description", "d", "/description", json!("d")),
        Row("UpdateStage", "replace", "/documentationVersion", "v1", "/documentationVersion", json!("v1")),
        Row("UpdateStage", "replace", "/clientCertificateId", "@certificate", "/clientCertificateId", json!("@certificate")),
        Row("UpdateStage", "replace", "/cacheClusterEnabled", "true", "/cacheClusterStatus", json!("AVAILABLE")),
        Row("UpdateStage", "replace", "/cacheClusterSize", "1.6", "/cacheClusterSize", json!("1.6")),
        Row("UpdateStage", "replace", "/tracingEnabled", "true", "/tracingEnabled", json!(true)),
        Row("UpdateStage", "add", "/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:1:log-group:a", "/accessLogSettings/destinationArn", json!("arn:aws:logs:us-east-1:1:log-group:a")),
        Row("UpdateStage", "replace", "/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:1:log-group:b", "/accessLogSettings/destinationArn", json!("arn:aws:logs:us-east-1:1:log-group:b")),
        Row("UpdateStage", "add", "/accessLogSettings/format", "$context.requestId", "/accessLogSettings/format", json!("$context.requestId")),
        Row("UpdateStage", "replace", "/accessLogSettings/format", "$context.extendedRequestId", "/accessLogSettings/format", json!("$context.extendedRequestId")),
        Row("UpdateStage", "remove", "/accessLogSettings/format", "", "/accessLogSettings/format", json!(null)),
        Row("UpdateStage", "remove", "/accessLogSettings/destinationArn", "", "/accessLogSettings", json!(null)),
        Row("UpdateStage", "remove", "/accessLogSettings", "", "/accessLogSettings", json!(null)),
        Row("UpdateStage", "add", "/variables/a", "1", "/variables/a", json!("1")),
        Row("UpdateStage", "replace", "/variables/a", "2", "/variables/a", json!("2")),
        Row("UpdateStage", "remove", "/variables/a", "", "/variables", json!(null)),
        Row("UpdateStage", "replace", "/canarySettings/percentTraffic", "10.5", "/canarySettings/percentTraffic", json!(10.5)),
        Row("UpdateStage", "replace", "/canarySettings/deploymentId", "@deployment", "/canarySettings/deploymentId", json!("@deployment")),
        Row("UpdateStage", "replace", "/canarySettings/useStageCache", "true", "/canarySettings/useStageCache", json!(true)),
        Row("UpdateStage", "replace", "/canarySettings/stageVariableOverrides/b", "3", "/canarySettings/stageVariableOverrides/b", json!("3")),
        Row("UpdateStage", "copy", "/variables", "/canarySettings/stageVariableOverrides", "/variables/b", json!("3")),
        Row("UpdateStage", "copy", "/deploymentId", "/canarySettings/deploymentId", "/deploymentId", json!("@deployment")),
        Row("UpdateStage", "remove", "/canarySettings/stageVariableOverrides/b", "", "/canarySettings/stageVariableOverrides", json!(null)),
        Row("UpdateStage", "remove", "/canarySettings", "", "/canarySettings", json!(null)),
        Row("UpdateStage", "replace", "/*/*/metrics/enabled", "true", of_all!("metricsEnabled"), json!(true)),
        Row("UpdateStage", "replace", "/*/*/logging/dataTrace", "true", of_all!("dataTraceEnabled"), json!(true)),
        Row("UpdateStage", "replace", "/*/*/logging/loglevel", "INFO", of_all!("loggingLevel"), json!("INFO")),
        Row("UpdateStage", "replace", "/*/*/throttling/burstLimit", "7", of_all!("throttlingBurstLimit"), json!(7)),
        Row("UpdateStage", "replace", "/*/*/throttling/rateLimit", "2.5", of_all!("throttlingRateLimit"), json!(2.5)),
        Row("UpdateStage", "replace", "/*/*/caching/ttlInSeconds", "60", of_all!("cacheTtlInSeconds"), json!(60)),
        Row("UpdateStage", "replace", "/*/*/caching/enabled", "true", of_all!("cachingEnabled"), json!(true)),
        Row("UpdateStage", "replace", "/*/*/caching/dataEncrypted", "true", of_all!("cacheDataEncrypted"), json!(true)),
        Row("UpdateStage", "replace", "/*/*/caching/requireAuthorizationForCacheControl", "false", of_all!("requireAuthorizationForCacheControl"), json!(false)),
        Row("UpdateStage", "replace", "/*/*/caching/unauthorizedCacheControlHeaderStrategy", STRATEGY, of_all!("unauthorizedCacheControlHeaderStrategy"), json!(STRATEGY)),
        Row("UpdateStage", "replace", "/~1test/GET/throttling/rateLimit", "1.0", "/methodSettings/~01test~1GET/throttlingRateLimit", json!(1.0)),
        Row("UpdateStage", "remove", "/~1test/GET", "", "/methodSettings/~01test~1GET", json!(null)),

        Row("UpdateUsagePlan", "replace", "/name", "n2", "/name", json!("n2")),
        Row("UpdateUsagePlan", "replace", "/description", "d", "/description", json!("d")),
        Row("UpdateUsagePlan", "add", "/apiStages", "@api:prod", "/apiStages/0/stage", json!("prod")),
        Row("UpdateUsagePlan", "add", "/quota/limit", "5", "/quota/limit", json!(5)),
        Row("UpdateUsagePlan", "add", "/quota/period", "MONTH", "/quota/period", json!("MONTH")),
        Row("UpdateUsagePlan", "add", "/quota/offset", "2", "/quota/offset", json!(2)),
        Row("UpdateUsagePlan", "replace", "/quota/limit", "6", "/quota/limit", json!(6)),
        Row("UpdateUsagePlan", "replace", "/quota/offset", "1", "/quota/offset", json!(1)),
        Row("UpdateUsagePlan", "replace", "/quota/period", "WEEK", "/quota/period", json!("WEEK")),
        Row("UpdateUsagePlan", "remove", "/quota", "", "/quota", json!(null)),
        Row("UpdateUsagePlan", "add", "/throttle/rateLimit", "1.5", "/throttle/rateLimit", json!(1.5)),
        Row("UpdateUsagePlan", "add", "/throttle/burstLimit", "3", "/throttle/burstLimit", json!(3)),
        Row("UpdateUsagePlan", "replace", "/throttle/rateLimit", "2", "/throttle/rateLimit", json!(2.0)),
        Row("UpdateUsagePlan", "replace", "/throttle/burstLimit", "4", "/throttle/burstLimit", json!(4)),
        Row("UpdateUsagePlan", "remove", "/throttle", "", "/throttle", json!(null)),
        Row("UpdateUsagePlan", "add", "/productCode", "p", "/productCode", json!("p")),
        Row("UpdateUsagePlan", "replace", "/productCode", "q", "/productCode", json!("q")),
        Row("UpdateUsagePlan", "remove", "/productCode", "", "/productCode", json!(null)),
        Row("UpdateUsagePlan", "add", "/apiStages/@api:prod/throttle/~1test/GET/rateLimit", "1", "/apiStages/0/throttle/~1test~1GET/rateLimit", json!(1.0)),
        Row("UpdateUsagePlan", "add", "/apiStages/@api:prod/throttle/~1test/GET/burstLimit", "1", "/apiStages/0/throttle/~1test~1GET/burstLimit", json!(1)),
        Row("UpdateUsagePlan", "replace", "/apiStages/@api:prod/throttle/~1test/GET/rateLimit", "2", "/apiStages/0/throttle/~1test~1GET/rateLimit", json!(2.0)),
        Row("UpdateUsagePlan", "replace", "/apiStages/@api:prod/throttle/~1test/GET/burstLimit", "2", "/apiStages/0/throttle/~1test~1GET/burstLimit", json!(2)),
        Row("UpdateUsagePlan", "remove", "/apiStages/@api:prod/throttle/~1test/GET", "", "/apiStages/0/throttle", json!(null)),
        Row("UpdateUsagePlan", "add", "/apiStages/@api:prod/throttle", "{\"/test/GET\":{\"rateLimit\":3,\"burstLimit\":3}}", "/apiStages/0/throttle/~1test~1GET/burstLimit", json!(3)),
        Row("UpdateUsagePlan", "replace", "/apiStages/@api:prod/throttle", "{\"/test/GET\":{\"rateLimit\":4,\"burstLimit\":4}}", "/apiStages/0/throttle/~1test~1GET/burstLimit", json!(4)),
        Row("UpdateUsagePlan", "remove", "/apiStages/@api:prod/throttle", "", "/apiStages/0/throttle", json!(null)),
        Row("UpdateUsagePlan", "remove", "/apiStages", "@api:prod", "/apiStages/0", json!(null)),
    ]
}

/// Paths without a row, each with the reason.
const WITHOUT_ROW: [(&str, &str, &str); 4] = [
    (
        "UpdateAccount",
        "remove /features",
        "always refused: usage plans cannot be disabled",
    ),
    (
        "UpdateRestApi",
        "add /endpointConfiguration/vpcEndpointIds",
        "always refused: there are no PRIVATE APIs",
    ),
    (
        "UpdateRestApi",
        "remove /endpointConfiguration/types/{type}",
        "always refused: an API has one type",
    ),
    (
        "UpdateUsage",
        "replace /remaining",
        "needs the data plane; tests/it/usage.rs has it",
    ),
];

/// Its paths ask for certificates; domain_name/tests.rs goes through them.
const ELSEWHERE: &str = "UpdateDomainName";

#[tokio::test]
async fn every_path_of_aws_table_does_what_it_says() {
    let (gateway, ids, urls) = fixture().await;
    for Row(operation, op, path, value, at, expected) in rows() {
        let put = |text: &str| {
            let mut text = text.to_owned();
            for (name, id) in ids.iter().rev() {
                text = text.replace(&format!("@{name}"), id);
            }
            text
        };
        let (path, value) = (put(path), put(value));
        let mut patch = json!({"op": op, "path": path});
        patch[if op == "copy" { "from" } else { "value" }] = json!(value);
        let mut operations = vec![patch];
        if path == "/authorizationScopes" {
            let kind = json!({"op": "replace", "path": "/authorizationType", "value": "COGNITO_USER_POOLS"});
            let id = json!({"op": "replace", "path": "/authorizerId", "value": ids["pools"]});
            operations.extend([kind, id]);
        }
        let body = json!({ "patchOperations": operations }).to_string();
        let answer = gateway.call("PATCH", &urls[operation], body).await;
        assert!(
            answer.status < 300,
            "{operation} {op} {path} {value}: {}",
            answer.refusal()
        );
        let shown = answer.body.pointer(at).cloned().unwrap_or_default();
        let expected = match &expected {
            Value::String(text) => json!(put(text)),
            other => other.clone(),
        };
        assert_eq!(
            shown, expected,
            "{operation} {op} {path} {value}: {}",
            answer.body
        );
    }
}

#[test]
fn every_rule_has_a_row() {
    let rows = rows();
    for listed in LISTED.iter().filter(|listed| listed.operation != ELSEWHERE) {
        for patchable in listed.paths() {
            for op in patchable.ops {
                let named = format!("{op} {}", patchable.path);
                let excused = WITHOUT_ROW
                    .iter()
                    .any(|(operation, rule, _)| *operation == listed.operation && *rule == named);
                let has_row = rows.iter().any(|Row(operation, sent, path, ..)| {
                    *operation == listed.operation
                        && *sent == op
                        && matched(patchable.path, path).is_some()
                });
                assert!(
                    has_row || excused,
                    "{} {named} has no row",
                    listed.operation
                );
            }
        }
    }
}

/// One of everything: the gateway, ids by name, and what each operation is sent to.
async fn fixture() -> (
    Gateway,
    BTreeMap<&'static str, String>,
    BTreeMap<&'static str, String>,
) {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let base = format!("/restapis/{api}");
    let of = |rest: &str| format!("{base}/{rest}");
    let made =
        async |path: String, body: Value| -> Value { gateway.post(&path, body).await.ok(201) };
    let root = text(&gateway.get(&base).await.ok(200), "rootResourceId");
    let second = made(
        of(&format!("resources/{root}")),
        json!({"pathPart": "second"}),
    )
    .await;
    let moved = made(
        of(&format!("resources/{root}")),
        json!({"pathPart": "moved"}),
    )
    .await;
    let token = json!({"name": "t", "type": "TOKEN", "authorizerUri": URI, "identitySource": "method.request.header.A"});
    let token = made(of("authorizers"), token).await;
    let pools = json!({
        "name": "c", "type": "COGNITO_USER_POOLS", "providerARNs": [POOL], "identitySource": "method.request.header.A",
    });
    let pools = made(of("authorizers"), pools).await;
    let validator = made(of("requestvalidators"), json!({"name": "v"})).await;
    let part = made(
        of("documentation/parts"),
        json!({"location": {"type": "API"}, "properties": "{}"}),
    )
    .await;
    made(
        of("documentation/versions"),
        json!({"documentationVersion": "v1"}),
    )
    .await;
    let model = json!({"name": "Pet", "contentType": "application/json", "schema": "{}"});
    made(of("models"), model).await;
    let method = of(&format!("resources/{resource}/methods/GET"));
    let http = json!({"type": "HTTP", "httpMethod": "GET", "uri": "http://a.example"});
    gateway
        .put(&format!("{method}/integration"), http)
        .await
        .ok(201);
    let declared = json!({"responseParameters": {"method.response.header.h": false}});
    gateway
        .put(&format!("{method}/responses/200"), declared)
        .await
        .ok(201);
    gateway
        .put(&format!("{method}/integration/responses/200"), json!({}))
        .await
        .ok(201);
    let deployment = made(of("deployments"), json!({"stageName": "prod"})).await;
    let second_deployment = made(of("deployments"), json!({})).await;
    let key = made("/apikeys".to_owned(), json!({"name": "n"})).await;
    let plan = made("/usageplans".to_owned(), json!({
        "name": "p", "quota": {"limit": 1, "period": "DAY"}, "throttle": {"rateLimit": 1, "burstLimit": 1},
    })).await;
    let certificate = made("/clientcertificates".to_owned(), json!({})).await;
    made(
        "/domainnames".to_owned(),
        json!({"domainName": "api.example.com"}),
    )
    .await;
    let mappings = "/domainnames/api.example.com/basepathmappings";
    made(
        mappings.to_owned(),
        json!({"restApiId": api, "basePath": "a"}),
    )
    .await;
    let link = json!({"name": "l", "targetArns": ["arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/n/1"]});
    let link = gateway.post("/vpclinks", link).await.ok(202);
    let id = |of: &Value| text(of, "id");
    let urls = BTreeMap::from([
        ("UpdateAccount", "/account".to_owned()),
        ("UpdateApiKey", format!("/apikeys/{}", id(&key))),
        (
            "UpdateAuthorizer",
            of(&format!("authorizers/{}", id(&token))),
        ),
        ("UpdateBasePathMapping", format!("{mappings}/a")),
        (
            "UpdateClientCertificate",
            format!(
                "/clientcertificates/{}",
                text(&certificate, "clientCertificateId")
            ),
        ),
        ("UpdateVpcLink", format!("/vpclinks/{}", id(&link))),
        (
            "UpdateDeployment",
            of(&format!("deployments/{}", id(&deployment))),
        ),
        (
            "UpdateDocumentationPart",
            of(&format!("documentation/parts/{}", id(&part))),
        ),
        (
            "UpdateDocumentationVersion",
            of("documentation/versions/v1"),
        ),
        ("UpdateGatewayResponse", of("gatewayresponses/THROTTLED")),
        ("UpdateIntegration", format!("{method}/integration")),
        (
            "UpdateIntegrationResponse",
            format!("{method}/integration/responses/200"),
        ),
        ("UpdateMethod", method.clone()),
        ("UpdateMethodResponse", format!("{method}/responses/200")),
        ("UpdateModel", of("models/Pet")),
        (
            "UpdateRequestValidator",
            of(&format!("requestvalidators/{}", id(&validator))),
        ),
        ("UpdateResource", of(&format!("resources/{}", id(&moved)))),
        ("UpdateRestApi", base.clone()),
        ("UpdateStage", of("stages/prod")),
        ("UpdateUsagePlan", format!("/usageplans/{}", id(&plan))),
    ]);
    let ids = BTreeMap::from([
        ("api", api),
        ("certificate", text(&certificate, "clientCertificateId")),
        ("deployment", id(&deployment)),
        ("pools", id(&pools)),
        ("second", id(&second)),
        ("second_deployment", id(&second_deployment)),
        ("validator", id(&validator)),
    ]);
    (gateway, ids, urls)
}
