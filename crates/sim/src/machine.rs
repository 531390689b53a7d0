//! The machine's clocks: true time, what its wall clock shows, and how long it has been up.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tollgate_limiter::Ticks;
use tollgate_limiter::clock::Clock;
use tollgate_proxy::simulation::SimulatedClock;

pub const NS_PER_MS: u64 = 1_000_000;
const JUMP_MS: i64 = 5_000;
const PROOF_NS: u64 = 59_000_000_000;

/// One machine; it outlives its processes. One thread uses it, the atomics are for the traits' sake.
pub struct Machine {
    /// Monotonic time since the beginning, which stands still while the machine is suspended.
    mono_ns: AtomicU64,
    /// Time that passed while the machine was suspended.
    asleep_ns: AtomicU64,
    /// True UTC at the beginning.
    base_ms: i64,
    /// How far the wall clock is from true time.
    error_ms: AtomicI64,
    boot: AtomicU64,
    booted_ns: AtomicU64,
    /// When the step that runs began.
    step_ns: AtomicU64,
}

impl Machine {
    pub fn new(base_ms: i64) -> Machine {
        Machine {
            mono_ns: AtomicU64::new(0),
            asleep_ns: AtomicU64::new(0),
            base_ms,
            error_ms: AtomicI64::new(0),
            boot: AtomicU64::new(1),
            booted_ns: AtomicU64::new(0),
            step_ns: AtomicU64::new(0),
        }
    }

    pub fn mono_ns(&self) -> u64 {
        self.mono_ns.load(Ordering::Relaxed)
    }

    /// Monotonic time is at least this.
    pub fn reach(&self, mono_ns: u64) {
        self.mono_ns.fetch_max(mono_ns, Ordering::Relaxed);
    }

    pub fn nudge(&self, ns: u64) {
        self.mono_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// A step begins at this moment; gives when the one before began.
    pub fn begin_step(&self) -> u64 {
        self.step_ns.swap(self.mono_ns(), Ordering::Relaxed)
    }

    /// How long ago the step that runs began. Nothing in it takes time, unless a mutant lets others go on inside it.
    pub fn in_step_ns(&self) -> u64 {
        self.mono_ns() - self.step_ns.load(Ordering::Relaxed)
    }

    pub fn sleep(&self, ns: u64) {
        self.asleep_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// True time since the beginning.
    pub fn true_ns(&self) -> u64 {
        self.mono_ns() + self.asleep_ns.load(Ordering::Relaxed)
    }

    pub fn true_ms(&self) -> i64 {
        self.base_ms + (self.true_ns() / NS_PER_MS) as i64
    }

    pub fn wall_ms(&self) -> i64 {
        self.true_ms() + self.error_ms.load(Ordering::Relaxed)
    }

    pub fn set_error_ms(&self, error_ms: i64) {
        self.error_ms.store(error_ms, Ordering::Relaxed);
    }

    /// What wall time minus monotonic time is, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.wall_ms() - (self.mono_ns() / NS_PER_MS) as i64
    }

    pub fn reboot(&self) {
        self.boot.fetch_add(1, Ordering::Relaxed);
        self.booted_ns.store(self.true_ns(), Ordering::Relaxed);
    }
}

/// The clocks as one process sees them.
pub struct ProcessClock {
    pub machine: Arc<Machine>,
    pub started_ns: u64,
    pub ticks_at_start: Ticks,
}

impl Clock for ProcessClock {
    fn ticks(&self) -> Ticks {
        let ns = self.machine.mono_ns() - self.started_ns;
        Ticks(self.ticks_at_start.0 + ns * Ticks::PER_NS)
    }

    fn wall_ms(&self) -> i64 {
        self.machine.wall_ms()
    }
}

impl SimulatedClock for ProcessClock {
    fn boot(&self) -> (u64, String) {
        let up_ns = self.machine.true_ns() - self.machine.booted_ns.load(Ordering::Relaxed);
        let id = self.machine.boot.load(Ordering::Relaxed);
        // As the system tells it: in steps of ten milliseconds.
        (up_ns / NS_PER_MS / 10 * 10, format!("boot-{id}"))
    }
}

/// What a process may believe of the wall clock at most, by the documented rule: jumps of up to five
/// seconds at once, larger ones when they have held for a minute. Offsets are wall minus monotonic.
pub struct Belief {
    ceiling_ms: i64,
    doubt: Option<(i64, u64)>,
    /// The doubts before, and when each ended: a process that was blind meanwhile still has one of them.
    left: Vec<(i64, u64, u64)>,
}

/// The longest suspension or write: what happens to the clock meanwhile, the process cannot see.
const UNSEEN_NS: u64 = 7_300 * 1_000_000_000;

impl Belief {
    pub fn new(machine: &Machine) -> Belief {
        Belief {
            ceiling_ms: machine.offset_ms(),
            doubt: None,
            left: Vec::new(),
        }
    }

    fn leave(&mut self, now_ns: u64) {
        if let Some((doubted_ms, since_ns)) = self.doubt.take() {
            self.left
                .retain(|(_, _, at_ns)| now_ns - at_ns <= UNSEEN_NS);
            self.left.push((doubted_ms, since_ns, now_ns));
        }
    }

    /// Looks at the clock; to be called after each step of it and before each use.
    pub fn look(&mut self, machine: &Machine) {
        let seen_ms = machine.offset_ms();
        if seen_ms <= self.ceiling_ms + JUMP_MS {
            self.ceiling_ms = self.ceiling_ms.max(seen_ms);
            if seen_ms < self.ceiling_ms - 2 {
                self.leave(machine.mono_ns());
            }
            return;
        }
        match self.doubt {
            Some((doubted_ms, since_ns)) if (seen_ms - doubted_ms).abs() <= JUMP_MS => {
                if machine.mono_ns().saturating_sub(since_ns) + 2 * NS_PER_MS >= PROOF_NS {
                    self.ceiling_ms = seen_ms;
                    self.doubt = None;
                }
            }
            _ => {
                let now_ns = machine.mono_ns();
                let back = self.left.iter().filter(|(left_ms, _, at_ns)| {
                    (seen_ms - left_ms).abs() <= JUMP_MS && now_ns - at_ns <= UNSEEN_NS
                });
                let since_ns = back.map(|(_, since_ns, _)| *since_ns).min();
                self.leave(now_ns);
                let since_ns = since_ns.unwrap_or(now_ns);
                self.doubt = Some((seen_ms, since_ns));
            }
        }
    }

    /// The latest wall time that may be believed now.
    pub fn latest_ms(&self, machine: &Machine) -> i64 {
        self.ceiling_ms + (machine.mono_ns() / NS_PER_MS) as i64
    }
}
