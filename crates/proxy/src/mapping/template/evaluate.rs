//! Evaluates a template's nodes.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::budget::{LIMITS, RenderError};
use super::functions;
use super::heap::{Heap, Value};
use super::print::{print, text_of};
use super::scope::Scope;
use super::syntax::{Expression, Joint, Node, Reference, Step};
use super::{collections, operators, strings};

/// What a template gives.
pub fn render(nodes: &[Node], scope: &mut Scope<'_>) -> Result<String, RenderError> {
    scope.heap().budget.begin();
    let mut out = String::new();
    let mut evaluation = Evaluation {
        scope,
        variables: HashMap::new(),
        blocks: Vec::new(),
        loops: Vec::new(),
        depth: 0,
    };
    evaluation.nodes(nodes, &mut out)?;
    Ok(out)
}

struct Evaluation<'t, 's, 'a> {
    scope: &'s mut Scope<'a>,
    variables: HashMap<&'t str, Value>,
    /// What `#define` kept.
    blocks: Vec<&'t [Node]>,
    loops: Vec<Turn>,
    depth: usize,
}

/// Where a loop is.
struct Turn {
    index: usize,
    length: usize,
}

/// Where it goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Stop,
}

impl<'t> Evaluation<'t, '_, '_> {
    fn heap(&mut self) -> &mut Heap {
        self.scope.heap()
    }

    fn deeper(&mut self) -> Result<(), RenderError> {
        self.depth += 1;
        self.heap().budget.step()?;
        match self.depth > LIMITS.depth_max {
            true => Err(RenderError::Depth),
            false => Ok(()),
        }
    }

