//! What the engines run: translated functions, their call sites and their bridges.
//!
//! Not here: making them ([`super::lower`]), running them ([`crate::engine`]).
//!
//! # A frame
//! ```text
//!            window
//! lower       |                                                                     higher addresses
//! [ Frame ][ value cells, 4 bytes each, an even number ][ ref cells, 8 bytes each ][ next Frame ]...
//! ```
//! Operands are 16-bit offsets from the window in units of 4 bytes. 0x7FFF values and 0x3FFF refs just fit.
//!
//! # Invariants
//! - T1: every cell operand of a function's code lies inside its frame: the verifier checked ordinals against the
//!   register counts (its register guarantees), and the frame has those counts.
//! - T2: a branch offset leads to an instruction of the same code; control never runs past the end, since the last
//!   instruction of a block leaves it.
//! - T3: a [`Site`] lives as long as the code whose instructions point at it; `next` points into that code.
//! - T4: arguments and results of a site agree in number and kind with its callee's calling convention.

use super::need::Need;
use crate::engine::{Opcode, Run};
use std::sync::OnceLock;

/// One pre-decoded instruction: who runs it, and its operands.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Inst {
    pub(crate) run: Run,
    pub(crate) word: Word,
}

/// Operands: four cells from the low end (`d`, `a`, `b`, `c`), or fewer and an immediate at the high end.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    pub(crate) fn cells(d: u16, a: u16, b: u16, c: u16) -> Word {
        Word(u64::from(d) | u64::from(a) << 16 | u64::from(b) << 32 | u64::from(c) << 48)
    }

    /// Two cells and a 32-bit immediate.
    pub(crate) fn immediate(d: u16, a: u16, immediate: u32) -> Word {
        Word(u64::from(d) | u64::from(a) << 16 | u64::from(immediate) << 32)
    }

    #[inline(always)]
    pub(crate) fn d(self) -> u16 {
        self.0 as u16
    }

    #[inline(always)]
    pub(crate) fn a(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    pub(crate) fn b(self) -> u16 {
        (self.0 >> 32) as u16
    }

    #[inline(always)]
    pub(crate) fn c(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The high 32 bits.
    #[inline(always)]
    pub(crate) fn high(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// How a value travels between frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Carry {
    /// One cell.
    Half,
    /// Two cells.
    Whole,
    /// A ref that the source keeps.
    Copy,
    /// A ref that leaves the source.
    Take,
}

impl Carry {
    /// The reverse of `as u32`.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u32) -> Carry {
        match bits & 3 {
            0 => Carry::Half,
            1 => Carry::Whole,
            2 => Carry::Copy,
            _ => Carry::Take,
        }
    }

    /// How a value of this letter leaves a frame that gives it away.
    pub(crate) fn taking(letter: u8) -> Carry {
        match letter {
            b'r' => Carry::Take,
            b'I' | b'F' => Carry::Whole,
            _ => Carry::Half,
        }
    }
}

/// One move between two frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Transfer {
    pub(crate) carry: Carry,
    pub(crate) from: u16,
    pub(crate) to: u16,
}

/// What a call instruction calls and how values get there and back.
pub(crate) struct Site {
    /// Where the caller goes on.
    pub(crate) next: *const Inst,
    /// The caller's window to the callee's: the caller's cells and a frame header. Unit: bytes.
    pub(crate) advance: u32,
    /// The callee in its program's table of functions, or in the import table; [`HOST`] for the host's call.
    pub(crate) callee: u32,
    /// The callee, for a call inside the program.
    pub(crate) slot: *const Slot,
    /// The source of the first argument and the place of the first result, 0 if there are none.
    pub(crate) first: u16,
    pub(crate) first_result: u16,
    /// Where the results go, in the caller's frame.
    pub(crate) results: Box<[u16]>,
    /// Arguments, from the caller's frame to the callee's (or to the [`Shape`] of an import's bridge).
    pub(crate) arguments: Box<[Transfer]>,
    /// How often each repeated group of parameters occurs.
    pub(crate) segments: Box<[u16]>,
}

