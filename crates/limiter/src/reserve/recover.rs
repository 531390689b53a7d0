//! Where an account starts from: after a start or a crash, and when a plan's period changes in the middle of a window.
//!
//! Unknown means spent. What the store shows as reserved and no row shows as used was perhaps spent in the moment
//! before a crash: it is written off, counted against the quota and billed to nobody. It goes onto the latest day it
//! can belong to, so that every later window that could contain those requests contains the write-off. Recovering
//! twice finds nothing more to write off.
//!
//! Whatever the terms were, a new window starts from what its days show, used and written off.

use super::account::Account;
use super::days::Days;
use super::rows::{AccountRow, Terms};
use crate::period::{Day, Window};

/// Writes off what a row shows as reserved and no day of its window shows. `latest` is the last day on which it can
/// have been spent; `days` holds every row from `from` on.
pub(super) fn write_off(days: &mut Days, row: &AccountRow, latest: Day, from: Day) {
    let window = row.window();
    if window.start < from {
        // Long over, and not all of its days are here.
        return;
    }
    let lost = row.reserved.saturating_sub(days.sum(window).total());
    if lost > 0 {
        days.write_off(latest.clamp(window.start, window.last()), lost);
    }
}

/// The first account of a counter.
pub(super) fn first(days: &Days, terms: &Terms, day: Day) -> Account {
    let window = terms.window(day);
    Account::open(window, terms.limit_in(window), days.sum(window).total())
}

/// The account after an earlier process's, or after an earlier life of this counter.
pub(super) fn after_row(days: &Days, row: &AccountRow, terms: &Terms, day: Day) -> Account {
    let window = terms.window(day);
    if window != row.window() {
        return first(days, terms, day).replacing();
    }
    Account::open(
        window,
        terms.limit_in(window),
        row.reserved.max(days.sum(window).total()),
    )
}

/// The account after this process's own, frozen with so many units spent, when other terms cut time into other windows.
/// Besides what the days show, the requests count that took a unit and are not counted yet.
pub(super) fn after_frozen(
    days: &Days,
    frozen: Window,
    spent: u64,
    terms: &Terms,
    day: Day,
) -> Account {
    let window = terms.window(day);
    let uncounted = spent.saturating_sub(days.sum(frozen).total());
    let uncounted = if frozen.overlaps(window) {
        uncounted
    } else {
        0
    };
    let spent = days.sum(window).total().saturating_add(uncounted);
    Account::open(window, terms.limit_in(window), spent).replacing()
}
