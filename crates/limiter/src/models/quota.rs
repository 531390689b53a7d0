//! The quota's word: requests spend while the writer publishes, lowers, freezes and goes on to the next window.

use super::{explore, race};
use crate::period::{Day, Window};
use crate::quota::{NoUnit, Quota};
use std::sync::Arc;

const TODAY: Window = Window {
    start: Day(10),
    end: Day(11),
};
const TOMORROW: Window = Window {
    start: Day(11),
    end: Day(12),
};

fn published(units: u64, last: bool) -> Arc<Quota> {
    let quota = Quota::default();
    quota.publish(TODAY, units, last);
    Arc::new(quota)
}

fn spend(quota: &Quota, tries: u64) -> u64 {
    let spent = (0..tries).filter(|_| quota.spend(TODAY.start).is_ok());
    spent.count() as u64
}

/// Two threads that spend, and what the writer does at the same time.
fn against<T>(quota: &Arc<Quota>, writer: impl FnOnce(&Quota) -> T) -> (u64, T) {
    let (one, (other, done)) = race(
        quota,
        |quota| spend(quota, 1),
        |_| race(quota, |quota| spend(quota, 2), writer),
    );
    (one + other, done)
}

#[test]
fn a_unit_is_spent_once_and_none_is_lost_while_more_are_published() {
    explore(|| {
        let quota = published(1, false);
        let (spent, ()) = against(&quota, |quota| quota.publish(TODAY, 1, true));
        let left = quota.published();
        assert_eq!(spent + left.remaining, 2);
        assert!(left.last);
    });
}

#[test]
fn freezing_gives_exactly_what_was_not_spent() {
    explore(|| {
        let quota = published(2, true);
        let (spent, (rest, after)) =
            against(&quota, |quota| (quota.freeze(), quota.spend(TODAY.start)));
        assert_eq!(spent + rest, 2);
        assert_eq!(after, Err(NoUnit::Unreserved));
        assert_eq!(quota.published().remaining, 0);
    });
}

#[test]
fn lowering_takes_back_exactly_what_it_says() {
    explore(|| {
        let quota = published(3, false);
        let (spent, lowered) = against(&quota, |quota| quota.lower(2));
        assert_eq!(spent + lowered + quota.published().remaining, 3);
        assert!(lowered <= 2);
    });
}

/// The word the spender read stands there again, with units that were published anew.
#[test]
fn the_same_word_again_is_spent_exactly_too() {
    explore(|| {
        let quota = published(1, false);
        let (spent, rest) = against(&quota, |quota| {
            let rest = quota.freeze();
            quota.publish(TODAY, 1, false);
            rest
        });
        assert_eq!(spent + rest + quota.published().remaining, 2);
    });
}

/// The window rolls under requests of both days: each window gives its own units, and a request of the new day takes
/// none of the old window.
#[test]
fn each_window_gives_its_own_units_only() {
    explore(|| {
        let quota = published(1, false);
        let windows = |day: Day, tries: u64| {
            move |quota: &Quota| -> Vec<Window> {
                let spent = (0..tries).filter_map(|_| quota.spend(day).ok());
                spent.map(|left| left.window).collect()
            }
        };
        let (old, (new, rest)) = race(&quota, windows(TODAY.start, 2), |_| {
            race(&quota, windows(TOMORROW.start, 1), |quota| {
                let rest = quota.freeze();
                quota.publish(TOMORROW, 2, false);
                rest
            })
        });
        assert!(!new.contains(&TODAY), "of a window that is over");
        let of = |window| old.iter().chain(&new).filter(|of| **of == window).count() as u64;
        assert_eq!(of(TODAY) + rest, 1);
        assert_eq!(of(TOMORROW) + quota.published().remaining, 2);
    });
}

/// Who is told that the quota is used up is told so for good: the last unit was spent by another. A raised limit makes
/// it "ask the writer" again.
#[test]
fn exhausted_means_that_the_last_unit_is_spent() {
    explore(|| {
        let quota = published(1, true);
        let (there, (here, ())) = race(
            &quota,
            |quota| quota.spend(TODAY.start),
            |_| {
                race(
                    &quota,
                    |quota| quota.spend(TODAY.start),
                    |quota| {
                        quota.reopen();
                        quota.publish(TODAY, 1, true);
                    },
                )
            },
        );
        let spent = u64::from(there.is_ok()) + u64::from(here.is_ok());
        assert_eq!(spent + quota.published().remaining, 2);
        if [there, here].contains(&Err(NoUnit::Exhausted)) {
            assert_eq!(spent, 1);
        }
        assert_ne!(spent, 0);
    });
}

/// Who gets a published unit knows at which one the writer wants to be asked.
#[test]
fn a_published_unit_comes_with_its_outlook() {
    explore(|| {
        let quota = Arc::new(Quota::default());
        let (left, ()) = race(
            &quota,
            |quota| quota.spend(TODAY.start),
            |quota| {
                quota.set_outlook(5, 1);
                quota.publish(TODAY, 2, false);
            },
        );
        match left {
            Ok(left) => assert_eq!((left.units, left.ask), (6, true)),
            Err(none) => assert_eq!(none, NoUnit::Unreserved),
        }
    });
}
