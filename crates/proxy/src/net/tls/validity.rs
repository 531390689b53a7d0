//! From when until when a certificate is good, and what is to be said of that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Seconds before the end of a certificate from which on it is warned of.
const EXPIRES_SOON_S: i64 = 14 * 24 * 3600;

/// Seconds since 1970, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from_s: i64,
    pub until_s: i64,
}

impl Validity {
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
        let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let told = parsed.tbs_certificate().validity();
        let seconds = |at: Duration| i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        Ok(Validity {
            from_s: seconds(told.not_before.to_unix_duration()),
            until_s: seconds(told.not_after.to_unix_duration()),
        })
    }

    /// What is wrong with it at a time, if anything; it follows "the certificate".
    pub fn trouble(&self, now: SystemTime) -> Option<String> {
        let now_s = now.duration_since(UNIX_EPOCH);
        let now_s = now_s.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        let on = |second: i64| {
            let at = u64::try_from(second).ok().map(Duration::from_secs);
            let at = at.and_then(|since| UNIX_EPOCH.checked_add(since));
            at.map_or_else(|| "an unknown day".to_owned(), httpdate::fmt_http_date)
        };
        if now_s < self.from_s {
            let from = on(self.from_s);
            return Some(format!(
                "is not valid before {from}: until then clients refuse it"
            ));
        }
        match self.until_s.saturating_sub(now_s) {
            ..0 => Some(format!(
                "expired on {}: clients refuse it",
                on(self.until_s)
            )),
            0..EXPIRES_SOON_S => Some(format!("expires soon, on {}", on(self.until_s))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_to_the_second() {
        let validity = Validity {
            from_s: 100,
            until_s: 100 + EXPIRES_SOON_S,
        };
        let at = |second: u64| validity.trouble(UNIX_EPOCH + Duration::from_secs(second));
        let soon = EXPIRES_SOON_S as u64;
        assert!(at(99).unwrap().starts_with("is not valid before "));
        assert_eq!(at(100), None);
        assert!(at(101).unwrap().starts_with("expires soon, on "));
        assert!(at(100 + soon).unwrap().starts_with("expires soon"));
        assert!(
            at(101 + soon)
                .unwrap()
                .starts_with("expired on Thu, 15 Jan 1970")
        );
    }
}
