//! Restores that cannot work leave the data directory as it was; one that is repeated keeps what was there together.

use super::*;
use crate::{MasterKey, RestoreError, RestoreOptions, Restored, Windows, backup, restore};

const NOW_MS: i64 = 1_800_000_000_000;

/// A data directory with the key `live`, beside backups.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        let store = Store::open(&place.data(), StoreOptions::default()).unwrap();
        change(&store, |tx| {
            tx.insert_api_key(&key("live", None, None), &value_of("live"))
        });
        place
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn back_up(&self, to: &str) -> PathBuf {
        let target = self.0.path().join(to);
        backup(&self.data(), &target, NOW_MS, &mut |_, _, _| {}).unwrap();
        target
    }

    fn restore(&self, from: &Path, master_key: Option<&str>) -> Result<Restored, RestoreError> {
        let options = RestoreOptions {
            windows: Windows::Close,
            replace: true,
            master_key: master_key.map(|key| MasterKey::from_hex(key).unwrap()),
            now_ms: NOW_MS,
        };
        restore(from, &self.data(), &options)
    }

    /// What was in the directory is there and nothing else, and it can be served.
    #[track_caller]
    fn serves(&self) {
        let mut left: Vec<PathBuf> = files(&self.data());
        left.retain(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("restor") || name.starts_with("before-restore-")
        });
        assert_eq!(left, Vec::<PathBuf>::new());
        let store = Store::open(&self.data(), StoreOptions::default()).unwrap();
        let value = look(&store, |reader| reader.api_key_value("live"));
        assert_eq!(value.unwrap().expose(), value_of("live"));
    }
}

/// A backup whose key is kept elsewhere.
fn without_key(place: &Place, key: &str) -> PathBuf {
    let (data, target) = (place.0.path().join("other"), place.0.path().join("keyless"));
    let options = StoreOptions {
        master_key: Some(MasterKey::from_hex(key).unwrap()),
        ..StoreOptions::default()
    };
    drop(Store::open(&data, options).unwrap());
    backup(&data, &target, NOW_MS, &mut |_, _, _| {}).unwrap();
    target
}

#[test]
fn a_wrong_master_key_leaves_the_directory_as_it_was() {
    let place = Place::new();
    let (right, wrong) = ("1a".repeat(32), "2b".repeat(32));
    let from = without_key(&place, &right);
    let refused = place.restore(&from, Some(&wrong));
    assert!(
        matches!(refused, Err(RestoreError::WrongKey)),
        "{refused:?}"
    );
    place.serves();
    let aside = place.restore(&from, Some(&right)).unwrap().set_aside;
    assert!(aside.unwrap().join("master.key").is_file());
}

#[test]
fn a_key_that_is_not_the_one_in_the_backup_is_refused() {
    let place = Place::new();
    let from = place.back_up("backup");
    let refused = place.restore(&from, Some(&"2b".repeat(32)));
    assert!(
        matches!(refused, Err(RestoreError::OtherKey)),
        "{refused:?}"
    );
    place.serves();
    let same = std::fs::read_to_string(from.join("master.key")).unwrap();
    place.restore(&from, Some(same.trim())).unwrap();
    place.serves_after_restore();
}

#[test]
fn a_backup_in_the_data_directory_is_refused() {
    let place = Place::new();
    let from = place.back_up("data/backups1");
    for from in [&from, &place.data().join("../data/backups1")] {
        let refused = place.restore(from, None);
        assert!(
            matches!(refused, Err(RestoreError::Inside { .. })),
            "{refused:?}"
        );
        place.serves();
        assert!(from.join("backup.json").is_file());
    }
}

#[test]
fn a_backup_that_turns_out_to_be_unsound_leaves_the_directory_as_it_was() {
    let place = Place::new();
    let from = place.back_up("backup");
    // The digest is that of the damaged file, so that only opening the copy can tell.
    let path = from.join("config.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100..].fill(0x55);
    std::fs::write(&path, bytes).unwrap();
    let manifest = from.join("backup.json");
    let mut told: crate::Manifest =
        serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    for file in &mut told.files {
        (file.bytes, file.blake3) = crate::backup::digest(&from.join(&file.name)).unwrap();
    }
    std::fs::write(&manifest, serde_json::to_vec(&told).unwrap()).unwrap();
    let refused = place.restore(&from, None);
    assert!(
        matches!(refused, Err(RestoreError::Open(_) | RestoreError::Store(_))),
        "{refused:?}"
    );
    place.serves();
}

#[test]
fn what_was_there_stays_together_when_a_restore_is_cut_off_and_repeated() {
    // Cut off while it was set aside, and while the backup's files were moved into place.
    for is_moved in [false, true] {
        let place = Place::new();
        let from = place.back_up("backup");
        let (data, aside) = (place.data(), place.data().join("before-restore-7"));
        std::fs::create_dir(&aside).unwrap();
        let live = std::fs::read(data.join("config.db")).unwrap();
        std::fs::rename(data.join("config.db"), aside.join("config.db")).unwrap();
        let mut marker = String::from("before-restore-7\n");
        if is_moved {
            std::fs::rename(data.join("usage.db"), aside.join("usage.db")).unwrap();
            std::fs::rename(data.join("master.key"), aside.join("master.key")).unwrap();
            std::fs::write(data.join("usage.db"), "of the restore").unwrap();
            std::fs::write(data.join("config.db-wal"), "of the restore").unwrap();
            marker += "\nusage.db config.db-wal config.db\n";
        } else {
            std::fs::write(data.join("config.db-wal"), "of what was there").unwrap();
            marker += "\nusage.d"; // itself cut off
        }
        std::fs::write(data.join("restore.unfinished"), marker).unwrap();
        let refused = place.restore(&place.0.path().join("data/before-restore-7"), None);
        assert!(refused.is_err());

        let wrong = without_key(&place, &"1a".repeat(32));
        let error = place.restore(&wrong, Some(&"2b".repeat(32))).unwrap_err();
        assert!(
            error.to_string().contains(aside.to_str().unwrap()),
            "{error}"
        );
        let restored = place.restore(&from, None).unwrap();
        assert_eq!(restored.set_aside, Some(aside.clone()));
        assert_eq!(std::fs::read(aside.join("config.db")).unwrap(), live);
        let wal = std::fs::read_to_string(aside.join("config.db-wal"));
        match is_moved {
            true => assert!(wal.is_err() && aside.join("master.key").is_file()),
            false => assert_eq!(wal.unwrap(), "of what was there"),
        }
        place.serves_after_restore();
    }
}

impl Place {
    /// The restored directory opens with what the backup has.
    #[track_caller]
    fn serves_after_restore(&self) {
        assert!(!self.data().join("restore.unfinished").exists());
        assert!(!self.data().join("restoring").exists());
        let store = Store::open(&self.data(), StoreOptions::default()).unwrap();
        let value = look(&store, |reader| reader.api_key_value("live"));
        assert_eq!(value.unwrap().expose(), value_of("live"));
    }
}
