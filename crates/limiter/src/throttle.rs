//! Rate and burst for one caller: the token bucket, as GCRA in one atomic word.
//!
//! The word is the *theoretical arrival time*: the moment the bucket will be full again. A request at `now` is
//! admitted if `max(word, now) + interval ≤ now + capacity`, and then that left side is the new word. This is exactly
//! a token bucket that refills continuously, and gives, whatever threads and order: in every interval `[s, t]`
//! admitted ≤ burst + ⌊rate × (t − s)⌋. A denial writes nothing.
//!
//! **Edits.** The word means nothing without its rate, whose id stands beside it. From the moment an edit comes into
//! force, the first request converts the word: it sets the top bit (the tombstone) by compare-and-swap, checks that the
//! id is still the one it read, stores the new id, then the new word, which carries the tokens and the request just
//! taken. Others spin for these two stores. A request that read the old pair cannot take from the new word: its
//! compare-and-swap expects the old one, which the new one is forced to differ from; and should later requests bring
//! that very word back, it finds the id changed afterwards and decides again, having taken what it does not use (one
//! interval of the old rate: the strict side).
//!
//! **Orderings.** Word and id are two locations, and two things must be seen in order. Who sees a new id also sees the
//! tombstone, or a later word: the id is stored with release after the tombstone, and loaded with acquire before the
//! word. Who sees a new word, in a load or in a swap, also sees its id: the word is stored with release after the id,
//! swaps continue what that store released, and the word is read with acquire before the id is looked at again. That
//! last look needs no ordering of its own: one location never shows an older value after a newer one.

use crate::clock::Ticks;
use crate::rate::{Bucket, NOW_MAX, RateId, RateTable};
use crate::sync::{AtomicU32, AtomicU64, Ordering, spin_loop, yield_now};
use std::time::Duration;

/// Set while a word is being converted to another rate.
const TOMBSTONE: u64 = 1 << 63;
/// Spins before a thread that waits for a conversion gives its core away.
const SPINS_MAX: u32 = 64;

/// How a throttle begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With its whole burst: a key made after the start, or a data directory that never served.
    Full,
    /// Without a token at this moment, refilling since: after a restart, the moment is the last process's alive-until.
    EmptyAt(Ticks),
}

/// One token bucket, 16 bytes.
#[derive(Debug, Default)]
pub struct Throttle {
    word: AtomicU64,
    rate: AtomicU32,
}

/// A throttle did not admit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Not before this, exact and rounded up to a nanosecond; `None` is never under this rate.
    pub retry_after: Option<Duration>,
}

impl Throttle {
    pub fn new(start: Start) -> Throttle {
        let throttle = Throttle::default();
        throttle.reset(start);
        throttle
    }

    /// Begins anew. Only while no request can reach this throttle.
    pub fn reset(&self, start: Start) {
        let word = match start {
            Start::Full => 0,
            Start::EmptyAt(at) => at.0.clamp(1, NOW_MAX),
        };
        // Whatever brings the throttle to its first request orders this before it.
        self.rate.store(RateId::UNSET.0, Ordering::Relaxed);
        self.word.store(word, Ordering::Relaxed);
    }

    /// Whether a request would be admitted now. Loads only. `id` is the rate the caller's configuration has.
    pub fn peek(&self, rates: &RateTable, id: RateId, now: Ticks) -> Result<(), Denied> {
        let (bucket, rate) = rates.in_force(self.read(), id, now);
        rate.step(bucket.tat, now).map(|_| ()).map_err(denied)
    }

    /// Admits one request, or says why not. One compare-and-swap when nobody races; a denial writes nothing.
    pub fn take(&self, rates: &RateTable, id: RateId, now: Ticks) -> Result<(), Denied> {
        loop {
            let read = self.read();
            let (bucket, rate) = rates.in_force(read, id, now);
            let next = rate.step(bucket.tat, now).map_err(denied)?;
            if bucket.id != read.id {
                if self.convert(
                    read,
                    Bucket {
                        tat: next,
                        id: bucket.id,
                    },
                ) {
                    return Ok(());
                }
            } else if self.replace(read.tat, next) && self.rate.load(Ordering::Relaxed) == read.id.0
            {
                return Ok(());
            }
        }
    }

    /// Whole requests that would be admitted now. Loads only.
    pub fn tokens(&self, rates: &RateTable, id: RateId, now: Ticks) -> u64 {
        let (bucket, rate) = rates.in_force(self.read(), id, now);
        rate.tokens(bucket.tat, now)
    }

