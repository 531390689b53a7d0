//! The oracle for quotas: it reads what reached the upstream, what was written to the disk, and the
//! configuration's history, and shares no code with the product.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tollgate_proxy::simulation::Refused;
use tollgate_store::LedgerBatch;

use crate::buckets::{Entry, Log};
use crate::calendar::{self, Window, day_of_ms};
use crate::config::{Config, History, PATHS, Pair, Quota};
use crate::disk::{self, Disk};
use crate::machine::{Belief, Machine, NS_PER_MS};
use crate::trace::{note, say, violated};

/// Everything outside the process, and what is known about it.
pub struct Lab {
    pub machine: Arc<Machine>,
    pub disk: Disk,
    pub history: History,
    pub log: Log,
    pub counted: BTreeMap<Pair, Counted>,
    pub belief: Belief,
    /// The latest wall time that any process may have believed.
    latest_ms: i64,
    /// Neither the clock nor the machine's sleep deceives the process in this run.
    pub is_honest: bool,
    /// Until then, waiting for the disk in vain is excusable.
    pub excused_until_ns: u64,
    /// Calls may find a full queue.
    pub has_short_queues: bool,
    /// This process was told that its disk failed.
    pub has_failed: bool,
    pub crashes: u64,
    pub admitted: u64,
    pub refused: u64,
    pub waited_in_vain: u64,
}

/// What one key had of one plan.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub days: BTreeMap<i64, Day>,
    /// The window of the newest row that this process was told is durable.
    pub label: Option<Window>,
    /// Windows this process wanted to reserve units of.
    raised: Vec<Window>,
    /// The most that crashes may have cost, by the window they happened in.
    pub forfeits: BTreeMap<Window, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Day {
    /// Admitted by a unit of a quota.
    pub held: u64,
    /// Admitted without a quota.
    pub free: u64,
    /// Of the free ones, those a crash took before they were written.
    pub free_lost: u64,
}

/// One call, as the upstream or the caller sees it.
pub struct Answered {
    pub path: usize,
    pub key: Option<u8>,
    pub plan: Option<u8>,
    pub has_quota: bool,
    pub result: Result<(), Refused>,
    /// When the decision looked at the clock: monotonic, true, and what it believed.
    pub looked_ns: u64,
    pub looked_true_ns: u64,
    pub looked_true_ms: i64,
    pub believed_ms: i64,
    /// Its thread was away between the look and the decision.
    pub is_stale: bool,
}

pub fn lock(lab: &Mutex<Lab>) -> MutexGuard<'_, Lab> {
    lab.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most that one crash may write off.
pub fn chunk(limit: u64) -> u64 {
    let thousandth = limit.div_ceil(1000);
    let sixteenth = limit.div_ceil(16);
    thousandth.max(sixteenth.min(8))
}

fn overlaps(a: Window, b: Window) -> bool {
    a.0 < b.1 && b.0 < a.1
}

impl Counted {
    /// Admitted in a window.
    pub fn in_window(&self, window: Window) -> u64 {
        self.days
            .range(window.0..window.1)
            .map(|(_, day)| day.held + day.free)
            .sum()
    }

    /// Of the calls without a quota, those that may have been forgotten.
    fn forgotten(&self, window: Window) -> u64 {
        self.days
            .range(window.0..window.1)
            .map(|(_, day)| day.free_lost)
            .sum()
    }

    /// What crashes may have cost a window.
    pub fn forfeit(&self, window: Window) -> u64 {
        let own = self
            .forfeits
            .iter()
            .filter(|(of, _)| overlaps(**of, window));
        own.map(|(_, units)| *units).sum()
    }
}

