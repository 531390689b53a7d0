//! Console sessions: an access key proved once, then a cookie that only the console's own pages can use.
//!
//! A session is named by 256 random bits in an HttpOnly, SameSite=Strict cookie. Each call must also carry the
//! session's token in `X-Tollgate-CSRF`, which no foreign page can know or send, and a call that changes something an
//! `Origin` that is this server's own. Only digests are kept, in memory: a restart signs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::header::{COOKIE, HOST, HeaderName, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use rand::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tollgate_entity::Timestamp;

use crate::error::Error;

/// The header that proves that a call comes from the console's own pages.
pub const CSRF: HeaderName = HeaderName::from_static("x-tollgate-csrf");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Sessions at once; the one unused for longest makes room.
pub const SESSIONS_MAX: usize = 1024;
/// Sign-ins that may fail in a row before the next must wait.
pub const FAILURES_AT_ONCE_MAX: u32 = 10;
/// Seconds after which one more failure is forgiven.
pub const FAILURE_FORGIVEN_S: i64 = 6;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Seconds without a call.
    pub idle_s: i64,
    /// Seconds after signing in.
    pub age_s: i64,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            idle_s: 3600,
            age_s: 12 * 3600,
        }
    }
}

/// Everybody who is signed in.
#[derive(Default)]
pub struct Sessions {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// By the digest of what the cookie holds.
    sessions: HashMap<[u8; 32], Session>,
    failures: Failures,
}

struct Session {
    access_key_id: String,
    signed_in: Timestamp,
    used: Timestamp,
}

/// What a browser gets when somebody signs in.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// For the cookie.
    pub secret: String,
    /// For `X-Tollgate-CSRF`.
    pub csrf: String,
}

/// Failed sign-ins not forgiven yet. One count for all callers: addresses are free to an attacker, and whoever has a
/// signature instead of a password does not pass here.
#[derive(Default)]
struct Failures {
    count: u32,
    since: Timestamp,
}

impl Failures {
    fn forgive(&mut self, now: Timestamp) {
        let forgiven = (now.0 - self.since.0).max(0) / FAILURE_FORGIVEN_S;
        self.count = self
            .count
            .saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        self.since = Timestamp(self.since.0 + forgiven * FAILURE_FORGIVEN_S);
        if self.count == 0 {
            self.since = now;
        }
    }
}

impl Sessions {
    /// Whether a sign-in may be tried now.
    ///
    /// # Errors
    /// After too many failures: how many seconds to wait.
    pub fn may_try(&self, now: Timestamp) -> Result<(), i64> {
        let mut kept = self.kept();
        kept.failures.forgive(now);
        match kept.failures.count < FAILURES_AT_ONCE_MAX {
            true => Ok(()),
            false => Err((kept.failures.since.0 + FAILURE_FORGIVEN_S - now.0).max(1)),
        }
    }

    pub fn failed(&self, now: Timestamp) {
        let mut kept = self.kept();
        kept.failures.forgive(now);
        kept.failures.count += 1;
    }

    /// Begins a session of this access key.
    pub fn begin(&self, access_key_id: &str, now: Timestamp, rng: &mut impl CryptoRng) -> SignedIn {
        let secret = token(rng);
        let csrf = csrf_of(&secret);
        let session = Session {
            access_key_id: access_key_id.to_owned(),
            signed_in: now,
            used: now,
        };
        let mut kept = self.kept();
        if kept.sessions.len() >= SESSIONS_MAX {
            let oldest = kept.sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(oldest) = oldest.map(|(name, _)| *name) {
                kept.sessions.remove(&oldest);
            }
        }
        kept.sessions.insert(digest(&secret), session);
        SignedIn { secret, csrf }
    }

    /// The access key of a call's session. Also notes that the session is used.
    ///
    /// # Errors
    /// `SessionExpired` for a cookie that names none, or one that is over; `AccessDenied` for a call that the console's
    /// pages would not make.
    pub fn check(
        &self,
        parts: &Parts,
        now: Timestamp,
        limits: SessionLimits,
    ) -> Result<String, Error> {
        let secret = cookie(&parts.headers).ok_or(Error::SessionExpired)?;
        let mut kept = self.kept();
        let name = digest(secret);
        let session = kept.sessions.get_mut(&name).ok_or(Error::SessionExpired)?;
        if session.is_over(now, limits) {
            kept.sessions.remove(&name);
            return Err(Error::SessionExpired);
        }
        check_site(parts)?;
        let given = parts.headers.get(CSRF).map(HeaderValue::as_bytes);
        let given = given.unwrap_or_default();
        if !bool::from(given.ct_eq(csrf_of(secret).as_bytes())) {
            return Err(Error::AccessDenied(
                "A call with the console's cookie needs its X-Tollgate-CSRF header.".to_owned(),
            ));
        }
        session.used = now;
        Ok(session.access_key_id.clone())
    }

