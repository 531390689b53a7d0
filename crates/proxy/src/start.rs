//! Starts the data plane and stops it: the threads there are, and the order in which they begin and end.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tollgate_entity::ThrottleSettings;
use tollgate_limiter::{Counters, RateTable, Slot, Start, Ticks};
use tollgate_store::{LedgerError, Store, StoreError};

use crate::DataPlaneState;
use crate::access_log::{AccessLog, Recorder, StageLogs, Target};
use crate::admission::{Limiter, MethodBuckets};
use crate::body::room::Room;
use crate::build::{Adopter, Builder};
use crate::explain::{Explanation, Question, explain};
use crate::gateway_response::{GatewayResponses, Row, TABLE};
use crate::integration::Integrations;
use crate::invoke::Calls;
use crate::key_index::KeyId;
use crate::keys_of_nouns::Keys;
use crate::metrics::{Metrics, Totals, family, single};
use crate::net::address::AddressRules;
use crate::net::connect::{BadRoots, Connector};
use crate::net::listener::{BindError, Listener};
use crate::net::serving::{Door, RuntimeLayout, Serving, ServingLimits};
use crate::net::tls::{self, domains::DomainCertificates};
use crate::net::upstream::{Pool, PoolLimits};
use crate::recent_keys::Busy;
use crate::snapshot::Snapshot;
use crate::test_invoke::Tester;
use crate::time::{Past, Source, Time};
use crate::usage;
use crate::waiting::{WaitLimits, Waiting};
use crate::working::Working;

/// How the data plane is set up.
pub struct Settings {
    pub address: SocketAddr,
    /// Where TLS is served, if anywhere, with which certificates.
    pub tls: Option<(SocketAddr, Arc<DomainCertificates>)>,
    pub layout: RuntimeLayout,
    /// Threads; at least one.
    pub workers: usize,
    pub serving: ServingLimits,
    pub pool: PoolLimits,
    pub connect_timeout: Duration,
    /// Certificate authorities trusted besides the machine's own, a PEM file.
    pub extra_roots: Option<PathBuf>,
    pub addresses: AddressRules,
    /// Whether `x-api-key` travels on to upstreams, as it does on AWS.
    pub forwards_api_key: bool,
    /// How long an answer that has begun may pause before it is cut.
    pub answer_patience: Duration,
    pub responses: GatewayResponses,
    pub sends_rate_limits: bool,
    /// None keeps no access log.
    pub access_log: Option<Target>,
    /// Where the access logs go that stages ask for in a format of their own.
    pub stage_log_directory: PathBuf,
    pub wait_limits: WaitLimits,
    /// The account that calls are told of (`$context.accountId`): twelve digits.
    pub account_id: String,
    /// The throttle over all calls; none unless configured.
    pub account: Option<ThrottleSettings>,
    /// How long calls in flight have after a stop.
    pub drain_max: Duration,
    /// Bytes of bodies that are held in memory whole, over all calls.
    pub buffered_bytes_max: u64,
}

/// Why the data plane does not serve.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Roots(#[from] BadRoots),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(
        "usage.alive cannot be written ({0}); a start after a crash would take the last clean stop for the end of service"
    )]
    Stamp(std::io::Error),
    #[error(
        "the access log cannot be opened{}: {cause}; access_log names another file, stdout or off",
        at(path)
    )]
    AccessLog {
        path: Option<std::path::PathBuf>,
        cause: std::io::Error,
    },
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
    #[error("a thread ended before it served")]
    Ended,
}

fn at(path: &Option<std::path::PathBuf>) -> String {
    let named = |path: &std::path::PathBuf| format!(" at {}", path.display());
    path.as_ref().map_or_else(String::new, named)
}

/// A data plane that serves.
pub struct DataPlane {
    serving: Serving,
    state: Arc<DataPlaneState>,
    metrics: Arc<Metrics>,
    tester: Tester,
    access_log: Option<Arc<AccessLog>>,
    stage_logs: Arc<StageLogs>,
    builder: (oneshot::Sender<()>, JoinHandle<()>),
    writer: JoinHandle<()>,
    drain_max: Duration,
}

