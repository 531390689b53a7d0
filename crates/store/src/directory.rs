//! The data directory: made private, held by one process at a time, and refused with a reason.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::vault::MasterKey;

/// The file that holds the master key, unless it is kept elsewhere.
pub(crate) const MASTER_KEY: &str = "master.key";
/// The file that the lock is on.
pub(crate) const LOCK: &str = "lock";
/// There while a backup is restored into the directory.
pub(crate) const RESTORE_MARKER: &str = "restore.unfinished";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data directory {} is not a directory", path.display())]
    NotADirectory { path: PathBuf },
    #[error("the data directory {} cannot be created: {source}", path.display())]
    NotCreated { path: PathBuf, source: io::Error },
    #[error("the data directory is not writable ({}: {source})", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    #[error("{} cannot be read: {source}", path.display())]
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
    #[error("the master key does not belong to {}", path.display())]
    WrongMasterKey { path: PathBuf },
    #[error("{} is missing, and without it the values in config.db cannot be opened", path.display())]
    NoMasterKey { path: PathBuf },
    #[error("{} does not hold a master key (64 hexadecimal digits)", path.display())]
    BadMasterKey { path: PathBuf },
    #[error("{} was cut off while a backup was restored into it; restore again, with --replace (what was there before is in its before-restore-… directory)", path.display())]
    RestoreUnfinished { path: PathBuf },
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

/// A data directory that this process holds until the value is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked; the operating system unlocks it however the process ends.
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is absent (for its owner only) and locks it.
    pub fn hold(path: &Path) -> Result<Self, OpenError> {
        create(path)?;
        let lock_path = path.join(LOCK);
        let mut lock = private(OpenOptions::new().read(true).write(true).create(true))
            .open(&lock_path)
            .map_err(|source| OpenError::NotWritable {
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
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The path of a database file, which exists afterwards and is its owner's only.
    /// Also says whether it was there before.
    pub fn database(&self, name: &str) -> Result<(PathBuf, bool), OpenError> {
        let path = self.file(name);
        let existed = fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        private(OpenOptions::new().read(true).write(true).create(true))
            .open(&path)
            .map_err(|source| OpenError::NotReadable {
                path: path.clone(),
                source,
            })?;
        Ok((path, existed))
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
            let mut file =
                private(OpenOptions::new().write(true).create(true).truncate(true)).open(&aside)?;
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
