//! Imports over the router: what a definition makes of an API, what is warned of, what is refused and leaves nothing.

use serde_json::{Value, json};
use tollgate_entity::Tags;

use crate::testing::{Answer, Gateway, text};

const STORE: &str = r##"
swagger: "2.0"
info: {title: Store, description: Sells pets, version: 1.0}
basePath: /base/v1
x-amazon-apigateway-binary-media-types: [image/png, image/png, image/jpg]
x-amazon-apigateway-minimum-compression-size: 100
x-amazon-apigateway-request-validators:
  all: {validateRequestBody: true, validateRequestParameters: true}
  none: {validateRequestBody: false}
x-amazon-apigateway-request-validator: all
securityDefinitions:
  key: {type: apiKey, name: X-API-Key, in: header}
paths:
  /pets:
    get:
      produces: [application/json]
      security: [{key: []}]
      parameters:
      - {name: type, in: query, required: true, type: string}
      - {name: page, in: query, type: string}
      responses:
        200: {description: fine, schema: {$ref: "#/definitions/Pets"}, headers: {X-Total: {type: string}}}
      x-amazon-apigateway-integration:
        type: http
        httpMethod: get
        uri: http://127.0.0.1:1/pets
        passthroughBehavior: when_no_templates
        requestParameters: {integration.request.querystring.type: method.request.querystring.type}
        responses:
          default: {statusCode: 200, responseParameters: {method.response.header.X-Total: "'1'"}}
    post:
      operationId: CreatePet
      x-amazon-apigateway-request-validator: none
      parameters: [{in: body, name: Pet, required: true, schema: {$ref: "#/definitions/Pet"}}]
      responses: {201: {description: made}}
      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: POST, uri: "http://127.0.0.1:1/pets"}
  /pets/{petId}:
    parameters: [{name: petId, in: path, required: true, type: string}]
    x-amazon-apigateway-any-method:
      responses: {200: {description: fine}}
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: {application/json: "{\"statusCode\": 200}"}
        responses:
          default: {statusCode: "200"}
          "4\\d\\d": {statusCode: "404", responseTemplates: {application/json: "{}"}}
definitions:
  Pets: {type: array, items: {$ref: "#/definitions/Pet"}}
  Pet:
    type: object
    description: An animal
    properties: {id: {type: integer}, friends: {$ref: "#/definitions/Pets"}}
"##;

async fn import(gateway: &Gateway, query: &str, body: &str) -> Answer {
    let path = format!("/restapis?mode=import{query}");
    gateway.call("POST", &path, body.to_owned()).await
}

async fn put(gateway: &Gateway, api: &str, query: &str, body: &str) -> Answer {
    let path = format!("/restapis/{api}?{query}");
    gateway.call("PUT", &path, body.to_owned()).await
}

