//! References and expressions, as they stand in a template's text and in its directives.

use super::TemplateError;
use super::parser;
use super::scanner::Scanner;
use super::syntax::{Expression, Joint, Operator, Reference, Step};

/// A reference at a `$`; none, and nothing is taken, when it is just a dollar sign.
pub fn reference(scanner: &mut Scanner<'_>) -> Result<Option<Reference>, TemplateError> {
    let start = scanner.at();
    if !scanner.take("$") {
        return Ok(None);
    }
    scanner.take("!");
    let is_formal = scanner.take("{");
    let Some(name) = scanner.identifier() else {
        scanner.return_to(start);
        return Ok(None);
    };
    scanner.deeper()?;
    let steps = steps(scanner)?;
    scanner.back_up();
    if is_formal && !scanner.take("}") {
        return Err(scanner.error(format!(
            "the reference {} is not closed",
            scanner.since(start)
        )));
    }
    Ok(Some(Reference {
        name: name.into(),
        steps,
        source: scanner.since(start).into(),
    }))
}

fn steps(scanner: &mut Scanner<'_>) -> Result<Vec<Step>, TemplateError> {
    let mut steps = Vec::new();
    loop {
        let rest = scanner.rest().as_bytes();
        match rest {
            [b'[', ..] => {
                scanner.skip(1);
                let index = expression(scanner)?;
                scanner.expect("]", "an index")?;
                steps.push(Step::Index(index));
            }
            [b'.', letter, ..] if letter.is_ascii_alphabetic() => {
                scanner.skip(1);
                let name = scanner.identifier().unwrap_or_default().into();
                steps.push(match scanner.take("(") {
                    true => Step::Method(name, arguments(scanner, ")")?),
                    false => Step::Property(name),
                });
            }
            _ => return Ok(steps),
        }
    }
}

/// Expressions with commas between them, to the closing bracket.
fn arguments(scanner: &mut Scanner<'_>, end: &str) -> Result<Vec<Expression>, TemplateError> {
    let mut all = Vec::new();
    scanner.space();
    while !scanner.take(end) {
        if !all.is_empty() {
            scanner.expect(",", "an argument")?;
        }
        all.push(expression(scanner)?);
    }
    Ok(all)
}

/// An expression, with the blanks around it.
pub fn expression(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    scanner.deeper()?;
    let expression = binary(scanner, 0)?;
    scanner.back_up();
    Ok(expression)
}

/// Operators by how tightly they bind, loosest first; longer spellings before those they begin with.
const LEVELS: [&[(&str, Joint)]; 6] = [
    &[("||", Joint::Or), ("or", Joint::Or)],
    &[("&&", Joint::And), ("and", Joint::And)],
    &[
        ("==", Joint::Operator(Operator::Equal)),
        ("eq", Joint::Operator(Operator::Equal)),
        ("!=", Joint::Operator(Operator::NotEqual)),
        ("ne", Joint::Operator(Operator::NotEqual)),
    ],
    &[
        ("<=", Joint::Operator(Operator::LessOrEqual)),
        ("le", Joint::Operator(Operator::LessOrEqual)),
        (">=", Joint::Operator(Operator::GreaterOrEqual)),
        ("ge", Joint::Operator(Operator::GreaterOrEqual)),
        ("<", Joint::Operator(Operator::Less)),
        ("lt", Joint::Operator(Operator::Less)),
        (">", Joint::Operator(Operator::Greater)),
        ("gt", Joint::Operator(Operator::Greater)),
    ],
    &[
        ("+", Joint::Operator(Operator::Add)),
        ("-", Joint::Operator(Operator::Subtract)),
    ],
    &[
        ("*", Joint::Operator(Operator::Multiply)),
        ("/", Joint::Operator(Operator::Divide)),
        ("%", Joint::Operator(Operator::Remainder)),
    ],
];

/// Operators of this level and those that bind more tightly.
fn binary(scanner: &mut Scanner<'_>, level: usize) -> Result<Expression, TemplateError> {
    let Some(operators) = LEVELS.get(level) else {
        return unary(scanner);
    };
    let first = binary(scanner, level + 1)?;
    let mut rest = Vec::new();
    loop {
        scanner.space();
        let taken = operators.iter().find(|(spelling, _)| {
            match spelling.starts_with(|c: char| c.is_ascii_alphabetic()) {
                true => scanner.take_word(spelling),
                false => scanner.take(spelling),
            }
        });
        let Some((_, joint)) = taken else {
            return Ok(match rest.is_empty() {
                true => first,
                false => Expression::Chain(Box::new(first), rest),
            });
        };
        rest.push((*joint, binary(scanner, level + 1)?));
    }
}

