//! An executor that one thread drives alone, for sources, callbacks and tasks that must not leave it.
//!
//! Not here: the turn itself (`turn.rs`), the check of the thread (`bound.rs`).

use crate::bound::Bound;
use crate::executor::{Driver, Executor, ExecutorBuilder};
use crate::graph::IntoResult;
use crate::run_handle::Run;
use crate::scope::Scope;
use raddle_status::{Code, Result};
use raddle_wait::{
    Commit, Condition, FutureSource, Kernel, LocalSource, Moment, Readiness, SharedSource, SourceWaker,
    WaitSet, WaitSource, Waiting, WakerId,
};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// An executor without workers whose tasks run on one thread: the one that built it, inside its turns and waits.
///
/// It is an [`Executor`] otherwise. Scopes, runs and clones of the executor may go to other threads, which submit and wait;
/// `turn` is refused there, and a wait there sleeps until the own thread has turned. What is not `Send` goes in through the
/// methods of this type.
///
/// ```
/// use raddle_task::{Executor, GraphBuilder, LocalExecutor};
/// use std::{cell::Cell, rc::Rc};
///
/// let executor = LocalExecutor::new(Executor::builder()).unwrap();
/// let count = Rc::new(Cell::new(0));
/// let bound = executor.bind(count.clone());
/// let mut builder = GraphBuilder::new();
/// builder.call(move |_| bound.with(|count| count.set(count.get() + 1)));
/// executor.run(&builder.build().unwrap(), &executor.scope("here")).unwrap();
/// assert_eq!(count.get(), 1);
/// ```
#[derive(Clone)]
pub struct LocalExecutor {
    executor: Executor,
    _is_here: PhantomData<Rc<()>>,
}

impl LocalExecutor {
    /// Builds it on the calling thread, which will drive it. The builder's workers are ignored: there are none.
    ///
    /// # Errors
    /// As for [`ExecutorBuilder::build`].
    pub fn new(builder: ExecutorBuilder) -> Result<LocalExecutor> {
        let executor = builder.workers(0).driver(Driver::Host).build()?;
        let is_new = executor.core().home.set(std::thread::current().id()).is_ok();
        debug_assert!(is_new, "an executor was built twice");
        Ok(LocalExecutor { executor, _is_here: PhantomData })
    }

    /// A handle of a value that is not `Send`, for the functions of graphs.
    pub fn bind<T: 'static>(&self, value: T) -> Bound<T> {
        Bound::new(value)
    }

    /// Runs a function that is not `Send` once, as a task of `scope`.
    ///
    /// # Errors
    /// As for [`Scope::spawn`].
    pub fn spawn<R: IntoResult>(&self, scope: &Scope, f: impl FnOnce() -> R + 'static) -> Result<Run> {
        let once = Bound::new(Cell::new(Some(f)));
        scope.spawn(move |_| {
            let f = once.with(Cell::take)?;
            f.map_or(Ok(()), |f| f().into_result())
        })
    }

    /// As [`Run::on_complete`], for a callback that is not `Send`.
    ///
    /// # Errors
    /// As there.
    pub fn on_complete(&self, run: &Run, callback: impl FnOnce(Result) + 'static) -> Result {
        let once = Bound::new(Cell::new(Some(callback)));
        run.on_complete(move |result| {
            if let Ok(Some(callback)) = once.with(Cell::take) {
                callback(result);
            }
        })
    }

    /// A source that is not `Send`, for the waits of graphs.
    pub fn source(&self, source: LocalSource) -> SharedSource {
        Arc::new(BoundSource(Bound::new(source)))
    }

    /// Polls a future that is not `Send` in the turns of this thread; the result is ready when the future is.
    pub fn future(&self, future: impl Future<Output = ()> + 'static) -> SharedSource {
        let future: Local = Box::pin(future);
        let source = FutureSource::new(self.job_host(), BoundFuture(Bound::new(RefCell::new(future))));
        source.start();
        Arc::new(source)
    }

    /// As [`Executor::wait_for`], for sources that are not `Send`. It does not end when the executor does.
    pub fn wait_for_local(
        &self,
        condition: impl Into<Condition<LocalSource>>,
        deadline: Moment,
    ) -> Waiting<LocalSource, Arc<WaitSet<Box<dyn Kernel>>>> {
        Waiting::on(self.slots(), self.stage(), condition, deadline)
    }
}

impl Deref for LocalExecutor {
    type Target = Executor;

    fn deref(&self) -> &Executor {
        &self.executor
    }
}

impl fmt::Debug for LocalExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalExecutor({:?})", self.executor)
    }
}

/// A source that is asked on its own thread. Elsewhere it fails, or does nothing where nothing can fail.
struct BoundSource(Bound<LocalSource>);

impl WaitSource for BoundSource {
    fn arm(&self, waker: SourceWaker) {
        let spare = waker.clone();
        if self.0.with(|source| source.arm(waker)).is_err() {
            spare.fail(Code::FailedPrecondition);
        }
    }

    fn query(&self) -> Readiness {
        self.0.with(|source| source.query()).unwrap_or_else(Readiness::Failed)
    }

    fn disarm(&self, waker: WakerId) {
        let _ = self.0.with(|source| source.disarm(waker));
    }

    fn commit(&self) -> Commit {
        self.0.with(|source| source.commit()).unwrap_or(Commit::Lost)
    }

    fn give_back(&self) {
        let _ = self.0.with(|source| source.give_back());
    }

    fn decline(&self) {
        let _ = self.0.with(|source| source.decline());
    }
}

type Local = Pin<Box<dyn Future<Output = ()>>>;

/// A future that is polled on its own thread.
struct BoundFuture(Bound<RefCell<Local>>);

impl Future for BoundFuture {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let polled = self.0.with(|future| future.borrow_mut().as_mut().poll(context));
        // The message of a panic is that of the source's failure.
        polled.unwrap_or_else(|error| panic!("{error}"))
    }
}
