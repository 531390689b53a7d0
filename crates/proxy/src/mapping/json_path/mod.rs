//! JSONPath in the dialect of Jayway's library, which API Gateway uses: the `$` may be left out, names may
//! hold dashes, and a path that can only mean one place gives that value instead of a list.

mod filter;
mod parse;

use std::sync::Arc;

use indexmap::IndexMap;

use self::filter::Filter;
use super::template::heap::{Heap, List, Value};
use super::template::{LIMITS, RenderError};

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(Box<str>),
    Names(Vec<Box<str>>),
    Every,
    Index(i64),
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Filter(Filter),
    /// The next step, at every depth.
    Deep,
    Length,
}

/// Why a text is no path; for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSONPath {path}: {what}")]
pub struct PathError {
    path: String,
    what: &'static str,
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    /// When it is none, or has a part that is not supported.
    pub fn parse(path: &str) -> Result<JsonPath, PathError> {
        parse::path(path).map_err(|what| PathError {
            path: path.to_owned(),
            what,
        })
    }

    /// Whether it can only mean one place.
    fn is_definite(&self) -> bool {
        let is_one = |step: &Step| {
            matches!(
                step,
                Step::Name(_) | Step::Names(_) | Step::Index(_) | Step::Length
            )
        };
        self.steps.iter().all(is_one)
    }

    /// What is there in a document: the one value or null, or a list of all.
    ///
    /// # Errors
    /// Beyond a limit.
    pub fn select(&self, heap: &mut Heap, document: &Value) -> Result<Value, RenderError> {
        let mut found = vec![document.clone()];
        let mut is_deep = false;
        for step in &self.steps {
            if *step == Step::Deep {
                is_deep = true;
                continue;
            }
            if std::mem::take(&mut is_deep) {
                let mut all = Vec::new();
                for value in &found {
                    descend(heap, value, 0, &mut all)?;
                }
                found = all;
            }
            let mut next = Vec::new();
            for value in &found {
                apply(heap, step, document, value, &mut next)?;
            }
            found = next;
        }
        match self.is_definite() {
            true => Ok(found.into_iter().next().unwrap_or(Value::Null)),
            false => heap.add_list(List {
                items: found,
                is_json: true,
            }),
        }
    }
}

/// A value and all within it.
fn descend(
    heap: &mut Heap,
    value: &Value,
    depth: usize,
    all: &mut Vec<Value>,
) -> Result<(), RenderError> {
    heap.budget.step()?;
    heap.budget.keep(size_of::<Value>())?;
    if depth > LIMITS.depth_max {
        return Err(RenderError::Depth);
    }
    if matches!(value, Value::List(_) | Value::Map(_)) {
        all.push(value.clone());
        for inner in children(heap, value)? {
            descend(heap, &inner, depth + 1, all)?;
        }
    }
    Ok(())
}

/// The items of a list or the values of a map.
fn children(heap: &mut Heap, value: &Value) -> Result<Vec<Value>, RenderError> {
    let children: Vec<Value> = match value {
        Value::List(id) => heap.list(*id).items.clone(),
        Value::Map(id) => heap.map(*id).entries.values().cloned().collect(),
        _ => Vec::new(),
    };
    heap.budget.handle(children.len() * 64)?;
    heap.budget.keep(children.len() * size_of::<Value>())?;
    Ok(children)
}

fn apply(
    heap: &mut Heap,
    step: &Step,
    document: &Value,
    value: &Value,
    out: &mut Vec<Value>,
) -> Result<(), RenderError> {
    heap.budget.step()?;
    match (step, value) {
        (Step::Name(name), Value::Map(id)) => {
            out.extend(heap.map(*id).entries.get(&**name).cloned());
        }
        (Step::Names(names), Value::Map(id)) => {
            let entries = &heap.map(*id).entries;
            let picked: IndexMap<Arc<str>, Value> = names
                .iter()
                .filter_map(|name| entries.get_key_value(&**name))
                .map(|(name, value)| (Arc::clone(name), value.clone()))
                .collect();
            out.push(heap.new_map(picked)?);
        }
        (Step::Index(index), Value::List(id)) => {
            let items = &heap.list(*id).items;
            out.extend(place(*index, items.len()).map(|at| items[at].clone()));
        }
        (Step::Indices(indices), Value::List(id)) => {
            let items = &heap.list(*id).items;
            let places = indices
                .iter()
                .filter_map(|index| place(*index, items.len()));
            out.extend(places.map(|at| items[at].clone()));
        }
        (Step::Slice(from, to), Value::List(id)) => {
            let items = &heap.list(*id).items;
            let end = items.len() as i64;
            let within = |at: i64| (if at < 0 { at + end } else { at }).clamp(0, end) as usize;
            let range = within(from.unwrap_or(0))..within(to.unwrap_or(end));
            out.extend(items.get(range).unwrap_or_default().iter().cloned());
        }
        (Step::Every, _) => out.extend(children(heap, value)?),
        (Step::Filter(filter), Value::List(_) | Value::Map(_)) => {
            let candidates = match value {
                Value::List(_) => children(heap, value)?,
                _ => vec![value.clone()],
            };
            for candidate in candidates {
                if filter.holds(heap, document, &candidate)? {
                    out.push(candidate);
                }
            }
        }
        (Step::Length, _) => {
            let length = match value {
                Value::List(id) => heap.list(*id).items.len(),
                Value::Map(id) => heap.map(*id).entries.len(),
                Value::Text(text) => text.chars().count(),
                _ => return Ok(()),
            };
            out.push(Value::Integer(length as i64));
        }
        _ => {}
    }
    Ok(())
}

/// An index from the end is negative.
fn place(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 {
        index + length as i64
    } else {
        index
    };
    usize::try_from(at).ok().filter(|at| *at < length)
}
