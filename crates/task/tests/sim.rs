//! Seeded simulation: three workers, the poller stage and a host, stepped by one thread on a kernel in memory.
//!
//! A seed decides which worker steps, which sleeper wakes and why, when the clock jumps, when signals, cancellations and
//! submissions come, and what the graphs and programs look like. Asserted: every run ends, every task runs at most once in a
//! run and after its predecessors, every cleanup is called once, every program takes its steps in order and ends once, and
//! while anything is pending the world never stands still.
//!
//! A failure prints its seed and the command that runs it alone. `RADDLE_SIM_SEEDS` is how many are run.

#![cfg(not(raddle_loom))]

use raddle_status::{Code, Error, Result};
use raddle_task::internals::{Hand, Place, Rig, Step};
use raddle_task::{
    Driver, Graph, GraphBuilder, Priority, Program, ProgramRun, Run, Scope, Spent, StepCx, TaskId,
};
use raddle_wait::*;
use std::os::fd::{BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

const SEEDS: u64 = 1000;
/// Steps of the world after which a seed counts as one that never ends. Measured: the longest takes 3,000.
const STEPS_MAX: usize = 200_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn take<T>(&mut self, list: &mut Vec<T>) -> T {
        let at = self.below(list.len());
        list.swap_remove(at)
    }
}

/// What happened to one task of a graph, over all runs.
#[derive(Default)]
struct Trace {
    ran: AtomicUsize,
    tiles: AtomicUsize,
    done: AtomicUsize,
    discarded: AtomicUsize,
}

impl Trace {
    fn ended(&self) -> usize {
        self.done.load(Relaxed) + self.discarded.load(Relaxed)
    }
}

struct Planned {
    graph: Arc<Graph>,
    traces: Arc<Vec<Trace>>,
    /// Tasks whose function counts that it ran.
    calls: Vec<usize>,
    runs: usize,
}

/// What a program does between two of its steps.
#[derive(Clone)]
enum Pause {
    Yield,
    OutOfBudget,
    Wait(Condition, Moment),
}

/// A program of pauses; it is suspended and resumed at each.
struct Walker {
    pauses: Vec<Pause>,
    next: usize,
    /// Whether it is inside a step: two at once would be two duties.
    is_inside: Arc<AtomicUsize>,
}

/// How often something was done to a program.
#[derive(Default)]
struct Walk {
    steps: AtomicUsize,
    ended: AtomicUsize,
    retired: Arc<AtomicUsize>,
}

impl Program for Walker {
    type Shared = Walk;

    fn step(&mut self, walk: &Walk, mut cx: StepCx<'_>) -> raddle_task::Step {
        assert_eq!(self.is_inside.fetch_add(1, Relaxed), 0, "two steps of a program at once");
        walk.steps.fetch_add(1, Relaxed);
        let last = self.next.checked_sub(1).map(|last| &self.pauses[last]);
        let outcome = cx.take_outcome();
        let has_waited = matches!(last, Some(Pause::Wait(..)));
        assert_eq!(outcome.is_some(), has_waited, "a step is told of a wait that it did not ask for");
        self.is_inside.store(0, Relaxed);
        if cx.is_cancelled() || matches!(outcome, Some(Outcome::Cancelled)) {
            return raddle_task::Step::Done;
        }
        let Some(pause) = self.pauses.get(self.next).cloned() else { return raddle_task::Step::Done };
        self.next += 1;
        match pause {
            Pause::Yield => raddle_task::Step::Yield,
            Pause::OutOfBudget => raddle_task::Step::OutOfBudget,
            Pause::Wait(condition, deadline) => raddle_task::Step::Wait(condition, deadline),
        }
    }

    fn panicked(&mut self, _: &Walk, error: Error) {
        panic!("{error}");
    }

    fn ended(&mut self, walk: &Walk) {
        assert_eq!(walk.ended.fetch_add(1, Relaxed), 0, "a program ended twice");
    }

    fn retire(mut spent: Spent<Walker>) {
        assert_eq!(spent.shared().retired.fetch_add(1, Relaxed), 0, "a program was retired twice");
    }
}

/// A program that was planned, and its handle while somebody has it.
struct Walking {
    run: Option<ProgramRun<Walker>>,
    has_started: bool,
    retired: Arc<AtomicUsize>,
}

