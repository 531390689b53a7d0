//! The checker of throttles: it knows nothing of the gateway but when requests were sent and when the upstream saw them.
//!
//! Each admission happened at an unknown moment between the two. So an interval from `s` to `t` certainly holds the admissions
//! that were sent at or after `s` and had arrived by `t`, and there may be at most `burst + rate * (t - s)` of those, for every `s` and `t`.
//! It is enough to try `s` at the moments of sending and `t` at the moments of arrival. With the arrivals taken in order, the
//! question for each `t` is the maximum over `s` of `certain(s) + rate * s`: a tree of maxima answers it in `O(log n)`.

use std::ops::Range;

/// One admitted request: sent and arrived, in seconds from any common origin.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    pub sent_s: f64,
    pub arrived_s: f64,
}

/// Below every real value: what an interval is worth before the first request in it has arrived.
const DORMANT: f64 = 1e9;

/// By how many requests the worst interval exceeds `burst + rate * length`; at most 0 when the bound holds.
pub fn worst_excess(admitted: &[Admitted], rate_per_s: f64, burst: f64) -> f64 {
    let mut by_sending = admitted.to_vec();
    by_sending.sort_by(|a, b| a.sent_s.total_cmp(&b.sent_s));
    let mut arrivals: Vec<usize> = (0..by_sending.len()).collect();
    arrivals.sort_by(|a, b| {
        by_sending[*a]
            .arrived_s
            .total_cmp(&by_sending[*b].arrived_s)
    });
    let mut tree = Maxima::new(
        by_sending
            .iter()
            .map(|a| rate_per_s * a.sent_s - DORMANT)
            .collect(),
    );
    let mut worst = f64::NEG_INFINITY;
    for arrival in arrivals {
        let one = by_sending[arrival];
        tree.add(arrival..arrival + 1, DORMANT);
        // It lies inside every interval that starts no later than it was sent and ends now or later.
        tree.add(
            0..by_sending.partition_point(|a| a.sent_s <= one.sent_s),
            1.0,
        );
        worst = worst.max(tree.max() - rate_per_s * one.arrived_s - burst);
    }
    worst
}

/// Values that can be raised over a range, and the greatest of them.
struct Maxima {
    leaves: usize,
    /// The greatest value below each node, without what is pending above it.
    best: Vec<f64>,
    pending: Vec<f64>,
}

impl Maxima {
    fn new(values: Vec<f64>) -> Maxima {
        let leaves = values.len().next_power_of_two();
        let mut best = vec![f64::NEG_INFINITY; 2 * leaves];
        best[leaves..leaves + values.len()].copy_from_slice(&values);
        for node in (1..leaves).rev() {
            best[node] = best[2 * node].max(best[2 * node + 1]);
        }
        Maxima {
            leaves,
            best,
            pending: vec![0.0; 2 * leaves],
        }
    }

    fn max(&self) -> f64 {
        self.best[1]
    }

    fn add(&mut self, range: Range<usize>, amount: f64) {
        self.add_below(1, 0..self.leaves, &range, amount);
    }

    fn add_below(&mut self, node: usize, here: Range<usize>, range: &Range<usize>, amount: f64) {
        if range.end <= here.start || here.end <= range.start {
            return;
        }
        if range.start <= here.start && here.end <= range.end {
            self.best[node] += amount;
            self.pending[node] += amount;
            return;
        }
        let middle = usize::midpoint(here.start, here.end);
        self.add_below(2 * node, here.start..middle, range, amount);
        self.add_below(2 * node + 1, middle..here.end, range, amount);
        self.best[node] = self.best[2 * node].max(self.best[2 * node + 1]) + self.pending[node];
    }
}

#[test]
fn exactly_the_bound_is_accepted_and_one_more_is_not() {
    // Burst 5 at 10/s: five at once, then one every 0.1 s.
    let mut log = vec![
        Admitted {
            sent_s: 1.0,
            arrived_s: 1.0
        };
        5
    ];
    log.extend((1..=20).map(|i| Admitted {
        sent_s: 1.0 + 0.1 * f64::from(i),
        arrived_s: 1.0 + 0.1 * f64::from(i),
    }));
    assert!(worst_excess(&log, 10.0, 5.0) < 1e-6);
    log.push(Admitted {
        sent_s: 2.0,
        arrived_s: 2.0,
    });
    assert!((worst_excess(&log, 10.0, 5.0) - 1.0).abs() < 1e-6);
}

#[test]
fn an_admission_counts_only_where_it_certainly_lies() {
    // Six arrive together, but one was sent early enough to have been admitted before.
    let mut log = vec![
        Admitted {
            sent_s: 1.0,
            arrived_s: 1.0
        };
        5
    ];
    log.push(Admitted {
        sent_s: 0.5,
        arrived_s: 1.0,
    });
    assert!(worst_excess(&log, 2.0, 5.0) < 1e-6);
    assert!(worst_excess(&log, 1.0, 5.0) > 0.4);
}

#[test]
fn it_agrees_with_trying_every_interval() {
    let mut dice = crate::harness::Dice(7);
    for _ in 0..50 {
        let log: Vec<Admitted> = (0..60)
            .map(|_| {
                let sent_s = dice.between(0, 1000) as f64 / 100.0;
                Admitted {
                    sent_s,
                    arrived_s: sent_s + dice.between(0, 50) as f64 / 100.0,
                }
            })
            .collect();
        let mut slow = f64::NEG_INFINITY;
        for start in &log {
            for end in log.iter().filter(|end| end.arrived_s >= start.sent_s) {
                let inside = log
                    .iter()
                    .filter(|a| a.sent_s >= start.sent_s && a.arrived_s <= end.arrived_s)
                    .count();
                slow = slow.max(inside as f64 - 3.0 - 2.0 * (end.arrived_s - start.sent_s));
            }
        }
        assert!((worst_excess(&log, 2.0, 3.0) - slow).abs() < 1e-6);
    }
}
