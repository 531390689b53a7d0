//! The simulated ledger: transactions that may be there, may not be there, or nobody knows.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tollgate_proxy::simulation::Ledger;
use tollgate_store::{
    AccountRow, Alive, DayUsage, FlushDesk, FlushRequests, LastStamp, LedgerBatch, LedgerError,
};

use crate::calendar::Window;
use crate::config::{Pair, key_id, number, plan_id};
use crate::lab::{self, Lab};
use crate::machine::NS_PER_MS;
use crate::random::Random;
use crate::tasks::pause;
use crate::trace::{note, say};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub window: Window,
    pub reserved: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub used: u64,
    pub remaining: Option<u64>,
    pub written_off: u64,
}

/// What a disk holds.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub accounts: BTreeMap<Pair, Account>,
    pub used: BTreeMap<(Pair, i64), Used>,
}

impl Image {
    fn put(&mut self, batch: &LedgerBatch) {
        for row in &batch.accounts {
            self.accounts
                .insert(pair(&row.plan_id, &row.key_id), account(row));
        }
        for row in &batch.used {
            let used = Used {
                used: row.used,
                remaining: row.remaining,
                written_off: row.written_off,
            };
            self.used
                .insert((pair(&row.plan_id, &row.key_id), i64::from(row.day)), used);
        }
    }

    pub fn days(&self, pair: Pair, days: Range<i64>) -> impl Iterator<Item = (i64, Used)> {
        self.used
            .range((pair, days.start)..(pair, days.end))
            .map(|((_, day), used)| (*day, *used))
    }

    /// Used and written off in a window.
    pub fn sum(&self, pair: Pair, window: Window) -> (u64, u64) {
        self.days(pair, window.0..window.1)
            .fold((0, 0), |sum, (_, day)| {
                (sum.0 + day.used, sum.1 + day.written_off)
            })
    }
}

pub fn pair(plan: &str, key: &str) -> Pair {
    (number(plan), number(key))
}

pub fn account(row: &AccountRow) -> Account {
    Account {
        window: (
            i64::from(row.window_start_day),
            i64::from(row.window_end_day),
        ),
        reserved: row.reserved,
    }
}

/// What goes wrong with the disk at present.
#[derive(Default)]
pub struct Faults {
    /// Room comes back at this moment.
    pub full_until_ns: u64,
    /// The next write fails so.
    pub fails: Option<Failing>,
    /// The next read fails.
    pub unreadable: bool,
    /// The next write takes so long.
    pub slow_ms: u64,
    /// Writes take longer than a moment, one in so many; 0 is never.
    pub lags_one_in: u64,
    pub stamps_fail: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// Reported failed, and nobody knows.
    Unknown,
    /// Reported failed, but there.
    Durable,
    /// Reported failed and lost.
    Lost,
}

/// The disk. It outlives processes.
pub struct Disk {
    /// What survives whatever happens.
    sure: Image,
    /// Batches after that, of which any first few may survive, and how many of them a reader sees.
    doubtful: Vec<LedgerBatch>,
    /// A write failed: what is written from now on may be lost, although it is said to be durable.
    pub has_failed: bool,
    pub stamp: LastStamp,
    pub faults: Faults,
    /// When the write that is under way will have ended.
    pub busy_until_ns: u64,
    random: Random,
}

/// How one write will go.
struct Course {
    before: Delay,
    after: Delay,
    end: Result<(), LedgerError>,
}

#[derive(Clone, Copy)]
struct Delay {
    pauses: u64,
    ms: u64,
}

impl Disk {
    pub fn new(random: Random) -> Disk {
        Disk {
            sure: Image::default(),
            doubtful: Vec::new(),
            has_failed: false,
            stamp: LastStamp::None,
            faults: Faults::default(),
            busy_until_ns: 0,
            random,
        }
    }

    /// What a reader sees.
    pub fn visible(&self) -> Image {
        let mut image = self.sure.clone();
        if self.has_failed {
            self.doubtful.iter().for_each(|batch| image.put(batch));
        }
        image
    }

