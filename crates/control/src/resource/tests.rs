//! Resources on the wire: creation, order, moves, deletion.

use serde_json::{Value, json};

use crate::testing::{Gateway, api_with_method, text};

struct Api {
    gateway: Gateway,
    path: String,
    root: String,
}

impl Api {
    async fn new() -> Self {
        let gateway = Gateway::new();
        let api = gateway
            .post("/restapis", json!({"name": "n"}))
            .await
            .ok(201);
        let (path, root) = (
            format!("/restapis/{}/resources", text(&api, "id")),
            text(&api, "rootResourceId"),
        );
        Api {
            gateway,
            path,
            root,
        }
    }

    /// A new resource; its id.
    async fn add(&self, parent: &str, part: &str) -> String {
        text(&self.try_add(parent, part).await.ok(201), "id")
    }

    async fn try_add(&self, parent: &str, part: &str) -> crate::testing::Answer {
        self.gateway
            .post(
                &format!("{}/{parent}", self.path),
                json!({"pathPart": part}),
            )
            .await
    }

    async fn update(
        &self,
        id: &str,
        op: &str,
        path: &str,
        value: Option<&str>,
    ) -> crate::testing::Answer {
        self.gateway
            .patch(&format!("{}/{id}", self.path), &[(op, path, value)])
            .await
    }

    async fn paths(&self) -> Vec<String> {
        let list = self.gateway.get(&self.path).await.ok(200);
        list["item"]
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| text(resource, "path"))
            .collect()
    }
}

#[tokio::test]
async fn paths_grow_from_the_root_and_lists_go_by_path() {
    let api = Api::new().await;
    let pets = api.try_add(&api.root, "pets").await.ok(201);
    let id = text(&pets, "id");
    assert_eq!(id.len(), 6);
    assert_eq!(
        pets,
        json!({"id": id, "parentId": api.root, "pathPart": "pets", "path": "/pets"})
    );
    api.add(&id, "{petId}").await;
    api.add(&api.root, "{proxy+}").await;
    api.add(&api.root, "apes").await;
    assert_eq!(
        api.paths().await,
        ["/", "/apes", "/pets", "/pets/{petId}", "/{proxy+}"]
    );
    api.gateway
        .get(&format!("{}/{id}", api.path))
        .await
        .is(200, pets);
}

#[tokio::test]
async fn lists_are_paged() {
    let api = Api::new().await;
    for n in 10..40 {
        api.add(&api.root, &format!("r{n}")).await;
    }
    let first = api.gateway.get(&api.path).await.ok(200);
    assert_eq!(first["item"].as_array().unwrap().len(), 25);
    let rest = api
        .gateway
        .get(&format!(
            "{}?position={}",
            api.path,
            text(&first, "position")
        ))
        .await
        .ok(200);
    assert_eq!(rest["item"].as_array().unwrap().len(), 6);
    assert!(rest.get("position").is_none());
    let all = api
        .gateway
        .get(&format!("{}?limit=500", api.path))
        .await
        .ok(200);
    assert_eq!(all["item"].as_array().unwrap().len(), 31);
}

#[tokio::test]
async fn methods_are_named_or_embedded() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/resources");
    let one = gateway.get(&format!("{path}/{resource}")).await.ok(200);
    assert_eq!(one["resourceMethods"], json!({"GET": {}}));
    let whole = json!({"GET": {
        "httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": false,
        "methodIntegration": {
            "type": "MOCK", "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000,
            "cacheNamespace": resource, "cacheKeyParameters": [],
        },
    }});
    let one = gateway
        .get(&format!("{path}/{resource}?embed=methods"))
        .await
        .ok(200);
    assert_eq!(one["resourceMethods"], whole);
    let list = gateway.get(&format!("{path}?embed=methods")).await.ok(200);
    assert_eq!(list["item"][1]["resourceMethods"], whole);
    assert!(list["item"][0].get("resourceMethods").is_none());
    let list = gateway.get(&path).await.ok(200);
    assert_eq!(list["item"][1]["resourceMethods"], json!({"GET": {}}));
}

