//! Tasks, sources, callbacks and futures that must not leave their thread.

mod support;

use raddle_status::Code;
use raddle_task::*;
use raddle_wait::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::*;

fn local() -> LocalExecutor {
    LocalExecutor::new(Executor::builder().name("local")).unwrap()
}

/// A source without a lock or an atomic.
#[derive(Default)]
struct Flag {
    is_set: Cell<bool>,
    wakers: RefCell<Vec<SourceWaker>>,
}

impl Flag {
    fn set(&self) {
        self.is_set.set(true);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }
}

impl WaitSource for Flag {
    fn arm(&self, waker: SourceWaker) {
        match self.is_set.get() {
            true => assert!(waker.wake()),
            false => self.wakers.borrow_mut().push(waker),
        }
    }
    fn disarm(&self, waker: WakerId) {
        self.wakers.borrow_mut().retain(|kept| kept.id() != waker);
    }
    fn query(&self) -> Readiness {
        if self.is_set.get() { Readiness::Ready } else { Readiness::Pending }
    }
}

#[test]
fn a_graph_of_things_that_stay() {
    let executor = local();
    let scope = executor.scope("stays");
    let (flag, order) = (Rc::new(Flag::default()), Rc::new(RefCell::new(Vec::new())));
    let mut builder = GraphBuilder::new();
    let note = |number: u32| {
        let order = executor.bind(order.clone());
        move |_: &TaskCx<'_>| order.with(|order| order.borrow_mut().push(number))
    };
    let tasks = [
        builder.call(note(1)),
        builder.wait(executor.source(flag.clone())),
        builder.call(note(2)),
        builder.delay(Duration::from_millis(1)),
        builder.call(note(3)),
    ];
    builder.chain(tasks).unwrap();
    let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
    let called = Rc::new(Cell::new(false));
    {
        let called = called.clone();
        executor.on_complete(&run, move |result| called.set(result.is_ok())).unwrap();
    }
    while executor.turn(TurnBudget::default()).unwrap().tasks > 0 {}
    assert_eq!(*order.borrow(), [1]);
    let setter = {
        let flag = flag.clone();
        executor.spawn(&scope, move || flag.set()).unwrap()
    };
    run.wait().unwrap();
    setter.wait().unwrap();
    scope.wait_idle(NEVER).unwrap();
    assert!(called.get());
    assert_eq!(*order.borrow(), [1, 2, 3]);
    // Given up: the source forgets its waker.
    let source = Rc::new(Flag::default());
    let mut builder = GraphBuilder::new();
    builder.wait(raddle_wait::any![executor.source(source.clone()), Arc::new(Event::manual())]);
    let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
    while executor.turn(TurnBudget::default()).unwrap().tasks > 0 {}
    assert_eq!(source.wakers.borrow().len(), 1);
    run.cancel();
    assert_eq!(code_of(&run), Code::Cancelled);
    assert!(source.wakers.borrow().is_empty());
}

#[test]
fn futures_that_stay() {
    let executor = local();
    let scope = executor.scope("futures");
    let (flag, seen) = (Rc::new(Flag::default()), Rc::new(Cell::new(0)));
    let future = {
        let (wait, seen) = (executor.wait_for_local(flag.clone() as LocalSource, NEVER), seen.clone());
        async move {
            seen.set(1);
            wait.await.unwrap();
            seen.set(2);
        }
    };
    let mut builder = GraphBuilder::new();
    builder.wait(executor.future(future));
    let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
    while executor.turn(TurnBudget::default()).unwrap().tasks > 0 {}
    assert_eq!(seen.get(), 1);
    flag.set();
    run.wait().unwrap();
    assert_eq!(seen.get(), 2);
    let soon = after(executor.now(), Duration::from_millis(1));
    let mut wait = Box::pin(executor.wait_for_local(Rc::new(Flag::default()) as LocalSource, soon));
    loop {
        match wait.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => drop(executor.turn(TurnBudget::default()).unwrap()),
            Poll::Ready(result) => break assert!(result.unwrap_err().is_deadline_exceeded()),
        }
    }
}

#[test]
fn other_threads_submit_and_wait_but_run_nothing() {
    let executor = local();
    let scope = executor.scope("others");
    let count = Rc::new(Cell::new(0));
    let bound = executor.bind(count.clone());
    let graph = {
        let bound = bound.clone();
        single(move |_| bound.with(|count| count.set(count.get() + 1)))
    };
    let plain: Executor = (*executor).clone();
    let other = std::thread::spawn(move || {
        assert_eq!(plain.turn(TurnBudget::default()).unwrap_err().code(), Code::FailedPrecondition);
        assert_eq!(bound.with(|_| ()).unwrap_err().code(), Code::FailedPrecondition);
        for _ in 0..20 {
            plain.submit(&graph, &scope).unwrap().wait().unwrap();
            plain.run(&graph, &scope).unwrap();
        }
    });
    while !other.is_finished() {
        executor.turn(TurnBudget::default()).unwrap();
    }
    other.join().unwrap();
    assert_eq!(count.get(), 40);
}

#[test]
fn what_is_dropped_elsewhere_is_leaked() {
    struct Noisy(Rc<Cell<bool>>);
    impl Drop for Noisy {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let executor = local();
    let was_dropped = Rc::new(Cell::new(false));
    let here = executor.bind(Noisy(was_dropped.clone()));
    drop(here);
    assert!(was_dropped.replace(false));
    let there = executor.bind(Noisy(was_dropped.clone()));
    std::thread::spawn(move || drop(there)).join().unwrap();
    assert!(!was_dropped.get());
}
