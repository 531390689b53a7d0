//! The URI of an integration: literal text, `${stageVariables.<name>}`, `{<path parameter>}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::uri::PathAndQuery;

use super::expression::{Expression, Values, path_variables};
use super::path_value::{self, Spelling};
use crate::deployed::Misconfigured;
use crate::gateway_response::{BadRequest, Refused};
use crate::net::origin::Origin;

/// Origins that one URI may have at a time before they are looked up anew: stages share a deployment,
/// and each has its own variables.
const ORIGINS_MAX: usize = 64;

/// A compiled URI.
#[derive(Debug)]
pub struct UriTemplate {
    /// What follows the origin; the whole URI when its origin needs stage variables.
    pieces: Vec<Piece>,
    origin: OriginTemplate,
}

#[derive(Debug)]
enum OriginTemplate {
    Fixed(Arc<Origin>),
    /// From stage variables; those found so far are kept.
    Rendered(ArcSwap<Vec<Arc<Origin>>>),
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(Box<str>),
    StageVariable(Box<str>),
    /// A parameter by its name, and where its value comes from.
    Value(Box<str>, Expression),
}

/// Where a call goes.
#[derive(Debug)]
pub struct Target {
    pub origin: Arc<Origin>,
    pub path: PathAndQuery,
}

impl UriTemplate {
    /// `mapped` holds the expressions of `integration.request.path.<name>`. A parameter without one is
    /// the method's own variable of that name.
    pub fn compile(
        uri: &str,
        resource_path: &str,
        mapped: &BTreeMap<&str, Expression>,
    ) -> Result<UriTemplate, Misconfigured> {
        if uri.contains('#') {
            return Err(Misconfigured::new(format!("the URI {uri} has a fragment")));
        }
        let mut pieces = pieces(uri, resource_path, mapped)?;
        let fixed = match pieces.first() {
            Some(Piece::Literal(text)) => {
                split(text).filter(|(_, rest)| !rest.is_empty() || pieces.len() == 1)
            }
            _ => None,
        };
        let Some((origin, rest)) = fixed else {
            return match pieces
                .iter()
                .any(|piece| matches!(piece, Piece::StageVariable(_)))
            {
                true => Ok(UriTemplate {
                    pieces,
                    origin: OriginTemplate::Rendered(ArcSwap::default()),
                }),
                false => Err(bad_uri(uri)),
            };
        };
        let origin = Origin::new(origin.0, origin.1).ok_or_else(|| bad_uri(uri))?;
        let rest = Piece::Literal(rest.into());
        pieces[0] = rest;
        Ok(UriTemplate {
            pieces,
            origin: OriginTemplate::Fixed(Arc::new(origin)),
        })
    }

    /// The target of a call: the URI, then the caller's query as it came, then what is mapped into it
    /// (names and values written as in a query).
    pub fn target(
        &self,
        values: &Values<'_>,
        query: Option<&str>,
        mapped_query: &[(&str, String)],
    ) -> Result<Target, Refused> {
        self.target_by(values, query, mapped_query, |_| None)
    }

    /// The same, with values given for some of the URI's parameters.
    pub fn target_with(
        &self,
        values: &Values<'_>,
        query: Option<&str>,
        mapped_query: &[(&str, String)],
        given: &[(Box<str>, String)],
    ) -> Result<Target, Refused> {
        self.target_by(values, query, mapped_query, |name| {
            let found = given.iter().find(|(own, _)| **own == *name);
            found.map(|(_, value)| value.as_str())
        })
    }

    #[inline]
    fn target_by<'g>(
        &self,
        values: &Values<'_>,
        query: Option<&str>,
        mapped_query: &[(&str, String)],
        given: impl Fn(&str) -> Option<&'g str>,
    ) -> Result<Target, Refused> {
        let mut text = String::with_capacity(128);
        let mut first_value = usize::MAX;
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::StageVariable(name) => text.push_str(variable(values, name)?),
                Piece::Value(name, expression) => {
                    first_value = first_value.min(text.len());
                    match given(name) {
                        Some(value) => push_given(&mut text, value)?,
                        None => push_value(&mut text, expression, values)?,
                    }
                }
            }
        }
        let origin = match &self.origin {
            OriginTemplate::Fixed(origin) => Arc::clone(origin),
            OriginTemplate::Rendered(known) => cut_origin(&mut text, first_value, known)?,
        };
        if !text.starts_with('/') {
            text.insert(0, '/'); // nothing, or a query alone
        }
        for part in query.into_iter().filter(|query| !query.is_empty()) {
            join_query(&mut text);
            text.push_str(part);
        }
        for (name, value) in mapped_query {
            join_query(&mut text);
            text.extend([name, "=", value]);
        }
        match PathAndQuery::from_maybe_shared(Bytes::from(text)) {
            Ok(path) => Ok(Target { origin, path }),
            // Whatever a caller says is escaped by now.
            Err(_) => Err(Misconfigured::new(
                "the integration's URI has characters that no URI has",
            )
            .into()),
        }
    }
}

fn bad_uri(uri: &str) -> Misconfigured {
    Misconfigured::new(format!("{uri} is not an http or https URI with a host"))
}

