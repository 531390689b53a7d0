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

/// Which rows are wanted; an absent member accepts every row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    /// Whole.
    pub who: Option<String>,
    /// Whole.
    pub operation: Option<String>,
    /// Anywhere in what was asked for, in any case of ASCII letters.
    pub text: Option<String>,
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
        self.audit_matching(page, &AuditFilter::default())
    }

    /// The rows of the audit log that a filter accepts, one page. It looks at every row until the page is full.
    pub fn audit_matching(
        &self,
        page: &Page,
        filter: &AuditFilter,
    ) -> Result<Listed<AuditRow>, StoreError> {
        let (past, order, from) = page.in_sql();
        let sql = format!(
            "SELECT seq, at, who, operation, request_id, source_ip, what FROM audit
             WHERE seq {past} ?1 AND (?3 IS NULL OR who = ?3) AND (?4 IS NULL OR operation = ?4)
             AND (?5 IS NULL OR instr(lower(what), lower(?5)) > 0) ORDER BY seq {order} LIMIT ?2"
        );
        let AuditFilter {
            who,
            operation,
            text,
        } = filter;
        let given = (from, page.rows(), who, operation, text);
        let rows = self.database.all(&sql, given, |row| {
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
