//! Bytes that want to do harm: they get an error, and soon.
//!
//! Every prefix and every flipped bit of compiled modules, tables whose vectors are shared or overlap, counts of
//! 2^31, the fuzzer's corpus.

mod exercise;

use exercise::{exercise, run};
use raddle_status::Code;
use raddle_vm::Module;
use std::path::Path;

const ARITH: &[u8] = include_bytes!("../../../tests/programs/vm/arith.vmfb");
const STATE: &[u8] = include_bytes!("../../../tests/programs/vm/state.vmfb");
const ONE: &[u8] = include_bytes!("../../../tests/programs/vm/one.vmfb");
const HAL: &[u8] = include_bytes!("../../../tests/programs/hal/assert.vmfb");

#[test]
fn every_truncation_is_refused() {
    for file in [ARITH, STATE, ONE, HAL] {
        // What lies behind the last byte that the tables name may be missing: a ZIP's directory.
        let needed =
            (0..=file.len()).rev().take_while(|end| Module::load(file[..*end].to_vec()).is_ok()).count();
        assert!(needed > 0);
        for end in 0..=file.len() - needed {
            assert!(exercise(&file[..end]).is_err(), "{end} of {} bytes load", file.len());
        }
    }
}

#[test]
fn every_flipped_bit_is_survived() {
    let mut loaded = 0;
    for (file, step) in [(ONE, 1), (ARITH, 1), (STATE, 1), (HAL, 9)] {
        for bit in (0..file.len() * 8).step_by(step) {
            let mut changed = file.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            // All that can be done with what loads takes longer than loading; the smallest file stands for all.
            let survived = if file == ONE { exercise(&changed) } else { Module::load(changed) };
            loaded += usize::from(survived.is_ok());
        }
    }
    assert!(loaded > 0, "flips in names and constants do no harm");
}

#[test]
fn every_word_set_to_an_extreme_is_survived() {
    for file in [ARITH, STATE, ONE, HAL] {
        for at in (0..file.len() - 4).step_by(4) {
            for value in [0, 1, 4, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFFC] {
                let mut changed = file.to_vec();
                changed[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
                let _ = Module::load(changed);
            }
        }
    }
}

/// A root table whose fields are offsets to these places, and behind it these bytes. Position 0 is the FlatBuffer.
fn tables(slots: usize, fields: &[(usize, u32)], rest: &[u8]) -> Vec<u8> {
    let mut flat = vec![0; 8 + 4 + 2 * slots];
    flat[4..8].copy_from_slice(b"IREE");
    flat.resize(flat.len().next_multiple_of(4), 0);
    let table = flat.len();
    flat[0..4].copy_from_slice(&(table as u32).to_le_bytes());
    flat[8..10].copy_from_slice(&(4 + 2 * slots as u16).to_le_bytes());
    flat.extend((table as i32 - 8).to_le_bytes());
    let end = table + 4 + 4 * fields.len();
    for (slot, distance) in fields {
        let at = flat.len();
        flat[12 + 2 * slot..14 + 2 * slot].copy_from_slice(&((at - table) as u16).to_le_bytes());
        // Slot 13 is the version, a number; the others are places counted from the end of the table.
        let value = if *slot == 13 { *distance } else { (end - at) as u32 + distance };
        flat.extend(value.to_le_bytes());
    }
    flat.extend_from_slice(rest);
    let mut file = (flat.len() as u32).to_le_bytes().to_vec();
    file.extend(flat);
    file
}

/// What does not get refused soon takes hours or all memory.
fn check_refused(file: Vec<u8>, code: Code) {
    let error = exercise(&file).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
}

/// A module whose vector in this slot names one table `count` times; its one field, in `field`, is a vector of
/// `bytes` bytes with a NUL behind it.
fn shared(slot: usize, count: u32, field: usize, bytes: usize) -> Vec<u8> {
    let mut rest = 1u32.to_le_bytes().to_vec();
    rest.extend(b"m\0\0\0");
    let vector = rest.len() as u32;
    rest.extend(count.to_le_bytes());
    let vtable_bytes = 4 + 2 * (field as u32 + 1);
    let table = (vector + 4 + 4 * count + vtable_bytes).next_multiple_of(4);
    for index in 0..count {
        rest.extend((table - (vector + 4 + 4 * index)).to_le_bytes());
    }
    let vtable = rest.len() as u32;
    rest.extend((vtable_bytes as u16).to_le_bytes());
    rest.extend(8u16.to_le_bytes());
    rest.extend(vec![0; 2 * field]);
    rest.extend(4u16.to_le_bytes());
    rest.resize(table as usize, 0);
    rest.extend((table as i32 - vtable as i32).to_le_bytes());
    rest.extend(4u32.to_le_bytes());
    rest.extend((bytes as u32).to_le_bytes());
    rest.extend(vec![b'x'; bytes]);
    rest.push(0);
    tables(16, &[(0, 0), (slot, vector), (13, 0x11_0000)], &rest)
}

/// A million types of one name of 64 KiB.
#[test]
fn shared_tables_do_not_multiply() {
    assert!(exercise(&shared(4, 3, 0, 100)).is_ok());
    check_refused(shared(4, 1 << 20, 0, 1 << 16), Code::ResourceExhausted);
}

#[test]
fn impossible_counts_allocate_nothing() {
    for slot in [3, 4, 5, 6, 7, 8, 9, 12, 14] {
        for count in [1u32 << 31, u32::MAX, 1 << 28] {
            let mut rest = 1u32.to_le_bytes().to_vec();
            rest.extend(b"m\0\0\0");
            rest.extend(count.to_le_bytes());
            check_refused(tables(16, &[(0, 0), (slot, 8), (13, 0x11_0000)], &rest), Code::InvalidArgument);
        }
    }
}

/// The same rodata under many ordinals costs nothing to load; its text is refused.
#[test]
fn shared_rodata_does_not_multiply() {
    let module = exercise(&shared(9, 2000, 2, 1 << 16)).unwrap();
    assert_eq!((module.rodata().len(), module.rodata()[1999].len()), (2000, 1 << 16));
    let error = raddle_vm::disassemble(&module, raddle_vm::Listing::default()).unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
}

/// Names that a module has for itself alone can be trusted; a map for another function is not taken for its own.
#[test]
fn debug_tables_are_used_only_if_complete() {
    let one = Module::load(ONE).unwrap();
    let function = one.function(0).unwrap();
    assert_eq!(function.debug_name().as_deref(), Some("fact"));
    let places: Vec<_> = function.instructions().filter_map(|inst| function.location(inst.pc)).collect();
    assert!(places.iter().any(|place| place.to_string().starts_with("one.mlir:")), "{places:?}");
    for function in Module::load(ARITH).unwrap().functions() {
        assert_eq!((function.debug_name(), function.location(1)), (None, None));
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus").join(name);
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn the_corpus_is_survived() {
    let results: Vec<_> = corpus("load").iter().map(|file| exercise(file).is_ok()).collect();
    assert!(results.len() > 10 && results.contains(&true) && results.contains(&false), "{}", results.len());
}

#[test]
fn what_the_verifier_lets_through_runs_within_its_limits() {
    let results: Vec<_> = corpus("run").iter().map(|file| run(file).is_ok()).collect();
    assert!(results.len() > 10 && results.contains(&true), "{}", results.len());
    corpus("load").iter().for_each(|file| drop(run(file)));
}
