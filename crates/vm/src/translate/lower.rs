//! Bytecode to engine instructions, one function at a time.
//!
//! Not here: which instructions are merged ([`super::fuse`]), calls ([`super::calls`]).
//!
//! Branch targets are labels until the end; moves on edges become instructions before the jump, or behind a label of
//! their own where two edges leave a block.

use super::code::{Carry, Code, Draft, Field, Inst as Engine, Site, Word};
use super::constants::Constants;
use super::flow::{Block, Liveness, blocks};
use super::program::Program;
use crate::engine::Opcode;
use crate::engine::ops::TAKE;
use crate::isa::{Inst, Op, Operand, Reg, Remap};
use crate::module::Function;
use std::collections::HashMap;
use std::rc::Rc;

/// Where a jump goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Label {
    /// The block at this address.
    Block(u32),
    /// A place inside the translation.
    Local(u32),
}

/// A function being translated.
pub(super) struct Lower<'a> {
    pub(super) program: &'a Program,
    pub(super) function: Function<'a>,
    pub(super) refs_from: u16,
    pub(super) frame_bytes: u32,
    pub(super) blocks: Rc<[Block<'a>]>,
    pub(super) liveness: Liveness,
    pub(super) constants: Constants,
    pub(super) drafts: Vec<Draft>,
    labels: HashMap<Label, usize>,
    locals: u32,
    fixups: Vec<(usize, Field, Label)>,
    pub(super) places: Vec<(u32, u32)>,
    /// Sites and the index of the instruction after the call.
    pub(super) sites: Vec<(Box<Site>, usize)>,
    /// The address of the block at hand.
    pub(super) pc: u32,
    /// Registers whose constant value the instructions at hand use instead of the register, once for each use.
    pub(super) folded: Vec<u16>,
    /// Constants: first draft, drafts, address of the instruction. Those that nobody needs are taken out at the end.
    written: Vec<(usize, usize, u32)>,
    /// The first draft of the block at hand, or after the last label inside it.
    pub(super) straight_from: usize,
}

