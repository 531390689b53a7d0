//! What a seed stands for: the configuration it begins with, the load, and what goes wrong when.

use std::collections::BTreeMap;

use crate::calendar::{DAY_MS, first_of};
use crate::config::{Config, Key, Plan, Throttle, quota, throttle};
use crate::disk::Failing;
use crate::random::Random;

/// What happens to the process, the machine, or the configuration.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Call,
    /// Many calls with one key at once.
    Burst,
    Change,
    /// Somebody asks for the usage.
    Report,
    /// The writer hears of things that are not so, and calls are woken for nothing.
    Rumour,
    Kill,
    PowerCut,
    /// Killed so many steps later.
    KillSoon(u64),
    Stop,
    /// The stop goes on: nobody calls any more.
    Drained,
    Start,
    /// No thread gets a core for a time.
    Suspend {
        ms: u64,
    },
    Resume,
    /// The machine sleeps; monotonic time stands still.
    Sleep {
        ms: u64,
    },
    /// The wall clock is so far from the truth from now on.
    SetClock {
        error_ms: i64,
    },
    DiskFull {
        ms: u64,
    },
    DiskFails(Failing),
    Unreadable,
    DiskSlow {
        ms: u64,
    },
    StampsFail(bool),
    Hold {
        ms: u64,
    },
    Release(usize),
}

pub struct Scenario {
    /// True UTC at the beginning.
    pub base_ms: i64,
    pub config: Config,
    pub account: Option<Throttle>,
    pub waiters_max: usize,
    /// Clocks tell the truth and the machine does not sleep.
    pub is_honest: bool,
    pub lags_one_in: u64,
    pub events: BTreeMap<(u64, u64), Event>,
    pub end_ms: u64,
}

impl Scenario {
    pub fn new(random: &mut Random) -> Scenario {
        let end_ms = random.pick(&[1_500, 3_000, 6_000, 12_000]);
        let base_ms = base(random, end_ms);
        let is_honest = !random.one_in(4);
        let mut scenario = Scenario {
            base_ms,
            config: config(random),
            account: random.one_in(12).then_some(Throttle {
                per_1000_s: 200_000,
                burst: 50,
            }),
            waiters_max: random.pick(&[1_024, 1_024, 1_024, 3, 1]),
            is_honest,
            lags_one_in: random.pick(&[0, 0, 0, 30, 6]),
            events: BTreeMap::new(),
            end_ms,
        };
        scenario.load(random);
        scenario.faults(random);
        scenario
    }

    pub fn put(&mut self, at_ms: u64, event: Event) {
        let number = self.events.len() as u64 * 1_000 + at_ms % 1_000;
        let mut key = (at_ms, number);
        while self.events.contains_key(&key) {
            key.1 += 1;
        }
        self.events.insert(key, event);
    }

    fn load(&mut self, random: &mut Random) {
        let calls = random.pick(&[40, 100, 200, 300]);
        for _ in 0..calls {
            let at = random.below(self.end_ms);
            self.put(at, Event::Call);
        }
        for _ in 0..random.below(5) {
            let at = random.below(self.end_ms);
            self.put(at, Event::Burst);
        }
        for _ in 0..random.below(3) {
            let at = random.below(self.end_ms);
            self.put(at, Event::Report);
        }
        if random.one_in(3) {
            for _ in 0..random.between(1, 20) {
                let at = random.below(self.end_ms);
                self.put(at, Event::Rumour);
            }
        }
        if !random.one_in(4) {
            for _ in 0..random.pick(&[1, 2, 4, 8, 14]) {
                let at = random.below(self.end_ms);
                self.put(at, Event::Change);
            }
        }
    }

    fn faults(&mut self, random: &mut Random) {
        let end = self.end_ms;
        if random.one_in(2) {
            for _ in 0..random.pick(&[1, 1, 2, 4]) {
                let at = random.below(end);
                let event = match random.below(4) {
                    0 => Event::Kill,
                    1 => Event::PowerCut,
                    2 => Event::KillSoon(random.below(200)),
                    _ => Event::KillSoon(random.below(30)),
                };
                self.put(at, event);
            }
        }
        if random.one_in(5) {
            let at = random.below(end);
            self.put(at, Event::Stop);
        }
        if random.one_in(4) {
            let at = random.below(end);
            let event = match random.below(5) {
                0 => Event::DiskFull {
                    ms: random.between(1, 3_000),
                },
                1 | 2 => Event::DiskFails(random.pick(&[
                    Failing::Unknown,
                    Failing::Durable,
                    Failing::Lost,
                ])),
                3 => Event::Unreadable,
                _ => Event::DiskSlow {
                    ms: random.pick(&[300, 1_100, 2_500, 10_000]),
                },
            };
            self.put(at, event);
        }
        if random.one_in(4) {
            for _ in 0..random.between(1, 12) {
                let at = random.below(end);
                self.put(
                    at,
                    Event::Hold {
                        ms: random.pick(&[0, 1, 3, 20, 240, 400]),
                    },
                );
            }
        }
        if random.one_in(8) {
            let at = random.below(end);
            let ms = random.pick(&[500, 2_500, 10_000, 120_000, 7_200_000]);
            self.put(at, Event::Suspend { ms });
        }
        if random.one_in(30) {
            self.rest(random, end);
        }
        if !self.is_honest {
            self.lies(random, end);
        }
    }

