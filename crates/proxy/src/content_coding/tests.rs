//! Compression on the wire: which answers are compressed, how they stream, and what requests may be in.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, HeaderValue};
use tollgate_entity::{DeploymentContent, Stage, UsagePlan};

use super::{Coding, wanted};
use crate::integration::testing::{has, has_not, proxy};
use crate::net::testing::{Upstream, read_until};
use crate::testing::{Served, content, method, mock};

fn served(min: i32, upstream: &Upstream) -> Served {
    let methods = vec![
        ("/{proxy+}", "ANY", method(proxy(upstream.address))),
        ("/mock", "GET", mock("{\"a\":\"a\",\"b\":\"b\"}")),
    ];
    Served::new(DeploymentContent {
        minimum_compression_size: Some(min),
        ..content(methods)
    })
}

/// The head, and the body out of its chunks if it has any.
fn parts(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    if !head.contains("transfer-encoding: chunked") {
        return (head, answer[end..].to_vec());
    }
    let (mut rest, mut body) = (&answer[end..], Vec::new());
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
        if size == 0 {
            return (head, body);
        }
    }
}

fn gunzipped(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn answering(extra: &str, bytes: usize) -> Upstream {
    let body = "0123456789".repeat(bytes / 10);
    let answer = format!("HTTP/1.1 200 OK\r\n{extra}content-length: {bytes}\r\n\r\n{body}");
    Upstream::start(move |call| {
        while let Some(request) = call.request() {
            call.tell(request);
            call.write(&answer);
        }
    })
}

#[test]
fn answers_are_compressed_from_the_least_size_on_for_those_who_ask() {
    let upstream = answering("etag: \"t\"\r\n", 1000);
    let (at, above) = (served(1000, &upstream), served(1001, &upstream));
    let gzip = "accept-encoding: gzip, deflate, br\r\n";
    let (head, body) = parts(&at.call_bytes("GET", "/x", gzip, b""));
    has(&head, "content-encoding: gzip");
    has(&head, "vary: accept-encoding");
    has(&head, "etag: W/\"t\"");
    has_not(&head, "\r\ncontent-length");
    assert!(body.len() < 200);
    assert_eq!(gunzipped(&body), "0123456789".repeat(100));

    let (head, body) = parts(&at.call_bytes("GET", "/x", "accept-encoding: deflate\r\n", b""));
    has(&head, "content-encoding: deflate");
    let mut text = String::new();
    ZlibDecoder::new(&body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "0123456789".repeat(100));

    for (served, headers) in [(&above, gzip), (&at, ""), (&at, "accept-encoding: br\r\n")] {
        let (head, body) = parts(&served.call_bytes("GET", "/x", headers, b""));
        has_not(&head, "content-encoding");
        has(&head, "content-length: 1000");
        has(&head, "etag: \"t\"");
        assert_eq!(body.len(), 1000);
    }
    let (head, body) = parts(&at.call_bytes("HEAD", "/x", gzip, b""));
    has_not(&head, "content-encoding");
    assert!(body.is_empty());
}

#[test]
fn mocks_are_compressed_and_refusals_are_not() {
    let upstream = answering("", 10);
    let served = served(0, &upstream);
    let (head, body) = parts(&served.call_bytes("GET", "/mock", "accept-encoding: gzip\r\n", b""));
    has(&head, "content-encoding: gzip");
    assert_eq!(gunzipped(&body), "{\"a\":\"a\",\"b\":\"b\"}");
    let refused = served.call(
        "POST",
        "/mock/",
        "accept-encoding: gzip\r\ncontent-encoding: br\r\n",
        b"x",
    );
    assert!(refused.starts_with("HTTP/1.1 415 "), "{refused}");
    has_not(&refused, "content-encoding");
}

#[test]
fn what_must_not_change_stays_as_it_is() {
    for extra in [
        "content-encoding: br\r\n",
        "cache-control: public, no-transform\r\n",
        "content-type: text/event-stream\r\n",
        "content-range: bytes 0-99/200\r\n",
    ] {
        let upstream = answering(extra, 100);
        let answer = served(0, &upstream).call_bytes("GET", "/x", "accept-encoding: gzip\r\n", b"");
        let (head, body) = parts(&answer);
        has(&head, extra.trim_end());
        has_not(&head, "gzip");
        assert_eq!(body.len(), 100);
    }
}

#[test]
fn a_body_of_unknown_length_is_told_large_from_small_and_streams() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let small = Upstream::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nsmall\r\n0\r\n\r\n",
    );
    let (head, body) =
        parts(&served(6, &small).call_bytes("GET", "/x", "accept-encoding: gzip\r\n", b""));
    has_not(&head, "content-encoding");
    has(&head, "content-length: 5");
    assert_eq!(body, b"small");
    let (head, body) =
        parts(&served(5, &small).call_bytes("GET", "/x", "accept-encoding: gzip\r\n", b""));
    has(&head, "content-encoding: gzip");
    assert_eq!(gunzipped(&body), "small");

    // What has come goes out while the upstream holds the rest back.
    let slow = Upstream::start(move |call| {
        while call.request().is_some() {
            call.write(chunked);
            call.write("5\r\nfirst\r\n");
            call.request(); // ends when the client has seen enough
        }
    });
    let served = served(5, &slow);
    let mut stream = served.connect();
    stream
        .write_all(b"GET /api1/prod/x HTTP/1.1\r\nhost: api.test\r\naccept-encoding: gzip\r\n\r\n")
        .unwrap();
    let head = read_until_bytes(&mut stream);
    has(&head, "content-encoding: gzip");
    let mut first = [0];
    stream.read_exact(&mut first).unwrap();
}

