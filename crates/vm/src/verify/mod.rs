//! What must hold of every function before it may run: control flow, registers, indices, calls.
//!
//! A module that passes can be executed without checks of registers, types' ordinals, targets, tables or list
//! lengths. Stricter than stock IREE, whose verifier has known holes, and still accepts everything that compiler
//! and assembler write.
//!
//! Not here: rules about tables alone (`module/parse.rs`); what can only be known at run time: null refs, dynamic
//! types, bounds of lists, buffers and indirect globals, zero divisors.
//!
//! # Invariants
//! For every function of a [`Module`](crate::Module); safety comments of the engines cite these numbers.
//! - V1: the code is an immutable copy that belongs to the module.
//! - V2: signatures are parsed; the function's own has no repeated group. Register counts are at
//!   least what its arguments take: loading raises those of a descriptor that says less.
//! - V3: exports name functions of the module.
//! - V4: linear decoding from 0 ends exactly at the end of the code; all opcodes exist; pad bytes are 0.
//! - V5: a block marker is at 0 and after every terminator that is not the last instruction, and nowhere else; the
//!   last instruction is a terminator; there are exactly `block_count` markers.
//! - V6: every branch target is the address of a marker, below 0x00FFFFFF; an instruction follows it.
//! - V7: every register is in the bank of its operand and below the bank's count.
//! - V8: a 64-bit operand names an even register, and the odd one after it is below the count too. (Remap pairs
//!   move 32-bit halves and have no such rule.)
//! - V9: the MOVE bit occurs only on `r*` operands, sources of lists and remaps, and results `>r*`.
//! - V10: both ends of a remap pair are in one bank, and they differ.
//! - V11: type, rodata and ref-global ordinals are below their counts; the last byte of a direct primitive global
//!   is below `global_bytes`.
//! - V12: callees exist. A call's operands are exactly those of the callee's signature (an import's is the one
//!   that this module states), in number, bank and width; its results likewise. Only `call.variadic*` calls an
//!   import with repeated groups, and only imports; its segments are one per parameter.
//! - V13: the operands of `return` are exactly the function's results, in number, bank and width.
//! - V14: f32 and f64 instructions occur only if the function's own requirement bits say so.
//!
//! # Cost
//! Linear in the code: functions don't overlap, every list is compared once, and a mismatch ends the run.

mod calls;
mod operands;

use crate::isa::{Decoder, Inst, Op, Operand};
use crate::module::{FunctionModel, Model};
use raddle_status::{Code, Error, Result, ResultExt};

/// Addresses from here on can't be branch targets.
const TARGET_END: u32 = 0x00FF_FFFF;

/// Checks all functions of the model.
///
/// # Errors
/// INVALID_ARGUMENT, OUT_OF_RANGE or FAILED_PRECONDITION; the context names function and offset.
pub(crate) fn verify(model: &Model) -> Result {
    for (function, ordinal) in model.functions.iter().zip(0..) {
        Checker { model, function, code: &model.code[function.code.clone()] }
            .run()
            .map_err(|(pc, error)| error.within(format!("at {}+{pc:08X}", model.place(ordinal))))?;
    }
    Ok(())
}

/// One function under check.
struct Checker<'a> {
    model: &'a Model,
    function: &'a FunctionModel,
    code: &'a [u8],
}

/// A failure with the address of the instruction.
type At<T> = Result<T, (u32, Error)>;

impl Checker<'_> {
    fn run(&self) -> At<()> {
        self.check_entry().map_err(|error| (0, error))?;
        let mut markers = Vec::new();
        let mut targets = Vec::new();
        let mut open = false;
        let mut pc = 0;
        for inst in Decoder::new(self.code) {
            let inst = inst.map_err(|error| (pc, error))?;
            self.check_flow(&inst, &mut open, &mut markers).map_err(|error| (inst.pc, error))?;
            self.check_inst(&inst, &mut targets).map_err(|error| (inst.pc, error))?;
            pc = inst.next;
        }
        if open {
            return Err((pc, invalid("the last block has no terminator".to_owned())));
        }
        if markers.len() != usize::from(self.function.blocks) {
            let (have, want) = (markers.len(), self.function.blocks);
            return Err((pc, invalid(format!("{have} block markers where the descriptor says {want}"))));
        }
        for (pc, target) in targets {
            if markers.binary_search(&target).is_err() {
                return Err((pc, invalid(format!("branch to {target:08X}, where no block starts"))));
            }
        }
        Ok(())
    }

    /// V2.
    fn check_entry(&self) -> Result {
        let signature = &self.function.signature;
        if signature.is_variadic() {
            return Err(invalid(format!("{signature:?} repeats arguments; only imports may")));
        }
        Ok(())
    }

    /// V5.
    fn check_flow(&self, inst: &Inst<'_>, open: &mut bool, markers: &mut Vec<u32>) -> Result {
        if inst.op == Op::Block {
            if *open {
                return Err(invalid("a block starts inside a block that has no terminator".to_owned()));
            }
            if markers.len() == usize::from(self.function.blocks) {
                let blocks = self.function.blocks;
                return Err(invalid(format!("more blocks than the {blocks} of the descriptor")));
            }
            markers.push(inst.pc);
        } else if !*open {
            return Err(invalid(format!("{} stands outside of any block", inst.op.mnemonic())));
        }
        *open = !inst.op.is_terminator();
        Ok(())
    }

    /// All but V5 and V6; collects the targets for V6.
    fn check_inst(&self, inst: &Inst<'_>, targets: &mut Vec<(u32, u32)>) -> Result {
        let needs = inst.op.info().page.requirement();
        if self.function.requirements & needs != needs {
            let mnemonic = inst.op.mnemonic();
            return Err(invalid(format!(
                "{mnemonic} needs requirement bit {needs}, which the function lacks"
            )));
        }
        if inst.pads().any(|pad| self.code[pad as usize] != 0) {
            return Err(invalid(format!("a pad byte of {} is not zero", inst.op.mnemonic())));
        }
        for ((kind, operand), position) in inst.operands().zip(0..) {
            let place = || format!("operand {position} of {}", inst.op.mnemonic());
            self.check_operand(kind, operand).within(place)?;
            match operand {
                Operand::Block(target) => targets.push((inst.pc, self.target(target)?)),
                Operand::Cases(cases) => {
                    for case in cases.iter() {
                        targets.push((inst.pc, self.target(case.block)?));
                    }
                }
                _ => {}
            }
        }
        self.check_call(inst).within(|| format!("in {}", inst.op.mnemonic()))
    }

    fn target(&self, target: u32) -> Result<u32> {
        if target < TARGET_END {
            return Ok(target);
        }
        Err(Error::new(Code::OutOfRange, format!("branch to {target:08X}, past the largest address")))
    }
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod holes;
#[cfg(test)]
mod tests;