impl DataPlane {
    /// Loads the configuration, recovers the ledger, and serves. Blocks; not for a runtime's thread.
    pub fn start(settings: Settings, store: &Store) -> Result<DataPlane, StartError> {
        let workers = settings.workers.max(1);
        let mut doors = vec![Door::from(Listener::bind(settings.address, workers)?)];
        let domain_certificates = settings.tls.as_ref().map(|(_, own)| Arc::clone(own));
        if let Some((address, certificates)) = settings.tls {
            doors.push(Door {
                listener: Listener::bind(address, workers)?,
                tls: Some(Arc::new(tls::ServerTls::by_name(
                    certificates,
                    &[tls::HTTP_2, tls::HTTP_1_1],
                )?)),
            });
        }
        let connector = Connector::new(
            settings.addresses,
            settings.extra_roots.as_deref(),
            settings.connect_timeout,
        )?;
        let connector = Arc::new(connector);
        let metrics = Arc::new(Metrics::new(workers));
        let access_log = match settings.access_log {
            Some(target) => {
                let path = match &target {
                    Target::File(path) => Some(path.clone()),
                    Target::Stdout => None,
                };
                let log = AccessLog::start(target, workers, Arc::clone(&metrics));
                let log = log.map_err(|cause| StartError::AccessLog { path, cause });
                Some(Arc::new(log?))
            }
            None => None,
        };

        let ledger = store.ledger().writer()?;
        let Past {
            ticks_at_start,
            start,
            last_day,
        } = Past::read(ledger.last_stamp(), &Source::machine(Ticks(0)));
        let time = Arc::new(Time::start(Source::machine(ticks_at_start)));
        let counters = Arc::new(Counters::new());
        let rates = Arc::new(RateTable::new());
        let waiting = Arc::new(Waiting::default());
        let (writer, handle) = usage::writer(
            ledger,
            last_day,
            Arc::clone(&counters),
            Arc::clone(&waiting),
            Arc::clone(&time),
        )
        .map_err(StartError::Stamp)?;
        let writer = on_a_thread("tollgate-ledger", writer.run())?;

        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let mut working = Working::new(
            Arc::clone(&counters),
            Arc::clone(&rates),
            Arc::clone(&metrics),
            start,
            settings.account,
        );
        let stage_logs = Arc::new(StageLogs::new(
            settings.stage_log_directory,
            workers,
            Arc::clone(&metrics),
        ));
        working.stage_logs = Some(Arc::clone(&stage_logs));
        working.account_id = settings.account_id.into();
        let method_buckets = MethodBuckets::default();
        let limiter = Limiter {
            counters,
            rates,
            method_buckets,
            writer: handle.clone(),
        };
        let state = Arc::new(DataPlaneState {
            snapshot: Arc::clone(&snapshot),
            limiter,
            waiting,
            wait_limits: settings.wait_limits,
            time,
            digester: store.digester(),
            responses: settings.responses,
            sends_rate_limits: settings.sends_rate_limits,
        });
        let keys = Keys::new(Arc::clone(&connector), domain_certificates);
        let adopter = Adopter::new(working, snapshot, handle);
        let builder = start_builder(store.clone(), keys, adopter, &state, start)?;

        let (pool, log, own) = (settings.pool, access_log.clone(), Arc::clone(&metrics));
        let shared = Arc::clone(&state);
        let (forwards_api_key, answer_patience) =
            (settings.forwards_api_key, settings.answer_patience);
        let room = Room::new(settings.buffered_bytes_max);
        let make = move |worker| {
            let pool = Pool::new(pool, Arc::clone(&connector), Arc::clone(&own), worker);
            let integrations = Integrations {
                pool,
                forwards_api_key,
                answer_patience,
                room: Arc::clone(&room),
            };
            let recorder = Recorder {
                log: log.clone(),
                metrics: Arc::clone(&own),
                worker,
            };
            Arc::new(Calls {
                state: Arc::clone(&shared),
                integrations,
                recorder: Arc::new(recorder),
            })
        };
        let make = Arc::new(make);
        let own = Arc::clone(&make);
        let tester = Tester::new(move || own(0));
        let serving = Serving::start(
            doors,
            settings.layout,
            settings.serving,
            Arc::clone(&metrics),
            move |worker| make(worker),
        )
        .map_err(StartError::Thread)?;
        Ok(DataPlane {
            serving,
            state,
            metrics,
            tester,
            access_log,
            stage_logs,
            builder,
            writer,
            drain_max: settings.drain_max,
        })
    }

    /// Where it listens: for plain HTTP, then for TLS if it does.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.serving.addresses()
    }

    /// Calls methods that may not be deployed.
    pub fn tester(&self) -> Tester {
        self.tester.clone()
    }

    /// What is counted, for `/metrics` and `/status`.
    pub fn figures(&self) -> DataPlaneFigures {
        DataPlaneFigures {
            state: Arc::clone(&self.state),
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Opens the access log again, after it was moved away.
    pub fn reopen_access_log(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
        self.stage_logs.reopen();
    }

    /// Stops accepting, lets calls in flight finish, gives back what is unspent, writes every counter.
    /// Blocks; not for a runtime's thread.
    pub fn stop(self) {
        let DataPlane {
            serving,
            state,
            access_log,
            stage_logs,
            builder,
            writer,
            drain_max,
            ..
        } = self;
        match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => {
                let cut = runtime.block_on(serving.stop(drain_max));
                if cut > 0 {
                    tracing::warn!(
                        connections = cut,
                        "connections were still busy at the end of the drain and were cut"
                    );
                }
            }
            Err(error) => tracing::error!(%error, "calls in flight cannot be waited for"),
        }
        // The thread may have ended by itself; then there is nothing to tell it.
        let _ = builder.0.send(());
        join(builder.1, "the snapshot builder");
        state.limiter.writer.stop();
        join(writer, "the ledger's writer");
        if let Some(log) = access_log {
            log.close();
        }
        stage_logs.close();
    }
}

