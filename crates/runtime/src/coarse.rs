//! Functions of the asynchronous interface, `coarse-fences`: they take a fence to wait for and one to signal, and return
//! tensors that exist once the second is reached.
//!
//! Not here: fences (`raddle-hal`), the steps of a call (`call.rs`).
//!
//! Such a function is called with its declared arguments, and then begins at once; or with both fences besides. In both
//! forms its invocation ends when the fence it signals is reached or fails. A function that fails signals nothing: its
//! fence is failed here.

use crate::values::Values;
use raddle_hal::{Fence, FencePool};
use raddle_vm::{EntryPoint, RefOf, Value};
use std::sync::Arc;

/// What calls of such a function share.
pub(crate) struct Coarse {
    fences: Arc<FencePool>,
    /// Arguments, fences included.
    argument_count: usize,
}

impl Coarse {
    /// `None` for functions of other interfaces.
    pub(crate) fn of(entry: &EntryPoint) -> Option<Coarse> {
        let argument_count = entry.signature().scalars().count();
        let is_coarse = entry.attr("iree.abi.model") == Some("coarse-fences") && argument_count >= 2;
        is_coarse.then(|| Coarse { fences: Arc::default(), argument_count })
    }

    /// Adds the fences that are missing; returns the one that will be signalled.
    pub(crate) fn complete(&self, arguments: &mut Values) -> Option<RefOf<Fence>> {
        if arguments.len() + 2 == self.argument_count {
            let signal = Fence::create(&self.fences);
            arguments.push(Value::Ref(None));
            arguments.push(Value::Ref(Some(signal.clone().into_ref())));
            return Some(signal);
        }
        match arguments.last() {
            Some(Value::Ref(Some(last))) if arguments.len() == self.argument_count => {
                last.clone().downcast().ok()
            }
            _ => None,
        }
    }
}
