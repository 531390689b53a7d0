//! Rates in integers, and the table of every rate that was ever in force.
//!
//! A rate and a burst are turned once, when the configuration is compiled, into an *interval* (ticks a request costs)
//! and a *capacity* (ticks a full bucket holds, interval × burst). All rounding is against the client: the interval is
//! rounded up, a capacity of more than nine years of refill is cut to nine years.

use crate::clock::Ticks;
use crate::slab::Slab;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Ticks later than this count as this: after nine years throttles stop refilling rather than overflow.
pub(crate) const NOW_MAX: u64 = (1 << 62) - 2;
/// Longer than any time a process can see: an interval cut to this never refills a whole request.
const INTERVAL_MAX: u64 = 1 << 62;
/// `NOW_MAX + CAPACITY_MAX`, and a tick more, still fits the 63 bits a throttle keeps its time in.
const CAPACITY_MAX: u64 = 1 << 62;

/// A rate and burst that are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Ticks one request costs, at least 1.
    pub(crate) interval: u64,
    /// Ticks a full bucket holds; less than one interval admits nothing.
    pub(crate) capacity: u64,
}

/// Why a rate was refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidRate {
    #[error("a rate must be a finite number of requests per second, not {0}")]
    NotFinite(f64),
    #[error("a rate must not be negative, and {0} is")]
    Negative(f64),
}

impl Rate {
    /// A rate in requests per second with a burst in requests. `Ok(None)` is no limit at all: an absent member is
    /// unlimited, and a bucket with one unlimited member never runs dry. A member that is 0 admits nothing, whatever
    /// the other is. Rates above 16·10⁹/s count as that.
    pub fn new(rate_per_s: Option<f64>, burst: Option<u64>) -> Result<Option<Rate>, InvalidRate> {
        let per_s = match rate_per_s {
            Some(rate) if !rate.is_finite() => return Err(InvalidRate::NotFinite(rate)),
            Some(rate) if rate < 0.0 => return Err(InvalidRate::Negative(rate)),
            given => given,
        };
        if per_s == Some(0.0) || burst == Some(0) {
            return Ok(Some(Rate::NOTHING));
        }
        let (Some(per_s), Some(burst)) = (per_s, burst) else {
            return Ok(None);
        };
        let interval = interval(per_s);
        let capacity = u128::from(interval) * u128::from(burst);
        let capacity =
            u64::try_from(capacity).map_or(CAPACITY_MAX, |ticks| ticks.min(CAPACITY_MAX));
        Ok(Some(Rate { interval, capacity }))
    }

    /// Admits nothing.
    pub const NOTHING: Rate = Rate {
        interval: 1,
        capacity: 0,
    };

    /// Whole requests a full bucket admits at once; the burst, unless it was cut.
    pub fn burst(self) -> u64 {
        self.capacity / self.interval
    }

    /// What a bucket that is full again at `tat` becomes when a request is admitted at `now`; otherwise the ticks
    /// until one can be, `None` if never.
    pub(crate) fn step(self, tat: u64, now: Ticks) -> Result<u64, Option<u64>> {
        if self.capacity < self.interval {
            return Err(None);
        }
        let now = now.0.min(NOW_MAX);
        let next = tat.max(now) + self.interval;
        let latest = now + self.capacity;
        if next <= latest {
            Ok(next)
        } else {
            Err(Some(next - latest))
        }
    }

    /// Whole requests in a bucket at `now`.
    pub(crate) fn tokens(self, tat: u64, now: Ticks) -> u64 {
        self.capacity
            .saturating_sub(tat.saturating_sub(now.0.min(NOW_MAX)))
            / self.interval
    }
}

