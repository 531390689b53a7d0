//! The limiter in a program of one's own: four threads share a key, one thread writes ahead of them.
//!
//! `cargo run -p tollgate-limiter --example embed`

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tollgate_limiter::clock::{Clock, SystemClock};
use tollgate_limiter::reserve::{Batch, Failure, Load, Now, Past, Terms};
use tollgate_limiter::{
    Counters, Day, Period, Rate, RateId, RateTable, Refused, Reserve, Slot, Start, Ticks, admit,
};

const THREADS: usize = 4;

/// The key's quota.
const TERMS: Terms = Terms {
    limit: 1_000,
    period: Period::Day,
    offset: 0,
    extension: None,
};

/// What all threads share.
struct Gateway {
    clock: SystemClock,
    rates: RateTable,
    rate: RateId,
    counters: Counters,
    key: Slot,
}

enum Event {
    Need(Slot),
    Dirty(Slot),
}

/// Stands for a database; a real one answers `write` when the transaction is durable.
#[derive(Default)]
struct Store {
    rows: BTreeMap<Slot, Past>,
}

impl Store {
    fn past(&self, load: Load) -> Past {
        Past {
            terms: Some(TERMS),
            ..self.rows.get(&load.slot).cloned().unwrap_or_default()
        }
    }

    fn write(&mut self, batch: Batch) -> Result<(), Failure> {
        for row in batch.accounts {
            self.rows.entry(row.slot).or_default().account = Some(row);
        }
        for row in batch.used {
            let used = &mut self.rows.entry(row.slot).or_default().used;
            used.retain(|old| old.day != row.day);
            used.push(row);
        }
        Ok(())
    }
}

fn main() {
    let rates = RateTable::new();
    let Ok(Some(rate)) = Rate::new(Some(20_000.0), Some(100)) else {
        return eprintln!("not a limit");
    };
    let rate = rates.edit(None, rate, Ticks(0));
    let counters = Counters::new();
    let Some(key) = counters.allocate(Start::Full) else {
        return eprintln!("no slot left");
    };
    let gateway = Gateway {
        clock: SystemClock::start(Ticks(0)),
        rates,
        rate,
        counters,
        key,
    };
    let (events, received) = channel();
    std::thread::scope(|scope| {
        let gateway = &gateway;
        for thread in 0..THREADS {
            let events = events.clone();
            scope.spawn(move || {
                println!(
                    "thread {thread}: {} requests passed",
                    serve(gateway, &events)
                )
            });
        }
        drop(events);
        scope.spawn(|| {
            for (slot, past) in write_ahead(gateway, received).rows {
                println!("{slot:?} on disk: {past:#?}");
            }
        });
    });
}

/// Sends requests until the quota is used up; gives how many passed.
fn serve(gateway: &Gateway, events: &Sender<Event>) -> u32 {
    let Some(counter) = gateway.counters.get(gateway.key) else {
        return 0;
    };
    let mut passed = 0;
    loop {
        let (today, now) = (
            Day::of_wall_ms(gateway.clock.wall_ms()),
            gateway.clock.ticks(),
        );
        let throttles = [(&counter.throttle, gateway.rate)];
        // A writer that is gone cannot be told; then the units that are there are the last.
        let told = match admit(&throttles, &gateway.rates, Some(&counter.quota), today, now) {
            Ok(admitted) => {
                passed += 1;
                let dirty = counter.used.note(admitted.day);
                let ask = admitted.quota_left.is_some_and(|left| left.ask);
                let dirty = dirty.then_some(Event::Dirty(gateway.key));
                let need = ask.then_some(Event::Need(gateway.key));
                dirty
                    .into_iter()
                    .chain(need)
                    .try_for_each(|event| events.send(event))
            }
            Err(Refused::Throttled { retry_after, .. }) => {
                std::thread::sleep(retry_after.unwrap_or(Duration::MAX));
                Ok(())
            }
            Err(Refused::Unreserved) => {
                // A server would park the request here and wake it with `drain_wake`.
                std::thread::yield_now();
                events.send(Event::Need(gateway.key))
            }
            Err(Refused::Exhausted) => return passed,
        };
        if told.is_err() {
            return passed;
        }
    }
}

/// The writer's loop: until all threads are gone, then a clean stop.
fn write_ahead(gateway: &Gateway, events: Receiver<Event>) -> Store {
    let (mut store, mut reserve) = (Store::default(), Reserve::new(Day(0)));
    let mut open = true;
    loop {
        let now = Now {
            day: Day::of_wall_ms(gateway.clock.wall_ms()),
            at_ms: gateway.clock.ticks().0 / (Ticks::PER_S / 1_000),
        };
        match reserve.due_in_ms(now) {
            None if !open => return store,
            due_ms => {
                let wait = Duration::from_millis(due_ms.unwrap_or(250));
                match events.recv_timeout(wait) {
                    Ok(event) => hear(&mut reserve, event),
                    Err(RecvTimeoutError::Disconnected) if open => {
                        open = false;
                        reserve.close();
                    }
                    Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        }
        events
            .try_iter()
            .for_each(|event| hear(&mut reserve, event));
        for load in reserve.loads(now) {
            reserve.recover(&gateway.counters, now, load, &store.past(load));
        }
        let batch = reserve.next_batch(&gateway.counters, now);
        if !batch.is_empty() {
            match store.write(batch) {
                Ok(()) => reserve.committed(&gateway.counters),
                Err(failure) => reserve.failed(now, failure),
            }
        }
    }
}

fn hear(reserve: &mut Reserve, event: Event) {
    match event {
        Event::Need(slot) => reserve.need(slot),
        Event::Dirty(slot) => reserve.dirty(slot),
    }
}
