//! Filters of a path: `[?(@.price < 10 && @.isbn)]`.

use super::{JsonPath, Step};
use crate::mapping::template::RenderError;
use crate::mapping::template::heap::{Heap, Value};
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    /// Something is there.
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// `@…`
    Item(JsonPath),
    /// `$…`
    Document(JsonPath),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    pub(super) fn holds(
        &self,
        heap: &mut Heap,
        document: &Value,
        item: &Value,
    ) -> Result<bool, RenderError> {
        heap.budget.step()?;
        match self {
            Filter::Or(all) => {
                for filter in all {
                    if filter.holds(heap, document, item)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::And(all) => {
                for filter in all {
                    if !filter.holds(heap, document, item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Not(inner) => Ok(!inner.holds(heap, document, item)?),
            Filter::Exists(operand) => {
                let found = operand.value(heap, document, item)?;
                let is_empty = match &found {
                    Value::List(id) => !operand.is_definite() && heap.list(*id).items.is_empty(),
                    found => *found == Value::Null,
                };
                Ok(!is_empty)
            }
            Filter::Compare(left, comparison, right) => {
                let left = left.value(heap, document, item)?;
                let right = right.value(heap, document, item)?;
                let order = order(&left, &right);
                Ok(match comparison {
                    Comparison::Equal => is_same(&left, &right, order),
                    Comparison::NotEqual => !is_same(&left, &right, order),
                    Comparison::Less => order == Some(Ordering::Less),
                    Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
                    Comparison::Greater => order == Some(Ordering::Greater),
                    Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
                })
            }
        }
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    let number = |value: &Value| match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    };
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => number(left)?.partial_cmp(&number(right)?),
    }
}

fn is_same(left: &Value, right: &Value, order: Option<Ordering>) -> bool {
    order == Some(Ordering::Equal) || left == right
}

impl Operand {
    fn is_definite(&self) -> bool {
        match self {
            Operand::Item(path) | Operand::Document(path) => path.is_definite(),
            Operand::Literal(_) => true,
        }
    }

    /// Whether it goes through filters of its own: those are not supported.
    pub(super) fn has_filter(&self) -> bool {
        match self {
            Operand::Item(path) | Operand::Document(path) => path
                .steps
                .iter()
                .any(|step| matches!(step, Step::Filter(_))),
            Operand::Literal(_) => false,
        }
    }

    fn value(&self, heap: &mut Heap, document: &Value, item: &Value) -> Result<Value, RenderError> {
        match self {
            Operand::Item(path) => path.select(heap, item),
            Operand::Document(path) => path.select(heap, document),
            Operand::Literal(value) => Ok(value.clone()),
        }
    }
}