fn read_until_bytes(stream: &mut std::net::TcpStream) -> String {
    read_until(stream, "\r\n\r\n")
}

#[test]
fn requests_are_taken_out_of_their_coding() {
    let upstream = answering("", 10);
    let served = served(0, &upstream);
    let text = "a text that is compressed, a text that is compressed".repeat(10);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text.as_bytes()).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(text.as_bytes()).unwrap();
    let plain = text.clone().into_bytes();
    for (coding, coded) in [
        ("gzip", gzip.finish().unwrap()),
        ("DEFLATE", zlib.finish().unwrap()),
        ("identity", plain),
    ] {
        let answer = served.call(
            "POST",
            "/x",
            &format!("content-encoding: {coding}\r\n"),
            &coded,
        );
        assert!(answer.starts_with("HTTP/1.1 200 "), "{coding}: {answer}");
        let seen = upstream.told();
        has_not(&seen, "content-encoding");
        assert!(seen.contains(&text), "{coding}: {seen}");
    }
    let garbled = served.call("POST", "/x", "content-encoding: gzip\r\n", text.as_bytes());
    assert!(garbled.starts_with("HTTP/1.1 415 "), "{garbled}");
}

#[test]
fn a_compressed_bomb_is_a_body_that_is_too_large() {
    let upstream = answering("", 10);
    let methods = vec![("/{proxy+}", "ANY", method(proxy(upstream.address)))];
    let content = DeploymentContent {
        minimum_compression_size: Some(0),
        ..content(methods)
    };
    let served = Served::staged(
        content,
        Stage::default(),
        UsagePlan::default(),
        |settings| {
            settings.serving.body_bytes_max = 100_000;
        },
    );
    let bomb = |bytes: usize| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&vec![b'0'; bytes]).unwrap();
        gzip.finish().unwrap()
    };
    let headers = "content-encoding: gzip\r\n";
    let whole = served.call("POST", "/x", headers, &bomb(100_000));
    assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");
    let too_large = served.call("POST", "/x", headers, &bomb(100_001));
    assert!(too_large.starts_with("HTTP/1.1 413 "), "{too_large}");
}

#[test]
fn the_callers_first_choice_counts() {
    let chosen = |text: &'static str| {
        wanted(&HeaderMap::from_iter([(
            ACCEPT_ENCODING,
            HeaderValue::from_static(text),
        )]))
    };
    for (text, expected) in [
        ("gzip", Some(Coding::Gzip)),
        ("GZIP;q=0.5", Some(Coding::Gzip)),
        ("br, gzip", Some(Coding::Gzip)),
        ("gzip;q=0.5, deflate", Some(Coding::Deflate)),
        ("br;q=1, gzip;q=0.8", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("*", None),
        ("", None),
    ] {
        assert_eq!(chosen(text), expected, "{text}");
    }
    assert_eq!(wanted(&HeaderMap::new()), None);
}
