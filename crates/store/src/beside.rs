//! Looks into a data directory that another process may serve.

use std::path::Path;

use crate::database::Database;
use crate::document::read;
use crate::{Document, StoreError};

/// All documents of a kind, whatever they belong to, in a data directory that this process does not hold.
/// Changes nothing in it.
pub fn stored<T: Document>(data_dir: &Path) -> Result<Vec<T>, StoreError> {
    let database = Database::open_reader(&data_dir.join("config.db"))?;
    let sql = "SELECT parent, id, body FROM document WHERE kind = ?1 ORDER BY seq";
    let rows = database.all(sql, (T::KIND,), |row| {
        let (parent, id) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        Ok((parent, id, row.text(2)?.to_owned()))
    })?;
    let documents = rows.iter();
    documents
        .map(|(parent, id, body)| read(parent, id, body))
        .collect()
}
