//! Which paths each Update operation has, for the documentation and for the tests that go through all of them.

use tollgate_entity::{
    Account, ApiKey, Authorizer, BasePathMapping, ClientCertificate, Deployment, DocumentationPart,
    DocumentationVersion, GatewayResponse, Integration, IntegrationResponse, Method,
    MethodResponse, Model, RequestValidator, RestApi, UsagePlan, VpcLink,
};

use super::Patch;
use crate::resource::Place;
use crate::usage::Wanted;
use crate::{domain_name, stage};

/// A path that can be patched, and the operations it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patchable {
    pub path: &'static str,
    pub ops: Vec<&'static str>,
}

/// The paths of an Update operation.
pub struct Listed {
    /// AWS's name: `UpdateStage`.
    pub operation: &'static str,
    paths: fn() -> Vec<Patchable>,
}

impl Listed {
    const fn of<T: Patch>(operation: &'static str) -> Self {
        Listed {
            operation,
            paths: paths_of::<T>,
        }
    }

    /// In the order of its rules, each path once.
    pub fn paths(&self) -> Vec<Patchable> {
        (self.paths)()
    }
}

/// All of them.
pub static LISTED: &[Listed] = &[
    Listed::of::<Account>("UpdateAccount"),
    Listed::of::<ApiKey>("UpdateApiKey"),
    Listed::of::<Authorizer>("UpdateAuthorizer"),
    Listed::of::<BasePathMapping>("UpdateBasePathMapping"),
    Listed::of::<ClientCertificate>("UpdateClientCertificate"),
    Listed::of::<Deployment>("UpdateDeployment"),
    Listed::of::<DocumentationPart>("UpdateDocumentationPart"),
    Listed::of::<DocumentationVersion>("UpdateDocumentationVersion"),
    Listed::of::<domain_name::update::Change>("UpdateDomainName"),
    Listed::of::<GatewayResponse>("UpdateGatewayResponse"),
    Listed::of::<Integration>("UpdateIntegration"),
    Listed::of::<IntegrationResponse>("UpdateIntegrationResponse"),
    Listed::of::<Method>("UpdateMethod"),
    Listed::of::<MethodResponse>("UpdateMethodResponse"),
    Listed::of::<Model>("UpdateModel"),
    Listed::of::<RequestValidator>("UpdateRequestValidator"),
    Listed::of::<Place>("UpdateResource"),
    Listed::of::<RestApi>("UpdateRestApi"),
    Listed::of::<stage::update::Change>("UpdateStage"),
    Listed::of::<Wanted>("UpdateUsage"),
    Listed::of::<UsagePlan>("UpdateUsagePlan"),
    Listed::of::<VpcLink>("UpdateVpcLink"),
];

fn paths_of<T: Patch>() -> Vec<Patchable> {
    let mut paths: Vec<Patchable> = Vec::new();
    for rule in T::RULES {
        let ops = rule.ops.iter().map(|op| op.name());
        match paths.iter_mut().find(|known| known.path == rule.path) {
            Some(known) => known.ops.extend(ops),
            None => paths.push(Patchable {
                path: rule.path,
                ops: ops.collect(),
            }),
        }
    }
    paths
}
