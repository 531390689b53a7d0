//! What UpdateStage can change, and its many wordings for what it cannot.

use tollgate_entity::{AccessLogSettings, MethodSetting, Stage};
use tollgate_store::Reader;

use super::{CACHE_CLUSTER_SIZES, canary, check, settings};
use crate::error::Error;
use crate::patch::{self, Op, Patch, PatchRule, Patched, PathRefusal, copy, remove, replace, set};

/// AWS's enumeration.
pub(crate) const CACHE_STRATEGIES: [&str; 3] = [
    "FAIL_WITH_403",
    "SUCCEED_WITH_RESPONSE_HEADER",
    "SUCCEED_WITHOUT_RESPONSE_HEADER",
];

/// A stage being changed.
pub(crate) struct Change {
    stage: Stage,
}

impl Change {
    pub fn of(stage: Stage) -> Self {
        Change { stage }
    }

    /// The stage as it is so far.
    #[cfg(any(test, fuzzing))]
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The changed stage, if it holds as a whole.
    pub fn checked(self, reader: &Reader<'_>) -> Result<Stage, Error> {
        let mut stage = self.stage;
        check(reader, &mut stage)?;
        Ok(stage)
    }

    fn setting(&mut self, new: &Patched<'_>) -> Result<&mut MethodSetting, Error> {
        let key = settings::key(new.path);
        if settings::is_key(key) {
            Ok(settings::entry(&mut self.stage, key))
        } else {
            Err(invalid_path(new.path))
        }
    }
}

#[rustfmt::skip]
impl Patch for Change {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/deploymentId",         |it, new| new.set(&mut it.stage.deployment_id)),
        replace("/description",          |it, new| new.set(&mut it.stage.description)),
        replace("/documentationVersion", |it, new| new.set(&mut it.stage.documentation_version)),
        replace("/clientCertificateId",  |it, new| new.set(&mut it.stage.client_certificate_id)),
        replace("/cacheClusterEnabled",  |it, new| new.set(&mut it.stage.cache_cluster_enabled)),
        replace("/cacheClusterSize",     patch_cache_size),
        replace("/tracingEnabled",       |it, new| new.set(&mut it.stage.tracing_enabled)),
        set(    "/accessLogSettings/destinationArn", patch_log_destination),
        set(    "/accessLogSettings/format",         patch_log_format),
        remove( "/accessLogSettings/destinationArn", |it, old| remove_log(it, old, |settings| settings.destination_arn.take())),
        remove( "/accessLogSettings/format",         |it, old| remove_log(it, old, |settings| settings.format.take())),
        remove( "/accessLogSettings",                |it, _| { it.stage.access_log_settings = None; Ok(()) }),
        set(    "/variables/{variable_name}", set_variable),
        remove( "/variables/{variable_name}", remove_variable),
        replace("/canarySettings/deploymentId",   |it, new| new.set(&mut canary::entry(&mut it.stage).deployment_id)),
        replace("/canarySettings/percentTraffic", |it, new| new.set(&mut canary::entry(&mut it.stage).percent_traffic)),
        replace("/canarySettings/useStageCache",  |it, new| new.set(&mut canary::entry(&mut it.stage).use_stage_cache)),
        replace("/canarySettings/stageVariableOverrides/{name}", |it, new| { canary::patch_override(&mut it.stage, new); Ok(()) }),
        remove( "/canarySettings/stageVariableOverrides/{name}", |it, old| { canary::patch_override(&mut it.stage, old); Ok(()) }),
        remove( "/canarySettings",                |it, _| { it.stage.canary_settings = None; Ok(()) }),
        replace("/{resourcePath}/{httpMethod}/metrics/enabled",       |it, new| new.set(&mut it.setting(new)?.metrics_enabled)),
        replace("/{resourcePath}/{httpMethod}/logging/dataTrace",     |it, new| new.set(&mut it.setting(new)?.data_trace_enabled)),
        replace("/{resourcePath}/{httpMethod}/logging/loglevel",      |it, new| { it.setting(new)?.logging_level = new.one_of("logging level", &["OFF", "ERROR", "INFO"])?; Ok(()) }),
        replace("/{resourcePath}/{httpMethod}/throttling/burstLimit", patch_burst),
        replace("/{resourcePath}/{httpMethod}/throttling/rateLimit",  patch_rate),
        replace("/{resourcePath}/{httpMethod}/caching/ttlInSeconds",  patch_cache_ttl),
        replace("/{resourcePath}/{httpMethod}/caching/enabled",       |it, new| new.set(&mut it.setting(new)?.caching_enabled)),
        replace("/{resourcePath}/{httpMethod}/caching/dataEncrypted", |it, new| new.set(&mut it.setting(new)?.cache_data_encrypted)),
        replace("/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl", |it, new| new.set(&mut it.setting(new)?.require_authorization_for_cache_control)),
        replace("/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy", patch_cache_strategy),
        remove( "/{resourcePath}/{httpMethod}", remove_setting),
        copy(   "/{resourcePath}", |it, new| canary::promote(&mut it.stage, new.path, new.from().unwrap_or("null"))),
    ];
    const REFUSAL: PathRefusal = PathRefusal::Worded(refuse);
}

fn patch_cache_size(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    change.stage.cache_cluster_size = new.one_of("cache cluster size", &CACHE_CLUSTER_SIZES)?;
    Ok(())
}

