//! What each signal does, and what one that comes twice does.

use crate::api::Api;
use crate::harness::{Gateway, wait_until};
use crate::http::{Connection, get};
use crate::tls_client::{Pair, TlsGateway, connect, trusting};
use crate::upstream::Upstream;

/// A gateway with a call in flight whose upstream waits for a gate.
fn with_a_call_in_flight() -> (Gateway, Upstream, Connection) {
    let gateway = Gateway::start_with("drain_timeout_s = 3600\n");
    let upstream = Upstream::start();
    let api = Api::create(&gateway.control(), "signals");
    api.pass_on("", false, &upstream.url());
    api.deploy("prod");
    let mut call = Connection::open(gateway.data).unwrap();
    call.write_request("GET", &api.target("prod", "/gate/stop"), &[], b"")
        .unwrap();
    assert_eq!(call.read_head().unwrap().0, 200);
    assert_eq!(call.read_chunk().unwrap().unwrap(), b"first");
    (gateway, upstream, call)
}

#[test]
fn two_signals_at_once_are_one_and_what_is_in_flight_finishes() {
    let (mut gateway, upstream, mut call) = with_a_call_in_flight();
    gateway.signal("TERM");
    gateway.signal("TERM");
    gateway.signal("INT");
    wait_until("the drain to begin", || {
        gateway.log().contains("draining").then_some(())
    });
    upstream.open_gate("stop");
    assert_eq!(call.read_chunk().unwrap().unwrap(), b"rest");
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_later_signal_ends_the_process_at_once() {
    let (mut gateway, _upstream, mut call) = with_a_call_in_flight();
    gateway.signal("TERM");
    let status = wait_until("the second signal to end it", || {
        if gateway.exited().is_none() {
            gateway.signal("TERM");
        }
        gateway.exited()
    });
    assert_eq!(status.code(), Some(1));
    assert!(call.read_chunk().is_err(), "the call was cut");
}

#[test]
fn sighup_takes_new_files_and_the_gateway_serves_on() {
    let mut tls = TlsGateway::start("");
    let pid_of = |log: &str| log.matches("SIGHUP received").count();
    tls.gateway.signal("HUP");
    wait_until("the reload", || {
        (pid_of(&tls.gateway.log()) == 1).then_some(())
    });
    // What is in force is told again, and what is wrong with the files as well.
    std::fs::write(tls.files.certificate(), "nonsense").unwrap();
    tls.gateway.signal("HUP");
    wait_until("the refusal", || {
        let log = tls.gateway.log();
        log.contains("holds no certificate").then_some(())
    });
    let next = Pair::new();
    tls.files.write(&next);
    tls.gateway.signal("HUP");
    let config = trusting(&next, &["http/1.1"], rustls::ALL_VERSIONS);
    wait_until("the new certificate", || {
        connect(tls.address, &config, "localhost").ok()
    });
    // The access log that was moved away is made again.
    let log = tls.gateway.data_dir().join("access.log");
    std::fs::rename(&log, log.with_extension("1")).unwrap();
    tls.gateway.signal("HUP");
    wait_until("a new access log", || {
        get(tls.gateway.data, "/", &[]);
        log.exists().then_some(())
    });
    assert!(tls.gateway.exited().is_none());
    assert_eq!(tls.gateway.stop().code(), Some(0));
}

#[test]
fn a_pipe_in_the_place_of_a_certificate_holds_nothing_up() {
    let mut tls = TlsGateway::start("");
    let file = tls.files.certificate();
    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    tls.gateway.signal("HUP");
    wait_until("the refusal", || {
        let log = tls.gateway.log();
        log.contains("it is no regular file").then_some(())
    });
    assert_eq!(tls.gateway.stop().code(), Some(0));
}
