//! Texts with `$context.name` in them: plain substitution, without the rest of a template language.

/// A piece of such a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// A variable's whole name, such as `context.requestId`.
    Variable(&'a str),
}

/// Cuts a text into its pieces. A variable is `$name` or `${name}`, its name beginning with one of the
/// roots, which end in a dot; every other `$` stands for itself.
pub fn pieces<'a>(text: &'a str, roots: &[&str]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    // What is known to be text at the front of `rest`.
    let mut plain = 0;
    while let Some(at) = rest[plain..].find('$').map(|at| plain + at) {
        match variable(&rest[at + 1..], roots) {
            Some((name, bytes)) => {
                if at > 0 {
                    pieces.push(Piece::Text(&rest[..at]));
                }
                pieces.push(Piece::Variable(name));
                rest = &rest[at + 1 + bytes..];
                plain = 0;
            }
            None => plain = at + 1,
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// The name after a `$`, and how many bytes it takes with its braces.
fn variable<'a>(text: &'a str, roots: &[&str]) -> Option<(&'a str, usize)> {
    let (inner, braced) = match text.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let root = roots.iter().find(|root| inner.starts_with(**root))?;
    // Headers have hyphens; elsewhere a hyphen ends a name, as in `$context.requestId-$context.stage`.
    let has_hyphens = braced || root.starts_with("method.");
    let is_name =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || (has_hyphens && c == '-');
    let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
    if braced {
        let is_closed = inner[end..].starts_with('}');
        return is_closed.then(|| (&inner[..end], end + 2));
    }
    // A dot at the end belongs to the sentence.
    let name = inner[..end].trim_end_matches('.');
    (name.len() > root.len()).then_some((name, name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Piece::{Text, Variable};
    use proptest::prelude::*;

    const ROOTS: [&str; 2] = ["context.", "method.request."];

    #[test]
    fn variables_are_told_from_text() {
        let cut = |text| pieces(text, &ROOTS);
        assert_eq!(cut(""), []);
        assert_eq!(
            cut("a $5 $ctx $context $context."),
            [Text("a $5 $ctx $context $context.")]
        );
        assert_eq!(cut("$context.a.b"), [Variable("context.a.b")]);
        assert_eq!(
            cut("[$context.requestId]\"$context.path. ${context.stage}x"),
            [
                Text("["),
                Variable("context.requestId"),
                Text("]\""),
                Variable("context.path"),
                Text(". "),
                Variable("context.stage"),
                Text("x")
            ]
        );
        assert_eq!(
            cut("$context.a-$context.b"),
            [Variable("context.a"), Text("-"), Variable("context.b")]
        );
        assert_eq!(
            cut("$method.request.header.X-Y!"),
            [Variable("method.request.header.X-Y"), Text("!")]
        );
        assert_eq!(
            cut("${context.open $$context.a"),
            [Text("${context.open $"), Variable("context.a")]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[$a-z{}. é]{0,20}(context\\.[a-z]{0,3}){0,2}[$}]?") {
            let whole: String = pieces(&text, &ROOTS).into_iter().map(|piece| match piece {
                Text(text) => text.to_owned(),
                Variable(name) => format!("${name}"),
            }).collect();
            prop_assert_eq!(whole.replace(['{', '}'], ""), text.replace(['{', '}'], ""));
        }
    }
}
