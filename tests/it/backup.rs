//! `tollgate backup` and `tollgate restore`: of a running gateway and of a stopped one, and what is refused.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::harness::{
    Gateway, alone, clear_of_midnight, on_directory, run, tell, tollgate, wait_until, wrapped,
};
use crate::http::get;
use crate::load::{Load, Outcome};
use crate::upstream::Upstream;

/// A gateway with a plan of this quota.
struct Stand {
    gateway: Gateway,
    _upstream: Upstream,
    plan: Plan,
    target: String,
}

impl Stand {
    fn new(quota: u64) -> Stand {
        let gateway = Gateway::start();
        let upstream = Upstream::start();
        let control = gateway.control();
        let api = Api::create(&control, "backup");
        api.pass_on("", true, &upstream.url());
        api.deploy("prod");
        let limits = json!({ "quota": { "limit": quota, "period": "MONTH" } });
        Stand {
            plan: Plan::create(&control, &api, "prod", &limits),
            target: api.target("prod", "/hit"),
            _upstream: upstream,
            gateway,
        }
    }

    /// A name beside the data directory.
    fn beside(&self, name: &str) -> PathBuf {
        self.gateway.home().join(name)
    }

    #[track_caller]
    fn back_up(&self, name: &str) -> PathBuf {
        let target = self.beside(name);
        let (good, text) = on_directory(&self.gateway.data_dir(), &["backup", shown(&target)]);
        assert!(good && text.contains("is backed up in"), "{text}");
        target
    }

    fn call(&self, key: &Key) -> u16 {
        get(self.gateway.data, &self.target, &[key.header()]).status
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn refused(data_dir: &Path, words: &[&str], why: &str) {
    let (good, text) = on_directory(data_dir, words);
    assert!(!good && text.contains(why), "{text}");
}

#[test]
fn a_backup_under_load_is_whole_and_restored_with_its_windows_closed() {
    let _load = alone();
    clear_of_midnight(Duration::from_secs(60));
    let mut stand = Stand::new(1_000_000);
    let keys: Vec<(Key, u64)> = (0..20).map(|_| (stand.plan.key("customer"), 1)).collect();
    let idle = stand.plan.key("idle");
    let load = Load {
        address: stand.gateway.data,
        target: &stand.target,
        keys: &keys,
        connections: 8,
        seed: 7,
    };
    let (over, ended) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (backup, late, seen) = std::thread::scope(|scope| {
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
        more(500);
        let backup = stand.back_up("online");
        let late = stand.plan.key("late"); // after the backup: not in it
        more(500);
        over.store(true, Ordering::SeqCst);
        (backup, late, firing.join().unwrap())
    });
    let refused = seen.iter().find(|shot| shot.outcome != Outcome::Served);
    assert!(refused.is_none(), "the backup cost a call: {refused:?}");
    private(&backup);
    assert!(stand.gateway.stop().success());

    // The disk is lost; the restored directory takes its place.
    std::fs::remove_dir_all(stand.gateway.data_dir()).unwrap();
    let (good, text) = on_directory(&stand.gateway.data_dir(), &["restore", shown(&backup)]);
    assert!(
        good && text.contains("21 open quota windows are closed"),
        "{text}"
    );
    stand.gateway.start_again();
    let control = stand.gateway.control();
    for (key, _) in keys.iter().chain([&(idle.clone(), 1)]) {
        let kept = control
            .get(&format!("/apikeys/{}?includeValue=true", key.id))
            .ok(200);
        assert_eq!(kept["value"], json!(key.value));
        assert_eq!(stand.call(key), 429, "units were given away twice");
    }
    assert_eq!(stand.call(&late), 403);
    for (index, (key, _)) in keys.iter().enumerate() {
        let calls = seen.iter().filter(|shot| shot.key == index).count() as i64;
        let (used, remaining) = stand.plan.usage(key).unwrap();
        assert!(
            used <= calls && remaining == 0,
            "{used} of {calls} used, {remaining} left"
        );
    }
    // What is opened again is there, no more and no less, and new keys have their whole quota.
    let path = format!("{}/keys/{}/usage", stand.plan.path(), idle.id);
    control
        .patch(&path, &[("replace", "/remaining", "2")])
        .ok(200);
    assert_eq!([(); 3].map(|()| stand.call(&idle)), [200, 200, 429]);
    let new = stand.plan.key("new");
    assert_eq!(stand.call(&new), 200);
}

/// Nobody but the owner can read anything of it.
fn private(backup: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(backup), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(backup).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "backup.json",
            "config.db",
            "credentials",
            "master.key",
            "usage.db"
        ]
    );
}

