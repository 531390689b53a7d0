//! Changing the master key: everything sealed is sealed anew in one transaction, on a directory that no process serves.
//!
//! The new key is durable as `master.key.next` before the transaction and takes the place of
//! `master.key` after it. Whoever opens the directory after a crash in between keeps the one that
//! `config.db` was sealed with, so it is the old or the new one and never neither. `master.key.next`
//! stays until the file is wiped of what the old key opens, so whoever finds it wipes too.

use std::fs;
use std::io;
use std::path::Path;

use crate::database::{Database, Row, refused};
use crate::directory::{Directory, MASTER_KEY};
use crate::store::{CONFIG, open_vault};
use crate::vault::{Owner, Vault};
use crate::{Audit, MasterKey, OpenError, StoreError};

/// The key to come, until `config.db` is sealed with it.
pub(crate) const NEXT_KEY: &str = "master.key.next";
/// Sealed values in memory at a time.
const PAGE: i64 = 1000;

/// Why the master key was not changed. The old one is in force still.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("{} holds no config.db: it is no data directory", path.display())]
    NoDirectory { path: std::path::PathBuf },
    #[error(
        "the master key is kept outside the data directory, so the new one must be given too: --new-key-file FILE, 64 hexadecimal digits"
    )]
    NewKeyNeeded,
    #[error(
        "the master key is in the data directory, where the new one is made by itself; leave out --new-key-file"
    )]
    NewKeyUnwanted,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the master key was not changed: {0}")]
    Store(#[from] StoreError),
    #[error(
        "the new master key is in force, but {path} cannot take its place: {source}; the next start will do it"
    )]
    NotMoved { path: String, source: io::Error },
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Values and secrets that were sealed anew; none when an earlier rotation to this key was complete.
    pub sealed: u64,
    /// Why bytes sealed with the old key may still be found in the file's free pages.
    pub not_wiped: Option<String>,
}

/// Changes the master key of the directory at `path`. `current` is the key in force when it is kept
/// elsewhere, and then `new` is the one to come; a key in the directory is replaced by a generated
/// one. The pepper of the digests stays, sealed with the new key.
pub fn rotate_master_key(
    path: &Path,
    current: Option<MasterKey>,
    new: Option<MasterKey>,
    audit: &Audit,
) -> Result<Rotated, RotateError> {
    if !path.join("config.db").is_file() {
        return Err(RotateError::NoDirectory { path: path.into() });
    }
    let directory = Directory::hold(path)?;
    directory.refuse_unfinished()?;
    let config = directory.file("config.db");
    let is_elsewhere = current.is_some();
    let (current, new) = match (current, new) {
        (Some(current), Some(new)) => (current, new),
        (Some(_), None) => return Err(RotateError::NewKeyNeeded),
        (None, Some(_)) => return Err(RotateError::NewKeyUnwanted),
        (None, None) => (current_key(&directory)?, MasterKey::generate()?),
    };
    let database = Database::open(&config, &CONFIG)?;
    if is_elsewhere && is_sealed_with(&database, &new, &config)? {
        return Ok(Rotated {
            sealed: 0,
            not_wiped: wipe(&database),
        });
    }
    let old = open_vault(&database, &current, &config)?;
    if !is_elsewhere {
        directory.write_master_key(&new, NEXT_KEY)?;
    }
    let sealed = seal_anew(&database, &old, &Vault::new(&new), audit)?;
    let not_wiped = wipe(&database);
    if !is_elsewhere {
        move_into_place(&directory).map_err(|source| RotateError::NotMoved {
            path: NEXT_KEY.into(),
            source,
        })?;
    }
    Ok(Rotated { sealed, not_wiped })
}

/// The key in the directory that `config.db` is sealed with; finishes or clears away what a rotation left behind.
pub(crate) fn current_key(directory: &Directory) -> Result<MasterKey, OpenError> {
    let Some(next) = directory.key_in(NEXT_KEY)? else {
        return directory.master_key(false);
    };
    let config = directory.file("config.db");
    let database = Database::open(&config, &CONFIG)?;
    let settled = if is_sealed_with(&database, &next, &config)? {
        if let Some(reason) = wipe(&database) {
            tracing::warn!(path = %config.display(), %reason, "bytes sealed with the old master key may still be found in it; change the key once more when there is room");
        }
        move_into_place(directory)
    } else if is_sealed_with(&database, &directory.master_key(false)?, &config)? {
        fs::remove_file(directory.file(NEXT_KEY)).and_then(|()| directory.sync())
    } else {
        return Err(OpenError::WrongMasterKey { path: config });
    };
    settled.map_err(|source| OpenError::NotWritable {
        path: directory.file(NEXT_KEY),
        source,
    })?;
    directory.master_key(false)
}

