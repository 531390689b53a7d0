//! Slots with requests to count, in the order they came, and how far they have to be written.

use crate::counters::Slot;
use std::collections::VecDeque;

/// Used rows are written this often.
pub const USED_EVERY_MS: u64 = 1_000;
/// Used rows written at a time, those that wait longest first, so that reporting stays a small part of a gateway's
/// work however many keys are active. A flush writes all.
pub const USED_AT_ONCE: u64 = 2_000;

/// A queue whose members are numbered from the first that ever came; the figures below are such numbers.
#[derive(Default)]
pub(super) struct Dirty {
    queue: VecDeque<Slot>,
    came: u64,
    taken: u64,
    /// Those up to here are to be written now.
    due: u64,
    next_due_ms: u64,
    /// A flush waits for those up to here.
    flush: Option<u64>,
}

impl Dirty {
    pub(super) fn push(&mut self, slot: Slot) {
        self.queue.push_back(slot);
        self.came += 1;
    }

    /// The next one that is to be written now.
    pub(super) fn pop(&mut self) -> Option<Slot> {
        let slot = if self.taken < self.due {
            self.queue.pop_front()?
        } else {
            return None;
        };
        self.taken += 1;
        Some(slot)
    }

    /// When the next one is to be written.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let due_ms = if self.taken < self.due {
            0
        } else {
            self.next_due_ms
        };
        (!self.queue.is_empty()).then_some(due_ms)
    }

    pub(super) fn come_due(&mut self, now_ms: u64) {
        if now_ms >= self.next_due_ms {
            let share = self.came.min(self.taken + USED_AT_ONCE);
            self.due = self.due.max(share);
            self.next_due_ms = now_ms.saturating_add(USED_EVERY_MS);
        }
    }

    pub(super) fn flush(&mut self) {
        self.due = self.came;
        self.flush = Some(self.came);
    }

    pub(super) fn is_flushing(&self) -> bool {
        self.flush.is_some()
    }

    /// What failed to be written, or had to be loaded first, came again at the end: it is due, and flushed if any is.
    pub(super) fn again(&mut self) {
        self.due = self.came;
        self.flush = self.flush.map(|_| self.came);
    }

    /// Everything taken is durable.
    pub(super) fn durable(&mut self) {
        self.flush = self.flush.filter(|flush| *flush > self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_due_once_a_second_and_at_once_when_flushed() {
        let mut dirty = Dirty::default();
        dirty.come_due(5_000);
        dirty.push(Slot(1));
        dirty.come_due(5_999);
        assert_eq!(dirty.due_ms(), Some(6_000));
        assert_eq!(dirty.pop(), None);
        dirty.come_due(6_000);
        assert_eq!(dirty.pop(), Some(Slot(1)));
        dirty.push(Slot(2));
        dirty.flush();
        dirty.push(Slot(3));
        assert_eq!(dirty.pop(), Some(Slot(2)));
        assert!(dirty.is_flushing());
        dirty.durable();
        assert!(!dirty.is_flushing());
        assert_eq!(dirty.pop(), None, "came after the flush");
    }

    #[test]
    fn of_many_rows_a_share_is_written_each_second_and_all_by_a_flush() {
        let mut dirty = Dirty::default();
        for slot in 0..3 * USED_AT_ONCE as u32 {
            dirty.push(Slot(slot));
        }
        let written = |dirty: &mut Dirty| std::iter::from_fn(|| dirty.pop()).count() as u64;
        dirty.come_due(1_000);
        assert_eq!(written(&mut dirty), USED_AT_ONCE);
        dirty.come_due(1_999);
        assert_eq!(written(&mut dirty), 0);
        dirty.come_due(2_000);
        dirty.flush();
        assert_eq!(written(&mut dirty), 2 * USED_AT_ONCE);
    }

    #[test]
    fn a_failed_write_is_waited_for_by_the_flush() {
        let mut dirty = Dirty::default();
        dirty.push(Slot(1));
        dirty.flush();
        assert_eq!(dirty.pop(), Some(Slot(1)));
        dirty.push(Slot(1));
        dirty.again();
        dirty.durable();
        assert!(dirty.is_flushing());
        assert_eq!(dirty.pop(), Some(Slot(1)));
        dirty.durable();
        assert!(!dirty.is_flushing());
    }
}
