//! What a batch is to do: the function, the bounds, what stops it.
//!
//! Not here: doing it (`engine.rs`).

use super::engine::{self, Sink};
use super::item::Item;
use super::items::Items;
use super::report::{Progress, Summary};
use super::shard::Shard;
use super::sink::Finished;
use crate::runtime::Runtime;
use crate::session::Session;
use crate::tuning::{BATCH_IN_FLIGHT, BATCH_RETRY_PAUSE};
use raddle_status::Result;
use raddle_wait::Condition;
use std::fmt;
use std::time::Duration;

/// Which state the items of a stateful module see.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// Each sees the state as the session has it now: its call runs in a fork of its own.
    #[default]
    PerItem,
    /// Each sees what the one before it left: one call at a time, in the order of the input.
    Shared,
}

pub(super) type OnProgress = Box<dyn FnMut(&Progress)>;

/// One function over many items. Made by [`Runtime::batch`].
///
/// ```no_run
/// use raddle::batch::{Done, Item};
/// use raddle::*;
///
/// # fn main() -> Result {
/// let runtime = Runtime::builder().workers(2).build()?;
/// let session = runtime.session().path("waits.vmfb")?.build()?;
/// let items = (0..1000).map(|number| Ok(Item::new([Value::I64(1_000_000), Value::I32(number)])));
/// let summary = runtime.batch(&session, "waits.delay")?.in_flight(256).run(items, &mut |done: &mut Done| {
///     println!("{}: {:?}", done.id, done.result);
///     Ok(())
/// });
/// assert!(summary.is_complete());
/// # Ok(())
/// # }
/// ```
#[must_use = "call `run`"]
pub struct Batch {
    pub(super) runtime: Runtime,
    pub(super) session: Session,
    pub(super) name: String,
    pub(super) in_flight: usize,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: u32,
    pub(super) retry_pause: Duration,
    pub(super) fails_fast: bool,
    pub(super) is_ordered: bool,
    pub(super) state: State,
    pub(super) shard: Shard,
    pub(super) finished: Finished,
    pub(super) total: Option<u64>,
    pub(super) stop: Option<Condition>,
    pub(super) progress: Option<(Duration, OnProgress)>,
}

impl Batch {
    pub(crate) fn new(runtime: &Runtime, session: &Session, name: &str) -> Result<Batch> {
        let name = session.function(name)?.name().to_owned();
        Ok(Batch {
            runtime: runtime.clone(),
            session: session.clone(),
            name,
            in_flight: BATCH_IN_FLIGHT,
            timeout: None,
            retries: 0,
            retry_pause: BATCH_RETRY_PAUSE,
            fails_fast: false,
            is_ordered: false,
            state: State::default(),
            shard: Shard::ALL,
            finished: Finished::default(),
            total: None,
            stop: None,
            progress: None,
        })
    }

    /// How many items may run or wait at a time; 1024 by default. It bounds memory, too.
    pub fn in_flight(mut self, count: usize) -> Batch {
        self.in_flight = count.max(1);
        self
    }

    /// How long each try of an item may take, running and waiting; then it fails with DEADLINE_EXCEEDED.
    pub fn timeout(mut self, time: Duration) -> Batch {
        self.timeout = Some(time);
        self
    }

    /// How often an item that failed is tried again, if its status is one that another try may change: not for wrong
    /// arguments, say. It counts as one in flight meanwhile. With the same arguments: what a call has changed in them stays.
    pub fn retries(mut self, count: u32) -> Batch {
        self.retries = count;
        self
    }

    /// How long an item pauses before it is tried again: between half of this and this, twice as long each further time, up to
    /// a minute. 100 ms by default.
    pub fn retry_pause(mut self, time: Duration) -> Batch {
        self.retry_pause = time;
        self
    }

    /// Stops the batch when an item has failed for good.
    pub fn fail_fast(mut self, is_wanted: bool) -> Batch {
        self.fails_fast = is_wanted;
        self
    }

    /// Tells results in the order of the items. Items that come after a slow one are held back; at some multiple of the
    /// number in flight nothing more is launched.
    pub fn ordered(mut self, is_wanted: bool) -> Batch {
        self.is_ordered = is_wanted;
        self
    }

    /// Which state the items of a stateful module see.
    pub fn state(mut self, state: State) -> Batch {
        self.state = state;
        self
    }

    /// Runs a part of the items.
    pub fn shard(mut self, shard: Shard) -> Batch {
        self.shard = shard;
        self
    }

    /// Leaves out what a former run has finished.
    pub fn skip(mut self, finished: Finished) -> Batch {
        self.finished = finished;
        self
    }

    /// How many items there are, if the input does not say.
    pub fn total(mut self, count: u64) -> Batch {
        self.total = Some(count);
        self
    }

    /// Stops the batch when this condition holds: nothing more is launched, and what is in flight is cancelled and not told.
    pub fn stop_on(mut self, condition: impl Into<Condition>) -> Batch {
        self.stop = Some(condition.into());
        self
    }

    /// Calls `report` about that often, on the thread that runs the batch, and once at the end.
    pub fn on_progress(mut self, interval: Duration, report: impl FnMut(&Progress) + 'static) -> Batch {
        self.progress = Some((interval, Box::new(report)));
        self
    }

    /// Runs the items; each result goes to `sink`, on this thread. An item whose place in `items` is an error ends the batch;
    /// for an item that can't be run, see [`Item::arguments`].
    ///
    /// Blocks: until the batch has ended. Without workers, this thread turns the runtime. Items are pulled when there is
    /// room for them, so that neither a long input nor a slow sink fills the memory.
    pub fn run(self, items: impl IntoIterator<Item = Result<Item>>, sink: &mut impl Sink) -> Summary {
        engine::run(self, items.into_iter(), sink)
    }

    /// The same for items that come when they come: results are told and the batch can be stopped meanwhile.
    pub fn run_from(self, items: impl Items, sink: &mut impl Sink) -> Summary {
        engine::run(self, items, sink)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({})", self.name)
    }
}
