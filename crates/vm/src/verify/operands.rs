//! Single operands: registers, moves, ordinals (V4 in part, V7 to V11).

use super::{Checker, invalid};
use crate::isa::{Callee, Kind, Operand, Reg, Remap};
use raddle_status::{Code, Error, Result};

impl Checker<'_> {
    pub(super) fn check_operand(&self, kind: Kind, operand: Operand<'_>) -> Result {
        match operand {
            Operand::Reg(reg) => self.check_reg(kind, reg),
            Operand::Index(index) => self.check_index(kind, index),
            Operand::Callee(callee) => self.check_callee(callee),
            Operand::List(list) => match element(kind) {
                Some(element) => list.regs().try_for_each(|reg| self.check_reg(element, reg)),
                None if kind == Kind::Segments => Ok(()),
                None => list.regs().try_for_each(|reg| self.check_any(reg, kind != Kind::Results)),
            },
            Operand::Remap(remap) => self.check_remap(remap),
            Operand::Cases(cases) => cases.iter().try_for_each(|case| {
                if case.pad.is_some_and(|pad| self.code[pad as usize] != 0) {
                    return Err(invalid("a pad byte between cases is not zero".to_owned()));
                }
                self.check_remap(case.remap)
            }),
            Operand::Imm32(_) | Operand::Imm64(_) | Operand::Block(_) | Operand::Text(_) => Ok(()),
        }
    }

    /// V7, V8, V9 for a register whose kind is known.
    pub(super) fn check_reg(&self, kind: Kind, reg: Reg) -> Result {
        use Kind::*;
        let wants_ref = matches!(kind, Ref | RefMove | OutRef | OutRefTake);
        if wants_ref != reg.is_ref() {
            let want = if wants_ref { "a ref" } else { "a value" };
            return Err(invalid(format!("{reg} where {want} register belongs")));
        }
        if kind.is_wide() && !reg.index().is_multiple_of(2) {
            return Err(invalid(format!("{reg} is odd, but a 64-bit value takes an even register")));
        }
        self.in_bank(reg, kind.is_wide())?;
        may_move(reg, matches!(kind, RefMove | OutRefTake))
    }

    /// V7, V9 for an entry of a list whose kinds the callee's signature says.
    fn check_any(&self, reg: Reg, moves: bool) -> Result {
        self.in_bank(reg, false)?;
        may_move(reg, moves)
    }

    /// V7, V9, V10.
    fn check_remap(&self, remap: Remap<'_>) -> Result {
        for (source, destination) in remap.iter() {
            self.check_any(source, true)?;
            self.check_any(destination, false)?;
            if source.is_ref() != destination.is_ref() {
                return Err(invalid(format!("{source} -> {destination} crosses the banks")));
            }
            if source.index() == destination.index() {
                return Err(invalid(format!("{source} -> {destination} moves a register onto itself")));
            }
        }
        Ok(())
    }

    fn in_bank(&self, reg: Reg, wide: bool) -> Result {
        let count = if reg.is_ref() { self.function.refs } else { self.function.values };
        if u32::from(reg.index()) + u32::from(wide) < u32::from(count) {
            return Ok(());
        }
        let half = if wide { " (or its upper half)" } else { "" };
        Err(Error::new(Code::OutOfRange, format!("{reg}{half} is past the {count} registers of its bank")))
    }

    /// V11.
    fn check_index(&self, kind: Kind, index: u32) -> Result {
        let (what, width, end) = match kind {
            Kind::Global4 => ("global offset", 4, u64::from(self.model.global_bytes)),
            Kind::Global8 => ("global offset", 8, u64::from(self.model.global_bytes)),
            Kind::GlobalRef => ("ref global", 1, u64::from(self.model.global_refs)),
            Kind::Rodata => ("rodata segment", 1, self.model.rodata.len() as u64),
            _ => ("type", 1, self.model.types.len() as u64),
        };
        if u64::from(index) + width <= end {
            return Ok(());
        }
        Err(Error::new(Code::OutOfRange, format!("{what} {index} is past the end, {end}")))
    }

    /// V12 as far as the callee goes.
    fn check_callee(&self, callee: Callee) -> Result {
        let (what, ordinal, count) = match callee {
            Callee::Import(ordinal) => ("import", ordinal, self.model.imports.len()),
            Callee::Internal(ordinal) => ("function", ordinal, self.model.functions.len()),
        };
        if ordinal as usize >= count {
            return Err(invalid(format!("{what} {ordinal} is past the end, {count}")));
        }
        Ok(())
    }
}

/// What the entries of a list are, where the instruction alone says it.
fn element(kind: Kind) -> Option<Kind> {
    Some(match kind {
        Kind::ListI32 => Kind::I32,
        Kind::ListI64 => Kind::I64,
        Kind::ListF32 => Kind::F32,
        Kind::ListF64 => Kind::F64,
        Kind::ListRef => Kind::RefMove,
        Kind::Discards => Kind::Ref,
        _ => return None,
    })
}

fn may_move(reg: Reg, allowed: bool) -> Result {
    if reg.is_move() && !allowed {
        return Err(invalid(format!("{reg} has a MOVE bit where nothing can be moved")));
    }
    Ok(())
}
