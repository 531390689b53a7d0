//! What templates may call on lists and maps: methods of Java's `List` and `Map`.

use std::sync::Arc;

use indexmap::IndexMap;

use super::budget::RenderError;
use super::heap::{Heap, ListId, Map, MapId, MapKind, Value};
use super::operators::equal;
use super::print::text_of;
use super::strings::unsupported;

/// Methods that Java's lists and maps have and these do not.
const UNSUPPORTED: [&str; 27] = [
    "compute",
    "computeIfAbsent",
    "computeIfPresent",
    "ensureCapacity",
    "forEach",
    "getClass",
    "hashCode",
    "iterator",
    "lastIndexOf",
    "listIterator",
    "merge",
    "parallelStream",
    "putIfAbsent",
    "removeAll",
    "removeIf",
    "replace",
    "replaceAll",
    "retainAll",
    "reversed",
    "sort",
    "spliterator",
    "stream",
    "toArray",
    "toJSONString",
    "trimToSize",
    "clone",
    "appendElement",
];

/// Calls a method of a list.
pub fn call_list(
    heap: &mut Heap,
    id: ListId,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    let length = heap.list(id).items.len();
    let place = |index: i64, end: usize| {
        let found = usize::try_from(index).ok().filter(|index| *index < end);
        found.ok_or_else(|| {
            RenderError::Failed(format!("the index {index} is out of the list's range"))
        })
    };
    Ok(match (name, arguments) {
        ("size", []) => Value::Integer(length as i64),
        ("isEmpty", []) => Value::Boolean(length == 0),
        ("toString", []) => Value::Text(text_of(heap, &Value::List(id))?),
        ("get", [Value::Integer(index)]) => heap.list(id).items[place(*index, length)?].clone(),
        ("add", [value]) => {
            heap.push(id, value.clone())?;
            Value::Boolean(true)
        }
        ("add", [Value::Integer(index), value]) => {
            let at = place(*index, length + 1)?;
            heap.budget.handle(length * size_of::<Value>())?;
            heap.push(id, Value::Null)?;
            let items = &mut heap.list_mut(id).items;
            items.pop();
            items.insert(at, value.clone());
            Value::Null
        }
        ("set", [Value::Integer(index), value]) => {
            let at = place(*index, length)?;
            std::mem::replace(&mut heap.list_mut(id).items[at], value.clone())
        }
        ("remove", [Value::Integer(index)]) => {
            let at = place(*index, length)?;
            heap.budget.handle(length * size_of::<Value>())?;
            heap.list_mut(id).items.remove(at)
        }
        ("clear", []) => {
            heap.list_mut(id).items.clear();
            Value::Null
        }
        ("addAll", [other]) => {
            let items = items(heap, other)?;
            let is_changed = !items.is_empty();
            for item in items {
                heap.push(id, item)?;
            }
            Value::Boolean(is_changed)
        }
        ("contains", [value]) => Value::Boolean(position(heap, id, value)?.is_some()),
        ("indexOf", [value]) => {
            let at = position(heap, id, value)?;
            Value::Integer(at.map_or(-1, |at| at as i64))
        }
        ("containsAll", [other]) => {
            let mut has_all = true;
            for item in items(heap, other)? {
                has_all &= position(heap, id, &item)?.is_some();
            }
            Value::Boolean(has_all)
        }
        ("subList", [Value::Integer(from), Value::Integer(to)]) => {
            let (from, to) = (place(*from, length + 1)?, place(*to, length + 1)?);
            let part = heap.list(id).items.get(from..to).map(<[Value]>::to_vec);
            heap.new_list(part.ok_or_else(|| {
                RenderError::Failed("the range of subList ends before it begins".into())
            })?)?
        }
        ("equals", [other]) => Value::Boolean(equal(heap, &Value::List(id), other)?),
        (name, _) if UNSUPPORTED.contains(&name) => return Err(unsupported(name, "lists")),
        _ => Value::Null,
    })
}

