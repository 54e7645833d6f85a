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
pub(crate) use flow::Task as Rest;
use flow::{Ended, Progress};
pub(crate) use module::Entry;

use crate::engine::state::Exit;
use crate::machine::Core;
use crate::wait::WaitOutcome;
use raddle_status::{Error, Result, panic_message};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
        Ok(Ok(Progress::Failed)) => {
            let error = core.take_error();
            Some(failed(core, error, name))
        }
        Ok(Err(error)) => Some(failed(core, error, name)),
        Err(payload) => Some(failed(core, panic_message(&*payload), name)),
    }
}

#[cold]
#[inline(never)]
fn failed(core: &mut Core, error: Error, name: &dyn Fn() -> String) -> Exit {
    let error = error.within(format!("while invoking native function {}", name()));
    core.leave_error(error.within("while calling import"));
    Exit::Failed
}

/// Goes on with a suspended native call. `None`: the program can go on; otherwise how the invocation stops.
#[inline(always)]
pub(crate) fn resume(core: &mut Core, rest: Rest, outcome: &WaitOutcome) -> Option<Exit> {
    let (site, state) = (core.site_before(), core.module());
    let name = || state.import_name(site.callee);
    let ended = Ended::of(outcome);
    guarded(core, &name, |core| Ok(rest.resume(ended, &mut Writer::new(core, site))))
}
