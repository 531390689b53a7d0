//! What is wrong with a body, in the words that AWS's validator uses.

use std::fmt::Write;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

/// Faults that are listed.
const FAULTS_MAX: usize = 20;
/// Characters of a value or a pattern that is quoted.
const QUOTED_CHARS_MAX: usize = 200;

/// The faults, as many as are listed.
pub fn faults<'a>(errors: impl Iterator<Item = ValidationError<'a>>) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    let mut open: Option<Members> = None;
    for error in errors {
        let own = Members::of(&error);
        if let (Some(open), Some(own)) = (&mut open, &own)
            && (open.phrase, &open.at) == (own.phrase, &own.at)
        {
            open.names.extend_from_slice(&own.names);
            continue;
        }
        faults.extend(open.take().map(Members::told));
        if faults.len() >= FAULTS_MAX {
            return faults;
        }
        match own {
            Some(own) => open = Some(own),
            None => faults.push(one(&error)),
        }
    }
    faults.extend(open.take().map(Members::told));
    faults
}

/// Members of one object that share a fault, which is told once.
struct Members {
    /// With `@` where the names go.
    phrase: &'static str,
    at: String,
    names: Vec<Value>,
}

impl Members {
    const MISSING: &'static str = "object has missing required properties (@)";
    const UNWANTED: &'static str =
        "object instance has properties which are not allowed by the schema: @";

    fn of(error: &ValidationError<'_>) -> Option<Members> {
        let at = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::Required { property } => Some(Members {
                phrase: Members::MISSING,
                at,
                names: vec![property.clone()],
            }),
            ValidationErrorKind::AdditionalProperties { unexpected } => Some(Members {
                phrase: Members::UNWANTED,
                at,
                names: unexpected.iter().map(|name| name.as_str().into()).collect(),
            }),
            _ => None,
        }
    }

    fn told(mut self) -> String {
        self.names.sort_by_key(Value::to_string);
        self.phrase.replace('@', &list(&self.names))
    }
}

fn one(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    let instance = error.instance().as_ref();
    let length = |instance: &Value| instance.as_str().map_or(0, |text| text.chars().count());
    let items = |instance: &Value| instance.as_array().map_or(0, Vec::len);
    let members = |instance: &Value| instance.as_object().map_or(0, |object| object.len());
    match error.kind() {
        Kind::Type { kind } => format!(
            "instance type ({}) does not match any allowed primitive type (allowed: {})",
            type_of(instance),
            allowed(kind)
        ),
        Kind::Enum { options } => format!(
            "instance value ({}) not found in enum (possible values: {})",
            quoted(instance),
            clipped(&options.to_string())
        ),
        Kind::Minimum { limit } => format!(
            "numeric instance is lower than the required minimum (minimum: {limit}, found: {})",
            quoted(instance)
        ),
        Kind::Maximum { limit } => format!(
            "numeric instance is greater than the required maximum (maximum: {limit}, found: {})",
            quoted(instance)
        ),
        Kind::ExclusiveMinimum { limit } => {
            format!("numeric instance is not strictly greater than the required minimum {limit}")
        }
        Kind::ExclusiveMaximum { limit } => {
            format!("numeric instance is not strictly lower than the required maximum {limit}")
        }
        Kind::MultipleOf { multiple_of } => format!(
            "remainder of division is not zero ({} / {multiple_of})",
            quoted(instance)
        ),
        Kind::MinLength { limit } => format!(
            "string {} is too short (length: {}, required minimum: {limit})",
            quoted(instance),
            length(instance)
        ),
        Kind::MaxLength { limit } => format!(
            "string {} is too long (length: {}, maximum allowed: {limit})",
            quoted(instance),
            length(instance)
        ),
        Kind::Pattern { pattern } => format!(
            "ECMA 262 regex \"{}\" does not match input string {}",
            clipped(pattern),
            quoted(instance)
        ),
        Kind::Format { format } => {
            format!(
                "string {} is invalid against requested format {format}",
                quoted(instance)
            )
        }
        Kind::MinItems { limit } => format!(
            "array is too short: must have at least {limit} elements but instance has {} elements",
            items(instance)
        ),
        Kind::MaxItems { limit } => format!(
            "array is too long: must have at most {limit} elements but instance has {} elements",
            items(instance)
        ),
        Kind::UniqueItems => "array must not contain duplicate elements".to_owned(),
        Kind::AdditionalItems { limit } => format!(
            "schema only allows {limit} elements but array has {} elements",
            items(instance)
        ),
        Kind::MinProperties { limit } => {
            format!(
                "object has too few members (found {}, required at least {limit})",
                members(instance)
            )
        }
        Kind::MaxProperties { limit } => {
            format!(
                "object has too many members (found {}, allowed at most {limit})",
                members(instance)
            )
        }
        Kind::AnyOf { context } => {
            format!(
                "instance failed to match at least one required schema among {}",
                context.len()
            )
        }
        Kind::OneOfNotValid { context } => format!(
            "instance failed to match exactly one schema (matched 0 out of {})",
            context.len()
        ),
        Kind::OneOfMultipleValid { context } => format!(
            "instance failed to match exactly one schema (matched more than 1 out of {})",
            context.len()
        ),
        Kind::Not { .. } => "instance matched a schema which it should not have".to_owned(),
        // Where the schema names no properties, the library does not tell which one it is.
        Kind::FalseSchema => {
            "object instance has properties which are not allowed by the schema".to_owned()
        }
        Kind::Custom { message, .. } => message.clone(),
        _ => clipped(&error.to_string()),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn allowed(kind: &TypeKind) -> String {
    let mut names: Vec<Value> = match kind {
        TypeKind::Single(one) => vec![one.to_string().into()],
        TypeKind::Multiple(several) => several.iter().map(|one| one.to_string().into()).collect(),
    };
    names.sort_by_key(Value::to_string);
    list(&names)
}

fn list(names: &[Value]) -> String {
    let mut text = String::from("[");
    for (index, name) in names.iter().take(FAULTS_MAX).enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{}", clipped(&name.to_string())); // to a String: cannot fail
    }
    text + "]"
}

fn quoted(value: &Value) -> String {
    clipped(&value.to_string())
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
