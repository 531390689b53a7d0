//! The one table of settings: name, default, what is allowed, what it is for.

use std::collections::BTreeMap;

use tollgate_proxy::net::address::Pattern;
use tollgate_proxy::net::tls::certificate::CertificateFiles;

use super::kind::{Choice, Kind};
use super::{AccessLog, Address, Config, KeyReveal, LogFormat, LogLevel, Runtime, Secret};

/// One setting. Its name is the one in `tollgate.toml`; the flag has hyphens for underscores, and the environment
/// variable is `TOLLGATE_` and the name in capitals.
pub struct Setting {
    pub name: &'static str,
    /// `None`: unset, which the documentation line explains.
    pub default: Option<&'static str>,
    pub kind: Kind,
    /// Where the setting can be given.
    pub given_in: GivenIn,
    /// One sentence, units named.
    pub doc: &'static str,
}

/// Where a setting can be given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GivenIn {
    /// Flag, environment and file.
    Everywhere,
    /// Environment and file, no flag: a secret, or a table.
    EnvironmentAndFile,
    /// The environment only: a secret that must not lie beside what it protects.
    Environment,
}

impl Setting {
    /// The command-line flag, without its two hyphens; `None` when there is none.
    pub fn flag(&self) -> Option<String> {
        (self.given_in == GivenIn::Everywhere).then(|| self.name.replace('_', "-"))
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("{}{}", super::layers::PREFIX, self.name.to_uppercase())
    }
}

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Every setting, in the order in which it is documented.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    // Where things are.
    path("data_dir", None,
        "Directory of configuration, keys and usage; unset: the platform's state directory for applications.",
        |c, v| c.data_dir = v),
    address("data_plane", "127.0.0.1:8080", "Address where API calls are served.", |c, v| c.data_plane = Address(v)),
    address("tls_address", "127.0.0.1:8443",
        "Address where API calls are served over TLS, as HTTP/1.1 or HTTP/2; it listens only with tls_certificate.", |c, v| c.tls_address = Address(v)),
    path("tls_certificate", None,
        "PEM file of the certificate for tls_address, the server's own first, then those up to the authority's; looked at again every few seconds; unset: no TLS.",
        |c, v| c.tls_certificate = Some(v)),
    path("tls_key", None,
        "PEM file of the private key that belongs to tls_certificate (PKCS#8, PKCS#1 or SEC1, not encrypted).",
        |c, v| c.tls_key = Some(v)),
    certificates("certificates",
        "Certificates of domain names by the ARN that they name, each the files of one as in tls_certificate and tls_key, looked at again like those; shown to clients that ask for the name.",
        |c, v| c.certificates = v),
    address("control_plane", "127.0.0.1:8081",
        "Address of the control plane, /healthz, /readyz, /status and /metrics; off loopback it requires control_tls_certificate.",
        |c, v| c.control_plane = Address(v)),
    path("control_tls_certificate", None,
        "PEM file of the control plane's certificate; with it the control plane speaks TLS only; unset: plain HTTP, on loopback only.",
        |c, v| c.control_tls_certificate = Some(v)),
    path("control_tls_key", None,
        "PEM file of the private key that belongs to control_tls_certificate.",
        |c, v| c.control_tls_key = Some(v)),

    // The control plane.
    switch("auth", "true",
        "Whether the control plane asks for signed requests; --no-auth turns this off, on loopback only.",
        |c, v| c.auth = v),
    text("region", "us-east-1", "letters, digits and hyphens, such as us-east-1", is_region,
        "Region that appears where AWS puts one (ARNs, $context).", |c, v| c.region = v),
    text("account_id", "000000000000", "12 digits", is_account_id,
        "Account id that appears where AWS puts one.", |c, v| c.account_id = v),
    word("key_reveal", "always", &[
            ("always", |c| c.key_reveal = KeyReveal::Always),
            ("once", |c| c.key_reveal = KeyReveal::Once)],
        "Whether the value of an API key can be read back (always, as on AWS) or is shown at its creation only (once)."),
    whole("control_connections_max", "1024", 1, 1_000_000,
        "Connections that the control plane serves at once.", |c, v| c.control_connections_max = v),
    whole("max_definition_bytes", "6291456", 1024, 10_485_760,
        "Bytes of an OpenAPI definition that is imported (6 MiB, as on AWS).", |c, v| c.max_definition_bytes = v),
    whole("session_idle_timeout_s", "3600", 60, 604_800,
        "Seconds without a call after which the console asks to sign in again.", |c, v| c.session_idle_timeout_s = v),
    whole("session_timeout_s", "43200", 60, 2_592_000,
        "Seconds after signing in at the console when it asks again, however busy the session is.", |c, v| c.session_timeout_s = v),
    secret("metrics_token", GivenIn::EnvironmentAndFile, "16 to 256 visible ASCII characters", is_token,
        "Bearer token that may read /metrics, for Prometheus, which cannot sign; unset: signed requests only.",
        |c, v| c.metrics_token = Some(v)),
    secret("master_key", GivenIn::Environment, "64 hexadecimal digits (32 bytes)", is_master_key,
        "Key that seals API key values and secrets at rest; unset: the file master.key in the data directory, made at the first start.",
        |c, v| c.master_key = Some(v)),

    // The data plane.
    word("runtime", "per-core", &[
            ("per-core", |c| c.runtime = Runtime::PerCore),
            ("multi", |c| c.runtime = Runtime::Multi)],
        "Threads of the data plane: one single-threaded runtime for each worker (least CPU), or one that shares its work among them (evens out long connections)."),
    whole("workers", "0", 0, 1024, "Threads of the data plane; 0: one for each core.", |c, v| c.workers = v),
    whole("drain_timeout_s", "30", 0, 3600,
        "Seconds that requests in flight have to finish after SIGTERM.", |c, v| c.drain_timeout_s = v),
    whole("max_connections", "10000", 1, 10_000_000,
        "Connections that the data plane serves at once; more are answered 503.", |c, v| c.max_connections = v),
    whole("connections_per_ip_max", "0", 0, 10_000_000,
        "Connections that the data plane serves at once for one client address (IPv6: one /64 network); 0: no limit of its own, as behind a load balancer, where all come from one address.", |c, v| c.connections_per_ip_max = v),
    whole("max_header_bytes", "65536", 1024, 1_048_576,
        "Bytes of a request's line and headers together.", |c, v| c.max_header_bytes = v),
    whole("max_headers", "100", 1, 10_000, "Headers of a request.", |c, v| c.max_headers = v),
    whole("max_target_bytes", "10240", 64, 1_048_576,
        "Bytes of a request's path and query.", |c, v| c.max_target_bytes = v),
    whole("max_body_bytes", "10485760", 0, 1_099_511_627_776,
        "Bytes of a request's body (10 MiB, as on AWS).", |c, v| c.max_body_bytes = v),
    whole("max_buffered_bytes", "268435456", 1_048_576, 1_099_511_627_776,
        "Bytes of bodies that are held in memory at once, over all requests, because they are validated, mapped or compressed; more are answered 503.", |c, v| c.max_buffered_bytes = v),
    whole("header_read_timeout_ms", "10000", 100, 600_000,
        "Milliseconds that a client has to send the headers of a request; both planes.", |c, v| c.header_read_timeout_ms = v),
    whole("tls_handshake_timeout_ms", "10000", 100, 600_000,
        "Milliseconds that a client has for a TLS handshake; both planes.", |c, v| c.tls_handshake_timeout_ms = v),
    whole("max_http2_streams", "100", 1, 10_000,
        "Requests at once on one HTTP/2 connection.", |c, v| c.max_http2_streams = v),
    whole("max_http2_calls", "10000", 1, 10_000_000,
        "Requests at once on all HTTP/2 connections together; more are answered 503 with Retry-After. HTTP/1.1 has one for each connection.", |c, v| c.max_http2_calls = v),
    whole("body_read_timeout_s", "30", 1, 86_400,
        "Seconds that a client may pause within a request's body.", |c, v| c.body_read_timeout_s = v),
    whole("body_rate_min_bytes_s", "1024", 0, 1_073_741_824,
        "Bytes a second with which a request's body must arrive once it has been slow for a while.", |c, v| c.body_rate_min_bytes_s = v),
    whole("response_write_timeout_s", "60", 1, 86_400,
        "Seconds that a client may take no more of a response.", |c, v| c.response_write_timeout_s = v),
    whole("client_idle_timeout_s", "75", 1, 86_400,
        "Seconds that a client's connection may stay idle between requests.", |c, v| c.client_idle_timeout_s = v),

    // Upstreams.
    whole("upstream_connect_timeout_ms", "5000", 1, 600_000,
        "Milliseconds that a connection to an upstream may take, TLS included.", |c, v| c.upstream_connect_timeout_ms = v),
    whole("upstream_idle_max", "256", 0, 1_000_000,
        "Idle connections kept for each upstream and worker.", |c, v| c.upstream_idle_max = v),
    whole("upstream_idle_timeout_s", "4", 1, 86_400,
        "Seconds that an idle connection to an upstream is kept, where it does not tell for how long (Keep-Alive: timeout=N, of which a second less is taken); less than the upstream's own limit, often 5, or a call may meet a connection that is being closed and end with 504.", |c, v| c.upstream_idle_timeout_s = v),
    whole("upstream_age_max_s", "600", 1, 86_400,
        "Seconds after which a connection to an upstream is not used again, so that a name's new address is found.", |c, v| c.upstream_age_max_s = v),
    whole("upstream_pause_timeout_s", "60", 1, 86_400,
        "Seconds that an upstream may pause within a response that has begun.", |c, v| c.upstream_pause_timeout_s = v),
    path("upstream_ca_file", None,
        "PEM file of certificate authorities that are trusted for https upstreams besides the machine's own; unset: none.",
        |c, v| c.upstream_ca_file = Some(v)),
    hosts("integration_allow",
        "Hosts that integrations may call; empty: all but link-local and cloud metadata addresses, which are never called.",
        |c, v| c.integration_allow = v),
    hosts("integration_deny",
        "Hosts that integrations may not call; wins over integration_allow.",
        |c, v| c.integration_deny = v),

    // Limits.
    number("account_rate_limit",
        "Requests per second over all APIs and callers, together with account_burst_limit; unset: no limit.", |c, v| c.account_rate_limit = Some(v)),
    whole_unset("account_burst_limit", 0, i32::MAX as u64,
        "Burst that goes with account_rate_limit; unset: no limit.", |c, v| c.account_burst_limit = Some(v)),
    whole("quota_waiters_max", "1024", 0, 1_000_000,
        "Requests of one key that may wait at once until units of their quota are reserved on disk.", |c, v| c.quota_waiters_max = v),
    whole("quota_wait_timeout_ms", "250", 1, 60_000,
        "Milliseconds that a request waits at most until units of its quota are reserved on disk.", |c, v| c.quota_wait_timeout_ms = v),

    // What travels with requests and responses.
    switch("forward_api_key", "true",
        "Whether x-api-key travels to the upstream, as on AWS.", |c, v| c.forward_api_key = v),
    switch("rate_limit_headers", "true",
        "Whether responses of methods that require a key carry RateLimit and RateLimit-Policy.", |c, v| c.rate_limit_headers = v),
    switch("reason_header", "false",
        "Whether refusals carry x-tollgate-reason; it tells a caller, and an attacker, which keys exist.", |c, v| c.reason_header = v),

    // Logs.
    text("access_log", "access.log", "\"stdout\", \"off\" or a path", |text| !text.is_empty(),
        "Where one JSON line for each API call goes: stdout, off, or a file; a relative path is in the data directory.",
        |c, v| c.access_log = AccessLog::named(v)),
    path("stage_log_dir", Some("stage-logs"),
        "Directory of the access logs that stages ask for with accessLogSettings: one file for each destination, named by the last part of its ARN; a relative path is in the data directory.",
        |c, v| c.stage_log_dir = v),
    word("log_level", "info", &[
            ("error", |c| c.log_level = LogLevel::Error),
            ("warn", |c| c.log_level = LogLevel::Warn),
            ("info", |c| c.log_level = LogLevel::Info),
            ("debug", |c| c.log_level = LogLevel::Debug),
            ("trace", |c| c.log_level = LogLevel::Trace)],
        "How much is logged to stderr."),
    word("log_format", "text", &[
            ("text", |c| c.log_format = LogFormat::Text),
            ("json", |c| c.log_format = LogFormat::Json)],
        "How it is logged: lines for people, or one JSON object a line."),
];

