//! What must be found after a power cut, from what the process had sent by then.

use std::collections::HashMap;

use tollgate_entity::UsagePlan;
use tollgate_store::{LastStamp, OpenError, Page, Reader, Store, StoreError, StoreOptions};

use super::disk::Found;
use super::trace::Act;
use crate::api::{Key, Plan};
use crate::harness::Dice;

/// A key in a plan, and its quota.
pub struct Customer {
    pub plan: Plan,
    pub key: Key,
    pub limit: Option<u64>,
}

/// What the world outside knows at a moment.
pub struct Known {
    customers: Vec<Customer>,
    /// Which customer a call's marker is of.
    markers: HashMap<u64, usize>,
    /// Calls sent on to the upstream, for each customer.
    admitted: Vec<u64>,
    admitted_last_ms: i64,
    /// The descriptions of the first plan that were acknowledged, by number, in their order.
    changed: Vec<u64>,
    /// Name and value of the keys whose making was acknowledged.
    made: Vec<(String, String, String)>,
}

impl Known {
    pub fn new(customers: Vec<Customer>, markers: Vec<(u64, usize)>) -> Known {
        Known {
            admitted: vec![0; customers.len()],
            customers,
            markers: markers.into_iter().collect(),
            admitted_last_ms: 0,
            changed: Vec::new(),
            made: Vec::new(),
        }
    }

    pub fn admitted_total(&self) -> usize {
        self.admitted.iter().sum::<u64>() as usize
    }

    /// Takes note of what the process says to the upstream and to the administrator.
    pub fn hear(&mut self, at_ms: i64, act: &Act) {
        let Act::Say(bytes) = act else { return };
        let text = String::from_utf8_lossy(bytes);
        for after in text.split("x-marker: ").skip(1) {
            let marker = after.split('\r').next().unwrap().parse().unwrap();
            self.admitted[self.markers[&marker]] += 1;
            self.admitted_last_ms = at_ms;
        }
        if !text.starts_with("HTTP/1.1 20") {
            return;
        }
        if let Some(number) = between(&text, "\"description\":\"change-", ".\"") {
            self.changed.push(number.parse().unwrap());
        }
        if let Some(number) = between(&text, "\"name\":\"made-", ".\"") {
            let part = |name: &str| between(&text, &format!("\"{name}\":\""), "\"").unwrap();
            self.made
                .push((part("id"), format!("made-{number}."), part("value")));
        }
    }

    /// Puts the files where a store looks for them, opens it twice, and looks for everything known.
    pub fn check(&self, found: &Found, what: &str, dice: &mut Dice) {
        let place = laid_out(found, dice);
        for opening in ["first", "second"] {
            let data = place.path().join("data");
            // A program that another test starts holds this one's lock until it is itself.
            let store = crate::harness::wait_until("the lock", || {
                match Store::open(&data, StoreOptions::default()) {
                    Err(OpenError::Locked { .. }) => None,
                    opened => Some(opened),
                }
            })
            .unwrap_or_else(|error| panic!("{what}: the {opening} opening: {error}"));
            self.check_configuration(&store, what);
            self.check_ledger(&store, what);
        }
    }

    fn check_configuration(&self, store: &Store, what: &str) {
        let mut audited: Vec<u64> = Vec::new();
        let seen: Result<_, StoreError> = store.read_blocking(|reader: &Reader<'_>| {
            for (id, name, value) in &self.made {
                let key = reader.api_key(id)?;
                assert_eq!(
                    key.and_then(|key| key.name).as_ref(),
                    Some(name),
                    "{what}: a key that was made"
                );
                let kept = reader.api_key_value(id)?;
                assert_eq!(
                    kept.as_ref().map(|v| v.expose()),
                    Some(value.as_str()),
                    "{what}: its value"
                );
                assert!(
                    reader.api_key_by_value(value)?.is_some(),
                    "{what}: its digest"
                );
            }
            let mut page = Page {
                position: None,
                limit: 1000,
                newest_first: false,
            };
            loop {
                let listed = reader.audit(&page)?;
                for row in listed.items {
                    let asked = row.audit.what.to_string();
                    let number = between(&asked, "change-", ".").map(|n| n.parse::<u64>().unwrap());
                    audited.extend(number.filter(|_| row.audit.operation == "UpdateUsagePlan"));
                }
                match listed.next {
                    None => break,
                    next => page.position = next,
                }
            }
            let plan = self.customers[0].plan.id.as_str();
            reader.get::<UsagePlan>("", plan)
        });
        let plan = seen.unwrap_or_else(|error| panic!("{what}: {error}"));
        let description = plan.and_then(|plan| plan.description).unwrap_or_default();
        let number = between(&description, "change-", ".").map(|n| n.parse::<u64>().unwrap());
        assert_eq!(
            audited.last(),
            number.as_ref(),
            "{what}: the plan and its last audit row"
        );
        // The one change whose answer was not sent yet may be there too, one for each run of the process.
        let lost = self.changed.iter().find(|one| !audited.contains(one));
        assert_eq!(lost, None, "{what}: an acknowledged change is gone");
        assert!(audited.is_sorted(), "{what}: {audited:?}");
        assert!(
            number >= self.changed.last().copied(),
            "{what}: the plan is older than acknowledged"
        );
    }

    fn check_ledger(&self, store: &Store, what: &str) {
        let writer = store.ledger().writer().unwrap();
        if self.admitted_total() > 0 {
            let LastStamp::Alive(alive) = writer.last_stamp() else {
                panic!("{what}: the stamp of life is {:?}", writer.last_stamp());
            };
            assert!(
                alive.until_wall_ms >= self.admitted_last_ms,
                "{what}: a call was admitted after the process was said to have ended"
            );
        }
        for (customer, admitted) in self.customers.iter().zip(&self.admitted) {
            let (plan, key) = (&customer.plan.id, &customer.key.id);
            let account = writer.account(plan, key).unwrap();
            let reserved = account.map_or(0, |row| row.reserved);
            let used: u64 = writer
                .used_between(plan, key, i32::MIN..i32::MAX)
                .unwrap()
                .iter()
                .map(|day| day.used)
                .sum();
            // A call that is admitted may not have been sent on yet.
            assert!(
                used <= *admitted + super::CONNECTIONS as u64,
                "{what}: {used} used, but the upstream saw {admitted} with {key}"
            );
            if let Some(limit) = customer.limit {
                assert!(
                    *admitted <= reserved && reserved <= limit,
                    "{what}: {reserved} of {limit} reserved, but the upstream saw {admitted} with {key}"
                );
            }
        }
    }
}

/// The files in a directory of their own.
pub fn laid_out(found: &Found, dice: &mut Dice) -> tempfile::TempDir {
    let place = tempfile::tempdir_in(memory()).unwrap();
    for (name, bytes) in found {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut bytes = bytes.clone();
        if name.ends_with("-shm") {
            // Written through memory, so not in the trace, and of no meaning after a cut: anything may be there.
            bytes = (0..32_768).map(|_| dice.roll() as u8).collect();
        }
        std::fs::write(path, bytes).unwrap();
    }
    place
}

/// States are built in memory where the system has such a place: it is their content that is checked.
fn memory() -> std::path::PathBuf {
    let memory = std::path::PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0.to_owned())
}
