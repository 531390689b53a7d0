//! `tollgate check`: each setting, its value and where it comes from; whether TLS certificates can be used.

use serde_json::json;

use super::failed::Failed;
use super::output::{self, Output};
use crate::config::{Effective, Loaded};
use crate::server::tls;

/// Shows a configuration that was loaded, and so is good, unless the files it names are not.
pub fn run(loaded: Loaded, form: Output) -> Result<(), Failed> {
    let certificates = tls::load(&loaded.config)
        .map_err(|failed| Failed::Usage(failed.to_string()))?
        .ends();
    let settings = &loaded.effective;
    match form {
        Output::Json => {
            let settings = settings.iter().map(|one| {
                let value = one
                    .text
                    .as_deref()
                    .map(|text| if text.is_empty() { text } else { one.shown() });
                json!({"name": one.setting.name, "value": value, "source": one.source.to_string()})
            });
            output::print_json(&settings.collect())
        }
        Output::Table => {
            output::print(&table(settings))?;
            match certificates.is_empty() {
                true => Ok(()),
                false => output::print(&certificates.join("\n")),
            }
        }
    }
}

fn table(settings: &[Effective]) -> String {
    let rows = settings.iter().map(|one| {
        vec![
            one.setting.name.to_owned(),
            one.shown().to_owned(),
            one.source.to_string(),
        ]
    });
    output::table(&["SETTING", "VALUE", "FROM"], rows)
}
