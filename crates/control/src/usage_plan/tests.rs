//! Tests of the usage plan operations, on the wire.

use serde_json::{Value, json};

use crate::testing::{Gateway, text};

async fn plan(gateway: &Gateway, body: Value) -> Value {
    gateway.post("/usageplans", body).await.ok(201)
}

fn path(plan: &Value) -> String {
    format!("/usageplans/{}", text(plan, "id"))
}

async fn add_key(gateway: &Gateway, plan: &Value, key: &Value) {
    let body = json!({"keyId": key["id"], "keyType": "API_KEY"});
    gateway
        .post(&format!("{}/keys", path(plan)), body)
        .await
        .ok(201);
}

#[tokio::test]
async fn a_plan_shows_what_is_configured_and_its_stages() {
    let gateway = Gateway::new();
    let bare = plan(&gateway, json!({"name": "p"})).await;
    assert_eq!(
        bare,
        json!({"id": bare["id"], "name": "p", "apiStages": []})
    );
    gateway.put_methods("a1", "prod", &[("/pets", "GET"), ("/", "GET")]);
    let body = json!({
        "name": "full", "description": "d", "tags": {"team": "x"}, "productCode": "not at creation",
        "throttle": {"rateLimit": 10, "burstLimit": 20}, "quota": {"limit": 5, "period": "WEEK"},
        "apiStages": [{"apiId": "a1", "stage": "prod", "throttle": {"/pets/GET": {"rateLimit": 0.5}, "//GET": {"burstLimit": 0}}}],
    });
    let full = plan(&gateway, body).await;
    let expected = json!({
        "id": full["id"], "name": "full", "description": "d", "tags": {"team": "x"},
        "throttle": {"rateLimit": 10.0, "burstLimit": 20}, "quota": {"limit": 5, "offset": 0, "period": "WEEK"},
        "apiStages": [{"apiId": "a1", "stage": "prod", "throttle": {"/pets/GET": {"rateLimit": 0.5}, "//GET": {"burstLimit": 0}}}],
    });
    assert_eq!(full, expected);
    assert_eq!(gateway.get(&path(&full)).await.ok(200), expected);
    assert_eq!(gateway.get(&path(&bare)).await.ok(200)["tags"], json!({}));
}

#[tokio::test]
async fn bad_plans_are_refused_in_the_words_of_aws() {
    let gateway = Gateway::new();
    gateway.put_stages(&[("a1", "prod")]);
    let quota = |quota: Value| json!({"name": "p", "quota": quota});
    let method = |name: &str| json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": "prod", "throttle": {name: {}}}]});
    let cases = [
        (json!({}), "Usage Plan name cannot be blank"),
        (
            quota(json!({"limit": 1})),
            "Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]",
        ),
        (
            quota(json!({"limit": 1, "period": "YEAR"})),
            "Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]",
        ),
        (
            quota(json!({"period": "DAY"})),
            "Usage Plan quota limit must be a non-negative numeric",
        ),
        (
            quota(json!({"limit": -1, "period": "DAY"})),
            "Usage Plan quota limit must be a non-negative numeric",
        ),
        (
            quota(json!({"limit": 1, "period": "DAY", "offset": 1})),
            "Usage Plan quota offset must be zero in the DAY period",
        ),
        (
            quota(json!({"limit": 1, "period": "WEEK", "offset": 7})),
            "Usage Plan quota offset must be between 0 and 6 inclusive in the WEEK period",
        ),
        (
            quota(json!({"limit": 1, "period": "MONTH", "offset": 28})),
            "Usage Plan quota offset must be between 0 and 27 inclusive in the MONTH period",
        ),
        (
            method("pets/GET"),
            "Invalid method {resourcePath: pets/GET,method: } specified",
        ),
        (
            method("*/*"),
            "Invalid method {resourcePath: */*,method: } specified",
        ),
        (
            method("/*/*"),
            "Invalid method {resourcePath: /*,method: *} specified",
        ),
        (
            method("/*/GET"),
            "Invalid method {resourcePath: /*,method: GET} specified",
        ),
        (
            json!({"name": "n".repeat(1025)}),
            "Usage Plan name can be at most 1024 characters",
        ),
        (
            json!({"name": "n", "description": "d".repeat(125_001)}),
            "Usage Plan description can be at most 125000 characters",
        ),
        (
            json!({"name": "p", "throttle": {"rateLimit": -1}}),
            "Usage Plan throttle rate limit must be a non-negative number",
        ),
        (
            json!({"name": "p", "throttle": {"burstLimit": -1}}),
            "Usage Plan throttle burst limit must be a non-negative number",
        ),
        (
            json!({"name": "p", "apiStages": [{"apiId": "", "stage": "prod"}]}),
            "Invalid API Stage {api: %s, stage: %s} specified for usageplan %s",
        ),
        (
            json!({"name": "p", "apiStages": [{"apiId": "a1"}]}),
            "Invalid API Stage {api: %s, stage: %s} specified for usageplan %s",
        ),
    ];
    for (body, text) in cases {
        gateway.post("/usageplans", body).await.bad(text);
    }
    let unknown = json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": "nosuch"}]});
    gateway
        .post("/usageplans", unknown)
        .await
        .missing("API Stage not found: a1:nosuch");
    assert_eq!(
        gateway.get("/usageplans").await.ok(200),
        json!({"item": []})
    );
}

