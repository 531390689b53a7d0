//! Rows of the security checklist that need the real process: docs/security.md lists them all.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tollgate_control::OPERATIONS;

use crate::api::{Api, Key, Plan};
use crate::control::{Control, Signing};
use crate::harness::{Dice, Gateway, alone, clear_of_midnight};
use crate::http::{self, Connection, get};
use crate::secrets;
use crate::upstream::Upstream;

/// A path of an operation with something in each of its places.
fn path_of(template: &str) -> String {
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        path.push('/');
        path.push_str(if part.starts_with('{') {
            "abc123"
        } else {
            part
        });
    }
    path
}

#[test]
fn no_operation_is_reached_without_credentials_that_hold() {
    let gateway = Gateway::start();
    let good = gateway.control();
    let anonymous = Control::new(gateway.plane, None);
    let mut stranger = good.clone();
    stranger.credentials.as_mut().unwrap().id = "AKIDOESNOTEXIST00000".to_owned();
    let mut guesser = good.clone();
    guesser.credentials.as_mut().unwrap().secret.push('x');
    let hour_ago = Signing {
        at: SystemTime::now() - Duration::from_secs(3600),
        ..Signing::default()
    };
    let other_service = Signing {
        service: "execute-api",
        ..Signing::default()
    };
    let callers: [(&str, &Control, Signing<'_>, &str); 5] = [
        (
            "nobody",
            &anonymous,
            Signing::default(),
            "MissingAuthenticationTokenException",
        ),
        (
            "a stranger",
            &stranger,
            Signing::default(),
            "UnrecognizedClientException",
        ),
        (
            "a guesser",
            &guesser,
            Signing::default(),
            "InvalidSignatureException",
        ),
        (
            "an old signature",
            &good,
            hour_ago,
            "InvalidSignatureException",
        ),
        (
            "another service's",
            &good,
            other_service,
            "InvalidSignatureException",
        ),
    ];
    assert_eq!(OPERATIONS.len(), 124);
    let mut connection = Connection::open(gateway.plane).unwrap();
    for operation in OPERATIONS {
        let path = path_of(operation.path);
        let method = operation.method.as_str();
        for (who, control, signing, exception) in &callers {
            let body: &[u8] = if matches!(method, "GET" | "DELETE") {
                b""
            } else {
                b"{}"
            };
            let signature = control.sign(method, &path, &[], body, *signing);
            let headers: Vec<(&str, &str)> = signature
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            if !connection.is_open() {
                connection = Connection::open(gateway.plane).unwrap();
            }
            let reply = connection.send(method, &path, &headers, body).unwrap();
            let named = reply.header("x-amzn-errortype");
            assert_eq!(
                (reply.status, named),
                (403, Some(*exception)),
                "{} as {who}: {}",
                operation.name,
                reply.text()
            );
        }
        // A signature in the query never changes anything.
        if method != "GET" {
            let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260101%2Fr%2Fapigateway%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
            let reply = http::request(gateway.plane, method, &format!("{path}?{query}"), &[], b"");
            assert_eq!(reply.status, 403, "{}: {}", operation.name, reply.text());
        }
    }
    // What is not an operation says nothing more to a stranger.
    for path in [
        "/",
        "/elsewhere",
        "/status",
        "/metrics",
        "/restapis/..",
        "/tollgate/live",
        "//healthz",
        "/healthz/x",
    ] {
        assert_eq!(anonymous.get(path).status, 403, "{path}");
    }
    assert_eq!(good.get("/apikeys").ok(200), json!({ "item": [] }));
    assert_eq!(good.get("/restapis").ok(200), json!({ "item": [] }));
}

/// Without authentication, a page in a browser on this machine is still nobody.
#[test]
fn a_rebound_name_reaches_nothing() {
    let gateway = Gateway::start_with("auth = false\n");
    let port = gateway.plane.port();
    for operation in OPERATIONS {
        let path = path_of(operation.path);
        for host in [
            format!("evil.example:{port}"),
            "127.0.0.1.evil.example".to_owned(),
            "0.0.0.0".to_owned(),
        ] {
            let reply = http::request(
                gateway.plane,
                operation.method.as_str(),
                &path,
                &[("Host", &host)],
                b"{}",
            );
            assert_eq!(
                reply.status,
                403,
                "{} at {host}: {}",
                operation.name,
                reply.text()
            );
        }
    }
}

#[test]
fn equivalent_spellings_of_a_path_share_one_counter() {
    clear_of_midnight(Duration::from_secs(60));
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "spellings");
    api.mock("/pets/{id}/toys", "GET", true, "[]");
    api.mock("/pets/{id}/toys", "HEAD", true, "[]");
    api.deploy("prod");
    // Every call of one method meets one bucket, whatever its variables are and however it is spelled.
    let burst = 40;
    let stage = json!([{ "apiId": api.id, "stage": "prod", "throttle": {
        "/pets/{id}/toys/GET": { "rateLimit": 0.001, "burstLimit": burst } } }]);
    let plan = Plan::create(&control, &api, "prod", &json!({ "apiStages": stage }));
    let key = plan.key("k");
    let mut dice = Dice(20_261_122);
    let mut connection = Connection::open(gateway.data).unwrap();
    let (mut admitted, mut spellings) = (0, BTreeSet::new());
    for _ in 0..400 {
        let (host, target) = spelled(&api.id, &mut dice);
        let headers = [key.header(), ("Host", host.as_str())];
        let reply = connection.send("GET", &target, &headers, b"").unwrap();
        assert!(
            matches!(reply.status, 200 | 429),
            "{host} {target}: {:?}",
            reply.brief()
        );
        admitted += usize::from(reply.status == 200);
        spellings.insert((host, target));
    }
    assert_eq!(admitted, burst);
    assert!(spellings.len() > 300);
    // Case counts in paths, and no header makes another method of one.
    let upper = api.target("prod", "/PETS/1/toys");
    assert_eq!(get(gateway.data, &upper, &[key.header()]).status, 403);
    let target = api.target("prod", "/pets/1/toys");
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
    ] {
        let reply = get(gateway.data, &target, &[key.header(), (name, "HEAD")]);
        assert_eq!(reply.status, 429, "{name}");
    }
    // HEAD is a method of its own here, with a bucket of its own.
    assert_eq!(
        connection
            .send("HEAD", &target, &[key.header()], b"")
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        plan.usage(&key).map(|(used, _)| used),
        Some(burst as i64 + 1)
    );
}

