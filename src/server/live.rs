//! How busy the data plane was, second by second, for `/tollgate/live`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tollgate_control::native::data_plane::{Live, LiveKey, LiveSecond};
use tollgate_entity::Timestamp;
use tollgate_proxy::{DataPlaneFigures, Totals};

/// Seconds that are remembered.
const SECONDS_MAX: usize = 300;
/// Seconds that the list of the busiest keys looks back.
const TOP_KEYS_S: i64 = 60;
/// Keys in the list of the busiest.
const TOP_KEYS_MAX: usize = 10;

/// The last minutes. Cheap to clone.
#[derive(Clone)]
pub struct LiveBook {
    figures: DataPlaneFigures,
    seconds: Arc<Mutex<VecDeque<LiveSecond>>>,
}

impl LiveBook {
    pub fn new(figures: DataPlaneFigures) -> LiveBook {
        LiveBook {
            figures,
            seconds: Arc::default(),
        }
    }

    /// Looks at the data plane's totals every second; runs as long as the control plane.
    pub async fn keep(self, now: fn() -> Timestamp) {
        let mut before = self.figures.totals();
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let totals = self.figures.totals();
            let mut seconds = self.seconds();
            if seconds.len() == SECONDS_MAX {
                seconds.pop_front();
            }
            seconds.push_back(between(&before, &totals, now()));
            before = totals;
        }
    }

    /// What `/tollgate/live` tells.
    pub fn live(&self, now: Timestamp) -> Live {
        let totals = self.figures.totals();
        let since = now.0 - TOP_KEYS_S;
        let (busy, oldest) = self
            .figures
            .busy_keys(u64::try_from(since).unwrap_or_default());
        let top_keys_calls = busy.values().map(|key| key.calls).sum();
        let mut top_keys: Vec<LiveKey> = busy
            .into_iter()
            .map(|(id, busy)| LiveKey {
                api_key_id: id.as_str().to_owned(),
                calls: busy.calls,
                limited: busy.limited,
            })
            .collect();
        top_keys.sort_by(|a, b| (b.calls, &a.api_key_id).cmp(&(a.calls, &b.api_key_id)));
        top_keys.truncate(TOP_KEYS_MAX);
        let over_s = oldest.map_or(0, |oldest| {
            now.0 - i64::try_from(oldest).unwrap_or(now.0) + 1
        });
        Live {
            at: now,
            seconds: self.seconds().iter().copied().collect(),
            refusals: self.figures.refusals().collect(),
            top_keys,
            top_keys_calls,
            top_keys_s: u64::try_from(over_s).unwrap_or_default(),
            connections: totals.connections,
            calls: totals.answered
                + totals.failed
                + totals.forbidden
                + totals.limited
                + totals.refused,
        }
    }

    fn seconds(&self) -> MutexGuard<'_, VecDeque<LiveSecond>> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came between two looks. The calls of a stage that was deleted in between are lost.
fn between(before: &Totals, after: &Totals, at: Timestamp) -> LiveSecond {
    LiveSecond {
        at,
        answered: after.answered.saturating_sub(before.answered),
        failed: after.failed.saturating_sub(before.failed),
        forbidden: after.forbidden.saturating_sub(before.forbidden),
        limited: after.limited.saturating_sub(before.limited),
        refused: after.refused.saturating_sub(before.refused),
    }
}
