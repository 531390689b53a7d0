//! The soak: everything at once for minutes, and nothing grows. `make soak` runs ten minutes, the suite half of one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::control::Control;
use crate::harness::{Dice, Gateway, alone, wait_until};
use crate::http::{Connection, Reply};
use crate::upstream::Upstream;

/// Seconds in the suite; `MINUTES` asks for more.
const SECONDS_DEFAULT: u64 = 25;

/// What may come on top between warm-up and end, whatever the length: buffers, pages of the allocator, and the page
/// caches of SQLite's eight connections, 2 MiB each, which thousands of changes take to fill.
const GROWN_KIB_MAX: f64 = 24.0 * 1024.0;

/// Bytes that a deleted key or stage may leave until the next start (see "Numbers never given twice" in ARCHITECTURE.md).
const LEFT_BYTES_EACH: f64 = 1024.0;

/// What a caller saw that it should not have.
type Wrong = Mutex<BTreeMap<String, u64>>;

struct Soak {
    data: SocketAddr,
    control: Control,
    upstream: String,
    stop: AtomicBool,
    calls: AtomicU64,
    changes: AtomicU64,
    deleted: AtomicU64,
    answers: Mutex<BTreeMap<u16, u64>>,
    wrong: Wrong,
}

#[test]
fn nothing_grows_and_nothing_breaks_under_mixed_load_and_changes() {
    let _alone = alone();
    let minutes = std::env::var("MINUTES")
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    let length = minutes.map_or(Duration::from_secs(SECONDS_DEFAULT), |minutes| {
        Duration::from_secs_f64(minutes * 60.0)
    });
    let mut gateway = Gateway::start_with(
        "access_log = \"off\"\nlog_level = \"warn\"\nheader_read_timeout_ms = 1000\nbody_read_timeout_s = 1\n",
    );
    let upstream = Upstream::start();
    let soak = Soak {
        data: gateway.data,
        control: gateway.control(),
        upstream: upstream.url(),
        stop: AtomicBool::new(false),
        calls: AtomicU64::new(0),
        changes: AtomicU64::new(0),
        deleted: AtomicU64::new(0),
        answers: Mutex::default(),
        wrong: Mutex::default(),
    };
    let api = Api::create(&soak.control, "soak");
    api.pass_on("", true, &soak.upstream);
    api.mock("/mock", "GET", true, "[]");
    api.deploy("prod");
    let plan = |limits: serde_json::Value| Plan::create(&soak.control, &api, "prod", &limits);
    let generous = plan(
        json!({ "throttle": { "rateLimit": 1e6, "burstLimit": 1_000_000 }, "quota": { "limit": 1_000_000_000, "period": "DAY" } }),
    );
    let tight = plan(json!({ "throttle": { "rateLimit": 5, "burstLimit": 5 } }));
    let spent = plan(json!({ "quota": { "limit": 10, "period": "MONTH" } }));
    let keys = [
        generous.key("generous"),
        tight.key("tight"),
        spent.key("spent"),
    ];

    let mut samples: Vec<(f64, f64, usize)> = Vec::new();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let (soak, api, keys, generous) = (&soak, &api, &keys, &generous);
        for number in 0..3 {
            scope.spawn(move || soak.call(api, keys, number));
        }
        scope.spawn(move || soak.leave_early(api, &keys[0]));
        scope.spawn(move || soak.dawdle(api));
        scope.spawn(move || soak.change(api, generous));
        while start.elapsed() < length {
            std::thread::sleep(Duration::from_millis(500));
            upstream.forget();
            let at = start.elapsed().as_secs_f64();
            samples.push((at, gateway.memory_kib() as f64, gateway.descriptors()));
            if gateway.exited().is_some() {
                break;
            }
        }
        soak.stop.store(true, Ordering::SeqCst);
    });
    assert!(
        gateway.exited().is_none(),
        "the gateway ended: {}",
        gateway.log()
    );

    let warm = samples.len() / 4;
    let measured = &samples[warm..];
    let (first, last) = (
        middle(&measured[..measured.len() / 4]),
        middle(&measured[measured.len() * 3 / 4..]),
    );
    let slope = slope_per_minute(measured);
    let deleted = soak.deleted.load(Ordering::SeqCst) as f64;
    let bound = GROWN_KIB_MAX + deleted * LEFT_BYTES_EACH / 1024.0;
    println!(
        "soak: {:.0} s, {} calls {:?}, {} changes, {deleted} keys and stages deleted",
        start.elapsed().as_secs_f64(),
        soak.calls.load(Ordering::SeqCst),
        soak.answers.lock().unwrap(),
        soak.changes.load(Ordering::SeqCst),
    );
    println!(
        "memory: {first:.0} KiB after warm-up, {last:.0} KiB at the end, {slope:+.1} KiB a minute; at most {bound:.0} KiB more is flat"
    );
    assert!(
        last - first < bound,
        "memory grew from {first} to {last} KiB"
    );

    // With everybody gone, the descriptors are those of an idle gateway.
    let quiet = wait_until("the connections to be closed", || {
        let open = gateway.descriptors();
        (open < 64 + measured[0].2).then_some(open)
    });
    println!("descriptors: {} under load, {quiet} after", measured[0].2);
    let wrong = soak.wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    let log = gateway.log();
    let trouble: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("ERROR") || line.contains("panicked"))
        .collect();
    assert!(trouble.is_empty(), "{trouble:?}");
    assert!(soak.calls.load(Ordering::SeqCst) > 100 && soak.changes.load(Ordering::SeqCst) > 10);
}

