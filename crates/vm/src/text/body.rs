//! From the lines of a function to its code.
//!
//! Not here: what surrounds functions (`assemble.rs`).

use super::assemble::{Line, Map};
use super::form::{Piece, forms, results_left};
use super::literal::{f32_bits, f64_bits};
use super::scan::Scanner;
use crate::builder::ModuleBuilder;
use crate::isa::{Arg, Callee, Encoder, FunctionCode, Kind, Moves, Op, Reg};
use raddle_status::{Code, Error, Result};
use std::collections::HashMap;

/// Everything a body can refer to by name.
#[derive(Default)]
pub(super) struct Names {
    pub(super) module: String,
    pub(super) imports: Map,
    pub(super) functions: Map,
    pub(super) globals: Map,
}

/// The code of a function.
pub(super) fn assemble(
    lines: &[Line<'_>],
    names: &Names,
    builder: &mut ModuleBuilder,
) -> Result<FunctionCode> {
    let mut body = Body { names, builder, encoder: Encoder::new(), labels: HashMap::new() };
    let mut empty = true;
    for line in lines {
        let scan = &mut Scanner::new(line.text);
        if !scan.is_end() {
            line.within(body.line(scan, empty))?;
            empty = false;
        }
    }
    body.encoder.finish()
}

struct Body<'a> {
    names: &'a Names,
    builder: &'a mut ModuleBuilder,
    encoder: Encoder,
    /// Number in the text to label of the encoder.
    labels: HashMap<u32, u32>,
}

type Operands = [Option<Arg>; crate::isa::Kinds::MAX];

