//! A host's own epoll loop drives an executor that has no threads.

use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, Graph, GraphBuilder, Scope, TurnBudget};
use raddle_wait::Event;
use rustix::event::epoll::{self, EventData, EventFlags};
use std::cell::RefCell;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

/// What the host's loop watches: its own pipe, and the executor.
const OWN: u64 = 0;
const EXECUTOR: u64 = 1;

/// A host with a loop of its own, and a graph that waits in its middle.
pub struct Job {
    event: Arc<Event>,
    graph: Arc<Graph>,
    reader: PipeReader,
    loop_fd: OwnedFd,
    events: RefCell<Vec<epoll::Event>>,
}

/// Another part of the host, on whatever thread.
pub struct Kick {
    event: Arc<Event>,
    writer: PipeWriter,
}

/// What happened in the loop.
#[derive(Default)]
pub struct Seen {
    own: u32,
    turns: u32,
    steps: u32,
}

impl Job {
    /// Builds the graph, and a loop that watches the executor.
    pub fn new(executor: &Executor) -> Result<(Job, Kick)> {
        let event = Arc::new(Event::manual());
        let mut builder = GraphBuilder::new();
        let home = std::thread::current().id();
        let check = move || match std::thread::current().id() {
            here if here == home => Ok(()),
            here => Err(misplaced(here)),
        };
        let first = builder.call(move |_| check());
        let wait = builder.wait(event.clone());
        let delay = builder.delay(Duration::from_millis(5));
        let last = builder.call(move |_| check());
        builder.chain([first, wait, delay, last])?;
        let (reader, writer) = std::io::pipe().map_err(system)?;
        let loop_fd = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system)?;
        epoll::add(&loop_fd, &reader, EventData::new_u64(OWN), EventFlags::IN).map_err(system)?;
        epoll::add(&loop_fd, executor.fd(), EventData::new_u64(EXECUTOR), EventFlags::IN).map_err(system)?;
        let events = RefCell::new(Vec::with_capacity(8));
        let kick = Kick { event: event.clone(), writer };
        Ok((Job { event, graph: builder.build()?, reader, loop_fd, events }, kick))
    }

    /// The host's loop, until the graph has run and a kick was heard of.
    pub fn run(&self, executor: &Executor, scope: &Scope) -> Result<Seen> {
        let mut seen = Seen::default();
        let run = executor.submit(&self.graph, scope)?;
        while !run.is_done() || seen.own == 0 {
            let mut events = self.events.borrow_mut();
            events.clear();
            epoll::wait(&self.loop_fd, rustix::buffer::spare_capacity(&mut events), None).map_err(system)?;
            for event in events.iter() {
                match event.data.u64() {
                    OWN => {
                        seen.own += 1;
                        rustix::io::read(&self.reader, &mut [0; 8]).map_err(system)?;
                    }
                    _ => {
                        seen.turns += 1;
                        seen.steps += executor.turn(TurnBudget::default())?.tasks;
                    }
                }
            }
        }
        run.wait()?;
        self.event.reset();
        Ok(seen)
    }
}

impl Kick {
    /// Wakes a wait of the executor's, and the host's own loop.
    pub fn kick(&self) -> Result {
        self.event.set();
        (&self.writer).write_all(b"!").map_err(system)
    }
}

fn system(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("the system refuses: {error}"))
}

fn misplaced(thread: ThreadId) -> Error {
    Error::new(Code::Internal, format!("a task ran on {thread:?}, which is not the host's"))
}

/// Runs the loop once, kicked by another thread.
pub fn main() -> Result {
    let executor = Executor::builder().workers(0).build()?;
    let ((job, kick), scope) = (Job::new(&executor)?, executor.scope("example"));
    let start = executor.now();
    let seen = std::thread::scope(|threads| {
        let other = threads.spawn(|| kick.kick());
        let seen = job.run(&executor, &scope)?;
        other.join().expect("the other thread does not panic").map(|()| seen)
    })?;
    let after = Duration::from_nanos(executor.now() - start);
    let Seen { own, turns, steps } = seen;
    println!(
        "events of the host's own: {own}; turns of the executor: {turns}; steps that ran something: {steps}"
    );
    let counts = executor.counts();
    println!(
        "both tasks ran on the host's thread; resumed after {after:?}, woken by: another thread ({} wait), a moment ({})",
        counts.waits_fired + counts.waits_inline,
        counts.waits_timed_out
    );
    let dump = executor.dump();
    println!("workers: {}; threads parked: {}", dump.workers.len(), dump.blocked);
    Ok(())
}
