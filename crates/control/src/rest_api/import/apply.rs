//! A definition becomes an API's state, inside one transaction.

use std::collections::HashMap;

use rand::CryptoRng;
use tollgate_entity::{
    Authorizer, DocumentationPart, GatewayResponse, Method, Model, RequestValidator, Resource,
    RestApi, id,
};
use tollgate_store::{Document, Reader, StoreError, Transaction};

use super::Mode;
use super::tree::{self, Placed};
use crate::documentation_part::location;
use crate::error::Error;
use crate::rest_api::definition::Definition;
use crate::rest_api::update;
use crate::{integration, method};

/// Applies the definition to an API that is in the store, and to what belongs to it. What cannot stand is told in
/// the list; nothing may be committed then.
pub fn apply(
    tx: &mut Transaction<'_>,
    api: &mut RestApi,
    mut definition: Definition,
    mode: Mode,
    rng: &mut impl CryptoRng,
) -> Result<Vec<String>, Error> {
    let paths = std::mem::take(&mut definition.paths);
    let placed = tree::placed(tx.list(&api.id)?, paths, mode, || id::six(rng));
    let placed = match placed {
        Ok(placed) => placed,
        Err(errors) => return Ok(errors),
    };
    set_api(api, &definition, mode);
    update::check(api)?;
    tx.put(api)?;
    let mut names = Names::default();
    for validator in put_all(tx, &api.id, definition.request_validators, mode, rng)? {
        let name = validator.name.unwrap_or_default();
        names.validators.insert(name, validator.id);
    }
    for authorizer in put_all(tx, &api.id, definition.authorizers, mode, rng)? {
        names.authorizers.insert(authorizer.name, authorizer.id);
    }
    put_all(tx, &api.id, definition.models, mode, rng)?;
    put_all(tx, &api.id, definition.gateway_responses, mode, rng)?;
    put_all(tx, &api.id, definition.documentation, mode, rng)?;
    put_resources(tx, &api.id, placed, &names)
}

/// The ids of what methods name.
#[derive(Default)]
struct Names {
    validators: HashMap<String, String>,
    authorizers: HashMap<String, String>,
}

impl Names {
    fn resolve(&self, resource_id: &str, method: &mut Method) {
        if let Some(name) = &method.request_validator_id
            && let Some(id) = self.validators.get(name)
        {
            method.request_validator_id = Some(id.clone());
        }
        if let Some(name) = &method.authorizer_id
            && let Some(id) = self.authorizers.get(name)
        {
            method.authorizer_id = Some(id.clone());
        }
        if let Some(integration) = &mut method.method_integration
            && integration.cache_namespace.is_empty()
        {
            resource_id.clone_into(&mut integration.cache_namespace);
        }
    }
}

/// Only what changed is written: an import of what is there already changes nothing. Answers what cannot stand.
fn put_resources(
    tx: &mut Transaction<'_>,
    api: &str,
    placed: Placed,
    names: &Names,
) -> Result<Vec<String>, Error> {
    let mut errors = Vec::new();
    for id in &placed.gone {
        tx.delete::<Resource>(api, id)?;
    }
    for mut resource in placed.resources {
        for (verb, method) in &mut resource.resource_methods {
            names.resolve(&resource.id, method);
            if let Err(error) = check(tx, api, method) {
                let path = &resource.path;
                errors.push(format!(
                    "Unable to put method '{verb}' on resource at path '{path}': {error}"
                ));
            }
        }
        put_changed(tx, api, &resource)?;
    }
    Ok(errors)
}

/// What a method names must be there.
fn check(tx: &Transaction<'_>, api: &str, method: &mut Method) -> Result<(), Error> {
    method::check(tx, api, method)?;
    match &method.method_integration {
        Some(own) if own.connection_id.is_some() => integration::check(tx, own, method),
        _ => Ok(()),
    }
}

