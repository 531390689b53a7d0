//! HTTP_PROXY over real sockets: a client, the gateway's front, and an upstream that follows a script.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use tollgate_entity as entity;
use tollgate_entity::IntegrationType;

use super::testing::{
    Gateway, OK, Setup, before, has, has_not, http_proxy, is_refused, proxy, request,
};
use crate::metrics::Outcome;
use crate::net::serving::{RuntimeLayout, ServingLimits};
use crate::net::testing::{Upstream, read_to_end, read_until};
use crate::net::upstream::PoolLimits;

#[test]
fn a_call_goes_on_as_it_came_and_its_answer_comes_back() {
    let upstream = Upstream::answering(
        "HTTP/1.1 201 Created\r\ncontent-length: 5\r\ncontent-type: text/plain\r\nserver: them\r\n\
         connection: keep-alive, x-hop\r\nx-hop: gone\r\nset-cookie: a\r\nset-cookie: b\r\n\r\nhello",
    );
    let gateway = before(&upstream);
    let headers = "x-api-key: secret\r\nconnection: upgrade, x-gone, x-api-key\r\nupgrade: websocket\r\nx-gone: 1\r\naccept: */*\r\nuser-agent: me\r\n\
        x-forwarded-for: 1.2.3.4\r\nexpect: nothing\r\n";
    let answer = gateway.call("POST /a%2Fb/c?x=1&x=%202&y", headers, "body");
    let seen = upstream.told();
    assert!(
        seen.starts_with("POST /a%2Fb/c?x=1&x=%202&y HTTP/1.1\r\n"),
        "{seen}"
    );
    assert!(seen.ends_with("\r\n\r\nbody"), "{seen}");
    for line in [
        &format!("host: {}", upstream.address),
        "x-api-key: secret",
        "accept: */*",
        "user-agent: me",
        "content-length: 4",
        "x-forwarded-for: 1.2.3.4, 127.0.0.1",
        "x-forwarded-proto: http",
        &format!(
            "x-forwarded-port: {}",
            gateway.serving.addresses()[0].port()
        ),
        "x-amzn-trace-id: Root=1-6553f100-070707070707470787070707",
        "x-amzn-apigateway-api-id: api1",
    ] {
        has(&seen, line);
    }
    for part in ["connection", "upgrade", "x-gone", "expect", "api.test"] {
        has_not(&seen, part);
    }
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    for line in [
        "content-length: 5",
        "content-type: text/plain",
        "set-cookie: a",
        "set-cookie: b",
        "x-amzn-remapped-server: them",
        "x-amzn-remapped-content-length: 5",
        "x-amzn-remapped-connection: keep-alive, x-hop",
        "x-amzn-requestid: 07070707-0707-4707-8707-070707070707",
        "x-amzn-trace-id: Root=1-6553f100-070707070707470787070707",
    ] {
        has(&answer, line);
    }
    has_not(&answer, "x-hop: gone");
    has_not(&answer, "\r\nserver:");
}

#[test]
fn the_trace_id_that_the_upstream_got_comes_back() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-amzn-trace-id: its own\r\n\r\nok",
    );
    let gateway = before(&upstream);
    let answer = gateway.call("GET /a", "x-amzn-trace-id: Root=1-caller\r\n", "");
    has(&upstream.told(), "x-amzn-trace-id: Root=1-caller");
    has(&answer, "x-amzn-trace-id: Root=1-caller");
    has_not(&answer, "its own");
}

