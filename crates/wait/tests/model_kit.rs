//! The kit (`src/model`): sources that conform, each way in which one does not, and how a failure reads.

#![cfg(all(feature = "model", not(raddle_loom)))]

use raddle_status::{Code, Error};
use raddle_wait::model::*;
use raddle_wait::sync::Mutex;
use raddle_wait::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use raddle_wait::sync::cell::UnsafeCell;
use raddle_wait::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a test that must fail says.
fn complaint(test: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(test)).expect_err("it does not conform");
    raddle_status::panic_message(&*payload).message().to_owned()
}

#[test]
fn our_sources_conform() {
    Conformance::new(|| Arc::new(Event::manual())).signal(Event::set).check();
    Conformance::new(|| Arc::new(Event::auto())).signal(Event::set).check();
    Conformance::new(|| Arc::new(Permits::new(0))).signal(|permits| permits.release(1)).check();
    Conformance::new(|| Arc::new(Arc::new(Semaphore::new(0)).at(3)))
        .signal(|at| {
            // A second signal is refused, and need not wake again.
            let _ = at.semaphore().signal(3);
        })
        .fail(|at| {
            at.semaphore().fail(Error::new(Code::DataLoss, "lost"));
        })
        .check();
}

/// A source with a fault of choice.
#[derive(Default)]
struct Faulty {
    fault: &'static str,
    is_ready: AtomicBool,
    waiters: Mutex<Vec<SourceWaker>>,
}

impl Faulty {
    fn conformance(fault: &'static str) -> Conformance<Faulty> {
        Conformance::new(move || Arc::new(Faulty { fault, ..Faulty::default() })).signal(Faulty::signal)
    }

    fn signal(&self) {
        self.is_ready.store(true, Release);
        let mut waiters = self.waiters.lock();
        if self.fault == "wakes under its lock" {
            waiters.drain(..).for_each(|waker| _ = waker.wake());
            return;
        }
        let waiters = std::mem::take(&mut *waiters);
        let count = if self.fault == "wakes one" { 1 } else { waiters.len() };
        waiters.iter().take(count).for_each(|waker| {
            waker.wake();
        });
    }
}

impl WaitSource for Faulty {
    fn arm(&self, waker: SourceWaker) {
        let mut waiters = self.waiters.lock();
        if self.fault == "is silent" || !self.is_ready.load(Acquire) {
            waiters.push(waker);
            return;
        }
        drop(waiters);
        waker.wake();
    }

    fn disarm(&self, waker: WakerId) {
        self.waiters.lock().retain(|kept| kept.id() != waker);
    }

    fn query(&self) -> Readiness {
        match (self.fault, self.is_ready.load(Acquire)) {
            ("is always ready", _) | (_, true) => Readiness::Ready,
            _ => Readiness::Pending,
        }
    }
}

#[test]
fn a_source_without_a_fault_conforms() {
    Faulty::conformance("none").check();
}

#[test]
fn faults_are_named() {
    let always = complaint(|| Faulty::conformance("is always ready").check());
    assert!(always.contains("query before and after the signal"), "{always}");
    let one = complaint(|| Faulty::conformance("wakes one").check());
    assert!(one.contains("two waits and two signals"), "{one}");
}

#[test]
fn a_lock_that_is_held_while_it_wakes_is_found_in_a_model() {
    let failure = Check::new().run(|| {
        struct Nosy(Arc<Faulty>);
        impl std::task::Wake for Nosy {
            fn wake(self: Arc<Self>) {
                // What a program does that is resumed on the signaller's stack.
                drop(Pending::new(self.0.clone()));
            }
        }
        let source = Arc::new(Faulty { fault: "wakes under its lock", ..Faulty::default() });
        let mut waiting = Box::pin(Waiting::new(&SlotPool::new(), source.clone()));
        let waker = std::task::Waker::from(Arc::new(Nosy(source.clone())));
        let _ = waiting.as_mut().poll(&mut std::task::Context::from_waker(&waker));
        source.is_ready.store(false, Release);
        let mut waiters = source.waiters.lock();
        waiters.drain(..).for_each(|waker| _ = waker.wake());
    });
    let failure = failure.expect_err("a lock is taken twice");
    assert!(failure.message().contains("waits for ever"), "{failure}");
}

#[test]
fn a_race_on_plain_memory_is_found() {
    struct Plain(UnsafeCell<u32>);
    // SAFETY: it is not; that is the fault.
    #[allow(unsafe_code)]
    unsafe impl Sync for Plain {}
    let write = |plain: &Plain| {
        plain.0.with_mut(|_| ());
    };
    let failure = Check::new().run(move || {
        let plain = Arc::new(Plain(UnsafeCell::new(0)));
        let other = plain.clone();
        let thread = spawn("other", move || write(&other));
        write(&plain);
        thread.join().unwrap();
    });
    let failure = failure.expect_err("two writes race");
    assert!(failure.message().contains("Causality violation"), "{failure}");
}

#[test]
fn a_schedule_without_an_end_is_found() {
    let failure = Check::new().run(|| {
        let never = Arc::new(AtomicBool::new(false));
        let other = never.clone();
        let thread = spawn("other", move || other.load(Acquire));
        while !never.load(Acquire) {
            raddle_wait::sync::spin_loop();
        }
        thread.join().unwrap();
    });
    let failure = failure.expect_err("it spins for ever");
    assert!(failure.message().contains("does not end"), "{failure}");
}