fn start_builder(
    store: Store,
    keys: Keys,
    adopter: Adopter,
    state: &Arc<DataPlaneState>,
    start: Start,
) -> Result<(oneshot::Sender<()>, JoinHandle<()>), StartError> {
    let (stop, stopped) = oneshot::channel();
    let (started, first) = std::sync::mpsc::channel();
    let state = Arc::clone(state);
    let thread = on_a_thread("tollgate-snapshot", async move {
        let builder = match Builder::start(store, keys, adopter).await {
            Ok(builder) => builder,
            Err(error) => return drop(started.send(Err(error))),
        };
        let end = Slot(u32::try_from(state.limiter.counters.len()).unwrap_or(u32::MAX));
        state.limiter.method_buckets.found_at_start(end, start);
        drop(started.send(Ok(())));
        tokio::select! {
            () = builder.follow(&state.time) => {}
            _ = stopped => {}
        }
    })?;
    match first.recv() {
        Ok(Ok(())) => Ok((stop, thread)),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(StartError::Ended),
    }
}

/// Runs a future to its end on a thread with a runtime of its own.
fn on_a_thread(
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)?;
    let run = move || {
        let work = AssertUnwindSafe(|| runtime.block_on(work));
        if catch_unwind(work).is_err() {
            // Without this thread, changes would be acknowledged that nobody adopts, or calls let through
            // that nobody counts. A sudden end is safe: that is what recovery is for.
            tracing::error!("{name} panicked, which is a bug: the process ends");
            std::process::abort();
        }
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(StartError::Thread)
}

fn join(thread: JoinHandle<()>, what: &str) {
    if thread.join().is_err() {
        tracing::error!("{what} panicked");
    }
}

/// What the data plane counts.
#[derive(Clone)]
pub struct DataPlaneFigures {
    state: Arc<DataPlaneState>,
    metrics: Arc<Metrics>,
}

impl DataPlaneFigures {
    /// Everything in Prometheus's text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.metrics.render(&mut text);
        let snapshot = self.state.snapshot.load();
        let keys = snapshot.keys.len() as u64;
        single(
            &mut text,
            "tollgate_api_keys",
            "gauge",
            "API keys that the data plane knows.",
            keys,
        );
        drop(snapshot);
        let ledger = self.state.limiter.writer.figures();
        let load = |figure: &std::sync::atomic::AtomicU64| figure.load(Ordering::Relaxed);
        let waiting = self.state.waiting.calls() as u64;
        single(
            &mut text,
            "tollgate_ledger_waiting",
            "gauge",
            "Calls that wait for a reservation.",
            waiting,
        );
        single(
            &mut text,
            "tollgate_ledger_counters",
            "gauge",
            "Counters that the writer keeps in memory.",
            load(&ledger.active),
        );
        single(
            &mut text,
            "tollgate_ledger_batches_total",
            "counter",
            "Batches written to the ledger.",
            load(&ledger.batches),
        );
        single(
            &mut text,
            "tollgate_ledger_rows_total",
            "counter",
            "Rows written to the ledger.",
            load(&ledger.rows),
        );
        let seconds = load(&ledger.write_us) as f64 / 1e6;
        family(
            &mut text,
            "tollgate_ledger_write_seconds_total",
            "counter",
            "Time spent writing the ledger.",
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "tollgate_ledger_write_seconds_total {seconds}");
        let full = u64::from(ledger.full.load(Ordering::Relaxed));
        single(
            &mut text,
            "tollgate_ledger_disk_full",
            "gauge",
            "Whether the last write met a full disk.",
            full,
        );
        text
    }

    /// Why a call would pass or be refused now.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        explain(&self.state, question)
    }

    /// Calls since the start, by how they ended.
    pub fn totals(&self) -> Totals {
        self.metrics.totals()
    }

    /// Refusals since the start, by reason; reasons that never came are left out.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let of = |row: &Row| (row.name, self.metrics.refusals(row.reason));
        TABLE.iter().map(of).filter(|(_, count)| *count > 0)
    }

    /// What each key did since a moment (seconds since 1970), as far as the last calls are remembered, and when the
    /// oldest of those calls came.
    pub fn busy_keys(&self, since_s: u64) -> (HashMap<KeyId, Busy>, Option<u64>) {
        let mut busy = HashMap::new();
        let oldest = self
            .metrics
            .all_recent_keys()
            .filter_map(|recent| recent.count(since_s, &mut busy))
            .min();
        (busy, oldest)
    }

    /// Whether the last write of the ledger met a full disk, so that nothing is reserved for now.
    pub fn ledger_is_full(&self) -> bool {
        self.state
            .limiter
            .writer
            .figures()
            .full
            .load(Ordering::Relaxed)
    }

    /// Whether a write or a read of the ledger failed, so that nothing more is reserved.
    pub fn ledger_has_failed(&self) -> bool {
        self.state.limiter.writer.has_failed()
    }
}
