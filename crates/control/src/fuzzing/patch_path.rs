//! Patch paths: matching agrees with trying every way to split the path, and escaping is undone.

use tollgate_entity::{ApiKey, Integration, Method, RestApi, UsagePlan};

use super::lines;
use crate::patch::{Op, Patch, has, matched, unescape};
use crate::stage::update::Change;

/// The first byte says whose rules are tried, each line after it is a path.
pub fn patch_path(bytes: &[u8]) {
    const CHECKS: [fn(&str); 6] = [
        check::<UsagePlan>,
        check::<Change>,
        check::<RestApi>,
        check::<Method>,
        check::<Integration>,
        check::<ApiKey>,
    ];
    let Some((whose, bytes)) = bytes.split_first() else {
        return;
    };
    let check = CHECKS[usize::from(*whose) % CHECKS.len()]; // '0' is the first
    for path in lines(bytes).iter().take(4) {
        check(path);
        let escaped = path.replace('~', "~0").replace('/', "~1");
        assert_eq!(unescape(&escaped), *path);
        // An escaped text is one segment, whatever is in it.
        if !path.is_empty() {
            let one = format!("/variables/{escaped}");
            assert_eq!(
                matched("/variables/{variable_name}", &one),
                Some(vec![path.clone()])
            );
            assert!(has::<Change>(Op::Replace, &one));
        }
    }
}

fn check<T: Patch>(path: &str) {
    for rule in T::RULES {
        assert_eq!(
            matched(rule.path, path),
            by_trying_all(rule.path, path),
            "{} {path}",
            rule.path
        );
    }
}

fn by_trying_all(rule: &str, path: &str) -> Option<Vec<String>> {
    let rule: Vec<&str> = rule.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    if path.first() != Some(&"") {
        return None;
    }
    fit(&rule[1..], &path[1..])
}

fn fit(rule: &[&str], path: &[&str]) -> Option<Vec<String>> {
    let Some((first, rest)) = rule.split_first() else {
        return path.is_empty().then(Vec::new);
    };
    let name = first.trim_matches(['<', '>', '{', '}']);
    let is_hole = name.len() < first.len();
    let most = if is_hole && name == "resourcePath" {
        path.len()
    } else {
        1
    };
    (1..=most).find_map(|taken| {
        let (here, after) = path.split_at_checked(taken)?;
        let here = here.join("/");
        let fits = match is_hole {
            true => name == "resourcePath" || !here.is_empty(),
            false => here == *first,
        };
        let mut at = fit(rest, after).filter(|_| fits)?;
        if is_hole {
            at.insert(0, unescape(&here));
        }
        Some(at)
    })
}
