//! The reserve on a disk that fails and a process that dies at any moment: thousands of random histories, each request
//! checked against the plain truth of what was admitted on which day.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use tollgate_limiter::clock::Ticks;
use tollgate_limiter::reserve::{
    AccountRow, Batch, Extension, Failure, Load, Now, Past, Terms, UsedRow, chunk,
};
use tollgate_limiter::{
    Counters, Day, Period, RateTable, Refused, Reserve, Slot, Start, Window, admit,
};

const SLOTS: u32 = 3;
const FIRST_DAY: u16 = 20_000;

#[derive(Clone, Debug)]
enum Step {
    Requests {
        slot: u32,
        count: u32,
        noted: bool,
    },
    Note,
    LoseNeeds,
    Round {
        meanwhile: Vec<Meanwhile>,
        outcome: Outcome,
    },
    Wait {
        ms: u64,
    },
    Days {
        forward: u16,
    },
    Back {
        days: u16,
    },
    Terms {
        slot: u32,
        change: Change,
    },
    Flush,
    Recycle {
        slot: u32,
    },
    Kill,
    Stop,
}

/// What happens while a batch is being written.
#[derive(Clone, Debug)]
enum Meanwhile {
    Requests { slot: u32, count: u32 },
    Terms { slot: u32, change: Change },
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Committed,
    Full { written: bool },
    Poisoned { written: bool },
    Killed { written: bool },
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Limit(u64),
    Period(Period, u8),
    Extension(i64),
    NoQuota,
}

/// The simulated store: a transaction is there or it is not.
#[derive(Clone, Default)]
struct Disk {
    accounts: BTreeMap<Slot, AccountRow>,
    used: BTreeMap<(Slot, Day), UsedRow>,
}

impl Disk {
    fn write(&mut self, batch: &Batch) {
        self.accounts
            .extend(batch.accounts.iter().map(|row| (row.slot, *row)));
        self.used
            .extend(batch.used.iter().map(|row| ((row.slot, row.day), *row)));
    }

    fn past(&self, load: Load, terms: Option<Terms>) -> Past {
        let used = self
            .used
            .range((load.slot, load.from_day)..=(load.slot, Day(u16::MAX)));
        Past {
            terms,
            account: self.accounts.get(&load.slot).copied(),
            used: used.map(|(_, row)| *row).collect(),
        }
    }
}

/// What is true of one slot, whatever the product believes.
#[derive(Clone, Default)]
struct Truth {
    admitted: BTreeMap<Day, u64>,
    /// Those of them that were admitted under a quota.
    spent: BTreeMap<Day, u64>,
    /// Crashes may have taken so many units.
    forfeit_max: u64,
    crashed: bool,
    /// Requests that crashes kept from being counted. In their window they count; but if the terms come to cut time
    /// into other windows, nobody knows any more on which day they were.
    uncounted: u64,
    windows_changed: bool,
    /// The largest chunk any of its limits had.
    chunk_max: u64,
}

/// What the days of a window add up to.
fn sum(days: &BTreeMap<Day, u64>, window: Window) -> u64 {
    days.range(window.start..window.end)
        .map(|(_, count)| count)
        .sum()
}

struct World {
    disk: Disk,
    counters: Counters,
    rates: RateTable,
    reserve: Reserve,
    now_ms: u64,
    day: Day,
    newest_day: Day,
    terms: Vec<Option<Terms>>,
    truth: Vec<Truth>,
    unnoted: Vec<(u32, Day)>,
    needs: Vec<Slot>,
    dirty: Vec<Slot>,
}

fn fresh(last_day: Day) -> (Counters, Reserve) {
    let counters = Counters::new();
    for slot in 0..SLOTS {
        assert_eq!(counters.allocate(Start::Full), Some(Slot(slot)));
    }
    (counters, Reserve::new(last_day))
}