/// Translates a function.
pub(super) fn lower(program: &Program, ordinal: u32) -> Code {
    let function = program.module().function(ordinal).expect("V12: callees exist");
    let blocks: Rc<[Block<'_>]> = blocks(program.module(), &function).into();
    let liveness = Liveness::new(&blocks, function.value_count());
    let arguments = function.signature().entry_regs().filter(|(scalar, _)| *scalar != crate::Scalar::Ref);
    let arguments =
        arguments.map(|(scalar, at)| at + 1 + u32::from(scalar.is_wide())).max().unwrap_or(0) as u16;
    let constants = Constants::new(&blocks, &liveness, arguments);
    let mut lower = Lower {
        program,
        function,
        refs_from: program.refs_from(ordinal),
        frame_bytes: program.frame_bytes(ordinal) as u32,
        blocks,
        liveness,
        constants,
        drafts: Vec::new(),
        labels: HashMap::new(),
        locals: 0,
        fixups: Vec::new(),
        places: Vec::new(),
        sites: Vec::new(),
        pc: 0,
        folded: Vec::new(),
        written: Vec::new(),
        straight_from: 0,
    };
    for block in lower.blocks.clone().iter() {
        lower.block(block);
    }
    lower.drop_constants();
    lower.finish()
}

impl<'a> Lower<'a> {
    /// The cell of a register.
    pub(super) fn cell(&self, reg: Reg) -> u16 {
        if reg.is_ref() { self.refs_from + 2 * reg.index() } else { reg.index() }
    }

    pub(super) fn emit(&mut self, op: Opcode, word: Word) {
        self.drafts.push(Draft { op, word });
    }

    /// A slot of operands behind an instruction.
    pub(super) fn slot(&mut self, word: Word) {
        self.emit(Opcode::Jump, word);
    }

    /// Emits a jump of some kind whose distance is filled in later.
    pub(super) fn emit_to(&mut self, op: Opcode, word: Word, field: Field, label: Label) {
        self.fixups.push((self.drafts.len(), field, label));
        self.emit(op, word);
    }

    pub(super) fn local(&mut self) -> Label {
        self.locals += 1;
        Label::Local(self.locals)
    }

    pub(super) fn bind(&mut self, label: Label) {
        self.labels.insert(label, self.drafts.len());
        self.straight_from = self.drafts.len();
    }

    /// Whether a jump from the block at hand to `target` goes backwards, so that it must be counted.
    pub(super) fn is_back(&self, target: u32) -> bool {
        target <= self.pc
    }

    /// Whether the block at `target` follows the one at hand.
    pub(super) fn falls_into(&self, target: u32) -> bool {
        let next = self.blocks.partition_point(|block| block.pc <= self.pc);
        self.blocks.get(next).is_some_and(|block| block.pc == target)
    }

    fn block(&mut self, block: &Block<'a>) {
        self.pc = block.pc;
        self.bind(Label::Block(block.pc));
        self.constants.start_block();
        let live_out = self.liveness.live_out(&self.blocks, block);
        let mut at = 0;
        while at < block.insts.len() {
            let inst = &block.insts[at];
            self.places.push((self.drafts.len() as u32, inst.pc));
            self.folded.clear();
            let merged = self.fuse(block, at, &live_out);
            if merged == 0 {
                self.inst(inst);
            }
            for inst in &block.insts[at..at + merged.max(1)] {
                self.constants.reads(block, inst, &mut self.folded);
                self.constants.pass(inst);
            }
            at += merged.max(1);
        }
        self.constants.end_block(&live_out);
    }

    /// Takes out the constants whose uses were all folded (Q2).
    fn drop_constants(&mut self) {
        let mut dropped = vec![false; self.drafts.len()];
        for (first, count, pc) in &self.written {
            if !self.constants.is_needed(*pc) {
                dropped[*first..first + count].fill(true);
            }
        }
        // The new index of each draft; those taken out have that of the next one.
        let mut index = Vec::with_capacity(dropped.len() + 1);
        let mut next = 0;
        for gone in &dropped {
            index.push(next);
            next += usize::from(!gone);
        }
        index.push(next);
        self.labels.values_mut().for_each(|place| *place = index[*place]);
        self.sites.iter_mut().for_each(|(_, next)| *next = index[*next]);
        self.places.iter_mut().for_each(|place| place.0 = index[place.0 as usize] as u32);
        for (at, field, _) in &mut self.fixups {
            *at = index[*at];
            *field.start() = index[*field.start()];
        }
        let mut gone = dropped.into_iter();
        self.drafts.retain(|_| !gone.next().unwrap_or(false));
    }

    fn inst(&mut self, inst: &Inst<'a>) {
        match inst.op {
            Op::Br | Op::Break => self.jump(inst.block(0), Some(inst.remap(1))),
            Op::CondBreak => self.jump(inst.block(1), Some(inst.remap(2))),
            Op::CondBr => self.cond_br(inst),
            Op::BrTable => self.br_table(inst),
            Op::Yield => {
                self.moves(inst.remap(1));
                self.emit(Opcode::Yield, Word(0));
                self.jump(inst.block(0), None);
            }
            Op::Fail => {
                let status = self.cell(inst.reg(0));
                self.emit(Opcode::Fail, Word::immediate(0, status, inst.pc));
            }
            Op::Call | Op::CallVariadic | Op::CallYieldable | Op::CallVariadicYieldable => self.call(inst),
            Op::Return => self.return_values(inst),
            Op::ImportResolved => {
                let (d, import) = (self.cell(inst.reg(1)), inst.callee(0).bits() & !(1 << 31));
                self.emit(Opcode::ImportResolved, Word::immediate(d, 0, import));
            }
            Op::Trace | Op::Print => {
                for reg in inst.list(1).regs().filter(|reg| reg.is_move()) {
                    let d = self.cell(reg);
                    self.emit(Opcode::ConstRefZero, Word::cells(d, 0, 0, 0));
                }
            }
            Op::DiscardRefs => {
                for reg in inst.list(0).regs() {
                    let d = self.cell(reg);
                    self.emit(Opcode::ConstRefZero, Word::cells(d, 0, 0, 0));
                }
            }
            _ => self.data(inst),
        }
    }

    /// Instructions that are not about control.
    fn data(&mut self, inst: &Inst<'a>) {
        match inst.op {
            Op::ConstF32Zero => self.const32(inst.reg(0), 0),
            Op::ConstF32 => self.const32(inst.reg(1), inst.imm32(0)),
            Op::ConstF64Zero => self.const64(inst.reg(0), 0),
            Op::ConstF64 => self.const64(inst.reg(1), inst.imm64(0)),
            Op::ConstI32Zero | Op::ConstI32 | Op::ConstI64Zero | Op::ConstI64 => self.integer(inst),
            Op::ConstRefRodata => {
                let d = self.cell(inst.reg(1));
                self.emit(Opcode::ConstRefRodata, Word::immediate(d, 0, inst.index(0)));
            }
            Op::AssignRef => self.ref_move(inst.reg(0), inst.reg(1)),
            Op::CastAnyRef => {
                let (d, a) = (self.cell(inst.reg(2)), self.cell(inst.reg(0)));
                self.emit(Opcode::CastAnyRef, Word::immediate(d, a, inst.index(1) | take(inst.reg(0))));
            }
            Op::SelectRef => {
                let [a, b, c, d] = [0, 2, 3, 4].map(|position| self.cell(inst.reg(position)));
                self.emit(Opcode::SelectRef, Word::cells(d, a, b, c));
                let low = u64::from(inst.index(1) | take(inst.reg(2)));
                self.slot(Word(low | u64::from(take(inst.reg(3))) << 32));
            }
            Op::SwitchI32 | Op::SwitchF32 => self.switch(Opcode::Switch32, inst),
            Op::SwitchI64 | Op::SwitchF64 => self.switch(Opcode::Switch64, inst),
            Op::SwitchRef => self.switch_ref(inst),
            Op::ListAlloc => {
                let (d, a) = (self.cell(inst.reg(2)), self.cell(inst.reg(1)));
                self.emit(Opcode::ListAlloc, Word::immediate(d, a, inst.index(0)));
            }
            Op::ListGetRef => {
                let [a, b, d] = [0, 1, 3].map(|position| self.cell(inst.reg(position)));
                self.emit(Opcode::ListGetRef, Word::cells(d, a, b, inst.reg(3).is_move().into()));
                self.slot(Word(inst.index(2).into()));
            }
            Op::ListSetRef => {
                let [a, b, c] = [0, 1, 2].map(|position| self.cell(inst.reg(position)));
                self.emit(Opcode::ListSetRef, Word::cells(inst.reg(2).is_move().into(), a, b, c));
            }
            _ => self.global_or_plain(inst),
        }
    }

    fn global_or_plain(&mut self, inst: &Inst<'a>) {
        let direct = |op, d, a, offset| (op, Word::immediate(d, a, offset));
        let (op, word) = match inst.op {
            Op::GlobalLoadI32 | Op::GlobalLoadF32 => {
                direct(Opcode::GlobalLoad32, self.cell(inst.reg(1)), 0, inst.index(0))
            }
            Op::GlobalLoadI64 | Op::GlobalLoadF64 => {
                direct(Opcode::GlobalLoad64, self.cell(inst.reg(1)), 0, inst.index(0))
            }
            Op::GlobalStoreI32 | Op::GlobalStoreF32 => {
                direct(Opcode::GlobalStore32, 0, self.cell(inst.reg(1)), inst.index(0))
            }
            Op::GlobalStoreI64 | Op::GlobalStoreF64 => {
                direct(Opcode::GlobalStore64, 0, self.cell(inst.reg(1)), inst.index(0))
            }
            Op::GlobalLoadRef
            | Op::GlobalLoadIndirectRef
            | Op::GlobalStoreRef
            | Op::GlobalStoreIndirectRef => {
                return self.ref_global(inst);
            }
            _ => return self.plain(inst),
        };
        self.emit(op, word);
    }

    fn ref_global(&mut self, inst: &Inst<'a>) {
        let (value, moved) = (self.cell(inst.reg(2)), u16::from(inst.reg(2).is_move()));
        match inst.op {
            Op::GlobalLoadRef => {
                self.emit(Opcode::GlobalLoadRef, Word::immediate(value, moved, inst.index(0)))
            }
            Op::GlobalStoreRef => {
                self.emit(Opcode::GlobalStoreRef, Word::immediate(moved, value, inst.index(0)))
            }
            Op::GlobalLoadIndirectRef => {
                let ordinal = self.cell(inst.reg(0));
                self.emit(Opcode::GlobalLoadIndirectRef, Word::cells(value, moved, ordinal, 0));
            }
            _ => {
                let ordinal = self.cell(inst.reg(0));
                self.emit(Opcode::GlobalStoreIndirectRef, Word::cells(moved, value, ordinal, 0));
            }
        }
        self.slot(Word(inst.index(1).into()));
    }

    /// An instruction whose operands are registers only: result in `d`, operands in `a`, `b`, `c` and the next slot.
    fn plain(&mut self, inst: &Inst<'a>) {
        let op = super::names::opcode(inst.op);
        let (mut result, mut cells) = (0, [0u16; 6]);
        let mut count = 0;
        for (kind, operand) in inst.operands() {
            match operand {
                Operand::Reg(reg) if kind.is_result() => result = self.cell(reg),
                Operand::Reg(reg) => {
                    cells[count] = self.cell(reg);
                    count += 1;
                }
                other => unreachable!("{} with {other:?} is handled elsewhere", inst.op.mnemonic()),
            }
        }
        self.emit(op, Word::cells(result, cells[0], cells[1], cells[2]));
        if count > 3 {
            self.slot(Word::cells(cells[3], cells[4], cells[5], 0));
        }
    }

    /// A constant that may turn out not to be needed.
    fn integer(&mut self, inst: &Inst<'a>) {
        let first = self.drafts.len();
        match inst.op {
            Op::ConstI32Zero => self.const32(inst.reg(0), 0),
            Op::ConstI32 => self.const32(inst.reg(1), inst.imm32(0)),
            Op::ConstI64Zero => self.const64(inst.reg(0), 0),
            _ => self.const64(inst.reg(1), inst.imm64(0)),
        }
        self.written.push((first, self.drafts.len() - first, inst.pc));
    }

    fn const32(&mut self, reg: Reg, bits: u32) {
        let d = self.cell(reg);
        self.emit(Opcode::Const32, Word::immediate(d, 0, bits));
    }

    fn const64(&mut self, reg: Reg, bits: u64) {
        let d = self.cell(reg);
        if (bits as i64) << 16 >> 16 == bits as i64 {
            self.emit(Opcode::Const64, Word(u64::from(d) | bits << 16));
        } else {
            self.emit(Opcode::ConstWide, Word::cells(d, 0, 0, 0));
            self.slot(Word(bits));
        }
    }

    fn ref_move(&mut self, from: Reg, to: Reg) {
        let op = if from.is_move() { Opcode::RefTake } else { Opcode::RefCopy };
        let (d, a) = (self.cell(to), self.cell(from));
        self.emit(op, Word::cells(d, a, 0, 0));
    }

    fn switch(&mut self, op: Opcode, inst: &Inst<'a>) {
        let [a, b, d] = [0, 1, 3].map(|position| self.cell(inst.reg(position)));
        let cells: Vec<u16> = inst.list(2).regs().map(|reg| self.cell(reg)).collect();
        self.emit(op, Word::cells(d, a, b, cells.len() as u16));
        for four in cells.chunks(4) {
            let cell = |index: usize| four.get(index).copied().unwrap_or(0);
            self.slot(Word::cells(cell(0), cell(1), cell(2), cell(3)));
        }
    }

    fn switch_ref(&mut self, inst: &Inst<'a>) {
        let [a, b, d] = [0, 2, 4].map(|position| self.cell(inst.reg(position)));
        let entries: Vec<u64> =
            inst.list(3).regs().map(|reg| u64::from(u32::from(self.cell(reg)) | take(reg))).collect();
        self.emit(Opcode::SwitchRef, Word::cells(d, a, b, entries.len() as u16));
        self.slot(Word(u64::from(inst.index(1) | take(inst.reg(2)))));
        for two in entries.chunks(2) {
            self.slot(Word(two[0] | two.get(1).copied().unwrap_or(0) << 32));
        }
    }

    /// The moves of an edge, in order; halves of a pair that move together become one.
    pub(super) fn moves(&mut self, remap: Remap<'a>) {
        let pairs: Vec<(Reg, Reg)> = remap.iter().collect();
        let mut at = 0;
        while at < pairs.len() {
            let (from, to) = pairs[at];
            let next = pairs.get(at + 1).copied().filter(|next| !from.is_ref() && !next.0.is_ref());
            let whole = next.is_some_and(|(high_from, high_to)| {
                let even = from.index().is_multiple_of(2) && to.index().is_multiple_of(2);
                even && high_from.index() == from.index() + 1 && high_to.index() == to.index() + 1
            });
            let (d, a) = (self.cell(to), self.cell(from));
            match next {
                _ if from.is_ref() => self.ref_move(from, to),
                Some(_) if whole => self.emit(Opcode::Move64, Word::cells(d, a, 0, 0)),
                Some((from, to)) => {
                    let (b, c) = (self.cell(to), self.cell(from));
                    self.emit(Opcode::Move32Twice, Word::cells(d, a, b, c));
                }
                None => self.emit(Opcode::Move32, Word::cells(d, a, 0, 0)),
            }
            at += if from.is_ref() || next.is_none() { 1 } else { 2 };
        }
    }

    /// Moves, then a jump unless the target follows.
    pub(super) fn jump(&mut self, target: u32, remap: Option<Remap<'a>>) {
        let first = self.drafts.len();
        if let Some(remap) = remap {
            self.moves(remap);
        }
        if !self.falls_into(target) {
            self.jump_after_moves(first, target);
        }
    }

    /// The jump behind the moves of an edge, which start at draft number `first`; the last one and the jump become one.
    pub(super) fn jump_after_moves(&mut self, first: usize, target: u32) {
        let (back, label) = (self.is_back(target), Label::Block(target));
        let last = if self.drafts.len() > first { self.drafts.last().copied() } else { None };
        match last.map(|draft| (draft.op, draft.word)) {
            Some((Opcode::Move32, word)) => {
                self.drafts.pop();
                let op = if back { Opcode::MoveJumpLoop } else { Opcode::MoveJump };
                self.emit_to(op, word, Field::High(self.drafts.len()), label);
            }
            Some((Opcode::Move32Twice, word)) => {
                self.drafts.pop();
                let op = if back { Opcode::MoveTwiceJumpLoop } else { Opcode::MoveTwiceJump };
                self.emit(op, word);
                self.emit_to(Opcode::Jump, Word(0), Field::High(self.drafts.len() - 1), label);
            }
            _ => {
                let op = if back { Opcode::JumpLoop } else { Opcode::Jump };
                self.emit_to(op, Word(0), Field::High(self.drafts.len()), label);
            }
        }
    }

    fn br_table(&mut self, inst: &Inst<'a>) {
        let index = self.cell(inst.reg(0));
        let mut edges: Vec<(u32, Remap<'a>)> =
            inst.cases(3).iter().map(|case| (case.block, case.remap)).collect();
        let count = edges.len() as u32;
        edges.push((inst.block(1), inst.remap(2)));
        let start = self.drafts.len();
        self.emit(Opcode::BrTable, Word::immediate(0, index, count));
        let labels: Vec<Label> = edges.iter().map(|_| self.local()).collect();
        for label in &labels {
            self.emit_to(Opcode::Jump, Word(0), Field::Whole(start), *label);
        }
        for ((target, remap), label) in edges.into_iter().zip(labels) {
            self.bind(label);
            let first = self.drafts.len();
            self.moves(remap);
            self.jump_after_moves(first, target);
        }
    }

    fn return_values(&mut self, inst: &Inst<'a>) {
        let scalars = self.function.signature().results();
        let values: Vec<(Reg, Carry)> = inst
            .list(0)
            .regs()
            .zip(scalars)
            .map(|(reg, scalar)| (reg, super::calls::carry(reg, *scalar)))
            .collect();
        let plain = self.function.ref_count() == 0;
        match values.as_slice() {
            [] if plain => self.emit(Opcode::ReturnVoid, Word(0)),
            [(reg, Carry::Half)] if plain => self.emit(Opcode::ReturnHalf, Word::cells(0, reg.index(), 0, 0)),
            [(reg, Carry::Whole)] if plain => {
                self.emit(Opcode::ReturnWhole, Word::cells(0, reg.index(), 0, 0))
            }
            values => {
                self.emit(Opcode::Return, Word::immediate(0, 0, values.len() as u32));
                let bits = |(reg, carry): &(Reg, Carry)| u64::from(self.cell(*reg)) | (*carry as u64) << 16;
                let entries: Vec<u64> = values.iter().map(bits).collect();
                for two in entries.chunks(2) {
                    self.slot(Word(two[0] | two.get(1).copied().unwrap_or(0) << 32));
                }
            }
        }
    }

    fn finish(mut self) -> Code {
        for (at, mut field, label) in std::mem::take(&mut self.fixups) {
            let slots = self.labels[&label] as i64 - *field.start() as i64;
            let word = &mut self.drafts[at].word.0;
            match field {
                Field::High(_) => *word |= ((slots * 16) as u32 as u64) << 32,
                Field::Short(_) => *word |= ((2 * slots) as i16 as u16 as u64) << 48,
                Field::Whole(_) => *word = (slots * 16) as u64,
            }
        }
        let values = self.function.value_count();
        let first = (0..values).find(|cell| self.liveness.at_entry(*cell) && !self.is_argument(*cell));
        // Zeroing comes before the arguments are put in place, so a range may cover some of them.
        let (from, end) = match (first, self.function.ref_count()) {
            (None, 0) => (0, 0),
            (None, refs) => (self.refs_from, self.refs_from + 2 * refs),
            (Some(first), 0) => (first & !1, values.next_multiple_of(2)),
            (Some(first), refs) => (first & !1, self.refs_from + 2 * refs),
        };
        let ordinal = self.function.ordinal();
        let insts: Box<[Engine]> = self
            .drafts
            .iter()
            .map(|draft| Engine { run: self.program.engine().run(draft.op), word: draft.word })
            .collect();
        let sites = self.sites.into_iter().map(|(mut site, next)| {
            site.next = &raw const insts[next];
            site
        });
        let sites = sites.collect();
        Code {
            _sites: sites,
            insts,
            frame_bytes: self.frame_bytes,
            zero_from: from,
            zero_cells: end - from,
            refs_from: self.refs_from,
            ref_count: self.function.ref_count(),
            places: self.places.into(),
            function: ordinal,
            shape: None,
        }
    }

    fn is_argument(&self, cell: u16) -> bool {
        self.function.signature().entry_regs().any(|(scalar, at)| {
            scalar != crate::Scalar::Ref && (at..=at + u32::from(scalar.is_wide())).contains(&cell.into())
        })
    }
}

/// The flag of a source that is moved.
fn take(reg: Reg) -> u32 {
    if reg.is_move() { TAKE } else { 0 }
}
