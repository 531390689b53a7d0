//! Reads the files that certificates and keys are in, and never waits for one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a PEM file.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(
        "{0}: the gateway's own user must be able to read it and to enter the directories above it (docs/operating.md, TLS)"
    )]
    Forbidden(io::Error),
    #[error("it is no regular file (a directory, a pipe or a device)")]
    NotAFile,
    #[error("it is larger than {FILE_BYTES_MAX} bytes, which no file of certificates is")]
    TooLarge,
}

/// The whole of a regular file. A pipe would be waited for without an end, so it is not opened.
pub fn read(path: &Path) -> Result<Vec<u8>, NotRead> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => NotRead::Forbidden(error),
        _ => NotRead::Io(error),
    };
    if !std::fs::metadata(path).map_err(refused)?.is_file() {
        return Err(NotRead::NotAFile);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(refused)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(NotRead::TooLarge),
        false => Ok(bytes),
    }
}

/// Whether every user of the machine may read the file.
pub fn is_open_to_all(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
