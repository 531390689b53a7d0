//! The configuration of a run, its history, and the rows the product reads of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_entity as entity;
use tollgate_proxy::simulation::{ApiRows, Deployed, KeyId, KeyRow, Rows};
use tollgate_store::Digester;

use crate::calendar::{self, Window};
use crate::random::Random;

/// A plan and a key, by number.
pub type Pair = (u8, u8);

/// Requests a thousand seconds, and a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    pub per_1000_s: u64,
    pub burst: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    Week,
    Month,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub limit: u64,
    pub period: Period,
    pub offset: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub exists: bool,
    /// Whether it covers the stage.
    pub covers: bool,
    pub throttle: Option<Throttle>,
    /// For GET on /a.
    pub method: Option<Throttle>,
    pub quota: Option<Quota>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub exists: bool,
    pub enabled: bool,
    /// In the order in which it was added to them.
    pub plans: Vec<u8>,
}

/// One version.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub plans: Vec<Plan>,
    pub keys: Vec<Key>,
    /// First day of the window, and the difference.
    pub extensions: BTreeMap<Pair, (i64, i64)>,
    /// The stage's setting for every method.
    pub stage: Option<Throttle>,
}

/// What differs between two versions, as the store's feed names it.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    pub api: bool,
    pub plans: Vec<u8>,
    pub keys: Vec<u8>,
    pub extensions: Vec<Pair>,
}

/// All versions; those from `acked` on may be what a request is decided by.
pub struct History {
    pub versions: Vec<Arc<Config>>,
    pub acked: usize,
}

pub const PATHS: [&str; 3] = ["/api0/prod/a", "/api0/prod/b", "/api0/prod/open"];
/// The path that needs no key.
pub const OPEN: usize = 2;

impl Config {
    /// The plan that a key's calls are held to.
    pub fn plan_of(&self, key: u8) -> Option<u8> {
        let known = self
            .keys
            .get(usize::from(key))
            .filter(|key| key.exists && key.enabled)?;
        known.plans.iter().copied().find(|plan| {
            let plan = &self.plans[usize::from(*plan)];
            plan.exists && plan.covers
        })
    }

    pub fn quota(&self, plan: u8) -> Option<Quota> {
        let plan = &self.plans[usize::from(plan)];
        plan.quota.filter(|_| plan.exists)
    }

    /// The limit in a window with its extension; none when the plan's quota has no such window.
    pub fn limit_in(&self, pair: Pair, window: Window) -> Option<u64> {
        let quota = self.quota(pair.0)?;
        if calendar::window(&quota, window.0) != window {
            return None;
        }
        let delta = match self.extensions.get(&pair) {
            Some((start, delta)) if *start == window.0 => *delta,
            _ => 0,
        };
        Some(quota.limit.saturating_add_signed(delta))
    }

    pub fn throttle(&self, plan: u8) -> Option<Throttle> {
        let plan = &self.plans[usize::from(plan)];
        plan.throttle.filter(|_| plan.exists && plan.covers)
    }

    pub fn method(&self, plan: u8) -> Option<Throttle> {
        let plan = &self.plans[usize::from(plan)];
        plan.method.filter(|_| plan.exists && plan.covers)
    }

    pub fn touched(&self, before: &Config) -> Touched {
        let differs = |count: usize, is: &dyn Fn(usize) -> bool| {
            (0..count).filter(|at| is(*at)).map(|at| at as u8).collect()
        };
        let mut extensions: Vec<Pair> = self.extensions.keys().copied().collect();
        extensions.retain(|pair| self.extensions.get(pair) != before.extensions.get(pair));
        Touched {
            api: self.stage != before.stage,
            plans: differs(self.plans.len(), &|at| self.plans[at] != before.plans[at]),
            keys: differs(self.keys.len(), &|at| self.keys[at] != before.keys[at]),
            extensions,
        }
    }

