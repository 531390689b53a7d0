//! Commits: all or nothing, none lost, each with its audit row; reads of one moment; paging.

use std::thread;

use super::*;
use crate::{AuditRow, Listed};

fn count_of(store: &Store, id: &str) -> u32 {
    let found = store
        .read_blocking(|reader| reader.get::<Note>("", id))
        .unwrap();
    found.map_or(0, |note| note.count)
}

fn audited(store: &Store) -> Vec<AuditRow> {
    store
        .read_blocking(|reader| reader.audit(&Page::ALL))
        .unwrap()
        .items
}

#[test]
fn eight_threads_lose_no_update() {
    let scratch = Scratch::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let add_one = scratch.store.commit_blocking(audit("AddOne"), |tx| {
                        let count = tx.get::<Note>("", "n")?.map_or(0, |note| note.count);
                        tx.put(&note("", "n", count + 1))
                    });
                    add_one.unwrap();
                }
            });
        }
    });
    assert_eq!(count_of(&scratch.store, "n"), 400);
    assert_eq!(audited(&scratch.store).len(), 400);
}

#[test]
fn a_failing_commit_leaves_nothing() {
    let scratch = Scratch::new();
    put(&scratch.store, note("", "kept", 1));
    let mut feed = scratch.store.feed();
    let failed = scratch.store.commit_blocking(audit("Fail"), |tx| {
        tx.put(&note("", "kept", 2))?;
        tx.put(&note("", "new", 1))?;
        tx.insert_api_key(&key("k", None, None), &value_of("k"))?;
        tx.insert_plan_key("p", "k")?;
        tx.create_access_key("somebody")?;
        assert_eq!(
            tx.get::<Note>("", "kept")?.unwrap().count,
            2,
            "it sees its own changes"
        );
        give_up::<()>()
    });
    assert_eq!(failed, give_up());
    let store = &scratch.store;
    assert_eq!((count_of(store, "kept"), count_of(store, "new")), (1, 0));
    let left = store.read_blocking(|reader| {
        Ok::<_, StoreError>((
            reader.api_key("k")?.is_some(),
            reader.plan_key_exists("p", "k")?,
            reader.access_keys_exist()?,
        ))
    });
    assert_eq!(left.unwrap(), (false, false, false));
    assert_eq!(audited(store).len(), 1);
    assert_eq!(feed.try_next(), None);
}

#[test]
fn a_panic_in_a_commit_leaves_nothing_and_does_no_lasting_harm() {
    let scratch = Scratch::new();
    let store = scratch.store.clone();
    let panicked = thread::spawn(move || {
        store.commit_blocking(audit("Panic"), |tx| {
            tx.put(&note("", "n", 1))?;
            assert!(tx.get::<Note>("", "n")?.is_none(), "this is the panic");
            Ok::<_, StoreError>(())
        })
    });
    assert!(panicked.join().is_err());
    assert_eq!(count_of(&scratch.store, "n"), 0);
    put(&scratch.store, note("", "n", 2));
    assert_eq!(count_of(&scratch.store, "n"), 2);
}

#[test]
fn what_is_committed_is_there_after_a_restart_and_after_a_crash() {
    let scratch = Scratch::new();
    put(&scratch.store, note("", "n", 7));
    let crashed = scratch.crashed();
    assert_eq!(count_of(&open(crashed.path()).unwrap(), "n"), 7);
    let scratch = scratch.reopened();
    assert_eq!(count_of(&scratch.store, "n"), 7);
    assert_eq!(audited(&scratch.store).len(), 1);
}

#[test]
fn a_read_sees_one_moment() {
    let scratch = Scratch::new();
    put(&scratch.store, note("", "n", 1));
    let seen = scratch.store.read_blocking(|reader| {
        let before = reader.get::<Note>("", "n")?;
        let store = scratch.store.clone();
        thread::spawn(move || put(&store, note("", "n", 2)))
            .join()
            .unwrap();
        Ok::<_, StoreError>((before, reader.get::<Note>("", "n")?))
    });
    let (before, after) = seen.unwrap();
    assert_eq!(before, after);
    assert_eq!(count_of(&scratch.store, "n"), 2);
}

#[test]
fn more_readers_than_connections_wait_their_turn() {
    let scratch = Scratch::new();
    put(&scratch.store, note("", "n", 1));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(count_of(&scratch.store, "n"), 1)));
        }
    });
}

