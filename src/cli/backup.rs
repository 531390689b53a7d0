//! `tollgate backup`, `restore`, `new-ledger` and `rotate-master-key`: what is done to a data directory beside the gateway.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use serde_json::json;
use tollgate_entity::Timestamp;
use tollgate_store::{
    Audit, KeyKept, MasterKey, NewLedger, RestoreOptions, Windows, backup, new_ledger, restore,
    rotate_master_key,
};

use super::failed::Failed;
use super::{Configured, output};
use crate::config::Config;

/// `tollgate backup`.
#[derive(clap::Args)]
pub struct Backup {
    /// Directory to make; it must not exist.
    target: PathBuf,
    #[command(flatten)]
    configured: Configured,
}

/// `tollgate restore`.
#[derive(clap::Args)]
pub struct Restore {
    /// Directory that `tollgate backup` made.
    backup: PathBuf,
    /// Leave of the open quota windows what was left when the backup was made. What was admitted since is given away
    /// again.
    #[arg(long)]
    keep_remaining: bool,
    /// Set aside what is in the data directory instead of refusing.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    configured: Configured,
}

/// `tollgate new-ledger`.
#[derive(clap::Args)]
pub struct Anew {
    /// Let the open quota windows begin whole. What was used of them is given away again.
    #[arg(long)]
    open_windows: bool,
    #[command(flatten)]
    configured: Configured,
}

/// `tollgate rotate-master-key`.
#[derive(clap::Args)]
pub struct Rotate {
    /// File with the new key (64 hexadecimal digits), when the key is kept outside the data directory.
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
}

impl Backup {
    pub fn run(self) -> Result<(), Failed> {
        let config = self.configured.load()?.config;
        let shows = std::io::stderr().is_terminal();
        let mut shown = None;
        let mut progress = |name: &str, done: u64, all: u64| {
            let percent = done.saturating_mul(100) / all.max(1);
            if shows
                && shown.replace((name.to_owned(), percent)) != Some((name.to_owned(), percent))
            {
                eprint!("\r{name} {percent} %   ");
            }
        };
        let made = backup(&config.data_dir, &self.target, now_ms(), &mut progress);
        if shows {
            eprintln!();
        }
        let made = made.map_err(|error| Failed::Failed(error.to_string()))?;
        let bytes: u64 = made.manifest.files.iter().map(|file| file.bytes).sum();
        let how = if made.online {
            "while it is served"
        } else {
            "stopped"
        };
        let key = match made.manifest.master_key {
            KeyKept::Included => "It holds the master key: keep it as safe as the key itself.",
            KeyKept::Elsewhere => {
                "It does not hold the master key; without the key of today it cannot be restored."
            }
        };
        output::print(&format!(
            "{} ({how}) is backed up in {}: {bytes} bytes. {key}",
            config.data_dir.display(),
            self.target.display()
        ))
    }
}

impl Restore {
    pub fn run(self) -> Result<(), Failed> {
        let config = self.configured.load()?.config;
        let options = RestoreOptions {
            windows: if self.keep_remaining {
                Windows::Keep
            } else {
                Windows::Close
            },
            replace: self.replace,
            master_key: master_key(&config)?,
            now_ms: now_ms(),
        };
        let restored = restore(&self.backup, &config.data_dir, &options)
            .map_err(|error| Failed::Failed(error.to_string()))?;
        let mut text = format!(
            "{} is restored into {}.\n",
            self.backup.display(),
            config.data_dir.display()
        );
        text += &match options.windows {
            Windows::Close => closed_windows(restored.closed),
            Windows::Keep => {
                "WARNING: what was admitted since the backup was made is given away again.".into()
            }
        };
        if let Some(aside) = restored.set_aside {
            text += &format!("\nWhat was there before is in {}.", aside.display());
        }
        output::print(&text)
    }
}

/// What becomes of the windows that are open, for a person.
fn closed_windows(closed: u64) -> String {
    format!(
        "{closed} open quota windows are closed, because nobody knows what was used of them since; update-usage opens one again for a key."
    )
}

impl Anew {
    pub fn run(self) -> Result<(), Failed> {
        let config = self.configured.load()?.config;
        let windows = if self.open_windows {
            Windows::Keep
        } else {
            Windows::Close
        };
        let options = NewLedger {
            windows,
            master_key: master_key(&config)?,
            now_ms: now_ms(),
        };
        let closed = new_ledger(&config.data_dir, &options)
            .map_err(|error| Failed::Failed(error.to_string()))?;
        let what = match windows {
            Windows::Close => closed_windows(closed),
            Windows::Keep => {
                "WARNING: the open quota windows begin whole; what was used of them is given away again.".into()
            }
        };
        output::print(&format!(
            "{} has a new usage.db. {what}",
            config.data_dir.display()
        ))
    }
}

impl Rotate {
    pub fn run(self) -> Result<(), Failed> {
        let config = self.configured.load()?.config;
        let new = self.new_key_file.as_deref().map(key_in).transpose()?;
        let audit = Audit {
            who: "tollgate rotate-master-key".into(),
            operation: "RotateMasterKey".into(),
            what: json!({}),
            at: Timestamp(jiff::Timestamp::now().as_second()),
            ..Audit::default()
        };
        let rotated = rotate_master_key(&config.data_dir, master_key(&config)?, new, &audit)
            .map_err(|error| Failed::Failed(error.to_string()))?;
        let where_to = match config.master_key {
            Some(_) => "From now on TOLLGATE_MASTER_KEY must be the new key.",
            None => "The new key is in master.key; backups from before hold the old one.",
        };
        output::print(&format!(
            "{} values are sealed with the new master key. {where_to}",
            rotated.sealed
        ))?;
        if let Some(reason) = rotated.not_wiped {
            // Done all the same, so it is a word and no failure; a closed stderr is nobody's loss.
            let _ = writeln!(
                std::io::stderr(),
                "tollgate: config.db could not be compacted ({reason}): bytes sealed with the old key may still be found in it; run the command again when there is room"
            );
        }
        Ok(())
    }
}

fn key_in(path: &std::path::Path) -> Result<MasterKey, Failed> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failed::Usage(format!("{} cannot be read: {error}", path.display())))?;
    MasterKey::from_hex(&text).map_err(|_| {
        Failed::Usage(format!(
            "{} does not hold 64 hexadecimal digits",
            path.display()
        ))
    })
}

/// The master key of the settings, if it is kept there.
pub fn master_key(config: &Config) -> Result<Option<MasterKey>, Failed> {
    let key = config
        .master_key
        .as_ref()
        .map(|key| MasterKey::from_hex(key.reveal()));
    key.transpose()
        .map_err(|_| Failed::Usage("TOLLGATE_MASTER_KEY is not 64 hexadecimal digits".into()))
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