impl World {
    fn new(limits: [u64; 3]) -> World {
        let (counters, reserve) = fresh(Day(0));
        let periods = [Period::Day, Period::Week, Period::Month];
        let terms: Vec<_> = limits
            .iter()
            .zip(periods)
            .map(|(limit, period)| {
                Some(Terms {
                    limit: *limit,
                    period,
                    offset: 0,
                    extension: None,
                })
            })
            .collect();
        let mut world = World {
            disk: Disk::default(),
            counters,
            rates: RateTable::new(),
            reserve,
            now_ms: 0,
            day: Day(FIRST_DAY),
            newest_day: Day(FIRST_DAY),
            terms,
            truth: vec![Truth::default(); SLOTS as usize],
            unnoted: Vec::new(),
            needs: Vec::new(),
            dirty: Vec::new(),
        };
        (0..SLOTS).for_each(|slot| world.remember_chunk(slot));
        world
    }

    fn now(&self) -> Now {
        Now {
            day: self.day,
            at_ms: self.now_ms,
        }
    }

    /// The window in force for a slot, as long as the clock was not set back.
    fn window(&self, slot: u32) -> Option<(Window, u64)> {
        let terms = self.terms[slot as usize]?;
        let window = terms.window(self.newest_day);
        Some((window, terms.limit_in(window)))
    }

    fn remember_chunk(&mut self, slot: u32) {
        if let Some(terms) = self.terms[slot as usize] {
            let delta = terms.extension.map_or(0, |extension| extension.delta);
            let limit_max = terms.limit.saturating_add_signed(delta).max(terms.limit);
            let truth = &mut self.truth[slot as usize];
            truth.chunk_max = truth.chunk_max.max(chunk(limit_max));
        }
    }

    fn request(&mut self, slot: u32, noted: bool) -> Result<(), Refused> {
        let counter = self.counters.get(Slot(slot)).unwrap();
        let terms = self.terms[slot as usize];
        let quota = terms.map(|_| &counter.quota);
        let admitted =
            admit(&[], &self.rates, quota, self.day, Ticks(0)).inspect_err(|refused| {
                if *refused == Refused::Unreserved {
                    self.needs.push(Slot(slot));
                }
            })?;
        if admitted.quota_left.is_some_and(|left| left.ask) {
            self.needs.push(Slot(slot));
        }
        let day = admitted.day;
        let truth = &mut self.truth[slot as usize];
        *truth.admitted.entry(day).or_default() += 1;
        if let Some(terms) = terms {
            *truth.spent.entry(day).or_default() += 1;
            let window = terms.window(day);
            let (spent, limit) = (sum(&truth.spent, window), terms.limit_in(window));
            assert!(
                spent <= limit,
                "slot {slot}: {spent} admitted of {limit} in {window:?}"
            );
        }
        if noted {
            self.note(slot, day)
        } else {
            self.unnoted.push((slot, day))
        }
        Ok(())
    }

    fn requests(&mut self, slot: u32, count: u32, noted: bool) {
        for _ in 0..count {
            let refused = self.request(slot, noted).err();
            if refused == Some(Refused::Exhausted) {
                self.check_exhausted(slot);
            }
        }
    }

    /// A refusal for good is true: the limit was admitted, but for what crashes took.
    fn check_exhausted(&self, slot: u32) {
        let Some((window, limit)) = self.window(slot).filter(|_| self.day == self.newest_day)
        else {
            return;
        };
        let truth = &self.truth[slot as usize];
        let admitted = sum(&truth.admitted, window);
        let unknown = if truth.windows_changed {
            truth.uncounted
        } else {
            0
        };
        let forfeit_max = truth.forfeit_max + unknown;
        assert!(
            admitted + forfeit_max >= limit,
            "slot {slot} exhausted with {admitted} of {limit}, at most {forfeit_max} forfeited",
        );
    }

    fn note(&mut self, slot: u32, day: Day) {
        if self.counters.get(Slot(slot)).unwrap().used.note(day) {
            self.dirty.push(Slot(slot));
        }
    }

    fn note_all(&mut self) {
        for (slot, day) in std::mem::take(&mut self.unnoted) {
            self.note(slot, day);
        }
    }

    /// A request is between its unit and its count for microseconds: over midnight, but not from one window into the
    /// next one's first row.
    fn note_before_today(&mut self) {
        let before_today = |(_, day): &(u32, Day)| *day < self.newest_day;
        let (old, new) = std::mem::take(&mut self.unnoted)
            .into_iter()
            .partition(before_today);
        self.unnoted = old;
        self.note_all();
        self.unnoted = new;
    }

