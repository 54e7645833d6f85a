//! Contexts: linked modules with their state, and who may run in them.
//!
//! Not here: linking ([`crate::link`]), one run of a function (`invoke.rs`).
//!
//! # Shared or in turns
//! A context is *stateless* if no function that a host can call stores to a global, and no global reaches an object that
//! others could change: then any number of invocations run at once. Otherwise it is *stateful*: an invocation needs the
//! context's [`Turn`], which it keeps from begin to end, suspensions included.
//!
//! # Invariants
//! - X1: globals are written only by the holder of the turn, while the context is being built, or when it ends; in a
//!   stateless context nobody writes them after it was built. So no two threads race on a global.
//!   [mutants: context.take_turn, context.give_turn]
//! - X2: global offsets in bounds: direct ones by V11, indirect ones checked here. (by construction: `ModuleState`)
//! - X3: modules and states don't move and live as long as the context. (by construction: boxed, and owned by it)
//!
//! # Orderings
//! taking the turn (Acquire) <-> giving it back (Release): each invocation sees the globals that the one before left.
//! Models: `tests/loom_context.rs`.
#![allow(unsafe_code)]

use crate::engine::Engine;
use crate::engine::state::Bits;
use crate::native::Entry;
use crate::object::Ref;
use crate::quota::Quota;
use crate::translate::Program;
use crate::tuning::{ALLOCATION_BYTES_MAX_DEFAULT, LIST_LENGTH_MAX_DEFAULT, STACK_BYTES_MAX_DEFAULT};
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::AtomicBool;
use raddle_sync::ord;
use std::cell::UnsafeCell;
use std::sync::{Arc, Mutex};

/// What the programs of one context may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Stack of one invocation. Unit: bytes.
    pub stack_bytes_max: usize,
    /// Elements of one list.
    pub list_length_max: u32,
    /// Buffers and lists that exist at a time. Unit: bytes.
    pub allocation_bytes_max: u64,
    /// Budget of `__init` and `__deinit`, which run when the context is built and dropped. Unit: steps.
    pub init_steps_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            stack_bytes_max: STACK_BYTES_MAX_DEFAULT,
            list_length_max: LIST_LENGTH_MAX_DEFAULT,
            allocation_bytes_max: ALLOCATION_BYTES_MAX_DEFAULT,
            init_steps_max: 1 << 30,
        }
    }
}

/// Linked modules with their state. Cloning shares it; thread-safe.
#[derive(Clone)]
pub struct Context(pub(crate) Arc<ContextInner>);

pub(crate) struct ContextInner {
    pub(crate) instances: Box<[Instance]>,
    pub(crate) limits: Limits,
    pub(crate) quota: Arc<Quota>,
    pub(crate) engine: Engine,
    pub(crate) stateful: bool,
    pub(crate) initialised: usize,
    turn: AtomicBool,
    /// Lists that may be parts of circles, left over by invocations.
    pub(crate) suspects: Mutex<Vec<Ref>>,
}

/// A module in a context.
pub(crate) enum Instance {
    Bytecode(ModuleState),
    Native { module: crate::native::NativeModule, entries: Vec<Arc<dyn Entry>> },
}

/// What an import is bound to.
pub(crate) enum Binding {
    Missing,
    Native(Arc<dyn Entry>),
    Bytecode { instance: usize, function: u32 },
}

/// The globals and imports of one bytecode module.
pub(crate) struct ModuleState {
    pub(crate) program: Arc<Program>,
    global_bytes: usize,
    globals: Box<[UnsafeCell<u64>]>,
    ref_globals: Box<[UnsafeCell<Option<Ref>>]>,
    pub(crate) imports: Box<[Binding]>,
    /// Whether an import is a function of another program.
    imports_bytecode: bool,
}

// SAFETY: X1: globals are not written while others can read them.
unsafe impl Sync for ModuleState {}
// SAFETY: values and refs may change threads.
unsafe impl Send for ModuleState {}

impl ModuleState {
    pub(crate) fn new(program: Arc<Program>, imports: Vec<Binding>) -> ModuleState {
        let module = program.module();
        let global_bytes = module.global_bytes() as usize;
        let globals = (0..global_bytes.div_ceil(8)).map(|_| UnsafeCell::new(0)).collect();
        let ref_globals = (0..module.global_refs()).map(|_| UnsafeCell::new(None)).collect();
        let imports_bytecode = imports.iter().any(|import| matches!(import, Binding::Bytecode { .. }));
        ModuleState { global_bytes, globals, ref_globals, imports: imports.into(), imports_bytecode, program }
    }

    /// The stack that a call of a function from outside needs, results included, if that is known. Unit: bytes.
    pub(crate) fn stack_bytes(&self, function: u32) -> Option<usize> {
        let need = self.program.need(function)?;
        (!need.calls_imports || !self.imports_bytecode).then_some(need.bytes)
    }

    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    pub(crate) fn binding(&self, import: u32) -> &Binding {
        &self.imports[import as usize]
    }

    /// The name of an import's function, for messages.
    pub(crate) fn import_name(&self, import: u32) -> String {
        match self.binding(import) {
            Binding::Native(entry) => entry.name().to_owned(),
            _ => self.program.module().imports()[import as usize].full_name.to_string(),
        }
    }

