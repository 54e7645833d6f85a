//! Really compiled programs that suspend and are resumed, under every way to run them.

use raddle::wait::{Event, Semaphore};
use raddle::*;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");
const COUNTER: &[u8] = include_bytes!("../../../tests/programs/runtime/counter.vmfb");
const LONG: i64 = 3_600_000_000_000;

fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().unwrap()
}

fn session(runtime: &Runtime) -> Session {
    runtime.session().bytes(WAITS).unwrap().build().unwrap()
}

fn event() -> (Arc<Event>, Value) {
    let event = Arc::new(Event::manual());
    (event.clone(), EventObject::value(&event))
}

fn until_waiting(invocation: &Invocation) {
    while !invocation.is_waiting() {
        std::thread::yield_now();
    }
}

fn code(result: Result<Outputs>) -> Code {
    result.expect_err("the invocation fails").code()
}

#[test]
fn a_call_that_does_not_wait_runs_on_its_caller() {
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let add = session.function("waits.add").unwrap();
        for round in 0..100 {
            assert_eq!(add.invoke((round, 4)).wait().unwrap().to::<i32>().unwrap(), round + 4);
        }
        let own = session.function("own").unwrap();
        let mut invocation = own.invoke((5_i64,));
        assert_eq!(invocation.wait_until(NEVER).unwrap().to::<i64>().unwrap(), 5);
        assert_eq!(invocation.suspensions(), 0, "satisfied waits suspend nothing");
        assert_eq!(runtime.executor().counts().tasks_run, 0, "no worker was needed");
        assert_eq!(code(invocation.wait_until(NEVER)), Code::FailedPrecondition);
    }
}

#[test]
fn a_call_suspends_and_is_resumed_by_another_thread() {
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let turns = session.function("turns").unwrap();
        let (told, awaited) = (Arc::new(Event::auto()), Arc::new(Event::auto()));
        let rounds = 200;
        let mut invocation = turns.invoke((EventObject::value(&told), EventObject::value(&awaited), rounds));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let slots = raddle::wait::SlotPool::new();
                for _ in 0..rounds {
                    block_on(raddle::wait::Waiting::new(&slots, told.clone())).unwrap();
                    awaited.set();
                }
            });
            assert_eq!(invocation.wait_until(NEVER).unwrap().to::<i32>().unwrap(), rounds);
        });
        assert!(invocation.suspensions() > 0, "{workers} workers: it never suspended");
    }
}

#[test]
fn a_thousand_are_in_flight_on_one_worker() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let until = session.function("until").unwrap();
    let (gate, gate_value) = event();
    let mut all: Vec<_> = (0..1000).map(|value| until.invoke((gate_value.clone(), value))).collect();
    all.iter_mut().for_each(|invocation| invocation.start().unwrap());
    all.iter().for_each(until_waiting);
    assert_eq!(session.scope().pending(), 1000);
    gate.set();
    let mut suspensions = 0;
    for (value, mut invocation) in all.into_iter().enumerate() {
        assert_eq!(invocation.wait_until(NEVER).unwrap().to::<i32>().unwrap(), value as i32);
        suspensions += invocation.suspensions();
    }
    // The last one may have been about to suspend when the gate opened.
    assert!(suspensions >= 999, "{suspensions}");
    session.scope().wait_idle(NEVER).unwrap();
}

#[test]
fn a_host_turns_a_runtime_without_workers() {
    let runtime = runtime(0);
    let session = session(&runtime);
    let until = session.function("until").unwrap();
    let (gate, gate_value) = event();
    let ended = Arc::new(AtomicUsize::new(0));
    for value in 0..100 {
        let ended = ended.clone();
        until.invoke((gate_value.clone(), value)).on_complete(move |result| {
            assert_eq!(result.unwrap().to::<i32>().unwrap(), value);
            ended.fetch_add(1, Ordering::Relaxed);
        });
    }
    let turn_until_idle = || while runtime.turn(TurnBudget::default()).unwrap().is_more {};
    turn_until_idle();
    assert_eq!((ended.load(Ordering::Relaxed), session.scope().pending()), (0, 100));
    gate.set();
    assert_eq!(ended.load(Ordering::Relaxed), 0, "nothing runs on the signaller's stack");
    turn_until_idle();
    assert_eq!(ended.load(Ordering::Relaxed), 100);
    let delay = session.function("delay").unwrap();
    let mut delayed = delay.invoke((LONG, 1));
    delayed.start().unwrap();
    turn_until_idle();
    assert!(runtime.next_timeout().is_some_and(|left| left > Duration::from_secs(3000)));
    delayed.cancel();
    turn_until_idle();
    assert_eq!(code(delayed.wait()), Code::Cancelled);
    assert_eq!(runtime.next_timeout(), None);
}

