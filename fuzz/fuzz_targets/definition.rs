//! Runs `tollgate_control::fuzzing::definition` on whatever the fuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_control::fuzzing::definition(bytes));
