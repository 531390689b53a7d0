//! What the data plane counts, per worker so that none waits for another, and Prometheus's text of it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::gateway_response::{Reason, TABLE};
use crate::recent_keys::RecentKeys;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The integration's status, by its hundreds.
    Answered(u16),
    Refused,
    /// The client went away before its answer had begun.
    ClientClosed,
    /// The answer broke off: the upstream failed in the middle of it, or the client went away.
    Cut,
}

const OUTCOMES: [&str; 8] = [
    "1xx",
    "2xx",
    "3xx",
    "4xx",
    "5xx",
    "refused",
    "client_closed",
    "cut",
];

impl Outcome {
    fn index(self) -> usize {
        match self {
            Outcome::Answered(status) => usize::from(status / 100).clamp(1, 5) - 1,
            Outcome::Refused => 5,
            Outcome::ClientClosed => 6,
            Outcome::Cut => 7,
        }
    }
}

/// Upper ends of the latency histogram's buckets, in microseconds.
const BUCKETS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// All counters of the data plane. Shared by all workers; each writes to its own part.
pub struct Metrics {
    workers: Box<[Worker]>,
    stages: Mutex<Stages>,
}

/// By API and stage.
type Stages = BTreeMap<(Box<str>, Box<str>), Arc<StageStats>>;

/// One worker's part, on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Worker {
    refusals: Refusals,
    /// Per bucket, and beyond the last.
    durations: [AtomicU64; BUCKETS_US.len() + 1],
    duration_sum_us: AtomicU64,
    clients: Clients,
    upstream: UpstreamStats,
    log_lines_dropped: AtomicU64,
    recent_keys: RecentKeys,
}

/// Calls since the start, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Let through and answered below 500.
    pub answered: u64,
    /// Answered with 5xx, cut, or given up by the client.
    pub failed: u64,
    /// Refused with 403.
    pub forbidden: u64,
    /// Refused with 429.
    pub limited: u64,
    /// Refused for other reasons.
    pub refused: u64,
    /// Connections of clients open now.
    pub connections: u64,
}

/// By reason.
struct Refusals([AtomicU64; TABLE.len()]);

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals(std::array::from_fn(|_| AtomicU64::default()))
    }
}

/// Connections of clients.
#[derive(Default)]
struct Clients {
    opened: AtomicU64,
    closed: AtomicU64,
    turned_away: AtomicU64,
    handshakes_failed: AtomicU64,
    flooded: AtomicU64,
}

/// Connections to upstreams.
#[derive(Default)]
pub struct UpstreamStats {
    opened: AtomicU64,
    closed: AtomicU64,
    rested: AtomicU64,
    woken: AtomicU64,
}

impl UpstreamStats {
    pub fn opened(&self) {
        add(&self.opened, 1);
    }

    pub fn closed(&self) {
        add(&self.closed, 1);
    }

    /// A connection waits for its next call.
    pub fn rested(&self) {
        add(&self.rested, 1);
    }

    /// Connections wait no longer.
    pub fn woken(&self, count: u64) {
        add(&self.woken, count);
    }
}

/// The calls of one stage.
pub struct StageStats {
    workers: Box<[Outcomes]>,
}

#[repr(align(128))]
#[derive(Default)]
struct Outcomes([AtomicU64; OUTCOMES.len()]);

impl StageStats {
    /// Counts a call.
    pub fn count(&self, worker: usize, outcome: Outcome) {
        if let Some(own) = self.workers.get(worker) {
            add(&own.0[outcome.index()], 1);
        }
    }

    /// Calls with an outcome so far.
    pub fn total(&self, outcome: Outcome) -> u64 {
        sum(&self.workers, |own| &own.0[outcome.index()])
    }
}

impl Metrics {
    pub fn new(workers: usize) -> Metrics {
        let workers = (0..workers.max(1)).map(|_| Worker::default()).collect();
        Metrics {
            workers,
            stages: Mutex::default(),
        }
    }

