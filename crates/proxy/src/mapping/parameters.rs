//! Parameter mappings that read a body besides what every call has: the sources of a request's targets and
//! of a response's headers.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::HeaderName;

use super::expression::{Expression, Values};
use super::json_path::JsonPath;
use super::template::heap::Value;
use super::template::{RenderError, Scope, json};
use crate::deployed::Misconfigured;

/// Where a parameter of the integration's request comes from.
#[derive(Debug)]
pub enum RequestSource {
    Call(Expression),
    Body(BodySource),
}

/// Where a header of the method's response comes from.
#[derive(Debug)]
pub enum ResponseSource {
    Call(Expression),
    /// `integration.response.header.<name>`: the last of several.
    Header(HeaderName),
    /// `integration.response.multivalueheader.<name>`
    EveryHeader(HeaderName),
    Body(BodySource),
}

/// `body` or `body.<path>`
#[derive(Debug)]
pub enum BodySource {
    Whole,
    At(JsonPath),
}

impl BodySource {
    /// What follows `method.request.` or `integration.response.`, if it is about the body.
    fn parse(text: &str) -> Option<Result<BodySource, Misconfigured>> {
        let rest = text.strip_prefix("body")?;
        if rest.is_empty() {
            return Some(Ok(BodySource::Whole));
        }
        let path = JsonPath::parse(rest.strip_prefix('.')?);
        Some(
            path.map(BodySource::At)
                .map_err(|error| Misconfigured::new(error.to_string())),
        )
    }

    /// The text there is. A body that begins as JSON must be JSON, as on AWS.
    pub fn value(&self, scope: &mut Scope<'_>) -> Result<Option<String>, RenderError> {
        let body = scope.body_value()?;
        let found = match self {
            BodySource::Whole => scope.body_text()?,
            BodySource::At(path) => path.select(scope.heap(), &body)?,
        };
        Ok(match found {
            Value::Null => None,
            Value::Text(text) => Some(text.to_string()),
            found => {
                let mut text = String::new();
                json::write(scope.heap(), &found, &mut text)?;
                Some(text)
            }
        })
    }
}

impl RequestSource {
    /// An expression in a mapping of a request to its integration.
    pub fn parse(text: &str, resource_path: &str) -> Result<RequestSource, Misconfigured> {
        let body = text
            .strip_prefix("method.request.")
            .and_then(BodySource::parse);
        match body {
            Some(body) => body.map(RequestSource::Body),
            None => Expression::of_request(text, resource_path).map(RequestSource::Call),
        }
    }

    pub fn reads_body(&self) -> bool {
        matches!(self, RequestSource::Body(_))
    }

    /// Every value, decoded. `scope` is about the method's request.
    pub fn values(
        &self,
        values: &Values<'_>,
        scope: &mut Scope<'_>,
    ) -> Result<Vec<String>, RenderError> {
        Ok(match self {
            RequestSource::Call(expression) => {
                let every = expression.every_value(values).into_iter();
                every.map(Cow::into_owned).collect()
            }
            RequestSource::Body(body) => body.value(scope)?.into_iter().collect(),
        })
    }
}

impl ResponseSource {
    /// An expression in a mapping of an integration's response to the method's.
    pub fn parse(text: &str) -> Result<ResponseSource, Misconfigured> {
        let unsupported =
            || Misconfigured::new(format!("mapping expression {text} is not supported"));
        let Some(rest) = text.strip_prefix("integration.response.") else {
            return Expression::of_any(text)
                .map(ResponseSource::Call)
                .ok_or_else(unsupported);
        };
        if let Some(body) = BodySource::parse(rest) {
            return body.map(ResponseSource::Body);
        }
        let (place, name) = rest.split_once('.').ok_or_else(unsupported)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsupported())?;
        match place {
            "header" => Ok(ResponseSource::Header(name)),
            "multivalueheader" => Ok(ResponseSource::EveryHeader(name)),
            _ => Err(unsupported()),
        }
    }

    pub fn reads_body(&self) -> bool {
        matches!(self, ResponseSource::Body(_))
    }

    /// The value in an answer with these headers. `scope` is about the answer.
    pub fn value(
        &self,
        values: &Values<'_>,
        headers: &HeaderMap,
        scope: &mut Scope<'_>,
    ) -> Result<Option<String>, RenderError> {
        let text =
            |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(match self {
            ResponseSource::Call(expression) => expression.value(values).map(Cow::into_owned),
            ResponseSource::Header(name) => answered(headers, name).iter().next_back().map(text),
            ResponseSource::EveryHeader(name) => {
                let all: Vec<String> = answered(headers, name).iter().map(text).collect();
                (!all.is_empty()).then(|| all.join(","))
            }
            ResponseSource::Body(body) => body.value(scope)?,
        })
    }
}

/// An answer's header, also when it came under a name that the gateway has its own under.
fn answered<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> http::header::GetAll<'h, http::HeaderValue> {
    match headers.contains_key(name) {
        true => headers.get_all(name),
        false => headers.get_all(format!("x-amzn-remapped-{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let request = |text| RequestSource::parse(text, "/a/{id}");
        assert!(matches!(
            request("method.request.body"),
            Ok(RequestSource::Body(BodySource::Whole))
        ));
        assert!(matches!(
            request("method.request.body.pets[0].name"),
            Ok(RequestSource::Body(BodySource::At(_)))
        ));
        assert!(matches!(
            request("method.request.path.id"),
            Ok(RequestSource::Call(_))
        ));
        for bad in [
            "method.request.body.a[",
            "method.request.bodyx",
            "method.request.body.min()",
            "x",
        ] {
            assert!(request(bad).is_err(), "{bad}");
        }
        let response = ResponseSource::parse;
        assert!(matches!(
            response("integration.response.header.X-A"),
            Ok(ResponseSource::Header(_))
        ));
        assert!(matches!(
            response("integration.response.multivalueheader.X-A"),
            Ok(ResponseSource::EveryHeader(_))
        ));
        assert!(response("integration.response.body.a").is_ok_and(|source| source.reads_body()));
        assert!(matches!(response("'*'"), Ok(ResponseSource::Call(_))));
        for bad in [
            "method.request.header.a",
            "integration.response.header.a b",
            "integration.response.x.y",
            "*",
        ] {
            assert!(response(bad).is_err(), "{bad}");
        }
    }
}
