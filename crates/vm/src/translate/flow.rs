//! Which value registers hold something that is read later: so that others need not be zeroed or written.
//!
//! Not here: refs, which are always cleared at entry and released at exit.
//!
//! # Invariants
//! - L1: a cell that is not reported live is written before it is read on every path from there.

use super::calls::letters;
use crate::isa::{Callee, Inst, Kind, Op, Operand, Remap};
use crate::module::{Function, Module};
use std::collections::HashMap;

/// Cells times blocks up to which the analysis runs; above, everything counts as live. Unit: bits.
const BITS_MAX: usize = 1 << 24;

/// Rounds after which the analysis gives up; reducible code needs its loop depth plus two.
const ROUNDS_MAX: usize = 64;

/// A block: the addresses of its marker and its instructions.
pub(super) struct Block<'a> {
    pub(super) pc: u32,
    pub(super) insts: Vec<Inst<'a>>,
    /// Of calls and returns, by address: which of the values that they read are pairs.
    wide: HashMap<u32, Box<[bool]>>,
}

impl Block<'_> {
    /// Calls `visit` with each value cell that the instruction reads or writes outside remaps; true for reads.
    pub(super) fn touches(&self, inst: &Inst<'_>, visit: impl FnMut(usize, bool)) {
        touches(inst, self.wide.get(&inst.pc).map(|wide| &**wide), visit);
    }
}

/// The blocks of a function in address order.
pub(super) fn blocks<'a>(module: &Module, function: &Function<'a>) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = Vec::with_capacity(function.block_count().into());
    for inst in function.instructions() {
        match blocks.last_mut() {
            _ if inst.op == Op::Block => {
                blocks.push(Block { pc: inst.pc, insts: Vec::new(), wide: HashMap::new() })
            }
            Some(block) => {
                block.wide.extend(wide_values(module, function, &inst).map(|wide| (inst.pc, wide)));
                block.insts.push(inst);
            }
            None => unreachable!("V5: code starts with a marker"),
        }
    }
    blocks
}

/// Which of the values that a call or return reads are pairs.
fn wide_values(module: &Module, function: &Function<'_>, inst: &Inst<'_>) -> Option<Box<[bool]>> {
    if inst.op == Op::Return {
        return Some(function.signature().results().iter().map(|scalar| scalar.is_wide()).collect());
    }
    let segments: Vec<u16> = match inst.op {
        Op::Call | Op::CallYieldable => Vec::new(),
        Op::CallVariadic | Op::CallVariadicYieldable => inst.list(1).iter().collect(),
        _ => return None,
    };
    let arguments = match inst.callee(0) {
        Callee::Internal(ordinal) => letters(module.function(ordinal)?.signature(), &segments).0,
        Callee::Import(ordinal) => letters(&module.imports().get(ordinal as usize)?.signature, &segments).0,
    };
    Some(arguments.into_iter().map(|letter| matches!(letter, b'I' | b'F')).collect())
}

/// The live cells at the start of each block.
pub(super) struct Liveness {
    words: usize,
    /// `None`: everything is live.
    live_in: Option<Vec<u64>>,
}

/// A set of cells.
type Set = Vec<u64>;

fn insert(set: &mut [u64], cell: usize) {
    if let Some(word) = set.get_mut(cell / 64) {
        *word |= 1 << (cell % 64);
    }
}

fn remove(set: &mut [u64], cell: usize) {
    if let Some(word) = set.get_mut(cell / 64) {
        *word &= !(1 << (cell % 64));
    }
}

