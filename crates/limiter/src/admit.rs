//! Several limits taken together, in a fixed order.
//!
//! First every limit is looked at (loads only), then each is taken in order, the quota last. Nothing is ever given
//! back: a refund into a bucket that filled up meanwhile would admit one too many. When two requests race for the last
//! token between look and take, the loser may lose a token of a throttle it already took; that is the strict side. A
//! unit of quota is never consumed by a request that is refused.

use crate::clock::Ticks;
use crate::period::Day;
use crate::quota::{Left, NoUnit, Quota};
use crate::rate::{RateId, RateTable};
use crate::throttle::{Denied, Throttle};
use std::time::Duration;

/// A request that passed every limit. Now count it: `used.note(admitted.day)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an admitted request has to be counted"]
pub struct Admitted {
    /// The day to count it on: its own, or the first of the window it was charged to, if that begins later (the window
    /// closed between its look at the clock and its decision, or the clock was set back).
    pub day: Day,
    /// What is left of the quota; `None` without one.
    pub quota_left: Option<Left>,
}

/// Why a request was refused, and what it may do about it. Nothing was taken from the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The throttle at `index` has no token before `retry_after`; `None` is never under its rate.
    #[error("throttle {index} has no token yet")]
    Throttled {
        index: usize,
        retry_after: Option<Duration>,
    },
    /// The quota of the window is used up.
    #[error("the quota of this window is used up")]
    Exhausted,
    /// Quota may be left, but none of it is reserved: tell the writer, wait until it wakes you, decide again with a
    /// fresh look at the clock and the newest configuration.
    #[error("no unit of the quota is reserved at the moment")]
    Unreserved,
}

/// Decides one request of the day `today` at the moment `now`: every throttle in order, then one unit of the quota.
/// About four loads and one compare-and-swap a limit; no lock, no allocation, no clock.
pub fn admit(
    throttles: &[(&Throttle, RateId)],
    rates: &RateTable,
    quota: Option<&Quota>,
    today: Day,
    now: Ticks,
) -> Result<Admitted, Refused> {
    for (index, (throttle, id)) in throttles.iter().enumerate() {
        throttle
            .peek(rates, *id, now)
            .map_err(|denied| Refused::throttle(index, denied))?;
    }
    if let Some(quota) = quota {
        quota.peek(today).map_err(Refused::quota)?;
    }
    for (index, (throttle, id)) in throttles.iter().enumerate() {
        throttle
            .take(rates, *id, now)
            .map_err(|denied| Refused::throttle(index, denied))?;
    }
    let quota_left = match quota {
        Some(quota) => Some(quota.spend(today).map_err(Refused::quota)?),
        None => None,
    };
    let day = quota_left.map_or(today, |left| left.window.start.max(today));
    Ok(Admitted { day, quota_left })
}

impl Refused {
    fn throttle(index: usize, denied: Denied) -> Refused {
        Refused::Throttled {
            index,
            retry_after: denied.retry_after,
        }
    }

    fn quota(none: NoUnit) -> Refused {
        match none {
            NoUnit::Exhausted => Refused::Exhausted,
            NoUnit::Unreserved => Refused::Unreserved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Window;
    use crate::rate::Rate;
    use crate::throttle::Start;

    const TODAY: Day = Day(20_000);

    struct Limits {
        rates: RateTable,
        throttles: [(Throttle, RateId); 2],
        quota: Quota,
    }

    impl Limits {
        fn new(bursts: [u64; 2], units: u64, last: bool) -> Limits {
            let rates = RateTable::new();
            let throttles = bursts.map(|burst| {
                let rate = Rate::new(Some(1.0), Some(burst)).unwrap().unwrap();
                (Throttle::new(Start::Full), rates.edit(None, rate, Ticks(0)))
            });
            let quota = Quota::default();
            quota.publish(
                Window {
                    start: TODAY,
                    end: Day(20_001),
                },
                units,
                last,
            );
            Limits {
                rates,
                throttles,
                quota,
            }
        }

        fn admit(&self) -> Result<Admitted, Refused> {
            let throttles = self
                .throttles
                .each_ref()
                .map(|(throttle, id)| (throttle, *id));
            admit(&throttles, &self.rates, Some(&self.quota), TODAY, Ticks(0))
        }

        fn tokens(&self) -> [u64; 2] {
            self.throttles
                .each_ref()
                .map(|(throttle, id)| throttle.tokens(&self.rates, *id, Ticks(0)))
        }
    }

    #[test]
    fn an_admission_takes_one_of_each() {
        let limits = Limits::new([3, 5], 7, false);
        assert_eq!(limits.admit().unwrap().quota_left.unwrap().units, 6);
        assert_eq!(limits.tokens(), [2, 4]);
    }

    #[test]
    fn a_refusal_takes_nothing_from_anything() {
        for (bursts, units, last, refused) in [
            (
                [0, 5],
                7,
                false,
                Refused::Throttled {
                    index: 0,
                    retry_after: None,
                },
            ),
            (
                [5, 0],
                7,
                false,
                Refused::Throttled {
                    index: 1,
                    retry_after: None,
                },
            ),
            ([5, 5], 0, true, Refused::Exhausted),
            ([5, 5], 0, false, Refused::Unreserved),
        ] {
            let limits = Limits::new(bursts, units, last);
            assert_eq!(limits.admit(), Err(refused));
            assert_eq!(limits.tokens(), bursts);
            assert_eq!(limits.quota.published().remaining, units);
        }
    }

    #[test]
    fn the_first_limit_that_refuses_is_the_one_named() {
        let limits = Limits::new([0, 0], 0, true);
        assert_eq!(
            limits.admit(),
            Err(Refused::Throttled {
                index: 0,
                retry_after: None
            })
        );
    }

    #[test]
    fn without_limits_everything_passes() {
        let admitted = admit(&[], &RateTable::new(), None, TODAY, Ticks(0)).unwrap();
        assert_eq!(
            admitted,
            Admitted {
                day: TODAY,
                quota_left: None
            }
        );
    }

    #[test]
    fn a_straggler_counts_where_it_was_charged() {
        let limits = Limits::new([5, 5], 7, false);
        let admitted =
            |today| admit(&[], &limits.rates, Some(&limits.quota), today, Ticks(0)).unwrap();
        assert_eq!(admitted(Day(19_999)).day, TODAY);
        assert_eq!(admitted(TODAY).day, TODAY);
    }
}
