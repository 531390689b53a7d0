//! Mappings: what a method's request or an integration's answer gives to the other side.

pub mod content;
#[allow(dead_code)] // access logs read the rest of it next
pub mod context;
pub mod expression;
pub mod json_path;
pub mod parameters;
pub mod path_value;
pub mod query;
pub mod substitution;
pub mod template;
pub mod uri;