impl Lab {
    pub fn new(machine: Arc<Machine>, disk: Disk, first: Config, is_honest: bool) -> Lab {
        Lab {
            belief: Belief::new(&machine),
            latest_ms: machine.wall_ms(),
            machine,
            disk,
            history: History {
                versions: vec![Arc::new(first)],
                acked: 0,
            },
            log: Log::default(),
            counted: BTreeMap::new(),
            is_honest,
            excused_until_ns: 0,
            has_short_queues: false,
            has_failed: false,
            crashes: 0,
            admitted: 0,
            refused: 0,
            waited_in_vain: 0,
        }
    }

    /// Calls may wait in vain for a while from now.
    pub fn excuse(&mut self, ms: u64) {
        let until_ns = self.machine.mono_ns() + ms * NS_PER_MS;
        self.excused_until_ns = self.excused_until_ns.max(until_ns);
    }

    fn look(&mut self) {
        self.belief.look(&self.machine);
        self.latest_ms = self.latest_ms.max(self.belief.latest_ms(&self.machine));
    }

    /// The clock was set, or the machine woke up.
    pub fn clock_changed(&mut self) {
        self.look();
    }

    /// A process begins; the first look at the clock is believed.
    pub fn process_begins(&mut self) {
        self.belief = Belief::new(&self.machine);
        self.look();
        self.has_failed = false;
        let entry = Entry::Start {
            mono_ns: self.machine.mono_ns(),
            true_ns: self.machine.true_ns(),
        };
        self.log.put(entry);
        self.excuse(1_000);
    }

    pub fn committed(&mut self, config: Config) -> usize {
        self.history.versions.push(Arc::new(config));
        self.log_versions();
        self.history.versions.len() - 1
    }

    pub fn acknowledged(&mut self, version: usize) {
        note("acknowledged", &[version as u64]);
        self.history.acked = self.history.acked.max(version);
        self.log_versions();
    }

    fn log_versions(&mut self) {
        let entry = Entry::Versions {
            acked: self.history.acked,
            newest: self.history.versions.len() - 1,
            mono_ns: self.machine.mono_ns(),
            true_ns: self.machine.true_ns(),
        };
        self.log.put(entry);
    }

    /// The process is gone; `clean` if it wrote everything and said so.
    pub fn process_ends(&mut self, clean: bool) {
        if clean {
            self.check_settled();
        } else {
            self.crashes += 1;
        }
        self.disk.crash();
        let versions = &self.history.versions;
        for (pair, counted) in &mut self.counted {
            counted.label = None;
            let raised = std::mem::take(&mut counted.raised);
            if clean {
                continue;
            }
            for window in raised {
                let limits = versions
                    .iter()
                    .filter_map(|config| config.limit_in(*pair, window));
                let most = limits.map(chunk).max().unwrap_or(0);
                *counted.forfeits.entry(window).or_default() += most;
            }
            for (day, had) in &mut counted.days {
                let row = self
                    .disk
                    .sure()
                    .used
                    .get(&(*pair, *day))
                    .copied()
                    .unwrap_or_default();
                let kept = row.used.saturating_sub(had.held).min(had.free);
                had.free_lost += had.free - kept;
                had.free = kept;
            }
        }
    }

    /// After a clean stop nothing is reserved that was not used or written off.
    fn check_settled(&self) {
        let image = self.disk.sure();
        for (pair, account) in &image.accounts {
            let (used, written_off) = image.sum(*pair, account.window);
            let plan_has_quota = self.history.newest().quota(pair.0).is_some();
            if plan_has_quota && account.reserved > used + written_off && self.was_active(*pair) {
                let text = format!(
                    "{pair:?} has {} reserved in {:?} after a clean stop, {used} used, {written_off} written off",
                    account.reserved, account.window
                );
                violated("I2", text);
            }
        }
        for (pair, counted) in &self.counted {
            for (day, had) in &counted.days {
                let row = image.used.get(&(*pair, *day)).copied().unwrap_or_default();
                if self.is_honest && self.crashes == 0 && row.used != had.held + had.free {
                    violated(
                        "I10",
                        format!(
                            "{pair:?} day {day}: {} used on disk after a clean stop, {had:?} admitted",
                            row.used
                        ),
                    );
                }
            }
        }
    }

