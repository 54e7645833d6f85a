//! From text to a module: directives and headers; the bodies are read once all names are known.
//!
//! Not here: instructions ([`body`]); whether the result is valid (loading it says).
//!
//! # Cost
//! Linear in the text, apart from look-ups of types by name, of which real modules have tens.

use super::body::{self, Names};
use super::scan::Scanner;
use crate::builder::ModuleBuilder;
use crate::module::{Scalar, Signature};
use raddle_status::{Code, Error, Result, ResultExt};
use std::collections::HashMap;

/// Reads the text of a module. [`ModuleBuilder::build`] makes the file.
///
/// # Errors
/// INVALID_ARGUMENT for text that is not in the grammar, NOT_FOUND and ALREADY_EXISTS for names, UNIMPLEMENTED for
/// globals with an initial value; the context names the line.
///
/// # Example
/// ```
/// use raddle_vm::{Module, assemble};
/// let text = "
/// vm.module @math
/// vm.export @add
/// vm.func @add(%i0: i32, %i1: i32) -> (i32) {
///   %i0 = vm.add.i32 %i0, %i1
///   vm.return %i0
/// }";
/// let module = Module::load(assemble(text)?.build())?;
/// assert_eq!(module.find("add")?.signature().text(), "0ii_i");
/// # Ok::<(), raddle_status::Error>(())
/// ```
pub fn assemble(text: &str) -> Result<ModuleBuilder> {
    let mut assembler = Assembler::default();
    let mut lines = text.split('\n').zip(1..).map(|(line, number)| Line { text: clean(line), number });
    while let Some(line) = lines.next() {
        line.within(assembler.top(line, &mut lines))?;
    }
    assembler.finish()
}

/// One line without blanks around it and without its address.
#[derive(Clone, Copy, Default)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) number: usize,
}

impl Line<'_> {
    pub(super) fn within<T>(self, result: Result<T>) -> Result<T> {
        result.within(|| format!("line {}", self.number))
    }
}

fn clean(line: &str) -> &str {
    let line = line.trim();
    match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest.trim_start(),
        None => line,
    }
}

/// A function whose body has not been read.
pub(super) struct Source<'a> {
    name: String,
    cconv: String,
    lines: Vec<Line<'a>>,
    line: Line<'a>,
    notes: Notes,
}

/// What `//!` lines say of the next function.
#[derive(Default)]
struct Notes {
    attrs: Vec<(String, String)>,
    requirements: Option<u32>,
    registers: Option<(u16, u16)>,
    cconv: Option<String>,
}

#[derive(Default)]
struct Assembler<'a> {
    builder: Option<ModuleBuilder>,
    names: Names,
    functions: Vec<Source<'a>>,
    exports: Vec<(String, String, Line<'a>)>,
    notes: Notes,
    rodata: u32,
}

impl<'a> Assembler<'a> {
    fn top(&mut self, line: Line<'a>, lines: &mut impl Iterator<Item = Line<'a>>) -> Result {
        if let Some(note) = line.text.strip_prefix("//!") {
            return self.note(&mut Scanner::new(note));
        }
        let scan = &mut Scanner::new(line.text);
        if scan.is_end() {
            return Ok(());
        }
        let directive = scan.word()?;
        if directive == "vm.module" {
            return self.module(scan);
        }
        if self.builder.is_none() {
            return Err(Error::new(Code::InvalidArgument, "the first directive must be vm.module"));
        }
        match directive {
            "vm.type" => {
                self.builder().ty(&scan.type_name()?);
            }
            "vm.import" => self.import(scan)?,
            "vm.rodata" => self.rodata(scan)?,
            "vm.export" => self.export(scan, line)?,
            "vm.func" => return self.function(scan, line, lines),
            _ => match directive.strip_prefix("vm.global.") {
                Some(ty) => self.global(scan, ty)?,
                None => {
                    let message =
                        format!("'{directive}' is not a directive; an instruction belongs in a function");
                    return Err(Error::new(Code::InvalidArgument, message));
                }
            },
        }
        scan.end()
    }

    /// Callers have seen `vm.module`.
    fn builder(&mut self) -> &mut ModuleBuilder {
        self.builder.get_or_insert_default()
    }

