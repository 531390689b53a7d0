//! DomainName: a name of one's own for APIs, with its certificate. Create, get, list, update, delete.

mod new;
pub(crate) mod update;

use serde_json::{Value, json};
use tollgate_entity::{BasePathMapping, DomainName};
use tollgate_store::{Reader, Transaction};

use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::PatchDocument;
use crate::{Control, audit, find, shown};
pub use new::NewDomainName;
use update::Change;

/// CreateDomainName.
pub async fn create(
    control: Control,
    caller: Caller,
    Json(new): Json<NewDomainName>,
) -> Result<Json<DomainName>, Error> {
    new.check_front(caller.operation)?;
    let audit = caller.audit(audit::masked(json!(new)));
    let created = new.checked(&control, caller.at)?;
    let change = move |tx: &mut Transaction<'_>| {
        let (domain, certificate) = created;
        if tx.get::<DomainName>("", &domain.domain_name)?.is_some() {
            return Err(Error::bad_request(
                "The domain name you provided already exists.",
            ));
        }
        if let Some(certificate) = certificate {
            tx.put_secret::<DomainName>(&domain.domain_name, &certificate)?;
        }
        tx.insert(&domain)?;
        Ok::<_, Error>(domain)
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

/// GetDomainNames: in order of creation.
pub async fn list(control: Control, page: Page) -> Result<Json<Items<DomainName>>, Error> {
    let page = page.oldest_first()?;
    let look = move |reader: &Reader<'_>| Ok::<_, Error>(reader.page("", &page, |_| true)?);
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetDomainName.
pub async fn get(control: Control, Path(name): Path<String>) -> Result<Json<Value>, Error> {
    let look = move |reader: &Reader<'_>| find::domain_name(reader, &name);
    shown::with_tags(&control.store.read(look).await?)
}

/// UpdateDomainName.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(name): Path<String>,
    patch: PatchDocument,
) -> Result<Json<Value>, Error> {
    let operations = update::without_secrets(&patch);
    let audit = caller.audit(json!({"domainName": name, "patchOperations": operations}));
    let own = control.clone();
    let change = move |tx: &mut Transaction<'_>| {
        let before = find::domain_name(tx, &name)?;
        let mut change = Change::of(before.clone());
        patch.apply(&mut change)?;
        let (domain, certificate) = change.checked(&before, &own, caller.at)?;
        if let Some(certificate) = certificate {
            tx.put_secret::<DomainName>(&name, &certificate)?;
        } else if update::names_another(&before, &domain) {
            tx.delete_secret::<DomainName>(&name)?;
        }
        tx.put(&domain)?;
        Ok::<_, Error>(domain)
    };
    shown::with_tags(&control.store.commit(audit, change).await?)
}

/// DeleteDomainName, with its base path mappings.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"domainName": name}));
    let change = move |tx: &mut Transaction<'_>| {
        find::domain_name(tx, &name)?;
        tx.delete_children::<BasePathMapping>(&name)?;
        tx.delete_secret::<DomainName>(&name)?;
        tx.delete::<DomainName>("", &name)?;
        Ok::<_, Error>(())
    };
    control.store.commit(audit, change).await
}

#[cfg(test)]
mod tests;
