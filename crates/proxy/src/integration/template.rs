//! Mapping templates as far as they are supported: literal text, without expressions.

/// Whether a template is its own result: it has no reference (`$x`, `${x}`, `$!x`), no directive
/// (`#set`), no macro call (`#x(`), no comment and no literal block.
pub fn is_literal(template: &str) -> bool {
    let bytes = template.as_bytes();
    !bytes.iter().enumerate().any(|(at, byte)| {
        let rest = &bytes[at + 1..];
        match byte {
            b'$' => rest.first().is_some_and(|next| {
                next.is_ascii_alphabetic() || matches!(next, b'_' | b'{' | b'!' | b'$')
            }),
            b'#' => is_directive(rest),
            _ => false,
        }
    })
}

fn is_directive(rest: &[u8]) -> bool {
    const WORDS: [&[u8]; 14] = [
        b"set",
        b"if",
        b"elseif",
        b"else",
        b"end",
        b"foreach",
        b"include",
        b"parse",
        b"macro",
        b"stop",
        b"break",
        b"evaluate",
        b"define",
        b"return",
    ];
    match rest.first() {
        Some(b'#' | b'*' | b'@' | b'{') => return true,
        Some(b'[') => return rest.get(1) == Some(&b'['),
        _ => {}
    }
    let end = rest
        .iter()
        .position(|b| !b.is_ascii_alphanumeric() && *b != b'_')
        .unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    WORDS.contains(&word) || (!word.is_empty() && after.trim_ascii_start().first() == Some(&b'('))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_expressions() {
        for literal in [
            "",
            "{\"statusCode\": 200}",
            "costs $5 or 5$",
            "#1 and #fff",
            "a#b",
            "##".split_at(1).0,
        ] {
            assert!(is_literal(literal), "{literal}");
        }
        for expression in [
            "$input.body",
            "${x}",
            "$!x",
            "\\$x",
            "#set($a = 1)",
            "#if(true)x#end",
            "a #else b",
            "## note",
            "#* note *#",
            "#[[x]]#",
            "#{else}",
            "#mine($x)",
            "#mine ()",
            "$$x",
        ] {
            assert!(!is_literal(expression), "{expression}");
        }
    }
}
