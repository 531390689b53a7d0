//! The edge of the data plane on raw sockets: what no decent client sends, and what must never reach an upstream.

use std::time::Duration;

use serde_json::json;

use crate::api::{Api, Plan};
use crate::harness::{Gateway, clear_of_midnight, wait_until};
use crate::http::{Connection, get};
use crate::upstream::Upstream;

struct Edge {
    gateway: Gateway,
    upstream: Upstream,
    target: String,
}

fn start(config: &str) -> Edge {
    let gateway = Gateway::start_with(config);
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "edge");
    api.pass_on("", false, &upstream.url());
    api.deploy("prod");
    let target = api.target("prod", "/echo");
    Edge {
        gateway,
        upstream,
        target,
    }
}

impl Edge {
    /// Sends these bytes; the status of the answer, or nothing when the connection was closed without one.
    fn say(&self, bytes: &str) -> Option<u16> {
        let mut connection = Connection::open(self.gateway.data).unwrap();
        connection.write_raw(bytes.as_bytes()).unwrap();
        connection.read_reply("GET").ok().map(|reply| reply.status)
    }
}

#[test]
fn a_request_has_exactly_one_host() {
    let edge = start("");
    let target = &edge.target;
    assert_eq!(
        edge.say(&format!("GET {target} HTTP/1.1\r\n\r\n")),
        Some(400)
    );
    assert_eq!(
        edge.say(&format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"
        )),
        Some(400)
    );
    assert_eq!(
        edge.say(&format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
        )),
        Some(400)
    );
    assert_eq!(edge.upstream.count(), 0);
    assert_eq!(
        edge.say(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")),
        Some(200)
    );
}

#[test]
fn absolute_form_becomes_origin_form() {
    let edge = start("");
    let target = &edge.target;
    assert_eq!(
        edge.say(&format!(
            "GET http://any.example{target}?q=1 HTTP/1.1\r\nHost: any.example\r\n\r\n"
        )),
        Some(200)
    );
    assert_eq!(edge.upstream.only().target, "/echo?q=1");
    assert_eq!(
        edge.say("CONNECT any.example:443 HTTP/1.1\r\nHost: any.example\r\n\r\n")
            .filter(|status| *status < 400),
        None
    );
}

