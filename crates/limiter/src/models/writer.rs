//! Requests against the real writer: rounds that raise, lower, freeze and roll while units are spent and counted.

use super::{explore, race};
use crate::counters::{Counters, Slot};
use crate::period::{Day, Period};
use crate::reserve::{Now, Past, Reserve, Terms};
use crate::throttle::Start;
use std::sync::{Arc, Mutex};

const TODAY: Day = Day(10);
const TOMORROW: Day = Day(11);

fn terms(limit: u64) -> Terms {
    Terms {
        limit,
        period: Period::Day,
        offset: 0,
        extension: None,
    }
}

/// The writer and its disk; locked by the one thread that is the writer.
struct Writer {
    reserve: Reserve,
    slot: Slot,
    reserved: Vec<u64>,
    used: [u64; 2],
}

impl Writer {
    fn new(counters: &Counters, limit: u64) -> Writer {
        let slot = counters.allocate(Start::Full).unwrap();
        let mut writer = Writer {
            reserve: Reserve::new(Day(0)),
            slot,
            reserved: Vec::new(),
            used: [0; 2],
        };
        writer.reserve.need(slot);
        let now = now(TODAY);
        for load in writer.reserve.loads(now) {
            let past = Past {
                terms: Some(terms(limit)),
                ..Past::default()
            };
            writer.reserve.recover(counters, now, load, &past);
        }
        writer.round(counters, TODAY);
        writer
    }

    fn round(&mut self, counters: &Counters, day: Day) {
        let batch = self.reserve.next_batch(counters, now(day));
        self.reserved
            .extend(batch.accounts.iter().map(|row| row.reserved));
        for row in &batch.used {
            self.used[usize::from(row.day.0 - TODAY.0)] = row.used;
        }
        self.reserve.committed(counters);
    }

    /// Stops cleanly: everything is given back and written.
    fn close(&mut self, counters: &Counters, day: Day) {
        self.reserve.close();
        while self.reserve.due_in_ms(now(day)).is_some() {
            self.round(counters, day);
        }
    }
}

fn now(day: Day) -> Now {
    Now { day, at_ms: 0 }
}

struct World {
    counters: Counters,
    writer: Mutex<Writer>,
}

/// What became of some requests: on which days they were charged, and whether the writer has to be told.
#[derive(Default)]
struct Charged {
    days: Vec<Day>,
    report: bool,
}

impl World {
    fn new(limit: u64) -> Arc<World> {
        let counters = Counters::new();
        let writer = Mutex::new(Writer::new(&counters, limit));
        Arc::new(World { counters, writer })
    }

    /// So many requests, each counted when it passed.
    fn requests(&self, day: Day, count: u64) -> Charged {
        let counter = self.counters.get(Slot(0)).unwrap();
        let mut charged = Charged::default();
        for _ in 0..count {
            if let Ok(left) = counter.quota.spend(day) {
                let day = left.window.start.max(day);
                charged.report |= counter.used.note(day);
                charged.days.push(day);
            }
        }
        charged
    }

    /// After a clean stop the disk shows exactly what was charged, day by day.
    fn check_disk(&self, charged: &[Charged], newest: Day) {
        let mut writer = self.writer.lock().unwrap();
        if charged.iter().any(|charged| charged.report) {
            let slot = writer.slot;
            writer.reserve.dirty(slot);
        }
        writer.close(&self.counters, newest);
        let on = |day| {
            let days = charged.iter().flat_map(|charged| &charged.days);
            days.filter(|of| **of == day).count() as u64
        };
        assert_eq!(writer.used, [on(TODAY), on(TOMORROW)]);
        assert_eq!(writer.reserved.last(), Some(&on(newest)));
    }
}

#[test]
fn units_are_raised_under_requests_exactly() {
    explore(|| {
        // Two at a time, and the next two when one is left.
        let world = World::new(32);
        let (there, here) = race(
            &world,
            |world| world.requests(TODAY, 2),
            |world| {
                let mut writer = world.writer.lock().unwrap();
                writer.reserve.need(Slot(0));
                writer.round(&world.counters, TODAY);
                world.requests(TODAY, 1)
            },
        );
        assert!(there.days.len() + here.days.len() >= 2);
        world.check_disk(&[there, here], TODAY);
    });
}

/// A limit lowered below what is published holds when the change returns, whatever is being spent.
#[test]
fn a_lowered_limit_holds_at_once() {
    explore(|| {
        let world = World::new(32);
        let (there, after) = race(
            &world,
            |world| world.requests(TODAY, 2),
            |world| {
                let mut writer = world.writer.lock().unwrap();
                writer
                    .reserve
                    .terms(&world.counters, Slot(0), Some(terms(1)));
                world.requests(TODAY, 1)
            },
        );
        assert!(after.days.is_empty() || there.days.is_empty());
        world.check_disk(&[there, after], TODAY);
    });
}

/// Midnight comes while requests of the old day are in the middle of their decision.
#[test]
fn each_day_is_charged_within_its_own_limit() {
    explore(|| {
        let world = World::new(1);
        let (there, here) = race(
            &world,
            |world| world.requests(TODAY, 2),
            |world| {
                let mut writer = world.writer.lock().unwrap();
                writer.reserve.need(Slot(0));
                writer.round(&world.counters, TOMORROW);
                world.requests(TOMORROW, 1)
            },
        );
        for charged in [&there, &here] {
            let mut days = charged.days.clone();
            days.dedup();
            assert_eq!(days, charged.days, "one a day");
        }
        world.check_disk(&[there, here], TOMORROW);
    });
}

/// A clean stop takes back what is unspent; what was spent in that moment is counted all the same.
#[test]
fn a_clean_stop_gives_back_exactly_the_rest() {
    explore(|| {
        let world = World::new(32);
        let (there, ()) = race(
            &world,
            |world| world.requests(TODAY, 2),
            |world| {
                let mut writer = world.writer.lock().unwrap();
                writer.close(&world.counters, TODAY);
            },
        );
        world.check_disk(&[there], TODAY);
    });
}
