//! A chunked body: where its pieces lie and where it ends; anything loose is refused.

use super::http1::Fault;

/// Digits of a chunk size; more cannot be a body anyone accepts.
const SIZE_DIGITS_MAX: u8 = 15;
/// Bytes of chunk extensions on one chunk.
const EXTENSION_BYTES_MAX: u16 = 256;
/// Bytes of the trailer section.
const TRAILER_BYTES_MAX: u16 = 8 * 1024;

/// Where in the body we are.
#[derive(Clone, Copy, Debug)]
pub enum Chunked {
    Size { digits: u8, size: u64 },
    Extension { bytes: u16, size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerLine { bytes: u16, empty: bool },
    TrailerLf { bytes: u16, empty: bool },
}

/// A piece of a chunked body, with its number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Framing(usize),
    Data(usize),
    /// The last bytes of framing.
    End(usize),
}

impl Chunked {
    pub const START: Chunked = Chunked::Size { digits: 0, size: 0 };

    /// Whether the next byte belongs to the trailer section.
    pub fn in_trailers(&self) -> bool {
        matches!(
            self,
            Chunked::TrailerLine { .. } | Chunked::TrailerLf { .. }
        )
    }

    /// Takes the next piece of a body, from bytes that are not empty.
    pub fn piece(&mut self, bytes: &[u8]) -> Result<Piece, Fault> {
        self.next(bytes, false)
    }

    /// The same for an upstream's body. What others forgive an upstream is forgiven here too: blanks after
    /// a chunk's size.
    pub fn upstream_piece(&mut self, bytes: &[u8]) -> Result<Piece, Fault> {
        self.next(bytes, true)
    }

    fn next(&mut self, bytes: &[u8], forgives_blanks: bool) -> Result<Piece, Fault> {
        if let Chunked::Data { left } = self {
            let run = usize::try_from(*left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            *left -= run as u64;
            if *left == 0 {
                *self = Chunked::DataCr;
            }
            return Ok(Piece::Data(run));
        }
        for (at, byte) in bytes.iter().enumerate() {
            *self = match (*self, byte) {
                (Chunked::Size { digits: 1.., size }, b' ' | b'\t') if forgives_blanks => {
                    Chunked::Extension { bytes: 0, size }
                }
                (state, byte) => match state.after(*byte)? {
                    Some(next) => next,
                    None => return Ok(Piece::End(at + 1)),
                },
            };
            // The first byte of the trailer section begins a piece of its own.
            if matches!(
                self,
                Chunked::Data { .. }
                    | Chunked::TrailerLine {
                        bytes: 0,
                        empty: true
                    }
            ) {
                return Ok(Piece::Framing(at + 1));
            }
        }
        Ok(Piece::Framing(bytes.len()))
    }

    /// The state after one byte of framing; none when it was the last of the body.
    fn after(self, byte: u8) -> Result<Option<Chunked>, Fault> {
        let next = match (self, byte) {
            (Chunked::Size { digits, size }, _) if byte.is_ascii_hexdigit() => {
                if digits >= SIZE_DIGITS_MAX {
                    return Err(Fault::BadChunk);
                }
                let size = size * 16 + u64::from(hex(byte));
                Chunked::Size {
                    digits: digits + 1,
                    size,
                }
            }
            (Chunked::Size { digits: 1.., size }, b'\r') => Chunked::SizeEnd { size },
            (Chunked::Size { digits: 1.., size }, b';') => Chunked::Extension { bytes: 0, size },
            (Chunked::Extension { size, .. }, b'\r') => Chunked::SizeEnd { size },
            (Chunked::Extension { bytes, size }, b'\t' | b' '..=b'~')
                if bytes < EXTENSION_BYTES_MAX =>
            {
                Chunked::Extension {
                    bytes: bytes + 1,
                    size,
                }
            }
            (Chunked::SizeEnd { size: 0 }, b'\n') => Chunked::TrailerLine {
                bytes: 0,
                empty: true,
            },
            (Chunked::SizeEnd { size }, b'\n') => Chunked::Data { left: size },
            (Chunked::DataCr, b'\r') => Chunked::DataLf,
            (Chunked::DataLf, b'\n') => Chunked::START,
            (Chunked::TrailerLine { bytes, empty }, b'\r') => Chunked::TrailerLf { bytes, empty },
            (Chunked::TrailerLine { bytes, .. }, b'\t' | b' '..=b'~' | 0x80..)
                if bytes < TRAILER_BYTES_MAX =>
            {
                Chunked::TrailerLine {
                    bytes: bytes + 1,
                    empty: false,
                }
            }
            (Chunked::TrailerLf { empty: true, .. }, b'\n') => return Ok(None),
            (Chunked::TrailerLf { bytes, .. }, b'\n') => {
                Chunked::TrailerLine { bytes, empty: true }
            }
            _ => return Err(Fault::BadChunk),
        };
        Ok(Some(next))
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A') + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes bytes up to the end of the body or of what there is. Says how many were taken and whether
    /// the body has ended.
    fn take(state: &mut Chunked, bytes: &[u8]) -> Result<(usize, bool), Fault> {
        let mut at = 0;
        while at < bytes.len() {
            at += match state.piece(&bytes[at..])? {
                Piece::Data(run) | Piece::Framing(run) => run,
                Piece::End(run) => return Ok((at + run, true)),
            };
        }
        Ok((at, false))
    }

    fn whole(bytes: &[u8]) -> Result<(usize, bool), Fault> {
        take(&mut Chunked::START.clone(), bytes)
    }

    #[test]
    fn a_body_ends_after_its_trailers_wherever_it_is_split() {
        let body = b"5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n";
        let more = [body.as_slice(), b"GET /"].concat();
        assert_eq!(whole(&more), Ok((body.len(), true)));
        for split in 1..body.len() {
            let mut state = Chunked::START;
            assert_eq!(take(&mut state, &body[..split]), Ok((split, false)));
            assert_eq!(
                take(&mut state, &more[split..]),
                Ok((body.len() - split, true))
            );
        }
    }

    #[test]
    fn loose_framing_is_refused() {
        let long_extension = [b"1;".as_slice(), &[b'x'; 300], b"\r\n"].concat();
        let long_trailer = [b"0\r\nx: ".as_slice(), &[b'x'; 9000], b"\r\n\r\n"].concat();
        for bad in [
            b"\r\n".as_slice(),
            b"g\r\n",
            b"+5\r\nhello\r\n",
            b"0x5\r\nhello\r\n",
            b"5 \r\nhello\r\n",
            b"5\nhello\r\n",
            b"5\r\nhelloX\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"0\r\n\n",
            b"0\r\nx: a\nb: c\r\n\r\n",
            b"1;a\x00b\r\nx\r\n",
            b"ffffffffffffffff\r\n",
            &long_extension,
            &long_trailer,
        ] {
            assert_eq!(
                whole(bad),
                Err(Fault::BadChunk),
                "{:?}",
                String::from_utf8_lossy(bad)
            );
        }
    }
}