/// What comes from outside.
enum Action {
    Start(usize),
    CancelProgram(usize),
    DropProgram(usize),
    Set(Arc<Event>),
    Signal(Arc<Semaphore>),
    Add(Descriptor),
    Submit { graph: usize, scope: usize },
    CancelRun,
    CancelScope(usize),
    FailScope(usize),
}

/// What a seed builds.
struct Plan {
    graphs: Vec<Planned>,
    /// The pauses of each program.
    programs: Vec<Vec<Pause>>,
    actions: Vec<Action>,
}

impl Plan {
    fn new(random: &mut Random, rig: &Rig) -> Plan {
        let mut plan = Plan { graphs: Vec::new(), programs: Vec::new(), actions: Vec::new() };
        for program in 0..random.below(4) {
            plan.add_program(random);
            plan.actions.push(Action::Start(program));
            if random.one_in(4) {
                plan.actions.push(Action::CancelProgram(program));
            }
            if random.one_in(4) {
                plan.actions.push(Action::DropProgram(program));
            }
        }
        for graph in 0..1 + random.below(3) {
            plan.add_graph(random, rig);
            for _ in 0..1 + random.below(3) {
                plan.actions.push(Action::Submit { graph, scope: random.below(2) });
            }
        }
        if random.one_in(4) {
            plan.actions.push(Action::CancelRun);
        }
        if random.one_in(8) {
            plan.actions.push(Action::CancelScope(random.below(2)));
        }
        if random.one_in(8) {
            plan.actions.push(Action::FailScope(random.below(2)));
        }
        plan
    }

    fn add_program(&mut self, random: &mut Random) {
        let count = random.below(8);
        let pauses = (0..count).map(|_| {
            let deadline = if random.one_in(4) { random.next() % 1_000_000 } else { NEVER };
            let (one, two) = (self.event() as SharedSource, self.event() as SharedSource);
            match random.below(8) {
                0 => Pause::Yield,
                1 => Pause::OutOfBudget,
                2 => Pause::Wait(Condition::any([one, two]), deadline),
                3 => Pause::Wait(Condition::all([one, two]), deadline),
                4 => Pause::Wait(Until(random.next() % 1_000_000).into(), deadline),
                _ => Pause::Wait(one.into(), deadline),
            }
        });
        let pauses = pauses.collect();
        self.programs.push(pauses);
    }

    fn add_graph(&mut self, random: &mut Random, rig: &Rig) {
        let count = 2 + random.below(12);
        let traces: Arc<Vec<Trace>> = Arc::new((0..count).map(|_| Trace::default()).collect());
        let (mut builder, mut ids, mut calls) = (GraphBuilder::new(), Vec::<TaskId>::new(), Vec::new());
        let is_wide = random.one_in(4);
        for task in 0..count {
            let before: Vec<usize> = match is_wide {
                // A range: one task, many after it, and a join.
                true if task + 1 == count && count > 2 => (1..task).collect(),
                true => (0..task.min(1)).collect(),
                false => (0..task).filter(|_| random.one_in(3)).collect(),
            };
            let id = self.add_task(random, rig, &mut builder, (&traces, task), &before, &mut calls);
            for &before in &before {
                builder.edge(ids[before], id).expect("tasks of one graph");
            }
            let own = traces.clone();
            builder.cleanup(id, move |result| {
                let count = if result.is_ok() { &own[task].done } else { &own[task].discarded };
                count.fetch_add(1, Relaxed);
            });
            ids.push(id);
        }
        self.graphs.push(Planned { graph: builder.build().expect("no cycle"), traces, calls, runs: 0 });
    }