    /// The counters of a stage; the same ones for as long as somebody holds them.
    pub fn stage(&self, api_id: &str, stage: &str) -> Arc<StageStats> {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            let workers = self.workers.iter().map(|_| Outcomes::default()).collect();
            Arc::new(StageStats { workers })
        };
        Arc::clone(
            stages
                .entry((api_id.into(), stage.into()))
                .or_insert_with(fresh),
        )
    }

    /// Forgets the stages that no snapshot and no call holds any more: they were deleted.
    pub fn forget_deleted(&self) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.retain(|_, stats| Arc::strong_count(stats) > 1);
    }

    /// Counts a call that has ended, whatever its stage.
    pub fn count(&self, worker: usize, refused: Option<Reason>, duration: Duration) {
        let own = self.worker(worker);
        if let Some(reason) = refused {
            add(&own.refusals.0[reason as usize], 1);
        }
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|end| *end < us);
        add(&own.durations[bucket], 1);
        add(&own.duration_sum_us, us);
    }

    /// Refusals for a reason so far.
    pub fn refusals(&self, reason: Reason) -> u64 {
        sum(&self.workers, |worker| &worker.refusals.0[reason as usize])
    }

    /// The keys of a worker's last calls.
    pub fn recent_keys(&self, worker: usize) -> &RecentKeys {
        &self.worker(worker).recent_keys
    }

    /// The same of every worker.
    pub fn all_recent_keys(&self) -> impl Iterator<Item = &RecentKeys> {
        self.workers.iter().map(|worker| &worker.recent_keys)
    }

    /// Calls by how they ended. Stages that were deleted are not in it any more.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, name) in OUTCOMES.iter().enumerate() {
            let count: u64 = stages
                .values()
                .map(|stage| sum(&stage.workers, |own| &own.0[index]))
                .sum();
            match *name {
                "refused" => {}
                "5xx" | "client_closed" | "cut" => totals.failed += count,
                _ => totals.answered += count,
            }
        }
        drop(stages);
        for row in &TABLE {
            let count = self.refusals(row.reason);
            match row.status {
                403 => totals.forbidden += count,
                429 => totals.limited += count,
                _ => totals.refused += count,
            }
        }
        let opened = sum(&self.workers, |worker| &worker.clients.opened);
        let closed = sum(&self.workers, |worker| &worker.clients.closed);
        totals.connections = opened.saturating_sub(closed);
        totals
    }

    pub fn upstream(&self, worker: usize) -> &UpstreamStats {
        &self.worker(worker).upstream
    }

    /// Connections to upstreams opened so far.
    pub fn upstream_opened(&self) -> u64 {
        sum(&self.workers, |worker| &worker.upstream.opened)
    }

    /// Lines of the access log that were lost because the disk did not keep up.
    pub fn log_lines_dropped(&self, worker: usize, lines: u64) {
        add(&self.worker(worker).log_lines_dropped, lines);
    }

    pub fn client_opened(&self, worker: usize) {
        add(&self.worker(worker).clients.opened, 1);
    }

    pub fn client_closed(&self, worker: usize) {
        add(&self.worker(worker).clients.closed, 1);
    }

    /// A connection over the cap.
    pub fn client_turned_away(&self, worker: usize) {
        add(&self.worker(worker).clients.turned_away, 1);
        let reason = Reason::TooManyConnections as usize;
        add(&self.worker(worker).refusals.0[reason], 1);
    }

    /// A TLS handshake that came to nothing; `is_plain` when the client did not speak TLS at all.
    pub fn client_handshake_failed(&self, worker: usize, is_plain: bool) {
        add(&self.worker(worker).clients.handshakes_failed, 1);
        if is_plain {
            let reason = Reason::PlainHttp as usize;
            add(&self.worker(worker).refusals.0[reason], 1);
        }
    }

    /// An HTTP/2 connection that was ended because its client made the gateway work for nothing.
    pub fn client_flooded(&self, worker: usize) {
        add(&self.worker(worker).clients.flooded, 1);
    }

    fn worker(&self, worker: usize) -> &Worker {
        &self.workers[worker % self.workers.len()]
    }

    /// Everything in Prometheus's text format.
    pub fn render(&self, text: &mut String) {
        self.render_requests(text);
        let all = |of: fn(&Worker) -> &AtomicU64| sum(&self.workers, of);
        family(
            text,
            "tollgate_refusals_total",
            "counter",
            "Calls refused by the gateway, by reason.",
        );
        for row in &TABLE {
            let count = sum(&self.workers, |worker| {
                &worker.refusals.0[row.reason as usize]
            });
            let _ = writeln!(
                text,
                "tollgate_refusals_total{{reason=\"{}\"}} {count}",
                row.name
            );
        }
        self.render_durations(text);
        let clients = all(|w| &w.clients.opened).saturating_sub(all(|w| &w.clients.closed));
        single(
            text,
            "tollgate_client_connections",
            "gauge",
            "Client connections that are open.",
            clients,
        );
        let turned_away = all(|w| &w.clients.turned_away);
        single(
            text,
            "tollgate_client_connections_refused_total",
            "counter",
            "Client connections over the cap.",
            turned_away,
        );
        let handshakes = all(|w| &w.clients.handshakes_failed);
        single(
            text,
            "tollgate_tls_handshakes_failed_total",
            "counter",
            "TLS handshakes of clients that came to nothing.",
            handshakes,
        );
        let flooded = all(|w| &w.clients.flooded);
        single(
            text,
            "tollgate_http2_floods_total",
            "counter",
            "HTTP/2 connections ended because their clients sent what only costs work.",
            flooded,
        );
        let opened = all(|w| &w.upstream.opened);
        let open = opened.saturating_sub(all(|w| &w.upstream.closed));
        let idle = all(|w| &w.upstream.rested)
            .saturating_sub(all(|w| &w.upstream.woken))
            .min(open);
        family(
            text,
            "tollgate_upstream_connections",
            "gauge",
            "Connections to upstreams, by what they do.",
        );
        let _ = writeln!(
            text,
            "tollgate_upstream_connections{{state=\"idle\"}} {idle}"
        );
        let _ = writeln!(
            text,
            "tollgate_upstream_connections{{state=\"active\"}} {}",
            open - idle
        );
        single(
            text,
            "tollgate_upstream_connections_opened_total",
            "counter",
            "Connections opened to upstreams.",
            opened,
        );
        let dropped = all(|w| &w.log_lines_dropped);
        single(
            text,
            "tollgate_access_log_dropped_total",
            "counter",
            "Lines of the access log that were lost.",
            dropped,
        );
    }

    fn render_requests(&self, text: &mut String) {
        family(
            text,
            "tollgate_requests_total",
            "counter",
            "Calls to stages, by how they ended.",
        );
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        for ((api_id, stage), stats) in stages.iter() {
            for (index, outcome) in OUTCOMES.iter().enumerate() {
                let count = sum(&stats.workers, |own| &own.0[index]);
                if count > 0 {
                    let (api_id, stage) = (label(api_id), label(stage));
                    let _ = writeln!(
                        text,
                        "tollgate_requests_total{{api_id=\"{api_id}\",stage=\"{stage}\",outcome=\"{outcome}\"}} {count}"
                    );
                }
            }
        }
    }

    fn render_durations(&self, text: &mut String) {
        const NAME: &str = "tollgate_request_duration_seconds";
        family(
            text,
            NAME,
            "histogram",
            "Time from a call's head to the end of its answer.",
        );
        let mut below = 0;
        for (index, end) in BUCKETS_US.iter().enumerate() {
            below += sum(&self.workers, |worker| &worker.durations[index]);
            let _ = writeln!(
                text,
                "{NAME}_bucket{{le=\"{}\"}} {below}",
                *end as f64 / 1e6
            );
        }
        below += sum(&self.workers, |worker| &worker.durations[BUCKETS_US.len()]);
        let seconds = sum(&self.workers, |worker| &worker.duration_sum_us) as f64 / 1e6;
        let _ = writeln!(
            text,
            "{NAME}_bucket{{le=\"+Inf\"}} {below}\n{NAME}_sum {seconds}\n{NAME}_count {below}"
        );
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn sum<'a, T>(parts: &'a [T], of: impl Fn(&'a T) -> &'a AtomicU64) -> u64 {
    parts
        .iter()
        .map(|part| of(part).load(Ordering::Relaxed))
        .sum()
}

/// The heading of a metric.
pub fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A metric without labels.
pub fn single(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    family(text, name, kind, help);
    let _ = writeln!(text, "{name} {value}");
}

/// A label's value, escaped.
pub fn label(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_nobody_holds_is_forgotten() {
        let metrics = Metrics::new(1);
        let held = metrics.stage("abc", "held");
        drop(metrics.stage("abc", "deleted"));
        held.count(0, Outcome::Refused);
        metrics.forget_deleted();
        let mut text = String::new();
        metrics.render(&mut text);
        assert!(!text.contains("deleted"), "{text}");
        assert_eq!(metrics.stage("abc", "held").total(Outcome::Refused), 1);
    }

    #[test]
    fn counts_of_all_workers_are_shown_together() {
        let metrics = Metrics::new(2);
        let stage = metrics.stage("abc", "pr\"od");
        stage.count(0, Outcome::Answered(204));
        metrics
            .stage("abc", "pr\"od")
            .count(1, Outcome::Answered(200));
        stage.count(1, Outcome::Refused);
        metrics.count(0, Some(Reason::Throttled), Duration::from_micros(100));
        metrics.count(1, None, Duration::from_micros(101));
        metrics.count(1, None, Duration::from_secs(60));
        metrics.upstream(0).opened();
        metrics.upstream(1).opened();
        metrics.upstream(1).rested();
        let mut text = String::new();
        metrics.render(&mut text);
        for line in [
            r#"tollgate_requests_total{api_id="abc",stage="pr\"od",outcome="2xx"} 2"#,
            r#"tollgate_requests_total{api_id="abc",stage="pr\"od",outcome="refused"} 1"#,
            r#"tollgate_refusals_total{reason="throttled"} 1"#,
            r#"tollgate_refusals_total{reason="key-unknown"} 0"#,
            r#"tollgate_request_duration_seconds_bucket{le="0.0001"} 1"#,
            r#"tollgate_request_duration_seconds_bucket{le="0.00025"} 2"#,
            r#"tollgate_request_duration_seconds_bucket{le="30"} 2"#,
            r#"tollgate_request_duration_seconds_bucket{le="+Inf"} 3"#,
            "tollgate_request_duration_seconds_count 3",
            r#"tollgate_upstream_connections{state="idle"} 1"#,
            r#"tollgate_upstream_connections{state="active"} 1"#,
            "tollgate_upstream_connections_opened_total 2",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        assert_eq!(metrics.refusals(Reason::Throttled), 1);
        assert_eq!(stage.total(Outcome::Answered(299)), 2);
    }
}
