//! From a module to text.
//!
//! Not here: addresses and names of running code (backtraces ask [`Function`] themselves).
//!
//! # Invariants
//! - I1: the text is at most [`TEXT_PER_BYTE`] times the file and one line long, whatever the tables share.

use super::form::{Piece, forms, results_left};
use super::literal::{f32_text, f64_text, string, symbol, type_name};
use crate::isa::{Callee, Inst, Kind, Op, Operand, Remap};
use crate::module::{Function, Module, Scalar, Shape, Signature};
use raddle_status::{Code, Error, Result};
use std::collections::HashSet;
use std::fmt::Write;

/// How to write a module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listing {
    /// Puts the address before labels and instructions.
    pub addresses: bool,
}

/// The text of a module.
///
/// # Errors
/// RESOURCE_EXHAUSTED if the text grows past 64 times the file, which takes tables that share their parts on purpose.
pub fn disassemble(module: &Module, listing: Listing) -> Result<String> {
    let mut seen = HashSet::new();
    let imports = module.imports().iter().map(|import| seen.insert(&*import.full_name)).collect();
    let mut writer = Writer { module, listing, names: names(module), imports, out: String::new() };
    writer.module()?;
    Ok(writer.out)
}

/// A unique name for each function: of the source, of its first export, or `fnN`.
fn names(module: &Module) -> Vec<String> {
    let mut taken = HashSet::new();
    let exports = first_exports(module);
    let names = module.functions().map(|function| {
        let wanted =
            function.debug_name().or_else(|| exports[function.ordinal() as usize].map(str::to_owned));
        let mut name = wanted.unwrap_or_default();
        if name.is_empty() || taken.contains(&name) {
            name = format!("fn{}", function.ordinal());
        }
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        name
    });
    names.collect()
}

fn first_exports(module: &Module) -> Vec<Option<&str>> {
    let mut first = vec![None; module.function_count() as usize];
    for export in module.exports().iter().rev() {
        first[export.function as usize] = Some(&*export.name);
    }
    first
}

/// Bytes of text for a byte of the file. Instructions take 10, rodata 2.
const TEXT_PER_BYTE: usize = 64;
/// What even an empty module may take.
const TEXT_BYTES_MIN: usize = 64 << 10;

struct Writer<'a> {
    module: &'a Module,
    listing: Listing,
    names: Vec<String>,
    /// Whether an import's name names it: it is the first of that name.
    imports: Vec<bool>,
    out: String,
}

macro_rules! put {
    ($writer:expr, $($argument:tt)*) => {{ let _ = write!($writer.out, $($argument)*); }};
}

