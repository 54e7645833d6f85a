//! `hal.fence`: points on timelines, reached together.
//!
//! Not here: timelines themselves (the semaphore of `raddle-wait`), operations between fences (`queue.rs`).
//!
//! A fence that a program creates is a timeline of its own; its memory, the timeline too, is used again for the next, at the
//! next value, if nobody else can know it.
//!
//! # Invariants
//! - I1: a fence has at most one point for each semaphore. (by construction: `join`, `Fence::of`)
//! - I2: a timeline is reused only if this fence alone holds it, and it stands at this fence's value without a failure:
//!   so no waiter, no signaller and no failure of the last fence reaches the next one. (by construction: `renew`)
//! - I3: what lies in the pool holds no pool. (by construction: `recycle`)

use crate::pool::Pool;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Dead, Object, RefOf, Released};
use raddle_wait::{
    Commit, Condition, Readiness, Semaphore, SemaphoreValue, SharedSource, SourceWaker, WaitSource, WakerId,
};
use smallvec::SmallVec;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// `hal.semaphore`: a timeline as programs hold it.
#[derive(Debug)]
pub struct TimelineObject(pub Arc<Semaphore>);

impl Object for TimelineObject {
    const NAME: &'static str = "hal.semaphore";
}

type Points = SmallVec<[Arc<SemaphoreValue>; 2]>;

/// See the head of this file. Thread-safe; the points never change.
pub struct Fence {
    points: Points,
    /// The fences that it joins, which have their timelines to themselves again after it.
    parts: SmallVec<[RefOf<Fence>; 2]>,
    /// Where it goes when the last reference is gone; with `true` if it made its timeline.
    home: Option<(Arc<FencePool>, bool)>,
}

impl Object for Fence {
    const NAME: &'static str = "hal.fence";

    fn children(&mut self, dead: &mut Released) {
        if !self.parts.is_empty() {
            self.points.clear();
            self.parts.drain(..).for_each(|part| dead.push(part.into_ref()));
        }
    }

    fn recycle(mut dead: Dead<Fence>) {
        match dead.home.take() {
            Some((pool, true)) if renew(&mut dead.points) => pool.own.keep(dead),
            Some((pool, false)) => pool.joined.keep(dead),
            _ => {}
        }
    }
}

/// Moves a fence's only point on to the next value of its timeline, if that is still its alone (I2).
fn renew(points: &mut Points) -> bool {
    let [point] = &mut points[..] else { return false };
    let Some(point) = Arc::get_mut(point) else { return false };
    let (semaphore, value) = (point.semaphore(), point.value());
    let is_quiet = matches!(semaphore.value(), Ok(reached) if reached == value);
    if Arc::strong_count(semaphore) != 1 || !is_quiet {
        return false;
    }
    point.set_value(value + 1);
    true
}

/// Fences to be used again.
#[derive(Default)]
pub struct FencePool {
    own: Pool<Dead<Fence>>,
    joined: Pool<Dead<Fence>>,
}

impl Fence {
    /// A fence with a new timeline, at whose value 1 it is reached.
    pub fn new() -> Fence {
        let point = Arc::new(Arc::new(Semaphore::new(0)).at(1));
        Fence { points: SmallVec::from_iter([point]), parts: SmallVec::new(), home: None }
    }

    /// A fence that is reached when all of these timelines have reached their values.
    pub fn of(points: impl IntoIterator<Item = SemaphoreValue>) -> Fence {
        let mut fence = Fence { points: Points::new(), parts: SmallVec::new(), home: None };
        points.into_iter().for_each(|point| fence.add(&Arc::new(point)));
        fence
    }

    /// As [`new`](Fence::new), in memory that was used before.
    pub fn create(pool: &Arc<FencePool>) -> RefOf<Fence> {
        let home = Some((pool.clone(), true));
        match pool.own.pop() {
            Some(mut spare) => {
                spare.home = home;
                spare.revive()
            }
            None => RefOf::new(Fence { home, ..Fence::new() }),
        }
    }