#[tokio::test]
async fn a_stage_has_twenty_method_throttles_at_most() {
    let gateway = Gateway::new();
    let paths: Vec<String> = (0..22).map(|n| format!("/r{n}")).collect();
    let methods: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "GET")).collect();
    gateway.put_methods("a1", "prod", &methods);
    let body = |count: usize| {
        let methods: serde_json::Map<String, Value> = (0..count)
            .map(|n| (format!("/r{n}/GET"), json!({"rateLimit": 1})))
            .collect();
        json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": "prod", "throttle": methods}]})
    };
    let full = plan(&gateway, body(20)).await;
    assert_eq!(gateway.post("/usageplans", body(21)).await.status, 400);
    let one_more = [(
        "replace",
        "/apiStages/a1:prod/throttle//r20/GET/rateLimit",
        Some("1"),
    )];
    assert_eq!(gateway.patch(&path(&full), &one_more).await.status, 400);
}

#[tokio::test]
async fn plans_are_listed_in_order_and_by_key() {
    let gateway = Gateway::new();
    let (a, b) = (
        plan(&gateway, json!({"name": "a"})).await,
        plan(&gateway, json!({"name": "b"})).await,
    );
    let key = gateway.post("/apikeys", json!({"name": "k"})).await.ok(201);
    add_key(&gateway, &b, &key).await;
    let first = gateway.get("/usageplans?limit=1").await.ok(200);
    assert_eq!(first["item"], json!([a]));
    let second = gateway
        .get(&format!(
            "/usageplans?limit=1&position={}",
            text(&first, "position")
        ))
        .await
        .ok(200);
    assert_eq!(second, json!({"item": [b]}));
    let of_key = gateway
        .get(&format!("/usageplans?keyId={}", text(&key, "id")))
        .await
        .ok(200);
    assert_eq!(of_key, json!({"item": [b]}));
    assert_eq!(
        gateway.get("/usageplans?keyId=nosuch").await.ok(200),
        json!({"item": []})
    );
}

#[tokio::test]
async fn four_replaces_make_quota_and_throttle() {
    let gateway = Gateway::new();
    let plan = plan(&gateway, json!({"name": "p"})).await;
    let changes = [
        ("replace", "/throttle/burstLimit", Some("100")),
        ("replace", "/throttle/rateLimit", Some("200")),
        ("replace", "/quota/limit", Some("5000")),
        ("replace", "/quota/period", Some("MONTH")),
    ];
    let changed = gateway.patch(&path(&plan), &changes).await.ok(200);
    assert_eq!(
        changed["quota"],
        json!({"limit": 5000, "offset": 0, "period": "MONTH"})
    );
    assert_eq!(
        changed["throttle"],
        json!({"burstLimit": 100, "rateLimit": 200.0})
    );
    assert_eq!(changed["tags"], json!({}));
    let removed = gateway
        .patch(
            &path(&plan),
            &[("remove", "/quota", None), ("remove", "/throttle", None)],
        )
        .await
        .ok(200);
    assert!(removed.get("quota").is_none() && removed.get("throttle").is_none());
}

#[tokio::test]
async fn names_descriptions_and_product_codes_change() {
    let gateway = Gateway::new();
    let plan = plan(&gateway, json!({"name": "p", "description": "d"})).await;
    let changes = [
        ("replace", "/name", Some("new")),
        ("replace", "/description", Some("")),
        ("replace", "/productCode", Some("c")),
    ];
    let changed = gateway.patch(&path(&plan), &changes).await.ok(200);
    assert_eq!(
        (&changed["name"], &changed["productCode"]),
        (&json!("new"), &json!("c"))
    );
    assert!(changed.get("description").is_none());
    let removed = gateway
        .patch(&path(&plan), &[("remove", "/productCode", None)])
        .await
        .ok(200);
    assert!(removed.get("productCode").is_none());
    assert_eq!(gateway.patch(&path(&plan), &[]).await.ok(200), removed);
}

