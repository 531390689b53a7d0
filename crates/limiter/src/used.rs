//! Requests that were admitted, by UTC day: what reports and bills are made of.
//!
//! Two words by the day's parity, each `day:16 | count:48`, hold what the writer has not collected yet. Today and
//! yesterday never share a word, so around midnight each request is counted on its own day. A word whose count was
//! collected takes the next day that comes along; one that still holds a count of another day (two days apart without
//! one collection: the clock was set, or the writer stands still) keeps its day, so that nothing is ever lost.
//!
//! **Orderings.** A count and its collection are read-modify-writes of one word, so none is lost or taken twice in any
//! ordering. Release and acquire on them carry two things along. From a request to the writer: the unit it spent, so
//! that nothing is counted that was not paid. From the writer to a request: that the mark `queued` is down. A count
//! comes either before the collection, which takes it, or after, and then it has acquired what the collection released
//! and cannot find the mark of before any more. So the mark itself needs no ordering.

use crate::period::Day;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

const DAY_SHIFT: u32 = 48;
const COUNT_MAX: u64 = (1 << DAY_SHIFT) - 1;

/// Admitted requests not collected yet, 24 bytes.
#[derive(Debug, Default)]
pub struct Used {
    days: [AtomicU64; 2],
    /// The cell is in the writer's queue, or about to be.
    queued: AtomicBool,
}

impl Used {
    /// Counts one admitted request on `day`. True if the cell must now be put into the writer's queue: at most once
    /// between two collections, so the queue stays in proportion to the cells. One compare-and-swap.
    pub fn note(&self, day: Day) -> bool {
        let cell = &self.days[usize::from(day.0 & 1)];
        let mut word = cell.load(Ordering::Relaxed);
        loop {
            let next = match word & COUNT_MAX {
                0 => u64::from(day.0) << DAY_SHIFT | 1,
                COUNT_MAX => word,
                _ => word + 1,
            };
            match cell.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(current) => word = current,
            }
        }
        // After the count, never before: a mark that is still up then belongs to a collection that takes the count.
        !self.queued.load(Ordering::Relaxed) && !self.queued.swap(true, Ordering::Relaxed)
    }

    /// The queue had no room after all: the next `note` reports the cell again.
    pub fn not_queued(&self) {
        self.queued.store(false, Ordering::Relaxed);
    }

    /// Takes the counts out, the earlier day first; days without a count give zero.
    pub(crate) fn collect(&self) -> [(Day, u64); 2] {
        // Before the words: see the orderings above.
        self.queued.store(false, Ordering::Relaxed);
        let mut days = [0, 1].map(|parity| {
            let word = self.days[parity].swap(0, Ordering::AcqRel);
            (Day((word >> DAY_SHIFT) as u16), word & COUNT_MAX)
        });
        days.sort();
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_queued_once_until_it_is_collected() {
        let used = Used::default();
        assert!(used.note(Day(10)));
        assert!(!used.note(Day(10)));
        assert!(!used.note(Day(11)), "nor for the other day");
        assert_eq!(used.collect(), [(Day(10), 2), (Day(11), 1)]);
        assert!(used.note(Day(11)));
        used.not_queued();
        assert!(used.note(Day(11)));
        assert_eq!(used.collect(), [(Day(0), 0), (Day(11), 2)]);
    }

    #[test]
    fn midnight_splits_exactly_and_stragglers_count_on_their_own_day() {
        let used = Used::default();
        for day in [7, 7, 8, 7, 8, 8, 8] {
            used.note(Day(day));
        }
        assert_eq!(used.collect(), [(Day(7), 3), (Day(8), 4)]);
        used.note(Day(9));
        used.note(Day(8));
        assert_eq!(used.collect(), [(Day(8), 1), (Day(9), 1)]);
    }

    #[test]
    fn nothing_is_lost_when_two_days_meet_in_one_word() {
        let used = Used::default();
        used.note(Day(4));
        used.note(Day(6));
        used.note(Day(2));
        assert_eq!(used.collect(), [(Day(0), 0), (Day(4), 3)]);
    }

    #[test]
    fn a_full_count_stays_full_and_on_its_day() {
        let used = Used::default();
        used.note(Day(4));
        used.days[0].store(4 << DAY_SHIFT | COUNT_MAX, Ordering::Relaxed);
        used.note(Day(4));
        assert_eq!(used.collect(), [(Day(0), 0), (Day(4), COUNT_MAX)]);
    }

    #[test]
    fn racing_threads_and_a_collector_lose_nothing() {
        const THREADS: u16 = 4;
        const NOTES: u64 = 20_000;
        let used = Used::default();
        let (queue, queued) = std::sync::mpsc::channel();
        let mut total = [0; 2];
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (used, queue) = (&used, queue.clone());
                scope.spawn(move || {
                    for _ in 0..NOTES {
                        if used.note(Day(100 + thread % 2)) {
                            queue.send(()).unwrap();
                        }
                    }
                });
            }
            drop(queue);
            // Collected only when told: a count without its message would be missing in the end.
            for () in queued {
                for (day, count) in used.collect() {
                    total[usize::from(day.0 % 2)] += count;
                }
            }
        });
        assert_eq!(total, [2 * NOTES; 2]);
    }
}
