//! Values put into an upstream's path, so that none leaves its place there.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// How a value is written, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// It comes from a path: escapes in it are escapes already.
    pub is_path: bool,
    /// It may hold several segments.
    pub keeps_slashes: bool,
    /// It stands after the question mark.
    pub in_query: bool,
}

/// Adds a value to a path, escaped as needed. Says no, and adds nothing, for an empty value and for
/// one that would climb out of its place (`..`, in any spelling that some server may resolve).
pub fn push(path: &mut String, value: &str, spelling: Spelling) -> bool {
    if value.is_empty() || climbs(value) {
        return false;
    }
    let bytes = value.as_bytes();
    for (at, byte) in bytes.iter().copied().enumerate() {
        let is_kept = match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => true,
            b'/' => spelling.keeps_slashes && !spelling.in_query,
            b'%' => spelling.is_path && is_escape(&bytes[at..]),
            b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' | b':' | b'@' => spelling.is_path,
            b'&' | b'+' | b';' | b'=' => spelling.is_path && !spelling.in_query,
            _ => false,
        };
        match is_kept {
            true => path.push(char::from(byte)),
            false => path.push_str(percent_encoding::percent_encode_byte(byte)),
        }
    }
    true
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Whether some segment is `..` once it is decoded, with either slash and with `;parameters`.
fn climbs(value: &str) -> bool {
    if !value.contains(['.', '%']) {
        return false;
    }
    let decoded: Cow<'_, [u8]> = percent_decode_str(value).into();
    decoded
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|segment| segment.split(|byte| *byte == b';').next() == Some(b".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: Spelling = Spelling {
        is_path: true,
        keeps_slashes: false,
        in_query: false,
    };
    const GREEDY: Spelling = Spelling {
        is_path: true,
        keeps_slashes: true,
        in_query: false,
    };
    const TEXT: Spelling = Spelling {
        is_path: false,
        keeps_slashes: false,
        in_query: false,
    };

    fn pushed(value: &str, spelling: Spelling) -> Option<String> {
        let mut path = String::from("/");
        push(&mut path, value, spelling).then(|| path.split_off(1))
    }

    #[test]
    fn a_value_stays_in_its_place() {
        let is = |value, spelling, expected: &str| {
            assert_eq!(
                pushed(value, spelling).as_deref(),
                Some(expected),
                "{value}"
            )
        };
        is("a%2Fb%20c", ONE, "a%2Fb%20c");
        is("a+b;c=d@e", ONE, "a+b;c=d@e");
        is("a/b", ONE, "a%2Fb");
        is("a/b//c%2Fd", GREEDY, "a/b//c%2Fd");
        is("50%", GREEDY, "50%25");
        is("a?b#c\"{é", ONE, "a%3Fb%23c%22%7B%C3%A9");
        is("a/b?c=d%20e", TEXT, "a%2Fb%3Fc%3Dd%2520e");
        is("...", ONE, "...");
        is("a..b", GREEDY, "a..b");
        is(
            "a&b=c",
            Spelling {
                in_query: true,
                ..GREEDY
            },
            "a%26b%3Dc",
        );
    }

    #[test]
    fn a_value_that_climbs_is_refused() {
        for climbing in [
            "..",
            "%2e%2E",
            "a/../b",
            "a%2F..%2Fb",
            "..%5cb",
            "a/..;x=1/b",
            "",
        ] {
            assert_eq!(pushed(climbing, GREEDY), None, "{climbing}");
        }
    }

    proptest! {
        #[test]
        fn no_value_ends_a_segment_or_the_path(value in any::<String>()) {
            for spelling in [ONE, TEXT] {
                if let Some(written) = pushed(&value, spelling) {
                    prop_assert!(!written.contains(['/', '?', '#', ' ', '\r', '\n']), "{}", written);
                    let path = format!("/{written}");
                    prop_assert!(http::uri::PathAndQuery::try_from(path).is_ok());
                }
            }
        }
    }
}
