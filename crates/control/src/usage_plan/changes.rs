//! What UpdateUsagePlan can change: the patch rules of a plan, in AWS's spelling and order.

use std::collections::BTreeMap;

use tollgate_entity::{ApiStage, QuotaPeriod, QuotaSettings, ThrottleSettings, UsagePlan};

use crate::error::Error;
use crate::json;
use crate::patch::{
    self, FromPatch, Patch, PatchRule, Patched, PathRefusal, add, remove, replace, set,
};

// `apidId` is AWS's spelling, and its refusals repeat it.
const STAGE_THROTTLE: &str = "/apiStages/<apidId:stageName>/throttle";
const METHOD: &str = "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>";
const METHOD_RATE: &str =
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/rateLimit";
const METHOD_BURST: &str =
    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>/burstLimit";

impl Patch for UsagePlan {
    #[rustfmt::skip]
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/name",                |plan, new| new.set(&mut plan.name)),
        replace("/description",         |plan, new| new.set(&mut plan.description)),
        add(    "/apiStages",           add_stage),
        remove( "/apiStages",           remove_stage),
        remove( "/quota",               |plan, _| unset(&mut plan.quota)),
        remove( "/throttle",            |plan, _| unset(&mut plan.throttle)),
        set(    "/productCode",         |plan, new| new.set(&mut plan.product_code)),
        remove( "/productCode",         |plan, _| unset(&mut plan.product_code)),
        set(    "/quota/limit",         |plan, new| read_into(new, &mut quota(plan).limit)),
        set(    "/quota/offset",        |plan, new| new.set(&mut quota(plan).offset)),
        set(    "/quota/period",        |plan, new| read_period_into(new, &mut quota(plan).period)),
        set(    "/throttle/rateLimit",  |plan, new| read_into(new, &mut throttle(plan).rate_limit)),
        set(    "/throttle/burstLimit", |plan, new| read_into(new, &mut throttle(plan).burst_limit)),
        set(    METHOD_RATE,            |plan, new| read_into(new, &mut method(plan, new)?.rate_limit)),
        set(    METHOD_BURST,           |plan, new| read_into(new, &mut method(plan, new)?.burst_limit)),
        remove( METHOD,                 remove_method),
        add(    STAGE_THROTTLE,         |plan, new| { let methods = read_methods(new)?; entry(plan, new)?.throttle.extend(methods); Ok(()) }),
        replace(STAGE_THROTTLE,         |plan, new| { entry(plan, new)?.throttle = read_methods(new)?; Ok(()) }),
        remove( STAGE_THROTTLE,         |plan, old| { entry(plan, old)?.throttle.clear(); Ok(()) }),
    ];
    const REFUSAL: PathRefusal = PathRefusal::Listed;
}

fn unset<V>(field: &mut Option<V>) -> Result<(), Error> {
    *field = None;
    Ok(())
}

/// A number that is given: unlike other optional members it is not unset by an empty text, which would lift the limit.
fn read_into<V: FromPatch>(new: &Patched<'_>, field: &mut Option<V>) -> Result<(), Error> {
    *field = Some(V::from_patch(new.value(), new.path)?);
    Ok(())
}

fn quota(plan: &mut UsagePlan) -> &mut QuotaSettings {
    plan.quota.get_or_insert_default()
}

fn throttle(plan: &mut UsagePlan) -> &mut ThrottleSettings {
    plan.throttle.get_or_insert_default()
}

fn read_period_into(new: &Patched<'_>, field: &mut Option<QuotaPeriod>) -> Result<(), Error> {
    *field = Some(read_period(new.value().unwrap_or_default())?);
    Ok(())
}

/// `DAY`, `WEEK` or `MONTH`.
pub fn read_period(text: &str) -> Result<QuotaPeriod, Error> {
    match text {
        "DAY" => Ok(QuotaPeriod::Day),
        "WEEK" => Ok(QuotaPeriod::Week),
        "MONTH" => Ok(QuotaPeriod::Month),
        _ => Err(Error::bad_request(
            "Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]",
        )),
    }
}

