//! The snippets of README.md, compiled and run: each block of the chapter on embedding stands here, line for line.

use raddle::vm::{Outcome, Slice};
use raddle::wait::Event;
use raddle::{EventObject, NEVER, Result, Runtime, Session, TurnBudget, WaitFrame};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// The programs lie where `waits.vmfb` is found.
fn enter() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/programs/runtime");
    std::env::set_current_dir(programs).unwrap();
}

async fn future() -> Result<i32> {
    let runtime = Runtime::builder().workers(2).build()?;
    let session = runtime.session().path("waits.vmfb")?.build()?;
    let delay = session.function("waits.delay")?.typed::<(i64, i32), i32>()?;
    let value = delay.invoke((1_000_000, 7)).await?;
    Ok(value)
}

fn callback(session: &Session) -> Result {
    let delay = session.function("waits.delay")?.typed::<(i64, i32), i32>()?;
    delay.invoke((1_000_000, 7)).on_complete(|value| println!("{value:?}"));
    session.scope().wait_idle(NEVER)
}

fn blocking(session: &Session) -> Result<i32> {
    let delay = session.function("waits.delay")?.typed::<(i64, i32), i32>()?;
    let value = delay.invoke((1_000_000, 7)).wait()?;
    Ok(value)
}

fn poll(fd: BorrowedFd<'_>, timeout: Option<Duration>) {
    let timeout = timeout.map(|left| Timespec::try_from(left).unwrap());
    rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref()).unwrap();
}

fn host_loop() -> Result {
    let is_over = Arc::new(AtomicBool::new(false));
    let runtime = Runtime::builder().workers(0).build()?;
    let session = runtime.session().path("waits.vmfb")?.build()?;
    let told = is_over.clone();
    session.function("waits.delay")?.invoke((1_000_000_i64, 7)).on_complete(move |result| {
        assert_eq!(result.unwrap().to::<i32>().unwrap(), 7);
        told.store(true, Ordering::Relaxed);
    });
    // … invoke …
    loop {
        poll(runtime.fd(), runtime.next_timeout());
        while runtime.turn(TurnBudget::default())?.is_more {}
        if is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

fn low_level() -> Result {
    let runtime = Runtime::builder().workers(1).build()?;
    let session = runtime.session().path("waits.vmfb")?.build()?;
    let until = session.function("waits.until")?;
    let signal = Arc::new(Event::manual());
    let event = EventObject::value(&signal);
    let (ended, is_ended) = std::sync::mpsc::channel();
    let Outcome::Waiting(call, wait) = until.begin((event, 7))? else { return Ok(()) };
    runtime.wait_invoke_async(WaitFrame { call, wait }, NEVER, move |call, outcome| {
        let outcome = call.resume(outcome, &Slice::default());
        ended.send(matches!(outcome, Outcome::Finished(_))).unwrap();
    })?;
    signal.set();
    assert!(is_ended.recv().unwrap());
    Ok(())
}

#[test]
fn the_embeddings_work() {
    enter();
    assert_eq!(block_on(future()).unwrap(), 7);
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let session = runtime.session().path("waits.vmfb").unwrap().build().unwrap();
    callback(&session).unwrap();
    assert_eq!(blocking(&session).unwrap(), 7);
    host_loop().unwrap();
    low_level().unwrap();
}

#[test]
fn the_snippets_are_those_of_this_file() {
    let (readme, here) = (include_str!("../../../README.md"), include_str!("readme.rs"));
    let chapter = readme.split("## Embedding").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let lines: Vec<&str> = here.lines().map(str::trim).collect();
    let blocks: Vec<&str> =
        chapter.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 5, "future, callback, blocking, host loop, low level");
    for line in blocks.iter().flat_map(|block| block.lines()).map(str::trim).filter(|line| *line != "}") {
        assert!(lines.contains(&line), "README.md says `{line}`, which is not compiled here");
    }
}
