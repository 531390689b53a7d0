//! `tollgate demo`: the gateway with an example upstream, API, plans and keys, and what to try.

mod example;
mod text;
mod upstream;

use crate::cli::client::Client;
use crate::cli::credentials;
use crate::cli::failed::Failed;
use crate::cli::output;
use crate::config::{Config, Loaded};
use crate::server::{self, Server};
use crate::telemetry;

/// Runs the demo until a signal ends it.
pub fn run(loaded: Loaded) -> Result<(), Failed> {
    let config = &loaded.config;
    if config.control_tls_certificate.is_some() {
        return Err(Failed::Usage(
            "the demo's control plane speaks plain HTTP; leave control_tls_certificate out".into(),
        ));
    }
    telemetry::start(config);
    let signals = server::hold_signals()?;
    let server = Server::start(config)?;
    let example = server.block_on(set_up(&server, config))?;
    output::print(&text::instructions(config, &server.addresses(), &example))?;
    server::run_until_signal(server, signals)
}

async fn set_up(server: &Server, config: &Config) -> Result<example::Example, Failed> {
    let upstream = upstream::start().await;
    let upstream = upstream
        .map_err(|error| Failed::Failed(format!("the example upstream cannot start: {error}")))?;
    let credentials = match config.auth {
        true => Some(credentials::read(
            &config.data_dir.join(credentials::FILE),
            "default",
        )?),
        false => None,
    };
    let client = Client::at(
        server.addresses().control_plane,
        credentials,
        &config.region,
    );
    example::set_up(&client, upstream).await
}

#[cfg(test)]
mod tests;
