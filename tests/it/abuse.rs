//! What an attacker does on raw sockets. After each attack the gateway serves others, and its memory is back.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use crate::api::Api;
use crate::harness::{Gateway, alone, until_flat, wait_until};
use crate::http::{Connection, get};
use crate::upstream::Upstream;

/// Waits short enough for a test; what they bound is the same.
const IMPATIENT: &str =
    "header_read_timeout_ms = 500\nbody_read_timeout_s = 1\nclient_idle_timeout_s = 5\n";

struct Victim {
    gateway: Gateway,
    upstream: Upstream,
    target: String,
}

impl Victim {
    fn start(config: &str) -> Victim {
        let gateway = Gateway::start_with(config);
        let upstream = Upstream::start();
        let api = Api::create(&gateway.control(), "victim");
        api.pass_on("", false, &upstream.url());
        api.deploy("prod");
        let target = api.target("prod", "/hit");
        Victim {
            gateway,
            upstream,
            target,
        }
    }

    /// Runs an attack again and again, until memory stops growing. After each its descriptors are closed and somebody
    /// else is served.
    fn survives(&self, attack: impl Fn(&Victim)) {
        let descriptors = self.gateway.descriptors();
        until_flat(&self.gateway, || self.is_over(descriptors, &attack));
    }

    fn is_over(&self, descriptors: usize, attack: &impl Fn(&Victim)) {
        attack(self);
        assert_eq!(
            get(self.gateway.data, &self.target, &[]).status,
            200,
            "others are not served"
        );
        assert_eq!(get(self.gateway.plane, "/healthz", &[]).status, 200);
        wait_until("the attack's connections to be closed", || {
            (self.gateway.descriptors() <= descriptors + 8).then_some(())
        });
    }

    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.gateway.data).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    /// Everything the gateway answers to these bytes until it closes.
    fn answer(&self, bytes: &[u8]) -> String {
        let mut stream = self.open();
        // What is refused early may be closed before all of it is written.
        let _ = stream.write_all(bytes);
        rest(&mut stream)
    }
}

