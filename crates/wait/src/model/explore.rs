//! Runs a body in every order of its threads, and says what happened in the one that fails.
//!
//! Not here: the exploring (loom), the types that it watches (`raddle-sync`).

use raddle_sync::{Explored, Trace, explore};
use std::fmt;
use std::time::Duration;

/// How long one model may take before it is ended. Guess: many times what a model of three threads takes.
const LIMIT: Duration = Duration::from_secs(600);

/// Explores every schedule of `body`.
///
/// # Panics
/// When one fails, with what its threads did in it.
#[track_caller]
pub fn check(body: impl Fn() + Send + Sync + 'static) {
    if let Err(failure) = Check::new().run(body) {
        panic!("{failure}");
    }
}

/// How a model is explored.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Check {
    preemptions: Option<usize>,
    limit: Duration,
}

impl Default for Check {
    fn default() -> Check {
        Check::new()
    }
}

impl Check {
    /// Every schedule, for at most ten minutes.
    pub fn new() -> Check {
        Check { preemptions: None, limit: LIMIT }
    }

    /// Only schedules in which threads are interrupted at most so often. Two threads can be explored without a bound; for
    /// three, 2 finds nearly everything, for four as well.
    pub fn preemptions(mut self, bound: usize) -> Check {
        self.preemptions = Some(bound);
        self
    }

    /// Another limit of time. A model that has not ended by then fails, with the steps that it was at.
    pub fn limit(mut self, limit: Duration) -> Check {
        self.limit = limit;
        self
    }

    /// Explores; says how many schedules there were. A panic in a schedule fails it, also one that somebody catches.
    ///
    /// # Errors
    /// The first schedule that fails.
    pub fn run(self, body: impl Fn() + Send + Sync + 'static) -> Result<Explored, Failure> {
        explore(self.preemptions, self.limit, body)
            .map_err(|failed| Failure { message: plain(&failed.message), trace: failed.trace })
    }
}

/// loom's words for what people look for.
fn plain(message: &str) -> String {
    if message.starts_with("deadlock") {
        return "every thread waits for ever: a wake-up was lost, or a lock is waited for by its holder"
            .to_owned();
    }
    if message.contains("exceeded maximum number of branches") {
        return "a schedule does not end: a thread spins for something that never comes".to_owned();
    }
    message.to_owned()
}

/// A schedule that failed.
#[derive(Debug)]
pub struct Failure {
    message: String,
    trace: Trace,
}

impl Failure {
    /// What went wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Who did what, in order, a line each, without what this crate did inside.
    pub fn trace(&self) -> String {
        self.trace.render(|file| !is_own(file))
    }

    /// The same with the steps inside this crate.
    pub fn full_trace(&self) -> String {
        self.trace.render(|_| true)
    }
}

/// Whether a step was taken by the inside of the product, and not by the code that is checked.
fn is_own(file: &str) -> bool {
    let here = file!();
    let package = here.strip_suffix("src/model/explore.rs").unwrap_or(here);
    let is_kit = file.ends_with("src/model/program.rs") && file.starts_with(package);
    !is_kit && file.strip_prefix(package).is_some_and(|rest| rest.starts_with("src/"))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nwhat the threads did until then:\n{}", self.message, self.trace())
    }
}

impl std::error::Error for Failure {}
