//! Mapping expressions: what a method's request or an integration's answer gives to the other side.

pub mod context;
pub mod expression;
#[cfg_attr(
    not(any(test, fuzzing)),
    expect(dead_code, reason = "integrations call it next")
)]
pub mod json_path;
pub mod path_value;
pub mod query;
pub mod substitution;
#[cfg_attr(
    not(any(test, fuzzing)),
    expect(dead_code, unused_imports, reason = "integrations call it next")
)]
pub mod template;
pub mod uri;
