//! Bodies on their way through: a client's, bounded and watched to its end; an answer's, streamed.

mod deflate;
pub mod inflate;
pub mod room;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::access_log::Entry;
use crate::gateway_response::{BadRequest, Refused};
use crate::net::exchange::Unanswered;
use crate::net::http1::CallerBody;
use crate::net::http2::body::StreamBody;
use crate::net::stall::Stall;
use crate::net::upstream::{Lease, Relayed};

use self::deflate::{Begun, Deflated};
use self::inflate::{Coding, Inflater, Undecodable};
use self::room::{Room, Taken};

/// What became of a client's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    Streaming,
    /// Handed on to its last byte.
    Complete,
    TooLarge,
    TooSlow,
    /// Not framed as it says, or ended early.
    Broken,
    /// Not in the content coding that it is said to be in.
    Garbled,
}

impl Fate {
    /// What its sender is told when the body is why a call failed. `bytes_max` is how large it might be.
    pub fn refusal(self, bytes_max: u64) -> Option<Refused> {
        match self {
            Fate::TooLarge => Some(Refused::RequestTooLarge { bytes_max }),
            Fate::TooSlow => Some(Refused::SlowBody),
            Fate::Broken => Some(Refused::BadRequest(BadRequest::Body)),
            Fate::Garbled => Some(Refused::UnsupportedMediaType),
            Fate::Streaming | Fate::Complete => None,
        }
    }
}

/// A body's fate, known to those who sent it on.
#[derive(Debug, Default)]
pub struct FateOf {
    fate: AtomicU8,
    bytes: AtomicU64,
    ended: OnceLock<Instant>,
}

impl FateOf {
    pub(crate) fn set(&self, fate: Fate) {
        self.ended.get_or_init(Instant::now);
        self.fate.store(fate as u8, Ordering::Release);
    }

    pub fn get(&self) -> Fate {
        const ALL: [Fate; 6] = [
            Fate::Streaming,
            Fate::Complete,
            Fate::TooLarge,
            Fate::TooSlow,
            Fate::Broken,
            Fate::Garbled,
        ];
        let number = usize::from(self.fate.load(Ordering::Acquire));
        ALL.get(number).copied().unwrap_or(Fate::Broken)
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes handed on so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// When it ended, if it did.
    pub fn ended(&self) -> Option<Instant> {
        self.ended.get().copied()
    }
}

/// A client's body. It errs as soon as it is larger than allowed, so that what it was sent to never
/// takes a part of it for the whole.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Source>,
    bytes_max: u64,
    bytes_left: u64,
    fate: Option<Arc<FateOf>>,
    /// Taken and put back.
    unsent: Option<Bytes>,
}

#[derive(Debug)]
enum Source {
    Http1(CallerBody),
    Http2(Box<StreamBody>),
    Inflated(Box<Inflated>),
    /// It was read whole before it goes on.
    Whole(
        Bytes,
        #[expect(dead_code, reason = "held until the body has gone on")] Taken,
    ),
}

/// A body that comes in a content coding.
#[derive(Debug)]
struct Inflated {
    coded: Source,
    inflater: Inflater,
    is_at_end: bool,
}

