//! Quotas are exact and throttles hold over every interval, whatever races with what.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::bound::worst_excess;
use crate::control::Control;
use crate::harness::{Gateway, alone, clear_of_midnight, wait_until};
use crate::load::{Account, Load, Outcome, Shot};
use crate::upstream::Upstream;

const QUOTA: usize = 10_000;

/// The longest any of these loads may take.
const LOAD_MAX: Duration = Duration::from_secs(120);

/// A gateway with one keyed API in front of an upstream, deployed to `prod`.
struct Stand {
    gateway: Gateway,
    upstream: Upstream,
    control: Control,
    api: Api,
    target: String,
}

impl Stand {
    fn new() -> Stand {
        // Eight times the default: a machine that is busy with other things must not decide these tests, while calls
        // that starve at the back of a queue would still be seen.
        let gateway = Gateway::start_with("quota_wait_timeout_ms = 2000\n");
        let upstream = Upstream::start();
        let control = gateway.control();
        let api = Api::create(&control, "exact");
        api.pass_on("", true, &upstream.url());
        api.deploy("prod");
        let target = api.target("prod", "/hit");
        Stand {
            gateway,
            upstream,
            control,
            api,
            target,
        }
    }

    fn plan(&self, limits: &serde_json::Value) -> Plan {
        Plan::create(&self.control, &self.api, "prod", limits)
    }

    fn load<'a>(&'a self, keys: &'a [(Key, u64)], connections: usize) -> Load<'a> {
        Load {
            address: self.gateway.data,
            target: &self.target,
            keys,
            connections,
            seed: 1,
        }
    }
}

#[test]
fn sixty_four_connections_get_exactly_the_quota() {
    let _load = alone();
    clear_of_midnight(LOAD_MAX);
    let stand = Stand::new();
    let plan = stand.plan(&json!({ "quota": { "limit": QUOTA, "period": "DAY" } }));
    let keys = [(plan.key("racer"), 1)];
    let shots = stand
        .load(&keys, 64)
        .fire(|shot| shot.outcome == Outcome::Served);
    let account = Account::new(&shots, &stand.upstream.seen());
    assert_eq!(
        account.outcomes(0),
        HashSet::from([Outcome::Served, Outcome::Exhausted])
    );
    let admitted = account.admitted(0);
    assert_eq!(admitted.len(), QUOTA);
    let last_sent = admitted.iter().map(|(shot, _)| shot.sent).max().unwrap();
    let early = shots
        .iter()
        .find(|shot| shot.outcome == Outcome::Exhausted && shot.ended < last_sent);
    assert!(
        early.is_none(),
        "refused before all {QUOTA} were sent: {early:?}"
    );
    assert_eq!(plan.usage(&keys[0].0), Some((QUOTA as i64, 0)));
}

#[test]
fn two_hundred_connections_share_a_small_quota_without_waiting_in_vain() {
    let _load = alone();
    clear_of_midnight(LOAD_MAX);
    let stand = Stand::new();
    let plan = stand.plan(&json!({ "quota": { "limit": 1_000, "period": "DAY" } }));
    let keys = [(plan.key("crowd"), 1)];
    let shots = stand
        .load(&keys, 200)
        .fire(|shot| shot.outcome == Outcome::Served);
    let account = Account::new(&shots, &stand.upstream.seen());
    let fair = HashSet::from([Outcome::Served, Outcome::Exhausted]);
    assert_eq!(account.outcomes(0), fair);
    assert_eq!(account.admitted(0).len(), 1_000);
}

