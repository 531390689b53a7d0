//! The edge over real sockets: raw bytes in, raw bytes out, in front of a service that says what it got.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;

use super::http1::HeadLimits;
use super::listener::Listener;
use super::pace::Patience;
use super::serving::{Arrival, RuntimeLayout, Service, Serving, ServingLimits};
use super::testing::{connect, read_to_end, read_until};
use crate::body::Body;
use crate::gateway_response::{BadRequest, GatewayResponses, Refused};
use crate::invocation::RequestIds;
use crate::metrics::Metrics;

/// Answers with the request's line, Host and body, one per line. The path `/silent` is never answered,
/// `/unread` without reading the body, `/later` after a moment.
struct Echo;

impl Service for Echo {
    async fn answer(self: Arc<Self>, arrival: Arrival) -> Response<Body> {
        let refuse = |refused: &Refused| {
            GatewayResponses { shows_reason: true }.answer(refused, &RequestIds::new([0; 27]))
        };
        if let Some(refused) = &arrival.refused {
            return refuse(refused);
        }
        let (head, body) = arrival.request.into_parts();
        let body = match head.uri.path() {
            "/silent" => std::future::pending().await,
            "/unread" => Bytes::new(),
            "/later" => {
                tokio::time::sleep(Duration::from_millis(40)).await;
                Bytes::new()
            }
            _ => match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => return refuse(&Refused::BadRequest(BadRequest::Body)),
            },
        };
        let host = head
            .headers
            .get("host")
            .map(|h| h.to_str().unwrap())
            .unwrap_or_default();
        let text = format!(
            "{} {}\n{host}\n{}",
            head.method,
            head.uri,
            String::from_utf8_lossy(&body)
        );
        Response::new(Body::full(Bytes::from(text)))
    }
}

struct Gateway {
    serving: Option<Serving>,
    runtime: tokio::runtime::Runtime,
}

impl Gateway {
    fn start(limits: ServingLimits) -> Gateway {
        Gateway::with(limits, RuntimeLayout::PerCore)
    }

    fn with(limits: ServingLimits, layout: RuntimeLayout) -> Gateway {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let serving = Serving::start(
            vec![listener.into()],
            layout,
            limits,
            Arc::new(Metrics::new(2)),
            |_| Arc::new(Echo),
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Gateway {
            serving: Some(serving.unwrap()),
            runtime,
        }
    }

    fn address(&self) -> SocketAddr {
        self.serving.as_ref().unwrap().addresses()[0]
    }

    fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    /// Sends bytes and reads until the gateway closes the connection.
    fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read_to_end(&mut stream)
    }

    fn stop(&mut self, limit: Duration) -> usize {
        self.runtime
            .block_on(self.serving.take().unwrap().stop(limit))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.serving.is_some() {
            self.stop(Duration::ZERO);
        }
    }
}

fn limits() -> ServingLimits {
    ServingLimits::default()
}

fn patience(change: impl FnOnce(&mut Patience)) -> ServingLimits {
    let mut limits = limits();
    change(&mut limits.patience);
    limits
}

#[track_caller]
fn is_refused(answer: &str, status: &str, reason: &str) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert!(
        answer.contains(&format!("x-tollgate-reason: {reason}\r\n")),
        "{answer}"
    );
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.contains("x-amzn-requestid: "), "{answer}");
}

#[test]
fn a_message_with_two_lengths_is_400_and_closed_in_any_order() {
    let gateway = Gateway::start(limits());
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (lines, reason) in [
        (
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
            "ambiguous-length",
        ),
        (
            "Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 4",
            "ambiguous-length",
        ),
        ("Content-Length: 5\r\nContent-Length: 5", "ambiguous-length"),
        ("Content-Length: 5\r\nContent-Length: 6", "ambiguous-length"),
        ("Content-Length: 5, 5", "malformed"),
        ("Content-Length: +5", "malformed"),
        ("Transfer-Encoding: gzip, chunked", "malformed"),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            "ambiguous-length",
        ),
        ("Transfer-Encoding: identity", "malformed"),
        ("Transfer-Encoding : chunked", "malformed"),
        ("Transfer-Encoding:\r\n chunked", "malformed"),
    ] {
        let request = format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n0\r\n\r\n{smuggled}");
        let answer = gateway.exchange(request.as_bytes());
        is_refused(&answer, "400", reason);
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lines}: {answer}");
    }
}

#[test]
fn requests_before_a_faulty_one_are_answered_first_however_the_bytes_come() {
    let gateway = Gateway::start(limits());
    let bytes = b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
        GET /2 HTTP/1.1\r\nHost: a\r\n\r\n\
        POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n";
    for size in [bytes.len(), 1, 7, 50] {
        let mut stream = gateway.connect();
        for piece in bytes.chunks(size) {
            stream.write_all(piece).unwrap();
        }
        let answers = read_to_end(&mut stream);
        let first = answers.find("POST /1\na\nhi").unwrap();
        let second = answers.find("GET /2\na\n").unwrap();
        assert!(first < second, "{answers}");
        is_refused(
            &answers[answers.rfind("HTTP/1.1").unwrap()..],
            "400",
            "ambiguous-length",
        );
    }
}

