//! The soak: everything at once for minutes, and nothing grows. `make soak` runs ten minutes, the suite half of one.

mod clients;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::{Api, Plan};
use crate::control::Control;
use crate::harness::{alone, wait_until};
use crate::http::Connection;
use crate::tls_client::TlsGateway;
use crate::upstream::Upstream;

/// Seconds in the suite; `MINUTES` asks for more.
const SECONDS_DEFAULT: u64 = 25;

/// What may come on top between warm-up and end, whatever the length: buffers, pages of the allocator, and the page
/// caches of SQLite's eight connections, 2 MiB each, which thousands of changes take to fill.
const GROWN_KIB_MAX: f64 = 24.0 * 1024.0;

/// What may come on top in a minute of the second half of a run of [`LONG`], when caches are full.
const GROWN_KIB_A_MINUTE_MAX: f64 = 512.0;
const LONG: Duration = Duration::from_secs(300);

/// Bytes that a deleted key or stage may leave until the next start (see "Numbers never given twice" in ARCHITECTURE.md).
const LEFT_BYTES_EACH: f64 = 1024.0;

/// Descriptors that may be open after the load besides those before it: files of the databases that were opened late.
const MORE_DESCRIPTORS: usize = 8;

/// The access log is cut off when it is longer, since a long run may write more than there is room for.
const LOG_BYTES_MAX: u64 = 32 << 20;

/// How long the gateway waits for more of a body.
const BODY_PATIENCE: Duration = Duration::from_secs(3);
const CONFIG: &str = "log_level = \"warn\"\nheader_read_timeout_ms = 3000\nbody_read_timeout_s = 3\nupstream_idle_timeout_s = 5\n";

/// What a caller saw that it should not have.
type Wrong = Mutex<BTreeMap<String, u64>>;

pub struct Soak {
    control: Control,
    stop: AtomicBool,
    calls: AtomicU64,
    changes: AtomicU64,
    deleted: AtomicU64,
    answers: Mutex<BTreeMap<u16, u64>>,
    wrong: Wrong,
}

/// The gateway at one moment.
struct Sample {
    minutes: f64,
    memory_kib: f64,
    deleted: f64,
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
    let mut tls = TlsGateway::start(CONFIG);
    let upstream = Upstream::start();
    let soak = Soak {
        control: tls.gateway.control(),
        stop: AtomicBool::new(false),
        calls: AtomicU64::new(0),
        changes: AtomicU64::new(0),
        deleted: AtomicU64::new(0),
        answers: Mutex::default(),
        wrong: Mutex::default(),
    };
    let api = Api::create(&soak.control, "soak");
    api.pass_on("", true, &upstream.url());
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
    let idle = tls.gateway.descriptors();

