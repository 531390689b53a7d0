//! The process's clocks: ticks for throttles, trusted wall time for quota windows, one reading a request.

use std::sync::atomic::{AtomicI64, Ordering};

use tollgate_limiter::Ticks;
use tollgate_limiter::clock::{Clock, SystemClock, WallGuard};
use tollgate_limiter::period::Day;
use tollgate_store::{Alive, boot};

/// How far ahead the process says that it lives; the stamp is written every second.
pub const ALIVE_AHEAD_MS: i64 = 2_000;
/// A longer absence than this refills every bucket as far as it can be told apart.
const ABSENCE_MS_MAX: i64 = 2 * 365 * 86_400_000;

/// When a call is decided.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub ticks: Ticks,
    /// Trusted wall-clock time, milliseconds since 1970.
    pub wall_ms: i64,
}

impl Now {
    /// The UTC day.
    pub fn day(&self) -> Day {
        Day::of_wall_ms(self.wall_ms)
    }
}

/// The process ends; and whether everything is written.
#[derive(Clone, Copy, Debug)]
pub struct Settled(pub bool);

/// Ticks and trusted wall time for everybody; the guard is fed by the writer.
pub struct Time {
    clock: SystemClock,
    /// Trusted wall time minus ticks, both in milliseconds.
    offset_ms: AtomicI64,
}

impl Time {
    /// Ticks begin so that the moment up to which the process before may have lived is not before zero.
    pub fn start(ticks_at_start: Ticks) -> Time {
        let clock = SystemClock::start(ticks_at_start);
        let offset_ms = clock.wall_ms() - mono_ms(clock.ticks());
        Time {
            clock,
            offset_ms: AtomicI64::new(offset_ms),
        }
    }

    pub fn now(&self) -> Now {
        let ticks = self.clock.ticks();
        let wall_ms = mono_ms(ticks) + self.offset_ms.load(Ordering::Relaxed);
        Now { ticks, wall_ms }
    }

    /// A guard to feed, beginning with the present belief.
    pub fn guard(&self) -> WallGuard {
        let now = self.now();
        WallGuard::new(mono_ms(now.ticks).unsigned_abs(), now.wall_ms)
    }

    /// Samples the machine's clock and publishes what the guard makes of it. Logs a jump that is not believed.
    pub fn sample(&self, guard: &mut WallGuard) {
        let mono = mono_ms(self.clock.ticks());
        let was_doubted = guard.doubted_ms().is_some();
        let trusted = guard.sample(mono.unsigned_abs(), self.clock.wall_ms());
        self.offset_ms.store(trusted - mono, Ordering::Relaxed);
        if let (false, Some(ahead_ms)) = (was_doubted, guard.doubted_ms()) {
            tracing::warn!(
                ahead_ms,
                "the machine's clock jumped forward; quota windows follow it when it has kept its time for a minute"
            );
        }
    }

    /// The stamp that says until when this process may live: a little ahead, or now when it ends.
    pub fn alive(&self, end: Option<Settled>) -> Alive {
        let ahead_ms = if end.is_some() { 0 } else { ALIVE_AHEAD_MS };
        Alive {
            is_settled: end.is_some_and(|settled| settled.0),
            until_wall_ms: self.clock.wall_ms() + ahead_ms,
            until_boot_ms: boot::boot_ms().map(|ms| ms.saturating_add_signed(ahead_ms)),
            boot_id: boot::boot_id(),
        }
    }
}

/// What the stamp of the process before means for the clock and the buckets of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Ticks at which this process begins.
    pub ticks_at_start: Ticks,
    /// The moment, in ticks, up to which buckets may have been used.
    pub alive_until: Ticks,
}

impl Absence {
    /// By the time since boot when the machine was not restarted, else by the wall clock.
    pub fn since(
        alive: &Alive,
        wall_ms: i64,
        boot_ms: Option<u64>,
        boot_id: Option<&str>,
    ) -> Absence {
        let by_boot = match (alive.until_boot_ms, boot_ms) {
            (Some(until), Some(now))
                if boot_id.is_some() && alive.boot_id.as_deref() == boot_id =>
            {
                Some(now as i64 - until as i64)
            }
            _ => None,
        };
        let absent_ms = by_boot
            .unwrap_or(wall_ms - alive.until_wall_ms)
            .clamp(-ALIVE_AHEAD_MS, ABSENCE_MS_MAX);
        let ticks = |ms: i64| Ticks(ms.unsigned_abs() * TICKS_PER_MS);
        match absent_ms >= 0 {
            // Zero means "full" to a bucket, so the moment is one tick later.
            true => Absence {
                ticks_at_start: Ticks(ticks(absent_ms).0 + 1),
                alive_until: Ticks(1),
            },
            false => Absence {
                ticks_at_start: Ticks(1),
                alive_until: Ticks(ticks(absent_ms).0 + 1),
            },
        }
    }
}

const TICKS_PER_MS: u64 = Ticks::PER_S / 1000;

fn mono_ms(ticks: Ticks) -> i64 {
    (ticks.0 / TICKS_PER_MS) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(until_wall_ms: i64, until_boot_ms: Option<u64>) -> Alive {
        Alive {
            until_wall_ms,
            until_boot_ms,
            boot_id: Some("b".into()),
            is_settled: false,
        }
    }

    #[test]
    fn the_absence_is_measured_by_the_time_since_boot_when_it_can_be() {
        let by_boot = Absence::since(&alive(10_000, Some(5_000)), 999_000, Some(8_000), Some("b"));
        assert_eq!(
            by_boot.ticks_at_start.0 - by_boot.alive_until.0,
            3_000 * TICKS_PER_MS
        );
        let rebooted = Absence::since(&alive(10_000, Some(5_000)), 14_000, Some(300), Some("c"));
        assert_eq!(
            rebooted.ticks_at_start.0 - rebooted.alive_until.0,
            4_000 * TICKS_PER_MS
        );
    }

    #[test]
    fn a_process_killed_a_moment_ago_may_have_lived_into_the_future() {
        let killed = Absence::since(&alive(12_000, None), 10_500, None, None);
        assert_eq!(
            killed.alive_until.0 - killed.ticks_at_start.0,
            1_500 * TICKS_PER_MS
        );
        let clock_set_back = Absence::since(&alive(1_000_000, None), 0, None, None);
        assert_eq!(
            clock_set_back.alive_until.0 - clock_set_back.ticks_at_start.0,
            2_000 * TICKS_PER_MS
        );
    }

    #[test]
    fn time_passes_for_both_clocks() {
        let time = Time::start(Ticks(500));
        let first = time.now();
        let second = time.now();
        assert!(second.ticks >= first.ticks && second.wall_ms >= first.wall_ms);
        assert!(first.ticks >= Ticks(500));
    }
}
