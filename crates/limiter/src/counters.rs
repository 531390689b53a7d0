//! Counters by slot: everything one caller is limited by, in one cache line.
//!
//! A slot is a small number that the configuration gives to a (plan, key) pair. Counters live in chunks that double
//! and never move, so requests reach them without a lock while new ones are made, and they survive every change of the
//! configuration.

use crate::quota::Quota;
use crate::slab::Slab;
use crate::throttle::{Start, Throttle};
use crate::used::Used;
use std::sync::{Mutex, PoisonError};

/// A counter's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// What one caller under one plan is limited and counted by. A cache line of its own, so neighbours do not disturb.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Counter {
    pub throttle: Throttle,
    pub quota: Quota,
    pub used: Used,
}

/// All counters of a process.
pub struct Counters {
    slab: Slab<Counter>,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    next: u32,
    free: Vec<Slot>,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::new()
    }
}

impl Counters {
    pub fn new() -> Counters {
        Counters {
            slab: Slab::new(),
            slots: Mutex::default(),
        }
    }

    /// Hands out a slot, its counter new, its throttle as `start` says. `None` after four billion slots.
    pub fn allocate(&self, start: Start) -> Option<Slot> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            match slots.free.pop() {
                Some(slot) => slot,
                None => {
                    let slot = Slot(slots.next);
                    slots.next = slots.next.checked_add(1)?;
                    slot
                }
            }
        };
        let counter = self.slab.get_or_make(slot.0)?;
        counter.throttle.reset(start);
        counter.quota.reset();
        counter.used.collect();
        Some(slot)
    }

    /// Gives a slot back for reuse. First take it out of the configuration, wait until no request runs that saw it
    /// there, and let [`crate::reserve::Reserve::release`] write down what is left in it.
    pub fn recycle(&self, slot: Slot) {
        self.slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .free
            .push(slot);
    }

    /// The counter of a slot; `None` for one that was never handed out (its neighbours may exist). One load more than
    /// an array.
    pub fn get(&self, slot: Slot) -> Option<&Counter> {
        self.slab.get(slot.0)
    }

    /// Slots handed out and not given back.
    pub fn len(&self) -> usize {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.next as usize - slots.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::{Day, Window};
    use crate::quota::NoUnit;

    #[test]
    fn a_counter_fills_one_cache_line() {
        assert_eq!(size_of::<Counter>(), 64);
        assert_eq!(align_of::<Counter>(), 64);
    }

    #[test]
    fn slots_are_dense_and_reused_as_new() {
        let counters = Counters::new();
        assert!(counters.is_empty() && counters.get(Slot(0)).is_none());
        for expected in 0..5_000 {
            assert_eq!(counters.allocate(Start::Full), Some(Slot(expected)));
        }
        let counter = counters.get(Slot(7)).unwrap();
        counter.quota.publish(
            Window {
                start: Day(1),
                end: Day(2),
            },
            5,
            false,
        );
        counter.used.note(Day(1));
        counters.recycle(Slot(7));
        assert_eq!(counters.len(), 4_999);
        assert!(!counters.is_empty());
        assert_eq!(counters.allocate(Start::Full), Some(Slot(7)));
        assert_eq!(counter.quota.peek(Day(1)), Err(NoUnit::Unreserved));
        assert!(counter.used.note(Day(1)));
    }

    #[test]
    fn counters_stay_where_they_are_while_others_are_made() {
        let counters = Counters::new();
        let first = counters.allocate(Start::Full).unwrap();
        let address: *const Counter = counters.get(first).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let slot = counters.allocate(Start::Full).unwrap();
                        assert!(counters.get(slot).is_some());
                    }
                });
            }
        });
        assert!(std::ptr::eq(address, counters.get(first).unwrap()));
        assert_eq!(counters.len(), 8_001);
    }
}
