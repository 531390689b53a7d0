//! `$input` and `$util`: what API Gateway gives templates besides Velocity.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use super::budget::RenderError;
use super::heap::{Heap, Value};
use super::json;
use super::print::text_of;
use super::scope::Scope;
use crate::mapping::json_path::JsonPath;

/// With and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Calls a method of `$input`.
pub fn call_input(
    scope: &mut Scope<'_>,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    match (name, arguments) {
        ("body", []) => scope.body_text(),
        ("path", [Value::Text(path)]) => at_path(scope, path),
        ("json", [Value::Text(path)]) => {
            let found = match at_path(scope, path)? {
                Value::Null => Value::Text("".into()),
                found => found,
            };
            let mut out = String::new();
            json::write(scope.heap(), &found, &mut out)?;
            scope.heap().text(out)
        }
        ("params", []) => scope.parameters(),
        ("params", [Value::Text(name)]) => scope.parameter(name),
        _ => Ok(Value::Null),
    }
}

fn at_path(scope: &mut Scope<'_>, path: &str) -> Result<Value, RenderError> {
    let path =
        JsonPath::parse(path).map_err(|error| RenderError::Unsupported(error.to_string()))?;
    let body = scope.body_value()?;
    path.select(scope.heap(), &body)
}

/// Calls a method of `$util`. What has nothing to work on is null.
pub fn call_util(heap: &mut Heap, name: &str, arguments: &[Value]) -> Result<Value, RenderError> {
    const NAMES: [&str; 6] = [
        "escapeJavaScript",
        "parseJson",
        "urlEncode",
        "urlDecode",
        "base64Encode",
        "base64Decode",
    ];
    let [argument] = arguments else {
        return Err(no_such(name));
    };
    if !NAMES.contains(&name) {
        return Err(no_such(name));
    }
    if *argument == Value::Null {
        return Ok(Value::Null);
    }
    let text = text_of(heap, argument)?;
    heap.budget.handle(text.len())?;
    match name {
        "escapeJavaScript" => heap.text(escape_java_script(&text)),
        "parseJson" => json::read(heap, &text).map_err(|error| match error {
            RenderError::Body(why) => RenderError::Failed(format!("parseJson: {why}")),
            other => other,
        }),
        "urlEncode" => heap.text(url_encode(&text)),
        "urlDecode" => {
            let spaced = text.replace('+', " ");
            heap.text(percent_decode_str(&spaced).decode_utf8_lossy())
        }
        "base64Encode" => heap.text(STANDARD.encode(text.as_bytes())),
        _ => base64_decode(heap, &text),
    }
}

fn no_such(name: &str) -> RenderError {
    RenderError::Unsupported(format!("$util.{name} with these arguments"))
}

/// Everything that is not a letter, digit or plain sign in a script's text.
fn escape_java_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '\'' | '"' | '\\' | '/' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
    out
}

/// As Java's `URLEncoder`.
fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(percent_encoding::percent_encode_byte(byte)),
        }
    }
    out
}

/// In either alphabet, with or without padding and line ends.
fn base64_decode(heap: &mut Heap, text: &str) -> Result<Value, RenderError> {
    let plain: String = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    let bytes = LENIENT
        .decode(plain)
        .map_err(|error| RenderError::Failed(format!("base64Decode: {error}")))?;
    heap.text(Arc::from(String::from_utf8_lossy(&bytes)))
}
