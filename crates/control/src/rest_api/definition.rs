//! The definition of an API: what an OpenAPI document says of it, without the ids of a store.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tollgate_entity::{
    ApiKeySource, Authorizer, DocumentationPart, GatewayResponse, Method, Model, RequestValidator,
};

/// An API as it is imported and exported. Nouns have no ids; a method names its authorizer and its
/// validator where it would have their ids. What is `None` was not said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    pub name: Option<String>,
    pub description: Option<String>,
    pub version: Option<String>,
    pub binary_media_types: Option<Vec<String>>,
    pub minimum_compression_size: Option<i32>,
    pub api_key_source: Option<ApiKeySource>,
    pub disable_execute_api_endpoint: Option<bool>,
    pub security_policy: Option<String>,
    pub endpoint_access_mode: Option<String>,
    pub models: Vec<Model>,
    pub request_validators: Vec<RequestValidator>,
    pub authorizers: Vec<Authorizer>,
    pub gateway_responses: Vec<GatewayResponse>,
    pub documentation: Vec<DocumentationPart>,
    /// Methods by verb, by path. A path may have none.
    pub paths: IndexMap<String, BTreeMap<String, Method>>,
}
