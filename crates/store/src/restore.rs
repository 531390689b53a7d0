//! A backup made into a data directory again: verified first, then prepared aside, then moved into place.
//!
//! What was admitted after the backup is not known to it. So that nothing is given away twice, every
//! quota's window that is open now is marked as given away whole, and throttles begin as if a process
//! had lived until now. A directory that a cut-off restore left behind is refused until it is
//! restored again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollgate_entity::usage::Window;
use tollgate_entity::{QuotaSettings, UsagePlan};

use crate::backup::{self, MANIFEST};
use crate::directory::{Directory, LOCK, MASTER_KEY, RESTORE_MARKER, private, sync_directory};
use crate::{
    AccountRow, Alive, KeyKept, LedgerBatch, LedgerError, LedgerWriter, Manifest, MasterKey,
    OpenError, Store, StoreError, StoreOptions, boot,
};

/// Where the files are prepared, in the data directory.
const STAGING: &str = "restoring";
/// Bytes of a file in memory at a time.
const COPIED_AT_ONCE: usize = 1 << 20;
/// Rows written at a time.
const BATCH_ROWS: usize = 1000;

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
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the backup cannot be read: {0}")]
    Store(#[from] StoreError),
    #[error("the open windows cannot be closed: {0}")]
    Ledger(#[from] LedgerError),
    #[error("{} cannot be written: {source}", path.display())]
    NotWritten { path: PathBuf, source: io::Error },
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
pub fn restore(
    from: &Path,
    data_dir: &Path,
    options: &RestoreOptions,
) -> Result<Restored, RestoreError> {
    let manifest = verified(from)?;
    if manifest.master_key == KeyKept::Elsewhere && options.master_key.is_none() {
        return Err(RestoreError::KeyNeeded);
    }
    let directory = Directory::hold(data_dir)?;
    let before = entries(data_dir)?;
    if !before.is_empty() && !options.replace {
        return Err(RestoreError::NotEmpty {
            path: data_dir.into(),
        });
    }
    let marker = directory.file(RESTORE_MARKER);
    let sync = || directory.sync().map_err(not_written(data_dir));
    File::create(&marker)
        .and_then(|file| file.sync_all())
        .map_err(not_written(&marker))?;
    sync()?;
    let set_aside = set_aside(&directory, before, options.now_ms)?;
    sync()?;
    let staging = directory.file(STAGING);
    let closed = prepare(from, &manifest, &staging, options)?;
    // The configuration comes last: a directory without it is empty to whoever looks.
    let mut prepared = entries(&staging)?;
    prepared.sort_by_key(|name| name == "config.db");
    for name in &prepared {
        let to = directory.file(name);
        fs::rename(staging.join(name), &to).map_err(not_written(&to))?;
    }
    sync_directory(&staging).map_err(not_written(&staging))?;
    sync()?;
    fs::remove_dir_all(&staging).map_err(not_written(&staging))?;
    fs::remove_file(&marker).map_err(not_written(&marker))?;
    sync()?;
    Ok(Restored {
        manifest,
        closed,
        set_aside,
    })
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
fn entries(path: &Path) -> Result<Vec<String>, RestoreError> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            if name != LOCK {
                names.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(names)
    };
    list().map_err(not_written(path))
}

/// Moves what is there into a directory of its own; what a cut-off restore had prepared goes.
fn set_aside(
    directory: &Directory,
    names: Vec<String>,
    now_ms: i64,
) -> Result<Option<PathBuf>, RestoreError> {
    let staging = directory.file(STAGING);
    match fs::remove_dir_all(&staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(not_written(&staging)(error));
        }
        _ => {}
    }
    let is_left = |name: &String| {
        name != STAGING && name != RESTORE_MARKER && !name.starts_with("before-restore-")
    };
    let names: Vec<String> = names.into_iter().filter(is_left).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let aside = directory.file(&format!("before-restore-{now_ms}"));
    make_private_directory(&aside)?;
    for name in names {
        let to = aside.join(&name);
        fs::rename(directory.file(&name), &to).map_err(not_written(&to))?;
    }
    sync_directory(&aside).map_err(not_written(&aside))?;
    Ok(Some(aside))
}

/// Makes the data directory's files in `staging`; how many windows were closed.
fn prepare(
    from: &Path,
    manifest: &Manifest,
    staging: &Path,
    options: &RestoreOptions,
) -> Result<u64, RestoreError> {
    make_private_directory(staging)?;
    for file in &manifest.files {
        let to = staging.join(&file.name);
        let copy = || -> io::Result<()> {
            let mut source = File::open(from.join(&file.name))?;
            let mut target = private(OpenOptions::new().write(true).create_new(true)).open(&to)?;
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
    )?;
    store.check_integrity()?;
    let mut writer = store.ledger().writer()?;
    let closed = match options.windows {
        Windows::Close => close_windows(&store, &mut writer, options.now_ms)?,
        Windows::Keep => 0,
    };
    let alive = Alive {
        until_wall_ms: options.now_ms,
        until_boot_ms: boot::boot_ms(),
        boot_id: boot::boot_id(),
        is_settled: false,
    };
    let stamp = staging.join("usage.alive");
    writer.say_alive(&alive).map_err(not_written(&stamp))?;
    Ok(closed)
}

/// A window that is open, and what it is worth.
#[derive(Clone, Copy)]
struct Open {
    window: Window,
    limit: u64,
}

fn open_window(quota: &QuotaSettings, day: i32) -> Option<Open> {
    Some(Open {
        window: quota.window_of(day)?,
        limit: u64::try_from(quota.limit?).ok()?,
    })
}

/// Gives away whatever is left of the windows that are open, for every key of every plan with a
/// quota and for every key that ever was in one.
fn close_windows(
    store: &Store,
    writer: &mut LedgerWriter,
    now_ms: i64,
) -> Result<u64, RestoreError> {
    const DAY_MS: i64 = 86_400_000;
    let today = i32::try_from(now_ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX);
    let mut quotas: HashMap<Arc<str>, Open> = HashMap::new();
    let mut limits: HashMap<(Arc<str>, String), u64> = HashMap::new();
    store.read_blocking(|reader| {
        for plan in reader.list::<UsagePlan>("")? {
            let open = plan
                .quota
                .as_ref()
                .and_then(|quota| open_window(quota, today));
            quotas.extend(open.map(|open| (plan.id.as_str().into(), open)));
        }
        reader.for_each_plan_key(|plan, key| {
            if let Some((plan, open)) = quotas.get_key_value(plan) {
                limits.insert((plan.clone(), key.to_owned()), open.limit);
            }
        })?;
        reader.for_each_extension(|extension| {
            if let Some((plan, open)) = quotas.get_key_value(extension.plan_id.as_str())
                && i32::from(open.window.start.0) == extension.window_start_day
            {
                let limit = open.limit.saturating_add_signed(extension.delta);
                limits.insert((plan.clone(), extension.key_id), limit);
            }
        })
    })?;
    // An account may hold more than the limit of now, and a key may have left its plan: the higher figure stays.
    let mut rows: HashMap<(Arc<str>, String), AccountRow> = HashMap::new();
    writer.accounts(|row| {
        if let Some((plan, open)) = quotas.get_key_value(&row.plan_id) {
            limits
                .entry((plan.clone(), row.key_id.to_string()))
                .or_insert(open.limit);
        }
        rows.insert((row.plan_id.clone(), row.key_id.to_string()), row);
    })?;
    let (mut batch, mut closed) = (LedgerBatch::default(), 0);
    for ((plan, key), limit) in limits {
        let window = quotas[&plan].window;
        let (start, end) = (i32::from(window.start.0), i32::from(window.end.0));
        let before = rows.get(&(plan.clone(), key.clone()));
        let reserved = match before {
            Some(row) if row.window_start_day > start => continue, // it is in a later window already
            Some(row) if row.window_start_day == start => row.reserved.max(limit),
            _ => limit,
        };
        batch.accounts.push(AccountRow {
            plan_id: plan,
            key_id: key.as_str().into(),
            window_start_day: start,
            window_end_day: end,
            reserved,
        });
        closed += 1;
        if batch.accounts.len() >= BATCH_ROWS {
            writer.write(&std::mem::take(&mut batch))?;
        }
    }
    if !batch.is_empty() {
        writer.write(&batch)?;
    }
    Ok(closed)
}

fn make_private_directory(path: &Path) -> Result<(), RestoreError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(not_written(path))
}

fn not_written(path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    |source| RestoreError::NotWritten { path, source }
}