#[tokio::test]
async fn stages_are_added_removed_and_re_added_in_one_batch() {
    let gateway = Gateway::new();
    gateway.put_stages(&[("a1", "dev")]);
    gateway.put_methods("a1", "prod", &[("/orders/{id}", "GET"), ("/", "GET")]);
    let plan = plan(
        &gateway,
        json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": "prod"}]}),
    )
    .await;
    let key = gateway.post("/apikeys", json!({"name": "k"})).await.ok(201);
    add_key(&gateway, &plan, &key).await;
    // As Terraform sends it: everything out, everything in, then the method throttles with raw paths.
    let changes = [
        ("remove", "/apiStages", Some("a1:prod")),
        ("add", "/apiStages", Some("a1:dev")),
        ("add", "/apiStages", Some("a1:prod")),
        ("add", "/apiStages", Some("a1:prod")),
        (
            "replace",
            "/apiStages/a1:prod/throttle//orders/{id}/GET/rateLimit",
            Some("10.5"),
        ),
        (
            "replace",
            "/apiStages/a1:prod/throttle//orders/{id}/GET/burstLimit",
            Some("20"),
        ),
        (
            "replace",
            "/apiStages/a1:prod/throttle///GET/burstLimit",
            Some("1"),
        ),
    ];
    let changed = gateway.patch(&path(&plan), &changes).await.ok(200);
    let prod = json!({"/orders/{id}/GET": {"rateLimit": 10.5, "burstLimit": 20}, "//GET": {"burstLimit": 1}});
    assert_eq!(
        changed["apiStages"],
        json!([{"apiId": "a1", "stage": "dev"}, {"apiId": "a1", "stage": "prod", "throttle": prod}])
    );
}

