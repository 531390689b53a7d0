//! Flags, environment and file become one checked `Config`.

pub mod flags;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod kind;
pub mod layers;
pub mod settings;
pub mod state_dir;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tollgate_proxy::net::address::Pattern;
use tollgate_proxy::net::tls::certificate::CertificateFiles;

use layers::{Given, Problem, Source};
use settings::{SETTINGS, Setting};

/// The file that is read when no other is named and it exists in the current directory.
const DEFAULT_FILE: &str = "tollgate.toml";

/// Everything that can be set; each member is described in `settings::SETTINGS`, which fills them all.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub data_dir: PathBuf,
    pub data_plane: Address,
    pub tls_address: Address,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// By ARN.
    pub certificates: BTreeMap<String, CertificateFiles>,
    pub control_plane: Address,
    pub control_tls_certificate: Option<PathBuf>,
    pub control_tls_key: Option<PathBuf>,
    pub auth: bool,
    pub region: String,
    pub account_id: String,
    pub key_reveal: KeyReveal,
    pub control_connections_max: u64,
    pub max_definition_bytes: u64,
    pub session_idle_timeout_s: u64,
    pub session_timeout_s: u64,
    pub metrics_token: Option<Secret>,
    pub master_key: Option<Secret>,
    pub runtime: Runtime,
    pub workers: u64,
    pub drain_timeout_s: u64,
    pub max_connections: u64,
    pub connections_per_ip_max: u64,
    pub max_header_bytes: u64,
    pub max_headers: u64,
    pub max_target_bytes: u64,
    pub max_body_bytes: u64,
    pub max_buffered_bytes: u64,
    pub header_read_timeout_ms: u64,
    pub tls_handshake_timeout_ms: u64,
    pub max_http2_streams: u64,
    pub max_http2_calls: u64,
    pub body_read_timeout_s: u64,
    pub body_rate_min_bytes_s: u64,
    pub response_write_timeout_s: u64,
    pub client_idle_timeout_s: u64,
    pub upstream_connect_timeout_ms: u64,
    pub upstream_idle_max: u64,
    pub upstream_idle_timeout_s: u64,
    pub upstream_age_max_s: u64,
    pub upstream_pause_timeout_s: u64,
    pub upstream_ca_file: Option<PathBuf>,
    pub integration_allow: Vec<Pattern>,
    pub integration_deny: Vec<Pattern>,
    pub account_rate_limit: Option<f64>,
    pub account_burst_limit: Option<u64>,
    pub quota_waiters_max: u64,
    pub quota_wait_timeout_ms: u64,
    pub forward_api_key: bool,
    pub rate_limit_headers: bool,
    pub reason_header: bool,
    pub access_log: AccessLog,
    pub stage_log_dir: PathBuf,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl Default for Address {
    fn default() -> Address {
        Address((Ipv4Addr::LOCALHOST, 0).into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A value that no log and no error message may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    /// The value itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// How the data plane's threads share their work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Runtime {
    #[default]
    PerCore,
    Multi,
}

/// Whether an API key's value can be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyReveal {
    #[default]
    Always,
    Once,
}

/// Where one line for each API call goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AccessLog {
    Stdout,
    #[default]
    Off,
    /// A relative path is in the data directory.
    File(PathBuf),
}

impl AccessLog {
    fn named(name: String) -> AccessLog {
        match name.as_str() {
            "stdout" => AccessLog::Stdout,
            "off" => AccessLog::Off,
            _ => AccessLog::File(PathBuf::from(name)),
        }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// A checked configuration, and where each value came from.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// One for each setting, in the table's order.
    pub effective: Vec<Effective>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// The value a setting has.
pub struct Effective {
    pub setting: &'static Setting,
    /// `None`: unset.
    pub text: Option<String>,
    pub source: Source,
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} = {} ({})",
            self.setting.name,
            self.shown(),
            self.source
        )
    }
}

impl Effective {
    /// The value as it may be shown.
    pub fn shown(&self) -> &str {
        match &self.text {
            None => "(unset)",
            Some(_) if self.setting.kind.is_secret() => "(hidden)",
            Some(text) if text.is_empty() => "(empty)",
            Some(text) => text,
        }
    }
}

/// A configuration that cannot be used: everything that is wrong with it, a line each.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<Problem>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.0.iter().map(|problem| problem.0.as_str()).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Invalid {}

impl From<Problem> for Invalid {
    fn from(problem: Problem) -> Invalid {
        Invalid(vec![problem])
    }
}

type Variables = Vec<(OsString, OsString)>;

/// Reads flags, environment, file and defaults. `named_file` is the file of `--config`.
pub fn load(
    flags: Vec<Given>,
    named_file: Option<&Path>,
    environment: Variables,
) -> Result<Loaded, Invalid> {
    let file = read_file(named_file, &environment)?;
    let default_data_dir = state_dir::of("tollgate", &environment);
    settle(flags, environment, file, default_data_dir)
}

/// Flags and defaults only, so that a demo never touches what a real gateway is configured to use. It logs less, to
/// leave the terminal to what it prints.
pub fn load_for_demo(flags: Vec<Given>, environment: Variables) -> Result<Loaded, Invalid> {
    let quiet = settings::find("log_level").map(|setting| Given {
        setting,
        text: "warn".to_owned(),
        source: Source::Default,
    });
    let given = quiet.into_iter().chain(flags).collect();
    settle(
        given,
        vec![],
        None,
        state_dir::of("tollgate-demo", &environment),
    )
}

