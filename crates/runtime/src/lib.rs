//! The turn-key loop: compiled programs that wait without a thread.
//!
//! A [`Runtime`] has workers and a poller stage; a [`Session`] has linked modules; a [`Function`] makes [`Invocation`]s,
//! each of which is a future, can be waited for, or calls back. An invocation that waits is a small block of memory.
//!
//! ```no_run
//! use raddle::Runtime;
//!
//! # fn main() -> raddle::Result {
//! let runtime = Runtime::builder().workers(2).build()?;
//! let session = runtime.session().path("waits.vmfb")?.build()?;
//! let outputs = session.function("waits.add")?.invoke((3, 4)).wait()?;
//! assert_eq!(outputs.to::<i32>()?, 7);
//! # Ok(())
//! # }
//! ```
//!
//! Not here: the VM ([`vm`]), the executor ([`task`]), wait sources ([`wait`]).

#![deny(unsafe_code)]

pub mod batch;
mod call;
mod coarse;
mod completion;
mod detached;
mod files;
mod function;
mod invocation;
mod late;
mod observer;
mod opening;
mod pool;
mod runtime;
mod session;
mod standard;
mod trace;
mod tuning;
mod typed;
mod values;

#[cfg(raddle_loom)]
#[doc(hidden)]
pub mod internals;

pub use completion::Ending;
pub use detached::{DetachedWait, WaitFrame};
pub use function::Function;
pub use invocation::{Canceller, Invocation};
pub use runtime::{Runtime, RuntimeBuilder};
pub use session::{Session, SessionBuilder};
pub use standard::{
    Access, EventObject, FileObject, FilePool, ListenerObject, SemaphoreObject, SourceObject, StreamObject,
};
pub use trace::Trace;
pub use typed::{ArgumentTypes, ResultTypes, TypedFunction, TypedInvocation};
pub use values::{Arguments, Each, FromOutputs, FromValue, Outputs};

pub use raddle_hal as hal;
pub use raddle_status::{Code, Error, Result};
pub use raddle_task as task;
pub use raddle_task::{Driver, Priority, TurnBudget, Turned};
pub use raddle_vm as vm;
pub use raddle_vm::Value;
pub use raddle_wait as wait;
pub use raddle_wait::{Moment, NEVER};
