//! Signing in, calling with a session, signing out.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use tollgate_store::{AccessKey, Audit, StoreOptions};

use crate::ControlSettings;
use crate::auth::session::FAILURES_AT_ONCE_MAX;
use crate::testing::{Answer, Gateway, text};

fn guarded() -> (Gateway, AccessKey) {
    let gateway = Gateway::with(ControlSettings::default(), StoreOptions::default());
    let key = gateway
        .control
        .store
        .commit_blocking(Audit::default(), |tx| tx.create_access_key("test"))
        .unwrap();
    (gateway, key)
}

/// A browser on the console's page, with what it keeps.
struct Browser<'a> {
    gateway: &'a Gateway,
    cookie: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        Browser {
            gateway,
            cookie: String::new(),
            csrf: String::new(),
        }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:8081")
            .header("sec-fetch-site", "same-origin");
        if method != "GET" {
            request = request.header("origin", "http://127.0.0.1:8081");
        }
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        if !self.csrf.is_empty() {
            request = request.header("x-tollgate-csrf", &self.csrf);
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        self.gateway.send(request.body(body).unwrap()).await
    }

    async fn sign_in(&mut self, key: &AccessKey) {
        let body = json!({"accessKeyId": key.id, "secretAccessKey": key.secret.expose()});
        let answer = self.call("POST", "/tollgate/session", body).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly; SameSite=Strict"));
        self.cookie = cookie.split(';').next().unwrap().to_owned();
        assert_eq!(answer.headers["cache-control"], "no-store");
        self.csrf = text(&answer.ok(200), "csrfToken");
    }
}

#[tokio::test]
async fn a_session_may_do_what_its_key_may_and_is_audited_under_it() {
    let (gateway, key) = guarded();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&key).await;
    let made = browser.call("POST", "/apikeys", json!({"name": "n"})).await;
    made.ok(201);
    assert_eq!(gateway.audit_log().remove(0).audit.who, key.id);

    // A new tab knows the cookie only, and asks for the token.
    let found = browser.call("GET", "/tollgate/session", Value::Null).await;
    let found = found.ok(200);
    assert_eq!(text(&found, "csrfToken"), browser.csrf);
    assert_eq!(text(&found, "accessKeyId"), key.id);

    browser
        .call("DELETE", "/tollgate/session", Value::Null)
        .await
        .ok(200);
    let after = browser.call("GET", "/apikeys", Value::Null).await;
    after.refused(
        401,
        "UnauthorizedException",
        "Your session has ended. Sign in again.",
    );
}

#[tokio::test]
async fn without_the_token_nothing_is_read_or_changed() {
    let (gateway, key) = guarded();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&key).await;
    browser.csrf.clear();
    for (method, path) in [("GET", "/apikeys"), ("POST", "/apikeys")] {
        let answer = browser.call(method, path, Value::Null).await;
        assert_eq!(answer.status, 403, "{method}");
    }
    assert!(
        gateway
            .audit_log()
            .iter()
            .all(|row| row.audit.who != key.id)
    );
}

#[tokio::test]
async fn a_deleted_access_key_ends_its_sessions() {
    let (gateway, key) = guarded();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&key).await;
    let label = json!({"label": "second"});
    browser
        .call("POST", "/tollgate/access-keys", label)
        .await
        .ok(201);
    let own = format!("/tollgate/access-keys/{}", key.id);
    browser.call("DELETE", &own, Value::Null).await.ok(204);
    let after = browser.call("GET", "/apikeys", Value::Null).await;
    assert_eq!(after.status, 401);
}

#[tokio::test]
async fn wrong_credentials_are_all_told_the_same_and_soon_made_to_wait() {
    let (gateway, key) = guarded();
    let browser = Browser::new(&gateway);
    let wrong = [
        json!({"accessKeyId": key.id, "secretAccessKey": "x"}),
        json!({"accessKeyId": key.id, "secretAccessKey": ""}),
        json!({"accessKeyId": "AKIANOBODY", "secretAccessKey": ""}),
        json!({}),
    ];
    for turn in 0..FAILURES_AT_ONCE_MAX as usize {
        let body = wrong[turn % wrong.len()].clone();
        let answer = browser.call("POST", "/tollgate/session", body).await;
        answer.refused(
            403,
            "AccessDeniedException",
            "The access key id or the secret is wrong.",
        );
    }
    let right = json!({"accessKeyId": key.id, "secretAccessKey": key.secret.expose()});
    let answer = browser
        .call("POST", "/tollgate/session", right.clone())
        .await;
    assert_eq!(
        (answer.status, &answer.headers["retry-after"]),
        (429, &"6".parse().unwrap())
    );
    gateway.sleep(6);
    browser
        .call("POST", "/tollgate/session", right)
        .await
        .ok(200);
}

#[tokio::test]
async fn another_site_cannot_sign_in_for_somebody() {
    let (gateway, key) = guarded();
    let body = json!({"accessKeyId": key.id, "secretAccessKey": key.secret.expose()});
    for origin in [None, Some("http://evil.example")] {
        let mut request = Request::post("/tollgate/session").header("host", "127.0.0.1:8081");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = gateway
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await;
        assert_eq!(answer.status, 403);
        assert!(!answer.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn without_authentication_everybody_is_signed_in() {
    let gateway = Gateway::new();
    let shown = gateway.get("/tollgate/session").await.ok(200);
    assert_eq!(shown, json!({"authentication": false, "signedIn": true}));
}
