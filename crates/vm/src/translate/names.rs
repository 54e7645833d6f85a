//! Which operation runs an instruction whose operands are registers only.

use crate::engine::Opcode;
use crate::isa::Op;

/// The operation with the name of each bytecode instruction, if there is one.
static SAME_NAME: [Option<Opcode>; Op::COUNT] = {
    let mut table = [None; Op::COUNT];
    let mut row = 0;
    while row < Op::COUNT {
        table[row] = Opcode::by_name(Op::NAMES[row]);
        row += 1;
    }
    table
};

/// The operation for a bytecode instruction: the one of the same name, or of the same effect on bits.
pub(super) fn opcode(op: Op) -> Opcode {
    find(op).unwrap_or_else(|| unreachable!("{} has operands of its own", op.mnemonic()))
}

fn find(op: Op) -> Option<Opcode> {
    use Opcode::*;
    Some(match op {
        Op::SelectF32 => SelectI32,
        Op::SelectF64 => SelectI64,
        Op::BufferLoadF32 => BufferLoadI32,
        Op::BufferLoadF64 => BufferLoadI64,
        Op::BufferStoreF32 => BufferStoreI32,
        Op::BufferStoreF64 => BufferStoreI64,
        Op::BufferFillF32 => BufferFillI32,
        Op::BufferFillF64 => BufferFillI64,
        Op::BitcastI32F32 | Op::BitcastF32I32 => Move32,
        Op::BitcastI64F64 | Op::BitcastF64I64 => Move64,
        Op::GlobalLoadIndirectI32 | Op::GlobalLoadIndirectF32 => GlobalLoadIndirect32,
        Op::GlobalLoadIndirectI64 | Op::GlobalLoadIndirectF64 => GlobalLoadIndirect64,
        Op::GlobalStoreIndirectI32 | Op::GlobalStoreIndirectF32 => GlobalStoreIndirect32,
        Op::GlobalStoreIndirectI64 | Op::GlobalStoreIndirectF64 => GlobalStoreIndirect64,
        _ => return SAME_NAME[op as usize],
    })
}
