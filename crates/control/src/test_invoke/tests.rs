//! What is asked of the data plane, and how its answer is shown.

use serde_json::{Value, json};
use tollgate_entity::Timestamp;

use super::{NewTest, Tested, headers, shown};
use crate::testing::Gateway;

#[test]
fn headers_come_once_or_several_times() {
    let new: NewTest = serde_json::from_value(json!({
        "headers": { "A": "1", "B": "2" },
        "multiValueHeaders": { "b": ["3", "4"] },
    }))
    .unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        headers(&new),
        [pair("A", "1"), pair("b", "3"), pair("b", "4")]
    );
}

#[test]
fn the_answer_has_awss_form() {
    let tested = Tested {
        status: 201,
        headers: vec![("x".into(), "1".into()), ("x".into(), "2".into())],
        body: "made".into(),
        request_id: "id".into(),
        log: vec!["HTTP Method: GET, Resource Path: /".into()],
        latency_ms: 7,
    };
    let shown = serde_json::to_value(shown(tested, Timestamp(1_500_000_000))).unwrap();
    assert_eq!(
        shown,
        json!({
            "status": 201,
            "body": "made",
            "headers": { "x": "2" },
            "multiValueHeaders": { "x": ["1", "2"] },
            "log": "Execution log for request id\nFri Jul 14 02:40:00 UTC 2017 : Starting execution for request: id\n\
                Fri Jul 14 02:40:00 UTC 2017 : HTTP Method: GET, Resource Path: /\n",
            "latency": 7,
        })
    );
}

#[tokio::test]
async fn without_a_data_plane_nothing_is_tested() {
    let gateway = Gateway::new();
    let answer = gateway
        .post(
            "/restapis/abc/resources/def/methods/GET",
            Value::Object(Default::default()),
        )
        .await;
    assert_eq!(answer.status, 503);
}
