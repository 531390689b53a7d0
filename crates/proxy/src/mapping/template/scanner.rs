//! A place in a template's text, and how to move on from it.

use super::{NESTING_MAX, TemplateError};

/// Where a parser is.
pub struct Scanner<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Scanner<'t> {
    /// `depth`: how deep what is parsed lies in the whole template.
    pub fn new(text: &'t str, depth: usize) -> Self {
        Scanner { text, at: 0, depth }
    }

    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Back to a place it has been at.
    pub fn return_to(&mut self, at: usize) {
        self.at = at;
    }

    /// What lies between a place it has been at and here.
    pub fn since(&self, at: usize) -> &'t str {
        &self.text[at..self.at]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes so many bytes, which must be whole characters.
    pub fn skip(&mut self, bytes: usize) -> &'t str {
        let taken = &self.rest()[..bytes];
        self.at += bytes;
        taken
    }

    pub fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.skip(end)
    }

    /// Blanks and line ends.
    pub fn space(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    /// A word operator: the same letters must not go on.
    pub fn take_word(&mut self, word: &str) -> bool {
        let goes_on =
            |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        match self.rest().strip_prefix(word) {
            Some(rest) if !goes_on(rest) => {
                self.at += word.len();
                true
            }
            _ => false,
        }
    }

    /// The name of a variable, property or method.
    pub fn identifier(&mut self) -> Option<&'t str> {
        let first = self.peek()?;
        if !first.is_ascii_alphabetic() && first != '_' {
            return None;
        }
        Some(self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
    }

    /// Blanks and one line end, if that is all until the line's end: what follows a directive.
    pub fn line_end(&mut self) {
        let rest = self.rest().trim_start_matches([' ', '\t']);
        let blanks = self.rest().len() - rest.len();
        let end = match rest.as_bytes() {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return,
        };
        self.at += blanks + end;
    }

    pub fn expect(&mut self, expected: &str, after: &str) -> Result<(), TemplateError> {
        match self.take(expected) {
            true => Ok(()),
            false => Err(self.error(format!("{expected} is missing after {after}"))),
        }
    }

    pub fn deeper(&mut self) -> Result<(), TemplateError> {
        self.depth += 1;
        match self.depth > NESTING_MAX {
            true => Err(self.error(format!("it nests deeper than {NESTING_MAX}"))),
            false => Ok(()),
        }
    }

    pub fn back_up(&mut self) {
        self.depth -= 1;
    }

    pub fn error(&self, what: impl Into<String>) -> TemplateError {
        let before = &self.text.as_bytes()[..self.at];
        TemplateError::Syntax {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            what: what.into(),
        }
    }
}
