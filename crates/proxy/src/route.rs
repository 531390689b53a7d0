//! Path and verb → method, with AWS's precedence: literal before `{name}` before `{name+}`, a verb of
//! its own before ANY, and a greedy resource above for verbs that the best resource lacks.
//!
//! Built once per deployment, then only read. Segments are compared decoded (`/%70ets` is `/pets`),
//! while parameters keep the caller's own spelling, so that nothing changes on its way upstream.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html>

use std::borrow::Cow;
use std::ops::Range;

use foldhash::HashMap;
use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

/// Index of a method in its deployment.
pub type MethodIndex = u32;

/// Where the path's variables stand in the routed path, outermost first.
pub type Spans = SmallVec<[Range<u32>; 4]>;

/// A tree of path segments.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node>,
    variable: Option<Box<Node>>,
    greedy: Option<Verbs>,
    verbs: Verbs,
}

/// Methods of one resource: its own verbs, and ANY.
#[derive(Debug, Default)]
struct Verbs {
    own: Vec<(Box<str>, MethodIndex)>,
    any: Option<MethodIndex>,
}

impl Verbs {
    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.any.is_none()
    }

    fn add(&mut self, verb: &str, method: MethodIndex) {
        match verb {
            "ANY" => self.any = Some(method),
            _ => self.own.push((verb.into(), method)),
        }
    }

    fn get(&self, verb: &str) -> Option<MethodIndex> {
        let own = self.own.iter().find(|(own, _)| &**own == verb);
        own.map(|(_, method)| *method)
            .or_else(|| self.any.filter(|_| is_any(verb)))
    }
}

/// The verbs that ANY stands for.
fn is_any(verb: &str) -> bool {
    matches!(
        verb,
        "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT"
    )
}

/// A segment of a request's path: as it came (its place) and decoded.
struct Segment<'a> {
    decoded: Cow<'a, str>,
    span: Range<u32>,
}

impl Router {
    /// Adds a method of the resource at `template`, such as `/pets/{petId}`.
    pub fn add(&mut self, template: &str, verb: &str, method: MethodIndex) {
        let mut node = &mut self.root;
        for part in template.split('/').filter(|part| !part.is_empty()) {
            if part.ends_with("+}") {
                node.greedy.get_or_insert_default().add(verb, method);
                return;
            }
            node = match part.starts_with('{') {
                true => node.variable.get_or_insert_default(),
                false => node.literals.entry(part.into()).or_default(),
            };
        }
        node.verbs.add(verb, method);
    }

    /// The method for a path below the stage (see [`normal_path`]) and a verb.
    pub fn find(&self, path: &str, verb: &str) -> Option<(MethodIndex, Spans)> {
        let segments = segments(path);
        let mut spans = Spans::new();
        if let Some(verbs) = self.root.best(&segments, &mut spans)
            && let Some(method) = verbs.get(verb)
        {
            return Some((method, spans));
        }
        spans.clear();
        let method = self.root.covering(&segments, verb, &mut spans)?;
        Some((method, spans))
    }
}

