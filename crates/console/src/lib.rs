//! Serves the console's built files under `/console/`, and nothing else: it is one more client of the public API.
//!
//! The files are committed, so that a build needs no Node; `make console` makes them anew. Every file has an `ETag` and
//! is compressed once, when it is first asked for. An address without a file is a page of the console, and gets
//! `index.html`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Path, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, StatusCode};
use rust_embed::RustEmbed;

/// The built files; read from the directory in a debug build, part of the program in a release.
#[derive(RustEmbed)]
#[folder = "dist/"]
struct Built;

const INDEX: &str = "index.html";

/// Nothing from elsewhere, no script in a page's text, in nobody's frame. The components set sizes and places by style
/// attributes, which is why styles in a page's text are let through.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every answer says besides its content.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    // Names are stable, so a browser asks each time whether the file is still the same.
    (CACHE_CONTROL, "no-cache"),
    (VARY, "accept-encoding"),
];

/// The console's routes.
pub fn router() -> Router {
    let index = get(|headers: HeaderMap| async move { file(INDEX, &headers) });
    let rest =
        get(|Path(path): Path<String>, headers: HeaderMap| async move { file(&path, &headers) });
    Router::new()
        .route(
            "/console",
            get(|| async { Redirect::permanent("/console/") }),
        )
        .route("/console/", index)
        .route("/console/{*path}", rest)
}

/// A layer that leads a person's browser from `/` to the console. Whatever else comes there goes on.
pub async fn lead(request: Request, next: Next) -> Response {
    let accept = request.headers().get(ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let is_browser = accept.is_some_and(|accept| accept.contains("text/html"));
    match request.method() == Method::GET && request.uri().path() == "/" && is_browser {
        true => Redirect::to("/console/").into_response(),
        false => next.run(request).await,
    }
}

/// A file as it is sent.
struct Asset {
    plain: Bytes,
    gzip: Bytes,
    etag: HeaderValue,
    kind: &'static str,
}

/// Files by path, made ready when they are first asked for. In a debug build they are read anew every time.
static READY: LazyLock<Mutex<HashMap<String, Arc<Asset>>>> = LazyLock::new(Mutex::default);

fn file(path: &str, headers: &HeaderMap) -> Response {
    let asset = asset(path).or_else(|| match path.rsplit('/').next() {
        // What looks like a file and is none is missing, not a page.
        Some(name) if name.contains('.') => None,
        _ => asset(INDEX),
    });
    let Some(asset) = asset else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = if headers.get(IF_NONE_MATCH) == Some(&asset.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if accepts_gzip(headers) {
        let mut response = asset.gzip.clone().into_response();
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
        response
    } else {
        asset.plain.clone().into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(ETAG, asset.etag.clone());
    response
}

fn asset(path: &str) -> Option<Arc<Asset>> {
    let mut ready = READY.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(asset), false) = (ready.get(path), cfg!(debug_assertions)) {
        return Some(Arc::clone(asset));
    }
    let built = Built::get(path)?;
    let plain = match built.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let digest: String = built.metadata.sha256_hash()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let asset = Arc::new(Asset {
        gzip: gzip(&plain).unwrap_or_else(|_| plain.clone()),
        etag: HeaderValue::from_str(&format!("\"{digest}\"")).ok()?,
        kind: kind(path),
        plain,
    });
    ready.insert(path.to_owned(), Arc::clone(&asset));
    Some(asset)
}

fn gzip(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| {
        accepted
            .split(',')
            .map(|coding| coding.split(';').next().unwrap_or_default().trim())
            .any(|coding| coding.eq_ignore_ascii_case("gzip"))
    })
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
