//! The template GetModelTemplate makes of a schema: a body of its shape with sample values.

use serde_json::{Map, Value};

/// How deep a sample goes; what lies deeper, as in a model that contains itself, is left empty.
const DEPTH_MAX: usize = 8;
/// Bytes of a template at most; a branching schema could else grow without end.
const TEMPLATE_BYTES_MAX: usize = 400 * 1024;

/// The template of a schema that refers to no other model.
pub(super) fn of(schema: &Value) -> String {
    let mut template = "#set($inputRoot = $input.path('$'))\n".to_owned();
    sample(schema, schema, 0, &mut template);
    template
}

fn sample(root: &Value, schema: &Value, depth: usize, out: &mut String) {
    let schema = resolved(root, schema);
    let members = schema.get("properties").and_then(Value::as_object);
    let too_much = depth >= DEPTH_MAX || out.len() >= TEMPLATE_BYTES_MAX;
    match kind(schema) {
        "object" if too_much => out.push_str("{ }"),
        "object" => object(root, members, depth, out),
        "array" if too_much => out.push_str("[ ]"),
        "array" => array(root, schema.get("items"), depth, out),
        "integer" => out.push_str("42"),
        "number" => out.push_str("3.14"),
        "boolean" => out.push_str("true"),
        "null" => out.push_str("null"),
        _ => out.push_str("\"foo\""),
    }
}

fn object(root: &Value, members: Option<&Map<String, Value>>, depth: usize, out: &mut String) {
    let Some(members) = members.filter(|members| !members.is_empty()) else {
        out.push_str("{ }");
        return;
    };
    let indent = "  ".repeat(depth + 1);
    out.push('{');
    for (index, (name, member)) in members.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&indent);
        // Quoted as JSON wants it; a name holds what its author chose.
        out.push_str(&Value::from(name.as_str()).to_string());
        out.push_str(" : ");
        sample(root, member, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push('}');
}

fn array(root: &Value, items: Option<&Value>, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let first = match items {
        Some(Value::Array(items)) => items.first(),
        items => items,
    };
    out.push_str(&format!(
        "[\n{indent}##TODO: Update this foreach loop to reference array from input json\n{indent}#foreach($elem in $inputRoot)\n{indent} "
    ));
    sample(root, first.unwrap_or(&Value::Null), depth + 1, out);
    out.push_str(&format!(
        " \n{indent}#if($foreach.hasNext),#end\n{indent}#end\n{indent}]"
    ));
}

/// The schema, or the one in the same document that it refers to.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    // A reference to a reference to itself ends, too.
    for _ in 0..DEPTH_MAX {
        let Some(pointer) = schema.get("$ref").and_then(Value::as_str) else {
            break;
        };
        let pointer = pointer.strip_prefix('#').and_then(|at| root.pointer(at));
        schema = pointer.unwrap_or(&Value::Null);
    }
    schema
}

/// The type a schema names (of several the first), or the one its other members imply.
fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::Array(types)) => types.first().and_then(Value::as_str),
        Some(Value::String(name)) => Some(name.as_str()),
        _ => None,
    };
    let implied = || {
        if schema.get("items").is_some() {
            "array"
        } else if schema.get("properties").is_some() || schema.is_object() {
            "object"
        } else {
            "string"
        }
    };
    named.unwrap_or_else(implied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn samples_stand_for_each_type() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "integer"}, "b": {"type": "number"}, "c": {"type": "boolean"}, "d": {"type": "string"},
            "e": {"type": ["null", "string"]}, "f": {"properties": {"g": {"enum": ["x"], "type": "string"}}},
        }});
        let expected = "#set($inputRoot = $input.path('$'))\n{\n  \"a\" : 42,\n  \"b\" : 3.14,\n  \"c\" : true,\n  \"d\" : \"foo\",\n  \
                        \"e\" : null,\n  \"f\" : {\n    \"g\" : \"foo\"\n  }\n}";
        assert_eq!(of(&schema), expected);
        assert_eq!(
            of(&json!({"type": "object"})),
            "#set($inputRoot = $input.path('$'))\n{ }"
        );
    }

    #[test]
    fn an_array_is_a_loop() {
        let schema = json!({"type": "array", "items": {"type": "object", "properties": {"age": {"type": "integer"}}}});
        let expected = "#set($inputRoot = $input.path('$'))\n[\n##TODO: Update this foreach loop to reference array from input json\n\
                        #foreach($elem in $inputRoot)\n {\n    \"age\" : 42\n  } \n#if($foreach.hasNext),#end\n#end\n]";
        assert_eq!(of(&schema), expected);
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let circle = json!({"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#/nowhere"}}});
        assert!(of(&circle).len() < 2 * TEMPLATE_BYTES_MAX);
        let itself =
            json!({"definitions": {"x": {"$ref": "#/definitions/x"}}, "$ref": "#/definitions/x"});
        assert!(of(&itself).ends_with("{ }"));
        let wide: Map<String, Value> = (0..40)
            .map(|n| (format!("p{n}"), json!({"$ref": "#"})))
            .collect();
        let size = of(&json!({ "properties": wide })).len();
        assert!(size < 2 * TEMPLATE_BYTES_MAX, "{size}");
    }
}
