//! Model: the two JSON schemas that every API has from its creation.

use rand::CryptoRng;
use tollgate_entity::{Model, id};
use tollgate_store::Reader;

use crate::error::Error;
use crate::extract::{Json, Path};
use crate::page::{Items, Page};
use crate::{Control, find};

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

/// GetModel. `flatten` changes nothing: the default models refer to no others.
pub async fn get(
    control: Control,
    Path((api, name)): Path<(String, String)>,
) -> Result<Json<Model>, Error> {
    let look = move |reader: &Reader<'_>| {
        let model: Option<Model> = reader.get(&api, &name)?;
        model.ok_or_else(|| Error::not_found(format!("Invalid model name specified: {name}")))
    };
    control.store.read(look).await.map(Json)
}

#[cfg(test)]
mod tests;
