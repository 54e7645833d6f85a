//! A host's own epoll loop drives an executor that has no threads.

use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, GraphBuilder, TurnBudget};
use raddle_wait::Event;
use rustix::event::epoll;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// What the host's loop watches: its own pipe, and the executor.
const OWN: u64 = 0;
const EXECUTOR: u64 = 1;

fn main() -> Result {
    let executor = Executor::builder().workers(0).build()?;
    let event = Arc::new(Event::manual());
    let mut builder = GraphBuilder::new();
    let first = builder.call(|_| println!("first task on {:?}", std::thread::current().name()));
    let wait = builder.wait(event.clone());
    let delay = builder.delay(Duration::from_millis(5));
    let last = builder.call(|_| println!("last task on {:?}", std::thread::current().name()));
    builder.chain([first, wait, delay, last])?;
    let run = executor.submit(&builder.build()?, &executor.scope("example"))?;

    let (reader, mut writer) = std::io::pipe().map_err(system)?;
    let loop_fd = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system)?;
    epoll::add(&loop_fd, &reader, epoll::EventData::new_u64(OWN), epoll::EventFlags::IN).map_err(system)?;
    epoll::add(&loop_fd, executor.fd(), epoll::EventData::new_u64(EXECUTOR), epoll::EventFlags::IN)
        .map_err(system)?;
    // Another part of the host: it wakes both.
    let other = std::thread::spawn(move || {
        event.set();
        // Handed back: a pipe without a writer is readable for ever.
        writer.write_all(b"!").map(|()| writer)
    });

    let (mut turns, mut own, mut steps) = (0, 0, 0);
    while !run.is_done() || own == 0 {
        let mut events = Vec::with_capacity(8);
        epoll::wait(&loop_fd, rustix::buffer::spare_capacity(&mut events), None).map_err(system)?;
        for event in &events {
            match event.data.u64() {
                OWN => {
                    own += 1;
                    rustix::io::read(&reader, &mut [0; 8]).map_err(system)?;
                }
                _ => {
                    turns += 1;
                    steps += executor.turn(TurnBudget::default())?.tasks;
                }
            }
        }
    }
    run.wait()?;
    drop(other.join().expect("the other thread does not panic").map_err(system)?);
    println!(
        "events of the host's own: {own}; turns of the executor: {turns}; steps that ran something: {steps}"
    );
    println!("workers: {}; threads parked on a wait: 0", executor.worker_count());
    Ok(())
}

fn system(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("the system refuses: {error}"))
}
