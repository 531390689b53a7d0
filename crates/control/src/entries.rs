//! Patching one entry of a map that is absent when it is empty: request parameters, models, templates.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::patch::{Op, Patched};

/// Adds, replaces or removes the entry `key`. Replacing and removing need it to be there: `unknown`
/// is the refusal. A map that loses its last entry is gone.
fn patch<V>(
    map: &mut Option<BTreeMap<String, V>>,
    op: Op,
    key: &str,
    value: V,
    unknown: &'static str,
) -> Result<(), Error> {
    let mut entries = map.take().unwrap_or_default();
    let done = patch_kept(&mut entries, op, key, value, unknown);
    *map = Some(entries).filter(|entries| !entries.is_empty());
    done
}

/// The same for a map that may be empty.
fn patch_kept<V>(
    map: &mut BTreeMap<String, V>,
    op: Op,
    key: &str,
    value: V,
    unknown: &'static str,
) -> Result<(), Error> {
    if op != Op::Add && !map.contains_key(key) {
        return Err(Error::not_found(unknown));
    }
    if op == Op::Remove {
        map.remove(key);
    } else {
        map.insert(key.to_owned(), value);
    }
    Ok(())
}

/// Patches a declared parameter: the value says whether it is required.
pub fn patch_declared(
    map: &mut Option<BTreeMap<String, bool>>,
    new: &Patched<'_>,
) -> Result<(), Error> {
    let mut required = false;
    new.set(&mut required)?;
    patch(map, new.op(), new.hole(), required, UNKNOWN_PARAMETER)
}

/// Patches a mapped parameter: the value is the expression it is mapped from.
pub fn patch_mapped(
    map: &mut Option<BTreeMap<String, String>>,
    new: &Patched<'_>,
) -> Result<(), Error> {
    let value = new.value().unwrap_or_default().to_owned();
    patch(map, new.op(), new.hole(), value, UNKNOWN_PARAMETER)
}

/// Patches the mapped parameter of a gateway response.
pub fn patch_parameter(map: &mut BTreeMap<String, String>, new: &Patched<'_>) -> Result<(), Error> {
    let value = new.value().unwrap_or_default().to_owned();
    patch_kept(map, new.op(), new.hole(), value, UNKNOWN_PARAMETER)
}

/// Patches the template of a gateway response.
pub fn patch_text(map: &mut BTreeMap<String, String>, new: &Patched<'_>) -> Result<(), Error> {
    let value = new.value().unwrap_or_default().to_owned();
    patch_kept(map, new.op(), new.hole(), value, UNKNOWN_CONTENT_TYPE)
}

/// Patches the model of a content type.
pub fn patch_model(
    map: &mut Option<BTreeMap<String, String>>,
    new: &Patched<'_>,
) -> Result<(), Error> {
    let model = if new.op() == Op::Remove {
        ""
    } else {
        new.text()?
    };
    let model = model.to_owned();
    patch(map, new.op(), new.hole(), model, UNKNOWN_CONTENT_TYPE)
}

/// Patches the template of a content type; an empty one is kept as null.
pub fn patch_template(
    map: &mut Option<BTreeMap<String, Option<String>>>,
    new: &Patched<'_>,
) -> Result<(), Error> {
    let template = new.value().filter(|text| !text.is_empty());
    let template = template.map(str::to_owned);
    patch(map, new.op(), new.hole(), template, UNKNOWN_CONTENT_TYPE)
}

/// The refusal of a parameter that is not there.
pub const UNKNOWN_PARAMETER: &str = "Invalid parameter name specified";
/// The refusal of a content type that is not there.
const UNKNOWN_CONTENT_TYPE: &str = "Content-Type specified was not found";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_change_and_go_and_the_map_with_the_last() {
        let mut map = None;
        assert!(patch(&mut map, Op::Replace, "a", 1, UNKNOWN_PARAMETER).is_err());
        assert!(patch(&mut map, Op::Remove, "a", 1, UNKNOWN_PARAMETER).is_err());
        assert_eq!(map, None);
        patch(&mut map, Op::Add, "a", 1, UNKNOWN_PARAMETER).unwrap();
        patch(&mut map, Op::Replace, "a", 2, UNKNOWN_PARAMETER).unwrap();
        assert_eq!(map, Some(BTreeMap::from([("a".to_owned(), 2)])));
        patch(&mut map, Op::Remove, "a", 0, UNKNOWN_PARAMETER).unwrap();
        assert_eq!(map, None);
    }
}
