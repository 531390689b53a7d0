//! Buffers that all connections of a thread read into and write from in turn: always warm, and no
//! connection that waits keeps one.

use std::cell::Cell;

/// Bytes read at once of what is usually short: heads, and bodies that fit beside them.
pub const READ_BYTES: usize = 16 * 1024;
/// A buffer that grew larger is not kept.
const WRITE_BYTES_KEPT: usize = 64 * 1024;

thread_local! {
    static READ: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the buffer to read into: [`READ_BYTES`] long, with anything in it. Nothing may wait meanwhile.
pub fn reading<R>(read: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut room = READ.take();
    room.resize(READ_BYTES, 0);
    let result = read(&mut room);
    READ.set(room);
    result
}

/// An empty buffer to write to, to be given back.
pub fn to_write() -> Vec<u8> {
    WRITE.take()
}

/// Takes a buffer back when what is in it has been written.
pub fn written(mut buffer: Vec<u8>) {
    if buffer.capacity() <= WRITE_BYTES_KEPT {
        buffer.clear();
        WRITE.set(buffer);
    }
}
