//! Notices when something has been waited for too long, with one timer however often the wait restarts.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A wait that may begin, end and begin again. The timer is made on the first wait and moved only
/// when it fires or would fire too late, so a wait that ends in time costs one look at the clock.
#[derive(Debug, Default)]
pub struct Stall {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// What was waited for has come. Says how long the wait was.
    pub fn over(&mut self) -> Duration {
        self.since
            .take()
            .map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The same, for whoever does not ask how long.
    pub fn forget(&mut self) {
        self.since = None;
    }

    /// The wait begins anew at this moment.
    pub fn begin(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Ready once the present wait, which begins with the first call, has lasted `limit`.
    pub fn poll(&mut self, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let deadline = since + limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            std::task::ready!(timer.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn a_wait_that_lasts_is_noticed_and_one_that_ends_is_not() {
        let mut stall = Stall::default();
        let limit = Duration::from_millis(5);
        let mut ended = false;
        poll_fn(|context| {
            let poll = stall.poll(limit, context);
            if !ended {
                ended = true;
                stall.over();
                assert!(
                    stall.poll(limit, context).is_pending(),
                    "the wait began anew"
                );
            }
            poll
        })
        .await;
        assert!(stall.over() >= limit);
    }

    #[tokio::test]
    async fn a_shorter_limit_takes_effect_at_once() {
        let mut stall = Stall::default();
        poll_fn(|context| {
            let long = stall.poll(Duration::from_secs(3600), context);
            assert!(long.is_pending());
            stall.poll(Duration::from_millis(5), context)
        })
        .await;
    }
}
