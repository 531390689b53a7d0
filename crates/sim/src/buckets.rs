//! The oracle for throttles: two plain token buckets in floating point, one that holds at least what
//! the promise allows and one that holds at most what it guarantees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Config, Pair, Throttle};
use crate::trace::violated;

/// Rounding of the oracle, in tokens.
const ROUNDING: f64 = 1e-6;
/// A token that is missing by so little may be missing: edits and clocks round to the strict side.
const STRICT: f64 = 2e-3;
/// A caller so much slower than the rate is never refused.
const SLOWER: f64 = 1.0 - 1e-4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bucket {
    Plan(Pair),
    Method(Pair),
    Stage(usize),
    Account,
}

/// What happened, for both buckets.
#[derive(Clone, Debug)]
pub enum Entry {
    Start {
        mono_ns: u64,
        true_ns: u64,
    },
    Versions {
        acked: usize,
        newest: usize,
        mono_ns: u64,
        true_ns: u64,
    },
    Call {
        is_admitted: bool,
        path: usize,
        pair: Option<Pair>,
        looked_true_ns: u64,
        mono_ns: u64,
        is_stale: bool,
    },
}

#[derive(Default)]
pub struct Log {
    entries: Vec<Entry>,
    /// Calls race inside their decisions (mutants only), so a refused one may have taken a token in vain.
    pub tokens_are_lost: bool,
}

