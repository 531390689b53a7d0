//! APIs on the wire: creation, defaults, patches, deletion.

use serde_json::{Value, json};

use crate::testing::{Gateway, START, api_with_method, text};

/// What an API looks like that was made with a name alone.
fn plain(id: &str, root: &str) -> Value {
    json!({
        "id": id, "name": "n", "createdDate": START, "apiKeySource": "HEADER", "disableExecuteApiEndpoint": false,
        "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"}, "rootResourceId": root,
    })
}

/// A new API with this and a name; its path.
async fn made(gateway: &Gateway, mut body: Value) -> String {
    body["name"] = json!("n");
    format!(
        "/restapis/{}",
        text(&gateway.post("/restapis", body).await.ok(201), "id")
    )
}

#[tokio::test]
async fn a_name_is_enough_and_reads_add_tags() {
    let gateway = Gateway::new();
    let made = gateway
        .post("/restapis", json!({"name": "n"}))
        .await
        .ok(201);
    let (id, root) = (text(&made, "id"), text(&made, "rootResourceId"));
    assert_eq!((id.len(), root.len()), (10, 10));
    assert_eq!(made, plain(&id, &root));
    let mut read = made.clone();
    read["tags"] = json!({});
    gateway.get(&format!("/restapis/{id}")).await.is(200, read);
    gateway
        .get("/restapis")
        .await
        .is(200, json!({"item": [made]}));
    gateway
        .get(&format!("/restapis/{id}/resources"))
        .await
        .is(200, json!({"item": [{"id": root, "path": "/"}]}));
}

#[tokio::test]
async fn what_is_given_is_kept() {
    let gateway = Gateway::new();
    let body = json!({
        "name": "n", "description": "d", "version": "v1", "binaryMediaTypes": ["image/png", "image/png"],
        "minimumCompressionSize": 0, "apiKeySource": "HEADER", "disableExecuteApiEndpoint": true, "tags": {"a": "b"},
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "dualstack"}, "securityPolicy": "TLS_1_2",
        "endpointAccessMode": "BASIC", "unknownMember": 1,
    });
    let made = gateway.post("/restapis", body).await.ok(201);
    let mut expected = plain(&text(&made, "id"), &text(&made, "rootResourceId"));
    expected["description"] = json!("d");
    expected["version"] = json!("v1");
    expected["binaryMediaTypes"] = json!(["image/png"]);
    expected["minimumCompressionSize"] = json!(0);
    expected["disableExecuteApiEndpoint"] = json!(true);
    expected["tags"] = json!({"a": "b"});
    expected["endpointConfiguration"] =
        json!({"types": ["REGIONAL"], "ipAddressType": "dualstack"});
    expected["securityPolicy"] = json!("TLS_1_2");
    expected["endpointAccessMode"] = json!("BASIC");
    assert_eq!(made, expected);
    gateway
        .get("/restapis")
        .await
        .is(200, json!({"item": [made]}));
}

#[tokio::test]
async fn apis_are_listed_in_order_of_creation_page_by_page() {
    let gateway = Gateway::new();
    for n in 0..5 {
        gateway
            .post("/restapis", json!({"name": format!("n{n}")}))
            .await
            .ok(201);
    }
    let names = |page: &Value| {
        page["item"]
            .as_array()
            .unwrap()
            .iter()
            .map(|api| text(api, "name"))
            .collect::<Vec<_>>()
    };
    let first = gateway.get("/restapis?limit=3").await.ok(200);
    assert_eq!(names(&first), ["n0", "n1", "n2"]);
    let second = gateway
        .get(&format!(
            "/restapis?limit=3&position={}",
            text(&first, "position")
        ))
        .await
        .ok(200);
    assert_eq!(names(&second), ["n3", "n4"]);
    assert!(second.get("position").is_none());
}

