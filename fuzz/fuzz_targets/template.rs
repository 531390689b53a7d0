//! Runs `tollgate_proxy::fuzzing::template` on whatever the fuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_proxy::fuzzing::template(bytes));
