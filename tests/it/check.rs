//! `tollgate check`: what it passes a start does not refuse, and the other way round.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::api::{Api, Plan};
use crate::harness::{Gateway, free_address, run, tollgate};
use crate::tls_client::Files;

/// Status and words of `check`, or of `serve` where that refuses.
fn said(command: &str, dir: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut run_it = tollgate();
    run_it.arg(command).arg("--data-dir").arg(dir);
    let ports = [free_address().to_string(), free_address().to_string()];
    run_it.args(["--data-plane", &ports[0], "--control-plane", &ports[1]]);
    let (status, words) = run(run_it.args(more));
    (status.code(), words)
}

/// Both commands refuse this, in the same words.
#[track_caller]
fn both_refuse(dir: &Path, more: &[&str], why: &str) {
    for command in ["check", "serve"] {
        let (code, words) = said(command, dir, more);
        assert!(code.is_some_and(|code| code > 0), "{command}: {words}");
        assert!(words.contains(why), "{command}: {words}");
    }
}

#[test]
fn what_a_start_refuses_is_found_before() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let (new, file) = (at("new"), at("file"));
    let (code, words) = said("check", &new, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("the first start makes it"), "{words}");
    assert!(!new.exists(), "a check makes nothing");

    std::fs::write(&file, "").unwrap();
    both_refuse(&file, &[], "is not a directory");
    both_refuse(&file.join("below"), &[], file.to_str().unwrap());
    let roots = ["--upstream-ca-file", file.to_str().unwrap()];
    both_refuse(&new, &roots, "holds no certificate");
    let missing = at("missing");
    let roots = ["--upstream-ca-file", missing.to_str().unwrap()];
    both_refuse(&new, &roots, "cannot read the certificates in");
    let log = missing.join("access.log");
    both_refuse(
        &new,
        &["--access-log", log.to_str().unwrap()],
        log.to_str().unwrap(),
    );

    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for flag in ["--data-plane", "--control-plane"] {
        let mut command = tollgate();
        command.args(["check", flag, &taken, "--data-dir"]);
        let (status, words) = run(command.arg(&new));
        assert!(!status.success());
        assert!(
            words.contains(&format!("cannot listen on {taken}")),
            "{words}"
        );
    }
}

#[test]
fn a_directory_is_looked_into_and_not_changed() {
    let mut gateway = Gateway::start();
    let data = gateway.data_dir();
    let control = gateway.control();
    let api = Api::create(&control, "check");
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    Plan::create(&control, &api, "prod", &serde_json::json!({}));
    let mut command = gateway.command();
    let words: Vec<_> = command.get_args().skip(1).map(ToOwned::to_owned).collect();
    command = tollgate();
    let (status, text) = run(command.arg("check").args(&words));
    assert!(status.success(), "its own gateway holds the ports: {text}");
    assert!(text.contains("it is served by process "), "{text}");
    assert!(gateway.stop().success());
    let (code, text) = said("check", &data, &[]);
    assert!(
        code == Some(0) && text.contains("it can be served"),
        "{text}"
    );

    let key = std::fs::read(data.join("master.key")).unwrap();
    std::fs::write(data.join("master.key"), "00".repeat(32)).unwrap();
    both_refuse(&data, &[], "the master key does not belong to");
    std::fs::remove_file(data.join("master.key")).unwrap();
    both_refuse(&data, &[], "set TOLLGATE_MASTER_KEY to what stood in it");
    std::fs::write(data.join("master.key"), key).unwrap();
    let ledger = std::fs::read(data.join("usage.db")).unwrap();
    std::fs::remove_file(data.join("usage.db")).unwrap();
    both_refuse(&data, &[], "tollgate new-ledger");
    std::fs::write(data.join("usage.db"), ledger).unwrap();
    let config = std::fs::read(data.join("config.db")).unwrap();
    std::fs::write(data.join("config.db"), vec![0xA5; 64 * 1024]).unwrap();
    both_refuse(&data, &[], "config.db");
    std::fs::write(data.join("config.db"), config).unwrap();
    gateway.start_again();
}

#[test]
fn certificates_that_clients_refuse_are_named() {
    let files = Files::new();
    let key = KeyPair::generate().unwrap();
    let write = |from: i32, until: i32| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let made = params.self_signed(&key).unwrap();
        std::fs::write(files.certificate(), made.pem()).unwrap();
        std::fs::write(files.key(), key.serialize_pem()).unwrap();
    };
    let (certificate, private) = (files.certificate(), files.key());
    let words = [
        "--tls-certificate",
        certificate.to_str().unwrap(),
        "--tls-key",
        private.to_str().unwrap(),
        "--tls-address",
        "127.0.0.1:0",
    ];
    let dir = files.directory().join("data");
    for (from, until, trouble) in [
        (2001, 2002, "expired on Tue, 01 Jan 2002"),
        (2900, 2901, "is not valid before Fri, 01 Jan 2900"),
    ] {
        write(from, until);
        let (code, text) = said("check", &dir, &words);
        assert!(code == Some(0) && text.contains(trouble), "{text}");
    }
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&private, open).unwrap();
    let (_, text) = said("check", &dir, &words);
    assert!(
        text.contains("every user of this machine can read"),
        "{text}"
    );
    let closed = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(&private, closed).unwrap();
    let (_, text) = said("check", &dir, &words);
    assert!(!text.contains("every user of this machine"), "{text}");

    // A key of a kind that is not served: RSA with 1,024 bits.
    let made = std::process::Command::new("openssl")
        .args(["genrsa", "-out", private.to_str().unwrap(), "1024"])
        .output();
    if made.is_ok_and(|made| made.status.success()) {
        both_refuse(&dir, &words, "RSA with 2048 to 4096 bits");
    }
}
