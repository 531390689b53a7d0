//! The execution log of one call, for who asks how it is answered: the lines of API Gateway's own log.
//!
//! Only `TestInvokeMethod` keeps one; a call without costs one look at nothing.

use std::fmt::Write;

use http::HeaderMap;

/// Bytes that a log may have; what comes after is left out.
const LOG_BYTES_MAX: usize = 1024 * 1024;
/// How much of a list of headers is shown, as on AWS.
const HEADERS_BYTES_MAX: usize = 998;
const TRUNCATED: &str = " [TRUNCATED]";

/// Lines, without their times.
#[derive(Clone, Debug, Default)]
pub struct ExecutionLog {
    lines: Vec<String>,
    bytes: usize,
}

impl ExecutionLog {
    pub fn line(&mut self, mut line: String) {
        let left = LOG_BYTES_MAX.saturating_sub(self.bytes);
        if left == 0 {
            return;
        }
        if line.len() > left {
            line.truncate(line.floor_char_boundary(left));
            line.push_str(TRUNCATED);
        }
        self.bytes += line.len();
        self.lines.push(line);
    }

    /// `what: {name=value, …}`, of each header all values.
    pub fn headers(&mut self, what: &str, headers: &HeaderMap) {
        let pairs = headers.keys().map(|name| {
            let values = headers.get_all(name).iter();
            let values: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.as_str(), values.join(","))
        });
        self.pairs(what, pairs);
    }

    /// `what: {name=value, …}`
    pub fn pairs<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        what: &str,
        pairs: impl Iterator<Item = (N, V)>,
    ) {
        let mut shown = String::from("{");
        for (index, (name, value)) in pairs.enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let _ = write!(shown, "{comma}{}={}", name.as_ref(), value.as_ref());
        }
        shown.push('}');
        if shown.len() > HEADERS_BYTES_MAX {
            shown.truncate(shown.floor_char_boundary(HEADERS_BYTES_MAX));
            shown.push_str(TRUNCATED);
        }
        self.line(format!("{what}: {shown}"));
    }

    /// `what: body`, as text where it is one.
    pub fn body(&mut self, what: &str, body: &[u8]) {
        match std::str::from_utf8(body) {
            Ok(text) => self.line(format!("{what}: {text}")),
            Err(_) => self.line(format!("{what}: [Binary Data]")),
        }
    }

    /// All lines, in order.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_the_whole_log_are_cut_at_their_limits() {
        let mut log = ExecutionLog::default();
        let mut headers = HeaderMap::new();
        headers.append("b", "1".parse().unwrap());
        headers.append("b", "2".parse().unwrap());
        log.headers("Method request headers", &headers);
        assert_eq!(log.lines(), ["Method request headers: {b=1,2}"]);
        log.pairs("p", [("n", "é".repeat(2000))].into_iter());
        assert!(log.lines()[1].ends_with(TRUNCATED) && log.lines()[1].len() < 1020);
        log.body("b", b"\xff");
        assert_eq!(log.lines()[2], "b: [Binary Data]");
        for _ in 0..30 {
            log.body("body", "é".repeat(40_000).as_bytes());
        }
        let bytes: usize = log.lines().iter().map(String::len).sum();
        assert!(bytes <= LOG_BYTES_MAX + TRUNCATED.len(), "{bytes}");
        assert!(log.lines().last().unwrap().ends_with(TRUNCATED));
    }
}
