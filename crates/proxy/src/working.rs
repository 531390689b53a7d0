//! The builder's own copy of the configuration: takes rows of the store, gives out snapshots.
//!
//! Numbers (plans, stages, method throttles, slots) are given once and never to anything else, so
//! that a counter can never be mistaken for another's while an old snapshot is still in use.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::HeaderValue;
use smallvec::SmallVec;
use tollgate_entity::{RestApi, Stage as StageRow, ThrottleSettings, UsagePlan};
use tollgate_limiter::{Counters, RateTable, Slot, Start, Throttle, Ticks};

use crate::access_log::{StageLogs, fixed_members};
use crate::deployed::Deployed;
use crate::domain::{DomainRow, Domains};
use crate::key_index::{Digest, KeyEntry, KeyId, Membership, PlanIndex};
use crate::metrics::Metrics;
use crate::net::identity::Shown;
use crate::rates::{RateOf, Rates};
use crate::snapshot::{
    Api, MethodThrottle, Plan, PlanQuota, PlanStage, PlanThrottle, SharedThrottle, Snapshot, Stage,
    StageIndex, StageThrottles, VerbMatch,
};

/// An API with its stages and the deployments they point at.
pub type ApiRows = (RestApi, Vec<(StageRow, Arc<Deployed>)>);

/// The ids of a key's plans, which share their text; nearly every key is in one.
pub type PlanIds = SmallVec<[Arc<str>; 1]>;

/// A key as the store lists it.
pub struct KeyRow {
    pub digest: Digest,
    pub id: KeyId,
    pub enabled: bool,
    pub plan_ids: PlanIds,
}

/// Whose counter a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CounterOf {
    pub plan: PlanIndex,
    pub key: KeyId,
}

pub struct Working {
    pub snapshot: Snapshot,
    /// The account that calls are told of: twelve digits.
    pub account_id: Arc<str>,
    /// Where stages' own access logs go; none keeps none.
    pub stage_logs: Option<Arc<StageLogs>>,
    counters: Arc<Counters>,
    metrics: Arc<Metrics>,
    /// How full a bucket is when it is made.
    start: Start,
    rates: Rates,
    plans: HashMap<Box<str>, PlanIndex>,
    stages: HashMap<(Box<str>, Box<str>), StageIndex>,
    plan_methods: HashMap<(PlanIndex, StageIndex, Box<str>), u32>,
    stage_methods: HashMap<(StageIndex, Box<str>), (u32, Arc<Throttle>)>,
    /// Counters of keys that are not in the plan now; they keep what was used.
    detached: HashMap<CounterOf, Slot>,
    /// By their ids.
    client_certificates: HashMap<String, Shown>,
    /// Counters made since the writer last heard of them.
    pub new_counters: Vec<(Slot, CounterOf)>,
}

impl Working {
    pub fn new(
        counters: Arc<Counters>,
        rates: Arc<RateTable>,
        metrics: Arc<Metrics>,
        start: Start,
        account: Option<ThrottleSettings>,
    ) -> Self {
        let mut working = Working {
            snapshot: Snapshot::default(),
            account_id: "000000000000".into(),
            stage_logs: None,
            counters,
            metrics,
            start,
            rates: Rates::new(rates),
            plans: HashMap::new(),
            stages: HashMap::new(),
            plan_methods: HashMap::new(),
            stage_methods: HashMap::new(),
            detached: HashMap::new(),
            client_certificates: HashMap::new(),
            new_counters: Vec::new(),
        };
        working.snapshot.account = account.and_then(|settings| {
            let rate = working.rates.id(RateOf::Account, &settings)?;
            Some(SharedThrottle {
                cell: Arc::new(Throttle::new(start)),
                rate,
            })
        });
        working
    }

    /// Everything from now on was made while serving: new buckets begin full, edited rates are in
    /// force from `at`, a moment that has not come yet. What was deleted before is no longer counted.
    pub fn begin_change(&mut self, at: Ticks) {
        self.metrics.forget_deleted();
        self.start = Start::Full;
        self.rates.begin(at);
    }

    /// When the rates that were edited since come into force.
    pub fn rates_in_force_at(&self) -> Option<Ticks> {
        self.rates.in_force_at()
    }

    /// A snapshot of everything set so far; cheap, for its parts are shared.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Sets an API with its stages and the deployments they point at, or removes it.
    pub fn set_api(&mut self, id: &str, api: Option<ApiRows>) {
        let Some((_, rows)) = api else {
            self.snapshot.apis.remove(id);
            return;
        };
        let mut stages = foldhash::HashMap::default();
        for (row, deployed) in rows {
            let stage = self.stage(id, row, deployed);
            stages.insert(stage.name.clone(), Arc::new(stage));
        }
        self.snapshot
            .apis
            .insert(id.into(), Arc::new(Api { stages }));
    }

