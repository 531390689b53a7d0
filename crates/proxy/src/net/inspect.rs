//! Looks at every request head before hyper does, and refuses what hyper would forgive.
//!
//! hyper drops a Content-Length that stands beside a Transfer-Encoding, takes bare line feeds and
//! equal lengths given twice, and answers what it cannot parse without a body or a log line. So the
//! bytes of a connection pass through here first. A head is either strict in every line or never
//! reaches hyper; since only strict heads pass, both always agree on where the next one begins.
//! One pass over the head's bytes, no copy when it came in one read.

use super::chunked::Chunked;

/// What a request head may hold.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Request line and headers together.
    pub head_bytes_max: usize,
    pub headers_max: usize,
    /// The request target, in whatever form it comes.
    pub target_bytes_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits {
            head_bytes_max: 64 * 1024,
            headers_max: 100,
            target_bytes_max: 10 * 1024,
        }
    }
}

/// Why a message is not read any further. The connection ends with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// A request line or a header line that is not one.
    Malformed = 1,
    BareLineFeed,
    /// Content-Length and Transfer-Encoding.
    BothLengths,
    /// Content-Length or Transfer-Encoding more than once.
    SeveralLengths,
    BadLength,
    /// Anything but `chunked`.
    BadEncoding,
    BadChunk,
    BadVersion,
    TargetTooLong,
    HeadTooLarge,
    TooManyHeaders,
    /// The head did not come in time.
    SlowHead,
}

impl Fault {
    /// The fault with this number (`fault as u8`).
    pub fn from_number(number: u8) -> Option<Fault> {
        const ALL: [Fault; 12] = [
            Fault::Malformed,
            Fault::BareLineFeed,
            Fault::BothLengths,
            Fault::SeveralLengths,
            Fault::BadLength,
            Fault::BadEncoding,
            Fault::BadChunk,
            Fault::BadVersion,
            Fault::TargetTooLong,
            Fault::HeadTooLarge,
            Fault::TooManyHeaders,
            Fault::SlowHead,
        ];
        ALL.into_iter().find(|fault| *fault as u8 == number)
    }
}

/// What is to be done with the bytes looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All may pass.
    All,
    /// The bytes before this place may pass; from there on it is the beginning of a head, to be kept
    /// back and shown again with what follows it.
    Until(usize),
    /// The bytes before this place may pass, nothing after it.
    Faulty(usize, Fault),
}

/// Where in the stream of messages a connection is.
#[derive(Debug)]
pub struct Inspector {
    limits: HeadLimits,
    phase: Phase,
    head: Head,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Head,
    Length(u64),
    Chunked(Chunked),
    Faulty(Fault),
}

/// A head as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// Up to where line ends were looked for.
    searched: usize,
    line_start: usize,
    lines: usize,
    is_http_10: bool,
    length: Option<u64>,
    is_chunked: bool,
}

impl Inspector {
    pub fn new(limits: HeadLimits) -> Self {
        Inspector {
            limits,
            phase: Phase::Head,
            head: Head::default(),
        }
    }

    /// Whether the next byte belongs to a body.
    pub fn in_body(&self) -> bool {
        matches!(self.phase, Phase::Length(_) | Phase::Chunked(_))
    }

    /// Gives up on the head being read.
    pub fn fail(&mut self, fault: Fault) {
        self.phase = Phase::Faulty(fault);
    }

    /// Looks at the next bytes of the connection. After [`Seen::Until`], the bytes kept back come first.
    pub fn look(&mut self, bytes: &[u8]) -> Seen {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.phase {
                Phase::Length(left) => {
                    let run = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    at += run;
                    *left -= run as u64;
                    if *left == 0 {
                        self.phase = Phase::Head;
                    }
                }
                Phase::Chunked(state) => match state.take(rest) {
                    Ok((taken, ended)) => {
                        at += taken;
                        if ended {
                            self.phase = Phase::Head;
                        }
                    }
                    Err(fault) => self.fail(fault),
                },
                Phase::Head => match self.head.read(rest, &self.limits) {
                    Ok(Some(end)) => {
                        at += end;
                        self.phase = std::mem::take(&mut self.head).body();
                    }
                    Ok(None) => return Seen::Until(at),
                    Err(fault) => self.fail(fault),
                },
                Phase::Faulty(fault) => return Seen::Faulty(at, *fault),
            }
        }
        Seen::All
    }
}

