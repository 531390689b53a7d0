//! Throttles against a textbook token bucket in exact arithmetic: random times, rates, edits, restarts, several limits.

use proptest::prelude::*;
use tollgate_limiter::{
    Counters, Day, Held, Quota, Rate, RateId, RateTable, Refused, Start, Throttle, Ticks, admit,
};

// The reference. Tokens are counted in 1/(8 · 16·10⁹), so that a rate of `eighths`/8 tokens a second gives a whole
// number of them every tick (1/16 ns): nothing is ever rounded.

const TOKEN: i128 = 8 * Ticks::PER_S as i128;

struct TokenBucket {
    eighths: i128,
    burst: i128,
    level: i128,
    at: u64,
}

impl TokenBucket {
    fn new(limit: Limit, level: i128, at: u64) -> TokenBucket {
        let (eighths, burst) = (i128::from(limit.eighths), i128::from(limit.burst));
        TokenBucket { eighths, burst, level: level.min(burst * TOKEN), at }
    }

    fn refill(&mut self, now: u64) {
        let gained = self.eighths * i128::from(now - self.at);
        self.level = (self.level + gained).min(self.burst * TOKEN);
        self.at = now;
    }

    fn edit(&mut self, limit: Limit, now: u64) {
        self.refill(now);
        *self = TokenBucket::new(limit, self.level, now);
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
        Rate::new(Some(per_s), Some(u64::from(self.burst))).unwrap().unwrap()
    }
}

fn limit() -> impl Strategy<Value = Limit> {
    let eighths = prop::sample::select(vec![1, 2, 4, 5, 8, 10, 16, 25, 80, 125, 800, 1_000, 8_000, 100_000]);
    let burst = prop_oneof![1..4_u32, 1..50_u32, Just(1_000)];
    (eighths, burst).prop_map(|(eighths, burst)| Limit { eighths, burst })
}

/// Times between requests: mostly short, so that bursts empty, some long.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        4 => 0..Ticks::PER_S / 10,
        3 => 0..Ticks::PER_S,
        1 => 0..Ticks::PER_S * 100,
        1 => 0..20_u64,
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Request { after: u64 },
    Edit { after: u64, limit: Limit },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        9 => gap().prop_map(|after| Step::Request { after }),
        1 => (gap(), limit()).prop_map(|(after, limit)| Step::Edit { after, limit }),
    ]
}

/// Admissions of which some interval holds more than `most(from, to)`.
fn check_every_interval(admitted: &[u64], most: impl Fn(u64, u64) -> u128) {
    for (first, from) in admitted.iter().enumerate() {
        for (last, to) in admitted.iter().enumerate().skip(first) {
            let count = (last - first + 1) as u128;
            let most = most(*from, *to);
            assert!(count <= most, "{count} admitted in {} ticks, at most {most} allowed", to - from);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Request by request the same decision as the textbook's; after edits, stricter by less than two ticks an edit.
    #[test]
    fn every_decision_is_the_textbooks(
        first in limit(),
        steps in prop::collection::vec(step(), 1..200),
        restart_at in prop::option::of(0..Ticks::PER_S * 10),
    ) {
        let rates = RateTable::new();
        let mut id = rates.edit(None, first.rate(), Ticks(0));
        let (start, level) = match restart_at {
            Some(at) => (Start::EmptyAt(Ticks(at)), 0),
            None => (Start::Full, i128::MAX),
        };
        let throttle = Throttle::new(start);
        let mut now = restart_at.unwrap_or(1);
        let mut bucket = TokenBucket::new(first, level, now);
        let mut eighths_max = bucket.eighths;
        let mut edits = i128::from(restart_at == Some(0));
        for step in steps {
            match step {
                Step::Request { after } => {
                    now += after;
                    bucket.refill(now);
                    let peeked = throttle.peek(&rates, id, Ticks(now));
                    let taken = throttle.take(&rates, id, Ticks(now));
                    prop_assert_eq!(peeked, taken);
                    if taken.is_ok() {
                        prop_assert!(bucket.level >= TOKEN, "admitted without a token");
                        bucket.level -= TOKEN;
                    } else {
                        let strictness = 2 * edits * eighths_max;
                        prop_assert!(bucket.level < TOKEN + strictness, "denied with a token");
                    }
                }
                Step::Edit { after, limit } => {
                    now += after;
                    // Untouched buckets are full of whatever rate is in force at their first request.
                    if restart_at.is_some() || bucket.level < bucket.burst * TOKEN {
                        // A restarted one counts from its edit if none was admitted before.
                        throttle.take(&rates, id, Ticks(now)).ok();
                        bucket.refill(now);
                        prop_assume!(throttle.tokens(&rates, id, Ticks(now)).is_ok());
                        bucket.level -= 0;
                    }
                    id = rates.edit(Some(id), limit.rate(), Ticks(now));
                    bucket.edit(limit, now);
                    eighths_max = eighths_max.max(bucket.eighths);
                    edits += 1;
                }
            }
        }
    }
}
