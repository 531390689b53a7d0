//! A client of the control plane, signed with AWS's own signer.

use std::net::SocketAddr;
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};

use crate::http::{self, Reply};

/// An access key and its secret.
#[derive(Clone)]
pub struct Credentials {
    pub id: String,
    pub secret: String,
}

impl Credentials {
    /// Reads AWS's shared-credentials format.
    pub fn parse(text: &str) -> Option<Credentials> {
        let value = |name: &str| {
            let found = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .find(|(n, _)| n.trim() == name);
            found.map(|(_, value)| value.trim().to_owned())
        };
        Some(Credentials {
            id: value("aws_access_key_id")?,
            secret: value("aws_secret_access_key")?,
        })
    }
}

/// How a request is signed; the defaults are right, tests spoil one thing at a time.
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    pub region: &'a str,
    pub service: &'a str,
    pub at: SystemTime,
}

impl Default for Signing<'_> {
    fn default() -> Self {
        Signing {
            region: "us-east-1",
            service: "apigateway",
            at: SystemTime::now(),
        }
    }
}

#[derive(Clone)]
pub struct Control {
    pub address: SocketAddr,
    pub credentials: Option<Credentials>,
}

impl Control {
    pub fn new(address: SocketAddr, credentials: Option<Credentials>) -> Control {
        Control {
            address,
            credentials,
        }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, b"")
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, body.to_string().as_bytes())
    }

    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, body.to_string().as_bytes())
    }

    /// Operations as (op, path, value); a `remove` with an empty value sends none.
    pub fn patch(&self, path: &str, operations: &[(&str, &str, &str)]) -> Reply {
        let operations: Vec<Value> = operations
            .iter()
            .map(|operation| patch_operation(*operation))
            .collect();
        self.send(
            "PATCH",
            path,
            json!({ "patchOperations": operations })
                .to_string()
                .as_bytes(),
        )
    }

    /// Any signed request; a body is declared as JSON.
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let mut headers = vec![("Accept", "application/json")];
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        self.send_with(method, path, &headers, body, Signing::default())
    }

    pub fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        signing: Signing<'_>,
    ) -> Reply {
        self.exchange(method, path, headers, body, signing)
            .unwrap_or_else(|e| panic!("{method} {path} at {}: {e}", self.address))
    }

    /// A signed request with a JSON body to a gateway that may die meanwhile.
    pub fn try_send(&self, method: &str, path: &str, body: &[u8]) -> std::io::Result<Reply> {
        let headers = [("Content-Type", "application/json")];
        self.exchange(method, path, &headers, body, Signing::default())
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        signing: Signing<'_>,
    ) -> std::io::Result<Reply> {
        let signature = self.sign(method, path, headers, body, signing);
        let mut all = headers.to_vec();
        all.extend(
            signature
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        http::Connection::open(self.address)?.send(method, path, &all, body)
    }

    /// The headers that sign this request; none without credentials.
    pub fn sign(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        signing: Signing<'_>,
    ) -> Vec<(String, String)> {
        let Some(credentials) = &self.credentials else {
            return Vec::new();
        };
        let identity = aws_credential_types::Credentials::new(
            &credentials.id,
            &credentials.secret,
            None,
            None,
            "test",
        )
        .into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(signing.region)
            .name(signing.service)
            .time(signing.at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let url = format!("http://{}{path}", self.address);
        let request = SignableRequest::new(
            method,
            url,
            headers.iter().copied(),
            SignableBody::Bytes(body),
        )
        .unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
        instructions
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

fn patch_operation((op, path, value): (&str, &str, &str)) -> Value {
    if op == "remove" && value.is_empty() {
        return json!({ "op": op, "path": path });
    }
    json!({ "op": op, "path": path, "value": value })
}

impl Reply {
    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    #[track_caller]
    pub fn ok_status(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.text());
    }

    /// Asserts an error in AWS's form: status, exception name and text.
    #[track_caller]
    pub fn refused(&self, status: u16, exception: &str, message: &str) {
        let seen = (
            self.status,
            self.header("x-amzn-errortype")
                .unwrap_or("no x-amzn-ErrorType"),
            self.json()["message"].clone(),
        );
        assert_eq!(seen, (status, exception, json!(message)));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(
            self.header("x-amzn-requestid")
                .is_some_and(|id| id.len() == 36),
            "{:?}",
            self.headers
        );
    }

    /// The same when AWS's text is not known: it must only say something.
    #[track_caller]
    pub fn refused_somehow(&self, status: u16, exception: &str) -> String {
        let message = self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.refused(status, exception, &message);
        assert!(message.len() > 5, "says nothing: {message:?}");
        message
    }
}