#[tokio::test]
async fn bad_creations_are_refused_in_the_recorded_order() {
    let gateway = Gateway::new();
    let with = async |mut body: Value| {
        body["name"] = json!("n");
        gateway.post("/restapis", body).await
    };
    let endpoint = |types: &[&str]| json!({"endpointConfiguration": {"types": types}});
    with(json!({"description": ""}))
        .await
        .bad("Description cannot be an empty string");
    for size in [-1, 10_485_761] {
        with(json!({"minimumCompressionSize": size}))
            .await
            .bad("Invalid minimum compression size, must be between 0 and 10485760");
    }
    with(endpoint(&[]))
        .await
        .bad("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.");
    with(endpoint(&["EDGE", "REGIONAL"]))
        .await
        .bad("Cannot create an api with multiple Endpoint Types.");
    with(json!({"endpointConfiguration": {"types": ["PRIVATE"], "ipAddressType": "ipv4"}}))
        .await
        .bad("Only dualstack ipAddressType is supported for Private APIs.");
    with(json!({"description": "", "minimumCompressionSize": -1}))
        .await
        .bad("Description cannot be an empty string");
    let both = json!({"description": "", "endpointConfiguration": {"ipAddressType": "wrong", "types": ["wrong"]}});
    with(both).await.refused(
        400,
        "ValidationException",
        "2 validation errors detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy \
         constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]; Value \
         'wrong' at 'createRestApiInput.endpointConfiguration.ipAddressType' failed to satisfy constraint: Member must satisfy \
         enum value set: [ipv4, dualstack]",
    );
    gateway.post("/restapis", json!({})).await.refused(
        400,
        "ValidationException",
        "1 validation error detected: Value null at 'createRestApiInput.name' failed to satisfy constraint: Member must not be null",
    );
    gateway
        .post("/restapis", json!({"name": true}))
        .await
        .refused(
            400,
            "SerializationException",
            "class java.lang.Boolean can not be converted to an String",
        );
    gateway.get("/restapis").await.is(200, json!({"item": []}));
}

#[tokio::test]
async fn what_would_protect_but_is_not_there_yet_is_refused() {
    let gateway = Gateway::new();
    for (member, value) in [
        ("policy", json!("{\"Version\":\"2012-10-17\"}")),
        ("endpointConfiguration", json!({"types": ["PRIVATE"]})),
    ] {
        let answer = gateway
            .post("/restapis", json!({"name": "n", member: value}))
            .await;
        assert_eq!(answer.status, 400, "{member}");
        assert!(
            text(&answer.body, "message").contains("not supported yet"),
            "{member}: {}",
            answer.body
        );
    }
    gateway
        .post("/restapis", json!({"name": "n", "endpointConfiguration": {"types": ["EDGE"], "vpcEndpointIds": ["vpce-1"]}}))
        .await
        .bad("VPCEndpoints can only be specified with PRIVATE apis.");
    let api = made(&gateway, json!({})).await;
    let unsupported = async |path: &str, value: &str| {
        let answer = gateway.patch(&api, &[("replace", path, Some(value))]).await;
        assert!(
            answer.status == 400 && text(&answer.body, "message").contains("not supported yet"),
            "{path}: {}",
            answer.body
        );
    };
    gateway
        .patch(&api, &[("replace", "/apiKeySource", Some("WRONG"))])
        .await
        .bad("Invalid ApiKeySource specified. Valid options are HEADER,AUTHORIZER");
    let patched = gateway
        .patch(&api, &[("replace", "/apiKeySource", Some("AUTHORIZER"))])
        .await
        .ok(200);
    assert_eq!(text(&patched, "apiKeySource"), "AUTHORIZER");
    unsupported("/policy", "{}").await;
    unsupported("/endpointConfiguration/types/0", "PRIVATE").await;
}

