//! A module: parsed, verified, and immutable from then on.
//!
//! Not here: instances of it (contexts hold the globals), names of types at run time (the registry), text.
//!
//! # Invariants
//! - I1: there is no `Module` that has not passed the verifier; its guarantees V1… are in [`crate::verify`].
//! - I2: tables and code are copied when the module is loaded, so that nobody who can still write the file (a
//!   memory map) can change what was verified. Rodata is never copied.

mod debug;
mod flat;
mod parse;
mod shape;
mod signature;

pub use debug::Location;
pub(crate) use shape::Shape;
pub use signature::{Param, Scalar, Signature};

use crate::{archive::Archive, isa, verify};
use bytes::Bytes;
use raddle_status::{Code, Error, Result};
use std::sync::Arc;

/// A loaded module. Cloning shares it.
#[derive(Clone)]
pub struct Module(Arc<Model>);

/// Everything the tables say, owned.
pub(crate) struct Model {
    pub(crate) archive: Archive,
    pub(crate) name: Box<str>,
    pub(crate) version: u32,
    pub(crate) requirements: u32,
    pub(crate) attrs: Attrs,
    pub(crate) types: Box<[Box<str>]>,
    pub(crate) dependencies: Box<[Dependency]>,
    pub(crate) imports: Box<[Import]>,
    pub(crate) exports: Box<[Export]>,
    pub(crate) functions: Box<[FunctionModel]>,
    pub(crate) code: Box<[u8]>,
    pub(crate) rodata: Box<[Bytes]>,
    pub(crate) global_bytes: u32,
    pub(crate) global_refs: u32,
}

pub(crate) struct FunctionModel {
    pub(crate) code: std::ops::Range<usize>,
    pub(crate) requirements: u32,
    pub(crate) blocks: u16,
    pub(crate) values: u16,
    pub(crate) refs: u16,
    pub(crate) signature: Signature,
    pub(crate) attrs: Attrs,
}

/// Reflection attributes: key, value.
pub(crate) type Attrs = Box<[(Box<str>, Box<str>)]>;

/// A module that this one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its name.
    pub name: Box<str>,
    /// The least version that will do.
    pub minimum_version: u32,
    /// Whether this module can do without it.
    pub is_optional: bool,
}

/// A function of another module that this one calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// `module.function`; the module's name ends at the first dot.
    pub full_name: Box<str>,
    /// What this module expects it to take and return.
    pub signature: Signature,
    /// Whether this module can do without it.
    pub is_optional: bool,
}

/// A function that others can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The name in this module.
    pub name: Box<str>,
    /// The internal function.
    pub function: u32,
}

impl Module {
    /// Parses and verifies a `.vmfb` file. Copies tables and code; rodata shares the given memory.
    ///
    /// Blocks: never; takes time linear in the size of tables and code.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, OUT_OF_RANGE, UNIMPLEMENTED, FAILED_PRECONDITION and RESOURCE_EXHAUSTED as the verifier
    /// says; the message names function and offset.
    pub fn load(bytes: impl Into<Bytes>) -> Result<Module> {
        let model = parse::parse(Archive::parse(bytes)?)?;
        verify::verify(&model)?;
        Ok(Module(Arc::new(model)))
    }

    /// The name by which imports and dependencies know it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The version against which dependencies are checked.
    pub fn version(&self) -> u32 {
        self.0.version
    }

    /// The OR of the requirement bits of its functions, as the tables have it.
    pub fn requirements(&self) -> u32 {
        self.0.requirements
    }

    /// The module's reflection attributes.
    pub fn attrs(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.attrs.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The names in the type table.
    pub fn types(&self) -> &[Box<str>] {
        &self.0.types
    }

    /// The modules that it needs.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.0.dependencies
    }

    /// The functions that it calls in other modules.
    pub fn imports(&self) -> &[Import] {
        &self.0.imports
    }

    /// The functions that others can call.
    pub fn exports(&self) -> &[Export] {
        &self.0.exports
    }