#[test]
fn a_quota_given_to_a_plan_in_use_counts_every_call_before_it() {
    let _load = alone();
    clear_of_midnight(LOAD_MAX);
    for round in 0..4 {
        let stand = Stand::new();
        let plan = stand.plan(&json!({}));
        let keys = [(plan.key("early"), 1)];
        let served = AtomicUsize::new(0);
        let watch = |shot: &Shot| {
            served.fetch_add(1, Ordering::SeqCst);
            shot.outcome == Outcome::Served
        };
        let (shots, limit) = std::thread::scope(|scope| {
            let load = scope.spawn(|| stand.load(&keys, 16).fire(watch));
            wait_until("calls without a quota", || {
                (served.load(Ordering::SeqCst) > 300).then_some(())
            });
            // Far enough ahead that it is not used up before it holds.
            let limit = served.load(Ordering::SeqCst) + 8_000;
            let quota = [
                ("replace", "/quota/limit", &*limit.to_string()),
                ("replace", "/quota/period", "DAY"),
            ];
            stand.control.patch(&plan.path(), &quota).ok(200);
            (load.join().unwrap(), limit)
        });
        let account = Account::new(&shots, &stand.upstream.seen());
        assert_eq!(account.admitted(0).len(), limit, "round {round}");
        assert_eq!(plan.usage(&keys[0].0), Some((limit as i64, 0)));
    }
}

#[test]
fn the_quota_is_exact_while_limits_keys_and_deployments_change() {
    let _load = alone();
    clear_of_midnight(LOAD_MAX);
    let stand = Stand::new();
    let plan = stand.plan(&json!({ "quota": { "limit": QUOTA, "period": "DAY" }, "throttle": { "rateLimit": 1e6, "burstLimit": 100_000 } }));
    let keys = [(plan.key("first"), 1), (plan.key("second"), 1)];
    let over = AtomicBool::new(false);
    let exhausted = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let watch = |shot: &Shot| {
        if shot.outcome == Outcome::Exhausted {
            exhausted[shot.key].fetch_add(1, Ordering::SeqCst);
        }
        !over.load(Ordering::SeqCst)
    };
    let (shots, lowered, deployments) = std::thread::scope(|scope| {
        let load = scope.spawn(|| stand.load(&keys, 64).fire(watch));
        let redeployed = scope.spawn(|| redeploy_until(&stand.api, &over));
        let lowered = churn(&stand, &plan, &keys, &exhausted);
        over.store(true, Ordering::SeqCst);
        (load.join().unwrap(), lowered, redeployed.join().unwrap())
    });
    assert!(
        deployments > 3,
        "only {deployments} deployments during the load"
    );
    let account = Account::new(&shots, &stand.upstream.seen());
    for (key, (owner, _)) in keys.iter().enumerate() {
        let allowed = [Outcome::Served, Outcome::Exhausted, Outcome::Forbidden];
        assert!(
            account
                .outcomes(key)
                .iter()
                .all(|outcome| allowed.contains(outcome)),
            "{:?}",
            account.outcomes(key)
        );
        assert_eq!(account.admitted(key).len(), QUOTA, "key {key}");
        assert_eq!(plan.usage(owner), Some((QUOTA as i64, 0)));
        for stretch in &lowered {
            stretch.check(&account.admitted(key));
        }
    }
}

/// A time in which the plan's limit was known to be lower.
struct Lowered {
    limit: usize,
    acknowledged: Instant,
    raising: Instant,
}

impl Lowered {
    /// If anything was certainly admitted meanwhile, no more than the limit had been admitted by then.
    fn check(&self, admitted: &[(Shot, Instant)]) {
        let inside = admitted
            .iter()
            .filter(|(shot, at)| shot.sent > self.acknowledged && *at < self.raising)
            .count();
        let by_its_end = admitted.iter().filter(|(_, at)| *at < self.raising).count();
        assert!(
            inside == 0 || by_its_end <= self.limit,
            "{inside} admitted over the lowered limit of {}: {by_its_end} in all",
            self.limit
        );
    }
}

fn redeploy_until(api: &Api, over: &AtomicBool) -> usize {
    let mut deployments = 0;
    while !over.load(Ordering::SeqCst) {
        api.deploy("prod");
        deployments += 1;
    }
    deployments
}

