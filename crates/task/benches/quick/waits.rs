//! Waits: how fast a wake-up is, and how many there are in a second.

use crate::table::Table;
use mio::unix::SourceFd;
use raddle_task::{
    Executor, Graph, GraphBuilder, Priority, Program, ProgramRun, Step, StepCx, TaskCx, TaskId,
};
use raddle_wait::{Condition, Descriptor, Drained, Event, Interest, NEVER};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
use std::time::{Duration, Instant};

const PAIRS: usize = 32;
/// Waits of each side of a pair in one run: few, so that what is measured fits into the caches.
const TURNS: usize = 16;
const SAMPLES: usize = 600;

/// Measures all of them.
pub fn measure(table: &mut Table) {
    for workers in [1, 2] {
        latency(table, workers);
    }
    for workers in [1, 2] {
        let aim = "2 x tokio Notify (23.5M to 29.7M at 2 workers)";
        ping_pong(table, workers, "in-process ping-pong, W = 32", aim, |_| {
            let event = Arc::new(Event::auto());
            let signal = event.clone();
            Side { condition: event.into(), take: None, give: Arc::new(move || signal.set()) }
        });
        programs(table, workers, aim);
        let aim = "0.6 x mio (1.83M to 1.94M)";
        ping_pong(table, workers, "eventfd ping-pong, W = 32, one-shot", aim, |_| {
            let fd = Arc::new(Descriptor::new(new_eventfd()));
            let (taken, given) = (fd.clone(), fd.clone());
            Side {
                condition: Arc::new(fd.readable()).into(),
                take: Some(Arc::new(move || take(&*taken))),
                give: Arc::new(move || kick(&*given)),
            }
        });
        let aim = "0.85 x mio (1.83M to 1.94M)";
        ping_pong(table, workers, "eventfd ping-pong, W = 32, drained", aim, |executor| {
            let fd = executor.stage().drained(new_eventfd()).expect("room in the wait set");
            let (taken, given) = (fd.clone(), fd.clone());
            Side {
                condition: Arc::new(fd.readable()).into(),
                take: Some(Arc::new(move || drain(&taken))),
                give: Arc::new(move || kick(&given)),
            }
        });
    }
}

fn new_eventfd() -> OwnedFd {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("descriptors are left")
}

fn kick(fd: impl AsFd) {
    rustix::io::write(fd, &1_u64.to_ne_bytes()).expect("an eventfd takes a write");
}

/// Takes the signal; `false` if there was none: the end of a wait for a descriptor is a hint.
fn take(fd: impl AsFd) -> bool {
    let mut count = [0; 8];
    rustix::io::read(fd, &mut count).is_ok()
}

/// The same for a drained descriptor.
fn drain(fd: &Drained) -> bool {
    let read = |fd: std::os::fd::BorrowedFd<'_>| {
        let mut count = [0; 8];
        rustix::io::read(fd, &mut count).map(|_| ()).map_err(Into::into)
    };
    fd.try_drain(Interest::Read, read).is_ok()
}

/// When the last wait was over.
#[derive(Default)]
struct Stamp {
    base: std::sync::OnceLock<Instant>,
    at_ns: AtomicU64,
    is_done: AtomicBool,
}