    fn change(&mut self, slot: u32, change: Change) {
        let window = self.window(slot);
        let terms = &mut self.terms[slot as usize];
        let base = terms.unwrap_or(Terms {
            limit: 20,
            period: Period::Day,
            offset: 0,
            extension: None,
        });
        let after = match change {
            Change::Limit(limit) => Some(Terms { limit, ..base }),
            Change::Period(period, offset) => Some(Terms {
                period,
                offset,
                ..base
            }),
            Change::Extension(delta) => {
                let window_start = window.map_or(Day(FIRST_DAY), |(window, _)| window.start);
                Some(Terms {
                    extension: Some(Extension {
                        window_start,
                        delta,
                    }),
                    ..base
                })
            }
            Change::NoQuota => None,
        };
        let before = std::mem::replace(terms, after);
        let windows = |terms: Option<Terms>| terms.map(|terms| (terms.period, terms.offset));
        self.truth[slot as usize].windows_changed |= windows(before) != windows(after);
        if before.is_none() || after.is_none() {
            // A quota that comes or goes is not measured against requests that are half-way.
            self.note_all();
        }
        self.reserve.terms(&self.counters, Slot(slot), after);
        self.remember_chunk(slot);
    }

    /// The queued events reach the writer.
    fn deliver(&mut self) {
        for slot in std::mem::take(&mut self.needs) {
            self.reserve.need(slot);
        }
        for slot in std::mem::take(&mut self.dirty) {
            self.reserve.dirty(slot);
        }
    }

    /// Midnight, or several; or the clock is set back.
    fn go_to(&mut self, day: Day) {
        if day != Day(self.day.0 + 1) {
            self.note_all();
        }
        self.collect();
        self.day = day;
        self.newest_day = self.newest_day.max(day);
        (0..SLOTS).for_each(|slot| self.remember_chunk(slot));
    }

    /// Counts are collected more than once a day, even if the disk is full all the time.
    fn collect(&mut self) {
        self.deliver();
        self.reserve.flush();
        self.now_ms += 1_000;
        self.round(&[], Outcome::Full { written: false });
        if self.reserve.is_poisoned() {
            self.kill();
        }
    }

    /// One turn of the writer's loop. False if the process died in it.
    fn round(&mut self, meanwhile: &[Meanwhile], outcome: Outcome) -> bool {
        self.note_before_today();
        self.deliver();
        for load in self.reserve.loads(self.now()) {
            let past = self.disk.past(load, self.terms[load.slot.0 as usize]);
            self.reserve
                .recover(&self.counters, self.now(), load, &past);
        }
        let batch = self.reserve.next_batch(&self.counters, self.now());
        if batch.is_empty() {
            return true;
        }
        for action in meanwhile {
            match action.clone() {
                Meanwhile::Requests { slot, count } => self.requests(slot, count, true),
                Meanwhile::Terms { slot, change } => self.change(slot, change),
            }
        }
        let written = match outcome {
            Outcome::Committed => true,
            Outcome::Full { written }
            | Outcome::Poisoned { written }
            | Outcome::Killed { written } => written,
        };
        if written {
            self.disk.write(&batch);
        }
        match outcome {
            Outcome::Committed => self.reserve.committed(&self.counters),
            Outcome::Full { .. } => self.reserve.failed(self.now(), Failure::Full),
            Outcome::Poisoned { .. } => self.reserve.failed(self.now(), Failure::Poison),
            Outcome::Killed { .. } => {
                self.kill();
                return false;
            }
        }
        self.check_disk();
        true
    }

    /// Rounds without faults until nothing is left to do soon.
    fn settle(&mut self) {
        self.note_all();
        for _ in 0..100 {
            self.round(&[], Outcome::Committed);
            let idle = self.needs.is_empty() && self.dirty.is_empty();
            match self.reserve.due_in_ms(self.now()) {
                Some(ms) if ms <= 1_000 => self.now_ms += ms,
                _ if idle => return,
                _ => {}
            }
        }
        assert!(self.reserve.is_poisoned(), "rounds that never end");
    }

