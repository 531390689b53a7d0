//! Resource paths and a caller's path: the router agrees with trying every template, in whatever spelling.

use std::collections::BTreeSet;

use super::lines;
use super::reference::{Templated, route as by_trying_all};
use crate::route::{Router, normal_path};

/// Templates at most; more only make it slow.
const TEMPLATES_MAX: usize = 12;

/// First line: verb, a space, the caller's path. Every other line: verb, a space, a resource's path.
pub fn route(bytes: &[u8]) {
    let lines = lines(bytes);
    let mut lines = lines
        .iter()
        .map(|line| line.split_once(' ').unwrap_or(("GET", line)));
    let Some((verb, path)) = lines.next() else {
        return;
    };
    let mut router = Router::default();
    let (mut methods, mut known): (Vec<Templated>, BTreeSet<String>) = Default::default();
    for (verb, template) in lines.take(TEMPLATES_MAX) {
        let Some(method) = templated(verb, template) else {
            continue;
        };
        // No two variables have the same parent, and no method is there twice.
        let shape = method
            .parts
            .iter()
            .map(|part| shape(part))
            .collect::<Vec<_>>()
            .join("/");
        if known.insert(format!("{verb} {shape}")) {
            router.add(template, verb, methods.len() as u32);
            methods.push(method);
        }
    }

    let normal = normal_path(path).into_owned();
    assert!(normal.starts_with('/'));
    assert_eq!(
        normal_path(&normal),
        normal,
        "normal paths stay as they are"
    );
    let found = router.find(&normal, verb);
    let index = found.as_ref().map(|(index, _)| *index as usize);
    assert_eq!(
        index,
        by_trying_all(&methods, &normal, verb),
        "{verb} {normal}"
    );
    let values = |path: &str, spans: &crate::route::Spans| -> Vec<String> {
        let value = |span: &std::ops::Range<u32>| &path[span.start as usize..span.end as usize];
        spans.iter().map(|span| decoded(value(span))).collect()
    };
    if let Some((index, spans)) = &found {
        let variables = methods[*index as usize]
            .parts
            .iter()
            .filter(|part| part.starts_with('{'));
        assert_eq!(spans.len(), variables.count());
    }
    let expected = found.map(|(index, spans)| (index, values(&normal, &spans)));
    for spelled in spellings(path) {
        let normal = normal_path(&spelled).into_owned();
        let found = router.find(&normal, verb);
        let found = found.map(|(index, spans)| (index, values(&normal, &spans)));
        assert_eq!(found, expected, "{path} and {spelled}");
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// A method whose resource's path the control plane would take.
fn templated(verb: &str, template: &str) -> Option<Templated> {
    let body = template.strip_prefix('/')?;
    let parts: Vec<String> = match body {
        "" => Vec::new(),
        _ => body.split('/').map(str::to_owned).collect(),
    };
    let last = parts.len().saturating_sub(1);
    let is_fine = parts.iter().enumerate().all(|(index, part)| {
        let inner = part
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let bare = inner.map_or(part.as_str(), |name| match index == last {
            true => name.strip_suffix('+').unwrap_or(name),
            false => name,
        });
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        !bare.is_empty() && bare.bytes().all(letter)
    });
    let verb = verb.to_owned();
    is_fine.then_some(Templated { parts, verb })
}

fn shape(part: &str) -> &str {
    match (part.starts_with('{'), part.ends_with("+}")) {
        (_, true) => "{+}",
        (true, false) => "{}",
        (false, false) => part,
    }
}

/// Other spellings of the same path.
fn spellings(path: &str) -> Vec<String> {
    let Some(body) = path.strip_prefix('/') else {
        return Vec::new();
    };
    let body = body.trim_start_matches('/');
    let mut all = vec![
        format!("//{body}"),
        format!("/./{body}"),
        format!("/%2e/{body}"),
        format!("/x/../{body}"),
        format!("/x/%2E./{body}"),
    ];
    if !path.contains('%') {
        let escaped = |upper: bool| -> String {
            let one = |letter: char| match letter.is_ascii_alphanumeric() {
                true if upper => format!("%{:02X}", letter as u8),
                true => format!("%{:02x}", letter as u8),
                false => letter.to_string(),
            };
            body.chars().map(one).collect()
        };
        all.extend([
            format!("/{}", escaped(true)),
            format!("/{}", escaped(false)),
        ]);
    }
    let last = body.rsplit('/').next().unwrap_or_default();
    if !last.is_empty() && normal_path(&format!("/{last}")).trim_start_matches('/') == last {
        all.push(format!("/{body}/"));
    }
    all
}