/// The resources of an API by path, with their methods.
async fn resources(gateway: &Gateway, api: &str) -> Value {
    let path = format!("/restapis/{api}/resources?limit=500&embed=methods");
    let listed = gateway.get(&path).await.ok(200);
    let by_path = |item: &Value| (text(item, "path"), item.clone());
    let items = listed["item"].as_array().unwrap();
    items
        .iter()
        .map(by_path)
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A definition in OpenAPI 3 with these paths.
fn openapi(paths: Value) -> String {
    json!({"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": paths}).to_string()
}

fn mock() -> Value {
    json!({"responses": {"200": {"description": "fine"}}, "x-amazon-apigateway-integration": {"type": "mock"}})
}

#[tokio::test]
async fn a_definition_becomes_an_api() {
    let gateway = Gateway::new();
    let api = import(&gateway, "&endpointConfigurationTypes=REGIONAL", STORE)
        .await
        .ok(201);
    let (id, root) = (text(&api, "id"), text(&api, "rootResourceId"));
    let expected = json!({
        "id": id, "name": "Store", "description": "Sells pets", "version": "1.0", "createdDate": 1_700_000_000,
        "binaryMediaTypes": ["image/png", "image/jpg"], "minimumCompressionSize": 100, "apiKeySource": "HEADER",
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"},
        "disableExecuteApiEndpoint": false, "rootResourceId": root,
    });
    assert_eq!(api, expected);

    let all = resources(&gateway, &id).await;
    let ids = |path: &str| text(&all[path], "id");
    assert_eq!(all.as_object().unwrap().len(), 3);
    assert_eq!(
        (ids("/"), all["/pets"]["parentId"].clone()),
        (root.clone(), json!(root))
    );
    let get = &all["/pets"]["resourceMethods"]["GET"];
    let validator = text(get, "requestValidatorId");
    assert_eq!(
        *get,
        json!({
            "httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": true, "requestValidatorId": validator,
            "requestParameters": {"method.request.querystring.type": true, "method.request.querystring.page": false},
            "methodResponses": {"200": {
                "statusCode": "200", "responseModels": {"application/json": "Pets"},
                "responseParameters": {"method.response.header.X-Total": false},
            }},
            "methodIntegration": {
                "type": "HTTP", "httpMethod": "GET", "uri": "http://127.0.0.1:1/pets", "connectionType": "INTERNET",
                "requestParameters": {"integration.request.querystring.type": "method.request.querystring.type"},
                "passthroughBehavior": "WHEN_NO_TEMPLATES", "timeoutInMillis": 29000,
                "cacheNamespace": ids("/pets"), "cacheKeyParameters": [],
                "integrationResponses": {"200": {
                    "statusCode": "200", "responseParameters": {"method.response.header.X-Total": "'1'"},
                }},
            },
        })
    );
    let post = &all["/pets"]["resourceMethods"]["POST"];
    assert_eq!(post["operationName"], "CreatePet");
    assert_eq!(post["requestModels"], json!({"application/json": "Pet"}));
    assert_eq!(post["apiKeyRequired"], false);
    assert_ne!(
        text(post, "requestValidatorId"),
        text(get, "requestValidatorId")
    );
    let any = &all["/pets/{petId}"]["resourceMethods"]["ANY"];
    assert_eq!(
        any["requestParameters"],
        json!({"method.request.path.petId": true})
    );
    assert_eq!(
        any["methodIntegration"]["integrationResponses"],
        json!({
            "200": {"statusCode": "200"},
            "404": {"statusCode": "404", "selectionPattern": "4\\d\\d", "responseTemplates": {"application/json": "{}"}},
        })
    );

    let models = gateway.get(&format!("/restapis/{id}/models")).await.ok(200);
    let names: Vec<_> = models["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| text(model, "name"))
        .collect();
    assert_eq!(names, ["Pet", "Pets"]);
    let pet = &models["item"][0];
    assert_eq!(pet["description"], "An animal");
    let schema: Value = serde_json::from_str(pet["schema"].as_str().unwrap()).unwrap();
    let reference = format!("https://apigateway.amazonaws.com/restapis/{id}/models/Pets");
    assert_eq!(schema["properties"]["friends"], json!({"$ref": reference}));
}

#[tokio::test]
async fn what_was_imported_can_be_deployed() {
    let gateway = Gateway::new();
    let api = text(&import(&gateway, "", STORE).await.ok(201), "id");
    let deployed = gateway
        .post(
            &format!("/restapis/{api}/deployments"),
            json!({"stageName": "s"}),
        )
        .await;
    deployed.ok(201);
}

#[tokio::test]
async fn openapi_3_has_bodies_references_and_inline_schemas() {
    let gateway = Gateway::new();
    let definition = json!({
        "openapi": "3.0.1", "info": {"title": "t"},
        "paths": {"/a": {"$ref": "#/components/pathItems/A"}},
        "components": {
            "pathItems": {"A": {"post": {
                "parameters": [{"$ref": "#/components/parameters/P"}],
                "requestBody": {"$ref": "#/components/requestBodies/B"},
                "responses": {"200": {"$ref": "#/components/responses/R"}, "default": {"description": "any"}},
                "x-amazon-apigateway-integration": {"type": "mock"},
            }}},
            "parameters": {"P": {"name": "X-P", "in": "header", "required": true, "schema": {"type": "string"}}},
            "requestBodies": {"B": {"content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/M"}},
                "text/xml": {"schema": {"type": "object", "properties": {"m": {"$ref": "#/components/schemas/M"}}}},
                "text/plain": {"schema": {"type": "string"}},
            }}},
            "responses": {"R": {"description": "r", "headers": {"X-H": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Gone"}}}}},
            "schemas": {"M": {"type": "object"}},
        },
    });
    let api = import(&gateway, "", &definition.to_string()).await.ok(201);
    assert_eq!(
        api["warnings"],
        json!([
            "Unsupported model type 'StringSchema' in request body to method 'POST /a'. Ignoring.",
            "Reference to model 'Gone' not found. Ignoring.",
            "Unsupported response 'default' at /components/pathItems/A/post/responses/default to method 'POST /a'. Ignoring.",
        ])
    );
    let id = text(&api, "id");
    let post = resources(&gateway, &id).await["/a"]["resourceMethods"]["POST"].clone();
    assert_eq!(
        post["requestParameters"],
        json!({"method.request.header.X-P": true})
    );
    assert_eq!(
        post["methodResponses"],
        json!({"200": {"statusCode": "200", "responseParameters": {"method.response.header.X-H": false}}})
    );
    let inline = text(&post["requestModels"], "text/xml");
    assert!(
        inline.len() == 11 && inline.starts_with("MODEL"),
        "{inline}"
    );
    assert_eq!(post["requestModels"].as_object().unwrap().len(), 2);
    let model = gateway
        .get(&format!("/restapis/{id}/models/{inline}"))
        .await
        .ok(200);
    let schema: Value = serde_json::from_str(model["schema"].as_str().unwrap()).unwrap();
    let reference = format!("https://apigateway.amazonaws.com/restapis/{id}/models/M");
    assert_eq!(
        schema,
        json!({"type": "object", "properties": {"m": {"$ref": reference}}})
    );
}

#[tokio::test]
async fn base_paths_are_ignored_prepended_or_split() {
    let gateway = Gateway::new();
    let id = text(&import(&gateway, "", STORE).await.ok(201), "id");
    let servers = json!([{"url": "https://host/{base}/part", "variables": {"base": {"default": "var"}}}, {"url": "/x"}]);
    let openapi = json!({"openapi": "3.0.1", "info": {"title": "t"}, "servers": servers, "paths": {"/t/": {"get": mock()}}}).to_string();
    for (query, first, second) in [
        ("ignore", "/pets", "/t"),
        ("prepend", "/base/v1/pets", "/var/part/t"),
        ("split", "/v1/pets", "/part/t"),
    ] {
        let query = format!("mode=overwrite&basepath={query}");
        put(&gateway, &id, &query, STORE).await.ok(200);
        assert!(
            resources(&gateway, &id).await.get(first).is_some(),
            "{query}"
        );
        let api = put(&gateway, &id, &query, &openapi).await.ok(200);
        let all = resources(&gateway, &id).await;
        assert!(
            all.get(second).is_some() && all.get(first).is_none(),
            "{query} {all}"
        );
        if !query.ends_with("ignore") {
            assert_eq!(
                api["warnings"],
                json!([
                    "More than one server provided. Ignoring all but the first for defining endpoint configuration"
                ])
            );
        }
    }
    put(&gateway, &id, "basepath=drop", STORE)
        .await
        .bad("Invalid basepath specified. Valid options are ignore,prepend,split");
}

#[tokio::test]
async fn security_becomes_authorizers_keys_and_authorization() {
    let gateway = Gateway::new();
    let uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:F/invocations";
    let with = |security: Value| {
        let mut method = mock();
        method["security"] = security;
        json!({"get": method})
    };
    let definition = json!({
        "openapi": "3.0.1", "info": {"title": "t"},
        "security": [{"token": []}],
        "paths": {
            "/default": {"get": mock()}, "/none": with(json!([])), "/both": with(json!([{"pool": ["a", "b"], "key": []}])),
            "/iam": with(json!([{"iam": []}])), "/basic": with(json!([{"basic": []}])),
        },
        "components": {"securitySchemes": {
            "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
            "iam": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"},
            "basic": {"type": "http", "scheme": "basic"},
            "token": {"type": "apiKey", "name": "X-Api-Key", "in": "header", "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": uri, "authorizerResultTtlInSeconds": 60, "identityValidationExpression": "^x"}},
            "pool": {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools",
                "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": ["arn:aws:cognito-idp:us-east-1:1:userpool/p"]}},
        }},
    });
    let api = import(&gateway, "", &definition.to_string()).await.ok(201);
    assert_eq!(
        api["warnings"],
        json!([
            "Unsupported security definition type 'http' for 'basic'. Ignoring.",
            "Security requirement 'basic' of method 'GET /basic' names no supported security definition. Ignoring.",
        ])
    );
    let id = text(&api, "id");
    let all = resources(&gateway, &id).await;
    let of = |path: &str| {
        let method = &all[path]["resourceMethods"]["GET"];
        (
            text(method, "authorizationType"),
            method["apiKeyRequired"] == true,
            method["authorizationScopes"].clone(),
        )
    };
    assert_eq!(of("/default"), ("CUSTOM".to_owned(), false, Value::Null));
    assert_eq!(of("/none"), ("NONE".to_owned(), false, Value::Null));
    assert_eq!(
        of("/both"),
        ("COGNITO_USER_POOLS".to_owned(), true, json!(["a", "b"]))
    );
    assert_eq!(of("/iam"), ("AWS_IAM".to_owned(), false, Value::Null));
    assert_eq!(of("/basic"), ("NONE".to_owned(), false, Value::Null));
    let authorizers = gateway
        .control
        .store
        .read_blocking(|reader| reader.list::<tollgate_entity::Authorizer>(&id))
        .unwrap();
    let token = authorizers.iter().find(|own| own.name == "token").unwrap();
    assert_eq!(
        json!(token.id),
        all["/default"]["resourceMethods"]["GET"]["authorizerId"]
    );
    assert_eq!(
        token.identity_source.as_deref(),
        Some("method.request.header.X-Api-Key")
    );
    assert_eq!(
        (
            token.authorizer_result_ttl_in_seconds,
            token.auth_type.as_deref()
        ),
        (Some(60), Some("custom"))
    );
}

