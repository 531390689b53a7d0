//! A template's text and directives, by the rules of Velocity 1.7 for what belongs to which.

use super::TemplateError;
use super::expressions;
use super::scanner::Scanner;
use super::syntax::Node;

/// Directives of Velocity that API Gateway's users do not need, and what would be one of their own.
const UNSUPPORTED: [&str; 4] = ["macro", "parse", "include", "evaluate"];
/// Every directive: a backslash before one keeps it as text.
const DIRECTIVES: [&str; 13] = [
    "set", "if", "elseif", "else", "end", "foreach", "define", "break", "stop", "macro", "parse",
    "include", "evaluate",
];

/// Parses a whole template.
pub fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    parse_at(text, 0)
}

/// Parses a text that lies so deep in a template.
pub fn parse_at(text: &str, depth: usize) -> Result<Vec<Node>, TemplateError> {
    let mut scanner = Scanner::new(text, depth);
    scanner.deeper()?;
    let (nodes, ending) = block(&mut scanner)?;
    match ending {
        Ending::Text => Ok(nodes),
        _ => Err(scanner.error("#else, #elseif or #end without its #if, #foreach or #define")),
    }
}

/// How a block ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With the text.
    Text,
    End,
    Else,
    ElseIf,
}

/// Nodes as they come, with the text between them.
#[derive(Default)]
struct Nodes {
    done: Vec<Node>,
    text: String,
}

impl Nodes {
    fn push(&mut self, node: Node) {
        self.end_text();
        self.done.push(node);
    }

    fn end_text(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.text);
        match self.done.last_mut() {
            Some(Node::Text(before)) => *before = format!("{before}{text}").into(),
            _ => self.done.push(Node::Text(text.into())),
        }
    }
}

fn block(scanner: &mut Scanner<'_>) -> Result<(Vec<Node>, Ending), TemplateError> {
    let mut nodes = Nodes::default();
    loop {
        let plain = scanner.take_while(|c| !matches!(c, '$' | '#' | '\\'));
        nodes.text.push_str(plain);
        let backslashes = scanner.take_while(|c| c == '\\').len();
        let ending = match scanner.peek() {
            Some('$') => {
                reference(scanner, backslashes, &mut nodes)?;
                None
            }
            Some('#') => directive(scanner, backslashes, &mut nodes)?,
            Some(_) => {
                push_backslashes(&mut nodes.text, backslashes);
                None
            }
            None => {
                push_backslashes(&mut nodes.text, backslashes);
                Some(Ending::Text)
            }
        };
        if let Some(ending) = ending {
            nodes.end_text();
            return Ok((nodes.done, ending));
        }
    }
}

fn push_backslashes(text: &mut String, count: usize) {
    text.extend(std::iter::repeat_n('\\', count));
}

fn reference(
    scanner: &mut Scanner<'_>,
    backslashes: usize,
    nodes: &mut Nodes,
) -> Result<(), TemplateError> {
    match expressions::reference(scanner)? {
        Some(reference) => nodes.push(Node::Reference {
            reference,
            backslashes,
        }),
        None => {
            push_backslashes(&mut nodes.text, backslashes);
            nodes.text.push_str(scanner.skip(1));
        }
    }
    Ok(())
}

/// What begins with `#`.
fn directive(
    scanner: &mut Scanner<'_>,
    backslashes: usize,
    nodes: &mut Nodes,
) -> Result<Option<Ending>, TemplateError> {
    let start = scanner.at();
    scanner.skip(1);
    let name = name(scanner);
    let is_directive = name.is_some_and(|name| DIRECTIVES.contains(&name));
    // Only a directive takes backslashes for its own.
    let kept = if is_directive {
        backslashes / 2
    } else {
        backslashes
    };
    let Some(name) = name else {
        push_backslashes(&mut nodes.text, kept);
        return not_a_directive(scanner, nodes).map(|()| None);
    };
    if is_directive && backslashes % 2 == 1 {
        push_backslashes(&mut nodes.text, kept);
        nodes.text.push_str(scanner.since(start));
        return Ok(None);
    }
    if name != "set" || kept > 0 {
        push_backslashes(&mut nodes.text, kept);
    }
    match name {
        "set" => set(scanner, start, nodes)?,
        "if" => conditional(scanner, nodes)?,
        "foreach" => foreach(scanner, nodes)?,
        "define" => define(scanner, nodes)?,
        "break" => {
            if scanner.take("()") {
                scanner.line_end();
            }
            nodes.push(Node::Break);
        }
        "stop" => nodes.push(Node::Stop),
        "end" => {
            scanner.line_end();
            return Ok(Some(Ending::End));
        }
        "else" => {
            scanner.line_end();
            return Ok(Some(Ending::Else));
        }
        "elseif" => return Ok(Some(Ending::ElseIf)),
        _ => {
            let is_call = scanner
                .rest()
                .trim_start_matches([' ', '\t'])
                .starts_with('(');
            if UNSUPPORTED.contains(&name) || is_call {
                return Err(scanner.error(format!("#{name} is not supported")));
            }
            nodes.text.push_str(scanner.since(start));
        }
    }
    Ok(None)
}