/// Reads `<apiId>:<stage>`; AWS takes the first two parts and drops others.
fn read_stage<'a>(change: &Patched<'a>) -> Result<(&'a str, &'a str), Error> {
    let mut parts = change.value().unwrap_or_default().split(':');
    match (parts.next(), parts.next()) {
        (Some(api_id), Some(stage)) if !api_id.is_empty() && !stage.is_empty() => {
            Ok((api_id, stage))
        }
        _ => Err(Error::bad_request("Invalid API Stage specified")),
    }
}

/// Adding a stage that is there changes nothing.
fn add_stage(plan: &mut UsagePlan, new: &Patched<'_>) -> Result<(), Error> {
    let (api_id, stage) = read_stage(new)?;
    if plan.stage(api_id, stage).is_none() {
        plan.api_stages.push(ApiStage {
            api_id: api_id.into(),
            stage: stage.into(),
            throttle: BTreeMap::new(),
        });
    }
    Ok(())
}

fn remove_stage(plan: &mut UsagePlan, old: &Patched<'_>) -> Result<(), Error> {
    let (api_id, stage) = read_stage(old)?;
    let before = plan.api_stages.len();
    plan.api_stages
        .retain(|entry| entry.api_id != api_id || entry.stage != stage);
    if plan.api_stages.len() == before {
        return Err(unknown_stage(plan, api_id, stage));
    }
    Ok(())
}

fn unknown_stage(plan: &UsagePlan, api_id: &str, stage: &str) -> Error {
    Error::not_found(format!(
        "Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {}",
        plan.id
    ))
}

/// The stage that a path names in its first hole.
fn entry<'a>(plan: &'a mut UsagePlan, change: &Patched<'_>) -> Result<&'a mut ApiStage, Error> {
    let name = change.at.first().map(String::as_str).unwrap_or_default();
    let (api_id, stage) = name
        .split_once(':')
        .ok_or_else(|| Error::bad_request("Invalid API Stage specified"))?;
    let found = plan
        .api_stages
        .iter()
        .position(|entry| entry.api_id == api_id && entry.stage == stage);
    match found {
        Some(index) => Ok(&mut plan.api_stages[index]),
        None => Err(unknown_stage(plan, api_id, stage)),
    }
}

/// The name of the method throttle that a path names in its other holes: `/pets/GET`, for the root `//GET`.
fn method_name(change: &Patched<'_>) -> String {
    let (resource, method) = match change.at.as_slice() {
        [_, resource, method] => (resource.as_str(), method.as_str()),
        _ => ("", ""),
    };
    let slash = if resource.starts_with('/') { "" } else { "/" };
    format!("{slash}{resource}/{method}")
}

fn method<'a>(
    plan: &'a mut UsagePlan,
    new: &Patched<'_>,
) -> Result<&'a mut ThrottleSettings, Error> {
    Ok(entry(plan, new)?
        .throttle
        .entry(method_name(new))
        .or_default())
}

fn remove_method(plan: &mut UsagePlan, old: &Patched<'_>) -> Result<(), Error> {
    let name = method_name(old);
    match entry(plan, old)?.throttle.remove(&name) {
        Some(_) => Ok(()),
        None => Err(Error::not_found(format!(
            "There is no method throttle {name}"
        ))),
    }
}

/// Reads a map of method throttles, JSON within the JSON.
fn read_methods(new: &Patched<'_>) -> Result<BTreeMap<String, ThrottleSettings>, Error> {
    let refused = |why: String| {
        Error::bad_request(format!(
            "Invalid method throttles specified for path {}: {why}",
            new.path
        ))
    };
    let value = serde_json::from_str(new.text()?).map_err(|error| refused(error.to_string()))?;
    let methods: BTreeMap<String, ThrottleSettings> =
        json::read(value).map_err(|refusal| refused(refusal.to_string()))?;
    Ok(methods
        .into_iter()
        .map(|(name, throttle)| (patch::unescape(&name), throttle))
        .collect())
}
