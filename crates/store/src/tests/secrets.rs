//! Secrets: never in a file in clear, opened when asked for; access keys.

use tollgate_entity::{ClientCertificate, DomainName};

use super::*;
use crate::SecretValue;

#[test]
fn no_value_and_no_secret_is_in_any_file() {
    let scratch = Scratch::new();
    let canary = "canary-0123456789-canary";
    let access_key = change(&scratch.store, |tx| {
        tx.insert_api_key(
            &ApiKey {
                value: Some(canary.into()),
                ..key("k1", None, None)
            },
            canary,
        )?;
        tx.create_access_key("administrator")
    });
    let found_in = |needle: &str| -> Vec<PathBuf> {
        let holds = |file: &PathBuf| {
            let bytes = std::fs::read(file).unwrap();
            bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
        };
        files(scratch.directory.path())
            .into_iter()
            .filter(holds)
            .collect()
    };
    assert_ne!(
        found_in("administrator"),
        Vec::<PathBuf>::new(),
        "what is not secret is found"
    );
    assert_eq!(found_in(canary), Vec::<PathBuf>::new());
    assert_eq!(found_in(access_key.secret.expose()), Vec::<PathBuf>::new());
    let value = look(&scratch.store, |reader| reader.api_key_value("k1"));
    assert_eq!(value.unwrap().expose(), canary);
}

#[test]
fn values_need_not_be_kept_at_all() {
    let scratch = Scratch::with(StoreOptions {
        keep_key_values: false,
        ..StoreOptions::default()
    });
    change(&scratch.store, |tx| {
        tx.insert_api_key(&key("k1", None, None), &value_of("k1"))
    });
    look(&scratch.store, |reader| {
        assert_eq!(reader.api_key_value("k1")?, None);
        assert_eq!(
            reader.api_key_by_value(&value_of("k1"))?,
            Some(key("k1", None, None))
        );
        Ok(())
    });
}

#[test]
fn access_keys_are_made_found_and_deleted() {
    let scratch = Scratch::new();
    assert!(!look(&scratch.store, |reader| reader.access_keys_exist()));
    let made = change(&scratch.store, |tx| tx.create_access_key("administrator"));
    assert_eq!((made.id.len(), made.secret.expose().len()), (20, 40));
    assert_eq!(
        (made.created, made.label.as_str()),
        (Timestamp(1_800_000_000), "administrator")
    );
    let scratch = scratch.reopened();
    assert_eq!(
        look(&scratch.store, |reader| reader.access_key(&made.id)),
        Some(made.clone())
    );
    assert_eq!(
        look(&scratch.store, |reader| reader.access_key("AKIAOTHER")),
        None
    );
    assert_eq!(
        look(&scratch.store, |reader| reader.access_keys())[0].id,
        made.id
    );
    assert!(change(&scratch.store, |tx| tx.delete_access_key(&made.id)));
    assert!(!look(&scratch.store, |reader| reader.access_keys_exist()));
}

#[test]
fn the_secret_of_a_noun_is_sealed_and_goes_with_a_rotation() {
    let scratch = Scratch::new();
    let canary = "-----canary of a private key-----";
    change(&scratch.store, |tx| {
        tx.put_secret::<DomainName>("a.example", &SecretValue::new("first".into()))?;
        tx.put_secret::<DomainName>("a.example", &SecretValue::new(canary.into()))?;
        tx.put_secret::<ClientCertificate>("a.example", &SecretValue::new("other".into()))
    });
    let opened = |scratch: &Scratch| {
        look(&scratch.store, |reader| {
            reader.secret::<DomainName>("a.example")
        })
    };
    assert_eq!(opened(&scratch).unwrap().expose(), canary);
    for file in files(scratch.directory.path()) {
        let bytes = std::fs::read(&file).unwrap();
        let is_there = bytes
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!is_there, "{} holds it in clear", file.display());
    }

    let Scratch { store, directory } = scratch;
    drop(store);
    let rotated = crate::rotate_master_key(directory.path(), None, None, &audit("RotateMasterKey"));
    assert_eq!(rotated.unwrap().sealed, 2);
    let store = open(directory.path()).unwrap();
    let scratch = Scratch { store, directory };
    assert_eq!(opened(&scratch).unwrap().expose(), canary);
    assert!(change(&scratch.store, |tx| tx
        .delete_secret::<DomainName>("a.example")));
    assert_eq!(opened(&scratch), None);
    let other = look(&scratch.store, |reader| {
        reader.secret::<ClientCertificate>("a.example")
    });
    assert_eq!(other.unwrap().expose(), "other");
}
