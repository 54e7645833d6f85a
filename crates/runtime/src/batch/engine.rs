//! The loop of a batch: launches items, takes their results, tries again, tells its sink.
//!
//! Not here: who reads items and writes results (`format/`, `sink.rs`).
//!
//! ```text
//!  items ──► skip: other shard, finished, repeated ──► launch ──► workers ──► mailbox ──► again? ──► order ──► sink
//!              ▲                                        a bounded number ◄── pause ◄────────┘                 │
//!              └────────────────────────── pulled only when there is room ◄───────────────────────────────────┘
//! ```
//!
//! # Invariants
//! - B1: an item that was launched is told once, unless the batch was stopped before it ended. (by construction: it leaves
//!   `flying` in `land` alone, to be told or to pause)
//! - B2: at most `in_flight` items are launched or pausing and not told, and `ORDER_AHEAD` times as many are held back for the order.
//!   (by construction: `has_room`)

use super::duplicates::Duplicates;
use super::item::{Done, Item, ItemId};
use super::items::Items;
use super::launcher::{Crew, Load};
use super::mailbox::{Letter, Mailbox, Nudge};
use super::order::{Order, Place};
use super::plan::{Batch, State};
use super::report::Summary;
use super::stopper::Stopper;
use super::tray::Tray;
use crate::function::Function;
use crate::session::Session;
use crate::tuning::{BATCH_GATHER, BATCH_GATHER_MAX, BATCH_ORDER_AHEAD, BATCH_RETRY_PAUSE_MAX};
use raddle_status::{Code, Error, Result};
use raddle_task::{Scope, TurnBudget};
use raddle_vm::Value;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Who takes the results of a batch. Any `FnMut(&mut Done) -> Result` is one.
pub trait Sink {
    /// Takes a result. One that can't be kept may be replaced by a failure: then the item counts as failed.
    ///
    /// # Errors
    /// What keeps the batch from going on: it stops.
    fn put(&mut self, done: &mut Done) -> Result;

    /// No result comes for a while.
    ///
    /// # Errors
    /// As for [`put`](Sink::put).
    fn pause(&mut self) -> Result {
        Ok(())
    }
}

impl<F: FnMut(&mut Done) -> Result> Sink for F {
    fn put(&mut self, done: &mut Done) -> Result {
        self(done)
    }
}

/// Runs a batch; see [`Batch::run`].
pub(super) fn run(batch: Batch, mut items: impl Items, sink: &mut impl Sink) -> Summary {
    let mut running = match Running::new(batch, items.total()) {
        Ok(running) => running,
        Err(error) => return Summary { stopped: Some(error), ..Summary::default() },
    };
    loop {
        running.fill(&mut items, sink);
        if running.unsettled() == 0 && (running.is_drained || running.stopped.is_some()) {
            return running.end(sink);
        }
        running.collect(sink);
    }
}

/// An item that was launched and has not been told.
struct Flying {
    index: u64,
    id: ItemId,
    attempts: u32,
    /// The arguments, if it may be tried again.
    again: Option<Vec<Value>>,
}

/// An item that is tried again when the time has come; the greatest is the one that comes first.
struct Pausing {
    due: Instant,
    flying: Flying,
    arguments: Vec<Value>,
}

impl Ord for Pausing {
    fn cmp(&self, other: &Pausing) -> Ordering {
        (other.due, other.flying.index).cmp(&(self.due, self.flying.index))
    }
}