/// As [`Block::touches`]; without `wide`, all values that a call or return reads count as pairs.
pub(super) fn touches(inst: &Inst<'_>, wide: Option<&[bool]>, mut visit: impl FnMut(usize, bool)) {
    for (kind, operand) in inst.operands() {
        let reads = !kind.is_result();
        match operand {
            Operand::Reg(reg) if !reg.is_ref() => {
                visit(reg.index().into(), reads);
                if kind.is_wide() {
                    visit(usize::from(reg.index()) + 1, reads);
                }
            }
            Operand::List(list) if kind != Kind::Segments && kind != Kind::Discards => {
                for (position, reg) in list.regs().enumerate().filter(|(_, reg)| !reg.is_ref()) {
                    visit(reg.index().into(), reads);
                    let known = wide.and_then(|wide| wide.get(position)).copied();
                    if reads && (kind.is_wide() || kind == Kind::Values && known.unwrap_or(true)) {
                        visit(usize::from(reg.index()) + 1, true);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The edges that leave a block: target address and moves.
pub(super) fn edges<'a>(inst: &Inst<'a>) -> Vec<(u32, Option<Remap<'a>>)> {
    match inst.op {
        Op::Br | Op::Break | Op::Yield => vec![(inst.block(0), Some(inst.remap(1)))],
        Op::CondBreak => vec![(inst.block(1), Some(inst.remap(2)))],
        Op::CondBr => vec![(inst.block(1), Some(inst.remap(2))), (inst.block(3), Some(inst.remap(4)))],
        Op::BrTable => {
            let mut edges = vec![(inst.block(1), Some(inst.remap(2)))];
            edges.extend(inst.cases(3).iter().map(|case| (case.block, Some(case.remap))));
            edges
        }
        Op::CallYieldable => vec![(inst.block(2), None)],
        Op::CallVariadicYieldable => vec![(inst.block(3), None)],
        _ => Vec::new(),
    }
}

impl Liveness {
    pub(super) fn new(blocks: &[Block<'_>], cells: u16) -> Liveness {
        let words = usize::from(cells).div_ceil(64).max(1);
        let mut liveness = Liveness { words, live_in: None };
        if blocks.len() * words * 64 > BITS_MAX {
            return liveness;
        }
        liveness.live_in = Some(vec![0; blocks.len() * words]);
        for _ in 0..ROUNDS_MAX {
            if !liveness.round(blocks) {
                return liveness;
            }
        }
        liveness.live_in = None;
        liveness
    }

    fn round(&mut self, blocks: &[Block<'_>]) -> bool {
        let mut changed = false;
        for (index, block) in blocks.iter().enumerate().rev() {
            let mut live = self.live_out(blocks, block);
            for inst in block.insts.iter().rev() {
                block.touches(inst, |cell, reads| {
                    if !reads {
                        remove(&mut live, cell);
                    }
                });
                block.touches(inst, |cell, reads| {
                    if reads {
                        insert(&mut live, cell);
                    }
                });
            }
            if let Some(live_in) = &mut self.live_in {
                let place = &mut live_in[index * self.words..][..self.words];
                changed |= *place != *live;
                place.copy_from_slice(&live);
            }
        }
        changed
    }

    /// What is live after the block's last instruction, before the moves of its edges.
    pub(super) fn live_out(&self, blocks: &[Block<'_>], block: &Block<'_>) -> Set {
        let mut live = vec![0; self.words];
        let last = block.insts.last().expect("V5: a block has a terminator");
        for (target, remap) in edges(last) {
            let mut edge = self.live_in(blocks, target);
            for (source, destination) in
                remap.iter().flat_map(|remap| remap.iter()).collect::<Vec<_>>().iter().rev()
            {
                if !source.is_ref() {
                    remove(&mut edge, destination.index().into());
                    insert(&mut edge, source.index().into());
                }
            }
            live.iter_mut().zip(edge).for_each(|(all, edge)| *all |= edge);
        }
        live
    }

    fn live_in(&self, blocks: &[Block<'_>], pc: u32) -> Set {
        let index = blocks.binary_search_by_key(&pc, |block| block.pc).expect("V6: targets are blocks");
        match &self.live_in {
            Some(live) => live[index * self.words..][..self.words].to_vec(),
            None => vec![u64::MAX; self.words],
        }
    }

    /// Whether `cell` may be read at the start of the function before it is written.
    pub(super) fn at_entry(&self, cell: u16) -> bool {
        self.live_in.as_ref().is_none_or(|live| live[usize::from(cell) / 64] & 1 << (cell % 64) != 0)
    }
}

/// Whether `cell` is read after instruction number `after` of the block, before it is written again.
pub(super) fn is_live_after(block: &Block<'_>, after: usize, cell: u16, live_out: &[u64]) -> bool {
    for inst in &block.insts[after + 1..] {
        let (mut read, mut written) = (false, false);
        block.touches(inst, |at, reads| {
            if at == usize::from(cell) {
                read |= reads;
                written |= !reads;
            }
        });
        if read || written {
            return read;
        }
    }
    live_out[usize::from(cell) / 64] & 1 << (cell % 64) != 0
}
