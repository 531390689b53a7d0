//! ApiKey: who calls, for metering; its value is kept apart, sealed.
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_ApiKey.html>

use serde::{Deserialize, Serialize};

use crate::{Invalid, Tags, Timestamp};

/// Characters in a key's name.
pub const NAME_CHARS_MAX: usize = 1024;
/// Characters in a key's description.
pub const DESCRIPTION_CHARS_MAX: usize = 125_000;
/// Characters in a customer's id.
pub const CUSTOMER_ID_CHARS_MAX: usize = 1024;
/// Stages a key may be said to be for.
pub const STAGE_KEYS_MAX: usize = 100;
/// Characters in one of them.
pub const STAGE_KEY_CHARS_MAX: usize = 256;
/// Characters in a key's value, at least.
pub const VALUE_CHARS_MIN: usize = 20;
/// Characters in a key's value, at most.
pub const VALUE_CHARS_MAX: usize = 128;

/// An API key without its value (`value` is set only in an answer that shows it, never stored).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKey {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub enabled: bool,
    pub created_date: Timestamp,
    pub last_updated_date: Timestamp,
    /// Deprecated by usage plans; `"<restApiId>/<stageName>"`.
    pub stage_keys: Vec<String>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl ApiKey {
    /// Checks everything but the value.
    pub fn validated(self) -> Result<Self, Invalid> {
        if self
            .name
            .as_ref()
            .is_some_and(|n| n.chars().count() > NAME_CHARS_MAX)
        {
            return Err(Invalid::new(
                "Invalid API Key name, can be at most 1024 characters.",
            ));
        }
        if self
            .description
            .as_ref()
            .is_some_and(|d| d.chars().count() > DESCRIPTION_CHARS_MAX)
        {
            return Err(Invalid::new("Invalid API Key description specified."));
        }
        let customer_id = self.customer_id.as_deref().unwrap_or_default();
        Invalid::check_chars("API Key customerId", customer_id, CUSTOMER_ID_CHARS_MAX)?;
        self.check_stage_keys()?;
        crate::tags::check(&self.tags)?;
        Ok(self)
    }

    /// Checks how many stages it names, and how long each is.
    pub fn check_stage_keys(&self) -> Result<(), Invalid> {
        if self.stage_keys.len() > STAGE_KEYS_MAX {
            let text = format!("An API Key can have at most {STAGE_KEYS_MAX} stage keys");
            return Err(Invalid::new(text));
        }
        self.stage_keys
            .iter()
            .try_for_each(|stage| Invalid::check_chars("A stage key", stage, STAGE_KEY_CHARS_MAX))
    }
}

/// Checks a value that the caller chose: 20 to 128 characters that can travel in a header.
pub fn check_value(value: &str) -> Result<(), Invalid> {
    let chars = value.chars().count();
    if chars < VALUE_CHARS_MIN {
        return Err(Invalid::new(
            "API Key value should be at least 20 characters",
        ));
    }
    if chars > VALUE_CHARS_MAX {
        return Err(Invalid::new(
            "API Key value exceeds maximum size of 128 characters",
        ));
    }
    // A client can send only visible ASCII in x-api-key; any other value could never be used.
    if !value.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Invalid::new(
            "API Key value can contain only visible ASCII characters",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_held_to_the_length_and_the_alphabet_of_a_header() {
        assert!(check_value(&"a".repeat(19)).is_err());
        assert!(check_value(&"a".repeat(20)).is_ok());
        assert!(check_value(&"a-_.".repeat(32)).is_ok());
        assert!(check_value(&"a".repeat(129)).is_err());
        assert!(check_value("with a space 0123456789").is_err());
        assert!(check_value("ümlaut0123456789012345").is_err());
    }

    #[test]
    fn texts_and_stage_keys_are_bounded() {
        let of = |customer: usize, stages: usize, stage: usize| {
            let key = ApiKey {
                customer_id: Some("é".repeat(customer)),
                stage_keys: vec!["é".repeat(stage); stages],
                ..ApiKey::default()
            };
            key.validated().is_ok()
        };
        assert!(of(
            CUSTOMER_ID_CHARS_MAX,
            STAGE_KEYS_MAX,
            STAGE_KEY_CHARS_MAX
        ));
        assert!(!of(CUSTOMER_ID_CHARS_MAX + 1, 0, 0));
        assert!(!of(0, STAGE_KEYS_MAX + 1, 1) && !of(0, 1, STAGE_KEY_CHARS_MAX + 1));
    }

    #[test]
    fn the_wire_form_has_stage_keys_and_no_empty_members() {
        let key = ApiKey {
            id: "a1".into(),
            name: Some("n".into()),
            ..ApiKey::default()
        };
        assert_eq!(
            serde_json::to_string(&key).unwrap(),
            r#"{"id":"a1","name":"n","enabled":false,"createdDate":0,"lastUpdatedDate":0,"stageKeys":[]}"#
        );
    }
}
