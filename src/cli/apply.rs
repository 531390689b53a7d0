//! `tollgate apply`, `diff` and `export`: a gateway's APIs, plans and keys in one declarative YAML.

pub mod changes;
pub mod current;
pub mod execute;
pub mod export;
pub mod file;
pub mod read;

use std::path::PathBuf;

use super::client::{Client, Connection};
use super::failed::Failed;
use super::output;
use changes::{Change, Sign};
use current::Current;
use read::Declared;

/// What `apply` and `diff` take.
#[derive(Debug, clap::Args)]
pub struct Files {
    /// The YAML file, a directory whose *.yaml, *.yml and *.json files are taken together, or - for stdin.
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// Also delete APIs, plans and keys that the files do not name, and stages of their APIs.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    connection: Connection,
}

/// `tollgate apply`.
#[derive(Debug, clap::Args)]
pub struct Apply {
    #[command(flatten)]
    files: Files,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do nothing if a definition has warnings.
    #[arg(long)]
    fail_on_warnings: bool,
}

/// `tollgate diff`.
#[derive(Debug, clap::Args)]
pub struct Diff {
    #[command(flatten)]
    files: Files,
}

/// `tollgate export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Write the values of API keys too.
    #[arg(long)]
    with_values: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Apply {
    pub async fn run(self) -> Result<(), Failed> {
        let client = Client::new(&self.files.connection)?;
        let (declared, changes) = plan(&client, &self.files).await?;
        if self.fail_on_warnings && !declared.warnings.is_empty() {
            return Err(Failed::Failed(
                "nothing was changed, because of the warnings above".to_owned(),
            ));
        }
        output::print(&shown(&changes))?;
        if self.dry_run || changes.is_empty() {
            return Ok(());
        }
        let done = execute::execute(&client, &declared, &changes).await?;
        output::print(&format!("Done: {done} of {} changes.", changes.len()))
    }
}

impl Diff {
    pub async fn run(self) -> Result<(), Failed> {
        let client = Client::new(&self.files.connection)?;
        let (_, changes) = plan(&client, &self.files).await?;
        output::print(&shown(&changes))?;
        match changes.is_empty() {
            true => Ok(()),
            false => Err(Failed::Different),
        }
    }
}

impl Export {
    pub async fn run(self) -> Result<(), Failed> {
        let client = Client::new(&self.connection)?;
        let (text, warnings) = export::export(&client, self.with_values).await?;
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        output::print(text.trim_end())
    }
}

/// Reads everything, checks everything, and tells what would have to change. Nothing is changed here.
async fn plan(client: &Client, files: &Files) -> Result<(Declared, Vec<Change>), Failed> {
    let declared = read::read(&files.path)?;
    for warning in &declared.warnings {
        eprintln!("warning: {warning}");
    }
    let current = Current::read(client).await?;
    let changes = changes::changes(client, &declared, &current, files.prune).await?;
    Ok((declared, changes))
}

/// The changes, one a line with its details below, and how many there are.
pub fn shown(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "Nothing to change.".to_owned();
    }
    let mut lines = Vec::new();
    for change in changes {
        lines.push(format!(
            "{} {} {}",
            change.sign.as_str(),
            change.noun,
            change.name
        ));
        lines.extend(change.details.iter().map(|detail| format!("    {detail}")));
    }
    let count = |sign| changes.iter().filter(|change| change.sign == sign).count();
    lines.push(format!(
        "{} to add, {} to change, {} to delete.",
        count(Sign::Add),
        count(Sign::Change),
        count(Sign::Delete)
    ));
    lines.join("\n")
}
