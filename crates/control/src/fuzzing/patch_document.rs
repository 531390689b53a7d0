//! Patch documents: a batch that is taken leaves numbers that are numbers and limits that limit, and says the same twice.

use std::collections::BTreeMap;

use tollgate_entity::{
    Account, ApiKey, ApiStage, Deployment, Integration, IntegrationResponse, Method,
    MethodResponse, RestApi, Stage, ThrottleSettings, UsagePlan,
};

use crate::json;
use crate::patch::{Patch, PatchDocument, WireDocument};
use crate::stage::update::Change;

/// The body of an Update call.
pub fn patch_document(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    let Ok(wire) = json::read::<WireDocument>(value) else {
        return;
    };
    let Ok(patch) = wire.checked("UpdateSomething") else {
        return;
    };
    usage_plan(&patch);
    stage(&patch);
    twice::<RestApi>(&patch);
    twice::<Method>(&patch);
    twice::<MethodResponse>(&patch);
    twice::<Integration>(&patch);
    twice::<IntegrationResponse>(&patch);
    twice::<ApiKey>(&patch);
    twice::<Deployment>(&patch);
    twice::<Account>(&patch);
}

/// A plan that has a bit of everything.
fn plan() -> UsagePlan {
    UsagePlan {
        id: "p1".into(),
        name: "plan".into(),
        api_stages: vec![ApiStage {
            api_id: "abc123".into(),
            stage: "prod".into(),
            throttle: BTreeMap::from([("/pets/GET".into(), ThrottleSettings::default())]),
        }],
        ..UsagePlan::default()
    }
}

fn usage_plan(patch: &PatchDocument) {
    let mut plan = plan();
    if patch.apply(&mut plan).is_err() {
        return;
    }
    let Ok(plan) = plan.validated() else {
        return;
    };
    let methods = plan
        .api_stages
        .iter()
        .flat_map(|stage| stage.throttle.values());
    for throttle in plan.throttle.iter().chain(methods) {
        assert!(
            throttle
                .rate_limit
                .is_none_or(|rate| rate.is_finite() && rate >= 0.0),
            "{throttle:?}"
        );
        assert!(
            throttle.burst_limit.is_none_or(|burst| burst >= 0),
            "{throttle:?}"
        );
    }
    if let Some(quota) = &plan.quota {
        assert!(
            quota.limit.is_some_and(|limit| limit >= 0) && quota.period.is_some(),
            "{quota:?}"
        );
        assert!((0..=27).contains(&quota.offset), "{quota:?}");
    }
    kept(&plan);
}

fn stage(patch: &PatchDocument) {
    let mut change = Change::of(Stage {
        stage_name: "prod".into(),
        ..Stage::default()
    });
    if patch.apply(&mut change).is_err() {
        return;
    }
    for setting in change.stage().method_settings.values() {
        assert!(
            setting.throttling_rate_limit.is_none_or(f64::is_finite),
            "{setting:?}"
        );
    }
    kept(change.stage());
}

/// Applied to two equal entities, a batch has the same outcome.
fn twice<
    T: Patch
        + Default
        + Clone
        + PartialEq
        + std::fmt::Debug
        + serde::Serialize
        + serde::de::DeserializeOwned,
>(
    patch: &PatchDocument,
) {
    let (mut one, mut other) = (T::default(), T::default());
    let (first, second) = (patch.apply(&mut one), patch.apply(&mut other));
    assert_eq!(first.is_ok(), second.is_ok());
    if first.is_ok() {
        assert_eq!(one, other);
        kept(&one);
    }
}

/// What is stored as JSON is read back the same.
fn kept<T: PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned>(
    entity: &T,
) {
    let text = serde_json::to_string(entity).expect("an entity is JSON");
    let read: T = serde_json::from_str(&text).expect("an entity's own JSON");
    assert_eq!(
        serde_json::to_string(&read).expect("an entity is JSON"),
        text
    );
}