    fn was_active(&self, pair: Pair) -> bool {
        self.counted
            .get(&pair)
            .is_some_and(|counted| counted.label.is_some())
    }

    /// The writer wants these rows written.
    pub fn write_begins(&mut self, batch: &LedgerBatch) {
        self.look();
        let mut mix = 0_u64;
        for row in &batch.accounts {
            let pair = disk::pair(&row.plan_id, &row.key_id);
            let account = disk::account(row);
            mix ^= hash(&[
                pair.0.into(),
                pair.1.into(),
                account.window.0 as u64,
                account.window.1 as u64,
                account.reserved,
            ]);
            self.check_account(pair, account);
        }
        let image = self.disk.visible();
        for row in &batch.used {
            let pair = disk::pair(&row.plan_id, &row.key_id);
            let day = i64::from(row.day);
            mix ^= hash(&[
                pair.0.into(),
                pair.1.into(),
                day as u64,
                row.used,
                row.remaining.unwrap_or(u64::MAX),
                row.written_off,
            ]);
            let before = image.used.get(&(pair, day)).copied().unwrap_or_default();
            if row.used < before.used || row.written_off < before.written_off {
                violated(
                    "I10",
                    format!(
                        "{pair:?} day {day}: {} used and {} written off after {before:?}",
                        row.used, row.written_off
                    ),
                );
            }
            self.check_used(pair, day, row.used);
        }
        note(
            "write",
            &[batch.accounts.len() as u64, batch.used.len() as u64, mix],
        );
    }

    fn check_account(&mut self, pair: Pair, account: disk::Account) {
        let window = account.window;
        let is_window_of = |quota: &Quota| calendar::window(quota, window.0) == window;
        let quotas = || {
            self.history
                .versions
                .iter()
                .filter_map(|config| config.quota(pair.0))
        };
        if !quotas().any(|quota| is_window_of(&quota)) {
            violated(
                "I9",
                format!("{pair:?}: {window:?} is no window of its quota"),
            );
        }
        if window.0 > day_of_ms(self.latest_ms) {
            violated(
                "I9",
                format!(
                    "{pair:?}: {window:?} is opened before its time, {} ms",
                    self.latest_ms
                ),
            );
        }
        if let Some(before) = self.disk.visible().accounts.get(&pair)
            && window.0 < before.window.0
            && let [config] = self.history.possible()
            && let Some(quota) = config.quota(pair.0)
            && is_window_of(&quota)
            && calendar::window(&quota, before.window.0) == before.window
        {
            violated(
                "I9",
                format!("{pair:?}: {window:?} after {:?}", before.window),
            );
        }
        let possible = self.history.possible().iter();
        let limit = possible
            .filter_map(|config| config.limit_in(pair, window))
            .max()
            .unwrap_or(0);
        // What is admitted and lost by a crash is in both figures below, so a raise may hide behind them.
        let before = self.disk.visible().accounts.get(&pair).copied();
        let is_raise = before
            .is_none_or(|before| before.window != window || account.reserved > before.reserved);
        let counted = self.counted.entry(pair).or_default();
        let gone = counted.in_window(window) + counted.forfeit(window);
        // A window that opens begins with what its days have, and a clock that was set may have moved calls
        // to another day than they reached the upstream on.
        let is_moved = !self.is_honest && before.is_none_or(|before| before.window != window);
        if account.reserved > gone.max(limit) && !is_moved {
            violated(
                "E3",
                format!(
                    "{pair:?}: {} reserved in {window:?}, limit {limit}",
                    account.reserved
                ),
            );
        }
        if is_raise && !counted.raised.contains(&window) {
            counted.raised.push(window);
        }
    }