impl PartialOrd for Pausing {
    fn partial_cmp(&self, other: &Pausing) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pausing {
    fn eq(&self, other: &Pausing) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pausing {}

/// A batch under way.
struct Running {
    batch: Batch,
    scope: Scope,
    /// What each item runs in a fork of.
    forked: Option<Session>,
    crew: Arc<Crew>,
    /// Woken when the input has an item again.
    nudge: Waker,
    stopper: Option<Stopper>,
    flying: Vec<Option<Flying>>,
    vacant: Vec<usize>,
    flying_count: usize,
    pausing: BinaryHeap<Pausing>,
    letters: Vec<Letter>,
    next_index: u64,
    is_drained: bool,
    duplicates: Duplicates,
    order: Order,
    stopped: Option<Error>,
    start: Instant,
    /// Waits and awaits before it.
    before: (u64, u64),
    reported: Instant,
    summary: Summary,
}

/// Waits that waited and have ended, and awaits of fences that suspended.
fn waits(batch: &Batch) -> (u64, u64) {
    let counts = batch.runtime.executor().counts();
    let waits = counts.waits_fired + counts.waits_timed_out + counts.waits_cancelled;
    (waits, batch.session.awaits().suspensions())
}

impl Running {
    fn new(mut batch: Batch, known: Option<u64>) -> Result<Running> {
        let scope = batch.runtime.executor().scope("batch");
        let session = batch.session.in_scope(&scope);
        if session.is_stateful() && batch.state == State::Shared {
            batch.in_flight = 1;
        }
        let mailbox = Arc::new(Mailbox::default());
        let worker_count = batch.runtime.executor().worker_count();
        let crew = Arc::new(Crew {
            tray: Tray::new(worker_count.max(1)),
            mailbox: mailbox.clone(),
            function: session.function(&batch.name)?,
            timeout: batch.timeout,
        });
        let forks = session.is_stateful() && batch.state == State::PerItem;
        let is_turned_here = worker_count == 0;
        let stage = is_turned_here.then(|| batch.runtime.executor().stage());
        let nudge = Waker::from(Arc::new(Nudge { mailbox: mailbox.clone(), stage }));
        let stopper = batch.stop.take().map(|stop| Stopper::start(&batch.runtime, stop, &mailbox));
        let start = Instant::now();
        let mut summary = Summary::default();
        summary.progress.total = batch.total.or(known);
        summary.progress.resumed_failed = batch.finished.failed();
        let before = waits(&batch);
        Ok(Running {
            stopper: stopper.transpose()?,
            order: Order::new(batch.is_ordered),
            batch,
            scope,
            forked: forks.then_some(session),
            crew,
            nudge,
            flying: Vec::new(),
            vacant: Vec::new(),
            flying_count: 0,
            pausing: BinaryHeap::new(),
            letters: Vec::new(),
            next_index: 0,
            is_drained: false,
            duplicates: Duplicates::default(),
            stopped: None,
            start,
            before,
            reported: start,
            summary,
        })
    }

    /// Items that were launched and not told.
    fn unsettled(&self) -> usize {
        self.flying_count + self.pausing.len()
    }

    fn has_room(&self) -> bool {
        let ahead = self.batch.in_flight.saturating_mul(BATCH_ORDER_AHEAD) as u64;
        self.unsettled() < self.batch.in_flight && self.order.ahead(self.next_index) < ahead
    }

    /// Launches items while there is room; first those that have paused long enough.
    fn fill(&mut self, items: &mut impl Items, sink: &mut impl Sink) {
        while let Some(first) = self.pausing.peek()
            && first.due <= Instant::now()
            && let Some(Pausing { flying, arguments, .. }) = self.pausing.pop()
        {
            self.launch(flying, arguments, sink);
        }
        self.crew.mailbox.look();
        let waker = self.nudge.clone();
        let mut context = Context::from_waker(&waker);
        while !self.is_drained && self.stopped.is_none() && self.has_room() {
            match items.poll_next(&mut context) {
                Poll::Pending => return,
                Poll::Ready(None) => self.is_drained = true,
                Poll::Ready(Some(Err(error))) => self.stop(error),
                Poll::Ready(Some(Ok(item))) => self.admit(item, sink),
            }
            if self.next_index.is_multiple_of(BATCH_GATHER_MAX as u64) && self.crew.mailbox.is_stopped() {
                return;
            }
        }
    }

    /// Launches an item, unless it is not to be run.
    fn admit(&mut self, item: Item, sink: &mut impl Sink) {
        let index = self.next_index;
        self.next_index += 1;
        let id = item.id.unwrap_or(ItemId::Index(index));
        let is_repeated = self.duplicates.is_repeated(&id);
        let is_elsewhere = !self.batch.shard.has(&id);
        if is_elsewhere || self.batch.finished.has(index) {
            match is_elsewhere {
                true => self.summary.progress.elsewhere += 1,
                false => self.summary.progress.resumed += 1,
            }
            return self.tell(index, Place::Skipped, sink);
        }
        let refusal = match (item.arguments, is_repeated) {
            (Ok(arguments), false) => {
                return self.launch(Flying { index, id, attempts: 0, again: None }, arguments, sink);
            }
            (Err(error), _) => error,
            (Ok(_), true) => {
                Error::new(Code::AlreadyExists, format!("an item before this one has the id '{id}' too"))
            }
        };
        let result = Err(refusal);
        self.tell(index, Place::Here(Done { index, id, attempts: 0, result }), sink);
    }

    /// Calls the function for an item.
    fn launch(&mut self, mut flying: Flying, arguments: Vec<Value>, sink: &mut impl Sink) {
        flying.attempts += 1;
        if flying.attempts <= self.batch.retries {
            flying.again = Some(arguments.clone());
        }
        let own = match self.own_function() {
            Ok(own) => own,
            Err(error) => {
                let Flying { index, id, attempts, .. } = flying;
                return self.tell(index, Place::Here(Done { index, id, attempts, result: Err(error) }), sink);
            }
        };
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.flying.push(None);
            self.flying.len() - 1
        });
        self.flying[slot] = Some(flying);
        self.flying_count += 1;
        let most = &mut self.summary.progress.in_flight_most;
        *most = (*most).max(self.flying_count);
        let load = Load { slot, own, arguments: arguments.into() };
        if let Err((error, back)) = self.crew.lay(load, &self.scope) {
            back.into_iter().for_each(|load| self.land(load.slot, Err(error.clone()), sink));
        }
    }

