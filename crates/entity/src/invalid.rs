//! What can be wrong with a noun: one sentence in AWS's words, without HTTP.

use std::borrow::Cow;

/// A rule that a noun breaks; the text is what the caller is shown (AWS's own where AWS has one).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub Cow<'static, str>);

impl Invalid {
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Invalid(text.into())
    }

    /// Refuses a text of more than `max` characters; `what` begins the sentence.
    pub fn check_chars(what: &str, text: &str, max: usize) -> Result<(), Invalid> {
        if text.chars().count() <= max {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "{what} can be at most {max} characters"
        )))
    }
}
