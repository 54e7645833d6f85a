//! Modules for the tests of several files.

use crate::builder::ModuleBuilder;
use crate::isa::{Arg, Callee, Encoder, FunctionCode, Kind, Op, Reg};

/// A module with one function for each instruction, in the order of the table, in which it stands first.
pub(crate) fn every_op() -> ModuleBuilder {
    let mut builder = tables();
    for op in Op::ALL.iter().copied().filter(|op| *op != Op::Block) {
        builder.function("0v_v", with_args(op, &args(op)));
    }
    builder
}

/// The module of [`every_op`] without its functions.
pub(crate) fn tables() -> ModuleBuilder {
    let mut builder = ModuleBuilder::new("sample");
    builder.ty("!vm.buffer");
    builder.import("other.plain", "0iIr_iIr", false);
    builder.import("other.variadic", "0iCrID_i", true);
    builder.rodata(*b"data");
    builder.globals(16, 4);
    builder
}

/// A function of no arguments in which this instruction stands first.
pub(crate) fn with_args(op: Op, args: &[Arg]) -> FunctionCode {
    let mut code = Encoder::new();
    let label = code.label();
    code.bind(None).unwrap();
    code.inst(op, args).unwrap();
    if !op.is_terminator() {
        code.inst(Op::Return, &[Arg::List(vec![])]).unwrap();
    }
    code.bind(Some(label)).unwrap();
    code.inst(Op::Return, &[Arg::List(vec![])]).unwrap();
    code.finish().unwrap()
}

/// Valid operands of an instruction in [`every_op`].
pub(crate) fn args(op: Op) -> Vec<Arg> {
    op.kinds().iter().zip(0..).map(|(kind, position)| arg(op, *kind, position)).collect()
}

fn arg(op: Op, kind: Kind, position: u16) -> Arg {
    use Kind::*;
    let value = |index| Reg::value(2 * index);
    let (one, two) = (Reg::reference(1).moved(), Reg::reference(2));
    let variadic = matches!(op, Op::CallVariadic | Op::CallVariadicYieldable);
    match kind {
        Ref | OutRef => Arg::Reg(Reg::reference(position)),
        RefMove | OutRefTake => Arg::Reg(Reg::reference(position).moved()),
        ImmI32 => Arg::Imm32(0xFFFF_FFF6),
        ImmI64 => Arg::Imm64(1 << 40),
        ImmF32 => Arg::Imm32(0.1f32.to_bits()),
        ImmF64 => Arg::Imm64(0x7FF8_0000_0000_0001),
        Global4 | Global8 => Arg::Index(8),
        GlobalRef => Arg::Index(3),
        Rodata | Type => Arg::Index(0),
        Callee => Arg::Callee(self::Callee::Import(0)),
        Import => Arg::Callee(self::Callee::Import(1)),
        Block => Arg::Block(0),
        Remap => Arg::Remap(vec![(value(1), value(2)), (one, two)]),
        Cases => Arg::Cases(vec![(0, vec![(value(0), value(1))]), (0, vec![])]),
        Text => Arg::Text(b"a \"text\"".to_vec()),
        Segments => Arg::List(vec![Reg(0xFFFF), Reg(2)]),
        Values if op == Op::Return => Arg::List(vec![]),
        Values if variadic => Arg::List(vec![value(0), one, value(1), two, value(2)]),
        Values => Arg::List(vec![value(0), value(1), one]),
        Results if variadic => Arg::List(vec![value(4)]),
        Results => Arg::List(vec![value(4), value(5), two]),
        ListRef => Arg::List(vec![one, two]),
        Discards => Arg::List(vec![two]),
        ListI32 | ListI64 | ListF32 | ListF64 => Arg::List(vec![value(3), value(4)]),
        _ => Arg::Reg(value(position)),
    }
}
