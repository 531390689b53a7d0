//! Throttles against a textbook token bucket in exact arithmetic: random times, rates, edits, restarts, several limits.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;
use tollgate_limiter::{
    Day, Denied, Rate, RateId, RateTable, Refused, Start, Throttle, Ticks, admit,
};

// The reference. Tokens are counted in 1/(8 · 16·10⁹), so that a rate of `eighths`/8 tokens a second gives a whole
// number of them every tick (1/16 ns): nothing is ever rounded.

const TOKEN: i128 = 8 * Ticks::PER_S as i128;

#[derive(Clone)]
struct TokenBucket {
    eighths: i128,
    full: i128,
    level: i128,
    at: u64,
}

impl TokenBucket {
    fn new(limit: Limit, level: i128, at: u64) -> TokenBucket {
        let (eighths, full) = (i128::from(limit.eighths), i128::from(limit.burst) * TOKEN);
        TokenBucket {
            eighths,
            full,
            level: level.min(full),
            at,
        }
    }

    fn refill(&mut self, now: u64) {
        let gained = self.eighths * i128::from(now - self.at);
        self.level = (self.level + gained).min(self.full);
        self.at = now;
    }

    fn take(&mut self) {
        self.level -= TOKEN;
    }
}

// End of the reference.

/// A rate whose interval is a whole number of ticks, so that the product need not round either.
#[derive(Clone, Copy, Debug)]
struct Limit {
    eighths: u32,
    burst: u32,
}

impl Limit {
    fn rate(self) -> Rate {
        let per_s = f64::from(self.eighths) / 8.0;
        Rate::new(Some(per_s), Some(u64::from(self.burst)))
            .unwrap()
            .unwrap()
    }
}

fn limit() -> impl Strategy<Value = Limit> {
    let eighths = prop::sample::select(vec![
        1, 2, 4, 5, 8, 10, 16, 25, 80, 125, 800, 1_000, 8_000, 100_000,
    ]);
    let burst = prop_oneof![1..4_u32, 1..50_u32, Just(1_000)];
    (eighths, burst).prop_map(|(eighths, burst)| Limit { eighths, burst })
}

/// Time between requests: mostly short, so that buckets run dry.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        4 => 0..Ticks::PER_S / 10,
        3 => 0..Ticks::PER_S,
        1 => 0..Ticks::PER_S * 100,
        1 => 0..20_u64,
    ]
}

fn config(times: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases * times,
        failure_persistence: None,
        ..config
    }
}

/// No interval holds more admissions than `most(from, to)`.
fn check_every_interval(admitted: &[u64], most: impl Fn(u64, u64) -> u128) {
    for (first, from) in admitted.iter().enumerate() {
        for (last, to) in admitted.iter().enumerate().skip(first) {
            let count = (last - first + 1) as u128;
            let most = most(*from, *to);
            assert!(
                count <= most,
                "{count} admitted in {} ticks, {most} allowed",
                to - from
            );
        }
    }
}

/// ⌊rate × ticks⌋, exactly, for the very double that was configured.
fn whole_requests(per_s: f64, ticks: u64) -> u128 {
    let (mut mantissa, mut shift) = (per_s, 0);
    while mantissa.fract() != 0.0 {
        (mantissa, shift) = (mantissa * 2.0, shift + 1);
    }
    ((mantissa as u128 * u128::from(ticks)) >> shift) / u128::from(Ticks::PER_S)
}

#[derive(Clone, Debug)]
enum Step {
    /// By a configuration so many edits behind.
    Request { behind: usize },
    /// To come into force so much later.
    Edit { limit: Limit, ahead: u64 },
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let ahead = prop_oneof![Just(0), 0..Ticks::PER_S / 100, 0..Ticks::PER_S * 10];
    let step = prop_oneof![
        12 => (0..4_usize).prop_map(|behind| Step::Request { behind }),
        1 => (limit(), ahead).prop_map(|(limit, ahead)| Step::Edit { limit, ahead }),
    ];
    (gap(), step)
}

