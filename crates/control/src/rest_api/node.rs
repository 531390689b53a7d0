//! A document as a tree that keeps the order of its members: what definitions are read into and written from.

use indexmap::IndexMap;
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

/// The members of an object, in the order they were written.
pub type Members = IndexMap<String, Node>;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Box<Members>),
}

impl Node {
    pub fn empty() -> Node {
        Node::Object(Box::default())
    }

    pub fn members(&self) -> Option<&Members> {
        match self {
            Node::Object(members) => Some(members),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Node]> {
        match self {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.members()?.get(name)
    }

    /// Text, or what a number or a boolean is written as: YAML reads `200` and `true` where a text was meant.
    pub fn scalar(&self) -> Option<String> {
        match self {
            Node::Text(text) => Some(text.clone()),
            Node::Number(number) => Some(number.to_string()),
            Node::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// A boolean, or its name as text.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Node::Bool(value) => Some(*value),
            Node::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What a JSON pointer names: `/paths/~1pets/get`.
    pub fn at(&self, pointer: &str) -> Option<&Node> {
        pointer
            .split('/')
            .skip(1)
            .try_fold(self, |node, step| match node {
                Node::Object(members) => members.get(&unescaped(step)),
                Node::List(items) => items.get(step.parse::<usize>().ok()?),
                _ => None,
            })
    }
}

/// A step of a JSON pointer as it is written.
pub fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Number(number) => number.serialize(serializer),
            Node::Text(text) => serializer.serialize_str(text),
            Node::List(items) => serializer.collect_seq(items),
            Node::Object(members) => serializer.collect_map(members.iter()),
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Node {
        Node::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Node {
        Node::Text(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Node {
        Node::Bool(value)
    }
}

impl From<i32> for Node {
    fn from(value: i32) -> Node {
        Node::Number(value.into())
    }
}

impl From<Members> for Node {
    fn from(members: Members) -> Node {
        Node::Object(Box::new(members))
    }
}

impl<T: Into<Node>> FromIterator<T> for Node {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Node {
        Node::List(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_members_and_items() {
        let pet = Members::from_iter([("get".to_owned(), Node::from_iter(["a", "b"]))]);
        let paths = Members::from_iter([("/pets/~x".to_owned(), pet.into())]);
        let root = Node::from(paths);
        let place = format!("/{}/get/1", escaped("/pets/~x"));
        assert_eq!(root.at(&place).and_then(Node::text), Some("b"));
        assert_eq!(root.at("").map(|node| node == &root), Some(true));
        for nowhere in [
            "/pets",
            "/~1pets~1~0x/get/2",
            "/~1pets~1~0x/get/x",
            "/~1pets~1~0x/get/0/a",
        ] {
            assert_eq!(root.at(nowhere), None, "{nowhere}");
        }
    }
}