#[tokio::test]
async fn scalars_are_replaced() {
    let gateway = Gateway::new();
    let api = made(&gateway, json!({"description": "d"})).await;
    let body = gateway
        .patch(
            &api,
            &[
                ("replace", "/name", Some("other")),
                ("replace", "/description", Some("more")),
                ("replace", "/apiKeySource", Some("HEADER")),
                ("replace", "/disableExecuteApiEndpoint", Some("true")),
                ("replace", "/minimumCompressionSize", Some("10")),
                ("replace", "/policy", Some("")),
                ("replace", "/securityPolicy", Some("TLS_1_0")),
                ("replace", "/endpointAccessMode", Some("STRICT")),
                (
                    "replace",
                    "/endpointConfiguration/types/0",
                    Some("REGIONAL"),
                ),
                (
                    "replace",
                    "/endpointConfiguration/ipAddressType",
                    Some("dualstack"),
                ),
            ],
        )
        .await
        .ok(200);
    assert_eq!(body["name"], "other");
    assert_eq!(body["description"], "more");
    assert_eq!(body["disableExecuteApiEndpoint"], true);
    assert_eq!(body["minimumCompressionSize"], 10);
    assert_eq!(body["securityPolicy"], "TLS_1_0");
    assert_eq!(body["endpointAccessMode"], "STRICT");
    assert_eq!(
        body["endpointConfiguration"],
        json!({"types": ["REGIONAL"], "ipAddressType": "dualstack"})
    );
    assert_eq!(body["tags"], json!({}));
    let body = gateway
        .patch(
            &api,
            &[
                ("remove", "/description", None),
                ("replace", "/minimumCompressionSize", Some("")),
                ("replace", "/disableExecuteApiEndpoint", Some("maybe")),
            ],
        )
        .await
        .ok(200);
    assert!(body.get("description").is_none() && body.get("minimumCompressionSize").is_none());
    assert_eq!(body["disableExecuteApiEndpoint"], false);
    assert!(
        gateway
            .patch(&api, &[("replace", "/minimumCompressionSize", None)])
            .await
            .ok(200)
            .get("minimumCompressionSize")
            .is_none()
    );
}

#[tokio::test]
async fn binary_media_types_are_entries_of_a_path() {
    let gateway = Gateway::new();
    let api = made(&gateway, json!({})).await;
    let types = async |op: &str, path: &str, value: Option<&str>| {
        gateway.patch(&api, &[(op, path, value)]).await.ok(200)["binaryMediaTypes"].clone()
    };
    types("add", "/binaryMediaTypes/image~1png", None).await;
    assert_eq!(
        types("add", "/binaryMediaTypes/image~1jpeg", None).await,
        json!(["image/png", "image/jpeg"])
    );
    let replaced = types("replace", "/binaryMediaTypes/image~1png", Some("image/gif")).await;
    assert_eq!(replaced, json!(["image/jpeg", "image/gif"]));
    assert_eq!(
        types("remove", "/binaryMediaTypes/image~1gif", None).await,
        json!(["image/jpeg"])
    );
    assert_eq!(
        types("add", "/binaryMediaTypes/-", Some("x/y")).await,
        json!(["image/jpeg", "-"])
    );
    for op in ["add", "replace", "remove"] {
        gateway
            .patch(&api, &[(op, "/binaryMediaTypes", Some("a/b"))])
            .await
            .bad("Invalid patch path /binaryMediaTypes");
    }
}

#[tokio::test]
async fn bad_patches_are_refused_as_recorded_and_change_nothing() {
    let gateway = Gateway::new();
    let api = made(&gateway, json!({})).await;
    let before = gateway.get(&api).await.ok(200);
    let refused = async |op: &str, path: &str, value: Option<&str>, text: &str| {
        gateway
            .patch(
                &api,
                &[("replace", "/name", Some("changed")), (op, path, value)],
            )
            .await
            .bad(text);
    };
    let replace_only = "Invalid patch operation specified. Must be one of: [replace]";
    refused("add", "/minimumCompressionSize", Some("10"), replace_only).await;
    refused(
        "remove",
        "/endpointConfiguration/ipAddressType",
        Some("dualstack"),
        replace_only,
    )
    .await;
    let size = "Invalid minimum compression size, must be between 0 and 10485760";
    refused("replace", "/minimumCompressionSize", Some("-1"), size).await;
    refused("replace", "/minimumCompressionSize", Some("test"), size).await;
    let ip = "ipAddressType must be either ipv4 or dualstack.";
    refused(
        "replace",
        "/endpointConfiguration/ipAddressType",
        Some("wrong"),
        ip,
    )
    .await;
    let types = "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE";
    refused(
        "replace",
        "/endpointConfiguration/types/0",
        Some("wrong"),
        types,
    )
    .await;
    let ops = "Invalid patch operation specified. Must be 'add'|'remove'|'replace'";
    refused(
        "remove",
        "/endpointConfiguration/types/0",
        Some("EDGE"),
        ops,
    )
    .await;
    let none = "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.";
    refused("remove", "/endpointConfiguration/types/EDGE", None, none).await;
    refused(
        "add",
        "/endpointConfiguration/types/REGIONAL",
        None,
        "Cannot create an api with multiple Endpoint Types.",
    )
    .await;
    let vpc = "VPCEndpoints can only be specified with PRIVATE apis.";
    refused(
        "add",
        "/endpointConfiguration/vpcEndpointIds",
        Some("vpce-1"),
        vpc,
    )
    .await;
    refused(
        "replace",
        "/rootResourceId",
        Some("x"),
        "Invalid patch path /rootResourceId",
    )
    .await;
    refused(
        "replace",
        "/name",
        Some(""),
        "API name cannot be an empty string",
    )
    .await;
    gateway.get(&api).await.is(200, before);
    let wrong = gateway
        .patch(&api, &[("wrong", "/name", None), ("wrong", "/x", None)])
        .await;
    wrong.refused(
        400,
        "ValidationException",
        "2 validation errors detected: Value 'wrong' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy \
         constraint: Member must satisfy enum value set: [add, remove, move, test, replace, copy]; Value 'wrong' at \
         'updateRestApiInput.patchOperations.2.member.op' failed to satisfy constraint: Member must satisfy enum value set: \
         [add, remove, move, test, replace, copy]",
    );
}

