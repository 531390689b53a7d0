//! Now: monotonic ticks for throttles, guarded wall time for quota windows; real or scripted.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time in 1/16 ns since an origin the process chooses; throttles understand the first nine years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u64);

impl Ticks {
    pub const PER_NS: u64 = 16;
    pub const PER_S: u64 = Ticks::PER_NS * 1_000_000_000;

    /// The ticks a duration is long, saturating.
    pub fn of(duration: Duration) -> Ticks {
        let ticks = duration
            .as_nanos()
            .saturating_mul(u128::from(Ticks::PER_NS));
        Ticks(u64::try_from(ticks).unwrap_or(u64::MAX))
    }

    pub fn plus(self, duration: Duration) -> Ticks {
        Ticks(self.0.saturating_add(Ticks::of(duration).0))
    }
}

/// Where time comes from.
pub trait Clock {
    /// Monotonic: never goes back.
    fn ticks(&self) -> Ticks;
    /// Milliseconds since the Unix epoch, as the machine believes; may step either way. See [`WallGuard`].
    fn wall_ms(&self) -> i64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
    ticks_at_start: Ticks,
}

impl SystemClock {
    /// A clock that shows `ticks_at_start` now. A start above zero leaves room below it for times before this process
    /// (the alive-until stamp of the one before).
    pub fn start(ticks_at_start: Ticks) -> SystemClock {
        SystemClock {
            started: Instant::now(),
            ticks_at_start,
        }
    }

    /// What [`Clock::ticks`] showed at a moment.
    pub fn ticks_at(&self, moment: Instant) -> Ticks {
        let since = moment.saturating_duration_since(self.started);
        self.ticks_at_start.plus(since)
    }
}

impl Clock for SystemClock {
    fn ticks(&self) -> Ticks {
        self.ticks_at(Instant::now())
    }

    fn wall_ms(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        }
    }
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ScriptedClock {
    ticks: AtomicU64,
    wall_ms: AtomicI64,
}

impl ScriptedClock {
    pub fn at(ticks: Ticks, wall_ms: i64) -> ScriptedClock {
        ScriptedClock {
            ticks: AtomicU64::new(ticks.0),
            wall_ms: AtomicI64::new(wall_ms),
        }
    }

    /// Both clocks go on by `duration`.
    pub fn advance(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.ticks
            .fetch_add(Ticks::of(duration).0, Ordering::SeqCst);
        self.wall_ms
            .fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// The wall clock alone is set, forwards or backwards.
    pub fn step_wall_ms(&self, wall_ms: i64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }
}

impl Clock for ScriptedClock {
    fn ticks(&self) -> Ticks {
        Ticks(self.ticks.load(Ordering::SeqCst))
    }

    fn wall_ms(&self) -> i64 {
        self.wall_ms.load(Ordering::SeqCst)
    }
}

/// Makes wall time trustworthy enough to open quota windows with.
///
/// A step backwards is followed: closed windows are protected by the quota word and the account. A jump forwards of
/// more than [`WallGuard::JUMP_MS`] beyond the monotonic clock is not believed until it stayed consistent for
/// [`WallGuard::PROOF_MS`]: one bad NTP sample must not open a window years ahead, which could never be left again.
/// Until then time goes on from the monotonic clock. The first sample is believed; there is nothing to hold against it.
#[derive(Clone, Debug)]
pub struct WallGuard {
    /// Trusted wall time minus monotonic time.
    offset_ms: i64,
    doubt: Option<Doubt>,
}

/// A forward jump that has not proven itself yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    offset_ms: i64,
    since_ms: u64,
}

impl WallGuard {
    pub const JUMP_MS: i64 = 5_000;
    pub const PROOF_MS: u64 = 60_000;

    pub fn new(mono_ms: u64, wall_ms: i64) -> WallGuard {
        WallGuard {
            offset_ms: offset(mono_ms, wall_ms),
            doubt: None,
        }
    }

    /// Takes one sample of both clocks and gives the trusted wall time of that moment. Call it at least every second;
    /// between calls, [`WallGuard::wall_ms`] extrapolates.
    pub fn sample(&mut self, mono_ms: u64, wall_ms: i64) -> i64 {
        let seen_ms = offset(mono_ms, wall_ms);
        if seen_ms <= self.offset_ms.saturating_add(Self::JUMP_MS) {
            self.believe(seen_ms);
        } else {
            match self.doubt {
                Some(doubt)
                    if seen_ms.abs_diff(doubt.offset_ms) <= Self::JUMP_MS.unsigned_abs() =>
                {
                    if mono_ms.saturating_sub(doubt.since_ms) >= Self::PROOF_MS {
                        self.believe(seen_ms);
                    }
                }
                _ => {
                    self.doubt = Some(Doubt {
                        offset_ms: seen_ms,
                        since_ms: mono_ms,
                    })
                }
            }
        }
        self.wall_ms(mono_ms)
    }

