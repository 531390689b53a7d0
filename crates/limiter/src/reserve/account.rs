//! The units of one counter in one window: what is durable, what is published, what is spent.
//!
//! | name | is |
//! |---|---|
//! | spent | units taken by requests: `cap` minus what remains in the quota word |
//! | `cap` | spent, plus published and unspent |
//! | `floor` | the lowest figure that could be on disk after a crash at this moment |
//! | `ceiling` | the highest one |
//!
//! Always `spent ≤ cap ≤ floor ≤ ceiling` (E1, E2). A raise moves `ceiling` when it is issued, `floor` when it is
//! durable, `cap` last. A lowering moves `cap` first (the word, by compare-and-swap), `floor` when it is issued, and
//! `ceiling` when it is durable.

use super::rows::chunk;
use crate::period::Window;
use crate::quota::Quota;

/// The disk shows another window, or may show anything.
const UNKNOWN: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) window: Window,
    pub(super) limit: u64,
    cap: u64,
    floor: u64,
    ceiling: u64,
}

impl Account {
    /// An account that begins with `spent` units gone and nothing published.
    pub(super) fn open(window: Window, limit: u64, spent: u64) -> Account {
        Account {
            window,
            limit,
            cap: spent,
            floor: spent,
            ceiling: spent,
        }
    }

    /// The disk still shows another window's row: to be replaced soon.
    pub(super) fn replacing(self) -> Account {
        Account {
            ceiling: UNKNOWN,
            ..self
        }
    }

    pub(super) fn spent(&self, quota: &Quota) -> u64 {
        self.cap - self.unspent(quota)
    }

    fn unspent(&self, quota: &Quota) -> u64 {
        let published = quota.published();
        if published.window == self.window {
            published.remaining
        } else {
            0
        }
    }

    /// The figure to reserve next, when half a chunk or less is left and the limit allows more.
    pub(super) fn raise(&self, quota: &Quota) -> Option<u64> {
        let (unspent, chunk) = (self.unspent(quota), chunk(self.limit));
        if self.cap >= self.limit || unspent > chunk / 2 {
            return None;
        }
        Some((self.cap - unspent + chunk).min(self.limit))
    }

    /// The figure to write when the disk may show more than memory can still spend.
    pub(super) fn lowering(&self) -> Option<u64> {
        (self.ceiling > self.cap).then_some(self.cap)
    }

    /// A row with this figure is about to be written.
    pub(super) fn issue(&mut self, target: u64) {
        debug_assert!(
            target >= self.cap,
            "E1: the disk must never show less than could be spent"
        );
        debug_assert!(
            target <= self.limit || target == self.cap,
            "E3: a raise stays within the limit"
        );
        self.floor = self.floor.min(target);
        self.ceiling = self.ceiling.max(target);
    }

    /// The row is durable.
    pub(super) fn confirm(&mut self, target: u64) {
        debug_assert!(self.cap <= target, "E1");
        (self.floor, self.ceiling) = (target, target);
    }

    /// Publishes what is durable and within the limit, and says whether it is the last.
    pub(super) fn publish(&mut self, quota: &Quota) {
        let cap = self.floor.min(self.limit).max(self.cap);
        quota.set_outlook(self.limit.saturating_sub(cap), chunk(self.limit) / 2);
        quota.publish(self.window, cap - self.cap, cap >= self.limit);
        self.cap = cap;
        debug_assert!(self.cap <= self.floor && self.floor <= self.ceiling, "E2");
    }

    /// Takes back what the limit no longer allows, and tells the word whether more can come.
    pub(super) fn limit(&mut self, quota: &Quota, limit: u64) {
        self.limit = limit;
        if self.unspent(quota) > 0 {
            self.cap -= quota.lower(self.cap.saturating_sub(limit));
        }
        self.settle(quota);
    }

    /// Takes back everything unspent; nothing more can be spent until the next publish.
    pub(super) fn freeze(&mut self, quota: &Quota) {
        let unspent = quota.freeze();
        debug_assert!(unspent == 0 || quota.published().window == self.window);
        self.cap -= unspent;
        quota.set_outlook(self.limit.saturating_sub(self.cap), 0);
    }

