//! One call on one connection to an upstream, in HTTP/1.1, driven by the call's own task.
//!
//! There is no task of the connection's and no channel to it: a third of a proxied call's time went
//! there. What is dropped is closed, so a call that is cut takes its connection with it.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body::{Body, Frame};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::answer_head::{self, AnswerHead, BadAnswer, Framing};
use super::chunked::Piece;
use super::headers::{self, Returned};
use super::request_head::{self, BodyFraming, Outbound};
use super::scratch;
use super::socket::Socket;

/// As much as is read of a large body at once, and room there is at least for it. Smaller reads wake the client more often:
/// with 64 KiB a body of 1 MiB costs a third more.
const READ_BYTES_LARGE: usize = 256 * 1024;
const READ_BYTES_LARGE_MIN: usize = 64 * 1024;
/// Interim answers (1xx) before the final one.
const INTERIM_ANSWERS_MAX: u32 = 16;

/// A connection to an upstream.
pub struct Wire {
    socket: Socket,
    /// Read and not yet taken.
    read: BytesMut,
    /// To be written, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// Whether a byte of the present call was.
    has_written: bool,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error("the connection failed: {0}")]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Answer(#[from] BadAnswer),
    #[error("too many interim answers")]
    Interim,
    #[error("the request's body was given up")]
    Request,
}

impl Unanswered {
    /// The connection came to its end too early.
    pub fn ended() -> Unanswered {
        Unanswered::Socket(closed())
    }
}

impl Wire {
    pub fn new(socket: Socket) -> Wire {
        Wire {
            socket,
            read: BytesMut::new(),
            out: Vec::new(),
            written: 0,
            has_written: false,
        }
    }

    /// Whether a connection that waits for a call is good: open, and nothing came unasked.
    pub fn is_quiet(&mut self) -> bool {
        self.read.is_empty() && self.socket.is_quiet()
    }

    /// Sends a request, taking it, and waits for the head of its answer. When that fails and no byte
    /// was written, the request is put back, what was taken of its body too.
    pub async fn call(
        &mut self,
        request: &mut Option<Box<Outbound>>,
    ) -> Result<(Response<()>, Exchange), Unanswered> {
        let Some(taken) = request.take() else {
            return Err(Unanswered::Request);
        };
        self.out.clear();
        if self.out.capacity() == 0 {
            self.out = scratch::to_write();
        }
        (self.written, self.has_written) = (0, false);
        let framing = request_head::write(&mut self.out, &taken);
        let is_head = taken.method == Method::HEAD;
        let mut sending = Some(Sending::new(taken, framing));
        let mut searched = 0;
        let mut interim = 0;
        let answered = std::future::poll_fn(|context| {
            loop {
                if let Some(own) = &mut sending
                    && let Poll::Ready(sent) = own.poll(self, context)
                {
                    match sent {
                        Ok(()) => sending = None,
                        Err(Unanswered::Request) => return Poll::Ready(Err(Unanswered::Request)),
                        // It may have answered before it stopped reading.
                        Err(error) if !self.has_written => return Poll::Ready(Err(error)),
                        Err(_) => own.fail(),
                    }
                }
                match answer_head::take(&mut self.read, &mut searched, is_head) {
                    Ok(Some(head)) if head.response.status().is_informational() => {
                        interim += 1;
                        if interim > INTERIM_ANSWERS_MAX {
                            return Poll::Ready(Err(Unanswered::Interim));
                        }
                        continue;
                    }
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
                if ready!(self.poll_read(context))? == 0 {
                    return Poll::Ready(Err(Unanswered::Socket(closed())));
                }
            }
        });
        match answered.await {
            Ok(AnswerHead {
                response,
                framing,
                keeps_alive,
                idle,
            }) => Ok((
                response,
                Exchange {
                    sending,
                    idle,
                    ..Exchange::receiving(framing, keeps_alive)
                },
            )),
            Err(error) => {
                if !self.has_written {
                    *request = sending.and_then(Sending::unsent);
                }
                Err(error)
            }
        }
    }

    /// A connection that waits for a call keeps no buffers.
    pub fn rest(&mut self) {
        self.read = BytesMut::new();
        self.out = Vec::new();
    }

    /// Reads more; 0 at the end.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        scratch::reading(|room| {
            let bytes = ready!(self.socket.poll_read_into(context, room))?;
            match self.read.is_empty() {
                true => self.read = BytesMut::from(&room[..bytes]),
                false => self.read.extend_from_slice(&room[..bytes]),
            }
            Poll::Ready(Ok(bytes))
        })
    }

    /// The same for a large body, which is not copied.
    fn poll_read_large(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < READ_BYTES_LARGE_MIN {
            self.read.reserve(READ_BYTES_LARGE);
        }
        pin!(self.socket.read_buf(&mut self.read)).poll(context)
    }

    /// Writes what is to be written, and the data after it.
    fn poll_write(&mut self, data: &mut Bytes, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Wire {
            socket,
            out,
            written,
            has_written,
            ..
        } = self;
        loop {
            let rest = out.len() - *written;
            if rest == 0 && *written > 0 {
                scratch::written(std::mem::take(out));
                *written = 0;
            }
            if rest == 0 && data.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let socket = Pin::new(&mut *socket);
            let polled = match (rest, data.is_empty()) {
                (0, _) => socket.poll_write(context, data),
                (_, true) => socket.poll_write(context, &out[*written..]),
                (_, false) => {
                    let slices = [IoSlice::new(&out[*written..]), IoSlice::new(data)];
                    socket.poll_write_vectored(context, &slices)
                }
            };
            let bytes = ready!(polled)?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *has_written = true;
            *written += bytes.min(rest);
            data.advance(bytes.saturating_sub(rest));
        }
    }
}

