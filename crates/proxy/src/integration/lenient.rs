//! The status code in what a MOCK integration's request template gives: JSON as leniently as AWS reads
//! it, so that CDK's `{statusCode: 200}` works.

/// How deep values may nest.
const DEPTH_MAX: usize = 32;

/// The integer member `statusCode` of an object; its last, if there are several. None when the text is
/// no object, has no such member, or it is not an integer from 100 to 999.
pub fn status_code(text: &str) -> Option<u16> {
    let mut reader = Reader { rest: text };
    reader.space();
    let mut found = None;
    reader.object(DEPTH_MAX, &mut |name, value| {
        if name == "statusCode" {
            found = Some(
                value
                    .parse::<u16>()
                    .ok()
                    .filter(|code| (100..=999).contains(code)),
            );
        }
    })?;
    reader.space();
    reader.rest.is_empty().then_some(found).flatten().flatten()
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        self.space();
        Some(())
    }

    /// Members of an object, each with its value as it is written.
    fn object(&mut self, depth: usize, member: &mut dyn FnMut(&str, &str)) -> Option<()> {
        self.take('{')?;
        while self.take('}').is_none() {
            let name = self.scalar()?;
            self.take(':')?;
            let before = self.rest;
            self.value(depth.checked_sub(1)?)?;
            let value = before[..before.len() - self.rest.len()].trim_end();
            member(name, value);
            if self.take(',').is_none() {
                return self.take('}');
            }
        }
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.rest.chars().next()? {
            '{' => self.object(depth, &mut |_, _| {}),
            '[' => {
                self.take('[')?;
                while self.take(']').is_none() {
                    self.value(depth.checked_sub(1)?)?;
                    if self.take(',').is_none() {
                        return self.take(']');
                    }
                }
                Some(())
            }
            _ => self.scalar().map(drop),
        }
    }

    /// A quoted string without its quotes, or a bare word or number.
    fn scalar(&mut self) -> Option<&'a str> {
        let quote = self
            .rest
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''));
        let Some(quote) = quote else {
            let is_end = |c: char| c.is_whitespace() || "{}[]:,\"'".contains(c);
            let end = self.rest.find(is_end).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            self.space();
            return (!word.is_empty()).then_some(word);
        };
        let inner = &self.rest[1..];
        let mut is_escaped = false;
        let end = inner.find(|c| {
            let ends = c == quote && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        })?;
        self.rest = &inner[end + 1..];
        self.space();
        Some(&inner[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_status_code_is_found_in_json_and_in_what_passes_for_it() {
        for good in [
            r#"{"statusCode": 201}"#,
            "{statusCode: 201}",
            "{ 'statusCode' : 201 , }",
            "\n{\"a\": [1, {\"statusCode\": 5}, \"}\"], \"statusCode\":201}\n",
            r#"{"a": "\"statusCode\": 300", "statusCode": 201}"#,
            r#"{"statusCode": 200, "statusCode": 201}"#,
        ] {
            assert_eq!(status_code(good), Some(201), "{good}");
        }
        for bad in [
            "",
            "{}",
            "[]",
            "201",
            r#"{"statusCode": "200"}"#,
            r#"{"statusCode": 200.5}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 200"#,
            r#"{"statusCode": 200} x"#,
            r#"{"a": {"statusCode": 200}}"#,
            r#"{"statusCode" 200}"#,
            r#"{"a": "open, "statusCode": 200}"#,
            r#"{"statusCode": null}"#,
        ] {
            assert_eq!(status_code(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[{}\\[\\]:,\"'\\\\a1 é]{0,60}") {
            status_code(&text);
        }
    }
}
