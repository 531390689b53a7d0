//! BasePathMapping: which API and stage a path of a domain name leads to. Create, get, list, update, delete,
//! and what keeps an API or a stage from being deleted.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_entity::{BasePathMapping, DomainName, RestApi, Stage};
use tollgate_store::{Reader, Transaction};

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find};

/// The body of CreateBasePathMapping.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewBasePathMapping {
    base_path: Option<String>,
    rest_api_id: Option<String>,
    stage: Option<String>,
}

/// CreateBasePathMapping.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(domain): Path<String>,
    Json(new): Json<NewBasePathMapping>,
) -> Result<Json<BasePathMapping>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("restApiId", &new.rest_api_id);
    check.finish()?;
    let audit = caller.audit(json!({"domainName": domain, "basePathMapping": new}));
    let mapping = BasePathMapping {
        domain_name: domain,
        base_path: BasePathMapping::kept_base_path(new.base_path.as_deref())?,
        rest_api_id: new.rest_api_id.unwrap_or_default(),
        stage: new.stage.filter(|stage| !stage.is_empty()),
    };
    let change = move |tx: &mut Transaction<'_>| {
        find::domain_name(tx, &mapping.domain_name)?;
        insert(tx, &mapping)?;
        Ok::<_, Error>(mapping)
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

/// GetBasePathMappings: in order of creation.
pub async fn list(
    control: Control,
    Path(domain): Path<String>,
    page: Page,
) -> Result<Json<Items<BasePathMapping>>, Error> {
    let page = page.oldest_first()?;
    let look = move |reader: &Reader<'_>| {
        find::domain_name(reader, &domain)?;
        Ok::<_, Error>(reader.page(&domain, &page, |_| true)?)
    };
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetBasePathMapping.
pub async fn get(
    control: Control,
    Path((domain, base_path)): Path<(String, String)>,
) -> Result<Json<BasePathMapping>, Error> {
    let look = move |reader: &Reader<'_>| found(reader, &domain, &base_path);
    Ok(Json(control.store.read(look).await?))
}

/// UpdateBasePathMapping.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((domain, base_path)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<BasePathMapping>, Error> {
    let audit = caller.audit(json!({
        "domainName": domain, "basePath": base_path, "patchOperations": patch.patch_operations,
    }));
    let change = move |tx: &mut Transaction<'_>| {
        let before = found(tx, &domain, &base_path)?;
        let mut mapping = before.clone();
        patch.apply(&mut mapping)?;
        if mapping.base_path == before.base_path {
            check_target(tx, &mapping)?;
            tx.put(&mapping)?;
        } else {
            tx.delete::<BasePathMapping>(&domain, &before.base_path)?;
            insert(tx, &mapping)?;
        }
        Ok::<_, Error>(mapping)
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

/// DeleteBasePathMapping.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((domain, base_path)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"domainName": domain, "basePath": base_path}));
    let change = move |tx: &mut Transaction<'_>| {
        let mapping = found(tx, &domain, &base_path)?;
        tx.delete::<BasePathMapping>(&domain, &mapping.base_path)?;
        Ok::<_, Error>(())
    };
    control.store.commit(audit, change).await
}

/// The mapping that a path of the control plane names, in whatever spelling.
fn found(reader: &Reader<'_>, domain: &str, base_path: &str) -> Result<BasePathMapping, Error> {
    let kept = BasePathMapping::kept_base_path(Some(base_path));
    find::base_path_mapping(reader, domain, &kept.unwrap_or_default())
}

fn insert(tx: &mut Transaction<'_>, mapping: &BasePathMapping) -> Result<(), Error> {
    check_target(tx, mapping)?;
    let there: Option<BasePathMapping> = tx.get(&mapping.domain_name, &mapping.base_path)?;
    if there.is_some() {
        return Err(Error::conflict(
            "Base path already exists for this domain name",
        ));
    }
    Ok(tx.insert(mapping)?)
}

/// The API must be there, and the stage, if one is named.
fn check_target(reader: &Reader<'_>, mapping: &BasePathMapping) -> Result<(), Error> {
    let api = &mapping.rest_api_id;
    if reader.get::<RestApi>("", api)?.is_none() {
        return Err(Error::bad_request("Invalid REST API identifier specified"));
    }
    match &mapping.stage {
        Some(stage) if reader.get::<Stage>(api, stage)?.is_none() => {
            Err(Error::bad_request("Invalid stage identifier specified"))
        }
        _ => Ok(()),
    }
}

#[rustfmt::skip]
impl Patch for BasePathMapping {
    // `restapiId` is AWS's own spelling.
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/basePath",  |it, new| { it.base_path = Self::kept_base_path(new.value())?; Ok(()) }),
        replace("/restapiId", |it, new| new.set(&mut it.rest_api_id)),
        replace("/stage",     |it, new| new.set(&mut it.stage)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

/// Refuses to let an API go that a domain name leads to.
pub(crate) fn check_api_unmapped(reader: &Reader<'_>, api: &str) -> Result<(), Error> {
    match domains_that_lead_to(reader, api, |_| true)? {
        None => Ok(()),
        Some(domains) => Err(Error::bad_request(format!(
            "Deleting RestApi failed. Please remove all base path mappings related to the RestApi in your domains: {domains}"
        ))),
    }
}

/// Refuses to let a stage go that a domain name leads to.
pub(crate) fn check_stage_unmapped(
    reader: &Reader<'_>,
    api: &str,
    stage: &str,
) -> Result<(), Error> {
    match domains_that_lead_to(reader, api, |mapped| mapped == Some(stage))? {
        None => Ok(()),
        Some(domains) => Err(Error::bad_request(format!(
            "Deleting stage {stage} failed. Please remove all base path mappings related to the stage in your domains: {domains}"
        ))),
    }
}

/// The names of the domains with a mapping to the API whose stage `matters`, if there are any.
fn domains_that_lead_to(
    reader: &Reader<'_>,
    api: &str,
    matters: impl Fn(Option<&str>) -> bool,
) -> Result<Option<String>, Error> {
    let mut names = Vec::new();
    for domain in reader.list::<DomainName>("")? {
        let mappings: Vec<BasePathMapping> = reader.list(&domain.domain_name)?;
        let leads = |it: &BasePathMapping| it.rest_api_id == api && matters(it.stage.as_deref());
        if mappings.iter().any(leads) {
            names.push(domain.domain_name);
        }
    }
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

#[cfg(test)]
mod tests;
