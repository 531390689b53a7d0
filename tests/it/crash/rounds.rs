//! Killed under load, while it starts and while it stops, over and over: never one admission over the quota, what is
//! written off is bounded, and what the control plane acknowledged stays. Judged by the upstream's log alone.
//!
//! `ROUNDS` sets how often (20 unless set), `SEED` the random moments. After [`GENERATION`] rounds the quotas are used
//! up and checked, and new keys begin, so that the last round is as sharp as the first.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::change::{Changes, Door, Setting};
use crate::api::{Api, Key, Plan};
use crate::control::Control;
use crate::harness::{Dice, Gateway, alone, clear_of_midnight, setting, wait_until};
use crate::load::{Account, Load, Outcome, Shot};
use crate::upstream::Upstream;

const CONNECTIONS: usize = 16;
/// Rounds after which the quotas are used up.
const GENERATION: u64 = 40;
/// The longest moment between a start or a SIGTERM and the kill.
const MOMENT_MAX_US: u64 = 120_000;

/// A plan, whose key changes with each generation, and how much of the load falls on it.
struct Customer {
    plan: Plan,
    quota: Option<usize>,
    weight: u64,
}

impl Customer {
    /// What a crash may write off for one key: `max(0.1 % of the quota, 8)`.
    fn forfeit_max(&self) -> usize {
        self.quota.map_or(0, |quota| quota.div_ceil(1_000).max(8))
    }
}

/// Where the time of the rounds went, and what they were.
#[derive(Default)]
struct Tally {
    started: Duration,
    loaded: Duration,
    ended: Duration,
    crashes: usize,
    while_starting: usize,
    while_stopping: usize,
    stops: usize,
    admitted: usize,
    written_off: usize,
}

/// What is under test, and all that surrounds it.
struct Stand {
    gateway: Gateway,
    upstream: Upstream,
    control: Control,
    api: Api,
    customers: Vec<Customer>,
    tally: Tally,
}

#[test]
fn killing_it_under_load_never_admits_one_too_many() {
    let _load = alone();
    let (rounds, seed) = (setting("ROUNDS", 20), setting("SEED", 20_151_101));
    let mut dice = Dice(seed);
    let began = Instant::now();
    let mut stand = Stand::new();
    let mut left = rounds;
    while left > 0 {
        let generation = left.min(GENERATION);
        clear_of_midnight(Duration::from_secs(60 + 5 * generation));
        stand.generation(generation, &mut dice);
        left -= generation;
        println!(
            "{} of {rounds} rounds, {:.0?}",
            rounds - left,
            began.elapsed()
        );
    }
    let t = &stand.tally;
    println!(
        "seed {seed}: {} crashes under load, {} while starting, {} while stopping, {} clean stops; {} admitted, {} written off; \
         {:.1?} starting, {:.1?} under load, {:.1?} ending, {:.1?} in all",
        t.crashes,
        t.while_starting,
        t.while_stopping,
        t.stops,
        t.admitted,
        t.written_off,
        t.started,
        t.loaded,
        t.ended,
        began.elapsed()
    );
}

impl Stand {
    fn new() -> Stand {
        let gateway = Gateway::start_on_disk();
        let upstream = Upstream::start();
        let control = gateway.control();
        let api = Api::create(&control, "crash");
        api.pass_on("", true, &upstream.url());
        api.deploy("prod");
        let customers = [
            (Some(400), 3),
            (Some(4_000), 27),
            (Some(20_000), 50),
            (None, 20),
        ];
        let customers = customers.map(|(quota, weight)| {
            let limits = quota.map_or(
                json!({}),
                |limit| json!({ "quota": { "limit": limit, "period": "MONTH" } }),
            );
            Customer {
                plan: Plan::create(&control, &api, "prod", &limits),
                quota,
                weight,
            }
        });
        Stand {
            gateway,
            upstream,
            control,
            api,
            customers: customers.into(),
            tally: Tally::default(),
        }
    }

    /// Some rounds with new keys, then their quotas are used up and everything is counted.
    fn generation(&mut self, rounds: u64, dice: &mut Dice) {
        self.upstream.forget();
        let keys: Vec<(Key, u64)> = self
            .customers
            .iter()
            .map(|customer| (customer.plan.key("customer"), customer.weight))
            .collect();
        let mut changes = self.changes(&keys);
        let (mut shots, mut crashes) = (Vec::new(), 0);
        for _ in 0..rounds {
            let (fired, crashed) = self.round(&keys, &mut changes, dice);
            shots.extend(fired);
            crashes += usize::from(crashed);
            crashes += self.start(&keys, dice, &mut shots);
            changes.check(&self.control);
        }
        changes.door.over();
        let last = changes.door.key.clone();
        last.set_enabled(&self.control, true);
        for customer in &self.customers {
            if let Some(quota) = customer.quota {
                customer.plan.set("/quota/limit", &quota.to_string());
            }
        }
        let killed = Account::new(&shots, &self.upstream.seen());
        for (index, (customer, (key, _))) in self.customers.iter().zip(&keys).enumerate() {
            check_used(
                customer,
                key,
                killed.admitted(index).len(),
                killed.undecided(index),
                crashes,
            );
        }
        shots.extend(self.use_up(&keys));
        let account = Account::new(&shots, &self.upstream.seen());
        for (index, customer) in self.customers.iter().enumerate() {
            let seen = account.admitted(index);
            self.tally.admitted += seen.len();
            self.tally.written_off += customer.quota.map_or(0, |quota| quota - seen.len());
            check_admitted(customer, seen.len(), account.undecided(index), crashes);
        }
        check_door(&changes.door, &account.admitted(self.customers.len() - 1));
    }

