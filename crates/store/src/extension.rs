//! Extensions: what UpdateUsage changed for one key in one window of a plan's quota.

use std::ops::ControlFlow;

use tollgate_entity::Extension;

use crate::database::{Fault, Row};
use crate::feed::Change;
use crate::{Reader, StoreError, Transaction};

impl Reader<'_> {
    /// The newest extension of a key in a plan; its window may be over.
    pub fn extension(&self, plan_id: &str, key_id: &str) -> Result<Option<Extension>, StoreError> {
        let sql = "SELECT plan_id, key_id, window_start_day, delta FROM extension
                   WHERE plan_id = ?1 AND key_id = ?2";
        Ok(self.database.one(sql, (plan_id, key_id), extension)?)
    }

    /// Every extension, one at a time.
    pub fn for_each_extension(&self, mut see: impl FnMut(Extension)) -> Result<(), StoreError> {
        let sql = "SELECT plan_id, key_id, window_start_day, delta FROM extension";
        self.database.each(sql, (), |row| {
            see(extension(row)?);
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })
    }
}

impl Transaction<'_> {
    /// Stores an extension in place of the one before.
    pub fn put_extension(&mut self, extension: &Extension) -> Result<(), StoreError> {
        let Extension {
            plan_id,
            key_id,
            window_start_day,
            delta,
        } = extension;
        self.database.run(
            "INSERT INTO extension (plan_id, key_id, window_start_day, delta) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (plan_id, key_id) DO UPDATE
             SET window_start_day = excluded.window_start_day, delta = excluded.delta",
            (plan_id, key_id, window_start_day, delta),
        )?;
        self.changed(Change::Extension {
            plan: plan_id.clone(),
            key: key_id.clone(),
        });
        Ok(())
    }

    /// Forgets the extensions of a key that goes away; nothing is left to tell about them.
    pub(crate) fn delete_extensions_of_key(&mut self, key_id: &str) -> Result<(), StoreError> {
        self.database
            .run("DELETE FROM extension WHERE key_id = ?1", (key_id,))?;
        Ok(())
    }
}

fn extension(row: &Row<'_>) -> Result<Extension, Fault> {
    Ok(Extension {
        plan_id: row.text(0)?.into(),
        key_id: row.text(1)?.into(),
        window_start_day: row.day(2)?,
        delta: row.integer(3)?,
    })
}