/// One of the ways to spell `/pets/{id}/toys` in the stage `prod`.
fn spelled(id: &str, dice: &mut Dice) -> (String, String) {
    let mut path = String::new();
    for part in ["pets", "x7", "toys"] {
        path.push_str(
            ["/", "/", "/./", "/%2e/", "/a/../", "/a/%2E%2e/", "/a/.%2E/"]
                [dice.roll() as usize % 7],
        );
        for letter in part.chars() {
            match dice.roll() % 4 {
                0 => path.push_str(&format!("%{:02x}", letter as u8)),
                1 => path.push_str(&format!("%{:02X}", letter as u8)),
                _ => path.push(letter),
            }
        }
    }
    path.push_str(["", "/", "/.", "?x=y", "/?"][dice.roll() as usize % 5]);
    let own = ["h.test", "H.TEST:80"][dice.roll() as usize % 2];
    match dice.roll() % 5 {
        0 => (format!("{id}.execute-api.{own}"), format!("/prod{path}")),
        1 => (format!("{id}.EXECUTE-API.{own}"), format!("//prod{path}")),
        2 => (own.to_owned(), format!("/{id}/prod{path}")),
        3 => (own.to_owned(), format!("/_aws/execute-api/{id}/prod{path}")),
        _ => (
            own.to_owned(),
            format!("/restapis/{id}/prod/_user_request_{path}"),
        ),
    }
}

