//! How values print: as Java's do.

use super::budget::{LIMITS, RenderError};
use super::heap::{Heap, MapKind, Value};
use super::json;

/// Prints a value; null prints nothing.
pub fn print(heap: &mut Heap, value: &Value, out: &mut String) -> Result<(), RenderError> {
    let before = out.len();
    let mut cost = 0;
    let printed = match value {
        Value::Null => Ok(()),
        value => print_at(heap, value, out, 0, &mut cost),
    };
    heap.budget.handle(cost * 16 + out.len() - before)?;
    match out.len() > LIMITS.output_bytes_max {
        true => Err(RenderError::Output),
        false => printed,
    }
}

/// The text of a value.
pub fn text_of(heap: &mut Heap, value: &Value) -> Result<std::sync::Arc<str>, RenderError> {
    if let Value::Text(text) = value {
        return Ok(text.clone());
    }
    let mut out = String::new();
    print(heap, value, &mut out)?;
    Ok(out.into())
}

fn print_at(
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
    if out.len() > LIMITS.output_bytes_max || *cost as u64 > LIMITS.steps_max {
        return Err(RenderError::Output);
    }
    match value {
        Value::Text(text) => out.push_str(text),
        Value::List(id) if !heap.list(*id).is_json => {
            out.push('[');
            for (index, item) in heap.list(*id).items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                print_at(heap, item, out, depth + 1, cost)?;
            }
            out.push(']');
        }
        Value::Map(id) if heap.map(*id).kind == MapKind::Entry => {
            print_at(heap, &heap.get(*id, "key"), out, depth + 1, cost)?;
            out.push('=');
            print_at(heap, &heap.get(*id, "value"), out, depth + 1, cost)?;
        }
        Value::Map(id) => {
            out.push('{');
            for (index, (name, value)) in heap.map(*id).entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(name);
                out.push('=');
                print_at(heap, value, out, depth + 1, cost)?;
            }
            out.push('}');
        }
        Value::Input | Value::Util | Value::Block(_) | Value::Loop(_) => {}
        other => json::write_at(heap, other, out, depth + 1, cost)?,
    }
    Ok(())
}

/// A number as Java's `Double.toString` writes it.
pub fn java_float(value: f64, out: &mut String) {
    if !value.is_finite() {
        return out.push_str(match value {
            value if value.is_nan() => "NaN",
            value if value > 0.0 => "Infinity",
            _ => "-Infinity",
        });
    }
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        let scientific = format!("{value:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        out.push_str(digits);
        if !digits.contains('.') {
            out.push_str(".0");
        }
        out.push('E');
        out.push_str(exponent);
        return;
    }
    let plain = value.to_string();
    out.push_str(&plain);
    if !plain.contains('.') {
        out.push_str(".0");
    }
}
