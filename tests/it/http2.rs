//! HTTP/2 on the data plane: the same calls, the same rules, the same counting as on HTTP/1.1.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Version;
use serde_json::json;

use crate::api::{Api, Key, Plan};
use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, RST_STREAM, Raw};
use crate::harness::{clear_of_midnight, wait_until};
use crate::http2_client::{Http2, block_on, read, reason};
use crate::tls_client::TlsGateway;
use crate::upstream::Upstream;

/// A gateway with TLS and an API in front of an upstream.
pub struct Stand {
    pub tls: TlsGateway,
    pub upstream: Upstream,
    pub api: Api,
}

impl Stand {
    pub fn start(config: &str, key_required: bool) -> Stand {
        let tls = TlsGateway::start(config);
        let upstream = Upstream::start();
        let control = tls.gateway.control();
        let api = Api::create(&control, "http2");
        api.pass_on("", key_required, &upstream.url());
        api.deploy("prod");
        Stand { tls, upstream, api }
    }

    pub fn target(&self, path: &str) -> String {
        self.api.target("prod", path)
    }

    pub fn quota(&self, limit: u64) -> (Plan, Key) {
        let limits = json!({ "quota": { "limit": limit, "period": "DAY" } });
        let plan = Plan::create(&self.tls.gateway.control(), &self.api, "prod", &limits);
        let key = plan.key("k");
        (plan, key)
    }
}

