//! Canary settings of a stage: a second deployment for a share of the calls. Stored and reported; calls do not see it.

use std::collections::BTreeMap;

use serde::Deserialize;
use tollgate_entity::{CanarySettings, Stage};

use super::check_variables;
use crate::error::Error;
use crate::patch::{Op, Patched};

/// Canary settings in the body of CreateStage and CreateDeployment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewCanary {
    percent_traffic: Option<f64>,
    /// Not in the body of CreateDeployment, whose own deployment it is.
    deployment_id: Option<String>,
    stage_variable_overrides: Option<BTreeMap<String, String>>,
    use_stage_cache: Option<bool>,
}

impl NewCanary {
    /// For a stage: of the deployment it names, or the stage's own.
    pub(super) fn of_stage(self, deployment_id: &str) -> CanarySettings {
        let named = self.deployment_id.clone();
        self.of_deployment(named.as_deref().unwrap_or(deployment_id))
    }

    /// For a deployment that was just made.
    pub(crate) fn of_deployment(self, deployment_id: &str) -> CanarySettings {
        CanarySettings {
            percent_traffic: self.percent_traffic.unwrap_or_default(),
            deployment_id: deployment_id.to_owned(),
            stage_variable_overrides: self
                .stage_variable_overrides
                .filter(|overrides| !overrides.is_empty()),
            use_stage_cache: self.use_stage_cache.unwrap_or_default(),
        }
    }
}

/// Checks a share and the overrides; the deployment is looked up elsewhere.
pub(crate) fn check(canary: &CanarySettings) -> Result<(), Error> {
    if !(0.0..=100.0).contains(&canary.percent_traffic) {
        return Err(Error::bad_request(
            "Invalid percentTraffic value specified, must be between 0.0 and 100.0",
        ));
    }
    check_variables(canary.stage_variable_overrides.as_ref())
}

/// The stage's canary; a new one is of the stage's own deployment and takes no calls.
pub(super) fn entry(stage: &mut Stage) -> &mut CanarySettings {
    let deployment_id = stage.deployment_id.clone();
    stage.canary_settings.get_or_insert_with(|| CanarySettings {
        deployment_id,
        ..CanarySettings::default()
    })
}

/// Sets an override, or takes it out.
pub(super) fn patch_override(stage: &mut Stage, new: &Patched<'_>) {
    let overrides = &mut entry(stage).stage_variable_overrides;
    let mut variables = overrides.take().unwrap_or_default();
    let name = new.hole().to_owned();
    match new.op() {
        Op::Remove => drop(variables.remove(&name)),
        _ => drop(variables.insert(name, new.value().unwrap_or_default().to_owned())),
    }
    *overrides = Some(variables).filter(|variables| !variables.is_empty());
}

/// Promotes a part of the canary: its deployment, or its overrides over the stage's variables.
pub(super) fn promote(stage: &mut Stage, path: &str, from: &str) -> Result<(), Error> {
    const DEPLOYMENT: (&str, &str) = ("/deploymentId", "/canarySettings/deploymentId");
    const VARIABLES: (&str, &str) = ("/variables", "/canarySettings/stageVariableOverrides");
    let pair = (path, from);
    if pair != DEPLOYMENT && pair != VARIABLES {
        return Err(Error::bad_request(format!(
            "Invalid copy operation with path: {path} and from {from}. Valid copy:path are [/deploymentId, /variables] and \
             valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]"
        )));
    }
    let Some(canary) = &stage.canary_settings else {
        return Err(Error::bad_request(
            "Promotion not available. Canary does not exist.",
        ));
    };
    if pair == DEPLOYMENT {
        stage.deployment_id.clone_from(&canary.deployment_id);
    } else if let Some(overrides) = canary.stage_variable_overrides.clone() {
        stage.variables.get_or_insert_default().extend(overrides);
    }
    Ok(())
}
