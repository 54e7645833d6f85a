//! Lists against signatures: calls and returns (V12, V13).

use super::{Checker, invalid};
use crate::isa::{Callee, Inst, Kind, List, Op, Reg};
use crate::module::{Param, Scalar, Signature};
use raddle_status::{Code, Error, Result};

impl Checker<'_> {
    pub(super) fn check_call(&self, inst: &Inst<'_>) -> Result {
        if inst.op.kinds().first() == Some(&Kind::Import) {
            import_only(inst)?;
        }
        match inst.op {
            Op::Return => self.check_list("results", inst.list(0), self.function.signature.results(), false),
            Op::Call => self.check_plain(inst.callee(0), inst.list(1), inst.list(2)),
            Op::CallYieldable => self.check_plain(inst.callee(0), inst.list(1), inst.list(3)),
            Op::CallVariadic => self.check_variadic(inst, inst.list(3)),
            Op::CallVariadicYieldable => self.check_variadic(inst, inst.list(4)),
            _ => Ok(()),
        }
    }

    fn check_plain(&self, callee: Callee, operands: List<'_>, results: List<'_>) -> Result {
        let signature = self.signature(callee);
        if signature.is_variadic() {
            return Err(invalid(format!("{signature:?} repeats arguments and needs call.variadic")));
        }
        if operands.len() != signature.arguments().len() {
            return Err(self.wrong_count("operands", operands.len(), signature.arguments().len()));
        }
        for (reg, scalar) in operands.regs().zip(signature.scalars()) {
            self.check_scalar(reg, scalar, false)?;
        }
        self.check_list("results", results, signature.results(), true)
    }

    fn check_variadic(&self, inst: &Inst<'_>, results: List<'_>) -> Result {
        let (segments, operands) = (inst.list(1), inst.list(2));
        let signature = self.signature(inst.callee(0));
        if segments.len() != signature.arguments().len() {
            return Err(self.wrong_count("segments", segments.len(), signature.arguments().len()));
        }
        let sizes = segments.iter().zip(signature.arguments()).map(|(count, param)| match param {
            Param::One(_) => 1,
            Param::Repeated(tuple) => u64::from(count) * tuple.len() as u64,
        });
        let total: u64 = sizes.sum();
        if operands.len() as u64 != total {
            return Err(self.wrong_count("operands", operands.len(), total as usize));
        }
        let mut regs = operands.regs();
        for (count, param) in segments.iter().zip(signature.arguments()) {
            let (tuple, count) = match param {
                Param::One(scalar) => (std::slice::from_ref(scalar), 1),
                Param::Repeated(tuple) => (&**tuple, count),
            };
            let scalars = (0..count).flat_map(|_| tuple);
            for (scalar, reg) in scalars.zip(regs.by_ref().take(usize::from(count) * tuple.len())) {
                self.check_scalar(reg, *scalar, false)?;
            }
        }
        self.check_list("results", results, signature.results(), true)
    }

    fn check_list(&self, what: &str, list: List<'_>, scalars: &[Scalar], written: bool) -> Result {
        if list.len() != scalars.len() {
            return Err(self.wrong_count(what, list.len(), scalars.len()));
        }
        list.regs().zip(scalars).try_for_each(|(reg, scalar)| self.check_scalar(reg, *scalar, written))
    }

    fn check_scalar(&self, reg: Reg, scalar: Scalar, written: bool) -> Result {
        let kind = match (scalar, written) {
            (Scalar::I32 | Scalar::F32, _) => Kind::I32,
            (Scalar::I64 | Scalar::F64, _) => Kind::I64,
            (Scalar::Ref, false) => Kind::RefMove,
            (Scalar::Ref, true) => Kind::OutRef,
        };
        self.check_reg(kind, reg)
    }

    /// The callee has been checked to exist.
    fn signature(&self, callee: Callee) -> &Signature {
        match callee {
            Callee::Import(ordinal) => &self.model.imports[ordinal as usize].signature,
            Callee::Internal(ordinal) => &self.model.functions[ordinal as usize].signature,
        }
    }

    fn wrong_count(&self, what: &str, have: usize, want: usize) -> Error {
        let code = if have < want { Code::OutOfRange } else { Code::InvalidArgument };
        Error::new(code, format!("{have} {what} where the signature says {want}"))
    }
}

/// Stock's codes: a variadic call of an internal function could have been, a question about its import can't.
fn import_only(inst: &Inst<'_>) -> Result {
    let Callee::Internal(ordinal) = inst.callee(0) else { return Ok(()) };
    let code = if inst.op == Op::ImportResolved { Code::InvalidArgument } else { Code::FailedPrecondition };
    Err(Error::new(code, format!("function {ordinal} is internal where only an import can be")))
}
