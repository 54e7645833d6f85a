//! Bytes that want to do harm: they get an error, and soon.
//!
//! Every prefix and every flipped bit of compiled modules, tables whose vectors are shared or overlap, counts of
//! 2^31, debug tables larger than the code, the fuzzer's corpus, programs that spoil each other's objects.

mod exercise;

use exercise::{exercise, run};
use raddle_status::Code;
use raddle_vm::{
    Buffer, Context, ElementType, Engine, Idle, List, Module, ModuleBuilder, Outcome, Program, Ref, Registry,
    Slice, Storage, Value, WaitOutcome, assemble,
};
use std::path::Path;

const ARITH: &[u8] = include_bytes!("../../../tests/programs/vm/arith.vmfb");
const STATE: &[u8] = include_bytes!("../../../tests/programs/vm/state.vmfb");
const ONE: &[u8] = include_bytes!("../../../tests/programs/vm/one.vmfb");
const HAL: &[u8] = include_bytes!("../../../tests/programs/hal/assert.vmfb");

/// The corpora of the fuzz targets.
const LOAD: &str = "tests/fuzz/corpus/load";
const RUN: &str = "tests/fuzz/corpus/run";

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

/// Appends a table with so many fields of 4 bytes, all of them zero; returns its place.
fn append_table(file: &mut Vec<u8>, fields: u16) -> usize {
    file.resize(file.len().next_multiple_of(4), 0);
    let vtable = file.len();
    file.extend((4 + 2 * fields).to_le_bytes());
    file.extend((4 + 4 * fields).to_le_bytes());
    (0..fields).for_each(|field| file.extend((4 + 4 * field).to_le_bytes()));
    file.resize(file.len().next_multiple_of(4), 0);
    let table = file.len();
    file.extend(((table - vtable) as i32).to_le_bytes());
    file.resize(table + 4 + 4 * usize::from(fields), 0);
    table
}

/// Appends a vector of `count` elements; returns its place.
fn append_vector(file: &mut Vec<u8>, count: usize, bytes: &[u8]) -> usize {
    file.resize(file.len().next_multiple_of(4), 0);
    let vector = file.len();
    file.extend((count as u32).to_le_bytes());
    file.extend(bytes);
    file.push(0);
    vector
}

