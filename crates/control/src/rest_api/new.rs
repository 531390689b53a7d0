//! The body of CreateRestApi, its defaults and what is refused in it.

use serde::Deserialize;
use tollgate_entity::{ApiKeySource, EndpointConfiguration, RestApi, Tags, tags};

use super::update;
use crate::check::Check;
use crate::enumerations::{
    API_KEY_SOURCES, ENDPOINT_ACCESS_MODES, ENDPOINT_TYPES, IP_ADDRESS_TYPES, SECURITY_POLICIES,
};
use crate::error::Error;
use crate::extract::Query;

/// The body of CreateRestApi.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewRestApi {
    name: Option<String>,
    description: Option<String>,
    version: Option<String>,
    pub(super) clone_from: Option<String>,
    binary_media_types: Option<Vec<String>>,
    minimum_compression_size: Option<i32>,
    api_key_source: Option<String>,
    endpoint_configuration: Option<NewEndpointConfiguration>,
    policy: Option<String>,
    tags: Option<Tags>,
    disable_execute_api_endpoint: Option<bool>,
    security_policy: Option<String>,
    endpoint_access_mode: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NewEndpointConfiguration {
    types: Option<Vec<String>>,
    ip_address_type: Option<String>,
    vpc_endpoint_ids: Option<Vec<String>>,
}

/// Which settings a body gives; a clone has the others from its original.
pub(super) struct Given {
    description: bool,
    version: bool,
    binary_media_types: bool,
    minimum_compression_size: bool,
    api_key_source: bool,
}

impl Given {
    pub(super) fn of(new: &NewRestApi) -> Self {
        Given {
            description: new.description.is_some(),
            version: new.version.is_some(),
            binary_media_types: new.binary_media_types.is_some(),
            minimum_compression_size: new.minimum_compression_size.is_some(),
            api_key_source: new.api_key_source.is_some(),
        }
    }

    /// Gives the clone what its body left out.
    pub(super) fn leave_rest(&self, api: &mut RestApi, from: &RestApi) {
        if !self.description {
            api.description.clone_from(&from.description);
        }
        if !self.version {
            api.version.clone_from(&from.version);
        }
        if !self.binary_media_types {
            api.binary_media_types.clone_from(&from.binary_media_types);
        }
        if !self.minimum_compression_size {
            api.minimum_compression_size = from.minimum_compression_size;
        }
        if !self.api_key_source {
            api.api_key_source = from.api_key_source;
        }
    }
}

impl NewRestApi {
    /// What an import says of the API besides its definition.
    pub fn imported(name: Option<String>, query: &Query) -> Self {
        let types = query.first("endpointConfigurationTypes");
        let types = types.map(|types| {
            types
                .split(',')
                .map(|kind| kind.trim().to_owned())
                .collect()
        });
        let vpc_endpoint_ids: Vec<String> =
            query.all("vpcEndpointIds").map(str::to_owned).collect();
        NewRestApi {
            name,
            endpoint_configuration: Some(NewEndpointConfiguration {
                types,
                ip_address_type: query.first("ipAddressType").map(str::to_owned),
                vpc_endpoint_ids: Some(vpc_endpoint_ids),
            }),
            ..NewRestApi::default()
        }
    }

    /// The API without ids and dates.
    pub fn checked(self, operation: &str) -> Result<RestApi, Error> {
        self.check_front(operation)?;
        if self.description.as_deref() == Some("") {
            return Err(Error::bad_request("Description cannot be an empty string"));
        }
        update::check_compression(self.minimum_compression_size)?;
        let endpoint_configuration = self.endpoint_configuration.unwrap_or_default().checked()?;
        update::check_policy(self.policy.as_deref())?;
        let tags = self.tags.unwrap_or_default();
        tags::check(&tags)?;
        let source = self.api_key_source.as_deref();
        let mut binary_media_types = Vec::new();
        for media_type in self.binary_media_types.unwrap_or_default() {
            update::add_media_type(&mut binary_media_types, media_type);
        }
        let api = RestApi {
            name: self.name.unwrap_or_default(),
            description: self.description,
            version: self.version,
            binary_media_types,
            minimum_compression_size: self.minimum_compression_size,
            api_key_source: source.map_or(Ok(ApiKeySource::Header), update::api_key_source)?,
            endpoint_configuration,
            disable_execute_api_endpoint: self.disable_execute_api_endpoint.unwrap_or_default(),
            security_policy: self.security_policy,
            endpoint_access_mode: self.endpoint_access_mode,
            tags,
            ..RestApi::default()
        };
        update::check(&api)?;
        Ok(api)
    }

    fn check_front(&self, operation: &str) -> Result<(), Error> {
        let mut check = Check::body_of(operation);
        check.present("name", &self.name);
        if let Some(endpoint) = &self.endpoint_configuration {
            check.all_of(
                "endpointConfiguration.types",
                endpoint.types.as_deref().unwrap_or_default(),
                &ENDPOINT_TYPES,
            );
            check.optional(
                "endpointConfiguration.ipAddressType",
                endpoint.ip_address_type.as_deref(),
                &IP_ADDRESS_TYPES,
            );
        }
        check.optional(
            "apiKeySource",
            self.api_key_source.as_deref(),
            &API_KEY_SOURCES,
        );
        check.optional(
            "securityPolicy",
            self.security_policy.as_deref(),
            &SECURITY_POLICIES,
        );
        check.optional(
            "endpointAccessMode",
            self.endpoint_access_mode.as_deref(),
            &ENDPOINT_ACCESS_MODES,
        );
        check.finish()
    }
}

impl NewEndpointConfiguration {
    fn checked(self) -> Result<EndpointConfiguration, Error> {
        let defaults = EndpointConfiguration::default();
        let types = self.types.unwrap_or(defaults.types);
        match types.as_slice() {
            [] => {
                return Err(Error::bad_request(
                    "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.",
                ));
            }
            [_] => {}
            _ => {
                return Err(Error::bad_request(
                    "Cannot create an api with multiple Endpoint Types.",
                ));
            }
        }
        if types == ["PRIVATE"] && self.ip_address_type.as_deref() == Some("ipv4") {
            return Err(Error::bad_request(
                "Only dualstack ipAddressType is supported for Private APIs.",
            ));
        }
        Ok(EndpointConfiguration {
            types,
            ip_address_type: self.ip_address_type.unwrap_or(defaults.ip_address_type),
            vpc_endpoint_ids: self.vpc_endpoint_ids.unwrap_or_default(),
        })
    }
}
