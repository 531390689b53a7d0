//! Integration: where a method's requests go, stored inside its resource.

mod check;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::integration::{PassthroughBehavior, TIMEOUT_MS_DEFAULT, TlsConfig};
use tollgate_entity::{Integration, IntegrationType, Method, VpcLink};
use tollgate_store::Reader;

use crate::check::Check;
use crate::entries::{self, UNKNOWN_PARAMETER};
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::method;
use crate::patch::{Op, Patch, PatchDocument, PatchRule, Patched, PathRefusal, entry, replace};
use crate::resource::{self, At};
use crate::{Control, find};

/// AWS's enumerations, in the order its refusals list them.
pub(crate) const TYPES: [&str; 5] = ["HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS"];
pub(crate) const CONNECTION_TYPES: [&str; 2] = ["INTERNET", "VPC_LINK"];
pub(crate) const CONTENT_HANDLINGS: [&str; 2] = ["CONVERT_TO_BINARY", "CONVERT_TO_TEXT"];
pub(crate) const TRANSFER_MODES: [&str; 2] = ["BUFFERED", "STREAM"];

/// The body of PutIntegration. Its `httpMethod` is the one used upstream.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewIntegration {
    #[serde(rename = "type")]
    pub(crate) integration_type: Option<String>,
    pub(crate) http_method: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) connection_type: Option<String>,
    pub(crate) connection_id: Option<String>,
    pub(crate) credentials: Option<String>,
    pub(crate) request_parameters: Option<BTreeMap<String, String>>,
    pub(crate) request_templates: Option<BTreeMap<String, Option<String>>>,
    pub(crate) passthrough_behavior: Option<String>,
    pub(crate) content_handling: Option<String>,
    pub(crate) timeout_in_millis: Option<i32>,
    pub(crate) cache_namespace: Option<String>,
    pub(crate) cache_key_parameters: Option<Vec<String>>,
    pub(crate) tls_config: Option<TlsConfig>,
    pub(crate) response_transfer_mode: Option<String>,
    pub(crate) integration_target: Option<String>,
}

/// PutIntegration: in place of the one there, whose responses go.
pub async fn put(
    control: Control,
    caller: Caller,
    Path(at): Path<At>,
    Json(new): Json<NewIntegration>,
) -> Result<Json<Integration>, Error> {
    new.check_front(caller.operation)?;
    let detail = json!({"type": new.integration_type, "uri": new.uri});
    let verb = at.verb.clone();
    let done = resource::change(&control, &caller, &at, detail, move |reader, resource| {
        let resource_id = resource.id.clone();
        let method = method::find(resource, &verb)?;
        let integration = new.integration(&resource_id)?;
        check(reader, &integration, method)?;
        method.method_integration = Some(integration.clone());
        Ok(integration)
    });
    done.await.map(Json)
}

/// What holds for an integration of that method.
pub(crate) fn check(
    reader: &Reader<'_>,
    integration: &Integration,
    method: &Method,
) -> Result<(), Error> {
    check::check(integration, method, |id| {
        Ok(reader.get::<VpcLink>("", id)?.is_some())
    })
}

/// GetIntegration, with its responses.
pub async fn get(control: Control, Path(at): Path<At>) -> Result<Json<Integration>, Error> {
    let look = move |reader: &Reader<'_>| {
        let mut resource = find::resource(reader, &at.api, &at.resource)?;
        method::find(&mut resource, &at.verb)?
            .method_integration
            .take()
            .ok_or_else(unknown)
    };
    control.store.read(look).await.map(Json)
}

/// UpdateIntegration.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(at): Path<At>,
    patch: PatchDocument,
) -> Result<Json<Integration>, Error> {
    let (detail, verb) = (json!(patch.patch_operations), at.verb.clone());
    let done = resource::change(&control, &caller, &at, detail, move |reader, resource| {
        let method = resource
            .resource_methods
            .get_mut(&verb)
            .ok_or_else(unknown)?;
        let mut integration = method.method_integration.take().ok_or_else(unknown)?;
        patch.apply(&mut integration)?;
        check(reader, &integration, method)?;
        method.method_integration = Some(integration.clone());
        Ok(integration)
    });
    done.await.map(Json)
}

