//! GetUsage and UpdateUsage: what was enforced is what is reported.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, Key, Plan};
use crate::control::Control;
use crate::harness::{Gateway, clear_of_midnight, today};
use crate::http::get;

struct Metered {
    gateway: Gateway,
    control: Control,
    api: Api,
}

impl Metered {
    fn start() -> Metered {
        clear_of_midnight(Duration::from_secs(30));
        let gateway = Gateway::start();
        let control = gateway.control();
        let api = Api::create(&control, "metered");
        api.mock("/pets", "GET", true, "pets");
        api.deploy("prod");
        Metered {
            gateway,
            control,
            api,
        }
    }

    fn plan(&self, limits: &Value) -> Plan {
        Plan::create(&self.control, &self.api, "prod", limits)
    }

    fn call(&self, key: &Key) -> u16 {
        get(
            self.gateway.data,
            &self.api.target("prod", "/pets"),
            &[key.header()],
        )
        .status
    }

    fn calls(&self, key: &Key, count: usize) -> Vec<u16> {
        (0..count).map(|_| self.call(key)).collect()
    }
}

fn usage_path(plan: &Plan, query: &str) -> String {
    let day = today();
    format!("{}/usage?startDate={day}&endDate={day}{query}", plan.path())
}

#[test]
fn usage_is_one_pair_a_day_by_key_id() {
    let metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 10, "period": "MONTH" } }));
    let key = plan.key("k");
    metered.calls(&key, 3);
    let usage = metered.control.get(&usage_path(&plan, "")).ok(200);
    assert_eq!(
        usage,
        json!({ "usagePlanId": plan.id, "startDate": today(), "endDate": today(), "values": { key.id.clone(): [[3, 7]] } })
    );
    // The members stand in alphabetical order, as AWS sends them.
    let raw = metered.control.get(&usage_path(&plan, "")).text();
    let order: Vec<usize> = ["endDate", "startDate", "usagePlanId", "values"]
        .map(|name| raw.find(name).unwrap())
        .to_vec();
    assert!(order.is_sorted(), "{raw}");
    // Several days: both ends count.
    let range = format!(
        "{}/usage?startDate={}&endDate={}",
        plan.path(),
        days_ago(2),
        today()
    );
    let days = metered.control.get(&range).ok(200)["values"][&key.id]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(days.len(), 3);
    assert_eq!(days[2], json!([3, 7]));
    assert_eq!((&days[0][0], &days[1][0]), (&json!(0), &json!(0)));
}

#[test]
fn only_admitted_calls_count_and_keyless_plans_are_metered_too() {
    let metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 2, "period": "DAY" } }));
    let (key, idle) = (plan.key("k"), plan.key("idle"));
    assert_eq!(metered.calls(&key, 5), [200, 200, 429, 429, 429]);
    assert_eq!(plan.usage(&key), Some((2, 0)));
    assert!(matches!(plan.usage(&idle), None | Some((0, 2))));
    let open = metered.plan(&json!({}));
    let free = open.key("free");
    metered.calls(&free, 4);
    assert_eq!(open.usage(&free).map(|(used, _)| used), Some(4));
}

#[test]
fn an_extension_gives_more_now_and_less_too() {
    let metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 3, "period": "DAY" } }));
    let key = plan.key("k");
    assert_eq!(metered.calls(&key, 4), [200, 200, 200, 429]);
    let path = format!("{}/keys/{}/usage", plan.path(), key.id);
    let usage = metered
        .control
        .patch(&path, &[("replace", "/remaining", "2")])
        .ok(200);
    assert_eq!(usage["usagePlanId"], json!(plan.id));
    assert_eq!(
        usage["values"][&key.id].as_array().unwrap().last().unwrap(),
        &json!([3, 2])
    );
    assert_eq!(metered.calls(&key, 3), [200, 200, 429]);
    assert_eq!(plan.usage(&key), Some((5, 0)));
    metered
        .control
        .patch(&path, &[("replace", "/remaining", "10")])
        .ok(200);
    assert_eq!(metered.call(&key), 200);
    assert_eq!(plan.usage(&key), Some((6, 9)));
    metered
        .control
        .patch(&path, &[("replace", "/remaining", "1")])
        .ok(200);
    assert_eq!(metered.calls(&key, 2), [200, 429]);
    metered
        .control
        .patch(&path, &[("replace", "/remaining", "0")])
        .ok(200);
    assert_eq!(metered.call(&key), 429);
}

#[test]
fn an_extension_survives_a_restart_and_a_crash() {
    let mut metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 1, "period": "MONTH" } }));
    let key = plan.key("k");
    assert_eq!(metered.calls(&key, 2), [200, 429]);
    metered
        .control
        .patch(
            &format!("{}/keys/{}/usage", plan.path(), key.id),
            &[("replace", "/remaining", "1000")],
        )
        .ok(200);
    assert!(metered.gateway.stop().success());
    metered.gateway.start_again();
    assert_eq!(metered.call(&key), 200);
    assert_eq!(plan.usage(&key), Some((2, 999)));
    metered.gateway.kill();
    metered.gateway.start_again();
    assert_eq!(metered.call(&key), 200);
}

