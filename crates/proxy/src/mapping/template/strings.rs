//! What templates may call on texts and numbers: methods of Java's `String`, `Integer`, `Double` and `Boolean`.

use std::sync::Arc;

use regex::{Captures, Regex, RegexBuilder};

use super::budget::{LIMITS, RenderError};
use super::heap::{Heap, List, Value};
use super::operators;
use super::print::text_of;

/// Methods that Java's texts and numbers have and these do not.
const UNSUPPORTED: [&str; 24] = [
    "chars",
    "codePointAt",
    "codePointBefore",
    "codePointCount",
    "codePoints",
    "contentEquals",
    "copyValueOf",
    "describeConstable",
    "format",
    "formatted",
    "getBytes",
    "getChars",
    "getClass",
    "hashCode",
    "indent",
    "intern",
    "lines",
    "offsetByCodePoints",
    "regionMatches",
    "stripIndent",
    "subSequence",
    "toCharArray",
    "transform",
    "translateEscapes",
];

/// A regular expression's compiled size.
const REGEX_BYTES_MAX: usize = 256 * 1024;
/// Steps that compiling one counts for, in bytes handled.
const REGEX_COST: usize = 16 * 1024;

/// Calls a method of a text. What Java has no such method for is null, as it is in Velocity.
pub fn call(
    heap: &mut Heap,
    text: &Arc<str>,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    heap.budget.handle(text.len())?;
    Ok(match (name, arguments) {
        ("length", []) => Value::Integer(length(text)),
        ("isEmpty", []) => Value::Boolean(text.is_empty()),
        ("isBlank", []) => Value::Boolean(text.trim().is_empty()),
        ("toString" | "intern", []) => Value::Text(text.clone()),
        ("toLowerCase", []) => heap.text(text.to_lowercase())?,
        ("toUpperCase", []) => heap.text(text.to_uppercase())?,
        ("trim", []) => heap.text(text.trim_matches(|c| c <= ' '))?,
        ("strip", []) => heap.text(text.trim())?,
        ("equals", [other]) => Value::Boolean(matches!(other, Value::Text(own) if own == text)),
        ("equalsIgnoreCase", [Value::Text(other)]) => {
            Value::Boolean(text.to_lowercase() == other.to_lowercase())
        }
        ("compareTo", [Value::Text(other)]) => {
            Value::Integer(text.encode_utf16().cmp(other.encode_utf16()) as i64)
        }
        ("contains", [Value::Text(part)]) => Value::Boolean(text.contains(&**part)),
        ("startsWith", [Value::Text(part)]) => Value::Boolean(text.starts_with(&**part)),
        ("endsWith", [Value::Text(part)]) => Value::Boolean(text.ends_with(&**part)),
        ("indexOf", [Value::Text(part)]) => found(text, text.find(&**part)),
        ("indexOf", [Value::Text(part), Value::Integer(from)]) => {
            let start = place(text, (*from).clamp(0, length(text)))?;
            found(text, text[start..].find(&**part).map(|at| at + start))
        }
        ("lastIndexOf", [Value::Text(part)]) => found(text, text.rfind(&**part)),
        ("charAt", [Value::Integer(at)]) => {
            let (start, end) = (place(text, *at)?, place(text, at.saturating_add(1))?);
            heap.text(&text[start..end])?
        }
        ("substring", [Value::Integer(from)]) => heap.text(&text[place(text, *from)?..])?,
        ("substring", [Value::Integer(from), Value::Integer(to)]) => {
            let (start, end) = (place(text, *from)?, place(text, *to)?);
            let part = text.get(start..end).ok_or_else(|| out_of_range(*to))?;
            heap.text(part)?
        }
        ("concat", [Value::Text(other)]) => heap.text(format!("{text}{other}"))?,
        ("repeat", [Value::Integer(times)]) => repeat(heap, text, *times)?,
        ("replace", [Value::Text(from), Value::Text(to)]) => {
            let pattern = regex(heap, &regex::escape(from))?;
            replace(heap, text, &pattern, usize::MAX, |_, out| {
                out.push_str(to);
                Ok(())
            })?
        }
        ("replaceAll", [Value::Text(from), Value::Text(to)]) => {
            let pattern = regex(heap, from)?;
            replace(heap, text, &pattern, usize::MAX, |found, out| {
                expand(to, found, out)
            })?
        }
        ("replaceFirst", [Value::Text(from), Value::Text(to)]) => {
            let pattern = regex(heap, from)?;
            replace(heap, text, &pattern, 1, |found, out| expand(to, found, out))?
        }
        ("matches", [Value::Text(pattern)]) => {
            let whole = regex(heap, &format!("^(?:{pattern})$"))?;
            Value::Boolean(whole.is_match(text))
        }
        ("split", [Value::Text(pattern)]) => split(heap, text, pattern, 0)?,
        ("split", [Value::Text(pattern), Value::Integer(limit)]) => {
            split(heap, text, pattern, *limit)?
        }
        // Static in Java, and called on any text there.
        ("valueOf", [value]) => Value::Text(text_of(heap, value)?),
        ("join", [separator, Value::List(id)]) => {
            let items = heap.list(*id).items.clone();
            join(heap, separator, &items)?
        }
        ("join", [separator, items @ ..]) if !items.is_empty() => join(heap, separator, items)?,
        (name, _) if UNSUPPORTED.contains(&name) => return Err(unsupported(name, "texts")),
        _ => Value::Null,
    })
}

