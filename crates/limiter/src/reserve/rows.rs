//! What goes into the reserve and what comes out: terms, rows, batches. Plain data, no store.

use crate::counters::Slot;
use crate::period::{Day, Period, Window, window};
use crate::quota::UNITS_MAX;

/// The quota of one counter, as the configuration has it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Requests a window; beyond [`UNITS_MAX`] counts as that.
    pub limit: u64,
    pub period: Period,
    pub offset: u8,
    pub extension: Option<Extension>,
}

/// More or fewer requests in one window (UpdateUsage); other windows are not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    pub window_start: Day,
    pub delta: i64,
}

impl Terms {
    pub fn window(&self, day: Day) -> Window {
        window(self.period, self.offset, day)
    }

    /// The limit in a window, its extension included.
    pub fn limit_in(&self, window: Window) -> u64 {
        let delta = match self.extension {
            Some(extension) if extension.window_start == window.start => extension.delta,
            _ => 0,
        };
        self.limit.saturating_add_signed(delta).min(UNITS_MAX)
    }

    /// Whether both cut time into the same windows.
    pub(super) fn same_windows(&self, other: &Terms) -> bool {
        (self.period, self.offset) == (other.period, other.offset)
    }
}

/// How many units are reserved at a time, and so the most that one crash can write off: 0.1 % of the limit, or 8 if
/// that is more, but never more than a sixteenth.
pub fn chunk(limit: u64) -> u64 {
    limit.div_ceil(1000).max(limit.div_ceil(16).min(8))
}

/// One row a counter: what has been given away of its newest window. `reserved` never falls below what was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub slot: Slot,
    pub window_start: Day,
    pub window_end: Day,
    pub reserved: u64,
}

impl AccountRow {
    pub fn window(&self) -> Window {
        Window {
            start: self.window_start,
            end: self.window_end,
        }
    }
}

/// One row a counter and day. All figures are cumulative: writing a row twice changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedRow {
    pub slot: Slot,
    pub day: Day,
    /// Requests admitted on that day.
    pub used: u64,
    /// Requests left in the window when this was written; `None` without a quota.
    pub remaining: Option<u64>,
    /// Units a crash took: reserved, and nobody knows whether they were spent. Never billed.
    pub written_off: u64,
}

/// Rows to write in one transaction, each replacing the row of the same key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub accounts: Vec<AccountRow>,
    pub used: Vec<UsedRow>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.used.is_empty()
    }

    pub fn rows(&self) -> usize {
        self.accounts.len() + self.used.len()
    }
}

/// A question to the caller: what does the store know about this slot?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub slot: Slot,
    /// Rows of days before this one are not needed.
    pub from_day: Day,
}

/// The answer to a [`Load`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// From the newest configuration; `None` without a quota, or for a slot nobody has any more.
    pub terms: Option<Terms>,
    pub account: Option<AccountRow>,
    /// Every row of the slot from [`Load::from_day`] on, in any order.
    pub used: Vec<UsedRow>,
}

/// The moment a batch is made at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The day, from trusted wall time ([`crate::clock::WallGuard`]).
    pub day: Day,
    /// Monotonic milliseconds from any origin.
    pub at_ms: u64,
}

/// How a write went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The disk was full (ENOSPC) and nothing was promised: tried again.
    Full,
    /// Anything else, a failed fsync above all: nobody knows what the disk holds. Nothing is raised again in this
    /// process; units already published may be spent.
    Poison,
}

/// One counter's figures at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub day: Day,
    pub used_today: u64,
    /// `None` without a quota.
    pub quota: Option<QuotaReport>,
}

/// `used + remaining + written_off = limit`, but for requests being admitted at this instant and a limit lowered below
/// what was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaReport {
    pub window: Window,
    pub limit: u64,
    pub used: u64,
    pub remaining: u64,
    pub written_off: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_costs_at_most_a_thousandth_or_eight() {
        let chunks = [
            (0, 0),
            (1, 1),
            (10, 1),
            (16, 1),
            (17, 2),
            (128, 8),
            (1_000, 8),
            (8_001, 9),
            (1_000_000, 1_000),
        ];
        for (limit, expected) in chunks {
            assert_eq!(chunk(limit), expected, "limit {limit}");
        }
        assert!(chunk(UNITS_MAX) <= UNITS_MAX);
    }

    #[test]
    fn an_extension_holds_for_its_window_only() {
        let extension = Some(Extension {
            window_start: Day(100),
            delta: -30,
        });
        let terms = Terms {
            limit: 20,
            period: Period::Day,
            offset: 0,
            extension,
        };
        assert_eq!(terms.limit_in(terms.window(Day(100))), 0);
        assert_eq!(terms.limit_in(terms.window(Day(101))), 20);
        let huge = Terms {
            limit: u64::MAX,
            extension: Some(Extension {
                window_start: Day(100),
                delta: 5,
            }),
            ..terms
        };
        assert_eq!(huge.limit_in(huge.window(Day(100))), UNITS_MAX);
    }
}
