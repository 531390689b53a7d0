//! API keys out of CSV: text in, rows and warnings out. Knows no store.
//!
//! The first line names the columns, in any order and case; unknown ones are ignored. A row that cannot be used
//! becomes a warning with its line number; what makes the whole file doubtful (a column missing, a quote never
//! closed) is an error. A value may stand in double quotes, plan ids in single quotes as well.

use std::collections::BTreeMap;

use serde::Serialize;
use tollgate_entity::api_key::{NAME_CHARS_MAX, check_value};

/// Unusable rows after which the file is taken for something else than API keys.
pub const BAD_ROWS_MAX: usize = 10_000;

/// One usable row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedKey {
    /// The line it begins on, counted from 1.
    pub line: usize,
    pub name: String,
    pub value: String,
    /// None where the row does not say: a new key then has none, a known one keeps its own.
    pub description: Option<String>,
    /// None where the row does not say: a new key is then enabled, a known one stays as it is.
    pub enabled: Option<bool>,
    pub usage_plan_ids: Vec<String>,
}

/// Something that was left out, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Warning {
    pub line: usize,
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line {}: {}", self.line, self.text)
    }
}

/// Why nothing of the file is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("Missing required column '{0}'")]
    MissingColumn(&'static str),
    #[error("Column '{0}' is there more than once")]
    RepeatedColumn(&'static str),
    #[error("Line {0}: a quote is opened and never closed, the file seems to be cut off")]
    OpenQuote(usize),
    #[error("Line {0}: the file is not UTF-8 text")]
    NotText(usize),
    #[error("More than {BAD_ROWS_MAX} rows cannot be used, the first is line {0}")]
    TooManyBadRows(usize),
}

/// Reads a whole file.
pub fn parse(bytes: &[u8]) -> Result<(Vec<ImportedKey>, Vec<Warning>), ImportError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ImportError::NotText(line_at(bytes, error.valid_up_to())))?;
    let mut rows = Rows::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    let header = rows
        .next_row(None)?
        .map(|row| row.fields)
        .unwrap_or_default();
    let columns = Columns::of(&header)?;
    let (mut keys, mut warnings) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(row) = rows.next_row(columns.usage_plan_ids)? {
        let line = row.line;
        match columns.read(row, &seen) {
            Ok(key) => {
                seen.insert(key.value.clone(), line);
                keys.push(key);
            }
            Err(text) => warnings.push(Warning { line, text }),
        }
        if warnings.len() > BAD_ROWS_MAX {
            return Err(ImportError::TooManyBadRows(warnings[0].line));
        }
    }
    Ok((keys, warnings))
}

fn line_at(bytes: &[u8], end: usize) -> usize {
    1 + bytes
        .iter()
        .take(end)
        .filter(|byte| **byte == b'\n')
        .count()
}

/// Which field of a row is what.
struct Columns {
    count: usize,
    name: usize,
    key: usize,
    description: Option<usize>,
    enabled: Option<usize>,
    usage_plan_ids: Option<usize>,
}

impl Columns {
    fn of(header: &[String]) -> Result<Self, ImportError> {
        let find = |name: &'static str| {
            let mut places = header
                .iter()
                .enumerate()
                .filter(|(_, field)| field.eq_ignore_ascii_case(name));
            match (places.next(), places.next()) {
                (_, Some(_)) => Err(ImportError::RepeatedColumn(name)),
                (place, None) => Ok(place.map(|(index, _)| index)),
            }
        };
        Ok(Self {
            key: find("Key")?.ok_or(ImportError::MissingColumn("Key"))?,
            name: find("Name")?.ok_or(ImportError::MissingColumn("Name"))?,
            description: find("Description")?,
            enabled: find("Enabled")?,
            usage_plan_ids: find("UsagePlanIds")?,
            count: header.len(),
        })
    }

    /// The key a row describes, or why it describes none.
    fn read(&self, row: Row, seen: &BTreeMap<String, usize>) -> Result<ImportedKey, String> {
        if let Some(fault) = row.fault {
            return Err(fault.to_owned());
        }
        let extra = row
            .fields
            .iter()
            .skip(self.count)
            .any(|field| !field.is_empty());
        if extra {
            let (found, count) = (row.fields.len(), self.count);
            return Err(format!(
                "{found} fields, but the header has {count}; several plan ids must be in quotes"
            ));
        }
        let field = |index: usize| {
            row.fields
                .get(index)
                .map(String::as_str)
                .unwrap_or_default()
        };
        let said = |index: Option<usize>| index.map(field).filter(|text| !text.is_empty());
        let name = field(self.name);
        if name.is_empty() {
            return Err("Name is empty".to_owned());
        }
        if name.chars().count() > NAME_CHARS_MAX {
            return Err(format!("Name can be at most {NAME_CHARS_MAX} characters"));
        }
        let value = field(self.key);
        check_value(value).map_err(|invalid| invalid.to_string())?;
        if let Some(line) = seen.get(value) {
            return Err(format!("the same Key is on line {line} already"));
        }
        let enabled = said(self.enabled).map(read_enabled).transpose()?;
        let ids = said(self.usage_plan_ids).unwrap_or_default();
        let ids = ids
            .split(',')
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        Ok(ImportedKey {
            line: row.line,
            name: name.to_owned(),
            value: value.to_owned(),
            description: said(self.description).map(str::to_owned),
            enabled,
            usage_plan_ids: ids.collect(),
        })
    }
}

