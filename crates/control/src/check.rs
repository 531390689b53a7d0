//! The front layer's checks: values outside their enumeration or pattern, worded and counted as AWS does.

use crate::error::Error;

/// What the front layer found wrong with one input, gathered so that all of it is told at once.
#[derive(Debug)]
pub struct Check {
    /// The operation's name in lower camel case with `Input` behind it; empty for labels and query members.
    input: String,
    found: Vec<String>,
}

impl Check {
    /// Checks of an operation's body: places are written `createRestApiInput.<member>`.
    pub fn body_of(operation: &str) -> Self {
        let mut letters = operation.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        let input = first
            .into_iter()
            .chain(letters)
            .chain("Input.".chars())
            .collect();
        Self {
            input,
            found: Vec::new(),
        }
    }

    /// Checks of labels and query members: places are written bare, as `statusCode`.
    pub fn bare() -> Self {
        Self {
            input: String::new(),
            found: Vec::new(),
        }
    }

    /// The value must be one of `allowed` (in AWS's order, which the text repeats).
    pub fn one_of(&mut self, at: &str, value: &str, allowed: &[&str]) {
        if !allowed.contains(&value) {
            let input = &self.input;
            let set = allowed.join(", ");
            self.found.push(format!(
                "Value '{value}' at '{input}{at}' failed to satisfy constraint: Member must satisfy enum value set: [{set}]"
            ));
        }
    }

    /// The same for a value that need not be there.
    pub fn optional(&mut self, at: &str, value: Option<&str>, allowed: &[&str]) {
        if let Some(value) = value {
            self.one_of(at, value, allowed);
        }
    }

    /// Every value of a list must be one of `allowed`.
    pub fn all_of(&mut self, at: &str, values: &[String], allowed: &[&str]) {
        if values
            .iter()
            .any(|value| !allowed.contains(&value.as_str()))
        {
            let input = &self.input;
            let list = values.join(", ");
            let set = allowed.join(", ");
            self.found.push(format!(
                "Value '[{list}]' at '{input}{at}' failed to satisfy constraint: Member must satisfy constraint: \
                 [Member must satisfy enum value set: [{set}]]"
            ));
        }
    }

    /// The value must have a form; `pattern` is how AWS writes it, `matches` whether the value has it.
    pub fn pattern(&mut self, at: &str, value: &str, pattern: &str, matches: bool) {
        if !matches {
            let input = &self.input;
            self.found.push(format!(
                "Value '{value}' at '{input}{at}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
            ));
        }
    }

    /// A status code as AWS's model has it, `[1-5]\d\d`; a label, so written bare.
    pub fn status_code(&mut self, value: &str) {
        let input = std::mem::take(&mut self.input);
        let matches = matches!(value.as_bytes(), [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9']);
        self.pattern("statusCode", value, r"[1-5]\d\d", matches);
        self.input = input;
    }

    /// The member must be there.
    pub fn present<T>(&mut self, at: &str, value: &Option<T>) {
        if value.is_none() {
            let input = &self.input;
            self.found.push(format!(
                "Value null at '{input}{at}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    /// A `ValidationException` telling everything that was found, if anything was.
    pub fn finish(self) -> Result<(), Error> {
        let count = match self.found.len() {
            0 => return Ok(()),
            1 => "1 validation error detected".to_owned(),
            many => format!("{many} validation errors detected"),
        };
        Err(Error::Validation(format!(
            "{count}: {}",
            self.found.join("; ")
        )))
    }
}

/// A status code as AWS's model has it: `[1-5]\d\d`.
pub fn status_code(value: &str) -> Result<(), Error> {
    let mut check = Check::bare();
    check.status_code(value);
    check.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_is_worded_as_recorded() {
        let mut check = Check::body_of("CreateRestApi");
        check.one_of(
            "endpointConfiguration.ipAddressType",
            "wrong",
            &["ipv4", "dualstack"],
        );
        let error = check.finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 validation error detected: Value 'wrong' at 'createRestApiInput.endpointConfiguration.ipAddressType' \
             failed to satisfy constraint: Member must satisfy enum value set: [ipv4, dualstack]"
        );
    }

    #[test]
    fn several_errors_are_counted_and_joined() {
        let mut check = Check::body_of("CreateRestApi");
        check.all_of(
            "endpointConfiguration.types",
            &["wrong".to_owned()],
            &["PRIVATE", "EDGE", "REGIONAL"],
        );
        check.one_of("apiKeySource", "x", &["HEADER", "AUTHORIZER"]);
        let text = check.finish().unwrap_err().to_string();
        assert!(text.starts_with("2 validation errors detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types'"));
        assert!(text.contains(
            "[Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]; Value 'x' at"
        ));
    }

    #[test]
    fn status_codes_have_three_digits_from_1_to_5() {
        assert!(status_code("200").is_ok());
        for bad in ["wrong", "600", "20", "2000", "", "٢٠٠"] {
            assert!(status_code(bad).is_err(), "{bad}");
        }
    }
}
