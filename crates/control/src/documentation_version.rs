//! DocumentationVersion: the documentation of an API as it was at one moment, for stages to name.

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::{DocumentationPart, DocumentationSnapshot, DocumentationVersion, Stage};
use tollgate_store::Reader;

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find};

/// Versions an API may have; each holds a copy of all parts.
const VERSIONS_PER_API_MAX: usize = 500;
/// Characters of a version's name.
const VERSION_CHARS_MAX: usize = 64;

/// The body of CreateDocumentationVersion.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewDocumentationVersion {
    documentation_version: Option<String>,
    stage_name: Option<String>,
    description: Option<String>,
}

/// CreateDocumentationVersion: freezes the parts there are; `stageName` shows the version from then on.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    Json(new): Json<NewDocumentationVersion>,
) -> Result<Json<DocumentationVersion>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("documentationVersion", &new.documentation_version);
    check.finish()?;
    let audit = caller.audit(json!({
        "restApiId": api, "documentationVersion": new.documentation_version, "stageName": new.stage_name,
    }));
    let settings = control.settings.clone();
    let created = control.store.commit(audit, move |tx| {
        find::rest_api(tx, &settings, &api)?;
        let version = DocumentationVersion {
            rest_api_id: api.clone(),
            version: new.documentation_version.unwrap_or_default(),
            created_date: caller.at,
            description: new.description.filter(|text| !text.is_empty()),
        };
        check_name(&version.version)?;
        let others: Vec<DocumentationVersion> = tx.list(&api)?;
        if others.iter().any(|other| other.version == version.version) {
            return Err(Error::conflict(format!(
                "Documentation version {} already exists for this API",
                version.version
            )));
        }
        if others.len() >= VERSIONS_PER_API_MAX {
            return Err(Error::too_many("Documentation Versions"));
        }
        let parts: Vec<DocumentationPart> = tx.list(&api)?;
        tx.insert(&DocumentationSnapshot {
            rest_api_id: api.clone(),
            version: version.version.clone(),
            parts,
        })?;
        tx.insert(&version)?;
        if let Some(name) = new.stage_name.filter(|name| !name.is_empty()) {
            let stage = find::stage(tx, &api, &name)?;
            tx.put(&Stage {
                documentation_version: Some(version.version.clone()),
                last_updated_date: caller.at,
                ..stage
            })?;
        }
        Ok::<_, Error>(version)
    });
    created.await.map(Json)
}

/// GetDocumentationVersions: in order of creation.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    page: Page,
) -> Result<Json<Items<DocumentationVersion>>, Error> {
    let page = page.oldest_first()?;
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        Ok::<_, Error>(reader.page::<DocumentationVersion>(&api, &page, |_| true)?)
    };
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetDocumentationVersion.
pub async fn get(
    control: Control,
    Path((api, version)): Path<(String, String)>,
) -> Result<Json<DocumentationVersion>, Error> {
    let look = move |reader: &Reader<'_>| find(reader, &api, &version);
    control.store.read(look).await.map(Json)
}

/// UpdateDocumentationVersion.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, version)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<DocumentationVersion>, Error> {
    let audit = caller.audit(json!({
        "restApiId": api, "documentationVersion": version, "patchOperations": patch.patch_operations,
    }));
    let changed = control.store.commit(audit, move |tx| {
        let mut version = find(tx, &api, &version)?;
        patch.apply(&mut version)?;
        tx.put(&version)?;
        Ok::<_, Error>(version)
    });
    changed.await.map(Json)
}

/// DeleteDocumentationVersion; stages that named it name none then.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, version)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "documentationVersion": version}));
    let done = control.store.commit(audit, move |tx| {
        find(tx, &api, &version)?;
        for mut stage in tx.list::<Stage>(&api)? {
            if stage.documentation_version.as_ref() == Some(&version) {
                stage.documentation_version = None;
                tx.put(&stage)?;
            }
        }
        tx.delete::<DocumentationSnapshot>(&api, &version)?;
        tx.delete::<DocumentationVersion>(&api, &version)?;
        Ok(())
    });
    done.await
}

fn find(reader: &Reader<'_>, api: &str, version: &str) -> Result<DocumentationVersion, Error> {
    reader
        .get(api, version)?
        .ok_or_else(|| Error::not_found("Invalid Documentation version identifier specified"))
}

fn check_name(version: &str) -> Result<(), Error> {
    if version.trim().is_empty() {
        return Err(Error::bad_request(
            "Documentation version must be non-empty",
        ));
    }
    if version.chars().count() > VERSION_CHARS_MAX {
        return Err(Error::bad_request(format!(
            "Documentation version can be at most {VERSION_CHARS_MAX} characters."
        )));
    }
    Ok(())
}

#[rustfmt::skip]
impl Patch for DocumentationVersion {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/description", |version, new| new.set(&mut version.description)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

#[cfg(test)]
mod tests;
