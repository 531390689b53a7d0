//! Mapping expressions: what a method's request or an integration's answer gives to the other side.

#[allow(dead_code)] // access logs and templates read it next
pub mod context;
pub mod expression;
#[allow(dead_code)] // integrations call it next
pub mod json_path;
pub mod path_value;
pub mod query;
pub mod substitution;
#[allow(dead_code, unused_imports)] // integrations call it next
pub mod template;
pub mod uri;