    fn add_task(
        &mut self,
        random: &mut Random,
        rig: &Rig,
        builder: &mut GraphBuilder,
        (traces, task): (&Arc<Vec<Trace>>, usize),
        before: &[usize],
        calls: &mut Vec<usize>,
    ) -> TaskId {
        match random.below(14) {
            0 => builder.barrier(),
            1..3 => {
                let event = self.event();
                builder.wait(event)
            }
            3 => {
                let semaphore = Arc::new(Semaphore::new(0));
                self.actions.push(Action::Signal(semaphore.clone()));
                builder.wait(Arc::new(semaphore.at(1)))
            }
            4 | 5 => {
                let descriptor = Descriptor::new(rig.kernel.counter());
                self.actions.push(Action::Add(descriptor.clone()));
                builder.wait(Arc::new(descriptor.readable()))
            }
            6 => builder.delay(Duration::from_nanos(random.next() % 1_000_000)),
            7 => {
                let sources = [self.event(), self.event()];
                let condition = if random.one_in(2) { Condition::any } else { Condition::all };
                builder.wait(condition(sources.map(|event| event as SharedSource)))
            }
            8 => {
                // Set too late, perhaps.
                let event = self.event();
                builder.wait_timeout(event, Duration::from_nanos(random.next() % 1_000_000))
            }
            9 => {
                let own = traces.clone();
                let width = random.below(40) as u32;
                builder.dispatch([width, 1, 1], move |_| {
                    own[task].tiles.fetch_add(1, Relaxed);
                })
            }
            kind => {
                calls.push(task);
                let (own, before) = (traces.clone(), before.to_vec());
                let fails = random.one_in(60);
                let nested = (kind == 10).then(|| self.nested());
                builder.call(move |cx| -> Result {
                    let ran = own[task].ran.fetch_add(1, Relaxed) + 1;
                    for &before in &before {
                        assert!(own[before].ended() >= ran, "task {task} ran before task {before} had ended");
                    }
                    if let Some(graph) = &nested {
                        drop(cx.submit(graph)?);
                    }
                    if fails { Err(Error::new(Code::DataLoss, "planned")) } else { Ok(()) }
                })
            }
        }
    }

    fn event(&mut self) -> Arc<Event> {
        let event = Arc::new(Event::manual());
        self.actions.push(Action::Set(event.clone()));
        event
    }

    fn nested(&mut self) -> Arc<Graph> {
        let mut builder = GraphBuilder::new();
        let event = self.event();
        let wait = builder.wait(event);
        let call = builder.call(|_| ());
        builder.edge(wait, call).expect("tasks of one graph");
        builder.build().expect("no cycle")
    }
}

impl Walking {
    fn new(scope: &Scope, pauses: Vec<Pause>) -> Walking {
        let walk = Walk::default();
        let retired = walk.retired.clone();
        let walker = Walker { pauses, next: 0, is_inside: Arc::default() };
        Walking { run: Some(ProgramRun::new(scope, walker, walk)), has_started: false, retired }
    }

    /// Unless its handle is gone.
    fn start(&mut self) {
        if let Some(run) = &mut self.run {
            run.start(Priority::Normal).expect("it is open");
            self.has_started = true;
        }
    }

    fn check(&self, number: usize) {
        match &self.run {
            Some(run) if self.has_started => {
                assert!(run.view().is_done(), "program {number} never ends: a wake-up was lost");
                assert_eq!(
                    run.view().shared().ended.load(Relaxed),
                    1,
                    "program {number} ended without a word"
                );
            }
            Some(_) => {}
            None => assert_eq!(self.retired.load(Relaxed), 1, "program {number} was not retired"),
        }
    }
}

/// A worker in the world.
struct Actor {
    hand: Hand,
    asleep: Option<Place>,
    /// It does nothing for so many steps of the world.
    delay: usize,
}

struct World {
    rig: Rig,
    actors: Vec<Actor>,
    is_hosted: bool,
    random: Random,
    plan: Plan,
    scopes: Vec<Scope>,
    runs: Vec<Run>,
    programs: Vec<Walking>,
}

impl World {
    fn new(seed: u64, rig: (Rig, Vec<Hand>), is_hosted: bool) -> World {
        let (rig, hands) = rig;
        let mut random = Random(seed);
        let plan = Plan::new(&mut random, &rig);
        let scopes: Vec<Scope> = ["left", "right"].map(|name| rig.scope(name)).into();
        let programs = plan.programs.iter().map(|pauses| Walking::new(&scopes[0], pauses.clone())).collect();
        let actors = hands.into_iter().map(|hand| Actor { hand, asleep: None, delay: 0 }).collect();
        World { rig, actors, is_hosted, random, plan, scopes, runs: Vec::new(), programs }
    }

    /// Lets things happen until nothing can, and checks what came of it.
    fn run(mut self) {
        let mut steps = 0;
        while self.happen() {
            steps += 1;
            assert!(steps < STEPS_MAX, "the world never comes to rest: {:?}", self.rig);
        }
        self.check();
    }

