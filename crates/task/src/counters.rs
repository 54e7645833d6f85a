//! What was counted: by each worker for itself, added up when somebody asks.
//!
//! Counting costs a plain load and store: a counter has one writer. (by construction: each worker owns its own; threads
//! that are none share one, by `add_shared`)

use raddle_sync::counter::{AtomicU64, Relaxed};
use raddle_wait::Outcome;
use std::ops::{Add, AddAssign};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts since the executor was built.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Add for Counts {
            type Output = Counts;
            fn add(self, other: Counts) -> Counts {
                Counts { $($name: self.$name + other.$name,)* }
            }
        }

        impl Counts {
            /// Names and values, for dumps.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }

        /// The counters of one worker.
        #[derive(Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)* }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// Runs submitted: of graphs, spawned functions, callbacks, nested work.
    runs_submitted,
    /// Tasks of graphs that were run or discarded, turns of programs, jobs of sources. Tiles are not counted.
    tasks_run,
    /// Tasks taken from another worker.
    tasks_stolen,
    /// Tasks taken from the outside lists.
    tasks_from_outside,
    /// Times a worker went to sleep on its parker.
    parks,
    /// Times a worker went to sleep in the kernel.
    kernel_sleeps,
    /// Sleepers woken by this thread.
    wakes,
    /// Waits that were begun.
    waits_begun,
    /// Waits that ended at once, without waiting.
    waits_inline,
    /// Waits that waited and ended as ready or failed.
    waits_fired,
    /// Waits that waited and were cancelled.
    waits_cancelled,
    /// Waits that waited until their deadline, or their delay.
    waits_timed_out,
    /// Looks at the wait set, sleeping ones included.
    poller_turns,
}

impl Counters {
    /// The counter of waits that waited and ended like this.
    pub(crate) fn of_waits(&self, outcome: &Outcome) -> &Counter {
        match outcome {
            Outcome::Ready { .. } | Outcome::Failed(_) => &self.waits_fired,
            Outcome::Cancelled => &self.waits_cancelled,
            Outcome::TimedOut => &self.waits_timed_out,
        }
    }
}

/// The counters of one thread, looked up once for several counts there.
#[derive(Clone, Copy)]
pub(crate) enum Tally<'a> {
    /// A worker's, or the host's in its turn: nobody else writes them.
    Own(&'a Counters),
    /// Those of every thread that is neither.
    Foreign(&'a Counters),
}

impl Tally<'_> {
    /// Counts one.
    #[inline]
    pub(crate) fn count(self, of: impl Fn(&Counters) -> &Counter) {
        match self {
            Tally::Own(counters) => of(counters).add(1),
            Tally::Foreign(counters) => of(counters).add_shared(1),
        }
    }
}

impl Counts {
    /// Waits that waited, those that still do included.
    pub fn waits_armed(&self) -> u64 {
        self.waits_begun.saturating_sub(self.waits_inline)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        *self = *self + other;
    }
}

/// A number with one writer and any number of readers.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(count), Relaxed);
    }

    /// For a counter that any thread may raise.
    pub(crate) fn add_shared(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
