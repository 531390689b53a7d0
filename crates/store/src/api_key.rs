//! API keys: a narrow row to look up and filter by, the rest as JSON, the value sealed beside it.

use std::ops::ControlFlow;

use tollgate_entity::ApiKey;

use crate::database::{Fault, Params, Row};
use crate::document::unreadable;
use crate::feed::Change;
use crate::name_prefix::end_of_prefix;
use crate::vault::{Digest, Owner, SecretValue};
use crate::{Listed, Page, Reader, StoreError, Transaction};

pub(crate) const KIND: &str = "api_key";

/// What the data plane needs to know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    pub id: String,
    pub digest: Digest,
    pub enabled: bool,
}

impl Reader<'_> {
    /// The key without its value.
    pub fn api_key(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        let sql = "SELECT id, body FROM api_key JOIN api_key_body ON key_seq = seq WHERE id = ?1";
        self.database.one(sql, (id,), body)?.map(key).transpose()
    }

    /// The key's value, opened; none when the key is unknown or its value was not kept.
    pub fn api_key_value(&self, id: &str) -> Result<Option<SecretValue>, StoreError> {
        let sql = "SELECT sealed FROM api_key JOIN api_key_body ON key_seq = seq WHERE id = ?1";
        let sealed = self.database.one(sql, (id,), |row| {
            Ok(row.blob_or_null(0)?.map(<[u8]>::to_vec))
        })?;
        let owner = Owner { kind: KIND, id };
        sealed
            .flatten()
            .map(|sealed| self.vault.unseal(owner, &sealed))
            .transpose()
    }

    /// The key that has this value, without it.
    pub fn api_key_by_value(&self, value: &str) -> Result<Option<ApiKey>, StoreError> {
        let sql =
            "SELECT id, body FROM api_key JOIN api_key_body ON key_seq = seq WHERE digest = ?1";
        let digest = self.vault.digester().digest(value);
        self.database
            .one(sql, (digest,), body)?
            .map(key)
            .transpose()
    }

    /// One page of the keys whose names begin with `name_prefix` (exactly, case and all) and that
    /// belong to `customer_id`, each if given.
    pub fn api_keys(
        &self,
        page: &Page,
        name_prefix: Option<&str>,
        customer_id: Option<&str>,
    ) -> Result<Listed<ApiKey>, StoreError> {
        let (past, order, from) = page.in_sql();
        let prefix = name_prefix.unwrap_or_default();
        // Each filter has its index. ?3 and ?4 are the first name wanted and the first past them.
        let (index, wanted) = match (prefix, customer_id) {
            (_, Some(_)) => (
                "INDEXED BY api_key_customer",
                "(?3 = '' OR name >= ?3 AND name < ?4) AND customer_id = ?5",
            ),
            ("", None) => ("", "?3 = '' AND ?4 IS NOT NULL AND ?5 IS NULL"),
            (_, None) => (
                "INDEXED BY api_key_name",
                "name >= ?3 AND name < ?4 AND ?5 IS NULL",
            ),
        };
        let sql = format!(
            "SELECT id, body, seq FROM
                 (SELECT seq, id FROM api_key {index} WHERE seq {past} ?1 AND {wanted}
                  ORDER BY seq {order} LIMIT ?2)
             JOIN api_key_body ON key_seq = seq ORDER BY seq {order}"
        );
        self.keys(
            page,
            &sql,
            (
                from,
                page.rows(),
                prefix,
                end_of_prefix(prefix),
                customer_id,
            ),
        )
    }

    /// Reads a page of rows `id, body, seq`.
    pub(crate) fn keys(
        &self,
        page: &Page,
        sql: &str,
        params: impl Params,
    ) -> Result<Listed<ApiKey>, StoreError> {
        let mut rows = Vec::new();
        self.database.each(sql, params, |row| {
            rows.push((row.integer(2)?, key(body(row)?)?));
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })?;
        Ok(page.cut(rows))
    }

    /// What the data plane needs to know of one key.
    pub fn key_row(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        let sql = "SELECT id, digest, enabled FROM api_key WHERE id = ?1";
        Ok(self.database.one(sql, (id,), key_row)?)
    }

    /// The same of every key, in the order of creation, one at a time.
    pub fn for_each_key(&self, mut see: impl FnMut(KeyRow)) -> Result<(), StoreError> {
        self.database.each(
            "SELECT id, digest, enabled FROM api_key ORDER BY seq",
            (),
            |row| {
                see(key_row(row)?);
                Ok::<_, StoreError>(ControlFlow::Continue(()))
            },
        )
    }
}

