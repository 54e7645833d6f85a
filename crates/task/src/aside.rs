//! What a run seldom has, under one lock of its block: failures, a function of its own, callbacks.
//!
//! Not here: when each of them is used (`block.rs`).

use crate::block::BlockRef;
use crate::context::TaskCx;
use raddle_status::{Code, Error, Result};

/// A function that is called once.
pub(crate) type OnceFn = Box<dyn FnOnce(&TaskCx<'_>) -> Result + Send>;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Aside {
    /// The first failure of its tasks.
    pub(crate) first: Option<Error>,
    /// Why it was asked to stop.
    pub(crate) asked: Option<Error>,
    /// Why the first of its tasks was discarded.
    cause: Option<Error>,
    /// Failures of calls whose nested work still runs.
    pub(crate) kept: Vec<(u32, Error)>,
    /// What a run of a single function calls.
    pub(crate) once: Option<OnceFn>,
    /// Runs that begin when this one has ended.
    pub(crate) callbacks: Vec<BlockRef>,
}

impl Aside {
    /// The first of its tasks is discarded: somebody asked for it, or its scope has this failure.
    pub(crate) fn note_cause(&mut self, failure: Option<Error>) {
        if self.cause.is_none() {
            self.cause = self.asked.clone().or(failure);
        }
    }

    /// Takes the failure that was kept for a call.
    pub(crate) fn take_kept(&mut self, node: u32) -> Option<Error> {
        let at = self.kept.iter().position(|(kept, _)| *kept == node)?;
        Some(self.kept.swap_remove(at).1)
    }

    /// How a run ended of which nothing was given up, or something.
    pub(crate) fn result(&self, is_whole: bool) -> Result {
        match &self.first {
            Some(error) => Err(error.clone()),
            None if is_whole => Ok(()),
            None => Err(self.cause.clone().unwrap_or_else(|| Code::Aborted.into())),
        }
    }
}
