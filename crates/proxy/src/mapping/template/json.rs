//! JSON documents in a heap: read in the order of their members, and written without blanks.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::budget::{LIMITS, RenderError};
use super::heap::{Heap, List, Map, MapKind, Value};
use super::print::java_float;

/// Reads a JSON document.
///
/// # Errors
/// [`RenderError::Body`] when the text is not JSON; a limit when it is too large a document.
pub fn read(heap: &mut Heap, text: &str) -> Result<Value, RenderError> {
    heap.budget.handle(text.len())?;
    let reading = RefCell::new(Reading { heap, limit: None });
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Seed(&reading).deserialize(&mut source);
    let value = value.and_then(|value| source.end().map(|()| value));
    value.map_err(|error| match reading.into_inner().limit {
        Some(limit) => limit,
        None => RenderError::Body(error.to_string()),
    })
}

/// The heap that is read into, and the limit that ended the reading.
struct Reading<'h> {
    heap: &'h mut Heap,
    limit: Option<RenderError>,
}

#[derive(Clone, Copy)]
struct Seed<'r, 'h>(&'r RefCell<Reading<'h>>);

impl Seed<'_, '_> {
    /// Puts something into the heap; beyond a limit the reading ends.
    fn keep<T, E: Error>(
        &self,
        make: impl FnOnce(&mut Heap) -> Result<T, RenderError>,
    ) -> Result<T, E> {
        let mut reading = self.0.borrow_mut();
        let made = reading.heap.budget.step().and_then(|()| make(reading.heap));
        made.map_err(|error| {
            let text = error.to_string();
            reading.limit = Some(error);
            E::custom(text)
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.keep(|heap| heap.text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            self.keep(|heap| heap.budget.keep(size_of::<Value>()))?;
            list.push(item);
        }
        self.keep(|heap| {
            heap.add_list(List {
                items: list,
                is_json: true,
            })
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut entries: IndexMap<Arc<str>, Value> = IndexMap::new();
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            self.keep(|heap| heap.budget.keep(name.len() + size_of::<Value>()))?;
            let value = members.next_value_seed(self)?;
            entries.insert(name.into(), value);
        }
        self.keep(|heap| {
            heap.add_map(Map {
                entries,
                kind: MapKind::Plain,
            })
        })
        .map(Value::Map)
    }
}

/// Writes a value as JSON.
///
/// # Errors
/// Beyond a limit.
pub fn write(heap: &mut Heap, value: &Value, out: &mut String) -> Result<(), RenderError> {
    let before = out.len();
    // Reads the heap only; what it costs is counted while it goes and paid for here.
    let mut cost = 0;
    let written = write_at(heap, value, out, 0, &mut cost);
    heap.budget.handle(cost * 16 + out.len() - before)?;
    written
}

pub(super) fn write_at(
    heap: &Heap,
    value: &Value,
    out: &mut String,
    depth: usize,
    cost: &mut usize,
) -> Result<(), RenderError> {
    *cost += 1;
    if depth > LIMITS.depth_max {
        return Err(RenderError::Depth);
    }
    // A value that holds others twice over and over is small and prints without an end.
    if out.len() > LIMITS.output_bytes_max || *cost as u64 > LIMITS.steps_max {
        return Err(RenderError::Output);
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => out.push_str(itoa::Buffer::new().format(*value)),
        Value::Float(value) => java_float(*value, out),
        Value::Text(text) => string(text, out),
        Value::List(id) => {
            out.push('[');
            for (index, item) in heap.list(*id).items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_at(heap, item, out, depth + 1, cost)?;
            }
            out.push(']');
        }
        Value::Map(id) => {
            out.push('{');
            for (index, (name, value)) in heap.map(*id).entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                string(name, out);
                out.push(':');
                write_at(heap, value, out, depth + 1, cost)?;
            }
            out.push('}');
        }
        Value::Input | Value::Util | Value::Block(_) | Value::Loop(_) => out.push_str("{}"),
    }
    Ok(())
}

/// A text in quotes; only what JSON cannot hold is escaped.
pub fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
