//! Mapping expressions: what a method's request or an integration's answer gives to the other side.

pub mod context;
pub mod expression;
pub mod path_value;
pub mod query;
pub mod substitution;
pub mod uri;
