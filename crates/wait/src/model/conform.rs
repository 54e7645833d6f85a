//! What every source must survive: as it runs, and in every order of two threads.
//!
//! Not here: what a source promises beyond that; its own models say so.

use super::{Check, Pending, must_drop, spawn, wait};
use crate::condition::{Condition, SharedSource};
use crate::pool::SlotPool;
use crate::source::{Readiness, WaitSource};
use crate::waiting::Waiting;
use crate::waker::SourceWaker;
use raddle_sync::{Mutex, is_model};
use std::pin::Pin;
// std atomics: what counts calls of the checked source stands outside of the model.
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// How long one step may take as it runs. Guess: they take microseconds, and a machine may be busy.
const STEP_LIMIT: Duration = Duration::from_secs(60);

type Make<S> = Arc<dyn Fn() -> Arc<S> + Send + Sync>;
type Act<S> = Arc<dyn Fn(&S) + Send + Sync>;

/// The conformance test of a source. Each step has a name, which a failure says.
///
/// ```
/// use raddle_wait::model::Conformance;
/// use raddle_wait::Event;
/// use std::sync::Arc;
///
/// Conformance::new(|| Arc::new(Event::manual())).signal(|event| event.set()).check();
/// ```
#[must_use]
pub struct Conformance<S> {
    make: Make<S>,
    signal: Act<S>,
    fail: Option<Act<S>>,
    is_modelled: bool,
}

impl<S: WaitSource + Send + Sync + 'static> Conformance<S> {
    /// `make` makes a source that is not ready.
    pub fn new(make: impl Fn() -> Arc<S> + Send + Sync + 'static) -> Conformance<S> {
        Conformance { make: Arc::new(make), signal: Arc::new(|_| ()), fail: None, is_modelled: true }
    }

    /// What makes it ready; for a source that hands something out, ready once.
    pub fn signal(mut self, signal: impl Fn(&S) + Send + Sync + 'static) -> Conformance<S> {
        self.signal = Arc::new(signal);
        self
    }

    /// What makes it fail, if it can.
    pub fn fail(mut self, fail: impl Fn(&S) + Send + Sync + 'static) -> Conformance<S> {
        self.fail = Some(Arc::new(fail));
        self
    }

    /// Leaves the models out: for a source on types that the checker does not know.
    pub fn natively(mut self) -> Conformance<S> {
        self.is_modelled = false;
        self
    }

    /// Runs everything.
    ///
    /// # Panics
    /// At the first step that the source does not survive, with its name.
    #[track_caller]
    pub fn check(self) {
        for (name, step) in self.steps() {
            limited(name, step.clone());
            if self.is_modelled
                && let Err(failure) = Check::new().preemptions(3).run(move || step())
            {
                panic!("{name}, in a model: {failure}");
            }
        }
    }

    fn steps(&self) -> Vec<(&'static str, Step)> {
        let mut steps: Vec<(&'static str, Step)> = Vec::new();
        let mut add = |name, step: fn(&Given<S>)| {
            steps.push((name, Given::step(&self.make, &self.signal, step)));
        };
        add("query before and after the signal", query);
        add("a signal while it is armed", signal_while_armed);
        add("a signal before it is armed", signal_before);
        add("a signal beside the arming", signal_races_arming);
        add("two waits and two signals", two_waits);
        add("a resumed program that uses the source on the signaller's stack", reentrant);
        add("a wait that is given up, and a late signal", late_signal);
        add("a wait that is given up beside a signal", drop_races_signal);
        add("a waker that is called twice, late, and after its wait is gone", late_wakers);
        if let Some(fail) = &self.fail {
            steps.push(("a failure while it is armed, and before", Given::step(&self.make, fail, failure)));
        }
        steps
    }
}

impl<S> std::fmt::Debug for Conformance<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conformance({})", std::any::type_name::<S>())
    }
}

type Step = Arc<dyn Fn() + Send + Sync>;

/// A fresh source, and what makes it ready.
struct Given<S> {
    source: Arc<S>,
    act: Act<S>,
}

impl<S: WaitSource + Send + Sync + 'static> Given<S> {
    /// A step with a source of its own, which nothing may keep when the step is over.
    fn step(make: &Make<S>, act: &Act<S>, step: fn(&Given<S>)) -> Step {
        let (make, act) = (make.clone(), act.clone());
        Arc::new(move || {
            let given = Given { source: make(), act: act.clone() };
            let rest = Arc::downgrade(&given.source);
            must_drop(&given.source);
            step(&given);
            drop(given);
            // In a model, threads may still have to end.
            assert!(is_model() || rest.strong_count() == 0, "a wait that is over keeps the source");
        })
    }

    fn signal(&self) {
        (self.act)(&self.source);
    }

    fn signaller(&self) -> raddle_sync::thread::JoinHandle<()> {
        let (source, act) = (self.source.clone(), self.act.clone());
        spawn("signaller", move || act(&source))
    }

    fn condition(&self) -> Condition {
        Condition::Until(self.source.clone())
    }
}

/// Runs a step on a thread of its own, so that one that hangs is named.
fn limited(name: &'static str, step: Step) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.spawn(move || {
        step();
        let _ = done.send(());
    });
    let thread = thread.expect("a thread of the system");
    match ended.recv_timeout(STEP_LIMIT) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}: did not end within {STEP_LIMIT:?}"),
        // The thread has ended one way or the other.
        _ => {
            if let Err(payload) = thread.join() {
                panic!("{name}: {}", raddle_status::panic_message(&*payload).message());
            }
        }
    }
}