#[test]
fn a_record_of_each_call_is_written_without_its_query_or_key() {
    let upstream = Upstream::answering(OK);
    let gateway = before(&upstream);
    gateway.call(
        "GET /a?token=canary",
        "x-api-key: canary\r\nuser-agent: m\"e\r\n",
        "",
    );
    let lines = gateway.log();
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert!(!line.to_string().contains("canary"), "{line}");
    for (name, value) in [
        ("requestId", "07070707-0707-4707-8707-070707070707"),
        ("requestTime", "14/Nov/2023:22:13:20 +0000"),
        ("apiId", "api1"),
        ("stage", "prod"),
        ("resourceId", "res1"),
        ("resourcePath", "/{proxy+}"),
        ("httpMethod", "GET"),
        ("path", "/prod/a"),
        ("protocol", "HTTP/1.1"),
        ("domainName", "api.test"),
        ("identity.sourceIp", "127.0.0.1"),
        ("identity.userAgent", "m\"e"),
        ("identity.apiKeyId", "keykeykey1"),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    assert_eq!(
        (
            &line["status"],
            &line["integrationStatus"],
            &line["responseLength"]
        ),
        (&200.into(), &200.into(), &2.into())
    );
    assert_eq!(line["requestTimeEpoch"], 1_700_000_000_123_i64);
    assert!(line["responseLatency"].as_f64() >= line["integrationLatency"].as_f64());
    assert!(line["reason"].is_null() && line["error.message"].is_null());
    assert_eq!(gateway.stage.stats.total(Outcome::Answered(200)), 1);
}

#[test]
fn path_values_cannot_leave_their_place() {
    let upstream = Upstream::answering(OK);
    let uri = format!("http://{}/base/{{id}}/end?fixed=1", upstream.address);
    let mapping = [("integration.request.path.id", "method.request.path.id")];
    let gateway = Gateway::new(Setup {
        path: "/pets/{id}",
        integration: http_proxy(uri, &mapping),
        ..Setup::default()
    });
    for (sent, expected) in [
        ("/pets/7", "/base/7/end?fixed=1"),
        ("/pets/7?q=%2F", "/base/7/end?fixed=1&q=%2F"),
        ("/pets/a%2Fb%3F%23", "/base/a%2Fb%3F%23/end?fixed=1"),
        ("/pets/a%zz;b=c", "/base/a%25zz;b=c/end?fixed=1"),
    ] {
        assert!(gateway.get(sent).starts_with("HTTP/1.1 200"), "{sent}");
        assert!(
            upstream
                .told()
                .starts_with(&format!("GET {expected} HTTP/1.1\r\n")),
            "{sent}"
        );
    }
    for climbing in ["/pets/..%2F..%2Fadmin", "/pets/%2e%2e", "/pets/..;x"] {
        is_refused(&gateway.get(climbing), 400, "Bad Request", "bad-target");
    }
    assert!(upstream.is_silent());
}

#[test]
fn parameters_are_mapped_from_everywhere() {
    let upstream = Upstream::answering(OK);
    let uri = "http://${stageVariables.host}/{who}/${stageVariables.version}".to_owned();
    let parameters = [
        (
            "integration.request.path.who",
            "method.request.header.x-who",
        ),
        (
            "integration.request.querystring.tag name",
            "method.request.multivaluequerystring.t",
        ),
        (
            "integration.request.querystring.id",
            "method.request.path.id",
        ),
        (
            "integration.request.querystring.same",
            "method.request.querystring.same",
        ),
        (
            "integration.request.querystring.none",
            "method.request.querystring.none",
        ),
        ("integration.request.header.X-Static", "'fixed'"),
        ("integration.request.header.X-Stage", "context.stage"),
        ("integration.request.header.X-Path", "context.path"),
        (
            "integration.request.header.X-Key",
            "context.identity.apiKeyId",
        ),
        (
            "integration.request.header.X-Variable",
            "stageVariables.version",
        ),
        (
            "integration.request.header.Authorization",
            "method.request.querystring.t",
        ),
        (
            "integration.request.header.X-Nothing",
            "method.request.header.nothing",
        ),
    ];
    let variables = vec![
        ("host", upstream.address.to_string()),
        ("version", "v1".to_owned()),
    ];
    let integration = entity::Integration {
        http_method: Some("PUT".into()),
        ..http_proxy(uri, &parameters)
    };
    let gateway = Gateway::new(Setup {
        path: "/pets/{id}",
        integration,
        variables,
        ..Setup::default()
    });
    gateway.call(
        "GET /pets/7?t=a%20b&t=c&same=1",
        "x-who: me/you?\r\nauthorization: old\r\n",
        "",
    );
    let seen = upstream.told();
    let target = "/me%2Fyou%3F/v1?t=a%20b&t=c&same=1&id=7&tag%20name=a%20b&tag%20name=c";
    assert!(
        seen.starts_with(&format!("PUT {target} HTTP/1.1\r\n")),
        "{seen}"
    );
    for line in [
        "x-static: fixed",
        "x-stage: prod",
        "x-path: /prod/pets/7",
        "x-key: keykeykey1",
        "x-variable: v1",
        "authorization: c",
    ] {
        has(&seen, line);
    }
    has_not(&seen, "x-nothing");
    is_refused(&gateway.get("/pets/7"), 400, "Bad Request", "bad-target");
}

#[test]
fn what_cannot_work_as_it_is_set_up_is_500() {
    let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let with = |uri: &str, parameters: &[(&str, &str)]| http_proxy(uri.to_owned(), parameters);
    let lambda = entity::Integration {
        integration_type: IntegrationType::AwsProxy,
        ..Default::default()
    };
    let linked = entity::Integration {
        connection_type: Some("TUNNEL".into()),
        ..proxy(address)
    };
    let careless = entity::Integration {
        tls_config: Some(entity::integration::TlsConfig {
            insecure_skip_verification: true,
        }),
        ..proxy(address)
    };
    for integration in [
        lambda,
        linked,
        careless,
        with("http://127.0.0.1:9/{other}", &[]),
        with("http://{proxy}/x", &[]),
        with("http://h{proxy}/x", &[]),
        with("http://${stageVariables.none}/x", &[]),
        with("http://127.0.0.1:9/${context.stage}", &[]),
        with("ftp://127.0.0.1/x", &[]),
        with("http://127.0.0.1:9/a b", &[]),
        with(
            "http://127.0.0.1:9/x",
            &[("integration.request.header.a", "method.request.body.a[")],
        ),
        with(
            "http://127.0.0.1:9/x",
            &[("integration.request.header.Content-Length", "'1'")],
        ),
        with(
            "http://127.0.0.1:9/x",
            &[("integration.request.header.X-Amzn-Trace-Id", "'1'")],
        ),
        with(
            "http://127.0.0.1:9/x",
            &[("integration.request.header.Proxy-Authenticate", "'1'")],
        ),
        with(
            "http://127.0.0.1:9/x",
            &[("integration.request.header.Connection", "'x'")],
        ),
        with(
            "http://127.0.0.1:9/x",
            &[("integration.request.header.Expect", "'100-continue'")],
        ),
        with(
            "http://127.0.0.1:9/x",
            &[("integration.request.header.TE", "'trailers'")],
        ),
    ] {
        let shown = format!("{integration:?}");
        let gateway = Gateway::new(Setup {
            path: "/{proxy+}",
            integration,
            ..Setup::default()
        });
        let answer = gateway.get("/x");
        assert!(
            answer.contains("x-tollgate-reason: misconfigured\r\n"),
            "{shown}: {answer}"
        );
        is_refused(&answer, 500, "Internal server error", "misconfigured");
    }
}

#[test]
fn connections_are_used_again_after_whole_answers_only() {
    for layout in [RuntimeLayout::PerCore, RuntimeLayout::Multi] {
        let upstream = Upstream::start(|call| {
            while let Some(request) = call.request() {
                call.tell(format!("{} {}", call.number, &request[..6]));
                if request.starts_with("GET /cut") {
                    call.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
                    return;
                }
                call.write(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                );
            }
        });
        let gateway = Gateway::new(Setup {
            path: "/{proxy+}",
            integration: proxy(upstream.address),
            layout,
            ..Setup::default()
        });
        let mut stream = gateway.connect();
        for expected in ["0 GET /a", "0 GET /b"] {
            let path = &expected[6..];
            stream
                .write_all(request(&format!("GET {path}"), "", "").as_bytes())
                .unwrap();
            read_until(&mut stream, "\r\n0\r\n\r\n");
            assert_eq!(upstream.told(), expected);
        }
        stream
            .write_all(request("GET /cut", "", "").as_bytes())
            .unwrap();
        let answer = read_to_end(&mut stream);
        assert!(answer.ends_with("half"), "{answer}");
        assert_eq!(upstream.told(), "0 GET /c");
        gateway.get("/d");
        assert_eq!(
            upstream.told(),
            "1 GET /d",
            "a cut connection is not used again"
        );
        assert_eq!(gateway.metrics.upstream_opened(), 2);
    }
}

#[test]
fn a_connection_the_upstream_closed_is_replaced_and_nothing_is_sent_twice() {
    let upstream = Upstream::start(|call| {
        if let Some(request) = call.request() {
            call.write(OK); // and the connection closes, without saying so
            call.close();
            call.tell(request);
        }
    });
    let gateway = before(&upstream);
    for number in 1..=20 {
        let answer = gateway.call(&format!("POST /{number}"), "", "body");
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        assert!(upstream.told().starts_with(&format!("POST /{number} ")));
    }
    assert!(upstream.is_silent());
    assert_eq!(upstream.connections(), 20);
}

#[test]
fn a_call_that_may_have_been_seen_is_not_sent_again() {
    let upstream = Upstream::start(|call| {
        let request = call.request();
        call.tell("first");
        call.write(OK);
        if request.is_some() && call.request().is_some() {
            call.tell("second, not answered");
        }
    });
    let gateway = before(&upstream);
    gateway.get("/1");
    assert_eq!(upstream.told(), "first");
    let answer = gateway.get("/2");
    is_refused(
        &answer,
        504,
        "Network error communicating with endpoint",
        "upstream-answer",
    );
    has(&answer, "x-amzn-errortype: InternalServerErrorException");
    assert_eq!(upstream.told(), "second, not answered");
    assert!(upstream.is_silent());
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_upstream_that_cannot_be_reached_is_504_and_a_forbidden_address_500() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = |uri: &str| {
        let integration = http_proxy(uri.to_owned(), &[]);
        Gateway::new(Setup {
            path: "/x",
            integration,
            ..Setup::default()
        })
    };
    let network = "Network error communicating with endpoint";
    is_refused(
        &gateway(&format!("http://{closed}/")).get("/x"),
        504,
        network,
        "upstream-connect",
    );
    is_refused(
        &gateway("http://no-such-name.invalid/").get("/x"),
        504,
        network,
        "upstream-name",
    );
    for address in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "0.0.0.0",
    ] {
        let answer = gateway(&format!("http://{address}/latest/meta-data")).get("/x");
        is_refused(&answer, 500, "Internal server error", "upstream-address");
    }
}

