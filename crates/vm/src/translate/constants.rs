//! Registers whose value is known while translating.
//!
//! # Invariants
//! - Q1: a value that is reported is what the register holds at that instruction, on every path.
//! - Q2: the instruction that writes a constant is left out only if every read that it reaches was replaced by the value.

use super::flow::{Block, Liveness, edges, touches};
use crate::isa::{Inst, Op};
use std::collections::{HashMap, HashSet};

/// Known values of registers: of the function as a whole, and of the block so far.
pub(super) struct Constants {
    /// Registers that are written once, by a constant, and never read before.
    always: HashMap<(u16, bool), Known>,
    /// Registers that hold a constant at this point of the block.
    now: HashMap<(u16, bool), Known>,
    /// Addresses of the instructions whose constant is read from its register somewhere.
    needed: HashSet<u32>,
}

/// A constant: its bits and the address of the instruction that writes it.
#[derive(Clone, Copy)]
struct Known {
    bits: u64,
    pc: u32,
}

/// The constant that the instruction writes: register, bits, whether a pair.
fn constant(inst: &Inst<'_>) -> Option<(u16, u64, bool)> {
    Some(match inst.op {
        Op::ConstI32Zero => (inst.reg(0).index(), 0, false),
        Op::ConstI32 => (inst.reg(1).index(), inst.imm32(0).into(), false),
        Op::ConstI64Zero => (inst.reg(0).index(), 0, true),
        Op::ConstI64 => (inst.reg(1).index(), inst.imm64(0), true),
        _ => return None,
    })
}

impl Constants {
    /// Looks at the whole function. `arguments`: how many value cells the arguments fill.
    pub(super) fn new(blocks: &[Block<'_>], liveness: &Liveness, arguments: u16) -> Constants {
        let mut writes: HashMap<usize, u32> = (0..arguments.into()).map(|cell| (cell, 1)).collect();
        let mut found = HashMap::new();
        for block in blocks {
            for inst in &block.insts {
                block.touches(inst, |cell, reads| *writes.entry(cell).or_default() += u32::from(!reads));
                for (_, remap) in edges(inst) {
                    for (_, to) in remap.iter().flat_map(|remap| remap.iter()).filter(|(_, to)| !to.is_ref())
                    {
                        *writes.entry(to.index().into()).or_default() += 1;
                    }
                }
                // A call's results may be pairs whose high half no list names.
                if matches!(
                    inst.op,
                    Op::Call | Op::CallVariadic | Op::CallYieldable | Op::CallVariadicYieldable
                ) {
                    let results = inst.operands().last();
                    if let Some((_, crate::isa::Operand::List(list))) = results {
                        list.regs()
                            .for_each(|reg| *writes.entry(usize::from(reg.index()) + 1).or_default() += 1);
                    }
                }
                if let Some((register, bits, wide)) = constant(inst) {
                    found.insert(register, (Known { bits, pc: inst.pc }, wide));
                }
            }
        }
        let once = |cell: u16| writes.get(&usize::from(cell)) == Some(&1) && !liveness.at_entry(cell);
        found.retain(|register, (_, wide)| once(*register) && (!*wide || once(*register + 1)));
        let always = found.into_iter().map(|(register, (known, wide))| ((register, wide), known)).collect();
        Constants { always, now: HashMap::new(), needed: HashSet::new() }
    }

    /// Begins a block.
    pub(super) fn start_block(&mut self) {
        self.now.clear();
    }

    /// Goes past an instruction.
    pub(super) fn pass(&mut self, inst: &Inst<'_>) {
        let mut written = Vec::new();
        touches(inst, None, |cell, reads| written.extend((!reads).then_some(cell as u16)));
        let is_call =
            matches!(inst.op, Op::Call | Op::CallVariadic | Op::CallYieldable | Op::CallVariadicYieldable);
        for cell in &written {
            self.forget((*cell, false), &written);
            self.forget((*cell & !1, true), &written);
            // A call's result may be a pair whose high half no list names.
            if is_call {
                self.forget((cell.wrapping_add(1), false), &written);
            }
        }
        if let Some((register, bits, wide)) = constant(inst) {
            self.now.insert((register, wide), Known { bits, pc: inst.pc });
        }
    }

    /// A constant is no longer known to be in its register. Unless every cell of it was written, it may be there still
    /// and be read, which nobody will notice any more (Q2).
    fn forget(&mut self, place: (u16, bool), written: &[u16]) {
        let Some(known) = self.now.remove(&place) else { return };
        let (register, wide) = place;
        if !written.contains(&register) || wide && !written.contains(&(register + 1)) {
            self.needed.insert(known.pc);
        }
    }

    fn get(&self, register: u16, wide: bool) -> Option<u64> {
        let known = self.now.get(&(register, wide)).or_else(|| self.always.get(&(register, wide)));
        known.map(|known| known.bits)
    }

    /// The cell is read from its register here: whatever constant it may hold must be written (Q2).
    fn read(&mut self, cell: u16) {
        for place in [(cell, false), (cell, true), (cell.wrapping_sub(1), true)] {
            self.needed.extend(self.now.get(&place).map(|known| known.pc));
            self.needed.extend(self.always.get(&place).map(|known| known.pc));
        }
    }

    /// Goes past what instructions read, just before [`pass`](Self::pass). `folded`: registers whose value was used
    /// instead, once for each use; they are taken away.
    pub(super) fn reads(&mut self, block: &Block<'_>, inst: &Inst<'_>, folded: &mut Vec<u16>) {
        let mut cells = Vec::new();
        block.touches(inst, |cell, reads| cells.extend(reads.then_some(cell as u16)));
        for (_, remap) in edges(inst) {
            let moves = remap.iter().flat_map(|remap| remap.iter()).filter(|(from, _)| !from.is_ref());
            cells.extend(moves.map(|(from, _)| from.index()));
        }
        for cell in cells {
            match folded.iter().position(|register| *register == cell) {
                Some(use_at) => drop(folded.swap_remove(use_at)),
                None => self.read(cell),
            }
        }
    }

    /// Ends a block: constants of registers that live on are read elsewhere, unless they are known everywhere.
    pub(super) fn end_block(&mut self, live_out: &[u64]) {
        let lives =
            |cell: u16| live_out.get(usize::from(cell) / 64).is_some_and(|word| word & 1 << (cell % 64) != 0);
        for ((register, wide), known) in &self.now {
            let live = lives(*register) || *wide && lives(register + 1);
            if live && !self.always.contains_key(&(*register, *wide)) {
                self.needed.insert(known.pc);
            }
        }
    }

    /// Whether the constant that the instruction at this address writes is read from its register.
    pub(super) fn is_needed(&self, pc: u32) -> bool {
        self.needed.contains(&pc)
    }

    /// The value of a 32-bit register.
    pub(super) fn half(&self, register: u16) -> Option<u32> {
        self.get(register, false).map(|bits| bits as u32)
    }

    /// The value of a pair that is a sign-extended 32-bit number.
    pub(super) fn whole(&self, register: u16) -> Option<u32> {
        self.get(register, true).filter(|bits| *bits as i32 as i64 as u64 == *bits).map(|bits| bits as u32)
    }
}
