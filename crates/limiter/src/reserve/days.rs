//! What was used of one counter, day by day, as far as memory needs it: the newest days, and the sum of the window's
//! older ones, which only the store keeps apart.

use super::rows::UsedRow;
use crate::counters::Slot;
use crate::period::{Day, Window};

/// Days kept apart in memory: today, yesterday for stragglers, and one for a clock set back.
const KEPT: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Days {
    /// Ascending, without gaps in what it covers: a day from `oldest` on that is not here has no row anywhere.
    list: Vec<DayUsed>,
    /// Requests of days before this one are counted on this one.
    oldest: Day,
    /// Of days before `oldest`, those in the account's window.
    folded: Sum,
}

#[derive(Debug)]
struct DayUsed {
    day: Day,
    used: u64,
    written_off: u64,
    remaining: Option<u64>,
    /// The row in the store, or in the batch being written, says the same.
    clean: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) used: u64,
    pub(super) written_off: u64,
}

impl Sum {
    pub(super) fn total(self) -> u64 {
        self.used.saturating_add(self.written_off)
    }

    fn add(&mut self, day: &DayUsed) {
        self.used = self.used.saturating_add(day.used);
        self.written_off = self.written_off.saturating_add(day.written_off);
    }
}

impl Days {
    /// Adds the store's rows from day `from` on. Where memory has a day too, memory is newer.
    pub(super) fn load(&mut self, rows: &[UsedRow], from: Day) {
        for row in rows.iter().filter(|row| row.day >= from) {
            if let Err(at) = self.find(row.day) {
                let UsedRow {
                    day,
                    used,
                    remaining,
                    written_off,
                    ..
                } = *row;
                self.list.insert(
                    at,
                    DayUsed {
                        day,
                        used,
                        written_off,
                        remaining,
                        clean: true,
                    },
                );
            }
        }
        self.oldest = from;
        self.folded = Sum::default();
    }

    pub(super) fn count(&mut self, day: Day, requests: u64) {
        let entry = self.entry(day);
        entry.used = entry.used.saturating_add(requests);
        entry.clean = false;
    }

    pub(super) fn write_off(&mut self, day: Day, units: u64) {
        let entry = self.entry(day);
        entry.written_off = entry.written_off.saturating_add(units);
        entry.clean = false;
    }

    /// What the window's days add up to. After a [`Days::trim`], only for the window it was given or a later one.
    pub(super) fn sum(&self, window: Window) -> Sum {
        let mut sum = if window.start < self.oldest {
            self.folded
        } else {
            Sum::default()
        };
        self.list
            .iter()
            .filter(|entry| window.contains(entry.day))
            .for_each(|entry| sum.add(entry));
        sum
    }

    pub(super) fn used_on(&self, day: Day) -> u64 {
        self.find(day).map_or(0, |at| self.list[at].used)
    }

    /// The newest day of a window that has a figure.
    pub(super) fn newest_in(&self, window: Window) -> Option<Day> {
        self.list
            .iter()
            .rev()
            .map(|entry| entry.day)
            .find(|day| window.contains(*day))
    }

    /// A day's row is to be written again: its figures changed, or the write failed.
    pub(super) fn soil(&mut self, day: Day) {
        if let Ok(at) = self.find(day) {
            self.list[at].clean = false;
        }
    }

    /// The window is over, and this is what remained of it: for its newest day, and for days not written yet.
    pub(super) fn close(&mut self, window: Window, remaining: u64) {
        let newest = self.newest_in(window);
        for entry in self
            .list
            .iter_mut()
            .filter(|entry| window.contains(entry.day))
        {
            if !entry.clean || Some(entry.day) == newest {
                entry.remaining = Some(remaining);
            }
        }
        self.folded = Sum::default();
    }

    pub(super) fn is_clean(&self) -> bool {
        self.list.iter().all(|entry| entry.clean)
    }

