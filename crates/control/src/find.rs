//! Looking up what a call names; AWS's 404 where it is not there.

use tollgate_entity::{
    ApiKey, BasePathMapping, ClientCertificate, Deployment, DomainName, Resource, RestApi, Stage,
    UsagePlan, VpcLink,
};
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

pub fn domain_name(reader: &Reader<'_>, name: &str) -> Result<DomainName, Error> {
    let unknown = || Error::not_found("Invalid domain name identifier specified");
    reader.get("", name)?.ok_or_else(unknown)
}

/// The base path mapping of a domain name, which must be there too.
pub fn base_path_mapping(
    reader: &Reader<'_>,
    domain: &str,
    base_path: &str,
) -> Result<BasePathMapping, Error> {
    domain_name(reader, domain)?;
    let unknown = || Error::not_found("Invalid base path mapping identifier specified");
    reader.get(domain, base_path)?.ok_or_else(unknown)
}

pub fn client_certificate(reader: &Reader<'_>, id: &str) -> Result<ClientCertificate, Error> {
    let unknown = || Error::not_found("Invalid client certificate identifier specified");
    reader.get("", id)?.ok_or_else(unknown)
}

pub fn vpc_link(reader: &Reader<'_>, id: &str) -> Result<VpcLink, Error> {
    let unknown = || Error::not_found("Invalid Vpc Link identifier specified");
    reader.get("", id)?.ok_or_else(unknown)
}
