//! Runs `tollgate_control::fuzzing::stage_variables` on whatever the fuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_control::fuzzing::stage_variables(bytes));
