//! UsagePlan: which stages a key may call, how fast and how often.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_UsagePlan.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
pub use tollgate_limiter::period::Period;

use crate::{Invalid, Tags};

/// Characters in a plan's name.
pub const NAME_CHARS_MAX: usize = 1024;
/// Characters in a plan's description.
pub const DESCRIPTION_CHARS_MAX: usize = 125_000;
/// Characters in a plan's product code.
pub const PRODUCT_CODE_CHARS_MAX: usize = 1024;
/// Method throttles one stage of a plan may have.
pub const METHOD_THROTTLES_PER_STAGE_MAX: usize = 20;
/// Plans one key may be in.
pub const PLANS_PER_KEY_MAX: usize = 10;

/// A usage plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsagePlan {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub api_stages: Vec<ApiStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<ThrottleSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_code: Option<String>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A stage that a plan covers, with its method throttles by `"<resourcePath>/<METHOD>"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiStage {
    pub api_id: String,
    pub stage: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub throttle: BTreeMap<String, ThrottleSettings>,
}

/// Rate (requests per second) and burst (requests); an absent member is unlimited, 0 admits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ThrottleSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_limit: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<f64>,
}

/// Requests per calendar period in UTC; `offset` shifts the period's first day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i32>,
    pub offset: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<QuotaPeriod>,
}

/// A calendar period as AWS spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum QuotaPeriod {
    Day,
    Week,
    Month,
}

impl From<QuotaPeriod> for Period {
    fn from(period: QuotaPeriod) -> Period {
        match period {
            QuotaPeriod::Day => Period::Day,
            QuotaPeriod::Week => Period::Week,
            QuotaPeriod::Month => Period::Month,
        }
    }
}

impl UsagePlan {
    /// Checks the whole plan; called once after all changes of a request are applied.
    pub fn validated(self) -> Result<Self, Invalid> {
        if self.name.trim().is_empty() {
            return Err(Invalid::new("Usage Plan name cannot be blank"));
        }
        Invalid::check_chars("Usage Plan name", &self.name, NAME_CHARS_MAX)?;
        let texts = [
            (
                "Usage Plan description",
                &self.description,
                DESCRIPTION_CHARS_MAX,
            ),
            (
                "Usage Plan product code",
                &self.product_code,
                PRODUCT_CODE_CHARS_MAX,
            ),
        ];
        for (what, text, max) in texts {
            Invalid::check_chars(what, text.as_deref().unwrap_or_default(), max)?;
        }
        if let Some(throttle) = &self.throttle {
            throttle.check()?;
        }
        if let Some(quota) = &self.quota {
            quota.check()?;
        }
        for stage in &self.api_stages {
            stage.check()?;
        }
        crate::tags::check(&self.tags)?;
        Ok(self)
    }

    /// The entry of a stage.
    pub fn stage(&self, api_id: &str, stage: &str) -> Option<&ApiStage> {
        self.api_stages
            .iter()
            .find(|s| s.api_id == api_id && s.stage == stage)
    }

    /// The first stage that both plans cover: a key may not be in two such plans.
    pub fn shared_stage<'a>(&'a self, other: &UsagePlan) -> Option<&'a ApiStage> {
        self.api_stages
            .iter()
            .find(|s| other.stage(&s.api_id, &s.stage).is_some())
    }
}

impl ApiStage {
    fn check(&self) -> Result<(), Invalid> {
        if self.throttle.len() > METHOD_THROTTLES_PER_STAGE_MAX {
            return Err(Invalid::new(format!(
                "A stage of a usage plan can have at most {METHOD_THROTTLES_PER_STAGE_MAX} method throttles, but {}:{} has {}",
                self.api_id,
                self.stage,
                self.throttle.len()
            )));
        }
        for (method, throttle) in &self.throttle {
            match split_method(method) {
                // No resource has this path: taken for all of them it would be a limit that never holds.
                Some(("/*", verb)) => return Err(invalid_method("/*", verb)),
                Some(_) => throttle.check()?,
                None => return Err(invalid_method(method, "")),
            }
        }
        Ok(())
    }
}

fn invalid_method(path: &str, verb: &str) -> Invalid {
    Invalid::new(format!(
        "Invalid method {{resourcePath: {path},method: {verb}}} specified"
    ))
}

/// Splits a method throttle's name: `"/pets/{petId}/GET"` is (`/pets/{petId}`, `GET`), `"//GET"` is (`/`, `GET`).
pub fn split_method(name: &str) -> Option<(&str, &str)> {
    const METHODS: [&str; 9] = [
        "GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY", "*",
    ];
    let (path, method) = name.rsplit_once('/')?;
    let known = METHODS.contains(&method);
    (known && path.starts_with('/')).then_some((path, method))
}

