//! A copy of a data directory that is consistent in itself, taken while a process serves from it or after it stopped.
//!
//! Beside a running process this is a second process that only reads: it opens both files as readers
//! of their write-ahead logs do, fixes one moment of each, and copies those moments with SQLite's
//! backup in small steps. It writes nothing, moves nothing out of a log, and holds no lock that a
//! writer waits for; all it costs the writer is that the log grows while the copy lasts.
//!
//! A backup appears under its name only when it is whole: it grows as `NAME.partial`, the manifest
//! with the digests of all files is written last, and then it is renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::database::{Database, Fault, refused};
use crate::directory::{
    Directory, MASTER_KEY, NotWritten, has_bytes, make_private_directory, not_written, private,
    sync_directory,
};
use crate::ledger::{USAGE, rebuild};
use crate::store::CONFIG;
use crate::{MasterKey, OpenError, rotation};

/// The file that makes a directory a whole backup.
pub(crate) const MANIFEST: &str = "backup.json";
/// The administrator's first access key; not the store's, but lost without a copy.
pub(crate) const CREDENTIALS: &str = "credentials";
/// The form of the manifest that this version writes and reads.
pub(crate) const FORMAT: u32 = 1;
/// Every file that a backup may have beside the manifest.
pub(crate) const FILES: [&str; 4] = ["config.db", "usage.db", MASTER_KEY, CREDENTIALS];

/// Why there is no backup. Nothing of it is left under its name.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} exists already; give a name that is free", path.display())]
    Exists { path: PathBuf },
    #[error("{} does not hold both a config.db and a usage.db: it is no data directory, or one that lost its ledger", path.display())]
    NoDirectory { path: PathBuf },
    #[error(
        "the usage ledger is poisoned; restart the gateway, which rewrites it, and back up then"
    )]
    Poisoned,
    #[error("the master key was changed while the backup was made; try again")]
    KeyChanged,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    #[error("{name} cannot be copied: {reason}")]
    NotCopied { name: String, reason: String },
}

/// Where the master key of a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKept {
    /// In the backup, which is as secret as the key.
    Included,
    /// Where the gateway has it from: without it nobody can restore the backup.
    Elsewhere,
}