struct Flag(mpsc::Sender<()>);
impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let (sender, receiver) = mpsc::channel();
    let waker = Waker::from(Arc::new(Flag(sender)));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        receiver.recv().unwrap();
    }
}

#[test]
fn a_future_can_be_polled_by_hand() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let until = session.function("until").unwrap();
    let (gate, gate_value) = event();
    let (sender, receiver) = mpsc::channel();
    let waker = Waker::from(Arc::new(Flag(sender)));
    let mut invocation = until.invoke((gate_value, 7));
    for _ in 0..2 {
        let poll = std::pin::Pin::new(&mut invocation).poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
    }
    until_waiting(&invocation);
    gate.set();
    receiver.recv().unwrap();
    let Poll::Ready(result) = std::pin::Pin::new(&mut invocation).poll(&mut Context::from_waker(&waker))
    else {
        panic!("a future that has woken its waker is ready")
    };
    assert_eq!(result.unwrap().to::<i32>().unwrap(), 7);
    let delay = session.function("delay").unwrap();
    assert_eq!(block_on(delay.invoke((1_000_000_i64, 9))).unwrap().to::<i32>().unwrap(), 9);
}

#[test]
fn callbacks_run_on_workers_and_may_panic() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let until = session.function("until").unwrap();
    let (gate, gate_value) = event();
    let (sender, receiver) = mpsc::channel();
    until.invoke((gate_value.clone(), 1)).on_complete(|_| panic!("on purpose"));
    until.invoke((gate_value, 2)).on_complete(move |result| {
        let here = std::thread::current().name().map(str::to_owned);
        sender.send((result.unwrap().to::<i32>().unwrap(), here)).unwrap();
    });
    gate.set();
    let (value, thread) = receiver.recv().unwrap();
    assert!(value == 2 && thread.as_deref().is_some_and(|name| name.starts_with("raddle-")), "{thread:?}");
    session.scope().wait_idle(NEVER).unwrap();
}

#[test]
fn any_takes_the_first_and_all_takes_all() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let (any, all) = (session.function("any").unwrap(), session.function("all").unwrap());
    for first in [0, 1] {
        let events = [event(), event()];
        let mut one = any.invoke((events[0].1.clone(), events[1].1.clone()));
        let mut both = all.invoke((events[0].1.clone(), events[1].1.clone(), 5));
        one.start().unwrap();
        both.start().unwrap();
        [&one, &both].into_iter().for_each(until_waiting);
        events[first].0.set();
        assert_eq!(one.wait().unwrap().to::<i32>().unwrap(), first as i32);
        assert!(!both.is_done());
        events[1 - first].0.set();
        assert_eq!(both.wait().unwrap().to::<i32>().unwrap(), 5);
    }
}

#[test]
fn the_loser_of_any_keeps_its_signal() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let (first, second) = (Arc::new(Event::auto()), Arc::new(Event::auto()));
    let values = (EventObject::value(&first), EventObject::value(&second));
    let mut any = session.function("any").unwrap().invoke(values);
    any.start().unwrap();
    until_waiting(&any);
    first.set();
    assert_eq!(any.wait().unwrap().to::<i32>().unwrap(), 0);
    assert!(!first.is_set(), "the winner's signal is taken");
    second.set();
    let mut until = session.function("until").unwrap().invoke((EventObject::value(&second), 3));
    assert_eq!(until.wait_until(NEVER).unwrap().to::<i32>().unwrap(), 3);
    assert_eq!((until.suspensions(), second.is_set()), (0, false), "the signal was there, and is taken now");
}

#[test]
fn deadlines_pass_while_programs_wait_and_while_they_run() {
    for workers in [0, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let soon = || raddle::wait::after(runtime.now(), Duration::from_millis(2));
        let (_gate, gate_value) = event();
        let until = session.function("until").unwrap();
        let error = until.invoke((gate_value.clone(), 1)).deadline(soon()).wait().unwrap_err();
        assert!(error.is_deadline_exceeded() && error.to_string().contains("waits.until"), "{error}");
        let spin = session.function("spin").unwrap();
        let error = spin.invoke(()).deadline(soon()).wait().unwrap_err();
        assert!(error.is_deadline_exceeded() && error.to_string().contains("waits.spin"), "{error}");
        // The patience of a waiter is not a deadline: the invocation goes on.
        let mut patient = until.invoke((gate_value, 1));
        assert_eq!(code(patient.wait_until(soon())), Code::DeadlineExceeded);
        assert!(!patient.is_done());
        patient.cancel();
        assert_eq!(code(patient.wait()), Code::Cancelled);
    }
}

