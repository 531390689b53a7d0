//! Keys in one plan with throttle and quota, as the decision meets them: the index, the counters, units that are reserved.

use tollgate_limiter::reserve::{Now, Past, Terms};
use tollgate_limiter::{
    Admitted, Counters, Day, Period, Rate, RateId, RateTable, Refused, Reserve, Start, Ticks,
    UNITS_MAX, admit,
};
use tollgate_proxy::key_index::{
    Digest, KeyEntry, KeyId, KeyIndex, Membership, Memberships, PlanIndex,
};

const TODAY: Day = Day(20_000);

/// A plan's keys, with throttle and quota that nothing uses up.
pub struct Keys {
    index: KeyIndex,
    counters: Counters,
    rates: RateTable,
    rate: RateId,
}

impl Keys {
    pub fn new(count: u64) -> Keys {
        let rates = RateTable::new();
        let limits = Rate::new(Some(1e6), Some(1_000_000));
        let rate = rates.edit(None, limits.unwrap().unwrap(), Ticks(0));
        let counters = Counters::new();
        let mut reserve = Reserve::new(Day(0));
        let mut entries = vec![];
        for key in 0..count {
            let slot = counters.allocate(Start::Full).unwrap();
            reserve.need(slot);
            let membership = Membership {
                plan: PlanIndex(0),
                slot,
            };
            let entry = KeyEntry {
                id: KeyId::new("abcdefghij").unwrap(),
                enabled: true,
                plans: Memberships::One(membership),
            };
            entries.push((digest(key), Some(entry)));
        }
        let mut index = KeyIndex::default();
        index.change(entries);
        reserve_units(&mut reserve, &counters);
        Keys {
            index,
            counters,
            rates,
            rate,
        }
    }

    /// What follows the digest: index, plan, throttle, quota, count. `now` must not go back.
    pub fn decide(&self, digest: &Digest, now: Ticks) -> Result<Admitted, Refused> {
        let entry = self.index.get(digest).unwrap();
        let membership = entry.plans[0];
        let counter = self.counters.get(membership.slot).unwrap();
        let throttles = [(&counter.throttle, self.rate)];
        let admitted = admit(&throttles, &self.rates, Some(&counter.quota), TODAY, now)?;
        counter.used.note(admitted.day);
        Ok(admitted)
    }
}

/// Every counter gets a thousandth of the largest quota there is.
fn reserve_units(reserve: &mut Reserve, counters: &Counters) {
    let now = Now {
        day: TODAY,
        at_ms: 0,
    };
    let terms = Some(Terms {
        limit: UNITS_MAX,
        period: Period::Month,
        offset: 0,
        extension: None,
    });
    loop {
        for load in reserve.loads(now) {
            let past = Past {
                terms,
                ..Past::default()
            };
            reserve.recover(counters, now, load, &past);
        }
        if reserve.next_batch(counters, now).is_empty() {
            return;
        }
        reserve.committed(counters);
    }
}

/// The digest of a key by its number: bytes as even as a keyed digest's.
pub fn digest(key: u64) -> Digest {
    let mut digest = [0; 16];
    let mut state = key;
    for half in digest.chunks_exact_mut(8) {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        half.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    digest
}
