//! Moves what was in a data directory aside for a restore, into one directory even if it is cut off and repeated.
//!
//! The marker tells a repetition how far it came: its first line is the name of the directory for
//! what was there before, and the lines after it, each added when all of that has been moved, name the
//! files that the restore puts there. Whatever else is in the data directory was there before.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::{RestoreError, STAGING, entries};
use crate::directory::{
    Directory, RESTORE_MARKER, make_private_directory, not_written, private, sync_directory,
};

const PREFIX: &str = "before-restore-";

/// The move of a restore.
pub(super) struct Aside {
    name: String,
    /// What a cut-off restore has put into the data directory; it is worth nothing.
    restored: Vec<String>,
    is_begun: bool,
}

impl Aside {
    /// The move that a cut-off restore began, or a new one.
    pub fn of(directory: &Directory, now_ms: i64) -> Result<Aside, RestoreError> {
        let marker = directory.file(RESTORE_MARKER);
        let text = match fs::read(&marker) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(not_written(&marker)(source).into()),
        };
        // A line without its end was cut off itself, before anything was done that it speaks of.
        let mut lines = text
            .split_inclusive('\n')
            .map_while(|line| line.strip_suffix('\n'));
        let is_name = |name: &&str| {
            let number = name.strip_prefix(PREFIX);
            number.is_some_and(|number| number.parse::<i64>().is_ok())
        };
        let Some(name) = lines.next().filter(is_name) else {
            return Ok(Aside {
                name: format!("{PREFIX}{now_ms}"),
                restored: Vec::new(),
                is_begun: false,
            });
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        Ok(Aside {
            name: name.into(),
            restored: lines
                .flat_map(str::split_whitespace)
                .filter(|name| name.bytes().all(is_plain))
                .map(String::from)
                .collect(),
            is_begun: true,
        })
    }

    /// Where the files are that were there before, if there were any.
    pub fn path(&self, directory: &Directory) -> Option<PathBuf> {
        let path = directory.file(&self.name);
        path.is_dir().then_some(path)
    }

    /// Moves everything aside but what belongs to the restore, to make room for the files `to_come`.
    /// From here until the marker is removed the directory is refused.
    pub fn move_all(
        &self,
        directory: &Directory,
        to_come: &[OsString],
    ) -> Result<(), RestoreError> {
        if !self.is_begun {
            self.note(directory, &self.name, true)?;
        }
        for name in &self.restored {
            let path = directory.file(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(not_written(&path)(error).into());
                }
                _ => {}
            }
        }
        let mut names = entries(directory.path())?;
        names.retain(|name| {
            name != STAGING && name != RESTORE_MARKER && !name.to_string_lossy().starts_with(PREFIX)
        });
        let aside = directory.file(&self.name);
        if !names.is_empty() && !aside.is_dir() {
            make_private_directory(&aside)
                .and_then(|()| directory.owner().give_directory(&aside))
                .map_err(not_written(&aside))?;
            directory.sync().map_err(not_written(&aside))?;
        }
        for name in &names {
            let to = aside.join(name);
            if to.symlink_metadata().is_ok() {
                return Err(not_written(&to)(io::ErrorKind::AlreadyExists.into()).into());
            }
            fs::rename(directory.path().join(name), &to).map_err(not_written(&to))?;
        }
        if !names.is_empty() {
            sync_directory(&aside).map_err(not_written(&aside))?;
        }
        directory.sync().map_err(not_written(&aside))?;
        let to_come: Vec<_> = to_come.iter().map(|name| name.to_string_lossy()).collect();
        // A line that was cut off may precede it, so it begins a new one.
        self.note(directory, &format!("\n{}", to_come.join(" ")), false)
    }

    /// Writes a line of the marker and makes it durable.
    fn note(&self, directory: &Directory, line: &str, is_first: bool) -> Result<(), RestoreError> {
        let path = directory.file(RESTORE_MARKER);
        let write = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            options
                .create(true)
                .write(true)
                .truncate(is_first)
                .append(!is_first);
            let mut file: File = private(&mut options).open(&path)?;
            directory.owner().give(&file)?;
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_all()?;
            directory.sync()
        };
        Ok(write().map_err(not_written(&path))?)
    }
}
