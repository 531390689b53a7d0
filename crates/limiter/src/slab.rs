//! An append-only array that grows without moving: readers need no lock, elements keep their place for ever.

use std::sync::OnceLock;

/// The first chunk's length; each further chunk is twice as long as the one before. A model has few elements, and
/// every atomic in them costs it time.
const FIRST_LENGTH: u64 = if cfg!(all(test, loom)) { 2 } else { 64 };
const FIRST_BITS: u32 = FIRST_LENGTH.ilog2();
/// Enough chunks for every `u32` index.
const CHUNKS: usize = (u32::BITS - FIRST_BITS + 1) as usize;

/// Elements by `u32` index, made with `Default` a chunk at a time.
pub(crate) struct Slab<T> {
    chunks: [OnceLock<Box<[T]>>; CHUNKS],
}

impl<T: Default> Slab<T> {
    pub(crate) fn new() -> Slab<T> {
        Slab {
            chunks: [const { OnceLock::new() }; CHUNKS],
        }
    }

    /// The element, if its chunk was ever made.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, within) = place(index);
        self.chunks.get(chunk)?.get()?.get(within)
    }

    /// The element; makes its chunk when there is none yet.
    pub(crate) fn get_or_make(&self, index: u32) -> Option<&T> {
        let (chunk, within) = place(index);
        let make = || {
            std::iter::repeat_with(T::default)
                .take(length(chunk))
                .collect()
        };
        self.chunks.get(chunk)?.get_or_init(make).get(within)
    }
}

fn place(index: u32) -> (usize, usize) {
    let shifted = u64::from(index) + FIRST_LENGTH;
    let chunk = shifted.ilog2() - FIRST_BITS;
    (chunk as usize, (shifted - (FIRST_LENGTH << chunk)) as usize)
}

fn length(chunk: usize) -> usize {
    (FIRST_LENGTH << chunk) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_one_place_and_neighbours_are_neighbours() {
        let mut expected = (0, 0);
        for index in 0..100_000 {
            assert_eq!(place(index), expected);
            expected.1 += 1;
            if expected.1 == length(expected.0) {
                expected = (expected.0 + 1, 0);
            }
        }
        let (chunk, within) = place(u32::MAX);
        assert!(chunk < CHUNKS && within < length(chunk));
    }

    #[test]
    fn elements_appear_with_their_chunk() {
        let slab: Slab<u8> = Slab::new();
        assert!(slab.get(5).is_none());
        assert!(slab.get_or_make(5).is_some());
        assert!(slab.get(63).is_some());
        assert!(slab.get(64).is_none());
        assert!(slab.get(u32::MAX).is_none());
    }
}