#[test]
fn unknown_keys_leave_nothing_behind() {
    let _alone = alone();
    let gateway = Gateway::start_with("access_log = \"off\"\n");
    let control = gateway.control();
    let api = Api::create(&control, "unknown");
    api.mock("/pets", "GET", true, "[]");
    api.deploy("prod");
    let limits = json!({ "throttle": { "rateLimit": 1000, "burstLimit": 1000 }, "quota": { "limit": 1_000_000, "period": "DAY" } });
    let plan = Plan::create(&control, &api, "prod", &limits);
    let key = plan.key("k");
    let target = api.target("prod", "/pets");
    let shape = |control: &Control| {
        let metrics = control.get("/metrics");
        let names = metrics
            .text()
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count();
        let usage =
            std::fs::metadata(gateway.data_dir().join("usage.db")).map_or(0, |file| file.len());
        (names, usage)
    };
    let mut dice = Dice(7);
    let guess = |dice: &mut Dice, count: u64| {
        let mut stream = Connection::open(gateway.data).unwrap();
        for _ in 0..count / 100 {
            let mut batch = String::new();
            for _ in 0..100 {
                let value = format!(
                    "{:016x}{:016x}{:08x}",
                    dice.roll(),
                    dice.roll(),
                    dice.roll() as u32
                );
                batch += &format!("GET {target} HTTP/1.1\r\nHost: a\r\nx-api-key: {value}\r\n\r\n");
            }
            stream.write_raw(batch.as_bytes()).unwrap();
            for _ in 0..100 {
                assert_eq!(stream.read_reply("GET").unwrap().status, 403);
            }
        }
    };
    assert_eq!(get(gateway.data, &target, &[key.header()]).status, 200);
    guess(&mut dice, 5_000);
    let (before, memory) = (shape(&control), gateway.memory_kib());
    let guesses: u64 = std::env::var("GUESSES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(50_000);
    guess(&mut dice, guesses);
    assert_eq!(shape(&control), before, "metrics or ledger grew");
    let grown = gateway.memory_kib().saturating_sub(memory);
    println!("{guesses} unknown keys: {grown} KiB more resident");
    // Even a byte for each guess of a million would show.
    assert!(grown < 4 * 1024, "{grown} KiB for {guesses} guesses");
    assert_eq!(plan.usage(&key).map(|(used, _)| used), Some(1));
}

#[test]
fn numbers_that_are_none_do_not_become_limits() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "numbers");
    api.mock("/pets", "GET", true, "[]");
    api.deploy("prod");
    let limits = json!({ "throttle": { "rateLimit": 5.0, "burstLimit": 5 }, "quota": { "limit": 50, "period": "DAY" } });
    let plan = Plan::create(&control, &api, "prod", &limits);
    let before = control.get(&plan.path()).ok(200);
    let stage = format!("{}/stages/prod", api.path());
    let stage_before = control.get(&stage).ok(200);
    for value in [
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "1e999",
        "-1e999",
        "-1",
        "9223372036854775808",
        "18446744073709551616",
        "2147483648",
        "1e3x",
        "0x10",
        "",
        " ",
        "5,0",
        "٥",
        "--5",
    ] {
        for path in ["/throttle/burstLimit", "/quota/limit", "/quota/offset"] {
            let reply = control.patch(&plan.path(), &[("replace", path, value)]);
            reply.refused_somehow(400, "BadRequestException");
        }
        let is_large = matches!(
            value,
            "9223372036854775808" | "18446744073709551616" | "2147483648"
        );
        if !is_large {
            let reply = control.patch(&plan.path(), &[("replace", "/throttle/rateLimit", value)]);
            reply.refused_somehow(400, "BadRequestException");
        }
        if !is_large && value != "-1" && !value.trim().is_empty() {
            let reply = control.patch(&stage, &[("replace", "/*/*/throttling/rateLimit", value)]);
            reply.refused_somehow(400, "BadRequestException");
        }
    }
    for body in ["1e999", "-1", "\"5\"", "1.5", "9223372036854775808"] {
        let body = format!("{{\"name\":\"p\",\"quota\":{{\"limit\":{body},\"period\":\"DAY\"}}}}");
        let reply = control.send("POST", "/usageplans", body.as_bytes());
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
    }
    assert_eq!(control.get(&plan.path()).ok(200), before);
    assert_eq!(control.get(&stage).ok(200), stage_before);
}