fn read_enabled(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!(
            "Enabled must be TRUE or FALSE, not '{}'",
            text.chars().take(20).collect::<String>()
        )),
    }
}

/// Fields of one row, trimmed.
#[derive(Debug, Default)]
struct Row {
    line: usize,
    fields: Vec<String>,
    /// Why the fields cannot be trusted.
    fault: Option<&'static str>,
}

/// Rows of a text, one after the other.
struct Rows<'a> {
    rest: &'a str,
    line: usize,
}

/// Text up to a comma or the end of the line.
fn is_end(letter: char) -> bool {
    matches!(letter, ',' | '\n' | '\r')
}

impl<'a> Rows<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            line: 1,
        }
    }

    /// The next row that has anything in it. `single_quoted` is the one field that single quotes count in.
    fn next_row(&mut self, single_quoted: Option<usize>) -> Result<Option<Row>, ImportError> {
        while !self.rest.is_empty() {
            let mut row = Row {
                line: self.line,
                ..Row::default()
            };
            loop {
                let single = single_quoted == Some(row.fields.len());
                let field = self.next_field(single, &mut row)?;
                row.fields.push(field);
                if !self.take(",") {
                    break;
                }
            }
            self.end_line();
            if row.fields.iter().any(|field| !field.is_empty()) || row.fault.is_some() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn next_field(&mut self, single: bool, row: &mut Row) -> Result<String, ImportError> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        if self.take("\"") {
            return self.quoted(row);
        }
        if single && let Some(text) = self.single_quoted() {
            return Ok(text);
        }
        Ok(self.plain())
    }

    /// The rest of a field behind its opening double quote; two quotes inside are one.
    fn quoted(&mut self, row: &mut Row) -> Result<String, ImportError> {
        let mut text = String::new();
        loop {
            let Some((inside, after)) = self.rest.split_once('"') else {
                return Err(ImportError::OpenQuote(row.line));
            };
            text.push_str(inside);
            self.rest = after;
            self.line += newlines(inside);
            if self.take("\"") {
                text.push('"');
            } else {
                break;
            }
        }
        if !self.plain().is_empty() {
            row.fault = Some("text behind a closing quote");
        }
        Ok(text.trim().to_owned())
    }

    /// A field in single quotes; none if the next one is not closed on its line, a quote is then just a letter.
    fn single_quoted(&mut self) -> Option<String> {
        let opened = self.rest.strip_prefix('\'')?;
        let closing = opened.find(['\'', '\n', '\r'])?;
        let inside = &opened[..closing];
        let after = opened[closing..]
            .strip_prefix('\'')?
            .trim_start_matches([' ', '\t']);
        if !(after.is_empty() || after.starts_with(is_end)) {
            return None;
        }
        self.rest = after;
        Some(inside.trim().to_owned())
    }

    fn plain(&mut self) -> String {
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text.trim().to_owned()
    }

    fn end_line(&mut self) {
        if self.take("\r\n") || self.take("\n") || self.take("\r") {
            self.line += 1;
        }
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

/// Line ends in a text: CRLF, LF or CR.
fn newlines(text: &str) -> usize {
    let lone = text
        .bytes()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count();
    lone - text.matches("\r\n").count()
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