    /// Trusted wall time at a monotonic time, without a new sample.
    pub fn wall_ms(&self, mono_ms: u64) -> i64 {
        self.offset_ms
            .saturating_add(i64::try_from(mono_ms).unwrap_or(i64::MAX))
    }

    /// How far the machine's clock claims to be ahead of what is believed, in milliseconds; `None` when it is believed.
    pub fn doubted_ms(&self) -> Option<i64> {
        self.doubt
            .map(|doubt| doubt.offset_ms.saturating_sub(self.offset_ms))
    }

    fn believe(&mut self, offset_ms: i64) {
        self.offset_ms = offset_ms;
        self.doubt = None;
    }
}

fn offset(mono_ms: u64, wall_ms: i64) -> i64 {
    wall_ms.saturating_sub(i64::try_from(mono_ms).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_700_000_000_000;
    const YEAR_MS: i64 = 365 * 86_400_000;

    #[test]
    fn an_honest_clock_is_followed_with_its_slews() {
        let mut guard = WallGuard::new(0, NOON);
        assert_eq!(guard.sample(1_000, NOON + 1_000), NOON + 1_000);
        assert_eq!(guard.sample(2_000, NOON + 2_400), NOON + 2_400);
        assert_eq!(guard.sample(3_000, NOON + 3_000), NOON + 3_000);
        assert_eq!(guard.wall_ms(3_500), NOON + 3_500);
        assert_eq!(guard.doubted_ms(), None);
    }

    #[test]
    fn one_bad_sample_changes_nothing() {
        let mut guard = WallGuard::new(0, NOON);
        assert_eq!(guard.sample(1_000, NOON + YEAR_MS), NOON + 1_000);
        assert_eq!(guard.doubted_ms(), Some(YEAR_MS - 1_000));
        assert_eq!(guard.sample(2_000, NOON + 2_000), NOON + 2_000);
        assert_eq!(guard.doubted_ms(), None);
    }

    #[test]
    fn a_jump_is_believed_after_a_minute_of_consistency() {
        let mut guard = WallGuard::new(0, NOON);
        for second in 1..=60 {
            let trusted = guard.sample(second * 1_000, NOON + YEAR_MS + second as i64 * 1_000);
            assert_eq!(trusted, NOON + second as i64 * 1_000);
        }
        assert_eq!(
            guard.sample(61_000, NOON + YEAR_MS + 61_000),
            NOON + YEAR_MS + 61_000
        );
        assert_eq!(guard.doubted_ms(), None);
    }

    #[test]
    fn a_jump_that_wanders_starts_its_minute_again() {
        let mut guard = WallGuard::new(0, NOON);
        for second in 1..=200 {
            let claimed = NOON + YEAR_MS + (second as i64 / 30) * 10_000 + second as i64 * 1_000;
            assert_eq!(
                guard.sample(second * 1_000, claimed),
                NOON + second as i64 * 1_000
            );
        }
    }

    #[test]
    fn a_step_backwards_is_followed_and_the_way_back_is_doubted() {
        let mut guard = WallGuard::new(0, NOON);
        assert_eq!(guard.sample(1_000, NOON - 3_600_000), NOON - 3_600_000);
        assert_eq!(guard.sample(2_000, NOON + 2_000), NOON - 3_599_000);
    }

    #[test]
    fn extreme_samples_do_not_overflow() {
        let mut guard = WallGuard::new(u64::MAX, i64::MIN);
        for (mono, wall) in [
            (0, i64::MAX),
            (u64::MAX, i64::MIN),
            (u64::MAX, i64::MAX),
            (0, i64::MIN),
        ] {
            guard.sample(mono, wall);
            guard.doubted_ms();
        }
    }

    #[test]
    fn the_real_clocks_run() {
        let clock = SystemClock::start(Ticks(1_000));
        let first = clock.ticks();
        assert!(first >= Ticks(1_000) && clock.ticks() >= first);
        assert!(clock.wall_ms() > NOON);
    }

    #[test]
    fn a_scripted_clock_moves_when_told() {
        let clock = ScriptedClock::at(Ticks(5), NOON);
        clock.advance(Duration::from_millis(2));
        assert_eq!(clock.ticks(), Ticks(5 + 32_000_000));
        assert_eq!(clock.wall_ms(), NOON + 2);
        clock.step_wall_ms(7);
        assert_eq!(clock.wall_ms(), 7);
    }
}
