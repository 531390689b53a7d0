//! A disk that fills up and is emptied again, under the real process: a small file system in memory, which only root may make.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::harness::{Gateway, clear_of_midnight, on_directory, tell, wait_until};
use crate::http::{self, Reply, get};
use crate::upstream::Upstream;

/// A file system of a few MiB; it goes away with the value.
struct SmallDisk {
    place: tempfile::TempDir,
}

impl SmallDisk {
    /// None where this process may not mount one; says so.
    fn mount() -> Option<SmallDisk> {
        let place = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m,mode=0700", "tollgate-test"])
            .arg(place.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk { place });
        }
        tell("NOT RUN: a disk that fills up: only root can mount the small file system it needs");
        None
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.place.path().join("ballast")
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        for size in [1 << 16, 4096, 1] {
            let block = vec![1; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path: &Path = self.place.path();
        // Lazily, since a failed test may have left a process on it; nothing else can be done about a failure here.
        let _ = Command::new("umount").arg("-l").arg(path).status();
    }
}

fn ready(gateway: &Gateway) -> Reply {
    get(gateway.plane, "/readyz", &[])
}

#[test]
fn a_full_disk_costs_no_promise_and_heals() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    clear_of_midnight(Duration::from_secs(90));
    let mut gateway = Gateway::prepare_at(&disk.data(), "");
    gateway.start_again();
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "full");
    api.pass_on("", true, &upstream.url());
    api.mock("/open", "GET", false, "open");
    api.deploy("prod");
    let quota = |limit: u64| json!({ "quota": { "limit": limit, "period": "MONTH" } });
    let large = Plan::create(&control, &api, "prod", &quota(10_000));
    let small = Plan::create(&control, &api, "prod", &quota(32));
    let (busy, fresh, other) = (large.key("busy"), large.key("fresh"), small.key("other"));
    let target = api.target("prod", "/hit");
    let call = |key: &Key| http::get(gateway.data, &target, &[key.header()]);
    assert_eq!([call(&busy).status, call(&other).status], [200, 200]);
    let before = control.get("/apikeys?limit=500").ok(200);

    disk.fill();
    // Units that are reserved are spent; then 503 and never the quota's 429.
    let reserved = served_until_refused(|| call(&busy));
    assert!(
        (1..=10).contains(&reserved),
        "{reserved} of the 10 units of a reservation"
    );
    assert!(served_until_refused(|| call(&other)) <= 2);
    assert_eq!(served_until_refused(|| call(&fresh)), 0);
    assert_eq!(
        get(gateway.data, &api.target("prod", "/open"), &[]).status,
        200
    );
    let health = ready(&gateway);
    assert_eq!(
        (health.status, health.json()["status"].clone()),
        (503, json!("disk full"))
    );
    // Changes are refused in clear words, and lose nothing.
    let refused = control.post("/apikeys", &json!({ "name": "too much", "enabled": true }));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(
        refused.text().contains("disk is full"),
        "{}",
        refused.text()
    );
    assert_eq!(control.get("/apikeys?limit=500").ok(200), before);
    let (good, text) = on_directory(
        &gateway.data_dir(),
        &["backup", disk.place.path().join("backup").to_str().unwrap()],
    );
    assert!(
        !good && !disk.place.path().join("backup").exists(),
        "{text}"
    );

    disk.empty();
    wait_until("the gateway to be ready again", || {
        (ready(&gateway).status == 200).then_some(())
    });
    for key in [&busy, &fresh, &other] {
        assert_eq!(call(key).status, 200);
    }
    control
        .post("/apikeys", &json!({ "name": "now", "enabled": true }))
        .ok(201);
    // Nothing was lost on the way: exactly the quota, all in all.
    let with_other = |seen: &crate::upstream::Seen| seen.header("x-api-key") == Some(&other.value);
    while call(&other).status == 200 {}
    assert_eq!(call(&other).status, 429);
    assert_eq!(
        upstream
            .seen()
            .iter()
            .filter(|seen| with_other(seen))
            .count(),
        32
    );
    assert_eq!(small.usage(&other), Some((32, 0)));

    // A crash on a full disk, and a start on it: refused in words or served, and after that all is there.
    disk.fill();
    gateway.kill();
    let log = gateway.log().len();
    gateway.spawn();
    let served = wait_until("a start on a full disk to end one way or the other", || {
        let ready = http::Connection::open(gateway.plane).is_ok();
        (ready || gateway.exited().is_some()).then_some(ready)
    });
    if !served {
        let words = gateway.log()[log..].to_owned();
        assert!(
            words.contains("full") || words.contains("No space left"),
            "{words}"
        );
    }
    gateway.kill();
    disk.empty();
    gateway.start_again();
    assert_eq!(get(gateway.data, &target, &[other.header()]).status, 429);
    assert_eq!(get(gateway.data, &target, &[busy.header()]).status, 200);
    assert!(gateway.stop().success());
}

/// How many calls are served before the first 503, which must be one that says when to come again.
fn served_until_refused(call: impl Fn() -> Reply) -> usize {
    for served in 0.. {
        let reply = call();
        if reply.status == 503 {
            assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
            return served;
        }
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    unreachable!("counts do not end")
}