    /// Ten minutes without a call: units are given back, some just when calls come again.
    fn rest(&mut self, random: &mut Random, end: u64) {
        self.end_ms = end + 604_000;
        if random.one_in(2) {
            for _ in 0..random.between(5, 120) {
                let at = end + 598_000 + random.below(5_000);
                self.put(at, Event::Call);
            }
            for _ in 0..random.below(6) {
                let at = end + 596_000 + random.below(5_000);
                let ms = random.between(20, 200);
                self.put(at, Event::DiskSlow { ms });
            }
            return;
        }
        // The keys of the last calls are idle in the same second. Giving back takes long, and they come again meanwhile.
        for _ in 0..random.between(1, 4) {
            self.put(end, Event::Call);
        }
        let ms = random.between(300, 2_000);
        self.put(end + 590_000, Event::DiskSlow { ms });
        for _ in 0..random.between(1, 6) {
            let at = end + 600_000 + random.below(2_500);
            self.put(at, random.pick(&[Event::Call, Event::Burst]));
        }
    }

    /// Faults of the clocks.
    fn lies(&mut self, random: &mut Random, end: u64) {
        for _ in 0..random.between(1, 3) {
            let at = random.below(end);
            let event = match random.below(6) {
                0 => Event::Sleep {
                    ms: random.pick(&[200, 4_000, 60_000, 3_600_000, 90_000_000]),
                },
                1 => Event::StampsFail(true),
                _ => Event::SetClock {
                    error_ms: step(random),
                },
            };
            self.put(at, event);
        }
        if random.one_in(3) {
            // Long enough for a jump to prove itself.
            for _ in 0..30 {
                let at = end + random.below(70_000);
                self.put(at, Event::Call);
            }
            self.end_ms = self.end_ms.max(end + 70_000);
        }
    }
}

/// Seconds to years, both ways.
pub fn step(random: &mut Random) -> i64 {
    let size = random.pick(&[
        1_000,
        4_900,
        6_000,
        60_000,
        3_600_000,
        DAY_MS,
        8 * DAY_MS,
        365 * DAY_MS,
    ]);
    let size = size + random.below(1_000) as i64;
    if random.one_in(2) { size } else { -size }
}

/// Some moment from 2024 to 2030, often shortly before a day, a week or a month ends.
fn base(random: &mut Random, end_ms: u64) -> i64 {
    let before_ms = random.below(end_ms + 200) as i64;
    let first = first_of(2024, 1);
    let days = first_of(2031, 1) - first;
    let some_day = first + random.below(days as u64) as i64;
    match random.below(8) {
        0..=2 => some_day * DAY_MS - before_ms,
        // 1970-01-04 was a Sunday.
        3 => (some_day - (some_day - 3).rem_euclid(7)) * DAY_MS - before_ms,
        4 => {
            let (year, month) = (random.between(2024, 2030), random.between(1, 12));
            first_of(year as i64, month as i64) * DAY_MS - before_ms
        }
        _ => some_day * DAY_MS + random.below(DAY_MS as u64) as i64,
    }
}

fn config(random: &mut Random) -> Config {
    let plans = random.between(1, 3);
    let keys = random.between(1, 4);
    let plans: Vec<Plan> = (0..plans)
        .map(|_| Plan {
            exists: true,
            covers: true,
            throttle: random.one_in(3).then(|| throttle(random)),
            method: random.one_in(8).then(|| throttle(random)),
            quota: (!random.one_in(6)).then(|| quota(random)),
        })
        .collect();
    let keys = (0..keys)
        .map(|_| {
            let first = random.index(plans.len()) as u8;
            let mut own = vec![first];
            if random.one_in(5) && plans.len() > 1 {
                own.push((first + 1) % plans.len() as u8);
            }
            Key {
                exists: true,
                enabled: true,
                plans: own,
            }
        })
        .collect();
    Config {
        plans,
        keys,
        extensions: BTreeMap::new(),
        stage: random.one_in(10).then(|| throttle(random)),
    }
}
