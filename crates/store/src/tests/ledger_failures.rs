//! The ledger when a write fails: a full disk, poison, and the rewriting at the next start.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::LedgerError;

fn reserved(directory: &Path) -> u64 {
    accounts(&open(directory).unwrap().ledger().writer().unwrap())[0].reserved
}

/// Thousands of rows: more than fits into what is there.
fn large() -> LedgerBatch {
    let used = (0..20_000)
        .map(|n| used("p", &format!("key-{n:010}"), 20_000, 1))
        .collect();
    LedgerBatch {
        used,
        ..LedgerBatch::default()
    }
}

#[test]
fn a_full_disk_loses_nothing_and_passes() {
    let scratch = Scratch::new();
    let mut writer = scratch.store.ledger().writer().unwrap();
    writer.write(&raise(8)).unwrap();
    scratch.store.ledger().limit_pages(10); // SQLite's word for it is the same
    for _ in 0..3 {
        assert_eq!(writer.write(&large()), Err(LedgerError::Full));
    }
    assert!(!scratch.store.ledger().is_poisoned());
    writer.write(&raise(16)).unwrap();
    scratch.store.ledger().limit_pages(1 << 30);
    writer.write(&large()).unwrap();
    assert_eq!(accounts(&writer)[0].reserved, 16);
    let last = writer
        .used_between("p", "key-0000019999", 20_000..20_001)
        .unwrap();
    assert_eq!(last[0].used, 1);
}

#[test]
fn a_failed_write_poisons_and_the_next_start_rewrites_the_file() {
    let scratch = Scratch::new();
    let mut writer = scratch.store.ledger().writer().unwrap();
    writer.write(&raise(8)).unwrap();
    scratch.store.ledger().forbid_writing(true);
    assert!(matches!(
        writer.write(&raise(16)),
        Err(LedgerError::Failed(_))
    ));
    scratch.store.ledger().forbid_writing(false); // the disk is well again, which proves nothing
    assert!(matches!(
        writer.write(&raise(16)),
        Err(LedgerError::Failed(_))
    ));
    assert!(scratch.store.ledger().is_poisoned());
    drop(writer);
    assert!(matches!(
        scratch.store.ledger().writer().err(),
        Some(LedgerError::Failed(_))
    ));

    let Scratch { store, directory } = scratch;
    let file = directory.path().join("usage.db");
    let (marker, log) = (
        file.with_extension("db.poisoned"),
        file.with_extension("db-wal"),
    );
    let before = fs::read(&file).unwrap();
    drop(store);
    assert!(marker.exists());
    assert!(fs::metadata(&log).unwrap().len() > 0, "the log is kept");
    assert_eq!(
        fs::read(&file).unwrap(),
        before,
        "closing does not write to it either"
    );

    // A name of its own keeps the old file's place on the disk taken, so that the new one differs.
    fs::hard_link(&file, directory.path().join("old")).unwrap();
    let scratch = Scratch {
        store: open(directory.path()).unwrap(),
        directory,
    };
    assert!(!marker.exists() && !scratch.store.ledger().is_poisoned());
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_ne!(
        inode(&file),
        inode(&scratch.directory.path().join("old")),
        "it is the same file"
    );
    let mut writer = scratch.store.ledger().writer().unwrap();
    assert_eq!(accounts(&writer)[0].reserved, 8);
    writer.write(&raise(24)).unwrap();
    drop(writer);
    assert_eq!(
        accounts(&scratch.reopened().store.ledger().writer().unwrap())[0].reserved,
        24
    );
}

#[test]
fn a_crash_anywhere_in_the_rewriting_keeps_what_was_reserved() {
    let scratch = Scratch::new();
    let mut writer = scratch.store.ledger().writer().unwrap();
    writer.write(&raise(8)).unwrap();
    let whole = scratch.crashed();
    let file = |directory: &TempDir, name: &str| directory.path().join(name);
    fs::write(file(&whole, "usage.db.poisoned"), "test\n").unwrap();

    // Before the copy was complete: it is made anew.
    fs::write(file(&whole, "usage.db.rebuilding"), "half").unwrap();
    assert_eq!(reserved(whole.path()), 8);
    let rewritten = fs::read(file(&whole, "usage.db")).unwrap();

    // After the copy was complete, with the old file's log still there, or already gone.
    for log in [true, false] {
        writer.write(&raise(if log { 16 } else { 17 })).unwrap();
        let moving = scratch.crashed();
        fs::write(file(&moving, "usage.db.poisoned"), "test\n").unwrap();
        fs::write(file(&moving, "usage.db.rebuilt"), &rewritten).unwrap();
        if !log {
            fs::remove_file(file(&moving, "usage.db-wal")).unwrap();
        }
        assert_eq!(
            reserved(moving.path()),
            8,
            "the copy counts, not the old file"
        );
        assert!(!file(&moving, "usage.db.poisoned").exists());
    }
}

#[test]
fn a_write_can_be_made_to_fail_for_the_tests_above() {
    let scratch = Scratch::new();
    let mut failures = vec![LedgerError::Failed("EIO".into()), LedgerError::Full];
    let writer = scratch.store.ledger().writer().unwrap();
    let mut writer = writer.sabotaged(move |_| failures.pop());
    assert_eq!(writer.write(&raise(1)), Err(LedgerError::Full));
    assert_eq!(
        writer.write(&raise(1)),
        Err(LedgerError::Failed("EIO".into()))
    );
    assert!(scratch.store.ledger().is_poisoned());
    assert!(writer.write(&raise(1)).is_err());
}
