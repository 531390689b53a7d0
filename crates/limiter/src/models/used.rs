//! The counts of admitted requests: noted by requests while the writer collects, and over a change of the day.

use super::{explore, race};
use crate::period::{Day, Window};
use crate::quota::Quota;
use crate::used::Used;
use std::sync::Arc;

const YESTERDAY: Day = Day(7);
const TODAY: Day = Day(8);

/// What a collection found on a day.
fn on(day: Day, collected: [(Day, u64); 2]) -> u64 {
    let counts = collected.iter().filter(|(of, _)| *of == day);
    counts.map(|(_, count)| count).sum()
}

/// The writer collects when it is told, and once without (it looks at the account). A count that it misses must have
/// been reported for the next time; one that it took is not there again.
#[test]
fn no_count_is_missed_and_none_is_taken_twice() {
    explore(|| {
        let used = Arc::new(Used::default());
        // The writer is on its way because of this one.
        assert!(used.note(TODAY));
        let (first, (second, collected)) = race(
            &used,
            |used| used.note(TODAY),
            |_| race(&used, |used| used.note(TODAY), Used::collect),
        );
        let mut total = on(TODAY, collected);
        if first || second {
            total += on(TODAY, used.collect());
        }
        assert_eq!(total, 3, "reported: {first}, {second}");
        assert!(!(first && second), "reported twice for one collection");
    });
}

#[test]
fn around_midnight_each_request_counts_on_its_own_day() {
    explore(|| {
        let used = Arc::new(Used::default());
        assert!(used.note(YESTERDAY));
        let (late, (early, collected)) = race(
            &used,
            |used| used.note(YESTERDAY),
            |_| race(&used, |used| used.note(TODAY), Used::collect),
        );
        let more = match late || early {
            true => used.collect(),
            false => [(Day(0), 0); 2],
        };
        let total = |day| on(day, collected) + on(day, more);
        assert_eq!((total(YESTERDAY), total(TODAY)), (2, 1));
    });
}

/// Two days of one parity meet (the clock was set): which day counts is open, that all count is not.
#[test]
fn days_that_share_a_word_lose_nothing() {
    explore(|| {
        let used = Arc::new(Used::default());
        assert!(used.note(Day(6)));
        let (first, (second, collected)) = race(
            &used,
            |used| used.note(Day(8)),
            |_| race(&used, |used| used.note(Day(4)), Used::collect),
        );
        let mut counts = collected.to_vec();
        if first || second {
            counts.extend(used.collect());
        }
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 3);
        let days = [Day(0), Day(4), Day(6), Day(8)];
        assert!(counts.iter().all(|(day, _)| days.contains(day)));
    });
}

/// A report that could not be delivered is made again by the next request, whatever happened in between.
#[test]
fn an_undelivered_report_is_made_again() {
    explore(|| {
        let used = Arc::new(Used::default());
        let (delivered, collected) = race(
            &used,
            |used| {
                if used.note(TODAY) {
                    used.not_queued();
                }
                used.note(TODAY)
            },
            Used::collect,
        );
        let mut total = on(TODAY, collected);
        if delivered {
            total += on(TODAY, used.collect());
        }
        assert_eq!(total, 2);
    });
}

/// What the writer counted as used it also sees as spent: a report never shows more used than gone from the quota.
#[test]
fn who_is_counted_has_paid() {
    explore(|| {
        let (quota, used) = (Quota::default(), Used::default());
        let window = Window {
            start: TODAY,
            end: Day(9),
        };
        quota.publish(window, 2, true);
        let shared = Arc::new((quota, used));
        let request = |(quota, used): &(Quota, Used)| {
            if quota.spend(TODAY).is_ok() {
                used.note(TODAY);
            }
        };
        race(&shared, request, |_| {
            race(&shared, request, |(quota, used)| {
                let counted = on(TODAY, used.collect());
                let spent = 2 - quota.published().remaining;
                assert!(counted <= spent, "{counted} counted, {spent} spent");
            })
        });
    });
}
