//! Calls from programs into functions written in Rust: marshalling, suspension, panics.
//!
//! Not here: how to write such functions ([`NativeModule`]) and what they take ([`Arg`]).
//!
//! A native function runs above the caller's frame, which is not touched until it is done. If it suspends, what it
//! needs to go on (its *task*) is kept in the core; its arguments are released at once.

mod args;
mod dynamic;
mod flow;
mod module;
mod refs;
mod variadic;

pub use args::{Arg, Element, Results, Single};
pub use dynamic::{DynamicFlow, DynamicFunction, DynamicRest};
pub use flow::{Flow, Resume, Then};
pub use module::{NativeBuilder, NativeFunction, NativeModule};
pub use variadic::{Variadic, VariadicIter};

use args::Writer;
use flow::{Progress, Task};
pub(crate) use module::Entry;

use crate::engine::state::Exit;
use crate::machine::Core;
use crate::translate::code::Site;
use crate::wait::WaitOutcome;
use raddle_status::{Error, Result, panic_message};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A native call that is suspended; what it waits for is in the core.
pub(crate) struct Pending {
    pub(crate) task: Task,
    site: *const Site,
}

/// Runs a native function for the call at `site`; a panic becomes a failure. `None`: it is done, its results are written.
///
/// Arguments are read from the caller's frame and results written into it: nothing lies in between.
#[inline(always)]
fn guarded(
    core: &mut Core,
    name: &dyn Fn() -> String,
    function: impl FnOnce(&mut Core) -> Result<Progress>,
) -> Option<Exit> {
    match catch_unwind(AssertUnwindSafe(|| function(core))) {
        Ok(Ok(Progress::Done)) => None,
        Ok(Ok(Progress::Waiting)) => Some(Exit::Waiting),
        Ok(Ok(Progress::Yielded)) => Some(Exit::Yielded),
        Ok(Err(error)) => Some(failed(core, error, name)),
        Err(payload) => Some(failed(core, panic_message(&*payload), name)),
    }
}

#[cold]
#[inline(never)]
fn failed(core: &mut Core, error: Error, name: &dyn Fn() -> String) -> Exit {
    core.native = None;
    let error = error.within(format!("while invoking native function {}", name()));
    core.leave_error(error.within("while calling import"));
    Exit::Failed
}

/// Goes on with a suspended native call. `None`: the program can go on; otherwise how the invocation stops.
#[allow(unsafe_code)]
#[inline]
pub(crate) fn resume(core: &mut Core, outcome: WaitOutcome) -> Option<Exit> {
    let Pending { task, site } = core.native.take()?;
    // SAFETY: T3: the site belongs to the frame below, whose code lives.
    let site = unsafe { &*site };
    let state = core.module();
    let name = || state.import_name(site.callee);
    let exit = guarded(core, &name, |core| task.resume(outcome, &mut Writer::new(core, site)));
    core.pc = site.next;
    exit
}
