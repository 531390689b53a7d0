//! A mock's request template: what is JSON is read as JSON, and what has an expression is no literal.

use crate::integration::{lenient, template};

pub fn mock(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = lenient::status_code(&text);
    assert!(read.is_none_or(|status| (100..=999).contains(&status)));
    let depth = text.matches(['{', '[']).count();
    if depth <= 30
        && !text.contains('\\')
        && let Ok(serde_json::Value::Object(members)) = serde_json::from_str(&text)
    {
        let status = members
            .get("statusCode")
            .and_then(serde_json::Value::as_u64);
        let status = status.filter(|status| (100..=999).contains(status));
        assert_eq!(read.map(u64::from), status, "{text}");
    }
    if !text.contains(['$', '#']) {
        assert!(template::is_literal(&text), "{text}");
    }
    for expression in [
        "$x",
        "${x}",
        "$!x",
        "#set($a = 1)",
        "#if(true)",
        "##",
        "#*",
        "#end",
    ] {
        assert!(
            !template::is_literal(&format!("{text}{expression}")),
            "{text}{expression}"
        );
    }
}
