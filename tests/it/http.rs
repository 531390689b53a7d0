//! A small blocking HTTP/1.1 client on plain sockets: it shares no code with the gateway it judges.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a test waits for any one read or write before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Header or trailer fields in the order of the wire.
pub type Fields = Vec<(String, String)>;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
}

impl Reply {
    /// The first value of a header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn trailer(&self, name: &str) -> Option<&str> {
        find(&self.trailers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {} {:?}", self.status, self.text()))
    }

    /// Status and text in one, for assertions that show both.
    pub fn brief(&self) -> (u16, String) {
        (self.status, self.text())
    }
}

pub fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_str())
}

/// One connection, used for one request after another.
pub struct Connection<S = TcpStream> {
    stream: BufReader<S>,
    host: String,
    open: bool,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection::over(stream, address))
    }

    pub fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(timeout))
    }
}

impl<S: Read + Write> Connection<S> {
    /// Over a stream that is already open.
    pub fn over(stream: S, address: SocketAddr) -> Connection<S> {
        Connection {
            stream: BufReader::new(stream),
            host: address.to_string(),
            open: true,
        }
    }

    /// Whether the server left the connection open after the last answer.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Sends a request and reads its answer. `Host` and `Content-Length` are added unless given.
    pub fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        self.write_request(method, target, headers, body)?;
        self.read_reply(method)
    }

    pub fn write_request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !given("host") {
            head += &format!("Host: {}\r\n", self.host);
        }
        if !given("content-length")
            && !given("transfer-encoding")
            && (!body.is_empty() || !matches!(method, "GET" | "HEAD" | "DELETE"))
        {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.write_raw(&bytes)
    }

    /// Bytes as they are, for requests no decent client would send.
    pub fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads one answer; interim answers (1xx) are passed over.
    pub fn read_reply(&mut self, method: &str) -> io::Result<Reply> {
        let (status, headers) = self.read_head()?;
        let mut reply = Reply {
            status,
            headers,
            body: Vec::new(),
            trailers: Vec::new(),
        };
        self.open = !reply
            .header("connection")
            .is_some_and(|v| v.eq_ignore_ascii_case("close"));
        if method == "HEAD" || status == 204 || status == 304 {
            return Ok(reply);
        }
        if reply
            .header("transfer-encoding")
            .is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
        {
            while let Some(chunk) = self.read_chunk()? {
                reply.body.extend_from_slice(&chunk);
            }
            reply.trailers = read_fields(&mut self.stream)?;
        } else if let Some(length) = reply.header("content-length") {
            let length: usize = length
                .parse()
                .map_err(|_| bad("content-length is not a number"))?;
            reply.body.resize(length, 0);
            self.stream.read_exact(&mut reply.body)?;
        } else {
            self.stream.read_to_end(&mut reply.body)?;
            self.open = false;
        }
        Ok(reply)
    }

    /// Status and header fields of the next final answer; the body stays unread.
    pub fn read_head(&mut self) -> io::Result<(u16, Fields)> {
        loop {
            let line = read_line(&mut self.stream)?;
            let status = line
                .split(' ')
                .nth(1)
                .and_then(|s| s.parse().ok())
                .ok_or_else(|| bad(&format!("not a status line: {line:?}")))?;
            let headers = read_fields(&mut self.stream)?;
            if status >= 200 {
                return Ok((status, headers));
            }
        }
    }

    /// The next chunk of a chunked body; `None` after the last one.
    pub fn read_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = read_line(&mut self.stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| bad(&format!("not a chunk size: {line:?}")))?;
        if size == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk)?;
        read_line(&mut self.stream)?;
        Ok(Some(chunk))
    }

    /// Reads until the server closes, at most `limit` bytes.
    pub fn read_to_close(&mut self, limit: u64) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        (&mut self.stream).take(limit).read_to_end(&mut all)?;
        Ok(all)
    }
}

/// One request on a connection of its own.
pub fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    Connection::open(address)
        .and_then(|mut c| c.send(method, target, headers, body))
        .unwrap_or_else(|e| panic!("{method} {target} at {address}: {e}"))
}

pub fn get(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Reply {
    request(address, "GET", target, headers, b"")
}

pub fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "connection closed",
        ));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| bad("line is not UTF-8"))
}

pub fn read_fields(from: &mut impl BufRead) -> io::Result<Fields> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| bad(&format!("not a header field: {line:?}")))?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
