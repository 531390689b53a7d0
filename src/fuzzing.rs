//! What fuzzing runs of the program itself: its configuration. Built for tests and fuzz targets only; `fuzz/`
//! has the target and its seeds.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on must fail

pub use crate::config::fuzzing::configuration;

#[cfg(test)]
#[path = "../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn seeds_of_configurations() {
        super::replay::replay("configuration", super::configuration);
    }
}
