//! The data directory: made private, held by one process at a time, and refused with a reason.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::backup::MANIFEST;
use crate::owner::Owner;
use crate::vault::MasterKey;

/// The file that holds the master key, unless it is kept elsewhere.
pub(crate) const MASTER_KEY: &str = "master.key";
/// The file that the lock is on.
pub(crate) const LOCK: &str = "lock";
/// There while a backup is restored into the directory.
pub(crate) const RESTORE_MARKER: &str = "restore.unfinished";
/// There while a lost ledger is replaced by a new one.
pub(crate) const LEDGER_MARKER: &str = "ledger.unfinished";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data directory {} is not a directory", path.display())]
    NotADirectory { path: PathBuf },
    #[error("the data directory {} cannot be created: {source}", path.display())]
    NotCreated { path: PathBuf, source: io::Error },
    #[error("the data directory is not writable ({}: {source}){}", path.display(), whose(source))]
    NotWritable { path: PathBuf, source: io::Error },
    #[error("{} cannot be read: {source}{}", path.display(), whose(source))]
    NotReadable { path: PathBuf, source: io::Error },
    #[error("the data directory {} is in use by {}", path.display(), holder(*pid))]
    Locked {
        path: PathBuf,
        /// The process that holds it, when it could be read.
        pid: Option<u32>,
    },
    #[error("{} has schema version {found}, newer than this program's {known}: it was written by a newer version of Tollgate", path.display())]
    NewerSchema {
        path: PathBuf,
        found: u32,
        known: u32,
    },
    #[error("{} is a database of another program", path.display())]
    Foreign { path: PathBuf },
    #[error("{} is damaged or not a database: {reason}", path.display())]
    Corrupt { path: PathBuf, reason: String },
    #[error("the master key does not belong to {}: its values are sealed with another one; set TOLLGATE_MASTER_KEY to that one, or unset it when that one is in the file master.key", path.display())]
    WrongMasterKey { path: PathBuf },
    #[error("{} is missing, and without it the values in config.db cannot be opened; put it back, or set TOLLGATE_MASTER_KEY to what stood in it", path.display())]
    NoMasterKey { path: PathBuf },
    #[error("{} does not hold a master key (64 hexadecimal digits)", path.display())]
    BadMasterKey { path: PathBuf },
    #[error("{} was cut off while a backup was restored into it; restore again, with --replace (what was there before is in its before-restore-… directory)", path.display())]
    RestoreUnfinished { path: PathBuf },
    #[error("{0} is a backup (it holds backup.json) and is not changed, so that it can be restored; make a data directory of it: tollgate restore {0} --data-dir DIR", path.display())]
    IsABackup { path: PathBuf },
    #[error("{} is missing, empty or not finished, and config.db has usage plans: nobody knows what was used of their quotas. Put the file back, restore a backup, or run `tollgate new-ledger`, which closes the windows that are open", path.display())]
    LedgerLost { path: PathBuf },
    #[error("no random bytes for a master key: {0}")]
    Random(String),
    #[error("{} cannot be opened: {reason}", path.display())]
    Database { path: PathBuf, reason: String },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".into(),
        |pid| format!("another process (pid {pid})"),
    )
}

/// What to do about a file that belongs to somebody else.
fn whose(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run this as the user whom the data directory belongs to"
        }
        _ => "",
    }
}

