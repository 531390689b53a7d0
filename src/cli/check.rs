//! `tollgate check`: each setting, its value and where it comes from; and everything that a start needs, short of serving.

use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use tollgate_entity::{ClientCertificate, DomainName};
use tollgate_proxy::net::connect::client_config;
use tollgate_proxy::net::tls::validity::Validity;
use tollgate_proxy::unenforced::unenforced;
use tollgate_store::{Inspected, each_deployed_stage, inspect, stored};

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

impl Found {
    /// What is set in the data directory and does not do what it says.
    fn look_at_stages(&mut self, data_dir: &Path) {
        let looked = each_deployed_stage(data_dir, |stage, content| {
            let found = unenforced(&stage, &content);
            self.warnings.extend(found.iter().map(ToString::to_string));
        });
        if let Err(error) = looked {
            self.warnings
                .push(format!("the stages cannot be looked at: {error}"));
        }
    }
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
    if is_served || matches!(inspected, Ok(Inspected::Good)) {
        found.look_at_stages(&config.data_dir);
    }
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
    if found.problems.is_empty() && config.data_dir.join("config.db").is_file() {
        found.look_at_certificates(config);
    }
    found
}

impl Found {
    /// Certificates that are kept or named in the data directory.
    fn look_at_certificates(&mut self, config: &Config) {
        let dir = &config.data_dir;
        let kept = stored(dir).and_then(|kept| Ok((kept, stored(dir)?)));
        let (clients, domains): (Vec<ClientCertificate>, Vec<DomainName>) = match kept {
            Ok(kept) => kept,
            Err(error) => {
                let warning = format!("certificates in config.db cannot be looked at: {error}");
                return self.warnings.push(warning);
            }
        };
        for certificate in clients {
            let id = &certificate.client_certificate_id;
            let validity = Validity {
                from_s: certificate.created_date.0,
                until_s: certificate.expiration_date.0,
            };
            let end = jiff::Timestamp::from_second(validity.until_s);
            if let Ok(end) = end {
                let note = format!("client certificate {id} can be used until {end}");
                self.notes.push(note);
            }
            if let Some(trouble) = validity.trouble(SystemTime::now()) {
                self.warnings
                    .push(format!("client certificate {id} {trouble}"));
            }
        }
        for domain in domains {
            let arns = [&domain.regional_certificate_arn, &domain.certificate_arn];
            let named: Vec<&String> = arns.into_iter().flatten().collect();
            let is_known = named
                .iter()
                .any(|arn| config.certificates.contains_key(*arn));
            if let (Some(arn), false, Some(_)) = (named.first(), is_known, &config.tls_certificate)
            {
                self.warnings.push(format!(
                    "domain name {}: its certificate {arn} is not in [certificates], so that its clients are shown tls_certificate",
                    domain.domain_name
                ));
            }
        }
    }
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
