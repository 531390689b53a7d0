//! Tests of GetUsage and UpdateUsage, on the wire.

use serde_json::{Value, json};
use tollgate_store::{LedgerBatch, UsedRow};

use crate::testing::{Gateway, START, text};

/// The day on which tests begin, 2023-11-14, a Tuesday.
const TODAY: i32 = (START / 86_400) as i32;

/// A plan with one key: its path, its id, the key's id.
async fn plan_with_key(gateway: &Gateway, quota: Value) -> (String, String, String) {
    let plan = gateway
        .post("/usageplans", json!({"name": "p", "quota": quota}))
        .await
        .ok(201);
    let key = gateway.post("/apikeys", json!({"name": "k"})).await.ok(201);
    let (plan, key) = (text(&plan, "id"), text(&key, "id"));
    let path = format!("/usageplans/{plan}");
    gateway
        .post(
            &format!("{path}/keys"),
            json!({"keyId": key, "keyType": "API_KEY"}),
        )
        .await
        .ok(201);
    (path, plan, key)
}

/// What the data plane would have written.
fn used(
    gateway: &Gateway,
    plan: &str,
    key: &str,
    day: i32,
    used: u64,
    remaining: Option<u64>,
    written_off: u64,
) {
    let row = UsedRow {
        plan_id: plan.into(),
        key_id: key.into(),
        day,
        used,
        remaining,
        written_off,
    };
    let batch = LedgerBatch {
        used: vec![row],
        ..LedgerBatch::default()
    };
    gateway
        .control
        .store
        .ledger()
        .writer()
        .unwrap()
        .write(&batch)
        .unwrap();
}

#[tokio::test]
async fn usage_is_a_pair_a_day_for_every_key_that_used_something() {
    let gateway = Gateway::new();
    let (path, plan, key) = plan_with_key(&gateway, json!({"limit": 100, "period": "MONTH"})).await;
    used(&gateway, &plan, &key, TODAY - 2, 7, Some(93), 0);
    used(&gateway, &plan, &key, TODAY, 3, Some(90), 0);
    gateway
        .get(&format!(
            "{path}/usage?startDate=2023-11-11&endDate=2023-11-14"
        ))
        .await
        .is(
            200,
            json!({
                "usagePlanId": plan, "startDate": "2023-11-11", "endDate": "2023-11-14",
                "values": {key: [[0, 100], [7, 93], [0, 93], [3, 90]]},
            }),
        );
}

#[tokio::test]
async fn unused_keys_are_left_out_unless_asked_for() {
    let gateway = Gateway::new();
    let (path, _, key) = plan_with_key(&gateway, json!({"limit": 100, "period": "DAY"})).await;
    let range = "startDate=2023-11-13&endDate=2023-11-14";
    assert_eq!(
        gateway.get(&format!("{path}/usage?{range}")).await.ok(200)["values"],
        json!({})
    );
    let asked = gateway
        .get(&format!("{path}/usage?{range}&keyId={key}"))
        .await
        .ok(200);
    assert_eq!(asked["values"], json!({key: [[0, 100], [0, 100]]}));
    gateway
        .get(&format!("{path}/usage?{range}&keyId=nosuch"))
        .await
        .missing("Invalid Key identifier specified");
    gateway
        .get(&format!("/usageplans/nosuch/usage?{range}"))
        .await
        .missing("Invalid Usage Plan ID specified");
}

#[tokio::test]
async fn pages_run_over_keys() {
    let gateway = Gateway::new();
    let (path, plan, _) = plan_with_key(&gateway, Value::Null).await;
    for n in 0..30 {
        used(
            &gateway,
            &plan,
            &format!("key{n:02}"),
            TODAY,
            n + 1,
            None,
            0,
        );
    }
    let range = "startDate=2023-11-14&endDate=2023-11-14";
    let first = gateway.get(&format!("{path}/usage?{range}")).await.ok(200);
    let second = gateway
        .get(&format!(
            "{path}/usage?{range}&position={}",
            text(&first, "position")
        ))
        .await
        .ok(200);
    let count = |page: &Value| page["values"].as_object().unwrap().len();
    assert_eq!((count(&first), count(&second)), (25, 5));
    assert!(second.get("position").is_none());
    assert_eq!(second["values"]["key29"], json!([[30, 0]]));
}

