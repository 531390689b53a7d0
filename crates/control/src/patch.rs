//! `patchOperations`: which paths an entity lets be patched, finding the one meant, applying a batch.

pub mod listed;
mod path;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
mod value;
mod wire;

use serde::Serialize;

pub use path::unescape;
pub use value::FromPatch;
pub use wire::UncheckedPatch;

use crate::error::Error;
pub(crate) use path::matched;
#[cfg(any(test, fuzzing))]
pub(crate) use wire::WireDocument;

/// The operations of AWS's model; `move` and `test` are in it though nothing supports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    Add,
    Remove,
    Move,
    Test,
    Replace,
    Copy,
}

impl Op {
    /// In the order AWS lists them.
    const NAMES: [(&'static str, Op); 6] = [
        ("add", Op::Add),
        ("remove", Op::Remove),
        ("move", Op::Move),
        ("test", Op::Test),
        ("replace", Op::Replace),
        ("copy", Op::Copy),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Op::Add => "add",
            Op::Remove => "remove",
            Op::Move => "move",
            Op::Test => "test",
            Op::Replace => "replace",
            Op::Copy => "copy",
        }
    }

    fn named(name: &str) -> Option<Op> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, op)| *op)
    }
}

/// One change; every value is text, whatever the type of what it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatchOperation {
    pub op: Op,
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A batch of changes, applied together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchDocument {
    pub patch_operations: Vec<PatchOperation>,
}

impl PatchDocument {
    /// Applies every operation in order. On an error the entity is half changed: give it a copy, or roll back.
    pub fn apply<T: Patch>(&self, entity: &mut T) -> Result<(), Error> {
        self.patch_operations
            .iter()
            .try_for_each(|operation| operation.apply(entity))
    }
}

impl PatchOperation {
    fn apply<T: Patch>(&self, entity: &mut T) -> Result<(), Error> {
        let Some(path) = self.path.as_deref() else {
            return Err(T::REFUSAL.refuse::<T>(self.op, None));
        };
        for rule in T::RULES.iter().filter(|rule| rule.ops.contains(&self.op)) {
            if let Some(at) = matched(rule.path, path) {
                return (rule.apply)(
                    entity,
                    &Patched {
                        at,
                        operation: self,
                        path,
                    },
                );
            }
        }
        Err(T::REFUSAL.refuse::<T>(self.op, Some(path)))
    }
}

/// A path an entity lets be patched, by which operations, and what that does.
pub struct PatchRule<T: 'static> {
    pub ops: &'static [Op],
    /// AWS's own spelling, because refusals list it. `<hole>` and `{hole}` match one segment;
    /// a hole named `resourcePath` matches one or more.
    pub path: &'static str,
    pub apply: fn(&mut T, &Patched<'_>) -> Result<(), Error>,
}

/// What a rule does.
pub type Apply<T> = fn(&mut T, &Patched<'_>) -> Result<(), Error>;

pub const fn add<T>(path: &'static str, apply: Apply<T>) -> PatchRule<T> {
    PatchRule {
        ops: &[Op::Add],
        path,
        apply,
    }
}

pub const fn replace<T>(path: &'static str, apply: Apply<T>) -> PatchRule<T> {
    PatchRule {
        ops: &[Op::Replace],
        path,
        apply,
    }
}

pub const fn remove<T>(path: &'static str, apply: Apply<T>) -> PatchRule<T> {
    PatchRule {
        ops: &[Op::Remove],
        path,
        apply,
    }
}

pub const fn copy<T>(path: &'static str, apply: Apply<T>) -> PatchRule<T> {
    PatchRule {
        ops: &[Op::Copy],
        path,
        apply,
    }
}

/// Add or replace, which do the same.
pub const fn set<T>(path: &'static str, apply: Apply<T>) -> PatchRule<T> {
    PatchRule {
        ops: &[Op::Add, Op::Replace],
        path,
        apply,
    }
}

/// Add, replace or remove: one entry of a map. The rule asks `Patched::op` which.
pub const fn entry<T>(path: &'static str, apply: Apply<T>) -> PatchRule<T> {
    PatchRule {
        ops: &[Op::Add, Op::Replace, Op::Remove],
        path,
        apply,
    }
}

/// An entity that can be patched.
pub trait Patch: Sized + 'static {
    /// In the order AWS lists the paths.
    const RULES: &'static [PatchRule<Self>];
    /// How this entity words a path that is none of them.
    const REFUSAL: PathRefusal;
}

