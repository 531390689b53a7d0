//! What may stand in request and response parameters: mapping expressions, and what they may name.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html>

use std::collections::BTreeMap;

use regex::Regex;

use crate::error::Error;

/// The front of every refusal of a mapping, as AWS's validator writes it.
const REFUSED: &str =
    "Invalid mapping expression specified: Validation Result: warnings : [], errors : ";

/// Checks the parameters a method declares: `method.request.{path,querystring,header}.<name>`.
pub fn check_declared_request(parameters: &BTreeMap<String, bool>) -> Result<(), Error> {
    for key in parameters.keys() {
        let rest = key
            .strip_prefix("method.request.")
            .ok_or_else(|| no_expression(key))?;
        if named(
            rest,
            &[
                "path",
                "querystring",
                "header",
                "multivaluequerystring",
                "multivalueheader",
            ],
        )
        .is_none()
        {
            return Err(unknown_parameter(key));
        }
    }
    let mut names: Vec<&str> = parameters
        .keys()
        .filter_map(|key| key.splitn(4, '.').nth(3))
        .collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::bad_request(
            "Parameter names must be unique across querystring, header and path",
        ));
    }
    Ok(())
}

/// Checks the headers a method response declares: `method.response.header.<name>`.
pub fn check_declared_response(parameters: &BTreeMap<String, bool>) -> Result<(), Error> {
    match parameters.keys().find(|key| response_header(key).is_none()) {
        Some(key) => Err(no_expression(key)),
        None => Ok(()),
    }
}

/// Checks what an integration takes from a request. What it takes from the method's parameters must be declared.
pub fn check_request(
    parameters: &BTreeMap<String, String>,
    declared: Option<&BTreeMap<String, bool>>,
) -> Result<(), Error> {
    for (key, value) in parameters {
        let target = key.strip_prefix("integration.request.");
        if target
            .and_then(|rest| named(rest, &["path", "querystring", "header"]))
            .is_none()
        {
            return Err(no_expression(key));
        }
        check_source(value, declared)?;
    }
    Ok(())
}

fn check_source(value: &str, declared: Option<&BTreeMap<String, bool>>) -> Result<(), Error> {
    let Some(rest) = value.strip_prefix("method.request.") else {
        return if is_static(value) || is_variable(value) {
            Ok(())
        } else {
            Err(no_expression(value))
        };
    };
    if is_body(rest) {
        return Ok(());
    }
    let places = [
        "path",
        "querystring",
        "header",
        "multivaluequerystring",
        "multivalueheader",
    ];
    let (place, name) = named(rest, &places).ok_or_else(|| no_expression(value))?;
    let place = place.strip_prefix("multivalue").unwrap_or(place);
    let is_declared = |declared: &BTreeMap<String, bool>| {
        declared.contains_key(value)
            || declared.contains_key(&format!("method.request.{place}.{name}"))
    };
    if declared.is_some_and(is_declared) {
        Ok(())
    } else {
        Err(unknown_parameter(value))
    }
}

/// Checks what an integration response puts into a method response's headers, which must be declared there.
/// `declared` is None where the method has no response of that status.
pub fn check_response(
    parameters: &BTreeMap<String, String>,
    declared: Option<Option<&BTreeMap<String, bool>>>,
) -> Result<(), Error> {
    for (key, value) in parameters {
        if response_header(key).is_none() {
            return Err(no_expression(key));
        }
        let Some(headers) = declared else {
            return Err(Error::bad_request(format!(
                "{REFUSED}[No method response exists for method.]"
            )));
        };
        if !headers.is_some_and(|headers| headers.contains_key(key)) {
            return Err(unknown_parameter(key));
        }
        let taken = value.strip_prefix("integration.response.");
        let is_taken = taken.is_some_and(|rest| {
            is_body(rest) || named(rest, &["header", "multivalueheader"]).is_some()
        });
        if !is_taken && !is_static(value) && !is_variable(value) {
            return Err(no_expression(value));
        }
    }
    Ok(())
}

/// Checks the headers a gateway response sets: from the request, variables or constants.
pub fn check_gateway_response(parameters: &BTreeMap<String, String>) -> Result<(), Error> {
    const PLACES: [&str; 5] = [
        "path",
        "querystring",
        "header",
        "multivaluequerystring",
        "multivalueheader",
    ];
    for (key, value) in parameters {
        let header = key.strip_prefix("gatewayresponse.");
        if header.and_then(|rest| named(rest, &["header"])).is_none() {
            return Err(no_expression(key));
        }
        let taken = value.strip_prefix("method.request.");
        let is_taken = taken.is_some_and(|rest| named(rest, &PLACES).is_some());
        if !is_taken && !is_static(value) && !is_variable(value) {
            return Err(no_expression(value));
        }
    }
    Ok(())
}

/// AWS's patterns are Java's. What only Java can do (look-around, back-references) is kept; its call fails.
pub fn check_pattern(pattern: &str) -> Result<(), Error> {
    match Regex::new(pattern) {
        Ok(_) => Ok(()),
        Err(error) if error.to_string().contains("not supported") => Ok(()),
        Err(_) => Err(Error::bad_request("Invalid regex pattern specified")),
    }
}

/// Checks the content types that models or templates are given for.
pub fn check_content_types<V>(map: Option<&BTreeMap<String, V>>) -> Result<(), Error> {
    match map
        .iter()
        .flat_map(|map| map.keys())
        .find(|key| !is_content_type(key))
    {
        Some(key) => Err(Error::bad_request(format!(
            "Validation Result: warnings : [], errors : [Invalid content type specified: {key}]"
        ))),
        None => Ok(()),
    }
}

