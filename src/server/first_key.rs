//! The administrator's access key that the first start makes.

use std::path::{Path, PathBuf};

use serde_json::json;
use tollgate_entity::Timestamp;
use tollgate_store::{Audit, Store, StoreError};

use crate::cli::credentials::{self, Credentials};

/// Why there is no administrator's access key.
#[derive(Debug, thiserror::Error)]
pub enum FirstKeyError {
    #[error("the administrator's access key cannot be written to {}: {source}", path.display())]
    NotWritten {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an access key if there is none, and writes it to the data directory. Returns the file if it was written now.
///
/// A file that is there already belongs to a config.db that is gone, perhaps to be restored: it is kept beside the
/// new one as `credentials.old`.
///
/// The file is written before the commit: after a crash between the two it holds a key that is not known, and the next
/// start replaces it; the other way round the key would be lost.
pub fn ensure(
    store: &Store,
    data_dir: &Path,
    at: Timestamp,
) -> Result<Option<PathBuf>, FirstKeyError> {
    if store.read_blocking(|reader| reader.access_keys_exist())? {
        return Ok(None);
    }
    let audit = Audit {
        who: "tollgate".to_owned(),
        operation: "CreateAccessKey".to_owned(),
        what: json!({"label": "administrator"}),
        at,
        ..Audit::default()
    };
    store.commit_blocking(audit, |tx| {
        let key = tx.create_access_key("administrator")?;
        let credentials = Credentials {
            access_key_id: key.id,
            secret_access_key: key.secret.expose().to_owned(),
        };
        let path = data_dir.join(credentials::FILE);
        keep_old(&path)
            .and_then(|()| credentials::write(data_dir, &credentials))
            .map(Some)
            .map_err(|source| FirstKeyError::NotWritten { path, source })
    })
}

fn keep_old(path: &Path) -> std::io::Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    let old = path.with_extension("old");
    std::fs::rename(path, &old)?;
    tracing::warn!(
        "config.db knows no access key although {} is there; it is kept as {}",
        path.display(),
        old.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_store::StoreOptions;

    #[test]
    fn the_credentials_of_a_lost_configuration_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(credentials::FILE);
        std::fs::write(&file, "of another config.db").unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        assert_eq!(
            ensure(&store, dir.path(), Timestamp(1)).unwrap(),
            Some(file.clone())
        );
        let kept = std::fs::read_to_string(dir.path().join("credentials.old")).unwrap();
        assert_eq!(kept, "of another config.db");
        assert!(credentials::read(&file, "default").is_ok());
    }

    #[test]
    fn the_first_start_makes_a_key_and_the_second_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let file = ensure(&store, dir.path(), Timestamp(1)).unwrap().unwrap();
        let written = credentials::read(&file, "default").unwrap();
        let known = store
            .read_blocking(|reader| reader.access_key(&written.access_key_id))
            .unwrap()
            .unwrap();
        assert_eq!(known.secret.expose(), written.secret_access_key);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(ensure(&store, dir.path(), Timestamp(2)).unwrap(), None);
        assert!(
            !file.exists(),
            "a key that was moved elsewhere does not come back"
        );
    }

    #[test]
    fn a_key_that_cannot_be_written_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        std::fs::create_dir(dir.path().join("credentials")).unwrap();
        let error = ensure(&store, dir.path(), Timestamp(1))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("the administrator's access key cannot be written to "),
            "{error}"
        );
        assert!(
            !store
                .read_blocking(|reader| reader.access_keys_exist())
                .unwrap()
        );
    }
}
