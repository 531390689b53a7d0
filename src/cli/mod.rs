//! The commands.

pub mod api_keys;
pub mod apply;
pub mod backup;
pub mod call;
pub mod check;
pub mod client;
pub mod credentials;
pub mod endpoint;
pub mod explain;
pub mod failed;
pub mod import;
pub mod nearest;
pub mod output;
pub mod plans;
pub mod usage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::flags::Flags;
use crate::config::{self, Loaded};
use client::{Client, Connection};
use failed::Failed;
use output::Output;

/// A self-hosted API gateway with API keys, usage plans and exact quotas, driven by Amazon API Gateway's own API.
#[derive(Parser)]
#[command(
    name = "tollgate",
    version,
    arg_required_else_help = true,
    max_term_width = 110
)]
#[command(
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong use or configuration, 3 nothing answers at the endpoint."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway: data plane and control plane
    #[command(
        after_help = "Example:\n  tollgate serve --data-dir /var/lib/tollgate --data-plane 0.0.0.0:8080"
    )]
    Serve(Configured),
    /// Run the gateway with an example upstream, API, plans and keys, and print what to try
    #[command(
        after_help = "Example:\n  tollgate demo --data-plane 127.0.0.1:9080 --control-plane 127.0.0.1:9081"
    )]
    Demo(Demo),
    /// Call any operation of the control plane by its AWS name
    Call(call::Call),
    /// List, create and change API keys
    #[command(
        subcommand,
        after_help = "Examples:\n  tollgate keys create alice --plan free\n  tollgate keys list --values\n  tollgate keys disable alice"
    )]
    Keys(api_keys::Keys),
    /// Show usage plans
    #[command(
        subcommand,
        after_help = "Examples:\n  tollgate plans list\n  tollgate plans keys free -o json"
    )]
    Plans(plans::Plans),
    /// Show what the keys of a plan used and have left, day by day
    #[command(
        after_help = "Example:\n  tollgate usage free --key alice --from 2026-01-01 --to 2026-01-31"
    )]
    Usage(usage::Usage),
    /// Tell why a call would pass or be refused now: its key, its plan, and what each limit says
    Explain(explain::Explain),
    /// Import API keys from a CSV file in AWS's format
    #[command(after_help = "Example:\n  tollgate import keys.csv --fail-on-warnings")]
    Import(import::Import),
    /// Make the gateway's APIs, plans and keys those of a declarative YAML file
    #[command(
        after_help = "Examples:\n  tollgate apply gateway.yaml --dry-run\n  tollgate apply config/ --prune"
    )]
    Apply(apply::Apply),
    /// Show what apply would change; exit code 2 if there is something
    #[command(after_help = "Example:\n  tollgate diff gateway.yaml")]
    Diff(apply::Diff),
    /// Print the gateway's APIs, plans and keys as a file that apply reads
    #[command(after_help = "Example:\n  tollgate export > gateway.yaml")]
    Export(apply::Export),
    /// Check the configuration and show each setting, its value and where it comes from
    #[command(after_help = "Example:\n  tollgate check --config /etc/tollgate.toml")]
    Check(Check),
    /// Copy a data directory, served or stopped, into a new directory
    #[command(
        after_help = "Example:\n  tollgate backup /backups/2026-01-31 --data-dir /var/lib/tollgate"
    )]
    Backup(backup::Backup),
    /// Make a backup into a data directory again; open quota windows are closed
    #[command(
        after_help = "Example:\n  tollgate restore /backups/2026-01-31 --data-dir /var/lib/tollgate"
    )]
    Restore(backup::Restore),
    /// Make a new usage ledger in the place of one that was lost; open quota windows are closed
    #[command(after_help = "Example:\n  tollgate new-ledger --data-dir /var/lib/tollgate")]
    NewLedger(backup::Anew),
    /// Seal everything in a stopped data directory with a new master key
    #[command(
        after_help = "Examples:\n  tollgate rotate-master-key --data-dir /var/lib/tollgate\n  TOLLGATE_MASTER_KEY=… tollgate rotate-master-key --new-key-file new.key"
    )]
    RotateMasterKey(backup::Rotate),
    /// Print the version
    Version,
}

/// Settings from flags over TOLLGATE_… variables over tollgate.toml over defaults.
#[derive(clap::Args)]
struct Configured {
    /// Read this file instead of tollgate.toml in the current directory (environment: TOLLGATE_CONFIG).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

impl Configured {
    fn load(self) -> Result<Loaded, Failed> {
        Ok(config::load(
            self.flags.given(),
            self.config.as_deref(),
            environment(),
        )?)
    }
}

/// The demo reads flags only, never the environment or a file: it must not touch what a real gateway uses.
#[derive(clap::Args)]
struct Demo {
    #[command(flatten)]
    flags: Flags,
}

#[derive(clap::Args)]
struct Check {
    #[command(flatten)]
    configured: Configured,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

/// Connection and form of the output, as every client command takes them.
#[derive(Debug, clap::Args)]
pub struct Asked {
    #[command(flatten)]
    pub connection: Connection,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

impl Asked {
    pub fn client(&self) -> Result<Client, Failed> {
        Client::new(&self.connection)
    }

    pub fn is_json(&self) -> bool {
        self.output == Output::Json
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("tollgate: {failed}");
            failed.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failed> {
    match cli.command {
        Command::Serve(configured) => crate::server::serve(configured.load()?),
        Command::Demo(demo) => {
            crate::demo::run(config::load_for_demo(demo.flags.given(), environment())?)
        }
        Command::Call(call) => wait(call.run()),
        Command::Keys(keys) => wait(keys.run()),
        Command::Plans(plans) => wait(plans.run()),
        Command::Usage(usage) => wait(usage.run()),
        Command::Explain(explain) => wait(explain.run()),
        Command::Import(import) => wait(import.run()),
        Command::Apply(apply) => wait(apply.run()),
        Command::Diff(diff) => wait(diff.run()),
        Command::Export(export) => wait(export.run()),
        Command::Check(check) => check::run(check.configured.load()?, check.output),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::NewLedger(anew) => anew.run(),
        Command::RotateMasterKey(rotate) => rotate.run(),
        Command::Version => output::print(&format!("tollgate {}", env!("CARGO_PKG_VERSION"))),
    }
}

fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// Runs a client command on a runtime of its own.
fn wait(command: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failed::Failed(format!("cannot start: {error}")))?;
    runtime.block_on(command)
}

#[cfg(test)]
mod tests;
