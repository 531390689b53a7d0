//! A client's body as it comes on an HTTP/2 stream, with the same patience as on HTTP/1.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};

use crate::body::Fate;
use crate::net::pace::{Patience, ReadPace};

/// The body of one request. Its sender is granted room for more only as it is read.
#[derive(Debug)]
pub struct StreamBody {
    stream: RecvStream,
    /// As the client says; the h2 crate holds it to that.
    length: Option<u64>,
    patience: Patience,
    reading: ReadPace,
    bytes: u64,
    has_data: bool,
    has_ended: bool,
}

impl StreamBody {
    pub fn new(stream: RecvStream, length: Option<u64>, patience: Patience) -> StreamBody {
        StreamBody {
            has_data: true,
            has_ended: stream.is_end_stream(),
            stream,
            length,
            patience,
            reading: ReadPace::default(),
            bytes: 0,
        }
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if self.has_data {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    self.stream.flow_control().release_capacity(data.len())?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.has_data = false,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context))?;
        self.has_ended = true;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Fate;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fate>>> {
        let this = self.get_mut();
        if this.has_ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(next) = this.poll_next(context) else {
            ready!(this.reading.poll_stuck(&this.patience, context));
            return Poll::Ready(Some(Err(Fate::TooSlow)));
        };
        let bytes = match &next {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        this.bytes += bytes as u64;
        let is_fast_enough = this.reading.brings(bytes, &this.patience);
        Poll::Ready(match next {
            None => None,
            Some(Err(_)) => Some(Err(Fate::Broken)),
            Some(Ok(_)) if !is_fast_enough => Some(Err(Fate::TooSlow)),
            Some(Ok(frame)) => Some(Ok(frame)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.bytes)),
            None if self.is_end_stream() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }
}