fn set_word(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Makes the word at this place an offset to a place behind it.
fn point(file: &mut [u8], at: usize, to: usize) {
    set_word(file, at, (to - at) as u32);
}

fn field(table: usize, field: usize) -> usize {
    table + 4 + 4 * field
}

/// A module of one function whose debug tables say: `entries` entries of its map, of which only the last is for
/// address 1, and these locations (tag, and what they name: another location, or several).
/// The last location may lack its tag.
fn with_debug_tables(entries: usize, locations: &[(u8, &[u32])], short_of_tags: bool) -> Module {
    let text = "vm.module @m\nvm.export @f\nvm.func @f() -> () {\n  vm.return\n}\n";
    let mut builder: ModuleBuilder = assemble(text).unwrap();
    builder.debug_name(0, "f");
    let mut file = builder.build();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let root = 4 + word(4);
    let slot = root - word(root) + 4 + 2 * 15;
    let in_root = root + usize::from(u16::from_le_bytes([file[slot], file[slot + 1]]));
    assert_ne!(in_root, root, "the builder wrote debug tables");

    let database = append_table(&mut file, 3);
    point(&mut file, in_root, database);
    let tags: Vec<u8> = locations.iter().map(|(tag, _)| *tag).collect();
    let types = append_vector(&mut file, tags.len() - usize::from(short_of_tags), &tags);
    point(&mut file, field(database, 0), types);
    let nodes = append_vector(&mut file, tags.len(), &vec![0; 4 * tags.len()]);
    point(&mut file, field(database, 1), nodes);
    for (index, (tag, named)) in locations.iter().enumerate() {
        let table = append_table(&mut file, 2);
        point(&mut file, nodes + 4 + 4 * index, table);
        if *tag == 3 {
            let bytes: Vec<u8> = named.iter().flat_map(|index| index.to_le_bytes()).collect();
            let children = append_vector(&mut file, named.len(), &bytes);
            point(&mut file, field(table, 1), children);
        } else {
            let name = append_vector(&mut file, 4, b"name");
            point(&mut file, field(table, 0), name);
            set_word(&mut file, field(table, 1), named[0]);
        }
    }
    let maps = append_vector(&mut file, 1, &[0; 4]);
    point(&mut file, field(database, 2), maps);
    let map = append_table(&mut file, 2);
    point(&mut file, maps + 4, map);
    let name = append_vector(&mut file, 1, b"f");
    point(&mut file, field(map, 0), name);
    let mut bytes = vec![0; 8 * entries];
    bytes[8 * (entries - 1)] = 1;
    let list = append_vector(&mut file, entries, &bytes);
    point(&mut file, field(map, 1), list);
    let size = file.len() as u32 - 4;
    set_word(&mut file, 0, size);
    Module::load(file).unwrap()
}

/// Debug tables are not read to load a module, and have limits of their own when they are asked.
#[test]
fn debug_tables_larger_than_the_code_are_read_within_limits() {
    let place = |entries: usize, locations: &[(u8, &[u32])]| {
        let module = with_debug_tables(entries, locations, false);
        let function = module.function(0).unwrap();
        assert_eq!(function.debug_name().as_deref(), Some("f"));
        assert!(entries * 8 > 2 * function.code().len());
        function.location(1).map(|place| place.to_string())
    };
    let name: &[(u8, &[u32])] = &[(4, &[u32::MAX])];
    assert_eq!(place(10, name).as_deref(), Some("name"));
    assert_eq!(place(1 << 18, name).as_deref(), Some("name"));
    assert_eq!(place((1 << 20) + 1, name), None, "more entries than are searched");
    // A chain is followed, a circle is not followed for ever.
    assert_eq!(place(10, &[(4, &[1]), (4, &[9])]).as_deref(), Some("name at name"));
    assert!(place(10, &[(4, &[0])]).is_none_or(|text| text.len() < 1000));
    // Each names the next 32 times: 32^8 places, if they were followed.
    let many: Vec<[u32; 32]> = (1..=8).map(|next| [next % 8; 32]).collect();
    let wide: Vec<(u8, &[u32])> = many.iter().map(|named| (3, &named[..])).collect();
    assert_eq!(place(10, &wide), None);
}

/// The two vectors of a union say how many there are, each for itself.
#[test]
fn unions_with_vectors_of_different_length_are_cut_to_the_shorter() {
    let two: &[(u8, &[u32])] = &[(4, &[1]), (4, &[9])];
    let place =
        |short| with_debug_tables(10, two, short).function(0).unwrap().location(1).unwrap().to_string();
    assert_eq!((place(false).as_str(), place(true).as_str()), ("name at name", "name"));
}

/// The files of a folder of the repository.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn the_corpus_is_survived() {
    let results: Vec<_> = files(LOAD).iter().map(|file| exercise(file).is_ok()).collect();
    assert!(results.len() > 100 && results.contains(&true) && results.contains(&false), "{}", results.len());
}

/// The scripts and programs were seeds of the fuzzer, which kept only what covers more.
#[test]
fn what_the_verifier_lets_through_runs_within_its_limits() {
    let results: Vec<_> = files(RUN).iter().map(|file| run(file).is_ok()).collect();
    assert!(results.len() > 100 && results.contains(&true) && results.contains(&false), "{}", results.len());
    for folder in [LOAD, "crates/vm/tests/scripts", "tests/programs/asm", "tests/programs/vm"] {
        files(folder).iter().for_each(|file| drop(run(file)));
    }
}

