//! An answer as a client gets it: its head, and the framing of its body.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, TRAILER, TRANSFER_ENCODING,
};
use http::{Method, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame};

use super::head::Head;
use super::outgoing::Outgoing;
use crate::body::{Body, Cut};
use crate::net::answer_head::ReasonPhrase;
use crate::net::date::with_date;
use crate::net::headers::{items, names};
use crate::net::request_head::{chunk_size, last_chunk, line};

/// Room for a head, so that writing it grows the buffer once.
const HEAD_BYTES_USUAL: usize = 1024;
/// A shorter piece of a body is copied beside the head, so that both are written at once.
const COPIED_BYTES_MAX: usize = 4 * 1024;
/// Bytes gathered before they are written.
const GATHERED_BYTES_MAX: usize = 16 * 1024;

/// What the client asked for, as far as its answer's form depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub is_head: bool,
    pub is_http_10: bool,
    pub keeps_alive: bool,
    pub takes_trailers: bool,
}

impl Asked {
    pub fn by(head: &Head) -> Asked {
        Asked {
            is_head: head.request.method() == Method::HEAD,
            is_http_10: head.request.version() == Version::HTTP_10,
            keeps_alive: head.keeps_alive,
            takes_trailers: head.takes_trailers,
        }
    }
}

/// An answer whose head is written: what is left of its body.
#[derive(Debug)]
pub struct Answer {
    /// Dropped when it has ended, which records the call.
    body: Option<Body>,
    framing: Framing,
    /// Whether the connection may carry another request after it.
    keeps_alive: bool,
    progress: Progress,
}

#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked {
        /// Names of the trailers that were announced to a client that takes them.
        trailers: Vec<String>,
        /// Whether a long chunk's own line end is still to come.
        in_chunk: bool,
    },
    /// With the connection.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Going,
    Whole,
    /// It broke off.
    Cut,
}

impl Answer {
    /// Writes an answer's head. `now` may be a little old.
    pub fn begin(
        response: Response<Body>,
        asked: Asked,
        is_last: bool,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Answer {
        let (head, body) = response.into_parts();
        out.reserve(HEAD_BYTES_USUAL);
        status_line(out, head.status, head.extensions.get(), asked.is_http_10);
        let (mut closes, mut has_date) = (!asked.keeps_alive || is_last, false);
        let mut given_length = None;
        for (name, value) in &head.headers {
            match *name {
                CONNECTION => {
                    closes |= items(value).any(|item| item.eq_ignore_ascii_case("close"));
                    continue;
                }
                CONTENT_LENGTH => {
                    given_length = Some(value);
                    continue;
                }
                TRANSFER_ENCODING => continue,
                DATE => has_date = true,
                _ => {}
            }
            line(out, name.as_str(), value.as_bytes());
        }
        if !has_date {
            with_date(now, |date| line(out, DATE.as_str(), date.as_bytes()));
        }
        let length = HttpBody::size_hint(&body).exact();
        let has_no_body = matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        ) || head.status.is_informational();
        let framing = match (has_no_body || asked.is_head, length) {
            (true, _) => {
                match (asked.is_head && !has_no_body, given_length, length) {
                    (true, Some(given), _) => line(out, CONTENT_LENGTH.as_str(), given.as_bytes()),
                    (true, None, Some(bytes @ 1..)) => content_length(out, bytes),
                    _ => {}
                }
                Framing::Length(0)
            }
            (false, Some(bytes)) => {
                content_length(out, bytes);
                Framing::Length(bytes)
            }
            (false, None) if asked.is_http_10 => {
                closes = true;
                Framing::Close
            }
            (false, None) => {
                line(out, TRANSFER_ENCODING.as_str(), b"chunked");
                let trailers = match asked.takes_trailers {
                    true => announced(&head.headers),
                    false => Vec::new(),
                };
                let in_chunk = false;
                Framing::Chunked { trailers, in_chunk }
            }
        };
        match (closes, asked.is_http_10) {
            (true, _) => line(out, CONNECTION.as_str(), b"close"),
            (false, true) => line(out, CONNECTION.as_str(), b"keep-alive"),
            (false, false) => {}
        }
        out.extend_from_slice(b"\r\n");
        let (progress, body) = match framing {
            Framing::Length(0) => (Progress::Whole, None),
            _ => (Progress::Going, Some(body)),
        };
        Answer {
            body,
            framing,
            keeps_alive: !closes,
            progress,
        }
    }

