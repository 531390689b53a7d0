//! Tests of reading JSON: which types are taken, how the others are refused, at which depth.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::testing::{Gateway, api_with_method};

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Sample {
    name: Option<String>,
    enabled: Option<bool>,
    limit: Option<i32>,
    rate: Option<f64>,
    inner: Option<Inner>,
    list: Option<Vec<Inner>>,
    map: Option<BTreeMap<String, Inner>>,
    words: Option<Vec<String>>,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Inner {
    a: Option<String>,
}

fn refused(body: &str) -> String {
    match parse::<Sample>(body.as_bytes()) {
        Err(Error::Serialization(text)) => text,
        other => panic!("{body} gave {other:?}"),
    }
}

const LIST: &str = "Start of list found where not expected";
const MAP: &str = "Start of structure or map found where not expected.";

#[test]
fn wrong_types_are_worded_as_aws_words_them() {
    for (body, text) in [
        (
            r#"{"name":true}"#,
            "class java.lang.Boolean can not be converted to an String",
        ),
        (
            r#"{"name":1}"#,
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
        ),
        (
            r#"{"limit":"1"}"#,
            "class java.lang.String can not be converted to an Integer",
        ),
        (
            r#"{"rate":"1"}"#,
            "class java.lang.String can not be converted to an Double",
        ),
        (
            r#"{"enabled":"yes"}"#,
            "class java.lang.String can not be converted to an Boolean",
        ),
        (r#"{"limit":{}}"#, MAP),
        (r#"{"name":[]}"#, LIST),
        (r#"{"list":{}}"#, MAP),
        (r#"{"list":1}"#, "Expected list or null"),
        (r#"{"map":"x"}"#, "Expected map or null"),
        (r#"{"map":[]}"#, LIST),
        (r#"{"inner":"x"}"#, "Expected null"),
    ] {
        assert_eq!(refused(body), text, "{body}");
    }
}

#[test]
fn an_array_is_no_structure_at_any_depth() {
    for body in [
        "[]",
        r#"["n"]"#,
        r#"{"inner":["x"]}"#,
        r#"{"list":[["x"]]}"#,
        r#"{"list":[{"a":"x"},[]]}"#,
        r#"{"map":{"k":["x"]}}"#,
    ] {
        assert_eq!(refused(body), LIST, "{body}");
    }
}

#[test]
fn what_aws_has_no_known_words_for_names_the_member() {
    assert_eq!(
        refused(r#"{"limit":5000000000}"#),
        "The member limit is out of range: 5000000000"
    );
    assert_eq!(
        refused(r#"{"words":["a",null]}"#),
        "The member words must not hold null"
    );
}

#[test]
fn what_is_not_a_json_object_is_said_so() {
    assert!(refused("{\"name\":").starts_with("Could not parse request body into json: "));
    assert!(refused("\"x\"").contains("JSON object"));
    assert!(refused("null").contains("JSON object"));
}

#[test]
fn unknown_members_nulls_and_a_missing_body_are_fine() {
    for body in ["", " ", "{}", r#"{"name":null,"inner":null,"colour":[7]}"#] {
        let sample = parse::<Sample>(body.as_bytes()).unwrap();
        assert!(sample.name.is_none() && sample.inner.is_none(), "{body}");
    }
    let whole = r#"{"name":"n","enabled":true,"limit":-7,"rate":2,"inner":{"a":"x"},"list":[{}],"map":{"k":{}},"words":["w"]}"#;
    let sample = parse::<Sample>(whole.as_bytes()).unwrap();
    assert_eq!(
        (sample.enabled, sample.limit, sample.rate),
        (Some(true), Some(-7), Some(2.0))
    );
    assert_eq!(sample.inner.and_then(|inner| inner.a).as_deref(), Some("x"));
    assert_eq!(
        (sample.list, sample.words),
        (Some(vec![Inner::default()]), Some(vec!["w".to_owned()]))
    );
    assert!(sample.map.is_some_and(|map| map.contains_key("k")));
}

#[tokio::test]
async fn no_noun_of_a_body_can_be_written_as_an_array() {
    let gateway = Gateway::new();
    let (api, resource) = api_with_method(&gateway).await;
    let method = format!("/restapis/{api}/resources/{resource}/methods/GET");
    let stages = format!("/restapis/{api}/stages");
    for (verb, path, body) in [
        (
            "POST",
            "/usageplans",
            json!({"name": "p", "throttle": [5, 10.0]}),
        ),
        (
            "POST",
            "/usageplans",
            json!({"name": "p", "quota": [5, 0, "DAY"]}),
        ),
        (
            "POST",
            "/usageplans",
            json!({"name": "p", "apiStages": [["a", "s"]]}),
        ),
        (
            "POST",
            "/usageplans",
            json!({"name": "p", "apiStages": [{"apiId": "a", "stage": "s", "throttle": {"/x/GET": [5, 10.0]}}]}),
        ),
        ("POST", "/apikeys", json!({"stageKeys": [["a", "b"]]})),
        (
            "POST",
            "/restapis",
            json!({"name": "a", "endpointConfiguration": [["EDGE"]]}),
        ),
        (
            "PUT",
            &format!("{method}/integration"),
            json!({"type": "MOCK", "tlsConfig": [true]}),
        ),
        (
            "POST",
            &stages,
            json!({"stageName": "s", "deploymentId": "d", "canarySettings": ["d"]}),
        ),
        (
            "PATCH",
            &method,
            json!({"patchOperations": [["replace", "/apiKeyRequired", "true"]]}),
        ),
        (
            "PATCH",
            &method,
            json!([[{"op": "replace", "path": "/apiKeyRequired", "value": "true"}]]),
        ),
        ("POST", "/apikeys", json!(["name"])),
        ("PUT", "/tags/x", json!({"tags": [["a", "b"]]})),
    ] {
        let answer = gateway.call(verb, path, body.to_string()).await;
        answer.refused(400, "SerializationException", LIST);
    }
    assert_eq!(
        gateway.get(&method).await.ok(200)["apiKeyRequired"],
        json!(false)
    );
}
