//! Stage variables: which names, values and numbers of them AWS takes.

use std::collections::BTreeMap;

use crate::error::Error;

/// Variables a stage may have.
const VARIABLES_MAX: usize = 100;
/// Characters in a variable's name.
const NAME_CHARS_MAX: usize = 64;
/// Characters in a variable's value.
const VALUE_CHARS_MAX: usize = 512;
/// What a value may hold besides letters and digits.
const SYMBOLS: &[u8] = b" -._:/?&=,";

/// Checks all variables of a stage.
pub(crate) fn check(variables: Option<&BTreeMap<String, String>>) -> Result<(), Error> {
    let Some(variables) = variables else {
        return Ok(());
    };
    if variables.len() > VARIABLES_MAX {
        return Err(Error::bad_request(format!(
            "A stage can have at most {VARIABLES_MAX} stage variables."
        )));
    }
    variables
        .iter()
        .try_for_each(|(name, value)| check_one(name, value))
}

fn check_one(name: &str, value: &str) -> Result<(), Error> {
    let word = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !word {
        return Err(Error::bad_request(format!(
            "Invalid stage variable name: {name}. Please use names with only word characters."
        )));
    }
    if !value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || SYMBOLS.contains(&byte))
    {
        // Two spaces and a quote too few, as AWS writes it.
        return Err(Error::bad_request(format!(
            "Invalid stage variable value of key {name}.  Please use values with alphanumeric characters and the symbols \
             ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
        )));
    }
    if name.len() > NAME_CHARS_MAX {
        return Err(Error::bad_request(format!(
            "Stage variable name {name} can be at most {NAME_CHARS_MAX} characters."
        )));
    }
    if value.len() > VALUE_CHARS_MAX {
        return Err(Error::bad_request(format!(
            "The value of stage variable {name} can be at most {VALUE_CHARS_MAX} characters."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str) -> String {
        let variables = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        check(Some(&variables)).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn names_are_words_and_values_plain_text() {
        assert_eq!(refusal("a_1", "http://a-b.c:80/d?e=f&g=h, i"), "fine");
        assert_eq!(refusal("a", ""), "fine");
        assert_eq!(
            refusal("a-b", "x"),
            "Invalid stage variable name: a-b. Please use names with only word characters."
        );
        assert_eq!(
            refusal("K", "a$b"),
            "Invalid stage variable value of key K.  Please use values with alphanumeric characters and the symbols \
             ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','."
        );
    }

    #[test]
    fn names_values_and_their_number_are_bounded() {
        assert_eq!(refusal(&"n".repeat(64), &"v".repeat(512)), "fine");
        assert!(refusal(&"n".repeat(65), "v").contains("64"));
        assert!(refusal("n", &"v".repeat(513)).contains("512"));
        let many = (0..101).map(|n| (format!("n{n}"), String::new())).collect();
        assert!(check(Some(&many)).is_err());
    }
}