    /// The process is gone, and with it everything but the disk.
    fn kill(&mut self) {
        for (slot, truth) in (0..).map(Slot).zip(&mut self.truth) {
            truth.crashed = true;
            truth.forfeit_max += truth.chunk_max;
            let used = |day: &Day| self.disk.used.get(&(slot, *day)).map_or(0, |row| row.used);
            let admitted = truth.admitted.iter();
            truth.uncounted += admitted.map(|(day, count)| count - used(day)).sum::<u64>();
        }
        self.restart();
    }

    fn restart(&mut self) {
        (self.counters, self.reserve) = fresh(self.newest_day);
        (self.unnoted, self.needs, self.dirty) = Default::default();
        self.now_ms = 0;
    }

    fn stop(&mut self) {
        self.settle();
        self.reserve.close();
        self.settle();
        if self.reserve.is_poisoned() {
            return self.kill();
        }
        self.check_used();
        self.restart();
    }

    fn flush(&mut self) {
        self.note_all();
        self.deliver();
        self.reserve.flush();
        // No time passes: a flush does not wait for the second to be over.
        for _ in 0..10 {
            if !self.reserve.is_flushing() {
                return self.check_used();
            }
            self.now_ms += 100;
            self.round(&[], Outcome::Committed);
        }
        assert!(self.reserve.is_poisoned(), "a flush that never ends");
    }

    /// The slot's key is taken out of its plan and comes back: nothing of its window is forgotten.
    fn recycle(&mut self, slot: u32) {
        self.settle();
        if self.reserve.is_poisoned() {
            return;
        }
        self.reserve.release(Slot(slot));
        self.reserve.flush();
        self.settle();
        assert_eq!(self.reserve.drain_released(), [Slot(slot)]);
        self.counters.recycle(Slot(slot));
        assert_eq!(self.counters.allocate(Start::Full), Some(Slot(slot)));
    }

    /// E1 and E3, as far as they show on disk.
    fn check_disk(&self) {
        for slot in 0..SLOTS {
            let (Some(row), Some((window, _))) =
                (self.disk.accounts.get(&Slot(slot)), self.window(slot))
            else {
                continue;
            };
            let truth = &self.truth[slot as usize];
            if row.window() == window {
                assert!(row.reserved >= sum(&truth.spent, window), "E1, slot {slot}");
            }
        }
    }

    /// What reports say when everything was counted and flushed.
    fn check_used(&self) {
        for slot in 0..SLOTS {
            let truth = &self.truth[slot as usize];
            let rows = |window: Window| {
                let range = (Slot(slot), window.start)..(Slot(slot), window.end);
                self.disk.used.range(range).map(|(_, row)| row)
            };
            for (day, admitted) in &truth.admitted {
                let used = self
                    .disk
                    .used
                    .get(&(Slot(slot), *day))
                    .map_or(0, |row| row.used);
                assert!(
                    used <= *admitted,
                    "slot {slot} {day:?}: {used} billed of {admitted}"
                );
                assert!(
                    truth.crashed || used == *admitted,
                    "slot {slot} {day:?}: {used} of {admitted}"
                );
            }
            let all = Window {
                start: Day(0),
                end: Day(u16::MAX),
            };
            let written_off: u64 = rows(all).map(|row| row.written_off).sum();
            let lost_max = truth.forfeit_max + truth.uncounted;
            assert!(
                written_off <= lost_max,
                "slot {slot}: {written_off} written off, {lost_max} lost at most"
            );
            let report = self
                .reserve
                .report(&self.counters, Slot(slot))
                .and_then(|report| report.quota);
            if let Some(quota) = report {
                let gone = quota.used + quota.written_off;
                assert_eq!(
                    gone + quota.remaining,
                    gone.max(quota.limit),
                    "slot {slot} {quota:?}"
                );
                assert_eq!(
                    quota.used,
                    rows(quota.window).map(|row| row.used).sum::<u64>()
                );
                assert_eq!(
                    quota.written_off,
                    rows(quota.window).map(|row| row.written_off).sum::<u64>()
                );
                assert!(
                    gone >= sum(&truth.spent, quota.window),
                    "unknown means spent"
                );
            }
        }
    }

