//! Tollgate's own calls against the real process: explain, try, live; and `tollgate explain`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, Plan};
use crate::control::Control;
use crate::harness::{Gateway, clear_of_midnight, tollgate, wait_until};
use crate::http::get;

struct Walk {
    gateway: Gateway,
    control: Control,
    api: Api,
}

impl Walk {
    fn start() -> Walk {
        clear_of_midnight(Duration::from_secs(30));
        let gateway = Gateway::start();
        let control = gateway.control();
        let api = Api::create(&control, "pets");
        api.mock("/pets/{id}", "GET", true, "a pet");
        api.mock("/open", "GET", false, "open");
        api.deploy("prod");
        Walk {
            gateway,
            control,
            api,
        }
    }

    fn explain(&self, path: &str, key: Option<&str>) -> Value {
        let question = json!({
            "restApiId": self.api.id, "stageName": "prod", "httpMethod": "GET", "path": path, "keyId": key,
        });
        self.control.post("/tollgate/explain", &question).ok(200)
    }

    fn reason(&self, path: &str, key: Option<&str>) -> Value {
        self.explain(path, key)["verdict"]["reason"].take()
    }
}

#[test]
fn explaining_tells_what_the_next_call_gets_and_takes_nothing() {
    let walk = Walk::start();
    let limits = json!({
        "throttle": {"rateLimit": 0.01, "burstLimit": 3}, "quota": {"limit": 2, "period": "DAY"},
    });
    let plan = Plan::create(&walk.control, &walk.api, "prod", &limits);
    let key = plan.key("alice");
    let alone = walk
        .control
        .post("/apikeys", &json!({"name": "alone", "enabled": true}))
        .ok(201);

    assert_eq!(walk.explain("/open", None)["verdict"]["outcome"], "passes");
    assert_eq!(walk.reason("/nowhere", None), "no-method");
    assert_eq!(walk.reason("/pets/1", None), "key-missing");
    assert_eq!(
        walk.reason("/pets/1", alone["id"].as_str()),
        "key-not-in-plan"
    );

    for _ in 0..5 {
        let told = walk.explain("/pets/1?x=y", Some(&key.id));
        assert_eq!(told["verdict"], json!({"outcome": "passes"}));
        assert_eq!(told["usagePlanId"], plan.id);
        assert_eq!(told["resourcePath"], "/pets/{id}");
        let limits = told["limits"].as_array().unwrap();
        assert_eq!(limits[0]["limit"], "plan-throttle");
        assert_eq!(limits[0]["available"], 3);
        assert_eq!(limits[1]["limit"], "quota");
        assert_eq!(limits[1]["remaining"], 2);
    }
    let call = || {
        let target = walk.api.target("prod", "/pets/1");
        get(walk.gateway.data, &target, &[key.header()]).status
    };
    assert_eq!([call(), call()], [200, 200]);
    let told = walk.explain("/pets/1", Some(&key.id));
    assert_eq!(told["verdict"]["reason"], "quota-exceeded");
    assert_eq!(told["verdict"]["status"], 429);
    assert!(told["verdict"]["retryAfterS"].as_u64().unwrap() <= 86_400);
    assert_eq!(told["limits"][0]["available"], 1);
    assert_eq!(call(), 429);

    walk.control
        .patch(
            &format!("/apikeys/{}", key.id),
            &[("replace", "/enabled", "false")],
        )
        .ok(200);
    assert_eq!(walk.reason("/pets/1", Some(&key.id)), "key-disabled");
}

#[test]
fn the_command_explains_by_names() {
    let walk = Walk::start();
    let limits = json!({"throttle": {"rateLimit": 0, "burstLimit": 0}});
    let plan = Plan::create(&walk.control, &walk.api, "prod", &limits);
    plan.key("alice");
    let told = tollgate()
        .args([
            "explain", "pets", "prod", "get", "/pets/1", "--key", "alice",
        ])
        .args(["--endpoint", &format!("http://{}", walk.gateway.plane)])
        .arg("--data-dir")
        .arg(walk.gateway.data_dir())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    assert!(
        text.starts_with("The next such call is refused with 429 (throttled).\n  yes  Stage prod"),
        "{text}"
    );
    assert!(text.contains("plan-throttle"), "{text}");
}

#[test]
fn a_tried_call_is_a_call_like_any_other() {
    let walk = Walk::start();
    let limits = json!({"quota": {"limit": 1, "period": "DAY"}});
    let plan = Plan::create(&walk.control, &walk.api, "prod", &limits);
    let key = plan.key("alice");
    let tried = |body: Value| walk.control.post("/tollgate/try", &body);
    let call = |key: Value| {
        tried(json!({
            "restApiId": walk.api.id, "stageName": "prod", "httpMethod": "GET", "path": "/pets/1", "keyId": key,
        }))
        .ok(200)
    };
    let first = call(json!(key.id));
    assert_eq!(
        (&first["status"], &first["body"]),
        (&json!(200), &json!("a pet"))
    );
    assert!(first["latencyMs"].as_f64().unwrap() > 0.0);
    let headers = first["headers"].as_array().unwrap();
    assert!(headers.iter().any(|header| header[0] == "x-amzn-requestid"));
    assert_eq!(call(json!(key.id))["status"], 429);
    assert_eq!(call(Value::Null)["status"], 403);
    let unknown = tried(
        json!({"restApiId": walk.api.id, "stageName": "prod", "httpMethod": "GET", "path": "/", "keyId": "nobody"}),
    );
    assert_eq!(unknown.status, 404);
    let bad = tried(
        json!({"restApiId": walk.api.id, "stageName": "prod", "httpMethod": "G T", "path": "/"}),
    );
    assert_eq!(bad.status, 400);
}

#[test]
fn live_shows_what_came_and_who_called_most() {
    let walk = Walk::start();
    let limits = json!({"quota": {"limit": 3, "period": "DAY"}});
    let plan = Plan::create(&walk.control, &walk.api, "prod", &limits);
    let (busy, idle) = (plan.key("busy"), plan.key("idle"));
    let call = |key: &crate::api::Key| {
        let target = walk.api.target("prod", "/pets/1");
        get(walk.gateway.data, &target, &[key.header()]).status
    };
    for _ in 0..5 {
        call(&busy);
    }
    call(&idle);
    get(walk.gateway.data, &walk.api.target("prod", "/pets/1"), &[]);
    let live = wait_until("the calls to be in the seconds", || {
        let live = walk.control.get("/tollgate/live").ok(200);
        let seconds = live["seconds"].as_array().unwrap();
        let sum = |name: &str| seconds.iter().filter_map(|s| s[name].as_u64()).sum::<u64>();
        let all = (sum("answered"), sum("limited"), sum("forbidden"));
        (all == (4, 2, 1)).then_some(live)
    });
    assert_eq!(
        live["refusals"],
        json!({"key-missing": 1, "quota-exceeded": 2})
    );
    assert_eq!(
        live["topKeys"],
        json!([
            {"apiKeyId": busy.id, "calls": 5, "limited": 2},
            {"apiKeyId": idle.id, "calls": 1, "limited": 0},
        ])
    );
    assert_eq!(
        (&live["topKeysCalls"], &live["calls"]),
        (&json!(6), &json!(7))
    );
}
