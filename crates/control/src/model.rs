//! Model: the JSON schemas of an API, by name; two of them it has from its creation.

pub(crate) mod schema;
mod template;

use rand::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate_entity::{Model, Resource, id};
use tollgate_store::Reader;

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::mapping;
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find, method};

/// Models an API may have.
pub(crate) const MODELS_PER_API_MAX: usize = 2_000;

const EMPTY: &str = r#"{
  "$schema": "http://json-schema.org/draft-04/schema#",
  "title" : "Empty Schema",
  "type" : "object"
}"#;

const ERROR: &str = r#"{
  "$schema" : "http://json-schema.org/draft-04/schema#",
  "title" : "Error Schema",
  "type" : "object",
  "properties" : {
    "message" : { "type" : "string" }
  }
}"#;

/// The models a new API gets.
pub fn defaults(api: &str, rng: &mut impl CryptoRng) -> Vec<Model> {
    let of = |(name, description, schema): (&str, &str, &str)| Model {
        rest_api_id: api.to_owned(),
        id: id::six(rng),
        name: name.to_owned(),
        description: Some(description.to_owned()),
        schema: Some(schema.to_owned()),
        content_type: "application/json".to_owned(),
    };
    let both = [
        ("Empty", "This is a default empty schema model", EMPTY),
        ("Error", "This is a default error schema model", ERROR),
    ];
    both.into_iter().map(of).collect()
}

/// Whether a model is still the one of its name that a new API got.
pub fn is_default(model: &Model) -> bool {
    let schema = model.schema.as_deref();
    match model.name.as_str() {
        "Empty" => schema == Some(EMPTY),
        "Error" => schema == Some(ERROR),
        _ => false,
    }
}

/// The body of CreateModel.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewModel {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) content_type: Option<String>,
}

/// CreateModel.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    Json(new): Json<NewModel>,
) -> Result<Json<Model>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("name", &new.name);
    check.present("contentType", &new.content_type);
    check.finish()?;
    let id = id::six(&mut control.rng());
    let audit = caller.audit(json!({"restApiId": api, "modelName": new.name}));
    let settings = control.settings.clone();
    let created = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        let others: Vec<Model> = tx.list(&api)?;
        let model = new.checked(&api, id, |name| {
            others.iter().any(|other| other.name == name)
        })?;
        if others.iter().any(|other| other.name == model.name) {
            return Err(Error::conflict(
                "Model name already exists for this REST API",
            ));
        }
        if others.len() >= MODELS_PER_API_MAX {
            return Err(Error::too_many("Models"));
        }
        tx.insert(&model)?;
        Ok::<_, Error>(model)
    });
    created.await.map(Json)
}

/// GetModels: by name.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    page: Page,
) -> Result<Json<Items<Model>>, Error> {
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        Ok::<Vec<Model>, Error>(reader.list(&api)?)
    };
    let mut models = control.store.read(look).await?;
    models.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(page.cut(models, |model| model.name.clone())))
}

/// GetModel; `flatten` puts the models that it refers to into its own schema.
pub async fn get(
    control: Control,
    Path((api, name)): Path<(String, String)>,
    query: Query,
) -> Result<Json<Model>, Error> {
    let flat = query.flag("flatten");
    let look = move |reader: &Reader<'_>| {
        let mut model = find(reader, &api, &name)?;
        // What needs no other model stays as its author wrote it.
        if flat
            && schema::names(model.schema.as_deref().unwrap_or_default())
                .next()
                .is_some()
        {
            let schema = flattened(reader, &model)?;
            model.schema = Some(serde_json::to_string_pretty(&schema).map_err(Error::internal)?);
        }
        Ok::<_, Error>(model)
    };
    control.store.read(look).await.map(Json)
}

/// GetModelTemplate: a template that makes a body as the model wants it, of sample values.
pub async fn template(
    control: Control,
    Path((api, name)): Path<(String, String)>,
) -> Result<Json<Value>, Error> {
    let look = move |reader: &Reader<'_>| {
        let schema = flattened(reader, &find(reader, &api, &name)?)?;
        Ok::<_, Error>(json!({ "value": template::of(&schema) }))
    };
    control.store.read(look).await.map(Json)
}

