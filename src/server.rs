//! Opens the store, starts both planes and stops them in order. Nothing else starts what runs long.

pub mod control_plane;
mod data_plane;
pub mod first_key;
pub mod health;
pub mod listen;
mod live;
mod looking_in;
mod patient;
mod signals;
mod test_invoke;
pub mod tls;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tollgate_control::auth::session::SessionLimits;
use tollgate_control::{Control, ControlSettings};
use tollgate_entity::Timestamp;
use tollgate_proxy::DataPlane;
use tollgate_proxy::unenforced::unenforced;
use tollgate_store::{Store, StoreError, StoreOptions};

use crate::cli::failed::Failed;
use crate::config::{Config, KeyReveal, Loaded};
use crate::telemetry;
use health::{Health, Life, Phase};
use live::LiveBook;
use looking_in::LookingIn;
use signals::{Asked, Signals};

/// Threads of the control plane; its database work has threads of its own.
const CONTROL_THREADS: usize = 2;

/// How long work of the control plane that still runs after the drain is waited for, such as reading a file on a disk that
/// does not answer. What it writes is a transaction: done or not done.
const THREADS_END: Duration = Duration::from_secs(5);

/// Lines of the start's log about what is not enforced.
const UNENFORCED_TOLD_MAX: usize = 20;

/// A little longer than the allocator keeps what was freed, and as much as it takes from the system at once.
const GIVE_BACK_AFTER: Duration = Duration::from_millis(1200);
const GIVE_BACK_BYTES: usize = 4 << 20;

/// Where a server listens; never port 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub data_plane: SocketAddr,
    /// None without a certificate.
    pub tls: Option<SocketAddr>,
    pub control_plane: SocketAddr,
}

/// A running gateway. Dropped without `stop`, it ends without draining.
pub struct Server {
    addresses: Addresses,
    life: Life,
    store: Store,
    data_plane: DataPlane,
    certificates: tls::PlaneCertificates,
    stop_control: watch::Sender<bool>,
    control: JoinHandle<()>,
    runtime: Runtime,
}

/// `tollgate serve`: runs until a signal ends it.
pub fn serve(loaded: Loaded) -> Result<(), Failed> {
    telemetry::start(&loaded.config);
    match &loaded.file {
        Some(file) => tracing::info!(file = %file.display(), "configuration read"),
        None => tracing::debug!("no configuration file"),
    }
    allow_descriptors();
    let signals = hold_signals()?;
    run_until_signal(Server::start(&loaded.config)?, signals)
}

/// Raises the soft limit of open files to the hard one: every connection takes a descriptor, a proxied
/// call a second one, and the usual soft limit of 1,024 is for programs that use `select`.
fn allow_descriptors() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) => tracing::debug!(allowed, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// What the start needed and freed goes back to the system. The allocator does that only when more is freed later,
/// which on a quiet gateway may be never.
async fn give_back() {
    tokio::time::sleep(GIVE_BACK_AFTER).await;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(
        GIVE_BACK_BYTES,
    )));
}