/// The name after `#`, with or without braces.
fn name<'t>(scanner: &mut Scanner<'t>) -> Option<&'t str> {
    let start = scanner.at();
    let has_braces = scanner.take("{");
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = scanner.peek().is_some_and(is_first);
    let name = scanner.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_name && (!has_braces || scanner.take("}")) {
        return Some(name);
    }
    scanner.return_to(start);
    None
}

/// A comment, a text block, or just a `#`, which is taken already.
fn not_a_directive(scanner: &mut Scanner<'_>, nodes: &mut Nodes) -> Result<(), TemplateError> {
    if scanner.take("#") {
        scanner.take_while(|c| !matches!(c, '\n' | '\r'));
        scanner.line_end();
        nodes.end_text();
    } else if scanner.take("*") {
        let Some(end) = scanner.rest().find("*#") else {
            return Err(scanner.error("the comment #* has no end"));
        };
        scanner.skip(end + 2);
        nodes.end_text();
    } else if scanner.take("[[") {
        let Some(end) = scanner.rest().find("]]#") else {
            return Err(scanner.error("the text block #[[ has no end"));
        };
        nodes.text.push_str(scanner.skip(end));
        scanner.skip(3);
    } else if scanner.peek() == Some('@') {
        return Err(scanner.error("a call of a macro (#@) is not supported"));
    } else {
        nodes.text.push('#');
    }
    Ok(())
}

fn set(scanner: &mut Scanner<'_>, start: usize, nodes: &mut Nodes) -> Result<(), TemplateError> {
    scanner.take_while(|c| matches!(c, ' ' | '\t'));
    if !scanner.take("(") {
        nodes.text.push_str(scanner.since(start));
        return Ok(());
    }
    // #set leaves no trace of itself, not even its indentation.
    if nodes.text.bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
        nodes.text.clear();
    }
    scanner.space();
    let target = expressions::reference(scanner)?
        .ok_or_else(|| scanner.error("#set has no reference on its left"))?;
    scanner.space();
    scanner.expect("=", "the left side of #set")?;
    let value = expressions::expression(scanner)?;
    close(scanner, "#set")?;
    nodes.push(Node::Set { target, value });
    Ok(())
}

fn open(scanner: &mut Scanner<'_>, directive: &str) -> Result<(), TemplateError> {
    scanner.space();
    scanner.expect("(", directive)
}

/// The closing bracket of a directive, and the end of its line.
fn close(scanner: &mut Scanner<'_>, directive: &str) -> Result<(), TemplateError> {
    scanner.space();
    scanner.expect(")", &format!("the value of {directive}"))?;
    scanner.line_end();
    Ok(())
}

fn conditional(scanner: &mut Scanner<'_>, nodes: &mut Nodes) -> Result<(), TemplateError> {
    scanner.deeper()?;
    let mut branches = Vec::new();
    let mut otherwise = Vec::new();
    loop {
        open(scanner, "#if")?;
        let condition = expressions::expression(scanner)?;
        close(scanner, "#if")?;
        let (body, mut ending) = block(scanner)?;
        branches.push((condition, body));
        if ending == Ending::ElseIf {
            continue;
        }
        if ending == Ending::Else {
            (otherwise, ending) = block(scanner)?;
        }
        end(scanner, ending, "#if")?;
        break;
    }
    scanner.back_up();
    nodes.push(Node::If {
        branches,
        otherwise,
    });
    Ok(())
}

fn end(scanner: &Scanner<'_>, ending: Ending, directive: &str) -> Result<(), TemplateError> {
    match ending {
        Ending::End => Ok(()),
        Ending::Text => Err(scanner.error(format!("{directive} has no #end"))),
        Ending::Else | Ending::ElseIf => {
            Err(scanner.error(format!("#else that does not belong to {directive}")))
        }
    }
}

fn body(scanner: &mut Scanner<'_>, directive: &str) -> Result<Vec<Node>, TemplateError> {
    scanner.deeper()?;
    let (body, ending) = block(scanner)?;
    end(scanner, ending, directive)?;
    scanner.back_up();
    Ok(body)
}

/// A reference that is a name only.
fn variable(scanner: &mut Scanner<'_>, directive: &str) -> Result<Box<str>, TemplateError> {
    scanner.space();
    let reference = expressions::reference(scanner)?;
    let plain = reference.filter(|reference| reference.steps.is_empty());
    let plain = plain.ok_or_else(|| scanner.error(format!("{directive} needs a variable")))?;
    scanner.space();
    Ok(plain.name)
}

fn foreach(scanner: &mut Scanner<'_>, nodes: &mut Nodes) -> Result<(), TemplateError> {
    open(scanner, "#foreach")?;
    let variable = variable(scanner, "#foreach")?;
    if !scanner.take_word("in") {
        return Err(scanner.error("in is missing in #foreach"));
    }
    let items = expressions::expression(scanner)?;
    close(scanner, "#foreach")?;
    let body = body(scanner, "#foreach")?;
    nodes.push(Node::Foreach {
        variable,
        items,
        body,
    });
    Ok(())
}

fn define(scanner: &mut Scanner<'_>, nodes: &mut Nodes) -> Result<(), TemplateError> {
    open(scanner, "#define")?;
    let name = variable(scanner, "#define")?;
    close(scanner, "#define")?;
    let body = body(scanner, "#define")?;
    nodes.push(Node::Define { name, body });
    Ok(())
}
