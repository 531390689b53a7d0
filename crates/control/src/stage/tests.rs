//! Stages on the wire: creation, every patch path, method settings, deletion.

use serde_json::{Value, json};

use crate::testing::{Answer, Gateway, START, api_with_method, text};

struct Stages {
    gateway: Gateway,
    api: String,
    deployment: String,
    path: String,
}

impl Stages {
    async fn new() -> Self {
        let gateway = Gateway::new();
        let (api, _) = api_with_method(&gateway).await;
        let deployment = text(
            &gateway
                .post(&format!("/restapis/{api}/deployments"), json!({}))
                .await
                .ok(201),
            "id",
        );
        Stages {
            gateway,
            path: format!("/restapis/{api}/stages"),
            api,
            deployment,
        }
    }

    /// Makes versions of the documentation that stages can name.
    async fn document(&self, versions: &[&str]) {
        for version in versions {
            let path = format!("/restapis/{}/documentation/versions", self.api);
            let body = json!({"documentationVersion": version});
            self.gateway.post(&path, body).await.ok(201);
        }
    }

    async fn create(&self, mut body: Value) -> Answer {
        if body.get("deploymentId").is_none() {
            body["deploymentId"] = json!(self.deployment);
        }
        self.gateway.post(&self.path, body).await
    }

    /// With a stage `s1`.
    async fn with_stage() -> Self {
        let stages = Stages::new().await;
        stages.create(json!({"stageName": "s1"})).await.ok(201);
        stages
    }

    async fn patch(&self, operations: &[(&str, &str, Option<&str>)]) -> Answer {
        self.gateway
            .patch(&format!("{}/s1", self.path), operations)
            .await
    }

    async fn replace(&self, path: &str, value: &str) -> Value {
        self.patch(&[("replace", path, Some(value))]).await.ok(200)
    }

    fn plain(&self, name: &str) -> Value {
        json!({
            "stageName": name, "deploymentId": self.deployment, "cacheClusterEnabled": false,
            "cacheClusterStatus": "NOT_AVAILABLE", "methodSettings": {}, "tracingEnabled": false,
            "createdDate": START, "lastUpdatedDate": START,
        })
    }
}

/// Method settings of which nothing was set.
fn defaults() -> Value {
    json!({
        "metricsEnabled": false, "dataTraceEnabled": false, "throttlingBurstLimit": 5000, "throttlingRateLimit": 10000.0,
        "cachingEnabled": false, "cacheTtlInSeconds": 300, "cacheDataEncrypted": false,
        "requireAuthorizationForCacheControl": true,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    })
}

#[tokio::test]
async fn a_stage_is_made_listed_and_deleted() {
    let stages = Stages::new().await;
    stages.document(&["v1"]).await;
    let plain = stages.plain("s-1_a");
    stages
        .create(json!({"stageName": "s-1_a", "description": "", "variables": {}}))
        .await
        .is(201, plain.clone());
    let one = format!("{}/s-1_a", stages.path);
    stages.gateway.get(&one).await.is(200, plain.clone());
    let body = json!({
        "stageName": "s2", "description": "d", "variables": {"a": "1"}, "documentationVersion": "v1", "tracingEnabled": true,
        "tags": {"k": "v"}, "cacheClusterSize": "0.5", "cacheClusterEnabled": false,
    });
    let mut full = stages.plain("s2");
    full.as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    stages.create(body).await.is(201, full.clone());
    stages
        .gateway
        .get(&stages.path)
        .await
        .is(200, json!({"item": [plain, full]}));
    stages.gateway.delete(&one).await.is(202, Value::Null);
    let unknown = "Invalid stage identifier specified";
    stages.gateway.get(&one).await.missing(unknown);
    stages.gateway.delete(&one).await.missing(unknown);
    stages
        .gateway
        .patch(&one, &[("replace", "/description", Some("x"))])
        .await
        .missing(unknown);
}

