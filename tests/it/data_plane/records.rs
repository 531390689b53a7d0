//! What is written down about calls: the access log and the metrics.

use serde_json::{Value, json};

use super::start;
use crate::api::{Api, Plan};
use crate::harness::{Gateway, wait_until};
use crate::http::get;

#[test]
fn every_request_is_one_line_of_the_access_log() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("access.log");
    let mut gateway = Gateway::start_with(&format!("access_log = \"{}\"\n", file.display()));
    let control = gateway.control();
    let api = Api::create(&control, "logged");
    api.mock("/pets/{petId}", "GET", true, "pet");
    api.deploy("prod");
    let key = Plan::create(&control, &api, "prod", &json!({})).key("k");
    let served = get(
        gateway.data,
        &api.target("prod", "/pets/1?secret=s"),
        &[key.header(), ("User-Agent", "tests/1")],
    );
    let refusal = get(gateway.data, &api.target("prod", "/pets/1"), &[]);
    assert!(gateway.stop().success());
    let lines: Vec<Value> = std::fs::read_to_string(&file)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for reply in [&served, &refusal] {
        let id = json!(reply.header("x-amzn-requestid").unwrap());
        let line = lines.iter().find(|line| line["requestId"] == id).unwrap();
        assert_eq!(
            line["status"].to_string().trim_matches('"'),
            reply.status.to_string()
        );
        assert_eq!(
            (
                &line["httpMethod"],
                &line["resourcePath"],
                &line["stage"],
                &line["apiId"]
            ),
            (
                &json!("GET"),
                &json!("/pets/{petId}"),
                &json!("prod"),
                &json!(api.id)
            )
        );
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains(&key.id) && !text.contains(&key.value),
        "{text}"
    );
}

#[test]
fn metrics_count_what_was_served_and_refused() {
    let (gateway, control, api) = start();
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let key = Plan::create(&control, &api, "prod", &json!({})).key("k");
    let target = api.target("prod", "/pets");
    for headers in [vec![key.header()], vec![key.header()], vec![]] {
        get(gateway.data, &target, &headers);
    }
    let text = wait_until("the calls to be counted", || {
        let text = control.get("/metrics").text();
        let counted = |name: &str, label: &str| {
            text.lines()
                .find(|line| line.starts_with(name) && line.contains(label))
                .and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .unwrap_or(0)
        };
        let served = counted("tollgate_requests_total", "2xx");
        let refused = counted("tollgate_refusals_total", "key-missing");
        ((served, refused) == (2, 1)).then_some(text)
    });
    assert!(
        !text.contains(&key.value) && !text.contains(&key.id),
        "keys must not be labels"
    );
}
