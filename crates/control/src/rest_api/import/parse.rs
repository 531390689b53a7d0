//! Bytes become a document: JSON or YAML, told apart by their content, within bounds that name the place.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy};

use crate::rest_api::node::{Members, Node, escaped};

/// How deep objects and lists may lie in each other.
pub const DEPTH_MAX: usize = 64;
/// Values of a document, those that aliases repeat counted each time.
pub const NODES_MAX: usize = 1_000_000;
/// Bytes of all names and texts of a document, those that aliases repeat counted each time.
pub const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why bytes are no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// AWS's words for whatever cannot be read. Why, it does not say; who reads files of their own may.
    #[error("Invalid OpenAPI input.")]
    Unreadable(String),
    #[error(
        "Invalid OpenAPI input. It has {bytes} bytes; max_definition_bytes allows {limit}. Remove what is not needed or raise the setting."
    )]
    TooLong { bytes: usize, limit: usize },
    #[error("Invalid OpenAPI input. At {0} it is nested deeper than {DEPTH_MAX} levels.")]
    TooDeep(String),
    #[error(
        "Invalid OpenAPI input. At {0} it has more than {NODES_MAX} values or {TEXT_BYTES_MAX} bytes of text, repeated aliases included."
    )]
    TooMuch(String),
    #[error("Invalid OpenAPI input. The member at {0} is there twice.")]
    Twice(String),
    #[error(
        "Invalid OpenAPI input. The version {0} at /openapi is not supported. Use OpenAPI 3.0 or Swagger 2.0."
    )]
    Version(String),
}

/// Reads a definition of at most `limit` bytes.
pub fn parse(bytes: &[u8], limit: usize) -> Result<Node, ParseError> {
    if bytes.len() > limit {
        let bytes = bytes.len();
        return Err(ParseError::TooLong { bytes, limit });
    }
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|error| ParseError::Unreadable(error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reading = Reading::default();
    let root = if text.trim_start().starts_with('{') {
        read_json(text, &reading)
    } else {
        read_yaml(text, &reading)
    };
    root.map_err(|why| {
        reading
            .refused
            .take()
            .unwrap_or(ParseError::Unreadable(why))
    })
}

fn read_json(text: &str, reading: &Reading) -> Result<Node, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let root = reading.seed().deserialize(&mut reader);
    let whole = root.and_then(|root| reader.end().map(|()| root));
    whole.map_err(|error| error.to_string())
}

/// The library's bounds end what would take long before ours are reached.
fn read_yaml(text: &str, reading: &Reading) -> Result<Node, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 8 * NODES_MAX,
            max_nodes: 4 * NODES_MAX,
            max_aliases: NODES_MAX,
            max_anchors: NODES_MAX,
            max_merge_keys: NODES_MAX,
            max_recorded_anchor_events: NODES_MAX / 4,
            max_total_scalar_bytes: 2 * TEXT_BYTES_MAX,
            max_depth: 4 * DEPTH_MAX,
            enforce_alias_anchor_ratio: false,
        },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Merge,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 8 * NODES_MAX,
            max_replay_stack_depth: DEPTH_MAX,
            max_alias_expansions_per_anchor: NODES_MAX,
        },
        // `yes`, `0123` and `1_000` are texts, as in YAML 1.2.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| {
        reading.seed().deserialize(reader)
    });
    read.map_err(|error| {
        refuse_limit(reading, &error);
        error.to_string()
    })
}

/// A bound of the library was met where the reading stands.
fn refuse_limit(reading: &Reading, error: &serde_saphyr::Error) {
    // Such an error may lie inside another, for the alias it was met in; its text says what it is.
    let text = error.to_string();
    let limit: fn(String) -> ParseError = if text.contains("recursion limit") {
        ParseError::TooDeep
    } else if text.contains("budget breached") || text.contains("limit exceeded") {
        ParseError::TooMuch
    } else {
        return;
    };
    if reading.refused.borrow().is_none() {
        reading.refused.replace(Some(limit(reading.place())));
    }
}

/// What is known while a document is read.
#[derive(Default)]
struct Reading {
    /// The steps from the root to the value that is read.
    steps: RefCell<Vec<String>>,
    nodes: Cell<usize>,
    text_bytes: Cell<usize>,
    /// Why the reading was given up, where that was ours to decide.
    refused: RefCell<Option<ParseError>>,
}

