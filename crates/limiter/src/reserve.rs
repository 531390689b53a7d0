//! Protocol E: units are written off on disk before they can be spent. A pure state machine, for one writer.
//!
//! ```text
//! RAISE    write reserved = min(limit, spent + chunk); when it is durable, publish up to it
//! LOWER    take unspent units back from memory; then write reserved = spent
//! RECOVER  everything reserved counts as spent
//! ```
//!
//! What holds at every moment, whatever fails:
//! - **E1** every figure that could be on disk after a crash right now is at least what was admitted in the window.
//! - **E2** nothing is published that is not durable.
//! - **E3** a raise never goes beyond the limit in force.
//! - **E4** a crash takes at most one [`chunk`] of a counter's units. What it shows as written off also contains the
//!   requests that had passed and were not counted on disk yet.
//! - **E5** without a crash exactly the limit can be admitted.
//!
//! *Spent* decides, *used* reports. Used rows are cumulative for their day, carry what remained of the quota and what
//! crashes took from it, and are written with every account row of their counter and within a second after they moved;
//! of more than [`USED_AT_ONCE`] in a second the rest follows in the next ones. Plans without a quota have used rows only.
//!
//! # The loop
//!
//! Requests that find [`Refused::Unreserved`](crate::Refused) or [`Left::ask`](crate::Left) send `need(slot)`; those
//! for which [`Used::note`](crate::Used::note) gave true send `dirty(slot)`. One thread owns the store and this:
//!
//! ```
//! # use tollgate_limiter::{*, reserve::*};
//! # struct Store; impl Store {
//! #   fn past(&self, _: Load) -> Past { Past::default() }
//! #   fn write(&mut self, _: &Batch) -> Result<(), Failure> { Ok(()) } }
//! fn round(reserve: &mut Reserve, counters: &Counters, store: &mut Store, now: Now) -> Vec<Slot> {
//!     // Before this: every queued event into need, dirty, terms, release, flush, close.
//!     for load in reserve.loads(now) {
//!         let past = store.past(load);
//!         reserve.recover(counters, now, load, &past);
//!     }
//!     let batch = reserve.next_batch(counters, now);
//!     if !batch.is_empty() {
//!         match store.write(&batch) {
//!             Ok(()) => reserve.committed(counters),
//!             Err(failure) => reserve.failed(now, failure),
//!         }
//!     }
//!     // After this: `drain_released` may be recycled, flushes are answered when `!is_flushing()`,
//!     // and the next round follows with the next event, or in `due_in_ms(now)`.
//!     reserve.drain_wake()
//! }
//! ```
//!
//! State is kept only for counters that were active in the last ten minutes: first an event of an unknown slot asks for
//! its [`Past`], and after ten idle minutes what is unspent is given back and the state dropped. Nothing has to be
//! loaded at the start; but after a crash, recovering every account whose window is open makes reports show at once
//! what was written off.

mod account;
mod days;
mod dirty;
mod recover;
mod rounds;
mod rows;
mod state;

pub use dirty::{USED_AT_ONCE, USED_EVERY_MS};
pub use rows::{
    AccountRow, Batch, Extension, Failure, Load, Now, Past, QuotaReport, Report, Terms, UsedRow,
    chunk,
};

use crate::counters::{Counters, Slot};
use crate::period::Day;
use dirty::Dirty;
use rounds::{Draft, Flight};
use state::State;
use std::collections::{BTreeSet, VecDeque};

/// Unspent units of a counter without requests are given back after this.
pub const IDLE_MS: u64 = 600_000;
/// A full disk is tried again after this.
pub const RETRY_MS: u64 = 250;
/// Rows a batch holds before it is closed (one counter's rows are never split): bounds how long a raise waits.
pub const BATCH_ROWS: usize = 4_096;
/// Slots whose past is asked for in one round.
pub const LOADS_A_ROUND: usize = 1_024;
/// How far back rows are needed: the longest window before the longest window.
const PAST_DAYS: u16 = 62;

