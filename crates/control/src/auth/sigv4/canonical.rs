//! The canonical form of a request: what signer and verifier must agree on to the byte.

use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but letters, digits and `-._~` is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same for a path, which keeps its slashes.
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// The text that is hashed and signed.
pub fn canonical_request(
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    signed_headers: &[String],
    body_hash: &str,
) -> String {
    let mut text = format!("{method}\n{}\n{query}\n", canonical_path(path));
    for name in signed_headers {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| spaced_once(value.as_bytes()))
            .collect();
        text.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    text.push_str(&format!("\n{}\n{body_hash}", signed_headers.join(";")));
    text
}

/// Trims a header's value and makes one space of several.
fn spaced_once(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .split_ascii_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The path as sent (encoded once), without dot segments and empty ones, encoded a second time.
fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let slash = if !segments.is_empty()
        && (path.ends_with('/') || path.ends_with("/.") || path.ends_with("/.."))
    {
        "/"
    } else {
        ""
    };
    let normal = format!("/{}{slash}", segments.join("/"));
    utf8_percent_encode(&normal, ENCODED_IN_PATH).to_string()
}

pub fn canonical_query(query: &str) -> String {
    canonical_pairs(query_pairs(query))
}

/// Encoded anew and sorted by name, then value.
pub fn canonical_pairs(pairs: Vec<(String, String)>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut pairs: Vec<(String, String)> = pairs
        .iter()
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// The query's members, decoded; `+` is a space, as for the handlers.
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let members = query.split('&').filter(|member| !member.is_empty());
    members
        .map(|member| member.split_once('=').unwrap_or((member, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}
