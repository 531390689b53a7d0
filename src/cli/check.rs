//! `tollgate check`: each setting, its value and where it comes from; and everything that a start needs, short of serving.

use std::path::Path;

use serde_json::json;
use tollgate_proxy::net::connect::client_config;
use tollgate_store::{Inspected, inspect};

use super::failed::Failed;
use super::output::{self, Output};
use crate::config::{AccessLog, Config, Effective, Loaded};
use crate::server::{listen, tls};

/// What a look at everything came to.
#[derive(Default)]
struct Found {
    /// Because of these `tollgate serve` would not start.
    problems: Vec<String>,
    /// It would, and they would be in its log.
    warnings: Vec<String>,
    notes: Vec<String>,
}

/// Shows a configuration that was loaded, and so is good in itself; then what is wrong with what it names.
pub fn run(loaded: Loaded, form: Output) -> Result<(), Failed> {
    let settings = &loaded.effective;
    let found = look(&loaded.config);
    match form {
        Output::Json => {
            let settings = settings.iter().map(|one| {
                let value = one
                    .text
                    .as_deref()
                    .map(|text| if text.is_empty() { text } else { one.shown() });
                json!({"name": one.setting.name, "value": value, "source": one.source.to_string()})
            });
            output::print_json(&settings.collect())?;
        }
        Output::Table => {
            output::print(&table(settings))?;
            for note in &found.notes {
                output::print(note)?;
            }
        }
    }
    for warning in &found.warnings {
        eprintln!("tollgate: warning: {warning}");
    }
    match found.problems.is_empty() {
        true => Ok(()),
        false => Err(Failed::Usage(found.problems.join("\n"))),
    }
}

fn look(config: &Config) -> Found {
    let mut found = Found::default();
    match tls::load(config) {
        Ok(certificates) => {
            found.notes.extend(certificates.ends());
            found.warnings.extend(certificates.troubles());
        }
        Err(failed) => found.problems.push(failed.to_string()),
    }
    if let Some(file) = &config.upstream_ca_file
        && let Err(bad) = client_config(Some(file))
    {
        found.problems.push(format!("upstream_ca_file: {bad}"));
    }
    found.problems.extend(access_log(config));
    let dir = config.data_dir.display();
    let key = super::backup::master_key(config);
    let inspected = key.and_then(|key| {
        let looked = inspect(&config.data_dir, key.as_ref());
        looked.map_err(|error| Failed::Failed(error.to_string()))
    });
    let is_served = matches!(inspected, Ok(Inspected::Served { .. }));
    match inspected {
        Ok(Inspected::New) => {
            let note = format!("data directory {dir}: the first start makes it");
            found.notes.push(note);
        }
        Ok(Inspected::Good) => {
            let note = format!("data directory {dir}: it can be served");
            found.notes.push(note);
        }
        Ok(Inspected::Served { pid }) => {
            let by = pid.map_or_else(String::new, |pid| format!(" by process {pid}"));
            found.notes.push(format!(
                "data directory {dir}: it is served{by}; so neither it nor the ports were tried"
            ));
        }
        Err(failed) => found.problems.push(format!("data_dir: {failed}")),
    }
    if !is_served {
        found.problems.extend(listen::troubles(config));
    }
    found
}

/// What is wrong with the access log's file, as far as that can be seen without making it.
fn access_log(config: &Config) -> Option<String> {
    let AccessLog::File(file) = &config.access_log else {
        return None;
    };
    let path = config.data_dir.join(file);
    let is_in_data_dir = path.parent() == Some(config.data_dir.as_path());
    let parent = path.parent().unwrap_or(Path::new("/"));
    if path.is_dir() {
        return Some(format!("access_log: {} is a directory", path.display()));
    }
    (!is_in_data_dir && !parent.is_dir()).then(|| {
        format!(
            "access_log: {} cannot be opened: there is no directory {}",
            path.display(),
            parent.display()
        )
    })
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
