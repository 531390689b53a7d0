//! Requests that wait for their counter's reservation to be written: the only wait for a store on
//! the request path, bounded in number and time.
//!
//! A request registers first and looks at its counter again afterwards, so a reservation published
//! in between is never missed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tollgate_limiter::Slot;

/// How many calls may wait for one counter, and how long each.
#[derive(Clone, Copy, Debug)]
pub struct WaitLimits {
    pub waiters_per_counter_max: usize,
    pub wait_max: Duration,
}

impl Default for WaitLimits {
    fn default() -> Self {
        WaitLimits { waiters_per_counter_max: 1024, wait_max: Duration::from_millis(250) }
    }
}

/// All who wait, by counter. Only requests without a reserved unit come here.
#[derive(Default)]
pub struct Waiting {
    queues: Mutex<HashMap<Slot, Arc<Queue>>>,
}

#[derive(Default)]
struct Queue {
    woken: Notify,
    waiters: Mutex<usize>,
}

/// A place in a counter's queue; leaving it is dropping it.
pub struct Place<'a> {
    waiting: &'a Waiting,
    slot: Slot,
    queue: Arc<Queue>,
}

impl Waiting {
    /// Takes a place, or none when the counter's queue is full.
    pub fn enter(&self, slot: Slot, limits: &WaitLimits) -> Option<Place<'_>> {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(slot).or_default();
        {
            let mut waiters = lock(&queue.waiters);
            if *waiters >= limits.waiters_per_counter_max {
                return None;
            }
            *waiters += 1;
        }
        Some(Place { waiting: self, slot, queue: Arc::clone(queue) })
    }

    /// Lets everyone decide again who waits for one of these counters.
    pub fn wake(&self, slots: &[Slot]) {
        let queues = lock(&self.queues);
        for slot in slots {
            if let Some(queue) = queues.get(slot) {
                queue.woken.notify_waiters();
            }
        }
    }

    /// Lets everyone decide again: nothing more will be written.
    pub fn wake_all(&self) {
        lock(&self.queues).values().for_each(|queue| queue.woken.notify_waiters());
    }

    /// Calls that wait now.
    pub fn len(&self) -> usize {
        lock(&self.queues).values().map(|queue| *lock(&queue.waiters)).sum()
    }
}

impl Place<'_> {
    /// Waits until woken after `look` found nothing, or until `deadline`; false when time ran out.
    ///
    /// `look` runs after the registration for the next waking: true means there is no need to wait.
    pub async fn wait(&self, deadline: tokio::time::Instant, look: impl FnOnce() -> bool) -> bool {
        let woken = self.queue.woken.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        if look() {
            return true;
        }
        tokio::time::timeout_at(deadline, woken).await.is_ok()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = lock(&self.waiting.queues);
        let mut waiters = lock(&self.queue.waiters);
        *waiters -= 1;
        if *waiters == 0 {
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

    fn limits(waiters_per_counter_max: usize) -> WaitLimits {
        WaitLimits { waiters_per_counter_max, ..WaitLimits::default() }
    }

    #[test]
    fn a_full_queue_takes_no_more_and_an_empty_one_is_gone() {
        let waiting = Waiting::default();
        let first = waiting.enter(Slot(1), &limits(2));
        let second = waiting.enter(Slot(1), &limits(2));
        assert!(first.is_some() && second.is_some());
        assert!(waiting.enter(Slot(1), &limits(2)).is_none());
        assert!(waiting.enter(Slot(2), &limits(2)).is_some());
        drop((first, second));
        assert_eq!(waiting.len(), 0);
        assert!(lock(&waiting.queues).is_empty());
    }

    #[tokio::test]
    async fn a_waking_between_registration_and_wait_is_not_missed() {
        let waiting = Waiting::default();
        let place = waiting.enter(Slot(1), &limits(8)).unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let woken = place.wait(deadline, || {
            waiting.wake(&[Slot(1)]);
            false
        });
        assert!(woken.await);
        let past = tokio::time::Instant::now();
        assert!(!place.wait(past, || false).await, "nobody wakes: time runs out");
    }
}
