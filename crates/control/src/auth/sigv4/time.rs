//! Points in time as signatures write them.

use tollgate_entity::Timestamp;

use super::claim::incomplete;
use crate::error::Error;

/// `20260102T030405Z`.
pub fn amz_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_second(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads AWS's form of a date, or that of HTTP's `Date` header.
pub fn parse_date(text: &str) -> Result<Timestamp, Error> {
    let amz = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text);
    let seconds = match amz.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC)) {
        Ok(zoned) => zoned.timestamp().as_second(),
        Err(_) => match jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text) {
            Ok(at) => at.as_second(),
            Err(_) => {
                return Err(incomplete(format!(
                    "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
                )));
            }
        },
    };
    Ok(Timestamp(seconds))
}