impl Writer<'_> {
    fn module(&mut self) -> Result {
        let module = self.module;
        put!(self, "vm.module {} version {}\n", symbol(module.name()), module.version());
        for (key, value) in module.attrs() {
            put!(self, "//! attr {} = {}\n", string(key.as_bytes()), string(value.as_bytes()));
        }
        for dependency in module.dependencies() {
            let optional = if dependency.is_optional { " optional" } else { "" };
            let (name, version) = (symbol(&dependency.name), dependency.minimum_version);
            put!(self, "//! depends {name} version {version}{optional}\n");
        }
        if module.global_bytes() > 0 || module.global_refs() > 0 {
            put!(self, "//! globals {} bytes, {} refs\n", module.global_bytes(), module.global_refs());
        }
        for name in module.types() {
            put!(self, "vm.type {}\n", type_name(name));
        }
        for import in module.imports() {
            let optional = if import.is_optional { "optional " } else { "" };
            let cconv = string(import.signature.text().as_bytes());
            put!(self, "vm.import {optional}{} cconv {cconv}\n", symbol(&import.full_name));
        }
        for (segment, ordinal) in module.rodata().iter().zip(0..) {
            self.check_bytes(2 * segment.len())?;
            put!(self, "vm.rodata[{ordinal}] = ");
            self.out.extend(segment.iter().flat_map(|byte| hex(*byte)));
            self.out.push('\n');
        }
        // Exports stand before their function unless that would change their ordinals.
        let together = !module.exports().is_sorted_by_key(|export| export.function);
        if together {
            (0..module.exports().len()).for_each(|export| self.export(export));
        }
        self.out.push('\n');
        let mut next = 0;
        for function in module.functions() {
            let exports = module.exports();
            while !together && exports.get(next).is_some_and(|export| export.function == function.ordinal()) {
                self.export(next);
                next += 1;
            }
            self.function(function)?;
        }
        self.check_bytes(0)
    }

    /// I1.
    fn check_bytes(&self, more: usize) -> Result {
        let most = self.module.bytes().len().saturating_mul(TEXT_PER_BYTE).max(TEXT_BYTES_MIN);
        if self.out.len() + more <= most {
            return Ok(());
        }
        Err(Error::new(
            Code::ResourceExhausted,
            format!("the text takes more than {most} bytes; do tables overlap?"),
        ))
    }

    fn export(&mut self, export: usize) {
        let export = &self.module.exports()[export];
        let function = &self.names[export.function as usize];
        put!(self, "vm.export {}", symbol(&export.name));
        if *function != *export.name {
            let function = symbol(function);
            put!(self, " = {function}");
        }
        self.out.push('\n');
    }

    fn function(&mut self, function: Function<'_>) -> Result {
        for (key, value) in function.attrs() {
            put!(self, "//! attr {} = {}\n", string(key.as_bytes()), string(value.as_bytes()));
        }
        let shape = Shape::of(function.code(), function.signature(), |callee| self.signature(callee));
        if shape.requirements != function.requirements() {
            put!(self, "//! requires {}\n", function.requirements());
        }
        if (shape.values, shape.refs) != (function.value_count().into(), function.ref_count().into()) {
            put!(self, "//! registers {}, {}\n", function.value_count(), function.ref_count());
        }
        let signature = function.signature();
        if canonical(signature) != signature.text() {
            put!(self, "//! cconv {}\n", string(signature.text().as_bytes()));
        }
        put!(
            self,
            "vm.func {}({}) -> (",
            symbol(&self.names[function.ordinal() as usize]),
            header(signature)
        );
        let results: Vec<_> = signature.results().iter().map(|scalar| scalar_type(*scalar)).collect();
        put!(self, "{}) {{\n", results.join(", "));
        let blocks: Vec<_> =
            function.instructions().filter(|inst| inst.op == Op::Block).map(|inst| inst.pc).collect();
        for inst in function.instructions() {
            if self.listing.addresses {
                put!(self, "[{:08X}]", inst.pc);
            }
            match inst.op {
                Op::Block => put!(self, "^bb{}:\n", block_number(&blocks, inst.pc)),
                _ => self.inst(&inst, &blocks),
            }
            self.check_bytes(0)?;
        }
        self.out.push_str("}\n\n");
        Ok(())
    }

    fn inst(&mut self, inst: &Inst<'_>, blocks: &[u32]) {
        self.out.push_str("  ");
        let operands: Vec<_> = inst.operands().collect();
        let mut left = String::new();
        for position in results_left(inst.op) {
            let text = self.operand(operands[position], blocks);
            if !left.is_empty() && !text.is_empty() {
                left.push_str(", ");
            }
            left.push_str(&text);
        }
        if !left.is_empty() {
            put!(self, "{left} = ");
        }
        put!(self, "vm.{}", inst.op.mnemonic());
        let mut text = String::new();
        let form = forms(inst.op).swap_remove(0);
        for (index, piece) in form.iter().enumerate() {
            match piece {
                Piece::Literal(", ") if self.is_empty_list(form.get(index + 1), &operands) => {}
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Operand(position) => text.push_str(&self.operand(operands[*position], blocks)),
            }
        }
        if !text.is_empty() {
            put!(self, " {text}");
        }
        self.comment(inst);
        self.out.push('\n');
    }

    fn is_empty_list(&self, piece: Option<&Piece<'_>>, operands: &[(Kind, Operand<'_>)]) -> bool {
        match piece {
            Some(Piece::Operand(position)) => {
                matches!(operands[*position].1, Operand::List(list) if list.is_empty())
            }
            _ => false,
        }
    }

    fn comment(&mut self, inst: &Inst<'_>) {
        match inst.op {
            Op::ConstI32 => put!(self, "  // 0x{:08X}", inst.imm32(0)),
            Op::ConstI64 => put!(self, "  // 0x{:016X}", inst.imm64(0)),
            Op::ConstRefRodata => {
                let bytes = self.module.rodata()[inst.index(0) as usize].len();
                put!(self, "  // {bytes}b");
            }
            Op::Call | Op::CallYieldable => {
                if let Callee::Internal(ordinal) = inst.callee(0) {
                    put!(self, "  // {}", symbol(&self.names[ordinal as usize]));
                }
            }
            _ => {}
        }
    }

    fn operand(&self, (kind, operand): (Kind, Operand<'_>), blocks: &[u32]) -> String {
        match operand {
            Operand::Reg(reg) if kind.is_wide() => format!("{reg}:{}", reg.index() + 1),
            Operand::Reg(reg) => reg.to_string(),
            Operand::Imm32(bits) if kind == Kind::ImmF32 => f32_text(bits),
            Operand::Imm32(bits) => (bits as i32).to_string(),
            Operand::Imm64(bits) if kind == Kind::ImmF64 => f64_text(bits),
            Operand::Imm64(bits) => (bits as i64).to_string(),
            Operand::Index(index) => match kind {
                Kind::Type => type_name(&self.module.types()[index as usize]),
                Kind::Rodata => index.to_string(),
                Kind::GlobalRef => format!(".refs[{index}]"),
                _ => format!(".rwdata[{index}]"),
            },
            Operand::Callee(callee) => self.callee(callee),
            Operand::Block(pc) => format!("^bb{}", block_number(blocks, pc)),
            Operand::List(list) if kind == Kind::Segments => joined(list.iter()),
            Operand::List(list) => joined(list.regs()),
            Operand::Remap(remap) => remap_text(remap),
            Operand::Cases(cases) => {
                let case = |(case, index): (crate::isa::Case<'_>, usize)| {
                    format!(", {index}: ^bb{}{}", block_number(blocks, case.block), remap_text(case.remap))
                };
                cases.iter().zip(0..).map(case).collect()
            }
            Operand::Text(bytes) => string(bytes),
        }
    }

    fn signature(&self, callee: Callee) -> Option<&Signature> {
        match callee {
            Callee::Import(ordinal) => Some(&self.module.imports().get(ordinal as usize)?.signature),
            Callee::Internal(ordinal) => Some(self.module.function(ordinal)?.signature()),
        }
    }

    fn callee(&self, callee: Callee) -> String {
        match callee {
            Callee::Import(ordinal) if self.imports[ordinal as usize] => {
                symbol(&self.module.imports()[ordinal as usize].full_name)
            }
            Callee::Import(ordinal) => format!("@import[{ordinal}]"),
            Callee::Internal(ordinal) => format!("{}:{ordinal}", symbol(self.module.name())),
        }
    }
}

