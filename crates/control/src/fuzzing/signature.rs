//! Signatures: no bytes make a valid one, and a valid one fits no other request.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tollgate_entity::Timestamp;

use super::lines;
use crate::auth::sigv4::{claim, sign};

const NOW: Timestamp = Timestamp(1_767_323_045);
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Lines: method, target, headers as `name: value` up to an empty line, then the body.
fn read(bytes: &[u8]) -> Option<Request<Vec<u8>>> {
    let lines = lines(bytes);
    let mut lines = lines.into_iter();
    let method = Method::from_bytes(lines.next()?.as_bytes()).ok()?;
    let target: Uri = lines.next()?.parse().ok()?;
    let mut request = Request::new(Vec::new());
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request
            .headers_mut()
            .append(name, HeaderValue::from_bytes(value.trim().as_bytes()).ok()?);
    }
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.body_mut() = lines.collect::<Vec<_>>().join("\n").into_bytes();
    Some(request)
}

fn fits(parts: &Parts, body: &[u8]) -> bool {
    claim(parts, NOW).is_ok_and(|claim| claim.fits(parts, body, SECRET).is_ok())
}

/// What a presigned query says; nobody without the secret can write a valid one.
pub fn presigned(bytes: &[u8]) {
    if let Some(request) = read(bytes) {
        let (parts, body) = request.into_parts();
        assert!(!fits(&parts, &body));
    }
}

/// The request as it came; then signed by us; then with one thing about it changed.
pub fn signature(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let Some(mut request) = read(bytes) else {
        return;
    };
    let (parts, body) = request.clone().into_parts();
    assert!(!fits(&parts, &body));

    for name in [
        "authorization",
        "x-amz-date",
        "date",
        "x-amz-security-token",
        "x-amz-content-sha256",
    ] {
        request.headers_mut().remove(name);
    }
    if !request.headers().contains_key("host") {
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("localhost"));
    }
    sign(&mut request, "AKIDEXAMPLE", SECRET, "us-east-1", NOW).expect("a signature");
    let (parts, body) = request.into_parts();
    assert!(
        fits(&parts, &body),
        "our own signature does not fit {parts:?}"
    );

    let (mut other, mut other_body) = (parts.clone(), body.clone());
    let at = usize::from(*choice) / 8;
    let changed = match choice % 8 {
        0 => flip(&mut other_body, at),
        1 => {
            other_body.push(b'x');
            true
        }
        2 => {
            let method = if parts.method == Method::PUT {
                Method::PATCH
            } else {
                Method::PUT
            };
            other.method = method;
            true
        }
        3 => extend_target(&mut other, "/x", ""),
        4 => extend_target(
            &mut other,
            "",
            if parts.uri.query().is_some() {
                "&x=y"
            } else {
                "?x=y"
            },
        ),
        5 => change_header(&mut other, at),
        6 => change_signature(&mut other, at),
        _ => {
            other
                .headers
                .insert("x-amz-target", HeaderValue::from_static("another"));
            other.headers.get("x-amz-target") != parts.headers.get("x-amz-target")
        }
    };
    if changed {
        assert!(
            !fits(&other, &other_body),
            "a signature fits another request: {other:?}"
        );
    }
}

fn flip(bytes: &mut [u8], at: usize) -> bool {
    let length = bytes.len().max(1);
    match bytes.get_mut(at % length) {
        Some(byte) => {
            *byte ^= 1;
            true
        }
        None => false,
    }
}

fn extend_target(parts: &mut Parts, path: &str, query: &str) -> bool {
    let own = parts
        .uri
        .query()
        .map_or(String::new(), |own| format!("?{own}"));
    let target = format!("{}{path}{own}{query}", parts.uri.path());
    match target.parse() {
        Ok(uri) => {
            parts.uri = uri;
            true
        }
        Err(_) => false,
    }
}

/// A signed header's value continued; spaces at its ends are not signed, so it gets a letter.
fn change_header(parts: &mut Parts, at: usize) -> bool {
    let names: Vec<HeaderName> = parts
        .headers
        .keys()
        .filter(|name| *name != "authorization")
        .cloned()
        .collect();
    let name = &names[at % names.len()];
    let value = [parts.headers[name].as_bytes(), b"x"].concat();
    let Ok(value) = HeaderValue::from_bytes(&value) else {
        return false;
    };
    parts.headers.insert(name, value);
    true
}

/// One digit of the signature changed to another.
fn change_signature(parts: &mut Parts, at: usize) -> bool {
    let text = parts.headers["authorization"]
        .to_str()
        .expect("our own header")
        .to_owned();
    let place = text.len() - 1 - at % 64;
    let other = if &text[place..=place] == "0" {
        "1"
    } else {
        "0"
    };
    let changed = format!("{}{other}{}", &text[..place], &text[place + 1..]);
    parts
        .headers
        .insert("authorization", changed.parse().expect("our own header"));
    true
}
