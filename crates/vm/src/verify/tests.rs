//! Every rule of the verifier seen refusing, one broken thing at a time.

use crate::isa::{Arg, Callee, FunctionCode, Kind, Op, Page, Reg};
use crate::{Module, ModuleBuilder, assemble, sample};
use raddle_status::{Code, Error};

/// Registers of a function in [`check_args`]; larger ordinals are out of range.
const REGISTERS: (u16, u16) = (32, 16);

fn load(op: Op, args: &[Arg]) -> Result<Module, Error> {
    let mut builder = sample::tables();
    let code = FunctionCode { registers: Some(REGISTERS), ..sample::with_args(op, args) };
    builder.function("0v_v", code);
    Module::load(builder.build())
}

/// Wrong ways to write an operand, each with a word of the message.
fn wrong(kind: Kind, right: &Arg) -> Vec<(Arg, &'static str)> {
    let far = 1 << 30;
    match right {
        Arg::Reg(reg) => wrong_reg(kind, *reg).into_iter().map(|(reg, text)| (Arg::Reg(reg), text)).collect(),
        Arg::Index(_) => vec![(Arg::Index(far), "past the end"), (Arg::Index(u32::MAX), "past the end")],
        Arg::Callee(_) => vec![
            (Arg::Callee(Callee::Internal(far)), "past the end"),
            (Arg::Callee(Callee::Import(far)), "past the end"),
        ],
        Arg::Remap(_) => wrong_moves().into_iter().map(|(moves, text)| (Arg::Remap(moves), text)).collect(),
        Arg::Cases(_) => wrong_moves()
            .into_iter()
            .map(|(moves, text)| (Arg::Cases(vec![(0, vec![]), (0, moves)]), text))
            .collect(),
        Arg::List(entries) if kind != Kind::Segments => wrong_lists(kind, entries),
        _ => vec![],
    }
}

fn wrong_reg(kind: Kind, reg: Reg) -> Vec<(Reg, &'static str)> {
    let mut wrong = Vec::new();
    if reg.is_ref() {
        wrong.extend([(Reg::value(0), "where a ref register belongs"), (Reg::reference(16), "past the 16")]);
        if !matches!(kind, Kind::RefMove | Kind::OutRefTake) {
            wrong.push((reg.moved(), "MOVE"));
        }
    } else {
        wrong
            .extend([(Reg::reference(0), "where a value register belongs"), (Reg::value(32), "past the 32")]);
        if kind.is_wide() {
            wrong.push((Reg::value(1), "odd"));
        }
    }
    wrong
}

fn wrong_moves() -> Vec<(Vec<(Reg, Reg)>, &'static str)> {
    let (value, reference) = (Reg::value(1), Reg::reference(1));
    vec![
        (vec![(value, reference)], "crosses"),
        (vec![(reference, value)], "crosses"),
        (vec![(value, value)], "onto itself"),
        (vec![(reference.moved(), reference)], "onto itself"),
        (vec![(Reg::value(32), value)], "past the 32"),
        (vec![(value, Reg::value(32))], "past the 32"),
        (vec![(Reg::reference(16), reference)], "past the 16"),
        (vec![(Reg::reference(2), reference.moved())], "MOVE"),
    ]
}

fn wrong_lists(kind: Kind, entries: &[Reg]) -> Vec<(Arg, &'static str)> {
    let with = |index: usize, reg: Reg| {
        let mut changed = entries.to_vec();
        changed[index] = reg;
        Arg::List(changed)
    };
    let mut wrong = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let past = if entry.is_ref() { Reg::reference(16) } else { Reg::value(32) };
        wrong.push((with(index, past), "past the"));
        if entry.is_ref() && (kind == Kind::Results || kind == Kind::Discards) {
            wrong.push((with(index, entry.moved()), "MOVE"));
        }
        if kind.is_wide() {
            wrong.push((with(index, Reg::value(1)), "odd"));
        }
    }
    wrong
}

