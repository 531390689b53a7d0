//! `tollgate rotate-master-key`: everything opens with the new key, nothing with the old one, and no key stops working.

use std::path::Path;

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::harness::{Gateway, on_directory, run, tollgate};
use crate::http::get;

fn key_file(data: &Path) -> String {
    std::fs::read_to_string(data.join("master.key")).unwrap()
}

#[test]
fn a_rotated_directory_opens_with_the_new_key_only() {
    let mut gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "rotation");
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let plan = Plan::create(&control, &api, "prod", &json!({}));
    let keys: Vec<Key> = (0..3).map(|_| plan.key("customer")).collect();
    let data = gateway.data_dir();
    let (good, text) = on_directory(&data, &["rotate-master-key"]);
    assert!(
        !good && text.contains("in use by another process"),
        "{text}"
    );
    assert!(gateway.stop().success());
    let old = key_file(&data);
    let before = std::fs::read(data.join("config.db")).unwrap();
    for _ in 0..2 {
        // Twice: the pepper of the first key must survive being sealed by the second.
        let (good, text) = on_directory(&data, &["rotate-master-key"]);
        assert!(good && text.contains("4 values are sealed"), "{text}");
    }
    assert_ne!(key_file(&data), old);
    assert_sealed_anew(&before, &std::fs::read(data.join("config.db")).unwrap());
    gateway.start_again();
    let target = api.target("prod", "/pets");
    for key in &keys {
        let shown = control
            .get(&format!("/apikeys/{}?includeValue=true", key.id))
            .ok(200);
        assert_eq!(shown["value"], json!(key.value));
        assert_eq!(get(gateway.data, &target, &[key.header()]).status, 200);
    }
    let later = plan.key("later");
    assert_eq!(get(gateway.data, &target, &[later.header()]).status, 200);
    assert!(gateway.stop().success());
    std::fs::write(data.join("master.key"), old).unwrap();
    let (status, text) = run(&mut gateway.command());
    assert!(
        !status.success() && text.contains("the master key does not belong to"),
        "{text}"
    );
}

/// No 32 bytes of a page that held sealed values are found again: what the old key opens is gone from the file.
fn assert_sealed_anew(before: &[u8], after: &[u8]) {
    // The sealed administrator's secret stands right behind its id in the row.
    let at = |bytes: &[u8]| {
        bytes
            .windows(4)
            .position(|window| window == b"AKIA")
            .unwrap()
    };
    let row = &before[at(before) + 20..][..60];
    assert!(!after.windows(row.len()).any(|window| window == row));
    assert!(before.windows(row.len()).any(|window| window == row));
}

#[test]
fn keys_of_which_only_the_digest_is_kept_work_on() {
    let mut gateway = Gateway::start_with("key_reveal = \"once\"\n");
    let control = gateway.control();
    let api = Api::create(&control, "rotation");
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let key = Plan::create(&control, &api, "prod", &json!({})).key("customer");
    assert!(gateway.stop().success());
    let (good, text) = on_directory(&gateway.data_dir(), &["rotate-master-key"]);
    assert!(good && text.contains("1 values are sealed"), "{text}");
    gateway.start_again();
    let target = api.target("prod", "/pets");
    assert_eq!(get(gateway.data, &target, &[key.header()]).status, 200);
}

#[test]
fn a_key_that_is_kept_elsewhere_is_changed_from_the_settings_to_a_file() {
    let home = tempfile::tempdir().unwrap();
    let (data, file) = (home.path().join("data"), home.path().join("new.key"));
    let (old, new) = ("1a".repeat(32), "2b".repeat(32));
    std::fs::write(&file, &new).unwrap();
    let with = |key: &str, words: &[&str]| {
        let mut command = tollgate();
        command.env("TOLLGATE_MASTER_KEY", key).args(words);
        let (status, text) = run(command.arg("--data-dir").arg(&data));
        (status.success(), text)
    };
    // The first start seals with the key of the settings; a port that is taken ends it at once.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let start = ["serve", "--control-plane", &address];
    assert!(with(&old, &start).1.contains("in use"));
    let rotate = [
        "rotate-master-key",
        "--new-key-file",
        file.to_str().unwrap(),
    ];
    assert!(
        with(&old, &["rotate-master-key"])
            .1
            .contains("the new one must be given too")
    );
    assert!(
        on_directory(&data, &rotate)
            .1
            .contains("leave out --new-key-file")
    );
    let (good, text) = with(&old, &rotate);
    assert!(
        good && text.contains("From now on TOLLGATE_MASTER_KEY must be the new key"),
        "{text}"
    );
    assert!(
        with(&old, &start)
            .1
            .contains("the master key does not belong to")
    );
    assert!(with(&new, &start).1.contains("in use"));
    // Once more after it was done, as after a crash that swallowed the answer.
    assert!(with(&old, &rotate).0);
}
