//! The key paths, each so many times, for a profiler that counts instructions: `paths NAME COUNT`.
//!
//! `cargo xtask instructions` runs each with two counts and takes the difference, so that what is set up once is not
//! counted. Everything runs on one thread (an executor without workers), so that nothing depends on how threads are
//! scheduled.

#![forbid(unsafe_code)]

use raddle::wait::{Condition, Descriptor, Elapsed, Event, Interest, NEVER, SharedSource};
use raddle::{EventObject, Function, Runtime, Session, TurnBudget};
use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, Graph, GraphBuilder, Priority, Program, ProgramRun, Step, StepCx};
use raddle_vm::{
    Context, Flow, Idle, Module, NativeModule, Outcome, Registry, Slice, Storage, Value, WaitOutcome,
    assemble,
};
use rustix::event::{EventfdFlags, eventfd};
use std::hint::black_box;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Tasks of a graph that is run again and again.
const TASKS: usize = 1_000;

/// Runs a path so many times.
type Path = fn(usize) -> Result;

/// All of them: `docs/instructions.txt` has their counts and what each is.
const PATHS: [(&str, Path); 19] = [
    ("chain-task", |count| graph_runs(count, &chain()?)),
    ("fan-task", |count| graph_runs(count, &fan()?)),
    ("graph-run", |count| graph_runs(count, &single()?)),
    ("event-wake", |count| beside(count, (1, 1), event_wakes)),
    ("event-wake-among", |count| among(count, event_wakes)),
    ("pair-wake", pair_wakes),
    ("descriptor-wake", |count| descriptor_wakes(&executor()?, count)),
    ("watch-wake", |count| watch_wakes(&executor()?, count)),
    ("watch-wake-among", |count| among(count, watch_wakes)),
    ("timer-wake", |count| timer_wakes(&executor()?, count)),
    ("wait-cancel", |count| beside(count, (1, 1), |executor, count| cancels(executor, count, &EVENT))),
    ("wait-cancel-among", |count| among(count, |executor, count| cancels(executor, count, &EVENT))),
    ("watch-add", |count| watch_adds(&executor()?, count)),
    ("watch-add-among", |count| among(count, watch_adds)),
    ("vm-loop", |count| vm_call("fused_loop", count)),
    ("vm-call", |count| vm_call("calls", count)),
    ("vm-suspend", |count| vm_call("waits", count)),
    ("vm-empty", vm_empty),
    ("invocation", invocations),
];

fn main() -> Result {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        let names: Vec<&str> = PATHS.iter().map(|(name, _)| *name).collect();
        Error::new(
            Code::InvalidArgument,
            format!("usage: paths NAME COUNT, with one of {}", names.join(", ")),
        )
    };
    let [name, count] = &words[..] else {
        // Without a count: the names, one a line, for whoever runs all of them.
        PATHS.iter().for_each(|(name, _)| println!("{name}"));
        return if words.is_empty() { Ok(()) } else { Err(usage()) };
    };
    let (_, path) = PATHS.iter().find(|(own, _)| own == name).ok_or_else(usage)?;
    path(count.parse().map_err(|_| usage())?)
}

fn executor() -> Result<Executor> {
    Executor::builder().workers(0).build()
}

fn tasks(builder: &mut GraphBuilder) -> Vec<raddle_task::TaskId> {
    (0..TASKS).map(|index| builder.call(move |_| _ = black_box(index))).collect()
}

/// A graph whose run counts as [`TASKS`].
fn chain() -> Result<Arc<Graph>> {
    let mut builder = GraphBuilder::new();
    let tasks = tasks(&mut builder);
    builder.chain(tasks)?;
    builder.build()
}

fn fan() -> Result<Arc<Graph>> {
    let mut builder = GraphBuilder::new();
    let (first, last) = (builder.barrier(), builder.barrier());
    for task in tasks(&mut builder) {
        builder.edge(first, task)?;
        builder.edge(task, last)?;
    }
    builder.build()
}

fn single() -> Result<Arc<Graph>> {
    let mut builder = GraphBuilder::new();
    builder.call(|_| _ = black_box(0));
    builder.build()
}

fn graph_runs(count: usize, graph: &Arc<Graph>) -> Result {
    let executor = executor()?;
    let scope = executor.scope("paths");
    (0..count).try_for_each(|_| executor.run(graph, &scope))
}

/// A program that waits for a source again and again.
struct Waiter<F> {
    source: SharedSource,
    after: F,
}

