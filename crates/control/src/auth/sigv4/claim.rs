//! What a request says about its own signature, and everything about it that can be refused without a secret.

use http::header::{AUTHORIZATION, DATE, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method};
use tollgate_entity::Timestamp;

use super::canonical::query_pairs;
use super::time::{amz_date, parse_date};
use super::{ALGORITHM, Claim, SERVICE, Scope, TERMINATOR, X_AMZ_DATE};
use crate::error::Error;

/// How far a signature's time may be from ours, in minutes.
pub const SKEW_MIN_MAX: i64 = 5;
/// How long a presigned URL may be valid, in seconds.
pub const EXPIRES_S_MAX: i64 = 7 * 24 * 60 * 60;
/// The header, or member of a presigned query, of temporary credentials.
const TOKEN: &str = "x-amz-security-token";

/// Reads the signature of a request: of its `Authorization` header, or of the query of a presigned GET.
pub fn claim(parts: &Parts, now: Timestamp) -> Result<Claim, Error> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    match (headers.next(), headers.next()) {
        (Some(header), None) => claim_of_header(header, &parts.headers, now),
        (Some(_), Some(_)) => Err(Error::IncompleteSignature(
            "There is more than one Authorization header.".to_owned(),
        )),
        (None, _) => claim_of_query(parts, now),
    }
}

fn claim_of_header(
    header: &HeaderValue,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Claim, Error> {
    let header = header
        .to_str()
        .map_err(|_| incomplete("The Authorization header is not ASCII."))?;
    let members = Members::read(header)?;
    let date = headers
        .get(X_AMZ_DATE)
        .or_else(|| headers.get(DATE))
        .and_then(|date| date.to_str().ok());
    let mut missing = Vec::new();
    for name in ["Credential", "Signature", "SignedHeaders"] {
        if members.get(name).is_none() {
            missing.push(format!("Authorization header requires '{name}' parameter."));
        }
    }
    if date.is_none() {
        missing.push(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned(),
        );
    }
    let (Some(credential), Some(signature), Some(signed_headers), Some(date)) = (
        members.get("Credential"),
        members.get("Signature"),
        members.get("SignedHeaders"),
        date,
    ) else {
        return Err(incomplete(missing.join(" ")));
    };
    let at = parse_date(date)?;
    let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_owned).collect();
    let dated = if headers.contains_key(X_AMZ_DATE) {
        X_AMZ_DATE
    } else {
        DATE
    };
    require_signed(&signed_headers, HOST.as_str(), "'Host' or ':authority'")?;
    require_signed(&signed_headers, dated.as_str(), "'X-Amz-Date' or 'Date'")?;
    require_signed_amz(&signed_headers, headers)?;
    let (access_key_id, scope) = read_credential(credential, at)?;
    refuse_token(headers.contains_key(TOKEN))?;
    check_skew(at, now, SKEW_MIN_MAX * 60)?;
    let time = amz_date(at);
    Ok(Claim {
        access_key_id,
        scope,
        time,
        signed_headers,
        signature: signature.to_owned(),
        presigned: false,
    })
}

fn claim_of_query(parts: &Parts, now: Timestamp) -> Result<Claim, Error> {
    let pairs = query_pairs(parts.uri.query().unwrap_or_default());
    let get = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let Some(algorithm) = get("X-Amz-Algorithm") else {
        return Err(Error::MissingAuthenticationToken);
    };
    if parts.method != Method::GET {
        return Err(Error::AccessDenied(
            "A presigned query is accepted for GET only.".to_owned(),
        ));
    }
    if algorithm != ALGORITHM {
        return Err(incomplete(format!(
            "Unsupported AWS 'algorithm': '{algorithm}'."
        )));
    }
    let need = |name: &str| {
        get(name).ok_or_else(|| {
            incomplete(format!(
                "AWS query-string parameters must include '{name}'."
            ))
        })
    };
    let at = parse_date(need("X-Amz-Date")?)?;
    let signed_headers: Vec<String> = need("X-Amz-SignedHeaders")?
        .split(';')
        .map(str::to_owned)
        .collect();
    require_signed(&signed_headers, HOST.as_str(), "'Host' or ':authority'")?;
    require_signed_amz(&signed_headers, &parts.headers)?;
    let expires_s: i64 = need("X-Amz-Expires")?
        .parse()
        .map_err(|_| incomplete("X-Amz-Expires must be a number."))?;
    if !(1..=EXPIRES_S_MAX).contains(&expires_s) {
        return Err(incomplete(format!(
            "X-Amz-Expires must be between 1 and {EXPIRES_S_MAX} seconds."
        )));
    }
    let (access_key_id, scope) = read_credential(need("X-Amz-Credential")?, at)?;
    let in_query = pairs
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(TOKEN));
    refuse_token(in_query || parts.headers.contains_key(TOKEN))?;
    check_skew(at, now, expires_s)?;
    let signature = need("X-Amz-Signature")?.to_owned();
    Ok(Claim {
        access_key_id,
        scope,
        time: amz_date(at),
        signed_headers,
        signature,
        presigned: true,
    })
}