impl Soak {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn note_wrong(&self, what: String) {
        *self.wrong.lock().unwrap().entry(what).or_default() += 1;
    }

    /// Calls of every kind; each kind has the answers that it may get.
    fn call(&self, api: &Api, keys: &[Key; 3], number: u64) {
        let mut dice = Dice(number);
        let mut connection: Option<Connection> = None;
        let body = vec![b'x'; 100_000];
        while self.goes_on() {
            let kind = dice.between(0, 9);
            let (verb, path, key, allowed): (&str, &str, &str, &[u16]) = match kind {
                0 | 1 => ("GET", "/hit", &keys[0].value, &[200]),
                2 => ("GET", "/mock", &keys[0].value, &[200]),
                3 => ("POST", "/echo", &keys[0].value, &[200]),
                4 => ("GET", "/big/200000", &keys[0].value, &[200]),
                5 => ("GET", "/hit", &keys[1].value, &[200, 429]),
                6 => ("GET", "/hit", &keys[2].value, &[200, 429]),
                7 => ("GET", "/hit", "unknown-key-0123456789", &[403]),
                8 => ("GET", "/status/503", &keys[0].value, &[503]),
                _ => ("GET", "/reset", &keys[0].value, &[502, 504]),
            };
            let body: &[u8] = if verb == "POST" {
                &body[..dice.between(0, 100_000) as usize]
            } else {
                b""
            };
            if !connection.as_ref().is_some_and(Connection::is_open) {
                connection = Connection::open(self.data).ok();
            }
            let target = api.target("prod", path);
            let reply = connection
                .as_mut()
                .map(|c| c.send(verb, &target, &[("x-api-key", key)], body));
            self.calls.fetch_add(1, Ordering::Relaxed);
            match reply {
                Some(Ok(reply)) => {
                    self.note(&reply);
                    if !allowed.contains(&reply.status) {
                        self.note_wrong(format!(
                            "{verb} {path}: {} {}",
                            reply.status,
                            short(&reply)
                        ));
                    }
                }
                Some(Err(error)) => {
                    self.note_wrong(format!("{verb} {path}: {error}"));
                    connection = None;
                }
                None => self.note_wrong("no connection".to_owned()),
            }
        }
    }

