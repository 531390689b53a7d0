//! Who is calling: an AWS signature, or nobody on a gateway that listens on loopback only.

pub mod local;
pub mod sigv4;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::Control;
use crate::error::Error;
use crate::extract::Caller;

/// Bytes of a request body at most: AWS's limit for an import, and more.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Seconds within which a body must have arrived.
pub const BODY_WAIT_S_MAX: u64 = 30;

/// The layer every call passes: reads the body, finds out who calls, lets nobody else through.
pub async fn authenticate(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let who;
    let bytes;
    if control.settings.auth {
        let claim = sigv4::claim(&parts, control.now())?;
        bytes = read(&parts, body).await?;
        who = verified(&control, claim, &parts, &bytes).await?;
    } else {
        local::check(&parts.headers)?;
        bytes = read(&parts, body).await?;
        who = "anonymous".to_owned();
    }
    if let Some(caller) = parts.extensions.get_mut::<Caller>() {
        caller.who = who;
    }
    Ok(next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await)
}

/// Checks the signature with the secret of the key it names; an unknown key costs as much as a wrong secret.
async fn verified(
    control: &Control,
    claim: sigv4::Claim,
    parts: &Parts,
    body: &[u8],
) -> Result<String, Error> {
    let id = claim.access_key_id.clone();
    let known = control
        .store
        .read(move |reader| reader.access_key(&id))
        .await?;
    let fits = claim.fits(
        parts,
        body,
        known.as_ref().map_or("", |key| key.secret.expose()),
    );
    match known {
        None => Err(Error::UnrecognizedClient),
        Some(key) => fits.map(|()| key.id),
    }
}

async fn read(parts: &Parts, body: Body) -> Result<Bytes, Error> {
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(Error::RequestTooLarge(BODY_BYTES_MAX));
    }
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(Duration::from_secs(BODY_WAIT_S_MAX), whole).await {
        Err(_) => Err(Error::RequestTimeout(BODY_WAIT_S_MAX)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Error::RequestTooLarge(BODY_BYTES_MAX))
        }
        Ok(Err(error)) => Err(Error::bad_request(format!(
            "The request body could not be read: {error}"
        ))),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
    }
}

#[cfg(test)]
mod tests;
