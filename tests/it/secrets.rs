//! Every secret that the tests make is written down here, and searched for in whatever a gateway leaves behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

static NOTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Bytes by which a secret is recognised; shorter ones would be found by chance.
const SHORTEST: usize = 16;

/// Notes a key's value, or a secret, that must never be found in a file.
pub fn note(secret: &str) {
    if secret.len() >= SHORTEST {
        let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(secret.to_owned());
    }
}

/// The files below a gateway's directory that hold a noted secret. `credentials` is where the administrator's is
/// meant to be, and `tollgate.toml` is the test's own.
pub fn found_below(home: &Path) -> Vec<PathBuf> {
    let noted: Vec<String> = {
        let noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
        noted.iter().cloned().collect()
    };
    let search = Search::of(&noted);
    let mut found = Vec::new();
    let mut open = vec![home.to_path_buf()];
    while let Some(path) = open.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            open.extend(entries.flatten().map(|entry| entry.path()));
            continue;
        }
        let exempt = path
            .file_name()
            .is_some_and(|name| name == "credentials" || name == "tollgate.toml");
        if !exempt && std::fs::read(&path).is_ok_and(|bytes| search.hits(&bytes)) {
            found.push(path);
        }
    }
    found
}

/// Many texts looked for in one pass.
struct Search<'a> {
    /// Which first two bytes some text has.
    begins: Vec<bool>,
    texts: BTreeSet<&'a [u8]>,
}

impl<'a> Search<'a> {
    fn of(texts: &'a [String]) -> Search<'a> {
        let mut begins = vec![false; 1 << 16];
        for text in texts {
            begins[pair(text.as_bytes())] = true;
        }
        let texts = texts.iter().map(String::as_bytes).collect();
        Search { begins, texts }
    }

    fn hits(&self, bytes: &[u8]) -> bool {
        bytes.windows(SHORTEST).enumerate().any(|(at, window)| {
            self.begins[pair(window)] && {
                let rest = &bytes[at..];
                let nearest = self.texts.range(..=rest).next_back();
                nearest.is_some_and(|text| rest.starts_with(text))
            }
        })
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

#[test]
fn a_secret_in_any_file_is_found() {
    let secret = "SecretThatOnlyThisTestKnows01234";
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("data")).unwrap();
    std::fs::write(home.path().join("data/credentials"), secret).unwrap();
    std::fs::write(home.path().join("data/log"), format!("x{}", &secret[1..])).unwrap();
    note(secret);
    assert_eq!(found_below(home.path()), Vec::<PathBuf>::new());
    let leak = home.path().join("data/usage.db-wal");
    std::fs::write(&leak, format!("\0\0x{secret}y")).unwrap();
    assert_eq!(found_below(home.path()), [leak]);
}
