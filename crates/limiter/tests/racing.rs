//! Threads racing for the same counters: exactly the limit, never one more, whatever the interleaving.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64};
use std::sync::mpsc::{Receiver, Sender, channel};
use tollgate_limiter::reserve::{AccountRow, Batch, Load, Now, Past, Terms, UsedRow};
use tollgate_limiter::{
    Admitted, Counters, Day, Period, Rate, RateTable, Refused, Reserve, Slot, Start, Throttle,
    Ticks, admit,
};

const THREADS: usize = 4;
const TODAY: Day = Day(20_000);

fn rate(per_s: f64, burst: u64) -> Rate {
    Rate::new(Some(per_s), Some(burst)).unwrap().unwrap()
}

#[test]
fn threads_share_one_burst() {
    const BURST: u64 = 30_000;
    let rates = RateTable::new();
    let id = rates.edit(None, rate(1.0, BURST), Ticks(0));
    let throttle = Throttle::new(Start::Full);
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while throttle.take(&rates, id, Ticks(0)).is_ok() {
                    admitted.fetch_add(1, Relaxed);
                }
            });
        }
    });
    assert_eq!(admitted.load(Relaxed), BURST);
}

/// Time stands still, rates are edited all the time, and every thread uses whatever configuration it saw last: what
/// was in the bucket at the beginning is all there is.
#[test]
fn no_edit_refills_a_bucket_under_racing_threads() {
    const BURST: u64 = 20_000;
    const EDITS: u64 = 300;
    let rates = RateTable::new();
    let newest = std::sync::Mutex::new(rates.edit(None, rate(10.0, BURST), Ticks(0)));
    let throttle = Throttle::new(Start::Full);
    throttle
        .take(&rates, *newest.lock().unwrap(), Ticks(0))
        .unwrap();
    let (admitted, done) = (AtomicU64::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut seen = *newest.lock().unwrap();
                let mut requests = 0_u64;
                while !done.load(Relaxed) {
                    requests += 1;
                    if throttle.take(&rates, seen, Ticks(0)).is_ok() {
                        admitted.fetch_add(1, Relaxed);
                    }
                    // Mostly out of date, on purpose.
                    if requests.is_multiple_of(50) {
                        seen = *newest.lock().unwrap();
                    }
                }
            });
        }
        for edit in 0..EDITS {
            let mut newest = newest.lock().unwrap();
            let per_s = [0.5, 10.0, 7.0, 1e6][edit as usize % 4];
            let burst = BURST + edit % 3 * BURST;
            *newest = rates.edit(Some(*newest), rate(per_s, burst), Ticks(0));
            drop(newest);
            std::thread::yield_now();
        }
        done.store(true, Relaxed);
    });
    let admitted = admitted.load(Relaxed);
    assert!(admitted <= BURST, "{admitted} of {BURST}");
}