impl ThrottleSettings {
    /// Neither negative nor not a number.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.rate_limit.is_some_and(|r| !r.is_finite() || r < 0.0) {
            return Err(Invalid::new(
                "Usage Plan throttle rate limit must be a non-negative number",
            ));
        }
        if self.burst_limit.is_some_and(|b| b < 0) {
            return Err(Invalid::new(
                "Usage Plan throttle burst limit must be a non-negative number",
            ));
        }
        Ok(())
    }
}

impl QuotaSettings {
    fn check(&self) -> Result<(), Invalid> {
        let Some(period) = self.period else {
            return Err(Invalid::new(
                "Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]",
            ));
        };
        if self.limit.is_none_or(|limit| limit < 0) {
            return Err(Invalid::new(
                "Usage Plan quota limit must be a non-negative numeric",
            ));
        }
        let (last, text) = match period {
            QuotaPeriod::Day => (0, "Usage Plan quota offset must be zero in the DAY period"),
            QuotaPeriod::Week => (
                6,
                "Usage Plan quota offset must be between 0 and 6 inclusive in the WEEK period",
            ),
            QuotaPeriod::Month => (
                27,
                "Usage Plan quota offset must be between 0 and 27 inclusive in the MONTH period",
            ),
        };
        if !(0..=last).contains(&self.offset) {
            return Err(Invalid::new(text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(quota: QuotaSettings) -> UsagePlan {
        UsagePlan {
            name: "p".into(),
            quota: Some(quota),
            ..UsagePlan::default()
        }
    }

    #[test]
    fn offsets_are_held_to_their_period() {
        let quota = |period, offset| QuotaSettings {
            limit: Some(1),
            offset,
            period: Some(period),
        };
        for (period, offset, fine) in [
            (QuotaPeriod::Day, 0, true),
            (QuotaPeriod::Day, 1, false),
            (QuotaPeriod::Week, 6, true),
            (QuotaPeriod::Week, 7, false),
            (QuotaPeriod::Month, 27, true),
            (QuotaPeriod::Month, 28, false),
            (QuotaPeriod::Month, -1, false),
        ] {
            assert_eq!(
                plan(quota(period, offset)).validated().is_ok(),
                fine,
                "{period:?} {offset}"
            );
        }
    }

    #[test]
    fn a_quota_needs_a_period_and_a_limit() {
        let without_period = QuotaSettings {
            limit: Some(1),
            ..QuotaSettings::default()
        };
        assert!(plan(without_period).validated().is_err());
        let without_limit = QuotaSettings {
            period: Some(QuotaPeriod::Day),
            ..QuotaSettings::default()
        };
        assert!(plan(without_limit).validated().is_err());
    }

    #[test]
    fn method_names_split_at_the_last_slash() {
        assert_eq!(
            split_method("/pets/{petId}/GET"),
            Some(("/pets/{petId}", "GET"))
        );
        assert_eq!(split_method("//GET"), Some(("/", "GET")));
        assert_eq!(split_method("/pets/*"), Some(("/pets", "*")));
        assert_eq!(split_method("/GET"), None);
        assert_eq!(split_method("pets/GET"), None);
        assert_eq!(split_method("/pets/FETCH"), None);
        assert_eq!(split_method("*/*"), None);
    }

    #[test]
    fn texts_are_bounded() {
        let long = |count: usize| Some("é".repeat(count));
        let named = |name: Option<String>| UsagePlan {
            name: name.unwrap_or_default(),
            ..UsagePlan::default()
        };
        let described = |description| UsagePlan {
            description,
            ..named(long(1))
        };
        let coded = |product_code| UsagePlan {
            product_code,
            ..named(long(1))
        };
        assert!(named(long(NAME_CHARS_MAX)).validated().is_ok());
        assert!(named(long(NAME_CHARS_MAX + 1)).validated().is_err());
        assert!(described(long(DESCRIPTION_CHARS_MAX)).validated().is_ok());
        assert!(
            described(long(DESCRIPTION_CHARS_MAX + 1))
                .validated()
                .is_err()
        );
        assert!(coded(long(PRODUCT_CODE_CHARS_MAX)).validated().is_ok());
        assert!(coded(long(PRODUCT_CODE_CHARS_MAX + 1)).validated().is_err());
    }

    #[test]
    fn rates_are_rendered_as_doubles() {
        let throttle = ThrottleSettings {
            burst_limit: Some(20),
            rate_limit: Some(10.0),
        };
        assert_eq!(
            serde_json::to_string(&throttle).unwrap(),
            r#"{"burstLimit":20,"rateLimit":10.0}"#
        );
    }
}