/// DeleteIntegration, with its responses.
pub async fn delete(control: Control, caller: Caller, Path(at): Path<At>) -> Result<(), Error> {
    let verb = at.verb.clone();
    let done = resource::change(&control, &caller, &at, json!(null), move |_, resource| {
        let method = resource.resource_methods.get_mut(&verb);
        method
            .and_then(|method| method.method_integration.take())
            .map(drop)
            .ok_or_else(unknown)
    });
    done.await
}

/// The integration of a method, or AWS's 404.
pub(crate) fn find(method: &mut Method) -> Result<&mut Integration, Error> {
    method.method_integration.as_mut().ok_or_else(unknown)
}

pub(crate) fn unknown() -> Error {
    Error::not_found("Invalid Integration identifier specified")
}

/// Templates as AWS keeps them: an empty one is null.
pub(crate) fn kept_templates(
    templates: BTreeMap<String, Option<String>>,
) -> BTreeMap<String, Option<String>> {
    templates
        .into_iter()
        .map(|(content_type, template)| (content_type, template.filter(|text| !text.is_empty())))
        .collect()
}

impl NewIntegration {
    /// Puts the integration of an imported definition; its cache namespace stays empty where none is given.
    pub(crate) fn imported(self, method: &mut Method) -> Result<(), Error> {
        self.check_front("PutIntegration")?;
        let integration = self.integration("")?;
        // Whether a VPC link is there is asked in the transaction.
        check::check(&integration, method, |_| Ok(true))?;
        method.method_integration = Some(integration);
        Ok(())
    }

    fn check_front(&self, operation: &str) -> Result<(), Error> {
        let mut check = Check::body_of(operation);
        check.present("type", &self.integration_type);
        check.optional("type", self.integration_type.as_deref(), &TYPES);
        check.optional(
            "connectionType",
            self.connection_type.as_deref(),
            &CONNECTION_TYPES,
        );
        check.optional(
            "contentHandling",
            self.content_handling.as_deref(),
            &CONTENT_HANDLINGS,
        );
        check.optional(
            "responseTransferMode",
            self.response_transfer_mode.as_deref(),
            &TRANSFER_MODES,
        );
        check.finish()
    }

    fn integration(self, resource_id: &str) -> Result<Integration, Error> {
        let integration_type = integration_type(self.integration_type.as_deref());
        let is_http = matches!(
            integration_type,
            IntegrationType::Http | IntegrationType::HttpProxy
        );
        let passthrough = self.passthrough_behavior.filter(|text| !text.is_empty());
        Ok(Integration {
            integration_type,
            http_method: self.http_method.filter(|verb| !verb.is_empty()),
            // AWS forgets the URI of a MOCK.
            uri: self
                .uri
                .filter(|_| integration_type != IntegrationType::Mock),
            connection_type: self
                .connection_type
                .or_else(|| is_http.then(|| "INTERNET".to_owned())),
            connection_id: self.connection_id.filter(|id| !id.is_empty()),
            credentials: self.credentials.filter(|arn| !arn.is_empty()),
            request_parameters: self.request_parameters,
            request_templates: self.request_templates.map(kept_templates),
            passthrough_behavior: passthrough
                .as_deref()
                .map_or(Ok(PassthroughBehavior::default()), passthrough_behavior)?,
            content_handling: self.content_handling,
            timeout_in_millis: self.timeout_in_millis.unwrap_or(TIMEOUT_MS_DEFAULT),
            cache_namespace: self
                .cache_namespace
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| resource_id.to_owned()),
            cache_key_parameters: self.cache_key_parameters.unwrap_or_default(),
            integration_responses: None,
            tls_config: self.tls_config,
            response_transfer_mode: self.response_transfer_mode,
            integration_target: self.integration_target,
        })
    }
}

