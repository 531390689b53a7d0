//! The Date header: made once a second and thread.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// The present second, as the Date header has it. `now` may be a little old.
pub fn with_date<R>(now: Instant, act: impl FnOnce(&HeaderValue) -> R) -> R {
    thread_local! {
        /// With the moment up to which it holds.
        static WRITTEN: RefCell<Option<(Instant, HeaderValue)>> = const { RefCell::new(None) };
    }
    WRITTEN.with_borrow_mut(|written| {
        let fresh = written.take().filter(|(until, _)| now < *until);
        let (_, date) = written.insert(fresh.unwrap_or_else(|| make(now)));
        act(date)
    })
}

fn make(now: Instant) -> (Instant, HeaderValue) {
    let date = SystemTime::now();
    let since = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_secs(1) - Duration::from_nanos(since.subsec_nanos().into());
    let text = HeaderValue::from_str(&httpdate::fmt_http_date(date));
    (now + left, text.unwrap_or(HeaderValue::from_static("")))
}
