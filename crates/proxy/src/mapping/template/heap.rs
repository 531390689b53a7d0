//! The values of an evaluation. Lists and maps live in one place and are named by number, so that
//! templates may change them, share them and put them into themselves.

use std::sync::Arc;

use indexmap::IndexMap;

use super::budget::{Budget, LIMITS, RenderError};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Arc<str>),
    List(ListId),
    Map(MapId),
    /// `$input`
    Input,
    /// `$util`
    Util,
    /// What `#define` kept, by its number.
    Block(usize),
    /// `$foreach`, by how many loops are around it.
    Loop(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListId(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapId(usize);

#[derive(Debug, Default)]
pub struct List {
    pub items: Vec<Value>,
    /// From a JSON document: it prints as JSON, where Java's own lists print their way.
    pub is_json: bool,
}

#[derive(Debug, Default)]
pub struct Map {
    pub entries: IndexMap<Arc<str>, Value>,
    pub kind: MapKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MapKind {
    #[default]
    Plain,
    /// Names are looked up in any case.
    Headers,
    /// An entry of another map: `key` and `value`.
    Entry,
}

/// Bytes that a member of a list or map takes, about.
const MEMBER_BYTES: usize = 64;

/// All lists and maps of a call's templates.
#[derive(Debug, Default)]
pub struct Heap {
    lists: Vec<List>,
    maps: Vec<Map>,
    pub budget: Budget,
}

impl Heap {
    pub fn text(&mut self, text: impl Into<Arc<str>>) -> Result<Value, RenderError> {
        let text = text.into();
        if text.len() > LIMITS.output_bytes_max {
            return Err(RenderError::Output);
        }
        self.budget.handle(text.len())?;
        self.budget.keep(text.len())?;
        Ok(Value::Text(text))
    }

    pub fn new_list(&mut self, items: Vec<Value>) -> Result<Value, RenderError> {
        self.add_list(List {
            items,
            is_json: false,
        })
    }

    pub fn add_list(&mut self, list: List) -> Result<Value, RenderError> {
        self.budget.keep(MEMBER_BYTES * (1 + list.items.len()))?;
        self.lists.push(list);
        Ok(Value::List(ListId(self.lists.len() - 1)))
    }

    pub fn new_map(&mut self, entries: IndexMap<Arc<str>, Value>) -> Result<Value, RenderError> {
        self.add_map(Map {
            entries,
            kind: MapKind::Plain,
        })
        .map(Value::Map)
    }

    pub fn add_map(&mut self, map: Map) -> Result<MapId, RenderError> {
        self.budget.keep(MEMBER_BYTES * (1 + map.entries.len()))?;
        self.maps.push(map);
        Ok(MapId(self.maps.len() - 1))
    }

    pub fn list(&self, id: ListId) -> &List {
        &self.lists[id.0]
    }

    pub fn list_mut(&mut self, id: ListId) -> &mut List {
        &mut self.lists[id.0]
    }

    pub fn map(&self, id: MapId) -> &Map {
        &self.maps[id.0]
    }

    pub fn map_mut(&mut self, id: MapId) -> &mut Map {
        &mut self.maps[id.0]
    }

    /// The value under a name; null when there is none.
    pub fn get(&self, id: MapId, name: &str) -> Value {
        let map = self.map(id);
        let found = map.entries.get(name).or_else(|| match map.kind {
            MapKind::Headers => map
                .entries
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, value)| value),
            MapKind::Plain | MapKind::Entry => None,
        });
        found.cloned().unwrap_or(Value::Null)
    }

    /// Sets the value under a name, and gives the one before.
    pub fn put(&mut self, id: MapId, name: Arc<str>, value: Value) -> Result<Value, RenderError> {
        self.budget.keep(MEMBER_BYTES)?;
        let before = self.map_mut(id).entries.insert(name, value);
        Ok(before.unwrap_or(Value::Null))
    }

    /// Adds a value to a list.
    pub fn push(&mut self, id: ListId, value: Value) -> Result<(), RenderError> {
        self.budget.keep(MEMBER_BYTES)?;
        self.list_mut(id).items.push(value);
        Ok(())
    }
}