/// `type/subtype`, perhaps with parameters.
pub fn is_content_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b))
    };
    essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// `<place>.<name>`, where the place is one of `places` and the name has no blanks.
fn named<'a>(rest: &'a str, places: &[&str]) -> Option<(&'a str, &'a str)> {
    let (place, name) = rest.split_once('.')?;
    let fine = places.contains(&place) && !name.is_empty() && !name.contains(char::is_whitespace);
    fine.then_some((place, name))
}

fn response_header(key: &str) -> Option<&str> {
    named(key.strip_prefix("method.response.")?, &["header"]).map(|(_, name)| name)
}

/// `body` or `body.<JSON path>`.
fn is_body(rest: &str) -> bool {
    rest == "body"
        || rest
            .strip_prefix("body.")
            .is_some_and(|path| !path.is_empty())
}

/// Text in single quotes.
fn is_static(value: &str) -> bool {
    value.len() >= 2 && value.starts_with('\'') && value.ends_with('\'')
}

/// `context.<name>` or `stageVariables.<name>`.
fn is_variable(value: &str) -> bool {
    let name = value
        .strip_prefix("context.")
        .or_else(|| value.strip_prefix("stageVariables."));
    name.is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
}

fn no_expression(text: &str) -> Error {
    Error::bad_request(format!(
        "{REFUSED}[Invalid mapping expression specified: {text}]"
    ))
}

fn unknown_parameter(text: &str) -> Error {
    Error::bad_request(format!(
        "{REFUSED}[Invalid mapping expression parameter specified: {text}]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(keys: &[&str]) -> BTreeMap<String, bool> {
        keys.iter().map(|key| ((*key).to_owned(), true)).collect()
    }

    fn mapped(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_method_declares_named_parts_of_a_request_each_name_once() {
        assert!(
            check_declared_request(&declared(&[
                "method.request.path.a",
                "method.request.header.X-B",
                "method.request.querystring.c.d"
            ]))
            .is_ok()
        );
        let text = |key: &str| {
            check_declared_request(&declared(&[key]))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            text("true"),
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: true]"
        );
        for bad in [
            "method.request.body.x",
            "method.request.path.",
            "method.request.path",
            "method.request.header.a b",
        ] {
            assert!(
                text(bad).ends_with(&format!(
                    "[Invalid mapping expression parameter specified: {bad}]"
                )),
                "{bad}"
            );
        }
        let twice = declared(&[
            "method.request.header.optional",
            "method.request.querystring.optional",
        ]);
        assert_eq!(
            check_declared_request(&twice).unwrap_err().to_string(),
            "Parameter names must be unique across querystring, header and path"
        );
    }

    #[test]
    fn an_integration_takes_declared_parameters_bodies_variables_and_constants() {
        let has = declared(&["method.request.path.id", "method.request.querystring.q"]);
        let check =
            |value: &str| check_request(&mapped("integration.request.header.X", value), Some(&has));
        for fine in [
            "method.request.path.id",
            "method.request.multivaluequerystring.q",
            "method.request.body",
            "method.request.body.$.a",
            "context.identity.sourceIp",
            "stageVariables.host",
            "'fixed'",
            "''",
        ] {
            assert!(check(fine).is_ok(), "{fine}");
        }
        let text = check("method.request.path.other").unwrap_err().to_string();
        assert!(
            text.ends_with(
                "[Invalid mapping expression parameter specified: method.request.path.other]"
            ),
            "{text}"
        );
        for bad in [
            "fixed",
            "'",
            "true",
            "method.request.cookie.x",
            "context.",
            "",
        ] {
            let text = check(bad).unwrap_err().to_string();
            assert!(
                text.ends_with(&format!("[Invalid mapping expression specified: {bad}]")),
                "{text}"
            );
        }
        assert!(check_request(&mapped("integration.request.body.X", "'a'"), Some(&has)).is_err());
        assert!(check_request(&mapped("method.request.header.X", "'a'"), Some(&has)).is_err());
    }

    #[test]
    fn a_response_fills_declared_headers_only() {
        let has = declared(&["method.response.header.X"]);
        let check = |key: &str, value: &str| check_response(&mapped(key, value), Some(Some(&has)));
        for fine in [
            "'a'",
            "integration.response.header.Y",
            "integration.response.body.$.x",
            "context.requestId",
            "stageVariables.a",
        ] {
            assert!(check("method.response.header.X", fine).is_ok(), "{fine}");
        }
        assert!(check("method.response.header.X", "a").is_err());
        assert!(check("method.response.body", "'a'").is_err());
        let text = check("method.response.header.Z", "'a'")
            .unwrap_err()
            .to_string();
        assert!(
            text.ends_with(
                "[Invalid mapping expression parameter specified: method.response.header.Z]"
            ),
            "{text}"
        );
        let text = check_response(&mapped("method.response.header.X", "'a'"), None)
            .unwrap_err()
            .to_string();
        assert!(
            text.ends_with("[No method response exists for method.]"),
            "{text}"
        );
    }

    #[test]
    fn content_types_have_a_type_and_a_subtype() {
        for fine in [
            "application/json",
            "text/plain; charset=utf-8",
            "application/vnd.api+json",
            "*/*",
        ] {
            assert!(is_content_type(fine), "{fine}");
        }
        let map = BTreeMap::from([("123".to_owned(), ())]);
        assert_eq!(
            check_content_types(Some(&map)).unwrap_err().to_string(),
            "Validation Result: warnings : [], errors : [Invalid content type specified: 123]"
        );
    }
}
