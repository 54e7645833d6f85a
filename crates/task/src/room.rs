//! Places for runs, if their number is limited: a task that submits without end is refused, and its memory bounded.
//!
//! Not here: the limit of the wait set (`raddle-wait`).
//!
//! A place is a permit that a run has from its submission to its end. Who waits for room takes none: that would be a place
//! that nobody uses; so the wake-up is passed on, and all that waited try again.

use raddle_status::{Code, Error, Result};
use raddle_wait::{Commit, Event, Permits, Readiness, Route, SharedSource, WaitSource};
use raddle_wait::{SourceWaker, WakerId};
use std::sync::{Arc, OnceLock};

/// The places of one executor. Without a limit nothing is counted.
#[derive(Default)]
pub(crate) struct Room {
    limited: OnceLock<Limited>,
}

struct Limited {
    runs_max: u32,
    places: Arc<Permits>,
}

impl Room {
    /// At most so many runs. Called once, at construction.
    pub(crate) fn limit(&self, runs_max: u32) {
        let places = Arc::new(Permits::new(runs_max));
        assert!(self.limited.set(Limited { runs_max, places }).is_ok(), "a limit is set once");
    }

    /// Takes a place, if they are counted; says whether one was taken.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED.
    #[inline]
    pub(crate) fn take(&self) -> Result<bool> {
        match self.limited.get() {
            None => Ok(false),
            Some(limited) if limited.places.try_acquire() => Ok(true),
            Some(limited) => Err(limited.refusal()),
        }
    }

    /// Gives a place back, if one was taken.
    #[inline]
    pub(crate) fn give(&self, was_taken: bool) {
        if let (true, Some(limited)) = (was_taken, self.limited.get()) {
            limited.places.release(1);
        }
    }

    /// Ready when there is a place.
    pub(crate) fn source(&self) -> SharedSource {
        match self.limited.get() {
            Some(limited) => Arc::new(Vacancy(limited.places.clone())),
            None => {
                let always = Event::manual();
                always.set();
                Arc::new(always)
            }
        }
    }
}

impl Limited {
    #[cold]
    fn refusal(&self) -> Error {
        let text = format!(
            "{} runs are under way, the limit `runs_max`: raise it, or await a place (`Executor::place`)",
            self.runs_max
        );
        Error::new(Code::ResourceExhausted, text)
    }
}

/// See the head of this file.
struct Vacancy(Arc<Permits>);

impl WaitSource for Vacancy {
    fn arm(&self, waker: SourceWaker) {
        self.0.arm(waker);
    }

    fn query(&self) -> Readiness {
        if self.0.available() > 0 { Readiness::Ready } else { Readiness::Pending }
    }

    fn disarm(&self, waker: WakerId) {
        self.0.disarm(waker);
    }

    fn commit(&self) -> Commit {
        self.0.decline();
        Commit::Taken
    }

    fn decline(&self) {
        self.0.decline();
    }

    fn name(&self) -> &str {
        "a place for a run"
    }

    fn route(&self) -> Route<'_> {
        self.0.route()
    }
}