/// Calls a method of a number or of yes and no.
pub fn call_plain(
    heap: &mut Heap,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    let number = match value {
        Value::Integer(value) => *value as f64,
        Value::Float(value) => *value,
        _ => 0.0,
    };
    let failed = |text: &str| RenderError::Failed(format!("{text:?} is not a number"));
    Ok(match (name, arguments) {
        ("toString", []) => Value::Text(text_of(heap, value)?),
        ("toString", [other]) => Value::Text(text_of(heap, other)?),
        ("equals", [other]) => Value::Boolean(
            std::mem::discriminant(other) == std::mem::discriminant(value)
                && operators::equal(heap, value, other)?,
        ),
        ("booleanValue", []) if matches!(value, Value::Boolean(_)) => value.clone(),
        (_, _) if matches!(value, Value::Boolean(_)) => Value::Null,
        ("intValue" | "longValue", []) => match value {
            Value::Integer(_) => value.clone(),
            _ => Value::Integer(number as i64),
        },
        ("doubleValue" | "floatValue", []) => Value::Float(number),
        ("compareTo", [other]) => operators::compare(value, other)
            .map_or(Value::Null, |order| Value::Integer(order as i64)),
        ("parseInt" | "parseLong" | "valueOf", [Value::Text(text)])
            if matches!(value, Value::Integer(_)) =>
        {
            Value::Integer(text.parse().map_err(|_| failed(text))?)
        }
        ("parseDouble" | "valueOf", [Value::Text(text)]) => {
            Value::Float(text.trim().parse().map_err(|_| failed(text))?)
        }
        (name, _) if UNSUPPORTED.contains(&name) => return Err(unsupported(name, "numbers")),
        _ => Value::Null,
    })
}

pub fn unsupported(method: &str, of: &str) -> RenderError {
    RenderError::Unsupported(format!("the method {method} of {of}"))
}

/// Java counts in units of UTF-16.
fn length(text: &str) -> i64 {
    text.encode_utf16().count() as i64
}

/// The byte at which so many units of UTF-16 end.
fn place(text: &str, units: i64) -> Result<usize, RenderError> {
    let mut left = units;
    for (at, c) in text.char_indices() {
        if left <= 0 {
            return if left == 0 {
                Ok(at)
            } else {
                Err(out_of_range(units))
            };
        }
        left -= c.len_utf16() as i64;
    }
    if left == 0 {
        Ok(text.len())
    } else {
        Err(out_of_range(units))
    }
}

fn out_of_range(index: i64) -> RenderError {
    RenderError::Failed(format!("the index {index} is out of range"))
}

fn found(text: &str, at: Option<usize>) -> Value {
    Value::Integer(at.map_or(-1, |at| length(&text[..at])))
}

