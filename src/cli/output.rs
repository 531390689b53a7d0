//! What commands print: tables for people, JSON for scripts.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde_json::Value;

use super::failed::Failed;

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    Table,
    Json,
}

/// Rows under headings, columns apart by spaces, no borders: easy to read and to cut.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// A JSON value as a table: a list by the members that its elements have, an object by member.
pub fn generic(value: &Value) -> String {
    let list = value.get("item").unwrap_or(value);
    match (list, value) {
        (Value::Array(items), _) if items.iter().all(Value::is_object) => rows(items),
        (_, Value::Object(members)) => table(
            &["MEMBER", "VALUE"],
            members
                .iter()
                .map(|(name, value)| vec![name.clone(), cell(value)]),
        ),
        _ => cell(value),
    }
}

fn rows(items: &[Value]) -> String {
    let mut names: Vec<&str> = vec![];
    for member in items
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|object| object.keys())
    {
        if !names.contains(&member.as_str()) {
            names.push(member);
        }
    }
    let cells = |item: &Value| names.iter().map(|name| cell(&item[*name])).collect();
    table(&names, items.iter().map(cells))
}

/// A value as one cell: text without quotes, nothing for null, JSON for what is nested.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// Text without control characters, which could rewrite a terminal or break a row.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Writes text and a line's end to stdout. A reader that has gone (`| head`) is no error.
pub fn print(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failed::Failed(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes JSON, indented.
pub fn print_json(value: &Value) -> Result<(), Failed> {
    print(&format!("{value:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_have_headings_aligned_columns_and_no_trailing_spaces() {
        let text = table(
            &["ID", "NAME"],
            [
                vec!["a1b2c3".into(), "x".into()],
                vec!["d".into(), "long name".into()],
            ],
        );
        assert_eq!(text, "ID      NAME\na1b2c3  x\nd       long name");
    }

    #[test]
    fn a_list_shows_every_member_that_occurs() {
        let text =
            generic(&json!({"item": [{"id": "1", "on": true}, {"id": "2", "tags": {"a": "b"}}]}));
        assert_eq!(text, "id  on    tags\n1   true\n2         {\"a\":\"b\"}");
    }

    #[test]
    fn an_object_shows_a_member_a_line() {
        assert_eq!(
            generic(&json!({"id": "1", "rate": 2.5})),
            "MEMBER  VALUE\nid      1\nrate    2.5"
        );
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(cell(&json!("a\u{1b}[2Jb\nc")), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
