//! Runs `tollgate::fuzzing::configuration` on whatever the fuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate::fuzzing::configuration(bytes));