/// The front layer has refused what is none of these.
fn integration_type(text: Option<&str>) -> IntegrationType {
    match text {
        Some("HTTP") => IntegrationType::Http,
        Some("HTTP_PROXY") => IntegrationType::HttpProxy,
        Some("AWS") => IntegrationType::Aws,
        Some("AWS_PROXY") => IntegrationType::AwsProxy,
        _ => IntegrationType::Mock,
    }
}

fn passthrough_behavior(text: &str) -> Result<PassthroughBehavior, Error> {
    match text.to_ascii_uppercase().as_str() {
        "WHEN_NO_MATCH" => Ok(PassthroughBehavior::WhenNoMatch),
        "WHEN_NO_TEMPLATES" => Ok(PassthroughBehavior::WhenNoTemplates),
        "NEVER" => Ok(PassthroughBehavior::Never),
        _ => Err(Error::bad_request(
            "Invalid passthrough behavior specified. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER",
        )),
    }
}

#[rustfmt::skip]
impl Patch for Integration {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/uri",                  |integration, new| set_unless_mock(integration, new, |it| &mut it.uri)),
        replace("/httpMethod",           |integration, new| set_unless_mock(integration, new, |it| &mut it.http_method)),
        replace("/passthroughBehavior",  |integration, new| { integration.passthrough_behavior = passthrough_behavior(new.text()?)?; Ok(()) }),
        replace("/contentHandling",      |integration, new| { integration.content_handling = new.one_of("contentHandling", &CONTENT_HANDLINGS)?; Ok(()) }),
        replace("/timeoutInMillis",      |integration, new| { integration.timeout_in_millis = new.value().and_then(|ms| ms.trim().parse().ok()).unwrap_or(0); Ok(()) }),
        replace("/connectionId",         |integration, new| new.set(&mut integration.connection_id)),
        replace("/connectionType",       |integration, new| { integration.connection_type = new.one_of("connectionType", &CONNECTION_TYPES)?; Ok(()) }),
        replace("/credentials",          |integration, new| new.set(&mut integration.credentials)),
        replace("/cacheNamespace",       |integration, new| new.set(&mut integration.cache_namespace)),
        replace("/integrationTarget",    |integration, new| new.set(&mut integration.integration_target)),
        replace("/responseTransferMode", |integration, new| { integration.response_transfer_mode = new.one_of("responseTransferMode", &TRANSFER_MODES)?; Ok(()) }),
        replace("/tlsConfig/insecureSkipVerification", |integration, new| new.set(&mut integration.tls_config.get_or_insert_default().insecure_skip_verification)),
        entry("/requestParameters/{name}",       |integration, new| entries::patch_mapped(&mut integration.request_parameters, new)),
        entry("/requestTemplates/{contentType}", |integration, new| entries::patch_template(&mut integration.request_templates, new)),
        entry("/cacheKeyParameters/{name}",      patch_cache_key),
    ];
    const REFUSAL: PathRefusal = PathRefusal::PlainOrOps;
}

/// A MOCK calls nobody: what it is told of an upstream is forgotten, as when it is put. Terraform tells it all the same.
fn set_unless_mock(
    integration: &mut Integration,
    new: &Patched<'_>,
    field: fn(&mut Integration) -> &mut Option<String>,
) -> Result<(), Error> {
    if integration.integration_type == IntegrationType::Mock {
        return Ok(());
    }
    new.set(field(integration))
}

/// The parameter stands in the path; replacing it takes the new name from the value.
fn patch_cache_key(integration: &mut Integration, new: &Patched<'_>) -> Result<(), Error> {
    let keys = &mut integration.cache_key_parameters;
    let named = new.hole();
    if new.op() != Op::Add && !keys.iter().any(|key| key == named) {
        return Err(Error::not_found(UNKNOWN_PARAMETER));
    }
    let name = match new.op() {
        Op::Replace => new
            .value()
            .filter(|value| !value.is_empty())
            .unwrap_or(named),
        _ => named,
    };
    keys.retain(|key| key != named && key != name);
    if new.op() != Op::Remove {
        keys.push(name.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