#[tokio::test]
async fn lists_are_filtered_by_deployment() {
    let stages = Stages::with_stage().await;
    let deployments = format!("/restapis/{}/deployments", stages.api);
    let other = text(
        &stages
            .gateway
            .post(&deployments, json!({"stageName": "s2"}))
            .await
            .ok(201),
        "id",
    );
    let names = async |query: &str| {
        let list = stages
            .gateway
            .get(&format!("{}{query}", stages.path))
            .await
            .ok(200);
        list["item"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| text(stage, "stageName"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["s1", "s2"]);
    assert_eq!(
        names(&format!("?deploymentId={}", stages.deployment)).await,
        ["s1"]
    );
    assert_eq!(names(&format!("?deploymentId={other}")).await, ["s2"]);
}

#[tokio::test]
async fn bad_creations_are_refused() {
    let stages = Stages::with_stage().await;
    let bad = async |body: Value, text: &str| stages.create(body).await.bad(text);
    for name in ["", "a b", "a/b", "é"] {
        bad(
            json!({"stageName": name}),
            "Stage name only allows a-zA-Z0-9_-",
        )
        .await;
    }
    bad(
        json!({"stageName": "s".repeat(129)}),
        "Stage name can be at most 128 characters.",
    )
    .await;
    bad(
        json!({"stageName": "s", "deploymentId": "nope"}),
        "Deployment id does not exist",
    )
    .await;
    bad(
        json!({"stageName": "s", "canarySettings": {"deploymentId": "nope"}}),
        "Deployment id does not exist",
    )
    .await;
    for percent in [-1.0, 100.5] {
        bad(
            json!({"stageName": "s", "canarySettings": {"percentTraffic": percent}}),
            "Invalid percentTraffic value specified, must be between 0.0 and 100.0",
        )
        .await;
    }
    let name = "Invalid stage variable name: a-b. Please use names with only word characters.";
    bad(
        json!({"stageName": "s", "canarySettings": {"stageVariableOverrides": {"a-b": "x"}}}),
        name,
    )
    .await;
    bad(
        json!({"stageName": "s", "documentationVersion": "v9"}),
        "Invalid Documentation version identifier specified",
    )
    .await;
    stages
        .create(json!({"stageName": "s1"}))
        .await
        .conflict("Stage already exists");
    stages.gateway.post(&stages.path, json!({})).await.refused(
        400,
        "ValidationException",
        "2 validation errors detected: Value null at 'createStageInput.stageName' failed to satisfy constraint: Member must not be \
         null; Value null at 'createStageInput.deploymentId' failed to satisfy constraint: Member must not be null",
    );
}

#[tokio::test]
async fn scalars_and_variables_are_patched() {
    let stages = Stages::with_stage().await;
    stages.document(&["v2"]).await;
    stages.gateway.sleep(9);
    let changed = stages
        .patch(&[
            ("replace", "/description", Some("new")),
            ("replace", "/documentationVersion", Some("v2")),
            ("replace", "/tracingEnabled", Some("true")),
            ("replace", "/cacheClusterEnabled", Some("false")),
            ("replace", "/cacheClusterSize", Some("1.6")),
            ("replace", "/clientCertificateId", Some("")),
            ("replace", "/variables/var1", Some("test")),
            ("add", "/variables/var2", Some("test2")),
            ("remove", "/variables/none", None),
            ("remove", "/canarySettings", None),
        ])
        .await;
    let mut expected = stages.plain("s1");
    expected["lastUpdatedDate"] = json!(START + 9);
    for (member, value) in [
        ("description", "new"),
        ("documentationVersion", "v2"),
        ("cacheClusterSize", "1.6"),
    ] {
        expected[member] = json!(value);
    }
    expected["tracingEnabled"] = json!(true);
    expected["variables"] = json!({"var1": "test", "var2": "test2"});
    changed.is(200, expected.clone());
    let removed = stages
        .patch(&[
            ("remove", "/variables/var1", None),
            ("remove", "/variables/var2", None),
        ])
        .await
        .ok(200);
    assert!(removed.get("variables").is_none());
    let deployments = format!("/restapis/{}/deployments", stages.api);
    let other = text(
        &stages.gateway.post(&deployments, json!({})).await.ok(201),
        "id",
    );
    assert_eq!(
        stages.replace("/deploymentId", &other).await["deploymentId"],
        json!(other)
    );
}

#[tokio::test]
async fn settings_start_from_all_methods_and_stay_their_own() {
    let stages = Stages::with_stage().await;
    let changed = stages
        .patch(&[
            ("replace", "/*/*/throttling/burstLimit", Some("123")),
            ("replace", "/*/*/caching/enabled", Some("true")),
            ("replace", "/test/GET/throttling/burstLimit", Some("124")),
        ])
        .await
        .ok(200);
    let of = |burst: i32| {
        let mut settings = defaults();
        settings["throttlingBurstLimit"] = json!(burst);
        settings["cachingEnabled"] = json!(true);
        settings
    };
    assert_eq!(
        changed["methodSettings"],
        json!({"*/*": of(123), "test/GET": of(124)})
    );
    let overridden = stages.replace("/*/*/throttling/burstLimit", "100").await;
    assert_eq!(
        overridden["methodSettings"],
        json!({"*/*": of(100), "test/GET": of(124)})
    );
    assert_eq!(
        stages
            .gateway
            .get(&format!("{}/s1", stages.path))
            .await
            .ok(200),
        overridden
    );
}

#[tokio::test]
async fn every_setting_is_set_and_keys_stay_as_they_came() {
    let stages = Stages::with_stage().await;
    for key in [
        "*/*",
        "test/*",
        "test/GET",
        "~1pets~1{id}/ANY",
        "~1/GET",
        "/tenant/{name}/codes/GET",
    ] {
        let set = |setting: &str| format!("/{key}/{setting}");
        let changed = stages
            .patch(&[
                ("replace", &set("metrics/enabled"), Some("true")),
                ("replace", &set("logging/dataTrace"), Some("true")),
                ("replace", &set("logging/loglevel"), Some("INFO")),
                ("replace", &set("throttling/burstLimit"), Some("-1")),
                ("replace", &set("throttling/rateLimit"), Some("2.500000")),
                ("replace", &set("caching/enabled"), Some("true")),
                ("replace", &set("caching/ttlInSeconds"), Some("3600")),
                ("replace", &set("caching/dataEncrypted"), Some("true")),
                (
                    "replace",
                    &set("caching/requireAuthorizationForCacheControl"),
                    Some("false"),
                ),
                (
                    "replace",
                    &set("caching/unauthorizedCacheControlHeaderStrategy"),
                    Some("FAIL_WITH_403"),
                ),
            ])
            .await
            .ok(200);
        let expected = json!({
            "metricsEnabled": true, "dataTraceEnabled": true, "loggingLevel": "INFO", "throttlingBurstLimit": -1,
            "throttlingRateLimit": 2.5, "cachingEnabled": true, "cacheTtlInSeconds": 3600, "cacheDataEncrypted": true,
            "requireAuthorizationForCacheControl": false, "unauthorizedCacheControlHeaderStrategy": "FAIL_WITH_403",
        });
        assert_eq!(changed["methodSettings"], json!({ key: expected }), "{key}");
        let removed = stages
            .patch(&[("remove", &format!("/{key}"), None)])
            .await
            .ok(200);
        assert_eq!(removed["methodSettings"], json!({}), "{key}");
    }
}

#[tokio::test]
async fn a_default_that_is_shown_was_not_set() {
    let stages = Stages::with_stage().await;
    let shown =
        stages.replace("/*/*/metrics/enabled", "true").await["methodSettings"]["*/*"].clone();
    assert_eq!(
        (
            &shown["throttlingBurstLimit"],
            &shown["throttlingRateLimit"]
        ),
        (&json!(5000), &json!(10000.0))
    );
    assert!(shown.get("loggingLevel").is_none());
    let api = stages.api.clone();
    let look =
        move |reader: &tollgate_store::Reader<'_>| reader.get::<tollgate_entity::Stage>(&api, "s1");
    let kept = stages
        .gateway
        .control
        .store
        .read_blocking::<_, tollgate_store::StoreError>(look)
        .unwrap()
        .unwrap();
    let kept = &kept.method_settings["*/*"];
    assert_eq!(
        (
            kept.metrics_enabled,
            kept.throttling_burst_limit,
            kept.throttling_rate_limit
        ),
        (Some(true), None, None)
    );
}

#[tokio::test]
async fn settings_that_are_not_there_cannot_be_removed() {
    let stages = Stages::with_stage().await;
    for key in [
        "*/*",
        "~1test/GET",
        "accessLogSettings/destinationArn",
        "accessLogSettings/*",
        "canarySettings/badPath",
    ] {
        let text = format!(
            "Cannot remove method setting {key} because there is no method setting for this method "
        );
        stages
            .patch(&[("remove", &format!("/{key}"), None)])
            .await
            .bad(&text);
    }
}

#[tokio::test]
async fn values_of_settings_are_checked() {
    let stages = Stages::with_stage().await;
    let bad = async |path: &str, value: &str| stages.patch(&[("replace", path, Some(value))]).await;
    let ttl = "Invalid time-to-live setting, must be an integer no greater than 3600";
    for value in ["3601", "-1", "x", ""] {
        bad("/*/*/caching/ttlInSeconds", value).await.bad(ttl);
    }
    for (path, value) in [
        ("/*/*/throttling/burstLimit", "-2"),
        ("/*/*/throttling/burstLimit", "many"),
        ("/*/*/throttling/rateLimit", "-0.5"),
        ("/*/*/throttling/rateLimit", "NaN"),
        ("/*/*/logging/loglevel", "LOUD"),
        ("/*/*/caching/unauthorizedCacheControlHeaderStrategy", "x"),
        ("/cacheClusterSize", "9"),
    ] {
        assert_eq!(bad(path, value).await.status, 400, "{path} {value}");
    }
    let shown = stages.replace("/*/*/throttling/rateLimit", "0").await;
    assert_eq!(shown["methodSettings"]["*/*"]["throttlingRateLimit"], 0.0);
}

#[tokio::test]
async fn access_log_settings_come_and_go() {
    let stages = Stages::with_stage().await;
    let arn = "arn:aws:logs:us-east-1:111111111111:log-group:group";
    let set = async |op: &str, path: &str, value: &str| {
        stages.patch(&[(op, path, Some(value))]).await.ok(200)["accessLogSettings"].clone()
    };
    assert_eq!(
        set("add", "/accessLogSettings/destinationArn", arn).await,
        json!({"destinationArn": arn})
    );
    let other = format!("{arn}a");
    assert_eq!(
        set("replace", "/accessLogSettings/destinationArn", &other).await,
        json!({"destinationArn": other})
    );
    let format = "$context.requestId $context.identity.sourceIp";
    let both = json!({"destinationArn": other, "format": format});
    assert_eq!(set("add", "/accessLogSettings/format", format).await, both);
    for path in [
        "/accessLogSettings/destinationArn",
        "/accessLogSettings/format",
    ] {
        stages
            .patch(&[("replace", path, Some(""))])
            .await
            .bad("Access Log value must not be empty");
    }
    stages
        .patch(&[(
            "replace",
            "/accessLogSettings/destinationArn",
            Some("invalid-arn"),
        )])
        .await
        .bad("Invalid ARN. ARN is not well formed invalid-arn");
    stages
        .patch(&[("replace", "/accessLogSettings/format", Some("$context.status"))])
        .await
        .bad("Access Log format must include either $context.requestId or $context.extendedRequestId");
    for (op, path) in [
        ("add", "/accessLogSettings"),
        ("replace", "/accessLogSettings"),
        ("add", "/accessLogSettings/randomValue"),
        ("replace", "/accessLogSettings/*"),
    ] {
        stages
            .patch(&[(op, path, Some("x"))])
            .await
            .bad("Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]");
    }
    let remove = async |path: &str| {
        let shown = stages.patch(&[("remove", path, None)]).await.ok(200);
        shown.get("accessLogSettings").cloned()
    };
    assert_eq!(
        remove("/accessLogSettings/format").await,
        Some(json!({"destinationArn": other}))
    );
    stages
        .patch(&[("remove", "/accessLogSettings/format", None)])
        .await
        .bad("Cannot remove method setting accessLogSettings/format because there is no method setting for this method ");
    assert_eq!(remove("/accessLogSettings/destinationArn").await, None);
    set("add", "/accessLogSettings/destinationArn", arn).await;
    assert_eq!(remove("/accessLogSettings").await, None);
}

#[tokio::test]
async fn bad_paths_are_refused_with_the_whole_list() {
    let stages = Stages::with_stage().await;
    const LIST: &str = "[/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled]";
    for path in [
        "/tags/tag1",
        "/documentation_version",
        "/canarySettings",
        "/canarySettings/badPath",
        "/{proxy+}/ANY//throttling/burstLimit",
        "/test/FETCH/throttling/burstLimit",
        "/throttling/burstLimit",
    ] {
        let text = format!("Invalid method setting path: {path}. Must be one of: {LIST}");
        stages
            .patch(&[("replace", path, Some("1"))])
            .await
            .bad(&text);
    }
    stages
        .patch(&[("remove", "/description", None)])
        .await
        .bad(&format!(
            "Invalid method setting path: /description. Must be one of: {LIST}"
        ));
    stages
        .patch(&[("add", "/canarySettings/deploymentId", Some("x"))])
        .await
        .bad("Invalid add operation with path: /canarySettings/deploymentId");
    stages
        .patch(&[("add", "/description", Some("x"))])
        .await
        .bad("Invalid add operation with path: /description");
    stages
        .patch(&[("test", "/description", Some("x"))])
        .await
        .bad("Invalid test operation with path: /description");
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let stages = Stages::with_stage().await;
    let bad = async |path: &str, value: &str, text: &str| {
        stages
            .patch(&[("replace", path, Some(value))])
            .await
            .bad(text)
    };
    bad("/deploymentId", "nope", "Deployment id does not exist").await;
    bad(
        "/canarySettings/deploymentId",
        "nope",
        "Deployment id does not exist",
    )
    .await;
    let percent = "Invalid percentTraffic value specified, must be between 0.0 and 100.0";
    bad("/canarySettings/percentTraffic", "101", percent).await;
    bad(
        "/documentationVersion",
        "v9",
        "Invalid Documentation version identifier specified",
    )
    .await;
    bad(
        "/clientCertificateId",
        "abc123",
        "Invalid client certificate identifier specified",
    )
    .await;
    let variable = "Invalid stage variable name: a-b. Please use names with only word characters.";
    bad("/variables/a-b", "x", variable).await;
    stages
        .gateway
        .get(&format!("{}/s1", stages.path))
        .await
        .is(200, stages.plain("s1"));
}

#[tokio::test]
async fn promoting_needs_a_canary() {
    let stages = Stages::with_stage().await;
    let copy = async |path: &str, from: &str| {
        let body = json!({"patchOperations": [{"op": "copy", "path": path, "from": from}]});
        stages
            .gateway
            .call("PATCH", &format!("{}/s1", stages.path), body.to_string())
            .await
    };
    let nothing = "Promotion not available. Canary does not exist.";
    copy("/deploymentId", "/canarySettings/deploymentId")
        .await
        .bad(nothing);
    copy("/variables", "/canarySettings/stageVariableOverrides")
        .await
        .bad(nothing);
    copy("/canarySettings/stageVariableOverrides", "/variables").await.bad(
        "Invalid copy operation with path: /canarySettings/stageVariableOverrides and from /variables. Valid copy:path are \
         [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]",
    );
}

#[tokio::test]
async fn a_deleted_stage_leaves_its_plans_silently() {
    let stages = Stages::with_stage().await;
    stages.create(json!({"stageName": "s2"})).await.ok(201);
    let body = json!({"name": "p", "apiStages": [{"apiId": stages.api, "stage": "s1"}, {"apiId": stages.api, "stage": "s2"}]});
    let plan = format!(
        "/usageplans/{}",
        text(
            &stages.gateway.post("/usageplans", body).await.ok(201),
            "id"
        )
    );
    stages
        .gateway
        .delete(&format!("{}/s1", stages.path))
        .await
        .ok(202);
    let left = stages.gateway.get(&plan).await.ok(200);
    assert_eq!(
        left["apiStages"],
        json!([{"apiId": stages.api, "stage": "s2"}])
    );
    stages.create(json!({"stageName": "s1"})).await.ok(201);
    assert_eq!(
        stages.gateway.get(&plan).await.ok(200)["apiStages"],
        left["apiStages"]
    );
}

#[tokio::test]
async fn a_canary_comes_with_its_first_patch_and_is_promoted() {
    let stages = Stages::with_stage().await;
    let deployments = format!("/restapis/{}/deployments", stages.api);
    let other = stages.gateway.post(&deployments, json!({})).await;
    let other = text(&other.ok(201), "id");
    let shown = stages
        .replace("/canarySettings/percentTraffic", "50.0")
        .await;
    let first =
        json!({"deploymentId": stages.deployment, "percentTraffic": 50.0, "useStageCache": false});
    assert_eq!(shown["canarySettings"], first);
    let shown = stages
        .patch(&[
            ("replace", "/variables/a", Some("own")),
            ("replace", "/variables/b", Some("own")),
            ("replace", "/canarySettings/deploymentId", Some(&other)),
            ("replace", "/canarySettings/useStageCache", Some("true")),
            (
                "replace",
                "/canarySettings/stageVariableOverrides/a",
                Some("over"),
            ),
            (
                "replace",
                "/canarySettings/stageVariableOverrides/c",
                Some("x"),
            ),
            ("remove", "/canarySettings/stageVariableOverrides/c", None),
        ])
        .await
        .ok(200);
    assert_eq!(
        shown["canarySettings"],
        json!({
            "deploymentId": other, "percentTraffic": 50.0, "useStageCache": true, "stageVariableOverrides": {"a": "over"},
        })
    );
    assert_eq!(shown["deploymentId"], json!(stages.deployment));
    stages
        .gateway
        .delete(&format!("{deployments}/{other}"))
        .await
        .bad("Active stages pointing to this deployment must be moved or deleted");
    let promote = json!({"patchOperations": [
        {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0"},
        {"op": "copy", "path": "/deploymentId", "from": "/canarySettings/deploymentId"},
        {"op": "copy", "path": "/variables", "from": "/canarySettings/stageVariableOverrides"},
    ]});
    let promoted = stages
        .gateway
        .call("PATCH", &format!("{}/s1", stages.path), promote.to_string())
        .await
        .ok(200);
    assert_eq!(promoted["deploymentId"], json!(other));
    assert_eq!(promoted["variables"], json!({"a": "over", "b": "own"}));
    assert_eq!(promoted["canarySettings"]["percentTraffic"], 0.0);
    let removed = stages.patch(&[("remove", "/canarySettings", None)]).await;
    assert!(removed.ok(200).get("canarySettings").is_none());
}

#[tokio::test]
async fn a_stage_is_created_with_a_canary_and_a_cache() {
    let stages = Stages::new().await;
    let body = json!({
        "stageName": "s1", "cacheClusterEnabled": true,
        "canarySettings": {"percentTraffic": 40, "stageVariableOverrides": {"a": "b"}, "useStageCache": true},
    });
    let mut expected = stages.plain("s1");
    expected["canarySettings"] = json!({
        "deploymentId": stages.deployment, "percentTraffic": 40.0, "stageVariableOverrides": {"a": "b"}, "useStageCache": true,
    });
    expected["cacheClusterEnabled"] = json!(true);
    expected["cacheClusterSize"] = json!("0.5");
    expected["cacheClusterStatus"] = json!("AVAILABLE");
    stages.create(body).await.is(201, expected);
    let sized = stages.replace("/cacheClusterSize", "6.1").await;
    assert_eq!(sized["cacheClusterSize"], "6.1");
    let off = stages.replace("/cacheClusterEnabled", "false").await;
    assert_eq!(text(&off, "cacheClusterStatus"), "NOT_AVAILABLE");
}

#[tokio::test]
async fn caches_are_flushed_of_stages_that_exist() {
    let stages = Stages::with_stage().await;
    for cache in ["data", "authorizers"] {
        let of = |stage: &str| format!("{}/{stage}/cache/{cache}", stages.path);
        stages.gateway.delete(&of("s1")).await.is(202, Value::Null);
        stages
            .gateway
            .delete(&of("nope"))
            .await
            .missing("Invalid stage identifier specified");
    }
}
