//! Room for bodies that are held in memory whole: one number of bytes for the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that bodies may still take. What finds no room is refused, and never waits.
#[derive(Debug)]
pub struct Room {
    bytes_left: AtomicU64,
}

/// Bytes taken, given back when dropped.
#[derive(Debug)]
pub struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub fn new(bytes_max: u64) -> Arc<Room> {
        Arc::new(Room {
            bytes_left: AtomicU64::new(bytes_max),
        })
    }

    /// Begins with nothing.
    pub fn enter(self: &Arc<Room>) -> Taken {
        Taken {
            room: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Taken {
    /// Takes more; says whether there was room for it.
    pub fn more(&mut self, bytes: u64) -> bool {
        let left = &self.room.bytes_left;
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(bytes)
        });
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room
            .bytes_left
            .fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let room = Room::new(10);
        let (mut one, mut two) = (room.enter(), room.enter());
        assert!(one.more(4) && two.more(6) && !one.more(1));
        drop(two);
        assert!(one.more(6) && !one.more(1));
        drop(one);
        assert_eq!(room.bytes_left.load(Ordering::Relaxed), 10);
    }
}