#[test]
fn every_operand_of_every_instruction_is_checked() {
    let mut refused = 0;
    for op in Op::ALL.iter().copied().filter(|op| *op != Op::Block) {
        let args = sample::args(op);
        load(op, &args).unwrap();
        for (position, kind) in op.kinds().iter().enumerate() {
            for (arg, text) in wrong(*kind, &args[position]) {
                let mut changed = args.clone();
                changed[position] = arg.clone();
                let error = load(op, &changed).expect_err(op.mnemonic());
                let told = error.to_string();
                assert!(told.contains(text) && told.contains("sample.fn0+00000001"), "{told}: {arg:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 1500, "{refused}");
}

fn check(text: &str, code: Code, message: &str) {
    let error = assemble(text).and_then(|built| Module::load(built.build())).expect_err(text);
    assert!(error.code() == code && error.to_string().contains(message), "{error}\n{text}");
}

#[test]
fn calls_match_signatures() {
    let call = |body: &str, code, message| {
        let head = "vm.module @m\nvm.import @o.f cconv \"0iIr_iI\"\nvm.import @o.v cconv \"0iCIrD_v\"\n";
        let helper = "vm.func @g(%i0: i32) -> (i64) {\n %i2:3 = vm.const.i64 1\n vm.return %i2\n}\n";
        let tail = "//! registers 8, 4\nvm.func @f() -> () {\n";
        check(&format!("{head}{helper}{tail}{body}\n vm.return\n}}\n"), code, message);
    };
    call("%i0, %i2 = vm.call @o.f(%i0, %i2)", Code::OutOfRange, "2 operands where the signature says 3");
    call("%i0, %i2 = vm.call @o.f(%i0, %i2, %r0, %r0)", Code::InvalidArgument, "4 operands");
    call("%i0 = vm.call @o.f(%i0, %i2, %r0)", Code::OutOfRange, "1 results");
    call("%i0, %i1, %i2 = vm.call @o.f(%i0, %i2, %r0)", Code::InvalidArgument, "3 results");
    call("%i0, %i3 = vm.call @o.f(%i0, %i2, %r0)", Code::InvalidArgument, "%i3 is odd");
    call("%i0, %i2 = vm.call @o.f(%i0, %i1, %r0)", Code::InvalidArgument, "%i1 is odd");
    call("%i0, %i2 = vm.call @o.f(%i0, %r1, %r0)", Code::InvalidArgument, "%r1 where a value");
    call("%i0, %i2 = vm.call @o.f(%i0, %i2, %i4)", Code::InvalidArgument, "%i4 where a ref");
    call("%i2 = vm.call @g(%r0)", Code::InvalidArgument, "%r0 where a value");
    call("%i2 = vm.call @g()", Code::OutOfRange, "0 operands");
    call("vm.call @o.v(%i0)", Code::InvalidArgument, "needs call.variadic");
    call("vm.call.variadic @o.v segments[65535](%i0)", Code::OutOfRange, "1 segments");
    call("vm.call.variadic @o.v segments[65535, 1, 1](%i0, %i2, %r0)", Code::InvalidArgument, "3 segments");
    call("vm.call.variadic @o.v segments[65535, 2](%i0, %i2, %r0)", Code::OutOfRange, "3 operands");
    call("vm.call.variadic @o.v segments[65535, 0](%i0, %i2, %r0)", Code::InvalidArgument, "3 operands");
    call(
        "vm.call.variadic @o.v segments[65535, 1](%i0, %r0, %i2)",
        Code::InvalidArgument,
        "%r0 where a value",
    );
    call("vm.call.variadic @o.v segments[65535, 65535](%i0)", Code::OutOfRange, "says 131071");
    call("vm.call.variadic @g segments[1](%i0)", Code::FailedPrecondition, "internal");
    call("%i0 = vm.import.resolved @g", Code::InvalidArgument, "internal");
    call("vm.return %i0", Code::InvalidArgument, "1 results");
}

#[test]
fn control_flow_is_checked() {
    let body = |body: &str, message| {
        check(
            &format!("vm.module @m\nvm.func @f(%i0: i32) -> () {{\n{body}\n}}\n"),
            Code::InvalidArgument,
            message,
        );
    };
    body("%i0 = vm.const.i32 1", "no terminator");
    body("%i0 = vm.const.i32 1\n^bb1:\n vm.return", "inside a block");
    body("vm.return\n vm.return", "outside of any block");
    body("vm.return\n^bb1:", "no terminator");
    let with = |change: fn(&mut FunctionCode), message: &str| {
        let mut code = sample::with_args(Op::Br, &sample::args(Op::Br));
        change(&mut code);
        let mut builder = ModuleBuilder::new("m");
        builder.function("0v_v", code);
        let error = Module::load(builder.build()).expect_err(message);
        assert!(error.to_string().contains(message), "{error}");
    };
    with(|code| code.blocks += 1, "2 block markers where the descriptor says 3");
    with(|code| code.blocks -= 1, "more blocks than the 1");
    with(|code| code.blocks = 0, "blocks");
    with(|code| code.blocks = 0xFFFF, "blocks");
    with(|code| code.bytes[2] ^= 1, "no block starts");
    with(|code| code.bytes[5] = 0x7F, "past the largest address");
    with(|code| code.bytes.truncate(7), "runs past the end");
    with(|code| code.bytes.push(0x79), "more blocks");
    with(|code| code.bytes.push(0xE0), "prefix");
    with(|code| code.bytes.clear(), "empty");
    with(|code| code.requirements = 16, "features");
    with(|code| code.registers = Some((0x8000, 0)), "more than can be named");
    with(|code| code.registers = Some((8, 0x4000)), "more than can be named");
}

#[test]
fn functions_have_what_they_use() {
    let whole = |text: &str, code, message| check(&format!("vm.module @m\n{text}"), code, message);
    let f32 = "vm.func @f(%i0: f32) -> () {\n %i0 = vm.neg.f32 %i0\n vm.return\n}\n";
    whole(&format!("//! requires 0\n{f32}"), Code::InvalidArgument, "requirement bit 1");
    // What another function says, and with it the module, does not count.
    let other = f32.replace("@f", "@other");
    whole(&format!("{other}//! requires 0\n{f32}"), Code::InvalidArgument, "m.fn1+00000001");
    let wide = "vm.func @f(%i0: i32, %i1:2: i64) -> () {\n vm.return\n}\n";
    let module =
        Module::load(assemble(&format!("vm.module @m\n//! registers 0, 0\n{wide}")).unwrap().build())
            .unwrap();
    assert_eq!(module.function(0).unwrap().value_count(), 4, "raised to what the arguments take");
    whole(&format!("//! cconv \"0CiD_v\"\n{wide}"), Code::InvalidArgument, "only imports may");
    let global = |op: &str, bytes| {
        format!("//! globals {bytes} bytes, 0 refs\nvm.func @f() -> () {{\n {op}\n vm.return\n}}\n")
    };
    for (op, bytes) in
        [("%i0 = vm.global.load.f32 .rwdata[4]", 8), ("%i0:1 = vm.global.load.f64 .rwdata[8]", 16)]
    {
        let file = assemble(&format!("vm.module @m\n{}", global(op, bytes))).unwrap().build();
        assert_eq!(Module::load(file).unwrap().global_bytes(), bytes);
    }
}

#[test]
fn opcodes_that_are_in_no_table_are_refused() {
    for (prefix, page) in [(&[][..], Page::Core), (&[0xE0], Page::F32), (&[0xE1], Page::F64)] {
        for opcode in (0..=u8::MAX).filter(|opcode| Op::decode(page, *opcode).is_none()) {
            if page == Page::Core && matches!(opcode, 0xE0 | 0xE1) {
                continue;
            }
            let mut code = sample::with_args(Op::Return, &[Arg::List(vec![])]);
            code.bytes.splice(1..1, prefix.iter().copied().chain([opcode]));
            let mut builder = ModuleBuilder::new("m");
            builder.function("0v_v", code);
            let error = Module::load(builder.build()).unwrap_err().to_string();
            let told = format!("no opcode {opcode:02X} on page {page:?}");
            assert!(error.contains(&told), "{error}");
        }
    }
}

/// A pad byte is never read, but it could hide something from a reader of bytes.
#[test]
fn pads_are_zero() {
    let mut code = sample::with_args(Op::Return, &[Arg::List(vec![])]);
    assert_eq!(code.bytes[2..4], [0, 0]);
    code.bytes = vec![0x79, 0x10, 0, 0x80, 0x5A, 1, 0, 0];
    code.blocks = 1;
    let mut builder = ModuleBuilder::new("m");
    builder.function("0v_v", code);
    let error = Module::load(builder.build()).unwrap_err();
    assert!(error.message().contains("pad byte"), "{error}");
}
