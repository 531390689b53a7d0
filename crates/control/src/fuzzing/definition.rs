//! An OpenAPI definition: whatever is read comes back the same through an export, in both formats.

use crate::rest_api::export::{Dialect, Export, Extensions, text, write};
use crate::rest_api::import::base_path::BasePath;
use crate::rest_api::import::document::{Read, read};
use crate::rest_api::import::parse::parse;

const API: &str = "abc123";
const BYTES_MAX: usize = 64 * 1024;

pub fn definition(bytes: &[u8]) {
    let Ok(root) = parse(bytes, BYTES_MAX) else {
        return;
    };
    let base_paths = [BasePath::Ignore, BasePath::Prepend, BasePath::Split];
    let Ok(first) = read(&root, API, base_paths[bytes.len() % 3]) else {
        return;
    };
    if !first.errors.is_empty() {
        return;
    }
    let second = round(&first);
    assert_eq!(second.errors, Vec::<String>::new());
    assert_eq!(second.definition.paths, first.definition.paths);
    assert_eq!(round(&second).definition, second.definition);
}

/// Exports and imports again.
fn round(read_before: &Read) -> Read {
    let definition = &read_before.definition;
    let export = Export {
        dialect: Dialect::OpenApi,
        host: "host".to_owned(),
        stage: "stage".to_owned(),
        version: definition.version.clone().unwrap_or_else(|| "1".to_owned()),
        extensions: Extensions::ALL,
    };
    let document = write(definition, &export);
    let json = parse(
        text(&document, false).expect("our own JSON").as_bytes(),
        usize::MAX,
    );
    let yaml = parse(
        text(&document, true).expect("our own YAML").as_bytes(),
        usize::MAX,
    );
    assert_eq!(json, yaml);
    read(&json.expect("our own JSON"), API, BasePath::Ignore).expect("our own document")
}