    /// Something happens; `false` if nothing can any more.
    fn happen(&mut self) -> bool {
        match self.random.below(8) {
            0 if !self.plan.actions.is_empty() => self.act(),
            1 if self.random.one_in(8) => self.jump(),
            _ if self.is_hosted && self.random.one_in(2) && self.host() => {}
            _ if !self.actors.is_empty() => {
                let actor = self.random.below(self.actors.len());
                self.go(actor);
            }
            _ => {}
        }
        self.is_restless() || self.wait_for_something()
    }

    /// Whether something can happen without anything from outside.
    fn is_restless(&mut self) -> bool {
        let is_readable = self.rig.kernel.is_readable();
        if self.is_hosted && is_readable {
            return true;
        }
        self.actors.iter_mut().any(|actor| match actor.asleep {
            None => true,
            Some(Place::Kernel) => is_readable,
            Some(Place::Parker) => {
                if actor.hand.try_wake(Place::Parker) {
                    actor.asleep = None;
                }
                actor.asleep.is_none()
            }
        })
    }

    /// All sleep: an action, or the clock.
    fn wait_for_something(&mut self) -> bool {
        let idle = self.rig.idle();
        let is_watched = self.is_hosted || idle.kernel() > 0 || self.rig.stage().outstanding() == 0;
        assert!(is_watched, "all sleep, waits are outstanding, and nobody watches: {:?}", self.rig);
        assert_eq!(
            (idle.claims(), idle.searching()),
            (0, 0),
            "all sleep, and somebody is counted awake: {:?}",
            self.rig
        );
        if !self.plan.actions.is_empty() {
            self.act();
            return true;
        }
        let Some(at) = self.rig.kernel.timer() else { return false };
        self.rig.kernel.advance_to(at);
        true
    }

    fn act(&mut self) {
        let action = self.random.take(&mut self.plan.actions);
        match action {
            Action::Set(event) => event.set(),
            Action::Signal(semaphore) => drop(semaphore.signal(1)),
            Action::Add(descriptor) => self.rig.kernel.add(&descriptor, 1),
            Action::Submit { graph, scope } => {
                let planned = &mut self.plan.graphs[graph];
                planned.runs += 1;
                self.runs.push(self.rig.submit(&planned.graph, &self.scopes[scope]).expect("it is open"));
            }
            Action::Start(program) => self.programs[program].start(),
            Action::CancelProgram(program) => {
                let _ = self.programs[program].run.as_ref().map(|run| run.view().cancel());
            }
            Action::DropProgram(program) => drop(self.programs[program].run.take()),
            Action::CancelRun if self.runs.is_empty() => {}
            Action::CancelRun => {
                let run = self.random.below(self.runs.len());
                let _ = self.runs[run].cancel();
            }
            Action::CancelScope(scope) => drop(self.scopes[scope].cancel()),
            Action::FailScope(scope) => {
                let _ = self.scopes[scope].fail(Error::new(Code::Unavailable, "planned"));
            }
        }
    }

    fn jump(&mut self) {
        let now = self.rig.kernel.now();
        let by = if self.random.one_in(10) { 5_000_000 } else { self.random.next() % 50_000 };
        self.rig.kernel.advance_to(now + by);
    }

    /// The host turns, if its descriptor is readable, or for no reason.
    fn host(&mut self) -> bool {
        if !self.rig.kernel.is_readable() && !self.random.one_in(16) {
            return false;
        }
        let budget = 1 + self.random.below(20) as u32;
        let _ = self.rig.turn(budget).expect("nobody else turns");
        true
    }

    /// One worker does something, if it can.
    fn go(&mut self, actor: usize) {
        let is_readable = self.rig.kernel.is_readable();
        let is_spurious = self.random.one_in(16);
        let is_delayed = self.random.one_in(32).then(|| self.random.below(60));
        let actor = &mut self.actors[actor];
        if actor.delay > 0 {
            actor.delay -= 1;
            return;
        }
        actor.delay = is_delayed.unwrap_or(0);
        match actor.asleep {
            None => match actor.hand.step() {
                Step::Ran => {}
                Step::Sleep(place) => actor.asleep = Some(place),
                Step::Leave => unreachable!("nobody was told to leave"),
            },
            Some(Place::Kernel) if !is_readable && !is_spurious => {}
            Some(place) => {
                if actor.hand.try_wake(place) {
                    actor.asleep = None;
                }
            }
        }
    }