/// ⌈ticks a second / rate⌉, exactly: the double is taken apart, nothing is computed in floating point.
fn interval(per_s: f64) -> u64 {
    const MANTISSA_BITS: u32 = 52;
    const EXPONENT_BIAS: u32 = 1075;
    /// Beyond this shift the interval is longer than `INTERVAL_MAX`; up to it the quotient fits 128 bits.
    const SHIFT_MAX: u32 = 90;
    let bits = per_s.to_bits();
    let fraction = bits & ((1 << MANTISSA_BITS) - 1);
    let biased = ((bits >> MANTISSA_BITS) & 0x7ff) as u32;
    // per_s = mantissa / 2^shift
    let (mantissa, shift) = match biased {
        0 => return INTERVAL_MAX,
        biased if biased >= EXPONENT_BIAS => return 1,
        biased => (fraction | 1 << MANTISSA_BITS, EXPONENT_BIAS - biased),
    };
    if shift > SHIFT_MAX {
        return INTERVAL_MAX;
    }
    let ticks = (u128::from(Ticks::PER_S) << shift).div_ceil(u128::from(mantissa));
    u64::try_from(ticks).map_or(INTERVAL_MAX, |ticks| ticks.min(INTERVAL_MAX))
}

/// Names one edit of one rate. Ids grow with every edit, so a throttle can tell which of two is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateId(pub(crate) u32);

impl RateId {
    /// What a new throttle carries until its first request. No edit is ever given this id.
    pub(crate) const UNSET: RateId = RateId(0);
}

/// Every rate that was ever in force, with the moment it came into force and the edit that replaced it.
///
/// Shared by all snapshots of the configuration; reading takes no lock. It only grows: 48 bytes an edit.
pub struct RateTable {
    edits: Slab<OnceLock<Edit>>,
    /// The newest id; the lock makes edits one at a time.
    newest: Mutex<u32>,
}

struct Edit {
    rate: Rate,
    at: u64,
    /// The edit that replaced this one, 0 while it is in force.
    replaced_by: AtomicU32,
}

impl Default for RateTable {
    fn default() -> RateTable {
        RateTable::new()
    }
}

impl RateTable {
    pub fn new() -> RateTable {
        RateTable {
            edits: Slab::new(),
            newest: Mutex::new(RateId::UNSET.0),
        }
    }

    /// Adds a rate in force from `at`, replacing `after`. Naming the rate it replaces keeps throttles exact that are
    /// idle across several edits: each stretch of time refills at the rate that was in force. Rates that are in force
    /// when the process starts take `Ticks(0)`.
    pub fn edit(&self, after: Option<RateId>, rate: Rate, at: Ticks) -> RateId {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        // Out of ids after four billion edits: the last one is never stored, and an unknown id admits nothing.
        let id = newest.saturating_add(1);
        if id < u32::MAX {
            *newest = id;
            let edit = Edit {
                rate,
                at: at.0.min(NOW_MAX),
                replaced_by: AtomicU32::new(0),
            };
            if let Some(cell) = self.edits.get_or_make(id) {
                // Always empty: every id is given once.
                let _ = cell.set(edit);
            }
            if let Some(before) = after.and_then(|after| self.find(after)) {
                before.replaced_by.store(id, Ordering::Release);
            }
        }
        RateId(id)
    }

    /// The rate of an edit; an id this table never gave out admits nothing.
    pub fn rate(&self, id: RateId) -> Rate {
        self.find(id).map_or(Rate::NOTHING, |edit| edit.rate)
    }

    fn find(&self, id: RateId) -> Option<&Edit> {
        self.edits.get(id.0)?.get()
    }

    /// The word of a throttle whose word was `tat` under `from`, now that `to` is in force. It depends on nothing but
    /// the table: every thread computes the same.
    pub(crate) fn convert(&self, tat: u64, from: RateId, to: RateId) -> u64 {
        if from == RateId::UNSET {
            return self.first(tat, to);
        }
        let mut at = from;
        let mut tat = tat;
        while at < to {
            let replaced_by = self
                .find(at)
                .map_or(0, |edit| edit.replaced_by.load(Ordering::Acquire));
            // Where the chain does not lead to `to` (a throttle that was removed and came back), step there at once.
            let next = if replaced_by <= at.0 || replaced_by > to.0 {
                to
            } else {
                RateId(replaced_by)
            };
            let since = self.find(next).map_or(NOW_MAX, |edit| edit.at);
            tat = carry(tat, self.rate(at), self.rate(next), since);
            at = next;
        }
        tat
    }