    fn read(&self) -> Bucket {
        let mut spins = 0;
        loop {
            // Ids only grow, so an unchanged id around the word's load means the word was written in that rate.
            let rate = self.rate.load(Ordering::Acquire);
            let tat = self.word.load(Ordering::Acquire);
            if tat & TOMBSTONE == 0 && self.rate.load(Ordering::Relaxed) == rate {
                return Bucket {
                    tat,
                    id: RateId(rate),
                };
            }
            spins += 1;
            if spins < SPINS_MAX {
                spin_loop()
            } else {
                yield_now()
            }
        }
    }

    fn replace(&self, current: u64, next: u64) -> bool {
        self.word
            .compare_exchange(current, next, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Moves the word to another rate. False if another thread was faster.
    fn convert(&self, read: Bucket, next: Bucket) -> bool {
        if !self.replace(read.tat, read.tat | TOMBSTONE) {
            return false;
        }
        // Under the tombstone nobody else writes, so this tells for certain whether it is the word that was read.
        if self.rate.load(Ordering::Relaxed) != read.id.0 {
            // With release, because a plain store ends what swaps continue: who swaps this word must see its id too.
            self.word.store(read.tat, Ordering::Release);
            return false;
        }
        self.rate.store(next.id.0, Ordering::Release);
        // One tick later is the strict side, and a different word.
        let tat = if next.tat == read.tat {
            next.tat + 1
        } else {
            next.tat
        };
        self.word.store(tat, Ordering::Release);
        true
    }
}

fn denied(wait: Option<u64>) -> Denied {
    let retry_after = wait.map(|ticks| Duration::from_nanos(ticks.div_ceil(Ticks::PER_NS)));
    Denied { retry_after }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::Rate;

    fn rate(per_s: f64, burst: u64) -> Rate {
        Rate::new(Some(per_s), Some(burst)).unwrap().unwrap()
    }

    fn seconds(seconds: f64) -> Ticks {
        Ticks::of(Duration::from_secs_f64(seconds))
    }

    fn admitted(throttle: &Throttle, rates: &RateTable, id: RateId, now: Ticks) -> u32 {
        (0..)
            .take_while(|_| throttle.take(rates, id, now).is_ok())
            .count() as u32
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rates = RateTable::new();
        let id = rates.edit(None, rate(2.0, 10), Ticks(0));
        let throttle = Throttle::new(Start::Full);
        assert_eq!(throttle.tokens(&rates, id, seconds(0.0)), 10);
        assert_eq!(admitted(&throttle, &rates, id, seconds(0.0)), 10);
        let half = Duration::from_millis(500);
        let refused = Err(Denied {
            retry_after: Some(half),
        });
        assert_eq!(throttle.take(&rates, id, seconds(0.0)), refused);
        assert_eq!(throttle.peek(&rates, id, seconds(0.0)), refused);
        assert_eq!(throttle.peek(&rates, id, seconds(0.5)), Ok(()));
        assert_eq!(admitted(&throttle, &rates, id, seconds(0.5)), 1);
        // After an idle hour there are ten, not eleven.
        assert_eq!(admitted(&throttle, &rates, id, seconds(3600.0)), 10);
    }

    #[test]
    fn a_clock_behind_the_last_request_admits_no_more() {
        let rates = RateTable::new();
        let id = rates.edit(None, rate(1.0, 5), Ticks(0));
        let throttle = Throttle::new(Start::Full);
        assert_eq!(admitted(&throttle, &rates, id, seconds(100.0)), 5);
        assert_eq!(admitted(&throttle, &rates, id, seconds(50.0)), 0);
        assert_eq!(admitted(&throttle, &rates, id, seconds(101.0)), 1);
    }

    #[test]
    fn nothing_is_admitted_at_rate_or_burst_zero_and_nothing_can_be_promised() {
        let rates = RateTable::new();
        for (per_s, burst) in [(0.0, 5), (5.0, 0)] {
            let id = rates.edit(None, rate(per_s, burst), Ticks(0));
            let throttle = Throttle::new(Start::Full);
            assert_eq!(
                throttle.take(&rates, id, seconds(1e6)),
                Err(Denied { retry_after: None })
            );
        }
    }

    #[test]
    fn a_restart_gives_only_what_was_refilled_since() {
        let rates = RateTable::new();
        let id = rates.edit(None, rate(10.0, 100), Ticks(0));
        let throttle = Throttle::new(Start::EmptyAt(seconds(50.0)));
        assert_eq!(throttle.tokens(&rates, id, seconds(50.0)), 0);
        assert_eq!(throttle.tokens(&rates, id, seconds(49.0)), 0);
        assert_eq!(throttle.tokens(&rates, id, seconds(50.05)), 0);
        assert_eq!(admitted(&throttle, &rates, id, seconds(53.0)), 30);
        assert_eq!(
            Throttle::new(Start::EmptyAt(seconds(50.0))).tokens(&rates, id, seconds(900.0)),
            100
        );
        // A rate edited after the restart counts from its edit.
        let faster = rates.edit(Some(id), rate(1000.0, 5_000), seconds(60.0));
        let untouched = Throttle::new(Start::EmptyAt(seconds(50.0)));
        assert_eq!(untouched.tokens(&rates, faster, seconds(61.0)), 1_000);
    }

    #[test]
    fn an_edit_carries_tokens_and_binds_older_configurations_too() {
        let rates = RateTable::new();
        let old = rates.edit(None, rate(1.0, 10), Ticks(0));
        let throttle = Throttle::new(Start::Full);
        for _ in 0..4 {
            assert_eq!(throttle.take(&rates, old, seconds(1.0)), Ok(()));
        }
        let new = rates.edit(Some(old), rate(100.0, 1_000), seconds(1.0));
        assert_eq!(throttle.tokens(&rates, new, seconds(1.0)), 6);
        assert_eq!(throttle.take(&rates, new, seconds(1.0)), Ok(()));
        assert_eq!(throttle.take(&rates, old, seconds(1.0)), Ok(()));
        assert_eq!(admitted(&throttle, &rates, new, seconds(1.0)), 4);
        assert_eq!(throttle.tokens(&rates, old, seconds(3.0)), 200);
    }

    #[test]
    fn a_new_configuration_waits_for_the_moment_its_rate_is_in_force() {
        let rates = RateTable::new();
        let old = rates.edit(None, rate(1.0, 3), Ticks(0));
        let throttle = Throttle::new(Start::Full);
        throttle.take(&rates, old, seconds(9.0)).unwrap();
        let new = rates.edit(Some(old), rate(1.0, 50), seconds(10.0));
        assert_eq!(throttle.tokens(&rates, new, seconds(9.9)), 2);
        assert_eq!(throttle.tokens(&rates, old, seconds(20.0)), 13);
    }

    #[test]
    fn editing_back_and_forth_never_refills() {
        let rates = RateTable::new();
        let throttle = Throttle::new(Start::Full);
        let mut id = rates.edit(None, rate(3.0, 7), Ticks(0));
        let mut passed = admitted(&throttle, &rates, id, Ticks(0));
        for round in 1..100_u64 {
            id = rates.edit(Some(id), rate(1.0 + round as f64, 5 + round), Ticks(0));
            passed += admitted(&throttle, &rates, id, Ticks(0));
        }
        assert_eq!(passed, 7);
    }

    #[test]
    fn a_denial_writes_nothing() {
        let rates = RateTable::new();
        let old = rates.edit(None, rate(1.0, 1), Ticks(0));
        let throttle = Throttle::new(Start::Full);
        assert_eq!(throttle.take(&rates, old, seconds(1.0)), Ok(()));
        let word = throttle.word.load(Ordering::SeqCst);
        let new = rates.edit(Some(old), rate(1.0, 2), seconds(1.0));
        for id in [old, new] {
            assert!(throttle.take(&rates, id, seconds(1.0)).is_err());
        }
        assert_eq!(throttle.word.load(Ordering::SeqCst), word);
        assert_eq!(throttle.rate.load(Ordering::SeqCst), old.0);
    }

    #[test]
    fn a_conversion_never_leaves_the_same_word() {
        let rates = RateTable::new();
        let old = rates.edit(None, rate(1.0, 5), Ticks(0));
        let throttle = Throttle::new(Start::Full);
        throttle.take(&rates, old, Ticks(0)).unwrap();
        let before = throttle.word.load(Ordering::SeqCst);
        // One token less in a full bucket, and one taken: the sum of both is the word of before.
        let new = rates.edit(Some(old), rate(1.0, 4), Ticks(0));
        throttle.take(&rates, new, Ticks(0)).unwrap();
        assert_eq!(throttle.word.load(Ordering::SeqCst), before + 1);
    }

    #[test]
    fn a_word_that_came_back_in_another_rate_is_neither_taken_nor_converted() {
        let rates = RateTable::new();
        let old = rates.edit(None, rate(1.0, 5), Ticks(0));
        let new = rates.edit(Some(old), rate(1.0, 9), seconds(1.0));
        let throttle = Throttle::new(Start::Full);
        throttle.take(&rates, old, Ticks(0)).unwrap();
        let read = throttle.read();
        // Between this thread's read and its write, others convert, and the same word stands there again.
        throttle.rate.store(new.0, Ordering::SeqCst);
        assert!(!throttle.convert(
            read,
            Bucket {
                tat: read.tat + 1,
                id: new
            }
        ));
        assert_eq!(throttle.read().tat, read.tat);
    }
}
