//! Writing the ledger: whole batches, durable one by one, and reading it back at start.

use std::ops::{ControlFlow, Range};
use std::sync::{Arc, PoisonError};

use super::query::days;
use super::{Alive, DayUsage, FlushRequests, LastStamp, Ledger, LedgerError};
use crate::database::{Database, Fault, FaultKind, Row};

/// Rows written between two checkpoints, roughly the 4 KiB pages the log may grow to.
const CHECKPOINT_ROWS: usize = 2000;

/// What is reserved for a key in a plan, in the newest window it was used in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    pub plan_id: Arc<str>,
    pub key_id: Arc<str>,
    /// Days since 1970-01-01.
    pub window_start_day: i32,
    /// The day after the window's last.
    pub window_end_day: i32,
    /// Units given away in the window, used or not.
    pub reserved: u64,
}

/// What a key has used of a plan on one UTC day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedRow {
    pub plan_id: Arc<str>,
    pub key_id: Arc<str>,
    /// Days since 1970-01-01.
    pub day: i32,
    /// Requests admitted on that day by now; written in place of what stood there.
    pub used: u64,
    /// Requests left of the quota by now; none without a quota.
    pub remaining: Option<u64>,
    /// Requests of the quota that crashes have lost on that day by now.
    pub written_off: u64,
}

/// Rows written together: all or none. Each takes the place of the row of the same key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerBatch {
    pub accounts: Vec<AccountRow>,
    pub used: Vec<UsedRow>,
}

impl LedgerBatch {
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.used.is_empty()
    }

    fn rows(&self) -> usize {
        self.accounts.len() + self.used.len() + 1
    }
}

/// Looks at a batch before it is written and may make it fail.
type Sabotage = Box<dyn FnMut(&LedgerBatch) -> Option<LedgerError> + Send>;

/// The one writer of the ledger, for one thread.
pub struct LedgerWriter {
    ledger: Ledger,
    rows_since_checkpoint: usize,
    sabotage: Option<Sabotage>,
}

impl LedgerWriter {
    pub(super) fn new(ledger: Ledger) -> Self {
        LedgerWriter {
            ledger,
            rows_since_checkpoint: 0,
            sabotage: None,
        }
    }

    /// For tests of what stands above: `sabotage` sees every batch first, and an error it gives is
    /// the write's error, with all that follows from it.
    #[doc(hidden)]
    pub fn sabotaged(
        mut self,
        sabotage: impl FnMut(&LedgerBatch) -> Option<LedgerError> + Send + 'static,
    ) -> Self {
        self.sabotage = Some(Box::new(sabotage));
        self
    }

    /// Writes a batch; it is durable when this returns. After `LedgerError::Full` nothing of it is
    /// written and it may be tried again. After `LedgerError::Failed` it may or may not be there, and
    /// this and every later write fails.
    pub fn write(&mut self, batch: &LedgerBatch) -> Result<(), LedgerError> {
        if self.ledger.is_poisoned() {
            return Err(LedgerError::Failed("an earlier write failed".into()));
        }
        let sabotaged = self.sabotage.as_mut().and_then(|sabotage| sabotage(batch));
        let database = self.ledger.writing();
        let written = sabotaged.map_or_else(|| write(&database, batch), Err);
        if let Err(LedgerError::Failed(reason)) = &written {
            self.ledger.poison(&database, reason);
        }
        written?;
        self.rows_since_checkpoint += batch.rows();
        if self.rows_since_checkpoint >= CHECKPOINT_ROWS {
            match checkpoint(&database) {
                Ok(()) => self.rows_since_checkpoint = 0,
                Err(fault) if fault.kind == FaultKind::Full => {} // the log still holds everything
                // This batch is durable in the log; it is the next one that cannot be trusted.
                Err(fault) => self.ledger.poison(&database, &fault.reason),
            }
        }
        Ok(())
    }

    /// Every account, one at a time, ordered by plan and key: for recovery at start.
    pub fn accounts(&self, mut see: impl FnMut(AccountRow)) -> Result<(), LedgerError> {
        let sql = "SELECT plan_id, key_id, window_start_day, window_end_day, reserved FROM account";
        self.ledger.writing().each(sql, (), |row| {
            see(account_row(row)?);
            Ok::<_, LedgerError>(ControlFlow::Continue(()))
        })
    }

