//! A stage beside what it should be: its deployment, its variables, the settings of its methods.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::file::{MethodSettings, Stage};
use super::{Change, Sign, Step, operation, replace_text};
use crate::cli::output::cell;

/// What GetStage shows of settings that were never set.
const RATE_DEFAULT: f64 = 10_000.0;
const BURST_DEFAULT: i32 = 5_000;

/// The change of a stage, if it needs one.
pub fn change(
    api: &str,
    name: &str,
    wanted: &Stage,
    found: Option<&Value>,
    deploy: bool,
) -> Option<Change> {
    let (mut patch, mut details) = (Vec::new(), Vec::new());
    let nothing = Value::Null;
    let there = found.unwrap_or(&nothing);
    if deploy {
        details.push("a new deployment".to_owned());
    }
    let description = wanted.description.as_deref();
    replace_text(
        &mut patch,
        &mut details,
        "description",
        &there["description"],
        description,
    );
    variables(
        &mut patch,
        &mut details,
        &there["variables"],
        &wanted.variables,
    );
    settings(
        &mut patch,
        &mut details,
        &there["methodSettings"],
        &wanted.methods,
    );
    if !deploy && patch.is_empty() {
        return None;
    }
    Some(Change {
        sign: if found.is_some() {
            Sign::Change
        } else {
            Sign::Add
        },
        noun: "stage",
        name: format!("{api}/{name}"),
        details,
        step: Step::Stage {
            api: api.to_owned(),
            stage: name.to_owned(),
            deploy,
            patch,
        },
    })
}

fn variables(
    patch: &mut Vec<Value>,
    details: &mut Vec<String>,
    found: &Value,
    wanted: &BTreeMap<String, String>,
) {
    for name in found.as_object().into_iter().flat_map(|all| all.keys()) {
        if !wanted.contains_key(name) {
            details.push(format!("variable {name} goes"));
            patch.push(operation("remove", &format!("/variables/{name}"), None));
        }
    }
    for (name, value) in wanted {
        if found[name] != **value {
            details.push(format!("variable {name}: {value:?}"));
            patch.push(operation(
                "replace",
                &format!("/variables/{name}"),
                Some(value.clone()),
            ));
        }
    }
}

/// A setting cannot be unset by itself: an entry that is another goes, and comes again as it should be.
fn settings(
    patch: &mut Vec<Value>,
    details: &mut Vec<String>,
    found: &Value,
    wanted: &BTreeMap<String, MethodSettings>,
) {
    let mut known: BTreeMap<String, (String, MethodSettings)> = BTreeMap::new();
    for (key, entry) in found.as_object().into_iter().flatten() {
        known.insert(method_name(key), (key.clone(), shown(entry)));
    }
    for (method, (key, entry)) in &known {
        if wanted
            .get(method)
            .is_none_or(|wanted| normal(wanted) != *entry)
        {
            patch.push(operation("remove", &format!("/{key}"), None));
        }
        if !wanted.contains_key(method) {
            details.push(format!("settings of {method} go"));
        }
    }
    for (method, wanted) in wanted {
        if known
            .get(method)
            .is_some_and(|(_, entry)| *entry == normal(wanted))
        {
            continue;
        }
        details.push(format!("settings of {method}: {}", told(wanted)));
        let key = key_of(method);
        for (setting, value) in values(&normal(wanted)) {
            patch.push(operation(
                "replace",
                &format!("/{key}/{setting}"),
                Some(value),
            ));
        }
    }
}