impl Server {
    /// Starts both planes; they serve when this returns. Must not be called on a runtime's thread.
    pub fn start(config: &Config) -> Result<Server, Failed> {
        let started = Instant::now();
        tracing::info!(data_dir = %config.data_dir.display(), version = env!("CARGO_PKG_VERSION"), "starting");
        let certificates = tls::load(config)?;
        certificates.warn();
        let store = open_store(config)?;
        let listener = listen::bind(config.control_plane.0)?;
        let runtime = control_runtime()?;
        let life = Life::starting();
        let data_plane = data_plane::start(config, certificates.domain_certificates(), &store)?;
        tell_unenforced(&store)?;
        if config.auth {
            make_first_key(&store, config)?;
        } else {
            tracing::warn!(
                "authentication is off: every program on this machine can change everything"
            );
        }
        let addresses = Addresses {
            data_plane: data_plane.addresses()[0],
            tls: data_plane.addresses().get(1).copied(),
            control_plane: listener
                .local_addr()
                .map_err(|error| Failed::Failed(error.to_string()))?,
        };
        let health = Health {
            life: life.clone(),
            started,
            figures: data_plane.figures(),
            data_plane: addresses.data_plane,
            metrics_token: config.metrics_token.clone(),
            certificates: certificates.clone(),
        };
        let book = LiveBook::new(data_plane.figures());
        let looking_in = LookingIn {
            book: book.clone(),
            figures: data_plane.figures(),
            tester: data_plane.tester(),
            address: addresses.data_plane,
            now,
        };
        let control =
            control(config, certificates.arns(), &store).with_data_plane(Arc::new(looking_in));
        let router = health::router(health, control)
            .merge(tollgate_console::router())
            .layer(axum::middleware::from_fn(tollgate_console::lead));
        let limits = control_plane::Limits {
            connections_max: usize::try_from(config.control_connections_max).unwrap_or(usize::MAX),
            tls_handshake_timeout: Duration::from_millis(config.tls_handshake_timeout_ms),
            header_read_timeout: Duration::from_millis(config.header_read_timeout_ms),
            write_timeout: Duration::from_secs(config.response_write_timeout_s),
            drain_timeout: Duration::from_secs(config.drain_timeout_s),
        };
        let tls = certificates.control_plane_config()?;
        let (stop_control, stopped) = watch::channel(false);
        let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) });
        let listener = listener.map_err(|error| Failed::Failed(error.to_string()))?;
        let control = runtime.spawn(control_plane::serve(listener, tls, router, limits, stopped));
        certificates.follow(&runtime);
        runtime.spawn(book.keep(now));
        runtime.spawn(give_back());
        life.set(Phase::Serving);
        if let Some(address) = addresses.tls {
            tracing::info!(%address, "the data plane serves TLS, too");
        }
        tracing::info!(
            data_plane = %addresses.data_plane, control_plane = %addresses.control_plane,
            took_ms = started.elapsed().as_millis() as u64, "serving"
        );
        Ok(Server {
            addresses,
            life,
            store,
            data_plane,
            certificates,
            stop_control,
            control,
            runtime,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Runs a future on the control plane's runtime, beside it.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Stops: no new requests, those in flight finish, counters are written. The control plane ends last, so that its
    /// health routes tell of the draining.
    pub fn stop(self) {
        self.life.set(Phase::Draining);
        tracing::info!("draining");
        self.data_plane.stop();
        // Nobody is left to see this value if the control plane has failed.
        let _ = self.stop_control.send(true);
        if let Err(error) = self.runtime.block_on(self.control) {
            tracing::error!("the control plane failed: {error}");
        }
        self.runtime.shutdown_timeout(THREADS_END);
        drop(self.store);
        tracing::info!("stopped");
    }
}

/// Does what signals ask for until one ends the program, then stops.
pub fn run_until_signal(server: Server, signals: Signals) -> Result<(), Failed> {
    let heard = signals.hear().map_err(cannot_hear)?;
    loop {
        match heard.recv() {
            Ok(Asked::Reload) => {
                tracing::info!(
                    "SIGHUP received: certificates and the access log's file are opened again"
                );
                server.certificates.reload();
                server.data_plane.reopen_access_log();
            }
            Ok(Asked::ReopenLog) => server.data_plane.reopen_access_log(),
            Ok(Asked::Stop(name)) => {
                tracing::info!(
                    "{name} received; a second signal, from a second after it on, ends at once"
                );
                break;
            }
            Err(_) => {
                tracing::error!("signals are not heard any more");
                break;
            }
        }
    }
    server.stop();
    Ok(())
}

/// Signals that must not end the program while it starts.
pub fn hold_signals() -> Result<Signals, Failed> {
    Signals::hold().map_err(cannot_hear)
}

fn cannot_hear(error: std::io::Error) -> Failed {
    Failed::Failed(format!("cannot wait for signals: {error}"))
}

fn control_runtime() -> Result<Runtime, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build();
    runtime.map_err(|error| Failed::Failed(format!("cannot start threads: {error}")))
}

fn open_store(config: &Config) -> Result<Store, Failed> {
    let options = StoreOptions {
        master_key: crate::cli::backup::master_key(config)?,
        keep_key_values: config.key_reveal == KeyReveal::Always,
        ..StoreOptions::default()
    };
    Store::open(&config.data_dir, options).map_err(|error| {
        Failed::Failed(format!(
            "{error}\nThe data directory is {}; --data-dir DIR chooses another.",
            config.data_dir.display()
        ))
    })
}

/// Logs what is set in stages and does not do what it says.
fn tell_unenforced(store: &Store) -> Result<(), Failed> {
    let mut count = 0;
    let told = store.read_blocking(|reader| {
        reader.each_deployed_stage(|stage, content| {
            for one in unenforced(&stage, &content) {
                count += 1;
                if count <= UNENFORCED_TOLD_MAX {
                    tracing::warn!(place = one.place, "not enforced: {}", one.what);
                }
            }
        })
    });
    told.map_err(|error: StoreError| Failed::Failed(error.to_string()))?;
    if count > UNENFORCED_TOLD_MAX {
        let more = count - UNENFORCED_TOLD_MAX;
        tracing::warn!("{more} more settings are not enforced; `tollgate check` tells all");
    }
    Ok(())
}

fn make_first_key(store: &Store, config: &Config) -> Result<(), Failed> {
    let made = first_key::ensure(store, &config.data_dir, now());
    match made.map_err(|error| Failed::Failed(error.to_string()))? {
        Some(file) => {
            let file = std::path::absolute(&file).unwrap_or(file);
            tracing::info!(
                "made an administrator's access key; it is in {0} for: export AWS_SHARED_CREDENTIALS_FILE={0}",
                file.display()
            );
        }
        None => tracing::debug!("access keys exist"),
    }
    Ok(())
}

fn control(config: &Config, certificate_arns: Option<BTreeSet<String>>, store: &Store) -> Control {
    let settings = ControlSettings {
        region: config.region.clone(),
        account_id: config.account_id.clone(),
        max_definition_bytes: usize::try_from(config.max_definition_bytes).unwrap_or(usize::MAX),
        auth: config.auth,
        tls: config.control_tls_certificate.is_some(),
        certificate_arns,
        sessions: SessionLimits {
            idle_s: config.session_idle_timeout_s.cast_signed(),
            age_s: config.session_timeout_s.cast_signed(),
        },
    };
    Control::new(store.clone(), settings, now)
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_second())
}

#[cfg(test)]
mod tests;
