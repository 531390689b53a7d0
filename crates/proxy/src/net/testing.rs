//! Raw sockets for tests: clients that read and write bytes, upstreams that follow a script.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough never to matter unless something hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads until `text` has come.
pub fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    let mut one = [0];
    while !String::from_utf8_lossy(&bytes).contains(text) {
        assert_eq!(
            stream.read(&mut one).unwrap(),
            1,
            "ended with {:?}",
            String::from_utf8_lossy(&bytes)
        );
        bytes.push(one[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// An upstream whose every connection follows a script, which gets the connection's number and may
/// tell the test what it saw.
pub struct Upstream {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    told: Mutex<Receiver<String>>,
}

/// The upstream's end of a connection.
pub struct Call {
    pub stream: TcpStream,
    /// From 0.
    pub number: usize,
    tell: std::sync::mpsc::Sender<String>,
}

impl Upstream {
    pub fn start(script: impl Fn(&mut Call) + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (tell, told) = channel();
        let (count, script) = (Arc::clone(&connections), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let mut call = Call {
                    stream,
                    number,
                    tell: tell.clone(),
                };
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(&mut call));
            }
        });
        Upstream {
            address,
            connections,
            told: Mutex::new(told),
        }
    }

    /// One that tells every request it gets and answers all with the same bytes.
    pub fn answering(answer: &'static str) -> Upstream {
        Upstream::start(move |call| {
            while let Some(request) = call.request() {
                call.tell(request);
                call.write(answer);
            }
        })
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What a script told next.
    pub fn told(&self) -> String {
        self.told
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("the upstream saw nothing")
    }

    /// Whether nothing more was told so far.
    pub fn is_silent(&self) -> bool {
        self.told.lock().unwrap().try_recv().is_err()
    }
}

impl Call {
    pub fn tell(&self, text: impl Into<String>) {
        let _ = self.tell.send(text.into()); // the test may be over
    }

    pub fn write(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()); // the gateway may have gone
    }

    /// Ends the connection; the gateway's side knows at once.
    pub fn close(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both); // the gateway may have gone
    }

    /// A whole request as it came. None when the connection ends first.
    pub fn request(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut one = [0];
        loop {
            if self.stream.read(&mut one).ok()? == 0 {
                return None;
            }
            text.push(char::from(one[0]));
            let Some(head) = text.find("\r\n\r\n") else {
                continue;
            };
            let (head, body) = text.split_at(head + 4);
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let is_whole = match length {
                Some(length) => body.len() == length.parse::<usize>().unwrap(),
                None if head.contains("transfer-encoding: chunked") => {
                    body.contains("0\r\n") && body.ends_with("\r\n\r\n")
                }
                None => true,
            };
            if is_whole {
                return Some(text);
            }
        }
    }

    /// What comes until the gateway closes the connection, and whether it came to its end in peace.
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes); // a reset ends it, too
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
