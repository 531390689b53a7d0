//! What fuzzing runs of the data plane, each with what must hold besides not panicking. Built for tests and
//! fuzz targets only; `fuzz/` has the targets and their seeds.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on must fail

mod answer;
mod expression;
mod head;
mod mock;
mod reference;
mod route;
mod target;
pub(crate) mod template;
mod uri;

pub use answer::answer;
pub use expression::expression;
pub use head::head;
pub use mock::mock;
pub use route::route;
pub use target::target;
pub use template::template;
pub use uri::uri;

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
    fn seeds_of_heads_and_bodies() {
        replay("head", super::head);
    }

    #[test]
    fn seeds_of_answers() {
        replay("answer", super::answer);
    }

    #[test]
    fn seeds_of_routes() {
        replay("route", super::route);
    }

    #[test]
    fn seeds_of_targets() {
        replay("target", super::target);
    }

    #[test]
    fn seeds_of_uris() {
        replay("uri", super::uri);
    }

    #[test]
    fn seeds_of_expressions() {
        replay("expression", super::expression);
    }

    #[test]
    fn seeds_of_mapping_templates() {
        replay("template", super::template);
    }

    #[test]
    fn seeds_of_mock_templates() {
        replay("mock", super::mock);
    }
}
