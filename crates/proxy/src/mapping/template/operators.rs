//! Arithmetic and comparisons, as Velocity has them.

use std::cmp::Ordering;

use super::budget::RenderError;
use super::heap::{Heap, Value};
use super::json;
use super::print::{print, text_of};
use super::syntax::Operator;

/// Applies an operator. What has no result is null, or false where the question is yes or no.
pub fn apply(
    heap: &mut Heap,
    operator: Operator,
    left: &Value,
    right: &Value,
) -> Result<Value, RenderError> {
    let compared =
        |wanted: fn(Ordering) -> bool| Value::Boolean(compare(left, right).is_some_and(wanted));
    Ok(match operator {
        Operator::Equal => Value::Boolean(equal(heap, left, right)?),
        Operator::NotEqual => Value::Boolean(!equal(heap, left, right)?),
        Operator::Less => compared(Ordering::is_lt),
        Operator::LessOrEqual => compared(Ordering::is_le),
        Operator::Greater => compared(Ordering::is_gt),
        Operator::GreaterOrEqual => compared(Ordering::is_ge),
        Operator::Add if is_text(left) || is_text(right) => {
            let mut sum = String::new();
            print(heap, left, &mut sum)?;
            print(heap, right, &mut sum)?;
            heap.text(sum)?
        }
        _ => calculate(operator, left, right),
    })
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::Text(_))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

/// The order of two numbers.
pub fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(left.cmp(right)),
        _ => number(left)?.partial_cmp(&number(right)?),
    }
}

/// Values of different kinds are equal when they print the same; null equals the empty text.
pub fn equal(heap: &mut Heap, left: &Value, right: &Value) -> Result<bool, RenderError> {
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Null, Value::Text(text)) | (Value::Text(text), Value::Null) => text.is_empty(),
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => {
            compare(left, right) == Some(Ordering::Equal)
        }
        (Value::List(_), Value::List(_)) | (Value::Map(_), Value::Map(_)) => {
            let (mut one, mut other) = (String::new(), String::new());
            json::write(heap, left, &mut one)?;
            json::write(heap, right, &mut other)?;
            one == other
        }
        _ => {
            let (left, right) = (text_of(heap, left)?, text_of(heap, right)?);
            heap.budget.handle(left.len().min(right.len()))?;
            left == right
        }
    })
}

fn calculate(operator: Operator, left: &Value, right: &Value) -> Value {
    if let (Value::Integer(left), Value::Integer(right)) = (left, right) {
        let result = match operator {
            Operator::Add => left.checked_add(*right),
            Operator::Subtract => left.checked_sub(*right),
            Operator::Multiply => left.checked_mul(*right),
            Operator::Divide => left.checked_div(*right),
            _ => left.checked_rem(*right),
        };
        if let Some(result) = result {
            return Value::Integer(result);
        }
        if *right == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
            return Value::Null;
        }
    }
    let (Some(left), Some(right)) = (number(left), number(right)) else {
        return Value::Null;
    };
    Value::Float(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide | Operator::Remainder if right == 0.0 => return Value::Null,
        Operator::Divide => left / right,
        _ => left % right,
    })
}
