//! Who calls during the soak: over HTTP/1.1, plain and with TLS, and over HTTP/2; and who behaves badly.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{BODY_PATIENCE, Soak};
use crate::api::{Api, Key};
use crate::harness::Dice;
use crate::http::Connection;
use crate::http2_client::{Answer, Http2, block_on, read};
use crate::tls_client::{TlsGateway, connect};

/// Clients that are in the middle of something and go no further; each is kept for longer than the gateway's patience.
const DAWDLERS: usize = 400;
/// Calls at once on one HTTP/2 connection, and how often before it is closed.
const AT_ONCE: usize = 8;
const ROUNDS: usize = 40;

/// One call, and the answers that it may get.
struct Asked<'a> {
    verb: &'static str,
    path: &'static str,
    key: &'a str,
    allowed: &'static [u16],
    body: usize,
    began: Instant,
}

impl Asked<'_> {
    /// A thread that gets no core for so long in the middle of its body is a client that dawdles.
    fn is_late(&self) -> bool {
        self.body > 0 && self.began.elapsed() >= BODY_PATIENCE
    }
}

/// Calls of every kind; each kind has the answers that it may get.
fn some_call<'a>(dice: &mut Dice, keys: &'a [Key; 3]) -> Asked<'a> {
    let (verb, path, key, allowed): (_, _, &'a str, &'static [u16]) = match dice.between(0, 9) {
        0 | 1 => ("GET", "/hit", &keys[0].value, &[200]),
        2 => ("GET", "/mock", &keys[0].value, &[200]),
        3 => ("POST", "/echo", &keys[0].value, &[200]),
        4 => ("GET", "/big/200000", &keys[0].value, &[200]),
        5 => ("GET", "/hit", &keys[1].value, &[200, 429]),
        6 => ("GET", "/hit", &keys[2].value, &[200, 429]),
        7 => ("GET", "/hit", "unknown-key-0123456789", &[403]),
        8 => ("GET", "/status/503", &keys[0].value, &[503]),
        _ => ("GET", "/reset", &keys[0].value, &[502, 504]),
    };
    let body = match verb {
        "POST" => dice.between(0, 100_000) as usize,
        _ => 0,
    };
    Asked {
        verb,
        path,
        key,
        allowed,
        body,
        began: Instant::now(),
    }
}

impl Soak {
    /// Calls one after the other on connections that `open` makes.
    pub fn call<S: Read + Write>(
        &self,
        api: &Api,
        keys: &[Key; 3],
        number: u64,
        open: impl Fn() -> io::Result<Connection<S>>,
    ) {
        let mut dice = Dice(number);
        let mut connection: Option<Connection<S>> = None;
        let body = vec![b'x'; 100_000];
        while self.goes_on() {
            let asked = some_call(&mut dice, keys);
            if !connection.as_ref().is_some_and(Connection::is_open) {
                connection = open().ok();
            }
            let target = api.target("prod", asked.path);
            let key = [("x-api-key", asked.key)];
            let reply = connection
                .as_mut()
                .map(|c| c.send(asked.verb, &target, &key, &body[..asked.body]));
            self.calls.fetch_add(1, Ordering::Relaxed);
            match reply {
                Some(Ok(reply)) => self.answered(&asked, reply.status, &reply.body),
                Some(Err(error)) => {
                    if !asked.is_late() {
                        self.note_wrong(format!("{} {}: {error}", asked.verb, asked.path));
                    }
                    connection = None;
                }
                None => self.note_wrong("no connection".to_owned()),
            }
        }
    }

    /// The same over TLS.
    pub fn call_with_tls(&self, api: &Api, keys: &[Key; 3], tls: &TlsGateway) {
        let config = tls.client(&["http/1.1"]);
        self.call(api, keys, 1_000, || {
            let stream = connect(tls.address, &config, "localhost")?;
            Ok(Connection::over(stream, tls.address))
        });
    }