const fn row(
    name: &'static str,
    default: Option<&'static str>,
    kind: Kind,
    doc: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        kind,
        given_in: GivenIn::Everywhere,
        doc,
    }
}

const fn path(
    name: &'static str,
    default: Option<&'static str>,
    doc: &'static str,
    put: fn(&mut Config, std::path::PathBuf),
) -> Setting {
    row(name, default, Kind::Path { put }, doc)
}

const fn address(
    name: &'static str,
    default: &'static str,
    doc: &'static str,
    put: fn(&mut Config, std::net::SocketAddr),
) -> Setting {
    row(name, Some(default), Kind::Address { put }, doc)
}

const fn switch(
    name: &'static str,
    default: &'static str,
    doc: &'static str,
    put: fn(&mut Config, bool),
) -> Setting {
    row(name, Some(default), Kind::Switch { put }, doc)
}

const fn text(
    name: &'static str,
    default: &'static str,
    allowed: &'static str,
    fits: fn(&str) -> bool,
    doc: &'static str,
    put: fn(&mut Config, String),
) -> Setting {
    row(name, Some(default), Kind::Text { allowed, fits, put }, doc)
}

const fn word(
    name: &'static str,
    default: &'static str,
    of: &'static [Choice],
    doc: &'static str,
) -> Setting {
    row(name, Some(default), Kind::Word { of }, doc)
}

