//! Digest of a key's value → which key it is, whether it is enabled, and its counter in each plan.
//!
//! A persistent map in 1,024 shards: a snapshot shares every shard that did not change, so changing
//! one key among a million copies a thousandth of the index, and reading takes no lock. The digest
//! is keyed and uniform, so its first bytes serve as the hash, and a shard in the order of digests is
//! a hash table without a free place: a million keys take little more than their entries.

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
    /// No key's id.
    pub const NONE: KeyId = KeyId([0; 10]);

    /// None unless `id` is ten bytes of ASCII, as every id that the control plane makes is.
    pub fn new(id: &str) -> Option<KeyId> {
        let bytes = id.as_bytes().try_into().ok()?;
        id.is_ascii().then_some(KeyId(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// One key, as the index gives it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    pub id: KeyId,
    pub enabled: bool,
    pub plans: &'a [Membership],
}

/// One key, as the index takes it in.
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

const SHARD_BITS: u32 = 10;
/// Entries that are looked through for one digest, on average.
const BUCKET_ENTRIES: usize = 3;

/// The index itself; cloning it shares every shard.
#[derive(Clone)]
pub struct KeyIndex {
    shards: Arc<[Arc<Shard>]>,
}

impl Default for KeyIndex {
    fn default() -> Self {
        let empty = Arc::new(Shard::new(Vec::new(), Vec::new()));
        KeyIndex {
            shards: (0..1 << SHARD_BITS).map(|_| Arc::clone(&empty)).collect(),
        }
    }
}

#[expect(clippy::len_without_is_empty, reason = "nobody asks that")]
impl KeyIndex {
    pub fn get(&self, digest: &Digest) -> Option<Key<'_>> {
        self.shards[shard_of(digest)].get(digest)
    }

    /// Puts and removes entries; of several changes of one digest the last counts. Each shard that
    /// changes is made anew, once.
    pub fn change(&mut self, changes: impl IntoIterator<Item = (Digest, Option<KeyEntry>)>) {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_by_key(|change| change.0);
        changes.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        let shards = Arc::make_mut(&mut self.shards);
        for changes in changes.chunk_by(|a, b| shard_of(&a.0) == shard_of(&b.0)) {
            let shard = &mut shards[shard_of(&changes[0].0)];
            *shard = Arc::new(shard.changed(changes));
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Digest, Key<'_>)> {
        self.shards.iter().flat_map(|shard| {
            let entries = shard.entries.iter();
            entries.map(|entry| (&entry.digest, shard.key(entry)))
        })
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.entries.len()).sum()
    }
}

/// Digests are in the order of their places.
fn place(digest: &Digest) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn shard_of(digest: &Digest) -> usize {
    (place(digest) >> (u64::BITS - SHARD_BITS)) as usize
}

/// Entries in the order of their digests, and where each bucket of them begins.
struct Shard {
    /// One more than buckets; the last is where the last bucket ends.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
    /// The memberships of keys that are in several plans.
    many: Box<[Membership]>,
}

struct Entry {
    digest: Digest,
    id: KeyId,
    enabled: bool,
    plans: Plans,
}

enum Plans {
    None,
    One(Membership),
    /// So many from there on, of the shard's.
    Many {
        start: u32,
        length: u32,
    },
}

impl Shard {
    fn new(entries: Vec<Entry>, many: Vec<Membership>) -> Shard {
        let buckets = entries.len() / BUCKET_ENTRIES + 1;
        let mut starts = Vec::with_capacity(buckets + 1);
        for (at, entry) in entries.iter().enumerate() {
            let bucket = bucket_of(&entry.digest, buckets);
            while starts.len() <= bucket {
                starts.push(at as u32);
            }
        }
        starts.resize(buckets + 1, entries.len() as u32);
        Shard {
            starts: starts.into(),
            entries: entries.into(),
            many: many.into(),
        }
    }

    fn get(&self, digest: &Digest) -> Option<Key<'_>> {
        let bucket = bucket_of(digest, self.starts.len() - 1);
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        let mut entries = self.entries[start as usize..end as usize].iter();
        let entry = entries.find(|entry| entry.digest == *digest)?;
        Some(self.key(entry))
    }

    fn key<'a>(&'a self, entry: &'a Entry) -> Key<'a> {
        let plans = match &entry.plans {
            Plans::None => &[],
            Plans::One(one) => std::slice::from_ref(one),
            Plans::Many { start, length } => &self.many[*start as usize..][..*length as usize],
        };
        Key {
            id: entry.id,
            enabled: entry.enabled,
            plans,
        }
    }

    /// The shard with changes, which are in the order of their digests too.
    fn changed(&self, changes: &[(Digest, Option<KeyEntry>)]) -> Shard {
        let mut entries = Vec::with_capacity(self.entries.len() + changes.len());
        let mut many = Vec::new();
        let mut put = |digest: &Digest, key: Key<'_>| {
            let plans = match key.plans {
                [] => Plans::None,
                [one] => Plans::One(*one),
                all => {
                    let (start, length) = (many.len() as u32, all.len() as u32);
                    many.extend_from_slice(all);
                    Plans::Many { start, length }
                }
            };
            entries.push(Entry {
                digest: *digest,
                id: key.id,
                enabled: key.enabled,
                plans,
            });
        };
        let mut kept = self.entries.iter().peekable();
        for (digest, entry) in changes {
            while let Some(entry) = kept.next_if(|entry| entry.digest < *digest) {
                put(&entry.digest, self.key(entry));
            }
            kept.next_if(|entry| entry.digest == *digest);
            if let Some(entry) = entry {
                let plans = entry.plans.as_slice();
                put(
                    digest,
                    Key {
                        id: entry.id,
                        enabled: entry.enabled,
                        plans,
                    },
                );
            }
        }
        for entry in kept {
            put(&entry.digest, self.key(entry));
        }
        Shard::new(entries, many)
    }
}

