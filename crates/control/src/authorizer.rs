//! Authorizer: who decides whether a caller may call. Stored and reported; calls to methods that use one fail.

mod check;

use serde::Deserialize;
use serde_json::json;
use tollgate_entity::{Authorizer, AuthorizerType, RestApi, id};
use tollgate_store::Reader;

use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::{Items, Page};
use crate::patch::{Patch, PatchDocument, PatchRule, Patched, PathRefusal, add, remove, replace};
use crate::{Control, find, method};

/// Authorizers an API may have.
const AUTHORIZERS_PER_API_MAX: usize = 100;
/// AWS's enumeration.
pub(crate) const TYPES: [&str; 3] = ["TOKEN", "REQUEST", "COGNITO_USER_POOLS"];
/// Seconds an answer is kept unless the authorizer says otherwise.
const TTL_S_DEFAULT: i32 = 300;

/// The body of CreateAuthorizer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewAuthorizer {
    pub(crate) name: Option<String>,
    #[serde(rename = "type")]
    pub(crate) authorizer_type: Option<String>,
    #[serde(rename = "providerARNs")]
    pub(crate) provider_arns: Option<Vec<String>>,
    pub(crate) auth_type: Option<String>,
    pub(crate) authorizer_uri: Option<String>,
    pub(crate) authorizer_credentials: Option<String>,
    pub(crate) identity_source: Option<String>,
    pub(crate) identity_validation_expression: Option<String>,
    pub(crate) authorizer_result_ttl_in_seconds: Option<i32>,
}

/// CreateAuthorizer. AWS tells a missing API as a conflict here.
pub async fn create(
    control: Control,
    caller: Caller,
    Path(api): Path<String>,
    Json(new): Json<NewAuthorizer>,
) -> Result<Json<Authorizer>, Error> {
    let mut check = Check::body_of(caller.operation);
    check.present("name", &new.name);
    check.present("type", &new.authorizer_type);
    check.optional("type", new.authorizer_type.as_deref(), &TYPES);
    check.finish()?;
    let id = id::six(&mut control.rng());
    let audit = caller.audit(json!({
        "restApiId": api, "authorizerId": id, "name": new.name, "type": new.authorizer_type,
    }));
    let created = control.store.commit(audit, move |tx| {
        if tx.get::<RestApi>("", &api)?.is_none() {
            return Err(Error::conflict(
                "Unable to complete operation due to concurrent modification. Please try again later.",
            ));
        }
        let authorizer = new.checked(&api, id)?;
        let others: Vec<Authorizer> = tx.list(&api)?;
        check::name_is_free(&others, &authorizer)?;
        if others.len() >= AUTHORIZERS_PER_API_MAX {
            return Err(Error::too_many("Authorizers"));
        }
        tx.insert(&authorizer)?;
        Ok::<_, Error>(authorizer)
    });
    created.await.map(Json)
}

/// GetAuthorizers: in order of creation.
pub async fn list(
    control: Control,
    Path(api): Path<String>,
    page: Page,
) -> Result<Json<Items<Authorizer>>, Error> {
    let page = page.oldest_first()?;
    let settings = control.settings.clone();
    let look = move |reader: &Reader<'_>| {
        find::rest_api(reader, &settings, &api)?;
        Ok::<_, Error>(reader.page::<Authorizer>(&api, &page, |_| true)?)
    };
    Ok(Json(control.store.read(look).await?.into()))
}

/// GetAuthorizer.
pub async fn get(
    control: Control,
    Path((api, id)): Path<(String, String)>,
) -> Result<Json<Authorizer>, Error> {
    let look = move |reader: &Reader<'_>| find(reader, &api, &id);
    control.store.read(look).await.map(Json)
}

/// UpdateAuthorizer.
pub async fn update(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
    patch: PatchDocument,
) -> Result<Json<Authorizer>, Error> {
    let audit = caller.audit(
        json!({"restApiId": api, "authorizerId": id, "patchOperations": patch.patch_operations}),
    );
    let changed = control.store.commit(audit, move |tx| {
        let before = find(tx, &api, &id)?;
        let mut authorizer = before.clone();
        patch.apply(&mut authorizer)?;
        check::check(&authorizer)?;
        check::name_is_free(&tx.list::<Authorizer>(&api)?, &authorizer)?;
        if serves_cognito(&before) != serves_cognito(&authorizer) {
            refuse_if_used(tx, &before, "change the type of")?;
        }
        tx.put(&authorizer)?;
        Ok::<_, Error>(authorizer)
    });
    changed.await.map(Json)
}

