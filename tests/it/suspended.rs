//! A process that is stopped for a while and goes on: limits hold, and nobody takes its data directory meanwhile.
//!
//! `SUSPENDED_S` sets for how long (2 seconds unless set).

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::bound::worst_excess;
use crate::harness::{Gateway, alone, free_address, run, setting, tollgate, wait_until};
use crate::load::{Account, Load, Outcome};
use crate::upstream::Upstream;

#[test]
fn limits_hold_over_a_suspension() {
    let _load = alone();
    let pause = Duration::from_secs(setting("SUSPENDED_S", 2));
    let gateway = Gateway::start();
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "suspended");
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let (rate, burst, quota) = (100.0, 50.0, 3_000);
    let throttle = json!({ "rateLimit": rate, "burstLimit": burst as u64 });
    let throttled = Plan::create(&control, &api, "prod", &json!({ "throttle": throttle }));
    let limited = json!({ "quota": { "limit": quota, "period": "MONTH" } });
    let limited = Plan::create(&control, &api, "prod", &limited);
    let keys: Vec<(Key, u64)> = vec![(throttled.key("eager"), 1), (limited.key("counted"), 1)];
    let target = api.target("prod", "/hit");
    let (origin, over, ended) = (Instant::now(), AtomicBool::new(false), AtomicUsize::new(0));
    let load = Load {
        address: gateway.data,
        target: &target,
        keys: &keys,
        connections: 16,
        seed: 3,
    };
    let shots = std::thread::scope(|scope| {
        let firing = scope.spawn(|| {
            load.fire(|_| {
                ended.fetch_add(1, Ordering::SeqCst);
                !over.load(Ordering::SeqCst)
            })
        });
        let more = |count: usize| {
            let from = ended.load(Ordering::SeqCst);
            wait_until("calls", || {
                (ended.load(Ordering::SeqCst) >= from + count).then_some(())
            });
        };
        for _ in 0..3 {
            more(300);
            gateway.signal("STOP");
            std::thread::sleep(pause); // the suspension itself, not a wait for anything
            gateway.signal("CONT");
        }
        more(8_000);
        over.store(true, Ordering::SeqCst);
        firing.join().unwrap()
    });
    let account = Account::new(&shots, &upstream.seen());
    let only = |key: usize| -> Vec<_> {
        let all = account.admitted(key).into_iter();
        let seconds = |at: Instant| at.duration_since(origin).as_secs_f64();
        all.map(|(shot, at)| crate::bound::Admitted {
            sent_s: seconds(shot.sent),
            arrived_s: seconds(at),
        })
        .collect()
    };
    let excess = worst_excess(&only(0), rate, burst);
    assert!(excess < 1e-3, "{excess} over the throttle");
    assert_eq!(account.admitted(1).len(), quota);
    assert!(account.outcomes(1).contains(&Outcome::Exhausted));
    assert_eq!(limited.usage(&keys[1].0), Some((quota as i64, 0)));
}

#[test]
fn a_second_process_is_refused_while_the_first_is_suspended_and_by_any_path() {
    let gateway = Gateway::start();
    let link = gateway.home().join("link");
    std::os::unix::fs::symlink(gateway.data_dir(), &link).unwrap();
    let dotted = gateway.data_dir().join("..").join("data");
    gateway.signal("STOP");
    for path in [gateway.data_dir(), link, dotted] {
        for words in [&["serve"][..], &["rotate-master-key"]] {
            let mut command: Command = tollgate();
            command.args(words).arg("--data-dir").arg(&path);
            for plane in ["--data-plane", "--control-plane"] {
                command.args([plane, &free_address().to_string()]);
            }
            let (status, text) = run(&mut command);
            let held = "is in use by another process (pid ";
            assert!(
                !status.success() && text.contains(held),
                "{words:?} {path:?}: {text}"
            );
        }
    }
    gateway.signal("CONT");
    gateway.control().get("/account").ok(200);
}
