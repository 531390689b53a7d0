//! A backup made into a data directory again: verified first, then prepared aside, then moved into place.
//!
//! Nothing that is in the data directory is touched before all of the restore that can fail for want
//! of room, of the key or of a sound backup is done. From then on the directory is refused until the
//! restore is complete or repeated.
//!
//! What was admitted after the backup is not known to it. So that nothing is given away twice, every
//! quota's window that is open now is marked as given away whole, and throttles begin as if a process
//! had lived until now.

mod aside;
pub(crate) mod closing;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use self::aside::Aside;
use self::closing::{NotClosed, close_windows};
use crate::backup::{self, MANIFEST};
use crate::directory::{
    Directory, LOCK, MASTER_KEY, NotWritten, RESTORE_MARKER, make_private_directory, new_file,
    not_written, sync_directory,
};
use crate::owner::Owner;
use crate::vault::Vault;
use crate::{
    Alive, KeyKept, LedgerError, LedgerWriter, Manifest, MasterKey, OpenError, Store, StoreError,
    StoreOptions, boot,
};

/// Where the files are prepared, in the data directory.
const STAGING: &str = "restoring";
/// Bytes of a file in memory at a time.
const COPIED_AT_ONCE: usize = 1 << 20;

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{} is not a whole backup: {reason}", path.display())]
    NotABackup { path: PathBuf, reason: String },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the data directory {} is not empty; --replace sets aside what is in it", path.display())]
    NotEmpty { path: PathBuf },
    #[error(
        "the backup does not hold the master key: set TOLLGATE_MASTER_KEY to the one of its time"
    )]
    KeyNeeded,
    #[error(
        "TOLLGATE_MASTER_KEY is not the master key of the time of the backup; set it to that one"
    )]
    WrongKey,
    #[error(
        "the backup holds its master key, and TOLLGATE_MASTER_KEY is another one: unset it, for the restore and for the gateway after it"
    )]
    OtherKey,
    #[error("the backup {} lies in the data directory {}; move it out first", path.display(), data_dir.display())]
    Inside { path: PathBuf, data_dir: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the backup cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("the open windows cannot be closed: {0}")]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    NotClosed(#[from] NotClosed),
    #[error(transparent)]
    NotWritten(#[from] NotWritten),
    #[error(
        "{source}; the data directory is refused until it is restored again, with --replace, and what was there before is in {}",
        aside.display()
    )]
    Unfinished {
        aside: PathBuf,
        source: Box<RestoreError>,
    },
}

/// What becomes of the quotas' windows that are open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// Nothing is left of them: nobody gets a unit twice.
    Close,
    /// As much is left of them as when the backup was made; what was admitted since is given away again.
    Keep,
}

/// How a backup is restored.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    pub windows: Windows,
    /// Whether what is in the data directory may be set aside.
    pub replace: bool,
    /// The master key, when the backup does not hold it.
    pub master_key: Option<MasterKey>,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub manifest: Manifest,
    /// Windows that were closed.
    pub closed: u64,
    /// Where the files are that were there before.
    pub set_aside: Option<PathBuf>,
}

/// Restores the backup in the directory `from` into `data_dir`, which is made if it is not there.
/// Until the backup is prepared whole, an error leaves the data directory as it was.
pub fn restore(
    from: &Path,
    data_dir: &Path,
    options: &RestoreOptions,
) -> Result<Restored, RestoreError> {
    let manifest = verified(from)?;
    check_key(from, &manifest, options)?;
    let directory = Directory::hold(data_dir)?;
    refuse_inside(from, data_dir)?;
    let is_taken = |name: &OsString| name != STAGING;
    if !options.replace && entries(data_dir)?.iter().any(is_taken) {
        return Err(RestoreError::NotEmpty {
            path: data_dir.into(),
        });
    }
    let aside = Aside::of(&directory, options.now_ms)?;
    let unfinished = |source: RestoreError| match aside.path(&directory) {
        Some(aside) => RestoreError::Unfinished {
            aside,
            source: Box::new(source),
        },
        None => source,
    };
    let staging = directory.file(STAGING);
    remove_tree(&staging).map_err(unfinished)?;
    let prepared = prepare(from, &manifest, &staging, directory.owner(), options);
    if prepared.is_err() {
        // The room is the gateway's again; the error tells why there is no restore.
        let _ = remove_tree(&staging);
    }
    let closed = prepared.map_err(unfinished)?;
    move_into_place(&directory, &aside, &staging).map_err(unfinished)?;
    Ok(Restored {
        manifest,
        closed,
        set_aside: aside.path(&directory),
    })
}

/// What was there goes aside, and what was prepared takes its place.
fn move_into_place(
    directory: &Directory,
    aside: &Aside,
    staging: &Path,
) -> Result<(), RestoreError> {
    let sync = || directory.sync().map_err(not_written(directory.path()));
    let mut prepared = entries(staging)?;
    sync()?;
    aside.move_all(directory, &prepared)?;
    // The configuration comes last: a directory without it is empty to whoever looks.
    prepared.sort_by_key(|name| name == "config.db");
    for name in &prepared {
        let to = directory.path().join(name);
        fs::rename(staging.join(name), &to).map_err(not_written(&to))?;
    }
    sync_directory(staging).map_err(not_written(staging))?;
    sync()?;
    remove_tree(staging)?;
    let marker = directory.file(RESTORE_MARKER);
    fs::remove_file(&marker).map_err(not_written(&marker))?;
    Ok(sync()?)
}

