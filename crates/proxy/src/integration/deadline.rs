//! How long an upstream may take: a client that sends slowly does not use up the upstream's time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use crate::body::FateOf;
use crate::net::alarm::Alarms;

/// Waits for a call until `deadline` if it has no body, else for at most `timeout` from the body's last
/// byte; a body that moves on gets more. None when it took too long.
pub async fn in_time<T>(
    alarms: &Alarms,
    deadline: std::time::Instant,
    timeout: Duration,
    mut calling: Pin<&mut impl Future<Output = T>>,
    body: Option<&FateOf>,
) -> Option<T> {
    let mut deadline = Instant::from_std(deadline);
    let mut alarm = alarms.at(deadline);
    let mut bytes_before = 0;
    poll_fn(|context| {
        if let Poll::Ready(result) = calling.as_mut().poll(context) {
            return Poll::Ready(Some(result));
        }
        while alarm.poll(context).is_ready() {
            let Some(body) = body else {
                return Poll::Ready(None);
            };
            let bytes = body.bytes();
            deadline = match body.ended() {
                Some(ended) if ended + timeout > deadline => ended + timeout,
                None if bytes > bytes_before => deadline + timeout,
                _ => return Poll::Ready(None),
            };
            bytes_before = bytes;
            alarm.reset(deadline);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Fate;
    use std::pin::pin;
    use tokio::time::sleep;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// What comes of a call whose body moves on every nine seconds, nine times, and whose answer comes
    /// this long after that; and when.
    async fn outcome(answer_after: Duration) -> (Option<()>, u64) {
        let body = FateOf::default();
        let begun = Instant::now();
        let calling = async {
            for _ in 0..9 {
                sleep(Duration::from_secs(9)).await;
                body.advance(1);
            }
            body.set(Fate::Complete);
            sleep(answer_after).await;
        };
        let due = (begun + TIMEOUT).into_std();
        let alarms = Alarms::default();
        let result = in_time(&alarms, due, TIMEOUT, pin!(calling), Some(&body)).await;
        (result, begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn time_counts_from_the_last_byte_of_the_request() {
        assert_eq!(outcome(Duration::from_secs(9)).await, (Some(()), 90));
        assert_eq!(outcome(Duration::from_secs(60)).await, (None, 91));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_body_or_with_one_that_does_not_move_there_is_one_timeout() {
        let begun = Instant::now();
        let alarms = Alarms::default();
        let never = || Box::pin(std::future::pending::<()>());
        let due = || (Instant::now() + TIMEOUT).into_std();
        assert_eq!(
            in_time(&alarms, due(), TIMEOUT, never().as_mut(), None).await,
            None
        );
        assert_eq!(begun.elapsed(), TIMEOUT);
        let body = FateOf::default();
        assert_eq!(
            in_time(&alarms, due(), TIMEOUT, never().as_mut(), Some(&body)).await,
            None
        );
        assert_eq!(begun.elapsed(), 2 * TIMEOUT);
    }
}
