//! What can go wrong in a read or a commit.

use crate::database::{Fault, FaultKind};

/// Why a read or a commit failed. A commit that failed has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An API key with this value exists already.
    #[error("an API key with this value exists already")]
    Duplicate,
    /// `insert` of something that exists already.
    #[error("{kind} {id} exists already")]
    Exists { kind: &'static str, id: String },
    /// What is stored is not what this version can read.
    #[error("stored {kind} {id} cannot be read: {reason}")]
    Unreadable {
        kind: &'static str,
        id: String,
        reason: String,
    },
    /// A sealed value does not open: it was changed, moved, or sealed with another master key.
    #[error("the sealed value of {kind} {id} does not open")]
    Sealed { kind: String, id: String },
    /// The disk is full; the same commit may succeed later.
    #[error("the disk is full")]
    Full,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
    /// The database failed.
    #[error("config.db: {0}")]
    Database(String),
    /// The runtime is going down and did not run the work.
    #[error("the process is stopping")]
    Stopping,
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Full => StoreError::Full,
            _ => StoreError::Database(fault.reason),
        }
    }
}
