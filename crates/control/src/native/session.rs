//! Signing in to the console and out again: the only calls besides health that nobody needs to be known for.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::Control;
use crate::auth::{BODY_WAIT_S_MAX, local, session};
use crate::error::Error;
use crate::extract::Json;
use crate::json;

/// Bytes of a sign-in at most.
const BODY_BYTES_MAX: usize = 4096;
/// What wrong credentials are answered, whichever part of them is wrong.
const WRONG: &str = "The access key id or the secret is wrong.";

/// What somebody signs in with.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
}

/// Who is signed in, as the console asks when it is opened.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// False where the gateway asks nobody who they are.
    authentication: bool,
    signed_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    /// For the header `X-Tollgate-CSRF` of every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
    /// Seconds without a call after which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_timeout_s: Option<i64>,
}

/// `/tollgate/session`: GET who is signed in, POST signs in, DELETE signs out.
pub fn routes(control: &Control) -> Router {
    let methods = get(show).post(sign_in).delete(sign_out);
    Router::new()
        .route("/tollgate/session", methods)
        .with_state(control.clone())
}

async fn show(control: Control, request: Request) -> Result<Response, Error> {
    let (parts, _) = request.into_parts();
    if !control.settings.auth {
        local::check(&parts.headers)?;
        return Ok(shown(Shown {
            signed_in: true,
            ..Shown::default()
        }));
    }
    session::check_site(&parts)?;
    let limits = control.settings.sessions;
    let found = control.sessions.find(&parts.headers, control.now(), limits);
    let signed_in = found.is_some();
    let (access_key_id, csrf_token) = found.unzip();
    Ok(shown(Shown {
        authentication: true,
        signed_in,
        access_key_id,
        csrf_token,
        idle_timeout_s: signed_in.then_some(limits.idle_s),
    }))
}

async fn sign_in(control: Control, request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    if !control.settings.auth {
        return Err(Error::bad_request(
            "This gateway runs without authentication: there is nothing to sign in to.",
        ));
    }
    session::check_site(&parts)?;
    let now = control.now();
    if let Err(wait_s) = control.sessions.may_try(now) {
        return Ok(too_many(wait_s));
    }
    let given: Credentials = json::parse(&read(body).await?)?;
    let id = given.access_key_id.trim().to_owned();
    let known = control
        .store
        .read(move |reader| reader.access_key(&id))
        .await?;
    // A stranger's secret is compared, too, so that time does not tell which access keys exist.
    let secret = known.as_ref().map_or("", |key| key.secret.expose());
    let fits = bool::from(
        given
            .secret_access_key
            .trim()
            .as_bytes()
            .ct_eq(secret.as_bytes()),
    );
    let Some(key) = known.filter(|_| fits) else {
        control.sessions.failed(now);
        tracing::warn!(
            access_key_id = given.access_key_id.chars().take(32).collect::<String>(),
            "a sign-in to the console was refused"
        );
        return Err(Error::AccessDenied(WRONG.to_owned()));
    };
    control.sessions.end(&parts.headers);
    let begun = control.sessions.begin(&key.id, now, &mut control.rng());
    tracing::info!(access_key_id = key.id, "signed in to the console");
    let limits = control.settings.sessions;
    let mut response = shown(Shown {
        authentication: true,
        signed_in: true,
        access_key_id: Some(key.id),
        csrf_token: Some(begun.csrf),
        idle_timeout_s: Some(limits.idle_s),
    });
    put_cookie(&control, &mut response, Some(&begun.secret));
    Ok(response)
}

async fn sign_out(control: Control, parts: Parts) -> Result<Response, Error> {
    session::check_site(&parts)?;
    control.sessions.end(&parts.headers);
    let mut response = shown(Shown {
        authentication: control.settings.auth,
        ..Shown::default()
    });
    put_cookie(&control, &mut response, None);
    Ok(response)
}

fn put_cookie(control: &Control, response: &mut Response, secret: Option<&str>) {
    let cookie = session::set_cookie(secret, control.settings.tls, control.settings.sessions);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
}

/// Never kept by a browser: it holds the token.
fn shown(shown: Shown) -> Response {
    let mut response = Json(shown).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn too_many(wait_s: i64) -> Response {
    let text = format!("Too many sign-ins have failed. Try again in {wait_s} seconds.");
    let mut response = Error::limit_exceeded(text).into_response();
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(wait_s));
    response
}

async fn read(body: Body) -> Result<bytes::Bytes, Error> {
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(Duration::from_secs(BODY_WAIT_S_MAX), whole).await {
        Err(_) => Err(Error::RequestTimeout(BODY_WAIT_S_MAX)),
        Ok(Err(_)) => Err(Error::RequestTooLarge(BODY_BYTES_MAX)),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
    }
}

#[cfg(test)]
mod tests;
