//! Whether a reader takes what it is sent fast enough.

use std::task::{Context, Poll};
use std::time::Duration;

use super::client_io::Patience;
use super::stall::Stall;

/// What was taken, against the time for which that was waited.
#[derive(Debug, Default)]
pub struct WritePace {
    waiting: Stall,
    /// Of the present interval.
    bytes: u64,
    waited: Duration,
}

impl WritePace {
    /// Nothing is taken for now. Ready once that has lasted for too long.
    pub fn poll_stuck(&mut self, patience: &Patience, context: &mut Context<'_>) -> Poll<()> {
        self.waiting.poll(patience.write, context)
    }

    /// Some was taken. Says whether the reader is fast enough.
    pub fn takes(&mut self, bytes: usize, patience: &Patience) -> bool {
        self.bytes += bytes as u64;
        self.waited += self.waiting.over();
        if self.waited < patience.write_rate_interval.max(patience.write) {
            return true;
        }
        let least = patience.write_rate_min as f64 * self.waited.as_secs_f64();
        let is_enough = self.bytes as f64 >= least;
        (self.bytes, self.waited) = (0, Duration::ZERO);
        is_enough
    }
}
