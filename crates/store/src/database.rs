//! One SQLite connection: only here are the library's types, its pragmas and its error codes known.

mod fault;
mod row;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
pub(crate) use rusqlite::{Params, types::Value};

use crate::OpenError;
pub(crate) use fault::{Fault, FaultKind};
pub(crate) use row::Row;

/// How long a connection waits for another one's lock. Only checkpoints and schema reads can meet.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements a connection keeps.
const STATEMENTS_CACHED: usize = 64;
/// Bytes that a write-ahead log keeps once all of it is in the file; a large commit may pass them.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// Pages that a copy reads in one step, and how long it leaves the disk to others between steps.
const PAGES_COPIED_AT_ONCE: std::ffi::c_int = 256;
const COPY_PAUSE: Duration = Duration::from_millis(1);

/// What a file is and how it came to be: `steps[n]` leads from version n to n + 1.
pub(crate) struct Schema {
    pub application_id: i32,
    pub steps: &'static [&'static str],
}

impl Schema {
    /// The version that all steps lead to.
    fn version(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}

/// An open connection.
pub(crate) struct Database(Connection);

impl Database {
    /// Opens or creates the file for writing and brings it to the newest schema version.
    pub fn open(path: &Path, schema: &Schema) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let database = Self::connect(path, flags).map_err(|fault| refused(path, fault))?;
        database.identify(path, schema)?;
        database
            .prepare_for_writing()
            .map_err(|fault| refused(path, fault))?;
        database
            .migrate(schema)
            .map_err(|fault| refused(path, fault))?;
        Ok(database)
    }

    /// Opens a file that exists, for reading only.
    pub fn open_reader(path: &Path) -> Result<Self, Fault> {
        // Read-write, since a reader of a WAL takes part in its shared index; the pragma forbids changes.
        let database = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        database.0.pragma_update(None, "query_only", true)?;
        database.forbid_checkpoint_at_close()?;
        Ok(database)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, Fault> {
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Database(connection))
    }

    /// Refuses files that are not ours or were written by a newer version, before changing a byte.
    pub fn identify(&self, path: &Path, schema: &Schema) -> Result<(), OpenError> {
        let look = || -> Result<(i32, u32, i64), Fault> {
            let id = self
                .0
                .pragma_query_value(None, "application_id", |row| row.get(0))?;
            let version = self
                .0
                .pragma_query_value(None, "user_version", |row| row.get(0))?;
            let tables = self
                .0
                .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            Ok((id, version, tables))
        };
        let (id, version, tables) = look().map_err(|fault| refused(path, fault))?;
        let fresh = id == 0 && version == 0 && tables == 0;
        if !fresh && id != schema.application_id {
            return Err(OpenError::Foreign { path: path.into() });
        }
        let known = schema.version();
        if version > known {
            return Err(OpenError::NewerSchema {
                path: path.into(),
                found: version,
                known,
            });
        }
        Ok(())
    }

