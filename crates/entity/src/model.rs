//! Model: a JSON schema for bodies; every API has the two that AWS gives it.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_Model.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A model of an API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Model {
    /// The API it belongs to; kept beside the JSON, not in it.
    #[serde(skip)]
    pub rest_api_id: String,
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A JSON schema (draft 4), as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub content_type: String,
}

/// The front of a reference to a model.
const REFERENCE: &str = "https://apigateway.amazonaws.com/restapis/";

/// API and name of the model that a `$ref` means, if it has AWS's form
/// `https://apigateway.amazonaws.com/restapis/<api>/models/<name>`.
pub fn reference(text: &str) -> Option<(&str, &str)> {
    let (api, name) = text.strip_prefix(REFERENCE)?.split_once("/models/")?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain(api) && plain(name)).then_some((api, name))
}

/// The reference to a model.
pub fn reference_to(api: &str, name: &str) -> String {
    format!("{REFERENCE}{api}/models/{name}")
}

/// Calls `each` with every `$ref` in a schema. Recurses as deep as the schema's JSON is.
pub fn each_reference(schema: &mut Value, each: &mut impl FnMut(&mut String)) {
    match schema {
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| match member {
            Value::String(text) if name == "$ref" => each(text),
            member => each_reference(member, each),
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, each)),
        _ => {}
    }
}

/// One schema that needs no other: every model of the API that it refers to, itself or through
/// others, stands once under `definitions`, so that models may refer to each other in circles.
/// `find` gives a model's schema by its name; a reference that it does not know stays as it is.
pub fn flatten(api: &str, mut schema: Value, find: impl Fn(&str) -> Option<Value>) -> Value {
    let own = schema.get("definitions").and_then(Value::as_object);
    let taken: Vec<String> = own.into_iter().flat_map(Map::keys).cloned().collect();
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut definitions = Map::new();
    let mut found: Vec<(String, Value)> = Vec::new();
    let mut rebase = |schema: &mut Value, inside: Option<&str>, found: &mut Vec<_>| {
        each_reference(schema, &mut |text| {
            let model = reference(text).filter(|(of, _)| *of == api);
            if let Some((_, name)) = model {
                let key = match keys.get(name) {
                    Some(key) => key.clone(),
                    None => {
                        let Some(model) = find(name) else { return };
                        let mut key = name.to_owned();
                        while taken.contains(&key) {
                            key.push('_');
                        }
                        keys.insert(name.to_owned(), key.clone());
                        found.push((key.clone(), model));
                        key
                    }
                };
                *text = format!("#/definitions/{key}");
            } else if let (Some(key), Some(rest)) = (inside, text.strip_prefix('#')) {
                *text = format!("#/definitions/{key}{rest}");
            }
        });
    };
    rebase(&mut schema, None, &mut found);
    while let Some((key, mut model)) = found.pop() {
        rebase(&mut model, Some(&key), &mut found);
        if let Value::Object(members) = &mut model {
            // Its own base would make what is rebased mean something else.
            members.retain(|name, member| name != "id" || !member.is_string());
        }
        definitions.insert(key, model);
    }
    if let (false, Value::Object(members)) = (definitions.is_empty(), &mut schema) {
        let own = members
            .entry("definitions")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(own) = own {
            own.extend(definitions);
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_reference_has_one_form() {
        assert_eq!(reference(&reference_to("abc", "Pet")), Some(("abc", "Pet")));
        for foreign in [
            "#/definitions/Pet",
            "http://apigateway.amazonaws.com/restapis/abc/models/Pet",
            "https://apigateway.amazonaws.com/restapis/abc/models/",
            "https://apigateway.amazonaws.com/restapis//models/Pet",
            "https://apigateway.amazonaws.com/restapis/abc/models/Pet/x",
        ] {
            assert_eq!(reference(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn models_in_a_circle_are_flattened_once_each() {
        let pet = json!({"type": "object", "id": "http://pets", "properties": {
            "owner": {"$ref": reference_to("abc", "Owner")}, "kind": {"$ref": "#/definitions/kind"},
        }, "definitions": {"kind": {"enum": ["dog"]}}});
        let owner =
            json!({"properties": {"pets": {"items": {"$ref": reference_to("abc", "Pet")}}}});
        let root = json!({
            "items": {"$ref": reference_to("abc", "Pet")}, "not": {"$ref": reference_to("abc", "Gone")},
            "definitions": {"Pet": {"type": "string"}},
        });
        let flat = flatten("abc", root, |name| match name {
            "Pet" => Some(pet.clone()),
            "Owner" => Some(owner.clone()),
            _ => None,
        });
        let expected = json!({
            "items": {"$ref": "#/definitions/Pet_"}, "not": {"$ref": reference_to("abc", "Gone")},
            "definitions": {
                "Pet": {"type": "string"},
                "Pet_": {"type": "object", "properties": {
                    "owner": {"$ref": "#/definitions/Owner"}, "kind": {"$ref": "#/definitions/Pet_/definitions/kind"},
                }, "definitions": {"kind": {"enum": ["dog"]}}},
                "Owner": {"properties": {"pets": {"items": {"$ref": "#/definitions/Pet_"}}}},
            },
        });
        assert_eq!(flat, expected);
    }

    #[test]
    fn what_refers_to_nothing_stays_as_it_is() {
        let schema = json!({"$ref": reference_to("other", "Pet")});
        let flat = flatten("abc", schema.clone(), |_| Some(json!({})));
        assert_eq!(flat, schema);
    }
}