#[test]
fn an_upstream_that_does_not_answer_in_time_is_504_and_let_go() {
    let upstream = Upstream::start(|call| {
        call.request();
        call.rest();
        call.tell("let go");
    });
    let integration = entity::Integration {
        timeout_in_millis: 50,
        ..proxy(upstream.address)
    };
    let gateway = Gateway::new(Setup {
        path: "/{proxy+}",
        integration,
        ..Setup::default()
    });
    is_refused(
        &gateway.get("/x"),
        504,
        "Endpoint request timed out",
        "integration-timeout",
    );
    assert_eq!(upstream.told(), "let go");
}

#[test]
fn an_answer_that_is_not_http_or_a_tunnel_is_504() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ] {
        let gateway = before(&Upstream::answering(answer));
        is_refused(
            &gateway.get("/x"),
            504,
            "Network error communicating with endpoint",
            "upstream-answer",
        );
    }
}

#[test]
fn an_answer_that_breaks_off_or_stalls_is_cut_visibly() {
    for (start, framing) in [
        ("content-length: 100\r\n\r\nhalf", "half"),
        (
            "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "4\r\nhalf\r\n",
        ),
    ] {
        for breaks in [true, false] {
            let upstream = Upstream::start(move |call| {
                call.request();
                call.write(&format!("HTTP/1.1 200 OK\r\n{start}"));
                if !breaks {
                    call.rest();
                }
            });
            let answer_patience = (!breaks).then_some(Duration::from_millis(30));
            let setup = Setup {
                path: "/{proxy+}",
                integration: proxy(upstream.address),
                answer_patience,
                ..Setup::default()
            };
            let gateway = Gateway::new(setup);
            let answer = gateway.get("/x");
            assert!(answer.ends_with(&format!("\r\n\r\n{framing}")), "{answer}");
            let lines = gateway.log();
            assert_eq!(
                (&lines[0]["status"], &lines[0]["reason"]),
                (&200.into(), &"upstream-cut".into())
            );
            assert_eq!(gateway.stage.stats.total(Outcome::Cut), 1);
        }
    }
}

