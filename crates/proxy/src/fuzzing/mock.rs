//! The status of a mock: what is JSON is read as JSON.

use crate::integration::lenient;

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
}
