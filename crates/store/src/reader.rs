//! Looking at one snapshot of the configuration, and the connections that readers share.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::StoreError;
use crate::database::{Database, Fault};
use crate::vault::Vault;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The `next` of the page before; none for the first page.
    pub position: Option<i64>,
    /// Items at most; 0 counts as 1.
    pub limit: usize,
    /// Newest first, or in the order of creation.
    pub newest_first: bool,
}

impl Page {
    /// Everything there is, in the order of creation.
    pub const ALL: Page = Page {
        position: None,
        limit: usize::MAX,
        newest_first: false,
    };

    /// The comparison and the order of `seq` in SQL, and the `seq` after which the page begins.
    pub(crate) fn in_sql(&self) -> (&'static str, &'static str, i64) {
        match self.newest_first {
            true => ("<", "DESC", self.position.unwrap_or(i64::MAX)),
            false => (">", "ASC", self.position.unwrap_or(0)),
        }
    }

    /// Rows to ask for: one more than shown tells whether there is a next page.
    pub(crate) fn rows(&self) -> i64 {
        i64::try_from(self.limit.max(1).saturating_add(1)).unwrap_or(i64::MAX)
    }

    /// Cuts `rows` rows to the page.
    pub(crate) fn cut<T>(&self, mut rows: Vec<(i64, T)>) -> Listed<T> {
        let more = rows.len() > self.limit.max(1);
        rows.truncate(self.limit.max(1));
        let next = if more {
            rows.last().map(|(seq, _)| *seq)
        } else {
            None
        };
        Listed {
            items: rows.into_iter().map(|(_, item)| item).collect(),
            next,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// The position of the next page; none when this is the last.
    pub next: Option<i64>,
}

/// A consistent look at the configuration: everything read through it is of one moment.
pub struct Reader<'a> {
    pub(crate) database: &'a Database,
    pub(crate) vault: &'a Vault,
}

impl Reader<'_> {
    /// How many commits there have been; it only grows, through restarts too.
    pub fn revision(&self) -> Result<u64, StoreError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'audit'";
        Ok(self.database.one(sql, (), |row| row.count(0))?.unwrap_or(0))
    }
}

/// Read-only connections to one file, opened when first needed and shared.
pub(crate) struct Readers {
    path: PathBuf,
    /// Connections at most.
    most: usize,
    state: Mutex<ReadersState>,
    returned: Condvar,
}

#[derive(Default)]
struct ReadersState {
    idle: Vec<Database>,
    open: usize,
}

impl Readers {
    pub fn new(path: PathBuf, most: usize) -> Self {
        Readers {
            path,
            most,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Lends a connection to `look`; waits while all are lent.
    pub fn with<T, E: From<Fault>>(
        &self,
        look: impl FnOnce(&Database) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut place = self.place();
        let database = match place.database.take() {
            Some(database) => database,
            None => Database::open_reader(&self.path)?,
        };
        look(place.database.insert(database))
    }

    fn place(&self) -> Place<'_> {
        let full = |state: &mut ReadersState| state.idle.is_empty() && state.open >= self.most;
        let waited = self.returned.wait_while(self.state(), full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let database = state.idle.pop();
        if database.is_none() {
            state.open += 1;
        }
        Place {
            readers: self,
            database,
        }
    }

    fn state(&self) -> MutexGuard<'_, ReadersState> {
        // Nothing that holds this lock can panic half-way, so its contents are whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the connections while it is lent, however the lending ends.
struct Place<'a> {
    readers: &'a Readers,
    database: Option<Database>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state();
        match self.database.take() {
            Some(database) => state.idle.push(database),
            None => state.open -= 1, // it could not be opened
        }
        drop(state);
        self.readers.returned.notify_one();
    }
}
