//! Instructions that become one: compare and branch, count and branch, multiply and add, constants in operands.
//!
//! Not here: everything that is translated one to one ([`super::lower`]).
//!
//! # Invariants
//! - F1: a merged sequence leaves the same values in every register that is read later; a register that only carried
//!   a value inside the sequence is left alone if it is dead afterwards (L1).

use super::code::{Field, Word};
use super::flow::{Block, is_live_after};
use super::lower::{Label, Lower};
use crate::engine::Opcode;
use crate::isa::{Inst, Op, Operand, Remap};

/// What a branch tests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Nz,
    Z,
    Eq,
    Ne,
    LtS,
    GeS,
    LtU,
    GeU,
}

impl Test {
    fn inverted(self) -> Test {
        match self {
            Test::Nz => Test::Z,
            Test::Z => Test::Nz,
            Test::Eq => Test::Ne,
            Test::Ne => Test::Eq,
            Test::LtS => Test::GeS,
            Test::GeS => Test::LtS,
            Test::LtU => Test::GeU,
            Test::GeU => Test::LtU,
        }
    }
}

/// The second operand of a comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Cell(u16),
    Pair(u16),
    Number(i16),
}

/// A condition: a test of a cell against something.
#[derive(Clone, Copy)]
struct Condition {
    test: Test,
    left: u16,
    right: Right,
    /// The register whose constant is the number.
    folded: Option<u16>,
}

impl Condition {
    fn opcode(self, counted: bool) -> Opcode {
        use Opcode::*;
        let (plain, looped) = match (self.test, self.right) {
            (Test::Nz, _) => (BrNz, BrNzLoop),
            (Test::Z, _) => (BrZ, BrZLoop),
            (Test::Eq, Right::Cell(_)) => (BrEq32, BrEq32Loop),
            (Test::Ne, Right::Cell(_)) => (BrNe32, BrNe32Loop),
            (Test::LtS, Right::Cell(_)) => (BrLtS32, BrLtS32Loop),
            (Test::GeS, Right::Cell(_)) => (BrGeS32, BrGeS32Loop),
            (Test::LtU, Right::Cell(_)) => (BrLtU32, BrLtU32Loop),
            (Test::GeU, Right::Cell(_)) => (BrGeU32, BrGeU32Loop),
            (Test::Eq, Right::Pair(_)) => (BrEq64, BrEq64Loop),
            (Test::Ne, Right::Pair(_)) => (BrNe64, BrNe64Loop),
            (Test::LtS, Right::Pair(_)) => (BrLtS64, BrLtS64Loop),
            (Test::GeS, Right::Pair(_)) => (BrGeS64, BrGeS64Loop),
            (Test::LtU, Right::Pair(_)) => (BrLtU64, BrLtU64Loop),
            (Test::GeU, Right::Pair(_)) => (BrGeU64, BrGeU64Loop),
            (Test::Eq, Right::Number(_)) => (BrEqImm, BrEqImmLoop),
            (Test::Ne, Right::Number(_)) => (BrNeImm, BrNeImmLoop),
            (Test::LtS, Right::Number(_)) => (BrLtSImm, BrLtSImmLoop),
            (Test::GeS, Right::Number(_)) => (BrGeSImm, BrGeSImmLoop),
            (Test::LtU, Right::Number(_)) => (BrLtUImm, BrLtUImmLoop),
            (Test::GeU, Right::Number(_)) => (BrGeUImm, BrGeUImmLoop),
        };
        if counted { looped } else { plain }
    }

    fn word(self) -> Word {
        let right = match self.right {
            Right::Cell(cell) | Right::Pair(cell) => cell,
            Right::Number(number) => number as u16,
        };
        Word::cells(self.left, right, 0, 0)
    }
}

/// An addition of a constant.
struct Sum {
    target: u16,
    source: u16,
    number: i32,
    /// The register that holds the number.
    folded: u16,
}

impl<'a> Lower<'a> {
    /// Emits a merged form of the instructions from `at` on; says how many it covers, 0 for none.
    pub(super) fn fuse(&mut self, block: &Block<'a>, at: usize, live_out: &[u64]) -> usize {
        let inst = &block.insts[at];
        if let Some(merged) = self.count_and_branch(block, at, live_out) {
            return merged;
        }
        if let Some(next) = block.insts.get(at + 1)
            && next.op == Op::CondBr
            && let Some((condition, result)) = self.comparison(inst)
            && next.reg(0).index() == result
            && !is_live_after(block, at + 1, result, live_out)
            && !moved_on(next, result)
        {
            self.folded.extend(condition.folded);
            self.branch(condition, next);
            return 2;
        }
        if inst.op == Op::MulI32
            && let Some(merged) = self.multiply_add(block, at, live_out)
        {
            return merged;
        }
        usize::from(self.immediate(inst))
    }