/// Lowers and raises the quota, changes throttles, disables and enables keys while calls come in; ends when both keys are used up.
fn churn(
    stand: &Stand,
    plan: &Plan,
    keys: &[(Key, u64)],
    exhausted: &[AtomicUsize; 2],
) -> Vec<Lowered> {
    let mut lowered = Vec::new();
    for (round, limit) in [1_500, 3_000, 5_000, 8_000].into_iter().enumerate() {
        plan.set("/quota/limit", &limit.to_string());
        let acknowledged = Instant::now();
        // Every connection must have met the lowered limit before it is raised again.
        let before = exhausted
            .each_ref()
            .map(|count| count.load(Ordering::SeqCst));
        wait_until("the lowered limit to be reached", || {
            (0..2)
                .all(|key| exhausted[key].load(Ordering::SeqCst) > before[key] + 64)
                .then_some(())
        });
        lowered.push(Lowered {
            limit,
            acknowledged,
            raising: Instant::now(),
        });
        plan.set("/quota/limit", &(limit + 500).to_string());
        disable_and_enable(stand, &keys[round % 2].0);
        plan.set("/throttle/burstLimit", &(50_000 + limit).to_string());
    }
    plan.set("/quota/limit", &QUOTA.to_string());
    let before = exhausted
        .each_ref()
        .map(|count| count.load(Ordering::SeqCst));
    wait_until("both keys to be used up", || {
        let refused = (0..2).all(|key| exhausted[key].load(Ordering::SeqCst) > before[key] + 64);
        (refused && stand.upstream.count() >= 2 * QUOTA).then_some(())
    });
    lowered
}

/// While a key is disabled, nothing sent after the acknowledgement reaches the upstream.
fn disable_and_enable(stand: &Stand, key: &Key) {
    key.set_enabled(&stand.control, false);
    let probes = [(key.clone(), 1)];
    let shots = AtomicUsize::new(0);
    let probed = stand
        .load(&probes, 8)
        .fire(|_| shots.fetch_add(1, Ordering::SeqCst) < 80);
    assert!(
        probed.iter().all(|shot| shot.outcome == Outcome::Forbidden),
        "a disabled key was let through"
    );
    key.set_enabled(&stand.control, true);
}

#[test]
fn nothing_is_admitted_after_a_disabling_is_acknowledged() {
    let _load = alone();
    let stand = Stand::new();
    let plan = stand.plan(&json!({}));
    let keys = [(plan.key("on-and-off"), 1)];
    let over = AtomicBool::new(false);
    let (shots, disabled) = std::thread::scope(|scope| {
        let load = scope.spawn(|| stand.load(&keys, 16).fire(|_| !over.load(Ordering::SeqCst)));
        let mut disabled = Vec::new();
        for round in 1..=20 {
            let before = stand.upstream.count();
            wait_until("calls to go through", || {
                (stand.upstream.count() > before + 50).then_some(())
            });
            keys[0].0.set_enabled(&stand.control, false);
            let acknowledged = Instant::now();
            // A round trip of the control plane is long enough for many calls on 16 connections.
            stand.control.get("/account").ok(200);
            disabled.push((acknowledged, Instant::now()));
            keys[0].0.set_enabled(&stand.control, true);
            assert_eq!(disabled.len(), round);
        }
        over.store(true, Ordering::SeqCst);
        (load.join().unwrap(), disabled)
    });
    let account = Account::new(&shots, &stand.upstream.seen());
    assert!(
        account
            .outcomes(0)
            .is_subset(&HashSet::from([Outcome::Served, Outcome::Forbidden])),
        "{:?}",
        account.outcomes(0)
    );
    for (acknowledged, enabling) in disabled {
        let late = account
            .admitted(0)
            .into_iter()
            .filter(|(shot, at)| shot.sent > acknowledged && *at < enabling)
            .count();
        assert_eq!(late, 0, "admitted after the acknowledgement");
    }
}

#[test]
fn a_throttle_holds_over_every_interval() {
    let _load = alone();
    let stand = Stand::new();
    let (rate, burst) = (300.0, 60.0);
    let plan =
        stand.plan(&json!({ "throttle": { "rateLimit": rate, "burstLimit": burst as u64 } }));
    let keys = [(plan.key("eager"), 1)];
    let origin = Instant::now();
    let shots = stand.load(&keys, 32).fire(|_| stand.upstream.count() < 900);
    let account = Account::new(&shots, &stand.upstream.seen());
    assert_eq!(
        account.outcomes(0),
        HashSet::from([Outcome::Served, Outcome::Throttled])
    );
    let excess = worst_excess(&account.intervals(origin), rate, burst);
    assert!(excess < 1e-3, "{excess} over the bound");
}

