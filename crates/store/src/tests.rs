//! Tests of what the store promises, through its public interface, each in a directory of its own.

mod commit;
mod directory;
mod feed;
mod keys;
mod ledger;
mod ledger_failures;
mod restore;
mod rotation;
mod secrets;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tollgate_entity::{ApiKey, Timestamp};

use crate::{
    AccountRow, Audit, Document, LedgerBatch, LedgerWriter, OpenError, Page, Reader, Store,
    StoreError, StoreOptions, UsedRow,
};

/// A store in a directory that goes away with it.
struct Scratch {
    store: Store,
    directory: TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self::with(StoreOptions::default())
    }

    fn with(options: StoreOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), options).unwrap();
        Scratch { store, directory }
    }

    /// Closes the store and opens its directory again.
    fn reopened(self) -> Self {
        let Scratch { store, directory } = self;
        drop(store);
        let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
        Scratch { store, directory }
    }

    /// What a crash at this moment would leave: a copy of the files as they are.
    fn crashed(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for file in files(self.directory.path()) {
            std::fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
        }
        copy
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn open(directory: &Path) -> Result<Store, OpenError> {
    Store::open(directory, StoreOptions::default())
}

fn audit(operation: &str) -> Audit {
    Audit {
        who: "AKIATEST".into(),
        operation: operation.into(),
        request_id: "r-1".into(),
        source_ip: "127.0.0.1".into(),
        what: serde_json::json!({ "id": "x" }),
        at: Timestamp(1_800_000_000),
    }
}

/// A document of the tests' own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Note {
    #[serde(skip)]
    shelf: String,
    id: String,
    count: u32,
}

impl Document for Note {
    const KIND: &'static str = "note";

    fn id(&self) -> &str {
        &self.id
    }

    fn parent(&self) -> &str {
        &self.shelf
    }

    fn of_parent(self, parent: &str) -> Self {
        Note {
            shelf: parent.into(),
            ..self
        }
    }
}

fn note(shelf: &str, id: &str, count: u32) -> Note {
    Note {
        shelf: shelf.into(),
        id: id.into(),
        count,
    }
}

fn key(id: &str, name: Option<&str>, customer_id: Option<&str>) -> ApiKey {
    ApiKey {
        id: id.into(),
        name: name.map(str::to_owned),
        customer_id: customer_id.map(str::to_owned),
        enabled: true,
        ..ApiKey::default()
    }
}

/// A value for a key that no other key has.
fn value_of(id: &str) -> String {
    format!("value-of-{id}-0123456789012345")
}

fn put(store: &Store, note: Note) {
    store
        .commit_blocking(audit("PutNote"), |tx| tx.put(&note))
        .unwrap();
}

fn counts(store: &Store, shelf: &str) -> Vec<u32> {
    let notes = store.read_blocking(|reader| reader.list::<Note>(shelf));
    notes.unwrap().into_iter().map(|note| note.count).collect()
}

fn page(position: Option<i64>, limit: usize, newest_first: bool) -> Page {
    Page {
        position,
        limit,
        newest_first,
    }
}

/// Fails a closure that has changed something.
fn give_up<T>() -> Result<T, StoreError> {
    Err(StoreError::Database("given up".into()))
}

fn change<T>(
    store: &Store,
    change: impl FnOnce(&mut crate::Transaction<'_>) -> Result<T, StoreError>,
) -> T {
    store.commit_blocking(audit("Change"), change).unwrap()
}

fn look<T>(store: &Store, look: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>) -> T {
    store.read_blocking(look).unwrap()
}

fn account(plan: &str, key: &str, reserved: u64) -> AccountRow {
    let (plan_id, key_id) = (plan.into(), key.into());
    AccountRow {
        plan_id,
        key_id,
        window_start_day: 20_000,
        window_end_day: 20_001,
        reserved,
    }
}

fn used(plan: &str, key: &str, day: i32, used: u64) -> UsedRow {
    let (plan_id, key_id) = (plan.into(), key.into());
    UsedRow {
        plan_id,
        key_id,
        day,
        used,
        remaining: Some(1000 - used),
        written_off: 0,
    }
}

fn accounts(writer: &LedgerWriter) -> Vec<AccountRow> {
    let mut all = Vec::new();
    writer.accounts(|row| all.push(row)).unwrap();
    all
}

fn raise(reserved: u64) -> LedgerBatch {
    LedgerBatch {
        accounts: vec![account("p", "k", reserved)],
        ..LedgerBatch::default()
    }
}
