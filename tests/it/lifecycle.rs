//! Starting, stopping and everything that can be wrong with a directory, a port, a flag or a setting.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use crate::api::{Api, Plan};
use crate::harness::{Gateway, clear_of_midnight, free_address, run, tollgate, wait_until};
use crate::http::{Connection, get};
use crate::upstream::Upstream;

#[test]
fn sigterm_cuts_no_request_in_flight() {
    let mut gateway = Gateway::start();
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "drain");
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let plan = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 1_000, "period": "MONTH" } }),
    );
    let key = plan.key("long");
    clear_of_midnight(Duration::from_secs(30));
    // Ten answers half way through, and ten that have not begun.
    let begun = api.target("prod", "/gate/drain");
    let waiting = api.target("prod", "/wait/700");
    let mut half: Vec<Connection> = (0..10)
        .map(|_| Connection::open(gateway.data).unwrap())
        .collect();
    for connection in &mut half {
        connection
            .write_request("GET", &begun, &[key.header()], b"")
            .unwrap();
        assert_eq!(connection.read_head().unwrap().0, 200);
        assert_eq!(connection.read_chunk().unwrap().unwrap(), b"first");
    }
    let mut pending: Vec<Connection> = (0..10)
        .map(|_| Connection::open(gateway.data).unwrap())
        .collect();
    for connection in &mut pending {
        connection
            .write_request("GET", &waiting, &[key.header()], b"")
            .unwrap();
    }
    // A connection that only idles must not hold up the end.
    let mut idle = Connection::open(gateway.data).unwrap();
    assert_eq!(
        idle.send("GET", &api.target("prod", "/hit"), &[key.header()], b"")
            .unwrap()
            .status,
        200
    );
    wait_until("all requests to reach the upstream", || {
        (upstream.count() == 21).then_some(())
    });
    gateway.terminate();
    wait_until("the idle connection to be closed", || {
        idle.read_to_close(1)
            .is_ok_and(|rest| rest.is_empty())
            .then_some(())
    });
    assert!(
        gateway.exited().is_none(),
        "it ended with requests in flight"
    );
    upstream.open_gate("drain");
    for connection in &mut half {
        assert_eq!(connection.read_chunk().unwrap().unwrap(), b"rest");
        assert_eq!(connection.read_chunk().unwrap(), None);
    }
    for connection in &mut pending {
        assert_eq!(
            connection.read_reply("GET").unwrap().brief(),
            (200, "late".to_owned())
        );
    }
    assert!(gateway.wait().success());
    gateway.start_again();
    assert_eq!(
        plan.usage(&key),
        Some((21, 979)),
        "a clean stop forfeits nothing"
    );
}

#[test]
fn a_restart_finds_everything() {
    clear_of_midnight(Duration::from_secs(30));
    let mut gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "kept");
    api.mock("/pets", "GET", true, "[]");
    let deployment = api.deploy("prod");
    control
        .patch(
            &format!("{}/stages/prod", api.path()),
            &[("replace", "/variables/colour", "blue")],
        )
        .ok(200);
    let plan = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 5, "period": "DAY" }, "throttle": { "rateLimit": 50, "burstLimit": 50 } }),
    );
    let key = plan.key("kept");
    let target = api.target("prod", "/pets");
    for _ in 0..3 {
        assert_eq!(get(gateway.data, &target, &[key.header()]).status, 200);
    }
    let before = [
        plan.path(),
        api.path(),
        format!("{}/stages/prod", api.path()),
        format!("{}/resources?embed=methods", api.path()),
        format!("{}/deployments/{deployment}", api.path()),
    ];
    let look = || {
        before
            .iter()
            .map(|path| control.get(path).ok(200))
            .collect::<Vec<_>>()
    };
    let seen = look();
    assert_eq!(plan.usage(&key), Some((3, 2)));
    assert!(gateway.stop().success());
    gateway.start_again();
    assert_eq!(look(), seen);
    assert_eq!(plan.usage(&key), Some((3, 2)));
    let statuses: Vec<u16> = (0..3)
        .map(|_| get(gateway.data, &target, &[key.header()]).status)
        .collect();
    assert_eq!(statuses, [200, 200, 429]);
}