impl Body<'_> {
    fn line(&mut self, scan: &mut Scanner<'_>, first: bool) -> Result {
        if scan.peek() == Some(b'^') {
            let label = self.label(scan)?;
            scan.expect(":")?;
            scan.end()?;
            return self.encoder.bind(Some(label));
        }
        if first {
            self.encoder.bind(None)?;
        }
        let results = scan.comma_list(b'%', Scanner::reg)?;
        if !results.is_empty() {
            scan.expect("=")?;
        }
        let start = *scan;
        let op = scan.word()?.strip_prefix("vm.").and_then(Op::by_mnemonic);
        let Some(op) = op else { return Err(start.wrong("an instruction")) };
        let args = self.operands(op, scan, &results)?;
        self.encoder.inst(op, &args)
    }

    /// Tries the forms in turn; the one that came furthest says what is wrong.
    fn operands(&mut self, op: Op, scan: &Scanner<'_>, results: &[(Reg, bool)]) -> Result<Vec<Arg>> {
        let mut furthest: Option<(usize, Error)> = None;
        for form in forms(op) {
            let mut attempt = *scan;
            let mut operands = Operands::default();
            match self.form(op, &form, &mut attempt, &mut operands).and_then(|()| attempt.end()) {
                Ok(()) => {
                    put_results(op, results, &mut operands)?;
                    return Ok(operands.into_iter().take(op.kinds().len()).flatten().collect());
                }
                Err(error) => {
                    let position = attempt.position();
                    if furthest.as_ref().is_none_or(|(best, _)| position > *best) {
                        furthest = Some((position, error));
                    }
                }
            }
        }
        let (_, error) = furthest.expect("an instruction has a form");
        Err(error.within(format!("in vm.{}", op.mnemonic())))
    }

    fn form(&mut self, op: Op, form: &[Piece<'_>], scan: &mut Scanner<'_>, into: &mut Operands) -> Result {
        let kind_of = |piece: Option<&Piece<'_>>| match piece {
            Some(Piece::Operand(position)) => Some((*position, op.kinds()[*position])),
            _ => None,
        };
        let mut pieces = form.iter().enumerate();
        while let Some((index, piece)) = pieces.next() {
            match (piece, kind_of(form.get(index + 1))) {
                // A comma before an empty list is left out, the list with it.
                (Piece::Literal(", "), Some((position, kind))) if kind.is_list() && scan.is_end() => {
                    into[position] = Some(Arg::List(Vec::new()));
                    pieces.next();
                }
                (Piece::Literal(literal), _) => scan.expect(literal)?,
                (Piece::Operand(position), _) => {
                    into[*position] = Some(self.operand(op.kinds()[*position], scan)?);
                }
            }
        }
        Ok(())
    }

    fn operand(&mut self, kind: Kind, scan: &mut Scanner<'_>) -> Result<Arg> {
        use Kind::*;
        let start = *scan;
        Ok(match kind {
            _ if kind.is_reg() => Arg::Reg(single(kind, scan)?),
            ImmI32 => Arg::Imm32(scan.number(i32::MIN.into(), u32::MAX.into())? as u32),
            ImmI64 => Arg::Imm64(scan.number(i64::MIN.into(), u64::MAX.into())? as u64),
            ImmF32 => Arg::Imm32(f32_bits(scan.float()?).ok_or_else(|| start.wrong("an f32"))?),
            ImmF64 => Arg::Imm64(f64_bits(scan.float()?).ok_or_else(|| start.wrong("an f64"))?),
            Global4 | Global8 | GlobalRef => Arg::Index(self.global(kind, scan)?),
            Rodata => Arg::Index(scan.u32()?),
            Type => Arg::Index(self.builder.ty(&scan.type_name()?)),
            Callee | Import => Arg::Callee(self.callee(scan)?),
            Block => Arg::Block(self.label(scan)?),
            Remap => Arg::Remap(remap(scan)?),
            Cases => Arg::Cases(self.cases(scan)?),
            Text => Arg::Text(scan.string()?),
            Segments => {
                let mut sizes = Vec::new();
                while scan.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    sizes.push(Reg(scan.number(0, u16::MAX.into())? as u16));
                    if !scan.eat(",") {
                        break;
                    }
                }
                Arg::List(sizes)
            }
            _ => Arg::List(scan.comma_list(b'%', |scan| Ok(scan.reg()?.0))?),
        })
    }

    fn global(&mut self, kind: Kind, scan: &mut Scanner<'_>) -> Result<u32> {
        if kind == Kind::GlobalRef {
            scan.expect(".refs[")?;
            let ordinal = scan.u32()?;
            scan.expect("]")?;
            self.builder.globals(0, ordinal.saturating_add(1));
            return Ok(ordinal);
        }
        if scan.peek() == Some(b'@') {
            let name = scan.symbol()?;
            let offset = self.names.globals.get(&name).copied();
            return offset.ok_or_else(|| Error::new(Code::NotFound, format!("there is no global @{name}")));
        }
        scan.expect(".rwdata[")?;
        let offset = scan.u32()?;
        scan.expect("]")?;
        self.builder.globals(offset.saturating_add(if kind == Kind::Global8 { 8 } else { 4 }), 0);
        Ok(offset)
    }

    fn callee(&self, scan: &mut Scanner<'_>) -> Result<Callee> {
        if scan.eat("@import[") {
            let ordinal = scan.number(0, i32::MAX.into())? as u32;
            scan.expect("]")?;
            return Ok(Callee::Import(ordinal));
        }
        let name = scan.symbol()?;
        if scan.eat(":") {
            let ordinal = scan.number(0, i32::MAX.into())? as u32;
            if name != self.names.module {
                let message = format!("@{name}:{ordinal} is not of this module, @{}", self.names.module);
                return Err(Error::new(Code::InvalidArgument, message));
            }
            return Ok(Callee::Internal(ordinal));
        }
        let import = self.names.imports.get(&name).map(|ordinal| Callee::Import(*ordinal));
        let function = || self.names.functions.get(&name);
        let in_module =
            || self.names.functions.get(name.strip_prefix(&self.names.module)?.strip_prefix('.')?);
        import
            .or_else(|| function().or_else(in_module).map(|ordinal| Callee::Internal(*ordinal)))
            .ok_or_else(|| Error::new(Code::NotFound, format!("there is no function or import @{name}")))
    }

    fn cases(&mut self, scan: &mut Scanner<'_>) -> Result<Vec<(u32, Moves)>> {
        let mut cases = Vec::new();
        while scan.eat(",") {
            scan.expect(&format!("{}:", cases.len()))?;
            cases.push((self.label(scan)?, remap(scan)?));
        }
        Ok(cases)
    }

    fn label(&mut self, scan: &mut Scanner<'_>) -> Result<u32> {
        scan.expect("^bb")?;
        let number = scan.u32()?;
        Ok(*self.labels.entry(number).or_insert_with(|| self.encoder.label()))
    }
}

fn single(kind: Kind, scan: &mut Scanner<'_>) -> Result<Reg> {
    let start = *scan;
    let (reg, pair) = scan.reg()?;
    if pair && !kind.is_wide() {
        return Err(start.wrong("a single register, not a pair,"));
    }
    Ok(reg)
}

fn remap(scan: &mut Scanner<'_>) -> Result<Moves> {
    if !scan.eat("(") {
        return Ok(Vec::new());
    }
    let moves = scan.comma_list(b'%', |scan| {
        let (source, _) = scan.reg()?;
        scan.expect("->")?;
        Ok((source, scan.reg()?.0))
    })?;
    scan.expect(")")?;
    Ok(moves)
}

fn put_results(op: Op, results: &[(Reg, bool)], into: &mut Operands) -> Result {
    let mut rest = results.iter();
    for position in results_left(op) {
        into[position] = match op.kinds()[position] {
            Kind::Results => Some(Arg::List(rest.by_ref().map(|(reg, _)| *reg).collect())),
            _ => rest.next().map(|(reg, _)| Arg::Reg(*reg)),
        };
        if into[position].is_none() {
            let message = format!("vm.{} has a result, which no register takes", op.mnemonic());
            return Err(Error::new(Code::InvalidArgument, message));
        }
    }
    if rest.next().is_some() {
        let message = format!("vm.{} has fewer results than registers stand left of it", op.mnemonic());
        return Err(Error::new(Code::InvalidArgument, message));
    }
    Ok(())
}
