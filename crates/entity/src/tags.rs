//! Tags: up to fifty names and values on a noun, with AWS's limits.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-restrictions.html>

use std::collections::BTreeMap;

use crate::Invalid;

/// Tag names and their values, in name order.
pub type Tags = BTreeMap<String, String>;

/// Tags one noun may carry.
pub const TAGS_MAX: usize = 50;
/// Characters in a tag's name.
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Characters in a tag's value.
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// The prefix of settings that AWS does not have; none is defined yet, so all are refused.
pub const EXTENSION_PREFIX: &str = "tollgate:";

/// Checks names, values and their number.
pub fn check(tags: &Tags) -> Result<(), Invalid> {
    if tags.len() > TAGS_MAX {
        return Err(Invalid::new(format!(
            "The maximum number of tags for a resource is {TAGS_MAX}"
        )));
    }
    tags.iter()
        .try_for_each(|(key, value)| check_one(key, value))
}

fn check_one(key: &str, value: &str) -> Result<(), Invalid> {
    if key.is_empty() || key.chars().count() > TAG_KEY_CHARS_MAX {
        return Err(Invalid::new(format!(
            "A tag key must have between 1 and {TAG_KEY_CHARS_MAX} characters"
        )));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(Invalid::new("A tag key must not begin with aws:"));
    }
    if key.starts_with(EXTENSION_PREFIX) {
        return Err(Invalid::new(format!(
            "Unknown setting in tag '{key}': this version defines no tags with the prefix {EXTENSION_PREFIX}"
        )));
    }
    if value.chars().count() > TAG_VALUE_CHARS_MAX {
        return Err(Invalid::new(format!(
            "A tag value can be at most {TAG_VALUE_CHARS_MAX} characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect()
    }

    #[test]
    fn ordinary_tags_pass_and_reserved_ones_do_not() {
        assert!(check(&tags(&[("team", "payments"), ("empty", "")])).is_ok());
        assert!(check(&tags(&[("aws:x", "1")])).is_err());
        assert!(check(&tags(&[("AWS:x", "1")])).is_err());
        assert!(check(&tags(&[("tollgate:x", "1")])).is_err());
        assert!(check(&tags(&[("", "1")])).is_err());
        assert!(check(&tags(&[(&"k".repeat(129), "1")])).is_err());
        assert!(check(&tags(&[("k", &"v".repeat(257))])).is_err());
    }

    #[test]
    fn fifty_pass_and_one_more_does_not() {
        let mut all: Tags = (0..50).map(|n| (format!("k{n}"), String::new())).collect();
        assert!(check(&all).is_ok());
        all.insert("one more".into(), String::new());
        assert!(check(&all).is_err());
    }
}
