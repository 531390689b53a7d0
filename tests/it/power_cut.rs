//! Power cuts: the real program runs under load and under strace; from what it wrote and synced, the states are built
//! that its disk may be in if the power fails at some moment, and the store must recover every promise from each.
//!
//! `STATES` sets how many states are built (400 unless set), `SEED` which. What was admitted and acknowledged is read
//! from the bytes that the process had sent by that moment, so that nothing it says of itself is believed.

mod check;
mod commands;
mod disk;
mod trace;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::control::Control;
use crate::harness::{Dice, Gateway, alone, can_trace, setting, tell, wait_until};
use crate::load::Load;
use crate::upstream::Upstream;
use check::{Customer, Known};
use disk::{Disk, Fate};
use trace::Moment;

const CONNECTIONS: usize = 8;

/// Every run traces into a file of its own beside the data directory.
fn trace_file(gateway: &Gateway, run: usize) -> PathBuf {
    gateway.home().join(format!("trace.{run}"))
}

/// How a run ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Stop,
    Kill,
    /// Killed once a failed sync has poisoned the ledger.
    KillPoisoned,
}

/// A gateway whose every run is traced.
struct Stand {
    gateway: Gateway,
    upstream: Upstream,
    runs: usize,
    seed: u64,
    changes: usize,
}

impl Stand {
    fn start(&mut self, inject: &[&str]) {
        self.runs += 1;
        let mut wrapper = trace::strace(&trace_file(&self.gateway, self.runs));
        wrapper.extend(inject.iter().map(|word| (*word).to_owned()));
        self.gateway.wrapper = wrapper;
        self.gateway.start_again();
    }

    /// Calls until as many have ended, changes beside them, then the end.
    fn run(
        &mut self,
        target: &str,
        keys: &[(Key, u64)],
        calls: usize,
        plan: Option<&Plan>,
        end: End,
    ) -> Vec<(u64, usize)> {
        self.seed += 1;
        let load = Load {
            address: self.gateway.data,
            target,
            keys,
            connections: CONNECTIONS,
            seed: self.seed,
        };
        let count = AtomicUsize::new(0);
        let control = self.gateway.control();
        let gateway = &mut self.gateway;
        let changes = &mut self.changes;
        let shots = std::thread::scope(|scope| {
            let firing = scope.spawn(|| {
                load.fire(|shot| {
                    let ended = count.fetch_add(1, Ordering::SeqCst);
                    shot.outcome.is_answer() && (end != End::Stop || ended < calls)
                })
            });
            if let Some(plan) = plan {
                scope.spawn(|| {
                    // A number is not used again after a change whose answer never came.
                    loop {
                        *changes += 1;
                        if !change(&control, plan, *changes) {
                            break;
                        }
                        if count.load(Ordering::SeqCst) >= calls {
                            break;
                        }
                    }
                });
            }
            let marker = gateway.data_dir().join("usage.db.poisoned");
            if end != End::Stop {
                wait_until("the calls", || {
                    let poisoned = end == End::Kill || marker.exists();
                    (poisoned && count.load(Ordering::SeqCst) >= calls).then_some(())
                });
                gateway.kill();
            }
            firing.join().unwrap()
        });
        if end == End::Stop {
            assert!(self.gateway.stop().success());
        }
        shots.iter().map(|shot| (shot.marker, shot.key)).collect()
    }
}

/// Changes the plan and makes a key, both by number; whether both were acknowledged.
fn change(control: &Control, plan: &Plan, number: usize) -> bool {
    let operation =
        json!({ "op": "replace", "path": "/description", "value": format!("change-{number}.") });
    let body = json!({ "patchOperations": [operation] }).to_string();
    let changed = control.try_send("PATCH", &plan.path(), body.as_bytes());
    let body = json!({ "name": format!("made-{number}."), "enabled": true }).to_string();
    changed.is_ok_and(|reply| reply.status == 200)
        && control
            .try_send("POST", "/apikeys", body.as_bytes())
            .is_ok_and(|reply| reply.status == 201)
}

