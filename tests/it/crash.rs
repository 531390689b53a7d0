//! kill -9: what a process that had no time to say anything must have left behind.

mod change;
mod rounds;

use serde_json::{Value, json};

use crate::api::{Api, Plan};
use crate::harness::{Dice, Gateway};
use crate::upstream::Upstream;

#[test]
fn a_crash_is_no_free_burst() {
    let mut gateway = Gateway::start();
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "burst");
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let plan = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "throttle": { "rateLimit": 0.001, "burstLimit": 5 } }),
    );
    let key = plan.key("patient");
    let target = api.target("prod", "/hit");
    let call = |gateway: &Gateway| crate::http::get(gateway.data, &target, &[key.header()]).status;
    let statuses: Vec<u16> = (0..6).map(|_| call(&gateway)).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    gateway.kill();
    gateway.start_again();
    assert_eq!(call(&gateway), 429, "the burst came back with the restart");
    assert!(gateway.stop().success());
    gateway.start_again();
    assert_eq!(call(&gateway), 429, "the burst came back with the restart");
}

#[test]
fn what_the_control_plane_acknowledged_survives_kill_9() {
    let mut gateway = Gateway::start();
    let mut dice = Dice(5);
    let control = gateway.control();
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        let enough = acknowledged.len() + dice.between(3, 20) as usize;
        let made = std::sync::Mutex::new(acknowledged);
        std::thread::scope(|scope| {
            scope.spawn(|| create_until_it_breaks(&control, &made));
            crate::harness::wait_until("keys to be made", || {
                (made.lock().unwrap().len() >= enough).then_some(())
            });
            gateway.kill();
        });
        acknowledged = made.into_inner().unwrap();
        gateway.start_again();
        for (id, value) in &acknowledged {
            let key = control
                .get(&format!("/apikeys/{id}?includeValue=true"))
                .ok(200);
            assert_eq!(key["value"], json!(value));
        }
    }
}

/// Creates keys one after another and notes what was acknowledged, until the connection breaks.
fn create_until_it_breaks(
    control: &crate::control::Control,
    made: &std::sync::Mutex<Vec<(String, Value)>>,
) {
    loop {
        let Ok(reply) = control.try_send("POST", "/apikeys", br#"{"name":"durable"}"#) else {
            return;
        };
        let key = reply.ok(201);
        made.lock()
            .unwrap()
            .push((crate::api::text(&key["id"]), key["value"].clone()));
    }
}