/// The writer's side of all counters.
#[derive(Default)]
pub struct Reserve {
    states: Vec<Option<Box<State>>>,
    active: usize,
    /// Slots whose past is to be asked for, and how many were not answered yet, asked or not.
    loads: VecDeque<Slot>,
    unanswered: usize,
    reviews: VecDeque<Slot>,
    dirty: Dirty,
    /// One entry for each state: when to look whether it is idle.
    idle: BTreeSet<(u64, Slot)>,
    flight: Option<Flight>,
    wake: Vec<Slot>,
    released: Vec<Slot>,
    /// The last day an earlier process can have admitted on.
    last_day: Day,
    now_ms: u64,
    retry_at_ms: u64,
    poisoned: bool,
    closing: bool,
}

impl Reserve {
    /// For a process that follows others; `last_day` is the newest day any of them stamped as alive on (`Day(0)` if
    /// there was none). What a crash took may have been admitted as late as then, whatever the clock shows now, so
    /// within its window an account goes on from there.
    pub fn new(last_day: Day) -> Reserve {
        Reserve {
            last_day,
            ..Reserve::default()
        }
    }

    /// A request found no unit, or the last units are being spent.
    pub fn need(&mut self, slot: Slot) {
        if self.poisoned || self.closing {
            return;
        }
        let state = self.state(slot);
        (state.waiting, state.retiring) = (true, false);
        self.list(slot);
    }

    /// A counter has requests that are not collected.
    pub fn dirty(&mut self, slot: Slot) {
        let state = self.state(slot);
        // One whose past is not known is queued when it is.
        if state.live && !std::mem::replace(&mut state.dirty, true) {
            self.dirty.push(slot);
        }
    }

    /// The terms of a slot changed. A lower limit holds when this returns, whatever is being written. Slots without
    /// state ignore the terms (they are asked for when needed); call it for every slot of a changed plan.
    pub fn terms(&mut self, counters: &Counters, slot: Slot, terms: Option<Terms>) {
        let Some(counter) = counters.get(slot) else {
            return;
        };
        let Some(state) = self.get(slot) else {
            return counter.quota.reopen();
        };
        if state.change_terms(&counter.quota, terms) {
            self.ask(slot);
        } else if state.live {
            self.list(slot);
            self.dirty(slot);
        }
    }

    /// The slot left the configuration and no request can reach it any more: gives back what is unspent, writes what
    /// was used, then hands the slot to [`Reserve::drain_released`].
    pub fn release(&mut self, slot: Slot) {
        self.state(slot).releasing = true;
        self.list(slot);
    }

    /// Everything counted up to now is to be written at once; see [`Reserve::is_flushing`].
    pub fn flush(&mut self) {
        self.dirty.flush();
        if self.flight.is_none() {
            self.landed();
        }
    }

    /// The process stops cleanly: no unit is raised any more, all unspent ones are given back, everything is written.
    /// Go on with rounds while [`Reserve::due_in_ms`] gives a time.
    pub fn close(&mut self) {
        self.closing = true;
        for slot in self.slots(|state| state.live) {
            self.list(slot);
        }
        self.flush();
    }

    /// The slots whose past has to be read from the store before the next batch; answer each with [`Reserve::recover`].
    pub fn loads(&mut self, now: Now) -> Vec<Load> {
        let from_day = now.day.back(PAST_DAYS);
        let mut loads = Vec::new();
        while !self.poisoned
            && loads.len() < LOADS_A_ROUND
            && let Some(slot) = self.loads.pop_front()
        {
            let unknown = self.get(slot).filter(|state| !state.live && !state.asked);
            if let Some(state) = unknown {
                state.asked = true;
                loads.push(Load { slot, from_day });
            }
        }
        loads
    }

    /// What the store knows about a slot. Also accepted unasked, to recover accounts at the start.
    pub fn recover(&mut self, counters: &Counters, now: Now, load: Load, past: &Past) {
        let Some(counter) = counters.get(load.slot) else {
            return;
        };
        let last_day = self.last_day;
        let state = self.state(load.slot);
        if state.live {
            return;
        }
        state.recover(counter, now, load, past, last_day);
        self.unanswered = self.unanswered.saturating_sub(1);
        self.list(load.slot);
        self.dirty(load.slot);
        if self.dirty.is_flushing() {
            self.dirty.again();
        }
    }