/// No callee, but who calls: the host.
pub(crate) const HOST: u32 = u32::MAX;

/// The cells of a call that crosses a boundary (other module, native function), as one frame:
/// argument values, argument refs, result values, result refs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Letters of the arguments, groups written out.
    pub(crate) arguments: Box<[u8]>,
    /// Letters of the results.
    pub(crate) results: Box<[u8]>,
    /// First cell of the argument refs; an even number of value cells comes before.
    pub(crate) argument_refs: u16,
    /// First cell of the result values.
    pub(crate) result_values: u16,
    /// First cell of the result refs.
    pub(crate) result_refs: u16,
    /// One past the last cell.
    pub(crate) cells: u16,
}

/// Cells of a sequence of letters, values and refs apart.
fn lay_out(letters: &[u8]) -> (u32, u32) {
    let (mut values, mut refs) = (0u32, 0u32);
    for letter in letters {
        match letter {
            b'r' => refs += 1,
            b'I' | b'F' => values = values.next_multiple_of(2) + 2,
            _ => values += 1,
        }
    }
    (values.next_multiple_of(2), refs)
}

impl Shape {
    /// The shape of a call with these letters; `None` if it has too many cells.
    pub(crate) fn new(arguments: Vec<u8>, results: Vec<u8>) -> Option<Shape> {
        let (argument_values, argument_refs) = lay_out(&arguments);
        let (result_values, result_refs) = lay_out(&results);
        let result_base = argument_values + 2 * argument_refs;
        let cells = result_base + result_values + 2 * result_refs;
        Some(Shape {
            arguments: arguments.into(),
            results: results.into(),
            argument_refs: argument_values.try_into().ok()?,
            result_values: result_base.try_into().ok()?,
            result_refs: (result_base + result_values).try_into().ok()?,
            cells: cells.try_into().ok().filter(|cells| *cells < u16::MAX - 16)?,
        })
    }

    /// The cells of the arguments.
    pub(crate) fn argument_cells(&self) -> impl Iterator<Item = (u8, u16)> + '_ {
        cells(&self.arguments, 0, self.argument_refs)
    }

    /// The cells of the results.
    pub(crate) fn result_cells(&self) -> impl Iterator<Item = (u8, u16)> + '_ {
        cells(&self.results, self.result_values, self.result_refs)
    }

    /// Cells of refs, as ranges with a step of 2: arguments, results.
    pub(crate) fn ref_cells(&self) -> impl Iterator<Item = u16> + '_ {
        (self.argument_refs..self.result_values).step_by(2).chain((self.result_refs..self.cells).step_by(2))
    }
}

/// The cell of each letter: values from `values` on, refs from `refs` on.
pub(crate) fn cells(letters: &[u8], values: u16, refs: u16) -> impl Iterator<Item = (u8, u16)> + '_ {
    let (mut value, mut reference) = (values, refs);
    letters.iter().map(move |letter| {
        let cell = match letter {
            b'r' => {
                reference += 2;
                reference - 2
            }
            b'I' | b'F' => {
                value = value.next_multiple_of(2) + 2;
                value - 2
            }
            _ => {
                value += 1;
                value - 1
            }
        };
        (*letter, cell)
    })
}

/// A translated function.
pub(crate) struct Code {
    /// The instructions; `entry` points at the first.
    pub(crate) insts: Box<[Inst]>,
    /// Size of the frame without its header. Unit: bytes.
    pub(crate) frame_bytes: u32,
    /// Cells that are zeroed at entry: values that the code may read before it writes them, and all refs. An even start
    /// and length.
    pub(crate) zero_from: u16,
    pub(crate) zero_cells: u16,
    /// First ref cell, and how many refs.
    pub(crate) refs_from: u16,
    pub(crate) ref_count: u16,
    /// Index of an instruction -> address in the bytecode, ascending.
    pub(crate) places: Box<[(u32, u32)]>,
    /// The call sites; instructions point at them (T3).
    #[expect(clippy::vec_box, reason = "instructions hold the addresses of sites")]
    pub(crate) _sites: Vec<Box<Site>>,
    /// The ordinal of the function in its program.
    pub(crate) function: u32,
    /// Of a bridge: its cells.
    pub(crate) shape: Option<Shape>,
}

