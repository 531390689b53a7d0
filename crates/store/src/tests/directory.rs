//! Opening: what is made, who may read it, and every refusal with its reason.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::MasterKey;

fn refusal(directory: &Path) -> OpenError {
    open(directory).err().unwrap()
}

/// A directory that was used and closed.
fn used() -> TempDir {
    let Scratch { store, directory } = Scratch::new();
    put(&store, note("", "n", 1));
    directory
}

/// Runs SQL on a file of a closed directory, as another program would.
fn tamper(file: &Path, sql: &str) {
    rusqlite::Connection::open(file)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

#[test]
fn a_new_directory_is_its_owners_only() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let store = open(&directory).unwrap();
    put(&store, note("", "n", 1));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in files(&directory) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let key = fs::read_to_string(directory.join("master.key")).unwrap();
    assert!(MasterKey::from_hex(&key).is_ok());
}

#[test]
fn a_second_process_is_told_who_holds_the_directory() {
    let scratch = Scratch::new();
    let refused = refusal(scratch.directory.path());
    let (path, pid) = (scratch.directory.path().display(), std::process::id());
    assert_eq!(
        refused.to_string(),
        format!("the data directory {path} is in use by another process (pid {pid})")
    );
    let clone = scratch.store.clone();
    let Scratch { store, directory } = scratch;
    drop(store);
    assert!(
        matches!(refusal(directory.path()), OpenError::Locked { .. }),
        "a clone holds it"
    );
    drop(clone);
    assert!(open(directory.path()).is_ok());
}

#[test]
fn a_file_is_not_a_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(
        refusal(file.path()),
        OpenError::NotADirectory { .. }
    ));
    let inside = refusal(&file.path().join("inside"));
    assert!(matches!(inside, OpenError::NotReadable { .. }), "{inside}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_that_cannot_be_written_is_named() {
    // Nobody makes files in /proc, not even root.
    assert!(matches!(
        refusal(Path::new("/proc/tollgate")),
        OpenError::NotCreated { .. }
    ));
    let refused = refusal(Path::new("/proc/self"));
    assert!(
        matches!(refused, OpenError::NotWritable { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("/proc/self/lock"), "{refused}");
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    for (name, newest) in [("config.db", 2), ("usage.db", 1)] {
        let directory = used();
        tamper(&directory.path().join(name), "PRAGMA user_version = 9");
        let refused = refusal(directory.path());
        assert!(
            matches!(
                refused,
                OpenError::NewerSchema {
                    found: 9,
                    known,
                    ..
                } if known == newest
            ),
            "{refused}"
        );
        assert!(refused.to_string().contains(name), "{refused}");
    }
}

#[test]
fn a_foreign_or_damaged_file_is_refused() {
    for name in ["config.db", "usage.db"] {
        let directory = used();
        let file = directory.path().join(name);
        fs::remove_file(&file).unwrap();
        tamper(&file, "CREATE TABLE other (x)");
        let refused = refusal(directory.path());
        assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");

        fs::write(
            &file,
            "not a database, but long enough to have a header".repeat(99),
        )
        .unwrap();
        let refused = refusal(directory.path());
        assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused}");
    }
}

#[test]
fn each_master_key_opens_only_its_own_directory() {
    let directory = used();
    let other = MasterKey::generate().unwrap();
    let with = |master_key| {
        let options = StoreOptions {
            master_key,
            ..StoreOptions::default()
        };
        Store::open(directory.path(), options).err()
    };
    assert!(matches!(
        with(Some(other.clone())),
        Some(OpenError::WrongMasterKey { .. })
    ));
    let file = directory.path().join("master.key");
    let own = MasterKey::from_hex(&fs::read_to_string(&file).unwrap()).unwrap();

    fs::write(&file, other.to_hex().as_bytes()).unwrap();
    assert!(matches!(with(None), Some(OpenError::WrongMasterKey { .. })));
    fs::write(&file, "too short").unwrap();
    assert!(matches!(with(None), Some(OpenError::BadMasterKey { .. })));
    fs::remove_file(&file).unwrap();
    assert!(matches!(with(None), Some(OpenError::NoMasterKey { .. })));
    assert!(with(Some(own)).is_none(), "the key may be kept elsewhere");
    assert!(
        !file.exists(),
        "a key that is kept elsewhere is not written down"
    );
}

#[test]
fn a_start_that_died_half_way_is_finished_by_the_next() {
    // Killed after the empty file and half a master key aside were made.
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.db"), "").unwrap();
    fs::write(directory.path().join("master.key.new"), "0123").unwrap();
    put(&open(directory.path()).unwrap(), note("", "n", 1));
    assert_eq!(counts(&open(directory.path()).unwrap(), ""), [1]);
}
