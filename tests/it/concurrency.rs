//! Many changes at once: none is lost, and every answer shows a state that existed.

use serde_json::{Value, json};

use crate::api::{Api, Plan, text};
use crate::harness::Gateway;

#[test]
fn parallel_patches_of_one_stage_lose_none() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "contended");
    api.mock("/pets", "GET", false, "pets");
    api.deploy("prod");
    let path = format!("{}/stages/prod", api.path());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (control, path) = (&control, &path);
            scope.spawn(move || {
                for n in 0..10 {
                    let variable = format!("/variables/v{thread}x{n}");
                    let stage = control
                        .patch(path, &[("replace", &variable, "set")])
                        .ok(200);
                    assert_eq!(stage["variables"][format!("v{thread}x{n}")], "set");
                }
            });
        }
    });
    let variables = control.get(&path).ok(200)["variables"]
        .as_object()
        .unwrap()
        .len();
    assert_eq!(variables, 80);
}

#[test]
fn parallel_patches_of_one_plan_lose_none() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "contended");
    api.mock("/pets", "GET", true, "pets");
    let stages: Vec<String> = (0..24).map(|n| format!("s{n}")).collect();
    for stage in &stages {
        api.deploy(stage);
    }
    let plan = text(
        &control
            .post("/usageplans", &json!({ "name": "contended" }))
            .ok(201)["id"],
    );
    let path = format!("/usageplans/{plan}");
    std::thread::scope(|scope| {
        for stage in &stages {
            let (control, path, value) = (&control, &path, format!("{}:{stage}", api.id));
            scope.spawn(move || {
                control
                    .patch(path, &[("add", "/apiStages", &value)])
                    .ok(200)
            });
        }
    });
    let mut attached: Vec<String> = control.get(&path).ok(200)["apiStages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| text(&stage["stage"]))
        .collect();
    attached.sort();
    let mut expected = stages;
    expected.sort();
    assert_eq!(attached, expected);
}

#[test]
fn tags_set_in_parallel_are_all_there() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let id = text(
        &control
            .post("/apikeys", &json!({ "name": "tagged" }))
            .ok(201)["id"],
    );
    let arn = format!("/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapikeys%2F{id}");
    std::thread::scope(|scope| {
        for n in 0..16 {
            let (control, arn) = (&control, &arn);
            scope.spawn(move || {
                control
                    .put(arn, &json!({ "tags": { format!("k{n}"): "v" } }))
                    .ok(204)
            });
        }
    });
    assert_eq!(
        control.get(&arn).ok(200)["tags"].as_object().unwrap().len(),
        16
    );
    let key = control.get(&format!("/apikeys/{id}")).ok(200);
    assert_eq!(key["tags"].as_object().unwrap().len(), 16);
}

#[test]
fn of_many_equal_values_one_wins() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                let control = &control;
                scope.spawn(move || {
                    control
                        .post(
                            "/apikeys",
                            &json!({ "value": "only-one-key-may-have-this" }),
                        )
                        .status
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 409).count(),
        15,
        "{statuses:?}"
    );
    let again = control.post(
        "/apikeys",
        &json!({ "value": "only-one-key-may-have-this" }),
    );
    again.refused(409, "ConflictException", "API Key already exists");
}

#[test]
fn a_key_cannot_get_two_plans_of_one_stage_by_racing() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "contended");
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let plans: Vec<Plan> = (0..8)
        .map(|_| Plan::create(&control, &api, "prod", &json!({})))
        .collect();
    let key = text(
        &control
            .post("/apikeys", &json!({ "name": "courted" }))
            .ok(201)["id"],
    );
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = plans
            .iter()
            .map(|plan| {
                let (control, body) = (&control, json!({ "keyId": key, "keyType": "API_KEY" }));
                scope.spawn(move || control.post(&format!("{}/keys", plan.path()), &body).status)
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().all(|status| matches!(status, 201 | 409)),
        "{statuses:?}"
    );
    let listed = control.get(&format!("/usageplans?keyId={key}")).ok(200);
    assert_eq!(listed["item"].as_array().unwrap().len(), 1);
}

#[test]
fn pages_hold_while_keys_come_and_go() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let made: Vec<String> = (0..30)
        .map(|n| {
            text(
                &control
                    .post("/apikeys", &json!({ "name": format!("k{n}") }))
                    .ok(201)["id"],
            )
        })
        .collect();
    let mut seen: Vec<String> = Vec::new();
    let mut position = String::new();
    loop {
        let page: Value = control.get(&format!("/apikeys?limit=7{position}")).ok(200);
        seen.extend(
            page["item"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| text(&item["id"])),
        );
        // The last key of the page goes, a new one comes: what was there all the time is seen exactly once.
        control
            .delete(&format!("/apikeys/{}", seen.last().unwrap()))
            .ok(202);
        control.post("/apikeys", &json!({ "name": "late" })).ok(201);
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
    let mut expected = made;
    expected.reverse();
    assert_eq!(seen, expected, "newest first, each once");
}
