//! The bucket's word and the id beside it: takes, conversions, and requests that come with an old rate or an old time.

use super::{explore, race};
use crate::clock::Ticks;
use crate::rate::{Rate, RateId, RateTable};
use crate::throttle::{Start, Throttle};
use std::sync::Arc;

const NOW: Ticks = Ticks(100);

struct Bucket {
    rates: RateTable,
    throttle: Throttle,
}

impl Bucket {
    fn new() -> Bucket {
        Bucket {
            rates: RateTable::new(),
            throttle: Throttle::new(Start::Full),
        }
    }

    fn edit(&self, after: Option<RateId>, tokens: u64, interval: u64, at: Ticks) -> RateId {
        let capacity = tokens * interval;
        self.rates.edit(after, Rate { interval, capacity }, at)
    }

    fn takes(&self, id: RateId, now: Ticks, tries: u64) -> u64 {
        let admitted = (0..tries).filter(|_| self.throttle.take(&self.rates, id, now).is_ok());
        admitted.count() as u64
    }

    fn tokens(&self, id: RateId, now: Ticks) -> u64 {
        self.throttle.tokens(&self.rates, id, now)
    }
}

#[test]
fn a_token_is_taken_once() {
    explore(|| {
        let bucket = Bucket::new();
        let id = bucket.edit(None, 2, 10, Ticks(0));
        // Binds the bucket to its rate, long ago.
        assert_eq!(bucket.takes(id, Ticks(0), 1), 1);
        let bucket = Arc::new(bucket);
        let other = Arc::clone(&bucket);
        let (first, (second, third)) = race(
            &bucket,
            move |bucket| bucket.takes(id, NOW, 1),
            |_| {
                race(
                    &other,
                    move |bucket| bucket.takes(id, NOW, 1),
                    |bucket| bucket.takes(id, NOW, 1),
                )
            },
        );
        assert_eq!(first + second + third, 2);
        assert_eq!(bucket.tokens(id, NOW), 0);
    });
}

/// Whichever configuration a request saw, and whoever converts: what was in the bucket at the edit is all there is.
/// A request that meets the conversion may lose a token it took, never gain one.
#[test]
fn a_conversion_carries_the_tokens_and_makes_none() {
    explore(|| {
        let bucket = Bucket::new();
        let old = bucket.edit(None, 3, 10, Ticks(0));
        assert_eq!(bucket.takes(old, NOW, 1), 1);
        let new = bucket.edit(Some(old), 10, 4, NOW);
        let bucket = Arc::new(bucket);
        let (stale, fresh) = race(
            &bucket,
            move |bucket| bucket.takes(old, NOW, 2),
            |bucket| bucket.takes(new, NOW, 2),
        );
        assert_eq!(stale + fresh, 2);
        assert_eq!(bucket.tokens(old, NOW), 0);
    });
}

#[test]
fn edits_in_the_middle_of_requests_never_refill() {
    explore(|| {
        let bucket = Bucket::new();
        let first = bucket.edit(None, 3, 10, Ticks(0));
        assert_eq!(bucket.takes(first, NOW, 1), 1);
        let bucket = Arc::new(bucket);
        let (stale, fresh) = race(
            &bucket,
            move |bucket| bucket.takes(first, NOW, 2),
            |bucket| {
                let second = bucket.edit(Some(first), 10, 4, NOW);
                let admitted = bucket.takes(second, NOW, 1);
                let third = bucket.edit(Some(second), 20, 3, NOW);
                admitted + bucket.takes(third, NOW, 1)
            },
        );
        assert!((1..=2).contains(&(stale + fresh)), "{stale} and {fresh}");
        assert!(bucket.tokens(first, NOW) + stale + fresh <= 2);
    });
}

