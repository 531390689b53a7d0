//! Requests per window: the units a process may still spend, in one atomic word.
//!
//! The word is `first day:16 | days:6 | final:1 | remaining:41`: a window and what is left of the units published for
//! it. The writer ([`crate::reserve`]) publishes units after they were written off on disk; requests take them out one
//! by one. So spending never exceeds what was published, whatever the threads do.
//!
//! A request brings its day, not its window: if the day is past the word's window, nothing can be spent until the
//! writer opens the next one; if it is before (the window rolled under the request, or the clock was set back), the unit
//! comes out of the word's window and the request is told so, and counted there. A closed window never reopens, and a
//! configuration that is a moment out of date does no harm.
//!
//! **Why ABA does no harm.** A spender replaces `(window, final, n)` by `(window, final, n − 1)`, `n > 0`, by
//! compare-and-swap. The word is the whole state: if it holds that value at the moment of the swap, then `n` units of
//! that window are published and unspent at that moment, no matter what stood there in between. Nothing outside the
//! word takes part in the decision. The writer's changes (publish, freeze, lower) are single swaps of the same word,
//! so each unit is either taken by exactly one spender or counted in exactly one remainder.
//!
//! **Orderings.** One location decides and every change of it is a compare-and-swap, so the units are exact in any
//! ordering. Release and acquire add that who gets a published unit also sees the outlook that was set before it.
//!
//! The final bit says that nothing will be published beyond what remains: at zero the answer is "exhausted", without
//! asking the writer, until the terms change.

use crate::period::{Day, Window};
use crate::sync::{AtomicU64, Ordering};

const REMAINING_BITS: u32 = 41;
const REMAINING_MAX: u64 = (1 << REMAINING_BITS) - 1;
const FINAL: u64 = 1 << REMAINING_BITS;
const DAYS_SHIFT: u32 = REMAINING_BITS + 1;
const DAYS_MAX: u16 = (1 << (START_SHIFT - DAYS_SHIFT)) - 1;
const START_SHIFT: u32 = 48;

/// The most requests a window can be limited to, 1.4·10¹⁴: a million a second for four years. A thousandth of it, the
/// most that is published at a time, fits the word.
pub const UNITS_MAX: u64 = (1 << 47) - 1;

/// What one caller may still spend in the current window, 24 bytes.
#[derive(Debug, Default)]
pub struct Quota {
    word: AtomicU64,
    /// Units of the window not published yet. For display: it may be a moment behind.
    beyond: AtomicU64,
    /// The writer is asked for more when this many units remain.
    low: AtomicU64,
}

/// What a request that spent a unit learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Requests left in the window, published or not. For display: exact when nobody raises at the same moment.
    pub units: u64,
    /// The window the unit was taken from. It contains the request's day, or begins after it.
    pub window: Window,
    /// The writer should be told that this counter needs units soon.
    pub ask: bool,
}

/// Why no unit could be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUnit {
    /// The window's quota is used up: 429 until the window ends or the terms change.
    Exhausted,
    /// Nothing is reserved at the moment: tell the writer, wait for it, decide again.
    Unreserved,
}

/// The word, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) window: Window,
    pub(crate) last: bool,
    pub(crate) remaining: u64,
}

impl Quota {
    /// Whether a unit could be spent now by a request of this day. Loads only.
    pub fn peek(&self, today: Day) -> Result<(), NoUnit> {
        self.published().spendable(today)
    }

    /// Spends one unit: one compare-and-swap when nobody races; a refusal writes nothing.
    pub fn spend(&self, today: Day) -> Result<Left, NoUnit> {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let before = Published::of(word);
            before.spendable(today)?;
            match self.word.compare_exchange_weak(
                word,
                word - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(self.left(before)),
                Err(current) => word = current,
            }
        }
    }

    /// Requests left in the window of this day, published or not; `None` if the writer has not opened it.
    pub fn left_on(&self, today: Day) -> Option<u64> {
        let published = self.published();
        (today < published.window.end).then(|| self.with_beyond(published.remaining))
    }

    fn left(&self, before: Published) -> Left {
        let remaining = before.remaining - 1;
        let low = remaining == self.low.load(Ordering::Relaxed) || remaining == 0;
        Left {
            units: self.with_beyond(remaining),
            window: before.window,
            ask: low && !before.last,
        }
    }

    fn with_beyond(&self, remaining: u64) -> u64 {
        remaining.saturating_add(self.beyond.load(Ordering::Relaxed))
    }

    /// Begins anew. Only while no request can reach this counter.
    pub(crate) fn reset(&self) {
        // Whatever brings the counter to its first request orders this before it.
        self.word.store(0, Ordering::Relaxed);
        self.beyond.store(0, Ordering::Relaxed);
        self.low.store(0, Ordering::Relaxed);
    }

    pub(crate) fn published(&self) -> Published {
        Published::of(self.word.load(Ordering::Acquire))
    }

    /// Adds units to a window, and says whether they are its last. The writer moves to another window only when
    /// nothing remains of the one before.
    pub(crate) fn publish(&self, window: Window, units: u64, last: bool) {
        self.update(|now| {
            debug_assert!(
                now.window == window || now.remaining == 0,
                "units of another window would be lost"
            );
            let kept = if now.window == window {
                now.remaining
            } else {
                0
            };
            Published {
                window,
                last,
                remaining: kept + units,
            }
        });
    }

    /// Takes back everything unspent and gives the exact number. Nothing can be spent until the next publish.
    pub(crate) fn freeze(&self) -> u64 {
        self.update(|now| Published {
            last: false,
            remaining: 0,
            ..now
        })
        .remaining
    }

    /// Takes back up to `units` unspent ones and gives the number it got.
    pub(crate) fn lower(&self, units: u64) -> u64 {
        let before = self.update(|now| Published {
            remaining: now.remaining.saturating_sub(units),
            ..now
        });
        before.remaining.min(units)
    }

    /// Exhaustion is no longer final: the next request asks the writer.
    pub(crate) fn reopen(&self) {
        if self.published().last {
            self.update(|now| Published { last: false, ..now });
        }
    }

    /// What display and asking need to know.
    pub(crate) fn set_outlook(&self, beyond: u64, low: u64) {
        self.beyond.store(beyond, Ordering::Relaxed);
        self.low.store(low, Ordering::Relaxed);
    }

    /// Replaces the word in one swap; gives what stood there before.
    fn update(&self, change: impl Fn(Published) -> Published) -> Published {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let before = Published::of(word);
            let next = change(before).word();
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return before,
                Err(current) => word = current,
            }
        }
    }
}

