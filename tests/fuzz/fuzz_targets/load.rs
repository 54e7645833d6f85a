//! Loads bytes, and sends what loads through text and back.
#![no_main]

#[path = "../../../crates/vm/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = exercise::exercise(bytes);
});
