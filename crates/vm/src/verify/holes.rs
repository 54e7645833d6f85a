//! What IREE's verifier lets through, hole by hole: refused here, or without harm.
//!
//! Not here: what both refuse (`tests.rs`).
//!
//! Each test makes a module that differs from a right one in the one thing that its name says.

use crate::isa::{Arg, Callee, FunctionCode, Kind, Op, Reg};
use crate::{Module, ModuleBuilder, assemble, sample};
use raddle_status::Error;

/// A module that starts with this instruction, in a function of these registers.
fn with_inst(op: Op, args: &[Arg], registers: (u16, u16)) -> Result<Module, Error> {
    let mut builder = sample::tables();
    builder.function("0v_v", FunctionCode { registers: Some(registers), ..sample::with_args(op, args) });
    Module::load(builder.build())
}

fn refused(loaded: Result<Module, Error>, told: &str) {
    let error = loaded.expect_err(told);
    assert!(error.to_string().contains(told), "{error}");
}

/// Every instruction with this operand, in the place of one of that kind.
fn each_operand(kind: Kind, mut check: impl FnMut(Op, &[Arg], usize)) {
    let mut met = 0;
    for op in Op::ALL.iter().copied().filter(|op| *op != Op::Block) {
        for (position, _) in op.kinds().iter().enumerate().filter(|(_, found)| **found == kind) {
            check(op, &sample::args(op), position);
            met += 1;
        }
    }
    assert!(met > 0, "{kind:?}");
}

fn replaced(args: &[Arg], position: usize, arg: Arg) -> Vec<Arg> {
    let mut args = args.to_vec();
    args[position] = arg;
    args
}

/// Frames have exactly as many registers as the descriptor says; stock compares with the next power of two.
#[test]
fn registers_between_the_count_and_a_power_of_two() {
    let add = |last: u16| [Reg::value(0), Reg::value(last), Reg::value(1)].map(Arg::Reg);
    assert!(with_inst(Op::AddI32, &add(4), (5, 3)).is_ok());
    for last in 5..8 {
        refused(with_inst(Op::AddI32, &add(last), (5, 3)), "past the 5 registers");
    }
    let wide = [Reg::value(0), Reg::value(4), Reg::value(2)].map(Arg::Reg);
    refused(with_inst(Op::AddI64, &wide, (5, 3)), "(or its upper half) is past the 5 registers");
    let discard = |last: u16| [Arg::List(vec![Reg::reference(last)])];
    assert!(with_inst(Op::DiscardRefs, &discard(2), (5, 3)).is_ok());
    refused(with_inst(Op::DiscardRefs, &discard(3), (5, 3)), "past the 3 registers");
}

/// Stock looks at the callee's ordinal only if the module has one function.
#[test]
fn callees_that_are_not_there_among_several_functions() {
    let call = |callee| {
        let args = [Arg::Callee(callee), Arg::List(vec![]), Arg::List(vec![])];
        let mut builder = sample::tables();
        for _ in 0..3 {
            builder.function("0v_v", sample::with_args(Op::Call, &args));
        }
        Module::load(builder.build())
    };
    assert!(call(Callee::Internal(2)).is_ok());
    for ordinal in [3, 1000, 0x7FFF_FFFF] {
        refused(call(Callee::Internal(ordinal)), "is past the end, 3");
        refused(call(Callee::Import(ordinal)), "is past the end, 2");
    }
}

/// Stock adds the width in 32 bits.
#[test]
fn offsets_of_globals_that_wrap_around() {
    for kind in [Kind::Global4, Kind::Global8] {
        each_operand(kind, |op, args, position| {
            for offset in [u32::MAX - 7, u32::MAX - 3, u32::MAX] {
                refused(
                    with_inst(op, &replaced(args, position, Arg::Index(offset)), (32, 16)),
                    "past the end",
                );
            }
        });
    }
}

/// Stock takes an f64 global for one of four bytes.
#[test]
fn the_upper_half_of_a_global_past_the_end() {
    each_operand(Kind::Global8, |op, args, position| {
        let at = |offset| with_inst(op, &replaced(args, position, Arg::Index(offset)), (32, 16));
        assert!(at(8).is_ok());
        refused(at(12), "global offset 12 is past the end, 16");
    });
}

/// Stock does not look at the last byte.
#[test]
fn a_byte_behind_the_last_instruction() {
    for byte in 0..=u8::MAX {
        let mut code = sample::with_args(Op::Return, &[Arg::List(vec![])]);
        code.bytes.push(byte);
        let mut builder = ModuleBuilder::new("m");
        builder.function("0v_v", code);
        assert!(Module::load(builder.build()).is_err(), "{byte:02X}");
    }
}

