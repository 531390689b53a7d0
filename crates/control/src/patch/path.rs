//! Whether a patch's path is of a rule's form, and what stands in its holes.

/// What stands in the holes of `rule`, if `path` is of its form.
pub fn matched(rule: &str, path: &str) -> Option<Vec<String>> {
    let rule: Vec<&str> = rule.strip_prefix('/')?.split('/').collect();
    let path: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let extra = path.len().checked_sub(rule.len())?;
    let span = rule.iter().position(|segment| spans(segment));
    if extra > 0 && span.is_none() {
        return None;
    }
    let mut rest = path.as_slice();
    let mut at = Vec::new();
    for (index, segment) in rule.iter().enumerate() {
        let taken = if Some(index) == span { extra + 1 } else { 1 };
        let (here, after) = rest.split_at(taken);
        rest = after;
        if Some(index) == span {
            at.push(unescape(&here.join("/")));
        } else if is_hole(segment) {
            at.push(unescape(here.first().filter(|text| !text.is_empty())?));
        } else if here != [*segment] {
            return None;
        }
    }
    Some(at)
}

fn is_hole(segment: &str) -> bool {
    segment.starts_with(['<', '{'])
}

fn spans(segment: &str) -> bool {
    is_hole(segment) && segment.get(1..segment.len() - 1) == Some("resourcePath")
}

/// Undoes JSON pointer's escapes: `~1` is a slash, `~0` a tilde.
pub fn unescape(text: &str) -> String {
    text.replace("~1", "/").replace("~0", "~")
}