impl Head {
    /// Reads on in a head that begins where `bytes` does. Says where it ends, once it does.
    fn read(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Fault> {
        while let Some(found) = memchr::memchr(b'\n', &bytes[self.searched..]) {
            let end = self.searched + found;
            self.searched = end + 1;
            if self.searched > limits.head_bytes_max {
                return Err(self.too_large());
            }
            let line = bytes[self.line_start..end]
                .strip_suffix(b"\r")
                .ok_or(Fault::BareLineFeed)?;
            self.line_start = self.searched;
            match (line.is_empty(), self.lines) {
                (true, 0) => continue, // empty lines before a request are to be ignored
                (true, _) => return Ok(Some(self.searched)),
                (false, 0) => self.is_http_10 = request_line(line, limits)? == b"HTTP/1.0",
                (false, lines) if lines > limits.headers_max => return Err(Fault::TooManyHeaders),
                (false, _) => self.header_line(line)?,
            }
            self.lines += 1;
        }
        self.searched = bytes.len();
        let open_line = bytes.len() - self.line_start;
        if self.lines == 0 && open_line > limits.target_bytes_max + LINE_OVERHEAD {
            return Err(Fault::TargetTooLong);
        }
        match bytes.len() > limits.head_bytes_max {
            true => Err(self.too_large()),
            false => Ok(None),
        }
    }

    fn too_large(&self) -> Fault {
        match self.lines {
            0 => Fault::TargetTooLong,
            _ => Fault::HeadTooLarge,
        }
    }

    fn header_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let end = line.iter().position(|byte| !TOKEN[usize::from(*byte)]);
        let colon = end.filter(|end| *end > 0 && line[*end] == b':');
        let colon = colon.ok_or(Fault::Malformed)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if has_control(value) {
            return Err(Fault::Malformed);
        }
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.is_chunked {
            return Err(Fault::BothLengths);
        }
        if self.length.is_some() {
            return Err(Fault::SeveralLengths);
        }
        let digits = value.trim_ascii();
        if digits.is_empty()
            || digits.len() > LENGTH_DIGITS_MAX
            || !digits.iter().all(u8::is_ascii_digit)
        {
            return Err(Fault::BadLength);
        }
        let length = digits
            .iter()
            .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        self.length = Some(length);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.length.is_some() {
            return Err(Fault::BothLengths);
        }
        if self.is_chunked {
            return Err(Fault::SeveralLengths);
        }
        if self.is_http_10 || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::BadEncoding);
        }
        self.is_chunked = true;
        Ok(())
    }

    /// What follows a whole head.
    fn body(self) -> Phase {
        match (self.is_chunked, self.length) {
            (true, _) => Phase::Chunked(Chunked::START),
            (false, Some(1..)) => Phase::Length(self.length.unwrap_or_default()),
            (false, _) => Phase::Head,
        }
    }
}

/// Digits of a Content-Length that surely fits 64 bits.
const LENGTH_DIGITS_MAX: usize = 18;

/// Room in a request line for the method, two spaces and the version.
const LINE_OVERHEAD: usize = 64;

/// Method, target, version; one space between them and no other. Gives the version.
fn request_line<'a>(line: &'a [u8], limits: &HeadLimits) -> Result<&'a [u8], Fault> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let (Some(method), Some(target), Some(version)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::Malformed);
    };
    if target.len() > limits.target_bytes_max {
        return Err(Fault::TargetTooLong);
    }
    if !is_token(method) || !is_target(target) {
        return Err(Fault::Malformed);
    }
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(version),
        _ if version.starts_with(b"HTTP/") && !version.contains(&b' ') => Err(Fault::BadVersion),
        _ => Err(Fault::Malformed),
    }
}

/// Whether hyper will take it for a target. Most are plain paths; the rest is asked the same parser.
fn is_target(target: &[u8]) -> bool {
    let is_path = target.first() == Some(&b'/');
    let is_plain =
        |byte: &u8| matches!(*byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'_' | b'a'..=b'~');
    (is_path && target.iter().all(is_plain))
        || (!target.contains(&b'#') && http::Uri::try_from(target).is_ok())
}

/// Whether all bytes may stand in a method or a header's name, and there is one.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .fold(true, |ok, byte| ok & TOKEN[usize::from(*byte)])
}