fn closed() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// A request on its way to the upstream.
#[derive(Debug)]
struct Sending {
    /// Its head is in the wire's buffer. None when its body was given up.
    request: Option<Box<Outbound>>,
    has_ended: bool,
    framing: BodyFraming,
    /// Of the body, not written yet.
    data: Bytes,
    /// Whether a chunk's own line end is still to come.
    in_chunk: bool,
    has_begun: bool,
}

impl Sending {
    fn new(request: Box<Outbound>, framing: BodyFraming) -> Sending {
        Sending {
            request: Some(request),
            has_ended: false,
            framing,
            data: Bytes::new(),
            in_chunk: false,
            has_begun: false,
        }
    }

    /// The upstream takes no more of it.
    fn fail(&mut self) {
        self.request = None;
    }

    /// The request as it was before, if what was taken of its body is still here whole. Nothing of it
    /// may have been written.
    fn unsent(self) -> Option<Box<Outbound>> {
        let mut request = self.request?;
        match self.has_begun {
            false => Some(request),
            true if self.data.is_empty() => None, // trailers were taken
            true => {
                request.body.put_back(self.data);
                Some(request)
            }
        }
    }

    /// Sends on; ready when all is written, or nothing more can be.
    fn poll(&mut self, wire: &mut Wire, context: &mut Context<'_>) -> Poll<Result<(), Unanswered>> {
        if self.request.is_none() {
            return Poll::Pending;
        }
        loop {
            let waits = self.data.is_empty() && self.fill(wire, context)?.is_pending();
            ready!(wire.poll_write(&mut self.data, context))?;
            if self.in_chunk {
                wire.out.extend_from_slice(b"\r\n");
                self.in_chunk = false;
            }
            if waits {
                let _ = Pin::new(&mut wire.socket).poll_flush(context)?; // TLS holds bytes back
                return Poll::Pending;
            }
            if self.has_ended && self.data.is_empty() && wire.out.is_empty() {
                return Pin::new(&mut wire.socket)
                    .poll_flush(context)
                    .map_err(Unanswered::Socket);
            }
        }
    }

    /// Takes the body's next piece, with its framing. Pending when the client has to send it first.
    fn fill(&mut self, wire: &mut Wire, context: &mut Context<'_>) -> Result<Poll<()>, Unanswered> {
        let Some(request) = self.request.as_mut().filter(|_| !self.has_ended) else {
            return Ok(Poll::Ready(()));
        };
        let body = &mut request.body;
        let frame = match body.is_end_stream() {
            true => None,
            false => match Pin::new(body).poll_frame(context) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(frame) => frame,
            },
        };
        self.has_begun |= frame.is_some();
        let trailers = match frame {
            Some(Err(_)) => return Err(Unanswered::Request),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() => return Ok(Poll::Ready(())),
                Ok(data) => {
                    if let BodyFraming::Chunked { .. } = self.framing {
                        request_head::chunk_size(&mut wire.out, data.len());
                        self.in_chunk = true;
                    }
                    self.data = data;
                    return Ok(Poll::Ready(()));
                }
                Err(frame) => frame.into_trailers().ok(),
            },
            None => None,
        };
        if let BodyFraming::Chunked {
            trailers: announced,
        } = &self.framing
        {
            request_head::last_chunk(&mut wire.out, trailers.as_ref(), announced);
        }
        self.has_ended = true;
        Ok(Poll::Ready(()))
    }
}