#[test]
fn a_second_start_on_the_same_directory_is_refused() {
    let gateway = Gateway::start();
    let mut second = tollgate();
    second
        .arg("serve")
        .arg("--data-dir")
        .arg(gateway.data_dir());
    second.args([
        "--data-plane",
        &free_address().to_string(),
        "--control-plane",
        &free_address().to_string(),
    ]);
    let (status, words) = run(&mut second);
    assert!(!status.success());
    assert!(
        words.contains(&gateway.data_dir().display().to_string()),
        "{words}"
    );
    assert!(
        words.contains("in use") || words.contains("lock"),
        "{words}"
    );
    gateway.control().get("/account").ok(200);
}

#[test]
fn a_port_in_use_is_named() {
    for taken in ["data", "control"] {
        let holder = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = holder.local_addr().unwrap();
        let mut gateway = Gateway::prepare("");
        if taken == "data" {
            gateway.data = address
        } else {
            gateway.plane = address
        }
        let (status, words) = run(&mut gateway.command());
        assert!(!status.success());
        assert!(words.contains(&address.to_string()), "{words}");
        assert!(words.contains("in use"), "{words}");
        // Nothing is left half-done: the same directory starts on other ports.
        drop(holder);
        (gateway.data, gateway.plane) = (free_address(), free_address());
        gateway.start_again();
    }
}

#[test]
fn another_gateway_does_not_share_the_port_silently() {
    let first = Gateway::start();
    let mut second = Gateway::prepare("");
    second.data = first.data;
    let (status, words) = run(&mut second.command());
    assert!(!status.success());
    assert!(
        words.contains(&first.data.to_string()) && words.contains("in use"),
        "{words}"
    );
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a-file");
    std::fs::write(&file, "not a directory").unwrap();
    for dir in [file.clone(), file.join("below")] {
        let (status, words) = run(tollgate().arg("serve").arg("--data-dir").arg(&dir).args([
            "--data-plane",
            "127.0.0.1:0",
            "--control-plane",
            "127.0.0.1:0",
        ]));
        assert!(!status.success());
        assert!(words.contains(&dir.display().to_string()), "{words}");
        assert!(!words.contains("panicked"), "{words}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a directory");
}

#[test]
fn a_directory_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("closed");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read_dir(&dir).is_ok() {
        println!("this user may read everything: nothing to see here");
        return;
    }
    let (status, words) = run(tollgate().arg("serve").arg("--data-dir").arg(&dir).args([
        "--data-plane",
        "127.0.0.1:0",
        "--control-plane",
        "127.0.0.1:0",
    ]));
    assert!(!status.success());
    assert!(
        words.contains(&dir.display().to_string()) && words.to_lowercase().contains("permission"),
        "{words}"
    );
}

#[test]
fn a_damaged_store_is_named_and_left_alone() {
    let mut gateway = Gateway::start();
    assert!(gateway.stop().success());
    let file = gateway.data_dir().join("config.db");
    let rubbish = vec![0xA5; 64 * 1024];
    std::fs::write(&file, &rubbish).unwrap();
    let (status, words) = run(&mut gateway.command());
    assert!(!status.success());
    assert!(words.contains("config.db"), "{words}");
    assert!(!words.contains("panicked"), "{words}");
    assert_eq!(std::fs::read(&file).unwrap(), rubbish);
}

