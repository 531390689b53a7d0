//! How a batch is put together: the queues and what is done with each slot in them.

use super::rows::{Batch, Now};
use super::state::State;
use super::{IDLE_MS, Reserve};
use crate::counters::{Counter, Counters, Slot};
use crate::period::{Day, Window};

/// The batch being written.
#[derive(Default)]
pub(super) struct Flight {
    pub(super) accounts: Vec<(Slot, Window, u64)>,
    pub(super) used: Vec<(Slot, Day)>,
}

impl Flight {
    /// The slots in it, some more than once.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        let accounts = self.accounts.iter().map(|(slot, ..)| *slot);
        accounts.chain(self.used.iter().map(|(slot, _)| *slot))
    }
}

/// A batch and what has to be known when it is durable.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) batch: Batch,
    pub(super) flight: Flight,
}

impl Draft {
    fn put_used(&mut self, slot: Slot, counter: &Counter, state: &mut State) {
        state.write_used(slot, &counter.quota, |row| {
            self.flight.used.push((slot, row.day));
            self.batch.used.push(row);
        });
    }
}

impl Reserve {
    /// Looks at one account: its rows, if any, go into the batch; otherwise those who wait for it decide again.
    pub(super) fn review(&mut self, counters: &Counters, now: Now, slot: Slot, draft: &mut Draft) {
        let closing = self.closing;
        let (Some(counter), Some(state)) = (counters.get(slot), self.get(slot)) else {
            return;
        };
        state.listed = false;
        if !state.live {
            return;
        }
        let rows_before = draft.batch.rows();
        let row = state.review(slot, counter, now, closing);
        if let Some(row) = row {
            draft
                .flight
                .accounts
                .push((slot, row.window(), row.reserved));
            draft.batch.accounts.push(row);
        }
        if row.is_some() || closing || state.is_leaving() {
            draft.put_used(slot, counter, state);
        }
        state.writing |= draft.batch.rows() > rows_before;
        if row.is_none() && std::mem::take(&mut state.waiting) {
            self.wake.push(slot);
        }
        self.finish(slot);
    }

    /// Puts the used rows of one counter into the batch.
    pub(super) fn write_used(
        &mut self,
        counters: &Counters,
        now: Now,
        slot: Slot,
        draft: &mut Draft,
    ) {
        let (Some(counter), Some(state)) = (counters.get(slot), self.get(slot)) else {
            return;
        };
        state.dirty = false;
        if state.live {
            let rows_before = draft.batch.rows();
            state.collect(&counter.used, now.at_ms);
            draft.put_used(slot, counter, state);
            state.writing |= draft.batch.rows() > rows_before;
            self.finish(slot);
        }
    }

    /// Marks states without requests for ten minutes for retirement.
    pub(super) fn look_for_idle(&mut self) {
        let now_ms = self.now_ms;
        while let Some(&(at_ms, slot)) = self.idle.first()
            && at_ms <= now_ms
        {
            self.idle.pop_first();
            let Some(state) = self.get(slot) else {
                continue;
            };
            if state.is_busy() {
                state.touched_ms = now_ms;
            }
            let is_idle = now_ms.saturating_sub(state.touched_ms) >= IDLE_MS;
            let from_ms = if is_idle { now_ms } else { state.touched_ms };
            state.retiring |= is_idle;
            state.idle_at_ms = from_ms.saturating_add(IDLE_MS);
            let next = (state.idle_at_ms, slot);
            self.idle.insert(next);
            if is_idle {
                self.list(slot);
            }
        }
    }

    /// Forgets a state that is to be forgotten, once everything it knows is in the store.
    pub(super) fn finish(&mut self, slot: Slot) {
        let Some(state) = self.get(slot) else { return };
        if !state.is_leaving() || !state.is_settled() {
            return;
        }
        let (idle_at_ms, releasing) = (state.idle_at_ms, state.releasing);
        self.idle.remove(&(idle_at_ms, slot));
        if let Some(state) = self.states.get_mut(slot.0 as usize) {
            *state = None;
        }
        self.active -= 1;
        if releasing {
            self.released.push(slot);
        }
    }

    /// The state of a slot; a new one begins with asking for its past.
    pub(super) fn state(&mut self, slot: Slot) -> &mut State {
        let index = slot.0 as usize;
        if self.states.len() <= index {
            self.states.resize_with(index + 1, || None);
        }
        if self.states[index].is_none() {
            self.active += 1;
            self.ask(slot);
            self.idle
                .insert((self.now_ms.saturating_add(IDLE_MS), slot));
        }
        let now_ms = self.now_ms;
        self.states[index]
            .get_or_insert_with(|| Box::new(State::new(now_ms, now_ms.saturating_add(IDLE_MS))))
    }

    pub(super) fn get(&mut self, slot: Slot) -> Option<&mut State> {
        self.states.get_mut(slot.0 as usize)?.as_deref_mut()
    }

    /// The slots whose state is so.
    pub(super) fn slots(&self, is: impl Fn(&State) -> bool) -> Vec<Slot> {
        let slots = (0..).map(Slot).zip(&self.states);
        slots
            .filter(|(_, state)| state.as_deref().is_some_and(&is))
            .map(|(slot, _)| slot)
            .collect()
    }

    /// The store's rows of a slot are needed.
    pub(super) fn ask(&mut self, slot: Slot) {
        self.unanswered += 1;
        self.loads.push_back(slot);
    }

    /// Puts a slot into the queue of reviews. One whose past is not known is listed when it is.
    pub(super) fn list(&mut self, slot: Slot) {
        if let Some(state) = self.get(slot)
            && state.live
            && !std::mem::replace(&mut state.listed, true)
        {
            self.reviews.push_back(slot);
        }
    }

    /// Nothing is being written: everything taken from the queue is durable.
    pub(super) fn landed(&mut self) {
        if self.unanswered == 0 {
            self.dirty.durable();
        }
    }
}
