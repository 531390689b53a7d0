//! Models: what fits, what does not and how that is said, references, and bodies made to cost much.

use serde_json::{Value, json};
use tollgate_entity::Model;

use super::schema::Schema;

fn model(name: &str, schema: &Value) -> Model {
    Model {
        name: name.to_owned(),
        schema: Some(schema.to_string()),
        content_type: "application/json".into(),
        ..Model::default()
    }
}

fn compiled(schema: Value) -> Schema {
    Schema::compile("M", &[model("M", &schema)]).unwrap()
}

fn fails(schema: Value, body: Value, faults: &str) {
    let told = compiled(schema).check(body.to_string().as_bytes());
    assert_eq!(told, Err(faults.to_owned()));
}

#[test]
fn faults_are_told_as_aws_tells_them() {
    fails(
        json!({ "type": "object", "required": ["name", "id"], "properties": { "age": { "type": ["integer", "null"] } } }),
        json!({ "age": "old" }),
        "[object has missing required properties ([\"id\",\"name\"]), instance type (string) does not match any allowed primitive type (allowed: [\"integer\",\"null\"])]",
    );
    let one = |schema: Value, value: Value, fault: &str| {
        let schema = json!({ "properties": { "a": schema } });
        fails(schema, json!({ "a": value }), &format!("[{fault}]"));
    };
    one(
        json!({ "enum": ["cat", "dog"] }),
        json!("foo"),
        "instance value (\"foo\") not found in enum (possible values: [\"cat\",\"dog\"])",
    );
    one(
        json!({ "minimum": 25 }),
        json!(10),
        "numeric instance is lower than the required minimum (minimum: 25, found: 10)",
    );
    one(
        json!({ "maximum": 25 }),
        json!(26.5),
        "numeric instance is greater than the required maximum (maximum: 25, found: 26.5)",
    );
    one(
        json!({ "minimum": 25, "exclusiveMinimum": true }),
        json!(25),
        "numeric instance is not strictly greater than the required minimum 25",
    );
    one(
        json!({ "minLength": 3 }),
        json!("é"),
        "string \"é\" is too short (length: 1, required minimum: 3)",
    );
    one(
        json!({ "maxLength": 1 }),
        json!("éé"),
        "string \"éé\" is too long (length: 2, maximum allowed: 1)",
    );
    one(
        json!({ "pattern": "^a+$" }),
        json!("b"),
        "ECMA 262 regex \"^a+$\" does not match input string \"b\"",
    );
    one(
        json!({ "minItems": 1 }),
        json!([]),
        "array is too short: must have at least 1 elements but instance has 0 elements",
    );
    one(
        json!({ "uniqueItems": true }),
        json!([1, 1]),
        "array must not contain duplicate elements",
    );
    one(
        json!({ "properties": { "c": {} }, "additionalProperties": false }),
        json!({ "z": 1, "b": 2 }),
        "object instance has properties which are not allowed by the schema: [\"b\",\"z\"]",
    );
    one(
        json!({ "oneOf": [{ "type": "string" }, { "minimum": 3 }] }),
        json!(1),
        "instance failed to match exactly one schema (matched 0 out of 2)",
    );
    one(
        json!({ "not": {} }),
        json!(1),
        "instance matched a schema which it should not have",
    );
}

#[test]
fn what_is_no_json_does_not_fit_and_nothing_is_an_empty_object() {
    let schema = compiled(json!({ "type": "object" }));
    for bad in ["{", "{} x", "'a'", "\u{feff}{}"] {
        assert_eq!(
            schema.check(bad.as_bytes()),
            Err("[Invalid JSON]".to_owned()),
            "{bad}"
        );
    }
    assert_eq!(schema.check(b""), Ok(()));
    assert!(schema.check(b"[]").is_err());
    assert!(compiled(json!({ "required": ["a"] })).check(b"").is_err());
}

