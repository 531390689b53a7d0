//! A look at a data directory that says what opening it would say, and changes nothing that matters.

use std::path::{Path, PathBuf};

use crate::backup::MANIFEST;
use crate::database::{Database, refused};
use crate::directory::{Directory, has_bytes};
use crate::ledger::{self, USAGE};
use crate::store::{CONFIG, has_plans};
use crate::{MasterKey, OpenError, rotation};

/// What a data directory is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspected {
    /// Nothing is there yet: the first start makes everything.
    New,
    /// A process holds it, so it was not looked into.
    Served { pid: Option<u32> },
    /// It can be served.
    Good,
}

/// Looks at a data directory as a start would, short of serving it. `master_key` is the one that is kept elsewhere.
pub fn inspect(path: &Path, master_key: Option<&MasterKey>) -> Result<Inspected, OpenError> {
    if !is_directory(path)? {
        return Ok(Inspected::New);
    }
    if path.join(MANIFEST).exists() {
        return Err(OpenError::IsABackup { path: path.into() });
    }
    let config = path.join("config.db");
    let told = std::fs::metadata(&config);
    match told.map_err(|error| (error.kind(), error)) {
        Ok(file) if file.len() > 0 => {}
        Err((std::io::ErrorKind::PermissionDenied, source)) => {
            return Err(OpenError::NotReadable {
                path: config,
                source,
            });
        }
        _ => return Ok(Inspected::New),
    }
    let directory = match Directory::hold(path) {
        Err(OpenError::Locked { pid, .. }) => return Ok(Inspected::Served { pid }),
        held => held?,
    };
    directory.refuse_unfinished()?;
    let database = Database::open_reader(&config).map_err(|fault| refused(&config, fault))?;
    database.identify(&config, &CONFIG)?;
    look_at_key(&directory, &database, master_key, &config)?;
    let usage = directory.file("usage.db");
    if ledger::is_lost(&directory) && has_plans(&database, &config)? {
        return Err(OpenError::LedgerLost { path: usage });
    }
    if has_bytes(&usage) {
        let database = Database::open_reader(&usage).map_err(|fault| refused(&usage, fault))?;
        database.identify(&usage, &USAGE)?;
    }
    Ok(Inspected::Good)
}

/// Whether the directory is there. What is above it must be able to hold it.
fn is_directory(path: &Path) -> Result<bool, OpenError> {
    let mut path: PathBuf = path.into();
    let mut is_there = true;
    loop {
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => return Ok(is_there),
            Ok(_) => return Err(OpenError::NotADirectory { path }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                is_there = false;
                if !path.pop() || path.as_os_str().is_empty() {
                    return Ok(false); // below the current directory
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                path.pop();
            }
            Err(source) => return Err(OpenError::NotReadable { path, source }),
        }
    }
}

/// Whether the values open with the key that a start would take.
fn look_at_key(
    directory: &Directory,
    database: &Database,
    elsewhere: Option<&MasterKey>,
    config: &Path,
) -> Result<(), OpenError> {
    let keys = match elsewhere {
        Some(key) => vec![key.clone()],
        None => {
            let own = directory.master_key(false)?;
            // A rotation that was cut off is settled by the next start, with one of the two.
            directory
                .key_in(rotation::NEXT_KEY)?
                .into_iter()
                .chain([own])
                .collect()
        }
    };
    if !database
        .exists("SELECT 1 FROM meta WHERE name = 'master_key_check'", ())
        .map_err(|fault| refused(config, fault))?
    {
        return Ok(()); // a first start that was cut off
    }
    for key in &keys {
        if rotation::is_sealed_with(database, key, config)? {
            return Ok(());
        }
    }
    Err(OpenError::WrongMasterKey {
        path: config.into(),
    })
}
