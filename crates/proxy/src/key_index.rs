//! Digest of a key's value → which key it is, whether it is enabled, and its counter in each plan.
//!
//! A persistent map in 1,024 shards: a snapshot shares every shard that did not change, so changing
//! one key among a million copies a thousandth of the index, and reading takes no lock. The digest
//! is keyed and uniform, so its own bytes serve as the hash.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use tollgate_limiter::Slot;

/// Keyed BLAKE3 digest of a key's value.
pub type Digest = [u8; 16];

/// Index of a plan in the snapshot; an index is never given to another plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanIndex(pub u32);

/// An API key's id: always ten bytes of ASCII, kept inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 10]);

impl KeyId {
    /// None unless `id` is ten bytes of ASCII, as every id that the control plane makes is.
    pub fn new(id: &str) -> Option<KeyId> {
        let bytes = id.as_bytes().try_into().ok()?;
        id.is_ascii().then_some(KeyId(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    pub id: KeyId,
    pub enabled: bool,
    pub plans: Memberships,
}

/// A key's counter in one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    pub plan: PlanIndex,
    pub slot: Slot,
}

/// The plans of a key. Nearly every key is in one, which then needs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Memberships {
    #[default]
    None,
    One(Membership),
    Many(Box<[Membership]>),
}

impl Memberships {
    pub fn as_slice(&self) -> &[Membership] {
        match self {
            Memberships::None => &[],
            Memberships::One(one) => std::slice::from_ref(one),
            Memberships::Many(many) => many,
        }
    }
}

impl FromIterator<Membership> for Memberships {
    fn from_iter<I: IntoIterator<Item = Membership>>(all: I) -> Self {
        let all: Vec<Membership> = all.into_iter().collect();
        match all.as_slice() {
            [] => Memberships::None,
            [one] => Memberships::One(*one),
            _ => Memberships::Many(all.into_boxed_slice()),
        }
    }
}

const SHARDS: usize = 1024;

type Shard = HashMap<Digest, KeyEntry, BuildHasherDefault<DigestHasher>>;

/// The index itself; cloning it shares every shard.
#[derive(Clone)]
pub struct KeyIndex {
    shards: Arc<[Arc<Shard>]>,
}

impl Default for KeyIndex {
    fn default() -> Self {
        let empty = Arc::new(Shard::default());
        KeyIndex {
            shards: (0..SHARDS).map(|_| Arc::clone(&empty)).collect(),
        }
    }
}

#[expect(clippy::len_without_is_empty, reason = "nobody asks that")]
impl KeyIndex {
    pub fn get(&self, digest: &Digest) -> Option<&KeyEntry> {
        self.shards[shard_of(digest)].get(digest)
    }

    /// Puts and removes entries; shards that no snapshot shares are changed in place.
    pub fn change(&mut self, changes: impl IntoIterator<Item = (Digest, Option<KeyEntry>)>) {
        let shards = Arc::make_mut(&mut self.shards);
        for (digest, entry) in changes {
            let shard = Arc::make_mut(&mut shards[shard_of(&digest)]);
            match entry {
                Some(entry) => drop(shard.insert(digest, entry)),
                None => drop(shard.remove(&digest)),
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Digest, &KeyEntry)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }
}

/// The shard takes the digest's last bytes, the map within it the first ones.
fn shard_of(digest: &Digest) -> usize {
    usize::from(u16::from_le_bytes([digest[14], digest[15]])) % SHARDS
}

/// Takes the first eight bytes of a digest as they are.
#[derive(Default)]
pub struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// Arrays announce their length first; it is always sixteen and says nothing.
    fn write_usize(&mut self, _length: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> KeyEntry {
        KeyEntry {
            id: KeyId::new(id).unwrap(),
            enabled: true,
            plans: Memberships::None,
        }
    }

    fn digest(n: u64) -> Digest {
        let mut digest = [7; 16];
        digest[..8].copy_from_slice(&n.to_le_bytes());
        digest[14..].copy_from_slice(&(n as u16).to_le_bytes());
        digest
    }

    #[test]
    fn an_older_copy_does_not_see_later_changes() {
        let mut index = KeyIndex::default();
        index.change((0..5000).map(|n| (digest(n), Some(entry("a000000000")))));
        let before = index.clone();
        index.change([(digest(7), None), (digest(8), Some(entry("b000000000")))]);
        assert_eq!(before.len(), 5000);
        assert_eq!(index.len(), 4999);
        assert!(index.get(&digest(7)).is_none());
        assert_eq!(before.get(&digest(7)), Some(&entry("a000000000")));
        assert_eq!(index.get(&digest(8)).unwrap().id.as_str(), "b000000000");
        assert_eq!(before.get(&digest(8)).unwrap().id.as_str(), "a000000000");
    }

    #[test]
    fn ids_are_ten_bytes_of_ascii() {
        assert!(KeyId::new("abcdefghij").is_some());
        assert!(KeyId::new("short").is_none());
        assert!(KeyId::new("abcdefgéx").is_none());
    }
}