#[test]
fn the_audit_row_says_what_the_commit_did() {
    let scratch = Scratch::new();
    let commit = scratch.store.commit_blocking(audit("CreateNote"), |tx| {
        tx.audit_mut().what = serde_json::json!({ "id": "made inside" });
        tx.put(&note("", "n", 1))
    });
    commit.unwrap();
    put(&scratch.store, note("", "n", 2));
    let rows = audited(&scratch.store);
    let expected = Audit {
        what: serde_json::json!({ "id": "made inside" }),
        ..audit("CreateNote")
    };
    assert_eq!(
        rows[0],
        AuditRow {
            seq: 1,
            audit: expected
        }
    );
    assert_eq!(
        rows[1],
        AuditRow {
            seq: 2,
            audit: audit("PutNote")
        }
    );
    assert_eq!(
        scratch.store.read_blocking(|reader| reader.revision()),
        Ok(2)
    );
    let newest = scratch
        .store
        .read_blocking(|reader| reader.audit(&page(None, 1, true)))
        .unwrap();
    assert_eq!((newest.items[0].seq, newest.next), (2, Some(2)));
}

#[test]
fn documents_keep_their_place_and_their_parent() {
    let scratch = Scratch::new();
    for (shelf, id, count) in [("a", "z", 1), ("b", "x", 2), ("a", "y", 3), ("a", "z", 4)] {
        put(&scratch.store, note(shelf, id, count));
    }
    assert_eq!(counts(&scratch.store, "a"), [4, 3]);
    assert_eq!(counts(&scratch.store, "b"), [2]);
    let found = scratch
        .store
        .read_blocking(|reader| reader.get::<Note>("a", "z"))
        .unwrap();
    assert_eq!(found, Some(note("a", "z", 4)));
    let other = scratch
        .store
        .read_blocking(|reader| reader.get::<Note>("b", "z"))
        .unwrap();
    assert_eq!(other, None);
}

#[test]
fn insert_refuses_what_exists_and_delete_says_whether_there_was_one() {
    let scratch = Scratch::new();
    put(&scratch.store, note("a", "n", 1));
    let inserted = scratch
        .store
        .commit_blocking(audit("Insert"), |tx| tx.insert(&note("a", "n", 2)));
    assert_eq!(
        inserted,
        Err(StoreError::Exists {
            kind: "note",
            id: "n".into()
        })
    );
    let deleted = scratch.store.commit_blocking(audit("Delete"), |tx| {
        tx.insert(&note("a", "m", 2))?;
        tx.insert(&note("b", "n", 3))?;
        Ok::<_, StoreError>([tx.delete::<Note>("a", "n")?, tx.delete::<Note>("a", "n")?])
    });
    assert_eq!(deleted.unwrap(), [true, false]);
    scratch
        .store
        .commit_blocking(audit("Clear"), |tx| tx.delete_children::<Note>("a"))
        .unwrap();
    assert_eq!(
        (counts(&scratch.store, "a"), counts(&scratch.store, "b")),
        (vec![], vec![3])
    );
}

#[test]
fn pages_join_without_gap_or_repeat_in_both_orders() {
    let scratch = Scratch::new();
    let all: Vec<u32> = (0..23).collect();
    let fill = scratch.store.commit_blocking(audit("Fill"), |tx| {
        all.iter()
            .try_for_each(|n| tx.insert(&note("", &format!("n{n}"), *n)))
    });
    fill.unwrap();
    for limit in [1, 5, 23, 100] {
        assert_eq!(walk(&scratch.store, limit, false, |_| true), all);
        let odd: Vec<u32> = all.iter().rev().copied().filter(|n| n % 2 == 1).collect();
        assert_eq!(
            walk(&scratch.store, limit, true, |note| note.count % 2 == 1),
            odd
        );
    }
}

/// All pages of the notes that `keep` accepts; every page but the last is full, none is empty.
fn walk(store: &Store, limit: usize, newest_first: bool, keep: fn(&Note) -> bool) -> Vec<u32> {
    let (mut all, mut position) = (Vec::new(), None);
    loop {
        let wanted = page(position, limit, newest_first);
        let found: Listed<Note> = store
            .read_blocking(|reader| reader.page("", &wanted, keep))
            .unwrap();
        assert!(!found.items.is_empty());
        all.extend(found.items.into_iter().map(|note| note.count));
        match found.next {
            Some(next) => position = Some(next),
            None => return all,
        }
    }
}

#[test]
fn commits_and_reads_run_beside_a_runtime() {
    let scratch = Scratch::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let store = scratch.store.clone();
    // A task of its own: the futures can go from thread to thread.
    let task = runtime.spawn(async move {
        let put = |tx: &mut crate::Transaction<'_>| tx.put(&note("", "n", 3));
        store.commit(audit("Put"), put).await.unwrap();
        let look = |reader: &Reader<'_>| reader.get::<Note>("", "n");
        assert_eq!(store.read(look).await, Ok(Some(note("", "n", 3))));
        let failed = store.commit(audit("Fail"), |_| give_up::<()>()).await;
        assert_eq!(failed, give_up());
    });
    runtime.block_on(task).unwrap();
}
