//! Host functions that kernels may call.
//!
//! # Invariants
//! - I1: a context that a library is given is the address of a `Function` that the library keeps. (`Resolved`)
//! - I2: no panic reaches a kernel's frames, and the first failure of a host function is kept for the call that runs the
//!   kernel: both run on one thread. (`enter`, `FAILURE`)

#![allow(unsafe_code)]

use raddle_status::{Code, Error, Result, panic_message};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;
use std::sync::Arc;

type Host = dyn Fn(*mut c_void) -> Result + Send + Sync;

/// One host function.
struct Function(Box<Host>);

/// Host functions by name.
#[derive(Clone, Default)]
pub struct Imports {
    functions: HashMap<String, Arc<Function>>,
}

impl Imports {
    /// Provides a function; a second one of the same name replaces the first.
    ///
    /// It is called on the thread that runs the kernel, under the floating-point modes of Rust code, with the address of
    /// the kernel's parameters: a C structure of results, arguments and asked-for fields, which the declaration in the
    /// executable's source fixes. A failure, or a panic, ends the dispatch.
    pub fn provide(
        &mut self,
        name: impl Into<String>,
        function: impl Fn(*mut c_void) -> Result + Send + Sync + 'static,
    ) {
        self.functions.insert(name.into(), Arc::new(Function(Box::new(function))));
    }

    /// The tables for a library that wants these names, in this order.
    ///
    /// # Errors
    /// NOT_FOUND if one is missing and is not optional ('?' before its name).
    pub(crate) fn resolve(&self, names: &[String]) -> Result<Resolved> {
        let mut resolved = Resolved::default();
        for name in names {
            let (bare, is_optional) = match name.strip_prefix('?') {
                Some(bare) => (bare, true),
                None => (name.as_str(), false),
            };
            match self.functions.get(bare) {
                Some(function) => {
                    resolved.addresses.push(enter as *const c_void);
                    resolved.contexts.push(Arc::as_ptr(function).cast_mut().cast());
                    resolved.kept.push(Arc::clone(function));
                }
                None if is_optional => {
                    resolved.addresses.push(null());
                    resolved.contexts.push(null::<c_void>().cast_mut());
                }
                None => {
                    let text =
                        format!("the executable imports the host function '{bare}', which nobody provides");
                    return Err(Error::new(Code::NotFound, text));
                }
            }
        }
        Ok(resolved)
    }
}

impl fmt::Debug for Imports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.functions.keys()).finish()
    }
}

/// What an environment points at.
#[derive(Default)]
pub(crate) struct Resolved {
    pub(crate) addresses: Vec<*const c_void>,
    pub(crate) contexts: Vec<*mut c_void>,
    kept: Vec<Arc<Function>>,
}

impl Resolved {
    /// Whether kernels can reach a host function.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

thread_local! {
    /// What the last host function failed with, on its way from inside a kernel to the caller of the kernel.
    static FAILURE: Cell<Option<Error>> = const { Cell::new(None) };
}

/// Takes what a host function failed with on this thread.
pub(crate) fn take_failure() -> Option<Error> {
    FAILURE.take()
}

/// What kernels call, through the trampoline's thunk.
extern "C" fn enter(parameters: *mut c_void, context: *mut c_void, _reserved: *mut c_void) -> u32 {
    // SAFETY: I1.
    let function = unsafe { &*context.cast::<Function>() };
    let result = catch_unwind(AssertUnwindSafe(|| (function.0)(parameters)));
    let result = result.unwrap_or_else(|payload| Err(panic_message(&*payload)));
    let number = raddle_status::number(&result);
    if let Err(error) = result {
        let first = FAILURE.take().unwrap_or(error);
        FAILURE.set(Some(first));
    }
    number
}