const fn whole(
    name: &'static str,
    default: &'static str,
    least: u64,
    most: u64,
    doc: &'static str,
    put: fn(&mut Config, u64),
) -> Setting {
    row(name, Some(default), Kind::Whole { least, most, put }, doc)
}

const fn whole_unset(
    name: &'static str,
    least: u64,
    most: u64,
    doc: &'static str,
    put: fn(&mut Config, u64),
) -> Setting {
    row(name, None, Kind::Whole { least, most, put }, doc)
}

const fn number(name: &'static str, doc: &'static str, put: fn(&mut Config, f64)) -> Setting {
    row(name, None, Kind::Number { put }, doc)
}

const fn hosts(
    name: &'static str,
    doc: &'static str,
    put: fn(&mut Config, Vec<Pattern>),
) -> Setting {
    row(name, Some(""), Kind::Hosts { put }, doc)
}

const fn certificates(
    name: &'static str,
    doc: &'static str,
    put: fn(&mut Config, BTreeMap<String, CertificateFiles>),
) -> Setting {
    Setting {
        given_in: GivenIn::EnvironmentAndFile,
        ..row(name, None, Kind::Certificates { put }, doc)
    }
}

const fn secret(
    name: &'static str,
    given_in: GivenIn,
    allowed: &'static str,
    fits: fn(&str) -> bool,
    doc: &'static str,
    put: fn(&mut Config, Secret),
) -> Setting {
    let kind = Kind::Secret { allowed, fits, put };
    Setting {
        name,
        default: None,
        kind,
        given_in,
        doc,
    }
}

fn is_region(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=64).contains(&text.len()) && text.chars().all(fits)
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_token(text: &str) -> bool {
    (16..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn is_master_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed() {
        let mut config = Config::default();
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                assert_eq!(
                    setting.kind.set(&mut config, default),
                    Ok(()),
                    "{}",
                    setting.name
                );
            }
        }
        assert_eq!(config.max_body_bytes, 10 << 20);
        assert_eq!(config.data_plane.to_string(), "127.0.0.1:8080");
    }

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        let mut names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len());
        for setting in SETTINGS {
            assert!(setting.doc.ends_with('.'), "{}", setting.name);
            assert!(
                !setting.kind.is_secret() || setting.flag().is_none(),
                "{} is secret and has a flag",
                setting.name
            );
        }
    }
}