#[tokio::test]
async fn bad_creations_are_refused_as_recorded() {
    let api = Api::new().await;
    api.add(&api.root, "pets").await;
    let greedy = api.add(&api.root, "{proxy+}").await;
    api.try_add("nope", "x")
        .await
        .missing("Invalid Resource identifier specified");
    api.gateway
        .post("/restapis/nope/resources/x", json!({"pathPart": "x"}))
        .await
        .missing("Invalid Resource identifier specified");
    api.try_add(&api.root, "pets")
        .await
        .conflict("Another resource with the same parent already has this name: pets");
    api.try_add(&api.root, "{id}")
        .await
        .bad("A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed");
    for child in ["static", "{dynamic}"] {
        api.try_add(&greedy, child)
            .await
            .bad("Cannot create a child of a resource with a greedy path variable: {proxy+}");
    }
    for bad in ["", "a b", "a/b", "{a", "pré"] {
        api.try_add(&api.root, bad).await.bad(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
        );
    }
    let nameless = api
        .gateway
        .post(&format!("{}/{}", api.path, api.root), json!({}))
        .await;
    assert_eq!(
        (
            nameless.status,
            nameless.headers["x-amzn-errortype"].to_str().unwrap()
        ),
        (400, "ValidationException")
    );
}

#[tokio::test]
async fn renaming_and_moving_take_the_paths_below_along() {
    let api = Api::new().await;
    let pets = api.add(&api.root, "pets").await;
    let sub = api.add(&pets, "subpets").await;
    api.add(&sub, "{id}").await;
    let renamed = api
        .update(&pets, "replace", "/pathPart", Some("dogs"))
        .await
        .ok(200);
    assert_eq!(
        renamed,
        json!({"id": pets, "parentId": api.root, "pathPart": "dogs", "path": "/dogs"})
    );
    assert_eq!(
        api.paths().await,
        ["/", "/dogs", "/dogs/subpets", "/dogs/subpets/{id}"]
    );
    let moved = api
        .update(&sub, "replace", "/parentId", Some(&api.root))
        .await
        .ok(200);
    assert_eq!(
        moved,
        json!({"id": sub, "parentId": api.root, "pathPart": "subpets", "path": "/subpets"})
    );
    assert_eq!(
        api.paths().await,
        ["/", "/dogs", "/subpets", "/subpets/{id}"]
    );
    api.gateway
        .delete(&format!("{}/{pets}", api.path))
        .await
        .is(202, Value::Null);
    assert_eq!(api.paths().await, ["/", "/subpets", "/subpets/{id}"]);
}

#[tokio::test]
async fn bad_updates_are_refused_as_recorded() {
    let api = Api::new().await;
    let pets = api.add(&api.root, "pets").await;
    let sub = api.add(&pets, "subpets").await;
    let child = api.add(&sub, "pets").await;
    let unknown = "Invalid Resource identifier specified";
    api.update("nope", "replace", "/pathPart", Some("x"))
        .await
        .missing(unknown);
    api.update(&pets, "replace", "/parentId", Some("nope"))
        .await
        .missing(unknown);
    api.update(&pets, "replace", "/invalid", Some("x"))
        .await
        .bad("Invalid patch path  '/invalid' specified for op 'replace'. Must be one of: [/parentId, /pathPart]");
    for op in ["remove", "add"] {
        let text = format!(
            "Invalid patch path  '/pathPart' specified for op '{op}'. Please choose supported operations"
        );
        api.update(&pets, op, "/pathPart", Some("x"))
            .await
            .bad(&text);
    }
    let taken = "Another resource with the same parent already has this name: pets";
    api.update(&child, "replace", "/parentId", Some(&api.root))
        .await
        .conflict(taken);
    api.update(&pets, "replace", "/parentId", Some(&sub))
        .await
        .bad("Resources cannot be cyclical.");
    api.update(&api.root, "replace", "/pathPart", Some("x"))
        .await
        .bad("Root resource cannot update its pathPart.");
    api.update(&api.root, "replace", "/parentId", Some(&pets))
        .await
        .bad("Root resource cannot update its parentId.");
    assert_eq!(
        api.paths().await,
        ["/", "/pets", "/pets/subpets", "/pets/subpets/pets"]
    );
}

#[tokio::test]
async fn deleting_takes_children_and_methods_but_never_the_root() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let path = format!("/restapis/{api}/resources");
    let child = gateway
        .post(&format!("{path}/{resource}"), json!({"pathPart": "child"}))
        .await
        .ok(201);
    let root = text(&gateway.get(&path).await.ok(200)["item"][0], "id");
    gateway
        .delete(&format!("{path}/{root}"))
        .await
        .bad("Root resource cannot be deleted.");
    gateway
        .delete(&format!("{path}/{resource}"))
        .await
        .is(202, Value::Null);
    let unknown = "Invalid Resource identifier specified";
    gateway
        .get(&format!("{path}/{}", text(&child, "id")))
        .await
        .missing(unknown);
    gateway
        .get(&format!("{path}/{resource}/methods/GET"))
        .await
        .missing(unknown);
    gateway
        .delete(&format!("{path}/{resource}"))
        .await
        .missing(unknown);
    gateway
        .get(&path)
        .await
        .is(200, json!({"item": [{"id": root, "path": "/"}]}));
}