/// Buckets divide a shard evenly, by what follows the shard's own bits.
fn bucket_of(digest: &Digest, buckets: usize) -> usize {
    let within = (place(digest) << SHARD_BITS) >> 32;
    ((within * buckets as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

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
        let id = |key: Option<Key<'_>>| key.map(|key| key.id.as_str().to_owned());
        assert_eq!(id(before.get(&digest(7))).as_deref(), Some("a000000000"));
        assert_eq!(index.get(&digest(8)).unwrap().id.as_str(), "b000000000");
        assert_eq!(before.get(&digest(8)).unwrap().id.as_str(), "a000000000");
    }

    fn member(plan: u32, slot: u32) -> Membership {
        Membership {
            plan: PlanIndex(plan),
            slot: Slot(slot),
        }
    }

    #[test]
    fn it_answers_as_a_map_does_after_every_change() {
        let mut index = KeyIndex::default();
        let mut map: HashMap<Digest, (KeyId, bool, Vec<Membership>)> = HashMap::new();
        let mut state = 1u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..60 {
            let many = if round % 3 == 0 { 3000 } else { 3 };
            let changes: Vec<_> = (0..many)
                .map(|_| {
                    let plans: Vec<_> = (0..next(4) as u32)
                        .map(|plan| member(plan, next(100) as u32))
                        .collect();
                    let entry = KeyEntry {
                        id: KeyId::new(&format!("{:010}", next(1 << 30))).unwrap(),
                        enabled: next(2) == 0,
                        plans: plans.into_iter().collect(),
                    };
                    let mut digest = digest(next(4000));
                    if next(2) == 0 {
                        digest[..8].fill(0xff); // the last bucket of the last shard is full
                    }
                    (digest, (next(3) > 0).then_some(entry))
                })
                .collect();
            for (digest, entry) in changes.clone() {
                match entry {
                    Some(entry) => {
                        let plans = entry.plans.as_slice().to_vec();
                        map.insert(digest, (entry.id, entry.enabled, plans));
                    }
                    None => drop(map.remove(&digest)),
                }
            }
            index.change(changes.clone());
            let all: HashMap<Digest, _> = index
                .iter()
                .map(|(digest, key)| (*digest, (key.id, key.enabled, key.plans.to_vec())))
                .collect();
            assert_eq!((index.len(), all), (map.len(), map.clone()));
            for (digest, _) in &changes {
                let found = index.get(digest);
                let found = found.map(|key| (key.id, key.enabled, key.plans.to_vec()));
                assert_eq!(found.as_ref(), map.get(digest));
            }
        }
    }

    #[test]
    fn a_key_in_one_plan_takes_forty_bytes() {
        assert_eq!(size_of::<Entry>(), 40);
    }

    #[test]
    fn ids_are_ten_bytes_of_ascii() {
        assert!(KeyId::new("abcdefghij").is_some());
        assert!(KeyId::new("short").is_none());
        assert!(KeyId::new("abcdefgéx").is_none());
    }
}
