//! The operands of a decoded instruction, as views of the code: nothing is copied, nothing is aligned.
//!
//! Not here: what kinds there are ([`Kind`](super::Kind)) and decoding ([`Decoder`](super::Decoder)).

use super::decode::{align2, u16_at, u32_at};
use std::fmt;

/// A register operand: bank, ordinal and, for refs, the MOVE bit.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reg(pub u16);

impl Reg {
    const REF: u16 = 0x8000;
    const MOVE: u16 = 0x4000;

    /// The register of the value bank with this ordinal, below 0x8000.
    pub const fn value(index: u16) -> Reg {
        Reg(index & 0x7FFF)
    }

    /// The register of the ref bank with this ordinal, below 0x4000.
    pub const fn reference(index: u16) -> Reg {
        Reg(Reg::REF | (index & 0x3FFF))
    }

    /// The same register with the MOVE bit.
    pub const fn moved(self) -> Reg {
        Reg(self.0 | Reg::MOVE)
    }

    /// Whether it is in the ref bank.
    pub const fn is_ref(self) -> bool {
        self.0 & Reg::REF != 0
    }

    /// Whether it is a ref with the MOVE bit.
    pub const fn is_move(self) -> bool {
        self.is_ref() && self.0 & Reg::MOVE != 0
    }

    /// The ordinal in its bank.
    pub const fn index(self) -> u16 {
        if self.is_ref() { self.0 & 0x3FFF } else { self.0 }
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bank = match (self.is_ref(), self.is_move()) {
            (false, _) => 'i',
            (true, false) => 'r',
            (true, true) => 'R',
        };
        write!(f, "%{bank}{}", self.index())
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a call names: a function of the module or one of its imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// The internal function with this ordinal.
    Internal(u32),
    /// The import with this ordinal.
    Import(u32),
}

impl Callee {
    const IMPORT: u32 = 1 << 31;

    /// From the encoded ordinal.
    pub const fn from_bits(bits: u32) -> Callee {
        match bits & Callee::IMPORT {
            0 => Callee::Internal(bits),
            _ => Callee::Import(bits & !Callee::IMPORT),
        }
    }

    /// The encoded ordinal.
    pub const fn bits(self) -> u32 {
        match self {
            Callee::Internal(ordinal) => ordinal,
            Callee::Import(ordinal) => ordinal | Callee::IMPORT,
        }
    }
}

/// A list of u16: registers or segment sizes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a>(pub(super) &'a [u8]);

impl<'a> List<'a> {
    /// How many entries.
    pub fn len(self) -> usize {
        self.0.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The entry at this position.
    pub fn get(self, index: usize) -> Option<u16> {
        u16_at(self.0, index.checked_mul(2)?)
    }

    /// The entries as numbers.
    pub fn iter(self) -> impl ExactSizeIterator<Item = u16> + Clone + 'a {
        self.0.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes))
    }

    /// The entries as registers.
    pub fn regs(self) -> impl ExactSizeIterator<Item = Reg> + Clone + 'a {
        self.iter().map(Reg)
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.regs()).finish()
    }
}

/// The moves that a branch makes, to be made one after the other, in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Remap<'a>(pub(super) &'a [u8]);

impl<'a> Remap<'a> {
    /// How many moves.
    pub fn len(self) -> usize {
        self.0.len() / 4
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The moves: source, destination.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (Reg, Reg)> + Clone + 'a {
        self.0
            .as_chunks::<4>()
            .0
            .iter()
            .map(|[a, b, c, d]| (Reg(u16::from_le_bytes([*a, *b])), Reg(u16::from_le_bytes([*c, *d]))))
    }
}

impl fmt::Debug for Remap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The cases of a branch table.
#[derive(Clone, Copy)]
pub struct Cases<'a> {
    /// The function's code from its start (remaps are aligned relative to it) to the end of the last case.
    pub(super) code: &'a [u8],
    pub(super) start: u32,
    pub(super) count: u16,
}

/// One case of a branch table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case<'a> {
    /// Address of the target's block marker.
    pub block: u32,
    /// The moves on the way there.
    pub remap: Remap<'a>,
    /// Address of the pad byte before the remap, if it has one.
    pub pad: Option<u32>,
}

impl<'a> Cases<'a> {
    /// How many cases.
    pub fn len(self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are none: every index takes the default.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The cases in order.
    pub fn iter(self) -> impl Iterator<Item = Case<'a>> + 'a {
        let mut at = self.start as usize;
        (0..self.count).map_while(move |_| {
            let (case, next) = Case::read(self.code, at)?;
            at = next;
            Some(case)
        })
    }
}

impl<'a> Case<'a> {
    /// The case at this address and the address after it.
    pub(super) fn read(code: &'a [u8], at: usize) -> Option<(Case<'a>, usize)> {
        let block = u32_at(code, at)?;
        let list = align2(at + 4);
        let pad = (list != at + 4).then_some(at as u32 + 4);
        let end = list + 2 + 4 * usize::from(u16_at(code, list)?);
        Some((Case { block, remap: Remap(code.get(list + 2..end)?), pad }, end))
    }
}

impl fmt::Debug for Cases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// One operand of a decoded instruction.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// A register of any kind.
    Reg(Reg),
    /// The bits of a 32-bit immediate.
    Imm32(u32),
    /// The bits of a 64-bit immediate.
    Imm64(u64),
    /// A global's offset or ordinal, a rodata segment's or a type's ordinal.
    Index(u32),
    /// What is called.
    Callee(Callee),
    /// The address of a block marker.
    Block(u32),
    /// A list of registers or segment sizes.
    List(List<'a>),
    /// The moves of a branch.
    Remap(Remap<'a>),
    /// The cases of a branch table.
    Cases(Cases<'a>),
    /// Bytes of a message or name.
    Text(&'a [u8]),
}