/// The families of wordings AWS has for a path it does not know.
#[derive(Clone, Copy)]
pub enum PathRefusal {
    /// Lists the paths this operation has, even if there are none.
    Listed,
    /// Lists them if there are any; says `Please choose supported operations` if there are none.
    ListedIfAny,
    /// Repeats the path and nothing else.
    Plain,
    /// Lists the operations that the path has, if any; otherwise repeats the path.
    PlainOrOps,
    /// A wording of the entity's own.
    Worded(fn(Op, Option<&str>) -> Error),
}

impl PathRefusal {
    fn refuse<T: Patch>(self, op: Op, path: Option<&str>) -> Error {
        let shown = path.unwrap_or("null");
        let paths: Vec<&str> = T::RULES
            .iter()
            .filter(|rule| rule.ops.contains(&op))
            .map(|rule| rule.path)
            .collect();
        let of = |ending: String| {
            // Two spaces, as AWS writes it.
            Error::bad_request(format!(
                "Invalid patch path  '{shown}' specified for op '{}'. {ending}",
                op.name()
            ))
        };
        match self {
            Self::ListedIfAny if paths.is_empty() => {
                of("Please choose supported operations".to_owned())
            }
            Self::Listed | Self::ListedIfAny => {
                of(format!("Must be one of: [{}]", paths.join(", ")))
            }
            Self::PlainOrOps if !ops_of::<T>(shown).is_empty() => {
                let ops = ops_of::<T>(shown).join(", ");
                Error::bad_request(format!(
                    "Invalid patch operation specified. Must be one of: [{ops}]"
                ))
            }
            Self::Plain | Self::PlainOrOps => {
                Error::bad_request(format!("Invalid patch path {shown}"))
            }
            Self::Worded(word) => word(op, path),
        }
    }
}

/// Whether some rule has this operation for this path.
pub fn has<T: Patch>(op: Op, path: &str) -> bool {
    T::RULES
        .iter()
        .any(|rule| rule.ops.contains(&op) && matched(rule.path, path).is_some())
}

/// The operations that some rule has for this path.
fn ops_of<T: Patch>(path: &str) -> Vec<&'static str> {
    let rules = T::RULES
        .iter()
        .filter(|rule| matched(rule.path, path).is_some());
    rules
        .flat_map(|rule| rule.ops)
        .map(|op| op.name())
        .collect()
}

/// One operation that found its rule.
pub struct Patched<'a> {
    /// What stood in the holes of the rule's path, unescaped.
    pub at: Vec<String>,
    operation: &'a PatchOperation,
    /// The path as it came.
    pub path: &'a str,
}

impl<'a> Patched<'a> {
    pub fn op(&self) -> Op {
        self.operation.op
    }

    /// What stood in the first hole.
    pub fn hole(&self) -> &str {
        self.at.first().map_or("", String::as_str)
    }

    pub fn value(&self) -> Option<&'a str> {
        self.operation.value.as_deref()
    }

    pub fn from(&self) -> Option<&'a str> {
        self.operation.from.as_deref()
    }

    /// The value, which must be there.
    pub fn text(&self) -> Result<&'a str, Error> {
        self.value().ok_or_else(|| {
            Error::bad_request(format!(
                "Invalid null value specified for path {}",
                self.path
            ))
        })
    }

    /// The value out of an enumeration; an empty one unsets the member.
    pub fn one_of(&self, member: &str, allowed: &[&str]) -> Result<Option<String>, Error> {
        match self.value() {
            None | Some("") => Ok(None),
            Some(value) if allowed.contains(&value) => Ok(Some(value.to_owned())),
            Some(_) => Err(Error::bad_request(format!(
                "Invalid {member} specified. Valid options are {}",
                allowed.join(",")
            ))),
        }
    }

    /// Puts the value into a field, read by the field's type.
    pub fn set<V: FromPatch>(&self, field: &mut V) -> Result<(), Error> {
        *field = V::from_patch(self.value(), self.path)?;
        Ok(())
    }
}