    fn module(&mut self, scan: &mut Scanner<'_>) -> Result {
        let mut builder = ModuleBuilder::new(scan.symbol()?);
        if scan.eat("version") {
            builder.version(scan.u32()?);
        }
        if self.builder.is_some() {
            return Err(Error::new(Code::AlreadyExists, "a second vm.module"));
        }
        self.names.module = builder.name().to_owned();
        self.builder = Some(builder);
        scan.end()
    }

    fn note(&mut self, scan: &mut Scanner<'_>) -> Result {
        match scan.word().unwrap_or("") {
            "attr" => {
                let key = scan.text_string()?;
                scan.expect("=")?;
                self.notes.attrs.push((key, scan.text_string()?));
            }
            "depends" => {
                self.module_attrs();
                let name = scan.symbol()?;
                scan.expect("version")?;
                let version = scan.u32()?;
                let optional = scan.eat("optional");
                self.builder().dependency(name, version, optional);
            }
            "globals" => {
                self.module_attrs();
                let bytes = scan.u32()?;
                scan.expect("bytes,")?;
                let refs = scan.u32()?;
                scan.expect("refs")?;
                self.builder().globals(bytes, refs);
            }
            "requires" => self.notes.requirements = Some(scan.u32()?),
            "registers" => {
                let values = scan.number(0, u16::MAX.into())? as u16;
                scan.expect(",")?;
                self.notes.registers = Some((values, scan.number(0, u16::MAX.into())? as u16));
            }
            "cconv" => self.notes.cconv = Some(scan.text_string()?),
            // Other `//!` lines are what they look like: comments.
            _ => return Ok(()),
        }
        scan.end()
    }

    /// Attributes that no function claims are the module's.
    fn module_attrs(&mut self) {
        for (key, value) in std::mem::take(&mut self.notes.attrs) {
            self.builder().attr(key, value);
        }
    }

    fn import(&mut self, scan: &mut Scanner<'_>) -> Result {
        self.module_attrs();
        let optional = scan.eat("optional");
        let name = scan.symbol()?;
        scan.expect("cconv")?;
        let cconv = scan.text_string()?;
        Signature::parse(&cconv)?;
        let ordinal = self.builder().import(name.clone(), cconv, optional);
        self.names.imports.entry(name).or_insert(ordinal);
        Ok(())
    }

