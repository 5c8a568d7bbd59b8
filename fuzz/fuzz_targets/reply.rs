//! cargo-fuzz runs the target `reply` of the tests.
#![no_main]

#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| targets::run("reply", octets));