#[test]
fn a_model_that_never_ends_is_cut_short_with_its_last_step() {
    let (_kept, never) = std::sync::mpsc::channel::<()>();
    let never = std::sync::Mutex::new(never);
    let limit = std::time::Duration::from_millis(50);
    let failure = Check::new().limit(limit).run(move || {
        AtomicBool::new(false).store(true, Release);
        let _ = never.lock().unwrap().recv();
    });
    let failure = failure.expect_err("it is stuck outside of what the checker sees");
    assert!(failure.message().contains("did not end within 50ms"), "{failure}");
    // Only if the thread has got there within the limit: it reads nothing else.
    assert!(failure.trace().is_empty() || failure.trace().contains("store(true"), "{failure}");
}

#[test]
fn a_failure_is_told_whatever_the_destructors_do_and_also_when_it_is_caught() {
    struct Busy(Arc<(Mutex<u32>, AtomicU32)>);
    impl Drop for Busy {
        fn drop(&mut self) {
            // Its holder is the thread that fails.
            *self.0.0.lock() += 1;
            self.0.1.fetch_add(1, AcqRel);
        }
    }
    let failure = Check::new().run(|| {
        let shared = Arc::new((Mutex::new(0), AtomicU32::new(0)));
        let (busy, other) = (Busy(shared.clone()), shared.clone());
        let thread = spawn("other", move || *other.0.lock() += 1);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _busy = busy;
            let _held = shared.0.lock();
            panic!("the body fails");
        }));
        assert!(caught.is_err());
        thread.join().unwrap();
    });
    let failure = failure.expect_err("a panic fails the schedule");
    assert!(failure.message().contains("the body fails"), "{failure}");
    assert!(failure.trace().contains("locks"), "{failure}");
}

#[test]
fn a_leak_is_found_and_told_where_it_was_made() {
    /// What the last waiter leaves in the source keeps the source.
    #[derive(Default)]
    struct Selfish(Mutex<Option<Arc<Selfish>>>);
    let line = line!() + 3;
    let failure = Check::new().run(|| {
        let selfish = Arc::new(Selfish::default());
        must_drop(&selfish);
        let other = selfish.clone();
        let thread = spawn("other", move || *other.0.lock() = Some(other.clone()));
        let taken = selfish.0.lock().take();
        thread.join().unwrap();
        drop(taken);
    });
    let failure = failure.expect_err("in some order it is not taken back");
    let place = format!("model_kit.rs:{line}");
    assert!(failure.message().contains("leaked") && failure.message().contains(&place), "{failure}");
    assert!(failure.trace().contains("other"), "{failure}");
}

#[test]
fn a_source_that_a_finished_wait_keeps_does_not_conform() {
    /// Makes a circle with itself.
    #[derive(Default)]
    struct Circle(Faulty, Mutex<Option<Arc<Circle>>>);
    impl WaitSource for Circle {
        fn arm(&self, waker: SourceWaker) {
            self.0.arm(waker);
        }
        fn disarm(&self, waker: WakerId) {
            self.0.disarm(waker);
        }
    }
    let make = || {
        let circle = Arc::new(Circle::default());
        *circle.1.lock() = Some(circle.clone());
        circle
    };
    let kept = complaint(|| Conformance::new(make).signal(|circle| circle.0.signal()).check());
    assert!(kept.contains("a wait that is over keeps the source"), "{kept}");
}

#[test]
fn a_host_that_sleeps_without_being_told_is_found() {
    let failure = Check::new().preemptions(2).run(|| {
        let set = WaitSet::with_kernel(Standin::new(), Limits::default()).unwrap();
        let has_work = Arc::new(AtomicBool::new(false));
        let (giver, given) = (set.clone(), has_work.clone());
        // Its fault: nobody wakes the set after the flag is set.
        let giving = spawn("giver", move || {
            given.store(true, Release);
            drop(giver);
        });
        let mut events = Events::with_capacity(4);
        while !has_work.load(Acquire) {
            let _ = set.turn(&mut events, Sleep::UntilEvent).unwrap();
        }
        giving.join().unwrap();
    });
    let failure = failure.expect_err("the host sleeps for ever in some order");
    assert!(failure.message().contains("a wake-up was lost"), "{failure}");
    let trace = failure.trace();
    assert!(trace.contains("load(Acquire) -> false") && trace.contains("store(true"), "{trace}");
}

#[test]
fn the_same_source_is_plain_outside_of_a_model() {
    let source = Arc::new(Faulty::default());
    assert!(!raddle_wait::sync::is_model());
    let other = source.clone();
    let thread = spawn("signaller", move || other.signal());
    wait(source).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_host_loop_over_a_wait_set_is_checked() {
    let turns = Arc::new(AtomicU32::new(0));
    let counted = turns.clone();
    let explored = Check::new().preemptions(2).run(move || {
        let set = WaitSet::with_kernel(Standin::new(), Limits::default()).unwrap();
        let fd = set.kernel().counter();
        let writer = set.kernel().duplicate(&fd);
        let source = Arc::new(Descriptor::new(fd).readable());
        let mut pending = Pending::on(set.clone(), source, NEVER);
        let other = set.clone();
        let writing = spawn("writer", move || other.kernel().add(&writer, 1));
        let mut events = Events::with_capacity(4);
        while pending.try_finish().is_none() {
            let _ = set.turn(&mut events, Sleep::UntilEvent).unwrap();
            counted.fetch_add(1, Relaxed);
        }
        writing.join().unwrap();
        assert_eq!(set.outstanding(), 0);
    });
    assert!(explored.unwrap_or_else(|failure| panic!("{failure}")).schedules > 1);
    assert!(turns.load(Relaxed) > 1);
}
