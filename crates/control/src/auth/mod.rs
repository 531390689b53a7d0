//! Who is calling: an AWS signature, a console's session, or nobody on a gateway that listens on loopback only.

pub mod local;
pub mod session;
pub mod sigv4;

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::OwnedSemaphorePermit;
use tollgate_store::AccessKey;

use crate::Control;
use crate::error::Error;
use crate::extract::Caller;

/// Bytes of a request body at most: AWS's limit for an import, and more.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Seconds within which a body must have arrived.
pub const BODY_WAIT_S_MAX: u64 = 30;
/// Bytes of all bodies together at most; a call keeps its share until it is answered.
pub const BODIES_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Seconds that a call waits for its share of them.
pub const BODIES_WAIT_S_MAX: u64 = 10;

/// How a caller shows who it is.
enum Proof {
    /// By a signature over the whole call, to be checked when the body is there.
    Signed(Box<(sigv4::Claim, AccessKey)>),
    /// By a session, or not at all where nobody need.
    Given(String),
}

/// The layer every call passes: finds out who calls, reads the body, lets nobody else through.
pub async fn authenticate(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let proof = if !control.settings.auth {
        local::check(&parts.headers)?;
        Proof::Given("anonymous".to_owned())
    } else if !parts.headers.contains_key(AUTHORIZATION) && session::has_cookie(&parts.headers) {
        let limits = control.settings.sessions;
        Proof::Given(control.sessions.check(&parts, control.now(), limits)?)
    } else {
        let claim = sigv4::claim(&parts, control.now())?;
        let key = look_up(&control, &claim, &parts).await?;
        Proof::Signed(Box::new((claim, key)))
    };
    let (bytes, _share) = read(&control, &parts, body).await?;
    let who = match proof {
        Proof::Signed(signed) => {
            let (claim, key) = *signed;
            claim.fits(&parts, &bytes, key.secret.expose())?;
            key.id
        }
        Proof::Given(who) => who,
    };
    if let Some(caller) = parts.extensions.get_mut::<Caller>() {
        caller.who = who;
    }
    Ok(next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await)
}

/// The access key that a call names. Who names none of ours is refused before a byte of the body is read.
///
/// Equalised: a stranger's signature is computed too, and every one is compared in constant time, so that time tells
/// nothing of a secret. Not equalised: a known key's body is read and hashed besides. That a key exists is no secret:
/// the two refusals have different names, as on AWS.
async fn look_up(
    control: &Control,
    claim: &sigv4::Claim,
    parts: &Parts,
) -> Result<AccessKey, Error> {
    let id = claim.access_key_id.clone();
    let known = control
        .store
        .read(move |reader| reader.access_key(&id))
        .await?;
    known.ok_or_else(|| {
        drop(claim.fits(parts, b"", ""));
        Error::UnrecognizedClient
    })
}

/// Reads the body within its share of `BODIES_BYTES_MAX`: its length, or the most it can be if it has not said.
async fn read(
    control: &Control,
    parts: &Parts,
    body: Body,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Error> {
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(Error::RequestTooLarge(BODY_BYTES_MAX));
    }
    if body.is_end_stream() {
        return Ok((Bytes::new(), None));
    }
    let most = u32::try_from(announced.unwrap_or(BODY_BYTES_MAX)).unwrap_or(u32::MAX);
    let share = control.bodies.clone().acquire_many_owned(most);
    let share = match tokio::time::timeout(Duration::from_secs(BODIES_WAIT_S_MAX), share).await {
        Ok(Ok(share)) => share,
        Ok(Err(_)) | Err(_) => {
            return Err(Error::ServiceUnavailable(
                "Too many large calls are being read; nothing was changed.".to_owned(),
            ));
        }
    };
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(Duration::from_secs(BODY_WAIT_S_MAX), whole).await {
        Err(_) => Err(Error::RequestTimeout(BODY_WAIT_S_MAX)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Error::RequestTooLarge(BODY_BYTES_MAX))
        }
        Ok(Err(error)) => Err(Error::bad_request(format!(
            "The request body could not be read: {error}"
        ))),
        Ok(Ok(whole)) => Ok((whole.to_bytes(), Some(share))),
    }
}

#[cfg(test)]
mod tests;
