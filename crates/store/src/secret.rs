//! What a noun keeps secret (a private key), sealed beside it and never in its document.

use crate::vault::{Owner, SecretValue};
use crate::{Document, Reader, StoreError, Transaction};

impl Reader<'_> {
    /// The secret of the noun of that id, opened; none when it has none.
    pub fn secret<T: Document>(&self, id: &str) -> Result<Option<SecretValue>, StoreError> {
        let sql = "SELECT sealed FROM secret WHERE kind = ?1 AND id = ?2";
        let sealed = self
            .database
            .one(sql, (T::KIND, id), |row| Ok(row.blob(0)?.to_vec()))?;
        let owner = Owner { kind: T::KIND, id };
        sealed
            .map(|sealed| self.vault.unseal(owner, &sealed))
            .transpose()
    }
}

impl Transaction<'_> {
    /// Stores the secret of a noun, new or in place of the one there. Whoever follows changes hears of
    /// it when the noun itself is put in the same commit.
    pub fn put_secret<T: Document>(
        &mut self,
        id: &str,
        secret: &SecretValue,
    ) -> Result<(), StoreError> {
        let owner = Owner { kind: T::KIND, id };
        let sealed = self.vault.seal(owner, secret.expose())?;
        self.database.run(
            "INSERT INTO secret (kind, id, sealed) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, id) DO UPDATE SET sealed = excluded.sealed",
            (T::KIND, id, sealed),
        )?;
        Ok(())
    }

    /// Deletes the secret of a noun; false when it had none.
    pub fn delete_secret<T: Document>(&mut self, id: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM secret WHERE kind = ?1 AND id = ?2";
        Ok(self.database.run(sql, (T::KIND, id))? > 0)
    }
}