    /// Gives every row that has to be written, and takes them for written. `quota` is the open window and what remains
    /// of it.
    pub(super) fn write(
        &mut self,
        slot: Slot,
        quota: Option<(Window, u64)>,
        mut row: impl FnMut(UsedRow),
    ) {
        for entry in self.list.iter_mut().filter(|entry| !entry.clean) {
            match quota {
                Some((window, remaining)) if window.contains(entry.day) => {
                    entry.remaining = Some(remaining)
                }
                _ => {}
            }
            entry.clean = true;
            let DayUsed {
                day,
                used,
                written_off,
                remaining,
                ..
            } = *entry;
            row(UsedRow {
                slot,
                day,
                used,
                remaining,
                written_off,
            });
        }
    }

    /// Lets go of old days that are in the store.
    pub(super) fn trim(&mut self, window: Option<Window>) {
        let more = self.list.len().saturating_sub(KEPT);
        let gone = self
            .list
            .iter()
            .take(more)
            .take_while(|entry| entry.clean)
            .count();
        if gone == 0 {
            return;
        }
        for entry in self.list.drain(..gone) {
            if window.is_some_and(|window| window.contains(entry.day)) {
                self.folded.add(&entry);
            }
        }
        self.oldest = self.list.first().map_or(self.oldest, |first| first.day);
    }

    fn entry(&mut self, day: Day) -> &mut DayUsed {
        let day = day.max(self.oldest);
        let at = match self.find(day) {
            Ok(at) => at,
            Err(at) => {
                let new = DayUsed {
                    day,
                    used: 0,
                    written_off: 0,
                    remaining: None,
                    clean: false,
                };
                self.list.insert(at, new);
                at
            }
        };
        &mut self.list[at]
    }

    fn find(&self, day: Day) -> Result<usize, usize> {
        self.list.binary_search_by_key(&day, |entry| entry.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(1);

    fn row(day: u16, used: u64) -> UsedRow {
        UsedRow {
            slot: SLOT,
            day: Day(day),
            used,
            remaining: Some(7),
            written_off: 1,
        }
    }

    fn written(days: &mut Days, quota: Option<(Window, u64)>) -> Vec<(u16, u64, Option<u64>)> {
        let mut rows = Vec::new();
        days.write(SLOT, quota, |row| {
            rows.push((row.day.0, row.used, row.remaining))
        });
        rows
    }

    #[test]
    fn rows_are_cumulative_and_written_when_they_changed() {
        let mut days = Days::default();
        days.load(&[row(10, 100)], Day(0));
        assert_eq!(written(&mut days, None), []);
        days.count(Day(10), 5);
        days.count(Day(11), 2);
        let today = Window {
            start: Day(11),
            end: Day(12),
        };
        assert_eq!(
            written(&mut days, Some((today, 40))),
            [(10, 105, Some(7)), (11, 2, Some(40))]
        );
        assert!(days.is_clean());
        days.soil(Day(11));
        assert_eq!(written(&mut days, Some((today, 39))), [(11, 2, Some(39))]);
    }

    #[test]
    fn old_days_stay_in_the_sum_and_stragglers_count_on_the_oldest_kept() {
        let month = Window {
            start: Day(5),
            end: Day(35),
        };
        let mut days = Days::default();
        days.load(&(3..13).map(|day| row(day, 10)).collect::<Vec<_>>(), Day(0));
        assert_eq!(
            days.sum(month),
            Sum {
                used: 80,
                written_off: 8
            }
        );
        days.trim(Some(month));
        assert_eq!(
            days.sum(month),
            Sum {
                used: 80,
                written_off: 8
            }
        );
        days.count(Day(4), 1);
        assert_eq!(written(&mut days, None), [(10, 11, Some(7))]);
        assert_eq!(
            days.sum(Window {
                start: Day(12),
                end: Day(13)
            })
            .used,
            10
        );
    }

    #[test]
    fn memory_is_newer_than_the_store() {
        let mut days = Days::default();
        days.load(&[row(10, 100)], Day(0));
        days.count(Day(10), 5);
        days.load(&[row(10, 100), row(9, 3)], Day(0));
        assert_eq!((days.used_on(Day(10)), days.used_on(Day(9))), (105, 3));
    }

    #[test]
    fn days_that_are_not_written_yet_are_kept() {
        let mut days = Days::default();
        for day in 1..9 {
            days.count(Day(day), 1);
        }
        days.trim(None);
        assert_eq!(written(&mut days, None).len(), 8);
        days.trim(None);
        assert_eq!(days.list.len(), KEPT);
    }
}
