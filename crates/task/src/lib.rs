//! A work-stealing task-graph executor with a poller stage: no thread is parked on a wait.
//!
//! A [`Graph`] is built once and submitted many times; some of its tasks may be waits, on anything that `raddle-wait` can
//! wait for. An [`Executor`] runs it on workers, on the thread that asks for it ([`Executor::run`]), or inside the
//! host's own loop ([`Executor::turn`]). A [`Scope`] is what fails, is cancelled and becomes idle together.
//!
//! ```
//! use raddle_task::{Executor, GraphBuilder};
//! use raddle_wait::Event;
//! use std::sync::Arc;
//!
//! # fn main() -> raddle_status::Result {
//! let executor = Executor::builder().workers(1).build()?;
//! let ready = Arc::new(Event::manual());
//! let mut builder = GraphBuilder::new();
//! let wait = builder.wait(ready.clone());
//! let after = builder.call(|_| println!("resumed"));
//! builder.edge(wait, after)?;
//! let graph = builder.build()?;
//! let run = executor.submit(&graph, &executor.scope("example"))?;
//! ready.set();
//! run.wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! | you want | start at |
//! |---|---|
//! | tasks, edges, waits, dispatches | [`GraphBuilder`] |
//! | how a run ended; to cancel it; its end as a wait source | [`Run`] |
//! | errors, cancellation and idleness of many runs | [`Scope`] |
//! | nested work from inside a task | [`TaskCx::submit`] |
//! | no threads, a loop of your own | [`Executor::fd`], [`Executor::turn`] |
//! | to lend a thread for a while | [`Executor::donate`] |
//! | what was counted | [`Executor::counts`] |
//!
//! # Platforms
//! 64-bit Linux: x86-64 is tested, aarch64 compiled. Others are not supported.

#![deny(unsafe_code)]

mod aside;
mod bell;
mod block;
mod blocking;
mod bound;
#[cfg(raddle_loom)]
mod chase_lev;
mod claim;
mod context;
mod core;
mod counters;
mod cursor;
mod deadline;
mod deque;
mod dispatch;
mod donate;
mod drivers;
mod dump;
mod dump_scope;
mod dump_text;
mod executor;
mod futures;
mod graph;
mod header;
mod idle;
mod jobs;
mod local;
mod local_executor;
mod local_memory;
mod node;
mod once;
mod outside;
mod per_worker;
mod priority;
mod program;
mod program_run;
mod quota;
mod resident;
mod room;
mod run;
mod run_handle;
mod scope;
mod section;
mod threads;
mod topology;
mod tuning;
mod turn;
mod waiting;
mod worker;

#[cfg(any(raddle_loom, feature = "model"))]
#[doc(hidden)]
pub mod internals;

pub use bound::Bound;
pub use context::{TaskCx, TileCx};
pub use counters::Counts;
pub use dump::{Dump, QueueDump, WorkerDump, WorkerState};
pub use dump_scope::{RunDump, ScopeDump, WaitDump};
pub use executor::{Driver, Executor, ExecutorBuilder, SubmitOptions};
pub use futures::{RunFuture, WaitFor};
pub use graph::{Graph, GraphBuilder, IntoResult, TaskId};
pub use local_executor::LocalExecutor;
pub use local_memory::LocalMemory;
pub use per_worker::PerWorker;
pub use priority::Priority;
pub use program::{Program, ProgramFacts, Step, StepCx};
pub use program_run::{ProgramRun, ProgramView, Spent};
pub use run_handle::{CancelOutcome, Run};
pub use scope::Scope;
pub use section::BlockingSection;
pub use threads::ShutdownReport;
pub use topology::Topology;
pub use turn::{TurnBudget, Turned};
