//! ImportApiKeys: every shape of CSV people send, and what happens to the rows that are wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, Plan, text};
use crate::control::Control;
use crate::harness::Gateway;
use crate::http::{Reply, get};

const IMPORT: &str = "/apikeys?mode=import&format=csv";

fn start() -> (Gateway, Control) {
    let gateway = Gateway::start();
    let control = gateway.control();
    (gateway, control)
}

/// Sends the CSV as botocore does: the bytes as they are, without a content type.
fn import(control: &Control, query: &str, csv: &[u8]) -> Reply {
    control.send_with(
        "POST",
        &format!("{IMPORT}{query}"),
        &[("Accept", "application/json")],
        csv,
        Default::default(),
    )
}

/// All keys with their values, oldest first.
fn keys(control: &Control) -> Vec<Value> {
    let mut all = control.get("/apikeys?includeValues=true&limit=500").ok(200)["item"]
        .as_array()
        .unwrap()
        .clone();
    all.reverse();
    all
}

fn warnings(reply: &Value) -> Vec<String> {
    reply["warnings"]
        .as_array()
        .map(|list| list.iter().map(text).collect())
        .unwrap_or_default()
}

#[test]
fn columns_in_any_order_case_quoting_and_line_ending() {
    let (gateway, control) = start();
    let api = Api::create(&control, "imported");
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    api.deploy("beta");
    let (prod, beta) = (
        Plan::create(&control, &api, "prod", &json!({})),
        Plan::create(&control, &api, "beta", &json!({})),
    );
    let csv = format!(
        "\u{feff}KEY, name ,Description,UsagePlanIds,ignored,enabled\r\n\
         first-key-value-0123456789,First,\"one, with a comma\",\"{0},{1}\",x,TRUE\r\n\
         second-key-value-0123456789, Second ,,{0},,false\r\n\
         \r\n\
         third-key-value-0123456789,Third,,'{0},{1}',,\r\n",
        prod.id, beta.id
    );
    let reply = import(&control, "&failonwarnings=true", csv.as_bytes()).ok(201);
    assert_eq!(warnings(&reply), Vec::<String>::new(), "{reply}");
    let made = keys(&control);
    let shown: Vec<_> = made
        .iter()
        .map(|k| {
            (
                text(&k["name"]),
                text(&k["value"]),
                k["enabled"].as_bool().unwrap(),
                k["description"].as_str().map(str::to_owned),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                "First".to_owned(),
                "first-key-value-0123456789".to_owned(),
                true,
                Some("one, with a comma".to_owned())
            ),
            (
                "Second".to_owned(),
                "second-key-value-0123456789".to_owned(),
                false,
                None
            ),
            (
                "Third".to_owned(),
                "third-key-value-0123456789".to_owned(),
                true,
                None
            ),
        ]
    );
    let ids: Vec<String> = reply["ids"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(ids, made.iter().map(|k| text(&k["id"])).collect::<Vec<_>>());
    // They work at once, in the plans they were listed for.
    for (value, stage, status) in [
        ("first", "prod", 200),
        ("first", "beta", 200),
        ("second", "prod", 403),
        ("third", "beta", 200),
    ] {
        let reply = get(
            gateway.data,
            &api.target(stage, "/pets"),
            &[("x-api-key", &format!("{value}-key-value-0123456789"))],
        );
        assert_eq!(reply.status, status, "{value} {stage}");
    }
}

#[test]
fn bad_rows_are_warnings_with_their_line_numbers() {
    let (_gateway, control) = start();
    let csv = "name,key,usageplanids\n\
        Good,good-key-value-0123456789,\n\
        Short,short,\n\
        NoPlan,noplan-key-value-0123456789,doesnotexist\n\
        NoKey,,\n\
        Also good,also-good-key-value-0123456789,\n";
    let reply = import(&control, "", csv.as_bytes()).ok(201);
    let warned = warnings(&reply);
    assert!(
        warned.iter().any(|w| w.contains('3')),
        "line 3 is not named: {warned:?}"
    );
    assert!(
        warned
            .iter()
            .any(|w| w.contains('4') && w.contains("doesnotexist")),
        "line 4 is not named: {warned:?}"
    );
    assert!(
        warned.iter().any(|w| w.contains('5')),
        "line 5 is not named: {warned:?}"
    );
    assert!(
        warned.iter().all(|w| !w.contains("key-value")),
        "a key's value is shown: {warned:?}"
    );
    let names: Vec<String> = keys(&control).iter().map(|k| text(&k["name"])).collect();
    assert!(
        names.contains(&"Good".to_owned())
            && names.contains(&"Also good".to_owned())
            && !names.contains(&"Short".to_owned()),
        "{names:?}"
    );
}

#[test]
fn fail_on_warnings_imports_nothing_at_all() {
    let (_gateway, control) = start();
    let csv = "name,key\nGood,good-key-value-0123456789\nShort,short\nAlso good,also-good-key-value-0123456789\n";
    let reply = import(&control, "&failonwarnings=true", csv.as_bytes());
    let message = reply.refused_somehow(400, "BadRequestException");
    assert!(message.contains('3'), "{message}");
    assert_eq!(keys(&control), Vec::<Value>::new());
}

#[test]
fn a_missing_column_is_an_error_in_any_case() {
    let (_gateway, control) = start();
    import(&control, "", b"name,value\na,b\n").refused(
        400,
        "BadRequestException",
        "Missing required column 'Key'",
    );
    import(&control, "", b"key\nsome-key-value-0123456789\n").refused(
        400,
        "BadRequestException",
        "Missing required column 'Name'",
    );
    import(&control, "", b"/tmp/apikey.csv").refused(
        400,
        "BadRequestException",
        "Missing required column 'Key'",
    );
    import(&control, "", b"").refused_somehow(400, "BadRequestException");
    assert_eq!(keys(&control), Vec::<Value>::new());
}

#[test]
fn a_half_written_file_gives_warnings_and_no_half_key() {
    let (_gateway, control) = start();
    for tail in [
        "\"never closed,cut-key-value-0123456789",
        "Cut",
        "Cut,cut-key",
        "\u{0}\u{1}",
    ] {
        let csv = format!("name,key\nWhole,whole-key-value-0123456789\n{tail}");
        let refusal = import(&control, "&failonwarnings=true", csv.as_bytes());
        refusal.refused_somehow(400, "BadRequestException");
        let reply = import(&control, "", csv.as_bytes());
        assert!(matches!(reply.status, 201 | 400), "{:?}", reply.brief());
        assert!(
            keys(&control).iter().all(|key| key["name"] == "Whole"),
            "{tail:?}: {:?}",
            keys(&control)
        );
    }
    let not_text = [
        b"name,key\n".as_slice(),
        b"\xff\xfe,some-key-value-0123456789\n",
    ]
    .concat();
    let reply = import(&control, "", &not_text);
    assert!(matches!(reply.status, 201 | 400), "{:?}", reply.brief());
}

#[test]
fn a_known_value_updates_its_key() {
    let (_gateway, control) = start();
    let first = import(
        &control,
        "",
        b"name,key,enabled\nBefore,same-key-value-0123456789,true\n",
    )
    .ok(201);
    let again = import(
        &control,
        "",
        b"name,key,enabled,description\nAfter,same-key-value-0123456789,false,new\n",
    )
    .ok(201);
    assert_eq!(first["ids"], again["ids"]);
    let all = keys(&control);
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0]["name"], &all[0]["enabled"], &all[0]["description"]),
        (&json!("After"), &json!(false), &json!("new"))
    );
}

