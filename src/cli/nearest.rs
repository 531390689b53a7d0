//! "Did you mean": the known name that is nearest to one that is not known.

/// The nearest of `known`, by single-letter edits, case aside; `None` when nothing is near.
pub fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let most = name.chars().count().max(3) / 3;
    known
        .map(|other| (edits(name, &other), other))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, other)| other)
}

/// How many letters must be inserted, deleted or replaced to make one text of the other.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (left, right, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("Ab", "aB", 0),
        ] {
            assert_eq!(edits(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        let known = || ["data_dir", "data_plane"].map(String::from).into_iter();
        assert_eq!(nearest("datadir", known()).as_deref(), Some("data_dir"));
        assert_eq!(
            nearest("data_plain", known()).as_deref(),
            Some("data_plane")
        );
        assert_eq!(nearest("zebra", known()), None);
    }
}
