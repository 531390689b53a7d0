//! Method settings: their keys, where a new entry starts from, and AWS's defaults for what was never set.

use serde::Serialize;
use tollgate_entity::method::HTTP_METHODS;
use tollgate_entity::{MethodSetting, Stage};

/// The key of the settings of all methods.
const ALL: &str = "*/*";

/// A stage as it is answered: method settings with AWS's defaults filled in.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Shown(Stage);

impl Shown {
    pub fn of(mut stage: Stage) -> Self {
        stage.method_settings.values_mut().for_each(fill_in);
        Shown(stage)
    }
}

fn fill_in(setting: &mut MethodSetting) {
    setting.metrics_enabled.get_or_insert(false);
    setting.data_trace_enabled.get_or_insert(false);
    setting.throttling_burst_limit.get_or_insert(5000);
    setting.throttling_rate_limit.get_or_insert(10_000.0);
    setting.caching_enabled.get_or_insert(false);
    setting.cache_ttl_in_seconds.get_or_insert(300);
    setting.cache_data_encrypted.get_or_insert(false);
    setting
        .require_authorization_for_cache_control
        .get_or_insert(true);
    let strategy = &mut setting.unauthorized_cache_control_header_strategy;
    strategy.get_or_insert_with(|| "SUCCEED_WITH_RESPONSE_HEADER".to_owned());
}

/// The key in a setting's patch path: what stands between the first slash and the last two segments, as it came.
pub(super) fn key(path: &str) -> &str {
    let without_setting = path.rsplitn(3, '/').nth(2).unwrap_or_default();
    without_setting.strip_prefix('/').unwrap_or(without_setting)
}

/// Whether settings can be kept under this key: a path and a verb of AWS's, or `*` for either.
pub(super) fn is_key(key: &str) -> bool {
    key.rsplit_once('/')
        .is_some_and(|(_, verb)| verb == "*" || HTTP_METHODS.contains(&verb))
}

/// The entry of that key; a new one starts as a copy of `*/*`.
pub(super) fn entry<'a>(stage: &'a mut Stage, key: &str) -> &'a mut MethodSetting {
    let start = stage.method_settings.get(ALL).cloned().unwrap_or_default();
    stage.method_settings.entry(key.to_owned()).or_insert(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_as_they_came() {
        for (path, expected) in [
            ("/*/*/throttling/rateLimit", "*/*"),
            ("/test/GET/throttling/rateLimit", "test/GET"),
            ("/~1pets~1{id}/GET/metrics/enabled", "~1pets~1{id}/GET"),
            ("/~1/GET/metrics/enabled", "~1/GET"),
            (
                "//tenant/{name}/codes/GET/throttling/burstLimit",
                "/tenant/{name}/codes/GET",
            ),
        ] {
            assert_eq!(key(path), expected);
            assert!(is_key(expected), "{expected}");
        }
        for bad in ["", "*", "*/FETCH", "GET", "test/get"] {
            assert!(!is_key(bad), "{bad}");
        }
    }

    #[test]
    fn a_new_entry_copies_what_was_set_for_all() {
        let mut stage = Stage::default();
        entry(&mut stage, ALL).caching_enabled = Some(true);
        assert_eq!(entry(&mut stage, "test/GET").caching_enabled, Some(true));
        entry(&mut stage, ALL).caching_enabled = Some(false);
        assert_eq!(entry(&mut stage, "test/GET").caching_enabled, Some(true));
        assert_eq!(entry(&mut stage, "test/GET").throttling_burst_limit, None);
    }
}