    fn nodes(&mut self, nodes: &'t [Node], out: &mut String) -> Result<Flow, RenderError> {
        self.deeper()?;
        let mut flow = Flow::Next;
        for node in nodes {
            flow = self.node(node, out)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, node: &'t Node, out: &mut String) -> Result<Flow, RenderError> {
        match node {
            Node::Text(text) => {
                self.heap().budget.handle(text.len())?;
                out.push_str(text);
                if out.len() > LIMITS.output_bytes_max {
                    return Err(RenderError::Output);
                }
            }
            Node::Reference {
                reference,
                backslashes,
            } => self.show(reference, *backslashes, out)?,
            Node::Set { target, value } => {
                let value = self.expression(value)?;
                self.set(target, value)?;
            }
            Node::If {
                branches,
                otherwise,
            } => {
                for (condition, body) in branches {
                    if self.holds(condition)? {
                        return self.nodes(body, out);
                    }
                }
                return self.nodes(otherwise, out);
            }
            Node::Foreach {
                variable,
                items,
                body,
            } => return self.foreach(variable, items, body, out),
            Node::Define { name, body } => {
                self.blocks.push(body);
                let block = Value::Block(self.blocks.len() - 1);
                self.variables.insert(name, block);
                self.heap().budget.keep(size_of::<Value>())?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Stop => return Ok(Flow::Stop),
        }
        Ok(Flow::Next)
    }

    /// Prints a reference; what is not there prints nothing.
    fn show(
        &mut self,
        reference: &'t Reference,
        backslashes: usize,
        out: &mut String,
    ) -> Result<(), RenderError> {
        let value = self.reference(reference)?;
        let is_kept = backslashes % 2 == 1;
        let shown = match value {
            Value::Null => backslashes,
            _ => backslashes / 2,
        };
        out.extend(std::iter::repeat_n('\\', shown));
        if is_kept {
            out.push_str(&reference.source);
            return Ok(());
        }
        match value {
            Value::Block(number) => {
                let block = self.blocks[number];
                self.nodes(block, out).map(drop)
            }
            value => print(self.heap(), &value, out),
        }
    }

    fn foreach(
        &mut self,
        variable: &'t str,
        items: &'t Expression,
        body: &'t [Node],
        out: &mut String,
    ) -> Result<Flow, RenderError> {
        let items = self.expression(items)?;
        let items = collections::items(self.heap(), &items)?;
        if items.len() > LIMITS.loop_turns_max {
            return Err(RenderError::Loop);
        }
        let before = self.variables.remove(variable);
        self.loops.push(Turn {
            index: 0,
            length: items.len(),
        });
        let mut ended = Flow::Next;
        for (index, item) in items.into_iter().enumerate() {
            if let Some(turn) = self.loops.last_mut() {
                turn.index = index;
            }
            self.variables.insert(variable, item);
            match self.nodes(body, out)? {
                Flow::Next => {}
                Flow::Break => break,
                Flow::Stop => {
                    ended = Flow::Stop;
                    break;
                }
            }
        }
        self.loops.pop();
        self.variables.remove(variable);
        if let Some(before) = before {
            self.variables.insert(variable, before);
        }
        Ok(ended)
    }

    /// Sets a variable, or a place in a list or map.
    fn set(&mut self, target: &'t Reference, value: Value) -> Result<(), RenderError> {
        let Some((last, way)) = target.steps.split_last() else {
            match value {
                Value::Null => drop(self.variables.remove(&*target.name)),
                value => drop(self.variables.insert(&target.name, value)),
            }
            return Ok(());
        };
        let mut place = self.root(&target.name)?;
        for step in way {
            place = self.step(place, step)?;
        }
        match (place, last) {
            (Value::Map(id), Step::Property(name)) => {
                self.heap().put(id, (**name).into(), value)?;
            }
            (Value::Map(id), Step::Index(index)) => {
                let name = self.expression(index)?;
                let name = text_of(self.heap(), &name)?;
                self.heap().put(id, name, value)?;
            }
            (Value::List(id), Step::Index(index)) => {
                let index = self.expression(index)?;
                collections::call_list(self.heap(), id, "set", &[index, value])?;
            }
            _ => {}
        }
        Ok(())
    }

    fn holds(&mut self, condition: &'t Expression) -> Result<bool, RenderError> {
        Ok(is_true(&self.expression(condition)?))
    }

    fn expression(&mut self, expression: &'t Expression) -> Result<Value, RenderError> {
        self.deeper()?;
        let value = self.value(expression)?;
        self.depth -= 1;
        Ok(value)
    }

    fn value(&mut self, expression: &'t Expression) -> Result<Value, RenderError> {
        Ok(match expression {
            Expression::Boolean(value) => Value::Boolean(*value),
            Expression::Integer(value) => Value::Integer(*value),
            Expression::Float(value) => Value::Float(*value),
            Expression::Text(text) => Value::Text(Arc::clone(text)),
            Expression::Interpolated(nodes) => {
                let mut text = String::new();
                self.nodes(nodes, &mut text)?;
                self.heap().text(text)?
            }
            Expression::Reference(reference) => self.reference(reference)?,
            Expression::List(items) => {
                let items = self.every(items)?;
                self.heap().new_list(items)?
            }
            Expression::Map(entries) => {
                let mut map = IndexMap::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = self.expression(key)?;
                    let key: Arc<str> = text_of(self.heap(), &key)?;
                    map.insert(key, self.expression(value)?);
                }
                self.heap().new_map(map)?
            }
            Expression::Range(first, last) => self.range(first, last)?,
            Expression::Not(inner) => Value::Boolean(!self.holds(inner)?),
            Expression::Chain(first, rest) => self.chain(first, rest)?,
        })
    }

    fn every(&mut self, expressions: &'t [Expression]) -> Result<Vec<Value>, RenderError> {
        expressions
            .iter()
            .map(|expression| self.expression(expression))
            .collect()
    }

    fn chain(
        &mut self,
        first: &'t Expression,
        rest: &'t [(Joint, Expression)],
    ) -> Result<Value, RenderError> {
        let mut left = self.expression(first)?;
        for (joint, right) in rest {
            left = match joint {
                Joint::Or => Value::Boolean(is_true(&left) || self.holds(right)?),
                Joint::And => Value::Boolean(is_true(&left) && self.holds(right)?),
                Joint::Operator(operator) => {
                    let right = self.expression(right)?;
                    operators::apply(self.heap(), *operator, &left, &right)?
                }
            };
        }
        Ok(left)
    }

    /// `[1..3]`, also downwards.
    fn range(&mut self, first: &'t Expression, last: &'t Expression) -> Result<Value, RenderError> {
        let (first, last) = (self.expression(first)?, self.expression(last)?);
        let (Value::Integer(first), Value::Integer(last)) = (first, last) else {
            return Ok(Value::Null);
        };
        let length = first.abs_diff(last);
        if length >= LIMITS.steps_max {
            return Err(RenderError::Steps);
        }
        self.heap().budget.handle(length as usize * 64)?;
        let all = match first <= last {
            true => (first..=last).map(Value::Integer).collect(),
            false => (last..=first).rev().map(Value::Integer).collect(),
        };
        self.heap().new_list(all)
    }

    fn reference(&mut self, reference: &'t Reference) -> Result<Value, RenderError> {
        let mut value = self.root(&reference.name)?;
        for step in &reference.steps {
            value = self.step(value, step)?;
        }
        Ok(value)
    }

    /// What a name means: a variable of the template's own, or one that API Gateway gives.
    fn root(&mut self, name: &str) -> Result<Value, RenderError> {
        self.heap().budget.step()?;
        if let Some(value) = self.variables.get(name) {
            return Ok(value.clone());
        }
        let turn = self.loops.last();
        Ok(match name {
            "input" => Value::Input,
            "util" => Value::Util,
            "context" => self.scope.context()?,
            "stageVariables" => self.scope.stage_variables()?,
            "foreach" if !self.loops.is_empty() => Value::Loop(self.loops.len() - 1),
            "velocityCount" => {
                turn.map_or(Value::Null, |turn| Value::Integer(turn.index as i64 + 1))
            }
            "velocityHasNext" => turn.map_or(Value::Null, |turn| {
                Value::Boolean(turn.index + 1 < turn.length)
            }),
            _ => Value::Null,
        })
    }

    fn step(&mut self, value: Value, step: &'t Step) -> Result<Value, RenderError> {
        self.heap().budget.step()?;
        match step {
            Step::Property(name) => self.property(&value, name),
            Step::Index(index) => {
                let index = self.expression(index)?;
                match (&value, &index) {
                    (Value::List(id), Value::Integer(_)) => {
                        collections::call_list(self.heap(), *id, "get", &[index])
                    }
                    (Value::Map(id), _) => {
                        let name = text_of(self.heap(), &index)?;
                        Ok(self.heap().get(*id, &name))
                    }
                    _ => Ok(Value::Null),
                }
            }
            Step::Method(name, arguments) => {
                let arguments = self.every(arguments)?;
                self.call(&value, name, &arguments)
            }
        }
    }

    fn property(&mut self, value: &Value, name: &str) -> Result<Value, RenderError> {
        Ok(match value {
            Value::Map(id) => self.heap().get(*id, name),
            Value::Input if name == "body" => self.scope.body_text()?,
            Value::Text(text) if name == "empty" => Value::Boolean(text.is_empty()),
            Value::List(id) if name == "empty" => {
                Value::Boolean(self.heap().list(*id).items.is_empty())
            }
            Value::Loop(number) => self.turn(*number, name),
            _ => Value::Null,
        })
    }

    fn turn(&self, number: usize, name: &str) -> Value {
        let Some(Turn { index, length }) = self.loops.get(number) else {
            return Value::Null;
        };
        match name {
            "index" => Value::Integer(*index as i64),
            "count" => Value::Integer(*index as i64 + 1),
            "hasNext" => Value::Boolean(index + 1 < *length),
            "first" => Value::Boolean(*index == 0),
            "last" => Value::Boolean(index + 1 == *length),
            "parent" => number.checked_sub(1).map_or(Value::Null, Value::Loop),
            "topmost" => Value::Loop(0),
            _ => Value::Null,
        }
    }

    fn call(
        &mut self,
        value: &Value,
        name: &str,
        arguments: &[Value],
    ) -> Result<Value, RenderError> {
        match value {
            Value::Text(text) => strings::call(self.heap(), text, name, arguments),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
                strings::call_plain(self.heap(), value, name, arguments)
            }
            Value::List(id) => collections::call_list(self.heap(), *id, name, arguments),
            Value::Map(id) => collections::call_map(self.heap(), *id, name, arguments),
            Value::Input => functions::call_input(self.scope, name, arguments),
            Value::Util => functions::call_util(self.heap(), name, arguments),
            Value::Loop(number) => {
                let name = name.strip_prefix("get").unwrap_or(name);
                let mut letters = name.chars();
                let first = letters.next().map(|c| c.to_ascii_lowercase());
                let property: String = first.into_iter().chain(letters).collect();
                Ok(self.turn(*number, &property))
            }
            Value::Null | Value::Block(_) => Ok(Value::Null),
        }
    }
}

/// What an `#if` takes for true: everything but false and what is not there.
fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Boolean(false))
}