    /// Tells the word whether more can come, without publishing any.
    pub(super) fn settle(&self, quota: &Quota) {
        quota.set_outlook(self.limit.saturating_sub(self.cap), chunk(self.limit) / 2);
        quota.publish(self.window, 0, self.cap >= self.limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Day;
    use crate::quota::NoUnit;

    const WINDOW: Window = Window {
        start: Day(50),
        end: Day(51),
    };

    fn spend(quota: &Quota, units: u64) -> u64 {
        (0..units)
            .filter(|_| quota.spend(WINDOW.start).is_ok())
            .count() as u64
    }

    #[test]
    fn nothing_can_be_spent_before_its_row_is_durable() {
        let quota = Quota::default();
        let mut account = Account::open(WINDOW, 1_000, 0);
        let target = account.raise(&quota).unwrap();
        assert_eq!(target, 8);
        account.issue(target);
        assert_eq!(quota.spend(WINDOW.start), Err(NoUnit::Unreserved));
        account.confirm(target);
        account.publish(&quota);
        assert_eq!(spend(&quota, 20), 8);
        assert_eq!(account.spent(&quota), 8);
    }

    #[test]
    fn a_raise_starts_at_half_a_chunk() {
        let quota = Quota::default();
        let mut account = Account::open(WINDOW, 1_000, 0);
        account.issue(8);
        account.confirm(8);
        account.publish(&quota);
        spend(&quota, 3);
        assert_eq!(account.raise(&quota), None);
        spend(&quota, 1);
        assert_eq!(account.raise(&quota), Some(12));
    }

    #[test]
    fn the_writer_is_asked_at_half_a_chunk_and_at_the_end() {
        let asks = |quota: &Quota| {
            let left = std::iter::from_fn(|| quota.spend(WINDOW.start).ok());
            left.map(|left| left.ask).collect::<Vec<_>>()
        };
        let at_four_and_none = [false, false, false, true, false, false, false, true];
        let quota = Quota::default();
        let mut account = Account::open(WINDOW, 1_000, 0);
        account.issue(8);
        account.confirm(8);
        account.publish(&quota);
        assert_eq!(asks(&quota), at_four_and_none);
        // Another limit of the same chunk, while units are there.
        account.issue(16);
        account.confirm(16);
        account.publish(&quota);
        quota.set_outlook(0, 0);
        account.limit(&quota, 900);
        assert_eq!(asks(&quota), at_four_and_none);
    }

    #[test]
    fn a_lowered_limit_is_in_the_word_at_once_and_on_disk_later() {
        let quota = Quota::default();
        let mut account = Account::open(WINDOW, 1_000, 0);
        account.issue(8);
        account.confirm(8);
        account.publish(&quota);
        spend(&quota, 3);
        account.limit(&quota, 5);
        assert_eq!(account.lowering(), Some(5));
        assert_eq!(spend(&quota, 9), 2);
        assert_eq!(quota.spend(WINDOW.start), Err(NoUnit::Exhausted));
        account.limit(&quota, 2);
        assert_eq!(account.spent(&quota), 5);
        account.limit(&quota, 6);
        assert_eq!(quota.spend(WINDOW.start), Err(NoUnit::Unreserved));
        assert_eq!(account.raise(&quota), Some(6));
    }

    #[test]
    fn a_limit_lowered_while_a_raise_is_written_is_not_exceeded() {
        let quota = Quota::default();
        let mut account = Account::open(WINDOW, 1_000, 0);
        account.issue(8);
        account.limit(&quota, 3);
        account.confirm(8);
        account.publish(&quota);
        assert_eq!(spend(&quota, 20), 3);
        assert_eq!(account.lowering(), Some(3));
    }

    #[test]
    fn freezing_gives_back_all_that_was_not_spent() {
        let quota = Quota::default();
        let mut account = Account::open(WINDOW, 1_000, 90);
        account.issue(98);
        account.confirm(98);
        account.publish(&quota);
        spend(&quota, 3);
        account.freeze(&quota);
        assert_eq!((account.spent(&quota), account.lowering()), (93, Some(93)));
        assert_eq!(quota.left_on(WINDOW.start), Some(907));
    }
}
