//! What HTTP/2 lets a hostile client try. After each attempt the gateway serves others, has its memory back, and has
//! neither lost nor doubled an admission.

use std::cell::Cell;
use std::time::Duration;

use crate::api::{Key, Plan};
use crate::frames::*;
use crate::harness::{clear_of_midnight, until_flat, wait_until};
use crate::http2::Stand;
use crate::http2_client::{Http2, block_on};
use crate::tls_client::{connect, get};

const QUOTA: u64 = 4_000;

struct Target {
    stand: Stand,
    plan: Plan,
    key: Key,
    /// Connections that were ended for what they sent.
    floods: Cell<u64>,
}

impl Target {
    fn new(config: &str) -> Target {
        clear_of_midnight(Duration::from_secs(120));
        let config =
            format!("quota_wait_timeout_ms = 2000\nmetrics_token = \"0123456789abcdef\"\n{config}");
        let stand = Stand::start(&config, true);
        let (plan, key) = stand.quota(QUOTA);
        Target {
            stand,
            plan,
            key,
            floods: Cell::new(0),
        }
    }

    /// Lets it be tried again and again, until memory stops growing.
    fn survives(&self, attempt: impl Fn(&Target)) {
        until_flat(&self.stand.tls.gateway, || {
            attempt(self);
            self.serves_others();
        });
    }

    fn raw(&self, settings: &[u8]) -> Raw {
        Raw::open(&self.stand.tls, settings)
    }

    /// A block of a request that is admitted if the quota allows it.
    fn block(&self, raw: &Raw, path: &str) -> Vec<u8> {
        raw.block("GET", &self.stand.target(path), &[self.key.header()])
    }

    fn serves_others(&self) {
        let (tls, target) = (&self.stand.tls, self.stand.target("/hit"));
        let key = format!("x-api-key: {}\r\n", self.key.value);
        let mut stream = connect(tls.address, &tls.client(&["http/1.1"]), "localhost").unwrap();
        let answer = get(&mut stream, &target, &key);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let answer = block_on(async {
            Http2::open(tls)
                .await
                .get(&target, &[self.key.header()])
                .await
        });
        assert_eq!(answer.unwrap().status, 200);
    }

    /// One more connection was ended for what it sent.
    fn has_noted(&self) {
        self.floods.set(self.floods.get() + 1);
        wait_until("the flood to be counted", || {
            (self.floods() == self.floods.get()).then_some(())
        });
    }

    fn floods(&self) -> u64 {
        let bearer = [("Authorization", "Bearer 0123456789abcdef")];
        let text = crate::http::get(self.stand.tls.gateway.plane, "/metrics", &bearer).text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("tollgate_http2_floods_total "));
        line.unwrap().parse().unwrap()
    }

    /// What must hold after every attempt.
    fn is_unharmed(&self) {
        self.serves_others();
        // What was admitted and what the upstream saw are within the quota, and the rest is still there.
        let (used, left) = self.plan.usage(&self.key).unwrap();
        assert_eq!(used + left, QUOTA as i64);
        assert!(self.stand.upstream.count() as i64 <= used);
        let target = self.stand.target("/hit");
        let served = block_on(async {
            let client = Http2::open(&self.stand.tls).await;
            let mut served = 0;
            while client
                .get(&target, &[self.key.header()])
                .await
                .unwrap()
                .status
                == 200
            {
                served += 1;
            }
            served
        });
        assert_eq!(served, left);
        assert_eq!(self.plan.usage(&self.key), Some((QUOTA as i64, 0)));
    }
}

#[test]
fn rapid_resets() {
    let target = Target::new("");
    target.survives(|target| {
        let mut raw = target.raw(&[]);
        let block = target.block(&raw, "/wait/20");
        raw.flood(500, |turn| {
            let stream = 2 * turn as u32 + 1;
            let mut pair = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
            pair.extend(frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
            pair
        });
        assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM));
        target.has_noted();
    });
    target.is_unharmed();
}

#[test]
fn resets_that_wait_until_the_request_is_taken_up() {
    let target = Target::new("");
    target.survives(|target| {
        let mut raw = target.raw(&[]);
        let block = target.block(&raw, "/hang");
        let mut stream = 1;
        raw.flood(500, |_| {
            let mut pair = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
            if stream > 1 {
                pair.extend(frame(RST_STREAM, 0, stream - 2, &CANCEL.to_be_bytes()));
            }
            stream += 2;
            pair
        });
        assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM));
    });
    target.stand.upstream.open_gate("hang");
    target.is_unharmed();
}

#[test]
fn pings_settings_priorities_and_the_like() {
    let target = Target::new("");
    target.survives(|target| {
        let floods = [
            frame(PING, 0, 0, b"12345678"),
            frame(SETTINGS, 0, 0, &[]),
            frame(2, 0, 3, &[0, 0, 0, 0, 16]), // PRIORITY
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
            frame(0xbe, 0, 0, b"unknown"),
        ];
        for idle in &floods {
            let mut raw = target.raw(&[]);
            let few = idle.repeat(500);
            raw.write_all(&[few, frame(PING, 0, 0, b"are ok..")].concat())
                .unwrap();
            let pong = |frame: &Frame| frame.flags == ACK && frame.payload == b"are ok..";
            while !raw.next(PING).as_ref().is_some_and(pong) {}
            raw.write_all(&idle.repeat(2_000)).unwrap();
            assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM), "kind {}", idle[3]);
            target.has_noted();
        }
    });
    target.is_unharmed();
}

