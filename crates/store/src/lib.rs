//! Keeps what an administrator set and what callers used, in one data directory on SQLite.
//!
//! Two files that never share a transaction: `config.db` (nouns, keys, plan keys, extensions, access
//! keys, audit log), behind [`Store`], and `usage.db` (reservations and usage), behind [`Ledger`].
//!
//! What is promised:
//! - **A commit is all or nothing**, and durable when it returns. Its closure runs alone, on the
//!   newest state, so what it read has not changed when it writes: no update is lost. An error from
//!   the closure leaves nothing behind.
//! - **The audit row is part of the commit**: there is no change without one and none without its change.
//! - **A read sees one moment**, however long it looks, and never waits for a commit.
//! - **The data plane knows first**: while a [`Feed`] is taken, a commit returns only after the
//!   feed's owner has adopted the change (or [`StoreOptions::adoption_wait`] has passed, logged).
//! - **Values are never stored in clear**: keys are found by a digest, values lie sealed. Opening the
//!   store opens no value.
//! - **One process** holds a data directory; a second one is refused and told who holds it.
//!
//! ```
//! use tollgate_store::{Audit, Store, StoreError, StoreOptions};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let store = Store::open(directory.path(), StoreOptions::default())?;
//! let plan = tollgate_entity::UsagePlan { id: "p1".into(), name: "free".into(), ..Default::default() };
//! store.commit_blocking(Audit::default(), move |tx| tx.insert(&plan))?;
//! let name = store.read_blocking(|reader| {
//!     let plan = reader.get::<tollgate_entity::UsagePlan>("", "p1")?;
//!     Ok::<_, StoreError>(plan.map(|plan| plan.name))
//! })?;
//! assert_eq!(name.as_deref(), Some("free"));
//! # Ok(())
//! # }
//! ```

mod access_key;
mod api_key;
mod audit;
mod backup;
mod beside;
pub mod boot;
mod database;
mod deployed;
mod directory;
mod document;
mod error;
mod extension;
mod feed;
mod inspect;
pub mod ledger;
mod name_prefix;
mod new_ledger;
mod owner;
mod plan_key;
mod reader;
mod restore;
mod rotation;
mod secret;
mod store;
#[cfg(test)]
mod tests;
mod transaction;
mod vault;

pub use access_key::{AccessKey, AccessKeyRow};
pub use api_key::KeyRow;
pub use audit::{Audit, AuditFilter, AuditRow};
pub use backup::{Backed, BackupError, KeyKept, Manifest, backup};
pub use beside::stored;
pub use deployed::each_deployed_stage;
pub use directory::{NotWritten, OpenError};
pub use document::Document;
pub use error::StoreError;
pub use feed::{Change, Feed};
pub use inspect::{Inspected, inspect};
pub use ledger::{
    AccountRow, Alive, DayUsage, FlushDesk, FlushRequest, FlushRequests, KeyUsage, LastStamp,
    Ledger, LedgerBatch, LedgerError, LedgerWriter, UsageListed, UsagePage, UsedRow,
};
pub use new_ledger::{NewLedger, NewLedgerError, new_ledger};
pub use reader::{Listed, Page, Reader};
pub use restore::{RestoreError, RestoreOptions, Restored, Windows, restore};
pub use rotation::{RotateError, Rotated, rotate_master_key};
pub use store::{Store, StoreOptions};
pub use tollgate_entity::Extension;
pub use transaction::Transaction;
pub use vault::{Digest, Digester, MasterKey, NotAMasterKey, SecretValue};