/// DeleteAuthorizer: not while a method uses it.
pub async fn delete(
    control: Control,
    caller: Caller,
    Path((api, id)): Path<(String, String)>,
) -> Result<(), Error> {
    let audit = caller.audit(json!({"restApiId": api, "authorizerId": id}));
    let done = control.store.commit(audit, move |tx| {
        let authorizer = find(tx, &api, &id)?;
        refuse_if_used(tx, &authorizer, "delete")?;
        tx.delete::<Authorizer>(&api, &id)?;
        Ok(())
    });
    done.await
}

fn refuse_if_used(reader: &Reader<'_>, authorizer: &Authorizer, what: &str) -> Result<(), Error> {
    let uses = |id: Option<&String>| id == Some(&authorizer.id);
    let place = method::first(reader, &authorizer.rest_api_id, |method| {
        uses(method.authorizer_id.as_ref())
    })?;
    match place {
        None => Ok(()),
        Some(place) => Err(Error::conflict(format!(
            "Cannot {what} authorizer '{}', is referenced in method: {place}",
            authorizer.name
        ))),
    }
}

fn find(reader: &Reader<'_>, api: &str, id: &str) -> Result<Authorizer, Error> {
    reader
        .get(api, id)?
        .ok_or_else(|| Error::not_found("Invalid Authorizer identifier specified"))
}

/// Whether methods of the type COGNITO_USER_POOLS can use it; the others are for CUSTOM.
pub(crate) fn serves_cognito(authorizer: &Authorizer) -> bool {
    authorizer.authorizer_type == AuthorizerType::CognitoUserPools
}

impl NewAuthorizer {
    /// The authorizer, if it is good by itself.
    pub(crate) fn checked(self, api: &str, id: String) -> Result<Authorizer, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let authorizer_type = authorizer_type(self.authorizer_type.as_deref().unwrap_or_default())?;
        let cognito = authorizer_type == AuthorizerType::CognitoUserPools;
        let auth_type = if cognito {
            "cognito_user_pools"
        } else {
            "custom"
        };
        let ttl = self.authorizer_result_ttl_in_seconds;
        let authorizer = Authorizer {
            rest_api_id: api.to_owned(),
            id,
            name: self.name.unwrap_or_default(),
            authorizer_type,
            provider_arns: self.provider_arns.unwrap_or_default(),
            auth_type: given(self.auth_type).or_else(|| Some(auth_type.to_owned())),
            authorizer_uri: given(self.authorizer_uri),
            authorizer_credentials: given(self.authorizer_credentials),
            identity_source: given(self.identity_source),
            identity_validation_expression: given(self.identity_validation_expression),
            authorizer_result_ttl_in_seconds: ttl.or_else(|| (!cognito).then_some(TTL_S_DEFAULT)),
        };
        check::check(&authorizer)?;
        Ok(authorizer)
    }
}

/// Reads a type; a front layer may have checked the text before.
fn authorizer_type(text: &str) -> Result<AuthorizerType, Error> {
    match text {
        "TOKEN" => Ok(AuthorizerType::Token),
        "REQUEST" => Ok(AuthorizerType::Request),
        "COGNITO_USER_POOLS" => Ok(AuthorizerType::CognitoUserPools),
        _ => Err(Error::bad_request(format!(
            "Invalid authorizer type specified. Valid options are {}",
            TYPES.join(",")
        ))),
    }
}

#[rustfmt::skip]
impl Patch for Authorizer {
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/name",                         |it, new| new.set(&mut it.name)),
        replace("/type",                         |it, new| { it.authorizer_type = authorizer_type(new.text()?)?; Ok(()) }),
        replace("/authType",                     |it, new| new.set(&mut it.auth_type)),
        replace("/authorizerUri",                |it, new| new.set(&mut it.authorizer_uri)),
        replace("/authorizerCredentials",        |it, new| new.set(&mut it.authorizer_credentials)),
        replace("/authorizerResultTtlInSeconds", patch_ttl),
        replace("/identitySource",               |it, new| new.set(&mut it.identity_source)),
        replace("/identityValidationExpression", |it, new| new.set(&mut it.identity_validation_expression)),
        add(    "/providerARNs", |it, new| { let arn = new.text()?; if !it.provider_arns.iter().any(|known| known == arn) { it.provider_arns.push(arn.to_owned()); } Ok(()) }),
        remove( "/providerARNs", |it, old| { it.provider_arns.retain(|arn| Some(arn.as_str()) != old.value()); Ok(()) }),
    ];
    const REFUSAL: PathRefusal = PathRefusal::ListedIfAny;
}

/// What is no number is refused like one out of range.
fn patch_ttl(authorizer: &mut Authorizer, new: &Patched<'_>) -> Result<(), Error> {
    let text = new.value().filter(|text| !text.is_empty());
    authorizer.authorizer_result_ttl_in_seconds =
        text.map(|text| text.trim().parse().unwrap_or(-1));
    Ok(())
}

#[cfg(test)]
mod tests;