#[test]
fn empty_and_tiny_pieces_of_a_body() {
    let target = Target::new("");
    target.survives(|target| {
        for piece in [&b""[..], b"x"] {
            let mut raw = target.raw(&[]);
            // It has no length, and its answer waits for its end.
            let block = raw.block(
                "POST",
                &target.stand.target("/echo"),
                &[target.key.header()],
            );
            raw.write(HEADERS, END_HEADERS, 1, &block).unwrap();
            let mut pieces = Vec::new();
            for _ in 0..50 {
                pieces.extend(frame(DATA, 0, 1, piece));
            }
            let sent = raw.flood(2_000, |_| pieces.clone());
            // Tiny pieces are read as fast as they come, and end at the window at the latest.
            if piece.is_empty() {
                assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM));
            } else {
                assert!(sent > 0);
            }
        }
    });
    target.is_unharmed();
}

#[test]
fn header_blocks_without_an_end() {
    let target = Target::new("");
    target.survives(|target| {
        for piece in [0, 1, 16 * 1024] {
            let mut raw = target.raw(&[]);
            let block = target.block(&raw, "/hit");
            raw.write(HEADERS, END_STREAM, 1, &block).unwrap();
            let more = match piece {
                16_384 => {
                    let mut big = Vec::new();
                    literal(&mut big, "x-big", &"v".repeat(16_000));
                    big
                }
                size => vec![0x82; size], // `:method: GET`, again and again
            };
            // The connection may be closed while we write; then there may be nothing to read from it.
            let sent = raw.flood(200, |_| frame(CONTINUATION, 0, 1, &more));
            let end = raw.end();
            let is_refused = matches!(end, Some(ENHANCE_YOUR_CALM | PROTOCOL_ERROR));
            assert!(is_refused || sent < 200, "{end:?}, pieces of {piece} bytes");
        }
    });
    target.is_unharmed();
}

#[test]
fn a_header_block_that_does_not_go_on() {
    let target = Target::new("header_read_timeout_ms = 300\n");
    target.survives(|target| {
        for with_a_whole_frame in [true, false] {
            let mut raw = target.raw(&[]);
            let block = target.block(&raw, "/hit");
            let begun = frame(HEADERS, END_STREAM, 1, &block);
            let bytes = if with_a_whole_frame { begun.len() } else { 5 };
            raw.write_all(&begun[..bytes]).unwrap();
            raw.end();
        }
    });
    target.is_unharmed();
}

#[test]
fn header_bombs() {
    let target = Target::new("");
    target.survives(|target| {
        let mut raw = target.raw(&[]);
        // One large header put into HPACK's table, then thousands of references to it, a byte each.
        for turn in 0..50 {
            let mut block = target.block(&raw, "/hit");
            let mut large = Vec::new();
            literal(&mut large, "x-bomb", &"b".repeat(3_900));
            large[0] = 0x40; // with indexing
            block.extend(large);
            block.extend(vec![0x80 | 62; 10_000]);
            if raw
                .write(HEADERS, END_HEADERS | END_STREAM, 2 * turn + 1, &block)
                .is_err()
            {
                break;
            }
        }
        raw.write(PING, 0, 0, b"12345678").ok();
        let end = raw.next(PING);
        assert!(end.is_none_or(|frame| frame.flags == ACK));
        drop(raw);
    });
    target.is_unharmed();
}

#[test]
fn streams_that_the_gateway_is_made_to_reset() {
    let target = Target::new("");
    target.survives(|target| {
        target.stand.upstream.forget();
        let mut raw = target.raw(&[]);
        let block = target.block(&raw, "/hang");
        raw.flood(500, |turn| {
            let stream = 2 * turn as u32 + 1;
            let mut pair = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
            // No window can be that large: an error of the stream, so the gateway resets it.
            pair.extend(frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]));
            pair
        });
        assert_eq!(raw.end(), Some(ENHANCE_YOUR_CALM));
        // However many it tried, little of it reached the upstream.
        assert!(
            target.stand.upstream.count() < 250,
            "{}",
            target.stand.upstream.count()
        );
    });
    target.stand.upstream.open_gate("hang");
    target.is_unharmed();
}

#[test]
fn answers_that_nobody_takes() {
    let target = Target::new("response_write_timeout_s = 1\n");
    target.survives(|target| {
        let mut raw = target.raw(&NO_WINDOW);
        let block = target.block(&raw, "/big/1000000");
        for turn in 0..100 {
            raw.write(HEADERS, END_HEADERS | END_STREAM, 2 * turn + 1, &block)
                .unwrap();
        }
        for _ in 0..100 {
            let reset = raw.next(RST_STREAM).expect("the connection goes on");
            assert_eq!(reset.code(), CANCEL);
        }
        // The connection itself is as good as before.
        raw.write(PING, 0, 0, b"12345678").unwrap();
        assert_eq!(raw.next(PING).unwrap().flags, ACK);
        drop(raw);
    });
    target.is_unharmed();
}

#[test]
fn a_connection_that_is_only_kept_open() {
    let target = Target::new("client_idle_timeout_s = 1\n");
    target.survives(|target| {
        let mut raw = target.raw(&[]);
        raw.write(PING, 0, 0, b"12345678").unwrap();
        assert_eq!(raw.end(), Some(NO_ERROR));
    });
    target.is_unharmed();
}