fn move_into_place(directory: &Directory) -> io::Result<()> {
    fs::rename(directory.file(NEXT_KEY), directory.file(MASTER_KEY))?;
    directory.sync()
}

/// Whether the values of this file are sealed with this key.
pub(crate) fn is_sealed_with(
    database: &Database,
    key: &MasterKey,
    path: &Path,
) -> Result<bool, OpenError> {
    let sql = "SELECT 1 FROM meta WHERE name = 'master_key_check' AND value = ?1";
    let found = database.exists(sql, (Vault::new(key).check(),));
    found.map_err(|fault| refused(path, fault))
}

/// All or nothing: every sealed value, the pepper, the check of the key, and the audit row.
pub(crate) fn seal_anew(
    database: &Database,
    old: &Vault,
    new: &Vault,
    audit: &Audit,
) -> Result<u64, StoreError> {
    let open = database.begin()?;
    let mut sealed = 0;
    let mut position = 0;
    loop {
        let sql = "SELECT key_seq, id, sealed FROM api_key_body JOIN api_key ON seq = key_seq
                   WHERE key_seq > ?1 AND sealed IS NOT NULL ORDER BY key_seq LIMIT ?2";
        let page = database.all(sql, (position, PAGE), |row: &Row<'_>| {
            Ok((
                row.integer(0)?,
                row.text(1)?.to_owned(),
                row.blob(2)?.to_vec(),
            ))
        })?;
        for (seq, id, bytes) in &page {
            let owner = Owner {
                kind: crate::api_key::KIND,
                id,
            };
            let bytes = new.seal(owner, old.unseal(owner, bytes)?.expose())?;
            database.run(
                "UPDATE api_key_body SET sealed = ?2 WHERE key_seq = ?1",
                (seq, bytes),
            )?;
            (sealed, position) = (sealed + 1, *seq);
        }
        if page.is_empty() {
            break;
        }
    }
    let access_keys = database.all("SELECT id, sealed FROM access_key", (), |row| {
        Ok((row.text(0)?.to_owned(), row.blob(1)?.to_vec()))
    })?;
    for (id, bytes) in &access_keys {
        let owner = Owner {
            kind: crate::access_key::KIND,
            id,
        };
        let bytes = new.seal(owner, old.unseal(owner, bytes)?.expose())?;
        database.run(
            "UPDATE access_key SET sealed = ?2 WHERE id = ?1",
            (id, bytes),
        )?;
        sealed += 1;
    }
    sealed += seal_secrets_anew(database, old, new)?;
    let meta = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    database.run(meta, ("pepper", new.seal_pepper(old)?))?;
    database.run(meta, ("master_key_check", new.check().as_slice()))?;
    audit.write(database)?;
    open.commit()?;
    Ok(sealed)
}

/// The private keys that belong to nouns.
fn seal_secrets_anew(database: &Database, old: &Vault, new: &Vault) -> Result<u64, StoreError> {
    let secrets = database.all("SELECT kind, id, sealed FROM secret", (), |row| {
        let (kind, id) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        Ok((kind, id, row.blob(2)?.to_vec()))
    })?;
    for (kind, id, bytes) in &secrets {
        let owner = Owner { kind, id };
        let bytes = new.seal(owner, old.unseal(owner, bytes)?.expose())?;
        database.run(
            "UPDATE secret SET sealed = ?3 WHERE kind = ?1 AND id = ?2",
            (kind, id, bytes),
        )?;
    }
    Ok(secrets.len() as u64)
}

/// Leaves no page behind that was sealed with the old key; why not, if it cannot.
fn wipe(database: &Database) -> Option<String> {
    let wiped = database
        .batch("VACUUM")
        .and_then(|()| database.one("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())));
    wiped.err().map(|fault| fault.reason)
}
