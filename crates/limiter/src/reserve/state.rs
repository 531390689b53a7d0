//! All that is remembered of one active counter, and what each event does to it.

use super::account::Account;
use super::days::Days;
use super::recover::{after_frozen, after_row, first, write_off};
use super::rows::{AccountRow, Load, Now, Past, QuotaReport, Report, Terms, UsedRow};
use crate::counters::{Counter, Slot};
use crate::period::{Day, Window};
use crate::quota::Quota;
use crate::used::Used;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) days: Days,
    terms: Option<Terms>,
    /// Present with terms; without them, only until the last one's unspent units are given back on disk.
    account: Option<Account>,
    /// The newest day seen: windows never go back.
    day: Day,
    pub(super) touched_ms: u64,
    pub(super) idle_at_ms: u64,
    /// The store's rows are known. If not, `asked` tells whether they were asked for.
    pub(super) live: bool,
    pub(super) asked: bool,
    /// In the queue of reviews; in the queue of used rows.
    pub(super) listed: bool,
    pub(super) dirty: bool,
    /// Rows of it are in the batch being written.
    pub(super) writing: bool,
    /// Requests wait for units; until they are told, it is also listed or writing, or not live.
    pub(super) waiting: bool,
    /// To be forgotten because it is idle, or because the slot is to be recycled.
    pub(super) retiring: bool,
    pub(super) releasing: bool,
}

impl State {
    pub(super) fn new(touched_ms: u64, idle_at_ms: u64) -> State {
        State {
            touched_ms,
            idle_at_ms,
            ..State::default()
        }
    }

    /// Takes over what the store knows.
    pub(super) fn recover(
        &mut self,
        counter: &Counter,
        now: Now,
        load: Load,
        past: &Past,
        last_day: Day,
    ) {
        let quota = &counter.quota;
        self.days.load(&past.used, load.from_day);
        self.day = self.day.max(now.day);
        self.terms = past.terms;
        let mut frozen = None;
        match (&mut self.account, past.account) {
            (Some(account), _) => {
                account.freeze(quota);
                frozen = Some((account.window, account.spent(quota)));
            }
            (None, Some(row)) => {
                quota.freeze();
                let window = row.window();
                let newest = self.days.newest_in(window).unwrap_or(window.start);
                let last_day = last_day.clamp(window.start, window.last());
                self.day = self.day.max(newest).max(last_day);
                write_off(&mut self.days, &row, self.day, load.from_day);
            }
            (None, None) => {
                quota.freeze();
            }
        }
        // After freezing: every unit taken from now on is one of the new account.
        self.collect(&counter.used, now.at_ms);
        if let Some(terms) = &self.terms {
            let account = match (frozen, past.account) {
                (Some((window, spent)), _) => {
                    after_frozen(&self.days, window, spent, terms, self.day)
                }
                (None, Some(row)) => after_row(&self.days, &row, terms, self.day),
                (None, None) => first(&self.days, terms, self.day),
            };
            account.settle(quota);
            self.account = Some(account);
        }
        if !self.writing {
            self.trim();
        }
        (self.live, self.asked) = (true, false);
    }

    /// Adopts new terms; what they forbid cannot be spent any more when this returns. True if the windows changed and
    /// the store's rows are needed to open a new account.
    pub(super) fn change_terms(&mut self, quota: &Quota, terms: Option<Terms>) -> bool {
        if !self.live {
            // The answer to the question brings the newest terms. Until then: ask, rather than refuse.
            quota.reopen();
            return false;
        }
        let same_windows = match (&self.terms, &terms) {
            (Some(before), Some(after)) => before.same_windows(after),
            (before, after) => before.is_none() && after.is_none(),
        };
        self.terms = terms;
        if let Some(account) = &mut self.account {
            match &self.terms {
                Some(terms) if same_windows => account.limit(quota, terms.limit_in(account.window)),
                _ => account.freeze(quota),
            }
        }
        // What remains has changed: show it.
        self.days.soil(self.day);
        self.live = same_windows || self.terms.is_none();
        !self.live
    }

