//! `tollgate import`: API keys from a CSV file in AWS's format.

use std::path::PathBuf;

use http::Method;

use super::Asked;
use super::call;
use super::failed::Failed;
use super::output::{self, cell};

/// `tollgate import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The CSV file, or - for stdin: columns Name and Key, and if wanted Description, Enabled, UsagePlanIds.
    file: PathBuf,
    /// Import nothing at all if anything is wrong.
    #[arg(long)]
    fail_on_warnings: bool,
    #[command(flatten)]
    asked: Asked,
}

impl Import {
    /// Prints the ids of the imported keys; warnings go to stderr.
    pub async fn run(self) -> Result<(), Failed> {
        let body = call::read(&self.file)?;
        let query = [
            ("mode".to_owned(), "import".to_owned()),
            ("format".to_owned(), "csv".to_owned()),
            (
                "failonwarnings".to_owned(),
                self.fail_on_warnings.to_string(),
            ),
        ];
        let answer = self
            .asked
            .client()?
            .call(Method::POST, "/apikeys", &query, body)
            .await?;
        if self.asked.is_json() {
            return output::print_json(&answer);
        }
        let ids = answer["ids"].as_array().map_or(&[][..], Vec::as_slice);
        let warnings = answer["warnings"].as_array().map_or(&[][..], Vec::as_slice);
        output::print(&output::table(&["ID"], ids.iter().map(|id| vec![cell(id)])))?;
        for warning in warnings {
            eprintln!("warning: {}", cell(warning));
        }
        eprintln!("{} keys imported, {} warnings", ids.len(), warnings.len());
        Ok(())
    }
}