#[test]
fn a_call_reaches_its_upstream_as_http_1() {
    let stand = Stand::start("", false);
    block_on(async {
        let client = Http2::open(&stand.tls).await;
        let headers = [
            ("x-own", "kept"),
            ("te", "trailers"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("accept", "text/plain"),
        ];
        let target = stand.target("/echo/%7Bx%7D?q=1&q=2");
        let request = client.request("POST", &target, &headers);
        let (answer, mut body) = client.begin(request, true).await.unwrap();
        body.send_data(Bytes::from("hello "), false).unwrap();
        body.send_data(Bytes::from("world"), true).unwrap();
        let response = answer.await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        let answer = read(response).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-upstream"), Some("echo"));
        assert!(
            answer
                .header("date")
                .is_some_and(|date| date.ends_with(" GMT"))
        );
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
        assert_eq!(answer.json()["body"], "hello world");
    });
    let seen = stand.upstream.only();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.target, "/echo/%7Bx%7D?q=1&q=2");
    assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
    assert_eq!(seen.header("cookie"), Some("a=1; b=2"));
    assert_eq!(seen.header("te"), Some("trailers"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    let hosts = seen
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    assert_eq!(hosts.count(), 1);
    assert!(!seen.headers.iter().any(|(name, _)| name.starts_with(':')));
}

#[test]
fn lengths_bodies_and_trailers_are_right_on_both_sides() {
    let stand = Stand::start("max_body_bytes = 100000\n", false);
    block_on(async {
        let client = Http2::open(&stand.tls).await;
        let echo = stand.target("/echo");
        // A length that is given is passed on, and the h2 crate holds the client to it.
        let request = client.request("PUT", &echo, &[("content-length", "5")]);
        let (answer, mut body) = client.begin(request, true).await.unwrap();
        body.send_data(Bytes::from("12345"), true).unwrap();
        assert_eq!(read(answer.await.unwrap()).await.unwrap().status, 200);
        assert_eq!(stand.upstream.only().header("content-length"), Some("5"));
        let short = client.request("PUT", &echo, &[("content-length", "5")]);
        let (answer, mut body) = client.begin(short, true).await.unwrap();
        body.send_data(Bytes::from("1234"), true).unwrap();
        assert_eq!(reason(answer.await), Some(Reason::PROTOCOL_ERROR));
        stand.upstream.forget();

        // No body, no length.
        assert_eq!(client.get(&echo, &[]).await.unwrap().status, 200);
        let seen = stand.upstream.only();
        assert_eq!(seen.header("content-length"), None);
        assert_eq!(seen.header("transfer-encoding"), None);

        let head = client.request("HEAD", &echo, &[]);
        let head = client.send(head).await.unwrap();
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert!(head.header("content-length").is_some());
        let trailers = client.get(&stand.target("/trailers"), &[]).await.unwrap();
        assert_eq!(&trailers.body[..], b"body");
        assert_eq!(trailers.trailers.unwrap()["x-checksum"], "42");
        let big = client
            .get(&stand.target("/big/3000000"), &[])
            .await
            .unwrap();
        assert_eq!(big.body.len(), 3_000_000);
        let empty = client.get(&stand.target("/status/204"), &[]).await.unwrap();
        assert_eq!((empty.status, empty.header("content-length")), (204, None));
        let cut = client.get(&stand.target("/cut"), &[]).await;
        assert_eq!(reason(cut), Some(Reason::INTERNAL_ERROR));

        // Too large, whether it says so or not.
        let large = client.request("POST", &echo, &[("content-length", "100001")]);
        let (answer, _body) = client.begin(large, true).await.unwrap();
        assert_eq!(answer.await.unwrap().status(), 413);
        let large = client.request("POST", &echo, &[]);
        let (answer, mut body) = client.begin(large, true).await.unwrap();
        body.send_data(Bytes::from(vec![b'x'; 100_001]), true)
            .unwrap();
        assert_eq!(answer.await.unwrap().status(), 413);
        assert_eq!(client.get(&echo, &[]).await.unwrap().status, 200);
    });
}

#[test]
fn a_request_names_one_host_and_a_path() {
    let stand = Stand::start("reason_header = true\n", false);
    let mut raw = Raw::open(&stand.tls, &[]);
    let target = stand.target("/echo");
    let own = stand.tls.address.to_string();
    let mut stream = 1;
    // By the first byte of the block: 200, 400 and 404 are in HPACK's table, the rest is written out.
    let mut ask = |raw: &mut Raw, block: Vec<u8>| {
        let number = stream;
        stream += 2;
        raw.write(HEADERS, END_HEADERS | END_STREAM, number, &block)
            .unwrap();
        loop {
            let frame = raw.read().expect("the connection goes on");
            match frame.kind {
                HEADERS if frame.stream == number => return Ok(frame.payload[0]),
                RST_STREAM if frame.stream == number => return Err(frame.code()),
                _ => {}
            }
        }
    };
    const OK: Result<u8, u32> = Ok(0x88);
    const BAD: Result<u8, u32> = Ok(0x8c);
    const BROKEN: Result<u8, u32> = Err(PROTOCOL_ERROR);
    let same = raw.block("GET", &target, &[("host", &own)]);
    assert_eq!(ask(&mut raw, same), OK);
    for host in ["other.example", "", "a b"] {
        let block = raw.block("GET", &target, &[("host", host)]);
        assert_eq!(ask(&mut raw, block), BAD, "{host:?}");
    }
    let two = raw.block("GET", &target, &[("host", &own), ("host", "other.example")]);
    assert_eq!(ask(&mut raw, two), BAD);
    let of = |pairs: &[(&str, &str)]| {
        let mut block = Vec::new();
        for (name, value) in pairs {
            crate::frames::literal(&mut block, name, value);
        }
        block
    };
    let get = [(":method", "GET"), (":scheme", "https")];
    let alone = of(&[get[0], get[1], (":path", &target), ("host", &own)]);
    assert_eq!(ask(&mut raw, alone), OK, "Host instead of :authority");
    let neither = of(&[get[0], get[1], (":path", &target)]);
    assert_eq!(ask(&mut raw, neither), BAD);
    let star = of(&[
        (":method", "OPTIONS"),
        get[1],
        (":path", "*"),
        (":authority", &own),
    ]);
    assert_eq!(ask(&mut raw, star), BAD);
    let tunnel = of(&[(":method", "CONNECT"), (":authority", &own)]);
    assert_eq!(ask(&mut raw, tunnel), BAD);
    let user = of(&[get[0], get[1], (":path", &target), (":authority", "u@a")]);
    assert_eq!(ask(&mut raw, user), BAD);
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        (":path", "/twice"),
        (":status", "200"),
    ] {
        let block = raw.block("GET", &target, &[(name, value)]);
        assert_eq!(ask(&mut raw, block), BROKEN, "{name}");
    }
    let lengths = raw.block(
        "GET",
        &target,
        &[("content-length", "0"), ("content-length", "0")],
    );
    assert_eq!(ask(&mut raw, lengths), BAD);
    let no_path = of(&[get[0], get[1], (":authority", &own)]);
    assert!(matches!(ask(&mut raw, no_path), BROKEN | BAD));
    assert_eq!(stand.upstream.count(), 2);
}

#[test]
fn a_client_that_waits_to_be_told_is_told() {
    let stand = Stand::start("", false);
    let mut raw = Raw::open(&stand.tls, &[]);
    let block = raw.block(
        "POST",
        &stand.target("/echo"),
        &[("expect", "100-continue")],
    );
    raw.write(HEADERS, END_HEADERS, 1, &block).unwrap();
    let interim = raw.next(HEADERS).unwrap();
    assert_eq!(interim.flags & END_STREAM, 0);
    assert_ne!(interim.payload[0], 0x88);
    raw.write(DATA, END_STREAM, 1, b"now").unwrap();
    assert_eq!(raw.next(HEADERS).unwrap().payload[0], 0x88);
    assert_eq!(stand.upstream.only().body, b"now");
}

#[test]
fn limits_of_heads_hold_on_streams() {
    let stand = Stand::start("max_headers = 20\nmax_target_bytes = 200\n", false);
    block_on(async {
        let client = Http2::open(&stand.tls).await;
        let echo = stand.target("/echo");
        let named: Vec<String> = (0..21).map(|n| format!("x-{n}")).collect();
        let mut fields: Vec<(&str, &str)> = named.iter().map(|name| (&**name, "v")).collect();
        let status =
            async |headers: &[(&str, &str)]| client.get(&echo, headers).await.unwrap().status;
        assert_eq!(status(&fields).await, 431);
        fields.truncate(19); // and the Host that :authority becomes
        assert_eq!(status(&fields).await, 200);
        let long = format!("{echo}?{}", "q".repeat(200 - echo.len() - 1));
        assert_eq!(client.get(&long, &[]).await.unwrap().status, 200);
        let longer = client.get(&format!("{long}q"), &[]).await.unwrap();
        assert_eq!(longer.status, 414);
        // Over the announced size of all headers the h2 crate answers.
        let big = "v".repeat(70_000);
        assert_eq!(status(&[("x-big", &big)]).await, 431);
        assert_eq!(client.get(&echo, &[]).await.unwrap().status, 200);
    });
}

#[test]
fn equal_paths_share_one_counter_on_both_protocols() {
    clear_of_midnight(Duration::from_secs(60));
    let stand = Stand::start("", true);
    let (plan, key) = stand.quota(4);
    let target = stand.target("/echo");
    block_on(async {
        let client = Http2::open(&stand.tls).await;
        let status = async |target: &str| client.get(target, &[key.header()]).await.unwrap().status;
        assert_eq!(status(&target).await, 200);
        assert_eq!(status(&target.replace("echo", "ech%6F")).await, 200);
        let plain = crate::http::get(stand.tls.gateway.data, &target, &[key.header()]);
        assert_eq!(plain.status, 200);
        assert_eq!(status(&format!("{target}/")).await, 200);
        assert_eq!(status(&target).await, 429);
    });
    assert_eq!(plan.usage(&key), Some((4, 0)));
    let log = stand.tls.gateway.data_dir().join("access.log");
    let log = wait_until("the calls to be logged", || {
        let log = std::fs::read_to_string(&log).ok()?;
        (log.lines().count() == 5).then_some(log)
    });
    assert_eq!(log.matches(r#""protocol":"HTTP/2.0""#).count(), 4, "{log}");
}

#[test]
fn a_hundred_streams_get_exactly_the_quota() {
    clear_of_midnight(Duration::from_secs(120));
    let stand = Stand::start("quota_wait_timeout_ms = 2000\n", true);
    let (plan, key) = stand.quota(1_000);
    let target = stand.target("/hit");
    let served = block_on(async {
        let mut served = 0;
        let clients = [(); 3].map(|()| Http2::open(&stand.tls));
        let mut ready = Vec::new();
        for client in clients {
            ready.push(client.await);
        }
        for _ in 0..5 {
            let mut answers = Vec::new();
            for client in &ready {
                for _ in 0..100 {
                    let request = client.request("GET", &target, &[key.header()]);
                    answers.push(client.begin(request, false).await.unwrap().0);
                }
            }
            for answer in answers {
                match answer.await.unwrap().status().as_u16() {
                    200 => served += 1,
                    status => assert_eq!(status, 429),
                }
            }
        }
        served
    });
    assert_eq!((served, stand.upstream.count()), (1_000, 1_000));
    assert_eq!(plan.usage(&key), Some((1_000, 0)));
}

#[test]
fn no_more_streams_than_announced_are_open_at_once() {
    let stand = Stand::start("max_http2_streams = 5\n", false);
    let gate = stand.target("/gate/many");
    let mut raw = Raw::open(&stand.tls, &[]);
    let block = raw.block("GET", &gate, &[]);
    for stream in 0..6 {
        raw.write(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &block)
            .unwrap();
    }
    let refused = raw.next(RST_STREAM).expect("the sixth is refused");
    const REFUSED_STREAM: u32 = 7;
    assert_eq!((refused.stream, refused.code()), (11, REFUSED_STREAM));
    wait_until("five to arrive", || {
        (stand.upstream.count() == 5).then_some(())
    });
    stand.upstream.open_gate("many");
}

#[test]
fn a_stream_reset_after_its_admission_counts_once() {
    clear_of_midnight(Duration::from_secs(60));
    let stand = Stand::start("", true);
    let (plan, key) = stand.quota(100);
    block_on(async {
        let client = Http2::open(&stand.tls).await;
        let mut open = Vec::new();
        for _ in 0..10 {
            let request = client.request("GET", &stand.target("/gate/reset"), &[key.header()]);
            open.push(client.begin(request, false).await.unwrap());
        }
        while stand.upstream.count() < 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for (_, stream) in &mut open {
            stream.send_reset(Reason::CANCEL);
        }
        drop(open);
        let after = client
            .get(&stand.target("/hit"), &[key.header()])
            .await
            .unwrap();
        assert_eq!(after.status, 200);
    });
    stand.upstream.open_gate("reset");
    assert_eq!(plan.usage(&key), Some((11, 89)));
    assert_eq!(stand.upstream.count(), 11);
}

#[test]
fn a_slow_body_is_refused_and_its_connection_goes_on() {
    let stand = Stand::start("body_read_timeout_s = 1\n", false);
    block_on(async {
        let client = Http2::open(&stand.tls).await;
        let request = client.request("POST", &stand.target("/echo"), &[]);
        let (answer, mut body) = client.begin(request, true).await.unwrap();
        body.send_data(Bytes::from("half of"), false).unwrap();
        assert_eq!(answer.await.unwrap().status(), 408);
        let next = client.get(&stand.target("/hit"), &[]).await.unwrap();
        assert_eq!(next.status, 200);
    });
}

#[test]
fn a_stop_says_goodbye_and_lets_answers_finish() {
    let mut stand = Stand::start("", false);
    let (answer, ended) = block_on(async {
        let client = Http2::open(&stand.tls).await;
        let (answer, _) = client
            .begin(
                client.request("GET", &stand.target("/gate/stop"), &[]),
                false,
            )
            .await
            .unwrap();
        let response = answer.await.unwrap(); // its head; the rest is held back
        stand.tls.gateway.terminate();
        let late = async {
            // Goodbye is said: no new request is begun.
            loop {
                let mut send = client.send.clone();
                if std::future::poll_fn(|context| send.poll_ready(context))
                    .await
                    .is_err()
                {
                    return;
                }
                let _ = client.get(&stand.target("/hit"), &[]).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        late.await;
        stand.upstream.open_gate("stop");
        let answer = read(response).await.unwrap();
        let Http2 {
            send, connection, ..
        } = client;
        drop(send);
        (answer, connection.await.unwrap())
    });
    assert_eq!(&answer.body[..], b"firstrest");
    assert!(matches!(reason(ended), None | Some(Reason::NO_ERROR)));
    assert!(stand.tls.gateway.wait().success());
}

#[test]
fn curl_speaks_it() {
    let has_http2 = Command::new("curl").arg("--version").output();
    let has_http2 =
        has_http2.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("HTTP2"));
    if !has_http2 {
        eprintln!("no curl with HTTP/2 on this machine: not tried");
        return;
    }
    let stand = Stand::start("", false);
    let url = format!(
        "https://localhost:{}{}",
        stand.tls.address.port(),
        stand.target("/echo")
    );
    let done = Command::new("curl")
        .args([
            "-sS",
            "--http2",
            "-d",
            "some=body",
            "-w",
            "\n%{http_version} %{http_code}",
            "--cacert",
        ])
        .arg(stand.tls.files.certificate())
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(
        text.ends_with("\n2 200"),
        "{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(stand.upstream.only().body, b"some=body");
}

#[test]
fn calls_over_the_cap_of_all_connections_are_told_to_come_back() {
    clear_of_midnight(Duration::from_secs(60));
    let stand = Stand::start("max_http2_calls = 3\n", true);
    let (plan, key) = stand.quota(100);
    block_on(async {
        let clients = [Http2::open(&stand.tls).await, Http2::open(&stand.tls).await];
        let mut open = Vec::new();
        for turn in 0..3 {
            let target = stand.target("/gate/calls");
            let request = clients[turn % 2].request("GET", &target, &[key.header()]);
            open.push(clients[turn % 2].begin(request, false).await.unwrap());
        }
        while stand.upstream.count() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for client in &clients {
            let target = stand.target("/hit");
            let refused = client.get(&target, &[key.header()]).await.unwrap();
            assert_eq!(refused.status, 503);
            assert_eq!(refused.header("retry-after"), Some("1"));
        }
        stand.upstream.open_gate("calls");
        for (answer, _) in open {
            let mut body = answer.await.unwrap().into_body();
            while body.data().await.is_some() {}
        }
        let mut after = 503;
        while after == 503 {
            let target = stand.target("/hit");
            after = clients[0]
                .get(&target, &[key.header()])
                .await
                .unwrap()
                .status;
        }
        assert_eq!(after, 200);
    });
    assert_eq!(plan.usage(&key), Some((4, 96)), "a refused call counted");
}