#[tokio::test]
async fn method_throttles_are_reached_raw_escaped_and_as_json() {
    let gateway = Gateway::new();
    gateway.put_methods(
        "a1",
        "prod",
        &[("/pets/{id}", "GET"), ("/", "GET"), ("/x", "POST")],
    );
    let plan = plan(
        &gateway,
        json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": "prod"}]}),
    )
    .await;
    let throttle = async |operation, place: &str, value| {
        let target = format!("/apiStages/a1:prod/throttle{place}");
        gateway
            .patch(&path(&plan), &[(operation, &target, value)])
            .await
            .ok(200)["apiStages"][0]["throttle"]
            .clone()
    };
    assert_eq!(
        throttle("add", "/~1pets~1{id}/GET/rateLimit", Some("1")).await,
        json!({"/pets/{id}/GET": {"rateLimit": 1.0}})
    );
    assert_eq!(
        throttle("replace", "//pets/{id}/GET/burstLimit", Some("2")).await,
        json!({"/pets/{id}/GET": {"rateLimit": 1.0, "burstLimit": 2}})
    );
    assert_eq!(
        throttle(
            "add",
            "",
            Some(r#"{"//GET":{"rateLimit":1.0,"burstLimit":1}}"#)
        )
        .await,
        json!({"/pets/{id}/GET": {"rateLimit": 1.0, "burstLimit": 2}, "//GET": {"rateLimit": 1.0, "burstLimit": 1}})
    );
    assert_eq!(
        throttle("remove", "/~1pets~1{id}/GET", None).await,
        json!({"//GET": {"rateLimit": 1.0, "burstLimit": 1}})
    );
    assert_eq!(
        throttle("replace", "", Some(r#"{"/x/POST":{"rateLimit":3}}"#)).await,
        json!({"/x/POST": {"rateLimit": 3.0}})
    );
    assert_eq!(throttle("remove", "", None).await, Value::Null);
    let refused = gateway
        .patch(
            &path(&plan),
            &[("remove", "/apiStages/a1:prod/throttle//pets/GET", None)],
        )
        .await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn a_method_throttle_needs_a_deployed_method_when_it_is_set() {
    let gateway = Gateway::new();
    gateway.put_methods("a1", "prod", &[("/pets", "GET"), ("/any", "ANY")]);
    gateway.put_stages(&[("a1", "new")]);
    let body = |stage: &str, name: &str| json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": stage, "throttle": {name: {"rateLimit": 1}}}]});
    for name in ["/pets/GET", "/pets/*", "/any/ANY", "/any/POST", "/any/*"] {
        plan(&gateway, body("prod", name)).await;
    }
    for (stage, path, verb) in [
        ("prod", "/pets", "POST"),
        ("prod", "/pets", "ANY"),
        ("prod", "/nosuch", "*"),
        ("prod", "/", "GET"),
        ("new", "/pets", "GET"),
    ] {
        let text = format!("Invalid method {{resourcePath: {path},method: {verb}}} specified");
        let refused = gateway
            .post("/usageplans", body(stage, &format!("{path}/{verb}")))
            .await;
        refused.missing(&text);
    }
    let plan = plan(&gateway, body("prod", "/pets/GET")).await;
    let set = async |place: &str| {
        let place = format!("/apiStages/a1:prod/throttle/{place}/rateLimit");
        gateway
            .patch(&path(&plan), &[("replace", &place, Some("2"))])
            .await
    };
    let unknown = "Invalid method {resourcePath: /pets,method: PUT} specified";
    set("~1pets/PUT").await.missing(unknown);
    // A deployment takes the method away: its throttle stays, and is looked at again when it is changed.
    gateway.put_methods("a1", "prod", &[("/any", "ANY")]);
    let terraform = [
        ("remove", "/apiStages", Some("a1:prod")),
        ("add", "/apiStages", Some("a1:prod")),
        (
            "replace",
            "/apiStages/a1:prod/throttle//pets/GET/rateLimit",
            Some("1"),
        ),
        ("replace", "/name", Some("renamed")),
    ];
    let kept = gateway.patch(&path(&plan), &terraform).await.ok(200);
    assert_eq!(
        (&kept["name"], &kept["apiStages"]),
        (&json!("renamed"), &plan["apiStages"])
    );
    let gone = "Invalid method {resourcePath: /pets,method: GET} specified";
    set("~1pets/GET").await.missing(gone);
    set("~1any/GET").await.ok(200);
}

#[tokio::test]
async fn bad_changes_are_refused_in_the_words_of_aws() {
    let gateway = Gateway::new();
    gateway.put_stages(&[("a1", "prod")]);
    let plan = plan(
        &gateway,
        json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": "prod"}]}),
    )
    .await;
    let id = text(&plan, "id");
    let refused = async |operation, place, value| {
        gateway
            .patch(&path(&plan), &[(operation, place, value)])
            .await
    };
    refused("remove", "/apiStages", None)
        .await
        .bad("Invalid API Stage specified");
    refused("remove", "/apiStages", Some("fakevalue"))
        .await
        .bad("Invalid API Stage specified");
    refused("add", "/apiStages", Some("fakevalue"))
        .await
        .bad("Invalid API Stage specified");
    let unknown =
        format!("Invalid API Stage {{api: a2, stage: prod}} specified for usageplan {id}");
    refused("remove", "/apiStages", Some("a2:prod"))
        .await
        .missing(&unknown);
    refused(
        "replace",
        "/apiStages/a2:prod/throttle//x/GET/rateLimit",
        Some("1"),
    )
    .await
    .missing(&unknown);
    refused("add", "/apiStages", Some("a1:nosuch"))
        .await
        .missing("API Stage not found: a1:nosuch");
    refused(
        "add",
        "/apiStages",
        Some(r#"{"apiId": "kx", "stage": "dev"}"#),
    )
    .await
    .missing(r#"API Stage not found: {"apiId": "kx", "stage""#);
    refused("remove", "/apiStages/a1:prod", None).await.bad(
        "Invalid patch path  '/apiStages/a1:prod' specified for op 'remove'. Must be one of: [/apiStages, /quota, /throttle, \
         /productCode, /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, /apiStages/<apidId:stageName>/throttle]",
    );
    refused("replace", "/quota/limit", Some("5"))
        .await
        .bad("Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]");
    refused("replace", "/quota/period", Some("YEAR"))
        .await
        .bad("Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]");
    refused("replace", "/name", Some(""))
        .await
        .bad("Usage Plan name cannot be blank");
    refused(
        "replace",
        "/apiStages/a1:prod/throttle/*/*/rateLimit",
        Some("1"),
    )
    .await
    .bad("Invalid method {resourcePath: /*,method: *} specified");
    let place = "/apiStages/a1:prod/throttle";
    for (value, why) in [
        (
            r#"{"/x/GET":[5,10.0]}"#,
            "Start of list found where not expected",
        ),
        (
            r#"{"/x/GET":{"rateLimit":"1"}}"#,
            "class java.lang.String can not be converted to an Double",
        ),
    ] {
        let text = format!("Invalid method throttles specified for path {place}: {why}");
        refused("replace", place, Some(value)).await.bad(&text);
    }
    for rate in ["NaN", "-1", "inf", "", "x"] {
        assert_eq!(
            refused("replace", "/throttle/rateLimit", Some(rate))
                .await
                .status,
            400,
            "{rate}"
        );
    }
    gateway
        .patch("/usageplans/nosuch", &[])
        .await
        .missing("Invalid Usage Plan ID specified");
    assert_eq!(
        gateway.get(&path(&plan)).await.ok(200)["apiStages"],
        plan["apiStages"]
    );
}

#[tokio::test]
async fn a_key_is_in_one_plan_of_a_stage() {
    let gateway = Gateway::new();
    gateway.put_stages(&[("a1", "prod"), ("a1", "dev")]);
    let stages = json!([{"apiId": "a1", "stage": "prod"}]);
    let one = plan(&gateway, json!({"name": "one", "apiStages": stages})).await;
    let two = plan(
        &gateway,
        json!({"name": "two", "apiStages": [{"apiId": "a1", "stage": "dev"}]}),
    )
    .await;
    let key = gateway.post("/apikeys", json!({"name": "k"})).await.ok(201);
    add_key(&gateway, &one, &key).await;
    add_key(&gateway, &two, &key).await;
    let conflict = gateway
        .patch(&path(&two), &[("add", "/apiStages", Some("a1:prod"))])
        .await;
    assert!(
        conflict
            .refusal()
            .starts_with("409 ConflictException: Usage Plan"),
        "{}",
        conflict.refusal()
    );
    assert_eq!(
        gateway.get(&path(&two)).await.ok(200)["apiStages"],
        two["apiStages"]
    );
    // Another plan may cover the stage, as long as no key is in both.
    let three = plan(&gateway, json!({"name": "three", "apiStages": stages})).await;
    let body = json!({"keyId": key["id"], "keyType": "API_KEY"});
    assert_eq!(
        gateway
            .post(&format!("{}/keys", path(&three)), body)
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn a_plan_is_deleted_when_it_covers_nothing() {
    let gateway = Gateway::new();
    gateway.put_stages(&[("a1", "prod")]);
    let plan = plan(
        &gateway,
        json!({"name": "p", "apiStages": [{"apiId": "a1", "stage": "prod"}]}),
    )
    .await;
    let key = gateway.post("/apikeys", json!({"name": "k"})).await.ok(201);
    add_key(&gateway, &plan, &key).await;
    let id = text(&plan, "id");
    gateway.delete(&path(&plan)).await.bad(&format!(
        "Cannot delete Usage Plan {id} because there are API Stages associated with it, including a1:prod"
    ));
    gateway
        .patch(&path(&plan), &[("remove", "/apiStages", Some("a1:prod"))])
        .await
        .ok(200);
    gateway.delete(&path(&plan)).await.is(202, Value::Null);
    gateway
        .get(&path(&plan))
        .await
        .missing("Invalid Usage Plan ID specified");
    gateway
        .delete(&path(&plan))
        .await
        .missing("Invalid Usage Plan ID specified");
    assert_eq!(
        gateway
            .get(&format!("/apikeys/{}", text(&key, "id")))
            .await
            .status,
        200
    );
    assert_eq!(
        gateway
            .get(&format!("/usageplans?keyId={}", text(&key, "id")))
            .await
            .ok(200),
        json!({"item": []})
    );
}

#[tokio::test]
async fn updates_at_the_same_time_lose_nothing() {
    let gateway = std::sync::Arc::new(Gateway::new());
    let stages: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    gateway.put_stages(
        &stages
            .iter()
            .map(|stage| ("a1", stage.as_str()))
            .collect::<Vec<_>>(),
    );
    let plan = plan(&gateway, json!({"name": "p"})).await;
    let updates = stages.into_iter().map(|stage| {
        let (gateway, target) = (gateway.clone(), path(&plan));
        tokio::spawn(async move {
            gateway
                .patch(
                    &target,
                    &[("add", "/apiStages", Some(&format!("a1:{stage}")))],
                )
                .await
                .ok(200)
        })
    });
    for update in updates.collect::<Vec<_>>() {
        update.await.unwrap();
    }
    assert_eq!(
        gateway.get(&path(&plan)).await.ok(200)["apiStages"]
            .as_array()
            .unwrap()
            .len(),
        20
    );
}
