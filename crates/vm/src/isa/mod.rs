//! The instruction set: what each instruction is called, how it is encoded, how it is written, how it fails.
//!
//! One table (`table.rs`) makes the enum, the decoder, the encoder, the verifier's operand rules, both
//! directions of the text and the reference page `docs/isa.md`.
//!
//! Not here: what instructions do (the engines), and whether operands are in range (the verifier).
//!
//! # Encoding
//! ```text
//! instruction = [E0 | E1] opcode operand*        E0 selects the f32 page, E1 the f64 page
//! register    = u16   bit 15: 0 value bank, 1 ref bank; ref bank: bit 14 MOVE
//! list        = [pad to an even address] u16 count, count x u16
//! remap       = [pad to an even address] u16 count, count x (u16 source, u16 destination)
//! ```
//! Addresses count from the start of the function. Everything but lists and remaps is unaligned.

mod decode;
mod encode;
mod kind;
mod operand;
mod reference;
mod table;

pub use decode::{Decoder, Inst};
pub use encode::{Arg, Encoder, FunctionCode, Moves};
pub use kind::{Kind, Kinds};
pub use operand::{Callee, Case, Cases, List, Operand, Reg, Remap};
pub use reference::reference_page;
pub use table::Op;

/// The version of the bytecode: major in the high half, minor in the low half.
pub const BYTECODE_VERSION: u32 = 17 << 16;

/// A table of opcodes: the core one, or one behind a prefix byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Page {
    /// No prefix.
    Core,
    /// Prefix `E0`; needs the function's EXT_F32 bit.
    F32,
    /// Prefix `E1`; needs the function's EXT_F64 bit.
    F64,
}

impl Page {
    /// The byte before the opcode, if any.
    pub const fn prefix(self) -> Option<u8> {
        match self {
            Page::Core => None,
            Page::F32 => Some(0xE0),
            Page::F64 => Some(0xE1),
        }
    }

    /// The bit of a function's requirements that allows this page; 0 for none.
    pub const fn requirement(self) -> u32 {
        match self {
            Page::Core => 0,
            Page::F32 => 1,
            Page::F64 => 2,
        }
    }

    /// The row of the page's opcode 0.
    const fn base(self) -> usize {
        match self {
            Page::Core => 0,
            Page::F32 => Op::GlobalLoadF32 as usize,
            Page::F64 => Op::GlobalLoadF64 as usize,
        }
    }

    const fn end(self) -> usize {
        match self {
            Page::Core => Page::F32.base(),
            Page::F32 => Page::F64.base(),
            Page::F64 => Op::COUNT,
        }
    }
}

/// A way in which a verified instruction can still fail when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fail {
    /// A ref is null where an object is needed, or has the wrong type: INVALID_ARGUMENT.
    Ref,
    /// An index, offset or length lies outside the object: OUT_OF_RANGE.
    Range,
    /// The object holds another kind of thing: FAILED_PRECONDITION.
    State,
    /// An argument is wrong in itself, such as an alignment that is no power of two: INVALID_ARGUMENT.
    Argument,
    /// A limit of memory is reached: RESOURCE_EXHAUSTED.
    Memory,
    /// The buffer may not be written: PERMISSION_DENIED.
    Permission,
    /// The divisor is zero: INVALID_ARGUMENT.
    Zero,
    /// Whatever the callee fails with; NOT_FOUND for an unbound optional import.
    Callee,
    /// The program's own status.
    Status,
}

/// A row of the table.
#[derive(Debug)]
pub struct Info {
    /// The instruction.
    pub op: Op,
    /// The page of its opcode.
    pub page: Page,
    /// The opcode in that page.
    pub opcode: u8,
    /// The name without the `vm.` prefix.
    pub mnemonic: &'static str,
    /// The operands in encoding order.
    pub kinds: Kinds,
    /// The operands as the table writes them.
    pub notation: &'static str,
    /// The text forms, separated by ` || `.
    pub form: &'static str,
    /// How it can fail at run time.
    pub fails: &'static [Fail],
    /// What it does.
    pub effect: &'static str,
}

impl Op {
    /// The row of this instruction.
    pub fn info(self) -> &'static Info {
        &table::TABLE[self as usize]
    }

    /// The name without the `vm.` prefix.
    pub fn mnemonic(self) -> &'static str {
        self.info().mnemonic
    }

    /// The operand kinds in encoding order.
    pub fn kinds(self) -> &'static [Kind] {
        self.info().kinds.as_slice()
    }

    /// Whether control does not fall through to the next address.
    pub fn is_terminator(self) -> bool {
        self.info().kinds.is_terminator()
    }

    /// The instruction with this opcode on this page.
    pub fn decode(page: Page, opcode: u8) -> Option<Op> {
        let row = page.base() + usize::from(opcode);
        if row < page.end() { Some(Op::ALL[row]) } else { None }
    }

    /// The instruction with this mnemonic (without `vm.`).
    pub fn by_mnemonic(mnemonic: &str) -> Option<Op> {
        Op::ALL.iter().copied().find(|op| *op != Op::Block && op.mnemonic() == mnemonic)
    }
}

#[cfg(test)]
mod tests;