fn put_changed<T: Document + PartialEq>(
    tx: &mut Transaction<'_>,
    parent: &str,
    document: &T,
) -> Result<(), StoreError> {
    if tx.get::<T>(parent, document.id())?.as_ref() == Some(document) {
        return Ok(());
    }
    tx.put(document)
}

/// What a definition names: a noun found again by that name keeps its id.
trait Named: Document + PartialEq {
    fn name(&self) -> String;
    /// Takes over the ids of the one that is there, or gets new ones.
    fn identify(&mut self, known: Option<&Self>, rng: &mut impl CryptoRng);
}

fn put_all<T: Named>(
    tx: &mut Transaction<'_>,
    api: &str,
    new: Vec<T>,
    mode: Mode,
    rng: &mut impl CryptoRng,
) -> Result<Vec<T>, StoreError> {
    let mut known: HashMap<String, T> = HashMap::new();
    for noun in Reader::list::<T>(tx, api)? {
        known.insert(noun.name(), noun);
    }
    let mut put = Vec::with_capacity(new.len());
    for mut noun in new {
        let there = known.remove(&noun.name());
        noun.identify(there.as_ref(), rng);
        if there.as_ref() != Some(&noun) {
            tx.put(&noun)?;
        }
        put.push(noun);
    }
    for (_, noun) in known {
        match mode {
            Mode::Merge => put.push(noun),
            Mode::Overwrite => drop(tx.delete::<T>(api, noun.id())?),
        }
    }
    Ok(put)
}

/// A noun with a random id besides its name.
macro_rules! named {
    ($noun:ident, $name:expr) => {
        impl Named for $noun {
            fn name(&self) -> String {
                let name: fn(&$noun) -> String = $name;
                name(self)
            }

            fn identify(&mut self, known: Option<&Self>, rng: &mut impl CryptoRng) {
                self.id = known.map_or_else(|| id::six(rng), |known| known.id.clone());
            }
        }
    };
}

named!(Model, |model| model.name.clone());
named!(Authorizer, |authorizer| authorizer.name.clone());
named!(RequestValidator, |validator| validator
    .name
    .clone()
    .unwrap_or_default());
named!(DocumentationPart, |part| {
    let place = location::whole(&part.location);
    let parts = [&place.path, &place.method, &place.status_code, &place.name];
    let parts = parts.map(|part| part.as_deref().unwrap_or("\u{0}"));
    format!("{}\n{}", place.part_type, parts.join("\n"))
});

impl Named for GatewayResponse {
    fn name(&self) -> String {
        self.response_type.clone()
    }

    fn identify(&mut self, _: Option<&Self>, _: &mut impl CryptoRng) {}
}

/// Merging changes what the definition says; overwriting also takes back what it does not say. The endpoint
/// configuration is no part of a definition that is put.
fn set_api(api: &mut RestApi, definition: &Definition, mode: Mode) {
    let over = mode == Mode::Overwrite;
    if let Some(name) = &definition.name {
        api.name.clone_from(name);
    }
    fn set<T: Clone>(value: &mut Option<T>, new: &Option<T>, over: bool) {
        if over || new.is_some() {
            value.clone_from(new);
        }
    }
    set(&mut api.description, &definition.description, over);
    set(&mut api.version, &definition.version, over);
    set(
        &mut api.minimum_compression_size,
        &definition.minimum_compression_size,
        over,
    );
    set(&mut api.security_policy, &definition.security_policy, false);
    set(
        &mut api.endpoint_access_mode,
        &definition.endpoint_access_mode,
        false,
    );
    if over {
        api.binary_media_types.clear();
        api.api_key_source = Default::default();
    }
    for media_type in definition.binary_media_types.iter().flatten() {
        update::add_media_type(&mut api.binary_media_types, media_type.clone());
    }
    if let Some(source) = definition.api_key_source {
        api.api_key_source = source;
    }
    if let Some(disabled) = definition.disable_execute_api_endpoint {
        api.disable_execute_api_endpoint = disabled;
    }
}