/// Each turns, empties, refills and overwrites what it was given, which the others are using.
const SPOILERS: &str = r#"
vm.module @spoilers
vm.type !vm.buffer
vm.type !vm.list<!vm.opaque>
vm.export @nest
vm.export @empty
vm.export @write
vm.func @nest(%r0: !vm.list<!vm.opaque>, %r1: !vm.buffer, %i0: i32) -> () {
  %i1 = vm.const.i32 3
  %i2 = vm.const.i32 -1
  %i3 = vm.const.i32 8
  %i4 = vm.const.i32 4
  vm.br ^bb1()
^bb1:
  %r2 = vm.list.alloc %i3 : !vm.list<!vm.opaque>
  vm.list.resize %r2, %i3
  vm.list.set.ref %r2, %i1, %r0
  vm.list.resize %r0, %i3
  vm.list.set.ref %r0, %i1, %R2
  vm.list.set.ref %r0, %i4, %r1
  %i0 = vm.add.i32 %i0, %i2
  vm.cond_br %i0, ^bb1(), ^bb2()
^bb2:
  vm.return
}
vm.func @empty(%r0: !vm.list<!vm.opaque>, %r1: !vm.buffer, %i0: i32) -> () {
  %i1 = vm.const.i32 3
  %i2 = vm.const.i32 -1
  %i3 = vm.const.i32 0
  %i4 = vm.const.i32 8
  vm.br ^bb1()
^bb1:
  vm.list.resize %r0, %i4
  %r2 = vm.list.get.ref %r0, %i1 : !vm.list<!vm.opaque>
  vm.list.resize %r0, %i3
  %i0 = vm.add.i32 %i0, %i2
  vm.cond_br %i0, ^bb1(), ^bb2()
^bb2:
  vm.return
}
vm.func @write(%r0: !vm.list<!vm.opaque>, %r1: !vm.buffer, %i0: i32) -> () {
  %i2 = vm.const.i32 -1
  %i4:5 = vm.const.i64 3
  %i6:7 = vm.const.i64 40
  vm.br ^bb1()
^bb1:
  vm.buffer.fill.i8 %r1, %i4:5, %i6:7, %i0
  vm.buffer.store.i32 %i0, %r1, %i4:5
  %i8 = vm.buffer.load.i32 %r1, %i4:5
  %i12:13 = vm.buffer.hash %r1, %i4:5, %i6:7
  %i0 = vm.add.i32 %i0, %i2
  vm.cond_br %i0, ^bb1(), ^bb2()
^bb2:
  vm.return
}
"#;

/// Calls a function in slices; what another thread did in between may make it fail.
fn spoil(context: &Context, name: &str, arguments: &[Value]) -> Option<Code> {
    let function = context.function(name).unwrap();
    let slice = Slice::steps(100);
    let mut outcome = Idle::new(&function, &Storage::default()).unwrap().begin(arguments, &slice);
    loop {
        outcome = match outcome {
            Outcome::Finished(_) => return None,
            Outcome::Failed(_, error) => return Some(error.code()),
            Outcome::Yielded(suspended) | Outcome::OutOfBudget(suspended) => {
                suspended.resume(WaitOutcome::Ready { index: 0 }, &slice)
            }
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn two_threads_that_spoil_each_others_objects_only_fail() {
    const TIMES: i32 = if cfg!(miri) { 10 } else { 1000 };
    let module = Module::load(assemble(SPOILERS).unwrap().build()).unwrap();
    for engine in Engine::ALL {
        let program = Program::for_engine(module.clone(), &Registry::new(), *engine).unwrap();
        let context = Context::builder().program(program).build().unwrap();
        let list = Ref::new(List::new(ElementType::Variant, 0, 1000, None).unwrap());
        let buffer = Ref::new(Buffer::zeroed(64, 16, None).unwrap());
        let arguments = [Value::Ref(Some(list.clone())), Value::Ref(Some(buffer.clone())), Value::I32(TIMES)];
        let names = ["nest", "empty", "write"];
        // Alone, each of them runs to its end.
        assert_eq!(names.map(|name| spoil(&context, name, &arguments)), [None; 3]);
        std::thread::scope(|scope| {
            for first in 0..2 {
                let (context, arguments) = (&context, &arguments);
                scope.spawn(move || {
                    for turn in 0..30 {
                        let code = spoil(context, names[(first + turn) % 3], arguments);
                        assert!(
                            matches!(code, None | Some(Code::OutOfRange | Code::InvalidArgument)),
                            "{code:?}"
                        );
                    }
                });
            }
        });
        // Nothing was lost or freed twice: once the list is empty, only what is here holds the objects.
        spoil(&context, "empty", &arguments);
        drop((arguments, context));
        assert_eq!((list.count(), buffer.count()), (1, 1), "{engine:?}");
    }
}
