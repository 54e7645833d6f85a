//! Waits of programs: each is a state that is stepped, and gives its wait back.

use bench_harness::{Counts, Late, Stamp, kick, new_eventfd, raise_descriptor_limit, take};
use bench_waits::{Keep, PAIRS, Waits};
use raddle_status::{Code, Error};
use raddle_task::{Executor, Priority, Program, ProgramRun, Scope, Step, StepCx};
use raddle_wait::{Condition, Descriptor, Drained, Event, Interest, NEVER, SharedSource, Until};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

/// An executor, and by which kind of descriptor its programs wait.
pub struct Ours {
    pub executor: Executor,
    pub form: String,
}

/// A program that waits for its source or its moment, does something, and waits again.
struct Waiter<W, F> {
    source: W,
    after: F,
}

impl<W, F> Program for Waiter<W, F>
where
    W: Into<Condition> + Clone + Send + 'static,
    F: FnMut() -> bool + Send + 'static,
{
    type Shared = ();

    fn step(&mut self, (): &(), mut cx: StepCx<'_>) -> Step {
        match cx.take_outcome().map(|outcome| outcome.into_result()) {
            Some(Ok(_)) if (self.after)() => Step::Done,
            // The measurement is over.
            Some(Err(error)) if error.code() == Code::Cancelled => Step::Done,
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(_)) => Step::WaitAgain(NEVER),
            None => Step::Wait(self.source.clone().into(), NEVER),
        }
    }

    fn panicked(&mut self, (): &(), error: Error) {
        eprintln!("a program failed: {error}");
        std::process::abort();
    }
}

/// Starts a program; `after` says whether it was its last wait.
fn start<W, F>(scope: &Scope, source: W, after: F)
where
    W: Into<Condition> + Clone + Send + 'static,
    F: FnMut() -> bool + Send + 'static,
{
    drop(started(scope, source, after));
}

/// The same for a program that begins with a wait: that is begun here, and no worker is woken for it.
fn wait<W, F>(scope: &Scope, source: W, after: F) -> impl Fn() -> bool + use<W, F>
where
    W: Into<Condition> + Clone + Send + 'static,
    F: FnMut() -> bool + Send + 'static,
{
    let mut run = ProgramRun::new(scope, Waiter { source, after }, ());
    run.run(Priority::Normal, NEVER).expect("the executor is open");
    move || run.view().is_waiting()
}

/// The same, with the question whether it waits.
fn started<W, F>(scope: &Scope, source: W, after: F) -> impl Fn() -> bool + use<W, F>
where
    W: Into<Condition> + Clone + Send + 'static,
    F: FnMut() -> bool + Send + 'static,
{
    let mut run = ProgramRun::new(scope, Waiter { source, after }, ());
    run.start(Priority::Normal).expect("the executor is open");
    move || run.view().is_waiting()
}

/// Returns when all of these wait.
fn begun<W: Fn() -> bool>(programs: impl Iterator<Item = W>) {
    let programs: Vec<W> = programs.collect();
    for is_waiting in programs {
        while !is_waiting() {
            std::thread::yield_now();
        }
    }
}

fn drain(fd: &Drained) -> bool {
    fd.try_drain(Interest::Read, |fd: BorrowedFd<'_>| take(fd)).is_ok()
}

impl Ours {
    /// A descriptor as a source, what takes its signal (`false` for none: readiness is a hint), and what signals it.
    fn descriptor_source(&self) -> (SharedSource, Box<dyn Fn() -> bool + Send>, Arc<dyn AsFd + Send + Sync>) {
        if self.form == "drained" {
            let fd = self.executor.stage().drained(new_eventfd()).expect("room in the wait set");
            let taken = fd.clone();
            (Arc::new(fd.readable()), Box::new(move || drain(&taken)), Arc::new(fd))
        } else {
            let fd = Arc::new(Descriptor::new(new_eventfd()));
            let taken = fd.clone();
            (Arc::new(fd.readable()), Box::new(move || take(&*taken).is_ok()), Arc::new(Shared(fd)))
        }
    }

    /// Programs whose descriptors are never written.
    fn others(&self, scope: &Scope, count: usize) {
        raise_descriptor_limit();
        begun((0..count).map(|_| started(scope, self.descriptor_source().0, || false)));
    }

    /// Programs that wait for an event that is never set.
    fn pend(&self, scope: &Scope, count: usize) -> Vec<Arc<Event>> {
        let events: Vec<_> = (0..count).map(|_| Arc::new(Event::auto())).collect();
        begun(events.iter().map(|event| wait(scope, event.clone(), || false)));
        events
    }

    fn is_of_descriptors(&self) -> bool {
        matches!(self.form.as_str(), "one-shot" | "drained")
    }
}

struct Shared(Arc<Descriptor>);

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Waits for Ours {
    fn descriptor(&self, others: usize, stamp: &'static Stamp) -> Option<(Arc<OwnedFd>, Keep)> {
        if !self.is_of_descriptors() {
            return None;
        }
        let scope = self.executor.scope("bench");
        self.others(&scope, others);
        let (source, taken, fd) = self.descriptor_source();
        let signal = fd.as_fd().try_clone_to_owned().expect("descriptors are left");
        let program = started(&scope, source, move || {
            if taken() {
                stamp.resumed();
            }
            false
        });
        begun(std::iter::once(program));
        Some((Arc::new(signal), Box::new(scope)))
    }

    fn descriptor_pairs(&self, others: usize, counts: &Counts) -> Option<Keep> {
        if !self.is_of_descriptors() {
            return None;
        }
        let scope = self.executor.scope("bench");
        self.others(&scope, others);
        for pair in 0..PAIRS {
            let sides = [self.descriptor_source(), self.descriptor_source()];
            let [first, second] = [sides[0].2.clone(), sides[1].2.clone()];
            kick(first.as_fd());
            for (own, ((source, taken, _), signal)) in sides.into_iter().zip([second, first]).enumerate() {
                let counts = counts.clone();
                start(&scope, source, move || {
                    if taken() {
                        counts.hit(2 * pair + own);
                        kick(signal.as_fd());
                    }
                    false
                });
            }
        }
        Some(Box::new(scope))
    }

    fn pairs(&self, others: usize, counts: &Counts) -> Option<Keep> {
        if self.is_of_descriptors() {
            return None;
        }
        let scope = self.executor.scope("bench");
        let keep = self.pend(&scope, others);
        for pair in 0..PAIRS {
            let sides = [Arc::new(Event::auto()), Arc::new(Event::auto())];
            sides[0].set();
            for own in 0..2 {
                let (counts, other) = (counts.clone(), sides[1 - own].clone());
                start(&scope, sides[own].clone(), move || {
                    counts.hit(2 * pair + own);
                    other.set();
                    false
                });
            }
        }
        Some(Box::new((scope, keep)))
    }

    fn pending(&self, waits: usize) -> Option<Keep> {
        let scope = self.executor.scope("bench");
        let keep = (!self.is_of_descriptors()).then(|| self.pend(&scope, waits))?;
        Some(Box::new((scope, keep)))
    }

    fn timers(&self, moments: &[Instant], late: &Late) -> Option<Keep> {
        if self.is_of_descriptors() {
            return None;
        }
        let scope = self.executor.scope("bench");
        let (instant, moment) = (Instant::now(), self.executor.now());
        for (index, &when) in moments.iter().enumerate() {
            let late = late.clone();
            let source = Until(moment + when.saturating_duration_since(instant).as_nanos() as u64);
            drop(wait(&scope, source, move || {
                late.fired(index, when);
                true
            }));
        }
        Some(Box::new(scope))
    }
}