    /// The rows of what was touched, as they stand in this version.
    pub fn rows(&self, touched: &Touched, digester: &Digester) -> Rows {
        let mut rows = Rows::default();
        if touched.api {
            rows.apis.push(("api0".into(), Some(self.api_rows())));
        }
        for plan in &touched.plans {
            rows.plans.push((plan_id(*plan), self.plan_row(*plan)));
        }
        for (pair, (start, delta)) in &self.extensions {
            if touched.extensions.contains(pair) {
                let extension = entity::Extension {
                    plan_id: plan_id(pair.0),
                    key_id: key_id(pair.1),
                    window_start_day: *start as i32,
                    delta: *delta,
                };
                rows.extensions
                    .push((plan_id(pair.0), key_id(pair.1), Some(extension)));
            }
        }
        for key in &touched.keys {
            let Some(id) = KeyId::new(&key_id(*key)) else {
                continue;
            };
            let state = &self.keys[usize::from(*key)];
            if !state.exists {
                rows.keys_gone.insert(id);
                continue;
            }
            rows.keys.push(KeyRow {
                digest: digester.digest(key_value(*key)),
                id,
                enabled: state.enabled,
                plan_ids: state
                    .plans
                    .iter()
                    .map(|plan| plan_id(*plan).into())
                    .collect(),
            });
        }
        rows
    }

    /// Everything, as it is read at a start.
    pub fn all(&self) -> Touched {
        Touched {
            api: true,
            plans: (0..self.plans.len() as u8)
                .filter(|plan| self.plans[usize::from(*plan)].exists)
                .collect(),
            keys: (0..self.keys.len() as u8)
                .filter(|key| self.keys[usize::from(*key)].exists)
                .collect(),
            extensions: self.extensions.keys().copied().collect(),
        }
    }

    fn plan_row(&self, plan: u8) -> Option<entity::UsagePlan> {
        let state = &self.plans[usize::from(plan)];
        if !state.exists {
            return None;
        }
        let stage = entity::ApiStage {
            api_id: "api0".into(),
            stage: "prod".into(),
            throttle: state
                .method
                .map(|throttle| ("/a/GET".to_owned(), settings(throttle)))
                .into_iter()
                .collect(),
        };
        let quota = state.quota.map(|quota| entity::QuotaSettings {
            limit: i32::try_from(quota.limit).ok(),
            offset: i32::from(quota.offset),
            period: Some(match quota.period {
                Period::Day => entity::QuotaPeriod::Day,
                Period::Week => entity::QuotaPeriod::Week,
                Period::Month => entity::QuotaPeriod::Month,
            }),
        });
        Some(entity::UsagePlan {
            id: plan_id(plan),
            name: plan_id(plan),
            api_stages: if state.covers {
                vec![stage]
            } else {
                Vec::new()
            },
            throttle: state.throttle.map(settings),
            quota,
            ..Default::default()
        })
    }

    fn api_rows(&self) -> ApiRows {
        let api = entity::RestApi {
            id: "api0".into(),
            name: "api".into(),
            ..Default::default()
        };
        let setting = self.stage.map(|throttle| entity::MethodSetting {
            throttling_rate_limit: settings(throttle).rate_limit,
            throttling_burst_limit: settings(throttle).burst_limit,
            ..Default::default()
        });
        let stage = entity::Stage {
            rest_api_id: "api0".into(),
            stage_name: "prod".into(),
            deployment_id: "deployment".into(),
            method_settings: setting
                .map(|setting| ("*/*".to_owned(), setting))
                .into_iter()
                .collect(),
            ..Default::default()
        };
        (api, vec![(stage, deployed())])
    }
}

impl History {
    pub fn newest(&self) -> &Arc<Config> {
        &self.versions[self.versions.len() - 1]
    }

    /// Every version that a request may be decided by now.
    pub fn possible(&self) -> &[Arc<Config>] {
        &self.versions[self.acked..]
    }
}

pub fn settings(throttle: Throttle) -> entity::ThrottleSettings {
    entity::ThrottleSettings {
        burst_limit: i32::try_from(throttle.burst).ok(),
        rate_limit: Some(throttle.per_1000_s as f64 / 1000.0),
    }
}

pub fn plan_id(plan: u8) -> String {
    format!("plan{plan}")
}

pub fn key_id(key: u8) -> String {
    format!("key{key:07}")
}

pub fn key_value(key: u8) -> String {
    format!("value-of-key-{key}-0123456789")
}