fn repeat(heap: &mut Heap, text: &str, times: i64) -> Result<Value, RenderError> {
    let times = usize::try_from(times).map_err(|_| out_of_range(times))?;
    let bytes = text.len().checked_mul(times);
    match bytes.is_some_and(|bytes| bytes <= LIMITS.output_bytes_max) {
        true => heap.text(text.repeat(times)),
        false => Err(RenderError::Output),
    }
}

fn join(heap: &mut Heap, separator: &Value, items: &[Value]) -> Result<Value, RenderError> {
    let separator = text_of(heap, separator)?;
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            push(&mut joined, &separator)?;
        }
        let text = text_of(heap, item)?;
        push(&mut joined, &text)?;
    }
    heap.text(joined)
}

fn push(out: &mut String, text: &str) -> Result<(), RenderError> {
    match out.len() + text.len() <= LIMITS.output_bytes_max {
        true => {
            out.push_str(text);
            Ok(())
        }
        false => Err(RenderError::Output),
    }
}

fn regex(heap: &mut Heap, pattern: &str) -> Result<Regex, RenderError> {
    heap.budget.handle(REGEX_COST + pattern.len())?;
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|_| RenderError::Unsupported(format!("the regular expression {pattern}")))
}

/// Replaces what is found, at most so many times.
fn replace(
    heap: &mut Heap,
    text: &str,
    pattern: &Regex,
    times_max: usize,
    write: impl Fn(&Captures<'_>, &mut String) -> Result<(), RenderError>,
) -> Result<Value, RenderError> {
    let mut out = String::new();
    let mut end = 0;
    for found in pattern.captures_iter(text).take(times_max) {
        heap.budget.step()?;
        let Some(whole) = found.get(0) else { continue };
        push(&mut out, &text[end..whole.start()])?;
        write(&found, &mut out)?;
        end = whole.end();
        if out.len() > LIMITS.output_bytes_max {
            return Err(RenderError::Output);
        }
    }
    push(&mut out, &text[end..])?;
    heap.text(out)
}

/// Java's form of a replacement: `$1` and `${name}` are groups, a backslash takes what follows as it is.
fn expand(replacement: &str, found: &Captures<'_>, out: &mut String) -> Result<(), RenderError> {
    let bad = || RenderError::Failed(format!("the replacement {replacement:?} names no group"));
    let mut rest = replacement;
    while let Some(at) = rest.find(['\\', '$']) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('\\') {
            let next = after.chars().next().ok_or_else(bad)?;
            out.push(next);
            rest = &after[next.len_utf8()..];
            continue;
        }
        let (group, taken) = match after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        {
            Some((name, _)) => (found.name(name), name.len() + 2),
            None => {
                // As many digits as there are groups for, at least one.
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let number = |digits: usize| after[..digits].parse::<usize>().ok();
                let taken = (1..=digits.min(3))
                    .rev()
                    .find(|digits| number(*digits).is_some_and(|number| number < found.len()))
                    .ok_or_else(bad)?;
                (number(taken).and_then(|number| found.get(number)), taken)
            }
        };
        if let Some(group) = group {
            out.push_str(group.as_str());
        }
        rest = &after[taken..];
    }
    out.push_str(rest);
    Ok(())
}

/// As Java splits: without empty texts at the end, unless a limit says otherwise.
fn split(heap: &mut Heap, text: &str, pattern: &str, limit: i64) -> Result<Value, RenderError> {
    let pattern = regex(heap, pattern)?;
    let mut pieces: Vec<&str> = Vec::new();
    let mut end = 0;
    for found in pattern.find_iter(text) {
        heap.budget.step()?;
        if limit > 0 && pieces.len() as i64 == limit - 1 {
            break;
        }
        if found.end() == 0 || (found.is_empty() && found.start() == text.len()) {
            continue; // nothing is split off by nothing at an end
        }
        pieces.push(&text[end..found.start()]);
        end = found.end();
    }
    pieces.push(&text[end..]);
    while limit == 0 && pieces.len() > 1 && pieces.last().is_some_and(|last| last.is_empty()) {
        pieces.pop();
    }
    let mut items = Vec::with_capacity(pieces.len());
    for piece in pieces {
        items.push(heap.text(piece)?);
    }
    heap.add_list(List {
        items,
        is_json: false,
    })
}
