//! A CSV of API keys: what was read, written anew, is read the same; line ends and a byte order mark do not matter.

use tollgate_entity::api_key::{NAME_CHARS_MAX, check_value};

use crate::api_key::import::{ImportedKey, parse};

pub fn csv(bytes: &[u8]) {
    let Ok((keys, warnings)) = parse(bytes) else {
        return;
    };
    let text = std::str::from_utf8(bytes).expect("only text is parsed");
    let lines = 1 + text.matches(['\n', '\r']).count();
    for key in &keys {
        assert!(check_value(&key.value).is_ok());
        assert!((1..=NAME_CHARS_MAX).contains(&key.name.chars().count()));
        assert!((2..=lines).contains(&key.line));
        for warning in &warnings {
            assert!(
                !warning.text.contains(&key.value),
                "a key's value in a warning"
            );
        }
    }
    let mut values: Vec<&str> = keys.iter().map(|key| key.value.as_str()).collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), keys.len(), "a value stands for one key");

    let (again, no_warnings) = parse(written(&keys).as_bytes()).expect("our own CSV");
    assert_eq!(no_warnings, []);
    assert_eq!(unplaced(again), unplaced(keys.clone()));

    if !text.starts_with('\u{feff}') {
        assert_eq!(
            parse(format!("\u{feff}{text}").as_bytes()),
            Ok((keys.clone(), warnings.clone()))
        );
    }
    if !text.contains(['"', '\r']) {
        let other_ends = text.replace('\n', "\r\n");
        assert_eq!(parse(other_ends.as_bytes()), Ok((keys, warnings)));
    }
}

/// The keys as a careful program would write them, columns in another order.
fn written(keys: &[ImportedKey]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = "enabled,USAGEPLANIDS,Key,Other,description,name\n".to_owned();
    for key in keys {
        let enabled = key
            .enabled
            .map_or(String::new(), |enabled| enabled.to_string());
        let ids = quoted(&key.usage_plan_ids.join(","));
        let description = quoted(key.description.as_deref().unwrap_or_default());
        let (value, name) = (quoted(&key.value), quoted(&key.name));
        text.push_str(&format!(
            "{enabled},{ids},{value},ignored,{description},{name}\n"
        ));
    }
    text
}

/// Without the lines they stood on.
fn unplaced(mut keys: Vec<ImportedKey>) -> Vec<ImportedKey> {
    for key in &mut keys {
        key.line = 0;
    }
    keys
}