impl Node {
    /// The resource that matches best, whatever its verbs; a resource without methods is none.
    fn best(&self, segments: &[Segment<'_>], spans: &mut Spans) -> Option<&Verbs> {
        let Some((first, rest)) = segments.split_first() else {
            return (!self.verbs.is_empty()).then_some(&self.verbs);
        };
        if let Some(next) = self.literals.get(&*first.decoded)
            && let Some(found) = next.best(rest, spans)
        {
            return Some(found);
        }
        if let Some(next) = &self.variable
            && !first.decoded.is_empty()
        {
            let depth = spans.len();
            spans.push(first.span.clone());
            if let Some(found) = next.best(rest, spans) {
                return Some(found);
            }
            spans.truncate(depth);
        }
        let greedy = self.greedy.as_ref()?;
        spans.push(remainder(segments));
        Some(greedy)
    }

    /// The deepest greedy resource over this path that has the verb.
    fn covering(
        &self,
        segments: &[Segment<'_>],
        verb: &str,
        spans: &mut Spans,
    ) -> Option<MethodIndex> {
        let (first, rest) = segments.split_first()?;
        if let Some(next) = self.literals.get(&*first.decoded)
            && let Some(found) = next.covering(rest, verb, spans)
        {
            return Some(found);
        }
        if let Some(next) = &self.variable
            && !first.decoded.is_empty()
        {
            let depth = spans.len();
            spans.push(first.span.clone());
            if let Some(found) = next.covering(rest, verb, spans) {
                return Some(found);
            }
            spans.truncate(depth);
        }
        let method = self.greedy.as_ref()?.get(verb)?;
        spans.push(remainder(segments));
        Some(method)
    }
}

fn remainder(segments: &[Segment<'_>]) -> Range<u32> {
    let start = segments.first().map_or(0, |s| s.span.start);
    let end = segments.last().map_or(start, |s| s.span.end);
    start..end
}

/// Splits a normal path; one trailing slash does not count, inner empty segments do.
fn segments(path: &str) -> SmallVec<[Segment<'_>; 8]> {
    let mut found = SmallVec::new();
    let body = path.strip_prefix('/').unwrap_or(path);
    let body = body.strip_suffix('/').unwrap_or(body);
    if body.is_empty() {
        return found;
    }
    let mut start = path.len() - path.strip_prefix('/').unwrap_or(path).len();
    for part in body.split('/') {
        let end = start + part.len();
        found.push(Segment {
            decoded: match part.contains('%') {
                true => percent_decode_str(part).decode_utf8_lossy(),
                false => Cow::Borrowed(part),
            },
            span: start as u32..end as u32,
        });
        start = end + 1;
    }
    found
}

/// A dot, or a percent sign that may hide one.
fn may_have_dots(path: &[u8]) -> bool {
    path.iter()
        .fold(false, |odd, byte| odd | (*byte == b'.') | (*byte == b'%'))
}

/// A path as it is routed and forwarded: leading slashes collapsed to one, `.` and `..` segments
/// (encoded or not) resolved without leaving the root. Most paths are normal already.
pub fn normal_path(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    if bytes.starts_with(b"/") && bytes.get(1) != Some(&b'/') && !may_have_dots(bytes) {
        return Cow::Borrowed(path);
    }
    let trimmed = path.trim_start_matches('/');
    let has_dots = trimmed.split('/').any(|part| dots(part).is_some());
    if !has_dots {
        return match path.len() - trimmed.len() {
            1 => Cow::Borrowed(path),
            _ => Cow::Owned(format!("/{trimmed}")),
        };
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for part in trimmed.split('/') {
        ends_open = dots(part).is_some();
        match dots(part) {
            Some(1) => {}
            Some(_) => drop(kept.pop()),
            // What stands before it is gone, so this slash leads the path and is collapsed.
            None if part.is_empty() && kept.is_empty() => {}
            None => kept.push(part),
        }
    }
    let slash = if ends_open && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    Cow::Owned(format!("/{}{slash}", kept.join("/")))
}

/// 1 for a `.` segment, 2 for `..`, in any spelling.
fn dots(part: &str) -> Option<usize> {
    if part.is_empty() || part.len() > 6 {
        return None;
    }
    let mut rest = part;
    let mut count = 0;
    while !rest.is_empty() {
        let is_encoded = rest.get(..3).is_some_and(|e| e.eq_ignore_ascii_case("%2e"));
        rest = match (is_encoded, rest.strip_prefix('.')) {
            (true, _) => &rest[3..],
            (_, Some(after)) => after,
            _ => return None,
        };
        count += 1;
    }
    (count <= 2).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn router(methods: &[(&str, &str)]) -> Router {
        let mut router = Router::default();
        for (index, (path, verb)) in methods.iter().enumerate() {
            router.add(path, verb, index as u32);
        }
        router
    }

    fn found(router: &Router, path: &str, verb: &str) -> Option<(u32, Vec<String>)> {
        let path = normal_path(path);
        let (method, spans) = router.find(&path, verb)?;
        let values = spans
            .iter()
            .map(|s| path[s.start as usize..s.end as usize].to_owned())
            .collect();
        Some((method, values))
    }

    #[test]
    fn literal_then_variable_then_greedy() {
        let router = router(&[
            ("/pets", "GET"),
            ("/pets/{petId}", "GET"),
            ("/pets/mine", "GET"),
            ("/{proxy+}", "ANY"),
            ("/", "GET"),
        ]);
        let is = |path: &str, method: u32, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|v| v.to_string()).collect();
            assert_eq!(
                found(&router, path, "GET"),
                Some((method, values)),
                "{path}"
            );
        };
        is("/pets", 0, &[]);
        is("/pets/", 0, &[]);
        is("//pets", 0, &[]);
        is("/%70ets", 0, &[]);
        is("/pets/mine", 2, &[]);
        is("/pets/7", 1, &["7"]);
        is("/pets/a%2Fb", 1, &["a%2Fb"]);
        is("/pets/7/toys", 3, &["pets/7/toys"]);
        is("/x//y", 3, &["x//y"]);
        is("/x/../pets", 0, &[]);
        is("/.///pets", 0, &[]);
        is("/x/%2e%2E/pets/./7", 1, &["7"]);
        is("/", 4, &[]);
        is("", 4, &[]);
    }

    #[test]
    fn an_own_verb_wins_over_any_and_greedy_fills_in_for_missing_verbs() {
        let router = router(&[
            ("/test", "GET"),
            ("/both", "ANY"),
            ("/both", "POST"),
            ("/{proxy+}", "OPTIONS"),
        ]);
        assert_eq!(found(&router, "/both", "POST"), Some((2, vec![])));
        assert_eq!(found(&router, "/both", "PUT"), Some((1, vec![])));
        assert_eq!(
            found(&router, "/test", "OPTIONS"),
            Some((3, vec!["test".into()]))
        );
        assert_eq!(found(&router, "/test", "PUT"), None);
        assert_eq!(found(&router, "/both", "BREW"), None);
        assert_eq!(
            found(&router, "/", "OPTIONS"),
            None,
            "greedy needs a segment"
        );
    }

    #[test]
    fn a_resource_without_methods_does_not_hide_a_variable_one() {
        let router = router(&[("/a/b", "GET"), ("/{x}/c", "GET"), ("/{x}", "GET")]);
        assert_eq!(found(&router, "/a/c", "GET"), Some((1, vec!["a".into()])));
        assert_eq!(found(&router, "/a", "GET"), Some((2, vec!["a".into()])));
    }

    proptest! {
        #[test]
        fn normal_paths_stay_below_the_root_and_normalising_twice_changes_nothing(path in "(/|[a-z.]|%2e|%2E|%2F){0,24}") {
            let once = normal_path(&path).into_owned();
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.split('/').any(|part| dots(part).is_some()), "{}", once);
            let twice = normal_path(&once).into_owned();
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn routing_never_panics_and_spans_lie_in_the_path(path in ".{0,40}", verb in "[A-Z]{1,8}") {
            let router = router(&[("/a/{b}/c", "GET"), ("/a/{b+}", "ANY"), ("/{x}", "ANY")]);
            let path = normal_path(&path).into_owned();
            if let Some((_, spans)) = router.find(&path, &verb) {
                for span in spans {
                    prop_assert!(path.get(span.start as usize..span.end as usize).is_some());
                }
            }
        }
    }
}
