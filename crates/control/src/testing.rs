//! A control plane in a temporary directory, for the tests of handlers: calls in, wire form out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate_entity::{DeploymentContent, Method, Resource, Stage, Timestamp};
use tollgate_store::{Audit, AuditRow, Page, Store, StoreError, StoreOptions, Transaction};
use tower::ServiceExt;

use crate::{Control, ControlSettings, Operation, router};

/// The time at which a test begins.
pub const START: i64 = 1_700_000_000;

/// A control plane without authentication and with a clock that stands still.
pub struct Gateway {
    pub control: Control,
    router: Router,
    clock: Arc<AtomicI64>,
    _directory: TempDir,
}

/// What a call was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where the body was empty.
    pub body: Value,
}

impl Gateway {
    pub fn new() -> Self {
        Self::with(
            ControlSettings {
                auth: false,
                ..ControlSettings::default()
            },
            StoreOptions::default(),
        )
    }

    pub fn with(settings: ControlSettings, options: StoreOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), options).unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let read = clock.clone();
        let control = Control::new(store, settings, move || {
            Timestamp(read.load(Ordering::Relaxed))
        });
        Gateway {
            router: router(control.clone()),
            control,
            clock,
            _directory: directory,
        }
    }

    /// Moves the clock on.
    pub fn sleep(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub async fn call(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Sends a request as it is. Whatever the call is: a change leaves one row in the audit log, everything else none.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        // Questions that are too long for a query.
        let asks =
            ["/tollgate/preview-import", "/tollgate/explain"].contains(&request.uri().path());
        let reads = request.method() == http::Method::GET || asks;
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let operation = parts.extensions.get::<&'static Operation>();
        self.check_audit(
            operation.filter(|_| parts.status.is_success() && !reads),
            &parts.headers,
        );
        let body = body.collect().await.unwrap().to_bytes();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, Body::empty()).await
    }

    /// Patches with operations as (op, path, value).
    pub async fn patch(&self, path: &str, operations: &[(&str, &str, Option<&str>)]) -> Answer {
        let operations: Vec<Value> = operations
            .iter()
            .map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
            .collect();
        self.call(
            "PATCH",
            path,
            json!({"patchOperations": operations}).to_string(),
        )
        .await
    }

    /// Stages that exist, without an API around them.
    pub fn put_stages(&self, stages: &[(&str, &str)]) {
        let change = |transaction: &mut Transaction<'_>| {
            for (api, name) in stages {
                let (rest_api_id, stage_name) = ((*api).to_owned(), (*name).to_owned());
                transaction.put(&Stage {
                    rest_api_id,
                    stage_name,
                    ..Stage::default()
                })?;
            }
            Ok::<_, StoreError>(())
        };
        self.control
            .store
            .commit_blocking(Audit::default(), change)
            .unwrap();
    }

    /// Points a stage that exists, without an API around it, at methods given as (path, verb).
    pub fn put_methods(&self, api: &str, name: &str, methods: &[(&str, &str)]) {
        let mut content = DeploymentContent {
            deployment_id: format!("{api}-{name}"),
            ..Default::default()
        };
        for (path, verb) in methods {
            let resource_methods: BTreeMap<String, Method> =
                [((*verb).to_owned(), Method::default())].into();
            match content
                .resources
                .iter_mut()
                .find(|resource| resource.path == *path)
            {
                Some(known) => known.resource_methods.extend(resource_methods),
                None => content.resources.push(Resource {
                    path: (*path).to_owned(),
                    resource_methods,
                    ..Default::default()
                }),
            }
        }
        let (rest_api_id, stage_name) = (api.to_owned(), name.to_owned());
        let deployment_id = content.deployment_id.clone();
        let stage = Stage {
            rest_api_id,
            stage_name,
            deployment_id,
            ..Stage::default()
        };
        let change = |transaction: &mut Transaction<'_>| {
            transaction.put(&content)?;
            transaction.put(&stage)
        };
        self.control
            .store
            .commit_blocking(Audit::default(), change)
            .unwrap();
    }

    /// Looks for the row of the call that was answered with these headers; `changed` is its operation if it changed
    /// something.
    fn check_audit(&self, changed: Option<&&'static Operation>, headers: &HeaderMap) {
        let Some(id) = headers
            .get("x-amzn-requestid")
            .and_then(|id| id.to_str().ok())
        else {
            return;
        };
        let latest = Page {
            newest_first: true,
            limit: 50,
            ..Page::ALL
        };
        let log = self
            .control
            .store
            .read_blocking(|reader| reader.audit(&latest))
            .unwrap();
        let rows: Vec<_> = log
            .items
            .iter()
            .filter(|row| row.audit.request_id == id)
            .collect();
        let named: Vec<&str> = rows
            .iter()
            .map(|row| row.audit.operation.as_str())
            .collect();
        assert_eq!(
            named,
            changed
                .map(|operation| operation.name)
                .into_iter()
                .collect::<Vec<_>>()
        );
        assert!(rows.iter().all(|row| !row.audit.who.is_empty()), "{rows:?}");
    }

    /// The audit log, newest first.
    pub fn audit_log(&self) -> Vec<AuditRow> {
        let page = Page {
            newest_first: true,
            ..Page::ALL
        };
        self.control
            .store
            .read_blocking(|reader| reader.audit(&page))
            .unwrap()
            .items
    }
}