impl Transaction<'_> {
    /// Stores a new key with its value, which is kept only sealed (or not at all, by the store's
    /// options). `StoreError::Duplicate` when a key has this value, `Exists` when one has this id.
    pub fn insert_api_key(&mut self, key: &ApiKey, value: &str) -> Result<(), StoreError> {
        let digest = self.vault.digester().digest(value);
        let inserted = self.database.run(
            "INSERT INTO api_key (id, digest, enabled, name, customer_id) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
            (&key.id, digest, key.enabled, &key.name, &key.customer_id),
        )?;
        if inserted == 0 {
            let same = self
                .database
                .exists("SELECT 1 FROM api_key WHERE digest = ?1", (digest,))?;
            let exists = StoreError::Exists {
                kind: KIND,
                id: key.id.clone(),
            };
            return Err(if same { StoreError::Duplicate } else { exists });
        }
        let seq = self.database.last_seq();
        let owner = Owner {
            kind: KIND,
            id: &key.id,
        };
        let sealed = if self.keep_key_values {
            Some(self.vault.seal(owner, value)?)
        } else {
            None
        };
        self.database.run(
            "INSERT INTO api_key_body (key_seq, sealed, body) VALUES (?1, ?2, ?3)",
            (seq, sealed, written(key)?),
        )?;
        self.changed(Change::ApiKey(key.id.clone()));
        Ok(())
    }

    /// Stores a changed key; its value stays. False when there is no such key.
    pub fn put_api_key(&mut self, key: &ApiKey) -> Result<bool, StoreError> {
        let updated = self.database.run(
            "UPDATE api_key SET enabled = ?2, name = ?3, customer_id = ?4 WHERE id = ?1",
            (&key.id, key.enabled, &key.name, &key.customer_id),
        )?;
        if updated == 0 {
            return Ok(false);
        }
        self.database.run(
            "UPDATE api_key_body SET body = ?2 WHERE key_seq = (SELECT seq FROM api_key WHERE id = ?1)",
            (&key.id, written(key)?),
        )?;
        self.changed(Change::ApiKey(key.id.clone()));
        Ok(true)
    }

    /// Deletes a key, its value, its plan keys and its extensions; false when there was none.
    pub fn delete_api_key(&mut self, id: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM api_key WHERE id = ?1 RETURNING seq";
        let Some(seq) = self.database.one(sql, (id,), |row| row.integer(0))? else {
            return Ok(false);
        };
        self.database
            .run("DELETE FROM api_key_body WHERE key_seq = ?1", (seq,))?;
        for plan in self.key_plans(id)? {
            self.delete_plan_key(&plan, id)?;
        }
        self.delete_extensions_of_key(id)?;
        self.changed(Change::ApiKey(id.into()));
        Ok(true)
    }
}

fn key_row(row: &Row<'_>) -> Result<KeyRow, Fault> {
    let digest = row.blob(1)?.try_into().map_err(Fault::other)?;
    Ok(KeyRow {
        id: row.text(0)?.into(),
        digest,
        enabled: row.integer(2)? != 0,
    })
}

fn body(row: &Row<'_>) -> Result<(String, String), Fault> {
    Ok((row.text(0)?.into(), row.text(1)?.into()))
}

fn key((id, body): (String, String)) -> Result<ApiKey, StoreError> {
    serde_json::from_str(&body).map_err(|error| unreadable(KIND, &id, error))
}

/// The JSON of a key; never with its value, whatever the caller left in.
fn written(key: &ApiKey) -> Result<String, StoreError> {
    let bare = ApiKey {
        value: None,
        ..key.clone()
    };
    serde_json::to_string(&bare).map_err(|error| unreadable(KIND, &key.id, error))
}