/// A file with one function, and the place of its descriptor.
fn with_descriptor() -> (Vec<u8>, usize) {
    let code =
        FunctionCode { registers: Some((29, 13)), ..sample::with_args(Op::Return, &[Arg::List(vec![])]) };
    let (length, blocks) = (code.bytes.len() as u32, code.blocks as u16);
    let mut descriptor = [0u8; 20];
    descriptor[4..8].copy_from_slice(&length.to_le_bytes());
    descriptor[14..16].copy_from_slice(&blocks.to_le_bytes());
    (descriptor[16], descriptor[18]) = (29, 13);
    let mut builder = ModuleBuilder::new("m");
    builder.function("0v_v", code);
    let file = builder.build();
    let at = file.windows(20).position(|bytes| bytes == descriptor).unwrap();
    assert!(Module::load(file.clone()).is_ok());
    (file, at)
}

/// Stock takes some of them for sizes: one of them makes it hang.
#[test]
fn negative_numbers_in_a_descriptor() {
    let (file, at) = with_descriptor();
    let with = |field: usize, bytes: &[u8], told| {
        let mut file = file.clone();
        file[at + field..at + field + bytes.len()].copy_from_slice(bytes);
        refused(Module::load(file), told);
    };
    for number in [-1, -8, i32::MIN] {
        with(0, &number.to_le_bytes(), "bytecode_offset");
        with(4, &number.to_le_bytes(), "bytecode_length");
    }
    for number in [-1, i16::MIN] {
        with(14, &number.to_le_bytes(), "blocks");
        with(16, &number.to_le_bytes(), "more than can be named");
        with(18, &number.to_le_bytes(), "more than can be named");
    }
    with(12, &[1, 0], "1 in the reserved field");
}

/// Two functions may not have a byte of code in common, nor one behind the end.
#[test]
fn functions_that_overlap() {
    let (first, at) = with_descriptor();
    let mut builder = ModuleBuilder::new("m");
    let code = || sample::with_args(Op::Return, &[Arg::List(vec![])]);
    builder.function("0v_v", FunctionCode { registers: Some((29, 13)), ..code() });
    builder.function("0v_v", FunctionCode { registers: Some((29, 13)), ..code() });
    let file = builder.build();
    let one = &first[at..at + 20];
    let at =
        file.windows(40).position(|bytes| &bytes[..20] == one && bytes[24..40] == one[4..]).unwrap() + 20;
    let place = i32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    for (start, is_good) in
        [(place, true), (place - 8, false), (0, false), (place + 4, false), (place + 8, false)]
    {
        let mut file = file.clone();
        file[at..at + 4].copy_from_slice(&start.to_le_bytes());
        match is_good {
            true => assert!(Module::load(file).is_ok()),
            false => refused(Module::load(file), "in the descriptor of function 1"),
        }
    }
}

/// YIELD (4) and UNWIND (8) say what callers may expect. Nothing here relies on them.
#[test]
fn requirements_that_say_nothing() {
    for requirements in [0, 4, 8, 12] {
        let mut code = sample::with_args(Op::Yield, &sample::args(Op::Yield));
        code.requirements = requirements;
        let mut builder = sample::tables();
        let function = builder.function("0v_v", code);
        assert_eq!(
            Module::load(builder.build()).unwrap().function(function).unwrap().requirements(),
            requirements
        );
    }
}

/// Of two exports of one name the first is found.
#[test]
fn exports_of_the_same_name() {
    let text = "vm.module @m\nvm.func @a(%i0: i32) -> (i32) {\n  vm.return %i0\n}\nvm.func @b() -> () {\n  vm.return\n}\n";
    let mut builder = assemble(text).unwrap();
    builder.export("same", 1).export("same", 0);
    let module = Module::load(builder.build()).unwrap();
    assert_eq!((module.exports().len(), module.find("same").unwrap().ordinal()), (2, 1));
}

/// Stock looks for too few operands only.
#[test]
fn more_operands_than_the_signature_has() {
    let three = vec![Reg::value(0), Reg::value(2), Reg::reference(0)];
    let results = vec![Reg::value(4), Reg::value(6), Reg::reference(1)];
    let call = |operands: Vec<Reg>, results: Vec<Reg>| {
        let callee = Arg::Callee(Callee::Import(0));
        with_inst(Op::Call, &[callee, Arg::List(operands), Arg::List(results)], (32, 16))
    };
    assert!(call(three.clone(), results.clone()).is_ok());
    let more = |list: &[Reg]| [list, &[Reg::value(8)]].concat();
    refused(call(more(&three), results.clone()), "4 operands");
    refused(call(three, more(&results)), "4 results");
}
