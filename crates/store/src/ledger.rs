//! The usage ledger, `usage.db`: what was reserved (decides) and what was used (reports).
//!
//! It is written by one [`LedgerWriter`], in batches, each durable when `write` returns, and read by
//! anybody through [`Ledger`]. A full disk is an ordinary error and the batch may be tried again.
//! **Any other failure of a write poisons the ledger**: after a failed fsync nobody can know what is
//! on the disk, and a second try that succeeds proves nothing. A poisoned ledger is never written
//! again by this process; a marker file makes the next start rewrite it into a new file first.

mod alive;
mod flush;
mod query;
pub(crate) mod rebuild;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::OpenError;
use crate::database::{Database, Fault, FaultKind, Schema};
use crate::directory::{Directory, LEDGER_MARKER, has_bytes};
use crate::reader::Readers;

use alive::AliveFile;
pub use alive::{Alive, LastStamp};
pub use flush::{FlushDesk, FlushRequest, FlushRequests};
pub use query::{DayUsage, KeyUsage, UsageListed, UsagePage};
pub use writer::{AccountRow, LedgerBatch, LedgerWriter, UsedRow};

/// `usage.db`: "TGus" as an SQLite application id.
pub(crate) const USAGE: Schema = Schema {
    application_id: 0x5447_7573,
    steps: &[include_str!("schema/usage_1.sql")],
};
/// Connections that read `usage.db` at the same time; further reads wait for one.
const READERS_MAX: usize = 2;
/// How long `flush` waits for the writer.
pub const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// Why the ledger did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The disk is full. Nothing was written, nothing is lost; the same batch may be tried again.
    #[error("the disk is full")]
    Full,
    /// A write failed, now or earlier: the ledger is poisoned and not written again until a restart.
    #[error("usage.db is not written any more: {0}")]
    Failed(String),
    /// A read failed.
    #[error("usage.db cannot be read: {0}")]
    NotReadable(String),
    /// The writer did not write everything in time, or could not.
    #[error("the usage of the last moments is not written yet")]
    NotFlushed,
    /// There is a writer already.
    #[error("the usage ledger has a writer already")]
    WriterTaken,
    /// The runtime is going down and did not run the work.
    #[error("the process is stopping")]
    Stopping,
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Full => LedgerError::Full,
            _ => LedgerError::NotReadable(fault.reason),
        }
    }
}

/// The read side of the ledger, and the way to its writer. A cheap clone.
#[derive(Clone)]
pub struct Ledger(Arc<Shared>);

/// Fields are dropped in this order: the writer closes its file last, then the directory is let go.
struct Shared {
    readers: Readers,
    /// The writing connection, used by the one `LedgerWriter` only.
    writer: Mutex<Database>,
    writer_taken: AtomicBool,
    desk: Arc<FlushDesk>,
    poisoned: AtomicBool,
    /// Until when this process may live, and what the one before said.
    stamp: Mutex<AliveFile>,
    last_stamp: LastStamp,
    directory: Arc<Directory>,
}

impl Ledger {
    /// Opens `usage.db`, rewritten first if it was poisoned. `must_exist` refuses to begin a new one:
    /// there are quotas, and what was used of them stood in the one that is lost.
    pub(crate) fn open(directory: Arc<Directory>, must_exist: bool) -> Result<Ledger, OpenError> {
        rebuild::rebuild_if_poisoned(&directory)?;
        if must_exist && is_lost(&directory) {
            let path = directory.file("usage.db");
            return Err(OpenError::LedgerLost { path });
        }
        let (path, existed) = directory.database("usage.db")?;
        directory.make("usage.alive")?;
        let writer = open_writer(&path)?;
        let alive = directory.file("usage.alive");
        let (stamp, last_stamp) =
            AliveFile::open(&alive, existed).map_err(|source| OpenError::NotWritable {
                path: alive,
                source,
            })?;
        Ok(Ledger(Arc::new(Shared {
            readers: Readers::new(path, READERS_MAX),
            writer: Mutex::new(writer),
            writer_taken: AtomicBool::new(false),
            desk: Arc::default(),
            poisoned: AtomicBool::new(false),
            stamp: Mutex::new(stamp),
            last_stamp,
            directory,
        })))
    }

    /// The one writer. It can be taken again once it was dropped.
    pub fn writer(&self) -> Result<LedgerWriter, LedgerError> {
        if self.is_poisoned() {
            return Err(LedgerError::Failed("an earlier write failed".into()));
        }
        if self.0.writer_taken.swap(true, Ordering::AcqRel) {
            return Err(LedgerError::WriterTaken);
        }
        self.0.desk.open();
        Ok(LedgerWriter::new(self.clone()))
    }

    fn give_back_writer(&self) {
        self.0.desk.close();
        self.0.writer_taken.store(false, Ordering::Release);
    }

    fn writing(&self) -> MutexGuard<'_, Database> {
        // A panic in an earlier write rolled it back, so the connection is as good as before.
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn check_integrity(&self) -> Result<(), Fault> {
        self.writing().check_integrity()
    }

    /// Whether a write has failed, so that no more units can be reserved until a restart.
    pub fn is_poisoned(&self) -> bool {
        self.0.poisoned.load(Ordering::Acquire)
    }

    /// Asks the writer to write everything used up to now and waits for it, at most [`FLUSH_WAIT`].
    /// Without a writer there is nothing to wait for.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        self.0.desk.flush(FLUSH_WAIT).await
    }

    /// Remembers that a write failed, for this process and (best effort) for the next start.
    fn poison(&self, database: &Database, reason: &str) {
        if !self.0.poisoned.swap(true, Ordering::AcqRel) {
            // Closing the file would otherwise move the log into it and delete the log.
            if let Err(fault) = database.forbid_checkpoint_at_close() {
                tracing::error!(reason = fault.reason, "the log of usage.db cannot be kept");
            }
            tracing::error!(
                reason,
                "a write to usage.db failed: it is not written any more until a restart"
            );
            rebuild::mark(&self.0.directory, reason);
        }
    }
}

/// Whether there is no ledger, or only one that was begun in the place of another.
pub(crate) fn is_lost(directory: &Directory) -> bool {
    let has_one = ["usage.db", rebuild::REBUILT].map(|name| has_bytes(&directory.file(name)));
    directory.file(LEDGER_MARKER).exists() || has_one == [false; 2]
}

fn open_writer(path: &Path) -> Result<Database, OpenError> {
    let database = Database::open(path, &USAGE)?;
    // Checkpoints are run by the writer itself: a failure inside SQLite's automatic ones is not told.
    let manual = database.batch("PRAGMA wal_autocheckpoint = 0");
    manual.map_err(|fault| crate::database::refused(path, fault))?;
    Ok(database)
}

#[cfg(test)]
impl Ledger {
    /// Lets the file grow to so many pages only; beyond, SQLite answers as for a full disk.
    pub(crate) fn limit_pages(&self, pages: u32) {
        let set = self
            .writing()
            .one(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(()));
        assert!(set.is_ok());
    }

    /// Makes every write fail.
    pub(crate) fn forbid_writing(&self, forbid: bool) {
        let set = self
            .writing()
            .batch(&format!("PRAGMA query_only = {}", i32::from(forbid)));
        assert!(set.is_ok());
    }
}