impl<F: FnMut() + Send + 'static> Program for Waiter<F> {
    type Shared = ();

    fn step(&mut self, (): &(), mut cx: StepCx<'_>) -> Step {
        let has_waited = cx.take_outcome().is_some();
        if has_waited {
            (self.after)();
        }
        match cx.is_cancelled() {
            true => Step::Done,
            false if has_waited => Step::WaitAgain(NEVER),
            false => Step::Wait(Condition::Until(self.source.clone()), NEVER),
        }
    }

    fn panicked(&mut self, (): &(), _: Error) {}
}

/// Signals a program so many times, each time until it has gone on and waits again.
fn wakes(
    executor: &Executor,
    count: usize,
    source: SharedSource,
    mut signal: impl FnMut(),
    mut take: impl FnMut() -> bool + Send + 'static,
) -> Result {
    let scope = executor.scope("paths");
    let resumed = Arc::new(AtomicU64::new(0));
    let own = resumed.clone();
    let after = move || _ = own.fetch_add(u64::from(take()), Relaxed);
    let mut run = ProgramRun::new(&scope, Waiter { source, after }, ());
    run.start(Priority::Normal)?;
    while executor.turn(TurnBudget::default())?.is_more {}
    for number in 1..=count as u64 {
        signal();
        while resumed.load(Relaxed) < number {
            executor.turn(TurnBudget::default())?;
        }
    }
    run.view().cancel();
    run.view().wait_until(NEVER)
}

fn event_wakes(executor: &Executor, count: usize) -> Result {
    let event = Arc::new(Event::auto());
    let source = event.clone();
    wakes(executor, count, source, || event.set(), || true)
}

/// Two programs hand each other an event to and fro, within turns.
fn pair_wakes(count: usize) -> Result {
    let executor = executor()?;
    let scope = executor.scope("pair");
    let events = [Arc::new(Event::auto()), Arc::new(Event::auto())];
    let resumed = Arc::new(AtomicU64::new(0));
    for own in 0..2 {
        let (other, resumed) = (events[1 - own].clone(), resumed.clone());
        let after = move || {
            resumed.store(resumed.load(Relaxed) + 1, Relaxed);
            other.set();
        };
        ProgramRun::new(&scope, Waiter { source: events[own].clone(), after }, ()).start(Priority::Normal)?;
    }
    events[0].set();
    while resumed.load(Relaxed) < count as u64 {
        executor.turn(TurnBudget::default())?;
    }
    std::process::exit(0)
}

/// The moment has come by the next turn, and not when the wait begins.
fn timer_wakes(executor: &Executor, count: usize) -> Result {
    wakes(executor, count, Arc::new(Elapsed(Duration::from_nanos(1))), || (), || true)
}

fn new_eventfd() -> OwnedFd {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("descriptors are left")
}

fn watch_wakes(executor: &Executor, count: usize) -> Result {
    let fd = Descriptor::new(new_eventfd());
    let taken = fd.clone();
    let signal = || _ = rustix::io::write(&fd, &1_u64.to_ne_bytes()).expect("an eventfd takes a write");
    let take = move || rustix::io::read(&taken, &mut [0; 8]).is_ok();
    wakes(executor, count, Arc::new(fd.readable()), signal, take)
}

/// Arms waits and cancels them.
fn cancels(executor: &Executor, count: usize, event: &Arc<Event>) -> Result {
    let mut builder = GraphBuilder::new();
    builder.wait(event.clone());
    let (graph, scope) = (builder.build()?, executor.scope("cancels"));
    for _ in 0..count {
        let run = executor.submit(&graph, &scope)?;
        while executor.turn(TurnBudget::default())?.is_more {}
        run.cancel();
        while executor.turn(TurnBudget::default())?.is_more {}
        assert!(run.is_done(), "a cancelled run ends");
    }
    Ok(())
}

/// Begins to watch descriptors, and lets go of them again: cancelled, and closed.
fn watch_adds(executor: &Executor, count: usize) -> Result {
    let scope = executor.scope("adds");
    for _ in 0..count {
        let source = Arc::new(Descriptor::new(new_eventfd()).readable());
        let mut run = ProgramRun::new(&scope, Waiter { source, after: || () }, ());
        run.start(Priority::Normal)?;
        while executor.turn(TurnBudget::default())?.is_more {}
        run.view().cancel();
        run.view().wait_until(NEVER)?;
    }
    Ok(())
}

/// The event that the others wait for.
static EVENT: LazyLock<Arc<Event>> = LazyLock::new(|| Arc::new(Event::manual()));
const WAITS: usize = 100_000;
const DESCRIPTORS_MAX: usize = 19_000;
/// Descriptors that are left to the process. Unit: descriptors.
const DESCRIPTORS_SPARE: usize = 100;

/// The same while 19,000 descriptors are watched, and 100,000 waits are outstanding on one event.
fn among(count: usize, path: impl FnOnce(&Executor, usize) -> Result) -> Result {
    beside(count, (DESCRIPTORS_MAX, WAITS), path)
}