#[test]
fn a_stopped_gateway_is_backed_up_and_may_keep_what_was_left() {
    clear_of_midnight(Duration::from_secs(60));
    let mut stand = Stand::new(5);
    let key = stand.plan.key("customer");
    assert_eq!([(); 3].map(|()| stand.call(&key)), [200, 200, 200]);
    assert!(stand.gateway.stop().success());
    let backup = stand.back_up("stopped");
    let data = stand.gateway.data_dir();
    refused(
        &data,
        &["restore", shown(&backup)],
        "is not empty; --replace",
    );
    let words = ["restore", shown(&backup), "--replace", "--keep-remaining"];
    let (good, text) = on_directory(&data, &words);
    assert!(
        good && text.contains("WARNING: what was admitted since"),
        "{text}"
    );
    let (_, aside) = text.split_once("What was there before is in ").unwrap();
    let aside = PathBuf::from(aside.trim().trim_end_matches('.'));
    assert!(aside.join("config.db").is_file() && aside.join("usage.db").is_file());
    stand.gateway.start_again();
    assert_eq!([(); 3].map(|()| stand.call(&key)), [200, 200, 429]);
}

#[test]
fn a_restore_gives_no_free_burst() {
    let mut stand = Stand::new(1_000);
    let control = stand.gateway.control();
    let operations = [
        ("add", "/throttle/rateLimit", "0.001"),
        ("add", "/throttle/burstLimit", "3"),
    ];
    control.patch(&stand.plan.path(), &operations).ok(200);
    let key = stand.plan.key("patient");
    let backup = stand.back_up("before");
    assert_eq!([(); 4].map(|()| stand.call(&key)), [200, 200, 200, 429]);
    assert!(stand.gateway.stop().success());
    let words = ["restore", shown(&backup), "--replace", "--keep-remaining"];
    assert!(on_directory(&stand.gateway.data_dir(), &words).0);
    stand.gateway.start_again();
    assert_eq!(stand.call(&key), 429, "the burst came back with the backup");
}

