//! The keys of a worker's last calls, for the list of the busiest: a ring that is written without a lock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::key_index::KeyId;

/// Calls that one worker remembers.
pub const CALLS: usize = 4096;

/// The last calls with keys. One worker writes; a reader that comes in between may see a call's time with the key of the
/// call before it, which a list of the busiest keys can bear.
pub struct RecentKeys {
    next: AtomicU64,
    calls: Box<[Call]>,
}

#[derive(Default)]
struct Call {
    /// The key's id in base 36, times two, plus one for a call that a limit refused. No call yet: all ones.
    key: AtomicU64,
    /// Seconds since 1970.
    at_s: AtomicU64,
}

/// What one key did lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    pub calls: u64,
    /// Of those, refused by a limit.
    pub limited: u64,
}

impl Default for RecentKeys {
    fn default() -> RecentKeys {
        let call = || Call {
            key: AtomicU64::new(u64::MAX),
            ..Call::default()
        };
        RecentKeys {
            next: AtomicU64::new(0),
            calls: (0..CALLS).map(|_| call()).collect(),
        }
    }
}

impl RecentKeys {
    /// Notes a call.
    pub fn note(&self, key: &KeyId, limited: bool, at_ms: i64) {
        let Some(packed) = pack(key) else { return };
        // One writer: no other thread changes `next` in between.
        let next = self.next.load(Ordering::Relaxed);
        self.next.store(next.wrapping_add(1), Ordering::Relaxed);
        let call = &self.calls[next as usize % CALLS];
        let at_s = u64::try_from(at_ms / 1000).unwrap_or(0);
        call.at_s.store(at_s, Ordering::Relaxed);
        call.key
            .store(packed * 2 + u64::from(limited), Ordering::Relaxed);
    }

    /// Adds what each key did since a moment; tells when the oldest call it looked at was.
    pub fn count(&self, since_s: u64, busy: &mut HashMap<KeyId, Busy>) -> Option<u64> {
        let mut oldest = None;
        for call in &self.calls {
            let (word, at_s) = (
                call.key.load(Ordering::Relaxed),
                call.at_s.load(Ordering::Relaxed),
            );
            let Some(key) = unpack(word / 2).filter(|_| word != u64::MAX && at_s >= since_s) else {
                continue;
            };
            let own = busy.entry(key).or_default();
            own.calls += 1;
            own.limited += word % 2;
            oldest = Some(oldest.map_or(at_s, |oldest: u64| oldest.min(at_s)));
        }
        oldest
    }
}

/// An id of digits and small letters, as the control plane makes them, as a number below 36 to the tenth.
fn pack(key: &KeyId) -> Option<u64> {
    key.as_str().bytes().try_fold(0, |number: u64, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number * 36 + u64::from(digit))
    })
}

fn unpack(mut number: u64) -> Option<KeyId> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 10];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    KeyId::new(std::str::from_utf8(&text).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_since_a_moment() {
        let recent = RecentKeys::default();
        let (a, b) = (
            KeyId::new("a000000001").unwrap(),
            KeyId::new("zzzzzzzzzz").unwrap(),
        );
        recent.note(&a, false, 10_000);
        recent.note(&a, true, 20_500);
        recent.note(&b, false, 21_000);
        let count = |since| {
            let mut busy = HashMap::new();
            let oldest = recent.count(since, &mut busy);
            (oldest, busy.get(&a).copied(), busy.get(&b).copied())
        };
        let of = |calls, limited| Some(Busy { calls, limited });
        assert_eq!(count(0), (Some(10), of(2, 1), of(1, 0)));
        assert_eq!(count(11), (Some(20), of(1, 1), of(1, 0)));
        assert_eq!(count(22), (None, None, None));
    }

    #[test]
    fn only_the_last_calls_are_remembered() {
        let recent = RecentKeys::default();
        let (old, new) = (
            KeyId::new("old0000000").unwrap(),
            KeyId::new("new0000000").unwrap(),
        );
        recent.note(&old, false, 1_000);
        for _ in 0..CALLS {
            recent.note(&new, false, 1_000);
        }
        let mut busy = HashMap::new();
        recent.count(0, &mut busy);
        assert_eq!(busy.len(), 1);
        assert_eq!(busy[&new].calls, CALLS as u64);
    }
}