    /// A fence that is reached when all of these are; `None` for no fence at all.
    pub(crate) fn join<'a>(
        pool: &Arc<FencePool>,
        fences: impl Iterator<Item = &'a RefOf<Fence>>,
    ) -> Option<RefOf<Fence>> {
        let mut rest = fences.peekable();
        let first = rest.next()?;
        if rest.peek().is_none() {
            return Some(first.clone());
        }
        let home = Some((pool.clone(), false));
        let fill = |fence: &mut Fence| {
            for part in std::iter::once(first).chain(rest) {
                part.points.iter().for_each(|point| fence.add(point));
                fence.parts.push(part.clone());
            }
        };
        Some(match pool.joined.pop() {
            Some(mut spare) => {
                spare.home = home;
                fill(&mut spare);
                spare.revive()
            }
            None => {
                let mut fence = Fence { points: Points::new(), parts: SmallVec::new(), home };
                fill(&mut fence);
                RefOf::new(fence)
            }
        })
    }

    /// Adds a point, or raises the one of the same timeline (I1).
    fn add(&mut self, point: &Arc<SemaphoreValue>) {
        let same = |other: &&mut Arc<SemaphoreValue>| Arc::ptr_eq(other.semaphore(), point.semaphore());
        match self.points.iter_mut().find(same) {
            Some(known) if known.value() < point.value() => *known = point.clone(),
            Some(_) => {}
            None => self.points.push(point.clone()),
        }
    }

    /// Reaches every point.
    ///
    /// Blocks: never. Ordering: a release; pairs with the end of a wait and with [`query`](Fence::query).
    ///
    /// # Errors
    /// INVALID_ARGUMENT: a timeline has been there already. Its failure, if it has failed. The other points are reached
    /// all the same.
    pub fn signal(&self) -> Result {
        let mut first = Ok(());
        for point in &self.points {
            let signalled = point.semaphore().signal(point.value());
            first = first.and(signalled);
        }
        first
    }

    /// Fails every timeline; every wait for it ends with `error`.
    ///
    /// Blocks: never.
    pub fn fail(&self, error: &Error) {
        for point in &self.points {
            point.semaphore().fail(error.clone());
        }
    }

    /// Whether it is reached; its first failure.
    ///
    /// Ordering: `Ready` is an acquire of what was written before the signals.
    pub fn query(&self) -> Readiness {
        let mut all = Readiness::Ready;
        for point in &self.points {
            match point.query() {
                Readiness::Ready => {}
                Readiness::Pending => all = Readiness::Pending,
                failed @ Readiness::Failed(_) => return failed,
            }
        }
        all
    }

    /// The points that are not reached, as sources to wait for.
    pub(crate) fn pending(&self) -> impl Iterator<Item = SharedSource> + '_ {
        let is_pending = |point: &&Arc<SemaphoreValue>| !point.query().is_ready();
        self.points.iter().filter(is_pending).map(|point| point.clone() as SharedSource)
    }

    /// The timelines and the values that it is reached at.
    pub fn points(&self) -> impl Iterator<Item = &SemaphoreValue> {
        self.points.iter().map(|point| &**point)
    }

    /// The fence as one source, whatever it joins: for those who can't wait for a condition.
    /// [`condition`](Fence::condition) is cheaper where several timelines are joined.
    pub fn source(this: &RefOf<Fence>) -> SharedSource {
        match &this.points[..] {
            [point] => point.clone(),
            _ => Arc::new(Whole(this.clone())),
        }
    }

    /// The fence as something to wait for: in frames, futures, graphs of tasks.
    pub fn condition(&self) -> Condition {
        match &self.points[..] {
            [point] => Condition::Until(point.clone()),
            points => Condition::all(points.iter().map(|point| point.clone() as SharedSource)),
        }
    }
}

/// A fence as one source. Every timeline that has not come far enough gets the waker: a failure ends the wait at once, and
/// a wait that one of them ended too early is lost, and armed again with those that are left.
#[derive(Debug)]
struct Whole(RefOf<Fence>);

impl WaitSource for Whole {
    fn arm(&self, waker: SourceWaker) {
        let mut is_armed = false;
        for point in self.0.points().filter(|point| !point.query().is_ready()) {
            point.arm(waker.clone());
            is_armed = true;
        }
        if !is_armed {
            waker.wake();
        }
    }

    fn query(&self) -> Readiness {
        self.0.query()
    }

    fn disarm(&self, waker: WakerId) {
        self.0.points().for_each(|point| point.disarm(waker));
    }

    fn commit(&self) -> Commit {
        if self.0.query().is_ready() { Commit::Taken } else { Commit::Lost }
    }

    fn name(&self) -> &str {
        "a fence of several timelines"
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl fmt::Debug for FencePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FencePool")
    }
}

impl Default for Fence {
    fn default() -> Fence {
        Fence::new()
    }
}

/// One operation's promise: its fence is reached or failed, once, whatever becomes of the operation.
pub(crate) struct Promise(Option<RefOf<Fence>>);