    /// The word of a throttle before its first request: full, or empty at a moment and refilled since; but not for a
    /// time before its rate was in force, when another may have been.
    fn first(&self, start: u64, to: RateId) -> u64 {
        if start == 0 {
            return 0;
        }
        let since = self.find(to).map_or(NOW_MAX, |edit| edit.at);
        start.min(NOW_MAX).max(since) + self.rate(to).capacity
    }
}

/// Carries the tokens of a bucket from one rate to another at the moment `at`: never more than the new bucket holds,
/// never a refill.
///
/// Requests of an older snapshot may have been admitted after `at`, under the old rate, beyond what the bucket had at
/// `at`. Then the change takes place a little later for this bucket: at the first moment that covers them.
fn carry(tat: u64, old: Rate, new: Rate, at: u64) -> u64 {
    let at = at.max(tat.saturating_sub(old.capacity));
    let level = old.capacity - tat.saturating_sub(at);
    let carried = u128::from(level) * u128::from(new.interval) / u128::from(old.interval);
    let carried = u64::try_from(carried).map_or(new.capacity, |ticks| ticks.min(new.capacity));
    at + (new.capacity - carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_s: f64, burst: u64) -> Rate {
        Rate::new(Some(per_s), Some(burst)).unwrap().unwrap()
    }

    #[test]
    fn absent_members_are_unlimited_and_zero_admits_nothing() {
        assert_eq!(Rate::new(None, None), Ok(None));
        assert_eq!(Rate::new(Some(5.0), None), Ok(None));
        assert_eq!(Rate::new(None, Some(5)), Ok(None));
        for (per_s, burst) in [
            (Some(0.0), None),
            (Some(-0.0), Some(9)),
            (None, Some(0)),
            (Some(9.0), Some(0)),
        ] {
            assert_eq!(Rate::new(per_s, burst), Ok(Some(Rate::NOTHING)));
        }
        assert_eq!(Rate::NOTHING.step(0, Ticks(u64::MAX)), Err(None));
        assert_eq!(Rate::NOTHING.tokens(0, Ticks(9)), 0);
    }

    #[test]
    fn rates_that_are_no_rates_are_refused() {
        assert!(matches!(
            Rate::new(Some(f64::NAN), Some(1)),
            Err(InvalidRate::NotFinite(_))
        ));
        assert!(matches!(
            Rate::new(Some(f64::INFINITY), Some(0)),
            Err(InvalidRate::NotFinite(_))
        ));
        assert!(matches!(
            Rate::new(Some(f64::NEG_INFINITY), None),
            Err(InvalidRate::NotFinite(_))
        ));
        assert_eq!(
            Rate::new(Some(-1.0), Some(1)),
            Err(InvalidRate::Negative(-1.0))
        );
    }

    #[test]
    fn intervals_are_exact_and_rounded_up() {
        assert_eq!(interval(1.0), Ticks::PER_S);
        assert_eq!(interval(2.0), Ticks::PER_S / 2);
        assert_eq!(interval(3.0), 5_333_333_334);
        assert_eq!(interval(0.5), 2 * Ticks::PER_S);
        // 0.1 as a double is a little more than a tenth, so a little less than ten seconds, rounded up to ten.
        assert_eq!(interval(0.1), 10 * Ticks::PER_S);
        assert_eq!(interval(16e9), 1);
        assert_eq!(interval(16e9 - 1.0), 2);
        assert_eq!(interval(1e300), 1);
        assert_eq!(interval(f64::MAX), 1);
        assert_eq!(interval(f64::MIN_POSITIVE), INTERVAL_MAX);
        assert_eq!(interval(5e-324), INTERVAL_MAX);
        assert_eq!(interval(1e-9), INTERVAL_MAX);
        // 1e-6 as a double is a little less than a millionth, so the interval is a tick longer than a million seconds.
        assert_eq!(interval(1e-6), 1_000_000 * Ticks::PER_S + 1);
    }

    #[test]
    fn the_largest_figures_stay_within_the_word() {
        for (per_s, burst) in [
            (1e-300, u64::MAX),
            (1e300, u64::MAX),
            (1e-6, 1_000),
            (1.0, u64::MAX),
            (1e-9, 1),
        ] {
            let rate = rate(per_s, burst);
            assert!(rate.burst() >= 1, "the first request passes");
            let mut tat = 0;
            for _ in 0..3 {
                let Ok(next) = rate.step(tat, Ticks(u64::MAX)) else {
                    break;
                };
                assert!(next > tat && next < 1 << 63);
                tat = next;
            }
        }
    }

    #[test]
    fn a_rate_below_one_request_in_nine_years_admits_one() {
        let rate = rate(1e-10, 1);
        let next = rate.step(0, Ticks(0)).unwrap();
        assert!(rate.step(next, Ticks(u64::MAX)).is_err());
    }

    #[test]
    fn the_time_to_wait_is_exact() {
        let rate = rate(10.0, 2);
        let now = Ticks(7 * Ticks::PER_S);
        let tat = rate.step(rate.step(0, now).unwrap(), now).unwrap();
        let wait = rate.step(tat, now).unwrap_err().unwrap();
        assert_eq!(wait, Ticks::PER_S / 10);
        assert!(rate.step(tat, Ticks(now.0 + wait - 1)).is_err());
        assert!(rate.step(tat, Ticks(now.0 + wait)).is_ok());
    }

    #[test]
    fn tokens_are_carried_and_cut_but_never_made() {
        let (slow, fast) = (rate(1.0, 10), rate(100.0, 1_000));
        let at = 50 * Ticks::PER_S;
        let now = Ticks(at);
        // Full and small becomes ten of a thousand; full and large becomes ten of ten.
        assert_eq!(fast.tokens(carry(0, slow, fast, at), now), 10);
        assert_eq!(slow.tokens(carry(0, fast, slow, at), now), 10);
        // Three left stay three, both ways.
        let three_left = at + 7 * slow.interval;
        assert_eq!(slow.tokens(three_left, now), 3);
        assert_eq!(fast.tokens(carry(three_left, slow, fast, at), now), 3);
        assert_eq!(
            slow.tokens(
                carry(carry(three_left, slow, fast, at), fast, slow, at),
                now
            ),
            3
        );
        // Through a rate that admits nothing, none are left.
        let nothing = carry(0, slow, Rate::NOTHING, at);
        assert_eq!(slow.tokens(carry(nothing, Rate::NOTHING, slow, at), now), 0);
    }

    #[test]
    fn an_idle_throttle_refills_at_the_rates_that_were_in_force() {
        let table = RateTable::new();
        let second = |s: u64| Ticks(s * Ticks::PER_S);
        let fast = table.edit(None, rate(100.0, 100), second(0));
        let other = table.edit(None, rate(5.0, 5), second(0));
        let slow = table.edit(Some(fast), rate(1.0, 100), second(10));
        let medium = table.edit(Some(slow), rate(2.0, 100), second(20));
        // Emptied at second 10: ten seconds at 1/s, then two at 2/s; not twelve at 100/s.
        let empty = second(10).0 + table.rate(fast).capacity;
        assert_eq!(
            table
                .rate(medium)
                .tokens(table.convert(empty, fast, medium), second(22)),
            14
        );
        // A rate that is no successor is stepped to directly.
        assert_eq!(
            table
                .rate(medium)
                .tokens(table.convert(0, other, medium), second(20)),
            5
        );
    }

    #[test]
    fn an_unknown_id_admits_nothing() {
        let table = RateTable::new();
        let id = table.edit(None, rate(1.0, 1), Ticks(0));
        assert_eq!(table.rate(RateId(77)), Rate::NOTHING);
        let word = table.convert(0, id, RateId(77));
        assert!(table.rate(RateId(77)).step(word, Ticks(0)).is_err());
    }
}
