//! Changing the configuration: everything in one transaction, with its audit row and its changes.

use std::ops::Deref;

use crate::audit::Audit;
use crate::feed::Change;
use crate::{Reader, StoreError};

/// A change in progress. It sees what it has changed; nobody else does until it is committed.
pub struct Transaction<'a> {
    reader: Reader<'a>,
    audit: Audit,
    pub(crate) keep_key_values: bool,
    changes: Vec<Change>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(reader: Reader<'a>, audit: Audit, keep_key_values: bool) -> Self {
        Transaction {
            reader,
            audit,
            keep_key_values,
            changes: Vec::new(),
        }
    }

    /// Who changes what, as it will stand in the audit log: what is only known inside the
    /// transaction (an id that was generated, a value before the change) can be added here.
    pub fn audit_mut(&mut self) -> &mut Audit {
        &mut self.audit
    }

    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Writes the audit row; its number is the commit's revision.
    pub(crate) fn finish(self) -> Result<(u64, Vec<Change>), StoreError> {
        let revision = self.audit.write(self.reader.database)?;
        Ok((revision, self.changes))
    }
}

impl<'a> Deref for Transaction<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}
