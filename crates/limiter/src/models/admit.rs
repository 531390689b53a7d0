//! Several limits taken together by requests that race for the last of one of them.

use super::{explore, race};
use crate::admit::{Refused, admit};
use crate::clock::Ticks;
use crate::period::{Day, Window};
use crate::quota::Quota;
use crate::rate::{Rate, RateId, RateTable};
use crate::throttle::{Start, Throttle};
use std::sync::Arc;

const TODAY: Day = Day(10);
const NOW: Ticks = Ticks(100);

struct Limits {
    rates: RateTable,
    id: RateId,
    throttle: Throttle,
    quota: Quota,
}

impl Limits {
    fn new(tokens: u64, units: u64) -> Arc<Limits> {
        let rates = RateTable::new();
        let rate = Rate {
            interval: 10,
            capacity: 10 * tokens,
        };
        let id = rates.edit(None, rate, Ticks(0));
        let quota = Quota::default();
        let window = Window {
            start: TODAY,
            end: Day(11),
        };
        quota.publish(window, units, true);
        let throttle = Throttle::new(Start::Full);
        assert!(throttle.take(&rates, id, Ticks(0)).is_ok());
        Arc::new(Limits {
            rates,
            id,
            throttle,
            quota,
        })
    }

    fn request(&self) -> Result<(), Refused> {
        let throttles = [(&self.throttle, self.id)];
        admit(&throttles, &self.rates, Some(&self.quota), TODAY, NOW).map(|_| ())
    }

    fn left(&self) -> (u64, u64) {
        let tokens = self.throttle.tokens(&self.rates, self.id, NOW);
        (tokens, self.quota.published().remaining)
    }
}

#[test]
fn a_throttled_request_consumes_no_quota() {
    explore(|| {
        let limits = Limits::new(1, 2);
        let (there, here) = race(&limits, Limits::request, Limits::request);
        let admitted = [there, here].iter().filter(|one| one.is_ok()).count();
        assert_eq!(admitted, 1);
        assert_eq!(limits.left(), (0, 1));
    });
}

/// The loser may lose the token it took before it found the quota used up; it gets no unit, and nothing is handed back.
#[test]
fn the_last_unit_admits_one() {
    explore(|| {
        let limits = Limits::new(2, 1);
        let (there, here) = race(&limits, Limits::request, Limits::request);
        let refused = [there, here].map(Result::err);
        assert!(
            [
                [None, Some(Refused::Exhausted)],
                [Some(Refused::Exhausted), None]
            ]
            .contains(&refused),
            "{refused:?}"
        );
        let (tokens, units) = limits.left();
        assert!(tokens <= 1 && units == 0);
    });
}
