//! From bytes to instructions: total, allocation-free, and the only place that knows field widths for reading.
//!
//! Not here: whether operands are in range (the verifier); writing ([`Encoder`](super::Encoder)).
//!
//! # Invariants
//! - I1: `pc < next <= code.len()` of every instruction that is yielded, so that decoding ends.
//! - I2: every view in an instruction lies inside the code.

use super::operand::{Callee, Case, Cases, List, Operand, Reg, Remap};
use super::{Kind, Kinds, Op, Page};
use raddle_status::{Code, Error, Result};

/// A decoded instruction.
///
/// The accessors panic when the operand at that position is of another kind: the table says which is which.
#[derive(Clone, Copy, Debug)]
pub struct Inst<'a> {
    /// Address of the first byte (the prefix byte, if there is one), from the start of the function.
    pub pc: u32,
    /// Address of the byte after it.
    pub next: u32,
    /// The instruction.
    pub op: Op,
    operands: [Operand<'a>; Kinds::MAX],
    /// Addresses of up to three pad bytes (0 for none: a pad is never at 0).
    pads: [u32; 3],
}

macro_rules! accessor {
    ($($(#[$doc:meta])* $name:ident -> $type:ty = $variant:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&self, position: usize) -> $type {
            match self.operands[position] {
                Operand::$variant(value) => value,
                other => panic!("operand {position} of {} is {other:?}", self.op.mnemonic()),
            }
        })*
    };
}

impl<'a> Inst<'a> {
    /// The operands with their kinds, in encoding order.
    pub fn operands(&self) -> impl ExactSizeIterator<Item = (Kind, Operand<'a>)> + Clone + '_ {
        self.op.kinds().iter().copied().zip(self.operands)
    }

    accessor! {
        /// The register at this position.
        reg -> Reg = Reg;
        /// The bits of the 32-bit immediate at this position.
        imm32 -> u32 = Imm32;
        /// The bits of the 64-bit immediate at this position.
        imm64 -> u64 = Imm64;
        /// The global, rodata or type index at this position.
        index -> u32 = Index;
        /// The callee at this position.
        callee -> Callee = Callee;
        /// The block address at this position.
        block -> u32 = Block;
        /// The list at this position.
        list -> List<'a> = List;
        /// The remap at this position.
        remap -> Remap<'a> = Remap;
        /// The branch table at this position.
        cases -> Cases<'a> = Cases;
        /// The text at this position.
        text -> &'a [u8] = Text;
    }

    /// Addresses of the pad bytes before lists, those inside branch tables excluded.
    pub fn pads(&self) -> impl Iterator<Item = u32> + '_ {
        self.pads.iter().copied().filter(|pad| *pad != 0)
    }
}

/// Yields the instructions of one function's code in address order; ends at the first error.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    code: &'a [u8],
    pc: usize,
}

impl<'a> Decoder<'a> {
    /// Decodes this function's code from its first byte.
    pub fn new(code: &'a [u8]) -> Decoder<'a> {
        Decoder { code, pc: 0 }
    }

    /// Goes on at this address, which must be the start of an instruction to make sense.
    pub fn at(code: &'a [u8], pc: u32) -> Decoder<'a> {
        Decoder { code, pc: pc as usize }
    }

    fn step(&mut self) -> Result<Inst<'a>> {
        let mut cursor = Cursor { code: self.code, at: self.pc, pads: [0; 3], pad_count: 0 };
        let op = cursor.op()?;
        let mut operands = [Operand::Index(0); Kinds::MAX];
        for (operand, kind) in operands.iter_mut().zip(op.kinds()) {
            *operand = cursor.operand(*kind).ok_or_else(|| cursor.truncated(op))?;
        }
        let pc = self.pc as u32;
        self.pc = cursor.at;
        Ok(Inst { pc, next: cursor.at as u32, op, operands, pads: cursor.pads })
    }
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Result<Inst<'a>>;

    fn next(&mut self) -> Option<Result<Inst<'a>>> {
        if self.pc >= self.code.len() {
            return None;
        }
        let result = self.step();
        if result.is_err() {
            self.pc = self.code.len();
        }
        Some(result)
    }
}

struct Cursor<'a> {
    code: &'a [u8],
    at: usize,
    pads: [u32; 3],
    pad_count: usize,
}

impl<'a> Cursor<'a> {
    fn op(&mut self) -> Result<Op> {
        let first = self.code[self.at];
        let page = match first {
            0xE0 => Page::F32,
            0xE1 => Page::F64,
            _ => Page::Core,
        };
        self.at += usize::from(page != Page::Core);
        let Some(opcode) = self.code.get(self.at).copied() else {
            return Err(Error::new(Code::OutOfRange, "the code ends after a prefix byte"));
        };
        self.at += 1;
        Op::decode(page, opcode).ok_or_else(|| {
            Error::new(Code::InvalidArgument, format!("there is no opcode {opcode:02X} on page {page:?}"))
        })
    }

    fn operand(&mut self, kind: Kind) -> Option<Operand<'a>> {
        use Kind::*;
        Some(match kind {
            ImmI32 | ImmF32 => Operand::Imm32(self.u32()?),
            ImmI64 | ImmF64 => Operand::Imm64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            Global4 | Global8 | GlobalRef | Rodata | Type => Operand::Index(self.u32()?),
            Callee | Import => Operand::Callee(super::Callee::from_bits(self.u32()?)),
            Block => Operand::Block(self.u32()?),
            Remap => Operand::Remap(super::Remap(self.list(4)?)),
            Cases => Operand::Cases(self.cases()?),
            Text => {
                let count = self.u16()?;
                Operand::Text(self.take(usize::from(count))?)
            }
            _ if kind.is_list() => Operand::List(List(self.list(2)?)),
            _ => Operand::Reg(Reg(self.u16()?)),
        })
    }

    fn cases(&mut self) -> Option<Cases<'a>> {
        let count = self.u16()?;
        let start = self.at as u32;
        for _ in 0..count {
            self.at = Case::read(self.code, self.at)?.1;
        }
        Some(Cases { code: &self.code[..self.at], start, count })
    }

    fn list(&mut self, entry_bytes: usize) -> Option<&'a [u8]> {
        if !self.at.is_multiple_of(2) {
            *self.pads.get_mut(self.pad_count)? = self.at as u32;
            self.pad_count += 1;
            self.at += 1;
        }
        let count = self.u16()?;
        self.take(usize::from(count) * entry_bytes)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let taken = self.code.get(self.at..self.at + bytes)?;
        self.at += bytes;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let value = u16_at(self.code, self.at)?;
        self.at += 2;
        Some(value)
    }

    fn u32(&mut self) -> Option<u32> {
        let value = u32_at(self.code, self.at)?;
        self.at += 4;
        Some(value)
    }

    fn truncated(&self, op: Op) -> Error {
        let bytes = self.code.len();
        Error::new(
            Code::OutOfRange,
            format!("an operand of {} runs past the end of the code, {bytes} bytes", op.mnemonic()),
        )
    }
}

pub(super) fn align2(at: usize) -> usize {
    at + (at & 1)
}

pub(super) fn u16_at(code: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(code.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_at(code: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(code.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
