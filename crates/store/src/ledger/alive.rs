//! Until when the process may live: a stamp in a small file of its own, rewritten in place, so that
//! neither a full disk nor a failed database stops it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Bytes of the file: less than a sector, so that a stamp is there whole or not at all.
const FILE_BYTES: usize = 256;

/// Until when a process may live, as it said last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// Milliseconds since 1970.
    pub until_wall_ms: i64,
    /// Milliseconds since the machine started, as [`crate::boot::boot_ms`] tells them.
    pub until_boot_ms: Option<u64>,
    /// Which boot that was, as [`crate::boot::boot_id`] tells it.
    pub boot_id: Option<String>,
    /// The process has stopped and everything is written.
    pub is_settled: bool,
}

/// What the process before left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastStamp {
    /// No process ever served from this directory.
    None,
    Alive(Alive),
    /// One did, and when it ended is not known.
    Unknown,
}

#[derive(Debug)]
pub(super) struct AliveFile(File);

impl AliveFile {
    /// Opens the file, made at its full size when it is not there, and reads what stands in it.
    pub fn open(path: &Path, has_served: bool) -> io::Result<(AliveFile, LastStamp)> {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut text = String::new();
        let read = file.read_to_string(&mut text);
        let last = match (read, text.trim()) {
            // Blank at full size: it was made, and nothing ever served.
            (Ok(_), "") if !has_served || text.len() == FILE_BYTES => LastStamp::None,
            (Ok(_), text) => {
                serde_json::from_str(text).map_or(LastStamp::Unknown, LastStamp::Alive)
            }
            (Err(_), _) => LastStamp::Unknown,
        };
        let mut alive = AliveFile(file);
        if text.len() != FILE_BYTES {
            alive.write(&" ".repeat(FILE_BYTES))?;
        }
        Ok((alive, last))
    }

    pub fn stamp(&mut self, alive: &Alive) -> io::Result<()> {
        let text = serde_json::to_string(alive)?;
        self.write(&format!("{text:<FILE_BYTES$}"))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(text.as_bytes())?;
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(until_wall_ms: i64) -> Alive {
        let boot_id = Some("3f0b0a0e-0000-4000-8000-000000000000".to_owned());
        Alive {
            until_wall_ms,
            until_boot_ms: Some(u64::MAX),
            boot_id,
            is_settled: false,
        }
    }

    #[test]
    fn the_newest_stamp_is_found_again_and_a_lost_one_is_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alive");
        let (mut file, last) = AliveFile::open(&path, false).unwrap();
        assert_eq!(last, LastStamp::None);
        assert_eq!(AliveFile::open(&path, true).unwrap().1, LastStamp::None);
        file.stamp(&alive(i64::MAX)).unwrap();
        file.stamp(&alive(7)).unwrap();
        assert_eq!(
            AliveFile::open(&path, true).unwrap().1,
            LastStamp::Alive(alive(7))
        );
        assert_eq!(std::fs::metadata(&path).unwrap().len(), FILE_BYTES as u64);
        std::fs::write(&path, "{\"until").unwrap();
        assert_eq!(AliveFile::open(&path, true).unwrap().1, LastStamp::Unknown);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(AliveFile::open(&path, true).unwrap().1, LastStamp::Unknown);
    }
}
