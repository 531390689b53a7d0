//! What UpdateRestApi can change, and the rules every API keeps.

use tollgate_entity::{ApiKeySource, RestApi};

use crate::enumerations::{ENDPOINT_ACCESS_MODES, IP_ADDRESS_TYPES, SECURITY_POLICIES};
use crate::error::Error;
use crate::patch::{Op, Patch, PatchRule, Patched, PathRefusal, add, entry, remove, replace};

/// Bytes: the largest threshold of compression AWS takes.
const MINIMUM_COMPRESSION_SIZE_MAX: i32 = 10_485_760;
/// Endpoint types as this operation lists them.
const ENDPOINT_TYPES: [&str; 3] = ["REGIONAL", "EDGE", "PRIVATE"];

#[rustfmt::skip]
impl Patch for RestApi {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/name",                         |api, new| new.set(&mut api.name)),
        entry(  "/description",                  patch_description),
        replace("/apiKeySource",                 |api, new| { api.api_key_source = api_key_source(new.text()?)?; Ok(()) }),
        replace("/disableExecuteApiEndpoint",    |api, new| new.set(&mut api.disable_execute_api_endpoint)),
        replace("/minimumCompressionSize",       patch_compression),
        replace("/policy",                       |_, new| check_policy(new.value())),
        replace("/securityPolicy",               |api, new| { api.security_policy = new.one_of("securityPolicy", &SECURITY_POLICIES)?; Ok(()) }),
        replace("/endpointAccessMode",           |api, new| { api.endpoint_access_mode = new.one_of("endpointAccessMode", &ENDPOINT_ACCESS_MODES)?; Ok(()) }),
        replace("/endpointConfiguration/ipAddressType", patch_ip_address_type),
        entry(  "/endpointConfiguration/types/{type}",  patch_endpoint_type),
        add(    "/endpointConfiguration/vpcEndpointIds", |api, new| { api.endpoint_configuration.vpc_endpoint_ids.push(new.text()?.to_owned()); Ok(()) }),
        remove( "/endpointConfiguration/vpcEndpointIds", |api, old| { api.endpoint_configuration.vpc_endpoint_ids.retain(|id| Some(id.as_str()) != old.value()); Ok(()) }),
        entry(  "/binaryMediaTypes/{mediaType}", patch_media_type),
    ];
    const REFUSAL: PathRefusal = PathRefusal::PlainOrOps;
}

/// What holds for every API, checked after all changes of a request.
pub(super) fn check(api: &RestApi) -> Result<(), Error> {
    api.check_texts()?;
    if api.endpoint_configuration.types == ["PRIVATE"] {
        return Err(Error::bad_request(
            "The endpoint type PRIVATE is not supported yet. Use REGIONAL or EDGE.",
        ));
    }
    if !api.endpoint_configuration.vpc_endpoint_ids.is_empty() {
        return Err(Error::bad_request(
            "VPCEndpoints can only be specified with PRIVATE apis.",
        ));
    }
    Ok(())
}

pub(super) fn check_compression(size: Option<i32>) -> Result<(), Error> {
    match size {
        Some(size) if !(0..=MINIMUM_COMPRESSION_SIZE_MAX).contains(&size) => {
            Err(Error::bad_request(format!(
                "Invalid minimum compression size, must be between 0 and {MINIMUM_COMPRESSION_SIZE_MAX}"
            )))
        }
        _ => Ok(()),
    }
}

/// A resource policy would protect something, so that it is refused until it is enforced.
pub(super) fn check_policy(policy: Option<&str>) -> Result<(), Error> {
    match policy {
        None | Some("") => Ok(()),
        Some(_) => Err(Error::bad_request(
            "A resource policy is not supported yet.",
        )),
    }
}

/// Reads an apiKeySource; a front layer may have checked the value before.
pub(super) fn api_key_source(text: &str) -> Result<ApiKeySource, Error> {
    match text {
        "HEADER" => Ok(ApiKeySource::Header),
        "AUTHORIZER" => Ok(ApiKeySource::Authorizer),
        _ => Err(Error::bad_request(
            "Invalid ApiKeySource specified. Valid options are HEADER,AUTHORIZER",
        )),
    }
}

pub(super) fn add_media_type(types: &mut Vec<String>, media_type: String) {
    if !types.contains(&media_type) {
        types.push(media_type);
    }
}

fn patch_description(api: &mut RestApi, new: &Patched<'_>) -> Result<(), Error> {
    if new.op() == Op::Remove {
        api.description = None;
        return Ok(());
    }
    new.set(&mut api.description)
}

/// No value, or an empty one, switches compression off.
fn patch_compression(api: &mut RestApi, new: &Patched<'_>) -> Result<(), Error> {
    let text = new.value().filter(|text| !text.is_empty());
    // What is no number is refused like one out of range.
    let size = text.map(|text| text.parse().unwrap_or(-1));
    check_compression(size)?;
    api.minimum_compression_size = size;
    Ok(())
}

fn patch_ip_address_type(api: &mut RestApi, new: &Patched<'_>) -> Result<(), Error> {
    let value = new.value().unwrap_or_default();
    if !IP_ADDRESS_TYPES.contains(&value) {
        return Err(Error::bad_request(
            "ipAddressType must be either ipv4 or dualstack.",
        ));
    }
    value.clone_into(&mut api.endpoint_configuration.ip_address_type);
    Ok(())
}

/// The last segment is an index or, for adding and removing, the type itself.
fn patch_endpoint_type(api: &mut RestApi, new: &Patched<'_>) -> Result<(), Error> {
    let types = &mut api.endpoint_configuration.types;
    let named = new.hole();
    match new.op() {
        Op::Replace => {
            let value = new.value().unwrap_or_default();
            if !ENDPOINT_TYPES.contains(&value) {
                let options = ENDPOINT_TYPES.join(",");
                return Err(Error::bad_request(format!(
                    "Invalid EndpointTypes specified. Valid options are {options}"
                )));
            }
            *types = vec![value.to_owned()];
            Ok(())
        }
        Op::Remove if types.iter().any(|kind| kind == named) => Err(Error::bad_request(
            "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.",
        )),
        Op::Add if types.iter().any(|kind| kind == named) => Ok(()),
        Op::Add if ENDPOINT_TYPES.contains(&named) => Err(Error::bad_request(
            "Cannot create an api with multiple Endpoint Types.",
        )),
        _ => Err(Error::bad_request(
            "Invalid patch operation specified. Must be 'add'|'remove'|'replace'",
        )),
    }
}

/// Replacing takes the old entry out and puts the new one last, as AWS does.
fn patch_media_type(api: &mut RestApi, new: &Patched<'_>) -> Result<(), Error> {
    let types = &mut api.binary_media_types;
    match new.op() {
        Op::Remove => types.retain(|media_type| media_type != new.hole()),
        Op::Replace => {
            let value = new.text()?.to_owned();
            types.retain(|media_type| media_type != new.hole());
            add_media_type(types, value);
        }
        _ => add_media_type(types, new.hole().to_owned()),
    }
    Ok(())
}
