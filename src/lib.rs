//! The program's wiring, as a library so that tests start what `main` starts.

pub mod cli;
pub mod config;
pub mod demo;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod server;
pub mod telemetry;