/// What comes until the connection ends, in peace or by a reset.
fn rest(stream: &mut TcpStream) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Requests in a body or behind a doubtful head; none of them may ever be taken for a request.
#[test]
fn nothing_is_smuggled() {
    let victim = Victim::start("");
    let target = &victim.target;
    let smuggled = format!("GET {target}?smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    let length = smuggled.len();
    let framings = [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        format!("Content-Length: {length}\r\nContent-Length: {length}"),
        format!("Content-Length: 0\r\nContent-Length: {length}"),
        format!("Content-Length: 0, {length}"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: 0x{length:x}"),
        format!("Content-Length: {length} 0"),
        format!("Content-Length : {length}"),
        format!("Content-Length\t: {length}"),
        format!("Content-Length: \r\n {length}"),
        format!("X: y\nContent-Length: {length}"),
        format!("X: y\rContent-Length: {length}"),
        "Content-Length: 99999999999999999999".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked, chunked".to_owned(),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(),
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding:\r\n chunked".to_owned(),
        "Transfer-Encoding: \"chunked\"".to_owned(),
        "Transfer-Encoding: chun\0ked".to_owned(),
        "Transfer-Encoding: chunked\x0b".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        " Transfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding\0: chunked".to_owned(),
        "Host: b".to_owned(),
        "X: a\r\n Host: b".to_owned(),
        ": empty".to_owned(),
        "no colon".to_owned(),
    ];
    victim.survives(|victim| {
        victim.upstream.forget();
        for framing in &framings {
            for body in [format!("0\r\n\r\n{smuggled}"), smuggled.clone()] {
                let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
                let answer = victim.answer(format!("{head}{body}").as_bytes());
                assert!(answer.starts_with("HTTP/1.1 400 "), "{framing:?}: {answer}");
                assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {answer}");
                assert!(answer.to_ascii_lowercase().contains("connection: close\r\n"), "{framing:?}");
            }
        }
        let old = format!("POST {target} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}");
        assert!(victim.answer(old.as_bytes()).contains(" 400 "));
        assert_eq!(victim.upstream.count(), 0, "{:?}", victim.upstream.seen());
    });
}

#[test]
fn a_chunked_body_that_is_doubtful_ends_the_connection() {
    let victim = Victim::start("");
    let target = victim.target.clone();
    let smuggled = format!("GET {target}?smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    let extension = "x".repeat(300);
    victim.survives(|victim| {
        victim.upstream.forget();
        for chunks in [
            "5\nhello\r\n0\r\n\r\n".to_owned(),
            "5\r\nhello0\r\n\r\n".to_owned(),
            "5\r\nhello\n0\r\n\r\n".to_owned(),
            " 5\r\nhello\r\n0\r\n\r\n".to_owned(),
            "5 \r\nhello\r\n0\r\n\r\n".to_owned(),
            "+5\r\nhello\r\n0\r\n\r\n".to_owned(),
            "0x5\r\nhello\r\n0\r\n\r\n".to_owned(),
            "-1\r\n\r\n0\r\n\r\n".to_owned(),
            "ffffffffffffffff\r\n\r\n0\r\n\r\n".to_owned(),
            "10000000000000005\r\nhello\r\n0\r\n\r\n".to_owned(),
            "5;a\nb\r\nhello\r\n0\r\n\r\n".to_owned(),
            format!("5;{extension}\r\nhello\r\n0\r\n\r\n"),
            "0\r\nX: y\n\r\n".to_owned(),
            "\r\n0\r\n\r\n".to_owned(),
        ] {
            let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
            let answer = victim.answer(format!("{head}{chunks}{smuggled}").as_bytes());
            assert!(!answer.contains(" 200 "), "{chunks:?}: {answer}");
        }
        let seen = victim.upstream.seen();
        assert!(seen.iter().all(|seen| !seen.target.contains("smuggled")), "{seen:?}");
        // A harmless extension and a trailer are fine.
        let fine = format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"
        );
        assert!(victim.answer(fine.as_bytes()).starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn heads_and_targets_are_refused_from_one_over_the_limit_on() {
    let victim =
        Victim::start("max_header_bytes = 4096\nmax_headers = 20\nmax_target_bytes = 512\n");
    let target = victim.target.clone();
    let status = |victim: &Victim, request: String| {
        let answer = victim.answer(request.as_bytes());
        answer.split(' ').nth(1).unwrap_or("none").to_owned()
    };
    victim.survives(|victim| {
        for (over, expected) in [(-1, "200"), (0, "200"), (1, "414"), (10_000, "414")] {
            let length = (512 + over) as usize - target.len() - 1;
            let long = format!("{target}?{}", "q".repeat(length));
            let request = format!("GET {long} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            assert_eq!(status(victim, request), expected, "target, {over} over");
        }
        for (over, expected) in [(-1, "200"), (0, "200"), (1, "431"), (5_000, "431")] {
            let fields = "X: y\r\n".repeat((20 + over) as usize - 2);
            let request =
                format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
            assert_eq!(status(victim, request), expected, "headers, {over} over");
        }
        let frame =
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \r\n\r\n").len();
        for (over, expected) in [(-1, "200"), (0, "200"), (1, "431"), (1_000_000, "431")] {
            let value = "v".repeat((4096 + over) as usize - frame);
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {value}\r\n\r\n"
            );
            assert_eq!(status(victim, request), expected, "head, {over} over");
        }
    });
}

#[test]
fn many_that_send_nothing_or_a_byte_at_a_time_are_dropped() {
    let _alone = alone();
    let victim = Victim::start(&format!("{IMPATIENT}body_rate_min_bytes_s = 1000\n"));
    let target = victim.target.clone();
    victim.survives(|victim| {
        let heads = [
            "G".to_owned(),
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Slow: "),
            format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nonly this"),
            format!(
                "POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"
            ),
        ];
        let mut slow: Vec<TcpStream> = (0..400)
            .map(|n| {
                let mut stream = victim.open();
                stream.write_all(heads[n % heads.len()].as_bytes()).unwrap();
                stream
            })
            .collect();
        assert_eq!(
            get(victim.gateway.data, &victim.target, &[]).status,
            200,
            "while they dawdle"
        );
        // A byte now and then does not help a head.
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(200));
            for stream in slow.iter_mut().skip(1).step_by(4) {
                let _ = stream.write_all(b"x");
            }
        }
        for stream in &mut slow {
            let answer = rest(stream);
            assert!(!answer.contains(" 200 "), "{answer}");
        }
    });
    let seen = victim.upstream.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.target == "/hit" && seen.method == "GET"),
        "{seen:?}"
    );
}

#[test]
fn a_flood_of_connections_is_turned_away_and_passes() {
    let _alone = alone();
    let victim = Victim::start("max_connections = 50\n");
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        victim.target
    );
    victim.survives(|victim| {
        // Connections of before may still be closing, so that it takes a few more than there are places.
        let mut held: Vec<TcpStream> = Vec::new();
        wait_until("the places to be taken", || {
            held.push(victim.open());
            let answer = victim.answer(request.as_bytes());
            answer.starts_with("HTTP/1.1 503 ").then_some(())
        });
        for _ in 0..500 {
            let answer = victim.answer(request.as_bytes());
            // The connection may be reset before its request was read.
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 503 "),
                "{answer}"
            );
        }
        held.clear();
        wait_until("a place to be free", || {
            victim
                .answer(request.as_bytes())
                .starts_with("HTTP/1.1 200 ")
                .then_some(())
        });
    });
}

