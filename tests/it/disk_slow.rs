//! A disk that stalls, and one whose sync fails and then succeeds: strace injects both into the real process.

use std::time::Duration;

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::harness::{Gateway, can_trace, clear_of_midnight, wait_until};
use crate::http::{self, Reply, get};
use crate::upstream::Upstream;

/// Calls that are made on units reserved before the stall.
const CALLS: usize = 200;

struct Stand {
    gateway: Gateway,
    upstream: Upstream,
    target: String,
    /// Spends slowly: 200 calls are less than half of one reservation.
    large: (Plan, Key),
    small: (Plan, Key),
    fresh: Key,
}

impl Stand {
    /// A gateway that was set up, stopped, and runs again with what strace injects into calls on the ledger's log.
    fn new(inject: &str) -> Stand {
        clear_of_midnight(Duration::from_secs(60));
        let mut gateway = Gateway::start();
        let upstream = Upstream::start();
        let control = gateway.control();
        let api = Api::create(&control, "slow");
        api.pass_on("", true, &upstream.url());
        api.mock("/open", "GET", false, "open");
        api.deploy("prod");
        let plan = |limit: u64| {
            let limits = json!({ "quota": { "limit": limit, "period": "MONTH" } });
            let plan = Plan::create(&control, &api, "prod", &limits);
            let key = plan.key("customer");
            (plan, key)
        };
        let (large, small) = (plan(1_000_000), plan(32));
        let fresh = large.0.key("fresh");
        assert!(gateway.stop().success());
        let log = gateway.data_dir().join("usage.db-wal");
        let words = [
            "strace",
            "-D",
            "-f",
            "-o",
            "/dev/null",
            "-P",
            log.to_str().unwrap(),
            "-e",
            "trace=fsync,pwrite64",
            "-e",
            inject,
        ];
        gateway.wrapper = words.map(str::to_owned).to_vec();
        gateway.start_again();
        gateway.wrapper.clear();
        let target = api.target("prod", "/hit");
        Stand {
            gateway,
            upstream,
            target,
            large,
            small,
            fresh,
        }
    }

    fn call(&self, key: &Key) -> Reply {
        http::get(self.gateway.data, &self.target, &[key.header()])
    }

    /// Calls until one is served; only 503 may come before.
    fn call_until_served(&self, key: &Key) {
        wait_until("a call to be served", || {
            let status = self.call(key).status;
            assert!(status == 200 || status == 503, "{status}");
            (status == 200).then_some(())
        });
    }

    fn ready(&self) -> (u16, serde_json::Value) {
        let reply = get(self.gateway.plane, "/readyz", &[]);
        (reply.status, reply.json()["status"].clone())
    }
}

#[test]
fn a_stalled_disk_delays_only_who_has_nothing_reserved() {
    if !can_trace("a stalled disk") {
        return;
    }
    // Every sync of the ledger's log takes a second.
    let mut stand = Stand::new("inject=fsync:delay_enter=1000000");
    stand.call_until_served(&stand.large.1.clone());
    // The reservation of a key that never called is under way now, and stalled: it waits and is told to come again.
    let waited = stand.call(&stand.fresh);
    assert_eq!(waited.status, 503, "{}", waited.text());
    assert!(waited.header("retry-after").is_some());
    for call in 0..CALLS {
        assert_eq!(
            stand.call(&stand.large.1).status,
            200,
            "call {call} on reserved units"
        );
    }
    // The control plane does not wait for the ledger either.
    let control = stand.gateway.control();
    stand.fresh.set_enabled(&control, false);
    assert_eq!(stand.call(&stand.fresh).status, 403);
    stand.fresh.set_enabled(&control, true);
    stand.call_until_served(&stand.fresh.clone());
    assert_eq!(stand.ready(), (200, json!("ready")));
    assert!(stand.gateway.stop().success());
    stand.gateway.start_again();
    let served = stand.upstream.seen();
    let of = |key: &Key| {
        served
            .iter()
            .filter(|s| s.header("x-api-key") == Some(&key.value))
            .count()
    };
    let (plan, key) = &stand.large;
    assert_eq!(plan.usage(key).unwrap().0 as usize, of(key));
    assert_eq!(
        plan.usage(&stand.fresh).unwrap().0 as usize,
        of(&stand.fresh)
    );
}

#[test]
fn a_sync_that_fails_and_then_succeeds_is_not_believed() {
    fails("inject=fsync:error=EIO:when=3");
}

#[test]
fn a_write_that_fails_is_not_tried_again() {
    fails("inject=pwrite64:error=EIO:when=12");
}

/// One failure of the ledger's log, after which the disk is as good as ever: nothing more is reserved until a restart,
/// which rewrites the ledger, and no unit is given twice.
fn fails(inject: &str) {
    if !can_trace("a disk that fails") {
        return;
    }
    let mut stand = Stand::new(inject);
    let small = stand.small.1.clone();
    let statuses: Vec<u16> = (0..40).map(|_| stand.call(&small).status).collect();
    assert!(
        statuses.contains(&503),
        "the injected failure was not met: {statuses:?}"
    );
    assert!(!statuses.contains(&429), "{statuses:?}");
    let first_503 = statuses.iter().position(|status| *status == 503);
    let after = &statuses[first_503.unwrap()..];
    assert!(
        after.iter().all(|status| *status == 503),
        "it reserves again: {statuses:?}"
    );
    assert_eq!(stand.ready(), (503, json!("ledger poisoned")));
    let open = stand.target.replace("/hit", "/open");
    assert_eq!(get(stand.gateway.data, &open, &[]).status, 200);
    stand.gateway.kill();
    let log = stand.gateway.log().len();
    stand.gateway.start_again();
    assert!(stand.gateway.log()[log..].contains("it is rewritten"));
    assert_eq!(stand.ready(), (200, json!("ready")));
    while stand.call(&small).status == 200 {}
    assert_eq!(stand.call(&small).status, 429);
    let seen = stand.upstream.seen();
    let admitted = seen
        .iter()
        .filter(|s| s.header("x-api-key") == Some(&small.value))
        .count();
    assert!(
        (32 - 2..=32).contains(&admitted),
        "{admitted} of 32: one crash may write off 2"
    );
}
