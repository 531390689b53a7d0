//! The audit log: one row for every commit, written in the same transaction.

use serde_json::Value;
use tollgate_entity::Timestamp;

use crate::database::{Database, Fault, Row};
use crate::{Listed, Page, Reader, StoreError};

/// Who changes what, and why it may be believed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Audit {
    /// The access key's id, or the name of the part of the program that acts by itself.
    pub who: String,
    /// The operation's AWS name, or a native one.
    pub operation: String,
    pub request_id: String,
    pub source_ip: String,
    /// What was asked for; the caller has masked secrets.
    pub what: Value,
    pub at: Timestamp,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// The revision of the commit.
    pub seq: i64,
    pub audit: Audit,
}

impl Audit {
    /// Appends the row and returns its number.
    pub(crate) fn write(&self, database: &Database) -> Result<u64, StoreError> {
        database.run(
            "INSERT INTO audit (at, who, operation, request_id, source_ip, what)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                self.at.0,
                &self.who,
                &self.operation,
                &self.request_id,
                &self.source_ip,
                self.what.to_string(),
            ),
        )?;
        Ok(database.last_seq().unsigned_abs())
    }
}

impl Reader<'_> {
    /// The audit log, one page.
    pub fn audit(&self, page: &Page) -> Result<Listed<AuditRow>, StoreError> {
        let (past, order, from) = page.in_sql();
        let sql = format!(
            "SELECT seq, at, who, operation, request_id, source_ip, what FROM audit
             WHERE seq {past} ?1 ORDER BY seq {order} LIMIT ?2"
        );
        let rows = self.database.all(&sql, (from, page.rows()), |row| {
            let row = audit_row(row)?;
            Ok((row.seq, row))
        })?;
        Ok(page.cut(rows))
    }
}

fn audit_row(row: &Row<'_>) -> Result<AuditRow, Fault> {
    let audit = Audit {
        at: Timestamp(row.integer(1)?),
        who: row.text(2)?.into(),
        operation: row.text(3)?.into(),
        request_id: row.text(4)?.into(),
        source_ip: row.text(5)?.into(),
        what: serde_json::from_str(row.text(6)?).map_err(Fault::other)?,
    };
    Ok(AuditRow {
        seq: row.integer(0)?,
        audit,
    })
}
