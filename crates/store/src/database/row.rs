//! A row being read: columns as the types they are stored as, borrowed where possible.

use rusqlite::types::ValueRef;

use super::Fault;

/// A row being read, column by column.
pub(crate) struct Row<'r>(pub(super) &'r rusqlite::Row<'r>);

impl Row<'_> {
    pub fn text(&self, column: usize) -> Result<&str, Fault> {
        self.value(column)?
            .as_str()
            .map_err(|error| unexpected(column, error))
    }

    pub fn integer(&self, column: usize) -> Result<i64, Fault> {
        self.value(column)?
            .as_i64()
            .map_err(|error| unexpected(column, error))
    }

    pub fn integer_or_null(&self, column: usize) -> Result<Option<i64>, Fault> {
        self.value(column)?
            .as_i64_or_null()
            .map_err(|error| unexpected(column, error))
    }

    /// A number of days; every day that can be stored fits.
    pub fn day(&self, column: usize) -> Result<i32, Fault> {
        i32::try_from(self.integer(column)?).map_err(|error| unexpected(column, error))
    }

    /// A count; negative ones do not exist.
    pub fn count(&self, column: usize) -> Result<u64, Fault> {
        u64::try_from(self.integer(column)?).map_err(|error| unexpected(column, error))
    }

    pub fn blob(&self, column: usize) -> Result<&[u8], Fault> {
        self.value(column)?
            .as_blob()
            .map_err(|error| unexpected(column, error))
    }

    pub fn blob_or_null(&self, column: usize) -> Result<Option<&[u8]>, Fault> {
        self.value(column)?
            .as_blob_or_null()
            .map_err(|error| unexpected(column, error))
    }

    fn value(&self, column: usize) -> Result<ValueRef<'_>, Fault> {
        Ok(self.0.get_ref(column)?)
    }
}

fn unexpected(column: usize, error: impl std::fmt::Display) -> Fault {
    Fault::other(format!("column {column}: {error}"))
}
