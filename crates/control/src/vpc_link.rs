//! VpcLink: AWS's way into a private network. Here it is a name that integrations may use; their URI is called directly.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_entity::{Resource, RestApi, Tags, VpcLink, id, tags};
use tollgate_store::{Reader, Transaction};

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find, shown};

/// Characters in a link's name.
const NAME_CHARS_MAX: usize = 1024;

/// The body of CreateVpcLink.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewVpcLink {
    name: Option<String>,
    description: Option<String>,
    target_arns: Option<Vec<String>>,
    tags: Option<Tags>,
}

/// CreateVpcLink.
pub async fn create(
    control: Control,
    caller: Caller,
    Json(new): Json<NewVpcLink>,
) -> Result<Json<VpcLink>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("name", &new.name);
    check.present("targetArns", &new.target_arns);
    check.finish()?;
    let mut audit = caller.audit(json!(new));
    let tags = new.tags.unwrap_or_default();
    tags::check(&tags)?;
    let link = VpcLink {
        id: id::six(&mut control.rng()),
        name: new.name.unwrap_or_default(),
        description: new.description.filter(|text| !text.is_empty()),
        target_arns: new.target_arns.unwrap_or_default(),
        status: "AVAILABLE".to_owned(),
        status_message: None,
        tags,
    };
    check_name(&link)?;
    check_targets(&link.target_arns)?;
    audit.what["id"] = json!(link.id);
    let change = move |tx: &mut Transaction<'_>| {
        tx.insert(&link)?;
        Ok::<_, Error>(link)
    };
    Ok(Json(control.store.commit(audit, change).await?))
}

fn check_name(link: &VpcLink) -> Result<(), Error> {
    if link.name.is_empty() {
        return Err(Error::bad_request("Name cannot be empty"));
    }
    Ok(tollgate_entity::Invalid::check_chars(
        "Name",
        &link.name,
        NAME_CHARS_MAX,
    )?)
}

/// AWS takes one load balancer a link.
fn check_targets(arns: &[String]) -> Result<(), Error> {
    let [arn] = arns else {
        return Err(Error::bad_request(
            "A VPC link must have exactly one target ARN",
        ));
    };
    if !arn.starts_with("arn:") || arn.splitn(6, ':').count() < 6 {
        return Err(Error::bad_request(format!(
            "Invalid ARN. ARN is not well formed {arn}"
        )));
    }
    Ok(())
}

/// GetVpcLinks: in order of creation.
pub async fn list(control: Control, page: Page) -> Result<Json<Items<VpcLink>>, Error> {
    let page = page.oldest_first()?;
    let look = move |reader: &Reader<'_>| Ok::<_, Error>(reader.page("", &page, |_| true)?);
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetVpcLink.
pub async fn get(control: Control, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let look = move |reader: &Reader<'_>| find::vpc_link(reader, &id);
    shown::with_tags(&control.store.read(look).await?)
}

/// UpdateVpcLink.
pub async fn update(
    control: Control,
    caller: Caller,
    Path(id): Path<String>,
    patch: PatchDocument,
) -> Result<Json<Value>, Error> {
    let audit = caller.audit(json!({"vpcLinkId": id, "patchOperations": patch.patch_operations}));
    let change = move |tx: &mut Transaction<'_>| {
        let mut link = find::vpc_link(tx, &id)?;
        patch.apply(&mut link)?;
        check_name(&link)?;
        tx.put(&link)?;
        Ok::<_, Error>(link)
    };
    shown::with_tags(&control.store.commit(audit, change).await?)
}

/// DeleteVpcLink: refused while an integration names it.
pub async fn delete(control: Control, caller: Caller, Path(id): Path<String>) -> Result<(), Error> {
    let audit = caller.audit(json!({"vpcLinkId": id}));
    let change = move |tx: &mut Transaction<'_>| {
        find::vpc_link(tx, &id)?;
        let users = methods_that_name(tx, &id)?;
        if !users.is_empty() {
            return Err(Error::bad_request(format!(
                "Cannot delete vpc link. Vpc link '{id}', is referenced in [{}] in format of [Method:Resource].",
                users.join(", ")
            )));
        }
        tx.delete::<VpcLink>("", &id)?;
        Ok::<_, Error>(())
    };
    control.store.commit(audit, change).await
}

/// The methods whose integrations name the link, as `GET:<resource id>`.
fn methods_that_name(reader: &Reader<'_>, link: &str) -> Result<Vec<String>, Error> {
    let mut users = Vec::new();
    for api in reader.list::<RestApi>("")? {
        for resource in reader.list::<Resource>(&api.id)? {
            for (verb, method) in &resource.resource_methods {
                let integration = method.method_integration.as_ref();
                if integration.is_some_and(|it| it.connection_id.as_deref() == Some(link)) {
                    users.push(format!("{verb}:{}", resource.id));
                }
            }
        }
    }
    Ok(users)
}

#[rustfmt::skip]
impl Patch for VpcLink {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/name",        |it, new| new.set(&mut it.name)),
        replace("/description", |it, new| new.set(&mut it.description)),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

#[cfg(test)]
mod tests;
