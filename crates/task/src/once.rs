//! Functions that are called once: spawned tasks, and callbacks at the end of a run.
//!
//! Not here: work of sources (`jobs.rs`).
//!
//! Each is a run of a graph of one task that brings its function along, so that it has everything that a run has: a scope,
//! a handle, a deadline, a priority, nested work. Its block is pooled; the function's box is its only allocation.

use crate::aside::OnceFn;
use crate::block::{Block, Order};
use crate::context::TaskCx;
use crate::executor::SubmitOptions;
use crate::graph::{Graph, GraphBuilder, IntoResult};
use crate::run_handle::Run;
use crate::scope::Scope;
use raddle_status::Result;
use std::sync::Arc;

/// The graph of one task that calls what its run brings along.
pub(crate) fn graph() -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    builder.call(|cx| cx.block.call_once(cx));
    let mut graph = builder.build().expect("a graph of one task");
    Arc::get_mut(&mut graph).expect("nobody else has it yet").is_once = true;
    graph
}

fn boxed<R: IntoResult>(f: impl FnOnce(&TaskCx<'_>) -> R + Send + 'static) -> OnceFn {
    Box::new(move |cx| f(cx).into_result())
}

impl Scope {
    /// Runs `f` once, as a task of this scope. It is dropped without being called if the scope has failed by then.
    ///
    /// Blocks: never. Allocates the function's box; nothing for one that captures nothing.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the executor is shutting down.
    ///
    /// # Example
    /// ```
    /// use raddle_task::Executor;
    ///
    /// let executor = Executor::builder().workers(1).build().unwrap();
    /// let scope = executor.scope("greeting");
    /// let words = String::from("hello");
    /// scope.spawn(move |_| assert_eq!(words.len(), 5)).unwrap().wait().unwrap();
    /// ```
    pub fn spawn<R: IntoResult>(&self, f: impl FnOnce(&TaskCx<'_>) -> R + Send + 'static) -> Result<Run> {
        self.spawn_with(SubmitOptions::default(), f)
    }

    /// The same with options.
    ///
    /// # Errors
    /// As for [`spawn`](Scope::spawn).
    pub fn spawn_with<R: IntoResult>(
        &self,
        options: SubmitOptions,
        f: impl FnOnce(&TaskCx<'_>) -> R + Send + 'static,
    ) -> Result<Run> {
        self.core().check_fork()?;
        let SubmitOptions { priority, deadline, parent } = options;
        let order = Order { parent, priority, deadline, once: Some(boxed(f)), is_unstoppable: false };
        let block = Block::prepare(&self.core().once, self, order)?;
        Block::enqueue(block, self.core());
        Ok(Run::new(block))
    }
}

impl Run {
    /// Calls `callback` with the run's result once it has ended: as a task of the run's scope, on a worker or in the host's
    /// turn, never on the stack of whoever ended the run, or of the caller.
    ///
    /// The scope becomes idle after the callback has returned; cancelling it does not discard the callback. A panic in it
    /// fails the scope. Blocks: never.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the executor is shutting down; the callback is dropped then.
    pub fn on_complete(&self, callback: impl FnOnce(Result) + Send + 'static) -> Result {
        // One more handle goes along, so that the result is there.
        self.block().state().scope.core().check_fork()?;
        let run = self.again();
        let once: OnceFn = Box::new(move |_| {
            callback(run.block().result());
            Ok(())
        });
        let state = self.block().state();
        let order = Order { once: Some(once), is_unstoppable: true, ..Order::default() };
        let prepared = Block::prepare(&state.scope.core().once, &state.scope, order)?;
        self.block().add_callback(prepared);
        Ok(())
    }
}