    /// Sets a client certificate, or removes it; before the stages that show it.
    pub fn set_client_certificate(&mut self, id: String, shown: Option<Shown>) {
        match shown {
            Some(shown) => drop(self.client_certificates.insert(id, shown)),
            None => drop(self.client_certificates.remove(&id)),
        }
    }

    /// What a stage shows to upstreams; nothing less than the certificate it names.
    fn shown(&self, row: &StageRow) -> Shown {
        let id = row.client_certificate_id.as_deref();
        id.filter(|id| !id.is_empty()).map_or(Shown::Nothing, |id| {
            let known = self.client_certificates.get(id);
            known.cloned().unwrap_or(Shown::Unusable)
        })
    }

    /// Sets all custom domain names.
    pub fn set_domains(&mut self, rows: Vec<DomainRow>) {
        self.snapshot.domains = Arc::new(Domains::new(rows));
    }

    fn stage(&mut self, api_id: &str, row: StageRow, deployed: Arc<Deployed>) -> Stage {
        let index = self.stage_index(api_id, &row.stage_name);
        let throttles = self.stage_throttles(index, &row, &deployed);
        let access_log = row.access_log_settings.as_ref().and_then(|settings| {
            let logs = self.stage_logs.as_ref()?;
            StageLogs::open(logs, settings)
        });
        Stage {
            index,
            account_id: Arc::clone(&self.account_id),
            shown: self.shown(&row),
            api_id: api_id.into(),
            name: row.stage_name.as_str().into(),
            deployment_id: row.deployment_id.into(),
            variables: row.variables.unwrap_or_default(),
            deployed,
            throttles,
            stats: self.metrics.stage(api_id, &row.stage_name),
            log_members: fixed_members([("apiId", api_id), ("stage", &row.stage_name)]),
            access_log,
            api_id_header: HeaderValue::from_str(api_id).ok(),
        }
    }

    fn stage_index(&mut self, api_id: &str, stage: &str) -> StageIndex {
        let next = StageIndex(self.stages.len() as u32);
        *self
            .stages
            .entry((api_id.into(), stage.into()))
            .or_insert(next)
    }

    fn stage_throttles(
        &mut self,
        stage: StageIndex,
        row: &StageRow,
        deployed: &Deployed,
    ) -> Vec<StageThrottles> {
        let settings: Vec<StageSetting> = row
            .method_settings
            .iter()
            .filter_map(StageSetting::read)
            .collect();
        if settings.is_empty() {
            return Vec::new();
        }
        deployed
            .methods
            .iter()
            .map(|method| {
                let mut matching: Vec<(u8, VerbMatch, &StageSetting)> = settings
                    .iter()
                    .filter_map(|s| {
                        s.matches(&method.resource_path, &method.http_method)
                            .map(|(rank, verb)| (rank, verb, s))
                    })
                    .collect();
                matching.sort_by_key(|(rank, _, _)| *rank);
                matching
                    .into_iter()
                    .map(|(_, only, setting)| {
                        let verb = match &only {
                            VerbMatch::All => &method.http_method,
                            VerbMatch::Only(verb) => verb,
                        };
                        let name = format!("{} {verb}", method.resource_path);
                        let throttle = self.stage_throttle(stage, name.into(), &setting.throttle);
                        (only, throttle)
                    })
                    .collect()
            })
            .collect()
    }

    fn stage_throttle(
        &mut self,
        stage: StageIndex,
        name: Box<str>,
        settings: &ThrottleSettings,
    ) -> Option<SharedThrottle> {
        let next = self.stage_methods.len() as u32;
        let start = self.start;
        let (number, cell) = self
            .stage_methods
            .entry((stage, name))
            .or_insert_with(|| (next, Arc::new(Throttle::new(start))));
        let cell = Arc::clone(cell);
        let rate = self.rates.id(RateOf::StageMethod(*number), settings)?;
        Some(SharedThrottle { cell, rate })
    }

    /// The index of a plan, made on first sight.
    pub fn plan_index(&mut self, plan_id: &str) -> PlanIndex {
        if let Some(index) = self.plans.get(plan_id) {
            return *index;
        }
        let index = PlanIndex(self.snapshot.plans.len() as u32);
        self.plans.insert(plan_id.into(), index);
        self.snapshot.plans.push(None);
        index
    }