    /// The same over HTTP/2, many at once; now and then one is taken back.
    pub fn call_with_http2(&self, api: &Api, keys: &[Key; 3], tls: &TlsGateway) {
        let mut dice = Dice(2_000);
        while self.goes_on() {
            block_on(async {
                let client = Http2::open(tls).await;
                for _ in 0..ROUNDS {
                    self.ask_at_once(api, keys, &client, &mut dice).await;
                    if dice.between(0, 9) == 0 {
                        self.take_back(api, &keys[0], &client).await;
                    }
                }
            });
        }
    }

    async fn ask_at_once(&self, api: &Api, keys: &[Key; 3], client: &Http2, dice: &mut Dice) {
        let mut begun = Vec::new();
        for _ in 0..AT_ONCE {
            let asked = some_call(dice, keys);
            let target = api.target("prod", asked.path);
            let request = client.request(asked.verb, &target, &[("x-api-key", asked.key)]);
            let size = asked.body;
            let began = client.begin(request, size > 0).await;
            // All are read as they come: an answer that nobody reads would hold the others up.
            let answer = tokio::spawn(async move {
                let (answer, mut upload) = began?;
                if size > 0 {
                    upload.send_data(Bytes::from(vec![b'x'; size]), true)?;
                }
                read(answer.await?).await
            });
            begun.push((asked, answer));
        }
        for (asked, answer) in begun {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let answer: Result<Answer, h2::Error> = answer.await.unwrap();
            match answer {
                Ok(answer) => self.answered(&asked, answer.status, &answer.body),
                Err(error) => self.note_wrong(format!("h2 {} {}: {error}", asked.verb, asked.path)),
            }
        }
    }

    async fn take_back(&self, api: &Api, key: &Key, client: &Http2) {
        let target = api.target("prod", "/wait/200");
        let request = client.request("GET", &target, &[key.header()]);
        match client.begin(request, false).await {
            Ok(begun) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                drop(begun);
            }
            Err(error) => self.note_wrong(format!("h2 taken back: {error}")),
        }
    }

    fn answered(&self, asked: &Asked<'_>, status: u16, body: &[u8]) {
        *self.answers.lock().unwrap().entry(status).or_default() += 1;
        if !(asked.allowed.contains(&status) || status == 408 && asked.is_late()) {
            let text: String = String::from_utf8_lossy(body).chars().take(80).collect();
            self.note_wrong(format!("{} {}: {status} {text}", asked.verb, asked.path));
        }
    }

    /// Clients that go away in the middle of their own body, or of the answer.
    pub fn leave_early(&self, data: SocketAddr, api: &Api, key: &Key) {
        let mut dice = Dice(77);
        let head = |path: &str, more: &str| {
            let target = api.target("prod", path);
            format!(
                "POST {target} HTTP/1.1\r\nHost: a\r\nx-api-key: {}\r\n{more}\r\n",
                key.value
            )
        };
        while self.goes_on() {
            let text = match dice.between(0, 3) {
                0 => head("/echo", "Content-Length: 100000\r\n") + "some",
                1 => head("/wait/200", "Content-Length: 0\r\n"),
                2 => head("/big/3000000", "Content-Length: 0\r\n"),
                _ => head("/echo", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n",
            };
            if let Ok(mut connection) = Connection::open(data) {
                let _ = connection.write_raw(text.as_bytes());
                std::thread::sleep(Duration::from_millis(dice.between(0, 30)));
            }
        }
    }

    /// Clients that send half a head, or half a body, and wait.
    pub fn dawdle(&self, data: SocketAddr, api: &Api) {
        let mut slow = std::collections::VecDeque::new();
        let target = api.target("prod", "/echo");
        while self.goes_on() {
            for text in [
                format!("GET {target} HTTP/1.1\r\nHost:"),
                format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nx"),
            ] {
                if let Ok(mut connection) = Connection::open(data) {
                    let _ = connection.write_raw(text.as_bytes());
                    slow.push_back(connection);
                }
            }
            if slow.len() > DAWDLERS {
                slow.pop_front();
                slow.pop_front();
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}