impl Stamp {
    fn now(&self) -> u64 {
        self.base.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    fn resumed(&self) {
        self.at_ns.store(self.now(), Relaxed);
        self.is_done.store(true, Release);
    }

    /// From the write to the resumed program, with a pause before, so that everybody sleeps. Microseconds.
    fn sample(&self, fd: impl AsFd) -> f64 {
        std::thread::sleep(Duration::from_millis(1));
        self.is_done.store(false, Relaxed);
        let start = self.now();
        kick(fd);
        while !self.is_done.load(Acquire) {
            std::thread::sleep(Duration::from_micros(200));
        }
        (self.at_ns.load(Relaxed) - start) as f64 / 1e3
    }
}

/// mio, one-shot and drained waits in turn, so that they share the machine's moods.
fn latency(table: &mut Table, workers: usize) {
    let case = "eventfd to continuation";
    if !table.admits(case) {
        return;
    }
    let stamp = Arc::new(Stamp::default());
    let inline = inline(&stamp);
    let executor = Executor::builder().workers(workers).build().expect("an executor");
    let one_shot = Arc::new(Descriptor::new(new_eventfd()));
    let drained = executor.stage().drained(new_eventfd()).expect("room in the wait set");
    let scope = executor.scope("bench");
    let runs = [
        sampled(&stamp, Arc::new(one_shot.readable()).into(), {
            let fd = one_shot.clone();
            move || take(&*fd)
        }),
        sampled(&stamp, Arc::new(drained.readable()).into(), {
            let fd = drained.clone();
            move || drain(&fd)
        }),
    ]
    .map(|graph| executor.submit(&graph, &scope).expect("it is not shutting down"));
    let mut samples = [const { Vec::new() }; 3];
    for _ in 0..SAMPLES {
        samples[0].push(stamp.sample(&*inline));
        samples[1].push(stamp.sample(&*one_shot));
        samples[2].push(stamp.sample(&drained));
    }
    // Waits beyond the samples are for those that ended without a signal.
    scope.cancel();
    for run in runs {
        let _ = run.wait();
    }
    let names = ["mio inline (the floor)", "one-shot", "drained"];
    let aims = ["", "mio inline in the same run", "mio inline in the same run"];
    for ((name, aim), samples) in names.iter().zip(aims).zip(&mut samples) {
        table.add(&format!("{case}, {name}"), workers, "us", samples, aim);
    }
}

/// A thread that does nothing but poll with mio and run the continuation.
fn inline(stamp: &Arc<Stamp>) -> Arc<OwnedFd> {
    let fd = Arc::new(new_eventfd());
    let (own, stamp) = (fd.clone(), stamp.clone());
    let mut poll = mio::Poll::new().expect("descriptors are left");
    let interest = mio::Interest::READABLE;
    let registered = poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), mio::Token(0), interest);
    registered.expect("an eventfd can be polled");
    std::thread::spawn(move || {
        let mut events = mio::Events::with_capacity(16);
        for _ in 0..SAMPLES {
            poll.poll(&mut events, None).expect("nobody sends signals");
            if take(&*own) {
                stamp.resumed();
            }
        }
    });
    fd
}

/// A chain of waits, each followed by a task that takes the signal and stamps.
fn sampled(
    stamp: &Arc<Stamp>,
    condition: Condition,
    take: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let mut tasks = Vec::new();
    for _ in 0..3 * SAMPLES {
        tasks.push(builder.wait(condition.clone()));
        let (stamp, take) = (stamp.clone(), take.clone());
        tasks.push(builder.call(move |_| {
            if take() {
                stamp.resumed();
            }
        }));
    }
    builder.chain(tasks).expect("tasks of this graph");
    builder.build().expect("a graph")
}

/// What a task does to take a signal; `false` if there was none.
type Take = Arc<dyn Fn() -> bool + Send + Sync>;

/// One side of a pair: what it waits for, what it does then, and how the other side wakes it.
struct Side {
    condition: Condition,
    take: Option<Take>,
    give: Arc<dyn Fn() + Send + Sync>,
}

impl Side {
    /// Adds a wait and what takes its signal.
    fn add_wait(&self, builder: &mut GraphBuilder, tasks: &mut Vec<TaskId>) {
        tasks.push(builder.wait(self.condition.clone()));
        if let Some(take) = self.take.clone() {
            let again = Again::new(self.condition.clone(), take);
            tasks.push(builder.call(move |cx| again.take(cx)));
        }
    }

    /// Adds what wakes this side.
    fn add_give(&self, builder: &mut GraphBuilder, tasks: &mut Vec<TaskId>) {
        let give = self.give.clone();
        tasks.push(builder.call(move |_| give()));
    }
}

/// Waits again, as often as a wait ends without a signal.
struct Again {
    condition: Condition,
    take: Take,
}

impl Again {
    fn new(condition: Condition, take: Take) -> Arc<Again> {
        Arc::new(Again { condition, take })
    }