/// Headers with a time, an address or a limit in them change no decision, and no answer sends anyone back in time.
#[test]
fn a_callers_headers_change_no_limit() {
    clear_of_midnight(Duration::from_secs(60));
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "headers");
    api.mock("/pets", "GET", true, "[]");
    api.deploy("prod");
    let limits = json!({ "quota": { "limit": 5, "period": "DAY" } });
    let quota = Plan::create(&control, &api, "prod", &limits);
    let key = quota.key("quota");
    let slow = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "throttle": { "rateLimit": 0.0001, "burstLimit": 1 } }),
    );
    let slow_key = slow.key("throttle");
    let target = api.target("prod", "/pets");
    let lies = [
        ("Date", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("X-Amz-Date", "99991231T235959Z"),
        ("X-Forwarded-For", "10.9.8.7"),
        ("X-Real-IP", "10.9.8.7"),
        ("Forwarded", "for=10.9.8.7"),
        ("Retry-After", "-1"),
        ("RateLimit", "\"quota\";r=1000;t=-5"),
        ("X-Request-Start", "t=-9223372036854775808"),
        ("X-Amzn-RequestId", "chosen"),
    ];
    let mut admitted = [0, 0];
    for _ in 0..4 {
        for lie in lies {
            for (index, key) in [&key, &slow_key].into_iter().enumerate() {
                let reply = get(gateway.data, &target, &[key.header(), lie]);
                assert!(
                    matches!(reply.status, 200 | 429),
                    "{lie:?}: {:?}",
                    reply.brief()
                );
                admitted[index] += usize::from(reply.status == 200);
                let wait = reply.header("retry-after").map(|text| text.parse::<u64>());
                match wait {
                    Some(seconds) => assert!(matches!(seconds, Ok(1..=86_400)), "{seconds:?}"),
                    None => assert_eq!(reply.status, 200),
                }
                let limits = reply.header("ratelimit").unwrap_or_default();
                assert!(!limits.contains('-'), "{limits}");
                assert_ne!(reply.header("x-amzn-requestid"), Some("chosen"));
            }
        }
    }
    assert_eq!(admitted, [5, 1]);
    assert_eq!(quota.usage(&key), Some((5, 0)));
}

