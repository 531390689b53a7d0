//! The one table of AWS's operations: name, method, path, status, handler. Router, metric labels, audit names,
//! the CLI's `call` and `docs/compatibility.md` are read from it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, patch, post, put};
use http::{Method, StatusCode};
use tower::ServiceExt;

use crate::Control;
use crate::error::Error;
use crate::extract::{Caller, Query};
use crate::native::NATIVE;
use crate::{account, api_key, tags, test_invoke, usage, usage_plan, usage_plan_key};
use crate::{
    authorizer, deployment, documentation_part, documentation_version, gateway_response,
    integration, integration_response, method, method_response, model, request_validator, resource,
    rest_api, sdk_type, stage,
};
use crate::{base_path_mapping, client_certificate, domain_name, vpc_link};

/// One operation of AWS's model.
#[derive(Debug)]
pub struct Operation {
    /// AWS's name: `CreateApiKey`.
    pub name: &'static str,
    pub method: Method,
    /// AWS's path, labels as the model names them.
    pub path: &'static str,
    /// The status of a success.
    pub status: u16,
    /// Whether `mode=import` in the query chooses it among the operations of this method and path.
    pub importing: bool,
    /// None where AWS has the operation and Tollgate does not.
    pub handler: Option<fn() -> MethodRouter<Control>>,
    /// Why there is no handler, where there will not be one; empty otherwise.
    pub reason: &'static str,
}

/// An operation that is there.
pub(crate) const fn op(
    name: &'static str,
    method: Method,
    path: &'static str,
    status: u16,
    handler: fn() -> MethodRouter<Control>,
) -> Operation {
    Operation {
        name,
        method,
        path,
        status,
        importing: false,
        handler: Some(handler),
        reason: "",
    }
}

/// An operation that makes no sense on one's own machine: calling it answers 501 and says why.
const fn senseless(
    name: &'static str,
    method: Method,
    path: &'static str,
    status: u16,
    reason: &'static str,
) -> Operation {
    Operation {
        name,
        method,
        path,
        status,
        importing: false,
        handler: None,
        reason,
    }
}

impl Operation {
    const fn importing(mut self) -> Self {
        self.importing = true;
        self
    }
}

pub(crate) const GET: Method = Method::GET;
const PUT: Method = Method::PUT;
pub(crate) const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
pub(crate) const DELETE: Method = Method::DELETE;

/// Why nobody can be given access to a private domain name.
const PRIVATE_NAMES: &str = "private domain names are reached through VPC endpoints, and there are none on one's own machine";

