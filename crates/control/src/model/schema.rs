//! What a model's schema must be: JSON, draft 4, and referring only to what there is.

use serde_json::Value;
use tollgate_entity::model::{each_reference, reference};

use crate::error::Error;

/// Bytes a model's schema may have; AWS's quota.
pub(crate) const SCHEMA_BYTES_MAX: usize = 400 * 1024;

/// Checks a schema. `known` tells whether the API has a model of that name.
pub(crate) fn check(
    api: &str,
    schema: Option<&str>,
    known: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let text = schema.unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Error::bad_request(
            "Model schema must have at least 1 property or array items defined",
        ));
    }
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(Error::bad_request(format!(
            "Model schema can be at most {SCHEMA_BYTES_MAX} bytes."
        )));
    }
    let mut schema: Value = serde_json::from_str(text)
        .map_err(|error| invalid(&format!("Invalid model schema specified. {error}")))?;
    if !schema.is_object() {
        return Err(invalid(
            "Invalid model schema specified. A schema is an object",
        ));
    }
    if let Err(error) = jsonschema::draft4::meta::validate(&schema) {
        let at = error.instance_path().to_string();
        return Err(invalid(&format!(
            "Invalid model schema specified. At '{at}': {error}"
        )));
    }
    check_references(api, &mut schema, known)?;
    check_patterns(schema)
}

fn check_references(
    api: &str,
    schema: &mut Value,
    known: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let whole = schema.clone();
    let mut refusal = None;
    each_reference(schema, &mut |text| {
        let fine = match (reference(text), text.strip_prefix('#')) {
            (Some((of, name)), _) if of == api && known(name) => true,
            (Some(_), _) => {
                refusal.get_or_insert(format!("Invalid model reference specified: {text}"));
                true
            }
            (None, Some(pointer)) => points(&whole, pointer),
            (None, None) => {
                refusal.get_or_insert("Model reference must be in canonical form".to_owned());
                true
            }
        };
        if !fine {
            refusal.get_or_insert(format!("Invalid model reference specified: {text}"));
        }
    });
    refusal.map_or(Ok(()), |text| Err(invalid(&text)))
}

/// Whether a reference into the schema itself meets something.
fn points(schema: &Value, pointer: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(pointer).decode_utf8();
    decoded.is_ok_and(|pointer| schema.pointer(&pointer).is_some())
}

/// A schema whose other models are left out must compile: its patterns are what can still be wrong.
fn check_patterns(mut schema: Value) -> Result<(), Error> {
    leave_out_models(&mut schema);
    match jsonschema::draft4::new(&schema) {
        Ok(_) => Ok(()),
        Err(error) => Err(invalid(&format!("Invalid model schema specified. {error}"))),
    }
}

fn leave_out_models(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let other = members.get("$ref").and_then(Value::as_str);
            if other.is_some_and(|text| reference(text).is_some()) {
                members.remove("$ref");
            }
            members.values_mut().for_each(leave_out_models);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_models),
        _ => {}
    }
}

/// The names of the models that a schema refers to.
pub(super) fn names(schema: &str) -> impl Iterator<Item = String> {
    let mut found = Vec::new();
    if let Ok(mut schema) = serde_json::from_str::<Value>(schema) {
        each_reference(&mut schema, &mut |text| {
            found.extend(reference(text).map(|(_, name)| name.to_owned()));
        });
    }
    found.into_iter()
}

fn invalid(error: &str) -> Error {
    Error::bad_request(format!(
        "Invalid model specified: Validation Result: warnings : [], errors : [{error}]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(schema: &str) -> String {
        check("abc", Some(schema), |name| name == "Pet")
            .map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn schemas_of_draft_4_are_fine() {
        for fine in [
            json!({"$schema": "http://json-schema.org/draft-04/schema#", "title": "x", "type": "object"}),
            json!({}),
            json!({"type": "array", "items": {"$ref": "https://apigateway.amazonaws.com/restapis/abc/models/Pet"}}),
            json!({"definitions": {"a b": {"minimum": 1, "exclusiveMinimum": true}}, "$ref": "#/definitions/a%20b"}),
            json!({"properties": {"self": {"$ref": "#"}, "n": {"pattern": "^a+$"}}}),
            json!({"example": 1, "xml": {"name": "n"}}),
        ] {
            assert_eq!(refusal(&fine.to_string()), "fine", "{fine}");
        }
    }

    #[test]
    fn what_is_no_schema_is_told_with_its_place() {
        let empty = "Model schema must have at least 1 property or array items defined";
        assert_eq!(refusal(""), empty);
        assert_eq!(check("abc", None, |_| true).unwrap_err().to_string(), empty);
        let front = "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified";
        for bad in ["{", "[]", "1", r#"{"type": "car"}"#, r#"{"pattern": "("}"#] {
            assert!(refusal(bad).starts_with(front), "{bad}: {}", refusal(bad));
        }
        let text = refusal(r#"{"properties": {"a": {"minLength": -1}}}"#);
        assert!(text.contains("/properties/a/minLength"), "{text}");
        assert!(
            refusal(&format!(
                "{{\"title\": \"{}\"}}",
                "x".repeat(SCHEMA_BYTES_MAX)
            ))
            .contains("at most")
        );
        let deep = format!("{}1{}", "{\"not\":".repeat(2000), "}".repeat(2000));
        assert!(refusal(&deep).starts_with(front));
    }

    #[test]
    fn references_have_aws_form_and_a_target() {
        let of = |text: &str| refusal(&json!({"$ref": text}).to_string());
        let canonical = "errors : [Model reference must be in canonical form]";
        for foreign in [
            "Pet",
            "pets.json",
            "http://json-schema.org/draft-04/schema#",
        ] {
            assert!(
                of(foreign).ends_with(canonical),
                "{foreign}: {}",
                of(foreign)
            );
        }
        for absent in [
            "#/definitions/Pet",
            "https://apigateway.amazonaws.com/restapis/abc/models/Owner",
            "https://apigateway.amazonaws.com/restapis/other/models/Pet",
        ] {
            let expected = format!("errors : [Invalid model reference specified: {absent}]");
            assert!(of(absent).ends_with(&expected), "{}", of(absent));
        }
    }
}
