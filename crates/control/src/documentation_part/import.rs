//! ImportDocumentationParts: the parts in an OpenAPI definition's `x-amazon-apigateway-documentation`, JSON or YAML.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tollgate_entity::{DocumentationPart, DocumentationPartLocation as Location, id};
use tollgate_store::Transaction;

use super::location::{shown, whole};
use super::{PARTS_PER_API_MAX, checked};
use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::rest_api::import::parse::parse;
use crate::rest_api::node::Node;
use crate::{Control, find};

/// Bytes of a definition; AWS's quota.
const DEFINITION_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Warnings that are told; there can be as many as parts.
const WARNINGS_SHOWN_MAX: usize = 100;

/// What an import made: the ids of its parts in their order, and what it left out.
#[derive(Debug, Default, Serialize)]
pub struct Imported {
    ids: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// ImportDocumentationParts. `mode=overwrite` forgets the parts there are, `merge` (or none) adds to them and replaces
/// the members that a part has anew. With `failonwarnings=true` a part that cannot be taken refuses all.
pub async fn import(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    query: Query,
    body: Bytes,
) -> Result<Json<Imported>, Error> {
    let overwrite = match query.first("mode") {
        None | Some("" | "merge") => false,
        Some("overwrite") => true,
        Some(_) => {
            return Err(Error::bad_request(
                "Enumeration value of OpenAPI import mode must be \"overwrite\" or \"merge\"",
            ));
        }
    };
    let of = api.clone();
    let (parts, warnings) = tokio::task::spawn_blocking(move || read(&body, &of))
        .await
        .map_err(Error::internal)??;
    if !warnings.is_empty() && query.flag("failonwarnings") {
        let found = warnings.join("\n\t");
        return Err(Error::bad_request(format!(
            "Warnings found during import:\n\t{found}"
        )));
    }
    let mut rng = control.rng();
    let parts = parts.into_iter().map(|part| DocumentationPart {
        id: id::six(&mut rng),
        ..part
    });
    let parts: Vec<DocumentationPart> = parts.collect();
    let audit = caller.audit(json!({
        "restApiId": api, "parts": parts.len(), "overwrite": overwrite,
    }));
    let settings = control.settings.clone();
    let imported = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        if overwrite {
            tx.delete_children::<DocumentationPart>(&api)?;
        }
        let ids = put(tx, &api, parts)?;
        Ok::<_, Error>(Imported { ids, warnings })
    });
    imported.await.map(Json)
}

/// Stores the parts, each in place of the one of its location, if any. The ids in their order.
fn put(
    tx: &mut Transaction<'_>,
    api: &str,
    parts: Vec<DocumentationPart>,
) -> Result<Vec<String>, Error> {
    let there: Vec<DocumentationPart> = tx.list(api)?;
    let mut there: BTreeMap<Location, DocumentationPart> = there
        .into_iter()
        .map(|part| (whole(&part.location), part))
        .collect();
    let mut ids = Vec::with_capacity(parts.len());
    for mut part in parts {
        let place = whole(&part.location);
        if let Some(known) = there.get(&place) {
            part.properties = merged(&known.properties, &part.properties);
            part.id.clone_from(&known.id);
        }
        ids.push(part.id.clone());
        tx.put(&part)?;
        there.insert(place, part);
    }
    match there.len() > PARTS_PER_API_MAX {
        true => Err(Error::too_many("Documentation Parts")),
        false => Ok(ids),
    }
}

/// The members of both; where both have one, the new one.
fn merged(old: &str, new: &str) -> String {
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text);
    match (object(old), object(new)) {
        (Ok(mut old), Ok(new)) => {
            old.extend(new);
            Value::Object(old).to_string()
        }
        _ => new.to_owned(),
    }
}

/// The parts of a definition without ids, and what was wrong with others.
fn read(body: &[u8], api: &str) -> Result<(Vec<DocumentationPart>, Vec<String>), Error> {
    let unreadable = || Error::bad_request("Unable to build importer with provided input.");
    if body.len() > DEFINITION_BYTES_MAX {
        return Err(Error::bad_request(format!(
            "A definition can be at most {DEFINITION_BYTES_MAX} bytes."
        )));
    }
    let definition = parse(body, DEFINITION_BYTES_MAX).map_err(|_| unreadable())?;
    let is_definition = ["swagger", "openapi"]
        .iter()
        .any(|member| definition.get(member).is_some());
    if !is_definition {
        return Err(unreadable());
    }
    let documentation = definition.get("x-amazon-apigateway-documentation");
    let listed = documentation.and_then(|at| at.get("documentationParts"));
    let mut parts: Vec<DocumentationPart> = Vec::new();
    let mut places: BTreeMap<Location, usize> = BTreeMap::new();
    let mut warnings = Vec::new();
    let listed = listed.and_then(Node::list).into_iter().flatten();
    for (index, part) in listed.enumerate() {
        let warning = match part_of(part, api) {
            Err(error) => error.to_string(),
            Ok(part) => match places.entry(whole(&part.location)) {
                Entry::Vacant(place) => {
                    place.insert(parts.len());
                    parts.push(part);
                    continue;
                }
                Entry::Occupied(place) => {
                    let twice = format!(
                        "{} stands there twice, the last counts",
                        shown(&part.location)
                    );
                    parts[*place.get()] = part;
                    twice
                }
            },
        };
        if warnings.len() < WARNINGS_SHOWN_MAX {
            warnings.push(format!("documentationParts[{index}]: {warning}"));
        }
    }
    Ok((parts, warnings))
}

/// Properties stand there as an object, or as its text.
fn part_of(part: &Node, api: &str) -> Result<DocumentationPart, Error> {
    let location = part.get("location").cloned().unwrap_or_else(Node::empty);
    let text = |name: &str| location.get(name).and_then(Node::scalar);
    let properties = match part.get("properties") {
        None | Some(Node::Null) => String::new(),
        Some(Node::Text(text)) => text.clone(),
        Some(object) => serde_json::to_string(object).map_err(Error::internal)?,
    };
    checked(DocumentationPart {
        rest_api_id: api.to_owned(),
        id: String::new(),
        location: Location {
            part_type: text("type").unwrap_or_default(),
            path: text("path"),
            method: text("method"),
            status_code: text("statusCode"),
            name: text("name"),
        },
        properties,
    })
}