#[test]
fn cancelled_invocations_say_where_they_were() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let (_gate, gate_value) = event();
    let mut waits = session.function("until").unwrap().invoke((gate_value, 1));
    waits.start().unwrap();
    until_waiting(&waits);
    assert!(waits.canceller().cancel());
    let error = waits.wait_until(NEVER).unwrap_err();
    assert!(error.is_cancelled() && error.to_string().contains("waits.until"), "{error}");
    assert!(!waits.cancel(), "it has ended");
    let mut spins = session.function("spin").unwrap().invoke(());
    spins.start().unwrap();
    assert!(spins.cancel());
    assert_eq!(code(spins.wait()), Code::Cancelled);
    let early = session.function("add").unwrap().invoke((1, 2));
    assert!(early.cancel());
    assert_eq!(code(early.wait()), Code::Cancelled);
}

#[test]
fn a_source_that_fails_fails_its_program_and_no_other() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let reaches = session.function("reaches").unwrap();
    let (bad, good) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let mut fails = reaches.invoke((SemaphoreObject::value(&bad), 3_i64));
    let mut works = reaches.invoke((SemaphoreObject::value(&good), 3_i64));
    for invocation in [&mut fails, &mut works] {
        invocation.start().unwrap();
        until_waiting(invocation);
    }
    bad.fail(Error::new(Code::DataLoss, "the disk is gone"));
    let error = fails.wait().unwrap_err();
    assert_eq!(error.code(), Code::DataLoss);
    assert!(
        error.to_string().contains("the disk is gone") && error.to_string().contains("waits.reaches"),
        "{error}"
    );
    good.signal(3).unwrap();
    assert_eq!(works.wait().unwrap().to::<i64>().unwrap(), 3);
}

#[test]
fn a_runtime_is_dropped_with_many_in_flight() {
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let (gate, gate_value) = event();
        let until = session.function("until").unwrap();
        let mut all: Vec<_> = (0..2000).map(|value| until.invoke((gate_value.clone(), value))).collect();
        all.iter_mut().for_each(|invocation| invocation.start().unwrap());
        if workers > 0 {
            all.iter().for_each(until_waiting);
        }
        drop(runtime);
        gate.set();
        for invocation in all {
            assert!(invocation.is_done());
            assert_eq!(code(invocation.wait()), Code::Cancelled);
        }
        assert_eq!(code(until.invoke((gate_value, 1)).wait()), Code::FailedPrecondition);
        assert_eq!(Arc::strong_count(&gate), 1, "{workers} workers: something is kept");
    }
}

#[test]
fn yields_and_slices_let_others_run() {
    for workers in [0, 1] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let yields = session.function("yields").unwrap();
        let mut all: Vec<_> = (0..10).map(|_| yields.invoke((100,))).collect();
        all.iter_mut().for_each(|invocation| invocation.start().unwrap());
        for invocation in all {
            assert_eq!(invocation.wait().unwrap().to::<i32>().unwrap(), 100);
        }
        let mut spins = session.function("spin").unwrap().invoke(());
        spins.start().unwrap();
        let mut short = yields.invoke((3,));
        short.start().unwrap();
        assert_eq!(
            short.wait().unwrap().to::<i32>().unwrap(),
            3,
            "an endless program does not keep the worker"
        );
        spins.cancel();
        assert_eq!(code(spins.wait()), Code::Cancelled);
    }
}

#[test]
fn stateful_sessions_run_one_invocation_at_a_time() {
    for workers in [0, 2] {
        let runtime = runtime(workers);
        let session = runtime.session().bytes(COUNTER).unwrap().build().unwrap();
        assert!(session.is_stateful());
        let next = session.function("counter.next").unwrap();
        let mut all: Vec<_> = (0..50).map(|_| next.invoke((10_000_i64,))).collect();
        all.iter_mut().for_each(|invocation| invocation.start().unwrap());
        let mut counts: Vec<i32> = all.into_iter().map(|call| call.wait().unwrap().to().unwrap()).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=50).collect::<Vec<_>>(), "no invocation saw another's half");
        let mut first = next.invoke((LONG,));
        first.start().unwrap();
        if workers == 0 {
            while runtime.turn(TurnBudget::default()).unwrap().is_more {}
        }
        until_waiting(&first);
        let soon = raddle::wait::after(runtime.now(), Duration::from_millis(2));
        assert_eq!(code(next.invoke((0_i64,)).deadline(soon).wait()), Code::DeadlineExceeded);
        first.cancel();
        assert_eq!(code(first.wait()), Code::Cancelled);
        assert_eq!(next.invoke((0_i64,)).wait().unwrap().to::<i32>().unwrap(), 51);
    }
}