    fn check(&self) {
        for (number, run) in self.runs.iter().enumerate() {
            assert!(run.is_done(), "run {number} never ends: a wake-up was lost: {:?}", self.rig);
        }
        for (number, program) in self.programs.iter().enumerate() {
            program.check(number);
        }
        for planned in &self.plan.graphs {
            for (task, trace) in planned.traces.iter().enumerate() {
                assert_eq!(trace.ended(), planned.runs, "task {task} was cleaned up another number of times");
                let is_counted = planned.calls.contains(&task);
                let expected = if is_counted { trace.done.load(Relaxed) } else { 0 };
                assert_eq!(trace.ran.load(Relaxed), expected, "task {task} ran another number of times");
            }
        }
        assert!(self.scopes.iter().all(|scope| scope.pending() == 0), "a scope never became idle");
        assert_eq!(self.rig.stage().outstanding(), 0, "a wait was left behind");
    }
}

/// How many seeds fail, and the first of them.
fn failing(test: &str, count: u64, world: impl Fn(u64) -> World) -> (usize, Option<(u64, String)>) {
    let only = std::env::var("RADDLE_SIM_SEED").ok().and_then(|text| text.parse().ok());
    let seeds: Vec<u64> = only.map_or_else(|| (0..count).collect(), |seed| vec![seed]);
    let (mut failures, mut first) = (0, None);
    for seed in seeds {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| world(seed).run())) {
            failures += 1;
            let said = raddle_status::panic_message(&*payload);
            let command = format!("RADDLE_SIM_SEED={seed} cargo test -p raddle-task --test sim {test}");
            first.get_or_insert((seed, format!("seed {seed}: {said}\n    {command}")));
        }
    }
    (failures, first)
}

fn seeds() -> u64 {
    std::env::var("RADDLE_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

#[test]
fn every_seed_comes_to_rest() {
    let (failures, first) = failing("every_seed_comes_to_rest", seeds(), |seed| {
        World::new(seed, Rig::new(3, Driver::Workers, seed), false)
    });
    assert!(failures == 0, "{failures} seeds fail; {}", first.expect("one").1);
}

#[test]
fn every_seed_comes_to_rest_under_a_host() {
    let (failures, first) = failing("every_seed_comes_to_rest_under_a_host", seeds(), |seed| {
        let workers = (seed % 3) as usize;
        World::new(seed, Rig::new(workers, Driver::Host, seed), true)
    });
    assert!(failures == 0, "{failures} seeds fail; {}", first.expect("one").1);
}

/// A kernel that loses one wake-up of its set.
struct Forgetful {
    kernel: Arc<Standin>,
    left: AtomicUsize,
}

impl Kernel for Forgetful {
    fn now(&self) -> Moment {
        self.kernel.now()
    }

    fn watch(&self, number: RawFd, registration: Registration) -> Result {
        self.kernel.watch(number, registration)
    }

    fn forget(&self, number: RawFd) {
        self.kernel.forget(number);
    }

    fn set_timer(&self, moment: Moment) {
        self.kernel.set_timer(moment);
    }

    fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result {
        self.kernel.sleep(events, sleep)
    }

    fn wake(&self) {
        if self.left.fetch_sub(1, Relaxed) != 0 {
            self.kernel.wake();
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.kernel.fd()
    }

    fn is_readable(&self) -> bool {
        self.kernel.is_readable()
    }
}

#[test]
fn a_planted_bug_is_caught() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let (failures, first) = failing("a_planted_bug_is_caught", 200, |seed| {
        let rig = Rig::on(3, Driver::Workers, seed, |kernel| {
            Box::new(Forgetful { kernel, left: AtomicUsize::new(seed as usize % 4) })
        });
        World::new(seed, rig, false)
    });
    std::panic::set_hook(hook);
    let (_, text) = first.expect("a kernel that loses a wake-up goes unnoticed");
    assert!(failures >= 5, "only {failures} of 200 seeds notice");
    assert!(text.contains("RADDLE_SIM_SEED="), "{text}");
}