#[tokio::test]
async fn an_unknown_api_is_told_with_the_account() {
    let gateway = Gateway::new();
    let api = made(&gateway, json!({})).await;
    let text = "Invalid API identifier specified 000000000000:nope";
    gateway.get("/restapis/nope").await.missing(text);
    gateway.patch("/restapis/nope", &[]).await.missing(text);
    gateway.delete("/restapis/nope").await.missing(text);
    for list in ["resources", "deployments", "stages", "models"] {
        gateway
            .get(&format!("/restapis/nope/{list}"))
            .await
            .missing(text);
    }
    gateway
        .post("/restapis/nope/deployments", json!({}))
        .await
        .missing(text);
    gateway
        .post(
            "/restapis/nope/stages",
            json!({"stageName": "s", "deploymentId": "d"}),
        )
        .await
        .missing(text);
    let upper = api.to_uppercase().replace("/RESTAPIS/", "");
    gateway
        .get(&format!("/restapis/{upper}"))
        .await
        .missing(&format!(
            "Invalid API identifier specified 000000000000:{upper}"
        ));
}

#[tokio::test]
async fn deleting_takes_everything_beneath_and_leaves_the_plans() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let deployment = gateway
        .post(
            &format!("/restapis/{api}/deployments"),
            json!({"stageName": "prod"}),
        )
        .await
        .ok(201);
    let plan = json!({"name": "p", "apiStages": [{"apiId": api, "stage": "prod"}]});
    let plan = text(&gateway.post("/usageplans", plan).await.ok(201), "id");
    gateway
        .delete(&format!("/restapis/{api}"))
        .await
        .is(202, Value::Null);
    gateway.get("/restapis").await.is(200, json!({"item": []}));
    gateway
        .get(&format!("/restapis/{api}/resources/{resource}"))
        .await
        .missing("Invalid Resource identifier specified");
    gateway
        .get(&format!("/restapis/{api}/stages/prod"))
        .await
        .missing("Invalid stage identifier specified");
    let deployment = format!("/restapis/{api}/deployments/{}", text(&deployment, "id"));
    gateway
        .get(&deployment)
        .await
        .missing("Invalid Deployment identifier specified");
    gateway
        .get(&format!("/restapis/{api}/models/Empty"))
        .await
        .missing("Invalid model name specified: Empty");
    let plan = gateway.get(&format!("/usageplans/{plan}")).await.ok(200);
    assert_eq!(plan["apiStages"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_updates_of_one_api_lose_none() {
    let gateway = std::sync::Arc::new(Gateway::new());
    let api = made(&gateway, json!({})).await;
    let updates = (0..20).map(|n| {
        let (gateway, api) = (gateway.clone(), api.clone());
        tokio::spawn(async move {
            gateway
                .patch(&api, &[("add", &format!("/binaryMediaTypes/a~1{n}"), None)])
                .await
                .ok(200);
        })
    });
    for update in updates.collect::<Vec<_>>() {
        update.await.unwrap();
    }
    let types = gateway.get(&api).await.ok(200)["binaryMediaTypes"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(types, 20);
}

#[tokio::test]
async fn names_and_descriptions_are_bounded() {
    let gateway = Gateway::new();
    let (name, description) = ("n".repeat(1025), "d".repeat(125_001));
    let long_name = "API name can be at most 1024 characters";
    let long_description = "API description can be at most 125000 characters";
    let path = made(&gateway, json!({})).await;
    let create = async |body: Value| gateway.post("/restapis", body).await;
    let replace = async |member: &str, value: &str| {
        gateway
            .patch(&path, &[("replace", member, Some(value))])
            .await
    };
    create(json!({"name": name})).await.bad(long_name);
    create(json!({"name": "n", "description": description}))
        .await
        .bad(long_description);
    replace("/name", &name).await.bad(long_name);
    replace("/description", &description)
        .await
        .bad(long_description);
}

#[tokio::test]
async fn a_clone_has_everything_under_ids_of_its_own() {
    let gateway = Gateway::new();
    gateway
        .post("/restapis", json!({"name": "n", "cloneFrom": "nope"}))
        .await
        .missing("Invalid API identifier specified 000000000000:nope");
    let (api, resource) = crate::testing::api_with_method(&gateway).await;
    let of = |rest: &str| format!("/restapis/{api}/{rest}");
    let validator = gateway
        .post(&of("requestvalidators"), json!({"name": "v"}))
        .await;
    let validator = text(&validator.ok(201), "id");
    let reference = format!("https://apigateway.amazonaws.com/restapis/{api}/models/Empty");
    let schema = json!({"$ref": reference}).to_string();
    let model = json!({"name": "Pet", "contentType": "application/json", "schema": schema});
    gateway.post(&of("models"), model).await.ok(201);
    gateway
        .put(
            &of("gatewayresponses/THROTTLED"),
            json!({"statusCode": "430"}),
        )
        .await
        .ok(201);
    let part = json!({"location": {"type": "API"}, "properties": "{}"});
    gateway.post(&of("documentation/parts"), part).await.ok(201);
    let method = of(&format!("resources/{resource}/methods/GET"));
    let patch = [("replace", "/requestValidatorId", Some(validator.as_str()))];
    gateway.patch(&method, &patch).await.ok(200);
    gateway
        .patch(
            &format!("/restapis/{api}"),
            &[
                ("add", "/binaryMediaTypes/image~1png", None),
                ("replace", "/description", Some("d")),
            ],
        )
        .await
        .ok(200);

    let clone = gateway
        .post(
            "/restapis",
            json!({"name": "copy", "cloneFrom": api, "description": "other"}),
        )
        .await
        .ok(201);
    let id = text(&clone, "id");
    assert_ne!(id, api);
    assert_eq!(
        (text(&clone, "name"), text(&clone, "description")),
        ("copy".to_owned(), "other".to_owned())
    );
    assert_eq!(clone["binaryMediaTypes"], json!(["image/png"]));
    let of = |rest: &str| format!("/restapis/{id}/{rest}");
    let resources = gateway.get(&of("resources?embed=methods")).await.ok(200);
    let [root, test] = resources["item"].as_array().unwrap().as_slice() else {
        panic!("{resources}")
    };
    assert_eq!(text(root, "id"), text(&clone, "rootResourceId"));
    assert_eq!(text(test, "parentId"), text(root, "id"));
    assert_ne!(text(test, "id"), resource);
    let copied = &test["resourceMethods"]["GET"];
    assert_eq!(copied["methodIntegration"]["cacheNamespace"], test["id"]);
    let validators = gateway.get(&of("requestvalidators")).await.ok(200);
    assert_eq!(validators["item"][0]["id"], copied["requestValidatorId"]);
    assert_ne!(text(copied, "requestValidatorId"), validator);
    let pet = gateway.get(&of("models/Pet?flatten=true")).await.ok(200);
    assert!(
        text(&pet, "schema").contains("#/definitions/Empty"),
        "{pet}"
    );
    let throttled = gateway.get(&of("gatewayresponses/THROTTLED")).await.ok(200);
    assert_eq!(text(&throttled, "statusCode"), "430");
    let parts = gateway.get(&of("documentation/parts")).await.ok(200);
    assert_eq!(parts["item"][0]["location"]["type"], "API");
    // The original is as it was.
    let kept = gateway.get(&method).await.ok(200);
    assert_eq!(text(&kept, "requestValidatorId"), validator);
}