/// A key that is kept elsewhere must be given, and must be the one in the backup if there is one:
/// the next start would refuse any other.
fn check_key(
    from: &Path,
    manifest: &Manifest,
    options: &RestoreOptions,
) -> Result<(), RestoreError> {
    let Some(given) = &options.master_key else {
        return match manifest.master_key {
            KeyKept::Included => Ok(()),
            KeyKept::Elsewhere => Err(RestoreError::KeyNeeded),
        };
    };
    if !manifest.files.iter().any(|file| file.name == MASTER_KEY) {
        return Ok(());
    }
    let path = from.join(MASTER_KEY);
    let included = fs::read_to_string(&path).map_err(|error| error.to_string());
    let included = included
        .and_then(|text| MasterKey::from_hex(&text).map_err(|error| error.to_string()))
        .map_err(|reason| RestoreError::Damaged { path, reason })?;
    match Vault::new(&included).check() == Vault::new(given).check() {
        true => Ok(()),
        false => Err(RestoreError::OtherKey),
    }
}

/// A backup in the data directory would be set aside with the rest of it.
fn refuse_inside(from: &Path, data_dir: &Path) -> Result<(), RestoreError> {
    let canonical = |path: &Path| {
        path.canonicalize()
            .map_err(|source| OpenError::NotReadable {
                path: path.into(),
                source,
            })
    };
    match canonical(from)?.starts_with(canonical(data_dir)?) {
        true => Err(RestoreError::Inside {
            path: from.into(),
            data_dir: data_dir.into(),
        }),
        false => Ok(()),
    }
}

fn remove_tree(path: &Path) -> Result<(), RestoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(not_written(path)(error).into())
        }
        _ => Ok(()),
    }
}

/// The manifest of a backup all of whose files are what it says.
fn verified(from: &Path) -> Result<Manifest, RestoreError> {
    let not = |reason: String| RestoreError::NotABackup {
        path: from.into(),
        reason,
    };
    let text = fs::read_to_string(from.join(MANIFEST))
        .map_err(|error| not(format!("{MANIFEST} cannot be read: {error}")))?;
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|error| not(format!("{MANIFEST}: {error}")))?;
    if manifest.format != backup::FORMAT {
        return Err(not(format!(
            "its form is {}, and this version reads {}",
            manifest.format,
            backup::FORMAT
        )));
    }
    for name in ["config.db", "usage.db"] {
        if !manifest.files.iter().any(|file| file.name == name) {
            return Err(not(format!("{name} is missing")));
        }
    }
    for file in &manifest.files {
        let damaged = |reason: String| RestoreError::Damaged {
            path: from.join(&file.name),
            reason,
        };
        if !backup::FILES.contains(&file.name.as_str()) {
            return Err(not(format!("{} does not belong to one", file.name)));
        }
        let (bytes, blake3) =
            backup::digest(&from.join(&file.name)).map_err(|error| damaged(error.to_string()))?;
        if (bytes, &blake3) != (file.bytes, &file.blake3) {
            return Err(damaged("it is not what the backup was made with".into()));
        }
    }
    Ok(manifest)
}

/// The names in a directory, without the lock.
fn entries(path: &Path) -> Result<Vec<OsString>, RestoreError> {
    let list = || -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            if name != LOCK {
                names.push(name);
            }
        }
        Ok(names)
    };
    Ok(list().map_err(not_written(path))?)
}

/// Makes the data directory's files in `staging`; how many windows were closed.
fn prepare(
    from: &Path,
    manifest: &Manifest,
    staging: &Path,
    owner: Owner,
    options: &RestoreOptions,
) -> Result<u64, RestoreError> {
    make_private_directory(staging)
        .and_then(|()| owner.give_directory(staging))
        .map_err(not_written(staging))?;
    for file in &manifest.files {
        let to = staging.join(&file.name);
        let copy = || -> io::Result<()> {
            let mut source = File::open(from.join(&file.name))?;
            let mut target = new_file(&to, owner)?;
            let mut buffer = vec![0; COPIED_AT_ONCE];
            loop {
                let read = source.read(&mut buffer)?;
                if read == 0 {
                    return target.sync_all();
                }
                target.write_all(&buffer[..read])?;
            }
        };
        copy().map_err(not_written(&to))?;
    }
    // A key that is in the backup wins: it is the one of its time.
    let is_included = manifest.files.iter().any(|file| file.name == MASTER_KEY);
    let store = Store::open(
        staging,
        StoreOptions {
            master_key: options.master_key.clone().filter(|_| !is_included),
            ..StoreOptions::default()
        },
    )
    .map_err(|error| match error {
        OpenError::WrongMasterKey { .. } if !is_included => RestoreError::WrongKey,
        error => error.into(),
    })?;
    store.check_integrity()?;
    let mut writer = store.ledger().writer()?;
    let closed = match options.windows {
        Windows::Close => close_windows(&store, &mut writer, options.now_ms)?,
        Windows::Keep => 0,
    };
    stamp_as_crashed(&mut writer, staging, options.now_ms)?;
    Ok(closed)
}

/// Throttles begin as if a process had lived until now and crashed.
pub(crate) fn stamp_as_crashed(
    writer: &mut LedgerWriter,
    directory: &Path,
    now_ms: i64,
) -> Result<(), NotWritten> {
    let alive = Alive {
        until_wall_ms: now_ms,
        until_boot_ms: boot::boot_ms(),
        boot_id: boot::boot_id(),
        is_settled: false,
    };
    let stamp = directory.join("usage.alive");
    writer.say_alive(&alive).map_err(not_written(&stamp))
}
