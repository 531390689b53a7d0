//! Whose a data directory is, so that what root makes in it is its owner's too.

use std::fs::File;
use std::io;
use std::path::Path;

/// The user and group that a data directory's files belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    uid: u32,
    gid: u32,
}

#[cfg(unix)]
impl Owner {
    /// The owner of its configuration, or of the directory itself when it is empty.
    pub fn of(directory: &Path) -> io::Result<Owner> {
        use std::os::unix::fs::MetadataExt;
        let told = std::fs::symlink_metadata(directory.join("config.db"));
        let found = match told.ok().filter(|file| file.is_file()) {
            Some(file) => file,
            None => std::fs::metadata(directory)?,
        };
        Ok(Owner {
            uid: found.uid(),
            gid: found.gid(),
        })
    }

    /// Gives a file that was made just now to the owner. Whoever may not give files away keeps it.
    pub fn give(self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, fchown};
        match file.metadata()?.uid() == self.uid {
            true => Ok(()),
            false => allowed(fchown(file, Some(self.uid), Some(self.gid))),
        }
    }

    /// The same for a directory.
    pub fn give_directory(self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, lchown};
        match std::fs::symlink_metadata(path)?.uid() == self.uid {
            true => Ok(()),
            false => allowed(lchown(path, Some(self.uid), Some(self.gid))),
        }
    }
}

#[cfg(unix)]
fn allowed(changed: io::Result<()>) -> io::Result<()> {
    match changed {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        changed => changed,
    }
}

#[cfg(not(unix))]
impl Owner {
    pub fn of(_directory: &Path) -> io::Result<Owner> {
        Ok(Owner { uid: 0, gid: 0 })
    }

    pub fn give(self, _file: &File) -> io::Result<()> {
        Ok(())
    }

    pub fn give_directory(self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}
