//! One mapping expression: parsed when a deployment is compiled, evaluated for each call.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::HeaderName;

use super::context::ContextVariable;
use super::query;
use crate::deployed::Misconfigured;
use crate::invocation::Invocation;
use crate::snapshot::Stage;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// `'text'`
    Static(Box<str>),
    /// `method.request.path.<name>`, by the variable's place in the resource's path.
    Path { index: usize, is_greedy: bool },
    /// `method.request.querystring.<name>`: the last of several.
    Query(Box<str>),
    /// `method.request.multivaluequerystring.<name>`
    EveryQuery(Box<str>),
    /// `method.request.header.<name>`: the last of several.
    Header(HeaderName),
    /// `method.request.multivalueheader.<name>`
    EveryHeader(HeaderName),
    /// `stageVariables.<name>`
    StageVariable(Box<str>),
    /// `context.<name>`
    Context(ContextVariable),
}

/// What expressions read.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    pub call: &'a Invocation,
    pub stage: &'a Stage,
    pub request_headers: &'a HeaderMap,
}

/// The variables of a resource's path, outermost first, and whether each is greedy.
pub fn path_variables(resource_path: &str) -> impl Iterator<Item = (&str, bool)> {
    resource_path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some((name.strip_suffix('+').unwrap_or(name), name.ends_with('+')))
    })
}

impl Expression {
    /// An expression in a mapping of a request to its integration.
    pub fn of_request(text: &str, resource_path: &str) -> Result<Expression, Misconfigured> {
        let unsupported =
            || Misconfigured::new(format!("mapping expression {text} is not supported"));
        let Some(rest) = text.strip_prefix("method.request.") else {
            return Expression::of_any(text).ok_or_else(unsupported);
        };
        let (place, name) = rest
            .split_once('.')
            .filter(|(_, name)| !name.is_empty())
            .ok_or_else(unsupported)?;
        let header = || HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsupported());
        match place {
            "path" => path_variables(resource_path)
                .enumerate()
                .find(|(_, (own, _))| *own == name)
                .map(|(index, (_, is_greedy))| Expression::Path { index, is_greedy })
                .ok_or_else(|| {
                    Misconfigured::new(format!("{resource_path} has no variable {name}"))
                }),
            "querystring" => Ok(Expression::Query(name.into())),
            "multivaluequerystring" => Ok(Expression::EveryQuery(name.into())),
            "header" => Ok(Expression::Header(header()?)),
            "multivalueheader" => Ok(Expression::EveryHeader(header()?)),
            _ => Err(unsupported()),
        }
    }

    /// What may stand in a mapping in either direction.
    pub fn of_any(text: &str) -> Option<Expression> {
        if let Some(inner) = text
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
        {
            return Some(Expression::Static(inner.into()));
        }
        if let Some(name) = text.strip_prefix("stageVariables.") {
            return Some(Expression::StageVariable(name.into()));
        }
        let name = text.strip_prefix("context.")?;
        Some(Expression::Context(ContextVariable::named(name)))
    }

    /// The value in a call, if there is one. Query values are decoded; path values are as they came.
    pub fn value<'a>(&'a self, values: &Values<'a>) -> Option<Cow<'a, str>> {
        match self {
            Expression::Static(text) => Some(Cow::Borrowed(text)),
            Expression::Path { index, .. } => values.call.path_parameter(*index).map(Cow::Borrowed),
            Expression::Query(name) => query::values(values.call.uri.query()?, name).last(),
            Expression::EveryQuery(name) => {
                let all: Vec<_> = query::values(values.call.uri.query()?, name).collect();
                (!all.is_empty()).then(|| Cow::Owned(all.join(",")))
            }
            Expression::Header(name) => {
                let value = values.request_headers.get_all(name).iter().next_back()?;
                Some(String::from_utf8_lossy(value.as_bytes()))
            }
            Expression::EveryHeader(name) => {
                let all = values.request_headers.get_all(name).iter();
                let all: Vec<_> = all
                    .map(|value| String::from_utf8_lossy(value.as_bytes()))
                    .collect();
                (!all.is_empty()).then(|| Cow::Owned(all.join(",")))
            }
            Expression::StageVariable(name) => values
                .stage
                .variables
                .get(&**name)
                .map(|v| Cow::Borrowed(v.as_str())),
            Expression::Context(variable) => variable.value(values),
        }
    }

    /// All values, for a target that can hold several.
    pub fn every_value<'a>(&'a self, values: &Values<'a>) -> Vec<Cow<'a, str>> {
        match self {
            Expression::EveryQuery(name) => values
                .call
                .uri
                .query()
                .map(|q| query::values(q, name).collect())
                .unwrap_or_default(),
            _ => self.value(values).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_parsed_once() {
        let parse = |text| Expression::of_request(text, "/a/{id}/{rest+}");
        assert_eq!(parse("'v1'"), Ok(Expression::Static("v1".into())));
        assert_eq!(
            parse("method.request.path.id"),
            Ok(Expression::Path {
                index: 0,
                is_greedy: false
            })
        );
        assert_eq!(
            parse("method.request.path.rest"),
            Ok(Expression::Path {
                index: 1,
                is_greedy: true
            })
        );
        assert_eq!(
            parse("method.request.querystring.a.b"),
            Ok(Expression::Query("a.b".into()))
        );
        assert_eq!(
            parse("method.request.header.X-Y"),
            Ok(Expression::Header(HeaderName::from_static("x-y")))
        );
        assert_eq!(
            parse("stageVariables.host"),
            Ok(Expression::StageVariable("host".into()))
        );
        assert_eq!(
            parse("context.stage"),
            Ok(Expression::Context(ContextVariable::Stage))
        );
        for bad in [
            "method.request.body",
            "method.request.body.a",
            "method.request.path.other",
            "method.request.header.",
            "method.request.header.a b",
            "integration.response.header.a",
            "plain",
            "'open",
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
