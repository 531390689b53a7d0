//! Looking up what a call names; AWS's 404 where it is not there.

use tollgate_entity::{ApiKey, Deployment, Resource, RestApi, Stage, UsagePlan};
use tollgate_store::Reader;

use crate::ControlSettings;
use crate::error::Error;

/// The key, without its value.
pub fn api_key(reader: &Reader<'_>, id: &str) -> Result<ApiKey, Error> {
    reader
        .api_key(id)?
        .ok_or_else(|| Error::not_found("Invalid API Key identifier specified"))
}

pub fn usage_plan(reader: &Reader<'_>, id: &str) -> Result<UsagePlan, Error> {
    reader.get("", id)?.ok_or_else(unknown_usage_plan)
}

pub fn unknown_usage_plan() -> Error {
    Error::not_found("Invalid Usage Plan ID specified")
}

pub fn rest_api(
    reader: &Reader<'_>,
    settings: &ControlSettings,
    id: &str,
) -> Result<RestApi, Error> {
    let text = || {
        format!(
            "Invalid API identifier specified {}:{id}",
            settings.account_id
        )
    };
    reader.get("", id)?.ok_or_else(|| Error::not_found(text()))
}

/// The resource of an API; an unknown API is told like an unknown resource.
pub fn resource(reader: &Reader<'_>, api: &str, id: &str) -> Result<Resource, Error> {
    reader.get(api, id)?.ok_or_else(unknown_resource)
}

pub fn unknown_resource() -> Error {
    Error::not_found("Invalid Resource identifier specified")
}

/// The deployment of an API; an unknown API is told like an unknown deployment.
pub fn deployment(reader: &Reader<'_>, api: &str, id: &str) -> Result<Deployment, Error> {
    reader
        .get(api, id)?
        .ok_or_else(|| Error::not_found("Invalid Deployment identifier specified"))
}

/// The stage of an API; an unknown API is told like an unknown stage.
pub fn stage(reader: &Reader<'_>, api: &str, name: &str) -> Result<Stage, Error> {
    reader.get(api, name)?.ok_or_else(unknown_stage)
}

pub fn unknown_stage() -> Error {
    Error::not_found("Invalid stage identifier specified")
}