/// The arguments as a header lists them: numbered without the gaps that pairs make.
fn header(signature: &Signature) -> String {
    let (mut values, mut refs) = (0, 0);
    joined(signature.scalars().map(|scalar| {
        let register = match scalar {
            Scalar::Ref => format!("%r{refs}"),
            _ if scalar.is_wide() => format!("%i{values}:{}", values + 1),
            _ => format!("%i{values}"),
        };
        match scalar {
            Scalar::Ref => refs += 1,
            _ => values += 1 + u32::from(scalar.is_wide()),
        }
        format!("{register}: {}", scalar_type(scalar))
    }))
}

/// The calling convention that assembling the header gives.
fn canonical(signature: &Signature) -> String {
    let letters = |scalars: &mut dyn Iterator<Item = Scalar>| -> String {
        let text: String = scalars.map(Scalar::letter).collect();
        if text.is_empty() { "v".to_owned() } else { text }
    };
    let arguments = letters(&mut signature.scalars());
    format!("0{arguments}_{}", letters(&mut signature.results().iter().copied()))
}

fn scalar_type(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::I32 => "i32",
        Scalar::I64 => "i64",
        Scalar::F32 => "f32",
        Scalar::F64 => "f64",
        Scalar::Ref => "!vm.ref<?>",
    }
}

fn block_number(blocks: &[u32], pc: u32) -> usize {
    blocks.binary_search(&pc).expect("V6: a branch goes to a block")
}

fn remap_text(remap: Remap<'_>) -> String {
    format!("({})", joined(remap.iter().map(|(source, destination)| format!("{source}->{}", destination))))
}

fn joined<T: std::fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{item}");
    }
    text
}

fn hex(byte: u8) -> [char; 2] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [DIGITS[usize::from(byte >> 4)] as char, DIGITS[usize::from(byte & 15)] as char]
}
