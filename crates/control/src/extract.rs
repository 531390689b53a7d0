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
        parse(&body).map(Json)
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

/// Reads a JSON object; a refusal is a `SerializationException`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return serde_json::from_str("{}").map_err(wrong_type);
    }
    // serde would also take an array for a struct; AWS's members always have names.
    match serde_json::from_slice(body) {
        Ok(value @ serde_json::Value::Object(_)) => {
            serde_json::from_value(value).map_err(wrong_type)
        }
        Ok(_) => Err(Error::Serialization(
            "The request body must be a JSON object.".to_owned(),
        )),
        Err(error) => Err(Error::Serialization(format!(
            "Could not parse request body into json: {error}"
        ))),
    }
}

/// Says a type mismatch as AWS's front layer does, which is written in Java.
fn wrong_type(error: serde_json::Error) -> Error {
    let text = error.to_string();
    let java = text.strip_prefix("invalid type: ").and_then(|rest| {
        let (found, expected) = rest.split_once(", expected ")?;
        Some(format!(
            "{} can not be converted to an {}",
            java_class(found)?,
            java_name(expected)?
        ))
    });
    Error::Serialization(java.unwrap_or(text))
}

fn java_class(found: &str) -> Option<&'static str> {
    let kind = found.split(' ').next()?;
    Some(match kind {
        "boolean" => "class java.lang.Boolean",
        "integer" | "floating" => "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
        "string" => "class java.lang.String",
        "sequence" => "class java.util.ArrayList",
        "map" => "class java.util.LinkedHashMap",
        _ => return None,
    })
}

fn java_name(expected: &str) -> Option<&'static str> {
    let expected = expected.split(" at line").next()?;
    Some(match expected {
        "a string" => "String",
        "a boolean" => "Boolean",
        "i32" | "u32" => "Integer",
        "i64" | "u64" | "u16" | "u8" | "usize" => "Long",
        "f64" | "f32" => "Double",
        "a map" => "Map",
        "a sequence" => "List",
        _ => return None,
    })
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

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        name: Option<String>,
        enabled: Option<bool>,
        limit: Option<i32>,
    }

    fn refused(body: &str) -> String {
        match parse::<Sample>(body.as_bytes()) {
            Err(Error::Serialization(text)) => text,
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[test]
    fn wrong_types_are_worded_as_recorded() {
        assert_eq!(
            refused(r#"{"name":true}"#),
            "class java.lang.Boolean can not be converted to an String"
        );
        assert_eq!(
            refused(r#"{"name":1}"#),
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"
        );
        assert_eq!(
            refused(r#"{"enabled":"yes"}"#),
            "class java.lang.String can not be converted to an Boolean"
        );
        assert_eq!(
            refused(r#"{"limit":{}}"#),
            "class java.util.LinkedHashMap can not be converted to an Integer"
        );
    }

    #[test]
    fn what_is_not_json_is_said_so() {
        assert!(refused("{\"name\":").starts_with("Could not parse request body into json: "));
        assert!(refused("[]").contains("JSON object"));
        assert!(refused("\"x\"").contains("JSON object"));
    }

    #[test]
    fn unknown_members_nulls_and_a_missing_body_are_fine() {
        for body in ["", " ", "{}", r#"{"name":null,"colour":7}"#] {
            let sample = parse::<Sample>(body.as_bytes()).unwrap();
            assert!(sample.name.is_none() && sample.enabled.is_none() && sample.limit.is_none());
        }
    }

    #[test]
    fn a_query_keeps_repeated_names() {
        let query = Query::parse("tagKeys=a%20b&tagKeys=c&x=TRUE").unwrap();
        assert_eq!(query.all("tagKeys").collect::<Vec<_>>(), ["a b", "c"]);
        assert!(query.flag("x") && !query.flag("y"));
    }
}