/// What a backup consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version of the program that made it.
    pub version: String,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: i64,
    pub master_key: KeyKept,
    pub files: Vec<FileOf>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOf {
    pub name: String,
    pub bytes: u64,
    pub blake3: String,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backed {
    pub manifest: Manifest,
    /// Whether a process was serving from the directory.
    pub online: bool,
}

/// Backs the data directory up into the directory `target`, which must not exist. `now_ms` is the
/// time since 1970; `progress` hears of a file's name, pages done and pages in all.
pub fn backup(
    data_dir: &Path,
    target: &Path,
    now_ms: i64,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<Backed, BackupError> {
    for name in ["config.db", "usage.db"] {
        let file = data_dir.join(name);
        if let Err(source) = fs::metadata(&file)
            && source.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(OpenError::NotReadable { path: file, source }.into());
        }
        if !has_bytes(&file) {
            let path = data_dir.into();
            return Err(BackupError::NoDirectory { path });
        }
    }
    let target: &Path = &target.components().collect::<PathBuf>(); // without a slash at its end
    let partial = partial_of(target);
    for path in [target, &partial] {
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { path: path.into() });
        }
    }
    let held = match Directory::hold(data_dir) {
        Ok(directory) => {
            directory.refuse_unfinished()?;
            rebuild::rebuild_if_poisoned(&directory)?;
            if data_dir.join(MASTER_KEY).is_file() {
                rotation::current_key(&directory)?;
            }
            Some(directory)
        }
        Err(OpenError::Locked { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let parent = parent_of(target);
    if !parent.is_dir() {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no such directory");
        return Err(not_written(parent)(source).into());
    }
    make_private_directory(&partial).map_err(not_written(&partial))?;
    let made = copy_all(data_dir, &partial, now_ms, progress).and_then(|manifest| {
        fs::rename(&partial, target).map_err(not_written(target))?;
        sync_directory(parent_of(target)).map_err(not_written(target))?;
        Ok(manifest)
    });
    if made.is_err() {
        // What is left of it is refused as a backup anyway; the error tells why there is none.
        let _ = fs::remove_dir_all(&partial);
    }
    Ok(Backed {
        manifest: made?,
        online: held.is_none(),
    })
}

fn copy_all(
    data_dir: &Path,
    into: &Path,
    now_ms: i64,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<Manifest, BackupError> {
    let is_poisoned = || data_dir.join(rebuild::MARKER).exists();
    if is_poisoned() {
        return Err(BackupError::Poisoned);
    }
    let (config_path, usage_path) = (data_dir.join("config.db"), data_dir.join("usage.db"));
    let config =
        Database::open_reader(&config_path).map_err(|fault| refused(&config_path, fault))?;
    let usage = Database::open_reader(&usage_path).map_err(|fault| refused(&usage_path, fault))?;
    config.identify(&config_path, &CONFIG)?;
    usage.identify(&usage_path, &USAGE)?;
    // The ledger's moment comes after the configuration's: it knows the use of every key that is in the backup.
    let config_look = look(&config).map_err(|fault| refused(&config_path, fault))?;
    let usage_look = look(&usage).map_err(|fault| refused(&usage_path, fault))?;
    let mut files = Vec::new();
    for (name, database) in [("config.db", &config), ("usage.db", &usage)] {
        let to = into.join(name);
        private(OpenOptions::new().write(true).create_new(true))
            .open(&to)
            .map_err(not_written(&to))?;
        let copied = database.copy_into(&to, &mut |done, all| progress(name, done, all));
        copied.map_err(|fault| not_copied(name, fault.reason))?;
        files.push(sealed_up(into, name)?);
    }
    // By now the key is looked at through the same look as the copy.
    let master_key = copy_master_key(data_dir, into, &config)?;
    drop((config_look, usage_look));
    if is_poisoned() {
        return Err(BackupError::Poisoned);
    }
    match master_key {
        KeyKept::Included => files.push(sealed_up(into, MASTER_KEY)?),
        KeyKept::Elsewhere if key_fits(data_dir, &config)?.is_some() => {
            return Err(BackupError::KeyChanged);
        }
        KeyKept::Elsewhere => {}
    }
    if data_dir.join(CREDENTIALS).is_file() {
        let bytes = fs::read(data_dir.join(CREDENTIALS));
        let bytes = bytes.map_err(|error| not_copied(CREDENTIALS, error))?;
        write_private(&into.join(CREDENTIALS), &bytes)?;
        files.push(sealed_up(into, CREDENTIALS)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        made_ms: now_ms,
        master_key,
        files,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(|e| not_copied(MANIFEST, e))?;
    sync_directory(into).map_err(not_written(into))?;
    write_private(&into.join(MANIFEST), text.as_bytes())?;
    sync_directory(into).map_err(not_written(into))?;
    Ok(manifest)
}

/// Fixes one moment: a look takes its snapshot with the first thing it reads.
fn look(database: &Database) -> Result<crate::database::Open<'_>, Fault> {
    let open = database.look()?;
    database.exists("SELECT 1 FROM sqlite_schema", ())?;
    Ok(open)
}

/// Copies the key if it is the one that the values are sealed with; one that does not fit is not used.
fn copy_master_key(
    data_dir: &Path,
    into: &Path,
    config: &Database,
) -> Result<KeyKept, BackupError> {
    let Some(key) = key_fits(data_dir, config)? else {
        return Ok(KeyKept::Elsewhere);
    };
    write_private(&into.join(MASTER_KEY), key.to_hex().as_bytes())?;
    Ok(KeyKept::Included)
}

/// The key in the directory, if `config` as it is seen now is sealed with it.
fn key_fits(data_dir: &Path, config: &Database) -> Result<Option<MasterKey>, BackupError> {
    let path = data_dir.join(MASTER_KEY);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::NotReadable { path, source }.into()),
    };
    let key = MasterKey::from_hex(&text).map_err(|_| OpenError::BadMasterKey { path })?;
    let fits = rotation::is_sealed_with(config, &key, &data_dir.join("config.db"))?;
    Ok(fits.then_some(key))
}

/// Makes a file of the backup durable and says what is in it.
fn sealed_up(directory: &Path, name: &str) -> Result<FileOf, BackupError> {
    let path = directory.join(name);
    File::open(&path)
        .and_then(|file| file.sync_all())
        .map_err(not_written(&path))?;
    let (bytes, blake3) = digest(&path).map_err(|error| not_copied(name, error))?;
    Ok(FileOf {
        name: name.into(),
        bytes,
        blake3,
    })
}

/// Length and BLAKE3 digest of a file.
pub(crate) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hasher.finalize().to_hex().to_string()));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let write = || -> io::Result<()> {
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    Ok(write().map_err(not_written(path))?)
}

fn partial_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn not_copied(name: &str, reason: impl std::fmt::Display) -> BackupError {
    BackupError::NotCopied {
        name: name.into(),
        reason: reason.to_string(),
    }
}
