//! DocumentationPart: what is said about one place of an API.

mod import;
pub(crate) mod location;
mod undocumented;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_entity::{DocumentationPart, DocumentationPartLocation, id};
use tollgate_store::Reader;

use crate::check::Check;
use crate::enumerations::LOCATION_STATUSES;
use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find};
pub use import::import;

/// Parts an API may have; AWS's quota.
pub(crate) const PARTS_PER_API_MAX: usize = 2_000;
/// Bytes of a part's properties.
const PROPERTIES_BYTES_MAX: usize = 400 * 1024;

/// The body of CreateDocumentationPart.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewDocumentationPart {
    location: Option<NewLocation>,
    properties: Option<String>,
}

/// A location whose type may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NewLocation {
    #[serde(rename = "type")]
    part_type: Option<String>,
    path: Option<String>,
    method: Option<String>,
    status_code: Option<String>,
    name: Option<String>,
}

/// CreateDocumentationPart: one for a location.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    Json(new): Json<NewDocumentationPart>,
) -> Result<Json<DocumentationPart>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("location", &new.location);
    check.present("properties", &new.properties);
    if let Some(location) = &new.location {
        check.present("location.type", &location.part_type);
        if let Some(part_type) = &location.part_type {
            location::check_type(&mut check, "location.type", part_type);
        }
    }
    check.finish()?;
    let id = id::six(&mut control.rng());
    let audit = caller.audit(json!({"restApiId": api, "documentationPartId": id}));
    let settings = control.settings.clone();
    let created = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        let part = new.checked(&api, id)?;
        let others: Vec<DocumentationPart> = tx.list(&api)?;
        let place = location::whole(&part.location);
        if others
            .iter()
            .any(|other| location::whole(&other.location) == place)
        {
            return Err(Error::conflict(format!(
                "Documentation part already exists for the specified location: {}.",
                location::shown(&part.location)
            )));
        }
        if others.len() >= PARTS_PER_API_MAX {
            return Err(Error::too_many("Documentation Parts"));
        }
        tx.insert(&part)?;
        Ok::<_, Error>(part)
    });
    created.await.map(Json)
}

/// A part as it is listed; what is not documented has a location only.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Shown {
    Part(DocumentationPart),
    Undocumented { location: DocumentationPartLocation },
}

impl Shown {
    fn location(&self) -> &DocumentationPartLocation {
        match self {
            Shown::Part(part) => &part.location,
            Shown::Undocumented { location } => location,
        }
    }
}

/// GetDocumentationParts: in order of creation, by `type`, `name`, `path`; with `locationStatus=UNDOCUMENTED` the
/// places of the API that have no part.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    query: Query,
    page: Page,
) -> Result<Json<Items<Shown>>, Error> {
    let mut check = Check::bare();
    if let Some(part_type) = query.first("type") {
        location::check_type(&mut check, "type", part_type);
    }
    let status = query.first("locationStatus");
    check.optional("locationStatus", status, &LOCATION_STATUSES);
    check.finish()?;
    let undocumented = status == Some("UNDOCUMENTED");
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        let parts: Vec<DocumentationPart> = reader.list(&api)?;
        if undocumented {
            let places = undocumented::places(reader, &api, &parts)?.into_iter();
            return Ok(places
                .map(|location| Shown::Undocumented { location })
                .collect());
        }
        Ok::<Vec<Shown>, Error>(parts.into_iter().map(Shown::Part).collect())
    };
    let mut all = control.store.read(look).await?;
    all.retain(|one| is_asked_for(one.location(), &query));
    // The position is a place in the list: parts keep their order of creation.
    let numbered = all.into_iter().enumerate();
    let items = page.cut(numbered, |(number, _)| format!("{number:08}"));
    Ok(Json(items.map(|(_, shown)| shown)))
}

fn is_asked_for(location: &DocumentationPartLocation, query: &Query) -> bool {
    let is = |name: &str, value: Option<&str>| {
        let asked = query.first(name).filter(|asked| !asked.is_empty());
        asked.is_none_or(|asked| value == Some(asked))
    };
    is("type", Some(&location.part_type))
        && is("name", location.name.as_deref())
        && is("path", location.path.as_deref())
}

/// GetDocumentationPart.
pub async fn get(
    control: Control,
    Path((api, id)): Path<(String, String)>,
) -> Result<Json<DocumentationPart>, Error> {
    let look = move |reader: &Reader<'_>| find(reader, &api, &id);
    control.store.read(look).await.map(Json)
}

/// UpdateDocumentationPart.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<DocumentationPart>, Error> {
    let audit = caller.audit(json!({
        "restApiId": api, "documentationPartId": id, "patchOperations": patch.patch_operations,
    }));
    let changed = control.store.commit(audit, move |tx| {
        let mut part = find(tx, &api, &id)?;
        patch.apply(&mut part)?;
        tx.put(&part)?;
        Ok::<_, Error>(part)
    });
    changed.await.map(Json)
}

/// DeleteDocumentationPart.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "documentationPartId": id}));
    let settings = control.settings.clone();
    let done = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        match tx.delete::<DocumentationPart>(&api, &id)? {
            true => Ok(()),
            false => Err(unknown()),
        }
    });
    done.await
}

fn find(reader: &Reader<'_>, api: &str, id: &str) -> Result<DocumentationPart, Error> {
    reader.get(api, id)?.ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::not_found("Invalid Documentation part identifier specified")
}

impl NewDocumentationPart {
    fn checked(self, api: &str, id: String) -> Result<DocumentationPart, Error> {
        let new = self.location.unwrap_or_default();
        let location = DocumentationPartLocation {
            part_type: new.part_type.unwrap_or_default(),
            path: new.path,
            method: new.method,
            status_code: new.status_code,
            name: new.name,
        };
        checked(DocumentationPart {
            rest_api_id: api.to_owned(),
            id,
            location,
            properties: self.properties.unwrap_or_default(),
        })
    }
}

/// A part whose location and properties are good.
pub(crate) fn checked(part: DocumentationPart) -> Result<DocumentationPart, Error> {
    check_properties(&part.properties)?;
    let location = location::checked(part.location)?;
    Ok(DocumentationPart { location, ..part })
}

/// A JSON object that says something.
fn check_properties(properties: &str) -> Result<(), Error> {
    if properties.trim().is_empty() {
        return Err(Error::bad_request(
            "Documentation part properties must be non-empty",
        ));
    }
    if properties.len() > PROPERTIES_BYTES_MAX {
        return Err(Error::bad_request(format!(
            "Documentation part properties can be at most {PROPERTIES_BYTES_MAX} bytes."
        )));
    }
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(properties) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::bad_request(
            "Documentation part properties must be a JSON object",
        )),
    }
}

#[rustfmt::skip]
impl Patch for DocumentationPart {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/properties", |part, new| { let text = new.value().unwrap_or_default(); check_properties(text)?; text.clone_into(&mut part.properties); Ok(()) }),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

#[cfg(test)]
mod tests;