/// The `name=value` members of an Authorization header.
struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Members<'a> {
    fn read(header: &'a str) -> Result<Self, Error> {
        let rest = header
            .strip_prefix(ALGORITHM)
            .filter(|rest| rest.starts_with([' ', ',']));
        let mut members = Vec::new();
        for text in rest
            .unwrap_or(header)
            .split([',', ' '])
            .filter(|text| !text.is_empty())
        {
            let pair = text.split_once('=').ok_or_else(|| {
                incomplete(format!(
                    "'{text}' not a valid key=value pair (missing equal-sign) in Authorization header: '{header}'."
                ))
            })?;
            members.push(pair);
        }
        match rest {
            Some(_) => Ok(Self(members)),
            None => Err(incomplete(
                "Unsupported AWS 'algorithm' in Authorization header, only AWS4-HMAC-SHA256 is known.",
            )),
        }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(key, value)| *key == name && !value.is_empty())
            .map(|(_, value)| *value)
    }
}

/// Reads `<key id>/<day>/<region>/apigateway/aws4_request`.
fn read_credential(credential: &str, at: Timestamp) -> Result<(String, Scope), Error> {
    let elements: Vec<&str> = credential.split('/').collect();
    let [id, day, region, service, terminator] = elements.as_slice() else {
        return Err(incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        )));
    };
    if *service != SERVICE {
        return Err(Error::InvalidSignature(format!(
            "Credential should be scoped to correct service: '{SERVICE}'. "
        )));
    }
    if *terminator != TERMINATOR {
        return Err(Error::InvalidSignature(format!(
            "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'. "
        )));
    }
    let time = amz_date(at);
    if !time.starts_with(day) || day.len() != 8 {
        return Err(Error::InvalidSignature(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{}', from '{time}'.",
            &time[..8]
        )));
    }
    Ok((
        (*id).to_owned(),
        Scope {
            day: (*day).to_owned(),
            region: (*region).to_owned(),
        },
    ))
}

fn require_signed(signed: &[String], name: &str, shown: &str) -> Result<(), Error> {
    if signed.iter().any(|signed| signed == name) {
        return Ok(());
    }
    Err(Error::InvalidSignature(format!(
        "{shown} must be a 'SignedHeader' in the AWS Authorization."
    )))
}

/// AWS's own headers change what a call means, so that whoever adds one later must not pass.
fn require_signed_amz(signed: &[String], headers: &HeaderMap) -> Result<(), Error> {
    headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-"))
        .try_for_each(|name| require_signed(signed, name, &format!("'{name}'")))
}

/// There are no temporary credentials here, so that a token for them belongs to another service.
fn refuse_token(there: bool) -> Result<(), Error> {
    if there {
        Err(Error::UnrecognizedClient)
    } else {
        Ok(())
    }
}

/// A signature holds from five minutes before its time until `valid_s` after it.
fn check_skew(at: Timestamp, now: Timestamp, valid_s: i64) -> Result<(), Error> {
    let (signed, shown_now) = (amz_date(at), amz_date(now));
    if at.0 < now.0.saturating_sub(valid_s) {
        let earliest = amz_date(Timestamp(now.0 - valid_s));
        let span = if valid_s % 60 == 0 {
            format!("{} min.", valid_s / 60)
        } else {
            format!("{valid_s} sec.")
        };
        return Err(Error::InvalidSignature(format!(
            "Signature expired: {signed} is now earlier than {earliest} ({shown_now} - {span})"
        )));
    }
    let skew_s = SKEW_MIN_MAX * 60;
    if at.0 > now.0.saturating_add(skew_s) {
        let latest = amz_date(Timestamp(now.0 + skew_s));
        return Err(Error::InvalidSignature(format!(
            "Signature not yet current: {signed} is still later than {latest} ({shown_now} + {SKEW_MIN_MAX} min.)"
        )));
    }
    Ok(())
}

pub(super) fn incomplete(text: impl Into<String>) -> Error {
    Error::IncompleteSignature(text.into())
}