#[test]
fn a_client_that_goes_away_takes_its_upstream_call_with_it() {
    let upstream = Upstream::start(|call| {
        let request = call.request().unwrap();
        call.tell("called");
        if request.starts_with("GET /begun") {
            call.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        }
        call.rest();
        call.tell("let go");
    });
    let gateway = before(&upstream);
    for (path, status) in [("/waiting", 499), ("/begun", 200)] {
        let mut stream = gateway.connect();
        stream
            .write_all(request(&format!("GET {path}"), "", "").as_bytes())
            .unwrap();
        assert_eq!(upstream.told(), "called");
        if status == 200 {
            read_until(&mut stream, "half");
        }
        drop(stream);
        assert_eq!(upstream.told(), "let go");
    }
    // A call is counted after its line is written, and both after its connection is closed.
    while gateway.stage.stats.total(Outcome::Cut) == 0 {
        std::thread::yield_now();
    }
    let lines = gateway.log();
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["status"].as_u64().unwrap(),
                line["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, [(499, "client-closed"), (200, "client-closed")]);
    assert_eq!(gateway.stage.stats.total(Outcome::ClientClosed), 1);
    assert_eq!(gateway.stage.stats.total(Outcome::Cut), 1);
}

#[test]
fn a_chunked_body_over_the_limit_is_413_and_the_upstream_never_sees_its_end() {
    let upstream = Upstream::start(|call| {
        let seen = call.rest();
        call.tell(seen);
    });
    let limits = ServingLimits {
        body_bytes_max: 10,
        ..ServingLimits::default()
    };
    let gateway = Gateway::new(Setup {
        path: "/{proxy+}",
        integration: proxy(upstream.address),
        limits,
        ..Setup::default()
    });
    let answer = gateway.call(
        "POST /x",
        "transfer-encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n",
        "",
    );
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nHTTP content length exceeded 10 bytes."),
        "{answer}"
    );
    let seen = upstream.told();
    assert!(seen.contains("transfer-encoding: chunked\r\n"), "{seen}");
    assert!(!seen.contains("\r\n0\r\n"), "{seen}");
}

