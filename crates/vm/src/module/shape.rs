//! How many registers and which extensions code uses: what a descriptor says if nobody says otherwise.
//!
//! Not here: whether a descriptor is right (the verifier, which needs "enough", not "exactly").

use super::{Param, Scalar, Signature};
use crate::isa::{Callee, Decoder, Inst, Kind, List, Op, Operand, Reg, Remap};

/// What code uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) requirements: u32,
    pub(crate) values: u32,
    pub(crate) refs: u32,
}

impl Shape {
    /// Of this code in a function of this signature; `callee` gives the signatures of what it calls.
    pub(crate) fn of<'a>(
        code: &[u8],
        own: &'a Signature,
        callee: impl Fn(Callee) -> Option<&'a Signature>,
    ) -> Shape {
        let mut shape = Shape::default();
        for (scalar, at) in own.entry_regs() {
            let index = at.min(0x7FFF) as u16;
            let reg = if scalar == Scalar::Ref { Reg::reference(index) } else { Reg::value(index) };
            shape.note(reg, scalar.is_wide());
        }
        for inst in Decoder::new(code).map_while(|inst| inst.ok()) {
            shape.requirements |= inst.op.info().page.requirement();
            shape.note_operands(&inst);
            shape.note_pairs(&inst, own, &callee);
        }
        shape
    }

    fn note_operands(&mut self, inst: &Inst<'_>) {
        for (kind, operand) in inst.operands() {
            match operand {
                Operand::Reg(reg) => self.note(reg, kind.is_wide()),
                Operand::List(list) if kind != Kind::Segments => {
                    list.regs().for_each(|reg| self.note(reg, kind.is_wide()));
                }
                Operand::Remap(remap) => self.note_remap(remap),
                Operand::Cases(cases) => cases.iter().for_each(|case| self.note_remap(case.remap)),
                _ => {}
            }
        }
    }

    /// The upper halves in lists whose kinds only a signature says.
    fn note_pairs<'a>(
        &mut self,
        inst: &Inst<'_>,
        own: &'a Signature,
        callee: impl Fn(Callee) -> Option<&'a Signature>,
    ) {
        let (segments, operands, results) = match inst.op {
            Op::Return => return self.note_list(inst.list(0), own.results().iter().copied()),
            Op::Call => (None, 1, 2),
            Op::CallYieldable => (None, 1, 3),
            Op::CallVariadic => (Some(inst.list(1)), 2, 3),
            Op::CallVariadicYieldable => (Some(inst.list(1)), 2, 4),
            _ => return,
        };
        let Some(signature) = callee(inst.callee(0)) else { return };
        self.note_list(inst.list(results), signature.results().iter().copied());
        let scalars = signature.arguments().iter().enumerate().flat_map(|(position, param)| {
            let (tuple, count) = match param {
                Param::One(scalar) => (std::slice::from_ref(scalar), 1),
                Param::Repeated(tuple) => {
                    (&**tuple, segments.and_then(|list| list.get(position)).unwrap_or(0))
                }
            };
            (0..count).flat_map(move |_| tuple.iter().copied())
        });
        self.note_list(inst.list(operands), scalars);
    }

    fn note_list(&mut self, list: List<'_>, scalars: impl Iterator<Item = Scalar>) {
        list.regs().zip(scalars).for_each(|(reg, scalar)| self.note(reg, scalar.is_wide()));
    }

    fn note_remap(&mut self, remap: Remap<'_>) {
        for (source, destination) in remap.iter() {
            self.note(source, false);
            self.note(destination, false);
        }
    }

    fn note(&mut self, reg: Reg, wide: bool) {
        let end = u32::from(reg.index()) + 1 + u32::from(wide);
        let count = if reg.is_ref() { &mut self.refs } else { &mut self.values };
        *count = end.max(*count);
    }
}
