//! What the writer knows of the configuration: whose counter a slot is, and which quota it is held to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tollgate_entity::{Extension, QuotaSettings};
use tollgate_limiter::Slot;
use tollgate_limiter::period::Day;
use tollgate_limiter::reserve::{self, Batch, Terms};
use tollgate_store::{AccountRow, LedgerBatch, UsedRow};

use crate::key_index::{KeyId, PlanIndex};
use crate::snapshot::PlanQuota;
use crate::working::CounterOf;

/// What changed in the configuration, as far as the writer must know.
#[derive(Default)]
pub struct Adoption {
    pub counters: Vec<(Slot, CounterOf)>,
    /// A plan's id and its quota; none without a quota or without the plan.
    pub plans: Vec<(PlanIndex, String, Option<QuotaSettings>)>,
    pub extensions: Vec<(PlanIndex, KeyId, Option<Extension>)>,
}

/// Owners by slot, plans by index, extensions by owner.
#[derive(Default)]
pub struct Book {
    owners: Vec<CounterOf>,
    plans: HashMap<PlanIndex, PlanTerms>,
    extensions: HashMap<CounterOf, Extension>,
    slots: HashMap<PlanIndex, Vec<Slot>>,
}

/// The owner of a slot that nobody has; in an `Option`, every owner would take a quarter more memory.
const NOBODY: CounterOf = CounterOf {
    plan: PlanIndex(u32::MAX),
    key: KeyId::NONE,
};

struct PlanTerms {
    id: Arc<str>,
    quota: Option<PlanQuota>,
}

impl Book {
    /// Takes a change in; gives the slots whose terms may have changed by it.
    pub fn take_in(&mut self, adoption: Adoption) -> Vec<Slot> {
        for (slot, owner) in adoption.counters {
            let at = slot.0 as usize;
            if self.owners.len() <= at {
                self.owners.resize(at + 1, NOBODY);
            }
            self.owners[at] = owner;
            self.slots.entry(owner.plan).or_default().push(slot);
        }
        let mut changed = Vec::new();
        for (index, id, quota) in adoption.plans {
            let quota = quota.as_ref().map(PlanQuota::new);
            let before = self.plans.insert(
                index,
                PlanTerms {
                    id: id.into(),
                    quota,
                },
            );
            if before.is_none_or(|before| before.quota != quota) {
                changed.extend(self.slots.get(&index).into_iter().flatten());
            }
        }
        let mut extended: BTreeMap<PlanIndex, HashSet<KeyId>> = BTreeMap::new();
        for (plan, key, extension) in adoption.extensions {
            let owner = CounterOf { plan, key };
            match extension {
                Some(extension) => drop(self.extensions.insert(owner, extension)),
                None => drop(self.extensions.remove(&owner)),
            }
            extended.entry(plan).or_default().insert(key);
        }
        for (plan, keys) in extended {
            let slots = self.slots.get(&plan).into_iter().flatten();
            changed.extend(slots.filter(|slot| {
                self.owner(**slot)
                    .is_some_and(|owner| keys.contains(&owner.key))
            }));
        }
        changed
    }

    pub fn knows_plans(&self) -> bool {
        !self.plans.is_empty()
    }

    fn owner(&self, slot: Slot) -> Option<CounterOf> {
        let owner = self.owners.get(slot.0 as usize).copied();
        owner.filter(|owner| *owner != NOBODY)
    }

    /// The quota that a counter is held to.
    pub fn quota(&self, slot: Slot) -> Option<&PlanQuota> {
        self.plans.get(&self.owner(slot)?.plan)?.quota.as_ref()
    }

    /// The quota with the extension of its window.
    pub fn terms(&self, slot: Slot) -> Option<Terms> {
        let owner = self.owner(slot)?;
        let PlanQuota {
            limit,
            period,
            offset,
        } = *self.quota(slot)?;
        let extension = self.extensions.get(&owner).and_then(|extension| {
            let window_start = Day(u16::try_from(extension.window_start_day).ok()?);
            Some(reserve::Extension {
                window_start,
                delta: extension.delta,
            })
        });
        Some(Terms {
            limit,
            period,
            offset,
            extension,
        })
    }

    /// The ids of the plan and the key that a counter is for.
    pub fn names(&self, slot: Slot) -> Option<(Arc<str>, Arc<str>)> {
        let owner = self.owner(slot)?;
        let plan = self.plans.get(&owner.plan)?;
        Some((Arc::clone(&plan.id), owner.key.as_str().into()))
    }

    /// The counters of these plans and keys, as far as there are any. Goes through all counters once.
    pub fn slots_of(&self, names: &[(String, String)]) -> Vec<Slot> {
        if names.is_empty() {
            return Vec::new();
        }
        let plans: HashMap<&str, PlanIndex> = self
            .plans
            .iter()
            .map(|(index, plan)| (&*plan.id, *index))
            .collect();
        let wanted: HashSet<CounterOf> = names
            .iter()
            .filter_map(|(plan, key)| {
                Some(CounterOf {
                    plan: *plans.get(plan.as_str())?,
                    key: KeyId::new(key)?,
                })
            })
            .collect();
        (0..)
            .map(Slot)
            .zip(&self.owners)
            .filter(|(_, owner)| wanted.contains(owner))
            .map(|(slot, _)| slot)
            .collect()
    }

    /// A batch as the ledger takes it.
    pub fn rows(&self, batch: &Batch) -> LedgerBatch {
        let accounts = batch.accounts.iter().filter_map(|row| {
            let (plan_id, key_id) = self.names(row.slot)?;
            Some(AccountRow {
                plan_id,
                key_id,
                window_start_day: i32::from(row.window_start.0),
                window_end_day: i32::from(row.window_end.0),
                reserved: row.reserved,
            })
        });
        let used = batch.used.iter().filter_map(|row| {
            let (plan_id, key_id) = self.names(row.slot)?;
            Some(UsedRow {
                plan_id,
                key_id,
                day: i32::from(row.day.0),
                used: row.used,
                remaining: row.remaining,
                written_off: row.written_off,
            })
        });
        LedgerBatch {
            accounts: accounts.collect(),
            used: used.collect(),
        }
    }
}
