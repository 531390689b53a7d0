//! Tests of the layers laid over each other.

use super::*;

fn flag(name: &str, text: &str) -> Given {
    let setting = settings::find(name).unwrap();
    Given {
        setting,
        text: text.into(),
        source: Source::Flag(format!("--{}", setting.flag().unwrap())),
    }
}

fn settled(
    flags: &[(&str, &str)],
    environment: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Loaded, String> {
    let flags = flags.iter().map(|(name, text)| flag(name, text)).collect();
    let environment = environment
        .iter()
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    let file = file.map(|contents| (PathBuf::from("tollgate.toml"), contents.to_owned()));
    settle(flags, environment, file, Some("/state/tollgate".into()))
        .map_err(|invalid| invalid.to_string())
}

fn source(loaded: &Loaded, name: &str) -> (String, String) {
    let one = loaded
        .effective
        .iter()
        .find(|one| one.setting.name == name)
        .unwrap();
    (one.shown().to_owned(), one.source.to_string())
}

#[test]
fn with_nothing_given_the_defaults_hold() {
    let loaded = settled(&[], &[], None).unwrap();
    assert_eq!(loaded.config.data_dir, PathBuf::from("/state/tollgate"));
    assert_eq!(loaded.config.control_plane.to_string(), "127.0.0.1:8081");
    assert!(
        loaded.config.auth && loaded.config.forward_api_key && loaded.config.rate_limit_headers
    );
    assert!(!loaded.config.reason_header);
    assert_eq!(loaded.config.account_rate_limit, None);
    assert_eq!(
        loaded.config.access_log,
        AccessLog::File("access.log".into())
    );
    assert_eq!(source(&loaded, "workers"), ("0".into(), "default".into()));
    assert_eq!(
        source(&loaded, "account_rate_limit"),
        ("(unset)".into(), "default".into())
    );
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = "workers = 1\ndrain_timeout_s = 1\nmax_connections = 1\n";
    let environment = [("TOLLGATE_WORKERS", "2"), ("TOLLGATE_DRAIN_TIMEOUT_S", "2")];
    let loaded = settled(&[("workers", "3")], &environment, Some(file)).unwrap();
    let config = &loaded.config;
    assert_eq!(
        (
            config.workers,
            config.drain_timeout_s,
            config.max_connections
        ),
        (3, 2, 1)
    );
    assert_eq!(
        source(&loaded, "workers"),
        ("3".into(), "flag --workers".into())
    );
    let variable = "environment variable TOLLGATE_DRAIN_TIMEOUT_S".to_owned();
    assert_eq!(source(&loaded, "drain_timeout_s"), ("2".into(), variable));
    assert_eq!(
        source(&loaded, "max_connections"),
        ("1".into(), "tollgate.toml:3".into())
    );
    assert_eq!(loaded.file, Some("tollgate.toml".into()));
}

#[test]
fn all_bad_values_are_reported_with_their_place_and_what_is_allowed() {
    let file = "runtime = \"percore\"\n";
    let environment = [
        ("TOLLGATE_WORKERS", "-1"),
        ("TOLLGATE_MASTER_KEY", "hunter2"),
    ];
    let problems = settled(&[("data_plane", "8080")], &environment, Some(file)).unwrap_err();
    let expected = "tollgate.toml:1: runtime = \"percore\" is not allowed; allowed is \"per-core\" or \"multi\"\n\
        environment variable TOLLGATE_WORKERS: workers = \"-1\" is not allowed; allowed is a whole number from 0 to 1024\n\
        environment variable TOLLGATE_MASTER_KEY: the value of master_key is not allowed; allowed is 64 hexadecimal digits (32 bytes)\n\
        flag --data-plane: data_plane = \"8080\" is not allowed; allowed is an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080";
    assert_eq!(problems, expected);
}

#[test]
fn the_control_plane_stays_on_loopback() {
    let problem = settled(&[("control_plane", "0.0.0.0:8081")], &[], None).unwrap_err();
    assert!(
        problem.starts_with(
            "flag --control-plane: control_plane = 0.0.0.0:8081 is not a loopback address"
        ),
        "{problem}"
    );
    assert!(problem.contains("requires TLS"), "{problem}");
    let problem = settled(
        &[("control_plane", "192.0.2.1:8081"), ("auth", "false")],
        &[],
        None,
    )
    .unwrap_err();
    assert!(problem.contains("without authentication"), "{problem}");
    let certificate = [
        ("control_plane", "0.0.0.0:8081"),
        ("control_tls_certificate", "c.pem"),
        ("control_tls_key", "k.pem"),
    ];
    assert!(settled(&certificate, &[], None).is_ok());
    let problem = settled(&certificate[..2], &[], None).unwrap_err();
    assert!(
        problem.contains("control_tls_certificate (flag --control-tls-certificate)")
            && problem.contains("without control_tls_key"),
        "{problem}"
    );
    assert!(
        settled(
            &[
                ("control_plane", "[::1]:8081"),
                ("auth", "false"),
                ("data_plane", "0.0.0.0:80")
            ],
            &[],
            None
        )
        .is_ok()
    );
}

#[test]
fn two_planes_cannot_share_an_address() {
    let problem = settled(&[("control_plane", "127.0.0.1:8080")], &[], None).unwrap_err();
    assert!(problem.contains("are both 127.0.0.1:8080"), "{problem}");
    let tls = [
        ("tls_address", "127.0.0.1:8081"),
        ("tls_certificate", "c.pem"),
        ("tls_key", "k.pem"),
    ];
    let problem = settled(&tls, &[], None).unwrap_err();
    assert!(problem.contains("tls_address"), "{problem}");
    assert!(
        settled(&tls[..1], &[], None).is_ok(),
        "nothing listens there"
    );
    assert!(
        settled(
            &[
                ("control_plane", "127.0.0.1:0"),
                ("data_plane", "127.0.0.1:0")
            ],
            &[],
            None
        )
        .is_ok()
    );
}

#[test]
fn without_a_state_directory_one_must_be_given() {
    let problem = settle(vec![], vec![], None, None).unwrap_err().to_string();
    assert!(problem.contains("--data-dir"), "{problem}");
    assert!(settle(vec![flag("data_dir", "/srv/t")], vec![], None, None).is_ok());
}

#[test]
fn secrets_are_not_shown() {
    let token = "0123456789abcdef-token";
    let loaded = settled(&[], &[("TOLLGATE_METRICS_TOKEN", token)], None).unwrap();
    assert_eq!(
        loaded.config.metrics_token.as_ref().map(Secret::reveal),
        Some(token)
    );
    assert_eq!(source(&loaded, "metrics_token").0, "(hidden)");
    assert!(!format!("{loaded:?}").contains(token));
}

#[test]
fn a_named_file_must_exist() {
    let environment = vec![(
        "TOLLGATE_CONFIG".into(),
        "/nonexistent/tollgate.toml".into(),
    )];
    let problem = load(vec![], None, environment).unwrap_err().to_string();
    assert!(
        problem.starts_with("cannot read /nonexistent/tollgate.toml: "),
        "{problem}"
    );
}