    /// Durable at each commit, on every system.
    fn prepare_for_writing(&self) -> Result<(), Fault> {
        let mode: String = self
            .0
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(Fault::other(format!(
                "this file system cannot keep a write-ahead log (journal mode {mode})"
            )));
        }
        self.0.pragma_update(None, "synchronous", "FULL")?;
        self.0.pragma_update(None, "fullfsync", true)?;
        self.0.pragma_update(None, "checkpoint_fullfsync", true)?;
        self.0.pragma_update(None, "cell_size_check", true)?;
        self.0
            .pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_KEPT, |_| Ok(()))?;
        Ok(())
    }

    fn migrate(&self, schema: &Schema) -> Result<(), Fault> {
        let version: u32 = self
            .0
            .pragma_query_value(None, "user_version", |row| row.get(0))?;
        for (next, step) in (1_u32..)
            .zip(schema.steps)
            .filter(|(next, _)| *next > version)
        {
            let open = self.begin()?;
            self.0
                .pragma_update(None, "application_id", schema.application_id)?;
            self.0.execute_batch(step)?;
            self.0.pragma_update(None, "user_version", next)?;
            open.commit()?;
        }
        Ok(())
    }

    /// Begins a transaction that has the write lock from the start.
    pub fn begin(&self) -> Result<Open<'_>, Fault> {
        let behavior = TransactionBehavior::Immediate;
        Ok(Open(rusqlite::Transaction::new_unchecked(
            &self.0, behavior,
        )?))
    }

    /// Begins a look at one snapshot of the file.
    pub fn look(&self) -> Result<Open<'_>, Fault> {
        let behavior = TransactionBehavior::Deferred;
        Ok(Open(rusqlite::Transaction::new_unchecked(
            &self.0, behavior,
        )?))
    }

    /// Leaves the log as it is when this connection is the last to close; the next open reads it.
    pub fn forbid_checkpoint_at_close(&self) -> Result<(), Fault> {
        self.0
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(())
    }

    /// Whether no transaction is open: after a failed one, whether it could be rolled back.
    pub fn is_settled(&self) -> bool {
        self.0.is_autocommit()
    }

    /// Runs one statement and returns how many rows it changed.
    pub fn run(&self, sql: &str, params: impl Params) -> Result<usize, Fault> {
        Ok(self.0.prepare_cached(sql)?.execute(params)?)
    }

    /// The `seq` of the row inserted last.
    pub fn last_seq(&self) -> i64 {
        self.0.last_insert_rowid()
    }

    /// The first row found, if any.
    pub fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        take: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let mut statement = self.0.prepare_cached(sql)?;
        let found = statement
            .query_row(params, |row| Ok(take(&Row(row))))
            .optional()?;
        found.transpose()
    }

    /// Whether a query finds a row.
    pub fn exists(&self, sql: &str, params: impl Params) -> Result<bool, Fault> {
        Ok(self.0.prepare_cached(sql)?.exists(params)?)
    }

    /// All rows found, each turned into a value.
    pub fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut take: impl FnMut(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        self.each(sql, params, |row| {
            all.push(take(row)?);
            Ok::<_, Fault>(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// Streams rows, one in memory at a time, until `see` breaks or fails.
    pub fn each<E: From<Fault>>(
        &self,
        sql: &str,
        params: impl Params,
        mut see: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut statement = self.0.prepare_cached(sql).map_err(Fault::from)?;
        let mut rows = statement.query(params).map_err(Fault::from)?;
        while let Some(row) = rows.next().map_err(Fault::from)? {
            if see(&Row(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Copies the whole file, as the look that is open sees it, into a new file at `to`, a few pages at
    /// a time; `progress` hears of each step: pages done, and pages in all.
    pub fn copy_into(&self, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Fault> {
        let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Half a copy is thrown away whole, so it needs no journal; the caller syncs the file.
        target.pragma_update(None, "synchronous", "OFF")?;
        let backup = Backup::new(&self.0, &mut target)?;
        loop {
            let step = backup.step(PAGES_COPIED_AT_ONCE)?;
            let at = backup.progress();
            let (all, left) = (at.pagecount.max(0) as u64, at.remaining.max(0) as u64);
            progress(all - left.min(all), all);
            match step {
                StepResult::Done => return Ok(()),
                StepResult::More => std::thread::sleep(COPY_PAUSE),
                // Nobody else knows the target, and the look keeps the source as it is.
                _ => return Err(Fault::other("the copy met a lock")),
            }
        }
    }

    /// Whether every page and index is as it must be; the first trouble, otherwise.
    pub fn check_integrity(&self) -> Result<(), Fault> {
        let found = self.one("PRAGMA integrity_check(1)", (), |row| {
            Ok(row.text(0)?.to_owned())
        })?;
        match found.as_deref() {
            Some("ok") => Ok(()),
            other => Err(Fault {
                kind: FaultKind::Corrupt,
                reason: other.unwrap_or("no answer").to_owned(),
            }),
        }
    }

    /// Runs statements that return nothing, outside any transaction.
    pub fn batch(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.0.execute_batch(sql)?)
    }
}

/// A transaction in progress; dropped without `commit` (by an error or a panic) it is rolled back.
pub(crate) struct Open<'a>(rusqlite::Transaction<'a>);

impl Open<'_> {
    /// Returns once everything is durable.
    pub fn commit(self) -> Result<(), Fault> {
        Ok(self.0.commit()?)
    }
}

/// Words a failure to open for a person.
pub(crate) fn refused(path: &Path, fault: Fault) -> OpenError {
    let path = path.into();
    match fault.kind {
        FaultKind::Corrupt => OpenError::Corrupt {
            path,
            reason: fault.reason,
        },
        _ => OpenError::Database {
            path,
            reason: fault.reason,
        },
    }
}