/// A call whose answer has begun: what is left of both bodies. It goes with its wire.
#[derive(Debug)]
pub struct Exchange {
    sending: Option<Sending>,
    framing: Framing,
    keeps_alive: bool,
    /// For how long the wire may wait for its next call, when the upstream told.
    idle: Option<Duration>,
    /// Lines of the trailer section.
    trailers: Vec<u8>,
    has_ended: bool,
}

impl Exchange {
    /// A call whose request is whole, after the head of its answer.
    pub fn receiving(framing: Framing, keeps_alive: bool) -> Exchange {
        Exchange {
            sending: None,
            framing,
            keeps_alive,
            idle: None,
            trailers: Vec::new(),
            has_ended: matches!(framing, Framing::Length(0)),
        }
    }

    /// Whether the answer is whole.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// For how long the wire may wait for its next call, when the upstream told.
    pub fn idle(&self) -> Option<Duration> {
        self.idle
    }

    /// Whether the wire may carry another call: both messages are whole and nothing follows them.
    pub fn leaves_usable(&self, wire: &Wire) -> bool {
        self.has_ended && self.sending.is_none() && self.keeps_alive && wire.read.is_empty()
    }

    /// Bytes that are still to come, when that is known.
    pub fn bytes_left(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(left) => Some(left),
            Framing::Chunked(_) if self.has_ended => Some(0),
            _ => None,
        }
    }

    /// Whether the request is not sent whole yet.
    pub fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Sends on what is left of the request.
    pub fn poll_sending(&mut self, wire: &mut Wire, context: &mut Context<'_>) {
        if let Some(sending) = &mut self.sending
            && let Poll::Ready(sent) = sending.poll(wire, context)
        {
            match sent {
                Ok(()) => self.sending = None,
                Err(_) => sending.fail(), // the answer may be whole all the same
            }
        }
    }

    /// The next piece of the answer's body; none at its end.
    pub fn poll_frame(
        &mut self,
        wire: &mut Wire,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unanswered>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.poll_sending(wire, context);
        loop {
            match self.take(&mut wire.read) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if self.has_ended => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
            let polled = match self.bytes_left() {
                Some(left) if left <= scratch::READ_BYTES as u64 => wire.poll_read(context),
                _ => wire.poll_read_large(context),
            };
            match ready!(polled) {
                Ok(0) if matches!(self.framing, Framing::Close) => {
                    self.has_ended = true;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(closed().into()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// The next piece of the body in what was read of it, taking that; none when there is no more.
    pub fn take(&mut self, read: &mut BytesMut) -> Result<Option<Frame<Bytes>>, BadAnswer> {
        match &mut self.framing {
            Framing::Length(left) => {
                let run = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                *left -= run as u64;
                self.has_ended = *left == 0;
                Ok((run > 0).then(|| Frame::data(read.split_to(run).freeze())))
            }
            Framing::Close => {
                let run = read.len();
                Ok((run > 0).then(|| Frame::data(read.split_to(run).freeze())))
            }
            Framing::Chunked(state) => loop {
                if read.is_empty() {
                    return Ok(None);
                }
                let in_trailers = state.in_trailers();
                match state
                    .upstream_piece(read)
                    .map_err(|_| BadAnswer::Malformed)?
                {
                    Piece::Data(run) => {
                        return Ok(Some(Frame::data(read.split_to(run).freeze())));
                    }
                    Piece::Framing(run) => {
                        if in_trailers {
                            self.trailers.extend_from_slice(&read[..run]);
                        }
                        read.advance(run);
                    }
                    Piece::End(run) => {
                        self.trailers.extend_from_slice(&read[..run]);
                        read.advance(run);
                        self.has_ended = true;
                        let trailers = trailers(&self.trailers)?;
                        return Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
                    }
                }
            },
        }
    }
}

fn trailers(lines: &[u8]) -> Result<HeaderMap, BadAnswer> {
    let mut parsed = [httparse::EMPTY_HEADER; answer_head::ANSWER_HEADERS_MAX];
    let status = httparse::parse_headers(lines, &mut parsed).map_err(|_| BadAnswer::Malformed)?;
    let httparse::Status::Complete((_, parsed)) = status else {
        return Err(BadAnswer::Malformed);
    };
    let mut trailers = HeaderMap::new();
    for line in parsed {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        let value = HeaderValue::from_bytes(line.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(BadAnswer::Malformed);
        };
        if headers::returned(&name) == Returned::Same && headers::named(name.as_str()).is_some() {
            trailers.append(name, value);
        }
    }
    Ok(trailers)
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