fn query<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    assert!(!given.source.query().is_ready(), "it is ready before its signal");
    given.signal();
    let after = given.source.query();
    assert!(!matches!(after, Readiness::Failed(_)), "its signal made it fail: {after:?}");
    wait(given.condition()).expect("a wait after the signal");
}

fn signal_while_armed<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    let mut pending = Pending::new(given.condition());
    assert!(pending.try_finish().is_none(), "a wait ended before the signal");
    given.signal();
    pending.finish().expect("an armed wait after the signal");
}

fn signal_before<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    given.signal();
    // A source that only knows that it is ready when it is armed must say so then.
    wait(Condition::<SharedSource>::Until(Arc::new(Blind(given.source.clone()))))
        .expect("a wait after the signal");
}

/// A source that can't be asked, and is armed through wakers.
struct Blind<S>(Arc<S>);

impl<S: WaitSource> WaitSource for Blind<S> {
    fn arm(&self, waker: SourceWaker) {
        self.0.arm(waker);
    }

    fn disarm(&self, waker: crate::WakerId) {
        self.0.disarm(waker);
    }

    fn commit(&self) -> crate::Commit {
        self.0.commit()
    }

    fn give_back(&self) {
        self.0.give_back();
    }

    fn decline(&self) {
        self.0.decline();
    }
}

fn signal_races_arming<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    let signaller = given.signaller();
    wait(given.condition()).expect("a wait beside its signal");
    signaller.join().expect("the signaller ends");
}

fn two_waits<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    let mut waits = vec![Pending::new(given.condition()), Pending::new(given.condition())];
    while !waits.is_empty() {
        let before = waits.len();
        given.signal();
        waits.retain_mut(|pending| match pending.try_finish() {
            None => true,
            Some(ended) => ended.is_err(),
        });
        assert!(waits.len() < before, "a signal ended none of {before} waits");
    }
}

fn late_signal<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    drop(Pending::new(given.condition()));
    given.signal();
    wait(given.condition()).expect("a wait after one that was given up");
}

fn drop_races_signal<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    let pending = Pending::new(given.condition());
    let signaller = given.signaller();
    drop(pending);
    signaller.join().expect("the signaller ends");
    wait(given.condition()).expect("a wait after one that was given up");
}

/// A source in front of another that keeps the wakers which pass through it.
struct Spy<S> {
    source: Arc<S>,
    wakers: Mutex<Vec<SourceWaker>>,
}

impl<S: WaitSource> WaitSource for Spy<S> {
    fn arm(&self, waker: SourceWaker) {
        self.wakers.lock().push(waker.clone());
        self.source.arm(waker);
    }

    fn disarm(&self, waker: crate::WakerId) {
        self.source.disarm(waker);
    }

    fn commit(&self) -> crate::Commit {
        self.source.commit()
    }

    fn give_back(&self) {
        self.source.give_back();
    }

    fn decline(&self) {
        self.source.decline();
    }
}

fn late_wakers<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    let spy = Arc::new(Spy { source: given.source.clone(), wakers: Mutex::new(Vec::new()) });
    let pending = Pending::new(spy.clone());
    given.signal();
    given.signal();
    pending.finish().expect("an armed wait after the signal");
    drop(Pending::new(spy.clone()));
    let wakers = std::mem::take(&mut *spy.wakers.lock());
    for waker in &wakers {
        assert!(!waker.wake(), "a waker ended a wait that was over");
        given.source.disarm(waker.id());
    }
}

fn failure<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    let pending = Pending::new(given.condition());
    given.signal();
    let error = pending.finish().expect_err("a wait on a source that fails");
    if let Readiness::Failed(told) = given.source.query() {
        assert_eq!(told.code(), error.code(), "the query tells another failure than the waker");
    }
    wait(given.condition()).expect_err("a wait on a source that has failed");
}

/// A program that goes on inside its waker, on the signaller's stack, and waits again.
struct Inline {
    waiting: Mutex<Option<Pin<Box<Waiting>>>>,
    ended: AtomicUsize,
    condition: Condition,
}

impl Inline {
    fn poll(self: &Arc<Inline>) {
        // Taken out: its drop and its next wait are inside the source's calls too.
        let Some(mut waiting) = self.waiting.lock().take() else { return };
        let waker = Waker::from(self.clone());
        match waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => *self.waiting.lock() = Some(waiting),
            Poll::Ready(result) => {
                result.expect("an armed wait after the signal");
                drop(waiting);
                self.ended.fetch_add(1, SeqCst);
                drop(Pending::new(self.condition.clone()));
            }
        }
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.poll();
    }
}

fn reentrant<S: WaitSource + Send + Sync + 'static>(given: &Given<S>) {
    let waiting = Box::pin(Waiting::new(&SlotPool::new(), given.condition()));
    let inline = Arc::new(Inline {
        waiting: Mutex::new(Some(waiting)),
        ended: AtomicUsize::new(0),
        condition: given.condition(),
    });
    inline.poll();
    assert_eq!(inline.ended.load(SeqCst), 0, "a wait ended before the signal");
    given.signal();
    assert_eq!(inline.ended.load(SeqCst), 1, "the signal did not end the wait");
}
