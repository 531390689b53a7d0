//! Gives away what is left of the quota windows that are open, when nobody knows what was used of them.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_entity::usage::Window;
use tollgate_entity::{QuotaSettings, UsagePlan};

use crate::{AccountRow, LedgerBatch, LedgerError, LedgerWriter, Store, StoreError};

/// Rows written at a time.
const BATCH_ROWS: usize = 1000;

/// Why windows are not closed.
#[derive(Debug, thiserror::Error)]
pub enum NotClosed {
    #[error("the plans and keys cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("the open windows cannot be closed: {0}")]
    Ledger(#[from] LedgerError),
}

/// A window that is open, and what it is worth.
#[derive(Clone, Copy)]
struct Open {
    window: Window,
    limit: u64,
}

fn open_window(quota: &QuotaSettings, day: i32) -> Option<Open> {
    Some(Open {
        window: quota.window_of(day)?,
        limit: u64::try_from(quota.limit?).ok()?,
    })
}

/// Gives away whatever is left of the windows that are open, for every key of every plan with a
/// quota and for every key that ever was in one.
pub(crate) fn close_windows(
    store: &Store,
    writer: &mut LedgerWriter,
    now_ms: i64,
) -> Result<u64, NotClosed> {
    const DAY_MS: i64 = 86_400_000;
    let today = i32::try_from(now_ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX);
    let mut quotas: HashMap<Arc<str>, Open> = HashMap::new();
    let mut limits: HashMap<(Arc<str>, String), u64> = HashMap::new();
    store.read_blocking::<_, StoreError>(|reader| {
        for plan in reader.list::<UsagePlan>("")? {
            let open = plan
                .quota
                .as_ref()
                .and_then(|quota| open_window(quota, today));
            quotas.extend(open.map(|open| (plan.id.as_str().into(), open)));
        }
        reader.for_each_plan_key(|plan, key| {
            if let Some((plan, open)) = quotas.get_key_value(plan) {
                limits.insert((plan.clone(), key.to_owned()), open.limit);
            }
        })?;
        reader.for_each_extension(|extension| {
            if let Some((plan, open)) = quotas.get_key_value(extension.plan_id.as_str())
                && i32::from(open.window.start.0) == extension.window_start_day
            {
                let limit = open.limit.saturating_add_signed(extension.delta);
                limits.insert((plan.clone(), extension.key_id), limit);
            }
        })
    })?;
    // An account may hold more than the limit of now, and a key may have left its plan: the higher figure stays.
    let mut rows: HashMap<(Arc<str>, String), AccountRow> = HashMap::new();
    writer.accounts(|row| {
        if let Some((plan, open)) = quotas.get_key_value(&row.plan_id) {
            limits
                .entry((plan.clone(), row.key_id.to_string()))
                .or_insert(open.limit);
        }
        rows.insert((row.plan_id.clone(), row.key_id.to_string()), row);
    })?;
    let (mut batch, mut closed) = (LedgerBatch::default(), 0);
    for ((plan, key), limit) in limits {
        let window = quotas[&plan].window;
        let (start, end) = (i32::from(window.start.0), i32::from(window.end.0));
        let before = rows.get(&(plan.clone(), key.clone()));
        let reserved = match before {
            Some(row) if row.window_start_day > start => continue, // it is in a later window already
            Some(row) if row.window_start_day == start => row.reserved.max(limit),
            _ => limit,
        };
        batch.accounts.push(AccountRow {
            plan_id: plan,
            key_id: key.as_str().into(),
            window_start_day: start,
            window_end_day: end,
            reserved,
        });
        closed += 1;
        if batch.accounts.len() >= BATCH_ROWS {
            writer.write(&std::mem::take(&mut batch))?;
        }
    }
    if !batch.is_empty() {
        writer.write(&batch)?;
    }
    Ok(closed)
}
