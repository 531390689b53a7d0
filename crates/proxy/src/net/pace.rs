//! How long a client is waited for, and whether it sends and takes fast enough.

use std::task::{Context, Poll};
use std::time::Duration;

use super::stall::Stall;

/// How long a client is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a head's first byte to its last.
    pub head: Duration,
    /// Between requests.
    pub idle: Duration,
    /// Between two reads of a body.
    pub body: Duration,
    /// Until the client takes more of an answer.
    pub write: Duration,
    /// For the client to stop sending after the last answer.
    pub linger: Duration,
    /// Bytes a second a body must come with, once it was waited for longer than `body_rate_grace`.
    pub body_rate_min: u64,
    pub body_rate_grace: Duration,
    /// Bytes a second a client must take of its answers, over every `write_rate_interval` that it was
    /// waited for. That is never less than `write`, so one pause alone is not too slow.
    pub write_rate_min: u64,
    pub write_rate_interval: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(30),
            write: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            body_rate_min: 1024,
            body_rate_grace: Duration::from_secs(10),
            write_rate_min: 1024,
            write_rate_interval: Duration::from_secs(60),
        }
    }
}

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

/// What came of a body, against the time for which that was waited.
#[derive(Debug, Default)]
pub struct ReadPace {
    waiting: Stall,
    bytes: u64,
    waited: Duration,
}

impl ReadPace {
    /// Nothing comes for now. Ready once that has lasted for too long.
    pub fn poll_stuck(&mut self, patience: &Patience, context: &mut Context<'_>) -> Poll<()> {
        self.waiting.poll(patience.body, context)
    }

    /// Some came. Says whether the sender is fast enough.
    pub fn brings(&mut self, bytes: usize, patience: &Patience) -> bool {
        self.bytes += bytes as u64;
        self.waited += self.waiting.over();
        let least = patience.body_rate_min as f64 * self.waited.as_secs_f64();
        self.waited <= patience.body_rate_grace || self.bytes as f64 >= least
    }
}
