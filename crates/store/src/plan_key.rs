//! Plan keys: which API keys are in which usage plans.

use std::ops::ControlFlow;

use tollgate_entity::{ApiKey, UsagePlan};

use crate::document::{self, Document};
use crate::feed::Change;
use crate::name_prefix::end_of_prefix;
use crate::{Listed, Page, Reader, StoreError, Transaction};

impl Reader<'_> {
    /// The ids of the plans a key is in, in the order it was added to them.
    pub fn key_plans(&self, key_id: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT plan_id FROM plan_key WHERE key_id = ?1 ORDER BY seq";
        Ok(self
            .database
            .all(sql, (key_id,), |row| Ok(row.text(0)?.to_owned()))?)
    }

    /// Whether the key is in the plan.
    pub fn plan_key_exists(&self, plan_id: &str, key_id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM plan_key WHERE plan_id = ?1 AND key_id = ?2";
        Ok(self.database.exists(sql, (plan_id, key_id))?)
    }

    /// A key that is in both plans, if there is one.
    pub fn key_in_both(&self, plan_id: &str, other_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT one.key_id FROM plan_key AS one JOIN plan_key AS other ON other.key_id = one.key_id
                   WHERE one.plan_id = ?1 AND other.plan_id = ?2 LIMIT 1";
        Ok(self
            .database
            .one(sql, (plan_id, other_id), |row| Ok(row.text(0)?.to_owned()))?)
    }

    /// One page of a plan's keys in the order they were added, filtered as `api_keys` does.
    pub fn plan_keys(
        &self,
        plan_id: &str,
        page: &Page,
        name_prefix: Option<&str>,
    ) -> Result<Listed<ApiKey>, StoreError> {
        let (past, order, from) = page.in_sql();
        let sql = format!(
            "SELECT api_key.id, body, plan_key.seq FROM plan_key
             JOIN api_key ON api_key.id = key_id JOIN api_key_body ON key_seq = api_key.seq
             WHERE plan_id = ?1 AND plan_key.seq {past} ?2 AND (?4 = '' OR name >= ?4 AND name < ?5)
             ORDER BY plan_key.seq {order} LIMIT ?3"
        );
        let prefix = name_prefix.unwrap_or_default();
        self.keys(
            page,
            &sql,
            (plan_id, from, page.rows(), prefix, end_of_prefix(prefix)),
        )
    }

    /// One page of the plans a key is in, in the order it was added to them.
    pub fn plans_of_key(&self, key_id: &str, page: &Page) -> Result<Listed<UsagePlan>, StoreError> {
        let (past, order, from) = page.in_sql();
        let sql = format!(
            "SELECT plan_key.seq, id, body FROM plan_key
             JOIN document ON kind = ?4 AND parent = '' AND id = plan_id
             WHERE key_id = ?1 AND plan_key.seq {past} ?2 ORDER BY plan_key.seq {order} LIMIT ?3"
        );
        let mut rows = Vec::new();
        self.database
            .each(&sql, (key_id, from, page.rows(), UsagePlan::KIND), |row| {
                rows.push((
                    row.integer(0)?,
                    document::read("", row.text(1)?, row.text(2)?)?,
                ));
                Ok::<_, StoreError>(ControlFlow::Continue(()))
            })?;
        Ok(page.cut(rows))
    }

    /// Every plan key (plan id, key id), in the order they were added, one at a time.
    pub fn for_each_plan_key(&self, mut see: impl FnMut(&str, &str)) -> Result<(), StoreError> {
        self.database.each(
            "SELECT plan_id, key_id FROM plan_key ORDER BY seq",
            (),
            |row| {
                see(row.text(0)?, row.text(1)?);
                Ok::<_, StoreError>(ControlFlow::Continue(()))
            },
        )
    }
}

impl Transaction<'_> {
    /// Adds a key to a plan; false when it is in it already.
    pub fn insert_plan_key(&mut self, plan_id: &str, key_id: &str) -> Result<bool, StoreError> {
        let sql = "INSERT INTO plan_key (plan_id, key_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let inserted = self.database.run(sql, (plan_id, key_id))? > 0;
        if inserted {
            self.plan_key_changed(plan_id, key_id);
        }
        Ok(inserted)
    }

    /// Takes a key out of a plan; false when it was not in it. What it used and its extension stay,
    /// so that taking it out and adding it again gives no new quota.
    pub fn delete_plan_key(&mut self, plan_id: &str, key_id: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM plan_key WHERE plan_id = ?1 AND key_id = ?2";
        let deleted = self.database.run(sql, (plan_id, key_id))? > 0;
        if deleted {
            self.plan_key_changed(plan_id, key_id);
        }
        Ok(deleted)
    }

    /// Takes all keys out of a plan.
    pub fn delete_plan_keys(&mut self, plan_id: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM plan_key WHERE plan_id = ?1 RETURNING key_id";
        let deleted = self
            .database
            .all(sql, (plan_id,), |row| Ok(row.text(0)?.to_owned()))?;
        for key_id in deleted {
            self.plan_key_changed(plan_id, &key_id);
        }
        Ok(())
    }

    fn plan_key_changed(&mut self, plan: &str, key: &str) {
        self.changed(Change::PlanKey {
            plan: plan.into(),
            key: key.into(),
        });
    }
}
