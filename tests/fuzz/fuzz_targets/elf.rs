//! Parses and relocates bytes as an ELF file; executes nothing.
#![no_main]

#[path = "../../../crates/executable/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = exercise::exercise(bytes);
});
