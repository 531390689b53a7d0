//! What happens to a poisoned ledger at the next start: it is rewritten into a new file.
//!
//! After a failed fsync the old file's pages may be clean in memory and old on the disk, so it is not
//! trusted to be written again. Its contents (which only ever reserve too much) are read, written to
//! a new file, made durable, and renamed into place. Two names keep a crash in the middle harmless:
//! `usage.db.rebuilding` is worth nothing, `usage.db.rebuilt` is complete and only has to be moved.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::OpenError;
use crate::database::{Database, refused};
use crate::directory::{Directory, new_file, remove};

pub(crate) const MARKER: &str = "usage.db.poisoned";
const REBUILDING: &str = "usage.db.rebuilding";
pub(crate) const REBUILT: &str = "usage.db.rebuilt";

/// Leaves the marker for the next start. The disk that failed may refuse this too.
pub(super) fn mark(directory: &Directory, reason: &str) {
    let write = || -> io::Result<()> {
        let mut marker = File::create(directory.file(MARKER))?;
        writeln!(marker, "{reason}")?;
        marker.sync_all()?;
        directory.sync()
    };
    if let Err(error) = write() {
        tracing::error!(%error, "the marker of a poisoned ledger could not be written");
    }
}

/// Rewrites `usage.db` when the marker is there, or finishes a rewriting that a crash interrupted.
pub(crate) fn rebuild_if_poisoned(directory: &Directory) -> Result<(), OpenError> {
    let (usage, marker) = (directory.file("usage.db"), directory.file(MARKER));
    if marker.exists() && !directory.file(REBUILT).exists() {
        if usage.exists() {
            tracing::warn!(path = %usage.display(), "the usage ledger was poisoned; it is rewritten");
            rewrite(directory, &usage)?;
        } else {
            remove(&marker).map_err(|source| OpenError::NotWritable {
                path: marker.clone(),
                source,
            })?;
        }
    }
    if directory.file(REBUILT).exists() {
        move_into_place(directory, &usage).map_err(|source| OpenError::NotWritable {
            path: usage.clone(),
            source,
        })?;
    }
    Ok(())
}

fn rewrite(directory: &Directory, usage: &Path) -> Result<(), OpenError> {
    let (aside, rebuilt) = (directory.file(REBUILDING), directory.file(REBUILT));
    let failed = |source| OpenError::NotWritable {
        path: aside.clone(),
        source,
    };
    remove(&aside).map_err(failed)?;
    new_file(&aside, directory.owner()).map_err(failed)?;
    let target = aside.to_str().ok_or_else(|| OpenError::Database {
        path: usage.into(),
        reason: "it can only be rewritten under a path that is UTF-8".into(),
    })?;
    let old = Database::open(usage, &super::USAGE)?;
    let copied = old
        .forbid_checkpoint_at_close()
        .and_then(|()| old.run("VACUUM INTO ?1", (target,)));
    copied.map_err(|fault| refused(usage, fault))?;
    drop(old);
    let finish = || -> io::Result<()> {
        File::open(&aside)?.sync_all()?;
        fs::rename(&aside, &rebuilt)?;
        directory.sync()
    };
    finish().map_err(failed)
}

/// The old file's log goes first and durably: beside the new file it would be taken for its own.
fn move_into_place(directory: &Directory, usage: &Path) -> io::Result<()> {
    remove(&directory.file("usage.db-wal"))?;
    remove(&directory.file("usage.db-shm"))?;
    directory.sync()?;
    fs::rename(directory.file(REBUILT), usage)?;
    directory.sync()?;
    remove(&directory.file(MARKER))?;
    directory.sync()
}
