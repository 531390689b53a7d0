//! Mapping expressions and the queries they read: the same pairs that a form's decoder finds.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};

use super::lines;
use super::uri::{call, stage};
use crate::mapping::expression::{Expression, Values};
use crate::mapping::query;

/// Lines: an expression, a resource's path, the caller's target, a header's name and value, a stage variable.
pub fn expression(bytes: &[u8]) {
    let lines = lines(bytes);
    let [text, resource, target, header, variable, ..] = lines.as_slice() else {
        return;
    };
    let pairs = target.split_once('?').map_or("", |(_, query)| query);
    check_query(pairs);
    let Some(call) = call(resource, target) else {
        return;
    };
    let variable = variable
        .split_once('=')
        .map(|(n, v)| (n.to_owned(), v.to_owned()));
    let stage = stage(variable.into_iter().collect::<BTreeMap<_, _>>());
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header.split_once(':')
        && let Ok(name) = http::HeaderName::from_bytes(name.as_bytes())
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.insert(name, value);
    }
    let values = Values {
        call: &call,
        stage: &stage,
        request_headers: &headers,
    };
    let Ok(expression) = Expression::of_request(text, resource) else {
        return;
    };
    let value = expression.value(&values);
    let every = expression.every_value(&values);
    assert_eq!(value.is_some(), !every.is_empty());
    match &expression {
        Expression::Static(inner) => {
            assert_eq!(format!("'{inner}'"), *text);
            assert_eq!(value.as_deref(), Some(&**inner));
        }
        Expression::StageVariable(name) => {
            assert_eq!(
                value.as_deref(),
                stage.variables.get(&**name).map(String::as_str)
            );
        }
        Expression::Path { is_greedy, .. } => {
            let value = value.expect("a route has all its variables");
            assert!(*is_greedy || !value.contains('/'), "{value}");
        }
        _ => {}
    }
}

fn check_query(text: &str) {
    let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    for (name, _) in pairs.iter().filter(|(name, _)| !name.is_empty()).take(4) {
        let expected: Vec<_> = pairs
            .iter()
            .filter(|(own, _)| own == name)
            .map(|(_, value)| value)
            .collect();
        let found: Vec<_> = query::values(text, name).collect();
        assert_eq!(
            found.iter().collect::<Vec<_>>(),
            expected,
            "{name} in {text}"
        );
        for value in found {
            let written = format!("a=1&{}={}&b", query::encoded(name), query::encoded(&value));
            let read = query::values(&written, name).any(|read| read == value);
            assert!(read, "{value} as {written}");
        }
    }
}
