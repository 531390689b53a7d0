//! The declarative file: its types, which also make the published JSON schema.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tollgate_entity::{QuotaPeriod, QuotaSettings, ThrottleSettings};

/// What a gateway has: APIs, usage plans and API keys, each by its name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct File {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apis: BTreeMap<String, Api>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<String, Plan>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Key>,
}

/// A REST API: its definition and its stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Api {
    /// An OpenAPI 3.0 or Swagger 2.0 definition with AWS's extensions: the path of a file, seen from this one, or the
    /// definition itself. Its title does not count; the API has the name it is given here.
    #[schemars(schema_with = "definition")]
    pub openapi: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<String, Stage>,
}

/// In the types it is a text: an inline definition is taken out before.
fn definition(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "object"]})
}

/// A stage, which serves the API's definition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Stage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Settings of all methods (`*/*`) or of one (`/pets/{petId}/GET`; the root's is `//GET`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub methods: BTreeMap<String, MethodSettings>,
}

/// Settings of a method of a stage, for all callers together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MethodSettings {
    /// Requests per second; -1 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<f64>,
    /// Requests at once; -1 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_limit: Option<i32>,
    /// OFF, ERROR or INFO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_trace_enabled: Option<bool>,
}

/// A usage plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Plan {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<PlanStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}

/// A stage that a plan covers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanStage {
    /// The API's name.
    pub api: String,
    pub stage: String,
    /// Throttles of single methods: `/pets/{petId}/GET`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub throttle: BTreeMap<String, Throttle>,
}

/// Requests per second and at once, for each key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttle {
    pub rate_limit: f64,
    pub burst_limit: i32,
}

/// Requests per calendar period in UTC, for each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    pub limit: i32,
    pub period: Period,
    /// Days by which the period's first day is shifted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: i32,
}

/// A calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Period {
    Day,
    Week,
    Month,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Key {
    /// `${env:NAME}` or `${file:PATH}` (its first line), so that the value is not in this file. Left out: a new key
    /// gets a generated value, one that is there keeps its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    #[serde(skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// The names of the plans it is in. Left out: the plans it is in stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plans: Option<Vec<String>>,
}

impl Default for Key {
    fn default() -> Self {
        Key {
            value: None,
            description: None,
            customer_id: None,
            enabled: true,
            plans: None,
        }
    }
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

fn is_true(value: &bool) -> bool {
    *value
}

impl Throttle {
    pub fn settings(&self) -> ThrottleSettings {
        ThrottleSettings {
            burst_limit: Some(self.burst_limit),
            rate_limit: Some(self.rate_limit),
        }
    }
}

impl Quota {
    pub fn settings(&self) -> QuotaSettings {
        QuotaSettings {
            limit: Some(self.limit),
            offset: self.offset,
            period: Some(match self.period {
                Period::Day => QuotaPeriod::Day,
                Period::Week => QuotaPeriod::Week,
                Period::Month => QuotaPeriod::Month,
            }),
        }
    }
}

/// The JSON schema of the file.
pub fn schema() -> String {
    let schema = schemars::schema_for!(File);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/tollgate.schema.json");
        if std::env::var_os("WRITE_DOCS").is_some() {
            std::fs::write(path, schema()).unwrap();
        }
        let published = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            published == schema(),
            "docs/tollgate.schema.json is stale: make docs"
        );
    }
}
