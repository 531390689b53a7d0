//! A new usage ledger in the place of one that was lost: what is open is closed, because nobody knows what was used of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::{
    Directory, LEDGER_MARKER, NotWritten, has_bytes, new_file, not_written, remove,
};
use crate::ledger::rebuild;
use crate::restore::closing::{NotClosed, close_windows};
use crate::restore::stamp_as_crashed;
use crate::store::IfLost;
use crate::{LedgerError, MasterKey, OpenError, Store, StoreOptions, Windows};

/// Why there is no new ledger. The directory is refused as before.
#[derive(Debug, thiserror::Error)]
pub enum NewLedgerError {
    #[error("{} holds no config.db: it is no data directory", path.display())]
    NoDirectory { path: PathBuf },
    #[error("{} is there; a new ledger would forget what stands in it. If it cannot be used, move it out of the directory first", path.display())]
    NotLost { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    NotClosed(#[from] NotClosed),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
}

/// How a new ledger begins.
#[derive(Debug, Clone)]
pub struct NewLedger {
    /// [`Windows::Keep`] begins the open windows whole, since nothing is known of them.
    pub windows: Windows,
    /// The master key, when it is kept elsewhere.
    pub master_key: Option<MasterKey>,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// Makes a new `usage.db` in a directory that lost its own. Says how many windows were closed. One
/// that was cut off is refused by `Store::open` like a lost one, and made anew by the next call.
pub fn new_ledger(path: &Path, options: &NewLedger) -> Result<u64, NewLedgerError> {
    if !has_bytes(&path.join("config.db")) {
        return Err(NewLedgerError::NoDirectory { path: path.into() });
    }
    let directory = Arc::new(Directory::hold(path)?);
    directory.refuse_unfinished()?;
    rebuild::rebuild_if_poisoned(&directory)?;
    let (usage, marker) = (directory.file("usage.db"), directory.file(LEDGER_MARKER));
    if !marker.exists() {
        if has_bytes(&usage) {
            return Err(NewLedgerError::NotLost { path: usage });
        }
        new_file(&marker, directory.owner())
            .and_then(|file| file.sync_all())
            .and_then(|()| directory.sync())
            .map_err(not_written(&marker))?;
    }
    let clear = || -> io::Result<()> {
        for name in ["usage.db", "usage.db-wal", "usage.db-shm"] {
            remove(&directory.file(name))?;
        }
        directory.sync()
    };
    clear().map_err(not_written(&usage))?;
    let store_options = StoreOptions {
        master_key: options.master_key.clone(),
        ..StoreOptions::default()
    };
    let store = Store::open_held(directory.clone(), store_options, IfLost::Begin)?;
    let mut writer = store.ledger().writer()?;
    let closed = match options.windows {
        Windows::Close => close_windows(&store, &mut writer, options.now_ms)?,
        Windows::Keep => 0,
    };
    stamp_as_crashed(&mut writer, directory.path(), options.now_ms)?;
    drop((writer, store));
    fs::remove_file(&marker)
        .and_then(|()| directory.sync())
        .map_err(not_written(&marker))?;
    Ok(closed)
}
