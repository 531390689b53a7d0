//! The program as a person uses it: the demo and what it prints, and the commands over the control plane.

use serde_json::{Value, json};

use crate::api::{Api, Plan};
use crate::harness::{Gateway, clear_of_midnight, run, tollgate, wait_until};
use crate::http::get;

use std::process::Command;
use std::time::Duration;

/// What the demo prints once it is set up.
fn instructions(gateway: &Gateway) -> String {
    wait_until("the demo to say what to try", || {
        Some(gateway.log()).filter(|log| log.contains("get-usage-plans"))
    })
}

/// Runs a printed line in a shell, as it is.
fn paste(line: &str) -> String {
    let done = Command::new("sh").args(["-c", line]).output().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn printed<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with(beginning))
        .collect()
}

#[test]
fn what_the_demo_prints_can_be_pasted() {
    clear_of_midnight(Duration::from_secs(60));
    let mut gateway = Gateway::demo();
    let text = instructions(&gateway);
    let answers: Vec<String> = printed(&text, "curl -i").into_iter().map(paste).collect();
    let statuses: Vec<&str> = answers
        .iter()
        .map(|answer| answer.split(' ').nth(1).unwrap_or("nothing"))
        .collect();
    assert_eq!(statuses, ["200", "403", "200", "200"], "{text}");
    assert!(
        answers[1].ends_with("{\"message\":\"Forbidden\"}"),
        "{}",
        answers[1]
    );
    let burst = printed(&text, "for i in $(seq 15)");
    let answer = paste(burst[0]);
    assert!(answer.contains("Too Many Requests"), "{answer}");
    assert_eq!(printed(&text, "for i in $(seq 25)").len(), 1);
    // The second start finds everything again.
    assert!(gateway.stop().success());
    gateway.start_again();
    let again = wait_until("the second start", || {
        let log = gateway.log();
        (log.matches("get-usage-plans").count() > text.matches("get-usage-plans").count())
            .then_some(log)
    });
    let second = &again[text.len()..];
    assert_eq!(
        printed(second, "curl -i"),
        printed(&text, "curl -i"),
        "other keys or another API after the second start"
    );
    assert_eq!(
        gateway.control().get("/restapis").ok(200)["item"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        gateway.control().get("/usageplans").ok(200)["item"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

/// Runs a client command against this gateway: its success and what it printed.
fn client(gateway: &Gateway, words: &[&str]) -> (bool, String) {
    let mut command = tollgate();
    command
        .args(words)
        .arg("--endpoint")
        .arg(format!("http://{}", gateway.plane))
        .arg("--data-dir")
        .arg(gateway.data_dir());
    let (status, words) = run(&mut command);
    (status.success(), words)
}

#[track_caller]
fn json_of(gateway: &Gateway, words: &[&str]) -> Value {
    let (good, text) = client(gateway, &[words, &["-o", "json"]].concat());
    assert!(good, "{words:?}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error} in {text}"))
}

#[test]
fn the_commands_do_what_they_say() {
    clear_of_midnight(Duration::from_secs(30));
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "commands");
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let plan = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 9, "period": "DAY" } }),
    );
    let called = json_of(
        &gateway,
        &[
            "call",
            "GetUsagePlan",
            "-p",
            &format!("usageplanId={}", plan.id),
        ],
    );
    assert_eq!(called["quota"]["limit"], 9);
    assert_eq!(
        json_of(&gateway, &["call", "get-account"])["throttleSettings"]["burstLimit"],
        5000
    );
    let key = json_of(&gateway, &["keys", "create", "someone", "--plan", &plan.id]);
    let value = key["value"].as_str().unwrap();
    assert_eq!(
        get(
            gateway.data,
            &api.target("prod", "/pets"),
            &[("x-api-key", value)]
        )
        .status,
        200
    );
    let (good, table) = client(&gateway, &["usage", &plan.id]);
    assert!(
        good && table.contains("someone") && table.contains('8'),
        "{table}"
    );
    let (good, table) = client(&gateway, &["keys", "list"]);
    assert!(
        good && table.contains("someone") && !table.contains(value),
        "{table}"
    );
    let (good, words) = client(&gateway, &["keys", "disable", "someone"]);
    assert!(good, "{words}");
    assert_eq!(
        get(
            gateway.data,
            &api.target("prod", "/pets"),
            &[("x-api-key", value)]
        )
        .status,
        403
    );
    let file = gateway.home().join("keys.csv");
    std::fs::write(
        &file,
        "name,key\nimported,imported-by-command-0123456789\nbad,short\n",
    )
    .unwrap();
    let (good, words) = client(&gateway, &["import", &file.display().to_string()]);
    assert!(
        words.contains('3'),
        "the bad line is not named: {good} {words}"
    );
    assert_eq!(
        control.get("/apikeys?name=imported").ok(200)["item"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn the_commands_say_what_is_wrong() {
    let gateway = Gateway::start();
    for (words, expected) in [
        (
            vec!["call", "GetDomainNameAccessAssociations"],
            "GetDomainNameAccessAssociations",
        ),
        (vec!["call", "GetAcount"], "GetAccount"),
        (vec!["keys", "show", "nobody"], "nobody"),
        (vec!["import", "does-not-exist.csv"], "does-not-exist.csv"),
    ] {
        let (good, text) = client(&gateway, &words);
        assert!(
            !good && text.contains(expected) && !text.contains("panicked"),
            "{words:?}: {text}"
        );
    }
    let nowhere = format!("http://{}", crate::harness::free_address());
    let (status, text) = run(tollgate()
        .args(["keys", "list", "--endpoint", &nowhere, "--data-dir"])
        .arg(gateway.data_dir()));
    assert_eq!(status.code(), Some(3), "{text}");
    let (status, text) = run(tollgate().arg("version"));
    assert!(
        status.success() && text.contains(env!("CARGO_PKG_VERSION")),
        "{text}"
    );
    let (status, text) = run(tollgate().args(["check", "-o", "json"]));
    assert!(status.success() && text.contains("data_plane"), "{text}");
}

#[test]
fn the_commands_find_the_gateway_as_serve_finds_its_settings() {
    let gateway = Gateway::start();
    let (data, plane) = (gateway.data_dir(), gateway.plane.to_string());
    let file = gateway.home().join("of-the-gateway.toml");
    let content = format!("data_dir = {:?}\ncontrol_plane = \"{plane}\"\n", data);
    std::fs::write(&file, content).unwrap();
    let run_with = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command = tollgate();
        command.args(["call", "GetAccount"]).args(more);
        command.env("HOME", gateway.home());
        command.envs(variables.iter().copied());
        let (status, text) = run(&mut command);
        (status.code(), text)
    };
    let (data, config) = (data.to_str().unwrap(), file.to_str().unwrap());
    let by_name = [
        ("TOLLGATE_DATA_DIR", data),
        ("TOLLGATE_CONTROL_PLANE", &plane),
    ];
    let foreign = [
        ("AWS_ACCESS_KEY_ID", "AKIDofSomethingElse"),
        ("AWS_SECRET_ACCESS_KEY", "of-something-else-altogether"),
    ];
    let both = [&by_name[..], &foreign].concat();
    for (variables, words) in [
        (&by_name[..], &[][..]),
        (&both, &[]),
        (&[("TOLLGATE_CONFIG", config)], &[]),
        (&[], &["--config", config]),
    ] {
        let (code, text) = run_with(variables, words);
        assert!(
            code == Some(0) && text.contains("throttleSettings"),
            "{variables:?} {words:?}: {text}"
        );
    }
    // The flags win, settings that are wrong are said, and none are needed by whoever gives both.
    let nowhere = ["--config", config, "--endpoint", "http://127.0.0.1:9"];
    assert_eq!(run_with(&[], &nowhere).0, Some(3));
    std::fs::write(&file, "controll_plane = 1\n").unwrap();
    let (code, text) = run_with(&[("TOLLGATE_CONFIG", config)], &[]);
    assert!(code == Some(2) && text.contains("did you mean"), "{text}");
    let endpoint = format!("http://{plane}");
    let words = ["--endpoint", &endpoint, "--data-dir", data];
    assert_eq!(run_with(&[("TOLLGATE_CONFIG", config)], &words).0, Some(0));
    // https to a plain port, and ports that are none.
    let (code, text) = run_with(&by_name, &["--endpoint", &format!("https://{plane}")]);
    assert!(code == Some(1) && text.contains("use http://"), "{text}");
    let (code, text) = run_with(&by_name, &["--endpoint", "http://127.0.0.1:99999"]);
    assert!(
        code == Some(2) && text.contains("a port that is none"),
        "{text}"
    );
}
