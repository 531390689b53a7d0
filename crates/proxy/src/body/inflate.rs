//! A client's body out of its content coding: gzip or deflate, bounded in what goes in and what comes out.

use std::collections::VecDeque;
use std::io::{self, Write};

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status, write::MultiGzDecoder};

/// Bytes that are decoded at a time; a thousand times as many can come of them.
const STEP_BYTES: usize = 1024;
/// Bytes by which an output grows at a time.
const OUTPUT_BYTES: usize = 16 * 1024;

/// A content coding that requests may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
}

/// What is wrong with coded bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// They are not in the coding they are said to be in.
    Garbled,
    /// More would come of them than is allowed.
    TooLarge,
}

/// Decodes a body piece by piece.
#[derive(Debug)]
pub struct Inflater {
    decoder: Decoder,
    waiting: VecDeque<Bytes>,
    input_left: u64,
    is_at_end: bool,
}

#[derive(Debug)]
enum Decoder {
    Gzip(Box<MultiGzDecoder<Sink>>),
    /// With zlib's frame, as the standard says, or without, as some clients send it: its first byte tells.
    Deflate {
        decoder: Option<Box<Decompress>>,
        has_ended: bool,
        output_left: u64,
    },
}

/// What a decoder writes into.
#[derive(Debug)]
struct Sink {
    bytes: Vec<u8>,
    left: u64,
    is_full: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                self.bytes.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            None => {
                self.is_full = true;
                Err(io::ErrorKind::OutOfMemory.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inflater {
    /// `bytes_max` holds for what goes in and for what comes out.
    pub fn new(coding: Coding, bytes_max: u64) -> Inflater {
        let decoder = match coding {
            Coding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(Sink {
                bytes: Vec::new(),
                left: bytes_max,
                is_full: false,
            }))),
            Coding::Deflate => Decoder::Deflate {
                decoder: None,
                has_ended: false,
                output_left: bytes_max,
            },
        };
        Inflater {
            decoder,
            waiting: VecDeque::new(),
            input_left: bytes_max,
            is_at_end: false,
        }
    }

    /// Takes a piece of the coded body.
    pub fn take(&mut self, piece: Bytes) -> Result<(), Undecodable> {
        let left = self.input_left.checked_sub(piece.len() as u64);
        self.input_left = left.ok_or(Undecodable::TooLarge)?;
        self.waiting.push_back(piece);
        Ok(())
    }

    /// The coded body has ended.
    pub fn end(&mut self) {
        self.is_at_end = true;
    }

    /// The next piece of the decoded body; an empty one when more has to be taken first, none at the end.
    pub fn give(&mut self) -> Result<Option<Bytes>, Undecodable> {
        while let Some(piece) = self.waiting.front_mut() {
            let step = piece.split_to(piece.len().min(STEP_BYTES));
            if !piece.has_remaining() {
                self.waiting.pop_front();
            }
            let output = self.decoder.step(&step)?;
            if !output.is_empty() {
                return Ok(Some(output.into()));
            }
        }
        if !self.is_at_end {
            return Ok(Some(Bytes::new()));
        }
        let output = self.decoder.finish()?;
        Ok((!output.is_empty()).then(|| output.into()))
    }
}

impl Decoder {
    fn step(&mut self, input: &[u8]) -> Result<Vec<u8>, Undecodable> {
        match self {
            Decoder::Gzip(decoder) => {
                let written = decoder.write_all(input).and_then(|()| decoder.flush());
                taken_from(decoder.get_mut(), written)
            }
            Decoder::Deflate {
                decoder,
                has_ended,
                output_left,
            } => {
                let Some(first) = input.first() else {
                    return Ok(Vec::new());
                };
                // Zlib's first byte names the method, 8; of a bare stream these would be bits of a block
                // that no encoder begins with.
                let has_frame = first & 0x0f == 8;
                let decoder = decoder.get_or_insert_with(|| Box::new(Decompress::new(has_frame)));
                run(decoder, input, has_ended, output_left)
            }
        }
    }

