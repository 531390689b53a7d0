//! What a deployment froze, compiled for calls: its routes, its methods, where they go.

use std::sync::Arc;

use tollgate_entity as entity;
use tollgate_entity::{ApiKeySource, DeploymentContent};

use crate::access_log::fixed_members;
use crate::gateway_response::Refused;
use crate::gateway_response::definition::Definitions;
use crate::integration::{self, Integration};
use crate::mapping::content::MediaTypes;
use crate::method_request::{self, MethodRequest};
use crate::route::Router;

/// A deployment, ready to be called.
#[derive(Default)]
pub struct Deployed {
    pub router: Router,
    /// By the router's indices.
    pub methods: Vec<Method>,
    /// How the API words refusals; none unless it defines any.
    pub responses: Option<Box<Definitions>>,
    /// `disableExecuteApiEndpoint`: nobody gets in but by a custom domain name.
    pub by_domain_only: bool,
    /// Bytes from which answers are compressed; with it requests are decompressed, too.
    pub compression_bytes_min: Option<u64>,
}

/// A method of a resource.
pub struct Method {
    pub resource_id: Box<str>,
    pub resource_path: Box<str>,
    /// A verb or `ANY`.
    pub http_method: Box<str>,
    pub api_key_required: bool,
    /// What is asked of requests before they go on; none unless a validator asks.
    pub request: Option<Box<MethodRequest>>,
    /// Where its calls go. What is set up in a way that cannot work, or that is not built yet, is
    /// AWS's 500 at the call.
    pub integration: Result<Integration, Misconfigured>,
    /// What every line of the access log says of it.
    pub log_members: Box<str>,
}

/// Why a method cannot be called; for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub Arc<str>);

impl Misconfigured {
    pub fn new(text: impl AsRef<str>) -> Self {
        Misconfigured(text.as_ref().into())
    }
}

impl From<Misconfigured> for Refused {
    fn from(cause: Misconfigured) -> Self {
        Refused::Misconfigured(cause.0)
    }
}

impl Deployed {
    pub fn compile(content: &DeploymentContent) -> Deployed {
        let mut deployed = Deployed {
            responses: Definitions::compile(&content.gateway_responses),
            by_domain_only: content.disable_execute_api_endpoint,
            compression_bytes_min: content
                .minimum_compression_size
                .and_then(|bytes| u64::try_from(bytes).ok()),
            ..Deployed::default()
        };
        let binary_types = Arc::new(MediaTypes::new(&content.binary_media_types));
        let mut requests = method_request::Compiler::new(content);
        for resource in &content.resources {
            for method in resource.resource_methods.values() {
                let index = deployed.methods.len() as u32;
                deployed
                    .router
                    .add(&resource.path, &method.http_method, index);
                let (request, integration) = match requests.compile(&resource.path, method) {
                    Ok(request) => (request, compile(content, resource, method, &binary_types)),
                    Err(misconfigured) => (None, Err(misconfigured)),
                };
                deployed.methods.push(Method {
                    resource_id: resource.id.as_str().into(),
                    resource_path: resource.path.as_str().into(),
                    http_method: method.http_method.as_str().into(),
                    api_key_required: method.api_key_required,
                    request,
                    integration,
                    log_members: fixed_members([
                        ("resourceId", &resource.id),
                        ("resourcePath", &resource.path),
                    ]),
                });
            }
        }
        deployed
    }
}

/// What would protect a method and is not enforced makes it uncallable.
fn compile(
    content: &DeploymentContent,
    resource: &entity::Resource,
    method: &entity::Method,
    binary_types: &Arc<MediaTypes>,
) -> Result<Integration, Misconfigured> {
    if method.authorization_type != "NONE" {
        let text = format!(
            "authorizationType {} is not supported",
            method.authorization_type
        );
        return Err(Misconfigured::new(text));
    }
    if method.api_key_required && content.api_key_source != ApiKeySource::Header {
        return Err(Misconfigured::new(
            "apiKeySource AUTHORIZER is not supported",
        ));
    }
    let Some(integration) = &method.method_integration else {
        return Err(Misconfigured::new("the method has no integration"));
    };
    integration::compile(&resource.path, method, integration, binary_types)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn content(method: entity::Method) -> DeploymentContent {
        let resource = entity::Resource {
            id: "r1".into(),
            path: "/pets/{id}".into(),
            resource_methods: BTreeMap::from([(method.http_method.clone(), method)]),
            ..Default::default()
        };
        DeploymentContent {
            resources: vec![resource],
            ..Default::default()
        }
    }

    fn method(authorization_type: &str) -> entity::Method {
        entity::Method {
            http_method: "GET".into(),
            authorization_type: authorization_type.into(),
            method_integration: Some(entity::Integration::default()),
            ..Default::default()
        }
    }

    #[test]
    fn methods_are_found_by_their_routes() {
        let deployed = Deployed::compile(&content(method("NONE")));
        let (index, _) = deployed.router.find("/pets/7", "GET").unwrap();
        let method = &deployed.methods[index as usize];
        assert_eq!(
            (&*method.resource_path, &*method.http_method),
            ("/pets/{id}", "GET")
        );
        assert!(method.integration.is_ok());
        assert!(deployed.router.find("/pets/7", "PUT").is_none());
    }

    #[test]
    fn what_is_not_enforced_is_not_callable() {
        let integration =
            |content: &DeploymentContent| Deployed::compile(content).methods.remove(0).integration;
        assert!(integration(&content(method("AWS_IAM"))).is_err());
        let mut keyed = method("NONE");
        keyed.api_key_required = true;
        let mut content = content(keyed);
        assert!(integration(&content).is_ok());
        content.api_key_source = ApiKeySource::Authorizer;
        assert!(integration(&content).is_err());
        content.resources[0]
            .resource_methods
            .values_mut()
            .for_each(|m| m.method_integration = None);
        assert!(integration(&content).is_err());
    }
}