/// UpdateModel.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, name)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<Model>, Error> {
    let audit = caller.audit(
        json!({"restApiId": api, "modelName": name, "patchOperations": patch.patch_operations}),
    );
    let changed = control.store.commit(audit, move |tx| {
        let mut model = find(tx, &api, &name)?;
        patch.apply(&mut model)?;
        let others: Vec<Model> = tx.list(&api)?;
        schema::check(&api, model.schema.as_deref(), |name| {
            others.iter().any(|other| other.name == name)
        })?;
        tx.put(&model)?;
        Ok::<_, Error>(model)
    });
    changed.await.map(Json)
}

/// DeleteModel: not while a method or another model names it.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, name)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "modelName": name}));
    let done = control.store.commit(audit, move |tx| {
        find(tx, &api, &name)?;
        if let Some(place) = use_of(tx, &api, &name)? {
            return Err(Error::conflict(format!(
                "Cannot delete model '{name}', is referenced in {place}"
            )));
        }
        tx.delete::<Model>(&api, &name)?;
        Ok(())
    });
    done.await
}

fn find(reader: &Reader<'_>, api: &str, name: &str) -> Result<Model, Error> {
    reader
        .get(api, name)?
        .ok_or_else(|| Error::not_found(format!("Invalid model name specified: {name}")))
}

/// The model's schema with every model in it that it refers to.
fn flattened(reader: &Reader<'_>, model: &Model) -> Result<Value, Error> {
    let of = |model: &Model| -> Option<Value> {
        serde_json::from_str(model.schema.as_deref().unwrap_or_default()).ok()
    };
    let api = &model.rest_api_id;
    let schema = of(model).ok_or_else(|| Error::internal("a stored model is not JSON"))?;
    let all: Vec<Model> = reader.list(api)?;
    let named = |name: &str| all.iter().find(|other| other.name == name).and_then(of);
    Ok(tollgate_entity::model::flatten(api, schema, named))
}

/// Where the model is named, newest resource first: a method's request, its responses, another model.
fn use_of(reader: &Reader<'_>, api: &str, name: &str) -> Result<Option<String>, Error> {
    let resources: Vec<Resource> = reader.list(api)?;
    for resource in resources.iter().rev() {
        for (verb, method) in &resource.resource_methods {
            let place = method::place(resource, verb);
            let names = |models: &std::collections::BTreeMap<String, String>| {
                models.values().any(|model| model == name)
            };
            if method.request_models.as_ref().is_some_and(names) {
                return Ok(Some(format!("method request: {place}")));
            }
            let mut responses = method.method_responses.iter().flatten();
            if responses.any(|(_, response)| response.response_models.as_ref().is_some_and(names)) {
                return Ok(Some(format!("method response: {place}")));
            }
        }
    }
    let others: Vec<Model> = reader.list(api)?;
    let mut others = others.iter().filter(|other| other.name != name);
    let uses = others.find(|other| {
        schema::names(other.schema.as_deref().unwrap_or_default()).any(|named| named == name)
    });
    Ok(uses.map(|other| format!("model: {}", other.name)))
}

impl NewModel {
    /// The model, if it is good. `known` tells whether there is a model of that name to refer to.
    pub(crate) fn checked(
        self,
        api: &str,
        id: String,
        known: impl Fn(&str) -> bool,
    ) -> Result<Model, Error> {
        let name = self.name.unwrap_or_default();
        if name.is_empty() {
            return Err(Error::bad_request("Model name must be non-empty"));
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::bad_request(format!(
                "Model name must be alphanumeric: {name}"
            )));
        }
        let content_type = self.content_type.unwrap_or_default();
        if !mapping::is_content_type(&content_type) {
            return Err(Error::bad_request(format!(
                "Invalid content type specified: {content_type}"
            )));
        }
        schema::check(api, self.schema.as_deref(), |other| {
            other == name || known(other)
        })?;
        Ok(Model {
            rest_api_id: api.to_owned(),
            id,
            name,
            description: self.description.filter(|text| !text.is_empty()),
            schema: self.schema,
            content_type,
        })
    }
}

#[rustfmt::skip]
impl Patch for Model {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/description", |model, new| new.set(&mut model.description)),
        replace("/schema",      |model, new| { model.schema = new.value().map(str::to_owned); Ok(()) }),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

#[cfg(test)]
mod tests;