/// A data directory that this process holds until the value is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    owner: Owner,
    /// Locked; the operating system unlocks it however the process ends.
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is absent (for its owner only) and locks it. A backup is refused.
    pub fn hold(path: &Path) -> Result<Self, OpenError> {
        create(path)?;
        if path.join(MANIFEST).exists() {
            return Err(OpenError::IsABackup { path: path.into() });
        }
        let owner = Owner::of(path).map_err(|source| OpenError::NotReadable {
            path: path.into(),
            source,
        })?;
        let lock_path = path.join(LOCK);
        let mut lock =
            open_or_make(&lock_path, owner).map_err(|source| OpenError::NotWritable {
                path: lock_path.clone(),
                source,
            })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    path: path.into(),
                    pid: pid_in(&mut lock),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(OpenError::NotWritable {
                    path: lock_path,
                    source,
                });
            }
        }
        write_pid(&mut lock).map_err(|source| OpenError::NotWritable {
            path: lock_path,
            source,
        })?;
        Ok(Directory {
            path: path.into(),
            owner,
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whose the files in it are to be.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of a database file, which exists afterwards and is its owner's only.
    /// Also says whether it was there before.
    pub fn database(&self, name: &str) -> Result<(PathBuf, bool), OpenError> {
        let path = self.file(name);
        let existed = has_bytes(&path);
        self.make(name)?;
        Ok((path, existed))
    }

    /// Makes an empty file if there is none.
    pub fn make(&self, name: &str) -> Result<(), OpenError> {
        let path = self.file(name);
        let made = open_or_make(&path, self.owner);
        made.map(drop)
            .map_err(|source| OpenError::NotReadable { path, source })
    }

    /// The key in `master.key`; a directory that holds nothing yet gets a new one.
    pub fn master_key(&self, fresh: bool) -> Result<MasterKey, OpenError> {
        let path = self.file(MASTER_KEY);
        warn_if_open_to_others(&path);
        match self.key_in(MASTER_KEY)? {
            Some(key) => Ok(key),
            None if fresh => self.new_master_key(),
            None => Err(OpenError::NoMasterKey { path }),
        }
    }

    fn new_master_key(&self) -> Result<MasterKey, OpenError> {
        let key = MasterKey::generate().map_err(|error| match error {
            StoreError::Random(reason) => OpenError::Random(reason),
            other => OpenError::Random(other.to_string()),
        })?;
        self.write_master_key(&key, MASTER_KEY)?;
        Ok(key)
    }

    /// Written aside and renamed, so that a crash leaves no half key.
    pub fn write_master_key(&self, key: &MasterKey, name: &str) -> Result<(), OpenError> {
        let (path, aside) = (self.file(name), self.file("master.key.new"));
        let write = || -> io::Result<()> {
            remove(&aside)?; // what a crash left
            let mut file = new_file(&aside, self.owner)?;
            file.write_all(key.to_hex().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&aside, &path)?;
            sync_directory(&self.path)
        };
        write().map_err(|source| OpenError::NotWritable {
            path: path.clone(),
            source,
        })
    }

    /// The key in a file of the directory, if the file is there.
    pub fn key_in(&self, name: &str) -> Result<Option<MasterKey>, OpenError> {
        let path = self.file(name);
        match fs::read_to_string(&path) {
            Ok(text) => MasterKey::from_hex(&text)
                .map(Some)
                .map_err(|_| OpenError::BadMasterKey { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(OpenError::BadMasterKey { path })
            }
            Err(source) => Err(OpenError::NotReadable { path, source }),
        }
    }

    /// Refuses a directory that a restore has not finished.
    pub fn refuse_unfinished(&self) -> Result<(), OpenError> {
        match self.file(RESTORE_MARKER).exists() {
            true => Err(OpenError::RestoreUnfinished {
                path: self.path.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Makes created, renamed and removed names durable.
    pub fn sync(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }
}

fn create(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(OpenError::NotADirectory { path: path.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => {
            return Err(OpenError::NotReadable {
                path: path.into(),
                source,
            });
        }
    }
    private_directories()
        .recursive(true)
        .create(path)
        .map_err(|source| OpenError::NotCreated {
            path: path.into(),
            source,
        })
}

/// Whether there is a file with something in it.
pub(crate) fn has_bytes(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0)
}

/// A file that was not there, its owner's only.
pub(crate) fn new_file(path: &Path, owner: Owner) -> io::Result<File> {
    let file = private(OpenOptions::new().read(true).write(true).create_new(true)).open(path)?;
    owner.give(&file)?;
    Ok(file)
}

/// The file, made if it was not there. One that was there stays whose it is.
fn open_or_make(path: &Path, owner: Owner) -> io::Result<File> {
    match new_file(path, owner) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path)
        }
        made => made,
    }
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn private_directories() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a directory for its owner only, in one that exists.
pub(crate) fn make_private_directory(path: &Path) -> io::Result<()> {
    private_directories().create(path)
}

/// A file or directory that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", path.display())]
pub struct NotWritten {
    pub path: PathBuf,
    pub source: io::Error,
}

pub(crate) fn not_written(path: &Path) -> impl FnOnce(io::Error) -> NotWritten {
    let path = path.to_owned();
    |source| NotWritten { path, source }
}

/// A file made by these options can be read by its owner only.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A secret that other users can read is no error (it may be wanted), but worth a word.
fn warn_if_open_to_others(path: &Path) {
    #[cfg(unix)]
    if let Ok(file) = fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "the master key can be read by other users");
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn pid_in(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Flushes a directory's own entries; where directories cannot be opened, the system does without.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}
