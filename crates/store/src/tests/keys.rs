//! API keys and plan keys: finding, filtering, changing, deleting.

use super::*;
use crate::{Change, KeyRow, Listed};

/// A store with these keys (id, name, customer), made in this order.
fn with_keys(keys: &[(&str, Option<&str>, Option<&str>)]) -> Scratch {
    let scratch = Scratch::new();
    let made = scratch.store.commit_blocking(audit("ImportApiKeys"), |tx| {
        keys.iter().try_for_each(|(id, name, customer)| {
            tx.insert_api_key(&key(id, *name, *customer), &value_of(id))
        })
    });
    made.unwrap();
    scratch
}

fn ids(listed: Listed<ApiKey>) -> Vec<String> {
    listed.items.into_iter().map(|key| key.id).collect()
}

fn named(store: &Store, prefix: &str, customer: Option<&str>) -> Vec<String> {
    ids(look(store, |reader| {
        reader.api_keys(&page(None, 100, true), Some(prefix), customer)
    }))
}

#[test]
fn a_key_is_found_by_its_id_and_by_its_value_and_comes_without_it() {
    let scratch = with_keys(&[("k1", Some("one"), None), ("k2", None, None)]);
    let store = &scratch.store;
    let carried = ApiKey {
        value: Some(value_of("k3")),
        ..key("k3", None, None)
    };
    change(store, |tx| tx.insert_api_key(&carried, &value_of("k3")));
    look(store, |reader| {
        assert_eq!(reader.api_key("k1")?, Some(key("k1", Some("one"), None)));
        assert_eq!(reader.api_key("k3")?, Some(key("k3", None, None)));
        assert_eq!(reader.api_key("k4")?, None);
        assert_eq!(
            reader.api_key_by_value(&value_of("k2"))?,
            Some(key("k2", None, None))
        );
        assert_eq!(reader.api_key_by_value(&value_of("K2"))?, None);
        assert_eq!(
            reader.api_key_value("k2")?.unwrap().expose(),
            value_of("k2")
        );
        assert_eq!(reader.api_key_value("k4")?, None);
        Ok(())
    });
}

#[test]
fn rows_for_the_data_plane_have_the_digest_that_the_digester_makes() {
    let scratch = with_keys(&[("k1", None, None), ("k2", None, None)]);
    let scratch = scratch.reopened();
    let store = &scratch.store;
    let row = |id: &str, enabled| KeyRow {
        id: id.into(),
        digest: store.digester().digest(value_of(id)),
        enabled,
    };
    change(store, |tx| {
        tx.put_api_key(&ApiKey {
            enabled: false,
            ..key("k2", None, None)
        })
    });
    let mut rows = Vec::new();
    look(store, |reader| reader.for_each_key(|row| rows.push(row)));
    assert_eq!(rows, [row("k1", true), row("k2", false)]);
    assert_eq!(
        look(store, |reader| reader.key_row("k2")),
        Some(row("k2", false))
    );
    assert_eq!(look(store, |reader| reader.key_row("k3")), None);
}

#[test]
fn a_value_belongs_to_one_key() {
    let scratch = with_keys(&[("k1", None, None)]);
    let twice = scratch.store.commit_blocking(audit("Import"), |tx| {
        let same_value = tx.insert_api_key(&key("k2", None, None), &value_of("k1"));
        let same_id = tx.insert_api_key(&key("k1", None, None), &value_of("k2"));
        tx.insert_api_key(&key("k3", None, None), &value_of("k3"))?; // a refusal ends nothing
        Ok::<_, StoreError>((same_value, same_id))
    });
    let (same_value, same_id) = twice.unwrap();
    assert_eq!(same_value, Err(StoreError::Duplicate));
    assert_eq!(
        same_id,
        Err(StoreError::Exists {
            kind: "api_key",
            id: "k1".into()
        })
    );
    assert_eq!(named(&scratch.store, "", None), ["k3", "k1"]);
    // A deleted key's value is free again.
    change(&scratch.store, |tx| tx.delete_api_key("k1"));
    change(&scratch.store, |tx| {
        tx.insert_api_key(&key("k4", None, None), &value_of("k1"))
    });
}