    /// What is certainly there.
    pub fn sure(&self) -> &Image {
        &self.sure
    }

    /// The account rows of a pair that a crash at this moment could leave; `None` is no row.
    pub fn surviving(&self, pair: Pair) -> Vec<Option<Account>> {
        let mut rows = vec![self.sure.accounts.get(&pair).copied()];
        for batch in &self.doubtful {
            let own = |row: &&AccountRow| self::pair(&row.plan_id, &row.key_id) == pair;
            if let Some(row) = batch.accounts.iter().rfind(own) {
                rows.push(Some(account(row)));
            }
        }
        rows
    }

    /// The process is gone: what was doubtful is there or not.
    pub fn crash(&mut self) {
        let kept = self.random.below(self.doubtful.len() as u64 + 1) as usize;
        note("kept", &[kept as u64, self.doubtful.len() as u64]);
        for batch in self.doubtful.drain(..).take(kept) {
            self.sure.put(&batch);
        }
        self.has_failed = false;
        self.busy_until_ns = 0;
        self.faults.fails = None;
        self.faults.unreadable = false;
        self.faults.slow_ms = 0;
    }

    /// Nothing goes wrong any more.
    pub fn heal(&mut self) {
        self.faults = Faults::default();
    }

    fn delay(&mut self) -> Delay {
        let lags = self.faults.lags_one_in;
        let ms = if lags > 0 && self.random.one_in(lags) {
            self.random.pick(&[3, 10, 60, 300, 1_500])
        } else {
            self.random.pick(&[0, 0, 0, 1, 2])
        };
        Delay {
            pauses: self.random.below(3),
            ms,
        }
    }

    /// A write begins.
    fn issue(&mut self, batch: &LedgerBatch, now_ns: u64) -> Course {
        let (mut before, after) = (self.delay(), self.delay());
        before.ms += std::mem::take(&mut self.faults.slow_ms);
        let end = if self.has_failed {
            // The file goes on as if nothing had been.
            Ok(())
        } else if now_ns < self.faults.full_until_ns {
            Err(LedgerError::Full)
        } else if let Some(failing) = self.faults.fails.take() {
            let sure = self.random.one_in(2) || failing != Failing::Unknown;
            match failing {
                Failing::Durable if sure => self.sure.put(batch),
                Failing::Lost if sure => {}
                _ => self.doubtful.push(batch.clone()),
            }
            self.has_failed = true;
            Err(LedgerError::Failed(format!("simulated: {failing:?}")))
        } else {
            Ok(())
        };
        if end.is_ok() {
            self.doubtful.push(batch.clone());
        }
        say(|| {
            format!(
                "write {} {end:?} in {}+{} ms",
                shown(batch),
                before.ms,
                after.ms
            )
        });
        Course { before, after, end }
    }

    /// The transaction is committed.
    fn commit(&mut self) {
        if !self.has_failed
            && let Some(batch) = self.doubtful.pop()
        {
            self.sure.put(&batch);
        }
    }

    fn read(&mut self) -> Result<Image, LedgerError> {
        if std::mem::take(&mut self.faults.unreadable) {
            return Err(LedgerError::NotReadable("simulated".into()));
        }
        Ok(self.visible())
    }
}

fn shown(batch: &LedgerBatch) -> String {
    let accounts = batch.accounts.iter().map(|row| {
        format!(
            "{}/{} [{}, {}) reserved {}",
            row.plan_id,
            number(&row.key_id),
            row.window_start_day,
            row.window_end_day,
            row.reserved
        )
    });
    let used = batch.used.iter().map(|row| {
        format!(
            "{}/{} day {} used {} remaining {:?} written off {}",
            row.plan_id,
            number(&row.key_id),
            row.day,
            row.used,
            row.remaining,
            row.written_off
        )
    });
    accounts.chain(used).collect::<Vec<_>>().join("; ")
}

/// The ledger as one process holds it.
pub struct SimulatedLedger {
    lab: Arc<Mutex<Lab>>,
    last_stamp: LastStamp,
    desk: Arc<FlushDesk>,
}

