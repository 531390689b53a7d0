//! What gateway responses can say of a call: AWS's variables, the error among them.

use std::borrow::Cow;

use super::Row;
use crate::invocation::Invocation;
use crate::mapping::context::ContextVariable;
use crate::mapping::expression::{Expression, Values, path_variables};

/// A variable of a gateway response.
#[derive(Clone, Debug, PartialEq)]
pub enum Variable {
    /// `context.error.message`
    ErrorMessage,
    /// `context.error.messageString`: the same as a JSON string.
    ErrorMessageString,
    /// `context.error.responseType`
    ErrorResponseType,
    /// `context.error.validationErrorString`
    ValidationErrorString,
    /// `method.request.path.<name>`: in the path of whichever resource was called.
    Path(Box<str>),
    Of(Expression),
}

impl Variable {
    /// The same without what only a request can tell: for access logs. By its name without `context.`.
    pub fn of_error(name: &str) -> Option<Variable> {
        match name {
            "error.message" => Some(Variable::ErrorMessage),
            "error.messageString" => Some(Variable::ErrorMessageString),
            "error.responseType" => Some(Variable::ErrorResponseType),
            "error.validationErrorString" => Some(Variable::ValidationErrorString),
            _ => None,
        }
    }

    /// By its name, such as `context.stage` or `method.request.header.Origin`; or a text in quotes.
    pub fn parse(text: &str) -> Option<Variable> {
        let error = text.strip_prefix("context.").and_then(Variable::of_error);
        let own = match error {
            Some(error) => error,
            None => match text.strip_prefix("method.request.path.") {
                Some(name) => Variable::Path(name.into()),
                None => Variable::Of(Expression::of_request(text, "").ok()?),
            },
        };
        Some(own)
    }

    pub fn reads_headers(&self) -> bool {
        matches!(
            self,
            Variable::Of(
                Expression::Header(_)
                    | Expression::EveryHeader(_)
                    | Expression::Context(ContextVariable::ApiKey)
            )
        )
    }

    /// Its value, if it has one in this call.
    pub fn value<'a>(&'a self, row: &'a Row, values: &Values<'a>) -> Option<Cow<'a, str>> {
        let call = values.call;
        match self {
            Variable::Path(name) => {
                let mut variables = path_variables(&call.method()?.resource_path);
                let index = variables.position(|(own, _)| *own == **name)?;
                call.path_parameter(index).map(Cow::Borrowed)
            }
            Variable::Of(expression) => expression.value(values),
            error => error.of_refusal(row, call),
        }
    }

    /// Its value if it is about the error.
    pub fn of_refusal<'a>(&self, row: &'a Row, call: &'a Invocation) -> Option<Cow<'a, str>> {
        match self {
            Variable::ErrorMessage => Some(Cow::Borrowed(message(call, row))),
            Variable::ErrorMessageString => Some(Cow::Owned(json_string(message(call, row)))),
            Variable::ErrorResponseType => Some(Cow::Borrowed(row.response_type)),
            Variable::ValidationErrorString => {
                let text = call.error.as_ref()?.validation.as_deref()?;
                // It quotes with what quotes a JSON string, and stands within one.
                let quoted = json_string(text);
                let inner = quoted.get(1..quoted.len().saturating_sub(1));
                inner.map(|inner| Cow::Owned(inner.to_owned()))
            }
            Variable::Path(_) | Variable::Of(_) => None,
        }
    }
}

/// What the caller is told.
pub fn message<'a>(call: &'a Invocation, row: &Row) -> &'a str {
    let own = call
        .error
        .as_ref()
        .and_then(|error| error.message.as_deref());
    own.unwrap_or(row.message)
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