#[test]
fn a_body_that_comes_too_slowly_or_ends_early_ends_the_upstream_call() {
    let upstream = Upstream::start(|call| {
        let seen = call.rest();
        call.tell(seen);
    });
    let mut limits = ServingLimits::default();
    limits.patience.body = Duration::from_millis(20);
    let gateway = Gateway::new(Setup {
        path: "/{proxy+}",
        integration: proxy(upstream.address),
        limits,
        ..Setup::default()
    });
    let answer = gateway.call("POST /x", "content-length: 10\r\n\r\nhalf", "");
    is_refused(&answer, 408, "Request Timeout", "slow-body");
    assert!(upstream.told().ends_with("\r\n\r\nhalf\r\n"));
    let answer = gateway.call(
        "POST /x",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello6\r\n",
        "",
    );
    is_refused(&answer, 400, "Bad Request", "bad-body");
    assert!(!upstream.told().contains("\r\n0\r\n"));
}

#[test]
fn trailers_pass_both_ways() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: down\r\n\r\n",
    );
    let gateway = before(&upstream);
    let headers = "te: trailers\r\ntrailer: x-sum, x-api-key\r\ntransfer-encoding: chunked\r\n\r\n\
        2\r\nhi\r\n0\r\nx-sum: up\r\nx-api-key: smuggled\r\n";
    let mut stream = gateway.connect();
    stream
        .write_all(request("POST /x", headers, "").as_bytes())
        .unwrap();
    let answer = read_until(&mut stream, "down\r\n\r\n");
    let seen = upstream.told();
    assert!(
        seen.ends_with("\r\n\r\n2\r\nhi\r\n0\r\nx-sum: up\r\n\r\n"),
        "{seen}"
    );
    has(&seen, "te: trailers");
    assert!(
        answer.ends_with("\r\n\r\n2\r\nok\r\n0\r\nx-sum: down\r\n\r\n"),
        "{answer}"
    );
    stream
        .write_all(request("POST /x", headers, "").as_bytes())
        .unwrap();
    read_until(&mut stream, "down\r\n\r\n");
    assert_eq!(upstream.connections(), 1, "trailers end an answer");
}