    fn note(&self, reply: &Reply) {
        *self
            .answers
            .lock()
            .unwrap()
            .entry(reply.status)
            .or_default() += 1;
    }

    /// Clients that go away in the middle of their own body, or of the answer.
    fn leave_early(&self, api: &Api, key: &Key) {
        let mut dice = Dice(77);
        let head = |path: &str, more: &str| {
            let target = api.target("prod", path);
            format!(
                "POST {target} HTTP/1.1\r\nHost: a\r\nx-api-key: {}\r\n{more}\r\n",
                key.value
            )
        };
        while self.goes_on() {
            let text = match dice.between(0, 3) {
                0 => head("/echo", "Content-Length: 100000\r\n") + "some",
                1 => head("/wait/200", "Content-Length: 0\r\n"),
                2 => head("/big/3000000", "Content-Length: 0\r\n"),
                _ => head("/echo", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n",
            };
            if let Ok(mut connection) = Connection::open(self.data) {
                let _ = connection.write_raw(text.as_bytes());
                std::thread::sleep(Duration::from_millis(dice.between(0, 30)));
            }
        }
    }

    /// Clients that send half a head, or half a body, and wait.
    fn dawdle(&self, api: &Api) {
        let mut slow = std::collections::VecDeque::new();
        let target = api.target("prod", "/echo");
        while self.goes_on() {
            for text in [
                format!("GET {target} HTTP/1.1\r\nHost:"),
                format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nx"),
            ] {
                if let Ok(mut connection) = Connection::open(self.data) {
                    let _ = connection.write_raw(text.as_bytes());
                    slow.push_back(connection);
                }
            }
            if slow.len() > 60 {
                slow.pop_front();
                slow.pop_front();
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Keys made, imported, disabled and deleted; plans edited; deployments and stages that come and go.
    fn change(&self, api: &Api, plan: &Plan) {
        let control = &self.control;
        let mut round = 0;
        while self.goes_on() {
            round += 1;
            let key = plan.key(&format!("soak-{round}"));
            key.set_enabled(control, false);
            let csv: String = (0..20)
                .map(|n| {
                    format!(
                        "imported-{n},imported-{round}-{n}-0123456789,TRUE,{}\n",
                        plan.id
                    )
                })
                .collect();
            let csv = format!("name,key,enabled,usageplanids\n{csv}");
            let made = control
                .send("POST", "/apikeys?mode=import&format=csv", csv.as_bytes())
                .ok(201);
            let ids = made["ids"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|id| id.as_str());
            for id in ids.chain([key.id.as_str()]) {
                control.delete(&format!("/apikeys/{id}")).ok_status(202);
                self.deleted.fetch_add(1, Ordering::Relaxed);
            }
            plan.set("/throttle/rateLimit", &format!("{}", 1_000_000 + round));
            let stage = format!("s{round}");
            let deployment = api.deploy(&stage);
            control
                .delete(&format!("{}/stages/{stage}", api.path()))
                .ok_status(202);
            control
                .delete(&format!("{}/deployments/{deployment}", api.path()))
                .ok_status(202);
            self.deleted.fetch_add(1, Ordering::Relaxed);
            self.changes.fetch_add(28, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn short(reply: &Reply) -> String {
    reply.text().chars().take(80).collect()
}

/// The median of the samples' memory.
fn middle(samples: &[(f64, f64, usize)]) -> f64 {
    let mut all: Vec<f64> = samples.iter().map(|sample| sample.1).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// By least squares, in KiB a minute.
fn slope_per_minute(samples: &[(f64, f64, usize)]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&(f64, f64, usize)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (at, memory) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let above: f64 = samples
        .iter()
        .map(|sample| (sample.0 - at) * (sample.1 - memory))
        .sum();
    let below: f64 = samples.iter().map(|sample| (sample.0 - at).powi(2)).sum();
    60.0 * above / below
}