#[tokio::test]
async fn bad_ranges_are_refused() {
    let gateway = Gateway::new();
    let (path, ..) = plan_with_key(&gateway, Value::Null).await;
    for range in [
        "",
        "startDate=2023-11-14",
        "startDate=2023-11-14&endDate=14.11.2023",
        "startDate=2023-11-14&endDate=2023-11-13",
        "startDate=2022-11-01&endDate=2023-11-14",
    ] {
        let refused = gateway.get(&format!("{path}/usage?{range}")).await;
        assert!(
            refused
                .refusal()
                .starts_with("400 BadRequestException: Invalid "),
            "{range}"
        );
    }
}

#[tokio::test]
async fn an_extension_sets_what_remains_more_or_less() {
    let gateway = Gateway::new();
    let (path, plan, key) = plan_with_key(&gateway, json!({"limit": 20, "period": "DAY"})).await;
    used(&gateway, &plan, &key, TODAY, 20, Some(0), 3);
    let target = format!("{path}/keys/{key}/usage");
    for (remaining, delta) in [("50", 53), ("1", 4), ("0", 3)] {
        gateway
            .patch(&target, &[("replace", "/remaining", Some(remaining))])
            .await
            .is(
                200,
                json!({
                    "usagePlanId": plan, "startDate": "2023-11-14", "endDate": "2023-11-14",
                    "values": {&key: [[20, remaining.parse::<u64>().unwrap()]]},
                }),
            );
        let (plan, key) = (plan.clone(), key.clone());
        let stored = gateway
            .control
            .store
            .read_blocking(move |reader| reader.extension(&plan, &key))
            .unwrap()
            .unwrap();
        assert_eq!((stored.delta, stored.window_start_day), (delta, TODAY));
    }
    assert_eq!(gateway.audit_log()[0].audit.what["delta"], 3);
    let range = "startDate=2023-11-14&endDate=2023-11-15";
    assert_eq!(
        gateway.get(&format!("{path}/usage?{range}")).await.ok(200)["values"],
        json!({key: [[20, 0], [0, 20]]})
    );
}

#[tokio::test]
async fn an_extension_is_for_the_window_of_today() {
    let gateway = Gateway::new();
    let (path, plan, key) = plan_with_key(
        &gateway,
        json!({"limit": 100, "offset": 1, "period": "WEEK"}),
    )
    .await;
    // Offset 1 is Monday: Sunday's use belongs to another window.
    used(&gateway, &plan, &key, TODAY - 2, 60, Some(40), 0);
    used(&gateway, &plan, &key, TODAY - 1, 10, Some(90), 0);
    gateway
        .patch(
            &format!("{path}/keys/{key}/usage"),
            &[("replace", "/remaining", Some("200"))],
        )
        .await
        .ok(200);
    let stored = gateway
        .control
        .store
        .read_blocking(move |reader| reader.extension(&plan, &key))
        .unwrap()
        .unwrap();
    assert_eq!((stored.delta, stored.window_start_day), (110, TODAY - 1));
}

#[tokio::test]
async fn bad_extensions_are_refused() {
    let gateway = Gateway::new();
    let (path, plan, key) = plan_with_key(&gateway, Value::Null).await;
    let target = format!("{path}/keys/{key}/usage");
    gateway
        .patch(&target, &[("add", "/remaining", Some("1"))])
        .await
        .bad("Invalid patch path  '/remaining' specified for op 'add'. Must be one of: []");
    gateway
        .patch(&target, &[("replace", "/used", Some("1"))])
        .await
        .bad(
            "Invalid patch path  '/used' specified for op 'replace'. Must be one of: [/remaining]",
        );
    for value in [
        Some("-1"),
        Some("x"),
        Some("1.5"),
        Some("99999999999"),
        Some(""),
        None,
    ] {
        assert_eq!(
            gateway
                .patch(&target, &[("replace", "/remaining", value)])
                .await
                .status,
            400,
            "{value:?}"
        );
    }
    gateway
        .patch(&target, &[("replace", "/remaining", Some("1"))])
        .await
        .bad(&format!("Usage Plan {plan} has no quota to extend"));
    let other = [("replace", "/remaining", Some("1"))];
    gateway
        .patch(&format!("{path}/keys/nosuch/usage"), &other)
        .await
        .missing("Invalid Key identifier specified");
    gateway
        .patch(&format!("/usageplans/nosuch/keys/{key}/usage"), &other)
        .await
        .missing("Invalid Usage Plan ID specified");
}
