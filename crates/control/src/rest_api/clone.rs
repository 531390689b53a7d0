//! CreateRestApi's `cloneFrom`: everything of an API but its deployments and stages, under ids of the new one.

use std::collections::BTreeMap;

use rand::CryptoRng;
use tollgate_entity::model::{each_reference, reference, reference_to};
use tollgate_entity::{
    Authorizer, DocumentationPart, GatewayResponse, Model, RequestValidator, Resource, RestApi, id,
};
use tollgate_store::Transaction;

use crate::error::Error;

/// Copies what is beneath one API beneath another, whose root resource comes from the copy, too.
pub(super) fn beneath(
    tx: &mut Transaction<'_>,
    from: &RestApi,
    api: &RestApi,
    rng: &mut impl CryptoRng,
) -> Result<(), Error> {
    let of = &api.id;
    for model in tx.list::<Model>(&from.id)? {
        tx.insert(&Model {
            rest_api_id: of.clone(),
            id: id::six(rng),
            schema: model.schema.map(|schema| moved(&schema, &from.id, of)),
            ..model
        })?;
    }
    let mut ids = Ids::default();
    for validator in tx.list::<RequestValidator>(&from.id)? {
        tx.insert(&RequestValidator {
            rest_api_id: of.clone(),
            id: ids.fresh(&validator.id, rng),
            ..validator
        })?;
    }
    for authorizer in tx.list::<Authorizer>(&from.id)? {
        tx.insert(&Authorizer {
            rest_api_id: of.clone(),
            id: ids.fresh(&authorizer.id, rng),
            ..authorizer
        })?;
    }
    for response in tx.list::<GatewayResponse>(&from.id)? {
        tx.insert(&GatewayResponse {
            rest_api_id: of.clone(),
            ..response
        })?;
    }
    for part in tx.list::<DocumentationPart>(&from.id)? {
        tx.insert(&DocumentationPart {
            rest_api_id: of.clone(),
            id: id::six(rng),
            ..part
        })?;
    }
    ids.is(&from.root_resource_id, &api.root_resource_id);
    let resources: Vec<Resource> = tx.list(&from.id)?;
    for resource in &resources {
        if resource.id != from.root_resource_id {
            ids.fresh(&resource.id, rng);
        }
    }
    for resource in resources {
        tx.insert(&copied(resource, of, &ids))?;
    }
    Ok(())
}

fn copied(mut resource: Resource, api: &str, ids: &Ids) -> Resource {
    resource.rest_api_id = api.to_owned();
    resource.id = ids.of(&resource.id);
    resource.parent_id = resource.parent_id.map(|id| ids.of(&id));
    for method in resource.resource_methods.values_mut() {
        method.authorizer_id = method.authorizer_id.take().map(|id| ids.of(&id));
        let validator = method.request_validator_id.take();
        method.request_validator_id = validator.map(|id| ids.of(&id));
        if let Some(integration) = &mut method.method_integration {
            // It is a resource's id unless somebody named it.
            integration.cache_namespace = ids.of(&integration.cache_namespace);
        }
    }
    resource
}

/// A schema whose references to models of one API mean those of another.
fn moved(schema: &str, from: &str, to: &str) -> String {
    let Ok(mut value) = serde_json::from_str(schema) else {
        return schema.to_owned();
    };
    let mut changed = false;
    each_reference(&mut value, &mut |text| {
        let model = reference(text).filter(|(api, _)| *api == from);
        if let Some(name) = model.map(|(_, name)| name.to_owned()) {
            *text = reference_to(to, &name);
            changed = true;
        }
    });
    match changed {
        true => format!("{value:#}"),
        false => schema.to_owned(),
    }
}

/// Old ids and the new ones in their place; what is not among them stays.
#[derive(Default)]
struct Ids(BTreeMap<String, String>);

impl Ids {
    fn is(&mut self, old: &str, new: &str) {
        self.0.insert(old.to_owned(), new.to_owned());
    }

    fn fresh(&mut self, old: &str, rng: &mut impl CryptoRng) -> String {
        let new = id::six(rng);
        self.is(old, &new);
        new
    }

    fn of(&self, old: &str) -> String {
        self.0.get(old).map_or(old, String::as_str).to_owned()
    }
}
