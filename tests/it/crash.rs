//! kill -9 under load, over and over: never one admission over the quota, and what is written off is bounded.
//!
//! `ROUNDS` sets how often the gateway is killed (20 unless set), `SEED` the random moments.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, Key, Plan};
use crate::harness::{Dice, Gateway, alone, clear_of_midnight};
use crate::load::{Account, Load, Outcome, Shot};
use crate::upstream::Upstream;

const CONNECTIONS: usize = 16;

/// A plan with one key, and how much of the load falls on it.
struct Customer {
    plan: Plan,
    key: Key,
    quota: Option<usize>,
    weight: u64,
}

impl Customer {
    /// What a crash may write off for one key: `max(0.1 % of the quota, 8)`.
    fn forfeit_max(&self) -> usize {
        self.quota.map_or(0, |quota| quota.div_ceil(1_000).max(8))
    }
}

#[test]
fn killing_it_under_load_never_admits_one_too_many() {
    let _load = alone();
    let rounds = setting("ROUNDS", 20);
    let mut dice = Dice(setting("SEED", 20_151_101));
    clear_of_midnight(Duration::from_secs(60 + 5 * rounds));
    let mut gateway = Gateway::start_on_disk();
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "crash");
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let customers: Vec<Customer> = [
        (Some(400), 3),
        (Some(4_000), 27),
        (Some(20_000), 60),
        (None, 10),
    ]
    .into_iter()
    .map(|(quota, weight)| {
        let limits = quota.map_or(
            json!({}),
            |limit| json!({ "quota": { "limit": limit, "period": "MONTH" } }),
        );
        let plan = Plan::create(&control, &api, "prod", &limits);
        Customer {
            key: plan.key("customer"),
            plan,
            quota,
            weight,
        }
    })
    .collect();
    let keys: Vec<(Key, u64)> = customers
        .iter()
        .map(|c| (c.key.clone(), c.weight))
        .collect();
    let target = api.target("prod", "/hit");
    let mut shots = Vec::new();
    for _ in 0..rounds {
        let load = Load {
            address: gateway.data,
            target: &target,
            keys: &keys,
            connections: CONNECTIONS,
            seed: dice.roll(),
        };
        shots.extend(kill_under(&load, &mut gateway, &mut dice));
        gateway.start_again();
    }
    let killed = Account::new(&shots, &upstream.seen());
    for (index, customer) in customers.iter().enumerate() {
        check_used(
            customer,
            killed.admitted(index).len(),
            killed.undecided(index),
            rounds as usize,
        );
    }
    shots.extend(use_up(&gateway, &target, &keys));
    let account = Account::new(&shots, &upstream.seen());
    for (index, customer) in customers.iter().enumerate() {
        check_admitted(
            customer,
            account.admitted(index).len(),
            account.undecided(index),
            rounds as usize,
        );
    }
}

/// Calls until the process is killed, at a random moment after the load got going.
fn kill_under(load: &Load<'_>, gateway: &mut Gateway, dice: &mut Dice) -> Vec<Shot> {
    let ended = AtomicUsize::new(0);
    let enough = dice.between(1, 600) as usize;
    let pause = Duration::from_micros(dice.between(0, 5_000));
    std::thread::scope(|scope| {
        let firing = scope.spawn(|| {
            load.fire(|shot| {
                ended.fetch_add(1, Ordering::SeqCst);
                shot.outcome != Outcome::Lost
            })
        });
        crate::harness::wait_until("the load to get going", || {
            (ended.load(Ordering::SeqCst) >= enough).then_some(())
        });
        std::thread::sleep(pause); // the random moment of the kill, not a wait for anything
        gateway.kill();
        firing.join().unwrap()
    })
}

/// GetUsage is at most what the upstream saw and what may have been on the way at the kills, and less by no more than was forfeited.
fn check_used(customer: &Customer, seen: usize, undecided: usize, crashes: usize) {
    let (used, remaining) = customer
        .plan
        .usage(&customer.key)
        .map_or((0, 0), |(used, remaining)| {
            (used as usize, remaining as usize)
        });
    assert!(
        used <= seen + undecided,
        "GetUsage says {used}, the upstream saw {seen} and {undecided} were on the way"
    );
    if let Some(quota) = customer.quota {
        assert!(
            used + crashes * customer.forfeit_max() >= seen,
            "GetUsage says {used} of {seen}"
        );
        assert!(
            used + remaining <= quota,
            "{used} used and {remaining} left of {quota}"
        );
    }
}

/// Over all the crashes no more than the quota, and less by no more than the crashes may write off.
fn check_admitted(customer: &Customer, seen: usize, undecided: usize, crashes: usize) {
    let Some(quota) = customer.quota else { return };
    assert!(seen <= quota, "{seen} admitted of a quota of {quota}");
    let least = quota.saturating_sub(crashes * customer.forfeit_max() + undecided);
    assert!(
        seen >= least,
        "only {seen} of {quota} admitted: {crashes} crashes may write off {} each, {undecided} were on the way",
        customer.forfeit_max()
    );
    println!("quota {quota}: {seen} admitted, {undecided} undecided, {crashes} crashes");
}

/// Calls with every key that has a quota until it is refused for good.
fn use_up(gateway: &Gateway, target: &str, keys: &[(Key, u64)]) -> Vec<Shot> {
    let mut shots = Vec::new();
    for (index, (key, _)) in keys.iter().enumerate().take(keys.len() - 1) {
        let one = [(key.clone(), 1)];
        let over = AtomicBool::new(false);
        let load = Load {
            address: gateway.data,
            target,
            keys: &one,
            connections: CONNECTIONS,
            seed: 0,
        };
        let fired = load.fire(|shot| {
            // A disk that stalls may cost an answer of 503, but never a unit.
            let known = [Outcome::Served, Outcome::Exhausted, Outcome::Other(503)];
            assert!(known.contains(&shot.outcome), "{shot:?}");
            over.fetch_or(shot.outcome == Outcome::Exhausted, Ordering::SeqCst);
            !over.load(Ordering::SeqCst)
        });
        shots.extend(fired.into_iter().map(|shot| Shot { key: index, ..shot }));
    }
    shots
}

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
        let body = br#"{"name":"durable"}"#;
        let headers = [("Content-Type", "application/json")];
        let signature = control.sign(
            "POST",
            "/apikeys",
            &headers,
            body,
            crate::control::Signing::default(),
        );
        let mut all = headers.to_vec();
        all.extend(
            signature
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let reply = crate::http::Connection::open(control.address)
            .and_then(|mut c| c.send("POST", "/apikeys", &all, body));
        let Ok(reply) = reply else { return };
        let key = reply.ok(201);
        made.lock()
            .unwrap()
            .push((crate::api::text(&key["id"]), key["value"].clone()));
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
    })
}
