//! The nouns of the control plane as plain data: their members, their wire names, their own rules.
//!
//! Nothing here knows HTTP, a store or a clock. A noun serialises to AWS's wire form, and the store
//! keeps the same JSON; what AWS fills in only when it answers (tags as `{}`, a key's value, defaults
//! of method settings) is added by the control plane.
//!
//! ```text
//! RestApi ─┬─ Resource ── Method ─┬─ MethodResponse
//!          │                      └─ Integration ── IntegrationResponse
//!          ├─ Model, RequestValidator, Authorizer ── named by methods
//!          ├─ GatewayResponse
//!          ├─ DocumentationPart ── DocumentationVersion (a frozen copy of the parts)
//!          ├─ Deployment ── DeploymentContent (a frozen copy of what calls need)
//!          └─ Stage ── names one Deployment
//! UsagePlan ── apiStages ── Stage
//! DomainName ── BasePathMapping ── Stage
//! ClientCertificate, VpcLink ── named by stages and integrations
//! ApiKey ── UsagePlanKey ── UsagePlan,  Usage and Extension per (plan, key)
//! ```

pub mod account;
pub mod api_key;
pub mod authorizer;
pub mod client_certificate;
pub mod deployment;
pub mod documentation;
pub mod domain_name;
pub mod gateway_response;
pub mod id;
pub mod integration;
pub mod invalid;
pub mod method;
pub mod model;
pub mod request_validator;
pub mod resource;
pub mod rest_api;
pub mod stage;
pub mod tags;
pub mod time;
pub mod usage;
pub mod usage_plan;
pub mod vpc_link;

pub use account::Account;
pub use api_key::ApiKey;
pub use authorizer::{Authorizer, AuthorizerType};
pub use client_certificate::ClientCertificate;
pub use deployment::{Deployment, DeploymentContent};
pub use documentation::{
    DocumentationPart, DocumentationPartLocation, DocumentationSnapshot, DocumentationVersion,
};
pub use domain_name::{BasePathMapping, DomainName};
pub use gateway_response::{GatewayResponse, ResponseType};
pub use integration::{Integration, IntegrationResponse, IntegrationType};
pub use invalid::Invalid;
pub use method::{Method, MethodResponse};
pub use model::Model;
pub use request_validator::RequestValidator;
pub use resource::Resource;
pub use rest_api::{ApiKeySource, EndpointConfiguration, RestApi};
pub use stage::{AccessLogSettings, CanarySettings, MethodSetting, Stage};
pub use tags::Tags;
pub use time::Timestamp;
pub use usage::Extension;
pub use usage_plan::{ApiStage, QuotaPeriod, QuotaSettings, ThrottleSettings, UsagePlan};
pub use vpc_link::VpcLink;