#[test]
fn no_power_cut_takes_back_what_was_published() {
    if !can_trace("power cuts") {
        return;
    }
    let _load = alone();
    let (states, seed) = (setting("STATES", 400), setting("SEED", 20_151_101));
    let began = Instant::now();
    let mut stand = Stand {
        gateway: Gateway::prepare_on_disk("access_log = \"off\"\nworkers = 2\n"),
        upstream: Upstream::start(),
        runs: 0,
        seed,
        changes: 0,
    };
    stand.start(&[]);
    let control = stand.gateway.control();
    let api = Api::create(&control, "cuts");
    api.pass_on("", true, &stand.upstream.url());
    api.deploy("prod");
    let mut customers = Vec::new();
    for (limit, keys) in [(Some(400_u64), 30), (Some(100_000), 5), (None, 5)] {
        let limits = limit.map_or(
            json!({}),
            |limit| json!({ "quota": { "limit": limit, "period": "MONTH" } }),
        );
        let plan = Plan::create(&control, &api, "prod", &limits);
        for _ in 0..keys {
            let key = plan.key("customer");
            customers.push(Customer {
                plan: plan.clone(),
                key,
                limit,
            });
        }
    }
    let keys: Vec<(Key, u64)> = customers.iter().map(|c| (c.key.clone(), 1)).collect();
    let plan = customers[0].plan.clone();
    let target = api.target("prod", "/hit");
    let mut markers = stand.run(&target, &keys, 1500, Some(&plan), End::Stop);
    stand.start(&[]);
    markers.extend(stand.run(&target, &keys, 2000, Some(&plan), End::Kill));
    // The ledger's thread meets a sync that fails and would then succeed; the next start rewrites the ledger.
    stand.start(&["-e", "inject=fsync:error=EIO:when=12"]);
    markers.extend(stand.run(&target, &keys, 500, None, End::KillPoisoned));
    stand.start(&[]);
    markers.extend(stand.run(&target, &keys, 500, Some(&plan), End::Stop));
    let recorded = began.elapsed();

    let traces: Vec<Vec<Moment>> = (1..=stand.runs)
        .map(|run| read_trace(&trace_file(&stand.gateway, run), stand.gateway.home()))
        .collect();
    let known = Known::new(customers, markers);
    let tally = cut_everywhere(&traces, known, states, &mut Dice(seed));
    assert!(tally.0 >= states && tally.1 > 4_000, "{tally:?}");
    tell(&format!(
        "power cuts, seed {seed}: {} moments recorded in {recorded:.0?}, {} states recovered in {:.0?}; {} admissions and {} changes by the end",
        traces.iter().map(Vec::len).sum::<usize>(),
        tally.0,
        began.elapsed() - recorded,
        tally.1,
        stand.changes
    ));
}

/// The trace is whole once it tells of the end of the process.
fn read_trace(file: &Path, home: &Path) -> Vec<Moment> {
    let text = wait_until("the trace to end", || {
        let text = std::fs::read_to_string(file).unwrap();
        let over = text.lines().rev().take(3).any(|line| line.contains("+++"));
        over.then_some(text)
    });
    trace::read(&text, home)
}

/// Walks through the traces and checks states at moments chosen by the dice; how many, and how many calls had been
/// admitted in the end.
fn cut_everywhere(
    traces: &[Vec<Moment>],
    mut known: Known,
    states: u64,
    dice: &mut Dice,
) -> (u64, usize) {
    let total: usize = traces.iter().map(Vec::len).sum();
    let mut disk = Disk::default();
    let (mut at, mut done) = (0, 0);
    for (run, moments) in traces.iter().enumerate() {
        for moment in moments {
            at += 1;
            match moment {
                Moment::Began { call, at_ms, act } => {
                    disk.began(*call, act);
                    known.hear(*at_ms, act);
                }
                Moment::Ended { call } => disk.ended(*call),
            }
            // Evenly over the run.
            while done * (total as u64) < states * at as u64 && dice.between(0, 3) == 0 {
                let fates = [Fate::Lost, Fate::Kept, Fate::Prefix, Fate::Torn, Fate::Torn];
                let fate = fates[dice.between(0, 4) as usize];
                let found = disk.cut(fate, dice);
                known.check(
                    &found,
                    &format!("run {run}, moment {at} of {total}, {fate:?}"),
                    dice,
                );
                done += 1;
            }
        }
        disk.process_ended();
    }
    (done, known.admitted_total())
}
