//! Calls that wait for their counter's reservation to be written: the only wait for a disk on the
//! request path, bounded in number and time, first come first served.
//!
//! A call that finds no unit joins its counter's queue and decides when its turn comes; while there is
//! a queue, later calls join it instead of taking units that others wait for. Only the call whose turn
//! it is waits for the writer, and it registers before it looks again, so that no waking is missed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};
use tollgate_limiter::Slot;

/// How long a call that was woken in vain waits before it asks again: while a plan's new quota is being
/// adopted, the writer has nothing to give yet, and asking without a pause would keep two threads busy.
const IN_VAIN: Duration = Duration::from_millis(1);

/// How many calls may wait for one counter, and how long each.
#[derive(Clone, Copy, Debug)]
pub struct WaitLimits {
    pub waiters_per_counter_max: usize,
    pub wait_max: Duration,
}

impl Default for WaitLimits {
    fn default() -> Self {
        WaitLimits {
            waiters_per_counter_max: 1024,
            wait_max: Duration::from_millis(250),
        }
    }
}

/// All queues, by counter.
#[derive(Default)]
pub struct Waiting {
    queues: Mutex<HashMap<Slot, Arc<Queue>>>,
    /// Calls in all queues, so that a call need not look for a queue when there is none.
    calls: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    /// Held by the call whose turn it is; handed on in the order of arrival.
    turn: Arc<tokio::sync::Mutex<()>>,
    woken: Notify,
    calls: AtomicUsize,
}

/// No turn came: the queue was full, or time ran out.
#[derive(Debug, PartialEq, Eq)]
pub struct NoTurn;

/// The turn of one call; dropping it hands it on.
pub struct Turn<'a> {
    place: Place<'a>,
    _turn: OwnedMutexGuard<()>,
    deadline: Instant,
    has_asked: AtomicBool,
}

/// A place in a queue, counted until it is dropped.
struct Place<'a> {
    waiting: &'a Waiting,
    slot: Slot,
    queue: Arc<Queue>,
}

impl Waiting {
    /// Whether calls wait for this counter.
    pub fn has_queue(&self, slot: Slot) -> bool {
        self.calls.load(Ordering::Acquire) > 0 && lock(&self.queues).contains_key(&slot)
    }

    /// Joins the counter's queue and waits for the turn.
    pub async fn turn(&self, slot: Slot, limits: &WaitLimits) -> Result<Turn<'_>, NoTurn> {
        let deadline = Instant::now() + limits.wait_max;
        let place = self
            .join(slot, limits.waiters_per_counter_max)
            .ok_or(NoTurn)?;
        let turn = Arc::clone(&place.queue.turn).lock_owned();
        let turn = timeout_at(deadline, turn).await.map_err(|_| NoTurn)?;
        Ok(Turn {
            place,
            _turn: turn,
            deadline,
            has_asked: AtomicBool::new(false),
        })
    }

    fn join(&self, slot: Slot, calls_max: usize) -> Option<Place<'_>> {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(slot).or_default();
        if queue.calls.load(Ordering::Relaxed) >= calls_max {
            return None;
        }
        queue.calls.fetch_add(1, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::AcqRel);
        let queue = Arc::clone(queue);
        Some(Place {
            waiting: self,
            slot,
            queue,
        })
    }

    /// The calls whose turn it is for these counters look again.
    pub fn wake(&self, slots: &[Slot]) {
        if slots.is_empty() {
            return;
        }
        let queues = lock(&self.queues);
        for queue in slots.iter().filter_map(|slot| queues.get(slot)) {
            queue.woken.notify_waiters();
        }
    }

    /// The same for all counters: nothing more will be written.
    pub fn wake_all(&self) {
        lock(&self.queues)
            .values()
            .for_each(|queue| queue.woken.notify_waiters());
    }

    /// Calls that wait now.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Turn<'_> {
    pub fn slot(&self) -> Slot {
        self.place.slot
    }

    /// Waits until the writer has looked at the counter. `ask` tells it to, and runs when its answer
    /// can no longer be missed.
    pub async fn woken(&self, ask: impl FnOnce()) -> Result<(), NoTurn> {
        if self.has_asked.swap(true, Ordering::Relaxed) {
            tokio::time::sleep(IN_VAIN).await;
        }
        let woken = self.place.queue.woken.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        ask();
        timeout_at(self.deadline, woken).await.map_err(|_| NoTurn)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = lock(&self.waiting.queues);
        self.waiting.calls.fetch_sub(1, Ordering::AcqRel);
        if self.queue.calls.fetch_sub(1, Ordering::Relaxed) == 1 {
            queues.remove(&self.slot);
        }
    }
}

/// A panic elsewhere leaves these maps whole: every change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot(1);

    fn limits(waiters_per_counter_max: usize, wait_ms: u64) -> WaitLimits {
        let wait_max = Duration::from_millis(wait_ms);
        WaitLimits {
            waiters_per_counter_max,
            wait_max,
        }
    }

    #[tokio::test]
    async fn a_full_queue_takes_no_more_and_an_empty_one_is_gone() {
        let waiting = Waiting::default();
        let first = waiting.turn(SLOT, &limits(1, 60_000)).await.unwrap();
        assert!(waiting.has_queue(SLOT) && !waiting.has_queue(Slot(2)));
        assert_eq!(
            waiting.turn(SLOT, &limits(1, 60_000)).await.err(),
            Some(NoTurn)
        );
        drop(first);
        assert!(!waiting.has_queue(SLOT));
        assert_eq!(waiting.calls(), 0);
    }

    #[tokio::test]
    async fn turns_come_in_the_order_of_arrival() {
        let waiting = Waiting::default();
        let long = limits(8, 60_000);
        let first = waiting.turn(SLOT, &long).await.unwrap();
        let order = Mutex::new(Vec::new());
        let call = |number: u32| {
            let (waiting, order, long) = (&waiting, &order, &long);
            async move {
                let turn = waiting.turn(SLOT, long).await.unwrap();
                order.lock().unwrap().push(number);
                drop(turn);
            }
        };
        let go = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        tokio::join!(call(1), call(2), call(3), go);
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_waking_while_asking_is_not_missed_and_time_runs_out_without_one() {
        let waiting = Waiting::default();
        let turn = waiting.turn(SLOT, &limits(8, 1)).await.unwrap();
        assert_eq!(turn.woken(|| waiting.wake(&[SLOT])).await, Ok(()));
        assert_eq!(turn.woken(|| {}).await, Err(NoTurn));
    }

    #[tokio::test]
    async fn a_call_that_waits_in_vain_leaves_the_queue() {
        let waiting = Waiting::default();
        let first = waiting.turn(SLOT, &limits(8, 60_000)).await.unwrap();
        assert_eq!(waiting.turn(SLOT, &limits(8, 1)).await.err(), Some(NoTurn));
        assert_eq!(waiting.calls(), 1);
        drop(first);
        assert!(waiting.turn(SLOT, &limits(8, 1)).await.is_ok());
    }
}
