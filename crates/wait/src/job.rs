//! Work that a source has for whoever runs its program: one poll of a future, say.
//!
//! Not here: queues and threads; a host brings them.
//!
//! # Invariants
//! - I1: a job is run once; until then its header is the holder's, to link into a queue.
//!   (by construction: `run` and `into_header` take the job by value)

#![allow(unsafe_code)]

use crate::resume::{Owed, Resume};
use std::ptr::NonNull;

/// Whoever runs jobs: an executor, or a loop that somebody turns.
pub trait JobHost: Send + Sync {
    /// Has `job` run soon: later, or on another thread, but not inside this call.
    ///
    /// Ordering: the call happens before the job runs. Must not block; called with no lock held, on any thread. A host that shuts down runs what it has accepted: a job
    /// that is dropped leaks what belongs to it, and whoever waits for it waits for ever.
    fn run_soon(&self, job: Job);
}

/// A short piece of work. It is one word, and brings the link for a host's queue along: queueing it needs no allocation.
#[must_use = "a job that is dropped is never run"]
#[derive(Debug)]
pub struct Job(NonNull<Resume>);

// SAFETY: I1; headers are Send, and what they head is the business of their makers, who are told that any thread runs it.
unsafe impl Send for Job {}

impl Job {
    /// A job that calls the header's function once, on any thread.
    ///
    /// # Safety
    /// The header stays until then, and nobody else links or calls it (I1).
    pub unsafe fn new(header: NonNull<Resume>) -> Job {
        Job(header)
    }

    /// Runs it. Call it with no lock held. Panics of foreign code don't come out of it.
    pub fn run(self) {
        // SAFETY: I1.
        unsafe { Owed::new(self.0) }.pay();
    }

    /// The header, to be linked into a queue ([`Resume::set_next`]); give it back to [`new`](Job::new) once.
    pub fn into_header(self) -> NonNull<Resume> {
        self.0
    }
}
