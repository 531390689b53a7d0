//! What handlers take from a request: JSON body, path, query, caller; refusals in AWS's words.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tollgate_entity::Timestamp;
use tollgate_store::Audit;

use crate::error::Error;
use crate::json;

/// A JSON body, in or out. Unknown members are ignored, a missing body is `{}`.
/// The status of an answer is the operation's, set by its row in `operations`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(Error::internal)?;
        json::parse(&body).map(Json)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => (
                [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
                body,
            )
                .into_response(),
            Err(error) => Error::internal(error).into_response(),
        }
    }
}

/// Labels of the path, percent-decoded.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let found = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        found
            .map(|path| Self(path.0))
            .map_err(|error| Error::bad_request(error.body_text()))
    }
}

/// The members of the query, decoded, in order; a name may come more than once.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let uri = http::Uri::builder()
            .path_and_query(format!("/?{text}"))
            .build();
        let uri = uri.map_err(|error| Error::bad_request(error.to_string()))?;
        let pairs = axum::extract::Query::try_from_uri(&uri);
        pairs
            .map(|pairs| Self(pairs.0))
            .map_err(|error| Error::bad_request(error.body_text()))
    }

    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// True for `name=true` in any case, false for anything else, as AWS reads booleans.
    pub fn flag(&self, name: &str) -> bool {
        self.first(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

/// Who calls what: set by the layers before the handler.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The access key's id, or `anonymous` without authentication.
    pub who: String,
    /// The operation's AWS name.
    pub operation: &'static str,
    pub request_id: String,
    /// The peer's address, empty where there is none (tests).
    pub source_ip: String,
    pub at: Timestamp,
}

impl Caller {
    /// The audit row of a change; `what` must have key values masked (see `audit`).
    pub fn audit(&self, what: serde_json::Value) -> Audit {
        Audit {
            who: self.who.clone(),
            operation: self.operation.into(),
            request_id: self.request_id.clone(),
            source_ip: self.source_ip.clone(),
            what,
            at: self.at,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Error::internal("a handler ran outside the authentication layer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_repeated_names() {
        let query = Query::parse("tagKeys=a%20b&tagKeys=c&x=TRUE").unwrap();
        assert_eq!(query.all("tagKeys").collect::<Vec<_>>(), ["a b", "c"]);
        assert!(query.flag("x") && !query.flag("y"));
    }
}
