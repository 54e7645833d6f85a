//! Foreign sources that misbehave in every way that the trait leaves open: each wait still ends once, and rightly.

#![cfg(not(raddle_loom))]
#![allow(unsafe_code)]

mod support;

use raddle_status::{Code, Error};
use raddle_wait::*;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use support::*;

/// A source made of closures.
struct Made<A, Q = fn() -> Readiness, C = fn() -> Commit> {
    arm: A,
    query: Q,
    commit: C,
}

fn armed<A: Fn(SourceWaker)>(arm: A) -> Made<A> {
    Made { arm, query: || Readiness::Pending, commit: || Commit::Taken }
}

impl<A: Fn(SourceWaker), Q: Fn() -> Readiness, C: Fn() -> Commit> WaitSource for Made<A, Q, C> {
    fn arm(&self, waker: SourceWaker) {
        (self.arm)(waker);
    }
    fn query(&self) -> Readiness {
        (self.query)()
    }
    fn commit(&self) -> Commit {
        (self.commit)()
    }
}

/// Waits once and checks that the program heard of it once, and that no slot was lost.
fn wait(condition: impl Into<Condition>) -> raddle_status::Result<usize> {
    let (pool, program) = (SlotPool::new(), Program::new());
    let frame = frame(&pool, condition);
    let result = program.wait(&frame, None).into_result();
    drop(frame);
    assert_whole(&pool);
    result
}

fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

#[test]
fn fires_twice_from_inside_arm() {
    let counted = Arc::new(Mutex::new(vec![]));
    let source = {
        let counted = counted.clone();
        armed(move |waker: SourceWaker| {
            let again = waker.clone();
            counted.lock().unwrap().extend([waker.wake(), again.wake(), again.fail(Code::Aborted)]);
        })
    };
    assert_eq!(wait(Arc::new(source)).unwrap(), 0);
    assert_eq!(*counted.lock().unwrap(), [true, false, false]);
}

#[test]
fn fires_from_another_thread_during_arm() {
    let source = armed(|waker: SourceWaker| {
        assert!(thread::spawn(move || waker.wake()).join().unwrap());
    });
    assert_eq!(wait(Arc::new(source)).unwrap(), 0);
}

#[test]
fn fires_twice_late_and_after_the_pool_is_gone() {
    let kept = Arc::new(Mutex::new(vec![]));
    let source = {
        let kept = kept.clone();
        armed(move |waker: SourceWaker| {
            kept.lock().unwrap().push(waker.clone());
            waker.wake();
        })
    };
    assert!(wait(Arc::new(source)).is_ok());
    for waker in kept.lock().unwrap().drain(..) {
        assert!(!waker.wake() && !waker.fail(Code::Aborted), "{waker:?} did something");
    }
}

#[test]
fn never_fires_and_forgets_its_waker() {
    let pool = SlotPool::new();
    let program = Program::new();
    let cancel = Arc::new(CancelPoint::new(&pool));
    let (armed_now, is_armed) = mpsc::channel();
    let source = armed(move |_| armed_now.send(()).unwrap());
    let canceller = {
        let cancel = cancel.clone();
        thread::spawn(move || {
            is_armed.recv().unwrap();
            cancel.request()
        })
    };
    let frame = frame(&pool, Arc::new(source));
    assert!(matches!(program.wait(&frame, Some(&cancel)), Outcome::Cancelled));
    assert!(canceller.join().unwrap());
}

#[test]
fn panics_become_failures() {
    let arm = armed(|_| panic_quietly());
    let query = Made { arm: |_| (), query: || panic_quietly(), commit: || Commit::Taken };
    let commit = Made { arm: |_| (), query: || Readiness::Ready, commit: || panic_quietly() };
    let late_commit = Made {
        arm: |waker: SourceWaker| {
            waker.wake();
        },
        query: || Readiness::Pending,
        commit: || panic_quietly(),
    };
    let sources: [SharedSource; 4] =
        [Arc::new(arm), Arc::new(query), Arc::new(commit), Arc::new(late_commit)];
    for source in sources {
        let alone = Condition::Until(source.clone());
        let any = any![Arc::clone(&source)];
        for condition in [alone, any, all![Arc::new(Immediate), source]] {
            let error = wait(condition).unwrap_err();
            assert_eq!(error.to_string(), "UNKNOWN: panicked: on purpose; in a wait source");
        }
    }
}