#[test]
fn what_is_no_whole_backup_is_refused_and_leaves_the_directory_alone() {
    let mut stand = Stand::new(10);
    let key = stand.plan.key("customer");
    let data = stand.gateway.data_dir();
    let backup = stand.back_up("good");
    refused(&data, &["backup", shown(&backup)], "exists already");
    let nowhere = stand.beside("nowhere");
    refused(
        &nowhere,
        &["backup", shown(&stand.beside("x"))],
        "it is no data directory",
    );
    assert!(!nowhere.exists() && !stand.beside("x").exists());
    refused(
        &data,
        &["restore", shown(&backup), "--replace"],
        "in use by another process",
    );
    assert!(stand.gateway.stop().success());

    // One that was cut off before its end.
    let cut = stand.beside("cut");
    copy(&backup, &cut);
    std::fs::remove_file(cut.join("backup.json")).unwrap();
    refused(
        &data,
        &["restore", shown(&cut), "--replace"],
        "is not a whole backup",
    );
    // One with a bit that is not what it was, in each of its files.
    for name in ["config.db", "usage.db", "master.key"] {
        let bad = stand.beside(&format!("bad-{name}"));
        copy(&backup, &bad);
        let mut bytes = std::fs::read(bad.join(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(bad.join(name), bytes).unwrap();
        refused(&data, &["restore", shown(&bad), "--replace"], "is damaged");
    }
    stand.gateway.start_again();
    assert_eq!(stand.call(&key), 200);
}

#[test]
fn a_restore_that_cannot_write_its_copy_leaves_the_directory_alone() {
    let mut stand = Stand::new(10);
    let key = stand.plan.key("customer");
    let backup = stand.back_up("good");
    let data = stand.gateway.data_dir();
    assert!(stand.gateway.stop().success());
    // No file may become longer than a few KiB: a write fails in the middle, as on a full disk.
    let mut command = tollgate();
    command
        .args(["restore", shown(&backup), "--replace", "--data-dir"])
        .arg(&data);
    let limit = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let words = ["sh", "-c", limit, "sh"].map(String::from);
    let (status, text) = run(&mut wrapped(command, &words));
    assert!(
        !status.success() && text.contains("restoring/config.db cannot be written"),
        "{text}"
    );
    let names = std::fs::read_dir(&data).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let is_left = |name: &&std::ffi::OsString| name.to_string_lossy().contains("restor");
    assert_eq!(names.iter().find(is_left), None);
    stand.gateway.start_again();
    assert_eq!(stand.call(&key), 200);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Everything below a directory that does not belong to this user.
fn not_owned(dir: &Path, uid: u32, found: &mut Vec<PathBuf>) {
    use std::os::unix::fs::MetadataExt;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let told = path.symlink_metadata().unwrap();
        if told.uid() != uid {
            found.push(path.clone());
        }
        if told.is_dir() {
            not_owned(&path, uid, found);
        }
    }
}

#[test]
fn what_root_does_to_a_directory_stays_its_owners() {
    const SERVICE: u32 = 54_321;
    let mut stand = Stand::new(10);
    let key = stand.plan.key("customer");
    let data = stand.gateway.data_dir();
    let backup = stand.back_up("good");
    assert!(stand.gateway.stop().success());
    let mut give = std::process::Command::new("chown");
    let given = give.args(["-R", &SERVICE.to_string()]).arg(&data).output();
    if !given.is_ok_and(|output| output.status.success()) {
        tell(
            "NOT RUN: what root does to a data directory stays its owner's: this user is not root",
        );
        return;
    }
    let owners = |after: &str| {
        let mut others = Vec::new();
        not_owned(&data, SERVICE, &mut others);
        assert_eq!(others, Vec::<PathBuf>::new(), "after {after}");
    };
    std::fs::remove_file(data.join("lock")).unwrap();
    assert!(on_directory(&data, &["rotate-master-key"]).0);
    owners("rotate-master-key");
    assert!(on_directory(&data, &["restore", shown(&backup), "--replace"]).0);
    owners("restore");
    assert!(std::fs::read_dir(&data).unwrap().count() > 5);
    std::fs::remove_file(data.join("usage.db")).unwrap();
    assert!(on_directory(&data, &["new-ledger", "--open-windows"]).0);
    owners("new-ledger");
    stand.gateway.start_again();
    assert_eq!(stand.call(&key), 200);
}

#[test]
fn a_backup_itself_is_not_served_and_its_name_may_end_with_a_slash() {
    let mut stand = Stand::new(10);
    let target = stand.beside("slash");
    let words = ["backup", &format!("{}/", shown(&target))];
    let (good, text) = on_directory(&stand.gateway.data_dir(), &words);
    assert!(good, "{text}");
    assert!(stand.gateway.stop().success());
    for words in [&["serve"][..], &["rotate-master-key"], &["new-ledger"]] {
        refused(&target, words, "tollgate restore");
    }
    assert!(!target.join("lock").exists());
    assert!(
        on_directory(
            &stand.gateway.data_dir(),
            &["restore", shown(&target), "--replace"]
        )
        .0
    );
}

#[test]
fn a_lost_ledger_is_not_begun_anew_by_itself() {
    clear_of_midnight(Duration::from_secs(60));
    let mut stand = Stand::new(3);
    let key = stand.plan.key("customer");
    assert_eq!([(); 4].map(|()| stand.call(&key)), [200, 200, 200, 429]);
    let data = stand.gateway.data_dir();
    refused(&data, &["new-ledger"], "in use by another process");
    assert!(stand.gateway.stop().success());
    refused(&data, &["new-ledger"], "usage.db is there");
    let ledger = data.join("usage.db");
    let whole = std::fs::read(&ledger).unwrap();
    let refuses = |gateway: &Gateway| {
        let (status, text) = run(&mut gateway.command());
        assert!(
            !status.success() && text.contains("tollgate new-ledger"),
            "{text}"
        );
    };
    std::fs::remove_file(&ledger).unwrap();
    refuses(&stand.gateway);
    std::fs::write(&ledger, "").unwrap();
    refuses(&stand.gateway);
    refused(&data, &["backup", shown(&stand.beside("none"))], "usage.db");
    // One that was cut off before its windows were closed.
    std::fs::write(&ledger, &whole).unwrap();
    std::fs::write(data.join("ledger.unfinished"), "").unwrap();
    refuses(&stand.gateway);
    let (good, text) = on_directory(&data, &["new-ledger"]);
    assert!(good && text.contains("1 open quota windows"), "{text}");
    stand.gateway.start_again();
    assert_eq!(stand.call(&key), 429);
    assert!(stand.gateway.stop().success());
    std::fs::remove_file(&ledger).unwrap();
    let (good, text) = on_directory(&data, &["new-ledger", "--open-windows"]);
    assert!(good && text.contains("given away again"), "{text}");
    stand.gateway.start_again();
    assert_eq!(stand.call(&key), 200);
}