/// All operations of AWS's model of 2015-07-09.
#[rustfmt::skip]
pub static OPERATIONS: &[Operation] = &[
    // API keys
    op("CreateApiKey", POST, "/apikeys", 201, || post(api_key::create)),
    op("ImportApiKeys", POST, "/apikeys", 201, || post(api_key::import_csv)).importing(),
    op("GetApiKeys", GET, "/apikeys", 200, || get(api_key::list)),
    op("GetApiKey", GET, "/apikeys/{api_Key}", 200, || get(api_key::get)),
    op("UpdateApiKey", PATCH, "/apikeys/{api_Key}", 200, || patch(api_key::update)),
    op("DeleteApiKey", DELETE, "/apikeys/{api_Key}", 202, || delete(api_key::delete)),

    // Usage plans
    op("CreateUsagePlan", POST, "/usageplans", 201, || post(usage_plan::create)),
    op("GetUsagePlans", GET, "/usageplans", 200, || get(usage_plan::list)),
    op("GetUsagePlan", GET, "/usageplans/{usageplanId}", 200, || get(usage_plan::get)),
    op("UpdateUsagePlan", PATCH, "/usageplans/{usageplanId}", 200, || patch(usage_plan::update)),
    op("DeleteUsagePlan", DELETE, "/usageplans/{usageplanId}", 202, || delete(usage_plan::delete)),
    op("CreateUsagePlanKey", POST, "/usageplans/{usageplanId}/keys", 201, || post(usage_plan_key::create)),
    op("GetUsagePlanKeys", GET, "/usageplans/{usageplanId}/keys", 200, || get(usage_plan_key::list)),
    op("GetUsagePlanKey", GET, "/usageplans/{usageplanId}/keys/{keyId}", 200, || get(usage_plan_key::get)),
    op("DeleteUsagePlanKey", DELETE, "/usageplans/{usageplanId}/keys/{keyId}", 202, || delete(usage_plan_key::delete)),
    op("GetUsage", GET, "/usageplans/{usageplanId}/usage", 200, || get(usage::get)),
    op("UpdateUsage", PATCH, "/usageplans/{usageplanId}/keys/{keyId}/usage", 200, || patch(usage::update)),

    // Account and tags
    op("GetAccount", GET, "/account", 200, || get(account::get)),
    op("UpdateAccount", PATCH, "/account", 200, || patch(account::update)),
    op("TagResource", PUT, "/tags/{resource_arn}", 204, || put(tags::tag)),
    op("UntagResource", DELETE, "/tags/{resource_arn}", 204, || delete(tags::untag)),
    op("GetTags", GET, "/tags/{resource_arn}", 200, || get(tags::list)),

    // APIs
    op("CreateRestApi", POST, "/restapis", 201, || post(rest_api::create)),
    op("ImportRestApi", POST, "/restapis", 201, || post(rest_api::import)).importing(),
    op("GetRestApis", GET, "/restapis", 200, || get(rest_api::list)),
    op("GetRestApi", GET, "/restapis/{restapi_id}", 200, || get(rest_api::get)),
    op("PutRestApi", PUT, "/restapis/{restapi_id}", 200, || put(rest_api::put_rest_api)),
    op("UpdateRestApi", PATCH, "/restapis/{restapi_id}", 200, || patch(rest_api::update)),
    op("DeleteRestApi", DELETE, "/restapis/{restapi_id}", 202, || delete(rest_api::delete)),

    // Resources
    op("CreateResource", POST, "/restapis/{restapi_id}/resources/{parent_id}", 201, || post(resource::create)),
    op("GetResources", GET, "/restapis/{restapi_id}/resources", 200, || get(resource::list)),
    op("GetResource", GET, "/restapis/{restapi_id}/resources/{resource_id}", 200, || get(resource::get)),
    op("UpdateResource", PATCH, "/restapis/{restapi_id}/resources/{resource_id}", 200, || patch(resource::update)),
    op("DeleteResource", DELETE, "/restapis/{restapi_id}/resources/{resource_id}", 202, || delete(resource::delete)),

    // Methods and integrations
    op("PutMethod", PUT, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", 201, || put(method::put)),
    op("GetMethod", GET, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", 200, || get(method::get)),
    op("UpdateMethod", PATCH, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", 200, || patch(method::update)),
    op("DeleteMethod", DELETE, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", 204, || delete(method::delete)),
    op("TestInvokeMethod", POST, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}", 200, || post(test_invoke::test)),
    op("PutMethodResponse", PUT, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}", 201, || put(method_response::put)),
    op("GetMethodResponse", GET, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}", 200, || get(method_response::get)),
    op("UpdateMethodResponse", PATCH, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}", 201, || patch(method_response::update)),
    op("DeleteMethodResponse", DELETE, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/responses/{status_code}", 204, || delete(method_response::delete)),
    op("PutIntegration", PUT, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration", 201, || put(integration::put)),
    op("GetIntegration", GET, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration", 200, || get(integration::get)),
    op("UpdateIntegration", PATCH, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration", 200, || patch(integration::update)),
    op("DeleteIntegration", DELETE, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration", 204, || delete(integration::delete)),
    op("PutIntegrationResponse", PUT, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}", 201, || put(integration_response::put)),
    op("GetIntegrationResponse", GET, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}", 200, || get(integration_response::get)),
    op("UpdateIntegrationResponse", PATCH, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}", 200, || patch(integration_response::update)),
    op("DeleteIntegrationResponse", DELETE, "/restapis/{restapi_id}/resources/{resource_id}/methods/{http_method}/integration/responses/{status_code}", 204, || delete(integration_response::delete)),

    // Deployments and stages
    op("CreateDeployment", POST, "/restapis/{restapi_id}/deployments", 201, || post(deployment::create)),
    op("GetDeployments", GET, "/restapis/{restapi_id}/deployments", 200, || get(deployment::list)),
    op("GetDeployment", GET, "/restapis/{restapi_id}/deployments/{deployment_id}", 200, || get(deployment::get)),
    op("UpdateDeployment", PATCH, "/restapis/{restapi_id}/deployments/{deployment_id}", 200, || patch(deployment::update)),
    op("DeleteDeployment", DELETE, "/restapis/{restapi_id}/deployments/{deployment_id}", 202, || delete(deployment::delete)),
    op("CreateStage", POST, "/restapis/{restapi_id}/stages", 201, || post(stage::create)),
    op("GetStages", GET, "/restapis/{restapi_id}/stages", 200, || get(stage::list)),
    op("GetStage", GET, "/restapis/{restapi_id}/stages/{stage_name}", 200, || get(stage::get)),
    op("UpdateStage", PATCH, "/restapis/{restapi_id}/stages/{stage_name}", 200, || patch(stage::update)),
    op("DeleteStage", DELETE, "/restapis/{restapi_id}/stages/{stage_name}", 202, || delete(stage::delete)),
    op("FlushStageAuthorizersCache", DELETE, "/restapis/{restapi_id}/stages/{stage_name}/cache/authorizers", 202, || delete(stage::flush)),
    op("FlushStageCache", DELETE, "/restapis/{restapi_id}/stages/{stage_name}/cache/data", 202, || delete(stage::flush)),
    op("GetExport", GET, "/restapis/{restapi_id}/stages/{stage_name}/exports/{export_type}", 200, || get(rest_api::get_export)),
    senseless("GetSdk", GET, "/restapis/{restapi_id}/stages/{stage_name}/sdks/{sdk_type}", 200, "generators of client code are programs of their own; GetExport gives them the OpenAPI definition they read"),

    // Models
    op("CreateModel", POST, "/restapis/{restapi_id}/models", 201, || post(model::create)),
    op("GetModels", GET, "/restapis/{restapi_id}/models", 200, || get(model::list)),
    op("GetModel", GET, "/restapis/{restapi_id}/models/{model_name}", 200, || get(model::get)),
    op("UpdateModel", PATCH, "/restapis/{restapi_id}/models/{model_name}", 200, || patch(model::update)),
    op("DeleteModel", DELETE, "/restapis/{restapi_id}/models/{model_name}", 202, || delete(model::delete)),
    op("GetModelTemplate", GET, "/restapis/{restapi_id}/models/{model_name}/default_template", 200, || get(model::template)),

    // Request validators
    op("CreateRequestValidator", POST, "/restapis/{restapi_id}/requestvalidators", 201, || post(request_validator::create)),
    op("GetRequestValidators", GET, "/restapis/{restapi_id}/requestvalidators", 200, || get(request_validator::list)),
    op("GetRequestValidator", GET, "/restapis/{restapi_id}/requestvalidators/{requestvalidator_id}", 200, || get(request_validator::get)),
    op("UpdateRequestValidator", PATCH, "/restapis/{restapi_id}/requestvalidators/{requestvalidator_id}", 200, || patch(request_validator::update)),
    op("DeleteRequestValidator", DELETE, "/restapis/{restapi_id}/requestvalidators/{requestvalidator_id}", 202, || delete(request_validator::delete)),

    // Authorizers
    op("CreateAuthorizer", POST, "/restapis/{restapi_id}/authorizers", 201, || post(authorizer::create)),
    op("GetAuthorizers", GET, "/restapis/{restapi_id}/authorizers", 200, || get(authorizer::list)),
    op("GetAuthorizer", GET, "/restapis/{restapi_id}/authorizers/{authorizer_id}", 200, || get(authorizer::get)),
    op("UpdateAuthorizer", PATCH, "/restapis/{restapi_id}/authorizers/{authorizer_id}", 200, || patch(authorizer::update)),
    op("DeleteAuthorizer", DELETE, "/restapis/{restapi_id}/authorizers/{authorizer_id}", 202, || delete(authorizer::delete)),
    senseless("TestInvokeAuthorizer", POST, "/restapis/{restapi_id}/authorizers/{authorizer_id}", 200, "authorizers are stored and not enforced yet, so there is no decision to test; a call to a method that uses one answers 500"),

    // Gateway responses
    op("GetGatewayResponses", GET, "/restapis/{restapi_id}/gatewayresponses", 200, || get(gateway_response::list)),
    op("PutGatewayResponse", PUT, "/restapis/{restapi_id}/gatewayresponses/{response_type}", 201, || put(gateway_response::put)),
    op("GetGatewayResponse", GET, "/restapis/{restapi_id}/gatewayresponses/{response_type}", 200, || get(gateway_response::get)),
    op("UpdateGatewayResponse", PATCH, "/restapis/{restapi_id}/gatewayresponses/{response_type}", 200, || patch(gateway_response::update)),
    op("DeleteGatewayResponse", DELETE, "/restapis/{restapi_id}/gatewayresponses/{response_type}", 202, || delete(gateway_response::delete)),

    // Documentation
    op("CreateDocumentationPart", POST, "/restapis/{restapi_id}/documentation/parts", 201, || post(documentation_part::create)),
    op("ImportDocumentationParts", PUT, "/restapis/{restapi_id}/documentation/parts", 200, || put(documentation_part::import)),
    op("GetDocumentationParts", GET, "/restapis/{restapi_id}/documentation/parts", 200, || get(documentation_part::list)),
    op("GetDocumentationPart", GET, "/restapis/{restapi_id}/documentation/parts/{part_id}", 200, || get(documentation_part::get)),
    op("UpdateDocumentationPart", PATCH, "/restapis/{restapi_id}/documentation/parts/{part_id}", 200, || patch(documentation_part::update)),
    op("DeleteDocumentationPart", DELETE, "/restapis/{restapi_id}/documentation/parts/{part_id}", 202, || delete(documentation_part::delete)),
    op("CreateDocumentationVersion", POST, "/restapis/{restapi_id}/documentation/versions", 201, || post(documentation_version::create)),
    op("GetDocumentationVersions", GET, "/restapis/{restapi_id}/documentation/versions", 200, || get(documentation_version::list)),
    op("GetDocumentationVersion", GET, "/restapis/{restapi_id}/documentation/versions/{doc_version}", 200, || get(documentation_version::get)),
    op("UpdateDocumentationVersion", PATCH, "/restapis/{restapi_id}/documentation/versions/{doc_version}", 200, || patch(documentation_version::update)),
    op("DeleteDocumentationVersion", DELETE, "/restapis/{restapi_id}/documentation/versions/{doc_version}", 202, || delete(documentation_version::delete)),

    // Domain names
    op("CreateDomainName", POST, "/domainnames", 201, || post(domain_name::create)),
    op("GetDomainNames", GET, "/domainnames", 200, || get(domain_name::list)),
    op("GetDomainName", GET, "/domainnames/{domain_name}", 200, || get(domain_name::get)),
    op("UpdateDomainName", PATCH, "/domainnames/{domain_name}", 200, || patch(domain_name::update)),
    op("DeleteDomainName", DELETE, "/domainnames/{domain_name}", 202, || delete(domain_name::delete)),
    op("CreateBasePathMapping", POST, "/domainnames/{domain_name}/basepathmappings", 201, || post(base_path_mapping::create)),
    op("GetBasePathMappings", GET, "/domainnames/{domain_name}/basepathmappings", 200, || get(base_path_mapping::list)),
    op("GetBasePathMapping", GET, "/domainnames/{domain_name}/basepathmappings/{base_path}", 200, || get(base_path_mapping::get)),
    op("UpdateBasePathMapping", PATCH, "/domainnames/{domain_name}/basepathmappings/{base_path}", 200, || patch(base_path_mapping::update)),
    op("DeleteBasePathMapping", DELETE, "/domainnames/{domain_name}/basepathmappings/{base_path}", 202, || delete(base_path_mapping::delete)),
    senseless("CreateDomainNameAccessAssociation", POST, "/domainnameaccessassociations", 201, PRIVATE_NAMES),
    senseless("GetDomainNameAccessAssociations", GET, "/domainnameaccessassociations", 200, PRIVATE_NAMES),
    senseless("DeleteDomainNameAccessAssociation", DELETE, "/domainnameaccessassociations/{domain_name_access_association_arn}", 202, PRIVATE_NAMES),
    senseless("RejectDomainNameAccessAssociation", POST, "/rejectdomainnameaccessassociations", 202, PRIVATE_NAMES),

    // Client certificates, VPC links, SDKs
    op("GenerateClientCertificate", POST, "/clientcertificates", 201, || post(client_certificate::generate)),
    op("GetClientCertificates", GET, "/clientcertificates", 200, || get(client_certificate::list)),
    op("GetClientCertificate", GET, "/clientcertificates/{clientcertificate_id}", 200, || get(client_certificate::get)),
    op("UpdateClientCertificate", PATCH, "/clientcertificates/{clientcertificate_id}", 200, || patch(client_certificate::update)),
    op("DeleteClientCertificate", DELETE, "/clientcertificates/{clientcertificate_id}", 202, || delete(client_certificate::delete)),
    op("CreateVpcLink", POST, "/vpclinks", 202, || post(vpc_link::create)),
    op("GetVpcLinks", GET, "/vpclinks", 200, || get(vpc_link::list)),
    op("GetVpcLink", GET, "/vpclinks/{vpclink_id}", 200, || get(vpc_link::get)),
    op("UpdateVpcLink", PATCH, "/vpclinks/{vpclink_id}", 200, || patch(vpc_link::update)),
    op("DeleteVpcLink", DELETE, "/vpclinks/{vpclink_id}", 202, || delete(vpc_link::delete)),
    op("GetSdkTypes", GET, "/sdktypes", 200, || get(sdk_type::list)),
    op("GetSdkType", GET, "/sdktypes/{sdktype_id}", 200, || get(sdk_type::get)),
];

/// The operation of that name.
pub fn named(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// An operation with its handler made.
type Row = (&'static Operation, Option<MethodRouter>);
/// The operations of one path.
type Rows = Arc<[Row]>;

/// Routes every path of this table and of Tollgate's own; what no row knows is answered 404.
pub(crate) fn routes(control: &Control) -> Router {
    let mut paths: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for operation in OPERATIONS.iter().chain(NATIVE) {
        let handler = operation
            .handler
            .map(|handler| handler().with_state(control.clone()));
        paths
            .entry(router_path(operation.path))
            .or_default()
            .push((operation, handler));
    }
    let mut router = Router::new();
    for (path, rows) in paths {
        let rows: Rows = rows.into();
        router = router.route(&path, any(move |request| dispatch(rows, request)));
    }
    router.fallback(unknown)
}

/// Runs the operation a request means. Its success has the status of the operation's row.
async fn dispatch(rows: Rows, mut request: Request) -> Response {
    let Some((operation, handler)) = chosen(&rows, &request) else {
        return unknown(request).await;
    };
    if let Some(caller) = request.extensions_mut().get_mut::<Caller>() {
        caller.operation = operation.name;
    }
    let mut response = match handler {
        Some(handler) => succeed(handler.clone().oneshot(request).await, operation),
        None if operation.reason.is_empty() => {
            Error::NotImplemented(operation.name).into_response()
        }
        None => Error::Senseless(operation.name, operation.reason).into_response(),
    };
    response
        .extensions_mut()
        .insert::<&'static Operation>(operation);
    response
}

/// The row of this method; of two, `mode` in the query says which.
fn chosen<'a>(rows: &'a Rows, request: &Request) -> Option<&'a Row> {
    let mode_is_import = request
        .uri()
        .query()
        .and_then(|query| Query::parse(query).ok())
        .is_some_and(|query| query.first("mode") == Some("import"));
    let of_method = || {
        rows.iter()
            .filter(|(operation, _)| operation.method == request.method())
    };
    let importing = of_method().find(|(operation, _)| mode_is_import && operation.importing);
    importing.or_else(|| of_method().find(|(operation, _)| !operation.importing))
}

fn succeed(done: Result<Response, Infallible>, operation: &Operation) -> Response {
    let Ok(mut response) = done;
    if let (true, Ok(status)) = (
        response.status().is_success(),
        StatusCode::from_u16(operation.status),
    ) {
        *response.status_mut() = status;
    }
    response
}

async fn unknown(request: Request) -> Response {
    Error::UnknownOperation(format!("{} {}", request.method(), request.uri().path()))
        .into_response()
}

/// The router wants one name for the labels at one position; AWS calls a resource's parent differently.
fn router_path(path: &str) -> String {
    path.replace("{parent_id}", "{resource_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_124_operations_with_names_of_their_own() {
        let names: BTreeSet<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
        assert_eq!((OPERATIONS.len(), names.len()), (124, 124));
    }

    #[test]
    fn only_mode_import_tells_two_operations_of_one_method_and_path_apart() {
        let places: BTreeSet<_> = OPERATIONS
            .iter()
            .map(|op| (op.method.as_str(), router_path(op.path), op.importing))
            .collect();
        assert_eq!(places.len(), OPERATIONS.len());
    }
}