    /// The failure of a call to an import that is not there.
    pub(crate) fn unbound(&self, import: u32) -> Error {
        let name = &self.program.module().imports()[import as usize].full_name;
        Error::new(Code::NotFound, format!("the optional import {name} is not bound"))
    }

    #[inline(always)]
    fn place<T>(&self, offset: u32) -> Option<*mut T> {
        let fits = offset as usize + size_of::<T>() <= self.global_bytes;
        fits.then(|| self.globals.as_ptr().cast::<u8>().cast_mut().wrapping_add(offset as usize).cast())
    }

    /// The primitive global at this byte offset.
    #[inline(always)]
    pub(crate) fn global<T: Bits>(&self, offset: u32) -> Option<T> {
        // SAFETY: X1, X2: inside, and not being written; offsets need not be aligned.
        self.place::<T>(offset).map(|place| unsafe { place.read_unaligned() })
    }

    /// Sets the primitive global at this byte offset; false if there is none.
    #[inline(always)]
    pub(crate) fn set_global<T: Bits>(&self, offset: u32, value: T) -> bool {
        let Some(place) = self.place::<T>(offset) else { return false };
        // SAFETY: X1, X2.
        unsafe { place.write_unaligned(value) };
        true
    }

    fn ref_place(&self, ordinal: u32) -> Result<&UnsafeCell<Option<Ref>>> {
        self.ref_globals.get(ordinal as usize).ok_or_else(|| {
            let text = format!("ref global {ordinal} of {}", self.ref_globals.len());
            Error::new(Code::OutOfRange, text)
        })
    }

    /// The ref global with this ordinal.
    pub(crate) fn ref_global(&self, ordinal: u32) -> Result<Option<Ref>> {
        let place = self.ref_place(ordinal)?;
        // SAFETY: X1.
        Ok(unsafe { &*place.get() }.clone())
    }

    /// Replaces a ref global; returns the old one.
    pub(crate) fn swap_ref_global(&self, ordinal: u32, value: Option<Ref>) -> Result<Option<Ref>> {
        let place = self.ref_place(ordinal)?;
        // SAFETY: X1.
        Ok(std::mem::replace(unsafe { &mut *place.get() }, value))
    }

    /// Releases all ref globals.
    pub(crate) fn clear_refs(&self) {
        for ordinal in 0..self.ref_globals.len() as u32 {
            drop(self.swap_ref_global(ordinal, None));
        }
    }

    /// All ref globals.
    pub(crate) fn ref_globals(&self) -> impl Iterator<Item = Ref> + '_ {
        (0..self.ref_globals.len() as u32).filter_map(|ordinal| self.ref_global(ordinal).ok().flatten())
    }

    /// A copy with the same globals, for a fork. The caller holds the turn of a stateful context.
    pub(crate) fn fork(&self, imports: Vec<Binding>) -> ModuleState {
        let copy = ModuleState::new(self.program.clone(), imports);
        for (offset, _) in self.globals.iter().enumerate() {
            // SAFETY: X1: the caller holds the turn, or nobody writes.
            let value = unsafe { *self.globals[offset].get() };
            // SAFETY: the copy is ours alone.
            unsafe { *copy.globals[offset].get() = value };
        }
        for ordinal in 0..self.ref_globals.len() as u32 {
            let value = self.ref_global(ordinal).ok().flatten();
            drop(copy.swap_ref_global(ordinal, value));
        }
        copy
    }
}

/// The right to run in a stateful context; given back when dropped.
#[must_use = "dropping a turn gives it back at once"]
pub struct Turn(Arc<ContextInner>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.give_turn();
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Turn")
    }
}

impl Context {
    /// Whether invocations need the context's turn.
    pub fn is_stateful(&self) -> bool {
        self.0.stateful
    }

    /// The limits of its programs.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Bytes that its programs hold in buffers and lists now.
    pub fn allocated_bytes(&self) -> u64 {
        self.0.quota.used()
    }

    /// Takes the turn of a stateful context for something other than an invocation; `None` while somebody has it.
    pub fn try_turn(&self) -> Option<Turn> {
        self.0.try_turn().then(|| Turn(self.0.clone()))
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.0.stateful { "stateful" } else { "stateless" };
        write!(f, "Context({} modules, {kind})", self.0.instances.len())
    }
}

impl ContextInner {
    pub(crate) fn new(instances: Vec<Instance>, limits: Limits, engine: Engine) -> ContextInner {
        ContextInner {
            instances: instances.into(),
            quota: Quota::new(limits.allocation_bytes_max),
            limits,
            engine,
            stateful: true,
            initialised: 0,
            turn: AtomicBool::new(false),
            suspects: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn quota(&self) -> &Arc<Quota> {
        &self.quota
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// The state of a bytecode module.
    pub(crate) fn state(&self, instance: usize) -> &ModuleState {
        match &self.instances[instance] {
            Instance::Bytecode(state) => state,
            Instance::Native { .. } => unreachable!("bindings to native functions hold them"),
        }
    }

    /// Takes the turn; always succeeds in a stateless context.
    #[inline]
    pub(crate) fn try_turn(&self) -> bool {
        !self.stateful || !self.turn.swap(true, ord!("context.take_turn", Acquire))
    }

    #[inline]
    pub(crate) fn give_turn(&self) {
        if self.stateful {
            self.turn.store(false, ord!("context.give_turn", Release));
        }
    }
}