    /// Looks at the account: rolls its window, and gives the row to write for it, if any.
    pub(super) fn review(
        &mut self,
        slot: Slot,
        counter: &Counter,
        now: Now,
        closing: bool,
    ) -> Option<AccountRow> {
        let quota = &counter.quota;
        let leaving = closing || self.is_leaving();
        self.day = self.day.max(now.day);
        if let Some(account) = self
            .account
            .as_mut()
            .filter(|_| leaving || self.terms.is_none())
        {
            account.freeze(quota);
        }
        self.collect(&counter.used, now.at_ms);
        if self.has_uncounted(quota) {
            // A request is between its unit and its count: not idle after all.
            self.retiring = false;
        }
        self.roll(quota);
        let account = self.account.as_mut()?;
        let mut raise = None;
        if let Some(terms) = &self.terms {
            account.limit(quota, terms.limit_in(account.window));
            if self.waiting && !leaving {
                raise = account.raise(quota);
            }
        }
        let Some(reserved) = raise.or_else(|| account.lowering()) else {
            if self.terms.is_none() {
                self.account = None;
            }
            return None;
        };
        account.issue(reserved);
        let Window {
            start: window_start,
            end: window_end,
        } = account.window;
        Some(AccountRow {
            slot,
            window_start,
            window_end,
            reserved,
        })
    }

    fn has_uncounted(&self, quota: &Quota) -> bool {
        let account = self.account.as_ref();
        account.is_some_and(|account| account.spent(quota) > self.days.sum(account.window).total())
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.retiring || self.releasing
    }

    /// Opens the next window's account when the day has come. The old one's unspent units are gone with its window.
    fn roll(&mut self, quota: &Quota) {
        let (Some(account), Some(terms)) = (&mut self.account, &self.terms) else {
            return;
        };
        let open = terms.window(self.day);
        if open.start < account.window.end {
            debug_assert_eq!(open, account.window, "other windows come with a recovery");
            return;
        }
        account.freeze(quota);
        let remaining = account.limit.saturating_sub(account.spent(quota));
        self.days.close(account.window, remaining);
        let spent = self.days.sum(open).total();
        *account = Account::open(open, terms.limit_in(open), spent).replacing();
    }

    /// An account row is durable. True if waiting requests should decide again.
    pub(super) fn confirm(&mut self, quota: &Quota, window: Window, target: u64) -> bool {
        let Some(account) = self
            .account
            .as_mut()
            .filter(|account| account.window == window)
        else {
            return false;
        };
        account.confirm(target);
        if !self.live {
            return false;
        }
        if self.terms.is_some() {
            account.publish(quota);
        }
        std::mem::take(&mut self.waiting)
    }

    /// Whether the account has to be looked at again without an event.
    pub(super) fn is_unsettled(&self) -> bool {
        self.account
            .as_ref()
            .is_some_and(|account| self.terms.is_none() || account.lowering().is_some())
    }

    /// Takes requests out of the counter into the days.
    pub(super) fn collect(&mut self, used: &Used, now_ms: u64) {
        for (day, requests) in used.collect() {
            if requests > 0 {
                self.days.count(day, requests);
                self.day = self.day.max(day);
                self.touched_ms = now_ms;
            }
        }
    }

    /// Gives every used row that is not in the store.
    pub(super) fn write_used(&mut self, slot: Slot, quota: &Quota, row: impl FnMut(UsedRow)) {
        let open = self.account.as_ref().map(|account| {
            (
                account.window,
                account.limit.saturating_sub(account.spent(quota)),
            )
        });
        self.days.write(slot, open, row);
    }

    pub(super) fn trim(&mut self) {
        self.days
            .trim(self.account.as_ref().map(|account| account.window));
    }

    /// Whether there is something to do for it, or being done.
    pub(super) fn is_busy(&self) -> bool {
        !self.live || self.listed || self.dirty || self.writing
    }

    /// Whether nothing would be lost by forgetting this state: everything is in the store, nobody waits.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_busy() && self.days.is_clean() && !self.is_unsettled()
    }

    pub(super) fn report(&self, quota: &Quota) -> Report {
        let quota = self
            .account
            .as_ref()
            .filter(|_| self.terms.is_some())
            .map(|account| {
                let sum = self.days.sum(account.window);
                QuotaReport {
                    window: account.window,
                    limit: account.limit,
                    used: sum.used,
                    remaining: account.limit.saturating_sub(account.spent(quota)),
                    written_off: sum.written_off,
                }
            });
        Report {
            day: self.day,
            used_today: self.days.used_on(self.day),
            quota,
        }
    }
}
