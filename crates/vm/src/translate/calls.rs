//! Call sites: where arguments and results are, and the bridges through which calls cross a boundary.

use super::code::{Carry, Code, HOST, Inst as Engine, Outermost, Shape, Site, Slot, Transfer, Word};
use super::lower::Lower;
use super::program::Program;
use crate::engine::Opcode;
use crate::engine::state::FRAME_BYTES;
use crate::isa::{Callee, Inst, Op, Reg};
use crate::module::{Param, Scalar, Signature};
use raddle_status::{Code as Status, Error, Result};

/// How a value of this kind leaves its register.
pub(super) fn carry(reg: Reg, scalar: Scalar) -> Carry {
    match scalar {
        Scalar::Ref if reg.is_move() => Carry::Take,
        Scalar::Ref => Carry::Copy,
        scalar if scalar.is_wide() => Carry::Whole,
        _ => Carry::Half,
    }
}

impl<'a> Lower<'a> {
    pub(super) fn call(&mut self, inst: &Inst<'a>) {
        let (variadic, target) = match inst.op {
            Op::Call => (0, None),
            Op::CallVariadic => (1, None),
            Op::CallYieldable => (0, Some(inst.block(2))),
            _ => (1, Some(inst.block(3))),
        };
        let operands: Vec<Reg> = inst.list(1 + variadic).regs().collect();
        let results = inst.list(2 + variadic + usize::from(target.is_some()));
        let results: Box<[u16]> = results.regs().map(|reg| self.cell(reg)).collect();
        let segments: Box<[u16]> = if variadic == 1 { inst.list(1).iter().collect() } else { Box::default() };
        let mut site = Site {
            next: std::ptr::null(),
            advance: self.frame_bytes + FRAME_BYTES as u32,
            callee: 0,
            slot: std::ptr::null(),
            first: 0,
            first_result: results.first().copied().unwrap_or(0),
            results,
            arguments: Box::default(),
            segments,
        };
        let op = match inst.callee(0) {
            Callee::Internal(ordinal) => self.internal(&mut site, ordinal, &operands),
            Callee::Import(ordinal) => self.import(&mut site, ordinal, &operands),
        };
        let site = Box::new(site);
        self.emit(op, Word((&raw const *site).expose_provenance() as u64));
        self.sites.push((site, self.drafts.len()));
        if let Some(target) = target {
            self.jump(target, None);
        }
    }

    fn internal(&mut self, site: &mut Site, ordinal: u32, operands: &[Reg]) -> Opcode {
        let callee = self.program.module().function(ordinal).expect("V12: callees exist");
        let refs_from = self.program.refs_from(ordinal);
        let arguments = callee.signature().entry_regs().zip(operands).map(|((scalar, at), reg)| Transfer {
            carry: carry(*reg, scalar),
            from: self.cell(*reg),
            to: if scalar == Scalar::Ref { refs_from + 2 * at as u16 } else { at as u16 },
        });
        site.arguments = arguments.collect();
        site.callee = ordinal;
        site.slot = self.program.slot(ordinal);
        call_opcode(site)
    }

    fn import(&mut self, site: &mut Site, ordinal: u32, operands: &[Reg]) -> Opcode {
        let signature = &self.program.module().imports()[ordinal as usize].signature;
        let (arguments, results) = letters(signature, &site.segments);
        site.callee = ordinal;
        // A call with more cells than a frame can have is refused when it runs: its shape stays empty.
        if let Some(shape) = Shape::new(arguments, results) {
            let transfers = shape.argument_cells().zip(operands).map(|((letter, to), reg)| {
                let scalar = Scalar::from_letter(letter).unwrap_or(Scalar::I32);
                Transfer { carry: carry(*reg, scalar), from: self.cell(*reg), to }
            });
            site.arguments = transfers.collect();
            return Opcode::CallImport;
        }
        Opcode::TooManyArguments
    }
}

/// The operation that makes a call inside the program.
fn call_opcode(site: &mut Site) -> Opcode {
    match &*site.arguments {
        [] => Opcode::CallVoid,
        [Transfer { carry: Carry::Half, from, to: 0 }] => {
            site.first = *from;
            Opcode::CallHalf
        }
        _ => Opcode::Call,
    }
}

