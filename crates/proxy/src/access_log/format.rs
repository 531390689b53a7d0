//! A stage's own access log format: text with `$context` variables, parsed when the stage is adopted.

use std::borrow::Cow;

use super::json;
use crate::gateway_response::Reason;
use crate::gateway_response::variable::Variable;
use crate::mapping::context::{ContextVariable, Facts};
use crate::mapping::substitution::{Piece, pieces};

/// What stands for a variable without a value, as on AWS.
const NOTHING: &[u8] = b"-";

/// A format, ready to write lines.
#[derive(Debug)]
pub struct Format {
    parts: Vec<Part>,
    is_xml: bool,
}

#[derive(Debug)]
enum Part {
    Text(Box<str>),
    Context(ContextVariable),
    Error(Variable),
    /// `integration.error` and its other name: what is told when the integration gave no answer.
    IntegrationError,
}

impl Format {
    /// Line ends are spaces: a call is one line.
    pub fn parse(text: &str) -> Format {
        let text = text.trim();
        let parts = pieces(text, &["context."]).into_iter().map(|piece| {
            let name = match piece {
                Piece::Text(text) => return Part::Text(text.replace(['\r', '\n'], " ").into()),
                Piece::Variable(name) => name.trim_start_matches("context."),
            };
            match (name, Variable::of_error(name)) {
                (_, Some(error)) => Part::Error(error),
                ("integration.error" | "integrationErrorMessage", None) => Part::IntegrationError,
                (_, None) => Part::Context(ContextVariable::named(name)),
            }
        });
        Format {
            parts: parts.collect(),
            is_xml: text.starts_with('<'),
        }
    }

    /// Writes a call's line, with its end.
    pub fn write(&self, line: &mut Vec<u8>, facts: &Facts<'_>) {
        for part in &self.parts {
            let (value, is_quoted) = match part {
                Part::Text(text) => {
                    line.extend_from_slice(text.as_bytes());
                    continue;
                }
                Part::Context(variable) => (variable.value_of(facts), false),
                Part::Error(variable) => {
                    let row = facts.call.refused.map(Reason::row);
                    let value = row.and_then(|row| variable.of_refusal(row, facts.call));
                    // These are escaped for JSON already.
                    let is_quoted = matches!(
                        variable,
                        Variable::ErrorMessageString | Variable::ValidationErrorString
                    );
                    (value, is_quoted)
                }
                Part::IntegrationError => (integration_error(facts), false),
            };
            match value.filter(|value| !value.is_empty()) {
                None => line.extend_from_slice(NOTHING),
                Some(value) if self.is_xml => escape_xml(line, &value),
                Some(value) if is_quoted => line.extend_from_slice(value.as_bytes()),
                Some(value) => json::escape(line, value.as_bytes()),
            }
        }
        line.push(b'\n');
    }
}

fn integration_error<'a>(facts: &Facts<'_>) -> Option<Cow<'a, str>> {
    let row = facts.call.refused?.row();
    let is_integration = row.response_type.starts_with("INTEGRATION_");
    is_integration.then_some(Cow::Borrowed(row.message))
}

/// As the text of an element or of an attribute.
fn escape_xml(line: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'<' => line.extend_from_slice(b"&lt;"),
            b'>' => line.extend_from_slice(b"&gt;"),
            b'&' => line.extend_from_slice(b"&amp;"),
            b'"' => line.extend_from_slice(b"&quot;"),
            b'\'' => line.extend_from_slice(b"&apos;"),
            0..0x20 | 0x7f => line.push(b' '),
            byte => line.push(byte),
        }
    }
}