#[test]
fn a_changed_quota_keeps_what_was_used() {
    let metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 5, "period": "DAY" } }));
    let key = plan.key("k");
    assert_eq!(metered.calls(&key, 3), [200, 200, 200]);
    plan.set("/quota/limit", "2");
    assert_eq!(metered.call(&key), 429);
    assert_eq!(plan.usage(&key), Some((3, 0)));
    plan.set("/quota/limit", "4");
    assert_eq!(metered.calls(&key, 2), [200, 429]);
    metered
        .control
        .patch(
            &plan.path(),
            &[
                ("replace", "/quota/period", "MONTH"),
                ("replace", "/quota/limit", "6"),
            ],
        )
        .ok(200);
    assert_eq!(
        metered.calls(&key, 3),
        [200, 200, 429],
        "a longer period starts with what its days used"
    );
    metered
        .control
        .patch(&plan.path(), &[("remove", "/quota", "")])
        .ok(200);
    assert_eq!(metered.calls(&key, 3), [200, 200, 200]);
    metered
        .control
        .patch(
            &plan.path(),
            &[
                ("replace", "/quota/limit", "7"),
                ("replace", "/quota/period", "DAY"),
            ],
        )
        .ok(200);
    assert_eq!(
        metered.call(&key),
        429,
        "what was used without a quota has been used"
    );
    assert_eq!(plan.usage(&key), Some((9, 0)));
}

#[test]
fn usage_survives_restarts_to_the_call() {
    let mut metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 10_000, "period": "MONTH" } }));
    let key = plan.key("k");
    for round in 1..=3 {
        metered.calls(&key, 7);
        assert!(metered.gateway.stop().success());
        metered.gateway.start_again();
        assert_eq!(plan.usage(&key), Some((7 * round, 10_000 - 7 * round)));
    }
}

#[test]
fn pages_run_over_keys() {
    let metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 10, "period": "DAY" } }));
    let keys: Vec<Key> = (0..5).map(|n| plan.key(&format!("k{n}"))).collect();
    for key in &keys {
        metered.call(key);
    }
    let mut seen = Vec::new();
    let mut position = String::new();
    loop {
        let page = metered
            .control
            .get(&usage_path(&plan, &format!("&limit=2{position}")))
            .ok(200);
        let values = page["values"].as_object().unwrap();
        assert!(values.len() <= 2, "{page}");
        seen.extend(values.keys().cloned());
        let Some(next) = page["position"].as_str() else {
            break;
        };
        position = format!(
            "&position={}",
            next.bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect::<String>()
        );
    }
    seen.sort();
    let mut ids: Vec<String> = keys.into_iter().map(|key| key.id).collect();
    ids.sort();
    assert_eq!(seen, ids);
}

#[test]
fn bad_questions_are_refused() {
    let metered = Metered::start();
    let plan = metered.plan(&json!({ "quota": { "limit": 10, "period": "DAY" } }));
    let key = plan.key("k");
    let control = &metered.control;
    for query in [
        "",
        "startDate=2024-01-01",
        "startDate=2024-01-31&endDate=2024-01-01",
        "startDate=yesterday&endDate=today",
        "startDate=2024-02-30&endDate=2024-03-01",
    ] {
        control
            .get(&format!("{}/usage?{query}", plan.path()))
            .refused_somehow(400, "BadRequestException");
    }
    control.get(&usage_path(&plan, "&keyId=nothere")).refused(
        404,
        "NotFoundException",
        "Invalid Key identifier specified",
    );
    let path = format!("{}/keys/{}/usage", plan.path(), key.id);
    control.patch(&path, &[("add", "/remaining", "5")]).refused(
        400,
        "BadRequestException",
        "Invalid patch path  '/remaining' specified for op 'add'. Must be one of: []",
    );
    control.patch(&path, &[("replace", "/used", "5")]).refused(
        400,
        "BadRequestException",
        "Invalid patch path  '/used' specified for op 'replace'. Must be one of: [/remaining]",
    );
    for value in ["-1", "many", "1.5", "", "99999999999999999999"] {
        control
            .patch(&path, &[("replace", "/remaining", value)])
            .refused_somehow(400, "BadRequestException");
    }
    let unlimited = metered.plan(&json!({}));
    let free = unlimited.key("free");
    control
        .patch(
            &format!("{}/keys/{}/usage", unlimited.path(), free.id),
            &[("replace", "/remaining", "5")],
        )
        .refused_somehow(400, "BadRequestException");
    assert_eq!(metered.call(&key), 200);
    assert_eq!(plan.usage(&key), Some((1, 9)));
}

fn days_ago(days: i64) -> String {
    let day = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    day.checked_sub(jiff::Span::new().days(days))
        .unwrap()
        .to_string()
}
