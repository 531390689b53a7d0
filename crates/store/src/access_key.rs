//! Access keys: who may call the control plane. Their secrets are sealed, since signatures need them.

use rand::SeedableRng;
use rand::rngs::StdRng;
use tollgate_entity::{Timestamp, id};

use crate::database::{Fault, Row};
use crate::vault::{Owner, SecretValue, random};
use crate::{Reader, StoreError, Transaction};

pub(crate) const KIND: &str = "access_key";

/// An access key with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    pub id: String,
    pub secret: SecretValue,
    pub created: Timestamp,
    /// Whose it is or what for.
    pub label: String,
}

/// An access key as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyRow {
    pub id: String,
    pub created: Timestamp,
    pub label: String,
}

impl Reader<'_> {
    /// The access key of that id, its secret opened.
    pub fn access_key(&self, id: &str) -> Result<Option<AccessKey>, StoreError> {
        let sql = "SELECT id, created, label, sealed FROM access_key WHERE id = ?1";
        let found = self
            .database
            .one(sql, (id,), |row| Ok((listed(row)?, row.blob(3)?.to_vec())))?;
        let Some((AccessKeyRow { id, created, label }, sealed)) = found else {
            return Ok(None);
        };
        let secret = self.vault.unseal(
            Owner {
                kind: KIND,
                id: &id,
            },
            &sealed,
        )?;
        Ok(Some(AccessKey {
            id,
            secret,
            created,
            label,
        }))
    }

    /// All access keys, oldest first.
    pub fn access_keys(&self) -> Result<Vec<AccessKeyRow>, StoreError> {
        let sql = "SELECT id, created, label FROM access_key ORDER BY created, id";
        Ok(self.database.all(sql, (), listed)?)
    }

    /// Whether anybody may call the control plane.
    pub fn access_keys_exist(&self) -> Result<bool, StoreError> {
        Ok(self.database.exists("SELECT 1 FROM access_key", ())?)
    }
}

impl Transaction<'_> {
    /// Makes an access key with a generated id and secret; it is created at the time of the audit row.
    pub fn create_access_key(&mut self, label: &str) -> Result<AccessKey, StoreError> {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        random(seed.as_mut_slice())?;
        let mut rng = StdRng::from_seed(*seed);
        let key = AccessKey {
            id: id::access_key_id(&mut rng),
            secret: SecretValue::new(id::access_key_secret(&mut rng)),
            created: self.audit_mut().at,
            label: label.into(),
        };
        self.put_access_key(&key)?;
        Ok(key)
    }

    /// Stores an access key, new or in place of the one of that id.
    pub fn put_access_key(&mut self, key: &AccessKey) -> Result<(), StoreError> {
        let sealed = self.vault.seal(
            Owner {
                kind: KIND,
                id: &key.id,
            },
            key.secret.expose(),
        )?;
        self.database.run(
            "INSERT INTO access_key (id, sealed, created, label) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE
             SET sealed = excluded.sealed, created = excluded.created, label = excluded.label",
            (&key.id, sealed, key.created.0, &key.label),
        )?;
        Ok(())
    }

    /// Deletes an access key; false when there was none.
    pub fn delete_access_key(&mut self, id: &str) -> Result<bool, StoreError> {
        Ok(self
            .database
            .run("DELETE FROM access_key WHERE id = ?1", (id,))?
            > 0)
    }
}

fn listed(row: &Row<'_>) -> Result<AccessKeyRow, Fault> {
    Ok(AccessKeyRow {
        id: row.text(0)?.into(),
        created: Timestamp(row.integer(1)?),
        label: row.text(2)?.into(),
    })
}
