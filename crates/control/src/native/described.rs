//! `GET /tollgate/openapi.json`: what Tollgate's own calls take and give.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};

/// The document; a test holds it against the table of calls.
pub const OPENAPI: &str = include_str!("openapi.json");

/// GetOpenApi.
pub async fn openapi() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, kind)], OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::OPENAPI;
    use crate::native::NATIVE;

    #[test]
    fn every_call_is_described_with_its_status_and_nothing_else_is() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, call) in methods.as_object().unwrap() {
                let success = call["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .next()
                    .unwrap();
                let name = call["operationId"].as_str().unwrap();
                described.insert(format!("{name} {} {path} {success}", method.to_uppercase()));
            }
        }
        let session = [
            "GetSession GET /tollgate/session 200",
            "SignIn POST /tollgate/session 200",
            "SignOut DELETE /tollgate/session 200",
        ];
        let table = NATIVE.iter().map(|call| {
            format!(
                "{} {} {} {}",
                call.name, call.method, call.path, call.status
            )
        });
        let expected: BTreeSet<String> = table.chain(session.map(str::to_owned)).collect();
        assert_eq!(described, expected);
    }

    #[test]
    fn references_lead_somewhere() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut open = vec![&document];
        let mut seen = 0;
        while let Some(value) = open.pop() {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        let pointer = reference.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                        seen += 1;
                    }
                    open.extend(members.values());
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        assert!(seen > 5);
    }
}
