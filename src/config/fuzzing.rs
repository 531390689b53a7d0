//! Files and environments: secrets stay out of every message, and what holds, given again, holds the same.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Loaded, Secret, settle};

/// The lines before the first that is `---` are a file, those after it `NAME=value` of the environment.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (file, environment) = text.split_once("\n---\n").unwrap_or((&text, ""));
    let environment: Vec<(OsString, OsString)> = environment
        .split('\n')
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    // Long enough not to be part of a message by chance.
    let secrets: Vec<String> = environment
        .iter()
        .filter(|(name, _)| name == "TOLLGATE_MASTER_KEY" || name == "TOLLGATE_METRICS_TOKEN")
        .filter_map(|(_, value)| value.to_str().map(str::to_owned))
        .filter(|value| {
            value.len() >= 16
                && !text
                    .replacen(value.as_str(), "", 1)
                    .contains(value.as_str())
        })
        .collect();
    let hidden = |shown: &str| {
        secrets
            .iter()
            .all(|secret| !shown.contains(secret.as_str()))
    };
    let from_file = Some((PathBuf::from("tollgate.toml"), file.to_owned()));
    let loaded = match settle(vec![], environment, from_file, Some("/state".into())) {
        Ok(loaded) => loaded,
        Err(invalid) => {
            assert!(
                !invalid.0.is_empty() && hidden(&invalid.to_string()),
                "{invalid}"
            );
            assert!(hidden(&format!("{invalid:?}")));
            return;
        }
    };
    assert!(hidden(&format!("{loaded:?}")), "{loaded:?}");
    let again = settle(vec![], as_environment(&loaded), None, Some("/state".into()));
    let again = again
        .unwrap_or_else(|invalid| panic!("what holds does not hold when it is given: {invalid}"));
    assert_eq!(
        format!("{:?}", again.config),
        format!("{:?}", loaded.config)
    );
    let secrets = |loaded: &Loaded| {
        let both = [&loaded.config.metrics_token, &loaded.config.master_key];
        both.map(|secret| secret.as_ref().map(Secret::reveal).map(str::to_owned))
    };
    assert_eq!(secrets(&again), secrets(&loaded));
}

/// Every setting that has a value, as a variable.
fn as_environment(loaded: &Loaded) -> Vec<(OsString, OsString)> {
    let set = loaded.effective.iter();
    set.filter_map(|one| Some((one.setting.variable().into(), one.text.clone()?.into())))
        .collect()
}