    fn check_used(&self, pair: Pair, day: i64, used: u64) {
        let Some(counted) = self.counted.get(&pair) else {
            if used > 0 {
                violated(
                    "I10",
                    format!("{pair:?} day {day}: {used} used and none admitted"),
                );
            }
            return;
        };
        let had = counted.days.get(&day).copied().unwrap_or_default();
        if self.is_honest && used > had.held + had.free + had.free_lost {
            violated(
                "I10",
                format!("{pair:?} day {day}: {used} used, {had:?} admitted"),
            );
        }
    }

    /// The writer is told how its write went.
    pub fn write_ends(&mut self, batch: &LedgerBatch, is_durable: bool) {
        note("written", &[u64::from(is_durable)]);
        if !is_durable {
            self.excuse(1_000);
        }
        self.has_failed |= self.disk.has_failed;
        if is_durable {
            for row in &batch.accounts {
                let pair = disk::pair(&row.plan_id, &row.key_id);
                let window = disk::account(row).window;
                self.counted.entry(pair).or_default().label = Some(window);
            }
        }
    }

    /// A call was answered, or reached the upstream.
    pub fn answered(&mut self, call: &Answered) {
        let code = match &call.result {
            Ok(()) => 0,
            Err(Refused::Throttled { .. }) => 1,
            Err(Refused::QuotaExceeded { .. }) => 2,
            Err(Refused::LedgerBusy { .. }) => 3,
            Err(Refused::LedgerFailed { .. }) => 4,
            Err(Refused::InvalidApiKey(_)) => 5,
            Err(_) => 6,
        };
        let of = |number: Option<u8>| number.map_or(255, u64::from);
        note(
            "answer",
            &[code, of(call.plan), of(call.key), call.path as u64],
        );
        self.check_belief(call);
        self.log_call(call, code);
        match &call.result {
            Ok(()) => self.admitted(call),
            Err(refused) => self.refused(call, refused),
        }
    }

    fn check_belief(&mut self, call: &Answered) {
        self.look();
        if self.is_honest && (call.believed_ms - call.looked_true_ms).abs() > 3 {
            violated(
                "I9",
                format!(
                    "believes {} ms at {} ms",
                    call.believed_ms, call.looked_true_ms
                ),
            );
        }
        if call.believed_ms > self.latest_ms + 3 {
            violated(
                "I9",
                format!(
                    "believes {} ms, {} ms at most is proven",
                    call.believed_ms, self.latest_ms
                ),
            );
        }
    }

    fn log_call(&mut self, call: &Answered, code: u64) {
        if code > 1 {
            return;
        }
        let entry = Entry::Call {
            is_admitted: code == 0,
            path: call.path,
            pair: call.plan.zip(call.key),
            looked_true_ns: call.looked_true_ns,
            mono_ns: self.machine.mono_ns(),
            is_stale: call.is_stale,
        };
        self.log.put(entry);
    }