impl SimulatedLedger {
    pub fn open(lab: &Arc<Mutex<Lab>>, desk: Arc<FlushDesk>) -> SimulatedLedger {
        let last_stamp = lab::lock(lab).disk.stamp.clone();
        SimulatedLedger {
            lab: Arc::clone(lab),
            last_stamp,
            desk,
        }
    }

    fn lab(&self) -> std::sync::MutexGuard<'_, Lab> {
        self.lab.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self) -> Result<Image, LedgerError> {
        let pauses = self.lab().disk.random.below(2);
        wait(Delay { pauses, ms: 0 }).await;
        let mut lab = self.lab();
        let read = lab.disk.read();
        lab.has_failed |= read.is_err();
        read
    }
}

async fn wait(delay: Delay) {
    for _ in 0..delay.pauses {
        pause().await;
    }
    if delay.ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay.ms)).await;
    }
}

impl Ledger for SimulatedLedger {
    async fn write(&mut self, batch: &LedgerBatch) -> Result<(), LedgerError> {
        let course = {
            let mut lab = self.lab();
            lab.write_begins(batch);
            let now_ns = lab.machine.mono_ns();
            let course = lab.disk.issue(batch, now_ns);
            let takes_ms = course.before.ms + course.after.ms;
            lab.disk.busy_until_ns = now_ns + (takes_ms + 10) * NS_PER_MS;
            if takes_ms > 20 {
                lab.excuse(takes_ms + 1_000);
            }
            course
        };
        wait(course.before).await;
        if course.end.is_ok() {
            self.lab().disk.commit();
        }
        wait(course.after).await;
        self.lab().write_ends(batch, course.end.is_ok());
        course.end
    }

    async fn account(
        &mut self,
        plan_id: &str,
        key_id: &str,
    ) -> Result<Option<AccountRow>, LedgerError> {
        let of = pair(plan_id, key_id);
        let image = self.read().await?;
        Ok(image.accounts.get(&of).map(|account| row(of, account)))
    }

    async fn used_between(
        &mut self,
        plan_id: &str,
        key_id: &str,
        days: Range<i32>,
    ) -> Result<Vec<DayUsage>, LedgerError> {
        let of = pair(plan_id, key_id);
        let image = self.read().await?;
        let rows = image.days(of, i64::from(days.start)..i64::from(days.end));
        Ok(rows
            .map(|(day, used)| DayUsage {
                day: day as i32,
                used: used.used,
                remaining: used.remaining,
                written_off: used.written_off,
            })
            .collect())
    }

    async fn unsettled(&mut self, day: i32) -> Result<Vec<(String, String)>, LedgerError> {
        let image = self.read().await?;
        let is_unsettled = |pair: &Pair, account: &Account| {
            let (used, written_off) = image.sum(*pair, account.window);
            account.window.1 > i64::from(day) && account.reserved > used + written_off
        };
        let found = image
            .accounts
            .iter()
            .filter(|(pair, account)| is_unsettled(pair, account));
        Ok(found
            .map(|(pair, _)| (plan_id(pair.0), key_id(pair.1)))
            .collect())
    }

    fn last_stamp(&self) -> &LastStamp {
        &self.last_stamp
    }

    fn say_alive(&self, alive: &Alive) -> std::io::Result<()> {
        let mut lab = self.lab();
        if lab.disk.faults.stamps_fail {
            return Err(std::io::Error::other("simulated"));
        }
        lab.disk.stamp = LastStamp::Alive(alive.clone());
        Ok(())
    }

    fn flush_requests(&self) -> FlushRequests {
        FlushRequests::new(Arc::clone(&self.desk))
    }
}

fn row(of: Pair, account: &Account) -> AccountRow {
    AccountRow {
        plan_id: plan_id(of.0).into(),
        key_id: key_id(of.1).into(),
        window_start_day: account.window.0 as i32,
        window_end_day: account.window.1 as i32,
        reserved: account.reserved,
    }
}
