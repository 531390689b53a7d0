//! The access keys of administrators: listed without their secrets, made, deleted.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_entity::Timestamp;

use crate::Control;
use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::page::Items;

/// Characters of a label at most.
const LABEL_CHARS_MAX: usize = 256;

/// An access key as it is listed; `secretAccessKey` is told once, when it is made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    access_key_id: String,
    label: String,
    created_date: Timestamp,
    /// Whether the caller uses it.
    current: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<String>,
}

/// The body of CreateAccessKey.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct New {
    label: String,
}

/// GetAccessKeys: oldest first.
pub async fn list(control: Control, caller: Caller) -> Result<Json<Items<Shown>>, Error> {
    let rows = control.store.read(|reader| reader.access_keys()).await?;
    let shown = rows.into_iter().map(|row| Shown {
        current: row.id == caller.who,
        access_key_id: row.id,
        label: row.label,
        created_date: row.created,
        secret_access_key: None,
    });
    Ok(Json(Items::whole(shown.collect())))
}

/// CreateAccessKey.
pub async fn create(
    control: Control,
    caller: Caller,
    Json(new): Json<New>,
) -> Result<Json<Shown>, Error> {
    let label = new.label.trim().to_owned();
    if label.is_empty() || label.chars().count() > LABEL_CHARS_MAX {
        return Err(Error::bad_request(format!(
            "label must say whose the key is or what for, in 1 to {LABEL_CHARS_MAX} characters"
        )));
    }
    let audit = caller.audit(json!({ "label": label }));
    let made = control.store.commit(audit, move |tx| {
        let key = tx.create_access_key(&label)?;
        tx.audit_mut().what["accessKeyId"] = json!(key.id);
        Ok::<_, Error>(key)
    });
    let key = made.await?;
    Ok(Json(Shown {
        current: false,
        secret_access_key: Some(key.secret.expose().to_owned()),
        access_key_id: key.id,
        label: key.label,
        created_date: key.created,
    }))
}

/// DeleteAccessKey; its signatures and sessions hold no longer. The last one stays: nobody could make another.
pub async fn delete(control: Control, caller: Caller, Path(id): Path<String>) -> Result<(), Error> {
    let audit = caller.audit(json!({ "accessKeyId": id }));
    let gone = id.clone();
    let done = control.store.commit(audit, move |tx| {
        let all = tx.access_keys()?;
        if !all.iter().any(|row| row.id == id) {
            return Err(Error::not_found("Invalid access key identifier specified"));
        }
        if all.len() == 1 {
            return Err(Error::conflict(
                "This is the last access key. Make another one before you delete it.",
            ));
        }
        tx.delete_access_key(&id)?;
        Ok(())
    });
    done.await?;
    control.sessions.end_all_of(&gone);
    Ok(())
}

#[cfg(test)]
mod tests;
