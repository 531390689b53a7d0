//! What is written down about calls: the access log and the metrics.

use serde_json::{Value, json};

use super::start;
use crate::api::{Api, Plan};
use crate::harness::Gateway;
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
    for (line, reply) in lines.iter().zip([&served, &refusal]) {
        assert_eq!(
            line["requestId"],
            json!(reply.header("x-amzn-requestid").unwrap())
        );
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
    let text = control.get("/metrics").text();
    let total: f64 = text
        .lines()
        .filter(|l| l.starts_with("tollgate_") && l.contains("requests_total"))
        .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(total >= 3.0, "{text}");
    assert!(
        !text.contains(&key.value) && !text.contains(&key.id),
        "keys must not be labels"
    );
}
