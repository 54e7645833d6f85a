//! Loads bytes or text, and runs what was verified.
#![no_main]

#[path = "../../../crates/vm/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = exercise::run(bytes);
});