fn values(settings: &MethodSettings) -> Vec<(&'static str, String)> {
    let text = |value: &dyn ToString| value.to_string();
    let mut all = vec![
        (
            "throttling/rateLimit",
            settings.rate_limit.as_ref().map(|it| text(it)),
        ),
        (
            "throttling/burstLimit",
            settings.burst_limit.as_ref().map(|it| text(it)),
        ),
        ("logging/loglevel", settings.logging_level.clone()),
        (
            "metrics/enabled",
            settings.metrics_enabled.as_ref().map(|it| text(it)),
        ),
        (
            "logging/dataTrace",
            settings.data_trace_enabled.as_ref().map(|it| text(it)),
        ),
    ];
    // An entry that says nothing is still one.
    if all.iter().all(|(_, value)| value.is_none()) {
        all[3].1 = Some("false".to_owned());
    }
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn told(settings: &MethodSettings) -> String {
    let all = values(settings).into_iter();
    let all: Vec<String> = all.map(|(name, value)| format!("{name} {value}")).collect();
    all.join(", ")
}

/// The settings of an entry that differ from AWS's defaults.
pub fn shown(entry: &Value) -> MethodSettings {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    let flag = |name: &str| entry[name].as_bool();
    let burst = entry["throttlingBurstLimit"].as_i64();
    normal(&MethodSettings {
        rate_limit: entry["throttlingRateLimit"].as_f64(),
        burst_limit: burst.and_then(|burst| burst.try_into().ok()),
        logging_level: text("loggingLevel"),
        metrics_enabled: flag("metricsEnabled"),
        data_trace_enabled: flag("dataTraceEnabled"),
    })
}

fn normal(settings: &MethodSettings) -> MethodSettings {
    let rate = settings.rate_limit.filter(|rate| *rate != RATE_DEFAULT);
    let burst = settings.burst_limit.filter(|burst| *burst != BURST_DEFAULT);
    let limited = rate.is_some() || burst.is_some();
    MethodSettings {
        // One without the other is no limit, so that both are said where one is.
        rate_limit: limited.then(|| settings.rate_limit.unwrap_or(RATE_DEFAULT)),
        burst_limit: limited.then(|| settings.burst_limit.unwrap_or(BURST_DEFAULT)),
        logging_level: settings.logging_level.clone(),
        metrics_enabled: settings.metrics_enabled.filter(|on| *on),
        data_trace_enabled: settings.data_trace_enabled.filter(|on| *on),
    }
}

/// A method as the file names it: `~1pets~1{petId}/GET` is `/pets/{petId}/GET`.
pub fn method_name(key: &str) -> String {
    if key == "*/*" {
        return key.to_owned();
    }
    let (path, verb) = key.rsplit_once('/').unwrap_or((key, ""));
    let path = path.replace("~1", "/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{path}/{verb}")
}

fn key_of(method: &str) -> String {
    if method == "*/*" {
        return method.to_owned();
    }
    let (path, verb) = method.rsplit_once('/').unwrap_or((method, ""));
    let path = if path.is_empty() { "/" } else { path };
    format!("{}/{verb}", path.replace('/', "~1"))
}

/// The declared form of a stage that is there.
pub fn declared(stage: &Value) -> Stage {
    let variables = stage["variables"].as_object().into_iter().flatten();
    let settings = stage["methodSettings"].as_object().into_iter().flatten();
    Stage {
        description: stage["description"].as_str().map(str::to_owned),
        variables: variables
            .map(|(name, value)| (name.clone(), cell(value)))
            .collect(),
        methods: settings
            .map(|(key, entry)| (method_name(key), shown(entry)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn methods_are_named_by_their_paths() {
        for (key, name) in [
            ("*/*", "*/*"),
            ("~1pets~1{petId}/GET", "/pets/{petId}/GET"),
            ("~1/GET", "//GET"),
        ] {
            assert_eq!(method_name(key), name);
            assert_eq!(key_of(name), key);
        }
        assert_eq!(method_name("test/GET"), "/test/GET");
    }

    #[test]
    fn a_stage_that_is_as_declared_needs_nothing_and_one_that_is_not_is_told() {
        let stage = json!({
            "stageName": "s", "description": "d", "variables": {"a": "1", "b": "2"},
            "methodSettings": {
                "*/*": {"throttlingRateLimit": 10.0, "throttlingBurstLimit": 5, "metricsEnabled": false},
                "~1x/GET": {"throttlingRateLimit": 10000.0, "throttlingBurstLimit": 5000, "loggingLevel": "INFO"},
            },
        });
        let own = declared(&stage);
        assert!(change("api", "s", &own, Some(&stage), false).is_none());
        let mut other = own.clone();
        other.variables.remove("a");
        other.variables.insert("b".into(), "3".into());
        other.methods.remove("/x/GET");
        other.methods.get_mut("*/*").unwrap().burst_limit = Some(6);
        let change = change("api", "s", &other, Some(&stage), true).unwrap();
        assert_eq!(
            change.details,
            [
                "a new deployment",
                "variable a goes",
                "variable b: \"3\"",
                "settings of /x/GET go",
                "settings of */*: throttling/rateLimit 10, throttling/burstLimit 6",
            ]
        );
        let Step::Stage { patch, .. } = change.step else {
            panic!("{:?}", change.step)
        };
        assert_eq!(
            json!(patch),
            json!([
                {"op": "remove", "path": "/variables/a"},
                {"op": "replace", "path": "/variables/b", "value": "3"},
                {"op": "remove", "path": "/*/*"},
                {"op": "remove", "path": "/~1x/GET"},
                {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "10"},
                {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "6"},
            ])
        );
    }
}
