//! A forked child of a process that has executors: every call says so, and dropping them touches nothing of the parent's.
//!
//! A binary of its own: it forks for real.

use raddle_status::{Code, Result};
use raddle_task::*;
use raddle_wait::*;
use std::sync::Arc;
use std::time::Duration;

// SAFETY: fork(2), waitpid(2) and _exit(2), from the C library that std links.
unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

/// Runs `child` in a fork and returns the number that it returned.
fn in_fork(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child calls nothing that waits for a thread of the parent's, and leaves by `_exit`.
    let process = unsafe { fork() };
    assert!(process >= 0, "fork failed");
    if process == 0 {
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(101);
        // SAFETY: nothing of the parent's is flushed or dropped.
        unsafe { _exit(code) };
    }
    let mut status = 0;
    // SAFETY: our child, and a place for its status.
    assert_eq!(unsafe { waitpid(process, &mut status, 0) }, process);
    assert_eq!(status & 0x7f, 0, "the child was killed by a signal");
    status >> 8
}

fn is_refused<T>(result: Result<T>) -> bool {
    result.is_err_and(|error| error.code() == Code::FailedPrecondition && error.message().contains("fork"))
}

fn waiting(event: &Arc<Event>, pipe: &Descriptor) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    builder.wait(event.clone());
    builder.wait(Arc::new(pipe.readable()));
    builder.delay(Duration::from_millis(20));
    builder.build().unwrap()
}

#[test]
fn a_child_is_told_and_the_parent_is_unharmed() {
    for workers in [0, 1, 3] {
        let executor = Executor::builder().workers(workers).build().unwrap();
        let scope = executor.scope("parent");
        let (event, (reader, mut writer)) = (Arc::new(Event::manual()), std::io::pipe().unwrap());
        let pipe = Descriptor::new(reader);
        let graph = waiting(&event, &pipe);
        let run = executor.submit(&graph, &scope).unwrap();
        let options = SubmitOptions::default().deadline(after(executor.now(), Duration::from_secs(3600)));
        let second = executor.submit_with(&graph, &scope, options).unwrap();
        let (mut own, mut own_pipe) = (Some((executor, scope, run, second)), Some(pipe));
        let code = in_fork(|| {
            let (executor, scope, run, second) = own.take().unwrap();
            let calls = [
                is_refused(executor.submit(&graph, &scope)),
                is_refused(executor.run(&graph, &scope)),
                is_refused(scope.spawn(|_| ())),
                is_refused(executor.turn(TurnBudget::default())),
                is_refused(run.wait()),
                is_refused(scope.wait_idle(0)),
                is_refused(run.on_complete(|_| ())),
                is_refused(executor.shutdown(NEVER)),
                !second.cancel(),
            ];
            drop((run, second, scope));
            drop(executor);
            // A descriptor that is closed here stays watched there.
            drop(own_pipe.take());
            // A child may have an executor of its own.
            let own = Executor::builder().workers(1).build().unwrap();
            let mut builder = GraphBuilder::new();
            builder.delay(Duration::from_millis(1));
            own.run(&builder.build().unwrap(), &own.scope("child")).unwrap();
            match calls.iter().position(|is_refused| !is_refused) {
                None => 0,
                Some(call) => 1 + call as i32,
            }
        });
        assert_eq!(code, 0, "the number of a call that was not refused");
        let (executor, _scope, run, second) = own.take().unwrap();
        event.set();
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        run.wait().unwrap();
        second.wait().unwrap();
        assert_eq!(executor.shutdown(NEVER).unwrap().threads_left, 0);
    }
}