impl Log {
    pub fn put(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Goes through everything that happened.
    pub fn check(&self, versions: &[Arc<Config>], account: Option<Throttle>) {
        let limits = Limits { versions, account };
        self.check_bound(&limits);
        if !self.tokens_are_lost {
            self.check_refusals(&limits);
        }
    }

    /// In no interval more than burst + rate × time, by the moments the decisions looked at.
    fn check_bound(&self, limits: &Limits<'_>) {
        let moment = |entry: &Entry| match entry {
            Entry::Start { true_ns, .. } | Entry::Versions { true_ns, .. } => Some(*true_ns),
            Entry::Call { looked_true_ns, .. } => Some(*looked_true_ns),
        };
        let mut order: Vec<(u64, &Entry)> = self
            .entries
            .iter()
            .filter_map(|entry| Some((moment(entry)?, entry)))
            .collect();
        order.sort_by_key(|(at_ns, _)| *at_ns);
        let mut range = (0, 0);
        let mut levels: BTreeMap<Bucket, Level> = BTreeMap::new();
        for (at_ns, entry) in order {
            match entry {
                // A key that is put back into a plan after a restart begins there anew.
                Entry::Start { .. } => {
                    levels.retain(|bucket, _| limits.is_attached(*bucket, range))
                }
                Entry::Versions { acked, newest, .. } => {
                    for (bucket, level) in &mut levels {
                        level.refill(at_ns, limits.most(*bucket, range));
                    }
                    range = (*acked, *newest);
                    // Without a throttle a bucket may fill as it likes.
                    levels.retain(|bucket, _| limits.most(*bucket, range).is_some());
                    for (bucket, level) in &mut levels {
                        level.refill(at_ns, limits.most(*bucket, range));
                    }
                }
                Entry::Call {
                    is_admitted: false, ..
                } => {}
                Entry::Call { path, pair, .. } => {
                    for bucket in buckets(*path, *pair) {
                        let Some(most) = limits.most(bucket, range) else {
                            levels.remove(&bucket);
                            continue;
                        };
                        let full = Level {
                            tokens: most.burst as f64,
                            at_ns,
                        };
                        let level = levels.entry(bucket).or_insert(full);
                        level.refill(at_ns, Some(most));
                        if level.tokens < 1.0 - ROUNDING {
                            violated(
                                "I4",
                                format!(
                                    "{bucket:?} admitted a call with {} tokens at {:.6} s",
                                    level.tokens,
                                    at_ns as f64 / 1e9
                                ),
                            );
                        }
                        level.tokens -= 1.0;
                    }
                }
            }
        }
    }

    /// Nobody is refused while a bucket that got the least of everything would hold a token.
    fn check_refusals(&self, limits: &Limits<'_>) {
        let mut range = (0, 0);
        let mut levels: BTreeMap<Bucket, Level> = BTreeMap::new();
        let mut used = BTreeSet::new();
        let mut restarted_ns = None;
        let mut has_started = false;
        for entry in &self.entries {
            match entry {
                Entry::Start { mono_ns, .. } => {
                    if std::mem::replace(&mut has_started, true) {
                        levels.clear();
                        used.clear();
                        restarted_ns = Some(*mono_ns);
                    }
                }
                Entry::Versions {
                    acked,
                    newest,
                    mono_ns,
                    ..
                } => {
                    for (bucket, level) in &mut levels {
                        level.regain_least(*mono_ns, *bucket, limits, range);
                    }
                    range = (*acked, *newest);
                    for (bucket, level) in &mut levels {
                        level.regain_least(*mono_ns, *bucket, limits, range);
                    }
                    // A bucket that was not used since the start counts from the newest edit.
                    if restarted_ns.is_some() {
                        restarted_ns = Some(*mono_ns);
                        levels.retain(|bucket, _| used.contains(bucket));
                    }
                }
                Entry::Call {
                    is_admitted,
                    path,
                    pair,
                    mono_ns,
                    is_stale,
                    ..
                } => {
                    let mut is_empty = false;
                    for bucket in buckets(*path, *pair) {
                        let Some(least) = limits.least(bucket, range) else {
                            continue;
                        };
                        let level = levels.entry(bucket).or_insert_with(|| match restarted_ns {
                            Some(at_ns) => Level { tokens: 0.0, at_ns },
                            None => Level {
                                tokens: least.burst as f64,
                                at_ns: *mono_ns,
                            },
                        });
                        level.regain_least(*mono_ns, bucket, limits, range);
                        // Which edit it will count from is not certain while one is being adopted.
                        let is_uncertain =
                            restarted_ns.is_some() && !used.contains(&bucket) && range.0 != range.1;
                        is_empty |= is_uncertain || level.tokens < 1.0 + STRICT;
                        if *is_admitted {
                            used.insert(bucket);
                            level.tokens -= 1.0;
                        }
                    }
                    if !is_admitted && !is_empty && !is_stale {
                        violated(
                            "I4",
                            format!(
                                "refused a call on path {path} of {pair:?} at {:.6} s with tokens left: {levels:?}",
                                *mono_ns as f64 / 1e9
                            ),
                        );
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Level {
    tokens: f64,
    at_ns: u64,
}

impl Level {
    fn refill(&mut self, at_ns: u64, throttle: Option<Throttle>) {
        let seconds = at_ns.saturating_sub(self.at_ns) as f64 / 1e9;
        self.at_ns = self.at_ns.max(at_ns);
        if let Some(throttle) = throttle {
            self.tokens = (self.tokens + seconds * throttle.rate()).min(throttle.burst as f64);
        }
    }
}

impl Level {
    /// Regains what is certain, and holds no more than the strictest throttle allows.
    fn regain_least(
        &mut self,
        at_ns: u64,
        bucket: Bucket,
        limits: &Limits<'_>,
        range: (usize, usize),
    ) {
        self.refill(at_ns, limits.certain(bucket, range));
        if let Some(least) = limits.least(bucket, range) {
            self.tokens = self.tokens.min(least.burst as f64);
        }
    }
}

impl Throttle {
    fn rate(self) -> f64 {
        self.per_1000_s as f64 / 1000.0
    }
}

/// The throttles of the versions that may be in force.
struct Limits<'a> {
    versions: &'a [Arc<Config>],
    account: Option<Throttle>,
}

impl Limits<'_> {
    fn of(&self, bucket: Bucket, config: &Config) -> Option<Throttle> {
        match bucket {
            Bucket::Plan((plan, _)) => config.throttle(plan),
            Bucket::Method((plan, _)) => config.method(plan),
            Bucket::Stage(_) => config.stage,
            Bucket::Account => self.account,
        }
    }

    /// Whether the bucket's key was surely in its plan.
    fn is_attached(&self, bucket: Bucket, range: (usize, usize)) -> bool {
        let (Bucket::Plan((plan, key)) | Bucket::Method((plan, key))) = bucket else {
            return true;
        };
        let is_in = |config: &Arc<Config>| {
            let key = &config.keys[usize::from(key)];
            key.exists && key.plans.contains(&plan)
        };
        self.versions[range.0..=range.1].iter().all(is_in)
    }

    /// What is set for a bucket, whether calls reach it or not: an edit of a plan's throttle takes tokens
    /// all the same. A method throttle goes with its stage.
    fn set(&self, bucket: Bucket, config: &Config) -> Option<Throttle> {
        match bucket {
            Bucket::Plan((number, _)) => {
                let plan = &config.plans[usize::from(number)];
                plan.throttle.filter(|_| plan.exists)
            }
            Bucket::Method(_) | Bucket::Stage(_) | Bucket::Account => self.of(bucket, config),
        }
    }

    /// The most generous throttle; none when there may be none.
    fn most(&self, bucket: Bucket, range: (usize, usize)) -> Option<Throttle> {
        let mut most = Throttle {
            per_1000_s: 0,
            burst: 0,
        };
        for config in &self.versions[range.0..=range.1] {
            let own = self.of(bucket, config)?;
            most.per_1000_s = most.per_1000_s.max(own.per_1000_s);
            most.burst = most.burst.max(own.burst);
        }
        Some(most)
    }

    /// The strictest one, if there certainly is one: what a bucket surely regains by. A throttle that is
    /// being adopted regains from a moment between its change and its acknowledgement.
    fn certain(&self, bucket: Bucket, range: (usize, usize)) -> Option<Throttle> {
        let mut versions = self.versions[range.0..=range.1].iter();
        let are_all = versions.all(|config| self.set(bucket, config).is_some());
        self.least(bucket, range).filter(|_| are_all)
    }

    /// The strictest one; none when there certainly is none.
    fn least(&self, bucket: Bucket, range: (usize, usize)) -> Option<Throttle> {
        let own = self.versions[range.0..=range.1]
            .iter()
            .filter_map(|config| self.set(bucket, config));
        own.reduce(|a, b| Throttle {
            per_1000_s: a.per_1000_s.min(b.per_1000_s),
            burst: a.burst.min(b.burst),
        })
        .map(|throttle| Throttle {
            per_1000_s: (throttle.per_1000_s as f64 * SLOWER) as u64,
            ..throttle
        })
    }
}

fn buckets(path: usize, pair: Option<Pair>) -> impl Iterator<Item = Bucket> {
    let plan = pair.map(Bucket::Plan);
    let method = pair.filter(|_| path == 0).map(Bucket::Method);
    method
        .into_iter()
        .chain(plan)
        .chain([Bucket::Stage(path), Bucket::Account])
}