#[test]
fn changing_a_throttle_gives_no_free_burst() {
    let _load = alone();
    let stand = Stand::new();
    let (rate, burst) = (200.0, 100.0);
    let plan =
        stand.plan(&json!({ "throttle": { "rateLimit": rate, "burstLimit": burst as u64 } }));
    let keys = [(plan.key("eager"), 1)];
    let origin = Instant::now();
    let over = AtomicBool::new(false);
    let shots = std::thread::scope(|scope| {
        let load = scope.spawn(|| stand.load(&keys, 32).fire(|_| !over.load(Ordering::SeqCst)));
        for round in 0..12 {
            let before = stand.upstream.count();
            wait_until("calls to go through", || {
                (stand.upstream.count() > before + 20).then_some(())
            });
            // Every edit lowers or restores a limit; none ever exceeds what the bound below allows.
            let (path, low, high) = if round % 2 == 0 {
                ("/throttle/burstLimit", "10", "100")
            } else {
                ("/throttle/rateLimit", "50", "200")
            };
            plan.set(path, low);
            plan.set(path, high);
        }
        over.store(true, Ordering::SeqCst);
        load.join().unwrap()
    });
    let account = Account::new(&shots, &stand.upstream.seen());
    let excess = worst_excess(&account.intervals(origin), rate, burst);
    assert!(excess < 1e-3, "{excess} over the bound");
}

#[test]
fn a_quota_spans_the_stages_of_a_plan_and_no_other_key() {
    clear_of_midnight(Duration::from_secs(30));
    let stand = Stand::new();
    stand.api.deploy("beta");
    let plan = stand.plan(&json!({ "quota": { "limit": 6, "period": "DAY" } }));
    stand
        .control
        .patch(
            &plan.path(),
            &[("add", "/apiStages", &format!("{}:beta", stand.api.id))],
        )
        .ok(200);
    let (first, second) = (plan.key("first"), plan.key("second"));
    let beta = stand.api.target("beta", "/hit");
    for _ in 0..3 {
        crate::http::get(stand.gateway.data, &stand.target, &[first.header()]).ok_status(200);
        crate::http::get(stand.gateway.data, &beta, &[first.header()]).ok_status(200);
    }
    crate::http::get(stand.gateway.data, &beta, &[first.header()]).ok_status(429);
    crate::http::get(stand.gateway.data, &stand.target, &[second.header()]).ok_status(200);
    assert_eq!(plan.usage(&first), Some((6, 0)));
    assert_eq!(plan.usage(&second), Some((1, 5)));
}

#[test]
fn a_throttled_call_takes_nothing_from_the_quota() {
    clear_of_midnight(Duration::from_secs(30));
    let stand = Stand::new();
    let plan = stand.plan(&json!({ "throttle": { "rateLimit": 0.001, "burstLimit": 2 }, "quota": { "limit": 10, "period": "WEEK" } }));
    let key = plan.key("hasty");
    let statuses: Vec<u16> = (0..6)
        .map(|_| crate::http::get(stand.gateway.data, &stand.target, &[key.header()]).status)
        .collect();
    assert_eq!(statuses, [200, 200, 429, 429, 429, 429]);
    assert_eq!(plan.usage(&key), Some((2, 8)));
}

#[test]
fn detaching_a_key_does_not_reset_its_quota() {
    clear_of_midnight(Duration::from_secs(30));
    let stand = Stand::new();
    let plan = stand.plan(&json!({ "quota": { "limit": 2, "period": "MONTH" } }));
    let key = plan.key("sly");
    let call = || crate::http::get(stand.gateway.data, &stand.target, &[key.header()]).status;
    assert_eq!([call(), call(), call()], [200, 200, 429]);
    plan.detach(&key);
    assert_eq!(call(), 403);
    plan.attach(&key);
    assert_eq!(call(), 429);
    // Nor does a change of the period reset it.
    stand
        .control
        .patch(&plan.path(), &[("replace", "/quota/period", "WEEK")])
        .ok(200);
    assert_eq!(call(), 429);
}
