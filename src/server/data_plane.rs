//! The data plane's settings from the configuration, and why it does not start.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use tollgate_entity::ThrottleSettings;
use tollgate_proxy::access_log::Target;
use tollgate_proxy::gateway_response::GatewayResponses;
use tollgate_proxy::net::address::AddressRules;
use tollgate_proxy::net::http1::HeadLimits;
use tollgate_proxy::net::http2::Http2Limits;
use tollgate_proxy::net::listener::BindError;
use tollgate_proxy::net::pace::Patience;
use tollgate_proxy::net::serving::{RuntimeLayout, ServingLimits};
use tollgate_proxy::net::tls::domains::DomainCertificates;
use tollgate_proxy::net::upstream::PoolLimits;
use tollgate_proxy::{DataPlane, Settings, StartError, WaitLimits};
use tollgate_store::Store;

use super::listen;
use crate::cli::failed::Failed;
use crate::config::{AccessLog, Config, Runtime};

/// Starts the data plane, with TLS if there are certificates for it.
pub fn start(
    config: &Config,
    certificates: Option<Arc<DomainCertificates>>,
    store: &Store,
) -> Result<DataPlane, Failed> {
    let mut settings = settings(config);
    settings.tls = certificates.map(|certificates| (config.tls_address.0, certificates));
    let refused = |address, cause: &std::io::Error| match address == config.data_plane.0 {
        true => listen::refused("data plane", "--data-plane", address, cause),
        false => listen::refused("data plane", "--tls-address", address, cause),
    };
    DataPlane::start(settings, store).map_err(|error| match error {
        StartError::Bind(BindError::InUse { address }) => {
            refused(address, &std::io::ErrorKind::AddrInUse.into())
        }
        StartError::Bind(BindError::Failed { address, cause }) => refused(address, &cause),
        other => Failed::Failed(format!("the data plane cannot start: {other}")),
    })
}

fn settings(config: &Config) -> Settings {
    Settings {
        address: config.data_plane.0,
        tls: None,
        layout: match config.runtime {
            Runtime::PerCore => RuntimeLayout::PerCore,
            Runtime::Multi => RuntimeLayout::Multi,
        },
        workers: workers(config),
        serving: ServingLimits {
            head: HeadLimits {
                head_bytes_max: count(config.max_header_bytes),
                headers_max: count(config.max_headers),
                target_bytes_max: count(config.max_target_bytes),
            },
            patience: Patience {
                head: Duration::from_millis(config.header_read_timeout_ms),
                idle: Duration::from_secs(config.client_idle_timeout_s),
                body: Duration::from_secs(config.body_read_timeout_s),
                write: Duration::from_secs(config.response_write_timeout_s),
                body_rate_min: config.body_rate_min_bytes_s,
                ..Patience::default()
            },
            body_bytes_max: config.max_body_bytes,
            connections_max: count(config.max_connections),
            connections_per_ip_max: count(config.connections_per_ip_max),
            tls_handshake: Duration::from_millis(config.tls_handshake_timeout_ms),
            http2: Http2Limits {
                streams_max: u32::try_from(config.max_http2_streams).unwrap_or(u32::MAX),
                calls_max: count(config.max_http2_calls),
                ..Http2Limits::default()
            },
        },
        pool: PoolLimits {
            idle_max: count(config.upstream_idle_max),
            idle_time_max: Duration::from_secs(config.upstream_idle_timeout_s),
            age_max: Duration::from_secs(config.upstream_age_max_s),
        },
        connect_timeout: Duration::from_millis(config.upstream_connect_timeout_ms),
        extra_roots: config.upstream_ca_file.clone(),
        addresses: AddressRules {
            allow: config.integration_allow.clone(),
            deny: config.integration_deny.clone(),
        },
        forwards_api_key: config.forward_api_key,
        answer_patience: Duration::from_secs(config.upstream_pause_timeout_s),
        responses: GatewayResponses {
            shows_reason: config.reason_header,
        },
        sends_rate_limits: config.rate_limit_headers,
        access_log: match &config.access_log {
            AccessLog::Off => None,
            AccessLog::Stdout => Some(Target::Stdout),
            AccessLog::File(path) => Some(Target::File(config.data_dir.join(path))),
        },
        stage_log_directory: config.data_dir.join(&config.stage_log_dir),
        wait_limits: WaitLimits {
            waiters_per_counter_max: count(config.quota_waiters_max),
            wait_max: Duration::from_millis(config.quota_wait_timeout_ms),
        },
        account: account(config),
        drain_max: Duration::from_secs(config.drain_timeout_s),
        buffered_bytes_max: config.max_buffered_bytes,
        account_id: config.account_id.clone(),
    }
}

/// Threads asked for; for 0, as many as there are cores for this process.
fn workers(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        workers => count(workers),
    }
}

/// The account throttle, if any of its members is configured.
fn account(config: &Config) -> Option<ThrottleSettings> {
    let (rate_limit, burst_limit) = (config.account_rate_limit, config.account_burst_limit);
    (rate_limit.is_some() || burst_limit.is_some()).then(|| ThrottleSettings {
        rate_limit,
        burst_limit: burst_limit.map(|burst| i32::try_from(burst).unwrap_or(i32::MAX)),
    })
}

/// A number of the configuration as a size.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_throttle_is_there_when_either_member_is() {
        let mut config = Config::default();
        assert!(account(&config).is_none());
        config.account_burst_limit = Some(5);
        let throttle = account(&config).unwrap();
        assert_eq!((throttle.rate_limit, throttle.burst_limit), (None, Some(5)));
    }

    #[test]
    fn the_access_log_is_in_the_data_directory_unless_told_otherwise() {
        let target = |log: AccessLog| {
            settings(&Config {
                data_dir: "/d".into(),
                access_log: log,
                ..Config::default()
            })
            .access_log
        };
        assert_eq!(target(AccessLog::Off), None);
        assert_eq!(target(AccessLog::Stdout), Some(Target::Stdout));
        assert_eq!(
            target(AccessLog::File("access.log".into())),
            Some(Target::File("/d/access.log".into()))
        );
        assert_eq!(
            target(AccessLog::File("/log/a".into())),
            Some(Target::File("/log/a".into()))
        );
    }
}