    fn admitted(&mut self, call: &Answered) {
        self.admitted += 1;
        let (Some(plan), Some(key)) = (call.plan, call.key) else {
            if PATHS[call.path] != PATHS[crate::config::OPEN] {
                violated("I11", "a call without a key was admitted".into());
            }
            return;
        };
        let pair = (plan, key);
        let possible = self.history.possible();
        if !possible
            .iter()
            .any(|config| config.plan_of(key) == Some(plan))
        {
            violated(
                "I11",
                format!("{pair:?} was admitted after it was acknowledged that it is not"),
            );
        }
        let limits: Vec<Option<Quota>> = possible.iter().map(|config| config.quota(plan)).collect();
        if !limits.iter().any(|quota| quota.is_some() == call.has_quota) {
            violated(
                "I11",
                format!(
                    "{pair:?} was decided by a plan that is over, quota {}",
                    call.has_quota
                ),
            );
        }
        let believed_day = day_of_ms(call.believed_ms);
        let counted = self.counted.entry(pair).or_default();
        if !call.has_quota {
            counted.days.entry(believed_day).or_default().free += 1;
            return;
        }
        let Some(window) = counted.label else {
            violated(
                "E2",
                format!("{pair:?} was admitted and nothing was ever said to be durable"),
            );
        };
        if believed_day >= window.1 {
            violated(
                "I9",
                format!("{pair:?} was admitted on day {believed_day} to {window:?}, which is over"),
            );
        }
        counted
            .days
            .entry(believed_day.max(window.0))
            .or_default()
            .held += 1;
        let admitted = counted.in_window(window);
        say(|| format!("{pair:?} admitted {admitted} in {window:?}"));
        if limits.iter().any(Option::is_none) {
            return;
        }
        let limit = possible
            .iter()
            .filter_map(|config| config.limit_in(pair, window))
            .max();
        match limit {
            Some(limit) if admitted <= limit => {}
            Some(limit) => violated(
                "I1",
                format!("{pair:?}: {admitted} admitted in {window:?}, limit {limit}"),
            ),
            None => violated(
                "I1",
                format!(
                    "{pair:?}: admitted to {window:?}, which is no window of its quota any more"
                ),
            ),
        }
        for row in self.disk.surviving(pair) {
            let safe = row.is_some_and(|row| row.window == window && row.reserved >= admitted);
            if !safe {
                violated(
                    "E1",
                    format!(
                        "{pair:?}: {admitted} admitted in {window:?}, and a crash could leave {row:?}"
                    ),
                );
            }
        }
    }

    fn refused(&mut self, call: &Answered, refused: &Refused) {
        self.refused += 1;
        match refused {
            Refused::QuotaExceeded { .. } => self.check_exhausted(call),
            Refused::LedgerBusy { .. } => {
                self.waited_in_vain += 1;
                let is_excused = self.has_failed || self.has_short_queues;
                if !is_excused && call.looked_ns > self.excused_until_ns {
                    violated(
                        "I13",
                        format!("plan {:?} key {:?} waited in vain", call.plan, call.key),
                    );
                }
            }
            Refused::LedgerFailed { .. } if !self.has_failed => {
                violated("I13", "the ledger is called failed and did not fail".into());
            }
            Refused::InvalidApiKey(_) => {
                let key = call.key.unwrap_or(u8::MAX);
                if self
                    .history
                    .possible()
                    .iter()
                    .all(|config| config.plan_of(key).is_some())
                {
                    violated("I11", format!("key {key} was not let in by any plan"));
                }
            }
            Refused::Throttled { .. } | Refused::LedgerFailed { .. } => {}
            other => violated("I13", format!("refused: {other:?}")),
        }
    }

    /// No false 429: the quota is used up by what was admitted and what crashes may have cost.
    fn check_exhausted(&self, call: &Answered) {
        let (Some(plan), Some(key)) = (call.plan, call.key) else {
            violated("I2", "quota exceeded without a plan".into());
        };
        if !self.is_honest {
            return;
        }
        let pair = (plan, key);
        let none = Counted::default();
        let counted = self.counted.get(&pair).unwrap_or(&none);
        let day = day_of_ms(call.believed_ms);
        // Until a change is acknowledged, it may let a key in that is still held to the quota before it.
        let is_used_up = self.history.possible().iter().any(|config| {
            config.quota(plan).is_some_and(|quota| {
                let window = calendar::window(&quota, day);
                let limit = config.limit_in(pair, window).unwrap_or(0);
                counted.in_window(window) + counted.forgotten(window) + counted.forfeit(window)
                    >= limit
            })
        });
        if !is_used_up && counted.label.is_none_or(|window| day >= window.0) {
            violated(
                "I2",
                format!("{pair:?} is told on day {day} that its quota is used up: {counted:?}"),
            );
        }
    }
}

fn hash(numbers: &[u64]) -> u64 {
    numbers
        .iter()
        .fold(0x1234_5678_9abc_def1, |hash: u64, number| {
            (hash ^ number)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
        })
}