impl Promise {
    pub(crate) fn new(fence: Option<RefOf<Fence>>) -> Promise {
        Promise(fence)
    }

    /// The operation has ended in this way.
    pub(crate) fn keep(mut self, result: Result) {
        let Some(fence) = self.0.take() else { return };
        match result {
            // A program that signals a fence twice hears of it nowhere else, and harms nobody.
            Ok(()) => drop(fence.signal()),
            Err(error) => fence.fail(&error),
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(fence) = self.0.take() {
            fence.fail(&Error::new(Code::Aborted, "the operation was dropped before it was done"));
        }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fence({} points, {:?})", self.points.len(), self.query())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raddle_task::{Driver, Executor, GraphBuilder, TurnBudget};

    fn is_pending(fence: &Fence) -> bool {
        matches!(fence.query(), Readiness::Pending)
    }

    #[test]
    fn a_fence_is_reached_when_all_its_points_are() {
        let (one, two) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(3)));
        let fence = Fence::of([one.at(1), two.at(3), one.at(2)]);
        assert_eq!(fence.points.len(), 2);
        one.signal(1).unwrap();
        assert!(is_pending(&fence) && fence.pending().count() == 1);
        one.signal(2).unwrap();
        assert!(fence.query().is_ready());
        assert_eq!(fence.signal().unwrap_err().code(), Code::InvalidArgument);
        two.fail(Code::DataLoss.into());
        assert!(matches!(fence.query(), Readiness::Failed(error) if error.code() == Code::DataLoss));
    }

    #[test]
    fn several_timelines_are_one_source() {
        let executor = Executor::builder().driver(Driver::Host).workers(0).build().unwrap();
        let turn = || while executor.turn(TurnBudget::default()).unwrap().is_more {};
        let scope = executor.scope("test");
        let (one, two) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        for value in 1..4 {
            let fence = RefOf::new(Fence::of([one.at(value), two.at(value)]));
            let mut builder = GraphBuilder::new();
            builder.wait(Fence::source(&fence));
            let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
            turn();
            two.signal(value).unwrap();
            turn();
            assert!(!run.is_done() && is_pending(&fence), "one of two");
            match value {
                3 => drop(one.fail(Code::DataLoss.into())),
                _ => one.signal(value).unwrap(),
            }
            turn();
            assert!(run.is_done());
            assert_eq!(
                run.wait().map_err(|error| error.code()).err(),
                (value == 3).then_some(Code::DataLoss)
            );
        }
    }

    #[test]
    fn joins_keep_what_they_join() {
        let pool = Arc::default();
        let (a, b) = (Fence::create(&pool), Fence::create(&pool));
        assert!(Fence::join(&pool, [].into_iter()).is_none());
        assert_eq!(Fence::join(&pool, [&a].into_iter()).unwrap().untyped(), a.untyped());
        let both = Fence::join(&pool, [&a, &b].into_iter()).unwrap();
        a.signal().unwrap();
        drop(a);
        assert!(is_pending(&both));
        b.signal().unwrap();
        assert!(both.query().is_ready());
        drop((b, both));
        // Memory and timelines are free again, each once.
        assert!(pool.joined.pop().is_some_and(|spare| spare.points.is_empty() && spare.parts.is_empty()));
        assert!(pool.own.pop().is_some() && pool.own.pop().is_some() && pool.own.pop().is_none());
    }

    #[test]
    fn a_timeline_is_reused_only_when_it_is_quiet() {
        let pool: Arc<FencePool> = Arc::default();
        let address = |fence: &RefOf<Fence>| fence.untyped().address();
        let first = Fence::create(&pool);
        let place = address(&first);
        first.signal().unwrap();
        drop(first);
        let second = Fence::create(&pool);
        assert!(address(&second) == place && is_pending(&second));
        // Never signalled: whoever was to signal it may still do so.
        drop(second);
        let third = Fence::create(&pool);
        assert!(is_pending(&third));
        let waiter = third.points[0].clone();
        third.signal().unwrap();
        drop(third);
        assert!(waiter.query().is_ready() && pool.own.pop().is_none());
        let failed = Fence::create(&pool);
        failed.fail(&Code::Internal.into());
        drop(failed);
        assert!(pool.own.pop().is_none());
    }

    #[test]
    fn a_promise_that_is_dropped_fails_its_fence() {
        let fence = RefOf::new(Fence::new());
        drop(Promise::new(Some(fence.clone())));
        assert!(matches!(fence.query(), Readiness::Failed(error) if error.code() == Code::Aborted));
    }
}
