//! A change of the master key that was cut off behind its commit is finished by the next start.

use super::*;
use crate::database::Database;
use crate::rotation::{NEXT_KEY, current_key, seal_anew};
use crate::store::{CONFIG, open_vault};
use crate::vault::Vault;
use crate::{MasterKey, directory::Directory};

#[test]
fn what_the_old_key_opens_is_gone_after_the_start_that_settles_a_rotation() {
    let scratch = Scratch::new();
    // Of a deleted key the sealed secret stays in the page, where no later write need pass.
    let keys: Vec<String> = change(&scratch.store, |tx| {
        (0..8)
            .map(|_| Ok(tx.create_access_key("administrator")?.id))
            .collect()
    });
    change(&scratch.store, |tx| {
        for id in &keys[4..] {
            tx.delete_access_key(id)?;
        }
        Ok(())
    });
    let Scratch { store, directory } = scratch;
    drop(store);
    let config = directory.path().join("config.db");
    // Behind its id stands the sealed secret, which no other bytes of the file resemble.
    let before = std::fs::read(&config).unwrap();
    let rows: Vec<&[u8]> = keys
        .iter()
        .filter_map(|id| {
            let mut ids = before.windows(20).enumerate();
            let (at, _) = ids.rfind(|(_, window)| *window == id.as_bytes())?;
            before.get(at + 20..at + 80)
        })
        .collect();
    let left = || {
        let bytes = std::fs::read(&config).unwrap();
        let is_there = |row: &&&[u8]| bytes.windows(row.len()).any(|window| window == **row);
        rows.iter().filter(is_there).count()
    };
    assert!(!rows.is_empty() && left() == rows.len());

    // All of a rotation up to its commit.
    let new = MasterKey::generate().unwrap();
    {
        let held = Directory::hold(directory.path()).unwrap();
        let old = current_key(&held).unwrap();
        held.write_master_key(&new, NEXT_KEY).unwrap();
        let database = Database::open(&config, &CONFIG).unwrap();
        let old = open_vault(&database, &old, &config).unwrap();
        seal_anew(
            &database,
            &old,
            &Vault::new(&new),
            &audit("RotateMasterKey"),
        )
        .unwrap();
    }
    assert!(left() > 0, "there is nothing to wipe");

    let store = open(directory.path()).unwrap();
    assert_eq!(left(), 0);
    assert!(look(&store, |reader| reader.access_key(&keys[0])).is_some());
    let key = std::fs::read_to_string(directory.path().join("master.key")).unwrap();
    assert_eq!(key.trim(), new.to_hex().as_str());
    assert!(!directory.path().join(NEXT_KEY).exists());
}
