//! A file for another processor is refused before any of its code runs.
#![cfg(target_arch = "x86_64")]

mod support;

use raddle_executable::{Features, Library, LoadOptions};
use raddle_status::Code;
use support::{kernel, options};

fn load(name: &str, format: &str, features: Features) -> Result<Library, raddle_status::Error> {
    let options = options_with(features);
    Library::load(format, &kernel(name), &[], &options)
}

fn options_with(features: Features) -> LoadOptions {
    let mut options = options();
    options.features = features;
    options
}

fn features(names: &[&str]) -> Features {
    names.iter().fold(Features::BASELINE, |set, name| set.with(name).unwrap())
}

#[test]
fn code_for_any_processor_needs_nothing() {
    for name in ["matmul.so", "denormal.so", "math.so", "constants.so", "grid.so"] {
        load(name, "embedded-elf-x86_64", Features::BASELINE).unwrap();
    }
    load("sine.so", "system-elf-x86_64", Features::BASELINE).unwrap();
}

#[test]
fn what_is_missing_is_named_with_kernel_and_instruction() {
    // What the processors lack that the files were compiled for.
    let old = features(&["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"]);
    let haswell =
        features(&["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "fma", "bmi", "bmi2"]);
    for (name, have, feature) in [
        ("matmul_avx2.so", old, "avx"),
        ("matmul_avx512.so", haswell, "avx512f, avx512vl"),
        ("matmul_avx512.so", haswell.with("avx512f").unwrap(), "avx512vl"),
    ] {
        let error = load(name, "embedded-elf-x86_64", have).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), Code::Incompatible, "{text}");
        assert!(text.contains("kernel mm_dispatch_0_matmul_4x5x8_f32, at 0x"), "{text}");
        assert!(text.contains(&format!("needs {feature},")), "{text}");
        assert!(text.contains(": 'v"), "the instruction is named: {text}");
    }
}

#[test]
fn what_the_file_needs_is_enough() {
    load("matmul_avx2.so", "embedded-elf-x86_64", features(&["avx", "avx2", "fma", "bmi", "bmi2"]))
        .map_or_else(
            |error| assert_eq!(error.to_string(), ""),
            |library| assert_eq!(library.exports().len(), 1),
        );
}

#[test]
fn nothing_of_a_refused_file_runs() {
    // A query function that would end the process: ud2, then AVX-512.
    let mut data = kernel("matmul_avx512.so");
    let query = [0x31, 0xC0, 0x83, 0xFF, 0x06];
    let at = data.windows(5).position(|window| window == query).unwrap();
    data[at..at + 2].copy_from_slice(&[0x0F, 0x0B]);
    let error =
        Library::load("embedded-elf-x86_64", &data, &[], &options_with(Features::BASELINE)).unwrap_err();
    assert_eq!(error.code(), Code::Incompatible, "{error}");
}

#[test]
fn libraries_of_the_system_are_checked_too() {
    let error = load("matmul_avx512.so", "system-elf-x86_64", Features::BASELINE).unwrap_err();
    assert_eq!(error.code(), Code::Incompatible, "{error}");
    assert!(error.to_string().contains("avx512"), "{error}");
}

#[test]
fn the_check_can_be_turned_off() {
    let mut options = options_with(Features::BASELINE);
    options.check_instructions = false;
    Library::load("embedded-elf-x86_64", &kernel("matmul_avx512.so"), &[], &options).unwrap();
}

#[test]
fn a_file_that_is_known_is_compared_all_the_same() {
    let mut options = options_with(Features::BASELINE);
    let load = |options: &LoadOptions| {
        Library::load("embedded-elf-x86_64", &kernel("matmul_avx512.so"), &[], options)
            .map(drop)
            .map_err(|e| e.code())
    };
    assert_eq!(load(&options), Err(Code::Incompatible));
    assert_eq!(format!("{:?}", options.cache), "InstructionCache(1 files)");
    assert_eq!(load(&options), Err(Code::Incompatible));
    options.features =
        features(&["avx", "avx2", "avx512f", "avx512vl", "avx512bw", "avx512dq", "fma", "bmi", "bmi2"]);
    assert_eq!(load(&options), Ok(()));
    assert_eq!(format!("{:?}", options.cache), "InstructionCache(1 files)");
}
