//! Makes modules without a compiler: tables and code from values, a `.vmfb` file from them.
//!
//! The builder writes what it is told, so that tests can make wrong modules too; loading says whether it is right.
//!
//! Not here: code of a function ([`Encoder`](crate::isa::Encoder)); text ([`assemble`](crate::assemble)).
//!
//! ```
//! use raddle_vm::{Module, ModuleBuilder, isa::{Arg, Encoder, Op, Reg}};
//! # fn main() -> raddle_status::Result {
//! let mut code = Encoder::new();
//! code.bind(None)?;
//! code.inst(Op::AddI32, &[Reg::value(0).into(), Reg::value(1).into(), Reg::value(0).into()])?;
//! code.inst(Op::Return, &[Arg::List(vec![Reg::value(0)])])?;
//! let mut builder = ModuleBuilder::new("math");
//! let add = builder.function("0ii_i", code.finish()?);
//! builder.export("add", add);
//! assert_eq!(Module::load(builder.build())?.find("add")?.signature().text(), "0ii_i");
//! # Ok(())
//! # }
//! ```

mod flat;
mod tables;
mod zip;

use crate::archive::DATA_ALIGNMENT;
use crate::isa::FunctionCode;

/// A module in the making. Everything added gets the next ordinal of its kind.
#[derive(Clone, Debug, Default)]
pub struct ModuleBuilder {
    name: String,
    version: u32,
    requirements: u32,
    attrs: Vec<(String, String)>,
    types: Vec<String>,
    dependencies: Vec<(String, u32, bool)>,
    imports: Vec<(String, String, bool)>,
    exports: Vec<(String, u32)>,
    rodata: Vec<Rodata>,
    functions: Vec<FunctionParts>,
    global_bytes: u32,
    global_refs: u32,
}

#[derive(Clone, Debug)]
struct Rodata {
    bytes: Vec<u8>,
    /// The name of its entry if it lies outside of the tables.
    external: Option<String>,
}

#[derive(Clone, Debug)]
struct FunctionParts {
    signature: String,
    code: FunctionCode,
    name: Option<String>,
    attrs: Vec<(String, String)>,
}

impl ModuleBuilder {
    /// A module of this name, version 0, that holds nothing.
    pub fn new(name: impl Into<String>) -> ModuleBuilder {
        ModuleBuilder { name: name.into(), ..ModuleBuilder::default() }
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the version.
    pub fn version(&mut self, version: u32) -> &mut Self {
        self.version = version;
        self
    }

    /// Adds a reflection attribute of the module.
    pub fn attr(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.attrs.push((key.into(), value.into()));
        self
    }

    /// Adds a module that this one needs.
    pub fn dependency(&mut self, name: impl Into<String>, minimum_version: u32, optional: bool) -> &mut Self {
        self.dependencies.push((name.into(), minimum_version, optional));
        self
    }

    /// The ordinal of the type of this name, which is added if it is new.
    pub fn ty(&mut self, full_name: &str) -> u32 {
        let known = self.types.iter().position(|name| name == full_name);
        known.unwrap_or_else(|| {
            self.types.push(full_name.to_owned());
            self.types.len() - 1
        }) as u32
    }

    /// Adds an import and returns its ordinal.
    pub fn import(&mut self, full_name: impl Into<String>, cconv: impl Into<String>, optional: bool) -> u32 {
        self.imports.push((full_name.into(), cconv.into(), optional));
        self.imports.len() as u32 - 1
    }

    /// Exports a function.
    pub fn export(&mut self, name: impl Into<String>, function: u32) -> &mut Self {
        self.exports.push((name.into(), function));
        self
    }

    /// Adds constant data inside the tables and returns its ordinal.
    pub fn rodata(&mut self, bytes: impl Into<Vec<u8>>) -> u32 {
        self.rodata.push(Rodata { bytes: bytes.into(), external: None });
        self.rodata.len() as u32 - 1
    }

    /// Adds constant data behind the tables, as an entry of this name in a ZIP, and returns its ordinal.
    pub fn external_rodata(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> u32 {
        self.rodata.push(Rodata { bytes: bytes.into(), external: Some(name.into()) });
        self.rodata.len() as u32 - 1
    }

    /// Reserves an aligned primitive global of 4 or 8 bytes and returns its offset.
    pub fn global(&mut self, bytes: u32) -> u32 {
        let offset = self.global_bytes.next_multiple_of(bytes.max(1));
        self.global_bytes = offset + bytes;
        offset
    }

    /// Sets the capacity for globals to at least this.
    pub fn globals(&mut self, bytes: u32, refs: u32) -> &mut Self {
        self.global_bytes = self.global_bytes.max(bytes);
        self.global_refs = self.global_refs.max(refs);
        self
    }

    /// Adds a function and returns its ordinal.
    pub fn function(&mut self, cconv: impl Into<String>, code: FunctionCode) -> u32 {
        let signature = cconv.into();
        self.requirements |= code.requirements;
        self.functions.push(FunctionParts { signature, code, name: None, attrs: Vec::new() });
        self.functions.len() as u32 - 1
    }

    /// Names a function in the debug tables, which are written if every function has a name.
    ///
    /// # Panics
    /// If there is no such function.
    pub fn debug_name(&mut self, function: u32, name: impl Into<String>) -> &mut Self {
        self.functions[function as usize].name = Some(name.into());
        self
    }

    /// Adds a reflection attribute of a function.
    ///
    /// # Panics
    /// If there is no such function.
    pub fn function_attr(
        &mut self,
        function: u32,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> &mut Self {
        self.functions[function as usize].attrs.push((key.into(), value.into()));
        self
    }

    /// The file, without a ZIP around it.
    pub fn build(&self) -> Vec<u8> {
        let mut place = 0;
        let places = self.rodata.iter().map(|segment| {
            let start = usize::next_multiple_of(place, DATA_ALIGNMENT);
            if segment.external.is_some() {
                place = start + segment.bytes.len();
            }
            start as u64
        });
        let places: Vec<u64> = places.collect();
        let external = || self.rodata.iter().zip(&places).filter(|(segment, _)| segment.external.is_some());
        let mut file = self.tables(&places, if external().next().is_some() { DATA_ALIGNMENT } else { 4 });
        let base = file.len();
        for (segment, place) in external() {
            file.resize(base + *place as usize, 0);
            file.extend_from_slice(&segment.bytes);
        }
        file
    }

    /// The file as the compiler writes it: a ZIP whose first entry is the module.
    pub fn build_zip(&self) -> Vec<u8> {
        let mut end = 0;
        let places = self.rodata.iter().map(|segment| match &segment.external {
            None => 0,
            Some(name) => {
                let start = zip::payload_start(end, name);
                end = start + segment.bytes.len();
                start as u64
            }
        });
        let places: Vec<u64> = places.collect();
        let mut zip = zip::ZipWriter::default();
        zip.entry("module.fb", &self.tables(&places, DATA_ALIGNMENT));
        for segment in &self.rodata {
            if let Some(name) = &segment.external {
                zip.entry(name, &segment.bytes);
            }
        }
        zip.finish()
    }
}

#[cfg(test)]
mod tests;
