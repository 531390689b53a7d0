//! What fuzzing runs of the control plane, each with what must hold besides not panicking. Built for tests and
//! fuzz targets only; `fuzz/` has the targets and their seeds.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on must fail

mod csv;
mod definition;
mod patch_document;
mod patch_path;
mod signature;
mod stage_variables;

pub use csv::csv;
pub use definition::definition;
pub use patch_document::patch_document;
pub use patch_path::patch_path;
pub use signature::{presigned, signature};
pub use stage_variables::stage_variables;

/// The lines of an input, which need not be text.
fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .split('\n')
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::replay::replay;

    #[test]
    fn seeds_of_csv() {
        replay("csv", super::csv);
    }

    #[test]
    fn seeds_of_definitions() {
        replay("definition", super::definition);
    }

    #[test]
    fn seeds_of_patch_paths() {
        replay("patch_path", super::patch_path);
    }

    #[test]
    fn seeds_of_patch_documents() {
        replay("patch_document", super::patch_document);
    }

    #[test]
    fn seeds_of_signatures() {
        replay("signature", super::signature);
    }

    #[test]
    fn seeds_of_presigned_queries() {
        replay("presigned", super::presigned);
    }

    #[test]
    fn seeds_of_stage_variables() {
        replay("stage_variables", super::stage_variables);
    }
}
