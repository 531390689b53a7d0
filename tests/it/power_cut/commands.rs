//! Power cuts during `backup`, `restore` and `rotate-master-key`, at every single moment of each.

use std::path::Path;

use serde_json::json;
use tollgate_store::{
    OpenError, Page, RestoreError, RestoreOptions, Store, StoreError, StoreOptions, Windows,
    restore,
};

use super::check::laid_out;
use super::disk::{Disk, Fate, Found};
use super::trace::{Moment, strace};
use crate::api::{Api, Key, Plan};
use crate::harness::{Dice, Gateway, can_trace, run, tell, tollgate, wrapped};
use crate::http::get;

/// A stopped gateway of which a customer used 3 of 8, and 1 when the backup `early` was made.
struct Stand {
    gateway: Gateway,
    plan: Plan,
    key: Key,
}

impl Stand {
    fn new() -> Stand {
        let mut gateway = Gateway::start_with("access_log = \"off\"\n");
        let control = gateway.control();
        let api = Api::create(&control, "cuts");
        api.mock("/pets", "GET", true, "pets");
        api.deploy("prod");
        let limits = json!({ "quota": { "limit": 8, "period": "MONTH" } });
        let plan = Plan::create(&control, &api, "prod", &limits);
        let key = plan.key("customer");
        let call = || get(gateway.data, &api.target("prod", "/pets"), &[key.header()]).status;
        assert_eq!(call(), 200);
        let early = gateway.home().join("early");
        let words = ["backup", early.to_str().unwrap()];
        assert!(crate::harness::on_directory(&gateway.data_dir(), &words).0);
        assert_eq!([call(), call()], [200, 200]);
        assert!(gateway.stop().success());
        Stand { gateway, plan, key }
    }

    /// Runs a command under strace and hands every state that a cut may leave to `check`.
    fn cut_everywhere(&self, words: &[&str], mut check: impl FnMut(&Path, &str)) {
        let home = self.gateway.home();
        let mut disk = Disk::with(&files_below(home));
        let trace = home.join("trace");
        let mut command = tollgate();
        command
            .args(words)
            .arg("--data-dir")
            .arg(self.gateway.data_dir());
        let (status, text) = run(&mut wrapped(command, &strace(&trace)));
        assert!(status.success(), "{text}");
        let moments = super::read_trace(&trace, home);
        let mut dice = Dice(1);
        let mut states = 0;
        for (at, moment) in moments.iter().enumerate() {
            match moment {
                Moment::Began { call, act, .. } => disk.began(*call, act),
                Moment::Ended { call } => disk.ended(*call),
            }
            for fate in [Fate::Lost, Fate::Kept, Fate::Prefix, Fate::Torn] {
                let place = laid_out(&disk.cut(fate, &mut dice), &mut dice);
                let count = moments.len();
                check(
                    place.path(),
                    &format!("{}: moment {at} of {count}, {fate:?}", words[0]),
                );
                states += 1;
            }
        }
        tell(&format!("{}: {states} states after power cuts", words[0]));
    }

    /// What the ledger has given away of the customer's window; everything else of the configuration must be there too.
    fn reserved(&self, store: &Store, what: &str) -> u64 {
        let found = store.read_blocking(|reader| {
            let value = reader.api_key_value(&self.key.id)?;
            assert_eq!(value.unwrap().expose(), self.key.value, "{what}");
            assert!(
                reader.api_key_by_value(&self.key.value)?.is_some(),
                "{what}"
            );
            let administrator = reader.access_keys()?.remove(0);
            Ok::<_, StoreError>(reader.access_key(&administrator.id)?.is_some())
        });
        assert!(found.unwrap_or_else(|error| panic!("{what}: {error}")));
        let writer = store.ledger().writer().unwrap();
        let account = writer.account(&self.plan.id, &self.key.id).unwrap();
        account.map_or(0, |row| row.reserved)
    }
}

