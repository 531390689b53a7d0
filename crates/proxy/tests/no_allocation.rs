//! The decision after the digest takes nothing from the heap.
#![allow(clippy::unwrap_used)]

#[path = "../benches/keys/mod.rs"]
mod keys;

use keys::{Keys, digest};
use tollgate_limiter::Ticks;

const CALLS: u64 = 10_000;

#[test]
fn a_decision_allocates_nothing() {
    let keys = Keys::new(100);
    let mut admitted = 0;
    let heap = allocation_counter::measure(|| {
        for call in 0..CALLS {
            let decided = keys.decide(&digest(call % 100), Ticks(call * Ticks::PER_S));
            admitted += u64::from(decided.is_ok());
        }
    });
    assert_eq!(admitted, CALLS);
    assert_eq!((heap.count_total, heap.bytes_total), (0, 0));
}

/// So that the counting above is known to count.
#[test]
fn an_allocation_is_seen() {
    let heap = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(7_u64))));
    assert_eq!(heap.count_total, 1);
}