impl Reading {
    fn seed(&self) -> Seed<'_> {
        Seed { reading: self }
    }

    fn place(&self) -> String {
        let steps = self.steps.borrow();
        if steps.is_empty() {
            return "the root".to_owned();
        }
        steps.iter().fold(String::new(), |mut place, step| {
            place.push('/');
            place.push_str(&escaped(step));
            place
        })
    }

    fn refuse<E: de::Error>(&self, error: fn(String) -> ParseError) -> E {
        let error = error(self.place());
        let shown = E::custom(&error);
        self.refused.replace(Some(error));
        shown
    }

    fn count<E: de::Error>(&self, text_bytes: usize) -> Result<(), E> {
        self.nodes.set(self.nodes.get() + 1);
        self.count_text(text_bytes)
    }

    fn count_text<E: de::Error>(&self, text_bytes: usize) -> Result<(), E> {
        self.text_bytes.set(self.text_bytes.get() + text_bytes);
        if self.nodes.get() > NODES_MAX || self.text_bytes.get() > TEXT_BYTES_MAX {
            return Err(self.refuse(ParseError::TooMuch));
        }
        Ok(())
    }

    /// Reads what lies one step deeper.
    fn below<T, E: de::Error>(
        &self,
        step: String,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.steps.borrow_mut().push(step);
        if self.steps.borrow().len() > DEPTH_MAX {
            return Err(self.refuse(ParseError::TooDeep));
        }
        let value = read()?;
        self.steps.borrow_mut().pop();
        Ok(value)
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    reading: &'a Reading,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.reading.count(0)?;
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.reading.count(0)?;
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        self.reading.count(0)?;
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        self.reading.count(0)?;
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        self.reading.count(0)?;
        // YAML has infinities; JSON, and so a definition, has not.
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        self.visit_string(value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        self.visit_string(value.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Node, E> {
        self.reading.count(text.len())?;
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        self.reading.count(0)?;
        let mut items = Vec::new();
        loop {
            let step = items.len().to_string();
            let read = || access.next_element_seed(self);
            match self.reading.below(step, read)? {
                Some(item) => items.push(item),
                None => return Ok(Node::List(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        self.reading.count(0)?;
        let mut members = Members::new();
        while let Some(name) = access.next_key::<String>()? {
            self.reading.count_text(name.len())?;
            let value = self
                .reading
                .below(name.clone(), || access.next_value_seed(self))?;
            if members.contains_key(&name) {
                self.reading.steps.borrow_mut().push(name);
                return Err(self.reading.refuse(ParseError::Twice));
            }
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, ParseError> {
        parse(text.as_bytes(), 6 << 20)
    }

    #[test]
    fn yaml_and_json_are_read_alike() {
        let json = r#"{"a": [1, -2, 1.5, true, null, "x"], "200": {"b": "yes"}}"#;
        let yaml = "a:\n- 1\n- -2\n- 1.5\n- true\n- ~\n- x\n200:\n  b: yes\n";
        assert_eq!(read(json), read(yaml));
        let Ok(Node::Object(members)) = read(json) else {
            panic!("{:?}", read(json));
        };
        assert_eq!(members.keys().collect::<Vec<_>>(), ["a", "200"]);
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let yaml = "a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n  y: 2\n";
        assert_eq!(
            read(yaml),
            read(r#"{"a":{"x":1},"b":{"x":1},"c":{"x":1,"y":2}}"#)
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_in_the_words_of_aws() {
        for bad in ["{", "{\"a\": 1} x", "a: [1", "a: *nobody", "a: b: c"] {
            let error = read(bad).unwrap_err();
            assert!(matches!(error, ParseError::Unreadable(_)), "{bad}");
            assert_eq!(error.to_string(), "Invalid OpenAPI input.");
        }
        let bytes = parse(b"{\"a\": \"\xff\"}", 100);
        assert!(matches!(bytes, Err(ParseError::Unreadable(_))));
    }

    #[test]
    fn a_bomb_of_aliases_is_told_with_its_place() {
        let mut yaml = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = vec![format!("*l{}", level - 1); 10].join(", ");
            yaml.push_str(&format!("l{level}: &l{level} [{before}]\n"));
        }
        let Err(ParseError::TooMuch(place)) = read(&yaml) else {
            panic!("{:?}", read(&yaml).map(|_| ()));
        };
        assert!(place.starts_with("/l"), "{place}");
    }

    #[test]
    fn a_long_text_that_is_repeated_is_a_bomb_too() {
        let yaml = format!(
            "a: &a {}\nb: [{}]\n",
            "x".repeat(1 << 20),
            ["*a"; 70].join(", ")
        );
        assert_eq!(read(&yaml), Err(ParseError::TooMuch("/b/62".to_owned())));
    }

    #[test]
    fn deep_nesting_is_told_with_its_place() {
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            let text = format!("{{\"x\":{}1{}}}", open.repeat(200), close.repeat(200));
            let error = read(&text).unwrap_err();
            assert!(
                matches!(&error, ParseError::TooDeep(place) if place.starts_with("/x/")),
                "{error}"
            );
        }
        let yaml = format!("x: {}1{}", "[".repeat(200), "]".repeat(200));
        assert!(
            matches!(read(&yaml), Err(ParseError::TooDeep(place)) if place.starts_with("/x/0/0"))
        );
        let deepest = format!("{{\"x\":{}1{}}}", "[".repeat(62), "]".repeat(62));
        assert!(read(&deepest).is_ok());
    }

    #[test]
    fn what_is_there_twice_and_what_is_too_long_is_told() {
        let twice = ParseError::Twice("/paths/~1a".to_owned());
        assert_eq!(read(r#"{"paths": {"/a": 1, "/a": 2}}"#), Err(twice.clone()));
        assert_eq!(read("paths:\n  /a: 1\n  /a: 2\n"), Err(twice));
        let long = parse(&[b' '; 11], 10).unwrap_err().to_string();
        assert!(
            long.contains("11 bytes") && long.contains("max_definition_bytes allows 10"),
            "{long}"
        );
    }
}