#[test]
fn the_name_prefix_is_exact_for_any_characters() {
    let names = [
        "abc",
        "ABC",
        "abd",
        "a%c",
        "a_c",
        "ab",
        "a\\",
        "ümlaut",
        "üm\u{10FFFF}x",
        "\u{10FFFF}y",
        "\u{D7FF}z",
        "\u{E000}z",
        "nul\0inside",
        "nul\0other",
    ];
    let ids: Vec<String> = (0..names.len()).map(|n| format!("k{n:02}")).collect();
    let keys: Vec<_> = ids
        .iter()
        .zip(names)
        .map(|(id, name)| (id.as_str(), Some(name), None))
        .collect();
    let scratch = with_keys(&keys);
    change(&scratch.store, |tx| {
        tx.insert_api_key(&key("nameless", None, None), &value_of("n"))
    });
    let prefixes = names
        .iter()
        .flat_map(|name| name.char_indices().map(|(end, _)| &name[..end]));
    for prefix in prefixes
        .chain(names)
        .chain(["%", "_", "A", "ab_", "\u{D7FF}", "x"])
    {
        let mut expected: Vec<&String> = ids
            .iter()
            .zip(names)
            .filter(|(_, name)| name.starts_with(prefix))
            .map(|(id, _)| id)
            .collect();
        expected.reverse();
        let found = named(&scratch.store, prefix, None);
        let found: Vec<&String> = found.iter().filter(|id| *id != "nameless").collect();
        assert_eq!(found, expected, "{prefix:?}");
    }
    assert_eq!(named(&scratch.store, "", None).len(), names.len() + 1);
}

#[test]
fn filters_and_pages_work_together() {
    let keys: Vec<(String, String, &str)> = (0..20)
        .map(|n| {
            (
                format!("k{n:02}"),
                format!("{}{n}", ["x", "y"][n % 2]),
                ["c1", "c2"][n / 10],
            )
        })
        .collect();
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, name, c)| (id.as_str(), Some(name.as_str()), Some(*c)))
        .collect();
    let scratch = with_keys(&keys);
    let walk = |limit, newest_first, prefix: Option<&str>, customer: Option<&str>| {
        let (mut all, mut position) = (Vec::new(), None);
        loop {
            let wanted = page(position, limit, newest_first);
            let found = look(&scratch.store, |reader| {
                reader.api_keys(&wanted, prefix, customer)
            });
            position = found.next;
            all.extend(ids(found));
            if position.is_none() {
                return all;
            }
        }
    };
    for limit in [1, 3, 5, 50] {
        let every = walk(limit, true, None, None);
        assert_eq!(
            (every.len(), every[0].as_str(), every[19].as_str()),
            (20, "k19", "k00")
        );
        assert_eq!(
            walk(limit, false, Some("y"), Some("c1")),
            ["k01", "k03", "k05", "k07", "k09"]
        );
        assert_eq!(
            walk(limit, true, Some("x1"), None),
            ["k18", "k16", "k14", "k12", "k10"]
        );
        assert_eq!(walk(limit, true, None, Some("c2")).len(), 10);
        assert_eq!(walk(limit, true, None, Some("C2")), [""; 0]);
    }
}

#[test]
fn a_changed_key_is_filtered_by_what_it_is_now() {
    let scratch = with_keys(&[("k1", Some("old"), Some("c1"))]);
    let changed = key("k1", Some("new"), None);
    assert!(change(&scratch.store, |tx| tx.put_api_key(&changed)));
    assert!(!change(&scratch.store, |tx| tx.put_api_key(&key("k2", None, None))));
    assert_eq!(named(&scratch.store, "old", None), [""; 0]);
    assert_eq!(named(&scratch.store, "", Some("c1")), [""; 0]);
    assert_eq!(named(&scratch.store, "new", None), ["k1"]);
    assert_eq!(
        look(&scratch.store, |reader| reader.api_key("k1")),
        Some(changed)
    );
    let value = look(&scratch.store, |reader| reader.api_key_value("k1"));
    assert_eq!(value.unwrap().expose(), value_of("k1"), "its value stays");
}