#[test]
fn a_bad_flag_says_what_is_allowed() {
    for (arguments, expected) in [
        (vec!["serve", "--data-plan", "127.0.0.1:1"], "--data-plane"),
        (
            vec!["serve", "--data-plane", "not-an-address"],
            "not-an-address",
        ),
        (
            vec!["serve", "--control-plane", "127.0.0.1:99999"],
            "127.0.0.1:99999",
        ),
        (
            vec!["serve", "--config", "does-not-exist.toml"],
            "does-not-exist.toml",
        ),
        (vec!["sevre"], "serve"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (status, words) = run(tollgate()
            .args(&arguments)
            .env("HOME", home.path())
            .env("XDG_STATE_HOME", home.path()));
        assert!(!status.success(), "{arguments:?}");
        assert!(words.contains(expected), "{arguments:?}: {words}");
        assert!(!words.contains("panicked"), "{words}");
    }
}

#[test]
fn a_bad_setting_says_where_and_what_is_allowed() {
    for (config, expected) in [
        ("colour = \"red\"\n", "colour"),
        ("data_plane = 7\n", "data_plane"),
        ("runtime = \"sideways\"\n", "per-core"),
        ("this is not toml\n", "tollgate.toml:1"),
    ] {
        let gateway = Gateway::prepare(config);
        let (status, words) = run(&mut gateway.command());
        assert!(!status.success(), "{config}");
        assert!(
            words.contains("tollgate.toml") && words.contains(expected),
            "{config}: {words}"
        );
        assert!(
            !gateway.data_dir().join("config.db").exists(),
            "{config}: a bad setting must not leave a store behind"
        );
    }
}

#[test]
fn a_bad_environment_variable_is_named() {
    for (name, value) in [
        ("TOLLGATE_DATA_PLANE", "nowhere"),
        ("TOLLGATE_COLOUR", "red"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (status, words) = run(tollgate()
            .args(["serve", "--data-dir"])
            .arg(home.path().join("data"))
            .env(name, value));
        assert!(!status.success(), "{name}");
        assert!(words.contains(name), "{name}: {words}");
    }
}

#[test]
fn no_auth_is_for_loopback_only() {
    let home = tempfile::tempdir().unwrap();
    let (status, words) = run(tollgate()
        .args([
            "serve",
            "--no-auth",
            "--control-plane",
            "0.0.0.0:0",
            "--data-dir",
        ])
        .arg(home.path().join("data")));
    assert!(!status.success());
    assert!(
        words.contains("no-auth") && words.contains("loopback"),
        "{words}"
    );
}

#[test]
fn the_control_plane_off_loopback_requires_tls() {
    let home = tempfile::tempdir().unwrap();
    let (status, words) = run(tollgate()
        .args(["serve", "--control-plane", "0.0.0.0:0", "--data-dir"])
        .arg(home.path().join("data")));
    assert!(!status.success());
    assert!(words.contains("TLS"), "{words}");
}

#[test]
fn health_needs_no_credentials_and_the_rest_does() {
    let gateway = Gateway::start();
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 403),
        ("/status", 403),
        ("/apikeys", 403),
    ] {
        assert_eq!(get(gateway.plane, path, &[]).status, status, "{path}");
    }
    let control = gateway.control();
    let metrics = control.get("/metrics");
    metrics.ok_status(200);
    assert!(metrics.text().contains("# TYPE"), "{}", metrics.text());
    assert!(control.get("/status").ok(200).to_string().contains("exact"));
}

#[test]
fn the_administrators_key_is_in_a_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = Gateway::start();
    let secret = gateway.control().credentials.unwrap().secret;
    for entry in std::fs::read_dir(gateway.data_dir()).unwrap() {
        let entry = entry.unwrap();
        if std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(&secret)) {
            assert_eq!(
                entry.metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{:?}",
                entry.path()
            );
        }
    }
    assert!(!gateway.log().contains(&secret), "the secret was printed");
}

#[test]
fn no_key_value_is_found_in_the_directory_or_the_logs() {
    let mut gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "canary");
    api.mock("/pets", "GET", true, "[]");
    api.deploy("prod");
    let canary = "CanaryValueThatMustNotBeFound0123456789";
    let made = control
        .post(
            "/apikeys",
            &json!({ "name": "canary", "enabled": true, "value": canary }),
        )
        .ok(201);
    let key = crate::api::Key {
        id: crate::api::text(&made["id"]),
        value: canary.to_owned(),
    };
    let plan = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 9, "period": "DAY" } }),
    );
    plan.attach(&key);
    assert_eq!(
        get(gateway.data, &api.target("prod", "/pets"), &[key.header()]).status,
        200
    );
    assert_eq!(
        get(
            gateway.data,
            &api.target("prod", "/nothing"),
            &[key.header()]
        )
        .status,
        403
    );
    gateway.kill();
    let mut files = vec![gateway.home().to_path_buf()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes
                .windows(canary.len())
                .any(|window| window == canary.as_bytes()),
            "{} holds a key's value",
            path.display()
        );
    }
}