#[test]
fn length_and_transfer_encoding_together_are_refused() {
    let edge = start("");
    let target = &edge.target;
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: -1",
        "Content-Length: five",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
    ] {
        let answer = edge.say(&format!("POST {target} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n0\r\n\r\nGET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(matches!(answer, Some(400 | 501)), "{framing}: {answer:?}");
    }
    assert_eq!(
        edge.upstream.count(),
        0,
        "a smuggled request got through: {:?}",
        edge.upstream.seen()
    );
}

#[test]
fn malformed_heads_are_refused() {
    let edge = start("");
    let target = &edge.target;
    for head in [
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Key : space before colon\r\n\r\n"),
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n folded\r\n\r\n"),
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Null: a\0b\r\n\r\n"),
        format!("GET {target} HTTP/9.9\r\nHost: a\r\n\r\n"),
        format!("GET  {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
        "nonsense\r\n\r\n".to_owned(),
    ] {
        let answer = edge.say(&head);
        assert!(
            answer.is_none_or(|status| (400..600).contains(&status)),
            "{head:?}: {answer:?}"
        );
    }
    assert_eq!(edge.upstream.count(), 0);
}

#[test]
fn hop_by_hop_headers_stay_here() {
    let edge = start("");
    let mut connection = Connection::open(edge.gateway.data).unwrap();
    let headers = [
        ("Connection", "keep-alive, X-Private"),
        ("X-Private", "secret"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic x"),
        ("TE", "gzip"),
        ("Upgrade", "websocket"),
        ("X-Public", "shown"),
    ];
    assert_eq!(
        connection
            .send("GET", &edge.target, &headers, b"")
            .unwrap()
            .status,
        200
    );
    let seen = edge.upstream.only();
    for gone in [
        "x-private",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
    ] {
        assert_eq!(seen.header(gone), None, "{gone} reached the upstream");
    }
    assert_eq!(seen.header("x-public"), Some("shown"));
}

#[test]
fn connection_cannot_remove_what_the_gateway_decides_on() {
    let gateway = Gateway::start();
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "edge");
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let key = Plan::create(&control, &api, "prod", &json!({})).key("k");
    let reply = get(
        gateway.data,
        &api.target("prod", "/echo"),
        &[
            key.header(),
            ("Connection", "close, x-api-key, Host, X-Amzn-RequestId"),
        ],
    );
    assert_eq!(reply.status, 200);
    let seen = upstream.only();
    assert_eq!(seen.header("x-api-key"), Some(key.value.as_str()));
    assert_eq!(
        seen.headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
            .count(),
        1
    );
}

#[test]
fn an_upgrade_is_not_a_tunnel() {
    let edge = start("");
    let mut connection = Connection::open(edge.gateway.data).unwrap();
    let target = &edge.target;
    let upgrade =
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    // The second request is read as a request, not passed on as bytes.
    connection
        .write_raw(format!("{upgrade}GET {target}?second HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
        .unwrap();
    assert_eq!(connection.read_reply("GET").unwrap().status, 200);
    assert_eq!(connection.read_reply("GET").unwrap().status, 200);
    assert!(
        edge.upstream
            .seen()
            .iter()
            .all(|seen| seen.header("upgrade").is_none())
    );
    assert_eq!(edge.upstream.seen()[1].target, "/echo?second");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let edge = start("");
    let mut connection = Connection::open(edge.gateway.data).unwrap();
    let target = &edge.target;
    let pipeline: String = (0..5)
        .map(|n| format!("GET {target}?n={n} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    connection.write_raw(pipeline.as_bytes()).unwrap();
    for n in 0..5 {
        let reply = connection.read_reply("GET").unwrap();
        assert_eq!(reply.json()["target"], format!("/echo?n={n}"));
    }
}

#[test]
fn a_client_that_dawdles_over_its_head_is_dropped() {
    let edge = start("header_read_timeout_ms = 300\n");
    let mut slow = Connection::open(edge.gateway.data).unwrap();
    slow.write_raw(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow")
        .unwrap();
    // Others are served meanwhile, and the slow one ends with an answer or none, but ends.
    assert_eq!(get(edge.gateway.data, &edge.target, &[]).status, 200);
    slow.set_read_timeout(Duration::from_secs(20)).unwrap();
    let rest = slow
        .read_to_close(1 << 16)
        .expect("the gateway closes the connection");
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
}

#[test]
fn too_many_headers_or_too_long_a_path_are_refused() {
    let edge = start("");
    let target = &edge.target;
    let many: String = (0..500)
        .map(|n| format!("X-{n}: {}\r\n", "v".repeat(200)))
        .collect();
    let answer = edge.say(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{many}\r\n"));
    assert!(
        answer.is_none_or(|status| (400..500).contains(&status)),
        "{answer:?}"
    );
    let answer = edge.say(&format!(
        "GET {target}/{} HTTP/1.1\r\nHost: a\r\n\r\n",
        "p".repeat(100_000)
    ));
    assert!(
        answer.is_none_or(|status| (400..500).contains(&status)),
        "{answer:?}"
    );
    assert_eq!(edge.upstream.count(), 0);
}

#[test]
fn a_client_that_leaves_after_its_admission_is_counted_once() {
    clear_of_midnight(Duration::from_secs(30));
    let gateway = Gateway::start();
    let upstream = Upstream::start();
    let control = gateway.control();
    let api = Api::create(&control, "edge");
    api.pass_on("", true, &upstream.url());
    api.deploy("prod");
    let limits = json!({ "quota": { "limit": 100, "period": "DAY" } });
    let plan = Plan::create(&control, &api, "prod", &limits);
    let key = plan.key("k");
    let target = api.target("prod", "/gate/left");
    let mut leaving: Vec<Connection> = (0..10)
        .map(|_| Connection::open(gateway.data).unwrap())
        .collect();
    for connection in &mut leaving {
        connection
            .write_request("GET", &target, &[key.header()], b"")
            .unwrap();
    }
    wait_until("the upstream to see them all", || {
        (upstream.count() == 10).then_some(())
    });
    drop(leaving);
    assert_eq!(plan.usage(&key), Some((10, 90)));
    upstream.open_gate("left");
    let after = get(gateway.data, &api.target("prod", "/hit"), &[key.header()]);
    assert_eq!(after.status, 200);
    assert_eq!(plan.usage(&key), Some((11, 89)));
}