/// Whether a header's value holds a byte that may not: NUL, bare CR, other controls but tab. Without
/// an early exit, so that the compiler looks at many bytes at once.
fn has_control(value: &[u8]) -> bool {
    value.iter().fold(false, |bad, byte| {
        bad | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f)
    })
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(
            byte as u8,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
                | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn look(bytes: &[u8]) -> Seen {
        Inspector::new(HeadLimits::default()).look(bytes)
    }

    fn fault(head: &str) -> Option<Fault> {
        match look(head.as_bytes()) {
            Seen::Faulty(_, fault) => Some(fault),
            _ => None,
        }
    }

    /// The fault of a request with these header lines.
    fn header_fault(lines: &str) -> Option<Fault> {
        fault(&format!(
            "POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\nrest"
        ))
    }

    #[test]
    fn lengths_must_be_given_once_and_in_one_way() {
        assert_eq!(header_fault("Content-Length: 4"), None);
        assert_eq!(
            header_fault("Content-Length: 4\r\nTransfer-Encoding: chunked"),
            Some(Fault::BothLengths)
        );
        assert_eq!(
            header_fault("Transfer-Encoding: chunked\r\nx: y\r\ncontent-length: 4"),
            Some(Fault::BothLengths)
        );
        assert_eq!(
            header_fault("Content-Length: 4\r\nCONTENT-LENGTH: 4"),
            Some(Fault::SeveralLengths)
        );
        assert_eq!(
            header_fault("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            Some(Fault::SeveralLengths)
        );
        for bad in ["4, 4", "+4", "-1", "", "0x4", "4 4", "99999999999999999999"] {
            assert_eq!(
                header_fault(&format!("Content-Length: {bad}")),
                Some(Fault::BadLength),
                "{bad}"
            );
        }
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(fault(old), Some(Fault::BadEncoding));
        for bad in [
            "gzip",
            "gzip, chunked",
            "chunked, identity",
            "identity",
            "",
            "xchunked",
            "\"chunked\"",
        ] {
            assert_eq!(
                header_fault(&format!("Transfer-Encoding: {bad}")),
                Some(Fault::BadEncoding),
                "{bad}"
            );
        }
    }

    #[test]
    fn loose_lines_are_refused() {
        for bad in [
            "Host : a",
            " Host: a",
            "x: a\r\n folded",
            "no colon",
            ": empty",
            "x: a\u{0}b",
            "x: a\rb",
            "x\u{b}: a",
            "x(y): a",
        ] {
            assert_eq!(header_fault(bad), Some(Fault::Malformed), "{bad:?}");
        }
        assert_eq!(header_fault("x: a\nb: c"), Some(Fault::BareLineFeed));
        assert_eq!(
            fault("GET / HTTP/1.1\nHost: a\n\n"),
            Some(Fault::BareLineFeed)
        );
        for bad in [
            "GET  / HTTP/1.1",
            "GET /",
            "GET / HTTP/1.1 ",
            "/ HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "G\tT / HTTP/1.1",
            "GET /<a> HTTP/1.1",
            "GET http:// HTTP/1.1",
            "GET /\u{7f} HTTP/1.1",
        ] {
            assert_eq!(
                fault(&format!("{bad}\r\n\r\n")),
                Some(Fault::Malformed),
                "{bad}"
            );
        }
        assert_eq!(fault("PRI * HTTP/2.0\r\n\r\n"), Some(Fault::BadVersion));
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let limits = HeadLimits {
            head_bytes_max: 200,
            headers_max: 3,
            target_bytes_max: 20,
        };
        let look = |text: &str| Inspector::new(limits).look(text.as_bytes());
        let target = |bytes: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(bytes - 1));
        assert_eq!(look(&target(20)), Seen::All);
        assert_eq!(look(&target(21)), Seen::Faulty(0, Fault::TargetTooLong));
        assert_eq!(
            look(&format!("GET /{}", "a".repeat(199))),
            Seen::Faulty(0, Fault::TargetTooLong)
        );
        let headers = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert_eq!(look(&headers(3)), Seen::All);
        assert_eq!(look(&headers(4)), Seen::Faulty(0, Fault::TooManyHeaders));
        let frame = "GET / HTTP/1.1\r\nx: \r\n\r\n".len();
        let sized =
            |bytes: usize| format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(bytes - frame));
        assert_eq!(look(&sized(200)), Seen::All);
        assert_eq!(look(&sized(201)), Seen::Faulty(0, Fault::HeadTooLarge));
        assert_eq!(
            look(&sized(300)[..250]),
            Seen::Faulty(0, Fault::HeadTooLarge)
        );
    }

    #[test]
    fn pipelined_requests_are_told_apart_wherever_they_are_split() {
        let messages = b"\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
            POST /2 HTTP/1.1\r\nContent-Length: 26\r\n\r\nGET /not-a-head HTTP/1.1\r\n\
            POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n";
        let faulty = b"GET /4 HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let all = [messages.as_slice(), faulty].concat();
        assert_eq!(look(&all), Seen::Faulty(messages.len(), Fault::BothLengths));
        for size in 1..40 {
            let mut inspector = Inspector::new(HeadLimits::default());
            let (mut held, mut passed) = (Vec::new(), 0);
            let mut last = Seen::All;
            for piece in all.chunks(size) {
                held.extend_from_slice(piece);
                last = inspector.look(&held);
                let pass = match last {
                    Seen::All => held.len(),
                    Seen::Until(at) | Seen::Faulty(at, _) => at,
                };
                passed += pass;
                held.drain(..pass);
            }
            assert_eq!(passed, messages.len(), "in pieces of {size}");
            assert_eq!(
                last,
                Seen::Faulty(0, Fault::BothLengths),
                "in pieces of {size}"
            );
        }
    }
}