/// Splits `{}` and `${}` from the text around them.
fn pieces(
    uri: &str,
    resource_path: &str,
    mapped: &BTreeMap<&str, Expression>,
) -> Result<Vec<Piece>, Misconfigured> {
    let mut pieces = Vec::new();
    let mut rest = uri;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').ok_or_else(|| bad_uri(uri))? + open;
        let name = &rest[open + 1..close];
        let literal = &rest[..open];
        let literal = match literal.strip_suffix('$') {
            Some(before) => {
                let name = name
                    .strip_prefix("stageVariables.")
                    .ok_or_else(|| bad_uri(uri))?;
                push_literal(&mut pieces, before);
                pieces.push(Piece::StageVariable(name.into()));
                None
            }
            None => Some(literal),
        };
        if let Some(literal) = literal {
            let name = name.strip_suffix('+').unwrap_or(name);
            push_literal(&mut pieces, literal);
            let expression = parameter(name, resource_path, mapped)?;
            pieces.push(Piece::Value(name.into(), expression));
        }
        rest = &rest[close + 1..];
    }
    push_literal(&mut pieces, rest);
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.into()));
    }
}

fn parameter(
    name: &str,
    resource_path: &str,
    mapped: &BTreeMap<&str, Expression>,
) -> Result<Expression, Misconfigured> {
    if let Some(expression) = mapped.get(name) {
        return Ok(expression.clone());
    }
    path_variables(resource_path)
        .enumerate()
        .find(|(_, (own, _))| *own == name)
        .map(|(index, (_, is_greedy))| Expression::Path { index, is_greedy })
        .ok_or_else(|| Misconfigured::new(format!("nothing is mapped to {{{name}}} in the URI")))
}

/// Scheme and authority, and what follows them. None without a scheme or an authority.
fn split(uri: &str) -> Option<((&str, &str), &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    Some(((scheme, authority), rest))
}

fn variable<'a>(values: &Values<'a>, name: &str) -> Result<&'a str, Refused> {
    let value = values.stage.variables.get(name).map(String::as_str);
    let usable = value.filter(|value| !value.contains('#'));
    usable.ok_or_else(|| {
        Misconfigured::new(format!("the stage has no usable variable {name}")).into()
    })
}

/// A value that does not come from a path: everything in it is escaped.
fn push_given(text: &mut String, value: &str) -> Result<(), Refused> {
    let spelling = Spelling {
        is_path: false,
        keeps_slashes: false,
        in_query: text.contains('?'),
    };
    match path_value::push(text, value, spelling) {
        true => Ok(()),
        false => Err(Refused::BadRequest(BadRequest::Target)),
    }
}

/// The names of a URI's parameters.
pub fn parameters(uri: &str) -> impl Iterator<Item = &str> {
    uri.split('{')
        .skip(1)
        .zip(uri.split('{'))
        .filter_map(|(inner, before)| {
            let (name, _) = inner.split_once('}')?;
            let name = name.strip_suffix('+').unwrap_or(name);
            (!before.ends_with('$')).then_some(name)
        })
}

fn push_value(
    text: &mut String,
    expression: &Expression,
    values: &Values<'_>,
) -> Result<(), Refused> {
    let value = expression.value(values).unwrap_or(Cow::Borrowed(""));
    let is_path = matches!(expression, Expression::Path { .. });
    let keeps_slashes = matches!(
        expression,
        Expression::Path {
            is_greedy: true,
            ..
        }
    );
    let spelling = Spelling {
        is_path,
        keeps_slashes,
        in_query: text.contains('?'),
    };
    match path_value::push(text, &value, spelling) {
        true => Ok(()),
        false => Err(Refused::BadRequest(BadRequest::Target)),
    }
}

/// Takes the origin off a rendered URI. A caller's value must not have a part in it.
fn cut_origin(
    text: &mut String,
    first_value: usize,
    known: &ArcSwap<Vec<Arc<Origin>>>,
) -> Result<Arc<Origin>, Refused> {
    let bad = || Refused::from(bad_uri(text));
    let ((scheme, authority), rest) = split(text).ok_or_else(bad)?;
    let start = text.len() - rest.len();
    if first_value <= start {
        return Err(bad());
    }
    let is_tls = scheme.eq_ignore_ascii_case("https");
    let all = known.load();
    let found = all
        .iter()
        .find(|known| known.host_header == *authority && known.is_tls == is_tls);
    let origin = match found {
        Some(origin) => Arc::clone(origin),
        None => {
            let origin = Arc::new(Origin::new(scheme, authority).ok_or_else(bad)?);
            let kept = all.iter().filter(|_| all.len() < ORIGINS_MAX).cloned();
            // Of two that are added at the same moment one is lost, and added by its next call.
            known.store(Arc::new(kept.chain([Arc::clone(&origin)]).collect()));
            origin
        }
    };
    text.drain(..start);
    Ok(origin)
}

fn join_query(text: &mut String) {
    match text.contains('?') {
        false => text.push('?'),
        true if text.ends_with(['?', '&']) => {}
        true => text.push('&'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_with_origins_of_their_own_do_not_displace_each_other() {
        let known = ArcSwap::default();
        let origin = |host: &str| {
            let mut text = format!("http://{host}/x");
            cut_origin(&mut text, usize::MAX, &known).unwrap()
        };
        let (test, prod) = (origin("test"), origin("prod"));
        assert!(Arc::ptr_eq(&test, &origin("test")));
        assert!(Arc::ptr_eq(&prod, &origin("prod")));
        for number in 0..1000 {
            let host = format!("host{number}");
            assert_eq!(origin(&host).host_header, host);
        }
        assert!(known.load().len() <= ORIGINS_MAX);
    }
}
