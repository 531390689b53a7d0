//! The atomics of the counters: the standard library's, or, in `make loom`, those of a model checker that tries every
//! interleaving (`models.rs`).

#[cfg(not(all(test, loom)))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::yield_now,
};

#[cfg(all(test, loom))]
pub(crate) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    thread::yield_now,
};

/// The standard library's cell, seen by other threads in the order that it promises and no earlier.
#[cfg(all(test, loom))]
pub(crate) struct OnceLock<T> {
    cell: std::sync::OnceLock<T>,
    is_set: AtomicBool,
}

#[cfg(all(test, loom))]
impl<T> OnceLock<T> {
    pub(crate) fn new() -> OnceLock<T> {
        OnceLock {
            cell: std::sync::OnceLock::new(),
            is_set: AtomicBool::new(false),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        let is_set = self.is_set.load(Ordering::Acquire);
        self.cell.get().filter(|_| is_set)
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.cell.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }
}

#[cfg(all(test, loom))]
impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}