    /// The function in a fork, if each item is to see the state as it is now. Here, since a fork takes the state's turn.
    fn own_function(&self) -> Result<Option<Function>> {
        self.forked.as_ref().map(|session| session.fork()?.function(&self.batch.name)).transpose()
    }

    /// Waits for results, and deals with them.
    fn collect(&mut self, sink: &mut impl Sink) {
        let mut letters = std::mem::take(&mut self.letters);
        if !self.crew.mailbox.take(&mut letters) {
            if let Err(error) = sink.pause() {
                self.stop(error);
            }
            self.report_if_due();
            self.sleep();
            self.crew.mailbox.take(&mut letters);
        }
        for (slot, result) in letters.drain(..) {
            self.land(slot, result, sink);
        }
        self.letters = letters;
        if self.stopped.is_none() && self.crew.mailbox.is_stopped() {
            self.stop(Error::new(Code::Cancelled, "the batch was asked to stop"));
        }
        self.report_if_due();
    }

    /// Sleeps until there are results, a stop, or a report to be made.
    fn sleep(&self) {
        let tick = self.batch.progress.as_ref().map(|(interval, _)| *interval);
        let due = self.pausing.peek().map(|first| first.due.saturating_duration_since(Instant::now()));
        let tick = tick.into_iter().chain(due).min();
        let has_seen_stop = self.stopped.is_some();
        if self.batch.runtime.executor().worker_count() == 0 {
            return self.turn(tick);
        }
        self.crew.mailbox.sleep(1, has_seen_stop, tick);
        let many = (self.flying_count / 4).clamp(1, BATCH_GATHER_MAX);
        self.crew.mailbox.sleep(many, has_seen_stop, Some(BATCH_GATHER));
    }

    /// Turns the runtime in the place of workers.
    fn turn(&self, tick: Option<Duration>) {
        match self.batch.runtime.turn(TurnBudget::default()) {
            // What came during the turn has woken nobody. What comes later makes the descriptor readable.
            Ok(turned) if turned.is_more || self.crew.mailbox.has_news(self.stopped.is_some()) => {}
            Ok(_) => self.batch.runtime.until_readable(tick),
            // Somebody else turns.
            Err(_) => self.crew.mailbox.sleep(1, self.stopped.is_some(), Some(BATCH_GATHER)),
        }
    }