    /// Whose session these headers' cookie names, and its token for `X-Tollgate-CSRF`; not counted as a use.
    pub fn find(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
        limits: SessionLimits,
    ) -> Option<(String, String)> {
        let secret = cookie(headers)?;
        let kept = self.kept();
        let session = kept.sessions.get(&digest(secret))?;
        let alive = !session.is_over(now, limits);
        alive.then(|| (session.access_key_id.clone(), csrf_of(secret)))
    }

    /// Ends the session of these headers' cookie.
    pub fn end(&self, headers: &HeaderMap) {
        if let Some(secret) = cookie(headers) {
            self.kept().sessions.remove(&digest(secret));
        }
    }

    /// Ends every session of an access key.
    pub fn end_all_of(&self, access_key_id: &str) {
        self.kept()
            .sessions
            .retain(|_, session| session.access_key_id != access_key_id);
    }

    /// Every change of the map is one step, so a thread that panicked left it whole.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_over(&self, now: Timestamp, limits: SessionLimits) -> bool {
        now.0 - self.used.0 > limits.idle_s || now.0 - self.signed_in.0 > limits.age_s
    }
}

/// The cookie's name; a browser takes a `__Host-` cookie only over TLS, for the whole host, from the host itself.
fn cookie_name(secure: bool) -> &'static str {
    match secure {
        true => "__Host-tollgate",
        false => "tollgate",
    }
}

/// `Set-Cookie` for a session that begins (`Some`) or ends.
pub fn set_cookie(secret: Option<&str>, secure: bool, limits: SessionLimits) -> String {
    let name = cookie_name(secure);
    let (value, age) = secret.map_or(("", 0), |secret| (secret, limits.age_s));
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

/// Whether a call comes with a session's cookie.
pub fn has_cookie(headers: &HeaderMap) -> bool {
    cookie(headers).is_some()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == cookie_name(true) || name == cookie_name(false)).then_some(value)
    });
    values.next_back()
}

/// Refuses what another site's page sends. Browsers name the page's origin in every call that is not a GET, and say
/// where a call comes from in `Sec-Fetch-Site`.
pub fn check_site(parts: &Parts) -> Result<(), Error> {
    let refused =
        || Error::AccessDenied("Only the console's own pages may call with its cookie.".to_owned());
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok();
        let authority = origin.and_then(|origin| origin.split_once("://"));
        authority.is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https") && Some(authority) == host
        })
    };
    let from_own = match (origins.next(), origins.next()) {
        (None, _) => matches!(parts.method, Method::GET | Method::HEAD),
        (Some(origin), None) => own(origin),
        (Some(_), Some(_)) => false,
    };
    let site = parts.headers.get(SEC_FETCH_SITE);
    let same_site = site.is_none_or(|site| site == "same-origin");
    match from_own && same_site {
        true => Ok(()),
        false => Err(refused()),
    }
}

fn token(rng: &mut impl CryptoRng) -> String {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    hex(&bytes)
}