/// The number at the end of an id.
pub fn number(id: &str) -> u8 {
    let digits = id.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap_or(u8::MAX)
}

/// One API: GET on /a and /b with a key, on /open without.
fn deployed() -> Arc<Deployed> {
    thread_local! {
        static DEPLOYED: Arc<Deployed> = Arc::new(Deployed::compile(&content()));
    }
    DEPLOYED.with(Arc::clone)
}

fn content() -> entity::DeploymentContent {
    let resource = |path: &str, api_key_required: bool| entity::Resource {
        id: path.to_owned(),
        path: path.to_owned(),
        resource_methods: BTreeMap::from([(
            "GET".to_owned(),
            entity::Method {
                http_method: "GET".into(),
                authorization_type: "NONE".into(),
                api_key_required,
                method_integration: Some(entity::Integration::default()),
                ..Default::default()
            },
        )]),
        ..Default::default()
    };
    entity::DeploymentContent {
        resources: vec![
            resource("/a", true),
            resource("/b", true),
            resource("/open", false),
        ],
        ..Default::default()
    }
}

pub fn throttle(random: &mut Random) -> Throttle {
    Throttle {
        per_1000_s: random.pick(&[500, 1_000, 3_000, 7_300, 10_000, 33_333, 100_000, 250_000]),
        burst: random.pick(&[1, 1, 2, 3, 5, 10, 40]),
    }
}

pub fn quota(random: &mut Random) -> Quota {
    let period = random.pick(&[Period::Day, Period::Day, Period::Week, Period::Month]);
    Quota {
        limit: random.pick(&[0, 1, 2, 3, 5, 9, 16, 17, 33, 60, 100, 130, 200, 400]),
        period,
        offset: match period {
            Period::Day => 0,
            Period::Week => random.pick(&[0, 0, 1, 6]),
            Period::Month => random.pick(&[0, 0, 1, 14, 27]),
        },
    }
}

/// One change that an administrator might make; days are for extensions.
pub fn change(config: &mut Config, random: &mut Random, day: i64, used: impl Fn(Pair) -> u64) {
    let plan = random.index(config.plans.len());
    let key = random.index(config.keys.len());
    match random.below(20) {
        0..=4 => {
            let used = (0..config.keys.len())
                .map(|key| used((plan as u8, key as u8)))
                .max()
                .unwrap_or(0);
            if let Some(quota) = &mut config.plans[plan].quota {
                quota.limit = match random.below(5) {
                    0 => used,
                    1 => used.saturating_sub(random.between(1, 5)),
                    2 => used + random.between(1, 12),
                    3 => quota.limit + random.between(1, 40),
                    _ => quota.limit.saturating_sub(random.between(1, 40)),
                };
            }
        }
        5 | 6 => config.plans[plan].quota = Some(quota(random)),
        7 => config.plans[plan].quota = None,
        8 | 9 => config.plans[plan].throttle = Some(throttle(random)),
        10 => config.plans[plan].throttle = None,
        11 => config.plans[plan].method = (!random.one_in(3)).then(|| throttle(random)),
        12 => config.stage = (!random.one_in(3)).then(|| throttle(random)),
        13 => config.keys[key].enabled = !config.keys[key].enabled,
        14 | 15 => {
            let plans = &mut config.keys[key].plans;
            match plans.iter().position(|own| usize::from(*own) == plan) {
                Some(at) => drop(plans.remove(at)),
                None => plans.push(plan as u8),
            }
        }
        16 => config.plans[plan].covers = !config.plans[plan].covers,
        17 if random.one_in(3) => {
            config.plans[plan].exists = false;
            for key in &mut config.keys {
                key.plans.retain(|own| usize::from(*own) != plan);
            }
        }
        18 if random.one_in(4) => {
            config.keys[key].exists = false;
            config.keys[key].plans.clear();
        }
        _ => {
            let pair = (plan as u8, key as u8);
            if let Some(quota) = config.plans[plan].quota {
                let start = calendar::window(&quota, day).0;
                let used = used(pair) as i64;
                let remaining = random.between(0, 30) as i64;
                let delta = used + remaining - quota.limit as i64;
                config.extensions.insert(pair, (start, delta));
            }
        }
    }
}
