//! A function of a session.
//!
//! Not here: what an invocation can do (`invocation.rs`), where finished ones are kept (`pool.rs`).

use crate::call::Call;
use crate::coarse::Coarse;
use crate::completion::Completion;
use crate::invocation::Invocation;
use crate::observer::Observer;
use crate::pool::Pool;
use crate::typed::{ArgumentTypes, ResultTypes, TypedFunction};
use crate::values::{Arguments, Values};
use raddle_status::Result;
use raddle_task::{ProgramRun, Scope, Spent};
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
    pub(crate) name: String,
    scope: Scope,
    pub(crate) observer: Option<Arc<Observer>>,
    storage: Storage,
    /// Of a stateful context: one invocation at a time.
    pub(crate) turn: Option<Arc<Permits>>,
    /// Of the asynchronous interface: the fences of its calls.
    pub(crate) coarse: Option<Coarse>,
    pool: Pool,
}

impl Inner {
    /// Keeps a finished invocation for the next.
    pub(crate) fn keep(&self, spent: Spent<Call>) {
        self.pool.keep(&self.scope, spent);
    }
}

impl Function {
    pub(crate) fn new(
        entry: EntryPoint,
        scope: &Scope,
        turn: Option<Arc<Permits>>,
        observer: Option<Arc<Observer>>,
    ) -> Function {
        Function(Arc::new(Inner {
            name: entry.name(),
            coarse: Coarse::of(&entry),
            entry,
            scope: scope.clone(),
            observer,
            storage: Storage::default(),
            turn,
            pool: Pool::new(scope),
        }))
    }

    /// `module.function`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it takes and returns.
    pub fn signature(&self) -> &Signature {
        self.0.entry.signature()
    }

    /// What the compiler says of it under this key, such as `iree.abi.declaration`.
    pub fn attr(&self, key: &str) -> Option<&str> {
        self.0.entry.attr(key)
    }

    /// Whether it is of the asynchronous interface: its last two arguments are the fence that it waits for and the fence that
    /// it signals. Called without them, it begins at once.
    pub fn takes_fences(&self) -> bool {
        self.0.coarse.is_some()
    }

    /// A call with these arguments, which begins when it is waited for, polled, or started. Allocates only if no
    /// finished invocation of the function is at hand.
    ///
    /// Wrong arguments are the invocation's failure: INVALID_ARGUMENT.
    pub fn invoke(&self, arguments: impl Arguments) -> Invocation {
        let mut values = Values::new();
        arguments.put(&mut |value| values.push(value));
        self.invoke_with(values)
    }

    pub(crate) fn invoke_with(&self, values: Values) -> Invocation {
        let run = match self.0.pool.take(&self.0.scope) {
            Some(mut spent) => {
                spent.program().prepare(&self.0, values);
                spent.shared().function = Some(self.0.clone());
                Ok(spent.revive())
            }
            None => self.new_run(values),
        };
        Invocation::new(run.map_err(|error| Box::new((error, self.0.scope.clone()))))
    }

    fn new_run(&self, values: Values) -> Result<ProgramRun<Call>> {
        let mut call = Call::new(Idle::new(&self.0.entry, &self.0.storage)?);
        call.prepare(&self.0, values);
        Ok(ProgramRun::new(&self.0.scope, call, Completion::new(Some(self.0.clone()))))
    }

    /// The same with types that are checked once, here, against the function's signature.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: the function takes or returns something else.
    pub fn typed<A: ArgumentTypes, R: ResultTypes>(&self) -> Result<TypedFunction<A, R>> {
        TypedFunction::new(self.clone())
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
