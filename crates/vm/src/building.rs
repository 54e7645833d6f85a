//! A context whose `__init` functions are being run: as a value that its host resumes, like an invocation.
//!
//! Not here: linking ([`crate::link`]), running (`invoke.rs`).
//!
//! ```text
//!  ContextBuilder::begin ──► runs one `__init` after the other ◄── resume ── Initialising
//!                             │ Waiting, Yielded, OutOfBudget ─────────────────┘   │ cancel
//!                             ├─ all have returned ──► Ready(Context)              ▼
//!                             └─ one fails ──► Failed, after the `__deinit`s ◄── Error
//! ```
//!
//! # Invariants
//! - U1: until it is ready the context is known to the builder and to the invocation that it runs, nobody else.

use crate::block::Storage;
use crate::budget::Slice;
use crate::context::{Context, ContextInner};
use crate::entry::EntryPoint;
use crate::invoke::{Idle, Outcome, Suspended};
use crate::link::{ContextBuilder, Hook};
use crate::wait::{Wait, WaitOutcome};
use raddle_status::{Code, Error, Result};
use std::sync::Arc;

/// What a step of building a context led to.
#[derive(Debug)]
#[must_use = "dropping it drops the context"]
pub enum Building {
    /// The context can be used.
    Ready(Context),
    /// An `__init` waits: resume when the wait has ended.
    Waiting(Initialising, Wait),
    /// An `__init` gave up its turn: resume when others have had theirs, with `WaitOutcome::Ready`.
    Yielded(Initialising),
    /// The slice is used up: resume as after `Yielded`.
    OutOfBudget(Initialising),
    /// Linking or an `__init` failed; the `__deinit` functions have run.
    Failed(Error),
}

/// A context in the middle of an `__init`.
#[must_use = "dropping it drops the context"]
pub struct Initialising {
    suspended: Suspended,
    progress: Progress,
}

/// How far the `__init` functions have come.
struct Progress {
    context: Arc<ContextInner>,
    /// The module whose `__init` runs.
    index: usize,
    /// What is left of [`Limits::init_steps_max`](crate::Limits::init_steps_max).
    steps: u64,
}

impl ContextBuilder {
    /// Links the modules and starts to run their `__init` functions, for one slice. These may wait and yield; the host
    /// resumes them as it resumes an invocation.
    ///
    /// Blocks: at most for the slice, plus what native functions take. Errors are those of [`build`](Self::build).
    pub fn begin(self, slice: &Slice<'_>) -> Building {
        match self.link() {
            Ok(context) => {
                let steps = context.limits.init_steps_max;
                Progress { context: Arc::new(context), index: 0, steps }.start(*slice)
            }
            Err(error) => Building::Failed(error),
        }
    }

    /// Links the modules and runs their `__init` functions, on this thread.
    ///
    /// Blocks: until the `__init` functions have returned, at most for [`Limits::init_steps_max`](crate::Limits) steps.
    ///
    /// # Errors
    /// `NOT_FOUND`: a dependency or import that is not optional is missing. `INTERNAL`: an import's calling convention
    /// differs from its provider's. `FAILED_PRECONDITION`: programs for different engines, or an `__init` that waits
    /// (see [`begin`](Self::begin)). Otherwise what a native module's state or an `__init` function fails with.
    pub fn build(self) -> Result<Context> {
        let slice = Slice::steps(u64::MAX);
        let mut building = self.begin(&slice);
        loop {
            building = match building {
                Building::Ready(context) => return Ok(context),
                Building::Failed(error) => return Err(error),
                Building::Waiting(initialising, _) => {
                    let text = "it waits, which `ContextBuilder::build` can't; use `begin` and `resume`";
                    return Err(initialising.cancel(Error::new(Code::FailedPrecondition, text)));
                }
                Building::Yielded(again) | Building::OutOfBudget(again) => {
                    again.resume(WaitOutcome::Ready { index: 0 }, &slice)
                }
            }
        }
    }
}

