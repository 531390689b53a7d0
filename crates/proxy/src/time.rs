//! The process's clocks: ticks for throttles, trusted wall time for quota windows, one reading a request.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use tollgate_limiter::clock::{Clock, SystemClock, WallGuard};
use tollgate_limiter::period::Day;
use tollgate_limiter::{Start, Ticks};
use tollgate_store::{Alive, LastStamp, boot};

/// How far ahead the process says that it lives; the stamp is written every second.
pub const ALIVE_AHEAD_MS: i64 = 2_000;
/// A longer absence than this refills every bucket as far as it can be told apart.
const ABSENCE_MS_MAX: u64 = 2 * 365 * 86_400_000;
/// The time since boot is told in such steps.
const BOOT_STEP_MS: u64 = 10;

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

/// Where the time comes from: the machine, or the simulator.
pub enum Source {
    Machine(SystemClock),
    #[cfg(feature = "simulation")]
    Simulated(std::sync::Arc<dyn SimulatedClock>),
}

/// A machine's clocks as the simulator shows them.
#[cfg(feature = "simulation")]
pub trait SimulatedClock: Clock + Send + Sync {
    /// Milliseconds since the machine started, and which boot that was.
    fn boot(&self) -> (u64, String);
}

impl Source {
    /// The machine's clocks, showing `ticks_at_start` now.
    pub fn machine(ticks_at_start: Ticks) -> Source {
        Source::Machine(SystemClock::start(ticks_at_start))
    }

    /// Milliseconds since the machine started, and which boot that was, where it is known.
    pub fn boot(&self) -> (Option<u64>, Option<String>) {
        match self {
            Source::Machine(_) => (boot::boot_ms(), boot::boot_id()),
            #[cfg(feature = "simulation")]
            Source::Simulated(clock) => {
                let (ms, id) = clock.boot();
                (Some(ms), Some(id))
            }
        }
    }
}

impl Clock for Source {
    fn ticks(&self) -> Ticks {
        match self {
            Source::Machine(clock) => clock.ticks(),
            #[cfg(feature = "simulation")]
            Source::Simulated(clock) => clock.ticks(),
        }
    }

    fn wall_ms(&self) -> i64 {
        match self {
            Source::Machine(clock) => clock.wall_ms(),
            #[cfg(feature = "simulation")]
            Source::Simulated(clock) => clock.wall_ms(),
        }
    }
}

/// Ticks and trusted wall time for everybody; the guard is fed by the writer.
pub struct Time {
    clock: Source,
    /// Trusted wall time minus ticks, both in milliseconds.
    offset_ms: AtomicI64,
}

impl Time {
    /// The clock's ticks begin so that the moment up to which the process before may have lived is not
    /// before zero, see [`Past`].
    pub fn start(clock: Source) -> Time {
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

    /// Trusted wall time at a moment just past, for which no clock is read.
    pub fn wall_ms_at(&self, moment: Instant) -> i64 {
        let ticks = match &self.clock {
            Source::Machine(clock) => clock.ticks_at(moment),
            #[cfg(feature = "simulation")]
            Source::Simulated(clock) => clock.ticks(),
        };
        mono_ms(ticks) + self.offset_ms.load(Ordering::Relaxed)
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
        let (boot_ms, boot_id) = self.clock.boot();
        Alive {
            is_settled: end.is_some_and(|settled| settled.0),
            // By the clock that calls are counted by: a jump that is not believed is none of their days.
            until_wall_ms: self.now().wall_ms + ahead_ms,
            until_boot_ms: boot_ms.map(|ms| ms.saturating_add_signed(ahead_ms)),
            boot_id,
        }
    }
}

/// What the stamp of the process before means for this one.
pub struct Past {
    pub ticks_at_start: Ticks,
    /// How full buckets begin.
    pub start: Start,
    /// The newest day on which it may have admitted.
    pub last_day: Day,
}

impl Past {
    /// `clock` shows the present; its ticks do not matter.
    pub fn read(stamp: &LastStamp, clock: &Source) -> Past {
        match stamp {
            LastStamp::None => Past {
                ticks_at_start: Ticks(0),
                start: Start::Full,
                last_day: Day(0),
            },
            LastStamp::Alive(alive) => Past {
                last_day: Day::of_wall_ms(alive.until_wall_ms - ALIVE_AHEAD_MS),
                ..Past::after(absent_ms(alive, clock.boot()))
            },
            // It may have lived until this moment.
            LastStamp::Unknown => Past {
                last_day: Day::of_wall_ms(clock.wall_ms()),
                ..Past::after(0)
            },
        }
    }

    /// The last call before this process may have come so long ago, not longer. Buckets hold no token then.
    fn after(absent_ms: u64) -> Past {
        Past {
            // Zero means "full" to a bucket, so that moment is one tick later.
            ticks_at_start: Ticks(absent_ms * TICKS_PER_MS + 1),
            start: Start::EmptyAt(Ticks(1)),
            last_day: Day(0),
        }
    }
}

/// For how long certainly no process lived: known after a clean stop, while the machine was not restarted. A
/// stamp from before a crash proves nothing, for a process whose disk stalls or that was suspended admits calls
/// beyond it; nor does the wall clock.
fn absent_ms(alive: &Alive, (boot_ms, boot_id): (Option<u64>, Option<String>)) -> u64 {
    let is_same_boot = boot_id.is_some() && alive.boot_id == boot_id;
    match (alive.until_boot_ms, boot_ms) {
        (Some(until), Some(now)) if alive.is_settled && is_same_boot => {
            let absent_ms = now.saturating_sub(until + BOOT_STEP_MS);
            absent_ms.min(ABSENCE_MS_MAX)
        }
        _ => 0,
    }
}

const TICKS_PER_MS: u64 = Ticks::PER_S / 1000;

fn mono_ms(ticks: Ticks) -> i64 {
    (ticks.0 / TICKS_PER_MS) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(is_settled: bool) -> Alive {
        Alive {
            until_wall_ms: 1_000_000,
            until_boot_ms: Some(5_000),
            boot_id: Some("b".into()),
            is_settled,
        }
    }

    fn boot(ms: u64, id: &str) -> (Option<u64>, Option<String>) {
        (Some(ms), Some(id.into()))
    }

    #[test]
    fn the_absence_is_known_after_a_clean_stop_on_the_same_boot_only() {
        assert_eq!(absent_ms(&stamp(true), boot(8_000, "b")), 2_990);
        assert_eq!(absent_ms(&stamp(true), boot(5_000, "b")), 0);
        assert_eq!(absent_ms(&stamp(true), boot(8_000, "c")), 0);
        assert_eq!(absent_ms(&stamp(true), (None, None)), 0);
        assert_eq!(absent_ms(&stamp(false), boot(8_000, "b")), 0);
    }

    #[test]
    fn time_passes_for_both_clocks() {
        let time = Time::start(Source::machine(Ticks(500)));
        let first = time.now();
        let second = time.now();
        assert!(second.ticks >= first.ticks && second.wall_ms >= first.wall_ms);
        assert!(first.ticks >= Ticks(500));
    }
}
