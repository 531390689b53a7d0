//! The text of a path and its filters.

use super::filter::{Comparison, Filter, Operand};
use super::{JsonPath, Step};
use crate::mapping::template::heap::Value;

/// How long a path may be.
const PATH_BYTES_MAX: usize = 4096;
/// How deep brackets may nest in a filter.
const NESTING_MAX: usize = 16;

type Parsed<T> = Result<T, &'static str>;

pub fn path(text: &str) -> Parsed<JsonPath> {
    if text.len() > PATH_BYTES_MAX {
        return Err("it is longer than 4096 bytes");
    }
    let text = text.trim();
    let mut cursor = Cursor {
        rest: text.strip_prefix('$').unwrap_or(text),
    };
    let is_bare = !text.starts_with(['$', '.', '[']) && !text.is_empty();
    let mut steps = Vec::new();
    if is_bare {
        steps.push(cursor.name()?);
    }
    cursor.steps(&mut steps, 0)?;
    match cursor.rest.is_empty() {
        true => Ok(JsonPath { steps }),
        false => Err("it goes on with something that is not supported"),
    }
}

struct Cursor<'p> {
    rest: &'p str,
}

impl<'p> Cursor<'p> {
    fn take(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'p str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn steps(&mut self, steps: &mut Vec<Step>, depth: usize) -> Parsed<()> {
        loop {
            if self.take("..") {
                steps.push(Step::Deep);
                steps.push(match self.take("[") {
                    true => self.bracket(depth)?,
                    false => self.name()?,
                });
            } else if self.take(".") {
                steps.push(match self.take("[") {
                    true => self.bracket(depth)?,
                    false => self.name()?,
                });
            } else if self.take("[") {
                steps.push(self.bracket(depth)?);
            } else {
                return Ok(());
            }
        }
    }

    /// After a dot.
    fn name(&mut self) -> Parsed<Step> {
        if self.take("*") {
            return Ok(Step::Every);
        }
        let ends = |c: char| c.is_whitespace() || ".[]()=<>!&|,'\"".contains(c);
        let name = self.take_while(|c| !ends(c));
        match (name, self.take("(")) {
            ("", _) => Err("a name is missing after a dot"),
            ("length" | "size", true) if self.take(")") => Ok(Step::Length),
            (_, true) => Err("of the functions only length() is supported"),
            (name, false) => Ok(Step::Name(name.into())),
        }
    }

    /// After an opening bracket, to the closing one.
    fn bracket(&mut self, depth: usize) -> Parsed<Step> {
        self.space();
        let step = if self.take("*") {
            Step::Every
        } else if self.take("?") {
            self.space();
            if !self.take("(") {
                return Err("a filter needs brackets: [?(...)]");
            }
            let filter = self.or(depth + 1)?;
            self.space();
            if !self.take(")") {
                return Err("a filter is not closed, or has an operator that is not supported");
            }
            Step::Filter(filter)
        } else if self.rest.starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?.into()];
            while self.comma() {
                names.push(self.quoted()?.into());
            }
            match names.len() {
                1 => Step::Name(names.remove(0)),
                _ => Step::Names(names),
            }
        } else {
            self.indices()?
        };
        self.space();
        match self.take("]") {
            true => Ok(step),
            false => Err("a bracket is not closed"),
        }
    }

    fn comma(&mut self) -> bool {
        self.space();
        let found = self.take(",");
        self.space();
        found
    }

    fn indices(&mut self) -> Parsed<Step> {
        let first = self.integer()?;
        self.space();
        if self.take(":") {
            self.space();
            let to = self.integer()?;
            return match self.rest.starts_with(':') {
                true => Err("a slice with steps is not supported"),
                false => Ok(Step::Slice(first, to)),
            };
        }
        let mut indices = vec![first.ok_or("an index is missing in a bracket")?];
        while self.comma() {
            indices.push(self.integer()?.ok_or("an index is missing after a comma")?);
        }
        Ok(match indices.len() {
            1 => Step::Index(indices[0]),
            _ => Step::Indices(indices),
        })
    }

    fn integer(&mut self) -> Parsed<Option<i64>> {
        let text = self.take_while(|c| c.is_ascii_digit() || c == '-');
        match text {
            "" => Ok(None),
            text => text
                .parse::<i32>()
                .map(|index| Some(i64::from(index)))
                .map_err(|_| "an index is not a number"),
        }
    }

    /// A text in quotes of either kind; a backslash takes what follows as it is.
    fn quoted(&mut self) -> Parsed<String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or("a name in quotes is missing")?;
        let mut name = String::new();
        let mut letters = self.rest[1..].char_indices();
        while let Some((at, c)) = letters.next() {
            match c {
                c if c == quote => {
                    self.rest = &self.rest[1 + at + 1..];
                    return Ok(name);
                }
                '\\' => name.extend(letters.next().map(|(_, c)| c)),
                c => name.push(c),
            }
        }
        Err("a quote is not closed")
    }

    fn or(&mut self, depth: usize) -> Parsed<Filter> {
        if depth > NESTING_MAX {
            return Err("its filters nest too deep");
        }
        let mut all = vec![self.and(depth)?];
        while self.operator("||") {
            all.push(self.and(depth)?);
        }
        Ok(one_or(all, Filter::Or))
    }

    fn and(&mut self, depth: usize) -> Parsed<Filter> {
        let mut all = vec![self.comparison(depth)?];
        while self.operator("&&") {
            all.push(self.comparison(depth)?);
        }
        Ok(one_or(all, Filter::And))
    }

    fn operator(&mut self, operator: &str) -> bool {
        self.space();
        self.take(operator)
    }

    fn comparison(&mut self, depth: usize) -> Parsed<Filter> {
        self.space();
        if depth > NESTING_MAX {
            return Err("its filters nest too deep");
        }
        if self.take("!") {
            return Ok(Filter::Not(Box::new(self.comparison(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.or(depth + 1)?;
            return match self.operator(")") {
                true => Ok(inner),
                false => Err("a bracket in a filter is not closed"),
            };
        }
        const COMPARISONS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let left = self.operand(depth)?;
        self.space();
        let comparison = COMPARISONS.iter().find(|(spelling, _)| self.take(spelling));
        Ok(match comparison {
            Some((_, comparison)) => {
                self.space();
                Filter::Compare(left, *comparison, self.operand(depth)?)
            }
            None => Filter::Exists(left),
        })
    }

    fn operand(&mut self, depth: usize) -> Parsed<Operand> {
        let is_item = self.rest.starts_with('@');
        if is_item || self.rest.starts_with('$') {
            self.rest = &self.rest[1..];
            let mut steps = Vec::new();
            self.steps(&mut steps, depth + 1)?;
            let path = JsonPath { steps };
            let operand = match is_item {
                true => Operand::Item(path),
                false => Operand::Document(path),
            };
            return match operand.has_filter() {
                true => Err("a filter within a filter is not supported"),
                false => Ok(operand),
            };
        }
        if self.rest.starts_with(['\'', '"']) {
            return Ok(Operand::Literal(Value::Text(self.quoted()?.into())));
        }
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        Ok(Operand::Literal(match word {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            "null" => Value::Null,
            word => match (word.parse::<i64>(), word.parse::<f64>()) {
                (Ok(integer), _) => Value::Integer(integer),
                (_, Ok(float)) if float.is_finite() => Value::Float(float),
                _ => return Err("a filter compares with something that is not supported"),
            },
        }))
    }
}

fn one_or(mut all: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match all.len() {
        1 => all.remove(0),
        _ => many(all),
    }
}
