//! Where a method's calls go: one function to compile what was set up, one to make the call.

mod deadline;
mod endpoint;
mod header_targets;
mod http_proxy;
mod integration_request;
mod integration_response;
pub(crate) mod lenient;
mod mapped;

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tollgate_entity as entity;
use tollgate_entity::IntegrationType;

pub use self::header_targets::X_AMZN_TRACE_ID;
pub use self::http_proxy::HttpProxy;
pub use self::mapped::Mapped;
use crate::body::room::Room;
use crate::body::{Body, RequestBody};
use crate::deployed::Misconfigured;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::mapping::content::MediaTypes;
use crate::net::upstream::Pool;

/// A compiled integration.
#[derive(Debug)]
pub enum Integration {
    HttpProxy(HttpProxy),
    /// HTTP and MOCK.
    Mapped(Box<Mapped>),
}

/// Compiles an integration of a method of the resource at this path. What is not supported is an
/// error, and AWS's 500 at the call.
pub fn compile(
    resource_path: &str,
    method: &entity::Method,
    integration: &entity::Integration,
    binary_types: &Arc<MediaTypes>,
) -> Result<Integration, Misconfigured> {
    match integration.integration_type {
        IntegrationType::HttpProxy => {
            HttpProxy::compile(resource_path, integration, binary_types).map(Integration::HttpProxy)
        }
        IntegrationType::Http | IntegrationType::Mock => {
            let mapped = Mapped::compile(resource_path, method, integration, binary_types)?;
            Ok(Integration::Mapped(Box::new(mapped)))
        }
        IntegrationType::Aws | IntegrationType::AwsProxy => {
            let text = format!(
                "integrations of type {:?} are not supported",
                integration.integration_type
            );
            Err(Misconfigured::new(text))
        }
    }
}

/// What one worker calls integrations with.
pub struct Integrations {
    pub pool: Pool,
    /// Whether `x-api-key` travels on, as it does on AWS.
    pub forwards_api_key: bool,
    /// How long an answer that has begun may pause before it is cut.
    pub answer_patience: Duration,
    /// For bodies that are read whole.
    pub room: Arc<Room>,
}

impl Integrations {
    /// Makes the call. Its stage and route must be known.
    pub async fn send(
        &self,
        call: &mut Invocation,
        request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        let Some(stage) = call.stage.clone() else {
            return Err(Refused::Internal);
        };
        let method = call
            .route
            .as_ref()
            .and_then(|route| stage.deployed.methods.get(route.method as usize));
        let integration = method.ok_or(Refused::Internal)?.integration.as_ref();
        let mut response = match integration.map_err(Clone::clone)? {
            Integration::HttpProxy(http) if http.streams(call) => {
                http.send(self, &stage, call, request).await?
            }
            Integration::HttpProxy(http) => {
                Box::pin(http.send_whole(self, &stage, call, request)).await?
            }
            Integration::Mapped(mapped) => {
                Box::pin(mapped.answer(self, &stage, call, request)).await?
            }
        };
        call.ids.stamp(response.headers_mut());
        Ok(response)
    }
}

#[cfg(test)]
mod http_proxy_tests;
#[cfg(test)]
mod mapped_tests;
#[cfg(test)]
mod mock_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tls_tests;
