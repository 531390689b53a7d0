//! AWS Signature Version 4: making one (our own client) and checking one (header or presigned query).
//!
//! What is signed: method, path (percent-encoded twice), query, chosen headers and the body's hash, under a key
//! derived from the secret, the day, the region and the service.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

mod canonical;
mod claim;
#[cfg(test)]
mod tests;
mod time;

use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, InvalidHeaderValue};
use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tollgate_entity::Timestamp;

use crate::error::Error;
use canonical::{canonical_pairs, canonical_query, canonical_request, query_pairs};
pub use claim::{EXPIRES_S_MAX, SKEW_MIN_MAX, claim};
use time::amz_date;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "apigateway";
const TERMINATOR: &str = "aws4_request";
const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. \
    Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// Signs a request to a control plane: sets `host` (from the URI, if it is not there), `x-amz-date` and `authorization`.
pub fn sign<B: AsRef<[u8]>>(
    request: &mut Request<B>,
    access_key_id: &str,
    secret: &str,
    region: &str,
    at: Timestamp,
) -> Result<(), InvalidHeaderValue> {
    if !request.headers().contains_key(HOST)
        && let Some(authority) = request.uri().authority()
    {
        let host = HeaderValue::from_str(authority.as_str())?;
        request.headers_mut().insert(HOST, host);
    }
    let time = amz_date(at);
    request
        .headers_mut()
        .insert(X_AMZ_DATE, HeaderValue::from_str(&time)?);
    request.headers_mut().remove(AUTHORIZATION);
    let mut names: Vec<String> = request
        .headers()
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    names.sort_unstable();
    let scope = Scope {
        day: time[..8].to_owned(),
        region: region.to_owned(),
    };
    let canonical = canonical_request(
        request.method(),
        request.uri().path(),
        &canonical_query(request.uri().query().unwrap_or_default()),
        request.headers(),
        &names,
        &sha256_hex(request.body().as_ref()),
    );
    let signature = scope.signature(secret, &time, &canonical);
    let value = format!(
        "{ALGORITHM} Credential={access_key_id}/{}, SignedHeaders={}, Signature={signature}",
        scope.text(),
        names.join(";")
    );
    request
        .headers_mut()
        .insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
    Ok(())
}

/// What a request says about its own signature. Everything that can be checked without a secret has been.
#[derive(Debug)]
pub struct Claim {
    pub access_key_id: String,
    scope: Scope,
    /// As signed: `20260102T030405Z`.
    time: String,
    signed_headers: Vec<String>,
    signature: String,
    presigned: bool,
}

#[derive(Debug)]
struct Scope {
    day: String,
    region: String,
}

impl Claim {
    /// Whether `secret` made this signature for exactly this request. Takes the same time whatever the secret.
    pub fn fits(&self, parts: &Parts, body: &[u8], secret: &str) -> Result<(), Error> {
        let body_hash = sha256_hex(body);
        let said = parts.headers.get(X_AMZ_CONTENT_SHA256);
        let body_fits = said.is_none_or(|said| said.as_bytes().ct_eq(body_hash.as_bytes()).into());
        let mut pairs = query_pairs(parts.uri.query().unwrap_or_default());
        if self.presigned {
            pairs.retain(|(name, _)| name != "X-Amz-Signature");
        }
        let canonical = canonical_request(
            &parts.method,
            parts.uri.path(),
            &canonical_pairs(pairs),
            &parts.headers,
            &self.signed_headers,
            &body_hash,
        );
        let expected = self.scope.signature(secret, &self.time, &canonical);
        let fits: bool = expected.as_bytes().ct_eq(self.signature.as_bytes()).into();
        match (fits, body_fits) {
            (_, false) => Err(Error::InvalidSignature(
                "The provided 'x-amz-content-sha256' header does not match what was computed."
                    .to_owned(),
            )),
            (false, true) => Err(Error::InvalidSignature(MISMATCH.to_owned())),
            (true, true) => Ok(()),
        }
    }
}

impl Scope {
    fn text(&self) -> String {
        format!("{}/{}/{SERVICE}/{TERMINATOR}", self.day, self.region)
    }

    fn signature(&self, secret: &str, time: &str, canonical: &str) -> String {
        let day_key = hmac(format!("AWS4{secret}").as_bytes(), &self.day);
        let region_key = hmac(&day_key, &self.region);
        let service_key = hmac(&region_key, SERVICE);
        let key = hmac(&service_key, TERMINATOR);
        let text = format!(
            "{ALGORITHM}\n{time}\n{}\n{}",
            self.text(),
            sha256_hex(canonical.as_bytes())
        );
        hex(&hmac(&key, &text))
    }
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    // HMAC takes a key of any length: an error cannot come.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
