//! Content handling: when a body is text, when it is binary, and what becomes of it in between.
//!
//! AWS's tables of content type conversions, by the API's `binaryMediaTypes`, the type of the body, the
//! caller's `Accept` and the `contentHandling` of the integration or its response.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};

use crate::deployed::Misconfigured;

/// `contentHandling`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentHandling {
    ToText,
    ToBinary,
}

impl ContentHandling {
    /// Reads the setting; an empty one is none.
    pub fn of(setting: Option<&str>) -> Result<Option<ContentHandling>, Misconfigured> {
        match setting {
            None | Some("") => Ok(None),
            Some("CONVERT_TO_TEXT") => Ok(Some(ContentHandling::ToText)),
            Some("CONVERT_TO_BINARY") => Ok(Some(ContentHandling::ToBinary)),
            Some(other) => Err(Misconfigured::new(format!(
                "contentHandling {other} is not supported"
            ))),
        }
    }
}

/// `binaryMediaTypes`: types, `type/*`, or `*/*` for everything.
#[derive(Debug, Default)]
pub struct MediaTypes {
    exact: Vec<Box<str>>,
    /// With their slash.
    families: Vec<Box<str>>,
    is_every: bool,
}

impl MediaTypes {
    pub fn new(types: &[String]) -> MediaTypes {
        let mut all = MediaTypes::default();
        for media_type in types {
            let media_type = media_type.trim().to_ascii_lowercase();
            match media_type.strip_suffix('*') {
                Some("*/") => all.is_every = true,
                Some(family) if family.ends_with('/') => all.families.push(family.into()),
                _ => all.exact.push(media_type.into()),
            }
        }
        all
    }

    pub fn is_empty(&self) -> bool {
        !self.is_every && self.exact.is_empty() && self.families.is_empty()
    }

    fn has(&self, media_type: &str) -> bool {
        let bare = media_type.split(';').next().unwrap_or_default().trim();
        let bare = bare.to_ascii_lowercase();
        // What begins with a star is a wish and no type: only everything has it.
        self.is_every
            || self
                .families
                .iter()
                .any(|family| bare.starts_with(&**family))
            || (!bare.starts_with("*/") && self.exact.iter().any(|own| **own == *bare))
    }

    /// Whether a body of this `Content-Type` is binary.
    pub fn is_binary(&self, headers: &HeaderMap) -> bool {
        self.is_first_of(headers, &CONTENT_TYPE)
    }

    /// Whether a caller wants binary: only the first type of `Accept` counts.
    pub fn wants_binary(&self, headers: &HeaderMap) -> bool {
        self.is_first_of(headers, &ACCEPT)
    }

    fn is_first_of(&self, headers: &HeaderMap, name: &HeaderName) -> bool {
        if self.is_empty() {
            return false;
        }
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        let first = value.and_then(|value| value.split(',').next());
        first.map_or(self.is_every, |first| self.has(first))
    }
}

/// What happens to a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// It stays as it is; as text where a template reads it.
    None,
    Encode,
    Decode,
}

/// The conversion of a request's body.
pub fn of_request(is_binary: bool, handling: Option<ContentHandling>) -> Conversion {
    match (is_binary, handling) {
        (true, Some(ContentHandling::ToText)) => Conversion::Encode,
        (false, Some(ContentHandling::ToBinary)) => Conversion::Decode,
        _ => Conversion::None,
    }
}

/// The conversion of an answer's body.
pub fn of_response(
    is_binary: bool,
    wants_binary: bool,
    handling: Option<ContentHandling>,
) -> Conversion {
    let to_binary = match handling {
        Some(handling) => handling == ContentHandling::ToBinary,
        None => wants_binary,
    };
    match (is_binary, to_binary) {
        (true, false) => Conversion::Encode,
        (false, true) => Conversion::Decode,
        _ => Conversion::None,
    }
}

impl Conversion {
    /// Converts a body.
    ///
    /// # Errors
    /// When it is to be decoded and is no Base64.
    pub fn apply(self, body: Bytes) -> Result<Bytes, Misconfigured> {
        match self {
            Conversion::None => Ok(body),
            Conversion::Encode => Ok(STANDARD.encode(&body).into()),
            Conversion::Decode => STANDARD.decode(&body).map(Bytes::from).map_err(|_| {
                Misconfigured::new("the body cannot be converted to binary: it is no Base64")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        let value = (!value.is_empty()).then(|| HeaderValue::from_str(value).unwrap());
        value.map(|value| (name, value)).into_iter().collect()
    }

    /// Recorded from AWS, by the types set and the caller's Accept.
    #[test]
    fn the_first_accepted_type_decides() {
        let types = |types: &[&str]| {
            MediaTypes::new(&types.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>())
        };
        let some = types(&["image/png", "*/test"]);
        for (accept, expected) in [
            ("image/png", true),
            ("image/jpg", false),
            ("image/*", false),
            ("*/test", false),
            ("random/test", false),
            ("*/*", false),
            ("image/webp,image/png,*/*;q=0.8", false),
            ("image/png,image/*,*/*;q=0.8", true),
            ("IMAGE/PNG;q=1", true),
            ("", false),
        ] {
            assert_eq!(
                some.wants_binary(&headers(ACCEPT, accept)),
                expected,
                "{accept}"
            );
        }
        let family = types(&["application/*", "image/jpg"]);
        for (accept, expected) in [
            ("application/whatever", true),
            ("application/*", true),
            ("image/jpg", true),
            ("application", false),
            ("", false),
        ] {
            assert_eq!(
                family.wants_binary(&headers(ACCEPT, accept)),
                expected,
                "{accept}"
            );
        }
        let every = types(&["*/*"]);
        assert!(
            every.wants_binary(&headers(ACCEPT, ""))
                && every.is_binary(&headers(CONTENT_TYPE, "a/b"))
        );
        assert!(!types(&[]).is_binary(&headers(CONTENT_TYPE, "image/png")));
    }

    /// The tables of AWS's documentation, row by row.
    #[test]
    fn bodies_are_converted_by_the_tables() {
        use ContentHandling::{ToBinary, ToText};
        use Conversion::{Decode, Encode, None as Same};
        for (is_binary, handling, expected) in [
            (false, None, Same),
            (false, Some(ToBinary), Decode),
            (false, Some(ToText), Same),
            (true, None, Same),
            (true, Some(ToBinary), Same),
            (true, Some(ToText), Encode),
        ] {
            assert_eq!(of_request(is_binary, handling), expected);
        }
        for (is_binary, wants_binary, handling, expected) in [
            (false, false, None, Same),
            (false, false, Some(ToBinary), Decode),
            (false, false, Some(ToText), Same),
            (false, true, None, Decode),
            (false, true, Some(ToBinary), Decode),
            (false, true, Some(ToText), Same),
            (true, false, None, Encode),
            (true, false, Some(ToBinary), Same),
            (true, false, Some(ToText), Encode),
            (true, true, None, Same),
            (true, true, Some(ToBinary), Same),
            (true, true, Some(ToText), Encode),
        ] {
            assert_eq!(of_response(is_binary, wants_binary, handling), expected);
        }
        let apply = |conversion: Conversion, body: &'static str| conversion.apply(body.into());
        assert_eq!(apply(Encode, "\0é").unwrap(), "AMOp");
        assert_eq!(apply(Decode, "AMOp").unwrap(), "\0é");
        assert!(apply(Decode, "this is text").is_err());
        assert!(ContentHandling::of(Some("X")).is_err());
    }
}
