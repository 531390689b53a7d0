//! Reading usage: days of one key, and pages over the keys of a plan.

use std::ops::Range;

use super::{Ledger, LedgerError};
use crate::database::{Database, Fault};
use crate::store::off_the_runtime;

/// Which part of a plan's keys is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePage {
    /// The `next` of the page before; none for the first page.
    pub position: Option<String>,
    /// Keys at most; 0 counts as 1.
    pub limit: usize,
}

/// One page of a plan's usage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageListed {
    /// In the order of their ids; only keys that used something on the days asked for.
    pub keys: Vec<KeyUsage>,
    /// The position of the next page; none when this is the last.
    pub next: Option<String>,
}

/// What one key used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUsage {
    pub key_id: String,
    /// In their order; only days that were used.
    pub days: Vec<DayUsage>,
}

/// What a key used of a plan on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayUsage {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Requests admitted.
    pub used: u64,
    /// Requests left of the quota at the end of the day (or by now); none without a quota.
    pub remaining: Option<u64>,
    /// Requests of the quota that crashes have lost on that day.
    pub written_off: u64,
}

impl Ledger {
    /// What the keys of a plan (or the one of `key_id`) used on the days from `from_day` to `to_day`,
    /// both included, one page of keys. It shows what is written: see [`Ledger::flush`].
    pub async fn usage(
        &self,
        plan_id: &str,
        key_id: Option<&str>,
        from_day: i32,
        to_day: i32,
        page: &UsagePage,
    ) -> Result<UsageListed, LedgerError> {
        let (ledger, plan_id, page) = (self.clone(), plan_id.to_owned(), page.clone());
        let key_id = key_id.map(str::to_owned);
        let looked = off_the_runtime(move || {
            ledger.usage_blocking(&plan_id, key_id.as_deref(), from_day, to_day, &page)
        });
        looked.await.ok_or(LedgerError::Stopping)?
    }

    /// `usage` for a thread without a runtime.
    pub fn usage_blocking(
        &self,
        plan_id: &str,
        key_id: Option<&str>,
        from_day: i32,
        to_day: i32,
        page: &UsagePage,
    ) -> Result<UsageListed, LedgerError> {
        let wanted = from_day..to_day.saturating_add(1);
        self.0.readers.with(|database| {
            let open = database.look()?;
            let listed = match key_id {
                Some(key_id) => one_key(database, plan_id, key_id, wanted)?,
                None => keys(database, plan_id, wanted, page)?,
            };
            open.commit()?;
            Ok(listed)
        })
    }
}

fn one_key(
    database: &Database,
    plan_id: &str,
    key_id: &str,
    wanted: Range<i32>,
) -> Result<UsageListed, Fault> {
    let days = days(database, plan_id, key_id, wanted)?;
    let used = (!days.is_empty()).then(|| KeyUsage {
        key_id: key_id.into(),
        days,
    });
    Ok(UsageListed {
        keys: used.into_iter().collect(),
        next: None,
    })
}

/// Steps from key to key over the primary key, so that a page costs what it shows, not what the plan holds.
fn keys(
    database: &Database,
    plan_id: &str,
    wanted: Range<i32>,
    page: &UsagePage,
) -> Result<UsageListed, Fault> {
    let mut listed = UsageListed::default();
    let mut last = page.position.clone().unwrap_or_default();
    while let Some(key_id) = key_after(database, plan_id, &last)? {
        let days = days(database, plan_id, &key_id, wanted.clone())?;
        last.clone_from(&key_id);
        if days.is_empty() {
            continue;
        }
        if listed.keys.len() == page.limit.max(1) {
            listed.next = listed.keys.last().map(|key| key.key_id.clone());
            break;
        }
        listed.keys.push(KeyUsage { key_id, days });
    }
    Ok(listed)
}

fn key_after(database: &Database, plan_id: &str, last: &str) -> Result<Option<String>, Fault> {
    let sql = "SELECT key_id FROM used WHERE plan_id = ?1 AND key_id > ?2 ORDER BY key_id LIMIT 1";
    database.one(sql, (plan_id, last), |row| Ok(row.text(0)?.to_owned()))
}

pub(super) fn days(
    database: &Database,
    plan_id: &str,
    key_id: &str,
    wanted: Range<i32>,
) -> Result<Vec<DayUsage>, Fault> {
    let sql = "SELECT day, used, remaining, written_off FROM used
               WHERE plan_id = ?1 AND key_id = ?2 AND day >= ?3 AND day < ?4 ORDER BY day";
    database.all(sql, (plan_id, key_id, wanted.start, wanted.end), |row| {
        Ok(DayUsage {
            day: row.day(0)?,
            used: row.count(1)?,
            remaining: row.integer_or_null(2)?.map(i64::unsigned_abs),
            written_off: row.count(3)?,
        })
    })
}
