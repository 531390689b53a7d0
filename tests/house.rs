//! The rules of the house that a compiler does not check: who may import whom, how files open, what no file may hold.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on must fail

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom; everything else is forbidden.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("limiter", &[]),
    ("entity", &["limiter"]), // the calendar of quota windows: two copies could disagree
    ("console", &[]),
    ("store", &["entity"]),
    ("control", &["store", "entity"]),
    ("proxy", &["store", "limiter", "entity"]),
    // Runs the others; nobody imports it, so it is in no binary but its own.
    ("sim", &["proxy", "store", "limiter", "entity"]),
];

/// Crates that next to nobody may need, so that the limiter can be embedded anywhere.
const LIMITER_NEEDS: &[&str] = &["thiserror"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project, without what is built or installed.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let skipped = [
                "target",
                "node_modules",
                "test-results",
                "__pycache__",
                ".git",
                ".venv",
                ".tools",
                "corpus",
                "artifacts",
            ];
            if path.is_symlink() || skipped.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The crates named in one section of a manifest.
fn dependencies(manifest: &Path, section: &str) -> BTreeSet<String> {
    let table: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    table
        .get(section)
        .and_then(toml::Value::as_table)
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn crates_import_only_whom_they_may() {
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let name = manifest
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(of, _)| *of == name)
            .unwrap_or_else(|| panic!("crates/{name} is not in MAY_IMPORT"));
        for section in ["dependencies", "build-dependencies"] {
            for dependency in dependencies(&manifest, section) {
                if let Some(ours) = dependency.strip_prefix("tollgate-") {
                    assert!(allowed.contains(&ours), "{name} must not import {ours}");
                }
            }
        }
        there.insert(name);
    }
    assert_eq!(
        there,
        MAY_IMPORT
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect()
    );
}

#[test]
fn the_limiter_and_the_nouns_stay_light() {
    let limiter = dependencies(&root().join("crates/limiter/Cargo.toml"), "dependencies");
    assert!(
        limiter
            .iter()
            .all(|name| LIMITER_NEEDS.contains(&name.as_str())),
        "{limiter:?}"
    );
    let entity = dependencies(&root().join("crates/entity/Cargo.toml"), "dependencies");
    for heavy in ["http", "hyper", "axum", "tokio", "rusqlite"] {
        assert!(!entity.contains(heavy), "entity must not know {heavy}");
    }
    for crate_name in ["control", "proxy"] {
        let direct = dependencies(
            &root().join(format!("crates/{crate_name}/Cargo.toml")),
            "dependencies",
        );
        assert!(
            !direct.contains("rusqlite"),
            "only the store knows the database"
        );
    }
    let proxy = dependencies(&root().join("crates/proxy/Cargo.toml"), "dependencies");
    assert!(!proxy.contains("axum"), "no framework on the request path");
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for path in rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let sentence = first.strip_prefix("//! ").unwrap_or_default();
        assert!(sentence.len() > 10, "{} opens with {first:?}", shown(&path));
    }
}

#[test]
fn the_changelog_knows_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(
        changelog.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))),
        "CHANGELOG.md has no section for {}",
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    // Spelled in two parts so that this file does not find itself.
    let forbidden = [
        ["/work", "/"],
        ["/root", "/"],
        ["art", "ifactory"],
        ["index.crates", ".io"],
        ["pypi", ".org"],
        ["registry.npmjs", ".org"],
    ]
    .map(|parts| parts.concat());
    for path in files() {
        // Lock files say where packages come from, in cargo's own words.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for word in &forbidden {
            let found = text.lines().position(|line| line.contains(word.as_str()));
            assert!(
                found.is_none(),
                "{}:{} names {word}",
                shown(&path),
                found.unwrap_or_default() + 1
            );
        }
    }
}

#[test]
fn nothing_is_left_half_done() {
    let forbidden = [
        ["todo", "!("],
        ["unimplemented", "!("],
        ["dbg", "!("],
        ["#[ig", "nore"],
        ["FIX", "ME"],
        ["XX", "X:"],
    ]
    .map(|parts| parts.concat());
    for path in rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        for word in &forbidden {
            assert!(!text.contains(word.as_str()), "{} has {word}", shown(&path));
        }
    }
}

#[test]
fn sizes_are_printed_and_not_enforced() {
    let mut sizes: Vec<(usize, String)> = rust_files()
        .into_iter()
        .map(|path| {
            (
                fs::read_to_string(&path).unwrap().lines().count(),
                shown(&path),
            )
        })
        .collect();
    sizes.sort_unstable();
    let total: usize = sizes.iter().map(|(lines, _)| lines).sum();
    println!(
        "{} Rust files, {total} lines, median {}",
        sizes.len(),
        sizes[sizes.len() / 2].0
    );
    for (lines, path) in sizes.iter().rev().take(15) {
        println!("{lines:6} {path}");
    }
}