    /// Gathers what there is of the body, up to what is to be written at once. Pending when the upstream
    /// has to send more of it first.
    pub fn poll_gather(&mut self, out: &mut Outgoing, context: &mut Context<'_>) -> Poll<()> {
        while self.progress == Progress::Going
            && out.long.is_empty()
            && out.short.len() < GATHERED_BYTES_MAX
        {
            let Some(body) = &mut self.body else { break };
            let frame = ready!(Pin::new(&mut *body).poll_frame(context));
            let is_last = HttpBody::is_end_stream(body);
            self.progress = self.take(frame, is_last, out);
        }
        if self.has_ended() {
            self.body = None;
        }
        Poll::Ready(())
    }

    fn take(
        &mut self,
        frame: Option<Result<Frame<Bytes>, Cut>>,
        is_last: bool,
        out: &mut Outgoing,
    ) -> Progress {
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Progress::Cut,
            None => return self.end(None, out),
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok(), out),
        };
        let is_short = data.len() <= COPIED_BYTES_MAX;
        let mut is_chunk = false;
        match &mut self.framing {
            Framing::Length(left) => match left.checked_sub(data.len() as u64) {
                Some(rest) => *left = rest,
                None => return Progress::Cut,
            },
            Framing::Chunked { in_chunk, .. } if !data.is_empty() => {
                if std::mem::replace(in_chunk, !is_short) {
                    out.short.extend_from_slice(b"\r\n");
                }
                chunk_size(&mut out.short, data.len());
                is_chunk = true;
            }
            Framing::Chunked { .. } | Framing::Close => {}
        }
        match is_short {
            true => out.short.extend_from_slice(&data),
            false => out.long = data,
        }
        if is_chunk && is_short {
            out.short.extend_from_slice(b"\r\n");
        }
        // What ends a body goes out with its last piece.
        match (is_last && is_short, &self.framing) {
            (true, _) => self.end(None, out),
            (false, Framing::Length(0)) => Progress::Whole,
            (false, _) => Progress::Going,
        }
    }

    fn end(&mut self, trailers: Option<HeaderMap>, out: &mut Outgoing) -> Progress {
        match &self.framing {
            Framing::Length(1..) => return Progress::Cut,
            Framing::Length(0) | Framing::Close => {}
            Framing::Chunked {
                trailers: announced,
                in_chunk,
            } => {
                if *in_chunk {
                    out.short.extend_from_slice(b"\r\n");
                }
                last_chunk(&mut out.short, trailers.as_ref(), announced);
            }
        }
        Progress::Whole
    }

    /// Whether nothing more comes of it.
    pub fn has_ended(&self) -> bool {
        self.progress != Progress::Going
    }

    /// Whether it is whole, once it has ended. A client must see that one is not, so its connection is cut.
    pub fn result(&self) -> io::Result<()> {
        match self.progress {
            Progress::Cut => Err(io::ErrorKind::ConnectionAborted.into()),
            Progress::Going | Progress::Whole => Ok(()),
        }
    }

    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }
}

fn status_line(
    out: &mut Vec<u8>,
    status: StatusCode,
    reason: Option<&ReasonPhrase>,
    is_http_10: bool,
) {
    out.extend_from_slice(match is_http_10 {
        true => b"HTTP/1.0 ",
        false => b"HTTP/1.1 ",
    });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let usual = || status.canonical_reason().unwrap_or("<none>").as_bytes();
    out.extend_from_slice(reason.map_or_else(usual, |reason| &reason.0));
    out.extend_from_slice(b"\r\n");
}

fn content_length(out: &mut Vec<u8>, bytes: u64) {
    let mut digits = itoa::Buffer::new();
    line(
        out,
        CONTENT_LENGTH.as_str(),
        digits.format(bytes).as_bytes(),
    );
}

fn announced(headers: &HeaderMap) -> Vec<String> {
    let may_follow = |name: &HeaderName| {
        ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, TRAILER].contains(name)
    };
    names(headers, &TRAILER)
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .filter(may_follow)
        .map(|name| name.as_str().to_owned())
        .collect()
}
