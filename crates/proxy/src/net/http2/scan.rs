//! Reads the heads of the frames that a client sends, and holds it to a budget of those that bring nothing.
//!
//! The h2 crate bounds what a client can make it keep: windows, streams, header lists, CONTINUATION
//! frames, small and empty DATA frames, resets of streams not yet taken up. It does not bound how often
//! a client may make it work for nothing; that is done here.

use std::time::Instant;

use super::Http2Limits;

/// What a client says before its first frame.
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;

/// Frames without a request or data that go with each request: its priority, its window, its pings.
const FRAMES_PER_REQUEST: u32 = 4;
/// Bytes of answers for which a client may send a frame that enlarges a window.
const BYTES_PER_FRAME: usize = 512;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What comes next from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A frame, or nothing.
    Frame,
    /// The rest of a frame or of a header block.
    Rest,
    /// The rest of a DATA frame.
    Data,
}

/// A client sent more frames that bring nothing than it may.
#[derive(Debug, PartialEq, Eq)]
pub struct Flood;

/// Where in a client's stream of frames a connection is.
#[derive(Debug)]
pub struct Scanner {
    preface_left: usize,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    payload_left: usize,
    is_data: bool,
    /// Whether a header block was begun and not ended.
    in_block: bool,
    idle_frames: Bucket,
    resets: Bucket,
    unpaid_bytes: usize,
}

impl Scanner {
    pub fn new(limits: &Http2Limits) -> Scanner {
        Scanner {
            preface_left: PREFACE_BYTES,
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            payload_left: 0,
            is_data: false,
            in_block: false,
            idle_frames: Bucket::full(limits.idle_frames_burst, limits.idle_frames_per_s),
            resets: Bucket::full(limits.resets_burst, limits.resets_per_s),
            unpaid_bytes: 0,
        }
    }

    /// Looks at the next bytes from the client.
    pub fn look(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        let preface = self.preface_left.min(bytes.len());
        self.preface_left -= preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let run = self.payload_left.min(bytes.len());
                self.payload_left -= run;
                bytes = &bytes[run..];
                continue;
            }
            let run = (HEAD_BYTES - self.head_bytes).min(bytes.len());
            self.head[self.head_bytes..self.head_bytes + run].copy_from_slice(&bytes[..run]);
            self.head_bytes += run;
            bytes = &bytes[run..];
            if self.head_bytes == HEAD_BYTES {
                self.head_bytes = 0;
                self.frame()?;
            }
        }
        Ok(())
    }

    /// A frame's head is whole.
    fn frame(&mut self) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        self.payload_left = length;
        self.is_data = kind == DATA;
        match kind {
            DATA if length > 0 || flags & END_STREAM != 0 => Ok(()),
            HEADERS | CONTINUATION => {
                self.in_block = flags & END_HEADERS == 0;
                if kind == HEADERS {
                    self.idle_frames.give(FRAMES_PER_REQUEST);
                }
                Ok(())
            }
            RST_STREAM => self.resets.take(),
            _ => self.idle_frames.take(),
        }
    }

    /// Notes bytes of answers, which a client makes room for with frames.
    pub fn sent(&mut self, bytes: usize) {
        self.unpaid_bytes += bytes;
        self.idle_frames
            .give((self.unpaid_bytes / BYTES_PER_FRAME) as u32);
        self.unpaid_bytes %= BYTES_PER_FRAME;
    }

    /// What the client has begun and not ended.
    pub fn next(&self) -> Next {
        match (self.payload_left > 0, self.is_data) {
            (true, true) => Next::Data,
            (false, _) if self.head_bytes == 0 && !self.in_block => Next::Frame,
            _ => Next::Rest,
        }
    }
}

/// So many at once, and so many a second.
#[derive(Debug)]
struct Bucket {
    left: u32,
    burst: u32,
    per_s: u32,
    /// Until when it was filled.
    filled: Instant,
}

impl Bucket {
    fn full(burst: u32, per_s: u32) -> Bucket {
        Bucket {
            left: burst,
            burst,
            per_s,
            filled: Instant::now(),
        }
    }

    fn give(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(self.burst);
    }

    /// The clock is looked at only when nothing is left.
    fn take(&mut self) -> Result<(), Flood> {
        if self.left == 0 {
            self.fill(Instant::now());
        }
        self.left = self.left.checked_sub(1).ok_or(Flood)?;
        Ok(())
    }