    /// The account of a key in a plan, if it ever had one.
    pub fn account(&self, plan_id: &str, key_id: &str) -> Result<Option<AccountRow>, LedgerError> {
        let sql = "SELECT plan_id, key_id, window_start_day, window_end_day, reserved FROM account
                   WHERE plan_id = ?1 AND key_id = ?2";
        let found = self
            .ledger
            .writing()
            .one(sql, (plan_id, key_id), account_row);
        Ok(found?)
    }

    /// Every account whose window is not over on `day` and of which more is reserved than rows show as
    /// used or written off: what a process before did not settle.
    pub fn unsettled(&self, day: i32, mut see: impl FnMut(&str, &str)) -> Result<(), LedgerError> {
        let sql = "SELECT plan_id, key_id FROM account AS a
                   WHERE window_end_day > ?1 AND reserved > (
                       SELECT coalesce(sum(used + written_off), 0) FROM used AS u
                       WHERE u.plan_id = a.plan_id AND u.key_id = a.key_id
                         AND u.day >= a.window_start_day AND u.day < a.window_end_day)";
        self.ledger.writing().each(sql, (day,), |row| {
            see(row.text(0)?, row.text(1)?);
            Ok::<_, LedgerError>(ControlFlow::Continue(()))
        })
    }

    /// What a key used of a plan on the days of `days`, in their order; days without use have no row.
    pub fn used_between(
        &self,
        plan_id: &str,
        key_id: &str,
        days_wanted: Range<i32>,
    ) -> Result<Vec<DayUsage>, LedgerError> {
        Ok(days(&self.ledger.writing(), plan_id, key_id, days_wanted)?)
    }

    /// What the process before said last of how long it lives.
    pub fn last_stamp(&self) -> &LastStamp {
        &self.ledger.0.last_stamp
    }

    /// Says until when this process may live. Goes on when the ledger itself is full or has failed.
    pub fn say_alive(&self, alive: &Alive) -> std::io::Result<()> {
        let mut stamp = self
            .ledger
            .0
            .stamp
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        stamp.stamp(alive)
    }

    /// The requests to write everything now, for whoever drives this writer.
    pub fn flush_requests(&self) -> FlushRequests {
        FlushRequests::new(Arc::clone(&self.ledger.0.desk))
    }
}

impl Drop for LedgerWriter {
    fn drop(&mut self) {
        self.ledger.give_back_writer();
    }
}

fn write(database: &Database, batch: &LedgerBatch) -> Result<(), LedgerError> {
    match insert(database, batch) {
        Ok(()) => Ok(()),
        Err(fault) if fault.kind == FaultKind::Full && database.is_settled() => {
            Err(LedgerError::Full)
        }
        Err(fault) => Err(LedgerError::Failed(fault.reason)),
    }
}

fn insert(database: &Database, batch: &LedgerBatch) -> Result<(), Fault> {
    let open = database.begin()?;
    for row in &batch.accounts {
        database.run(
            "INSERT INTO account (plan_id, key_id, window_start_day, window_end_day, reserved)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (plan_id, key_id) DO UPDATE SET
                 window_start_day = excluded.window_start_day,
                 window_end_day = excluded.window_end_day,
                 reserved = excluded.reserved",
            (
                &*row.plan_id,
                &*row.key_id,
                row.window_start_day,
                row.window_end_day,
                integer(row.reserved),
            ),
        )?;
    }
    for row in &batch.used {
        database.run(
            "INSERT INTO used (plan_id, key_id, day, used, remaining, written_off)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (plan_id, key_id, day) DO UPDATE SET
                 used = excluded.used,
                 remaining = excluded.remaining,
                 written_off = excluded.written_off",
            (
                &*row.plan_id,
                &*row.key_id,
                row.day,
                integer(row.used),
                row.remaining.map(integer),
                integer(row.written_off),
            ),
        )?;
    }
    open.commit()
}

fn account_row(row: &Row<'_>) -> Result<AccountRow, Fault> {
    Ok(AccountRow {
        plan_id: row.text(0)?.into(),
        key_id: row.text(1)?.into(),
        window_start_day: row.day(2)?,
        window_end_day: row.day(3)?,
        reserved: row.count(4)?,
    })
}

/// Moves what the log holds into the file, as far as readers allow.
fn checkpoint(database: &Database) -> Result<(), Fault> {
    database
        .one("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
        .map(|_| ())
}

/// Counts end at 2^63 - 1; more than that is as good as that.
fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
