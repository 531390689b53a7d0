//! Stage variables: what is taken is a word with a plain text, and never more of them than are allowed.

use std::collections::BTreeMap;

use super::lines;
use crate::stage::variables::check;

/// Each line is `name=value`.
pub fn stage_variables(bytes: &[u8]) {
    let lines = lines(bytes);
    let pairs = lines
        .iter()
        .map(|line| line.split_once('=').unwrap_or((line, "")));
    let variables: BTreeMap<String, String> =
        pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let all_fit = variables.iter().all(|(name, value)| {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let is_plain =
            |letter: char| letter.is_ascii_alphanumeric() || " -._:/?&=,".contains(letter);
        (1..=64).contains(&name.len())
            && name.chars().all(is_word)
            && value.len() <= 512
            && value.chars().all(is_plain)
    });
    assert_eq!(
        check(Some(&variables)).is_ok(),
        all_fit && variables.len() <= 100
    );
}
