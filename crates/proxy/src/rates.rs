//! Which rate is in force for each throttle: a new id whenever the settings change, so that a bucket
//! can tell an older rate from a newer one.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_entity::ThrottleSettings;
use tollgate_limiter::{Rate, RateId, RateTable, Ticks};

use crate::key_index::PlanIndex;

/// What a rate belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateOf {
    Account,
    Plan(PlanIndex),
    /// A method throttle of a plan, by its number.
    PlanMethod(u32),
    /// A method throttle of a stage, by its number.
    StageMethod(u32),
}

/// The rates in force; the table resolves their ids.
pub struct Rates {
    table: Arc<RateTable>,
    in_force: HashMap<RateOf, InForce>,
    /// When the edits that are being taken in come into force.
    at: Ticks,
    edited: bool,
}

#[derive(Clone, Copy)]
struct InForce {
    settings: ThrottleSettings,
    id: Option<RateId>,
    /// The newest id there ever was, also while there is no limit.
    newest: Option<RateId>,
}

impl Rates {
    pub fn new(table: Arc<RateTable>) -> Self {
        Rates {
            table,
            in_force: HashMap::new(),
            at: Ticks(0),
            edited: false,
        }
    }

    /// Edits from now on come into force at this moment, which must not have come yet.
    pub fn begin(&mut self, at: Ticks) {
        self.at = at;
        self.edited = false;
    }

    /// The moment at which edits made since [`Rates::begin`] come into force, if there were any.
    pub fn in_force_at(&self) -> Option<Ticks> {
        self.edited.then_some(self.at)
    }

    /// The id for these settings, new if they differ from those before; none when they do not limit.
    pub fn id(&mut self, of: RateOf, settings: &ThrottleSettings) -> Option<RateId> {
        let before = self.in_force.get(&of).copied();
        if let Some(before) = before
            && before.settings == *settings
        {
            return before.id;
        }
        let newest = before.and_then(|before| before.newest);
        self.edited = true;
        let id = rate(settings, of).map(|rate| self.table.edit(newest, rate, self.at));
        let now = InForce {
            settings: *settings,
            id,
            newest: id.or(newest),
        };
        self.in_force.insert(of, now);
        id
    }
}

fn rate(settings: &ThrottleSettings, of: RateOf) -> Option<Rate> {
    let burst = settings
        .burst_limit
        .map(|burst| u64::try_from(burst).unwrap_or(0));
    Rate::new(settings.rate_limit, burst).unwrap_or_else(|error| {
        // The control plane refuses such settings; closed is the safe reading of a stray one.
        tracing::error!(%error, ?of, "a throttle cannot be read and admits nothing");
        Some(Rate::NOTHING)
    })
}