/// A source whose disarm panics, whose decline panics, and whose route changes its mind.
struct Fickle {
    inner: Event,
    routes: AtomicUsize,
}

impl WaitSource for Fickle {
    fn arm(&self, waker: SourceWaker) {
        self.inner.arm(waker);
    }
    fn disarm(&self, _: WakerId) {
        panic_quietly();
    }
    fn decline(&self) {
        panic_quietly();
    }
    fn route(&self) -> Route<'_> {
        match self.routes.fetch_add(1, Relaxed) {
            0 | 1 => self.inner.route(),
            _ => panic_quietly(),
        }
    }
}

#[test]
fn a_route_that_changes_leaves_no_slot_behind() {
    let pool = SlotPool::new();
    let program = Program::new();
    for routes in 0..3 {
        let fickle = Arc::new(Fickle { inner: Event::manual(), routes: AtomicUsize::new(routes) });
        let frame = frame(&pool, any![fickle.clone(), Arc::new(Never)]);
        // SAFETY: abandoned at once.
        if let Progress::Waiting = unsafe { frame.begin(&NoStage, program.header(), None) } {
            // SAFETY: it waits.
            assert!(unsafe { frame.abandon(&NoStage, None) });
        }
        drop(frame);
        assert_whole(&pool);
        fickle.inner.set();
    }
    assert_eq!(program.scheduled(), 0);
}

#[test]
fn a_failure_keeps_its_message_if_the_source_tells_it() {
    let failure = || Readiness::Failed(Error::new(Code::DataLoss, "the disk is gone"));
    let asked = AtomicUsize::new(0);
    let source = Made {
        arm: |waker: SourceWaker| {
            waker.fail(Code::DataLoss);
        },
        query: move || if asked.fetch_add(1, Relaxed) == 0 { Readiness::Pending } else { failure() },
        commit: || Commit::Taken,
    };
    assert_eq!(wait(Arc::new(source)).unwrap_err().to_string(), "DATA_LOSS: the disk is gone");
    let silent = armed(|waker: SourceWaker| {
        waker.fail(Code::DataLoss);
    });
    assert_eq!(wait(Arc::new(silent)).unwrap_err().to_string(), "DATA_LOSS: a wait source failed");
}

#[test]
fn a_condition_without_sources_is_refused() {
    let pool = SlotPool::new();
    for condition in [Condition::Any(vec![]), all![Arc::new(Immediate), Condition::All(vec![])]] {
        let error = Frame::<SharedSource>::new(&pool, condition, NEVER).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}

#[test]
fn a_source_in_an_rc_works_where_it_is() {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;
    #[derive(Default)]
    struct Local(Cell<bool>, RefCell<Vec<SourceWaker>>);
    impl WaitSource for Local {
        fn arm(&self, waker: SourceWaker) {
            self.1.borrow_mut().push(waker);
        }
        fn query(&self) -> Readiness {
            if self.0.get() { Readiness::Ready } else { Readiness::Pending }
        }
    }
    let (pool, program) = (SlotPool::new(), Program::new());
    let (a, b) = (Rc::new(Local::default()), Rc::new(Local::default()));
    let condition: Condition<LocalSource> = any![a, all![b.clone(), Until(NEVER)]];
    let frame = Frame::new(&pool, any![condition, b.clone()], NEVER).unwrap();
    let time = VirtualTime::new();
    // SAFETY: concluded below, once scheduled.
    assert!(matches!(unsafe { frame.begin(&time, program.header(), None) }, Progress::Waiting));
    assert_eq!(program.scheduled(), 0);
    for waker in b.1.borrow_mut().drain(..) {
        waker.wake();
    }
    assert_eq!(program.scheduled(), 1);
    // SAFETY: scheduled.
    let progress = unsafe { frame.conclude(&time, program.header(), None) };
    assert!(matches!(progress, Progress::Done(Outcome::Ready { index: 1 })), "{progress:?}");
    assert_eq!(time.outstanding(), 0);
}