#[tokio::test]
async fn overwriting_takes_away_and_keeps_ids_merging_adds() {
    let gateway = Gateway::new();
    let id = text(&import(&gateway, "", STORE).await.ok(201), "id");
    gateway
        .patch(
            &format!("/restapis/{id}"),
            &[("add", "/binaryMediaTypes/a~1b", None)],
        )
        .await
        .ok(200);
    let before = resources(&gateway, &id).await;
    let other = openapi(json!({"/pets": {"put": mock()}, "/shops": {"get": mock()}}));

    let merged = put(&gateway, &id, "", &other).await.ok(200);
    assert_eq!(
        (merged["tags"].clone(), merged["name"].clone()),
        (json!(Tags::new()), json!("t"))
    );
    assert_eq!(merged["description"], "Sells pets");
    let after = resources(&gateway, &id).await;
    assert_eq!(after.as_object().unwrap().len(), 4);
    assert_eq!(after["/pets"]["id"], before["/pets"]["id"]);
    let verbs: Vec<_> = after["/pets"]["resourceMethods"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(verbs, ["GET", "POST", "PUT"]);

    let over = put(&gateway, &id, "mode=overwrite", STORE).await.ok(200);
    assert_eq!(over["binaryMediaTypes"], json!(["image/png", "image/jpg"]));
    assert_eq!(resources(&gateway, &id).await, before);
    let alone = put(
        &gateway,
        &id,
        "mode=overwrite",
        &openapi(json!({"/pets": {"put": mock()}})),
    )
    .await
    .ok(200);
    assert_eq!(
        (
            alone.get("description"),
            alone.get("binaryMediaTypes"),
            alone.get("minimumCompressionSize")
        ),
        (None, None, None)
    );
    let models = gateway.get(&format!("/restapis/{id}/models")).await.ok(200);
    assert_eq!(models["item"], json!([]));
    put(&gateway, &id, "mode=replace", STORE)
        .await
        .bad("Enumeration value of OpenAPI import mode must be \"overwrite\" or \"merge\"");
    put(&gateway, "nobody", "", STORE)
        .await
        .missing("Invalid API identifier specified 000000000000:nobody");
}

#[tokio::test]
async fn warnings_fail_an_import_that_asks_for_it_and_leave_nothing() {
    let gateway = Gateway::new();
    let mut method = mock();
    method["x-amazon-apigateway-integration"]["requestParameters"] =
        json!({"integration.request.header.x": true});
    method["x-amazon-apigateway-speed"] = json!("high");
    let definition = openapi(json!({"/a": {"get": method}, "b": {}}));
    let warnings = [
        "Parse issue: attribute paths. Resource b should start with /",
        "Invalid format for 'requestParameters'. Expected type string for property 'integration.request.header.x' of resource '/a' and method 'GET' but got 'true'",
        "Unknown extension 'x-amazon-apigateway-speed' at /paths/~1a/get/x-amazon-apigateway-speed. Ignoring.",
    ];
    let refused = import(&gateway, "&failonwarnings=true", &definition)
        .await
        .refusal();
    for warning in warnings {
        assert!(refused.contains(&format!("\n\t{warning}")), "{refused}");
    }
    assert!(
        refused.starts_with("400 BadRequestException: Warnings found during import:\n\t"),
        "{refused}"
    );
    assert_eq!(gateway.get("/restapis").await.ok(200)["item"], json!([]));
    let api = import(&gateway, "", &definition).await.ok(201);
    assert_eq!(api["warnings"].as_array().unwrap().len(), 3);
    let id = text(&api, "id");
    let before = resources(&gateway, &id).await;
    put(
        &gateway,
        &id,
        "mode=overwrite&failonwarnings=true",
        &definition.replace("/a", "/z"),
    )
    .await
    .refusal();
    assert_eq!(resources(&gateway, &id).await, before);
}

#[tokio::test]
async fn what_is_wrong_is_told_all_at_once_and_leaves_nothing() {
    let gateway = Gateway::new();
    let integration = |written: Value| {
        let mut method = mock();
        method["x-amazon-apigateway-integration"] = written;
        json!({"get": method})
    };
    let mut unnamed = mock();
    unnamed["parameters"] = json!([{"name": "filter[a]", "in": "query"}]);
    let definition = openapi(json!({
        "/a/{x}": {"get": mock()}, "/a/{y}/b": {"get": mock()},
        "/uri": integration(json!({"type": "http", "httpMethod": "GET", "uri": "nowhere"})),
        "/mapped": integration(json!({"type": "mock", "responses": {"default": {"statusCode": "200", "responseParameters": {"method.response.header.X": "'1'"}}}})),
        "/named": {"get": unnamed},
        "/circle": {"$ref": "#/paths/~1circle"},
        "/far": {"$ref": "other.yaml#/x"},
    }));
    let refused = import(&gateway, "", &definition).await.refusal();
    for error in [
        "Unable to create resource at path '/a/{y}/b': A sibling ({x}) of this resource already has a variable path part -- only one is allowed",
        "Unable to put integration on 'GET' for resource at path '/uri': Invalid HTTP endpoint specified for URI",
        "Unable to put integration response on 'GET' for resource at path '/mapped': Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: method.response.header.X]",
        "Unable to put method 'GET' on resource at path '/named': Invalid mapping expression specified: Validation Result: warnings : [], errors : [Parameter name should match the following regular expression: ^[a-zA-Z0-9._$-]+$]",
        "References at /paths/~1circle are cyclic or lead through more than 32 others",
        "Reference at /paths/~1far is not to this document: other.yaml#/x",
    ] {
        assert!(
            refused.contains(&format!("\n\t{error}")),
            "{error}\n{refused}"
        );
    }
    assert!(
        refused.starts_with("400 BadRequestException: Errors found during import:\n\t"),
        "{refused}"
    );
    assert_eq!(gateway.get("/restapis").await.ok(200)["item"], json!([]));
}

#[tokio::test]
async fn what_would_protect_and_is_not_enforced_is_refused() {
    let gateway = Gateway::new();
    let mut definition: Value =
        serde_json::from_str(&openapi(json!({"/a": {"get": mock()}}))).unwrap();
    definition["x-amazon-apigateway-policy"] = json!({"Version": "2012-10-17", "Statement": []});
    let refused = import(&gateway, "", &definition.to_string())
        .await
        .refusal();
    assert!(
        refused.contains("At /x-amazon-apigateway-policy: A resource policy is not supported"),
        "{refused}"
    );
}

#[tokio::test]
async fn models_may_refer_to_each_other_but_not_be_nothing_but_each_other() {
    let gateway = Gateway::new();
    let of = |schemas: Value| {
        json!({"openapi": "3.0.1", "info": {"title": "t"}, "paths": {}, "components": {"schemas": schemas}}).to_string()
    };
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let round = json!({"A": {"type": "object", "properties": {"b": reference("B")}}, "B": {"type": "array", "items": reference("A")}});
    import(&gateway, "", &of(round)).await.ok(201);
    let refused = import(
        &gateway,
        "",
        &of(json!({"A": reference("B"), "B": reference("A")})),
    )
    .await
    .refusal();
    assert!(
        refused.contains(
            "Unable to create model for 'A': the references at /components/schemas/A are cyclic"
        ),
        "{refused}"
    );
    let refused = import(
        &gateway,
        "",
        &of(json!({"A": {"items": reference("Gone")}})),
    )
    .await
    .refusal();
    assert!(refused.contains("Unable to create model for 'A': Invalid model specified: Validation Result: warnings : [], errors : [Invalid model reference specified: #/components/schemas/Gone] (at /components/schemas/A)"), "{refused}");
}

#[tokio::test]
async fn what_is_no_definition_is_told_as_aws_does() {
    let gateway = Gateway::new();
    for bad in ["", "{", "a: [", "[]", "text", "{}", r#"{"swagger": "1.2"}"#] {
        import(&gateway, "", bad)
            .await
            .bad("Invalid OpenAPI input.");
    }
    let refused = import(&gateway, "", r#"{"openapi": "3.1.0"}"#)
        .await
        .refusal();
    assert!(
        refused.contains("The version 3.1.0 at /openapi is not supported"),
        "{refused}"
    );
    let long = format!("openapi: 3.0.1\n#{}", " ".repeat(6 << 20));
    let refused = import(&gateway, "", &long).await.refusal();
    assert!(
        refused.contains("max_definition_bytes allows 6291456"),
        "{refused}"
    );
}

#[tokio::test]
async fn documentation_parts_that_mean_no_place_are_left_out_with_a_warning() {
    let gateway = Gateway::new();
    let definition = r#"{"swagger": "2.0", "info": {"title": "t", "version": "1"}, "paths": {},
        "x-amazon-apigateway-documentation": {"documentationParts": [
            {"location": {"type": "API"}, "properties": {"a": 1}},
            {"location": {"type": "MODEL"}, "properties": {"a": 1}},
            {"location": {"type": "API", "path": "/"}, "properties": {"a": 1}}
        ]}}"#;
    let api = import(&gateway, "", definition).await.ok(201);
    let warnings = api["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 2, "{api}");
    assert!(warnings[0].as_str().unwrap().contains(
        "Invalid location specified: 'name' is a required field for type 'MODEL' (at /x-amazon-apigateway-documentation/documentationParts/1)"
    ), "{api}");
    let parts = format!("/restapis/{}/documentation/parts", text(&api, "id"));
    let parts = gateway.get(&parts).await.ok(200);
    assert_eq!(parts["item"].as_array().unwrap().len(), 1);
}