    fn rodata(&mut self, scan: &mut Scanner<'_>) -> Result {
        self.module_attrs();
        scan.expect("[")?;
        let ordinal = scan.u32()?;
        if ordinal != self.rodata {
            let message = format!("rodata segment {ordinal} where {} comes next", self.rodata);
            return Err(Error::new(Code::InvalidArgument, message));
        }
        scan.expect("] =")?;
        let digits = if scan.is_end() { "" } else { scan.word()? };
        let bytes: Option<Vec<u8>> = (digits.len().is_multiple_of(2) && digits.is_ascii())
            .then(|| {
                (0..digits.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
                    .collect()
            })
            .flatten();
        let bytes = bytes
            .ok_or_else(|| Error::new(Code::InvalidArgument, "an even number of hex digits expected"))?;
        self.rodata += 1;
        self.builder().rodata(bytes);
        Ok(())
    }

    fn global(&mut self, scan: &mut Scanner<'_>, ty: &str) -> Result {
        self.module_attrs();
        let bytes = match ty {
            "i32" | "f32" => 4,
            "i64" | "f64" => 8,
            _ => return Err(Error::new(Code::InvalidArgument, format!("globals have no type '{ty}'"))),
        };
        scan.eat("private");
        scan.eat("mutable");
        let name = scan.symbol()?;
        if scan.eat("=") {
            if scan.integer()? != 0 {
                let message = "a global starts as 0: store another value in __init";
                return Err(Error::new(Code::Unimplemented, message));
            }
            scan.expect(":")?;
            scan.expect(ty)?;
        }
        let offset = self.builder().global(bytes);
        match self.names.globals.insert(name.clone(), offset) {
            None => Ok(()),
            Some(_) => Err(Error::new(Code::AlreadyExists, format!("a second global @{name}"))),
        }
    }

    fn export(&mut self, scan: &mut Scanner<'_>, line: Line<'a>) -> Result {
        let name = scan.symbol()?;
        let function = if scan.eat("=") { scan.symbol()? } else { name.clone() };
        self.exports.push((name, function, line));
        Ok(())
    }

    fn function(
        &mut self,
        scan: &mut Scanner<'_>,
        line: Line<'a>,
        lines: &mut impl Iterator<Item = Line<'a>>,
    ) -> Result {
        let name = scan.symbol()?;
        let cconv = header(scan)?;
        let ordinal = self.functions.len() as u32;
        if self.names.functions.insert(name.clone(), ordinal).is_some() {
            return Err(Error::new(Code::AlreadyExists, format!("a second function @{name}")));
        }
        let mut body = Vec::new();
        loop {
            let Some(line) = lines.next() else {
                return Err(Error::new(
                    Code::InvalidArgument,
                    format!("function @{name} has no closing brace"),
                ));
            };
            let scan = &mut Scanner::new(line.text);
            if scan.eat("}") {
                line.within(scan.end())?;
                break;
            }
            body.push(line);
        }
        let notes = std::mem::take(&mut self.notes);
        self.functions.push(Source { name, cconv, lines: body, line, notes });
        Ok(())
    }

    fn finish(mut self) -> Result<ModuleBuilder> {
        let Some(mut builder) = self.builder.take() else {
            return Err(Error::new(Code::InvalidArgument, "the text has no vm.module"));
        };
        for (key, value) in self.notes.attrs {
            builder.attr(key, value);
        }
        for source in self.functions {
            let mut code = body::assemble(&source.lines, &self.names, &mut builder)
                .within(|| format!("in function @{}, line {}", source.name, source.line.number))?;
            let notes = source.notes;
            code.registers = notes.registers;
            code.requirements = notes.requirements.unwrap_or(code.requirements);
            let ordinal = builder.function(notes.cconv.unwrap_or(source.cconv), code);
            for (key, value) in notes.attrs {
                builder.function_attr(ordinal, key, value);
            }
            builder.debug_name(ordinal, source.name);
        }
        for (name, function, line) in self.exports {
            let missing = || Error::new(Code::NotFound, format!("there is no function @{function}"));
            let ordinal = self.names.functions.get(&function).copied().ok_or_else(missing);
            builder.export(name, line.within(ordinal)?);
        }
        Ok(builder)
    }
}

/// `(%i0: i32, …) -> (types) {` as a calling convention.
fn header(scan: &mut Scanner<'_>) -> Result<String> {
    let (mut values, mut refs) = (0, 0);
    scan.expect("(")?;
    let arguments = scan.comma_list(b'%', |scan| {
        let start = *scan;
        let (reg, _) = scan.reg()?;
        scan.expect(":")?;
        let scalar = scalar(scan)?;
        let next = if scalar == Scalar::Ref { &mut refs } else { &mut values };
        if reg.is_ref() != (scalar == Scalar::Ref) || reg.index() != *next {
            return Err(start.wrong("the bank's next register"));
        }
        *next += 1 + u16::from(scalar.is_wide());
        Ok(scalar.letter())
    })?;
    scan.expect(") -> (")?;
    let mut results = String::new();
    while !scan.eat(")") {
        if !results.is_empty() {
            scan.expect(",")?;
        }
        results.push(scalar(scan)?.letter());
    }
    scan.expect("{")?;
    scan.end()?;
    let or_void = |text: String| if text.is_empty() { "v".to_owned() } else { text };
    Ok(format!("0{}_{}", or_void(arguments.into_iter().collect()), or_void(results)))
}

fn scalar(scan: &mut Scanner<'_>) -> Result<Scalar> {
    let start = *scan;
    match scan.type_name()?.as_str() {
        "i32" => Ok(Scalar::I32),
        "i64" => Ok(Scalar::I64),
        "f32" => Ok(Scalar::F32),
        "f64" => Ok(Scalar::F64),
        name if name.starts_with('!') => Ok(Scalar::Ref),
        _ => Err(start.wrong("i32, i64, f32, f64 or a ref type")),
    }
}

/// The offsets and ordinals that bodies refer to by name.
pub(super) type Map = HashMap<String, u32>;