impl Answer {
    /// The body of an answer that must have that status.
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Status and body must be these.
    #[track_caller]
    pub fn is(self, status: u16, body: Value) {
        assert_eq!((self.status, self.body), (status, body));
    }

    /// Status, exception and text of a refusal: `404 NotFoundException: …`.
    pub fn refusal(&self) -> String {
        let name = self
            .headers
            .get("x-amzn-errortype")
            .and_then(|name| name.to_str().ok());
        format!(
            "{} {}: {}",
            self.status,
            name.unwrap_or("-"),
            self.body["message"].as_str().unwrap_or("-")
        )
    }

    /// It must be refused with this exception and this text.
    #[track_caller]
    pub fn refused(self, status: u16, exception: &str, text: &str) {
        let name = self
            .headers
            .get("x-amzn-errortype")
            .and_then(|name| name.to_str().ok());
        assert_eq!(
            (self.status, name, &self.body),
            (status, Some(exception), &json!({ "message": text }))
        );
    }

    /// It must be refused with 400 BadRequestException and this text.
    #[track_caller]
    pub fn bad(self, text: &str) {
        self.refused(400, "BadRequestException", text);
    }

    /// It must be refused with 404 NotFoundException and this text.
    #[track_caller]
    pub fn missing(self, text: &str) {
        self.refused(404, "NotFoundException", text);
    }

    /// It must be refused with 409 ConflictException and this text.
    #[track_caller]
    pub fn conflict(self, text: &str) {
        self.refused(409, "ConflictException", text);
    }
}

/// The text of a member.
#[track_caller]
pub fn text(body: &Value, member: &str) -> String {
    body[member]
        .as_str()
        .unwrap_or_else(|| panic!("no text at {member} in {body}"))
        .to_owned()
}

/// An API with one method: `GET /test`, a MOCK. Its id, and the resource's.
pub async fn api_with_method(gateway: &Gateway) -> (String, String) {
    let api = gateway
        .post("/restapis", json!({"name": "api"}))
        .await
        .ok(201);
    let (api, root) = (text(&api, "id"), text(&api, "rootResourceId"));
    let resource = gateway
        .post(
            &format!("/restapis/{api}/resources/{root}"),
            json!({"pathPart": "test"}),
        )
        .await
        .ok(201);
    let resource = text(&resource, "id");
    let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
    gateway
        .put(&method, json!({"authorizationType": "NONE"}))
        .await
        .ok(201);
    gateway
        .put(&format!("{method}/integration"), json!({"type": "MOCK"}))
        .await
        .ok(201);
    (api, resource)
}