#[test]
fn the_low_level_waits_without_a_thread() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let until = session.function("until").unwrap();
    let (gate, gate_value) = event();
    let vm::Outcome::Waiting(call, wait) = until.begin((gate_value.clone(), 4)).unwrap() else {
        panic!("it waits")
    };
    assert!(matches!(wait.condition, raddle::wait::Condition::Until(_)));
    let (sender, receiver) = mpsc::channel();
    let frame = WaitFrame { call, wait };
    let handle = runtime.wait_invoke_async(frame, NEVER, move |call, outcome| {
        sender.send(call.resume(outcome, &vm::Slice::default())).unwrap();
    });
    gate.set();
    let vm::Outcome::Finished(finished) = receiver.recv().unwrap() else { panic!("it returns") };
    assert_eq!(finished.results(), [Value::I32(4)]);
    gate.reset();
    let vm::Outcome::Waiting(call, wait) =
        finished.again().begin(&[gate_value, Value::I32(1)], &vm::Slice::default())
    else {
        panic!("it waits")
    };
    let (sender, receiver) = mpsc::channel();
    let soon = raddle::wait::after(runtime.now(), Duration::from_millis(2));
    let late = runtime.wait_invoke_async(WaitFrame { call, wait }, soon, move |call, outcome| {
        sender.send(call.resume(outcome, &vm::Slice::default())).unwrap();
    });
    let vm::Outcome::Failed(_, error) = receiver.recv().unwrap() else { panic!("it fails") };
    assert!(error.is_deadline_exceeded());
    drop((handle, late));
}

#[test]
fn bad_calls_are_statuses() {
    let runtime = runtime(1);
    let session = session(&runtime);
    assert_eq!(session.function("waits.nothing").unwrap_err().code(), Code::NotFound);
    assert_eq!(session.function("nobody.add").unwrap_err().code(), Code::NotFound);
    let add = session.function("add").unwrap();
    assert_eq!(code(add.invoke((1,)).wait()), Code::InvalidArgument);
    assert_eq!(code(add.invoke((1, Value::Ref(None))).wait()), Code::InvalidArgument);
    let until = session.function("until").unwrap();
    assert_eq!(code(until.invoke((Value::Ref(None), 1)).wait()), Code::InvalidArgument);
    let error = runtime.session().path("no such file.vmfb").unwrap_err();
    assert!(error.code() == Code::NotFound && error.to_string().contains("no such file.vmfb"), "{error}");
    assert_eq!(add.invoke((2, 3)).wait().unwrap().to::<i32>().unwrap(), 5);
}

#[test]
fn a_host_takes_a_part_of_a_wait_frame_itself() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let any = session.function("any").unwrap();
    let ((own, own_value), (theirs, theirs_value)) = (event(), event());
    let vm::Outcome::Waiting(call, mut wait) = any.begin((own_value, theirs_value)).unwrap() else {
        panic!("it waits")
    };
    let raddle::wait::Condition::Any(children) = wait.condition else { panic!("for any of two") };
    let [first, second] = <[_; 2]>::try_from(children).unwrap();
    // The host looks at the first itself, in its own way; the runtime waits for the second.
    let raddle::wait::Condition::Until(first) = first else { panic!("one source") };
    assert!(!first.query().is_ready());
    wait.condition = second;
    let (sender, receiver) = mpsc::channel();
    let frame = WaitFrame { call, wait };
    let handle =
        runtime.wait_invoke_async(frame, NEVER, move |call, outcome| sender.send((call, outcome)).unwrap());
    own.set();
    assert!(first.query().is_ready() && handle.unwrap().cancel());
    let (call, outcome) = receiver.recv().unwrap();
    assert!(matches!(outcome, vm::WaitOutcome::Cancelled), "the loser was given up: {outcome:?}");
    let ready = vm::WaitOutcome::Ready { index: 0 };
    let vm::Outcome::Finished(finished) = call.resume(ready, &vm::Slice::default()) else {
        panic!("it returns")
    };
    assert_eq!(finished.results(), [Value::I32(0)]);
    theirs.set();
}

#[test]
fn a_program_whose_waits_are_all_satisfied_lets_others_run() {
    let runtime = runtime(0);
    let session = session(&runtime);
    let turns = session.function("turns").unwrap();
    let always = event();
    always.0.set();
    let mut busy = turns.invoke((event().1, always.1, i32::MAX));
    let mut short = session.function("yields").unwrap().invoke((3,));
    busy.start().unwrap();
    short.start().unwrap();
    while !short.is_done() {
        runtime.turn(TurnBudget { tasks_max: 1 }).unwrap();
    }
    assert_eq!(busy.suspensions(), 0);
    busy.cancel();
    assert_eq!(code(busy.wait()), Code::Cancelled);
}
