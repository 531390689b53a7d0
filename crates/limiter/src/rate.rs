//! Rates in integers, and the table of every rate that was ever in force.
//!
//! A rate and a burst are turned once, when the configuration is compiled, into an *interval* (ticks a request costs)
//! and a *capacity* (ticks a full bucket holds, interval × burst). All rounding is against the client: the interval is
//! rounded up, a capacity of more than nine years of refill is cut to nine years.

use crate::clock::Ticks;
use crate::slab::Slab;
use crate::sync::{AtomicU32, OnceLock, Ordering};
use std::sync::{Mutex, PoisonError};

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

    /// Requests per second; of a rate that admits nothing, 0.
    pub fn per_s(self) -> f64 {
        match self.capacity < self.interval {
            true => 0.0,
            false => Ticks::PER_S as f64 / self.interval as f64,
        }
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

/// Names one edit of one throttle's rate. Ids grow with every edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateId(pub(crate) u32);

impl RateId {
    /// What a new throttle carries until its first request. No edit is ever given this id.
    pub(crate) const UNSET: RateId = RateId(0);
}

/// Every rate that was ever in force, with the moment it came into force and the edit that replaced it.
///
/// Shared by all snapshots of the configuration; reading takes no lock. It only grows: 40 bytes an edit.
///
/// An edit names the moment it comes into force, and that moment alone decides which rate a request is held to, not
/// the snapshot it happened to see: from then on every request follows the edit. So a throttle is converted as of that
/// moment, exactly, whenever its next request comes and whatever snapshot that one saw.
pub struct RateTable {
    edits: Slab<OnceLock<Edit>>,
    /// The newest id; the lock makes edits one at a time.
    newest: Mutex<u32>,
}

struct Edit {
    rate: Rate,
    at: u64,
    /// The edit that replaces this one, 0 as long as there is none.
    replaced_by: AtomicU32,
}

/// A throttle's word and the rate it is written in.
#[derive(Clone, Copy)]
pub(crate) struct Bucket {
    /// When the bucket is full again.
    pub(crate) tat: u64,
    pub(crate) id: RateId,
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

    /// Adds a rate that comes into force at `at`, in place of `after`. Rates in force when the process starts take
    /// `Ticks(0)`; for an edit, choose a moment that has not come when this returns (a few milliseconds ahead), so that
    /// no request of that moment can be decided by the old rate. Each throttle definition has a chain of its own: an id
    /// shared by two plans would lead both to the edit of one.
    pub fn edit(&self, after: Option<RateId>, rate: Rate, at: Ticks) -> RateId {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        // Out of ids after four billion edits: the last one is never stored, and an unknown id admits nothing.
        let id = newest.saturating_add(1);
        if id < u32::MAX {
            *newest = id;
            let before = after.and_then(|after| self.find(after));
            let at = at.0.min(NOW_MAX).max(before.map_or(0, |before| before.at));
            if let Some(cell) = self.edits.get_or_make(id) {
                // Always empty: every id is given once.
                let _ = cell.set(Edit {
                    rate,
                    at,
                    replaced_by: AtomicU32::new(0),
                });
            }
            if let Some(before) = before {
                // Release, after the cell is set: who follows the chain finds the edit it leads to.
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

    /// The bucket at `now`, in the rate that is in force then, for a request whose snapshot has `seen`. It depends on
    /// nothing but the table and the clock: every thread computes the same.
    pub(crate) fn in_force(&self, bucket: Bucket, seen: RateId, now: Ticks) -> (Bucket, Rate) {
        let mut bucket = bucket;
        if bucket.id == RateId::UNSET {
            bucket = self.first(bucket.tat, seen);
        }
        loop {
            let Some(edit) = self.find(bucket.id) else {
                return (bucket, Rate::NOTHING);
            };
            let replaced_by = edit.replaced_by.load(Ordering::Acquire);
            let next = match replaced_by {
                // The chain broke: the throttle was removed and came back.
                0 if bucket.id < seen => seen,
                0 => return (bucket, edit.rate),
                next => RateId(next),
            };
            match self.find(next) {
                Some(next_edit) if next_edit.at <= now.0 || replaced_by == 0 => {
                    let tat = carry(bucket.tat, edit.rate, next_edit.rate, next_edit.at);
                    bucket = Bucket { tat, id: next };
                }
                Some(_) => return (bucket, edit.rate),
                None => return (bucket, Rate::NOTHING),
            }
        }
    }

    /// A throttle before its first request: full, or empty at a moment and refilled since; but not for a time before
    /// its rate was in force, when another may have been.
    fn first(&self, start: u64, id: RateId) -> Bucket {
        let tat = match self.find(id) {
            Some(edit) if start > 0 => start.min(NOW_MAX).max(edit.at) + edit.rate.capacity,
            _ => 0,
        };
        Bucket { tat, id }
    }
}

/// Carries the tokens of a bucket from one rate to another at the moment `at`: never more than the new bucket holds,
/// never a refill. Should requests have been admitted after `at` beyond what the bucket had then (an edit made too
/// late), the change takes place at the first moment that covers them.
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

    fn tokens(table: &RateTable, tat: u64, from: RateId, seen: RateId, second: u64) -> u64 {
        let now = Ticks(second * Ticks::PER_S);
        let (bucket, rate) = table.in_force(Bucket { tat, id: from }, seen, now);
        rate.tokens(bucket.tat, now)
    }

    #[test]
    fn an_idle_throttle_refills_at_the_rates_that_were_in_force() {
        let table = RateTable::new();
        let second = |s: u64| Ticks(s * Ticks::PER_S);
        let fast = table.edit(None, rate(100.0, 100), second(0));
        let other = table.edit(None, rate(5.0, 5), second(0));
        let slow = table.edit(Some(fast), rate(1.0, 100), second(10));
        let medium = table.edit(Some(slow), rate(2.0, 100), second(20));
        // Emptied at second 10: ten seconds at 1/s, then two at 2/s; not twelve at 100/s. Whoever asks.
        let empty = second(10).0 + table.rate(fast).capacity;
        for seen in [fast, slow, medium] {
            assert_eq!(tokens(&table, empty, fast, seen, 22), 14);
        }
        // A rate that is no successor is stepped to directly.
        assert_eq!(tokens(&table, 0, other, medium, 20), 5);
    }

    #[test]
    fn an_edit_is_in_force_from_its_moment_for_every_snapshot() {
        let table = RateTable::new();
        let old = table.edit(None, rate(1.0, 10), Ticks(0));
        let new = table.edit(Some(old), rate(1.0, 3), Ticks(50 * Ticks::PER_S));
        for seen in [old, new] {
            assert_eq!(tokens(&table, 0, old, seen, 49), 10);
            assert_eq!(tokens(&table, 0, old, seen, 50), 3);
        }
    }

    #[test]
    fn an_unknown_id_admits_nothing() {
        let table = RateTable::new();
        let id = table.edit(None, rate(1.0, 1), Ticks(0));
        assert_eq!(table.rate(RateId(77)), Rate::NOTHING);
        assert_eq!(tokens(&table, 0, id, RateId(77), 9), 0);
        assert_eq!(tokens(&table, 0, RateId::UNSET, RateId(77), 9), 0);
    }
}
