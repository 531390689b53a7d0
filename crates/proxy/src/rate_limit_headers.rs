//! `RateLimit-Policy` and `RateLimit`: what limits a key, and what is left of it.
//!
//! The form is draft 11 of the IETF HTTPAPI group's "RateLimit header fields for HTTP"; being a draft,
//! it has a switch (`rate_limit_headers`).

use http::header::{HeaderMap, HeaderName, HeaderValue};

pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What a caller is told; only the limits that apply.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RateLimits {
    pub throttle: Option<ThrottleLeft>,
    pub quota: Option<QuotaLeft>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThrottleLeft {
    pub burst: u64,
    /// Requests per second.
    pub rate: f64,
    /// Whole requests the bucket holds now.
    pub left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaLeft {
    pub limit: u64,
    pub window_s: u64,
    pub left: u64,
    pub resets_in_s: u64,
}

impl ThrottleLeft {
    /// Seconds in which `requests` are regained, rounded up; a rate of 0 regains none, ever.
    fn seconds_for(&self, requests: u64) -> u64 {
        match self.rate > 0.0 {
            true => (requests as f64 / self.rate).ceil() as u64,
            false => u64::MAX >> 11, // the largest integer that a structured field can hold is 10^15 - 1
        }
        .min(999_999_999_999_999)
    }
}

/// Room for a field's text.
const TEXT_BYTES_USUAL: usize = 96;

impl RateLimits {
    /// Adds the two fields; none when nothing limits.
    pub fn write(&self, headers: &mut HeaderMap) {
        let text = || Vec::with_capacity(TEXT_BYTES_USUAL);
        let (mut policy, mut state) = (text(), text());
        if let Some(throttle) = &self.throttle {
            let window_s = throttle.seconds_for(throttle.burst).max(1);
            let full_in_s = throttle.seconds_for(throttle.burst.saturating_sub(throttle.left));
            item(
                &mut policy,
                "\"throttle\";q=",
                throttle.burst,
                ";w=",
                window_s,
            );
            item(
                &mut state,
                "\"throttle\";r=",
                throttle.left,
                ";t=",
                full_in_s,
            );
        }
        if let Some(quota) = &self.quota {
            item(
                &mut policy,
                "\"quota\";q=",
                quota.limit,
                ";w=",
                quota.window_s,
            );
            item(
                &mut state,
                "\"quota\";r=",
                quota.left,
                ";t=",
                quota.resets_in_s,
            );
        }
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, state)] {
            if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
}

/// Adds an item with its two numbers to a list.
fn item(list: &mut Vec<u8>, first: &str, one: u64, second: &str, two: u64) {
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(first.as_bytes());
    list.extend_from_slice(itoa::Buffer::new().format(one).as_bytes());
    list.extend_from_slice(second.as_bytes());
    list.extend_from_slice(itoa::Buffer::new().format(two).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limits: RateLimits) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        limits.write(&mut headers);
        let get = |name: HeaderName| headers.get(name).map(|v| v.to_str().unwrap().to_owned());
        (get(RATE_LIMIT_POLICY), get(RATE_LIMIT))
    }

    #[test]
    fn both_limits_are_told_and_absent_ones_are_not() {
        let throttle = ThrottleLeft {
            burst: 10,
            rate: 2.0,
            left: 7,
        };
        let quota = QuotaLeft {
            limit: 20,
            window_s: 86_400,
            left: 19,
            resets_in_s: 3600,
        };
        let both = written(RateLimits {
            throttle: Some(throttle),
            quota: Some(quota),
        });
        assert_eq!(
            both.0.as_deref(),
            Some(r#""throttle";q=10;w=5, "quota";q=20;w=86400"#)
        );
        assert_eq!(
            both.1.as_deref(),
            Some(r#""throttle";r=7;t=2, "quota";r=19;t=3600"#)
        );
        let one = written(RateLimits {
            quota: Some(quota),
            ..RateLimits::default()
        });
        assert_eq!(one.0.as_deref(), Some(r#""quota";q=20;w=86400"#));
        assert_eq!(written(RateLimits::default()), (None, None));
    }

    #[test]
    fn a_rate_of_zero_is_a_number_that_a_structured_field_can_hold() {
        let closed = ThrottleLeft {
            burst: 5,
            rate: 0.0,
            left: 0,
        };
        let (policy, _) = written(RateLimits {
            throttle: Some(closed),
            quota: None,
        });
        assert_eq!(
            policy.as_deref(),
            Some(r#""throttle";q=5;w=999999999999999"#)
        );
    }
}