    /// Sets a plan, or removes it.
    pub fn set_plan(&mut self, id: &str, plan: Option<&UsagePlan>) -> PlanIndex {
        let index = self.plan_index(id);
        let compiled = plan.map(|plan| Arc::new(self.plan(index, plan)));
        self.snapshot.plans[index.0 as usize] = compiled;
        index
    }

    fn plan(&mut self, index: PlanIndex, plan: &UsagePlan) -> Plan {
        let throttle = plan.throttle.and_then(|settings| {
            let rate = self.rates.id(RateOf::Plan(index), &settings)?;
            Some(PlanThrottle::new(rate, &settings))
        });
        let stages = plan
            .api_stages
            .iter()
            .map(|covered| {
                let stage = self.stage_index(&covered.api_id, &covered.stage);
                PlanStage {
                    stage,
                    methods: self.method_throttles(index, stage, &covered.throttle),
                }
            })
            .collect();
        Plan {
            index,
            id: plan.id.as_str().into(),
            throttle,
            quota: plan.quota.as_ref().map(PlanQuota::new),
            stages,
        }
    }

    fn method_throttles(
        &mut self,
        plan: PlanIndex,
        stage: StageIndex,
        throttles: &BTreeMap<String, ThrottleSettings>,
    ) -> Vec<MethodThrottle> {
        throttles
            .iter()
            .filter_map(|(name, settings)| {
                let (path, verb) = tollgate_entity::usage_plan::split_method(name)?;
                let next = self.plan_methods.len() as u32;
                let number = *self
                    .plan_methods
                    .entry((plan, stage, name.as_str().into()))
                    .or_insert(next);
                let rate = self.rates.id(RateOf::PlanMethod(number), settings)?;
                Some(MethodThrottle {
                    number,
                    resource_path: path.into(),
                    verb: verb.into(),
                    rate,
                })
            })
            .collect()
    }

    /// Sets many keys at once and removes others by id; counters of plans that a key left are kept.
    pub fn set_keys(&mut self, rows: Vec<KeyRow>, gone: &std::collections::HashSet<KeyId>) {
        let mut changes: Vec<(Digest, Option<KeyEntry>)> =
            Vec::with_capacity(rows.len() + gone.len());
        // Before those that are set: a new key may have the value of one that is gone.
        if !gone.is_empty() {
            let digests = self
                .snapshot
                .keys
                .iter()
                .filter(|(_, entry)| gone.contains(&entry.id));
            changes.extend(digests.map(|(digest, _)| (*digest, None)));
        }
        for row in rows {
            let before: Vec<Membership> = self
                .snapshot
                .keys
                .get(&row.digest)
                .filter(|entry| entry.id == row.id)
                .map(|entry| entry.plans.to_vec())
                .unwrap_or_default();
            let plans: Vec<PlanIndex> = row.plan_ids.iter().map(|id| self.plan_index(id)).collect();
            for left in before.iter().filter(|m| !plans.contains(&m.plan)) {
                self.detached.insert(
                    CounterOf {
                        plan: left.plan,
                        key: row.id,
                    },
                    left.slot,
                );
            }
            let memberships = plans.into_iter().filter_map(|plan| {
                let kept = before.iter().find(|m| m.plan == plan).map(|m| m.slot);
                let slot = kept.or_else(|| self.slot(CounterOf { plan, key: row.id }))?;
                Some(Membership { plan, slot })
            });
            let plans = memberships.collect();
            changes.push((
                row.digest,
                Some(KeyEntry {
                    id: row.id,
                    enabled: row.enabled,
                    plans,
                }),
            ));
        }
        self.snapshot.keys.change(changes);
    }

    /// The counter's slot; none when four billion are taken, and then the key cannot be used in the plan.
    fn slot(&mut self, of: CounterOf) -> Option<Slot> {
        if let Some(slot) = self.detached.remove(&of) {
            return Some(slot);
        }
        let slot = self.counters.allocate(self.start)?;
        self.new_counters.push((slot, of));
        Some(slot)
    }
}

/// One entry of a stage's method settings, if it says anything of throttling.
struct StageSetting {
    /// None for `*`.
    path: Option<String>,
    verb: Option<String>,
    throttle: ThrottleSettings,
}

