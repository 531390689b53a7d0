//! The control plane: AWS's operations behind authentication, audit and one rendering of errors.

pub mod account;
pub mod api_key;
pub mod audit;
pub mod auth;
pub mod authorizer;
pub mod base_path_mapping;
mod certificate;
pub mod check;
pub mod client_certificate;
pub mod coverage;
pub mod deployment;
pub mod documentation_part;
pub mod documentation_version;
pub mod domain_name;
mod entries;
pub mod enumerations;
pub mod error;
pub mod extract;
pub mod find;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gateway_response;
pub mod integration;
pub mod integration_response;
mod json;
mod mapping;
pub mod method;
pub mod method_response;
pub mod model;
pub mod native;
pub mod operations;
pub mod page;
pub mod patch;
pub mod request_validator;
pub mod resource;
pub mod rest_api;
pub mod sdk_type;
pub mod shown;
pub mod stage;
pub mod tags;
pub mod test_invoke;
#[cfg(test)]
mod testing;
pub mod trace;
pub mod usage;
pub mod usage_plan;
pub mod usage_plan_key;
pub mod vpc_link;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::{Router, middleware};
use http::request::Parts;
use rand::CryptoRng;
use tokio::sync::Semaphore;
use tollgate_entity::Timestamp;
use tollgate_store::Store;

use auth::session::{SessionLimits, Sessions};
pub use error::Error;
use native::data_plane::DataPlane;
pub use operations::{OPERATIONS, Operation};

/// What an operator chose about the control plane.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    /// The region where AWS writes one, in ARNs.
    pub region: String,
    /// The account where AWS writes one: twelve digits.
    pub account_id: String,
    /// Bytes of an OpenAPI definition at most.
    pub max_definition_bytes: usize,
    /// Whether calls must be signed; without it only loopback callers are answered.
    pub auth: bool,
    /// How long the console's sessions last.
    pub sessions: SessionLimits,
    /// Whether the control plane is served over TLS, so that the console's cookie is for TLS only.
    pub tls: bool,
    /// The certificates that domain names may name by ARN; any, when TLS is not served at all.
    pub certificate_arns: Option<BTreeSet<String>>,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            max_definition_bytes: 6 * 1024 * 1024,
            auth: true,
            sessions: SessionLimits::default(),
            tls: false,
            certificate_arns: None,
        }
    }
}

/// What every handler works with. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub store: Store,
    pub settings: Arc<ControlSettings>,
    /// Bytes that bodies may still take, see `auth::BODIES_BYTES_MAX`.
    bodies: Arc<Semaphore>,
    sessions: Arc<Sessions>,
    data_plane: Option<Arc<dyn DataPlane>>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Control {
    /// `now` is the wall clock, or a scripted one in tests.
    pub fn new(
        store: Store,
        settings: ControlSettings,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            settings: Arc::new(settings),
            bodies: Arc::new(Semaphore::new(auth::BODIES_BYTES_MAX)),
            sessions: Arc::default(),
            data_plane: None,
            now: Arc::new(now),
        }
    }

    /// With the data plane that runs in this process, for the calls that look into it.
    pub fn with_data_plane(self, data_plane: Arc<dyn DataPlane>) -> Self {
        Self {
            data_plane: Some(data_plane),
            ..self
        }
    }

    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Where ids and key values come from: the operating system's random source.
    pub fn rng(&self) -> impl CryptoRng + use<> {
        rand::rand_core::UnwrapErr(rand::rngs::SysRng)
    }
}

impl FromRequestParts<Control> for Control {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, control: &Control) -> Result<Self, Infallible> {
        Ok(control.clone())
    }
}

/// AWS's operations, ready to be served. Callers' addresses come from the requests' `ConnectInfo<SocketAddr>`;
/// the `&'static Operation` that was called is an extension of the response (for metrics).
pub fn router(control: Control) -> Router {
    let open = traced(native::session::routes(&control), &control);
    open.merge(behind_authentication(operations::routes(&control), control))
}

/// Puts any routes behind the control plane's authentication, request ids and log lines.
pub fn behind_authentication(routes: Router, control: Control) -> Router {
    let guarded = routes
        .layer(axum::extract::DefaultBodyLimit::disable()) // `auth` has read the body, bounded, before
        .layer(middleware::from_fn_with_state(
            control.clone(),
            auth::authenticate,
        ));
    traced(guarded, &control)
}

fn traced(routes: Router, control: &Control) -> Router {
    routes.layer(middleware::from_fn_with_state(
        control.clone(),
        trace::trace,
    ))
}