#[test]
fn exactly_one_host_is_needed() {
    let gateway = Gateway::start(limits());
    for hosts in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a b\r\n",
        "Host: u@a\r\n",
        "Host:\r\n",
    ] {
        for version in ["1.0", "1.1"] {
            let answer =
                gateway.exchange(format!("GET / HTTP/{version}\r\n{hosts}\r\n").as_bytes());
            assert!(
                answer.contains(" 400 Bad Request\r\n"),
                "{hosts:?} {version}: {answer}"
            );
            assert!(
                answer.contains("x-tollgate-reason: bad-host\r\n"),
                "{hosts:?}: {answer}"
            );
        }
    }
}

#[test]
fn an_absolute_target_becomes_an_origin_target_and_its_authority_is_the_host() {
    let gateway = Gateway::start(limits());
    let answer = gateway.exchange(
        b"GET http://api.test:81/x?y=1 HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n",
    );
    assert!(
        answer.ends_with("\r\n\r\nGET /x?y=1\napi.test:81\n"),
        "{answer}"
    );
    is_refused(
        &gateway.exchange(b"GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n"),
        "400",
        "bad-target",
    );
    is_refused(
        &gateway.exchange(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        "400",
        "bad-target",
    );
}

#[test]
fn tunnels_are_refused() {
    let gateway = Gateway::start(limits());
    let answer = gateway.exchange(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
    is_refused(&answer, "400", "bad-method");
    let upgrade =
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n";
    assert!(gateway.exchange(upgrade).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn loose_messages_are_answered_in_json_and_not_passed_on() {
    let gateway = Gateway::start(limits());
    for bad in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\u{0}: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\r\n\r\n",
    ] {
        let answer = gateway.exchange(bad.as_bytes());
        is_refused(&answer, "400", "malformed");
        assert!(
            answer.ends_with("\r\n\r\n{\"message\":\"Bad Request\"}"),
            "{answer}"
        );
    }
    let answer = gateway.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    is_refused(&answer, "505", "bad-version");
}

#[test]
fn heads_over_the_limits_are_414_and_431() {
    let mut limits = limits();
    limits.head = HeadLimits {
        head_bytes_max: 2000,
        headers_max: 5,
        target_bytes_max: 100,
    };
    let gateway = Gateway::start(limits);
    let target = |bytes: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "a".repeat(bytes - 1)
        )
    };
    assert!(
        gateway
            .exchange(target(100).as_bytes())
            .starts_with("HTTP/1.1 200")
    );
    is_refused(
        &gateway.exchange(target(101).as_bytes()),
        "414",
        "uri-too-long",
    );
    is_refused(
        &gateway.exchange(target(100_000).as_bytes()),
        "414",
        "uri-too-long",
    );
    let headers = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n",
            "X: y\r\n".repeat(count - 2)
        )
    };
    assert!(
        gateway
            .exchange(headers(5).as_bytes())
            .starts_with("HTTP/1.1 200")
    );
    is_refused(
        &gateway.exchange(headers(6).as_bytes()),
        "431",
        "headers-too-large",
    );
    let large = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(5000)
    );
    is_refused(
        &gateway.exchange(large.as_bytes()),
        "431",
        "headers-too-large",
    );
}

#[test]
fn a_large_body_is_413_before_a_byte_of_it_is_read_and_the_client_can_read_that() {
    let mut limits = limits();
    limits.body_bytes_max = 1000;
    let gateway = Gateway::start(limits);
    let request = |bytes: usize, more: &str| {
        let head = format!(
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\nConnection: close\r\n{more}\r\n"
        );
        [head.as_bytes(), &vec![b'x'; bytes]].concat()
    };
    assert!(
        gateway
            .exchange(&request(1000, ""))
            .starts_with("HTTP/1.1 200")
    );
    // The client sends all of it and only then reads: the answer is still there.
    for bytes in [1001, 3_000_000] {
        let answer = gateway.exchange(&request(bytes, ""));
        assert!(
            answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"),
            "{answer}"
        );
        assert!(
            answer.ends_with("\r\n\r\nHTTP content length exceeded 1000 bytes."),
            "{answer}"
        );
        assert!(
            answer.contains("content-type: text; charset=utf-8\r\n"),
            "{answer}"
        );
    }
    // One that asks first is not told to go on.
    let mut stream = gateway.connect();
    stream
        .write_all(
            b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
        )
        .unwrap();
    assert!(read_until(&mut stream, "\r\n").starts_with("HTTP/1.1 413"));
    let mut stream = gateway.connect();
    stream
        .write_all(
            b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        )
        .unwrap();
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").unwrap();
    assert!(read_until(&mut stream, "hi").contains("200 OK"));
}