    /// An item's call has ended.
    fn land(&mut self, slot: usize, result: Result<crate::Outputs>, sink: &mut impl Sink) {
        let mut flying = self.flying[slot].take().expect("a call ends once");
        self.vacant.push(slot);
        self.flying_count -= 1;
        if let Err(error) = &result {
            if self.stopped.is_some() && error.is_cancelled() {
                return;
            }
            if self.stopped.is_none()
                && is_worth_retrying(error.code())
                && let Some(arguments) = flying.again.take()
            {
                self.summary.progress.retried += 1;
                let due = Instant::now() + pause(self.batch.retry_pause, &flying);
                return self.pausing.push(Pausing { due, flying, arguments });
            }
        }
        let Flying { index, id, attempts, .. } = flying;
        self.tell(index, Place::Here(Done { index, id, attempts, result }), sink);
    }

    /// Tells what there is to tell, in order if that is wanted.
    fn tell(&mut self, index: u64, place: Place, sink: &mut impl Sink) {
        let (summary, fails_fast) = (&mut self.summary, self.batch.fails_fast);
        let mut stop = None;
        self.order.put(index, place, |mut done| {
            if let Err(error) = sink.put(&mut done) {
                stop.get_or_insert(error);
                return;
            }
            match &done.result {
                Ok(_) => summary.progress.succeeded += 1,
                Err(error) => {
                    summary.progress.failed += 1;
                    *summary.failures.entry(error.code()).or_default() += 1;
                    if fails_fast {
                        stop.get_or_insert(error.clone().within(format!("at item '{}'", done.id)));
                    }
                }
            }
        });
        if let Some(error) = stop {
            self.stop(error);
        }
    }

    /// Launches nothing more, and cancels what is in flight.
    fn stop(&mut self, error: Error) {
        if self.stopped.is_none() {
            self.stopped = Some(error);
            self.scope.cancel();
            self.pausing.clear();
        }
    }

    fn report_if_due(&mut self) {
        if self.batch.progress.as_ref().is_some_and(|(interval, _)| self.reported.elapsed() >= *interval) {
            self.report();
        }
    }

    fn report(&mut self) {
        self.reported = Instant::now();
        let slots = self.batch.runtime.executor().slots().counts();
        let progress = &mut self.summary.progress;
        progress.in_flight = self.flying_count;
        progress.waiting = slots.made.saturating_sub(slots.free).min(self.flying_count);
        let (waits, awaits) = waits(&self.batch);
        (progress.waits, progress.suspended_awaits) = (waits - self.before.0, awaits - self.before.1);
        progress.elapsed = self.start.elapsed();
        if let Some((_, report)) = &mut self.batch.progress {
            report(progress);
        }
    }

    fn end(mut self, sink: &mut impl Sink) -> Summary {
        drop(self.stopper.take());
        if let Err(error) = sink.pause() {
            self.stop(error);
        }
        self.report();
        self.summary.stopped = self.stopped;
        self.summary
    }
}

/// How long an item pauses before it is tried again: twice as long each time, and between half of that and the whole, so that
/// items that failed together do not come back together.
fn pause(first: Duration, flying: &Flying) -> Duration {
    let doubled = first.saturating_mul(1_u32.checked_shl(flying.attempts - 1).unwrap_or(u32::MAX));
    let share = crc32fast::hash(&(flying.index << 8 | u64::from(flying.attempts)).to_le_bytes());
    doubled.min(BATCH_RETRY_PAUSE_MAX).mul_f64(0.5 + f64::from(share) / f64::from(u32::MAX) / 2.0)
}

/// Whether the same call may end otherwise the next time.
fn is_worth_retrying(code: Code) -> bool {
    use Code::*;
    matches!(
        code,
        Unknown
            | DeadlineExceeded
            | ResourceExhausted
            | Aborted
            | Internal
            | Unavailable
            | DataLoss
            | Cancelled
    )
}
