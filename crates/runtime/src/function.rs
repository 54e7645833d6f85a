//! A function of a session, and the pool of its finished invocations.
//!
//! Not here: what an invocation can do (`invocation.rs`).
//!
//! # Invariants
//! - F1: what lies in the pool holds no function, so that the pool ends with its function.
//!   (by construction: `Call::retire`)

use crate::call::Call;
use crate::completion::Completion;
use crate::invocation::Invocation;
use crate::tuning::POOLED_CALLS_MAX;
use crate::values::{Arguments, Values};
use raddle_status::Result;
use raddle_sync::Mutex;
use raddle_task::{ProgramRun, Scope};
use raddle_vm::{EntryPoint, Idle, Outcome, Signature, Slice, Storage};
use raddle_wait::Permits;
use std::fmt;
use std::sync::Arc;

/// An exported function of a session. Cheap to clone; thread-safe. Look it up once and call it often.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

/// See [`Function`].
pub(crate) struct Inner {
    entry: EntryPoint,
    scope: Scope,
    storage: Storage,
    /// Of a stateful context: one invocation at a time.
    pub(crate) turn: Option<Arc<Permits>>,
    pool: Mutex<Vec<ProgramRun<Call>>>,
}

impl Inner {
    /// Keeps a finished invocation for the next.
    pub(crate) fn keep(&self, run: ProgramRun<Call>) {
        let mut pool = self.pool.lock();
        let spare = if pool.len() < POOLED_CALLS_MAX {
            pool.push(run);
            None
        } else {
            Some(run)
        };
        drop(pool);
        drop(spare);
    }
}

impl Function {
    pub(crate) fn new(entry: EntryPoint, scope: &Scope, turn: Option<Arc<Permits>>) -> Function {
        Function(Arc::new(Inner {
            entry,
            scope: scope.clone(),
            storage: Storage::default(),
            turn,
            pool: Mutex::new(Vec::new()),
        }))
    }

    /// `module.function`.
    pub fn name(&self) -> String {
        self.0.entry.name()
    }

    /// What it takes and returns.
    pub fn signature(&self) -> &Signature {
        self.0.entry.signature()
    }

    /// A call with these arguments, which begins when it is waited for, polled, or started. Allocates only if no
    /// finished invocation of the function is at hand.
    ///
    /// Wrong arguments are the invocation's failure: INVALID_ARGUMENT.
    pub fn invoke(&self, arguments: impl Arguments) -> Invocation {
        let pooled = self.0.pool.lock().pop();
        let made = pooled.map_or_else(|| self.new_run(), Ok);
        Invocation::new(made.map(|mut run| {
            let call = run.program_mut().expect("a pooled call has not been started");
            call.function = Some(self.0.clone());
            arguments.put(&mut |value| call.arguments.push(value));
            run
        }))
    }

    fn new_run(&self) -> Result<ProgramRun<Call>> {
        let idle = Idle::new(&self.0.entry, &self.0.storage)?;
        Ok(ProgramRun::new(&self.0.scope, Call::new(idle), Completion::default()))
    }

    /// The low level: calls the function on this thread for one slice of about a millisecond and returns what came of
    /// it. A call that waits is the caller's to resume, or to hand to
    /// [`wait_invoke_async`](crate::Runtime::wait_invoke_async). In a stateful session it is `Busy` while another has
    /// the turn.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED: no memory.
    pub fn begin(&self, arguments: impl Arguments) -> Result<Outcome> {
        let mut values = Values::new();
        arguments.put(&mut |value| values.push(value));
        Ok(Idle::new(&self.0.entry, &self.0.storage)?.begin(&values, &Slice::default()))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({:?})", self.0.entry)
    }
}