    /// `x += k; c = x ? limit; if c goto back`.
    fn count_and_branch(&mut self, block: &Block<'a>, at: usize, live_out: &[u64]) -> Option<usize> {
        let (add, compare, branch) = (&block.insts[at], block.insts.get(at + 1)?, block.insts.get(at + 2)?);
        let Sum { target, source, number, folded } = self.addend(add)?;
        let number = i16::try_from(number).ok()?;
        if branch.op != Op::CondBr || target != source {
            return None;
        }
        let (condition, result) = self.comparison(compare)?;
        let (back, other) = (branch.block(1), branch.block(3));
        let dead = !is_live_after(block, at + 2, result, live_out) && !moved_on(branch, result);
        if branch.reg(0).index() != result || !dead || condition.left != target || result == target {
            return None;
        }
        if compare.operands().filter(|(_, operand)| reads_cell(operand, target)).count() != 1 {
            return None;
        }
        if !self.is_back(back)
            || !branch.remap(2).is_empty()
            || self.distance(back)? < i64::from(i16::MIN) / 2
        {
            return None;
        }
        let (op, limit) = match (condition.test, condition.right) {
            (Test::Nz, _) => (Opcode::AddBrNz, target),
            (Test::Ne, Right::Number(0)) => (Opcode::AddBrNz, target),
            (Test::Ne, Right::Cell(limit)) => (Opcode::AddBrNe, limit),
            (Test::LtS, Right::Cell(limit)) => (Opcode::AddBrLtS, limit),
            (Test::LtU, Right::Cell(limit)) => (Opcode::AddBrLtU, limit),
            _ => return None,
        };
        self.folded.push(folded);
        self.folded.extend(condition.folded);
        let word = Word::cells(target, number as u16, limit, 0);
        let start = self.drafts.len();
        match self.after_multiply(op) {
            // Only the word of the second slot is looked at.
            true => self.emit_to(Opcode::Jump, word, Field::Short(start - 1), Label::Block(back)),
            false => self.emit_to(op, word, Field::Short(start), Label::Block(back)),
        }
        self.jump(other, Some(branch.remap(4)));
        Some(3)
    }

    /// Merges a multiply-add that comes straight before the end of a counted loop with it, if there is one: its operands
    /// go into the first slot, those of the end into the second.
    fn after_multiply(&mut self, end: Opcode) -> bool {
        let merged = match end {
            Opcode::AddBrNe => Opcode::FmaAddBrNe,
            Opcode::AddBrLtS => Opcode::FmaAddBrLtS,
            Opcode::AddBrLtU => Opcode::FmaAddBrLtU,
            Opcode::AddBrNz => Opcode::FmaAddBrNz,
            _ => return false,
        };
        let straight = self.drafts.len() > self.straight_from;
        let multiply = self.drafts.last_mut().filter(|last| straight && last.op == Opcode::FmaI32);
        multiply.map(|multiply| multiply.op = merged).is_some()
    }

    /// The distance back to a block that is translated already. Unit: slots.
    fn distance(&self, target: u32) -> Option<i64> {
        let place = self.places.iter().rev().find(|place| place.1 <= target + 1)?;
        Some(i64::from(place.0) - self.drafts.len() as i64 - 1)
    }

    /// `target = source + number` if the instruction is that.
    fn addend(&self, inst: &Inst<'_>) -> Option<Sum> {
        let reg = |position: usize| inst.reg(position).index();
        let known = |position: usize| self.constants.half(reg(position)).map(|bits| bits as i32);
        let sum = |source, number, folded| Some(Sum { target: reg(2), source, number, folded });
        match inst.op {
            Op::AddI32 => match (known(1), known(0)) {
                (Some(number), _) => sum(reg(0), number, reg(1)),
                (None, Some(number)) => sum(reg(1), number, reg(0)),
                (None, None) => None,
            },
            Op::SubI32 => sum(reg(0), known(1)?.wrapping_neg(), reg(1)),
            _ => None,
        }
    }

    /// The condition that a comparison puts into a register.
    fn comparison(&self, inst: &Inst<'_>) -> Option<(Condition, u16)> {
        let reg = |position: usize| inst.reg(position).index();
        let (test, wide) = match inst.op {
            Op::CmpNzI32 => {
                let (left, right) = (reg(0), Right::Number(0));
                return Some((Condition { test: Test::Nz, left, right, folded: None }, reg(1)));
            }
            Op::CmpEqI32 => (Test::Eq, false),
            Op::CmpNeI32 => (Test::Ne, false),
            Op::CmpLtI32S => (Test::LtS, false),
            Op::CmpLtI32U => (Test::LtU, false),
            Op::CmpEqI64 => (Test::Eq, true),
            Op::CmpNeI64 => (Test::Ne, true),
            Op::CmpLtI64S => (Test::LtS, true),
            Op::CmpLtI64U => (Test::LtU, true),
            _ => return None,
        };
        let number =
            |register| self.constants.half(register).and_then(|bits| i16::try_from(bits as i32).ok());
        let right = match number(reg(1)) {
            _ if wide => Right::Pair(reg(1)),
            Some(number) => Right::Number(number),
            None => Right::Cell(reg(1)),
        };
        let folded = matches!(right, Right::Number(_)).then(|| reg(1));
        Some((Condition { test, left: reg(0), right, folded }, reg(2)))
    }