/// A canary in every place where a key's value could come out again.
#[test]
fn a_keys_value_is_told_to_nobody_but_the_upstream() {
    let gateway = Gateway::start_with(
        "access_log = \"stdout\"\nlog_level = \"trace\"\nreason_header = true\n",
    );
    let control = gateway.control();
    let upstream = Upstream::start();
    let api = Api::create(&control, "canary");
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let plan = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "throttle": { "rateLimit": 1, "burstLimit": 3 } }),
    );
    let key = plan.key("canary");
    let (chosen, unknown) = (
        "ChosenCanary-0123456789abcdef",
        "UnknownCanary-0123456789abcdef",
    );
    secrets::note(chosen);
    secrets::note(unknown);
    let other = control
        .post(
            "/apikeys",
            &json!({ "name": "n", "value": chosen, "enabled": true }),
        )
        .ok(201);
    let csv = format!("name,key\nimported,ImportedCanary-0123456789abcdef\nagain,{chosen}\n");
    secrets::note("ImportedCanary-0123456789abcdef");
    let imported = control.send("POST", "/apikeys?mode=import&format=csv", csv.as_bytes());
    let mut told: Vec<String> = vec![imported.text()];
    for value in [key.value.as_str(), chosen, unknown] {
        for path in ["/hit", "/status/500", "/reset", "/nowhere"] {
            let header = ("x-api-key", value);
            told.push(whole(&get(
                gateway.data,
                &api.target("prod", path),
                &[header],
            )));
        }
        told.push(whole(&get(
            gateway.data,
            &api.target("none", "/hit"),
            &[("x-api-key", value)],
        )));
        let in_query = format!(
            "{}?apikey={value}&x-api-key={value}",
            api.target("prod", "/hit")
        );
        assert_eq!(
            get(gateway.data, &in_query, &[]).status,
            403,
            "keys come in the header only"
        );
        // Key ids are names; a value in the place of one is an error that must not repeat it.
        told.push(whole(&control.post(
            &format!("{}/keys", plan.path()),
            &json!({ "keyId": key.id, "keyType": value }),
        )));
    }
    let conflict = control.post(
        "/apikeys",
        &json!({ "name": "twice", "value": chosen, "enabled": true }),
    );
    told.push(whole(&conflict));
    told.push(whole(&control.post(
        "/apikeys",
        &json!({ "name": "short", "value": &chosen[..19] }),
    )));
    for path in [
        "/apikeys",
        &format!("/apikeys/{}", key.id),
        "/metrics",
        "/status",
        "/usageplans",
    ] {
        told.push(whole(&control.get(path)));
    }
    let shown = control
        .get(&format!("/apikeys/{}?includeValue=true", key.id))
        .ok(200);
    assert_eq!(shown["value"], Value::from(key.value.as_str()));
    assert_ne!(other["id"], Value::Null);
    let keyed = [key.value.as_str(), "ImportedCanary-0123456789abcdef"];
    for text in &told {
        assert!(keyed.iter().all(|value| !text.contains(value)), "{text}");
    }
    let log = gateway.log();
    assert!(log.lines().count() > 20);
    for value in [
        key.value.as_str(),
        chosen,
        "ImportedCanary-0123456789abcdef",
    ] {
        assert!(!log.contains(value));
    }
}

fn whole(reply: &http::Reply) -> String {
    format!("{:?} {}", reply.headers, reply.text())
}

/// From the answer to a disabling on, no thread admits anything with the key.
#[test]
fn a_revoked_key_is_refused_from_the_answer_on() {
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "revoked");
    api.mock("/pets", "GET", true, "[]");
    api.deploy("prod");
    let plan = Plan::create(&control, &api, "prod", &json!({}));
    let target = api.target("prod", "/pets");
    let mut connections: Vec<Connection> = (0..8)
        .map(|_| Connection::open(gateway.data).unwrap())
        .collect();
    let mut all = |key: &Key| -> BTreeSet<u16> {
        let one = |connection: &mut Connection| {
            connection
                .send("GET", &target, &[key.header()], b"")
                .unwrap()
                .status
        };
        connections.iter_mut().map(one).collect()
    };
    let only = |status: u16| BTreeSet::from([status]);
    for round in 0..20 {
        let key = plan.key(&format!("k{round}"));
        assert_eq!(all(&key), only(200));
        key.set_enabled(&control, false);
        assert_eq!(all(&key), only(403));
        key.set_enabled(&control, true);
        assert_eq!(all(&key), only(200));
        if round % 2 == 0 {
            plan.detach(&key);
            assert_eq!(all(&key), only(403));
        }
        control
            .delete(&format!("/apikeys/{}", key.id))
            .ok_status(202);
        assert_eq!(all(&key), only(403));
    }
}

/// The first start's credentials are random, and only their owner may read them.
#[test]
fn every_first_start_makes_credentials_of_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let mut all = BTreeSet::new();
    for _ in 0..3 {
        let gateway = Gateway::start();
        let credentials = gateway.control().credentials.unwrap();
        assert!(credentials.secret.len() >= 40);
        for private in [
            "credentials",
            "config.db",
            "usage.db",
            "master.key",
            "access.log",
        ] {
            let path = gateway.data_dir().join(private);
            if let Ok(file) = std::fs::metadata(&path) {
                assert_eq!(file.permissions().mode() & 0o077, 0, "{private}");
            }
        }
        let directory = std::fs::metadata(gateway.data_dir()).unwrap();
        assert_eq!(directory.permissions().mode() & 0o077, 0);
        all.extend([credentials.id, credentials.secret]);
    }
    assert_eq!(all.len(), 6);
}