#[test]
fn a_chunked_body_over_the_limit_or_badly_framed_ends_the_call() {
    let mut limits = limits();
    limits.body_bytes_max = 10;
    let gateway = Gateway::start(limits);
    let request = |body: &str| {
        format!("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
    };
    for body in [
        "6\r\n123456\r\n6\r\n123456\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello6\r\n",
        "zz\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
    ] {
        let answer = gateway.exchange(request(body).as_bytes());
        is_refused(&answer, "400", "bad-body");
    }
    let mut stream = gateway.connect();
    stream.write_all(request("5\r\nhel").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    is_refused(&read_to_end(&mut stream), "400", "bad-body");
}

#[test]
fn slow_heads_and_bodies_are_not_waited_for() {
    let gateway = Gateway::start(patience(|p| {
        p.head = Duration::from_millis(20);
        p.body = Duration::from_millis(20);
    }));
    is_refused(
        &gateway.exchange(b"GET / HTTP/1.1\r\nHos"),
        "408",
        "slow-head",
    );
    is_refused(
        &gateway.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"),
        "400",
        "bad-body",
    );
}

#[test]
fn a_body_that_trickles_is_not_waited_for_either() {
    let gateway = Gateway::start(patience(|p| {
        p.body_rate_min = 1_000_000;
        p.body_rate_grace = Duration::from_millis(5);
        p.linger = Duration::from_millis(5);
    }));
    let mut stream = gateway.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
        .unwrap();
    let mut writer = stream.try_clone().unwrap();
    let trickle = std::thread::spawn(move || {
        while writer.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    is_refused(&read_to_end(&mut stream), "400", "bad-body");
    drop(stream);
    trickle.join().unwrap();
}

#[test]
fn an_idle_connection_is_closed_and_one_that_waits_for_an_answer_is_not() {
    let mut gateway = Gateway::start(patience(|p| p.idle = Duration::from_millis(20)));
    assert_eq!(gateway.exchange(b""), "");
    for path in ["/1", "/later"] {
        let mut stream = gateway.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_to_end(&mut stream);
        assert!(answer.ends_with(&format!("GET {path}\na\n")), "{answer}");
    }
    let mut waiting = gateway.connect();
    waiting
        .write_all(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    waiting
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    assert!(
        waiting.read(&mut [0]).is_err(),
        "neither answered nor closed"
    );
    assert_eq!(gateway.stop(Duration::ZERO), 1);
}

#[test]
fn connections_over_the_cap_are_told_to_come_again() {
    let mut limits = limits();
    limits.connections_max = 1;
    let gateway = Gateway::start(limits);
    let mut first = gateway.connect();
    first
        .write_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    read_until(&mut first, "GET /1\na\n");
    let mut second = gateway.connect();
    let answer = read_to_end(&mut second);
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"),
        "{answer}"
    );
    let body = r#"{"message":"Service Unavailable"}"#;
    let length = format!("content-length: {}\r\n", body.len());
    assert!(
        answer.contains(&length) && answer.ends_with(&format!("\r\n\r\n{body}")),
        "{answer}"
    );
    assert!(
        answer.contains("x-amzn-errortype: ServiceUnavailableException\r\n"),
        "{answer}"
    );
    first
        .write_all(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    read_until(&mut first, "GET /2\na\n");
}

#[test]
fn a_refused_body_does_not_become_the_next_request() {
    let gateway = Gateway::start(limits());
    let body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2000);
    let request = format!(
        "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = gateway.exchange(request.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
}

#[test]
fn a_stop_finishes_what_is_in_flight_and_what_waits_to_be_accepted() {
    for layout in [RuntimeLayout::PerCore, RuntimeLayout::Multi] {
        let mut gateway = Gateway::with(limits(), layout);
        let mut busy = gateway.connect();
        busy.write_all(b"POST /busy HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha")
            .unwrap();
        let mut idle = gateway.connect();
        idle.write_all(b"GET /idle HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        read_until(&mut idle, "GET /idle\na\n");
        let mut queued: Vec<TcpStream> = (0..20).map(|_| gateway.connect()).collect();
        for stream in &mut queued {
            stream
                .write_all(b"GET /queued HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
        }
        let address = gateway.address();
        let clients = std::thread::spawn(move || {
            for mut stream in queued {
                assert!(read_to_end(&mut stream).ends_with("GET /queued\na\n"));
            }
            assert_eq!(read_to_end(&mut idle), "");
            while TcpStream::connect(address).is_ok() {
                std::thread::yield_now();
            }
            busy.write_all(b"lf").unwrap();
            read_to_end(&mut busy)
        });
        assert_eq!(gateway.stop(Duration::from_secs(30)), 0);
        let answer = clients.join().unwrap();
        assert!(answer.ends_with("POST /busy\na\nhalf"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[test]
fn what_does_not_finish_in_time_is_cut() {
    let mut gateway = Gateway::start(limits());
    let mut stream = gateway.connect();
    stream
        .write_all(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    while gateway.serving.as_ref().unwrap().connections() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(gateway.stop(Duration::from_millis(5)), 1);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest); // an end or a reset
    assert_eq!(rest, b"");
}