#[test]
fn answers_without_bodies_keep_their_headers_and_connections() {
    let upstream = Upstream::start(|call| {
        while let Some(request) = call.request() {
            let status = if request.starts_with("HEAD") {
                "200 OK"
            } else if request.contains("/304") {
                "304 Not Modified"
            } else {
                "204 No Content"
            };
            let length = if status.starts_with("204") {
                ""
            } else {
                "content-length: 1234\r\n"
            };
            call.write(&format!("HTTP/1.1 {status}\r\n{length}etag: \"x\"\r\n\r\n"));
        }
    });
    let gateway = before(&upstream);
    let mut stream = gateway.connect();
    let mut call = |line: &str| {
        stream.write_all(request(line, "", "").as_bytes()).unwrap();
        read_until(&mut stream, "\r\n\r\n")
    };
    let head = call("HEAD /x");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    has(&head, "content-length: 1234");
    for (line, status) in [
        ("GET /304", "304 Not Modified"),
        ("GET /204", "204 No Content"),
    ] {
        let answer = call(line);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{answer}"
        );
        has_not(&answer, "\r\ncontent-length");
        has_not(&answer, "\r\ntransfer-encoding");
    }
    assert_eq!(upstream.connections(), 1);
    let lines = gateway.log();
    let statuses: Vec<_> = lines.iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, [200, 304, 204]);
    assert!(lines.iter().all(|line| line["reason"].is_null()));
}

#[test]
fn a_get_with_a_chunked_body_keeps_it() {
    let upstream = Upstream::answering(OK);
    let gateway = before(&upstream);
    gateway.call(
        "GET /x",
        "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n",
        "",
    );
    assert!(upstream.told().ends_with("\r\n\r\n2\r\nhi\r\n0\r\n\r\n"));
}

#[test]
fn the_api_key_stays_here_when_told_to() {
    let upstream = Upstream::answering(OK);
    let integration = proxy(upstream.address);
    let gateway = Gateway::new(Setup {
        path: "/{proxy+}",
        integration,
        hides_api_key: true,
        ..Setup::default()
    });
    gateway.call("GET /x", "x-api-key: canary\r\n", "");
    has_not(&upstream.told(), "canary");
}