fn patch_log_destination(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let arn = log_value(new)?;
    if !arn.starts_with("arn:") || arn.splitn(6, ':').count() < 6 {
        return Err(Error::bad_request(format!(
            "Invalid ARN. ARN is not well formed {arn}"
        )));
    }
    change
        .stage
        .access_log_settings
        .get_or_insert_default()
        .destination_arn = Some(arn.to_owned());
    Ok(())
}

fn patch_log_format(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let format = log_value(new)?;
    if !format.contains("$context.requestId") && !format.contains("$context.extendedRequestId") {
        return Err(Error::bad_request(
            "Access Log format must include either $context.requestId or $context.extendedRequestId",
        ));
    }
    change
        .stage
        .access_log_settings
        .get_or_insert_default()
        .format = Some(format.to_owned());
    Ok(())
}

/// Takes one of the two out, if it is there, and the settings with the last.
fn remove_log(
    change: &mut Change,
    old: &Patched<'_>,
    take: fn(&mut AccessLogSettings) -> Option<String>,
) -> Result<(), Error> {
    let settings = &mut change.stage.access_log_settings;
    if settings.as_mut().and_then(take).is_none() {
        return Err(no_setting(old.path));
    }
    settings.take_if(|left| *left == AccessLogSettings::default());
    Ok(())
}

fn log_value<'a>(new: &Patched<'a>) -> Result<&'a str, Error> {
    let value = new.value().filter(|value| !value.is_empty());
    value.ok_or_else(|| Error::bad_request("Access Log value must not be empty"))
}

fn set_variable(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let variables = change.stage.variables.get_or_insert_default();
    variables.insert(
        new.hole().to_owned(),
        new.value().unwrap_or_default().to_owned(),
    );
    Ok(())
}

fn remove_variable(change: &mut Change, old: &Patched<'_>) -> Result<(), Error> {
    let variables = &mut change.stage.variables;
    variables
        .as_mut()
        .map(|variables| variables.remove(old.hole()));
    if variables
        .as_ref()
        .is_some_and(|variables| variables.is_empty())
    {
        *variables = None;
    }
    Ok(())
}

/// Requests; -1 is no limit.
fn patch_burst(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let mut burst: i32 = 0;
    new.set(&mut burst)?;
    if burst < -1 {
        return Err(Error::bad_request(
            "Invalid throttling burst limit, must be -1 (no limit) or a non-negative integer",
        ));
    }
    change.setting(new)?.throttling_burst_limit = Some(burst);
    Ok(())
}

/// Requests per second; -1 is no limit.
fn patch_rate(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let mut rate: f64 = 0.0;
    new.set(&mut rate)?;
    if rate < 0.0 && rate != -1.0 {
        return Err(Error::bad_request(
            "Invalid throttling rate limit, must be -1 (no limit) or a non-negative number",
        ));
    }
    change.setting(new)?.throttling_rate_limit = Some(rate);
    Ok(())
}

fn patch_cache_ttl(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let ttl = new
        .value()
        .and_then(|text| text.trim().parse().ok())
        .filter(|ttl| (0..=3600).contains(ttl));
    let refusal = || {
        Error::bad_request("Invalid time-to-live setting, must be an integer no greater than 3600")
    };
    change.setting(new)?.cache_ttl_in_seconds = Some(ttl.ok_or_else(refusal)?);
    Ok(())
}

fn patch_cache_strategy(change: &mut Change, new: &Patched<'_>) -> Result<(), Error> {
    let strategy = new.one_of("unauthorizedCacheControlHeaderStrategy", &CACHE_STRATEGIES)?;
    change
        .setting(new)?
        .unauthorized_cache_control_header_strategy = strategy;
    Ok(())
}

fn remove_setting(change: &mut Change, old: &Patched<'_>) -> Result<(), Error> {
    let key = old.path.strip_prefix('/').unwrap_or(old.path);
    match change.stage.method_settings.remove(key) {
        Some(_) => Ok(()),
        None => Err(no_setting(old.path)),
    }
}

/// With a blank at the end, as AWS writes it.
fn no_setting(path: &str) -> Error {
    let key = path.strip_prefix('/').unwrap_or(path);
    Error::bad_request(format!(
        "Cannot remove method setting {key} because there is no method setting for this method "
    ))
}

fn refuse(op: Op, path: Option<&str>) -> Error {
    let path = path.unwrap_or("null");
    match op {
        Op::Add | Op::Replace if path.starts_with("/accessLogSettings") => Error::bad_request(
            "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, /accessLogSettings/format]",
        ),
        Op::Add if !patch::has::<Change>(Op::Replace, path) => invalid_path(path),
        Op::Add | Op::Move | Op::Test | Op::Copy => {
            Error::bad_request(format!("Invalid {} operation with path: {path}", op.name()))
        }
        Op::Remove | Op::Replace => invalid_path(path),
    }
}

fn invalid_path(path: &str) -> Error {
    Error::bad_request(format!(
        "Invalid method setting path: {path}. Must be one of: {PATHS}"
    ))
}

/// As AWS lists them, missing commas and all.
const PATHS: &str = "[/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, \
    /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, \
    /{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, \
    /{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit\
    /{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, \
    /{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, \
    /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, \
    /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, \
    /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit \
    /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, \
    /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, \
    /variables/{variable_name}, /tracingEnabled]";
