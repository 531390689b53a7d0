//! Makes APIs, plans and keys through the control plane, in as few words as a test can afford.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::control::Control;
use crate::harness::today;

/// An API under construction.
pub struct Api {
    control: Control,
    pub id: String,
    root: String,
}

impl Api {
    pub fn create(control: &Control, name: &str) -> Api {
        let made = control.post("/restapis", &json!({ "name": name })).ok(201);
        Api {
            control: control.clone(),
            id: text(&made["id"]),
            root: text(&made["rootResourceId"]),
        }
    }

    pub fn path(&self) -> String {
        format!("/restapis/{}", self.id)
    }

    /// The id of the resource with this path; what is missing of it is created.
    pub fn resource(&self, path: &str) -> String {
        let listed = self
            .control
            .get(&format!("{}/resources?limit=500", self.path()))
            .ok(200);
        let known: HashMap<String, String> = listed["item"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (text(&item["path"]), text(&item["id"])))
            .collect();
        let mut id = self.root.clone();
        let mut at = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            at = format!("{at}/{part}");
            id = match known.get(&at) {
                Some(known) => known.clone(),
                None => text(
                    &self
                        .control
                        .post(
                            &format!("{}/resources/{id}", self.path()),
                            &json!({ "pathPart": part }),
                        )
                        .ok(201)["id"],
                ),
            };
        }
        id
    }

    /// The control plane's path of a method.
    pub fn method_path(&self, path: &str, verb: &str) -> String {
        format!(
            "{}/resources/{}/methods/{verb}",
            self.path(),
            self.resource(path)
        )
    }

    /// A method with this integration.
    pub fn method(&self, path: &str, verb: &str, key_required: bool, integration: &Value) {
        let at = self.method_path(path, verb);
        self.control
            .put(
                &at,
                &json!({ "authorizationType": "NONE", "apiKeyRequired": key_required }),
            )
            .ok(201);
        self.control
            .put(&format!("{at}/integration"), integration)
            .ok(201);
    }

    /// A method that answers 200 with this text by itself.
    pub fn mock(&self, path: &str, verb: &str, key_required: bool, answer: &str) {
        self.method(path, verb, key_required, &json!({ "type": "MOCK", "requestTemplates": { "application/json": "{\"statusCode\": 200}" } }));
        let at = self.method_path(path, verb);
        self.control
            .put(&format!("{at}/responses/200"), &json!({}))
            .ok(201);
        let templates = json!({ "responseTemplates": { "application/json": answer } });
        self.control
            .put(&format!("{at}/integration/responses/200"), &templates)
            .ok(201);
    }

    /// Everything below `prefix` passed on to an upstream.
    pub fn pass_on(&self, prefix: &str, key_required: bool, upstream: &str) {
        let at = format!("{prefix}/{{proxy+}}");
        self.control.put(&self.method_path(&at, "ANY"), &json!({ "authorizationType": "NONE", "apiKeyRequired": key_required, "requestParameters": { "method.request.path.proxy": true } })).ok(201);
        self.control
            .put(
                &format!("{}/integration", self.method_path(&at, "ANY")),
                &pass_on(upstream),
            )
            .ok(201);
    }

    /// Deploys to a stage; the id of the deployment.
    pub fn deploy(&self, stage: &str) -> String {
        text(
            &self
                .control
                .post(
                    &format!("{}/deployments", self.path()),
                    &json!({ "stageName": stage }),
                )
                .ok(201)["id"],
        )
    }

    /// The path on the data plane of something in a stage of this API.
    pub fn target(&self, stage: &str, path: &str) -> String {
        format!("/{}/{stage}{path}", self.id)
    }
}

/// An integration that passes the rest of the path on.
pub fn pass_on(upstream: &str) -> Value {
    json!({
        "type": "HTTP_PROXY",
        "httpMethod": "ANY",
        "uri": format!("{upstream}/{{proxy}}"),
        "requestParameters": { "integration.request.path.proxy": "method.request.path.proxy" },
    })
}

/// An API key with its value.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub value: String,
}

impl Key {
    pub fn create(control: &Control, name: &str) -> Key {
        let made = control
            .post("/apikeys", &json!({ "name": name, "enabled": true }))
            .ok(201);
        let value = text(&made["value"]);
        crate::secrets::note(&value);
        Key {
            id: text(&made["id"]),
            value,
        }
    }

    /// The header that presents this key.
    pub fn header(&self) -> (&str, &str) {
        ("x-api-key", &self.value)
    }

    pub fn set_enabled(&self, control: &Control, enabled: bool) {
        control
            .patch(
                &format!("/apikeys/{}", self.id),
                &[("replace", "/enabled", &enabled.to_string())],
            )
            .ok(200);
    }
}

/// A usage plan.
#[derive(Clone)]
pub struct Plan {
    control: Control,
    pub id: String,
}

impl Plan {
    /// A plan for one stage; `limits` holds `throttle` and `quota` as CreateUsagePlan takes them.
    pub fn create(control: &Control, api: &Api, stage: &str, limits: &Value) -> Plan {
        let mut body =
            json!({ "name": "plan", "apiStages": [{ "apiId": api.id, "stage": stage }] });
        for (name, value) in limits.as_object().unwrap() {
            body[name] = value.clone();
        }
        Plan {
            control: control.clone(),
            id: text(&control.post("/usageplans", &body).ok(201)["id"]),
        }
    }

    pub fn path(&self) -> String {
        format!("/usageplans/{}", self.id)
    }

    pub fn attach(&self, key: &Key) {
        self.control
            .post(
                &format!("{}/keys", self.path()),
                &json!({ "keyId": key.id, "keyType": "API_KEY" }),
            )
            .ok(201);
    }

    pub fn detach(&self, key: &Key) {
        self.control
            .delete(&format!("{}/keys/{}", self.path(), key.id))
            .ok(202);
    }

    /// A key made for this plan.
    pub fn key(&self, name: &str) -> Key {
        let key = Key::create(&self.control, name);
        self.attach(&key);
        key
    }

    pub fn set(&self, path: &str, value: &str) {
        self.control
            .patch(&self.path(), &[("replace", path, value)])
            .ok(200);
    }

    /// Today's `(used, remaining)` of a key; nothing if the key has not been used.
    pub fn usage(&self, key: &Key) -> Option<(i64, i64)> {
        let day = today();
        let path = format!(
            "{}/usage?keyId={}&startDate={day}&endDate={day}",
            self.path(),
            key.id
        );
        let usage = self.control.get(&path).ok(200);
        let pair = usage["values"]
            .get(&key.id)?
            .as_array()
            .unwrap()
            .first()
            .unwrap()
            .clone();
        Some((pair[0].as_i64().unwrap(), pair[1].as_i64().unwrap()))
    }
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}