    /// Nothing is lost but what crashes took: what the limit allows can be admitted, to the last request.
    fn exhaust(&mut self) {
        self.day = self.newest_day;
        for slot in 0..SLOTS {
            let Some(terms) = self.terms[slot as usize] else {
                continue;
            };
            let mut refused = None;
            for _ in 0..2_000 {
                refused = self.request(slot, true).err();
                match refused {
                    Some(Refused::Exhausted) => break,
                    Some(_) => self.settle(),
                    None => {}
                }
            }
            assert_eq!(
                refused,
                Some(Refused::Exhausted),
                "slot {slot} under {terms:?}"
            );
            self.check_exhausted(slot);
        }
        self.flush();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Requests { slot, count, noted } => self.requests(slot, count, noted),
            Step::Note => self.note_all(),
            Step::LoseNeeds => self.needs.clear(),
            Step::Round { meanwhile, outcome } => {
                self.round(&meanwhile, outcome);
            }
            Step::Wait { ms } => self.now_ms += ms,
            Step::Days { forward } => self.go_to(Day(self.day.0 + forward)),
            Step::Back { days } => self.go_to(self.day.back(days).max(self.newest_day.back(1))),
            Step::Terms { slot, change } => self.change(slot, change),
            Step::Flush => self.flush(),
            Step::Recycle { slot } => self.recycle(slot),
            Step::Kill => self.kill(),
            Step::Stop => self.stop(),
        }
    }
}

fn slot() -> impl Strategy<Value = u32> {
    0..SLOTS
}

fn limit() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, 10..40_u64, 100..300_u64]
}

fn change() -> impl Strategy<Value = Change> {
    let period = prop_oneof![Just(Period::Day), Just(Period::Week), Just(Period::Month)];
    prop_oneof![
        4 => limit().prop_map(Change::Limit),
        2 => (period, 0..7_u8).prop_map(|(period, offset)| Change::Period(period, offset)),
        2 => (-50..50_i64).prop_map(Change::Extension),
        1 => Just(Change::NoQuota),
    ]
}

fn meanwhile() -> impl Strategy<Value = Vec<Meanwhile>> {
    let requests =
        (slot(), 1..20_u32).prop_map(|(slot, count)| Meanwhile::Requests { slot, count });
    let terms = (slot(), change()).prop_map(|(slot, change)| Meanwhile::Terms { slot, change });
    prop::collection::vec(prop_oneof![3 => requests, 1 => terms], 0..3)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let written = any::<bool>();
    prop_oneof![
        20 => Just(Outcome::Committed),
        3 => written.prop_map(|written| Outcome::Full { written }),
        1 => written.prop_map(|written| Outcome::Poisoned { written }),
        2 => written.prop_map(|written| Outcome::Killed { written }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let round = (meanwhile(), outcome());
    prop_oneof![
        12 => (slot(), 1..30_u32, prop::bool::weighted(0.8))
            .prop_map(|(slot, count, noted)| Step::Requests { slot, count, noted }),
        2 => Just(Step::Note),
        1 => Just(Step::LoseNeeds),
        18 => round.prop_map(|(meanwhile, outcome)| Step::Round { meanwhile, outcome }),
        3 => prop_oneof![Just(100), Just(1_000), Just(600_000), Just(700_000)].prop_map(|ms| Step::Wait { ms }),
        2 => prop_oneof![4 => 1..3_u16, 1 => 20..70_u16].prop_map(|forward| Step::Days { forward }),
        1 => Just(Step::Back { days: 1 }),
        3 => (slot(), change()).prop_map(|(slot, change)| Step::Terms { slot, change }),
        1 => Just(Step::Flush),
        1 => slot().prop_map(|slot| Step::Recycle { slot }),
        1 => Just(Step::Kill),
        1 => Just(Step::Stop),
    ]
}

/// PROPTEST_CASES scales this.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        cases: config.cases * 8,
        failure_persistence: None,
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_history_admits_too_much_or_loses_more_than_crashes_may(
        limits in [limit(), limit(), limit()],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(limits);
        for step in steps {
            world.step(step);
        }
        world.note_all();
        world.stop();
        world.exhaust();
    }
}