#[test]
fn large_bodies_stream_both_ways() {
    let upstream = Upstream::start(|call| {
        while let Some(request) = call.request() {
            let body = &request[request.find("\r\n\r\n").unwrap() + 4..];
            call.write(&format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    let gateway = before(&upstream);
    let body = "0123456789abcdef".repeat(4096);
    let answer = gateway.call("PUT /x", "", &body);
    assert_eq!(&answer[answer.find("\r\n\r\n").unwrap() + 4..], body);
}

#[test]
fn an_upstream_that_takes_a_whole_body_and_never_answers_is_504() {
    let upstream = Upstream::start(|call| {
        call.request();
        call.rest();
        call.tell("let go");
    });
    let integration = entity::Integration {
        timeout_in_millis: 50,
        ..proxy(upstream.address)
    };
    let gateway = Gateway::new(Setup {
        path: "/{proxy+}",
        integration,
        ..Setup::default()
    });
    let answer = gateway.call("POST /x", "", "body");
    is_refused(
        &answer,
        504,
        "Endpoint request timed out",
        "integration-timeout",
    );
    assert_eq!(upstream.told(), "let go");
}

#[test]
fn a_connection_that_waits_too_long_for_a_call_is_closed() {
    let upstream = Upstream::start(|call| {
        while call.request().is_some() {
            call.write(OK);
        }
        call.tell("closed");
    });
    let pool = PoolLimits {
        idle_time_max: Duration::from_millis(20),
        ..PoolLimits::default()
    };
    let gateway = Gateway::new(Setup {
        path: "/{proxy+}",
        integration: proxy(upstream.address),
        pool,
        ..Setup::default()
    });
    gateway.get("/x");
    assert_eq!(upstream.told(), "closed");
    gateway.get("/x");
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_connection_waits_for_its_next_call_as_long_as_the_upstream_says() {
    for (own, told, connections) in [
        (Duration::from_secs(3600), "timeout=0", 2),
        (Duration::from_nanos(1), "timeout=60, max=100", 1),
    ] {
        let upstream = Upstream::start(move |call| {
            while call.request().is_some() {
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: {told}\r\n\r\n");
                call.write(&head);
            }
        });
        let pool = PoolLimits {
            idle_time_max: own,
            ..PoolLimits::default()
        };
        let gateway = Gateway::new(Setup {
            path: "/{proxy+}",
            integration: proxy(upstream.address),
            pool,
            ..Setup::default()
        });
        gateway.get("/x");
        gateway.get("/x");
        assert_eq!(upstream.connections(), connections, "{told}");
    }
}

/// An upstream that begins its answer at once, with so many bytes, and ends it when it has the request.
fn upstream_that_answers_first(early_bytes: usize) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 65536];
        while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
            let bytes = std::io::Read::read(&mut stream, &mut piece).unwrap();
            seen.extend_from_slice(&piece[..bytes]);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
            early_bytes + 4
        );
        let mut writing = stream.try_clone().unwrap();
        let early = std::thread::spawn(move || {
            writing.write_all(head.as_bytes()).unwrap();
            writing.write_all(&vec![b'e'; early_bytes]).unwrap();
        });
        while !seen.ends_with(b"last") {
            let bytes = std::io::Read::read(&mut stream, &mut piece).unwrap();
            assert!(bytes > 0, "the request was cut");
            seen.extend_from_slice(&piece[..bytes]);
        }
        early.join().unwrap();
        stream.write_all(b"done").unwrap();
    });
    address
}

#[test]
fn an_upload_goes_on_while_nobody_takes_the_answer_that_came_first() {
    for early_bytes in [0, 8 << 20] {
        let gateway = Gateway::new(Setup {
            path: "/{proxy+}",
            integration: proxy(upstream_that_answers_first(early_bytes)),
            ..Setup::default()
        });
        let mut stream = gateway.connect();
        let body = [vec![b'u'; 8 << 20], b"last".to_vec()].concat();
        let head = format!(
            "POST /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // The whole request before the first look at the answer.
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let answer = read_to_end(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(answer.ends_with("done"), "{} bytes", answer.len());
        assert!(answer.len() > early_bytes);
    }
}

#[test]
fn a_connection_whose_answer_may_have_a_body_after_all_is_not_used_again() {
    for framing in ["transfer-encoding: chunked", "content-length: 5"] {
        let upstream = Upstream::start(move |call| {
            while let Some(request) = call.request() {
                if request.starts_with("GET /no-content") {
                    call.write(&format!("HTTP/1.1 204 No Content\r\n{framing}\r\n\r\n"));
                } else {
                    call.write(OK);
                }
            }
        });
        let gateway = before(&upstream);
        for (path, status) in [("/no-content", "204"), ("/x", "200")] {
            let answer = gateway.get(path);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        }
        assert_eq!(upstream.connections(), 2);
    }
}