#[test]
fn when_descriptors_run_out_it_says_so_and_goes_on_after() {
    let _alone = alone();
    // Enough for the files of both planes and some forty connections.
    let victim = Victim::start_limited(110);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        victim.target
    );
    let held: Vec<TcpStream> = (0..200).map(|_| victim.open()).collect();
    wait_until("the log to say it", || {
        let log = victim.gateway.log();
        (log.contains("cannot accept connections") && log.contains("open files")).then_some(())
    });
    std::thread::sleep(Duration::from_millis(300));
    let lines = victim
        .gateway
        .log()
        .lines()
        .filter(|line| line.contains("cannot accept"))
        .count();
    assert!(
        lines < 100,
        "{lines} lines in a moment: accepting must pause"
    );
    drop(held);
    wait_until("it to serve again", || {
        victim
            .answer(request.as_bytes())
            .starts_with("HTTP/1.1 200 ")
            .then_some(())
    });
}

impl Victim {
    /// With at most so many descriptors.
    fn start_limited(descriptors: u32) -> Victim {
        let mut gateway = Gateway::prepare(
            "workers = 1\nclient_idle_timeout_s = 600\nheader_read_timeout_ms = 600000\n",
        );
        gateway.limit_descriptors(descriptors);
        gateway.start_again();
        let upstream = Upstream::start();
        let api = Api::create(&gateway.control(), "victim");
        api.pass_on("", false, &upstream.url());
        api.deploy("prod");
        let target = api.target("prod", "/hit");
        Victim {
            gateway,
            upstream,
            target,
        }
    }
}

#[test]
fn a_pipeline_without_end_is_answered_no_faster_than_it_is_read() {
    let _alone = alone();
    let victim = Victim::start(IMPATIENT);
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", victim.target);
    victim.survives(|victim| {
        let mut stream = victim.open();
        stream
            .set_write_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let many = request.repeat(1000);
        // Reads no answer: the gateway must stop reading, not keep answers for it.
        let mut sent = 0;
        while sent < 64 << 20 {
            match stream.write(many.as_bytes()) {
                Ok(bytes) => sent += bytes,
                Err(_) => break,
            }
        }
        assert!(
            sent < 64 << 20,
            "everything was read although no answer was taken"
        );
        assert_eq!(
            get(victim.gateway.data, &victim.target, &[]).status,
            200,
            "meanwhile"
        );
    });
}

#[test]
fn an_upstream_that_answers_before_the_body_is_not_used_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut bytes = [0; 65536];
                let mut in_body = false;
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                    // What follows a POST here is its body, which is never whole.
                    if !in_body || text.starts_with("GET /x HTTP/1.1\r\n") {
                        let _ = tell
                            .send((in_body, text.lines().next().unwrap_or_default().to_owned()));
                        let _ = stream.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
                    }
                    in_body |= text.starts_with("POST ");
                }
            });
        }
    });
    let gateway = Gateway::start_with("workers = 1\n");
    let api = Api::create(&gateway.control(), "early");
    api.pass_on("", false, &url);
    api.deploy("prod");
    let target = api.target("prod", "/x");
    for round in 1..=5 {
        let mut connection = Connection::open(gateway.data).unwrap();
        let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
        connection.write_raw(head.as_bytes()).unwrap();
        assert_eq!(connection.read_reply("POST").unwrap().status, 403);
        // The rest of the body looks like requests; nobody may take it for some.
        let rest = format!("GET {target}?smuggled HTTP/1.1\r\nHost: a\r\n\r\n").repeat(10);
        let _ = connection.write_raw(rest.as_bytes());
        drop(connection);
        assert_eq!(get(gateway.data, &target, &[]).status, 403, "round {round}");
    }
    let seen: Vec<(bool, String)> = told.try_iter().collect();
    assert_eq!(seen.len(), 10, "{seen:?}");
    let reused = seen.iter().find(|(in_body, _)| *in_body);
    assert_eq!(
        reused, None,
        "a connection with half a request on it was used again"
    );
    let lines: Vec<&str> = seen.iter().map(|(_, line)| line.as_str()).collect();
    assert!(
        lines
            .iter()
            .all(|line| ["POST /x HTTP/1.1", "GET /x HTTP/1.1"].contains(line)),
        "{lines:?}"
    );
}

#[test]
fn headers_that_connection_lists_are_dropped_and_what_decides_is_not() {
    let victim = Victim::start("");
    let mut connection = Connection::open(victim.gateway.data).unwrap();
    let listed = "keep-alive, x-one, X-TWO,,x-three, x-amzn-trace-id, x-forwarded-for, content-length, transfer-encoding, host";
    let headers = [
        ("Connection", listed),
        ("X-One", "1"),
        ("X-Two", "2"),
        ("X-Three", "3"),
        ("X-Four", "4"),
    ];
    let reply = connection
        .send("POST", &victim.target, &headers, b"body")
        .unwrap();
    assert_eq!(reply.status, 200);
    let seen = victim.upstream.only();
    assert_eq!(seen.body, b"body", "framing is the gateway's own");
    for gone in ["x-one", "x-two", "x-three"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert_eq!(seen.header("x-four"), Some("4"));
    assert!(seen.header("host").is_some());
}