#[allow(unsafe_code)]
// SAFETY: T3: the pointers lead to immutable memory owned by the same program.
unsafe impl Send for Code {}
#[allow(unsafe_code)]
// SAFETY: as above; `Slot` is a `OnceLock`.
unsafe impl Sync for Code {}

impl Code {
    /// Where the function begins.
    #[inline(always)]
    pub(crate) fn entry(&self) -> *const Inst {
        self.insts.as_ptr()
    }

    /// The address in the bytecode of the instruction that `pc` points into or just behind.
    pub(crate) fn place(&self, pc: *const Inst) -> Option<u32> {
        let index = (pc.addr().checked_sub(self.entry().addr())? / size_of::<Inst>()) as u32;
        let after = self.places.partition_point(|(inst, _)| *inst < index);
        self.places.get(after.checked_sub(1)?).map(|place| place.1)
    }
}

/// How the host calls a function: arguments go straight into its frame, results into a window below it.
pub(crate) struct Outermost {
    /// The ordinal of the function in its program.
    pub(crate) function: u32,
    pub(crate) code: *const Code,
    /// Letter and cell of each argument.
    pub(crate) arguments: Box<[(u8, u16)]>,
    /// The cells of the results; no arguments.
    pub(crate) results: Shape,
    /// Whether there is a ref among the results.
    pub(crate) returns_refs: bool,
    /// Size of the window of the results. Unit: bytes.
    pub(crate) result_bytes: u32,
    /// What the function returns to: `end`.
    pub(crate) site: Site,
    /// Tells the driver that the results are there; its word leads back here.
    pub(crate) end: Inst,
}

#[allow(unsafe_code)]
// SAFETY: T3: the pointers lead into the thing itself and to its slot.
unsafe impl Send for Outermost {}
#[allow(unsafe_code)]
// SAFETY: as above; nothing of it changes.
unsafe impl Sync for Outermost {}

/// A function of a program: translated when it is first called.
#[derive(Default)]
pub(crate) struct Slot {
    /// In place, since a call waits for it.
    pub(crate) code: OnceLock<Code>,
    /// For calls across a boundary: a frame that holds arguments and results, and a call.
    /// `call`, then `leave`; see [`Code::shape`].
    pub(crate) bridge: OnceLock<Box<Code>>,
    /// For the host's calls.
    pub(crate) outermost: OnceLock<Box<Outermost>>,
    /// What stack a call from outside needs, if that was asked.
    pub(crate) need: OnceLock<Option<Need>>,
}

/// How a distance is written into a word. It counts from the first slot of the instruction, whose index is here: a handler
/// has that address in a register.
#[derive(Clone, Copy)]
pub(super) enum Field {
    /// High half, in bytes.
    High(usize),
    /// Field `c`, in half slots: a processor scales by 8 as it adds.
    Short(usize),
    /// The whole word, in bytes.
    Whole(usize),
}

impl Field {
    /// The index of the first slot.
    pub(super) fn start(&mut self) -> &mut usize {
        match self {
            Field::High(start) | Field::Short(start) | Field::Whole(start) => start,
        }
    }
}

/// A code under construction: like [`Inst`], before it is known which engine runs it.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    pub(crate) op: Opcode,
    pub(crate) word: Word,
}

/// The unit of short distances. Unit: bytes.
pub(crate) const HALF_SLOT: isize = 8;

const _: () = assert!(size_of::<Inst>() == 2 * HALF_SLOT as usize);