    /// The rows to write now. At most one batch is out at a time: answer it with [`Reserve::committed`] or
    /// [`Reserve::failed`]; until then, and while a full disk rests, batches are empty.
    pub fn next_batch(&mut self, counters: &Counters, now: Now) -> Batch {
        self.now_ms = self.now_ms.max(now.at_ms);
        if self.poisoned || self.flight.is_some() || now.at_ms < self.retry_at_ms {
            return Batch::default();
        }
        let mut draft = Draft::default();
        self.look_for_idle();
        while draft.batch.rows() < BATCH_ROWS
            && let Some(slot) = self.reviews.pop_front()
        {
            self.review(counters, now, slot, &mut draft);
        }
        self.dirty.come_due(now.at_ms);
        while draft.batch.rows() < BATCH_ROWS
            && let Some(slot) = self.dirty.pop()
        {
            self.write_used(counters, now, slot, &mut draft);
        }
        if draft.batch.is_empty() {
            self.landed();
        } else {
            self.flight = Some(draft.flight);
        }
        draft.batch
    }

    /// The batch is durable. Publishes what was raised.
    pub fn committed(&mut self, counters: &Counters) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        for (slot, window, reserved) in &flight.accounts {
            let (Some(counter), Some(state)) = (counters.get(*slot), self.get(*slot)) else {
                continue;
            };
            let decide_again = state.confirm(&counter.quota, *window, *reserved);
            if state.is_unsettled() {
                self.list(*slot);
            }
            if decide_again {
                self.wake.push(*slot);
            }
        }
        for slot in flight.slots() {
            if let Some(state) = self.get(slot) {
                state.writing = false;
                state.trim();
                self.finish(slot);
            }
        }
        self.landed();
    }

    /// The batch failed, or the store could not even be read for a [`Load`]. Nothing is published; what was lowered
    /// stays lowered.
    pub fn failed(&mut self, now: Now, failure: Failure) {
        let flight = self.flight.take().unwrap_or_default();
        for (slot, day) in &flight.used {
            if let Some(state) = self.get(*slot) {
                state.days.soil(*day);
                self.dirty(*slot);
            }
        }
        for slot in flight.slots() {
            if let Some(state) = self.get(slot) {
                state.writing = false;
                self.list(slot);
            }
        }
        self.dirty.again();
        match failure {
            Failure::Full => self.retry_at_ms = now.at_ms.saturating_add(RETRY_MS),
            Failure::Poison => {
                self.poisoned = true;
                self.wake = self.slots(|state| state.waiting);
            }
        }
    }

    /// Slots whose waiting requests should decide again.
    pub fn drain_wake(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.wake)
    }

    /// Slots that were released and may be recycled.
    pub fn drain_released(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.released)
    }

    /// Whether something counted before the last flush is not durable yet. After a poisoning it stays so.
    pub fn is_flushing(&self) -> bool {
        self.dirty.is_flushing()
    }

    /// Whether a write failed in a way that ends all raising in this process.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// In how many milliseconds the next round is due without a further event; 0 is at once, `None` not at all (or
    /// not before the batch that is out is answered).
    pub fn due_in_ms(&self, now: Now) -> Option<u64> {
        if self.poisoned || self.flight.is_some() {
            return None;
        }
        let queued = !self.reviews.is_empty() || !self.loads.is_empty();
        let idle_ms = self
            .idle
            .first()
            .map(|(at_ms, _)| *at_ms)
            .filter(|_| !self.closing);
        let due_ms = if queued {
            Some(0)
        } else {
            self.dirty.due_ms().into_iter().chain(idle_ms).min()
        };
        due_ms.map(|at_ms| at_ms.max(self.retry_at_ms).saturating_sub(now.at_ms))
    }

    /// Counters that memory is kept for.
    pub fn active(&self) -> usize {
        self.active
    }

    /// What is used and remains of a counter; `None` if it was not active lately: then the store knows.
    pub fn report(&self, counters: &Counters, slot: Slot) -> Option<Report> {
        let state = self
            .states
            .get(slot.0 as usize)?
            .as_ref()
            .filter(|state| state.live)?;
        Some(state.report(&counters.get(slot)?.quota))
    }
}
