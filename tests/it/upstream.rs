//! The upstream of the tests: it writes down every request that reaches it, and misbehaves on demand.
//!
//! What it does is in the first segment of the path: `/echo` answers with what it was sent, `/wait/{ms}` answers late,
//! `/status/{code}` with that status, `/reset` resets the connection, `/cut` ends in the middle of its body, `/hang` never answers,
//! `/gate/{name}` sends half of its body and the rest once the test opens the gate, `/trailers` ends with a trailer.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::{Fields, find, read_fields, read_line};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    pub method: String,
    pub target: String,
    pub headers: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The number the test gave this request in `x-marker`.
    pub fn marker(&self) -> Option<u64> {
        self.header("x-marker")?.parse().ok()
    }
}

#[derive(Default)]
struct Shared {
    log: Mutex<Vec<Seen>>,
    gates: Mutex<HashSet<String>>,
    opened: Condvar,
    ended: AtomicBool,
}

/// A running upstream; it ends when dropped.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Upstream {
    pub fn start() -> Upstream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                // A connection that breaks is the other side's business.
                std::thread::spawn(move || converse(&shared, stream).ok());
            }
        });
        Upstream { address, shared }
    }

    /// The address as integrations write it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that has arrived so far, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.log.lock().unwrap().clone()
    }

    /// How many requests have arrived so far.
    pub fn count(&self) -> usize {
        self.shared.log.lock().unwrap().len()
    }

    /// The only request that has arrived.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    pub fn forget(&self) {
        self.shared.log.lock().unwrap().clear();
    }

    /// Lets every `/gate/{name}` go on.
    pub fn open_gate(&self, name: &str) {
        self.shared.gates.lock().unwrap().insert(name.to_owned());
        self.shared.opened.notify_all();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.opened.notify_all();
        // Wakes the accepting thread so that it sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

fn converse(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    loop {
        let line = read_line(&mut input)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        if target.starts_with("/reset") {
            // Closing with the rest of the request unread makes the kernel send a reset.
            note(
                shared,
                Seen {
                    at: Instant::now(),
                    method,
                    target,
                    headers: Vec::new(),
                    body: Vec::new(),
                    trailers: Vec::new(),
                },
            );
            return Ok(());
        }
        let headers = read_fields(&mut input)?;
        let (body, trailers) = read_body(&mut input, &headers)?;
        let seen = Seen {
            at: Instant::now(),
            method,
            target,
            headers,
            body,
            trailers,
        };
        note(shared, seen.clone());
        if !answer(shared, &seen, &mut out)? {
            return Ok(());
        }
    }
}

fn note(shared: &Shared, mut seen: Seen) {
    let mut log = shared.log.lock().unwrap();
    seen.at = Instant::now(); // under the lock: the log is in order of time
    log.push(seen);
}

fn read_body(
    input: &mut BufReader<TcpStream>,
    headers: &[(String, String)],
) -> io::Result<(Vec<u8>, Fields)> {
    let mut body = Vec::new();
    if let Some(length) = find(headers, "content-length") {
        body.resize(length.parse().unwrap_or(0), 0);
        input.read_exact(&mut body)?;
        return Ok((body, Vec::new()));
    }
    if find(headers, "transfer-encoding").is_none() {
        return Ok((body, Vec::new()));
    }
    loop {
        let size = usize::from_str_radix(read_line(input)?.trim(), 16).unwrap_or(0);
        if size == 0 {
            return Ok((body, read_fields(input)?));
        }
        let start = body.len();
        body.resize(start + size, 0);
        input.read_exact(&mut body[start..])?;
        read_line(input)?;
    }
}

/// Answers a request; whether the connection may be used again.
fn answer(shared: &Shared, seen: &Seen, out: &mut TcpStream) -> io::Result<bool> {
    let path = seen.target.split('?').next().unwrap_or_default();
    let mut parts = path.split('/').skip(1);
    let (what, argument) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    match what {
        "echo" => {
            let headers: Vec<_> = seen.headers.iter().map(|(n, v)| json!([n.to_ascii_lowercase(), v])).collect();
            let body = json!({ "method": seen.method, "target": seen.target, "headers": headers, "body": String::from_utf8_lossy(&seen.body) });
            whole(seen, out, "200 OK", "x-upstream: echo\r\nServer: upstream\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n", &body.to_string())?;
        }
        "wait" => {
            std::thread::sleep(Duration::from_millis(argument.parse().unwrap_or(0)));
            whole(seen, out, "200 OK", "", "late")?;
        }
        "status" => whole(seen, out, &format!("{argument} Whatever"), "", &format!("status {argument}"))?,
        "hang" => {
            wait_for_gate(shared, "hang");
            return Ok(false);
        }
        "cut" => {
            out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")?;
            return Ok(false);
        }
        "gate" => {
            out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")?;
            wait_for_gate(shared, argument);
            out.write_all(b"4\r\nrest\r\n0\r\n\r\n")?;
        }
        "trailers" => out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-checksum\r\n\r\n4\r\nbody\r\n0\r\nx-checksum: 42\r\n\r\n")?,
        "big" => {
            let size: usize = argument.parse().unwrap_or(0);
            whole(seen, out, "200 OK", "", &"x".repeat(size))?;
        }
        _ => whole(seen, out, "200 OK", "", "ok")?,
    }
    Ok(true)
}

fn whole(
    seen: &Seen,
    out: &mut TcpStream,
    status: &str,
    extra: &str,
    body: &str,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{extra}\r\n",
        body.len()
    );
    let body = if seen.method == "HEAD" { "" } else { body };
    out.write_all((head + body).as_bytes())
}

fn wait_for_gate(shared: &Shared, name: &str) {
    let mut gates = shared.gates.lock().unwrap();
    while !gates.contains(name) && !shared.ended.load(Ordering::SeqCst) {
        gates = shared
            .opened
            .wait_timeout(gates, Duration::from_millis(100))
            .unwrap()
            .0;
    }
}