/// The same while so many descriptors are watched, as far as the process may have them, and so many waits are outstanding on
/// one event.
fn beside(
    count: usize,
    (descriptors, waits): (usize, usize),
    path: impl FnOnce(&Executor, usize) -> Result,
) -> Result {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.or(limit.current);
    let _ = setrlimit(Resource::Nofile, limit);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(1024) as usize;
    let descriptors = limit.saturating_sub(DESCRIPTORS_SPARE).min(descriptors);
    let executor = executor()?;
    let mut builder = GraphBuilder::new();
    for _ in 0..descriptors {
        builder.wait(Arc::new(Descriptor::new(new_eventfd()).readable()));
    }
    for _ in 0..waits {
        builder.wait(EVENT.clone());
    }
    let run = executor.submit(&builder.build()?, &executor.scope("others"))?;
    while executor.turn(TurnBudget::default())?.is_more {}
    let counts = executor.counts();
    assert_eq!(counts.waits_armed(), (descriptors + waits) as u64, "all of them wait");
    println!("among {descriptors} descriptors and {waits} waits");
    path(&executor, count)?;
    assert!(!run.is_done(), "they wait for ever");
    // Their end would cost more than the path.
    std::process::exit(0)
}

fn descriptor_wakes(executor: &Executor, count: usize) -> Result {
    let fd = executor.stage().drained(new_eventfd())?;
    let taken = fd.clone();
    let signal = || _ = rustix::io::write(&fd, &1_u64.to_ne_bytes()).expect("an eventfd takes a write");
    let read = |fd: BorrowedFd<'_>| Ok(_ = rustix::io::read(fd, &mut [0; 8])?);
    let take = move || taken.try_drain(Interest::Read, read).is_ok();
    wakes(executor, count, Arc::new(fd.readable()), signal, take)
}

/// Loops that run their argument's number of times: arithmetic, calls of a function, waits. The VM is timed on them, too.
const PROGRAMS: &str = include_str!("../../../crates/vm/examples/programs.vmasm");

fn idle(name: &str) -> Result<Idle> {
    let source: SharedSource = Arc::new(Event::manual());
    let wait = move |_: &(), value: i32| {
        Ok(Flow::wait(Condition::Until(source.clone()), move |outcome| {
            outcome.into_result()?;
            Ok(value.wrapping_add(1))
        }))
    };
    let inc = |_: &(), value: i32| Ok(value.wrapping_add(1));
    let host = NativeModule::builder("host").function("wait", wait).function("inc", inc).build()?;
    let program = raddle_vm::Program::new(Module::load(assemble(PROGRAMS)?.build())?, &Registry::new())?;
    let context = Context::builder().native(host).program(program).build()?;
    Idle::new(&context.function(name)?, &Storage::default())
}

fn failed(outcome: Outcome) -> Error {
    Error::new(Code::Internal, format!("{outcome:?}"))
}

fn vm_call(name: &str, count: usize) -> Result {
    let slice = Slice::steps(u64::MAX);
    let mut outcome = idle(name)?.begin(&[Value::I32(count as i32)], &slice);
    while let Outcome::Waiting(suspended, _) = outcome {
        outcome = suspended.resume(WaitOutcome::Ready { index: 0 }, &slice);
    }
    if let Outcome::Finished(_) = outcome { Ok(()) } else { Err(failed(outcome)) }
}

fn vm_empty(count: usize) -> Result {
    let (mut idle, slice) = (idle("empty")?, Slice::steps(u64::MAX));
    for _ in 0..count {
        idle = match idle.begin(&[], &slice) {
            Outcome::Finished(finished) => finished.again(),
            other => return Err(failed(other)),
        };
    }
    Ok(())
}

/// Calls of a function through the turn-key runtime, on the caller's thread; none of them waits.
fn invocations(count: usize) -> Result {
    let runtime = Runtime::builder().workers(0).build()?;
    let (_session, until) = until(&runtime)?;
    let event = Arc::new(Event::manual());
    event.set();
    for index in 0..count {
        let result = until.invoke((EventObject::value(&event), index as i32)).wait()?;
        black_box(result.to::<i32>()?);
    }
    Ok(())
}

fn until(runtime: &Runtime) -> Result<(Session, Function)> {
    let text = r#"
vm.module @paths
vm.import @raddle.event.wait cconv "0r_v"
vm.export @until
vm.func @until(%r0: !vm.ref<?>, %i0: i32) -> (i32) {
  vm.call.yieldable @raddle.event.wait(%r0) -> ^bb1()
^bb1:
  vm.return %i0
}
"#;
    let session = runtime.session().bytes(assemble(text)?.build())?.build()?;
    let function = session.function("until")?;
    Ok((session, function))
}