    let mut samples = Vec::new();
    let (mut busy, mut logged) = (0, 0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let (soak, api, keys, generous, tls) = (&soak, &api, &keys, &generous, &tls);
        let data = tls.gateway.data;
        for number in 0..2 {
            scope.spawn(move || soak.call(api, keys, number, || Connection::open(data)));
        }
        scope.spawn(move || soak.call_with_tls(api, keys, tls));
        scope.spawn(move || soak.call_with_http2(api, keys, tls));
        scope.spawn(move || soak.leave_early(data, api, &keys[0]));
        scope.spawn(move || soak.dawdle(data, api));
        scope.spawn(move || soak.change(api, generous, tls));
        let log = tls.gateway.data_dir().join("access.log");
        while start.elapsed() < length && tls.gateway.memory_kib() > 0 {
            std::thread::sleep(Duration::from_millis(500));
            upstream.forget();
            samples.push(Sample {
                minutes: start.elapsed().as_secs_f64() / 60.0,
                memory_kib: tls.gateway.memory_kib() as f64,
                deleted: soak.deleted.load(Ordering::SeqCst) as f64,
            });
            busy = busy.max(tls.gateway.descriptors());
            let length = std::fs::metadata(&log).map_or(0, |file| file.len());
            if length > LOG_BYTES_MAX {
                logged += length;
                std::fs::File::create(&log).unwrap();
            }
        }
        logged += std::fs::metadata(&log).map_or(0, |file| file.len());
        soak.stop.store(true, Ordering::SeqCst);
    });
    assert!(
        tls.gateway.exited().is_none(),
        "the gateway ended: {}",
        tls.gateway.log()
    );
    println!(
        "soak: {:.0} s, {} calls {:?}, {} changes, {} keys and stages deleted, {} MiB of access log",
        start.elapsed().as_secs_f64(),
        soak.calls.load(Ordering::SeqCst),
        soak.answers.lock().unwrap(),
        soak.changes.load(Ordering::SeqCst),
        soak.deleted.load(Ordering::SeqCst),
        logged >> 20,
    );
    is_flat(&samples, length);

    // With everybody gone, the descriptors are those of an idle gateway.
    let quiet = wait_until("the connections to be closed", || {
        let open = tls.gateway.descriptors();
        (open <= idle + MORE_DESCRIPTORS).then_some(open)
    });
    println!("descriptors: {idle} before, at most {busy} under load, {quiet} after");
    let wrong = soak.wrong.lock().unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    let log = tls.gateway.log();
    let trouble: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("ERROR") || line.contains("panicked"))
        .collect();
    assert!(trouble.is_empty(), "{trouble:?}");
    let answered: u64 = soak.answers.lock().unwrap().values().sum();
    assert!(answered > 100 && soak.changes.load(Ordering::SeqCst) > 10);
    assert!(
        logged > 100 * answered,
        "a line for each call: {logged} bytes"
    );
}

/// Memory does not grow: not by much after the warm-up, and in a long run not steadily.
fn is_flat(samples: &[Sample], length: Duration) {
    let measured = &samples[samples.len() / 4..];
    let quarter = measured.len() / 4;
    let (first, last) = (
        middle(&measured[..quarter]),
        middle(&measured[measured.len() - quarter..]),
    );
    let left_kib =
        |from: &Sample, to: &Sample| (to.deleted - from.deleted) * LEFT_BYTES_EACH / 1024.0;
    let end = &samples[samples.len() - 1];
    let bound = GROWN_KIB_MAX + left_kib(&samples[0], end);
    let half = &samples[samples.len() / 2..];
    let minutes = end.minutes - half[0].minutes;
    let (slope, deleted) = (slope_per_minute(half), left_kib(&half[0], end) / minutes);
    println!(
        "memory: {first:.0} KiB after warm-up, {last:.0} KiB at the end, at most {bound:.0} KiB more; in the second half \
         {slope:+.1} KiB a minute, {deleted:.1} of it may be left by what was deleted"
    );
    assert!(
        last - first < bound,
        "memory grew from {first} to {last} KiB"
    );
    assert!(
        length < LONG || slope < GROWN_KIB_A_MINUTE_MAX + deleted,
        "memory grows by {slope} KiB a minute"
    );
}

impl Soak {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn note_wrong(&self, what: String) {
        *self.wrong.lock().unwrap().entry(what).or_default() += 1;
    }

    /// Keys made, imported, disabled and deleted; plans edited; deployments and stages that come and go; the certificate's
    /// files written anew.
    fn change(&self, api: &Api, plan: &Plan, tls: &TlsGateway) {
        let control = &self.control;
        let mut round = 0;
        while self.goes_on() {
            round += 1;
            if round % 20 == 0 {
                tls.files.write(&tls.files.pair);
            }
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

/// The median of the samples' memory.
fn middle(samples: &[Sample]) -> f64 {
    let mut all: Vec<f64> = samples.iter().map(|sample| sample.memory_kib).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// By least squares, in KiB a minute.
fn slope_per_minute(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (at, memory) = (
        mean(|sample| sample.minutes),
        mean(|sample| sample.memory_kib),
    );
    let above: f64 = samples
        .iter()
        .map(|sample| (sample.minutes - at) * (sample.memory_kib - memory))
        .sum();
    let below: f64 = samples
        .iter()
        .map(|sample| (sample.minutes - at).powi(2))
        .sum();
    above / below
}