/// The word can come back in another rate: here eight requests long ago leave 81, the conversion makes it 41, one more
/// request 81 again. A request that read the first 81 must neither be admitted on the second nor convert it.
///
/// At moment 1 the bucket holds three tokens, and ten ticks later not yet a fourth.
fn a_word_that_came_back(stale_now: Ticks) {
    let bucket = Bucket::new();
    let old = bucket.edit(None, 11, 10, Ticks(0));
    assert_eq!(bucket.takes(old, Ticks(1), 8), 8);
    let new = bucket.edit(Some(old), 3, 40, Ticks(1));
    let bucket = Arc::new(bucket);
    let (stale, fresh) = race(
        &bucket,
        move |bucket| bucket.takes(old, stale_now, 1),
        |bucket| bucket.takes(new, Ticks(1), 2),
    );
    let later = bucket.takes(new, Ticks(11), 4);
    assert!(
        stale + fresh + later <= 3,
        "{stale} and {fresh}, then {later}"
    );
    assert!(stale + fresh + later >= 2);
}

#[test]
fn a_word_that_came_back_is_not_taken_by_an_old_request() {
    // Before the edit's moment: decided by the old rate if it is first.
    explore(|| a_word_that_came_back(Ticks(0)));
}

#[test]
fn a_word_that_came_back_is_not_converted_again() {
    explore(|| a_word_that_came_back(Ticks(1)));
}

/// No reader ever takes a word for one of another rate: it sees two tokens, or the one that is left.
#[test]
fn a_word_is_read_in_its_own_rate() {
    explore(|| {
        let bucket = Bucket::new();
        let old = bucket.edit(None, 3, 10, Ticks(0));
        assert_eq!(bucket.takes(old, NOW, 1), 1);
        let new = bucket.edit(Some(old), 10, 4, NOW);
        let bucket = Arc::new(bucket);
        let (seen, admitted) = race(
            &bucket,
            move |bucket| (bucket.tokens(old, NOW), bucket.tokens(old, NOW)),
            |bucket| bucket.takes(new, NOW, 1),
        );
        assert!([(2, 2), (2, 1), (1, 1)].contains(&seen), "{seen:?}");
        assert_eq!(admitted, 1);
    });
}

/// Two configurations that know nothing of each other (the limit was removed and came back) make the first requests.
#[test]
fn a_first_request_is_the_first_in_one_rate_only() {
    explore(|| {
        let bucket = Bucket::new();
        let small = bucket.edit(None, 1, 10, Ticks(0));
        let large = bucket.edit(None, 2, 10, Ticks(0));
        let bucket = Arc::new(bucket);
        let (before, after) = race(
            &bucket,
            move |bucket| bucket.takes(small, NOW, 2),
            |bucket| bucket.takes(large, NOW, 2),
        );
        assert!((1..=2).contains(&(before + after)), "{before} and {after}");
    });
}

/// An edit that becomes visible brings its rate with it: it never looks like one that does not exist, which would
/// admit nothing.
#[test]
fn an_edit_is_visible_as_a_whole() {
    explore(|| {
        let bucket = Bucket::new();
        let old = bucket.edit(None, 3, 10, Ticks(0));
        assert_eq!(bucket.takes(old, NOW, 1), 1);
        let bucket = Arc::new(bucket);
        let (seen, _) = race(
            &bucket,
            move |bucket| bucket.tokens(old, NOW),
            |bucket| bucket.edit(Some(old), 10, 4, NOW),
        );
        assert_eq!(seen, 2);
    });
}

/// A conversion is due and there is no token before 110: the requests of 100 are refused in every order and leave no
/// trace, so the one of 110 makes of the bucket what it makes of it alone.
#[test]
fn a_denial_writes_nothing() {
    explore(|| {
        let bucket = Bucket::new();
        let old = bucket.edit(None, 1, 5, Ticks(0));
        assert_eq!(bucket.takes(old, NOW, 1), 1);
        let new = bucket.edit(Some(old), 1, 10, NOW);
        let bucket = Arc::new(bucket);
        let (denied, admitted) = race(
            &bucket,
            move |bucket| bucket.takes(old, NOW, 2),
            |bucket| bucket.takes(new, Ticks(110), 1),
        );
        assert_eq!((denied, admitted), (0, 1));
        assert_eq!(bucket.tokens(new, Ticks(119)), 0);
        assert_eq!(bucket.tokens(new, Ticks(120)), 1);
    });
}
