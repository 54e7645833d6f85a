//! How many waits are armed in a set, and how many may be.
//!
//! # Invariants
//! - I1: whoever takes the count from zero calls `on_first` afterwards, also if its own arming fails: others may have
//!   counted on it. [mutants: places.first]
//! - I2: with a limit, a refusal is followed by a call of `on_place` after the next place was given back, or the
//!   refused sees the place itself. [mutants: places.refuse, places.give]
//! - I3: `vacancy` is set while a place is free and nobody takes or gives one: it is reset by who is about to be refused, and
//!   set again by whoever then finds or gives a place. (by construction: `take`, `give`; its order is I2's)
//!
//! # Orderings
//! `take` raises the count, then calls `on_first`, with a sequentially consistent fence between: a sleeper that announces
//! itself, fences and reads the count either sees it or is seen by the callee. `take` notes a refusal and then looks
//! again, `give` lowers the count and then looks for a refusal: the same pattern. The count itself publishes nothing.
//! Models: `tests/loom_set.rs`.

use crate::condition::SharedSource;
use crate::event::Event;
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use raddle_sync::fence;
use std::sync::{Arc, OnceLock};

/// What a wait set may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Armed waits on descriptors and moments at once; a deadline of another wait is never refused. Default: unlimited.
    pub armed_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { armed_max: usize::MAX }
    }
}

type Hook = Box<dyn Fn() + Send + Sync>;

pub(super) struct Places {
    taken: AtomicUsize,
    /// Those of them that the limit is for: all but deadlines. Counted only if there is a limit.
    limited: AtomicUsize,
    limit: usize,
    /// Somebody was refused, and nobody was told of a place since.
    refused: AtomicBool,
    on_first: OnceLock<Hook>,
    on_place: OnceLock<Hook>,
    /// Set while it is worth trying to take a place; made when somebody first waits for one.
    vacancy: OnceLock<Arc<Event>>,
}

/// What fired in one step.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Fired {
    /// Waits that are armed no more: places to give back.
    pub(super) gone: usize,
    /// Those of them that were deadlines.
    pub(super) deadlines: usize,
    /// Those of them that resolved something.
    pub(super) counted: usize,
}

impl Fired {
    /// One wait that left without firing.
    pub(super) const REMOVED: Fired = Fired { gone: 1, deadlines: 0, counted: 0 };
    /// One deadline that left without firing.
    pub(super) const REMOVED_DEADLINE: Fired = Fired { gone: 1, deadlines: 1, counted: 0 };

    pub(super) fn add(&mut self, counted: bool) {
        self.gone += 1;
        self.counted += usize::from(counted);
    }

    pub(super) fn merge(&mut self, other: Fired) {
        self.gone += other.gone;
        self.deadlines += other.deadlines;
        self.counted += other.counted;
    }
}

/// A place was taken; [`Places::tell`] must follow the arming, with no lock held.
#[must_use]
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    is_first: bool,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Places {
        Places {
            taken: AtomicUsize::new(0),
            limited: AtomicUsize::new(0),
            limit: limits.armed_max,
            refused: AtomicBool::new(false),
            on_first: OnceLock::new(),
            on_place: OnceLock::new(),
            vacancy: OnceLock::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// Whether a wait may be refused.
    pub(super) fn are_limited(&self) -> bool {
        self.limit != usize::MAX
    }

    pub(super) fn set_on_first(&self, hook: Hook) {
        assert!(self.on_first.set(hook).is_ok(), "on_first is called once, at construction");
    }

    pub(super) fn set_on_place(&self, hook: Hook) {
        assert!(self.on_place.set(hook).is_ok(), "on_place is called once, at construction");
    }

    /// Ready when it is worth trying to take a place.
    pub(super) fn vacancy(&self) -> SharedSource {
        let made = self.vacancy.get_or_init(|| {
            let event = Event::manual();
            event.set();
            Arc::new(event)
        });
        if self.limited.load(Relaxed) >= self.limit {
            self.note_refusal();
            if self.limited.load(Relaxed) < self.limit {
                made.set();
            }
        }
        made.clone()
    }

    /// Whoever comes next to give a place back tells of it; the caller looks again after that.
    fn note_refusal(&self) {
        if let Some(vacancy) = self.vacancy.get() {
            vacancy.reset();
        }
        self.refused.store(true, Relaxed);
        fence!("places.refuse");
    }

    /// Counts a wait that nobody may refuse.
    pub(super) fn take_always(&self) -> Taken {
        Taken { is_first: self.taken.fetch_add(1, Relaxed) == 0 }
    }

    /// Counts a wait, within the limit.
    pub(super) fn take(&self) -> Result<Taken> {
        if !self.are_limited() {
            return Ok(self.take_always());
        }
        let mut may_retry = true;
        loop {
            let seen = self.limited.load(Relaxed);
            if seen < self.limit {
                if self.limited.compare_exchange_weak(seen, seen + 1, Relaxed, Relaxed).is_ok() {
                    if let (false, Some(vacancy)) = (may_retry, self.vacancy.get()) {
                        // There was a place after all, and there may be more.
                        vacancy.set();
                    }
                    return Ok(self.take_always());
                }
                continue;
            }
            if !std::mem::take(&mut may_retry) {
                return Err(self.refusal());
            }
            self.note_refusal();
        }
    }

    #[cold]
    fn refusal(&self) -> Error {
        let limit = self.limit;
        Error::new(
            Code::ResourceExhausted,
            format!(
                "{limit} waits on descriptors and moments are armed, the limit `armed_max`; raise it, or await a place \
                 (`WaitSet::place`)"
            ),
        )
    }

    /// Tells whoever must know that waits are armed. Call it after the arming, with no lock held.
    pub(super) fn tell(&self, taken: Taken) {
        if taken.is_first {
            fence!("places.first");
            if let Some(hook) = self.on_first.get() {
                hook();
            }
        }
    }

    /// Gives places back. Call it with no lock held.
    pub(super) fn give(&self, fired: Fired) {
        let Fired { gone, deadlines, .. } = fired;
        if gone == 0 {
            return;
        }
        let before = self.taken.fetch_sub(gone, Relaxed);
        debug_assert!(before >= gone, "{gone} places given back of {before}");
        if self.are_limited() && gone > deadlines {
            let before = self.limited.fetch_sub(gone - deadlines, Relaxed);
            debug_assert!(before >= gone - deadlines, "{gone} places given back of {before}");
            fence!("places.give");
            let was_refused = self.refused.load(Relaxed) && self.refused.swap(false, Relaxed);
            if was_refused {
                if let Some(vacancy) = self.vacancy.get() {
                    vacancy.set();
                }
                if let Some(hook) = self.on_place.get() {
                    hook();
                }
            }
        }
    }
}
