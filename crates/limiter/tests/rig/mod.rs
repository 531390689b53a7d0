//! What the tests of the writer's loop share: one writer, one store, and requests that do as the proxy does.

#![allow(dead_code)] // each test file has its own copy and uses a part

use std::collections::BTreeMap;
use tollgate_limiter::reserve::{AccountRow, Batch, Load, Now, Past, Terms, UsedRow};
use tollgate_limiter::{
    Admitted, Counters, Day, Period, RateTable, Refused, Reserve, Slot, Start, Ticks, admit,
};

/// 2024-10-04, a Friday.
pub const TODAY: Day = Day(20_000);
pub const TOMORROW: Day = Day(20_001);

pub struct Rig {
    pub counters: Counters,
    pub reserve: Reserve,
    pub now: Now,
    pub terms: BTreeMap<Slot, Terms>,
    pub accounts: BTreeMap<Slot, AccountRow>,
    pub used: BTreeMap<(Slot, Day), UsedRow>,
}

pub fn daily(limit: u64) -> Terms {
    Terms {
        limit,
        period: Period::Day,
        offset: 0,
        extension: None,
    }
}

impl Rig {
    pub fn new(terms: Option<Terms>) -> (Rig, Slot) {
        let mut rig = Rig {
            counters: Counters::new(),
            reserve: Reserve::new(Day(0)),
            now: Now {
                day: TODAY,
                at_ms: 0,
            },
            terms: BTreeMap::new(),
            accounts: BTreeMap::new(),
            used: BTreeMap::new(),
        };
        let slot = rig.counters.allocate(Start::Full).unwrap();
        rig.terms.extend(terms.map(|terms| (slot, terms)));
        (rig, slot)
    }

    pub fn admit(&self, slot: Slot) -> Result<Admitted, Refused> {
        let quota = self
            .terms
            .get(&slot)
            .map(|_| &self.counters.get(slot).unwrap().quota);
        admit(&[], &RateTable::new(), quota, self.now.day, Ticks(0))
    }

    /// One request, with a round if units are needed first, not counted yet.
    pub fn admit_one(&mut self, slot: Slot) -> Admitted {
        if let Ok(admitted) = self.admit(slot) {
            return admitted;
        }
        self.reserve.need(slot);
        self.round();
        self.admit(slot).unwrap()
    }

    pub fn note(&mut self, slot: Slot, admitted: Admitted) {
        if self.counters.get(slot).unwrap().used.note(admitted.day) {
            self.reserve.dirty(slot);
        }
    }

    /// Requests, with rounds whenever units are needed; gives how many passed.
    pub fn requests(&mut self, slot: Slot, count: u64) -> u64 {
        let mut passed = 0;
        for _ in 0..count {
            let admitted = match self.admit(slot) {
                Err(Refused::Unreserved) => {
                    self.reserve.need(slot);
                    self.round();
                    self.admit(slot)
                }
                decided => decided,
            };
            if let Ok(admitted) = admitted {
                self.note(slot, admitted);
                passed += 1;
            }
        }
        passed
    }

    pub fn load(&mut self) {
        for load in self.reserve.loads(self.now) {
            let past = self.past(load);
            self.reserve.recover(&self.counters, self.now, load, &past);
        }
    }

    pub fn past(&self, load: Load) -> Past {
        let used = self
            .used
            .range((load.slot, load.from_day)..=(load.slot, Day(u16::MAX)));
        Past {
            terms: self.terms.get(&load.slot).copied(),
            account: self.accounts.get(&load.slot).copied(),
            used: used.map(|(_, row)| *row).collect(),
        }
    }

    pub fn draft(&mut self) -> Batch {
        self.load();
        self.reserve.next_batch(&self.counters, self.now)
    }

    pub fn write(&mut self, batch: &Batch) {
        self.accounts
            .extend(batch.accounts.iter().map(|row| (row.slot, *row)));
        self.used
            .extend(batch.used.iter().map(|row| ((row.slot, row.day), *row)));
    }

    pub fn round(&mut self) -> Batch {
        let batch = self.draft();
        if !batch.is_empty() {
            self.write(&batch);
            self.reserve.committed(&self.counters);
        }
        batch
    }

    pub fn flush(&mut self) {
        self.reserve.flush();
        while self.reserve.is_flushing() {
            self.round();
        }
    }

    pub fn change(&mut self, slot: Slot, terms: Option<Terms>) {
        self.terms.remove(&slot);
        self.terms.extend(terms.map(|terms| (slot, terms)));
        self.reserve.terms(&self.counters, slot, terms);
        self.round();
    }

    /// The process is gone; the store stays.
    pub fn restart(&mut self, last_day: Day) {
        let slots = self.counters.len();
        self.counters = Counters::new();
        self.reserve = Reserve::new(last_day);
        (0..slots).for_each(|_| assert!(self.counters.allocate(Start::Full).is_some()));
    }

    pub fn row(&self, slot: Slot, day: Day) -> (u64, Option<u64>, u64) {
        let row = self.used[&(slot, day)];
        (row.used, row.remaining, row.written_off)
    }
}