/// A page of ours is told it; it cannot read the cookie. Nobody comes from it to the cookie.
fn csrf_of(secret: &str) -> String {
    hex(&Sha256::digest(format!("{CSRF}:{secret}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const NOW: Timestamp = Timestamp(1_700_000_000);
    const LIMITS: SessionLimits = SessionLimits {
        idle_s: 60,
        age_s: 600,
    };

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/apikeys");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// A call as the console's page sends it.
    fn own(method: &str, session: &SignedIn) -> Parts {
        let cookie = format!("a=b; tollgate={}", session.secret);
        parts(
            method,
            &[
                ("host", "127.0.0.1:8081"),
                ("origin", "http://127.0.0.1:8081"),
                ("sec-fetch-site", "same-origin"),
                ("cookie", &cookie),
                ("x-tollgate-csrf", &session.csrf),
            ],
        )
    }

    fn begun() -> (Sessions, SignedIn) {
        let sessions = Sessions::default();
        let session = sessions.begin("AKIA1", NOW, &mut StdRng::seed_from_u64(1));
        (sessions, session)
    }

    #[test]
    fn a_session_names_its_access_key_until_it_ends() {
        let (sessions, session) = begun();
        let call = own("POST", &session);
        assert_eq!(sessions.check(&call, NOW, LIMITS), Ok("AKIA1".to_owned()));
        let found = sessions.find(&call.headers, NOW, LIMITS);
        assert_eq!(found, Some(("AKIA1".to_owned(), session.csrf.clone())));
        assert_ne!(session.csrf, session.secret);
        sessions.end(&call.headers);
        assert_eq!(
            sessions.check(&call, NOW, LIMITS),
            Err(Error::SessionExpired)
        );
    }

    #[test]
    fn use_keeps_it_alive_and_age_ends_it() {
        let (sessions, session) = begun();
        let call = own("GET", &session);
        for s in (0..=600).step_by(60) {
            let now = Timestamp(NOW.0 + s);
            assert!(sessions.check(&call, now, LIMITS).is_ok(), "{s}");
        }
        let late = Timestamp(NOW.0 + 601);
        assert_eq!(
            sessions.check(&call, late, LIMITS),
            Err(Error::SessionExpired)
        );
        let (sessions, session) = begun();
        let idle = Timestamp(NOW.0 + 61);
        let call = own("GET", &session);
        assert_eq!(
            sessions.check(&call, idle, LIMITS),
            Err(Error::SessionExpired)
        );
    }

    #[test]
    fn what_a_foreign_page_can_send_is_refused() {
        let (sessions, session) = begun();
        let refused = |change: &[(&'static str, Option<&str>)], method: &str| {
            let mut call = own(method, &session);
            for (name, value) in change {
                call.headers.remove(*name);
                if let Some(value) = value {
                    call.headers.insert(*name, value.parse().unwrap());
                }
            }
            let answer = sessions.check(&call, NOW, LIMITS);
            matches!(answer, Err(Error::AccessDenied(_)))
        };
        assert!(!refused(&[], "POST") && !refused(&[("origin", None)], "GET"));
        assert!(refused(&[("x-tollgate-csrf", None)], "GET"));
        assert!(refused(&[("x-tollgate-csrf", Some("0"))], "POST"));
        assert!(refused(&[("origin", None)], "POST"));
        for origin in [
            "null",
            "http://evil.example",
            "http://127.0.0.1:9",
            "file://127.0.0.1:8081",
        ] {
            assert!(refused(&[("origin", Some(origin))], "GET"), "{origin}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert!(refused(&[("sec-fetch-site", Some(site))], "GET"), "{site}");
        }
    }

    #[test]
    fn the_session_unused_for_longest_makes_room() {
        let (sessions, first) = begun();
        let mut rng = StdRng::seed_from_u64(2);
        let later = Timestamp(NOW.0 + 1);
        let all: Vec<_> = (0..SESSIONS_MAX)
            .map(|_| sessions.begin("AKIA2", later, &mut rng))
            .collect();
        assert!(sessions.check(&own("GET", &first), later, LIMITS).is_err());
        let alive = |session| sessions.check(&own("GET", session), later, LIMITS).is_ok();
        assert!(all.iter().all(alive));
        sessions.end_all_of("AKIA2");
        assert!(!all.iter().any(alive));
    }

    #[test]
    fn failures_make_the_next_one_wait() {
        let sessions = Sessions::default();
        for _ in 0..FAILURES_AT_ONCE_MAX {
            assert_eq!(sessions.may_try(NOW), Ok(()));
            sessions.failed(NOW);
        }
        assert_eq!(sessions.may_try(NOW), Err(FAILURE_FORGIVEN_S));
        let then = Timestamp(NOW.0 + FAILURE_FORGIVEN_S);
        assert_eq!(sessions.may_try(then), Ok(()));
        sessions.failed(then);
        assert!(sessions.may_try(then).is_err());
        assert_eq!(sessions.may_try(Timestamp(NOW.0 + 3600)), Ok(()));
    }

    #[test]
    fn over_tls_the_cookie_belongs_to_the_host_alone() {
        let plain = set_cookie(Some("s"), false, LIMITS);
        assert_eq!(
            plain,
            "tollgate=s; Path=/; Max-Age=600; HttpOnly; SameSite=Strict"
        );
        let over_tls = set_cookie(None, true, LIMITS);
        assert_eq!(
            over_tls,
            "__Host-tollgate=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
        );
    }
}
