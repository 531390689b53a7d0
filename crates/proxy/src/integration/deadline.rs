//! How long an upstream may take: a client that sends slowly does not use up the upstream's time.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::body::FateOf;

/// Waits for a call until `deadline` if it has no body, else for at most `timeout` from the body's last
/// byte; a body that moves on gets more. None when it took too long.
pub async fn in_time<T>(
    deadline: std::time::Instant,
    timeout: Duration,
    calling: impl Future<Output = T>,
    body: Option<&FateOf>,
) -> Option<T> {
    let mut calling = pin!(calling);
    let mut deadline = Instant::from_std(deadline);
    let mut bytes_before = 0;
    loop {
        if let Ok(result) = timeout_at(deadline, calling.as_mut()).await {
            return Some(result);
        }
        let body = body?;
        let bytes = body.bytes();
        deadline = match body.ended() {
            Some(ended) if ended + timeout > deadline => ended + timeout,
            None if bytes > bytes_before => deadline + timeout,
            _ => return None,
        };
        bytes_before = bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Fate;
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
        let result = in_time((begun + TIMEOUT).into_std(), TIMEOUT, calling, Some(&body)).await;
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
        let never = std::future::pending::<()>;
        let due = || (Instant::now() + TIMEOUT).into_std();
        assert_eq!(in_time(due(), TIMEOUT, never(), None).await, None);
        assert_eq!(begun.elapsed(), TIMEOUT);
        let body = FateOf::default();
        assert_eq!(in_time(due(), TIMEOUT, never(), Some(&body)).await, None);
        assert_eq!(begun.elapsed(), 2 * TIMEOUT);
    }
}