proptest! {
    #![proptest_config(config(2))]

    /// Request by request the textbook's decision, whatever configuration the request saw; after edits never laxer,
    /// and stricter by less than two ticks an edit.
    #[test]
    fn every_decision_is_the_textbooks(
        first in limit(),
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let rates = RateTable::new();
        let mut ids = vec![rates.edit(None, first.rate(), Ticks(0))];
        let throttle = Throttle::new(Start::Full);
        let mut now = 1;
        let mut bucket = TokenBucket::new(first, i128::MAX, now);
        let mut to_come: VecDeque<(u64, Limit)> = VecDeque::new();
        let mut eighths_max = bucket.eighths;
        // The first request binds the throttle to its rate: an untouched one is full of whatever rate comes.
        prop_assert_eq!(throttle.take(&rates, ids[0], Ticks(now)), Ok(()));
        bucket.take();
        for (after, step) in steps {
            now += after;
            while let Some((at, limit)) = to_come.pop_front_if(|(at, _)| *at <= now) {
                bucket.refill(at);
                bucket = TokenBucket::new(limit, bucket.level, at);
            }
            bucket.refill(now);
            match step {
                Step::Request { behind } => {
                    let id = ids[ids.len().saturating_sub(1 + behind)];
                    let peeked = throttle.peek(&rates, id, Ticks(now));
                    prop_assert_eq!(peeked, throttle.take(&rates, id, Ticks(now)));
                    if peeked.is_ok() {
                        prop_assert!(bucket.level >= TOKEN, "admitted without a token");
                        bucket.take();
                    } else {
                        let strictness = 2 * ids.len() as i128 * eighths_max;
                        prop_assert!(bucket.level < TOKEN + strictness, "denied with a token");
                    }
                }
                Step::Edit { limit, ahead } => {
                    let at = to_come.back().map_or(now, |(at, _)| *at) + ahead;
                    ids.push(rates.edit(ids.last().copied(), limit.rate(), Ticks(at)));
                    to_come.push_back((at, limit));
                    eighths_max = eighths_max.max(i128::from(limit.eighths));
                }
            }
        }
    }

    /// The wait that is told is the wait there is: denied a tick before, admitted then.
    #[test]
    fn the_wait_is_exact(limit in limit(), gaps in prop::collection::vec(gap(), 1..100)) {
        let rates = RateTable::new();
        let id = rates.edit(None, limit.rate(), Ticks(0));
        let throttle = Throttle::new(Start::Full);
        let mut now = Ticks(0);
        for gap in gaps {
            now = Ticks(now.0 + gap);
            if let Err(denied) = throttle.take(&rates, id, now) {
                let Denied { retry_after: Some(wait) } = denied else { panic!("never") };
                prop_assert!(throttle.peek(&rates, id, now.plus(wait)).is_ok());
                let sooner = Ticks(now.plus(wait).0 - Ticks::PER_NS);
                prop_assert!(throttle.peek(&rates, id, sooner).is_err());
            }
        }
    }

    /// The sentence that is promised, for any rate and burst a double and an integer can say.
    #[test]
    fn every_interval_holds_at_most_the_burst_and_the_rate(
        per_s in prop_oneof![1e-3..10.0, 1.0..1e4, 1e4..1e7],
        burst in prop_oneof![1..5_u64, 1..100_u64],
        gaps in prop::collection::vec(0.0..3.0_f64, 1..150),
    ) {
        let rates = RateTable::new();
        let rate = Rate::new(Some(per_s), Some(burst)).unwrap().unwrap();
        let id = rates.edit(None, rate, Ticks(0));
        let throttle = Throttle::new(Start::Full);
        let (mut now, mut admitted) = (0.0, Vec::new());
        for gap in gaps {
            // In units of the rate's own interval, often none.
            now += if gap < 1.5 { 0.0 } else { (gap - 1.5) / per_s };
            let now = Ticks::of(Duration::from_secs_f64(now));
            if throttle.take(&rates, id, now).is_ok() {
                admitted.push(now.0);
            }
        }
        check_every_interval(&admitted, |from, to| u128::from(burst) + whole_requests(per_s, to - from));
    }

    /// A client 0.01 % slower than the rate is never denied, burst or no burst.
    #[test]
    fn a_client_slightly_slower_than_the_rate_is_never_denied(
        per_s in prop_oneof![1e-4..1.0, 1.0..1e3, 1e3..1e6],
        burst in 1..5_u64,
        late in prop::collection::vec(0.0..0.5_f64, 1..200),
    ) {
        let rates = RateTable::new();
        let rate = Rate::new(Some(per_s), Some(burst)).unwrap().unwrap();
        let id = rates.edit(None, rate, Ticks(0));
        let throttle = Throttle::new(Start::Full);
        let mut now = Ticks(0);
        for late in late {
            prop_assert_eq!(throttle.take(&rates, id, now), Ok(()));
            now = Ticks(now.0 + (Ticks::PER_S as f64 / per_s * (1.0001 + late)).ceil() as u64);
        }
    }

    /// Any double and any integer: no overflow, at most the burst at once, and the first request passes.
    #[test]
    fn no_figure_is_too_large_or_too_small(
        per_s in any::<f64>(),
        burst in any::<u64>(),
        nows in prop::collection::vec(any::<u64>(), 1..20),
    ) {
        let Ok(limit) = Rate::new(Some(per_s), Some(burst)) else {
            prop_assert!(!per_s.is_finite() || per_s < 0.0);
            return Ok(());
        };
        let rates = RateTable::new();
        let id = rates.edit(None, limit.unwrap(), Ticks(nows[0] / 2));
        let throttle = Throttle::new(Start::Full);
        let passes = throttle.take(&rates, id, Ticks(nows[0])).is_ok();
        prop_assert_eq!(passes, per_s > 0.0 && burst > 0);
        let more = (0..1_000).filter(|_| throttle.take(&rates, id, Ticks(nows[0])).is_ok()).count();
        prop_assert!(more as u64 <= burst.saturating_sub(1));
        let mut newest = id;
        for now in nows {
            newest = rates.edit(Some(newest), limit.unwrap(), Ticks(now));
            let tokens = throttle.tokens(&rates, newest, Ticks(now));
            prop_assert!(tokens <= burst);
            prop_assert!(tokens > 0 || throttle.take(&rates, newest, Ticks(now)).is_err());
        }
    }

    /// Across crashes and restarts the bound is the same as if the process had lived on.
    #[test]
    fn a_restart_is_no_second_burst(
        limit in limit(),
        lives in prop::collection::vec((prop::collection::vec(gap(), 1..40), gap(), gap()), 1..5),
    ) {
        let rates = RateTable::new();
        let id = rates.edit(None, limit.rate(), Ticks(0));
        let mut throttle = Throttle::new(Start::Full);
        let (mut now, mut admitted) = (0, Vec::new());
        for (gaps, stamped_ahead, down) in lives {
            for gap in gaps {
                now += gap;
                if throttle.take(&rates, id, Ticks(now)).is_ok() {
                    admitted.push(now);
                }
            }
            throttle = Throttle::new(Start::EmptyAt(Ticks(now + stamped_ahead)));
            now += down;
        }
        let (eighths, burst) = (u128::from(limit.eighths), u128::from(limit.burst));
        check_every_interval(&admitted, |from, to| {
            burst + eighths * u128::from(to - from) / TOKEN.unsigned_abs()
        });
    }

    /// Several limits: admitted if and only if each has a token; then each loses one, otherwise none does.
    #[test]
    fn several_limits_admit_together_or_not_at_all(
        limits in prop::collection::vec(limit(), 1..5),
        gaps in prop::collection::vec(gap(), 1..200),
    ) {
        let rates = RateTable::new();
        let throttles: Vec<(Throttle, RateId)> = limits
            .iter()
            .map(|limit| (Throttle::new(Start::Full), rates.edit(None, limit.rate(), Ticks(0))))
            .collect();
        let borrowed: Vec<_> = throttles.iter().map(|(throttle, id)| (throttle, *id)).collect();
        let mut buckets: Vec<_> =
            limits.iter().map(|limit| TokenBucket::new(*limit, i128::MAX, 0)).collect();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            buckets.iter_mut().for_each(|bucket| bucket.refill(now));
            let empty = buckets.iter().position(|bucket| bucket.level < TOKEN);
            match (admit(&borrowed, &rates, None, Day(0), Ticks(now)), empty) {
                (Ok(_), None) => buckets.iter_mut().for_each(TokenBucket::take),
                (Err(Refused::Throttled { index, .. }), Some(empty)) => prop_assert_eq!(index, empty),
                (decision, empty) => prop_assert!(false, "{decision:?}, empty: {empty:?}"),
            }
        }
    }
}
