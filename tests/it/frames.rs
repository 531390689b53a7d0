//! HTTP/2 frame by frame, for what no decent client sends: written by hand, read only as far as tests need.

use std::io::{self, Read, Write};

use crate::tls_client::{Stream, TlsGateway, connect};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;

pub const NO_ERROR: u32 = 0;
pub const PROTOCOL_ERROR: u32 = 1;
pub const CANCEL: u32 = 8;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// `SETTINGS_INITIAL_WINDOW_SIZE` of 0.
pub const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

/// A frame as it came.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM or GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A connection on which anything can be said.
pub struct Raw {
    stream: Stream,
    authority: String,
}

impl Raw {
    /// A connection with the preface and these settings sent.
    pub fn open(tls: &TlsGateway, settings: &[u8]) -> Raw {
        let stream = connect(tls.address, &tls.client(&["h2"]), "localhost").unwrap();
        let mut raw = Raw {
            stream,
            authority: tls.address.to_string(),
        };
        raw.stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        raw.write(SETTINGS, 0, 0, settings).unwrap();
        raw
    }

    pub fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.stream
            .write_all(&frame(kind, flags, stream, payload))?;
        self.stream.flush()
    }

    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Writes the same until the other side has enough or it was written so often. Says how often it was.
    pub fn flood(&mut self, times: usize, mut bytes: impl FnMut(usize) -> Vec<u8>) -> usize {
        (0..times)
            .take_while(|turn| self.write_all(&bytes(*turn)).is_ok())
            .count()
    }

    /// A header block for a request to this gateway. Headers are written as literals that are not indexed.
    pub fn block(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        let pseudo = [
            (":method", method),
            (":scheme", "https"),
            (":path", target),
            (":authority", &self.authority),
        ];
        for (name, value) in pseudo.iter().chain(headers) {
            literal(&mut block, name, value);
        }
        block
    }

    /// The next frame; none when the connection has ended. The gateway's settings are acknowledged.
    pub fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.read_exact(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let frame = Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        };
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            let _ = self.write(SETTINGS, ACK, 0, &[]); // it may be over
        }
        Some(frame)
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> Option<()> {
        let read = self.stream.read_exact(bytes);
        let kind = read.as_ref().map_err(io::Error::kind);
        let is_waiting = matches!(
            kind,
            Err(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        );
        assert!(
            !is_waiting,
            "the gateway neither goes on nor closes the connection"
        );
        read.ok()
    }

    /// The next frame of this kind.
    pub fn next(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Reads to the end of the connection, and says with which code the gateway ended it.
    pub fn end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.read() {
            if frame.kind == GOAWAY {
                code = Some(frame.code());
            }
        }
        code
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header as HPACK's literal without indexing, without Huffman.
pub fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        integer(block, text.len());
        block.extend_from_slice(text.as_bytes());
    }
}

/// HPACK's integer with a prefix of seven bits, the first bit 0.
fn integer(block: &mut Vec<u8>, value: usize) {
    if value < 127 {
        block.push(value as u8);
        return;
    }
    block.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        block.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    block.push(rest as u8);
}