    /// The function that is exported under this name; the first if there are several.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub fn find(&self, name: &str) -> Result<Function<'_>> {
        let export = self.0.exports.iter().find(|export| &*export.name == name).ok_or_else(|| {
            Error::new(Code::NotFound, format!("module {} exports no function '{name}'", self.name()))
        })?;
        Ok(self.function(export.function).expect("V3: an export names a function"))
    }

    /// How many internal functions there are.
    pub fn function_count(&self) -> u32 {
        self.0.functions.len() as u32
    }

    /// The internal function with this ordinal.
    pub fn function(&self, ordinal: u32) -> Option<Function<'_>> {
        let model = self.0.functions.get(ordinal as usize)?;
        Some(Function { module: &self.0, model, ordinal })
    }

    /// The internal functions in the order of their ordinals.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = Function<'_>> {
        (0..self.function_count()).map(|ordinal| Function {
            module: &self.0,
            model: &self.0.functions[ordinal as usize],
            ordinal,
        })
    }

    /// The constant data, segment by segment. Cloning a segment shares the file's memory.
    pub fn rodata(&self) -> &[Bytes] {
        &self.0.rodata
    }

    /// Bytes of primitive globals that an instance needs.
    pub fn global_bytes(&self) -> u32 {
        self.0.global_bytes
    }

    /// Ref globals that an instance needs.
    pub fn global_refs(&self) -> u32 {
        self.0.global_refs
    }

    /// The file that it was loaded from.
    pub fn bytes(&self) -> &Bytes {
        self.0.archive.bytes()
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({}, {} functions)", self.name(), self.function_count())
    }
}

/// An internal function of a module.
#[derive(Clone, Copy)]
pub struct Function<'a> {
    module: &'a Model,
    model: &'a FunctionModel,
    ordinal: u32,
}

impl<'a> Function<'a> {
    /// Its ordinal.
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// Its verified code.
    pub fn code(&self) -> &'a [u8] {
        &self.module.code[self.model.code.clone()]
    }

    /// The instructions in address order, block markers included.
    pub fn instructions(&self) -> impl Iterator<Item = isa::Inst<'a>> + Clone {
        isa::Decoder::new(self.code()).map(|inst| inst.expect("V4: verified code decodes"))
    }

    /// What it takes and returns.
    pub fn signature(&self) -> &'a Signature {
        &self.model.signature
    }

    /// Registers in its value bank: the descriptor's number, or what the arguments take if that is more.
    pub fn value_count(&self) -> u16 {
        self.model.values
    }

    /// Registers in its ref bank, likewise.
    pub fn ref_count(&self) -> u16 {
        self.model.refs
    }

    /// Block markers in its code.
    pub fn block_count(&self) -> u16 {
        self.model.blocks
    }

    /// Its requirement bits: 1 f32, 2 f64, 4 yield, 8 unwind. Only the first two are checked.
    pub fn requirements(&self) -> u32 {
        self.model.requirements
    }

    /// Its reflection attributes.
    pub fn attrs(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> {
        self.model.attrs.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The first name under which it is exported.
    pub fn export_name(&self) -> Option<&'a str> {
        self.module.export_name(self.ordinal)
    }

    /// The name of a message: export name or `fnN`.
    pub fn display_name(&self) -> String {
        self.export_name().map_or_else(|| format!("fn{}", self.ordinal), str::to_owned)
    }
}

impl std::fmt::Debug for Function<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}{:?}", self.module.name, self.display_name(), self.signature())
    }
}

impl Model {
    pub(crate) fn export_name(&self, ordinal: u32) -> Option<&str> {
        let export = self.exports.iter().find(|export| export.function == ordinal)?;
        Some(&export.name)
    }

    /// `module.function`, for messages.
    pub(crate) fn place(&self, ordinal: u32) -> String {
        match self.export_name(ordinal) {
            Some(name) => format!("{}.{name}", self.name),
            None => format!("{}.fn{ordinal}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn modules_are_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<super::Module>();
        check::<super::Function<'_>>();
        check::<crate::Archive>();
    }
}
