//! Resource: the paths of an API, and the one way in to what lives inside a resource.

pub(crate) mod tree;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_entity::{Method, Resource, id};
use tollgate_store::Reader;

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, replace};
use crate::{Control, find};
use tree::Tree;

/// The body of CreateResource.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewResource {
    path_part: Option<String>,
}

/// CreateResource.
pub async fn create(
    control: Control,
    caller: Caller,
    Path((api, parent)): Path<(String, String)>,
    Json(new): Json<NewResource>,
) -> Result<Json<Shown>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("pathPart", &new.path_part);
    check.finish()?;
    let part = new.path_part.unwrap_or_default();
    let id = id::six(&mut control.rng());
    let audit = caller
        .audit(json!({"restApiId": api, "parentId": parent, "resourceId": id, "pathPart": part}));
    let resource = control.store.commit(audit, move |tx| {
        let tree = Tree::of(tx.list(&api)?);
        let mut resource = Resource {
            rest_api_id: api,
            id,
            ..Resource::default()
        };
        tree.place(&mut resource, &parent, &part)?;
        tx.insert(&resource)?;
        Ok::<_, Error>(resource)
    });
    Ok(Json(Shown::of(resource.await?, false)))
}

/// GetResources: by path.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    query: Query,
    page: Page,
) -> Result<Json<Items<Shown>>, Error> {
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &control.settings, &api)?;
        Ok::<Vec<Resource>, Error>(reader.list(&api)?)
    };
    let mut resources = control.store.clone().read(look).await?;
    resources.sort_by(|a, b| a.path.cmp(&b.path));
    let whole = embeds_methods(&query);
    Ok(Json(
        page.cut(resources, |resource| resource.path.clone())
            .map(|resource| Shown::of(resource, whole)),
    ))
}

/// GetResource.
pub async fn get(
    control: Control,
    Path((api, id)): Path<(String, String)>,
    query: Query,
) -> Result<Json<Shown>, Error> {
    let resource = control
        .store
        .read(move |reader| find::resource(reader, &api, &id))
        .await?;
    Ok(Json(Shown::of(resource, embeds_methods(&query))))
}

/// UpdateResource: another name, another parent, or both; the paths below follow.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<Shown>, Error> {
    let audit = caller.audit(
        json!({"restApiId": api, "resourceId": id, "patchOperations": patch.patch_operations}),
    );
    let resource = control.store.commit(audit, move |tx| {
        let resource = find::resource(tx, &api, &id)?;
        let mut place = Place {
            parent_id: resource.parent_id,
            path_part: resource.path_part,
        };
        patch.apply(&mut place)?;
        let mut tree = Tree::of(tx.list(&api)?);
        if let (Some(parent), Some(part)) = (&place.parent_id, &place.path_part) {
            for moved in tree.move_to(&id, parent, part)? {
                tx.put(moved)?;
            }
        }
        find::resource(tx, &api, &id)
    });
    Ok(Json(Shown::of(resource.await?, false)))
}

/// DeleteResource, with everything below it.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "resourceId": id}));
    let done = control.store.commit(audit, move |tx| {
        if find::resource(tx, &api, &id)?.parent_id.is_none() {
            return Err(Error::bad_request("Root resource cannot be deleted."));
        }
        for gone in Tree::of(tx.list(&api)?).with_descendants(&id) {
            tx.delete::<Resource>(&api, gone)?;
        }
        Ok(())
    });
    done.await
}

/// Changes what lives inside a resource: one read, change and write, so that no concurrent change is lost.
pub(crate) async fn change<T: Send + 'static>(
    control: &Control,
    caller: &Caller,
    at: &At,
    detail: Value,
    change: impl FnOnce(&Reader<'_>, &mut Resource) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let at = at.clone();
    let what = json!({"restApiId": at.api, "resourceId": at.resource, "httpMethod": at.verb, "change": detail});
    let done = control.store.commit(caller.audit(what), move |tx| {
        let mut resource = find::resource(tx, &at.api, &at.resource)?;
        let answer = change(tx, &mut resource)?;
        tx.put(&resource)?;
        Ok(answer)
    });
    done.await
}

/// Where a method is: API, resource and verb.
#[derive(Debug, Clone, Deserialize)]
pub struct At {
    #[serde(rename = "restapi_id")]
    pub api: String,
    #[serde(rename = "resource_id")]
    pub resource: String,
    #[serde(rename = "http_method")]
    pub verb: String,
}

/// Where a response of a method is: its place and its status code.
#[derive(Debug, Clone, Deserialize)]
pub struct AtResponse {
    #[serde(flatten)]
    pub at: At,
    pub status_code: String,
}

/// What UpdateResource can change. The root has neither member.
pub(crate) struct Place {
    parent_id: Option<String>,
    path_part: Option<String>,
}

impl Place {
    fn below_root(&mut self, member: &str) -> Result<&mut Self, Error> {
        match self.parent_id {
            Some(_) => Ok(self),
            None => Err(Error::bad_request(format!(
                "Root resource cannot update its {member}."
            ))),
        }
    }
}

#[rustfmt::skip]
impl Patch for Place {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/parentId", |place, new| new.text().and_then(|id| { place.below_root("parentId")?.parent_id = Some(id.to_owned()); Ok(()) })),
        replace("/pathPart", |place, new| new.text().and_then(|part| { place.below_root("pathPart")?.path_part = Some(part.to_owned()); Ok(()) })),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

/// A resource as it is answered: its verbs only, or its methods whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_part: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    resource_methods: BTreeMap<String, ShownMethod>,
}

/// A method of a listed resource.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ShownMethod {
    /// `{}`.
    Named {},
    Whole(Box<Method>),
}

impl Shown {
    fn of(resource: Resource, whole: bool) -> Self {
        let show = |method| {
            if whole {
                ShownMethod::Whole(Box::new(method))
            } else {
                ShownMethod::Named {}
            }
        };
        Shown {
            id: resource.id,
            parent_id: resource.parent_id,
            path_part: resource.path_part,
            path: resource.path,
            resource_methods: resource
                .resource_methods
                .into_iter()
                .map(|(verb, method)| (verb, show(method)))
                .collect(),
        }
    }
}

/// Whether the query has `embed=methods`.
fn embeds_methods(query: &Query) -> bool {
    query.all("embed").any(|embed| embed == "methods")
}

#[cfg(test)]
mod tests;