impl StageSetting {
    /// Reads `*/*`, `pets/GET`, `~1pets~1{id}/GET`. Slashes that were not escaped are read as part of
    /// the path: AWS shows such a setting and ignores it, and a limit that is ignored protects nobody.
    fn read((name, setting): (&String, &tollgate_entity::MethodSetting)) -> Option<StageSetting> {
        if setting.throttling_rate_limit.is_none() && setting.throttling_burst_limit.is_none() {
            return None;
        }
        // -1 is no limit, as an absent member is.
        let throttle = ThrottleSettings {
            rate_limit: setting.throttling_rate_limit.filter(|rate| *rate >= 0.0),
            burst_limit: setting.throttling_burst_limit.filter(|burst| *burst >= 0),
        };
        let (path, verb) = name.rsplit_once('/')?;
        let path = path.replace("~1", "/").replace("~0", "~");
        let path = (path != "*").then(|| format!("/{}", path.trim_start_matches('/')));
        let verb = (verb != "*").then(|| verb.to_owned());
        Some(StageSetting {
            path,
            verb,
            throttle,
        })
    }

    /// How specific the setting is for a method (lower is more), and for which of its calls it is.
    fn matches(&self, path: &str, method: &str) -> Option<(u8, VerbMatch)> {
        if self.path.as_ref().is_some_and(|own| own != path) {
            return None;
        }
        let only = match &self.verb {
            Some(verb) if verb == method => VerbMatch::All,
            Some(verb) if method == "ANY" => VerbMatch::Only(verb.as_str().into()),
            Some(_) => return None,
            None => VerbMatch::All,
        };
        let rank = match (&self.path, &self.verb, &only) {
            (Some(_), Some(_), VerbMatch::Only(_)) => 0,
            (Some(_), Some(_), VerbMatch::All) => 1,
            (Some(_), None, _) => 2,
            (None, Some(_), _) => 3,
            (None, None, _) => 4,
        };
        Some((rank, only))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    use tollgate_entity::{ApiStage, DeploymentContent, Method, MethodSetting, Resource};

    fn working() -> Working {
        let (counters, rates) = (Arc::new(Counters::new()), Arc::new(RateTable::new()));
        Working::new(
            counters,
            rates,
            Arc::new(Metrics::new(1)),
            Start::Full,
            None,
        )
    }

    fn row(id: &str, digest: u8, plans: &[&str]) -> KeyRow {
        let plan_ids = plans.iter().map(|plan| Arc::from(*plan)).collect();
        KeyRow {
            digest: [digest; 16],
            id: KeyId::new(id).unwrap(),
            enabled: true,
            plan_ids,
        }
    }

    fn slots(working: &Working, digest: u8) -> Vec<Slot> {
        let entry = working.snapshot.keys.get(&[digest; 16]).unwrap();
        entry.plans.iter().map(|m| m.slot).collect()
    }

    #[test]
    fn a_key_keeps_its_counter_when_it_leaves_a_plan_and_comes_back() {
        let mut working = working();
        let none = HashSet::new();
        working.set_keys(vec![row("key0000001", 1, &["a", "b"])], &none);
        let before = slots(&working, 1);
        working.set_keys(vec![row("key0000001", 1, &["b"])], &none);
        assert_eq!(slots(&working, 1), before[1..]);
        working.set_keys(vec![row("key0000001", 1, &["a", "b"])], &none);
        assert_eq!(slots(&working, 1), before);
        assert_eq!(working.new_counters.len(), 2);
    }

    #[test]
    fn a_deleted_key_is_gone_from_the_next_snapshot_and_not_from_the_last() {
        let mut working = working();
        working.set_keys(
            vec![row("key0000001", 1, &["a"]), row("key0000002", 2, &[])],
            &HashSet::new(),
        );
        let before = working.snapshot();
        working.set_keys(vec![], &HashSet::from([KeyId::new("key0000001").unwrap()]));
        assert!(working.snapshot().keys.get(&[1; 16]).is_none());
        assert!(working.snapshot().keys.get(&[2; 16]).is_some());
        assert!(before.keys.get(&[1; 16]).is_some());
    }

    #[test]
    fn a_new_key_with_the_value_of_one_just_deleted_stays_and_has_its_own_counter() {
        let mut working = working();
        working.set_keys(vec![row("key0000001", 1, &["a"])], &HashSet::new());
        let before = slots(&working, 1);
        let gone = HashSet::from([KeyId::new("key0000001").unwrap()]);
        working.set_keys(vec![row("key0000002", 1, &["a"])], &gone);
        let key = working.snapshot.keys.get(&[1; 16]).unwrap();
        assert_eq!(key.id.as_str(), "key0000002");
        assert_ne!(slots(&working, 1), before);
    }

    fn deployed(methods: &[(&str, &str)]) -> Arc<Deployed> {
        let resource = |(path, verb): &(&str, &str)| {
            let method = Method {
                http_method: verb.to_string(),
                ..Method::default()
            };
            let resource_methods = [(verb.to_string(), method)].into();
            Resource {
                path: path.to_string(),
                resource_methods,
                ..Resource::default()
            }
        };
        let resources = methods.iter().map(resource).collect();
        Arc::new(Deployed::compile(&DeploymentContent {
            resources,
            ..DeploymentContent::default()
        }))
    }

    fn stage_row(settings: &[(&str, f64, i32)]) -> StageRow {
        let setting = |(name, rate, burst): &(&str, f64, i32)| {
            let setting = MethodSetting {
                throttling_rate_limit: Some(*rate),
                throttling_burst_limit: Some(*burst),
                ..MethodSetting::default()
            };
            (name.to_string(), setting)
        };
        let method_settings = settings.iter().map(setting).collect();
        StageRow {
            stage_name: "prod".into(),
            method_settings,
            ..StageRow::default()
        }
    }

    fn with_stage(working: &mut Working, row: StageRow, deployed: &Arc<Deployed>) -> Arc<Stage> {
        working.set_api(
            "api",
            Some((RestApi::default(), vec![(row, Arc::clone(deployed))])),
        );
        Arc::clone(&working.snapshot.api("api").unwrap().stages["prod"])
    }

    #[test]
    fn the_most_specific_method_setting_throttles_and_every_method_has_its_own_bucket() {
        let mut working = working();
        let deployed = deployed(&[("/pets", "GET"), ("/pets/{id}", "GET"), ("/any", "ANY")]);
        let row = stage_row(&[
            ("*/*", 10.0, 10),
            ("pets/GET", 2.0, 2),
            ("~1pets~1{id}/GET", -1.0, -1),
            ("any/POST", 1.0, 1),
        ]);
        let stage = with_stage(&mut working, row, &deployed);
        let rate = |method, verb| stage.throttle(method, verb).map(|t| t.rate);
        assert_ne!(
            rate(0, "GET"),
            rate(1, "GET"),
            "pets/GET has a setting of its own"
        );
        assert!(rate(1, "GET").is_none(), "-1 is no limit, and hides */*");
        assert_ne!(
            rate(2, "POST"),
            rate(2, "GET"),
            "ANY is throttled by the verb's own setting first"
        );
        let cell = |method| Arc::as_ptr(&stage.throttle(method, "GET").unwrap().cell);
        assert_ne!(cell(0), cell(2));
    }

    #[test]
    fn a_stages_buckets_and_rates_outlive_a_deployment() {
        let mut working = working();
        let first = with_stage(
            &mut working,
            stage_row(&[("*/*", 5.0, 5)]),
            &deployed(&[("/a", "GET"), ("/b", "GET")]),
        );
        let second = with_stage(
            &mut working,
            stage_row(&[("*/*", 5.0, 5)]),
            &deployed(&[("/b", "GET")]),
        );
        let (before, after) = (
            first.throttle(1, "GET").unwrap(),
            second.throttle(0, "GET").unwrap(),
        );
        assert!(Arc::ptr_eq(&before.cell, &after.cell));
        assert_eq!(before.rate, after.rate);
        let edited = with_stage(
            &mut working,
            stage_row(&[("*/*", 6.0, 5)]),
            &deployed(&[("/b", "GET")]),
        );
        let edited = edited.throttle(0, "GET").unwrap();
        assert!(Arc::ptr_eq(&before.cell, &edited.cell) && edited.rate > before.rate);
    }

    #[test]
    fn a_plans_method_throttle_is_found_by_verb_then_any_then_star() {
        let mut working = working();
        let throttle = |rate| ThrottleSettings {
            rate_limit: Some(rate),
            burst_limit: Some(1),
        };
        let throttles = [("/pets/GET", 1.0), ("/pets/ANY", 2.0), ("/pets/*", 3.0)];
        let covered = ApiStage {
            api_id: "api".into(),
            stage: "prod".into(),
            throttle: throttles
                .map(|(name, rate)| (name.to_owned(), throttle(rate)))
                .into(),
        };
        let plan = UsagePlan {
            id: "p".into(),
            api_stages: vec![covered],
            ..UsagePlan::default()
        };
        working.set_plan("p", Some(&plan));
        let snapshot = working.snapshot();
        let plan = snapshot.plans[0].as_ref().unwrap();
        let verb = |method, verb| {
            plan.stages[0]
                .method("/pets", method, verb)
                .map(|t| &*t.verb)
        };
        assert_eq!(verb("GET", "GET"), Some("GET"));
        assert_eq!(verb("ANY", "GET"), Some("GET"));
        assert_eq!(verb("ANY", "PUT"), Some("ANY"));
        assert_eq!(verb("PUT", "PUT"), Some("*"));
        assert!(plan.stages[0].method("/dogs", "GET", "GET").is_none());
    }
}