#[test]
fn references_go_within_a_model_and_to_others() {
    let other = "https://apigateway.amazonaws.com/restapis/abc123/models/Pet";
    let models = [
        model(
            "Pets",
            &json!({
                "type": "array",
                "items": { "$ref": other, "ignored": true },
                "maxItems": 3,
            }),
        ),
        model(
            "Pet",
            &json!({
                "$schema": "http://json-schema.org/draft-04/schema#",
                "id": "http://elsewhere.test/pet.json",
                "type": "object",
                "properties": {
                    "kind": { "$ref": "#/definitions/a~1kind" },
                    "mother": { "$ref": "#" },
                    "owner": { "$ref": "#/definitions/Owner" },
                    "$ref": { "type": "string" },
                },
                "definitions": { "a/kind": { "enum": ["cat", { "$ref": "x" }] } },
            }),
        ),
        model("Owner", &json!({ "type": "string" })),
    ];
    let pets = Schema::compile("Pets", &models).unwrap();
    let fits = |body: Value| pets.check(body.to_string().as_bytes());
    assert_eq!(
        fits(
            json!([{ "kind": "cat", "mother": { "kind": { "$ref": "x" } }, "owner": "o", "$ref": "r" }])
        ),
        Ok(())
    );
    for bad in [
        json!([{ "kind": "dog" }]),
        json!([{ "mother": { "mother": { "kind": "dog" } } }]),
        json!([{ "owner": 1 }]),
        json!([{ "$ref": 1 }]),
        json!([{}, {}, {}, {}]),
    ] {
        assert!(fits(bad.clone()).is_err(), "{bad}");
    }
    let told = fits(json!([{ "mother": {}, "owner": 1 }])).unwrap_err();
    assert_eq!(
        told,
        "[instance type (integer) does not match any allowed primitive type (allowed: [\"string\"])]"
    );
}

#[test]
fn a_model_that_cannot_be_used_says_why() {
    let refused = |schema: Value| {
        Schema::compile("M", &[model("M", &schema)])
            .unwrap_err()
            .to_string()
    };
    for (schema, why) in [
        (
            json!({ "$ref": "https://example.test/schema.json" }),
            "nothing is fetched",
        ),
        (
            json!({ "$ref": "file:///etc/passwd" }),
            "nothing is fetched",
        ),
        (
            json!({ "items": { "$ref": "#/definitions/none" } }),
            "there is nothing at",
        ),
        (
            json!({ "$ref": "https://x/restapis/a/models/Other" }),
            "there is no such model",
        ),
        (json!({ "$ref": "#" }), "refers to itself without end"),
        (
            json!({ "allOf": [{ "$ref": "#/definitions/a" }], "definitions": { "a": { "not": { "$ref": "#" } } } }),
            "refers to itself without end",
        ),
        (json!({ "pattern": "(?=a)b" }), "its schema cannot be used"),
        (
            json!({ "pattern": "((a{1000}){1000}){1000}" }),
            "its schema cannot be used",
        ),
        (json!({ "type": "text" }), "its schema cannot be used"),
    ] {
        let told = refused(schema.clone());
        assert!(
            told.contains("model ") && told.contains(why),
            "{schema}: {told}"
        );
    }
    let broken = Model {
        name: "M".into(),
        schema: Some("{".into()),
        ..Model::default()
    };
    let told = Schema::compile("M", &[broken]).unwrap_err().to_string();
    assert!(told.contains("is not JSON"), "{told}");
    let none = Model {
        name: "M".into(),
        ..Model::default()
    };
    assert_eq!(Schema::compile("M", &[none]).unwrap().check(b"7"), Ok(()));
}

/// A body of so many levels, whose innermost level fits no branch.
fn nested(levels: usize) -> String {
    format!(
        "{}{}{}",
        "{\"child\":".repeat(levels),
        "1",
        ",\"kind\":\"a\"}".repeat(levels)
    )
}

#[test]
fn branches_that_double_with_each_level_are_cut_short() {
    let node = |kind: &str| json!({ "properties": { "child": { "$ref": "#" }, "kind": { "enum": [kind] } }, "required": ["kind"] });
    let schema = compiled(json!({ "type": "object", "anyOf": [node("b"), node("c"), node("d")] }));
    for levels in [1, 5, 30, 120] {
        let told = schema.check(nested(levels).as_bytes());
        assert!(told.is_err(), "{levels}");
    }
    // As deep, but with one way only.
    let chain = compiled(json!({ "type": "object", "properties": { "child": { "$ref": "#" } } }));
    let fits = nested(120).replace(":1,", ":{},");
    assert_eq!(chain.check(fits.as_bytes()), Ok(()));
    assert!(chain.check(nested(120).as_bytes()).is_err());
    assert!(chain.check(nested(100_000).as_bytes()).is_err());
}

#[test]
fn a_large_body_is_checked_and_its_faults_are_not_listed() {
    let schema = compiled(
        json!({ "items": { "$ref": "#/definitions/n" }, "definitions": { "n": { "type": "integer" } } }),
    );
    let many = |value: &str, count: usize| format!("[{}]", vec![value; count].join(","));
    assert_eq!(schema.check(many("1", 100_000).as_bytes()), Ok(()));
    let told = schema.check(many("\"\"", 100_000).as_bytes()).unwrap_err();
    assert!(told.contains("too large to list"), "{told}");
    let told = schema.check(many("\"\"", 100).as_bytes()).unwrap_err();
    assert_eq!(told.matches("instance type").count(), 20, "{told}");
}