/// Every file below a directory, but for those that other programs write there.
fn files_below(home: &Path) -> Found {
    let mut found = Found::new();
    let mut open = vec![home.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(home).unwrap().to_str().unwrap();
                    found.insert(name.to_owned(), std::fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

fn open(home: &Path) -> Result<Store, OpenError> {
    // A program that another test starts holds this one's lock until it is itself.
    crate::harness::wait_until("the lock", || {
        match Store::open(&home.join("data"), StoreOptions::default()) {
            Err(OpenError::Locked { .. }) => None,
            opened => Some(opened),
        }
    })
}

#[test]
fn a_rotation_that_is_cut_off_leaves_the_old_key_or_the_new_one() {
    if !can_trace("power cuts during a rotation") {
        return;
    }
    let stand = Stand::new();
    let (mut old, mut new) = (0, 0);
    stand.cut_everywhere(&["rotate-master-key"], |home, what| {
        let store = open(home).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(stand.reserved(&store, what), 3, "{what}");
        let page = Page {
            position: None,
            limit: 1,
            newest_first: true,
        };
        let last = store.read_blocking(|reader| reader.audit(&page)).unwrap();
        match last.items[0].audit.operation.as_str() {
            "RotateMasterKey" => new += 1,
            _ => old += 1,
        }
        assert!(!home.join("data/master.key.next").exists(), "{what}");
    });
    assert!(
        old > 0 && new > 0,
        "{old} states with the old key, {new} with the new one"
    );
}

#[test]
fn a_restore_that_is_cut_off_is_refused_until_it_is_repeated() {
    if !can_trace("power cuts during a restore") {
        return;
    }
    let stand = Stand::new();
    let early = stand.gateway.home().join("early");
    let words = ["restore", early.to_str().unwrap(), "--replace"];
    let (mut before, mut unfinished, mut after) = (0, 0, 0);
    stand.cut_everywhere(&words, |home, what| match open(home) {
        Ok(store) => match stand.reserved(&store, what) {
            3 => before += 1,
            8 => after += 1,
            other => panic!("{what}: {other} reserved"),
        },
        Err(OpenError::RestoreUnfinished { .. }) => {
            unfinished += 1;
            if unfinished % 16 == 0 {
                let options = RestoreOptions {
                    windows: Windows::Close,
                    replace: true,
                    master_key: None,
                    now_ms: jiff::Timestamp::now().as_millisecond(),
                };
                restore(&home.join("early"), &home.join("data"), &options).unwrap();
                assert_eq!(
                    stand.reserved(&open(home).unwrap(), what),
                    8,
                    "{what}: repeated"
                );
            }
        }
        Err(other) => panic!("{what}: {other}"),
    });
    assert!(
        before > 0 && unfinished > 0 && after > 0,
        "{before} {unfinished} {after}"
    );
}

#[test]
fn a_backup_that_is_cut_off_is_none() {
    if !can_trace("power cuts during a backup") {
        return;
    }
    let stand = Stand::new();
    let target = stand.gateway.home().join("late");
    let (mut none, mut whole) = (0, 0);
    stand.cut_everywhere(&["backup", target.to_str().unwrap()], |home, what| {
        // The directory itself is as it was.
        let store = open(home).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(stand.reserved(&store, what), 3, "{what}");
        drop(store);
        let options = RestoreOptions {
            windows: Windows::Keep,
            replace: true,
            master_key: None,
            now_ms: 0,
        };
        match restore(&home.join("late"), &home.join("data"), &options) {
            Ok(_) => {
                assert_eq!(
                    stand.reserved(&open(home).unwrap(), what),
                    3,
                    "{what}: restored"
                );
                whole += 1;
            }
            Err(RestoreError::NotABackup { .. }) => {
                assert!(
                    !home.join("late").exists(),
                    "{what}: half of it has its name"
                );
                none += 1;
            }
            Err(other) => panic!("{what}: {other}"),
        }
    });
    assert!(none > 0 && whole > 0, "{none} {whole}");
}