    fn take(self: &Arc<Again>, cx: &TaskCx<'_>) -> raddle_status::Result {
        if (self.take)() {
            return Ok(());
        }
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(self.condition.clone());
        let again = self.clone();
        let call = builder.call(move |cx| again.take(cx));
        builder.edge(wait, call)?;
        drop(cx.submit(&builder.build()?)?);
        Ok(())
    }
}

/// Pairs that wake each other; counts the waits that really waited.
fn ping_pong(table: &mut Table, workers: usize, case: &str, aim: &str, side: impl Fn(&Executor) -> Side) {
    if !table.admits(case) {
        return;
    }
    let executor = Executor::builder().workers(workers).build().expect("an executor");
    let mut builder = GraphBuilder::new();
    for _ in 0..PAIRS {
        let pair = [side(&executor), side(&executor)];
        for (own, other) in [(0, 1), (1, 0)] {
            let mut tasks = Vec::new();
            for _ in 0..TURNS {
                if own == 0 {
                    pair[other].add_give(&mut builder, &mut tasks);
                }
                pair[own].add_wait(&mut builder, &mut tasks);
                if own == 1 {
                    pair[other].add_give(&mut builder, &mut tasks);
                }
            }
            builder.chain(tasks).expect("tasks of this graph");
        }
    }
    let graph = builder.build().expect("a graph");
    let scope = executor.scope("bench");
    let resumed = || {
        let counts = executor.counts();
        counts.waits_begun - counts.waits_inline
    };
    let mut rates = Vec::new();
    for repetition in 0..22 {
        let (before, start) = (resumed(), Instant::now());
        while start.elapsed() < Duration::from_millis(25) {
            executor.submit(&graph, &scope).expect("it is not shutting down").wait().expect("no task fails");
        }
        if repetition >= 2 {
            rates.push((resumed() - before) as f64 / start.elapsed().as_secs_f64() / 1e6);
        }
    }
    rates.sort_by(f64::total_cmp);
    let best = rates[rates.len() - 1];
    let middle = rates[rates.len() / 2];
    table.add_pair(case, workers, "M resumes/s", [best, middle], aim);
}

/// Half of a pair of programs that wake each other.
struct Player {
    own: Arc<Event>,
    other: Arc<Event>,
    left: u32,
    is_first: bool,
}

impl Program for Player {
    type Shared = ();

    fn step(&mut self, _: &(), mut cx: StepCx<'_>) -> Step {
        if cx.take_outcome().is_some() || std::mem::take(&mut self.is_first) {
            self.other.set();
        }
        if self.left == 0 {
            return Step::Done;
        }
        self.left -= 1;
        Step::Wait(self.own.clone().into(), NEVER)
    }

    fn panicked(&mut self, _: &(), error: raddle_status::Error) {
        panic!("{error}");
    }
}

/// Pairs of programs, which are to the executor what tasks are to an asynchronous runtime.
fn programs(table: &mut Table, workers: usize, aim: &str) {
    let case = "in-process ping-pong of programs, W = 32";
    if !table.admits(case) {
        return;
    }
    const TURNS: u32 = 2_000;
    let executor = Executor::builder().workers(workers).build().expect("an executor");
    let scope = executor.scope("bench");
    let mut rates = Vec::new();
    for repetition in 0..22 {
        let start = Instant::now();
        let mut runs: Vec<_> = (0..PAIRS)
            .flat_map(|_| {
                let events = [(); 2].map(|()| Arc::new(Event::auto()));
                [0, 1].map(|side| {
                    let (own, other) = (events[side].clone(), events[1 - side].clone());
                    let player = Player { own, other, left: TURNS, is_first: side == 0 };
                    ProgramRun::new(&scope, player, ())
                })
            })
            .collect();
        for run in &mut runs {
            run.start(Priority::Normal).expect("it is not shutting down");
        }
        let mut resumes = 0;
        for run in &runs {
            run.view().wait_until(NEVER).expect("it ends");
            resumes += u64::from(run.view().suspensions());
        }
        if repetition >= 2 {
            rates.push(resumes as f64 / start.elapsed().as_secs_f64() / 1e6);
        }
    }
    rates.sort_by(f64::total_cmp);
    table.add_pair(case, workers, "M resumes/s", [rates[rates.len() - 1], rates[rates.len() / 2]], aim);
}