#[test]
fn a_wrong_format_is_refused() {
    let (_gateway, control) = start();
    let reply = control.send("POST", "/apikeys?mode=import&format=xml", b"name,key\n");
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(keys(&control), Vec::<Value>::new());
}

#[test]
fn ten_thousand_rows_go_in_at_once_and_work() {
    let (gateway, control) = start();
    let api = Api::create(&control, "many");
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let plan = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 10, "period": "DAY" } }),
    );
    let rows: String = (0..10_000)
        .map(|n| format!("key {n},bulk-key-value-{n:010},{}\n", plan.id))
        .collect();
    let start = std::time::Instant::now();
    let reply = import(
        &control,
        "&failonwarnings=true",
        format!("name,key,usageplanids\n{rows}").as_bytes(),
    )
    .ok(201);
    println!("10,000 rows took {:?} in this build", start.elapsed());
    assert_eq!(reply["ids"].as_array().unwrap().len(), 10_000);
    crate::harness::clear_of_midnight(Duration::from_secs(30));
    for n in [0, 4_999, 9_999] {
        let value = format!("bulk-key-value-{n:010}");
        assert_eq!(
            get(
                gateway.data,
                &api.target("prod", "/pets"),
                &[("x-api-key", &value)]
            )
            .status,
            200
        );
    }
    // Every page once, none missing.
    let mut seen = std::collections::HashSet::new();
    let mut position = String::new();
    loop {
        let page = control
            .get(&format!("{}/keys?limit=500{position}", plan.path()))
            .ok(200);
        for item in page["item"].as_array().unwrap() {
            assert!(seen.insert(text(&item["id"])), "seen twice: {item}");
        }
        let Some(next) = page["position"].as_str() else {
            break;
        };
        let encoded: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
        position = format!("&position={encoded}");
    }
    assert_eq!(seen.len(), 10_000);
}