#[test]
fn plan_keys_are_listed_both_ways() {
    let scratch = with_keys(&[
        ("k1", Some("a"), None),
        ("k2", Some("b"), None),
        ("k3", None, None),
    ]);
    let store = &scratch.store;
    let plan = |id: &str| tollgate_entity::UsagePlan {
        id: id.into(),
        ..Default::default()
    };
    change(store, |tx| {
        tx.put(&plan("p1"))?;
        tx.put(&plan("p2"))?;
        for (plan, key) in [("p2", "k3"), ("p1", "k1"), ("p1", "k3"), ("p1", "k2")] {
            assert!(tx.insert_plan_key(plan, key)?);
        }
        assert!(!tx.insert_plan_key("p1", "k2")?);
        Ok(())
    });
    look(store, |reader| {
        assert_eq!(reader.key_plans("k3")?, ["p2", "p1"]);
        assert!(reader.plan_key_exists("p1", "k3")? && !reader.plan_key_exists("p2", "k1")?);
        let first = reader.plan_keys("p1", &page(None, 2, true), None)?;
        let next = page(first.next, 2, true);
        assert_eq!(ids(first), ["k2", "k3"]);
        assert_eq!(ids(reader.plan_keys("p1", &next, None)?), ["k1"]);
        assert_eq!(
            ids(reader.plan_keys("p1", &page(None, 9, true), Some("a"))?),
            ["k1"]
        );
        assert_eq!(
            ids(reader.plan_keys("unknown", &page(None, 9, true), None)?),
            [""; 0]
        );
        assert_eq!(reader.key_in_both("p1", "p2")?.as_deref(), Some("k3"));
        assert_eq!(reader.key_in_both("p1", "p9")?, None);
        let plans = reader.plans_of_key("k3", &page(None, 1, false))?;
        assert_eq!(
            (plans.items[0].id.as_str(), plans.next.is_some()),
            ("p2", true)
        );
        assert_eq!(reader.plans_of_key("k9", &Page::ALL)?.items, []);
        Ok(())
    });
}

#[test]
fn deleting_takes_the_plan_keys_along() {
    let scratch = with_keys(&[("k1", None, None), ("k2", None, None)]);
    let store = &scratch.store;
    change(store, |tx| {
        for (plan, key) in [("p1", "k1"), ("p2", "k1"), ("p1", "k2"), ("p2", "k2")] {
            tx.insert_plan_key(plan, key)?;
        }
        Ok(())
    });
    let all = |store: &Store| {
        let mut all = Vec::new();
        look(store, |reader| {
            reader.for_each_plan_key(|plan, key| all.push(format!("{plan}/{key}")))
        });
        all
    };
    assert_eq!(all(store), ["p1/k1", "p2/k1", "p1/k2", "p2/k2"]);
    assert!(change(store, |tx| tx.delete_api_key("k1")));
    assert!(!change(store, |tx| tx.delete_api_key("k1")));
    assert_eq!(all(store), ["p1/k2", "p2/k2"]);
    change(store, |tx| tx.delete_plan_keys("p1"));
    assert!(change(store, |tx| tx.delete_plan_key("p2", "k2")));
    assert!(!change(store, |tx| tx.delete_plan_key("p2", "k2")));
    assert!(all(store).is_empty());
}

#[test]
fn deleting_a_key_tells_the_data_plane_of_its_plan_keys_too() {
    let directory = tempfile::tempdir().unwrap();
    let adoption_wait = std::time::Duration::ZERO;
    let options = StoreOptions {
        adoption_wait,
        ..StoreOptions::default()
    };
    let store = Store::open(directory.path(), options).unwrap();
    change(&store, |tx| {
        tx.insert_api_key(&key("k1", None, None), &value_of("k1"))?;
        tx.insert_plan_key("p1", "k1")
    });
    let mut feed = store.feed();
    change(&store, |tx| tx.delete_api_key("k1"));
    let plan_key = Change::PlanKey {
        plan: "p1".into(),
        key: "k1".into(),
    };
    assert_eq!(
        feed.try_next().unwrap(),
        [plan_key, Change::ApiKey("k1".into())]
    );
}
