//! What a template consists of, once it is parsed.

use std::sync::Arc;

/// A piece of a template.
#[derive(Debug, PartialEq)]
pub enum Node {
    Text(Box<str>),
    Reference {
        reference: Reference,
        /// Backslashes before it: an odd number keeps it from being evaluated.
        backslashes: usize,
    },
    Set {
        target: Reference,
        value: Expression,
    },
    If {
        /// `#if` and each `#elseif`.
        branches: Vec<(Expression, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    Foreach {
        variable: Box<str>,
        items: Expression,
        body: Vec<Node>,
    },
    /// `#define`: shown each time its name is.
    Define {
        name: Box<str>,
        body: Vec<Node>,
    },
    Break,
    Stop,
}

/// `$name`, and what is taken from it.
#[derive(Debug, PartialEq)]
pub struct Reference {
    pub name: Box<str>,
    pub steps: Vec<Step>,
    /// As it is written.
    pub source: Box<str>,
}

/// What is taken from a value.
#[derive(Debug, PartialEq)]
pub enum Step {
    Property(Box<str>),
    Method(Box<str>, Vec<Expression>),
    Index(Expression),
}

#[derive(Debug, PartialEq)]
pub enum Expression {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Arc<str>),
    /// A text in double quotes with something to evaluate in it.
    Interpolated(Vec<Node>),
    Reference(Reference),
    List(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Range(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    /// Operators that bind equally, from left to right.
    Chain(Box<Expression>, Vec<(Joint, Expression)>),
}

/// What joins an expression to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    Or,
    And,
    Operator(Operator),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
