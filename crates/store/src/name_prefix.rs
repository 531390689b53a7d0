//! Names that begin with a prefix, as a range that an index can be read by.

use crate::database::Value;

/// The least value that is greater than every text beginning with `prefix`. Texts compare by their
/// UTF-8 bytes, which is the order of their characters; a blob is greater than every text.
pub(crate) fn end_of_prefix(prefix: &str) -> Value {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'), // there is no character between
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Value::Text(chars.into_iter().collect());
        }
    }
    Value::Blob(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_next_text_that_does_not_begin_so() {
        let text = |text: &str| Value::Text(text.into());
        assert_eq!(end_of_prefix("ab"), text("ac"));
        assert_eq!(end_of_prefix("a\u{10FFFF}"), text("b"));
        assert_eq!(end_of_prefix("\u{D7FF}"), text("\u{E000}"));
        assert_eq!(end_of_prefix("\u{10FFFF}"), Value::Blob(vec![]));
        assert_eq!(end_of_prefix(""), Value::Blob(vec![]));
    }
}