/// The name and the contents of the file to read: the named one, or the one in the current directory if it exists.
fn read_file(
    named: Option<&Path>,
    environment: &Variables,
) -> Result<Option<(PathBuf, String)>, Invalid> {
    let variable = environment
        .iter()
        .find(|(name, _)| name == "TOLLGATE_CONFIG");
    let variable = variable
        .map(|(_, value)| Path::new(value))
        .filter(|v| !v.as_os_str().is_empty());
    let file = named.or(variable).unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(file) {
        Ok(contents) => Ok(Some((file.into(), contents))),
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound && named.or(variable).is_none() =>
        {
            Ok(None)
        }
        Err(error) => Err(Problem(format!("cannot read {}: {error}", file.display())).into()),
    }
}

/// The layers laid over each other and checked. Pure, and complete: all problems are reported together.
fn settle(
    flags: Vec<Given>,
    environment: Variables,
    file: Option<(PathBuf, String)>,
    default_data_dir: Option<PathBuf>,
) -> Result<Loaded, Invalid> {
    let (from_file, mut problems) = match &file {
        Some((name, contents)) => layers::from_file(name, contents),
        None => (vec![], vec![]),
    };
    let (from_environment, more) = layers::from_environment(environment.into_iter());
    problems.extend(more);

    let mut config = Config::default();
    let mut effective: Vec<Effective> = SETTINGS
        .iter()
        .map(|s| by_default(s, &default_data_dir))
        .collect();
    for one in &effective {
        if let Some(text) = &one.text {
            problems.extend(put(&mut config, one.setting, text, &one.source).err());
        }
    }
    for given in from_file.into_iter().chain(from_environment).chain(flags) {
        problems.extend(put(&mut config, given.setting, &given.text, &given.source).err());
        if let Some(place) = effective
            .iter_mut()
            .find(|one| one.setting.name == given.setting.name)
        {
            *place = Effective {
                setting: given.setting,
                text: Some(given.text),
                source: given.source,
            };
        }
    }
    if problems.is_empty() {
        problems.extend(contradictions(&config, &effective));
    }
    match problems.is_empty() {
        true => Ok(Loaded {
            config,
            effective,
            file: file.map(|(name, _)| name),
        }),
        false => Err(Invalid(problems)),
    }
}

fn by_default(setting: &'static Setting, data_dir: &Option<PathBuf>) -> Effective {
    let text = match setting.name {
        "data_dir" => data_dir.as_ref().map(|dir| dir.display().to_string()),
        _ => setting.default.map(str::to_owned),
    };
    Effective {
        setting,
        text,
        source: Source::Default,
    }
}

fn put(
    config: &mut Config,
    setting: &'static Setting,
    text: &str,
    source: &Source,
) -> Result<(), Problem> {
    setting
        .kind
        .set(config, text)
        .map_err(|_| Problem::not_allowed(setting, text, source))
}

/// What is wrong although each value is allowed.
fn contradictions(config: &Config, effective: &[Effective]) -> Vec<Problem> {
    let from = |name: &str| {
        let one = effective.iter().find(|one| one.setting.name == name);
        one.map_or(String::new(), |one| one.source.to_string())
    };
    let mut problems = vec![];
    if config.data_dir.as_os_str().is_empty() {
        problems.push("data_dir: there is no state directory for applications here (no HOME); give --data-dir DIR".into());
    }
    if !config.control_plane.0.ip().is_loopback() {
        let address = config.control_plane;
        let place = from("control_plane");
        if !config.auth {
            problems.push(format!(
                "{place}: control_plane = {address} is not a loopback address; without authentication ({}) the control \
                 plane listens on loopback only",
                from("auth")
            ));
        } else if config.control_tls_certificate.is_none() {
            problems.push(format!(
                "{place}: control_plane = {address} is not a loopback address; off loopback the control plane requires \
                 TLS: give control_tls_certificate and control_tls_key, or listen on 127.0.0.1:{} and reach it through \
                 an SSH tunnel",
                config.control_plane.0.port()
            ));
        }
    }
    problems.extend(shared_addresses(config, from));
    let pairs = [
        (
            ("tls_certificate", config.tls_certificate.is_some()),
            ("tls_key", config.tls_key.is_some()),
        ),
        (
            (
                "control_tls_certificate",
                config.control_tls_certificate.is_some(),
            ),
            ("control_tls_key", config.control_tls_key.is_some()),
        ),
    ];
    for (one, other) in pairs {
        if one.1 != other.1 {
            let (there, missing) = if one.1 {
                (one.0, other.0)
            } else {
                (other.0, one.0)
            };
            problems.push(format!(
                "{there} ({}) serves nothing without {missing}; give both, or neither",
                from(there)
            ));
        }
    }
    let account = ["account_rate_limit", "account_burst_limit"];
    let given = (
        config.account_rate_limit.is_some(),
        config.account_burst_limit.is_some(),
    );
    if let (true, false) | (false, true) = given {
        let (there, missing) = if given.0 {
            (account[0], account[1])
        } else {
            (account[1], account[0])
        };
        problems.push(format!(
            "{there} ({}) limits nothing without {missing}; give both, or neither",
            from(there)
        ));
    }
    problems.into_iter().map(Problem).collect()
}

/// Listeners that would be in each other's way.
fn shared_addresses(config: &Config, from: impl Fn(&str) -> String) -> Vec<String> {
    let mut listeners = vec![
        ("data_plane", config.data_plane),
        ("control_plane", config.control_plane),
    ];
    if config.tls_certificate.is_some() {
        listeners.push(("tls_address", config.tls_address));
    }
    let mut problems = vec![];
    for (index, (first, address)) in listeners.iter().enumerate() {
        for (second, other) in &listeners[index + 1..] {
            if address == other && address.0.port() != 0 {
                problems.push(format!(
                    "{first} ({}) and {second} ({}) are both {address}; give each an address of its own",
                    from(first),
                    from(second)
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests;