fn unary(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    scanner.space();
    if !scanner.take("!") && !scanner.take_word("not") {
        return primary(scanner);
    }
    scanner.deeper()?;
    let inner = unary(scanner)?;
    scanner.back_up();
    Ok(Expression::Not(Box::new(inner)))
}

fn primary(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    match scanner.peek() {
        Some('$') => match reference(scanner)? {
            Some(reference) => Ok(Expression::Reference(reference)),
            None => Err(scanner.error("a $ in an expression begins no reference")),
        },
        Some('"') => double_quoted(scanner),
        Some('\'') => single_quoted(scanner),
        Some('[') => list(scanner),
        Some('{') => map(scanner),
        Some('(') => {
            scanner.skip(1);
            let inner = expression(scanner)?;
            scanner.expect(")", "an expression in brackets")?;
            Ok(inner)
        }
        Some(c) if c.is_ascii_digit() || matches!(c, '-' | '.') => number(scanner),
        _ if scanner.take_word("true") => Ok(Expression::Boolean(true)),
        _ if scanner.take_word("false") => Ok(Expression::Boolean(false)),
        Some(c) => Err(scanner.error(format!("{c} begins no value"))),
        None => Err(scanner.error("an expression is missing")),
    }
}

fn number(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    let start = scanner.at();
    let is_digit = |c: char| c.is_ascii_digit();
    scanner.take("-");
    scanner.take_while(is_digit);
    let mut is_float = false;
    // Two dots are a range's.
    if scanner.rest().starts_with('.') && !scanner.rest().starts_with("..") {
        is_float = true;
        scanner.skip(1);
        scanner.take_while(is_digit);
    }
    let mantissa_end = scanner.at();
    if scanner.take("e") || scanner.take("E") {
        let _ = scanner.take("+") || scanner.take("-");
        match scanner.take_while(is_digit) {
            "" => scanner.return_to(mantissa_end),
            _ => is_float = true,
        }
    }
    let text = scanner.since(start);
    let parsed = match is_float {
        true => text.parse().ok().map(Expression::Float),
        false => text.parse().ok().map(Expression::Integer),
    };
    parsed.ok_or_else(|| scanner.error(format!("{text} is not a number, or too large a one")))
}

fn list(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    scanner.skip(1);
    scanner.space();
    if scanner.take("]") {
        return Ok(Expression::List(Vec::new()));
    }
    let first = expression(scanner)?;
    if scanner.take("..") {
        let last = expression(scanner)?;
        scanner.expect("]", "a range")?;
        return Ok(Expression::Range(Box::new(first), Box::new(last)));
    }
    let mut all = vec![first];
    if scanner.take(",") {
        all.extend(arguments(scanner, "]")?);
    } else {
        scanner.expect("]", "a list")?;
    }
    Ok(Expression::List(all))
}

fn map(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    scanner.skip(1);
    let mut all = Vec::new();
    scanner.space();
    while !scanner.take("}") {
        if !all.is_empty() {
            scanner.expect(",", "an entry of a map")?;
        }
        let key = expression(scanner)?;
        scanner.expect(":", "the key of a map")?;
        all.push((key, expression(scanner)?));
    }
    Ok(Expression::Map(all))
}

fn single_quoted(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    scanner.skip(1);
    let text = scanner.take_while(|c| c != '\'');
    scanner.expect("'", "a text")?;
    Ok(Expression::Text(text.into()))
}

/// A backslash keeps a quote from ending the text, and stays in it.
fn double_quoted(scanner: &mut Scanner<'_>) -> Result<Expression, TemplateError> {
    scanner.skip(1);
    let mut is_escaped = false;
    let end = scanner.rest().find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    let Some(end) = end else {
        return Err(scanner.error("a text in double quotes has no end"));
    };
    let text = unescaped(scanner.skip(end));
    scanner.skip(1);
    if !text.contains(['$', '#']) {
        return Ok(Expression::Text(text.into()));
    }
    let nodes = parser::parse_at(&text, scanner.depth())
        .map_err(|error| scanner.error(format!("in a text: {error}")))?;
    Ok(Expression::Interpolated(nodes))
}

/// Only `\u` and four digits are an escape.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        let digits = rest.get(at + 2..at + 6);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let taken = match code.and_then(char::from_u32) {
            Some(c) => {
                plain.push_str(&rest[..at]);
                plain.push(c);
                at + 6
            }
            None => {
                plain.push_str(&rest[..at + 2]);
                at + 2
            }
        };
        rest = &rest[taken..];
    }
    plain + rest
}