impl Inflated {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fate>>> {
        let fate = |undecodable| match undecodable {
            Undecodable::Garbled => Fate::Garbled,
            Undecodable::TooLarge => Fate::TooLarge,
        };
        loop {
            match self.inflater.give().map_err(fate)? {
                Some(piece) if !piece.is_empty() => {
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Some(_) => {}
                None => {
                    self.is_at_end = true;
                    return Poll::Ready(None);
                }
            }
            match ready!(self.coded.poll_frame(context)?) {
                None => self.inflater.end(),
                // Trailers are about the body as it came.
                Some(frame) => match frame.into_data() {
                    Ok(piece) => self.inflater.take(piece).map_err(fate)?,
                    Err(_) => self.inflater.end(),
                },
            }
        }
    }
}

impl Source {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fate>>> {
        match self {
            Source::Http1(body) => body.poll_frame(context),
            Source::Http2(stream) => Pin::new(stream).poll_frame(context),
            Source::Inflated(inflated) => inflated.poll_frame(context),
            Source::Whole(bytes, _) => {
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(std::mem::take(bytes)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Source::Http1(body) => body.is_end_stream(),
            Source::Http2(stream) => stream.is_end_stream(),
            Source::Inflated(inflated) => inflated.is_at_end,
            Source::Whole(bytes, _) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Source::Http1(body) => body.size_hint(),
            Source::Http2(stream) => stream.size_hint(),
            Source::Inflated(_) => SizeHint::default(),
            Source::Whole(bytes, _) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

/// Why a client's body ended before its end.
#[derive(Debug, thiserror::Error)]
#[error("the request's body was given up: {0:?}")]
pub struct GivenUp(Fate);

impl RequestBody {
    /// The body that comes on an HTTP/1 connection, if the request has one.
    pub fn of_caller(body: Option<CallerBody>, bytes_max: u64) -> Self {
        RequestBody::from(body.map(Source::Http1), bytes_max)
    }

    /// The body that comes on an HTTP/2 stream; none when the request's head was its end.
    pub fn of_stream(stream: Option<StreamBody>, bytes_max: u64) -> Self {
        RequestBody::from(
            stream.map(|stream| Source::Http2(Box::new(stream))),
            bytes_max,
        )
    }

    fn from(incoming: Option<Source>, bytes_max: u64) -> Self {
        RequestBody {
            incoming,
            bytes_max,
            bytes_left: bytes_max,
            fate: None,
            unsent: None,
        }
    }

    pub fn empty() -> Self {
        RequestBody {
            incoming: None,
            bytes_max: 0,
            bytes_left: 0,
            fate: None,
            unsent: None,
        }
    }

    /// One that is here whole.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn whole(bytes: Bytes, room: &Arc<Room>) -> Result<Self, Refused> {
        let bytes_max = bytes.len() as u64;
        let mut taken = room.enter();
        match taken.more(bytes_max) {
            true => {
                let source = (!bytes.is_empty()).then(|| Source::Whole(bytes, taken));
                Ok(RequestBody::from(source, bytes_max))
            }
            false => Err(Refused::NoRoom),
        }
    }

    /// How large it may be.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Its fate from now on; none when there is nothing to send.
    pub fn watch(&mut self) -> Option<Arc<FateOf>> {
        if HttpBody::is_end_stream(self) {
            return None;
        }
        let fate = Arc::new(FateOf::default());
        self.fate = Some(Arc::clone(&fate));
        Some(fate)
    }

    /// Whether it comes in chunks, without a length known beforehand.
    pub fn is_chunked(&self) -> bool {
        let has_length = HttpBody::size_hint(self).exact().is_some();
        !has_length && self.incoming.is_some()
    }

    /// Reads it to its end where it is sent nowhere, so that it is held to the same rules, and keeps at
    /// most so many of its first bytes. What comes too slowly ends at the client's socket.
    pub async fn read(mut self, kept_bytes_max: usize) -> Result<Vec<u8>, Refused> {
        let mut kept = Vec::new();
        while let Some(frame) = self.frame().await {
            let frame = frame.map_err(|GivenUp(fate)| {
                let refusal = fate.refusal(self.bytes_max);
                refusal.unwrap_or(Refused::BadRequest(BadRequest::Body))
            })?;
            if let Some(data) = frame.data_ref() {
                let run = data.len().min(kept_bytes_max - kept.len());
                kept.extend_from_slice(&data[..run]);
            }
        }
        Ok(kept)
    }

    /// Reads it whole, so that it can be looked at before it goes on: afterwards it is a body of known
    /// length that has just come. Trailers are not kept. Whoever calls this again gets the same bytes.
    pub async fn gather(&mut self, room: &Arc<Room>) -> Result<Bytes, Refused> {
        if let Some(Source::Whole(bytes, _)) = &self.incoming {
            return Ok(bytes.clone());
        }
        let mut taken = room.enter();
        let mut pieces: Vec<Bytes> = Vec::new();
        while let Some(frame) = self.frame().await {
            let frame = frame.map_err(|GivenUp(fate)| {
                let refusal = fate.refusal(self.bytes_max);
                refusal.unwrap_or(Refused::BadRequest(BadRequest::Body))
            })?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            if !taken.more(piece.len() as u64) {
                self.incoming = None;
                return Err(Refused::NoRoom);
            }
            pieces.push(piece);
        }
        let bytes: Bytes = match &mut pieces[..] {
            [one] => std::mem::take(one),
            several => several.concat().into(),
        };
        self.bytes_left = self.bytes_max;
        self.incoming = (!bytes.is_empty()).then(|| Source::Whole(bytes.clone(), taken));
        Ok(bytes)
    }

    /// Takes it out of its content coding as it is read; the most bytes it may have hold for both.
    pub fn inflate(&mut self, coding: Coding) {
        self.incoming = self.incoming.take().map(|coded| {
            Source::Inflated(Box::new(Inflated {
                coded,
                inflater: Inflater::new(coding, self.bytes_max),
                is_at_end: false,
            }))
        });
    }

    /// Puts the first piece back after it was taken for an upstream that never saw it.
    pub fn put_back(&mut self, data: Bytes) {
        self.unsent = Some(data).filter(|data| !data.is_empty());
    }

    fn end(&mut self, fate: Fate) {
        if let Some(own) = &self.fate {
            own.set(fate);
        }
    }

    fn give_up(&mut self, fate: Fate) -> GivenUp {
        self.incoming = None;
        self.end(fate);
        GivenUp(fate)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let this = self.get_mut();
        if let Some(data) = this.unsent.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        let frame = match ready!(incoming.poll_frame(context)) {
            None => {
                this.end(Fate::Complete);
                return Poll::Ready(None);
            }
            Some(Err(fate)) => return Poll::Ready(Some(Err(this.give_up(fate)))),
            Some(Ok(frame)) => frame,
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        let is_last = frame.is_trailers() || incoming.is_end_stream();
        let Some(left) = this.bytes_left.checked_sub(bytes) else {
            return Poll::Ready(Some(Err(this.give_up(Fate::TooLarge))));
        };
        this.bytes_left = left;
        if let Some(fate) = &this.fate {
            fate.advance(bytes);
        }
        if is_last {
            this.end(Fate::Complete);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.unsent.is_none() && self.incoming.as_ref().is_none_or(Source::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let unsent = self.unsent.as_ref().map_or(0, |data| data.len() as u64);
        let hint = self
            .incoming
            .as_ref()
            .map_or(SizeHint::with_exact(0), Source::size_hint);
        match hint.exact() {
            Some(bytes) => SizeHint::with_exact(bytes + unsent),
            None => hint,
        }
    }
}

/// An answer's body, with the record of its call, which is written when the body ends or is dropped.
#[derive(Debug, Default)]
pub struct Body {
    content: Content,
    entry: Option<Box<Entry>>,
}

#[derive(Debug, Default)]
enum Content {
    #[default]
    Empty,
    Full(Bytes),
    Upstream(Box<UpstreamBody>),
    Begun(Box<Begun>),
    Deflated(Box<Deflated>),
}

impl Content {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Content::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Upstream(body) => body.poll_frame(context),
            Content::Begun(body) => body.poll_frame(context),
            Content::Deflated(body) => body.poll_frame(context),
        }
    }

    fn is_at_end(&self) -> bool {
        match self {
            Content::Empty => true,
            Content::Full(_) => false,
            Content::Upstream(body) => body.is_at_end(),
            Content::Begun(body) => body.is_at_end(),
            Content::Deflated(body) => body.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream(body) => body
                .bytes_left()
                .map_or(SizeHint::default(), SizeHint::with_exact),
            Content::Begun(body) => body.size_hint(),
            Content::Deflated(_) => SizeHint::default(),
        }
    }
}

/// Why an answer's body ended before its end. The connection is then cut, so that the client sees it.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    #[error("the upstream's answer broke off")]
    Upstream(#[source] Unanswered),
    #[error("the upstream's answer did not go on")]
    Stalled,
}

impl Body {
    pub fn empty() -> Self {
        Body::default()
    }

    pub fn full(bytes: Bytes) -> Self {
        match bytes.is_empty() {
            true => Body::default(),
            false => Body {
                content: Content::Full(bytes),
                entry: None,
            },
        }
    }

    /// An upstream's body, on a connection that is given back when the body has come to its end.
    pub fn upstream(body: UpstreamBody) -> Self {
        match body.is_at_end() {
            true => Body::default(), // dropped here, which gives the connection back
            false => Body {
                content: Content::Upstream(Box::new(body)),
                entry: None,
            },
        }
    }

    pub fn with_entry(mut self, entry: Box<Entry>) -> Self {
        self.entry = Some(entry);
        self
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        let frame = ready!(this.content.poll_frame(context));
        if let Some(entry) = &mut this.entry {
            match &frame {
                Some(Ok(frame)) => entry.sent(frame.data_ref().map_or(0, Bytes::len)),
                Some(Err(_)) => entry.cut(),
                None => {}
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let is_complete = HttpBody::is_end_stream(self);
        if let Some(entry) = &mut self.entry
            && !is_complete
        {
            entry.unfinished();
        }
    }
}

/// Why an answer's body could not be read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    TooLarge,
    Broken,
    Stalled,
    NoRoom,
}

/// A body on its way from an upstream, and the connection it comes on, which is given back when the
/// body has come to its end.
#[derive(Debug)]
pub struct UpstreamBody {
    source: AnswerSource,
    stall: Stall,
    /// Until more of it comes.
    patience: Duration,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the body it is in is boxed")]
enum AnswerSource {
    Ended,
    Lease(Lease),
    /// The request is still being sent: that must go on also while nobody takes the answer.
    Relayed(Relayed),
    /// It broke off, which is told when what came before has had its chance to go out.
    Broken(Unanswered),
}

impl UpstreamBody {
    pub fn new(lease: Lease, patience: Duration) -> Self {
        let source = match (lease.has_ended(), lease.is_sending()) {
            (true, _) => {
                lease.give_back();
                AnswerSource::Ended
            }
            (false, true) => AnswerSource::Relayed(lease.relay()),
            (false, false) => AnswerSource::Lease(lease),
        };
        UpstreamBody {
            source,
            stall: Stall::default(),
            patience,
        }
    }

    /// Reads it to its end.
    pub async fn read(mut self, bytes_max: u64, room: &Arc<Room>) -> Result<Bytes, ReadError> {
        let mut taken = room.enter();
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut bytes_left = bytes_max;
        while let Some(frame) = poll_fn(|context| self.poll_frame(context)).await {
            let frame = frame.map_err(|cut| match cut {
                Cut::Upstream(_) => ReadError::Broken,
                Cut::Stalled => ReadError::Stalled,
            })?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            let left = bytes_left.checked_sub(piece.len() as u64);
            bytes_left = left.ok_or(ReadError::TooLarge)?;
            if !taken.more(piece.len() as u64) {
                return Err(ReadError::NoRoom);
            }
            pieces.push(piece);
        }
        Ok(match &mut pieces[..] {
            [one] => std::mem::take(one),
            several => several.concat().into(),
        })
    }

    fn is_at_end(&self) -> bool {
        matches!(self.source, AnswerSource::Ended)
    }

    /// Bytes that are still to come, when that is known.
    fn bytes_left(&self) -> Option<u64> {
        match &self.source {
            AnswerSource::Ended => Some(0),
            AnswerSource::Lease(lease) => lease.bytes_left(),
            AnswerSource::Relayed(relayed) => relayed.bytes_left(),
            AnswerSource::Broken(_) => None,
        }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let polled = match &mut self.source {
            AnswerSource::Ended => return Poll::Ready(None),
            AnswerSource::Lease(lease) => lease.poll_frame(context),
            AnswerSource::Relayed(relayed) => relayed.poll_frame(context),
            AnswerSource::Broken(_) => {
                let AnswerSource::Broken(error) =
                    std::mem::replace(&mut self.source, AnswerSource::Ended)
                else {
                    return Poll::Ready(None);
                };
                return Poll::Ready(Some(Err(Cut::Upstream(error))));
            }
        };
        let Poll::Ready(next) = polled else {
            ready!(self.stall.poll(self.patience, context));
            self.source = AnswerSource::Ended;
            return Poll::Ready(Some(Err(Cut::Stalled)));
        };
        self.stall.over();
        match next {
            Some(Err(error)) => {
                // HTTP/2 drops what it has not written when a stream is reset, and writes when it has to wait.
                self.source = AnswerSource::Broken(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Ok(frame)) => {
                self.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                self.give_back_at_end();
                self.source = AnswerSource::Ended;
                Poll::Ready(None)
            }
        }
    }

    fn give_back_at_end(&mut self) {
        if matches!(&self.source, AnswerSource::Lease(lease) if lease.has_ended())
            && let AnswerSource::Lease(lease) =
                std::mem::replace(&mut self.source, AnswerSource::Ended)
        {
            lease.give_back();
        }
    }
}