    /// A conditional branch whose condition is known to be in no register.
    fn branch(&mut self, condition: Condition, inst: &Inst<'a>) {
        let (yes, yes_moves) = (inst.block(1), inst.remap(2));
        let (no, no_moves) = (inst.block(3), inst.remap(4));
        let inverts = no_moves.is_empty() && (!yes_moves.is_empty() || self.falls_into(yes));
        if yes_moves.is_empty() && !inverts {
            self.branch_to(condition, yes);
            self.jump(no, Some(no_moves));
        } else if inverts {
            self.branch_to(Condition { test: condition.test.inverted(), ..condition }, no);
            self.jump(yes, Some(yes_moves));
        } else {
            self.branch_apart(condition, (yes, yes_moves), (no, no_moves));
        }
    }

    fn branch_apart(&mut self, condition: Condition, yes: (u32, Remap<'a>), no: (u32, Remap<'a>)) {
        let label = self.local();
        self.emit_to(condition.opcode(false), condition.word(), Field::High(self.drafts.len()), label);
        let first = self.drafts.len();
        self.moves(no.1);
        self.jump_after_moves(first, no.0);
        self.bind(label);
        self.jump(yes.0, Some(yes.1));
    }

    fn branch_to(&mut self, condition: Condition, target: u32) {
        let op = condition.opcode(self.is_back(target));
        self.emit_to(op, condition.word(), Field::High(self.drafts.len()), Label::Block(target));
    }

    /// A conditional branch on a register.
    pub(super) fn cond_br(&mut self, inst: &Inst<'a>) {
        let left = inst.reg(0).index();
        let right = Right::Number(0);
        self.branch(Condition { test: Test::Nz, left, right, folded: None }, inst);
    }

    /// `t = a * b; d = t + c` where `t` is dead afterwards.
    fn multiply_add(&mut self, block: &Block<'a>, at: usize, live_out: &[u64]) -> Option<usize> {
        let (multiply, add) = (&block.insts[at], block.insts.get(at + 1)?);
        if add.op != Op::AddI32 {
            return None;
        }
        let [a, b, t] = [0, 1, 2].map(|position| multiply.reg(position).index());
        let [x, y, d] = [0, 1, 2].map(|position| add.reg(position).index());
        let c = match (x == t, y == t) {
            (true, false) => y,
            (false, true) => x,
            _ => return None,
        };
        if t != d && is_live_after(block, at + 1, t, live_out) {
            return None;
        }
        self.emit(Opcode::FmaI32, Word::cells(d, a, b, c));
        Some(2)
    }

    /// An operation with a constant operand.
    fn immediate(&mut self, inst: &Inst<'_>) -> bool {
        if let Some(Sum { target, source, number, folded }) = self.addend(inst) {
            self.folded.push(folded);
            self.emit(Opcode::AddI32Imm, Word::immediate(target, source, number as u32));
            return true;
        }
        let constants = &self.constants;
        let (op, commutes, wide) = match inst.op {
            Op::MulI32 => (Opcode::MulI32Imm, true, false),
            Op::AndI32 => (Opcode::AndI32Imm, true, false),
            Op::ShlI32 => (Opcode::ShlI32Imm, false, false),
            Op::ShrI32S => (Opcode::ShrI32SImm, false, false),
            Op::ShrI32U => (Opcode::ShrI32UImm, false, false),
            Op::AddI64 => (Opcode::AddI64Imm, true, true),
            Op::MulI64 => (Opcode::MulI64Imm, true, true),
            _ => return false,
        };
        let [left, right, target] = [0, 1, 2].map(|position| inst.reg(position).index());
        let known = |register| if wide { constants.whole(register) } else { constants.half(register) };
        let (source, number, folded) = match (known(right), known(left)) {
            (Some(number), _) => (left, number, right),
            (None, Some(number)) if commutes => (right, number, left),
            _ => return false,
        };
        self.folded.push(folded);
        self.folded.extend(wide.then_some(folded + 1));
        self.emit(op, Word::immediate(target, source, number));
        true
    }
}

/// Whether an edge of the branch moves the register on.
fn moved_on(branch: &Inst<'_>, register: u16) -> bool {
    let reads = |remap: Remap<'_>| remap.iter().any(|(from, _)| !from.is_ref() && from.index() == register);
    reads(branch.remap(2)) || reads(branch.remap(4))
}

/// Whether the operand is this value register.
fn reads_cell(operand: &Operand<'_>, register: u16) -> bool {
    matches!(operand, Operand::Reg(reg) if !reg.is_ref() && reg.index() == register)
}