    fn fill(&mut self, now: Instant) {
        let earned = now.duration_since(self.filled).as_secs_f64() * f64::from(self.per_s);
        if earned >= 1.0 {
            self.filled = now;
            self.give(earned as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMITS: Http2Limits = Http2Limits {
        idle_frames_burst: 10,
        idle_frames_per_s: 0,
        resets_burst: 3,
        resets_per_s: 0,
        streams_max: 100,
        calls_max: 1,
    };
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = (payload as u32).to_be_bytes();
        let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        [head.as_slice(), &vec![7; payload]].concat()
    }

    fn connected() -> Scanner {
        let mut scanner = Scanner::new(&LIMITS);
        assert_eq!(scanner.look(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Ok(()));
        scanner
    }

    /// How many of a frame are taken before it is too many, at most a hundred.
    fn taken(scanner: &mut Scanner, frame: &[u8]) -> usize {
        (0..100).take_while(|_| scanner.look(frame).is_ok()).count()
    }

    #[test]
    fn frames_that_bring_nothing_are_counted_and_others_are_not() {
        for idle in [
            frame(PING, 0, 8),
            frame(4, 0, 0),
            frame(WINDOW_UPDATE, 0, 4),
            frame(2, 0, 5),
            frame(0xee, 0, 3),
            frame(DATA, 0, 0),
        ] {
            assert_eq!(taken(&mut connected(), &idle), 10, "kind {}", idle[3]);
        }
        assert_eq!(taken(&mut connected(), &frame(RST_STREAM, 0, 4)), 3);
        for useful in [
            frame(DATA, 0, 1),
            frame(DATA, END_STREAM, 0),
            frame(HEADERS, END_HEADERS, 20),
        ] {
            assert_eq!(taken(&mut connected(), &useful), 100, "kind {}", useful[3]);
        }
    }

    #[test]
    fn requests_and_answers_pay_for_frames_but_requests_not_for_resets() {
        let mut scanner = connected();
        let request = [
            frame(HEADERS, END_HEADERS, 20),
            frame(WINDOW_UPDATE, 0, 4),
            frame(PING, 0, 8),
        ];
        assert_eq!(taken(&mut scanner, &request.concat()), 100);
        assert_eq!(taken(&mut scanner, &frame(PING, 0, 8)), 8);
        let mut scanner = connected();
        scanner.look(&frame(PING, 0, 8).repeat(10)).unwrap();
        scanner.sent(BYTES_PER_FRAME * 2);
        assert_eq!(taken(&mut scanner, &frame(WINDOW_UPDATE, 0, 4)), 2);
        let rapid = [frame(HEADERS, END_HEADERS, 20), frame(RST_STREAM, 0, 4)];
        assert_eq!(taken(&mut connected(), &rapid.concat()), 3);
    }

    #[test]
    fn frames_are_told_apart_wherever_they_are_split() {
        let all = [
            frame(HEADERS, 0, 30),
            frame(CONTINUATION, END_HEADERS, 7),
            frame(DATA, 0, 50),
            frame(RST_STREAM, 0, 4),
        ]
        .concat();
        for size in 1..60 {
            let mut scanner = connected();
            for _ in 0..3 {
                for piece in all.chunks(size) {
                    assert_eq!(scanner.look(piece), Ok(()), "in pieces of {size}");
                }
            }
            assert_eq!(scanner.next(), Next::Frame, "in pieces of {size}");
            let last = all.chunks(size).map(|piece| scanner.look(piece));
            assert!(last.into_iter().any(|seen| seen.is_err()));
        }
    }

    #[test]
    fn what_is_begun_is_known() {
        let mut scanner = connected();
        let mut after = |bytes: &[u8]| {
            scanner.look(bytes).unwrap();
            scanner.next()
        };
        assert_eq!(after(&frame(HEADERS, 0, 3)), Next::Rest);
        assert_eq!(after(&frame(CONTINUATION, 0, 3)), Next::Rest);
        assert_eq!(after(&frame(CONTINUATION, END_HEADERS, 3)), Next::Frame);
        let data = frame(DATA, 0, 5);
        assert_eq!(after(&data[..4]), Next::Rest);
        assert_eq!(after(&data[4..12]), Next::Data);
        assert_eq!(after(&data[12..]), Next::Frame);
        assert_eq!(after(&frame(PING, 0, 8)[..10]), Next::Rest);
    }

    #[test]
    fn a_bucket_fills_with_time() {
        let mut bucket = Bucket::full(2, 10);
        let start = bucket.filled;
        bucket.left = 0;
        bucket.fill(start + Duration::from_millis(50));
        assert_eq!(bucket.left, 0);
        bucket.fill(start + Duration::from_millis(100));
        assert_eq!(bucket.left, 1);
        bucket.fill(start + Duration::from_secs(60));
        assert_eq!(bucket.left, 2);
    }
}
