//! What of a change goes into the audit log: everything but secrets.

use serde_json::Value;

/// Members whose text is a secret wherever they stand in a body of this API.
const SECRET_MEMBERS: [&str; 2] = ["value", "secret"];

/// Characters of a masked secret that stay readable, enough to tell two keys apart.
const SHOWN_CHARS: usize = 4;

/// The same body without absent members and with the texts of secret ones masked.
pub fn masked(mut body: Value) -> Value {
    mask(&mut body);
    body
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.iter_mut().for_each(|(name, member)| match member {
                Value::String(text) if SECRET_MEMBERS.contains(&name.as_str()) => {
                    *text = masked_text(text)
                }
                _ => mask(member),
            });
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// `****` and the last few characters; a short text is hidden whole.
pub fn masked_text(secret: &str) -> String {
    let chars = secret.chars().count();
    let hidden = if chars < 4 * SHOWN_CHARS {
        chars
    } else {
        chars - SHOWN_CHARS
    };
    "****".chars().chain(secret.chars().skip(hidden)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_masked_wherever_they_stand() {
        let body = json!({"name": "n", "value": "abcdefghijklmnopqrst", "keys": [{"value": "short"}], "tags": {"team": "x"}});
        assert_eq!(
            masked(body),
            json!({"name": "n", "value": "****qrst", "keys": [{"value": "****"}], "tags": {"team": "x"}})
        );
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(masked_text("ääääääääääääääääääöü12"), "****öü12");
    }
}