    fn finish(&mut self) -> Result<Vec<u8>, Undecodable> {
        match self {
            Decoder::Gzip(decoder) => {
                let finished = decoder.try_finish();
                taken_from(decoder.get_mut(), finished)
            }
            // No bytes at all are no body, in any coding.
            Decoder::Deflate { decoder: None, .. } => Ok(Vec::new()),
            Decoder::Deflate { has_ended, .. } => match has_ended {
                true => Ok(Vec::new()),
                false => Err(Undecodable::Garbled),
            },
        }
    }
}

fn taken_from(sink: &mut Sink, result: io::Result<()>) -> Result<Vec<u8>, Undecodable> {
    match (result, sink.is_full) {
        (_, true) => Err(Undecodable::TooLarge),
        (Err(_), false) => Err(Undecodable::Garbled),
        (Ok(()), false) => Ok(std::mem::take(&mut sink.bytes)),
    }
}

fn run(
    decoder: &mut Decompress,
    mut input: &[u8],
    has_ended: &mut bool,
    output_left: &mut u64,
) -> Result<Vec<u8>, Undecodable> {
    let mut output = Vec::new();
    loop {
        if *has_ended {
            // Nothing may follow the end.
            return match input.is_empty() {
                true => Ok(output),
                false => Err(Undecodable::Garbled),
            };
        }
        output.reserve(OUTPUT_BYTES);
        let (taken, given) = (decoder.total_in(), decoder.total_out());
        let status = decoder
            .decompress_vec(input, &mut output, FlushDecompress::None)
            .map_err(|_| Undecodable::Garbled)?;
        let (taken, given) = (decoder.total_in() - taken, decoder.total_out() - given);
        *output_left = output_left
            .checked_sub(given)
            .ok_or(Undecodable::TooLarge)?;
        input = input.get(taken as usize..).unwrap_or_default();
        match status {
            Status::StreamEnd => *has_ended = true,
            _ if taken == 0 && given == 0 => return Ok(output),
            Status::Ok | Status::BufError => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn encoded<W: Write>(
        mut encoder: W,
        text: &[u8],
        finish: fn(W) -> io::Result<Vec<u8>>,
    ) -> Vec<u8> {
        encoder.write_all(text).unwrap();
        finish(encoder).unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        encoded(
            GzEncoder::new(Vec::new(), Compression::best()),
            text,
            GzEncoder::finish,
        )
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        encoded(
            ZlibEncoder::new(Vec::new(), Compression::best()),
            text,
            ZlibEncoder::finish,
        )
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        encoded(
            DeflateEncoder::new(Vec::new(), Compression::best()),
            text,
            DeflateEncoder::finish,
        )
    }

    /// Decodes pieces of so many bytes.
    fn decoded(
        coding: Coding,
        coded: &[u8],
        piece: usize,
        max: u64,
    ) -> Result<Vec<u8>, Undecodable> {
        let mut inflater = Inflater::new(coding, max);
        let mut all = Vec::new();
        for chunk in coded.chunks(piece) {
            inflater.take(Bytes::copy_from_slice(chunk))?;
            loop {
                match inflater.give()? {
                    Some(bytes) if !bytes.is_empty() => all.extend_from_slice(&bytes),
                    _ => break,
                }
            }
        }
        inflater.end();
        while let Some(bytes) = inflater.give()? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    #[test]
    fn every_spelling_is_read_in_any_pieces() {
        let text = b"a text, a text, a text and some more of it".repeat(500);
        let twice = [gzip(&text[..100]), gzip(&text[100..])].concat();
        for piece in [1, 7, 1000, 100_000] {
            for (coding, coded) in [
                (Coding::Gzip, gzip(&text)),
                (Coding::Gzip, twice.clone()),
                (Coding::Deflate, zlib(&text)),
                (Coding::Deflate, bare(&text)),
            ] {
                assert_eq!(
                    decoded(coding, &coded, piece, 1 << 20).as_deref(),
                    Ok(&text[..])
                );
            }
        }
        assert_eq!(decoded(Coding::Deflate, b"", 1, 10), Ok(Vec::new()));
    }

    #[test]
    fn what_is_cut_or_is_something_else_is_not_taken() {
        let text = b"a text, a text, a text and some more of it".repeat(50);
        for (coding, whole) in [
            (Coding::Gzip, gzip(&text)),
            (Coding::Deflate, zlib(&text)),
            (Coding::Deflate, bare(&text)),
        ] {
            for cut in [1, whole.len() / 2, whole.len() - 1] {
                assert_eq!(
                    decoded(coding, &whole[..cut], 64, 1 << 20),
                    Err(Undecodable::Garbled),
                    "{coding:?} {cut}"
                );
            }
            let longer = [&whole[..], b"and"].concat();
            assert_eq!(
                decoded(coding, &longer, 64, 1 << 20),
                Err(Undecodable::Garbled),
                "{coding:?}"
            );
            assert_eq!(
                decoded(coding, b"{\"a\": 1}", 64, 1 << 20),
                Err(Undecodable::Garbled),
                "{coding:?}"
            );
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let zeros = vec![0; 4 << 20];
        for (coding, coded) in [
            (Coding::Gzip, gzip(&zeros)),
            (Coding::Deflate, zlib(&zeros)),
            (Coding::Deflate, bare(&zeros)),
        ] {
            assert!(coded.len() < 10_000);
            assert_eq!(
                decoded(coding, &coded, 100_000, 1 << 20),
                Err(Undecodable::TooLarge),
                "{coding:?}"
            );
            assert_eq!(
                decoded(coding, &coded, 100_000, 4 << 20).map(|all| all.len()),
                Ok(4 << 20)
            );
        }
        // Blocks that hold nothing are input without output.
        let empty = [0, 0, 0, 0xff, 0xff].repeat(1000);
        assert_eq!(
            decoded(Coding::Deflate, &empty, 100, 1000),
            Err(Undecodable::TooLarge)
        );
    }
}
