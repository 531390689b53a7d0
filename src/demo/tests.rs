//! The demo started twice.

use super::*;
use crate::config::layers::{Given, Source};
use crate::config::{self, settings};

fn demo_in(dir: &std::path::Path) -> (Server, Config) {
    let dir = dir.display().to_string();
    let given = [
        ("data_dir", dir.as_str()),
        ("data_plane", "127.0.0.1:0"),
        ("control_plane", "127.0.0.1:0"),
    ];
    let given = given.map(|(name, text)| Given {
        setting: settings::find(name).unwrap(),
        text: text.to_owned(),
        source: Source::Default,
    });
    let config = config::load_for_demo(given.into(), vec![]).unwrap().config;
    (Server::start(&config).unwrap(), config)
}

/// Status of a GET through the data plane.
fn got(server: &Server, path: &str, key: &str) -> u16 {
    use std::io::{Read, Write};
    let address = server.addresses().data_plane;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let key = if key.is_empty() {
        String::new()
    } else {
        format!("x-api-key: {key}\r\n")
    };
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{key}\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_second_start_finds_everything_again_and_it_works() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = vec![];
    for start in ["first", "second"] {
        let (server, config) = demo_in(dir.path());
        let example = server.block_on(set_up(&server, &config)).unwrap();
        let base = format!("/{}/{}", example.api_id, example::STAGE);
        assert_eq!(
            got(&server, &format!("{base}/health"), ""),
            200,
            "{start} start"
        );
        assert_eq!(got(&server, &format!("{base}/pets"), ""), 403);
        if start == "first" {
            // A restart leaves buckets empty for a moment, so calls with keys are for the first start only.
            let [free, premium] = [&example.free_key, &example.premium_key];
            assert_eq!(got(&server, &format!("{base}/pets"), premium), 200);
            assert_eq!(got(&server, &format!("{base}/pets/2"), free), 200);
            assert_eq!(got(&server, &format!("{base}/pets/9"), free), 404);
        }
        seen.push([example.api_id, example.free_key, example.premium_key]);
        server.stop();
    }
    assert_eq!(seen[0], seen[1]);
}