/// Calls a method of a map.
pub fn call_map(
    heap: &mut Heap,
    id: MapId,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    let is_entry = heap.map(id).kind == MapKind::Entry;
    Ok(match (name, arguments) {
        ("getKey", []) if is_entry => heap.get(id, "key"),
        ("getValue", []) if is_entry => heap.get(id, "value"),
        ("toString", []) => Value::Text(text_of(heap, &Value::Map(id))?),
        (_, _) if is_entry => Value::Null,
        ("size", []) => Value::Integer(heap.map(id).entries.len() as i64),
        ("isEmpty", []) => Value::Boolean(heap.map(id).entries.is_empty()),
        ("get", [key]) => {
            let key = text_of(heap, key)?;
            heap.get(id, &key)
        }
        ("getOrDefault", [key, default]) => {
            let key = text_of(heap, key)?;
            match heap.get(id, &key) {
                Value::Null => default.clone(),
                value => value,
            }
        }
        ("put", [key, value]) => {
            let key = text_of(heap, key)?;
            heap.put(id, key, value.clone())?
        }
        ("putAll", [Value::Map(other)]) => {
            let entries = heap.map(*other).entries.clone();
            heap.budget.handle(entries.len() * size_of::<Value>())?;
            for (key, value) in entries {
                heap.put(id, key, value)?;
            }
            Value::Null
        }
        ("remove", [key]) => {
            let key = text_of(heap, key)?;
            heap.budget
                .handle(heap.map(id).entries.len() * size_of::<Value>())?;
            heap.map_mut(id)
                .entries
                .shift_remove(&key)
                .unwrap_or(Value::Null)
        }
        ("clear", []) => {
            heap.map_mut(id).entries.clear();
            Value::Null
        }
        ("containsKey", [key]) => {
            let key = text_of(heap, key)?;
            let has = heap.map(id).entries.contains_key(&key);
            Value::Boolean(has || heap.get(id, &key) != Value::Null)
        }
        ("containsValue", [value]) => {
            let values: Vec<Value> = heap.map(id).entries.values().cloned().collect();
            Value::Boolean(first_equal(heap, &values, value)?.is_some())
        }
        ("keySet", []) => {
            let keys = heap
                .map(id)
                .entries
                .keys()
                .cloned()
                .map(Value::Text)
                .collect();
            heap.new_list(keys)?
        }
        ("values", []) => {
            let values = heap.map(id).entries.values().cloned().collect();
            heap.new_list(values)?
        }
        ("entrySet", []) => entries(heap, id)?,
        ("equals", [other]) => Value::Boolean(equal(heap, &Value::Map(id), other)?),
        (name, _) if UNSUPPORTED.contains(&name) => return Err(unsupported(name, "maps")),
        _ => Value::Null,
    })
}

fn entries(heap: &mut Heap, id: MapId) -> Result<Value, RenderError> {
    let pairs: Vec<(Arc<str>, Value)> = heap
        .map(id)
        .entries
        .iter()
        .map(|(key, value)| (Arc::clone(key), value.clone()))
        .collect();
    let mut all = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        heap.budget.step()?;
        let members = [("key", Value::Text(key)), ("value", value)];
        let entries: IndexMap<Arc<str>, Value> =
            members.map(|(name, value)| (name.into(), value)).into();
        let entry = heap.add_map(Map {
            entries,
            kind: MapKind::Entry,
        })?;
        all.push(Value::Map(entry));
    }
    heap.new_list(all)
}

/// What a loop or `addAll` goes through: the items of a list, the values of a map.
pub fn items(heap: &mut Heap, value: &Value) -> Result<Vec<Value>, RenderError> {
    let items: Vec<Value> = match value {
        Value::List(id) => heap.list(*id).items.clone(),
        Value::Map(id) => heap.map(*id).entries.values().cloned().collect(),
        _ => Vec::new(),
    };
    heap.budget.handle(items.len() * size_of::<Value>())?;
    Ok(items)
}

fn position(heap: &mut Heap, id: ListId, value: &Value) -> Result<Option<usize>, RenderError> {
    let items = items(heap, &Value::List(id))?;
    first_equal(heap, &items, value)
}

/// As Java's `equals`: values of different kinds are different.
fn first_equal(
    heap: &mut Heap,
    items: &[Value],
    value: &Value,
) -> Result<Option<usize>, RenderError> {
    for (index, item) in items.iter().enumerate() {
        heap.budget.step()?;
        if std::mem::discriminant(item) == std::mem::discriminant(value)
            && equal(heap, item, value)?
        {
            return Ok(Some(index));
        }
    }
    Ok(None)
}
