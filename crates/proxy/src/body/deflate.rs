//! An answer's body into a content coding as it streams, once it is known to be large enough.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body::{Frame, SizeHint};

use super::inflate::Coding;
use super::{Body, Content, Cut};

/// Of a body that does not tell its length, at most so many bytes are waited for: one that has more of
/// them counts as large, whatever the least size is.
const WAITED_BYTES_MAX: u64 = 64 * 1024;
/// Compressed bytes that go out together while more is at hand.
const PIECE_BYTES: usize = 16 * 1024;

/// A body of which the beginning has been read.
#[derive(Debug)]
pub(super) struct Begun {
    frames: VecDeque<Result<Frame<Bytes>, Cut>>,
    rest: Content,
}

/// A body that is compressed as it is read.
#[derive(Debug)]
pub(super) struct Deflated {
    source: Content,
    encoder: Option<Encoder>,
    /// What was put in has not all come out.
    holds_back: bool,
    trailers: Option<Frame<Bytes>>,
}

#[derive(Debug)]
enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
}

impl Body {
    /// Whether it has at least so many bytes. One that does not tell is read until that is known.
    pub async fn has_at_least(&mut self, bytes: u64) -> bool {
        if let Some(exact) = self.content.size_hint().exact() {
            return exact >= bytes;
        }
        let enough = bytes.min(WAITED_BYTES_MAX);
        let mut begun = Begun {
            frames: VecDeque::new(),
            rest: std::mem::take(&mut self.content),
        };
        let mut seen = 0;
        while seen < enough {
            let next = std::future::poll_fn(|context| begun.rest.poll_frame(context)).await;
            let Some(frame) = next else { break };
            let is_last = frame.is_err();
            if let Ok(frame) = &frame {
                seen += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            begun.frames.push_back(frame);
            if is_last {
                break;
            }
        }
        self.content = Content::Begun(Box::new(begun));
        seen >= enough
    }

    /// Compresses what is still to come.
    pub fn deflate(&mut self, coding: Coding) {
        let level = Compression::fast();
        let encoder = match coding {
            Coding::Gzip => Encoder::Gzip(GzEncoder::new(Vec::new(), level)),
            Coding::Deflate => Encoder::Deflate(ZlibEncoder::new(Vec::new(), level)),
        };
        let source = std::mem::take(&mut self.content);
        self.content = Content::Deflated(Box::new(Deflated {
            source,
            encoder: Some(encoder),
            holds_back: false,
            trailers: None,
        }));
    }
}

impl Begun {
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => self.rest.poll_frame(context),
        }
    }

    pub fn is_at_end(&self) -> bool {
        self.frames.is_empty() && self.rest.is_at_end()
    }

    pub fn size_hint(&self) -> SizeHint {
        let data = |frame: &Result<Frame<Bytes>, Cut>| {
            let data = frame.as_ref().ok().and_then(Frame::data_ref);
            data.map(|data| data.len() as u64)
        };
        let begun: Option<u64> = self.frames.iter().map(data).sum();
        match (begun, self.rest.size_hint().exact()) {
            (Some(begun), Some(rest)) => SizeHint::with_exact(begun + rest),
            _ => SizeHint::default(),
        }
    }
}

impl Deflated {
    pub fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        while let Some(encoder) = &mut self.encoder {
            let frame = match self.source.poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending if self.holds_back => {
                    // Nobody waits for what the source has given while it gives no more.
                    encoder.flush();
                    self.holds_back = false;
                    return Poll::Ready(Some(Ok(encoder.taken())));
                }
                Poll::Pending => return Poll::Pending,
            };
            match frame {
                Some(Err(cut)) => {
                    self.encoder = None;
                    return Poll::Ready(Some(Err(cut)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        encoder.put(&data);
                        self.holds_back = true;
                        if encoder.bytes() >= PIECE_BYTES {
                            return Poll::Ready(Some(Ok(encoder.taken())));
                        }
                    }
                    Err(trailers) => self.trailers = Some(trailers),
                },
                None => {
                    let last = self.encoder.take().map(Encoder::finish);
                    return Poll::Ready(last.map(|bytes| Ok(Frame::data(bytes))));
                }
            }
        }
        Poll::Ready(self.trailers.take().map(Ok))
    }

    pub fn is_at_end(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}

/// Writing to memory cannot fail.
impl Encoder {
    fn put(&mut self, bytes: &[u8]) {
        let _ = match self {
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
            Encoder::Deflate(encoder) => encoder.write_all(bytes),
        };
    }

    fn flush(&mut self) {
        let _: io::Result<()> = match self {
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Deflate(encoder) => encoder.flush(),
        };
    }

    fn output(&mut self) -> &mut Vec<u8> {
        match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Deflate(encoder) => encoder.get_mut(),
        }
    }

    fn bytes(&mut self) -> usize {
        self.output().len()
    }

    fn taken(&mut self) -> Frame<Bytes> {
        Frame::data(std::mem::take(self.output()).into())
    }

    fn finish(self) -> Bytes {
        let finished = match self {
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Deflate(encoder) => encoder.finish(),
        };
        finished.unwrap_or_default().into()
    }
}