    /// What changes meanwhile: descriptions, a quota that goes down and up, deployments, and a key that is shut and opened.
    fn changes(&self, keys: &[(Key, u64)]) -> Changes {
        let count = |turn: u64| turn.to_string();
        let quota = |turn: u64| ["20000", "15000"][turn as usize % 2].to_owned();
        let mut settings: Vec<Setting> = self
            .customers
            .iter()
            .map(|customer| Setting::new(customer.plan.path(), "/description", count))
            .collect();
        let lowered = self.customers[2].plan.path();
        settings.push(Setting::new(lowered, "/quota/limit", quota));
        Changes {
            settings,
            door: Door::new(keys[self.customers.len() - 1].0.clone()),
            deployments: format!("{}/deployments", self.api.path()),
            acknowledged: 0,
        }
    }

    /// Calls and changes until the process ends, one way or another; whether it was a crash.
    fn round(
        &mut self,
        keys: &[(Key, u64)],
        changes: &mut Changes,
        dice: &mut Dice,
    ) -> (Vec<Shot>, bool) {
        let began = Instant::now();
        let target = self.api.target("prod", "/hit");
        let load = Load {
            address: self.gateway.data,
            target: &target,
            keys,
            connections: CONNECTIONS,
            seed: dice.roll(),
        };
        let answered = AtomicUsize::new(0);
        let enough = dice.between(1, 600) as usize;
        let pause = Duration::from_micros(dice.between(0, 5_000));
        let mut way = Dice(dice.roll());
        let mut choice = Dice(dice.roll());
        let (control, gateway, tally) = (&self.control, &mut self.gateway, &mut self.tally);
        std::thread::scope(|scope| {
            let firing = scope.spawn(|| {
                load.fire(|shot| {
                    answered.fetch_add(1, Ordering::SeqCst);
                    shot.outcome.is_answer()
                })
            });
            scope.spawn(|| changes.until_it_breaks(control, &mut choice));
            wait_until("the load to get going", || {
                (answered.load(Ordering::SeqCst) >= enough).then_some(())
            });
            std::thread::sleep(pause); // the random moment of the end, not a wait for anything
            tally.loaded += began.elapsed();
            let began = Instant::now();
            let crashed = end(gateway, tally, &mut way);
            tally.ended += began.elapsed();
            (firing.join().unwrap(), crashed)
        })
    }

    /// Starts again, now and then killed on the way and called all the while; how many crashes that were.
    fn start(&mut self, keys: &[(Key, u64)], dice: &mut Dice, shots: &mut Vec<Shot>) -> usize {
        let began = Instant::now();
        let target = self.api.target("prod", "/hit");
        let load = Load {
            address: self.gateway.data,
            target: &target,
            keys,
            connections: 2,
            seed: dice.roll(),
        };
        let mut killed = 0;
        while dice.between(0, 3) == 0 {
            let over = AtomicBool::new(false);
            let gateway = &mut self.gateway;
            std::thread::scope(|scope| {
                let firing = scope.spawn(|| {
                    load.fire(|shot| {
                        if shot.outcome == Outcome::Unsent {
                            std::thread::sleep(Duration::from_micros(500)); // nobody listens yet
                        }
                        !over.load(Ordering::SeqCst)
                    })
                });
                gateway.spawn();
                std::thread::sleep(Duration::from_micros(dice.between(0, MOMENT_MAX_US)));
                gateway.kill();
                over.store(true, Ordering::SeqCst);
                shots.extend(firing.join().unwrap());
            });
            killed += 1;
        }
        self.tally.while_starting += killed;
        self.gateway.start_again();
        self.tally.started += began.elapsed();
        killed
    }

    /// Calls with every key that has a quota until it is refused for good.
    fn use_up(&self, keys: &[(Key, u64)]) -> Vec<Shot> {
        let target = self.api.target("prod", "/hit");
        let mut shots = Vec::new();
        for (index, (key, _)) in keys.iter().enumerate().take(keys.len() - 1) {
            let one = [(key.clone(), 1)];
            let over = AtomicBool::new(false);
            let load = Load {
                address: self.gateway.data,
                target: &target,
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
}

/// Ends the process: mostly by kill -9, now and then in the middle of a clean stop, or by one. Whether it was a crash.
fn end(gateway: &mut Gateway, tally: &mut Tally, way: &mut Dice) -> bool {
    match way.between(0, 9) {
        0 => assert!(gateway.stop().success()),
        1..=2 => {
            gateway.terminate();
            std::thread::sleep(Duration::from_micros(way.between(0, MOMENT_MAX_US)));
            if gateway.kill() {
                tally.while_stopping += 1;
                return true;
            }
        }
        _ => {
            gateway.kill();
            tally.crashes += 1;
            return true;
        }
    }
    tally.stops += 1;
    false
}

/// GetUsage is at most what the upstream saw and what may have been on the way at the kills, and less by no more than was forfeited.
fn check_used(customer: &Customer, key: &Key, seen: usize, undecided: usize, crashes: usize) {
    let (used, remaining) = customer
        .plan
        .usage(key)
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
}

/// No call that was sent after the acknowledgement of a disabling came through before the next enabling was sent.
fn check_door(door: &Door, admitted: &[(Shot, Instant)]) {
    for (shot, arrived) in admitted {
        let through = door
            .shut
            .iter()
            .find(|(from, to)| shot.sent > *from && arrived < to);
        assert!(
            through.is_none(),
            "{shot:?} went through a disabled key, shut {through:?}"
        );
    }
}
