//! What a deployment froze becomes a definition: names in the places of ids.

use std::collections::{BTreeSet, HashMap};

use tollgate_entity::model::reference;
use tollgate_entity::{DeploymentContent, DocumentationPart, Method, Model, Resource, RestApi};

use crate::model;
use crate::rest_api::definition::Definition;

/// The definition of a deployment.
pub fn definition(
    api: RestApi,
    content: DeploymentContent,
    documentation: Vec<DocumentationPart>,
) -> Definition {
    let validators: HashMap<_, _> = content
        .request_validators
        .iter()
        .filter_map(|own| Some((own.id.clone(), own.name.clone()?)))
        .collect();
    let authorizers = content.authorizers.iter();
    let authorizers = authorizers.map(|own| (own.id.clone(), own.name.clone()));
    let names = Names {
        validators,
        authorizers: authorizers.collect(),
    };
    let models = used_models(&content);
    Definition {
        name: Some(api.name),
        description: api.description,
        version: api.version,
        binary_media_types: Some(content.binary_media_types).filter(|types| !types.is_empty()),
        minimum_compression_size: content.minimum_compression_size,
        api_key_source: Some(content.api_key_source),
        disable_execute_api_endpoint: Some(content.disable_execute_api_endpoint),
        security_policy: api.security_policy,
        endpoint_access_mode: api.endpoint_access_mode,
        models,
        paths: paths(content.resources, &names),
        request_validators: content.request_validators,
        authorizers: content.authorizers,
        gateway_responses: content.gateway_responses,
        documentation,
    }
}

struct Names {
    validators: HashMap<String, String>,
    authorizers: HashMap<String, String>,
}

/// The paths that have methods, and those that only an entry of their own brings back.
fn paths(
    mut resources: Vec<Resource>,
    names: &Names,
) -> indexmap::IndexMap<String, std::collections::BTreeMap<String, Method>> {
    resources.sort_by(|a, b| a.path.cmp(&b.path));
    let parents: BTreeSet<_> = resources
        .iter()
        .filter_map(|own| own.parent_id.clone())
        .collect();
    let shown = resources.into_iter().filter(|own| {
        let is_leaf = own.parent_id.is_some() && !parents.contains(&own.id);
        is_leaf || !own.resource_methods.is_empty()
    });
    let named = shown.map(|mut resource| {
        for method in resource.resource_methods.values_mut() {
            name(method, &resource.id, names);
        }
        (resource.path, resource.resource_methods)
    });
    named.collect()
}

fn name(method: &mut Method, resource_id: &str, names: &Names) {
    if let Some(id) = &method.request_validator_id {
        method.request_validator_id = names.validators.get(id).cloned();
    }
    if let Some(id) = &method.authorizer_id {
        method.authorizer_id = names.authorizers.get(id).cloned();
    }
    if let Some(integration) = &mut method.method_integration
        && integration.cache_namespace == resource_id
    {
        integration.cache_namespace.clear();
    }
}

/// The API's models, without the two that AWS makes for every API where nobody uses them.
fn used_models(content: &DeploymentContent) -> Vec<Model> {
    let methods = || {
        content
            .resources
            .iter()
            .flat_map(|own| own.resource_methods.values())
    };
    let requests = methods().filter_map(|method| method.request_models.as_ref());
    let responses = methods().filter_map(|method| method.method_responses.as_ref());
    let responses = responses
        .flat_map(|all| all.values())
        .filter_map(|one| one.response_models.as_ref());
    let named = requests
        .chain(responses)
        .flat_map(|models| models.values().map(String::as_str));
    let mut used: BTreeSet<&str> = named.collect();
    for model in &content.models {
        let schema = model.schema.as_deref().unwrap_or_default();
        let texts = schema.split('"').filter_map(reference);
        used.extend(texts.map(|(_, name)| name));
    }
    let mut models: Vec<Model> = content
        .models
        .iter()
        .filter(|own| used.contains(own.name.as_str()) || !model::is_default(own))
        .cloned()
        .collect();
    models.sort_by(|a, b| a.name.cmp(&b.name));
    models
}
