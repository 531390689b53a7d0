//! Timers that calls use one after the other: a call that ends in time neither makes nor moves one.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// Timers kept for the next call.
const SPARE_MAX: usize = 1024;

/// One worker's timers. Locked for moments only, and by the threads of one worker only.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<Vec<Pin<Box<Sleep>>>>);

/// A timer while a call uses it.
#[derive(Debug)]
pub struct Alarm<'a> {
    alarms: &'a Alarms,
    timer: Option<Pin<Box<Sleep>>>,
    deadline: Instant,
}

impl Alarms {
    fn spare(&self) -> MutexGuard<'_, Vec<Pin<Box<Sleep>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An alarm for this moment. Must be called inside a runtime, always the same.
    pub fn at(&self, deadline: Instant) -> Alarm<'_> {
        Alarm {
            alarms: self,
            timer: None,
            deadline,
        }
    }
}

impl Alarm<'_> {
    /// Ready at the alarm's moment. A timer that is set to an earlier one fires for nothing and is set
    /// anew; so one that is used again and again is moved once in the time it is set for.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (alarms, deadline) = (self.alarms, self.deadline);
        let timer = self.timer.get_or_insert_with(|| {
            let spare = alarms.spare().pop();
            spare.unwrap_or_else(|| Box::pin(sleep_until(deadline)))
        });
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }

    /// Moves the alarm to another moment.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            let mut spare = self.alarms.spare();
            if spare.len() < SPARE_MAX {
                spare.push(timer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    /// How long an alarm takes that is set to so many seconds from now.
    async fn waited(alarms: &Alarms, seconds: u64) -> u64 {
        let begun = Instant::now();
        let mut alarm = alarms.at(begun + Duration::from_secs(seconds));
        poll_fn(|context| alarm.poll(context)).await;
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn every_alarm_goes_off_at_its_own_time_whoever_used_its_timer_before() {
        let alarms = Alarms::default();
        for seconds in [10, 3, 3, 20, 1] {
            assert_eq!(waited(&alarms, seconds).await, seconds);
            let mut unused = alarms.at(Instant::now() + Duration::from_secs(7));
            let polled = poll_fn(|context| Poll::Ready(unused.poll(context)));
            assert!(polled.await.is_pending());
        }
        assert_eq!(alarms.spare().len(), 1);
        let both = async { tokio::join!(waited(&alarms, 5), waited(&alarms, 2)) };
        assert_eq!(both.await, (5, 2));
        assert_eq!(alarms.spare().len(), 2);
    }
}
