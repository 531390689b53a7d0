//! Mapping templates: the part of the Velocity Template Language that API Gateway's users write.
//!
//! A template is parsed when its deployment is compiled ([`Template::parse`]) and evaluated for each
//! call ([`Template::render`]) with a [`Scope`] of what it may read. Whatever it says, an evaluation
//! ends: `budget` has the limits.

mod budget;
mod collections;
mod evaluate;
mod expressions;
mod functions;
pub mod heap;
pub mod json;
mod operators;
mod parser;
mod print;
mod scanner;
mod scope;
mod strings;
mod syntax;
#[cfg(test)]
mod tests;

pub use self::budget::{LIMITS, RenderError};
pub use self::scope::{Lasting, Parameters, Scope};
use self::syntax::Node;

/// Bytes that a template may have, as on AWS.
pub const TEMPLATE_BYTES_MAX: usize = 300 * 1024;
/// How deep directives, brackets and strings may nest in a template.
pub const NESTING_MAX: usize = 32;

/// A parsed template.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<Node>,
}

/// Why a template is not one; for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("line {line}: {what}")]
    Syntax { line: usize, what: String },
    #[error("it has more than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When it is not one, or has a part of Velocity that is not supported.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong);
        }
        let nodes = parser::parse(text)?;
        Ok(Template { nodes })
    }

    /// What the template gives in this scope.
    ///
    /// # Errors
    /// When it goes beyond a limit, calls for something that is not supported, or a method that it
    /// calls fails.
    pub fn render(&self, scope: &mut Scope<'_>) -> Result<String, RenderError> {
        evaluate::render(&self.nodes, scope)
    }

    /// The template's text where it has nothing to evaluate.
    pub fn literal(&self) -> Option<&str> {
        match self.nodes.as_slice() {
            [] => Some(""),
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }
}
