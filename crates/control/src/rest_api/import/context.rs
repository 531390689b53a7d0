//! What the parts of an import share: the document, where they are in it, and what they found wrong.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tollgate_entity::Model;

use crate::rest_api::node::{Node, escaped};

/// References that lead to references before a definition is refused.
const REFERENCES_MAX: usize = 32;

/// Which of the two specifications a document follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Swagger,
    OpenApi,
}

/// A value of the document and its JSON pointer.
#[derive(Clone, Debug)]
pub struct At<'a> {
    pub node: &'a Node,
    pub place: String,
}

impl<'a> At<'a> {
    pub fn root(node: &'a Node) -> Self {
        let place = String::new();
        At { node, place }
    }

    fn below(&self, step: &str, node: &'a Node) -> Self {
        let place = format!("{}/{}", self.place, escaped(step));
        At { node, place }
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<At<'a>> {
        Some(self.below(name, self.node.get(name)?))
    }

    /// The members of an object; none of anything else.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, At<'a>)> {
        let members = self.node.members().into_iter().flatten();
        members.map(|(name, node)| (name.as_str(), self.below(name, node)))
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> impl Iterator<Item = At<'a>> {
        let items = self.node.list().unwrap_or_default().iter().enumerate();
        items.map(|(number, node)| self.below(&number.to_string(), node))
    }

    /// The member's text, which may have been written as a number or a boolean.
    pub fn text(&self, name: &str) -> Option<String> {
        self.node.get(name)?.scalar()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.node.get(name)?.list()?;
        Some(items.iter().filter_map(Node::scalar).collect())
    }
}

/// The method an import is at; its warnings and errors name it.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    pub path: &'a str,
    pub verb: &'a str,
}

/// An import in progress.
pub struct Context<'a> {
    pub root: &'a Node,
    pub dialect: Dialect,
    /// The API that models refer to.
    pub api: &'a str,
    /// Those declared, and those that inline schemas are given.
    pub models: IndexMap<String, Model>,
    pub warnings: Vec<String>,
    pub errors: Vec<String>,
}

impl<'a> Context<'a> {
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    pub fn fail(&mut self, text: impl Into<String>) {
        self.errors.push(text.into());
    }

    /// The value itself, or what its `$ref` leads to. A reference that leads nowhere is an error, and none.
    pub fn follow(&mut self, from: At<'a>) -> Option<At<'a>> {
        let start = from.place.clone();
        let mut at = from;
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = at.node.get("$ref").and_then(Node::text) else {
                return Some(at);
            };
            let Some(pointer) = reference.strip_prefix('#') else {
                self.fail(format!(
                    "Reference at {start} is not to this document: {reference}"
                ));
                return None;
            };
            let Some(node) = self.root.at(pointer) else {
                self.fail(format!("Reference at {start} leads nowhere: {reference}"));
                return None;
            };
            let place = pointer.to_owned();
            at = At { node, place };
        }
        self.fail(format!(
            "References at {start} are cyclic or lead through more than {REFERENCES_MAX} others"
        ));
        None
    }

    /// A map of texts. AWS takes no value of another type; it is left out with AWS's warning.
    pub fn text_map(
        &mut self,
        at: &At<'a>,
        name: &str,
        of: Operation<'_>,
    ) -> Option<BTreeMap<String, String>> {
        let map = at.get(name)?;
        let mut texts = BTreeMap::new();
        for (key, value) in map.members() {
            match value.node {
                Node::Text(text) => drop(texts.insert(key.to_owned(), text.clone())),
                other => self.warn(format!(
                    "Invalid format for '{name}'. Expected type string for property '{key}' of resource '{}' and method '{}' but got '{}'",
                    of.path,
                    of.verb,
                    shown(other)
                )),
            }
        }
        (!texts.is_empty()).then_some(texts)
    }
}

/// A value of a wrong type as a warning shows it.
pub fn shown(node: &Node) -> String {
    const CHARS_MAX: usize = 100;
    let text = serde_json::to_string(node).unwrap_or_default();
    text.chars().take(CHARS_MAX).collect()
}