impl Published {
    fn of(word: u64) -> Published {
        let start = (word >> START_SHIFT) as u16;
        let days = (word >> DAYS_SHIFT) as u16 & DAYS_MAX;
        Published {
            window: Window {
                start: Day(start),
                end: Day(start.saturating_add(days)),
            },
            last: word & FINAL != 0,
            remaining: word & REMAINING_MAX,
        }
    }

    fn word(self) -> u64 {
        let days = self.window.end.0.saturating_sub(self.window.start.0);
        debug_assert!(self.remaining <= REMAINING_MAX && days <= DAYS_MAX);
        let last = if self.last { FINAL } else { 0 };
        u64::from(self.window.start.0) << START_SHIFT
            | u64::from(days.min(DAYS_MAX)) << DAYS_SHIFT
            | last
            | self.remaining.min(REMAINING_MAX)
    }

    fn spendable(self, today: Day) -> Result<(), NoUnit> {
        match self {
            Published { window, .. } if window.end <= today => Err(NoUnit::Unreserved),
            Published {
                remaining: 0,
                last: true,
                ..
            } => Err(NoUnit::Exhausted),
            Published { remaining: 0, .. } => Err(NoUnit::Unreserved),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUNDAY: Day = Day(19_999);
    const MONDAY: Day = Day(20_000);
    const TUESDAY: Day = Day(20_001);

    fn window(day: Day) -> Window {
        Window {
            start: day,
            end: Day(day.0 + 1),
        }
    }

    #[test]
    fn a_new_quota_asks_the_writer() {
        assert_eq!(Quota::default().spend(MONDAY), Err(NoUnit::Unreserved));
        assert_eq!(Quota::default().spend(Day(0)), Err(NoUnit::Unreserved));
    }

    #[test]
    fn exactly_what_was_published_can_be_spent() {
        let quota = Quota::default();
        quota.publish(window(MONDAY), 3, false);
        quota.set_outlook(7, 1);
        let spent: Vec<Left> = std::iter::from_fn(|| quota.spend(MONDAY).ok()).collect();
        assert_eq!(
            spent.iter().map(|left| left.units).collect::<Vec<_>>(),
            [9, 8, 7]
        );
        assert_eq!(
            spent.iter().map(|left| left.ask).collect::<Vec<_>>(),
            [false, true, true]
        );
        assert_eq!(quota.spend(MONDAY), Err(NoUnit::Unreserved));
        assert_eq!(quota.peek(MONDAY), Err(NoUnit::Unreserved));
    }

    #[test]
    fn exhaustion_is_final_until_reopened_and_asks_nobody() {
        let quota = Quota::default();
        quota.publish(window(MONDAY), 1, true);
        let last = Left {
            units: 0,
            window: window(MONDAY),
            ask: false,
        };
        assert_eq!(quota.spend(MONDAY), Ok(last));
        assert_eq!(quota.spend(MONDAY), Err(NoUnit::Exhausted));
        quota.reopen();
        assert_eq!(quota.spend(MONDAY), Err(NoUnit::Unreserved));
    }

    #[test]
    fn a_window_is_spent_on_its_days_and_by_stragglers_but_never_after_its_end() {
        let quota = Quota::default();
        let month = Window {
            start: MONDAY,
            end: Day(20_031),
        };
        quota.publish(month, 4, true);
        for day in [SUNDAY, MONDAY, TUESDAY, Day(20_030)] {
            assert_eq!(quota.spend(day).map(|left| left.window), Ok(month));
        }
        assert_eq!(quota.spend(SUNDAY), Err(NoUnit::Exhausted));
        assert_eq!(quota.spend(Day(20_031)), Err(NoUnit::Unreserved));
        assert_eq!(quota.left_on(TUESDAY), Some(0));
        assert_eq!(quota.left_on(Day(20_031)), None);
    }

    #[test]
    fn freezing_and_lowering_give_exact_figures() {
        let quota = Quota::default();
        quota.publish(window(MONDAY), 10, true);
        quota.spend(MONDAY).unwrap();
        assert_eq!(quota.lower(4), 4);
        assert_eq!(quota.lower(0), 0);
        assert_eq!(quota.freeze(), 5);
        assert_eq!(quota.lower(3), 0);
        assert_eq!(quota.freeze(), 0);
        assert_eq!(quota.spend(MONDAY), Err(NoUnit::Unreserved));
    }

    #[test]
    fn the_largest_figures_fit() {
        let window = Window {
            start: Day(u16::MAX - 31),
            end: Day(u16::MAX),
        };
        let all = Published {
            window,
            last: true,
            remaining: REMAINING_MAX,
        };
        assert_eq!(Published::of(all.word()), all);
        assert!(crate::reserve::chunk(UNITS_MAX) <= REMAINING_MAX);
        assert_eq!(UNITS_MAX, 140_737_488_355_327);
    }
}