impl Initialising {
    /// Goes on for one slice. `outcome` says how the wait ended; after `Yielded` and `OutOfBudget` it is `Ready`.
    ///
    /// Blocks: at most for the slice, plus what native functions take.
    pub fn resume(self, outcome: WaitOutcome, slice: &Slice<'_>) -> Building {
        let Initialising { suspended, progress } = self;
        let granted = progress.granted(*slice);
        progress.took(granted, suspended.resume(outcome, &granted), *slice)
    }

    /// Gives the context up, wherever its `__init` is. The `__deinit` functions run; the error says where that was.
    pub fn cancel(self, error: Error) -> Error {
        let Initialising { suspended, progress } = self;
        let (_, error) = suspended.cancel(error);
        progress.failed(error)
    }
}

impl std::fmt::Debug for Initialising {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Initialising({:?})", self.suspended)
    }
}

impl Progress {
    /// Starts the `__init` functions from `index` on.
    fn start(mut self, slice: Slice<'_>) -> Building {
        while self.index < self.context.instances.len() {
            let index = self.index;
            self.own().initialised = index + 1;
            let idle = match self.context.hook(index, Hook::Init) {
                Ok(None) => {
                    self.index += 1;
                    continue;
                }
                Ok(Some(ordinal)) => {
                    Idle::new(&EntryPoint::new(&self.context, index, ordinal), &Storage::default())
                }
                Err(error) => Err(error),
            };
            return match idle {
                Ok(idle) => {
                    let granted = self.granted(slice);
                    self.took(granted, idle.begin(&[], &granted), slice)
                }
                Err(error) => Building::Failed(self.failed(error)),
            };
        }
        let inner = self.own();
        inner.stateful = inner.classify();
        Building::Ready(Context(self.context))
    }

    /// The context, which nobody else knows.
    fn own(&mut self) -> &mut ContextInner {
        Arc::get_mut(&mut self.context).unwrap_or_else(|| unreachable!("U1: no invocation is left"))
    }

    /// What may be run now.
    fn granted<'a>(&self, slice: Slice<'a>) -> Slice<'a> {
        Slice { steps: slice.steps.min(self.steps), ..slice }
    }

    /// Goes on after a run.
    fn took(mut self, granted: Slice<'_>, outcome: Outcome, slice: Slice<'_>) -> Building {
        // A run costs a step at least, so that an `__init` which only yields comes to an end.
        let cost = |left: u64| granted.steps.saturating_sub(left).max(1);
        match outcome {
            Outcome::Finished(finished) => {
                let cost = cost(finished.unused_steps());
                drop(finished);
                self.steps = self.steps.saturating_sub(cost);
                self.index += 1;
                self.start(Slice { steps: slice.steps.saturating_sub(cost), ..slice })
            }
            Outcome::Waiting(suspended, wait) => {
                self.suspend(suspended, cost, |again| Building::Waiting(again, wait))
            }
            Outcome::Yielded(suspended) => self.suspend(suspended, cost, Building::Yielded),
            Outcome::OutOfBudget(suspended) => self.suspend(suspended, cost, Building::OutOfBudget),
            Outcome::Failed(idle, error) => {
                drop(idle);
                Building::Failed(self.failed(error))
            }
            Outcome::Busy(_) => unreachable!("U1: nobody else can have the turn"),
        }
    }

    fn suspend(
        mut self,
        suspended: Suspended,
        cost: impl Fn(u64) -> u64,
        building: impl FnOnce(Initialising) -> Building,
    ) -> Building {
        self.steps = self.steps.saturating_sub(cost(suspended.unused_steps()));
        let suspended = Initialising { suspended, progress: self };
        if suspended.progress.steps > 0 {
            return building(suspended);
        }
        let text = "it takes more than init_steps_max steps";
        Building::Failed(suspended.cancel(Error::new(Code::ResourceExhausted, text)))
    }

    /// The error with its place. The context ends here.
    fn failed(self, error: Error) -> Error {
        let place = self.context.hook_place(self.index, Hook::Init);
        error.within(place)
    }
}