/// The letters of a call: repeated groups written out.
pub(crate) fn letters(signature: &Signature, segments: &[u16]) -> (Vec<u8>, Vec<u8>) {
    let mut arguments = Vec::new();
    for (position, param) in signature.arguments().iter().enumerate() {
        match param {
            Param::One(scalar) => arguments.push(scalar.letter() as u8),
            Param::Repeated(group) => {
                for _ in 0..segments.get(position).copied().unwrap_or(0) {
                    arguments.extend(group.iter().map(|scalar| scalar.letter() as u8));
                }
            }
        }
    }
    (arguments, signature.results().iter().map(|scalar| scalar.letter() as u8).collect())
}

/// The bridge to a function: `call` from its own cells, then `leave`.
pub(super) fn bridge(program: &Program, ordinal: u32, slot: &Slot) -> Result<Code> {
    let function = program.module().function(ordinal).ok_or(Status::Internal)?;
    let signature = function.signature();
    let (arguments, results) = letters(signature, &[]);
    let too_many = || {
        Error::new(Status::ResourceExhausted, "a function has too many arguments and results to be called")
    };
    let shape = Shape::new(arguments, results).ok_or_else(too_many)?;
    let frame_bytes = (u32::from(shape.cells) * 4).next_multiple_of(16);
    let refs_from = program.refs_from(ordinal);
    let transfers =
        signature.entry_regs().zip(shape.argument_cells()).map(|((scalar, at), (letter, from))| Transfer {
            carry: Carry::taking(letter),
            from,
            to: if scalar == Scalar::Ref { refs_from + 2 * at as u16 } else { at as u16 },
        });
    let results: Box<[u16]> = shape.result_cells().map(|(_, cell)| cell).collect();
    let mut site = Box::new(Site {
        next: std::ptr::null(),
        advance: frame_bytes + FRAME_BYTES as u32,
        callee: ordinal,
        slot,
        first: 0,
        first_result: results.first().copied().unwrap_or(0),
        results,
        arguments: transfers.collect(),
        segments: Box::default(),
    });
    let call = call_opcode(&mut site);
    let word = Word((&raw const *site).expose_provenance() as u64);
    let run = |op| program.engine().run(op);
    let insts: Box<[Engine]> =
        Box::new([Engine { run: run(call), word }, Engine { run: run(Opcode::Leave), word: Word(0) }]);
    site.next = &raw const insts[1];
    Ok(Code {
        insts,
        frame_bytes,
        zero_from: 0,
        zero_cells: 0,
        refs_from: 0,
        ref_count: 0,
        places: Box::default(),
        _sites: vec![site],
        function: ordinal,
        shape: Some(shape),
    })
}

/// How the host calls a function.
pub(super) fn outermost(program: &Program, ordinal: u32) -> Result<Box<Outermost>> {
    let function = program.module().function(ordinal).ok_or(Status::Internal)?;
    let signature = function.signature();
    let (letters, results) = letters(signature, &[]);
    let too_many = || Error::new(Status::ResourceExhausted, "a function has too many results to be called");
    let results = Shape::new(Vec::new(), results).ok_or_else(too_many)?;
    let refs_from = program.refs_from(ordinal);
    let cells = signature.entry_regs().map(|(scalar, at)| match scalar {
        Scalar::Ref => refs_from + 2 * at as u16,
        _ => at as u16,
    });
    let cells_of_results: Box<[u16]> = results.result_cells().map(|(_, cell)| cell).collect();
    let mut made = Box::new(Outermost {
        function: ordinal,
        code: program.code(ordinal),
        arguments: letters.into_iter().zip(cells).collect(),
        returns_refs: results.result_refs != results.cells,
        result_bytes: (u32::from(results.cells) * 4).next_multiple_of(16),
        results,
        site: Site {
            next: std::ptr::null(),
            advance: 0,
            callee: HOST,
            slot: std::ptr::null(),
            first: 0,
            first_result: cells_of_results.first().copied().unwrap_or(0),
            results: cells_of_results,
            arguments: Box::default(),
            segments: Box::default(),
        },
        end: Engine { run: program.engine().run(Opcode::Finish), word: Word(0) },
    });
    made.end.word = Word((&raw const *made).expose_provenance() as u64);
    made.site.next = &raw const made.end;
    Ok(made)
}
