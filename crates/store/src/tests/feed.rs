//! The feed: order, coalescing, and the barrier that commits wait at.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::Change;

/// Commits wait at most this long: far longer than any test runs.
const LONG: Duration = Duration::from_secs(600);

fn patient() -> Scratch {
    Scratch::with(StoreOptions {
        adoption_wait: LONG,
        ..StoreOptions::default()
    })
}

fn changed(id: &str) -> Change {
    Change::Other {
        kind: "note",
        parent: String::new(),
        id: id.into(),
    }
}

#[test]
fn without_a_feed_nobody_waits() {
    let scratch = patient();
    put(&scratch.store, note("", "n", 1));
    drop(scratch.store.feed());
    put(&scratch.store, note("", "n", 2));
}

#[test]
fn a_commit_that_changed_nothing_does_not_wait() {
    let scratch = patient();
    let _feed = scratch.store.feed();
    let nothing = scratch
        .store
        .commit_blocking(audit("Nothing"), |tx| tx.delete::<Note>("", "n"));
    assert_eq!(nothing, Ok(false));
}

#[test]
fn a_commit_returns_after_its_change_is_adopted() {
    let scratch = patient();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut feed = scratch.store.feed();
    let (told, events) = mpsc::channel();
    thread::scope(|scope| {
        for blocking in [true, false] {
            let (store, told, runtime) = (scratch.store.clone(), told.clone(), &runtime);
            let commit = scope.spawn(move || {
                match blocking {
                    true => put(&store, note("", "n", 1)),
                    false => runtime
                        .block_on(store.commit(audit("Put"), |tx| tx.put(&note("", "n", 2))))
                        .unwrap(),
                }
                told.send("returned").unwrap();
            });
            let changes = loop {
                match feed.try_next() {
                    Some(changes) => break changes,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(changes, [changed("n")]);
            feed.adopted(feed.revision() - 1); // not this one
            assert!(!commit.is_finished());
            events_so_far(&events, &[]);
            told_adopted(&feed);
            commit.join().unwrap();
            events_so_far(&events, &["returned"]);
        }
    });
}

fn told_adopted(feed: &crate::Feed) {
    feed.adopted(feed.revision());
}

fn events_so_far(events: &mpsc::Receiver<&'static str>, expected: &[&str]) {
    assert_eq!(events.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn one_commit_is_one_vector_and_several_are_joined_in_order() {
    let scratch = Scratch::with(StoreOptions {
        adoption_wait: Duration::ZERO, // so that the commits do not wait for this thread
        ..StoreOptions::default()
    });
    let mut feed = scratch.store.feed();
    let import = scratch.store.commit_blocking(audit("Import"), |tx| {
        for n in 0..100 {
            tx.insert_api_key(
                &key(&format!("k{n}"), None, None),
                &value_of(&format!("k{n}")),
            )?;
            tx.insert_plan_key("p", &format!("k{n}"))?;
        }
        Ok::<_, StoreError>(())
    });
    import.unwrap();
    put(&scratch.store, note("", "n", 1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let changes = runtime.block_on(feed.next());
    assert_eq!(changes.len(), 201);
    assert_eq!(changes[0], Change::ApiKey("k0".into()));
    assert_eq!(
        changes[1],
        Change::PlanKey {
            plan: "p".into(),
            key: "k0".into()
        }
    );
    assert_eq!(changes[200], changed("n"));
    assert_eq!((feed.revision(), feed.try_next()), (2, None));
}

#[test]
fn next_wakes_for_a_commit() {
    let scratch = Scratch::new();
    let mut feed = scratch.store.feed();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let commit = scratch
            .store
            .commit(audit("Put"), |tx| tx.put(&note("", "n", 1)));
        let adopt = async {
            let changes = feed.next().await;
            told_adopted(&feed);
            changes
        };
        let (commit, changes) = tokio::join!(commit, adopt);
        commit.unwrap();
        assert_eq!(changes, [changed("n")]);
    });
}

#[test]
fn a_data_plane_that_goes_or_is_replaced_frees_the_commits_that_wait_for_it() {
    let scratch = patient();
    let mut first = scratch.store.feed();
    thread::scope(|scope| {
        let commit = scope.spawn(|| put(&scratch.store, note("", "n", 1)));
        while first.try_next().is_none() {
            thread::yield_now();
        }
        let second = scratch.store.feed();
        commit.join().unwrap();
        assert_eq!(second.revision(), 1);
        let commit = scope.spawn(|| put(&scratch.store, note("", "n", 2)));
        drop(second);
        commit.join().unwrap();
        assert_eq!(first.try_next(), None, "the first feed has fallen silent");
    });
}

#[test]
fn changes_name_what_they_changed() {
    let scratch = Scratch::with(StoreOptions {
        adoption_wait: Duration::ZERO,
        ..StoreOptions::default()
    });
    let mut feed = scratch.store.feed();
    let extension = crate::Extension {
        plan_id: "p".into(),
        key_id: "k".into(),
        window_start_day: 20_000,
        delta: -5,
    };
    let commit = scratch.store.commit_blocking(audit("All"), |tx| {
        use tollgate_entity::{Account, Deployment, Resource, RestApi, Stage, UsagePlan};
        let api = || "a".to_owned();
        tx.put(&RestApi {
            id: api(),
            ..RestApi::default()
        })?;
        tx.put(&Resource {
            rest_api_id: api(),
            id: "r".into(),
            ..Resource::default()
        })?;
        tx.put(&Deployment {
            rest_api_id: api(),
            id: "d".into(),
            ..Deployment::default()
        })?;
        tx.put(&Stage {
            rest_api_id: api(),
            stage_name: "s".into(),
            ..Stage::default()
        })?;
        tx.put(&UsagePlan {
            id: "p".into(),
            ..UsagePlan::default()
        })?;
        tx.put(&Account::default())?;
        tx.put_extension(&extension)
    });
    commit.unwrap();
    let (api, deployment) = (|| "a".to_owned(), "d".to_owned());
    assert_eq!(
        feed.try_next().unwrap(),
        [
            Change::RestApi(api()),
            Change::Resource {
                api: api(),
                resource: "r".into()
            },
            Change::Deployment {
                api: api(),
                deployment
            },
            Change::Stage {
                api: api(),
                stage: "s".into()
            },
            Change::UsagePlan("p".into()),
            Change::Account,
            Change::Extension {
                plan: "p".into(),
                key: "k".into()
            },
        ]
    );
    let stored = scratch
        .store
        .read_blocking(|reader| reader.extension("p", "k"))
        .unwrap();
    assert_eq!(stored, Some(extension));
}
