//! Logs: to stderr, as lines for people or as JSON, never with a secret.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, LogFormat, LogLevel};

/// Starts logging as configured. A second start in one process (tests) changes nothing.
pub fn start(config: &Config) {
    let registry = tracing_subscriber::registry().with(filter(config.log_level));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => registry.with(layer.with_ansi(is_terminal())).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!("logging runs already: {error}");
    }
}

/// Our own crates at the level, others no finer than warnings: at finer levels HTTP libraries log headers, and keys
/// travel in headers.
fn filter(level: LogLevel) -> EnvFilter {
    let (ours, others) = match level {
        LogLevel::Error => ("error", "error"),
        LogLevel::Warn => ("warn", "warn"),
        LogLevel::Info => ("info", "warn"),
        LogLevel::Debug => ("debug", "warn"),
        LogLevel::Trace => ("trace", "warn"),
    };
    EnvFilter::new(format!(
        "{others},tollgate={ours},tollgate_control={ours},tollgate_proxy={ours},tollgate_store={ours}"
    ))
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_crates_never_log_finer_than_warnings() {
        let filter = filter(LogLevel::Trace).to_string();
        assert!(
            filter.contains("tollgate_proxy=trace") && filter.contains("warn"),
            "{filter}"
        );
        assert!(!filter.contains("hyper"), "{filter}");
    }
}
