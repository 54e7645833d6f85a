//! A program: a module with its types resolved, ready to be run by one engine.
//!
//! Not here: instances of it ([`Context`](crate::Context)).

use super::code::{Code, Outermost, Slot};
use super::need::Need;
use crate::buffer::Buffer;
use crate::engine::Engine;
use crate::module::Module;
use crate::object::Ref;
use crate::registry::{Registry, ResolvedType};
use raddle_status::{Result, ResultExt};
use std::sync::{Arc, OnceLock};

/// A module whose types are resolved. Immutable but for translation, which happens once for each function; thread-safe.
pub struct Program {
    module: Module,
    engine: Engine,
    types: Box<[ResolvedType]>,
    /// The one buffer of each rodata segment.
    rodata: Box<[OnceLock<Ref>]>,
    slots: Box<[Slot]>,
}

impl Program {
    /// Prepares a module for the best engine of this build.
    ///
    /// # Errors
    /// `NOT_FOUND`: a type that the module names is not registered.
    pub fn new(module: Module, registry: &Registry) -> Result<Arc<Program>> {
        Program::for_engine(module, registry, Engine::default())
    }

    /// Prepares a module for a certain engine.
    ///
    /// # Errors
    /// `NOT_FOUND`: a type that the module names is not registered.
    pub fn for_engine(module: Module, registry: &Registry, engine: Engine) -> Result<Arc<Program>> {
        let types = module.types().iter().map(|name| registry.resolve(name)).collect::<Result<_>>();
        let types = types.within(|| format!("in the types of module {}", module.name()))?;
        let rodata = module.rodata().iter().map(|_| OnceLock::new()).collect();
        let slots = module.functions().map(|_| Slot::default()).collect();
        Ok(Arc::new(Program { module, engine, types, rodata, slots }))
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The engine that runs it.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    pub(crate) fn types(&self) -> &[ResolvedType] {
        &self.types
    }

    /// The buffer of a rodata segment; the same object every time.
    pub(crate) fn rodata(&self, segment: u32) -> Ref {
        let make = || Ref::new(Buffer::constant(Arc::new(self.module.rodata()[segment as usize].clone())));
        self.rodata[segment as usize].get_or_init(make).clone()
    }

    pub(crate) fn slot(&self, ordinal: u32) -> &Slot {
        &self.slots[ordinal as usize]
    }

    /// First ref cell of a function's frame.
    pub(crate) fn refs_from(&self, ordinal: u32) -> u16 {
        let function = self.module.function(ordinal).expect("V12: callees exist");
        function.value_count().next_multiple_of(2)
    }

    /// Size of a function's frame without header.
    pub(crate) fn frame_bytes(&self, ordinal: u32) -> usize {
        let function = self.module.function(ordinal).expect("V12: callees exist");
        let cells =
            usize::from(function.value_count().next_multiple_of(2)) + 2 * usize::from(function.ref_count());
        (cells * 4).next_multiple_of(16)
    }

    /// What stack a call of a function from outside needs, if it is little and known.
    pub(crate) fn need(&self, ordinal: u32) -> Option<Need> {
        *self.slots[ordinal as usize].need.get_or_init(|| super::need::need(self, ordinal))
    }

    /// Translates a function if that has not been done.
    #[cold]
    pub(crate) fn translate(&self, ordinal: u32) -> &Code {
        self.slots[ordinal as usize].code.get_or_init(|| super::lower::lower(self, ordinal))
    }

    /// The bridge to a function.
    #[inline]
    pub(crate) fn bridge(&self, ordinal: u32) -> Result<&Code> {
        let slot = &self.slots[ordinal as usize];
        get_or_make(&slot.bridge, || super::calls::bridge(self, ordinal, slot).map(Box::new))
    }

    /// How the host calls a function.
    #[inline]
    pub(crate) fn outermost(&self, ordinal: u32) -> Result<&Outermost> {
        get_or_make(&self.slots[ordinal as usize].outermost, || super::calls::outermost(self, ordinal))
    }

    /// The code of a function.
    pub(crate) fn code(&self, ordinal: u32) -> &Code {
        self.slots[ordinal as usize].code.get().unwrap_or_else(|| self.translate(ordinal))
    }

    /// `module.function`, for messages.
    pub(crate) fn place(&self, ordinal: u32) -> String {
        let name = self.module.function(ordinal).map(|function| function.display_name());
        format!("{}.{}", self.module.name(), name.unwrap_or_default())
    }

    /// The message of the `fail` at this address.
    pub(crate) fn fail_text(&self, ordinal: u32, pc: u32) -> String {
        let code = self.module.function(ordinal).map_or(&[][..], |function| function.code());
        crate::engine::ops::text_at(code, pc)
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({}, {:?})", self.module.name(), self.engine)
    }
}

/// What is in the place, or is made for it, once.
#[inline]
fn get_or_make<T>(place: &OnceLock<Box<T>>, make: impl FnOnce() -> Result<Box<T>>) -> Result<&T> {
    match place.get() {
        Some(made) => Ok(made),
        None => fill(place, make),
    }
}

#[cold]
fn fill<T>(place: &OnceLock<Box<T>>, make: impl FnOnce() -> Result<Box<T>>) -> Result<&T> {
    let made = make()?;
    Ok(place.get_or_init(|| made))
}
