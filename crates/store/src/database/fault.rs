//! A failure of the database, without the library's types.

use rusqlite::{ErrorCode, ffi};

/// A failure of the database, told apart only by what a caller can act on.
#[derive(Debug)]
pub(crate) struct Fault {
    pub kind: FaultKind,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The disk is full: nothing is lost, and the same work may succeed later.
    Full,
    /// The bytes are not those of a database.
    Corrupt,
    Other,
}

impl Fault {
    pub fn other(reason: impl std::fmt::Display) -> Self {
        Fault {
            kind: FaultKind::Other,
            reason: reason.to_string(),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error() {
            Some(e) if e.code == ErrorCode::DiskFull => FaultKind::Full,
            // The shared index of the WAL reports a full disk in its own way; nothing durable is in it.
            Some(e) if e.extended_code == ffi::SQLITE_IOERR_SHMSIZE => FaultKind::Full,
            Some(e) if matches!(e.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                FaultKind::Corrupt
            }
            _ => FaultKind::Other,
        };
        let reason = match error.sqlite_error() {
            Some(e) => format!("{error} (SQLite's code {})", e.extended_code),
            None => error.to_string(),
        };
        Fault { kind, reason }
    }
}