/// Each thread has its own idea of the time; the bound holds for the times they came with.
#[test]
fn the_bound_holds_for_threads_whose_clocks_disagree() {
    const BURST: u64 = 5;
    let rates = RateTable::new();
    let id = rates.edit(None, rate(1_000.0, BURST), Ticks(0));
    let throttle = Throttle::new(Start::Full);
    let clock = AtomicU64::new(0);
    let mut admitted: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS as u64)
            .map(|thread| {
                let (rates, throttle, clock) = (&rates, &throttle, &clock);
                scope.spawn(move || {
                    let mut admitted = Vec::new();
                    for request in 0..5_000 {
                        let tick = clock.fetch_add(Ticks::PER_S / 20_000, Relaxed);
                        let now =
                            tick.saturating_sub(thread * (request % 7) * Ticks::PER_S / 3_000);
                        if throttle.take(rates, id, Ticks(now)).is_ok() {
                            admitted.push(now);
                        }
                    }
                    admitted
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    admitted.sort();
    assert!(admitted.len() > 100);
    for (first, from) in admitted.iter().enumerate() {
        for (last, to) in admitted.iter().enumerate().skip(first) {
            let most = BURST + (to - from) / (Ticks::PER_S / 1_000);
            assert!((last - first + 1) as u64 <= most);
        }
    }
}

/// What the requests tell the writer.
#[derive(Clone, Copy)]
enum Event {
    Need(Slot),
    Dirty(Slot),
    Terms(Slot, Terms),
}

#[derive(Default)]
struct Disk {
    accounts: BTreeMap<Slot, AccountRow>,
    used: BTreeMap<(Slot, Day), UsedRow>,
}

impl Disk {
    fn write(&mut self, batch: Batch) {
        self.accounts
            .extend(batch.accounts.into_iter().map(|row| (row.slot, row)));
        self.used
            .extend(batch.used.into_iter().map(|row| ((row.slot, row.day), row)));
    }

    fn past(&self, load: Load, terms: Terms) -> Past {
        let used = self.used.values().filter(|row| row.slot == load.slot);
        Past {
            terms: Some(terms),
            account: self.accounts.get(&load.slot).copied(),
            used: used.copied().collect(),
        }
    }
}

/// The proxy's loop in small: runs until every sender is gone, then stops cleanly.
fn writer(
    counters: &Counters,
    events: Receiver<Event>,
    mut terms: Terms,
    today: &AtomicU16,
) -> Disk {
    let (mut disk, mut reserve, mut at_ms) = (Disk::default(), Reserve::new(Day(0)), 0);
    let mut open = true;
    loop {
        let first = if open { events.recv().ok() } else { None };
        let now = Now {
            day: Day(today.load(SeqCst)),
            at_ms,
        };
        if open && first.is_none() {
            (open, _) = (false, reserve.close());
        }
        for event in first.into_iter().chain(events.try_iter()) {
            match event {
                Event::Need(slot) => reserve.need(slot),
                Event::Dirty(slot) => reserve.dirty(slot),
                Event::Terms(slot, new) => {
                    terms = new;
                    reserve.terms(counters, slot, Some(new));
                }
            }
        }
        for load in reserve.loads(now) {
            reserve.recover(counters, now, load, &disk.past(load, terms));
        }
        let batch = reserve.next_batch(counters, now);
        if !batch.is_empty() {
            disk.write(batch);
            reserve.committed(counters);
        }
        match reserve.due_in_ms(now) {
            None if !open => return disk,
            Some(ms) if !open => at_ms += ms,
            _ => at_ms += 1,
        }
    }
}

/// One request as the proxy makes it: counted when it passed, the writer told what it has to know.
fn request(
    counters: &Counters,
    slot: Slot,
    today: Day,
    events: &Sender<Event>,
) -> Result<Admitted, Refused> {
    let counter = counters.get(slot).unwrap();
    let decision = admit(
        &[],
        &RateTable::new(),
        Some(&counter.quota),
        today,
        Ticks(0),
    );
    match decision {
        Ok(passed) => {
            if counter.used.note(passed.day) {
                events.send(Event::Dirty(slot)).unwrap();
            }
            if passed.quota_left.is_some_and(|left| left.ask) {
                events.send(Event::Need(slot)).unwrap();
            }
        }
        Err(Refused::Unreserved) => {
            events.send(Event::Need(slot)).unwrap();
            std::thread::yield_now();
        }
        Err(_) => {}
    }
    decision
}

/// Requests until told that the quota is used up; gives how many were admitted.
fn spend_all(counters: &Counters, slot: Slot, events: &Sender<Event>) -> u64 {
    let mut admitted = 0;
    loop {
        match request(counters, slot, TODAY, events) {
            Ok(_) => admitted += 1,
            Err(Refused::Exhausted) => return admitted,
            Err(_) => {}
        }
    }
}

fn terms(limit: u64) -> Terms {
    Terms {
        limit,
        period: Period::Month,
        offset: 0,
        extension: None,
    }
}

#[test]
fn exactly_the_quota_gets_through_and_nobody_is_refused_before() {
    const LIMIT: u64 = 10_000;
    let counters = Counters::new();
    let slot = counters.allocate(Start::Full).unwrap();
    let (events, received) = channel();
    let (disk, admitted) = std::thread::scope(|scope| {
        let writer =
            scope.spawn(|| writer(&counters, received, terms(LIMIT), &AtomicU16::new(TODAY.0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| (events.clone(), &counters))
            .map(|(events, counters)| scope.spawn(move || spend_all(counters, slot, &events)))
            .collect();
        drop(events);
        let admitted: Vec<u64> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        (writer.join().unwrap(), admitted.iter().sum::<u64>())
    });
    assert_eq!(admitted, LIMIT);
    assert_eq!(disk.accounts[&slot].reserved, LIMIT);
    let row = disk.used[&(slot, TODAY)];
    assert_eq!(
        (row.used, row.remaining, row.written_off),
        (LIMIT, Some(0), 0)
    );
}

/// The limit goes up and down while threads spend; each lowering is adopted before the next change, as configuration
/// changes are. In the end exactly the last limit was admitted, and never more than any limit in force.
#[test]
fn a_limit_changed_under_racing_threads_is_exact_in_the_end() {
    const LIMITS: [u64; 7] = [100, 2_000, 1_500, 4_000, 3_999, 9_000, 12_345];
    let counters = Counters::new();
    let slot = counters.allocate(Start::Full).unwrap();
    let (events, received) = channel();
    let (disk, admitted) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            writer(
                &counters,
                received,
                terms(LIMITS[0]),
                &AtomicU16::new(TODAY.0),
            )
        });
        let mut admitted = 0;
        for limit in LIMITS {
            events.send(Event::Terms(slot, terms(limit))).unwrap();
            let threads: Vec<_> = (0..THREADS)
                .map(|_| (events.clone(), &counters))
                .map(|(events, counters)| scope.spawn(move || spend_all(counters, slot, &events)))
                .collect();
            let spent: Vec<u64> = threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect();
            admitted += spent.iter().sum::<u64>();
            assert!(admitted <= *LIMITS.iter().max().unwrap());
        }
        // The last change may still be on its way to the writer when the threads found the one before used up.
        while admitted < LIMITS[6] {
            admitted += spend_all(&counters, slot, &events);
        }
        drop(events);
        (writer.join().unwrap(), admitted)
    });
    assert_eq!(admitted, LIMITS[6]);
    assert_eq!(disk.used[&(slot, TODAY)].used, LIMITS[6]);
    assert_eq!(disk.accounts[&slot].reserved, LIMITS[6]);
}

/// Whoever finds the day's quota used up makes it midnight, while the others are in the middle of their requests: each
/// day gets exactly its limit.
#[test]
fn every_day_gets_exactly_its_quota_while_threads_race_over_midnight() {
    const LIMIT: u64 = 500;
    const DAYS: u16 = 20;
    let daily = Terms {
        period: Period::Day,
        ..terms(LIMIT)
    };
    let counters = Counters::new();
    let slot = counters.allocate(Start::Full).unwrap();
    let today = AtomicU16::new(TODAY.0);
    let (events, received) = channel();
    let (disk, admitted) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| writer(&counters, received, daily, &today));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| (events.clone(), &counters, &today))
            .map(|(events, counters, today)| {
                scope.spawn(move || {
                    let mut admitted = BTreeMap::<Day, u64>::new();
                    loop {
                        let day = today.load(SeqCst);
                        if day == TODAY.0 + DAYS {
                            return admitted;
                        }
                        match request(counters, slot, Day(day), &events) {
                            Ok(passed) => *admitted.entry(passed.day).or_default() += 1,
                            Err(Refused::Exhausted) => {
                                let next = day + 1;
                                let _ = today.compare_exchange(day, next, SeqCst, SeqCst);
                            }
                            Err(_) => {}
                        }
                    }
                })
            })
            .collect();
        drop(events);
        let mut admitted = BTreeMap::<Day, u64>::new();
        for thread in threads {
            for (day, count) in thread.join().unwrap() {
                *admitted.entry(day).or_default() += count;
            }
        }
        (writer.join().unwrap(), admitted)
    });
    // The last day had hardly begun when the threads stopped.
    let full = admitted.range(..Day(TODAY.0 + DAYS));
    assert!(
        full.clone().all(|(_, count)| *count == LIMIT),
        "{admitted:?}"
    );
    assert_eq!(full.count(), usize::from(DAYS));
    let used: u64 = disk.used.values().map(|row| row.used).sum();
    assert_eq!(used, admitted.values().sum::<u64>());
    assert!(disk.used.values().all(|row| row.written_off == 0));
}
