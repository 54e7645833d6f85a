//! A function of a context that a host can call.
//!
//! Not here: calling it ([`Idle::begin`](crate::Idle::begin)).

use crate::context::{Context, ContextInner, Instance, ModuleState};
use crate::link::Hook;
use crate::module::{Scalar, Signature};
use raddle_status::{Code, Error, Result};
use std::sync::Arc;

/// An exported function of a module in a context. Cloning is cheap; thread-safe.
#[derive(Clone)]
pub struct EntryPoint {
    context: Arc<ContextInner>,
    instance: u16,
    ordinal: u32,
}

impl Context {
    /// The function with this name: `module.function`, or an export of the last module.
    ///
    /// # Errors
    /// `NOT_FOUND`: there is none in a bytecode module. `INVALID_ARGUMENT`: the name is empty. `PERMISSION_DENIED`: it is
    /// `__init` or `__deinit`, which the context calls.
    pub fn function(&self, name: &str) -> Result<EntryPoint> {
        if name.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "the name of a function is empty"));
        }
        if Hook::is_name(name.rsplit('.').next().unwrap_or(name)) {
            let text = format!("'{name}' is called by its context only");
            return Err(Error::new(Code::PermissionDenied, text));
        }
        let last = self.0.instances.len().checked_sub(1);
        let found = last.and_then(|last| self.find_in(last, name));
        let found = found.or_else(|| {
            let (module, function) = name.split_once('.')?;
            (0..self.0.instances.len()).rev().find_map(|instance| {
                let Instance::Bytecode(state) = &self.0.instances[instance] else { return None };
                if state.program().module().name() != module {
                    return None;
                }
                self.find_in(instance, function)
            })
        });
        found.ok_or_else(|| {
            Error::new(Code::NotFound, format!("no module of the context exports a function '{name}'"))
        })
    }

    fn find_in(&self, instance: usize, name: &str) -> Option<EntryPoint> {
        let Instance::Bytecode(state) = &self.0.instances[instance] else { return None };
        let found = state.program().module().find(name).ok()?;
        Some(EntryPoint::new(&self.0, instance, found.ordinal()))
    }
}

impl EntryPoint {
    /// A context has no more instances than fit (`link.rs`).
    pub(crate) fn new(context: &Arc<ContextInner>, instance: usize, ordinal: u32) -> EntryPoint {
        EntryPoint { context: context.clone(), instance: instance as u16, ordinal }
    }

    /// What it takes and returns.
    pub fn signature(&self) -> &Signature {
        let function = self.state().program().module().function(self.ordinal);
        function.expect("V3: an export names a function").signature()
    }

    /// The value of one of its reflection attributes.
    pub fn attr(&self, key: &str) -> Option<&str> {
        let function = self.state().program().module().function(self.ordinal);
        let function = function.expect("V3: an export names a function");
        function.attrs().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// `module.function`.
    pub fn name(&self) -> String {
        self.state().program().place(self.ordinal)
    }

    /// The context that it belongs to.
    pub fn owner(&self) -> Context {
        Context(self.context.clone())
    }

    /// Its parts: the context with the count that it had of it, and the number of the module.
    pub(crate) fn into_parts(self) -> (*const ContextInner, u16) {
        (Arc::into_raw(self.context), self.instance)
    }

    /// The function with this number of such parts.
    ///
    /// # Safety
    /// The parts came from `into_parts`; the count is used once, by dropping this or what `into_parts` then gives.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn from_parts(context: *const ContextInner, instance: u16, ordinal: u32) -> EntryPoint {
        // SAFETY: the caller's promise.
        EntryPoint { context: unsafe { Arc::from_raw(context) }, instance, ordinal }
    }

    pub(crate) fn state(&self) -> &ModuleState {
        self.context.state(self.instance as usize)
    }

    pub(crate) fn ordinal(&self) -> u32 {
        self.ordinal
    }
}

impl std::fmt::Debug for EntryPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters: String = self.signature().scalars().map(Scalar::letter).collect();
        write!(f, "EntryPoint({}, {letters})", self.name())
    }
}
