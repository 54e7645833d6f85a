//! How invocations end: where a cancellation or a deadline stopped them, and when it came too late.

mod support;

use raddle::*;
use support::*;

#[test]
fn a_cancellation_says_where_it_stopped_the_invocation() {
    let runtime = runtime(0);
    let session = session(&runtime);
    let (_gate, gate_value) = event();
    let until = session.function("until").unwrap();

    let mut never = until.invoke((gate_value.clone(), 1));
    let canceller = never.canceller();
    never.start().unwrap();
    assert!(canceller.cancel());
    assert_eq!(never.ending(), None, "nobody has run it yet");
    assert_eq!(code(never.wait_until(NEVER)), Code::Cancelled);
    assert_eq!((never.ending(), canceller.ending()), (Some(Ending::NotStarted), Some(Ending::NotStarted)));

    let mut waits = until.invoke((gate_value, 1));
    waits.start().unwrap();
    turn_until_idle(&runtime);
    assert!(waits.is_waiting() && waits.cancel());
    assert_eq!(code(waits.wait_until(NEVER)), Code::Cancelled);
    assert_eq!(waits.ending(), Some(Ending::WhileWaiting));

    let mut spins = session.function("spin").unwrap().invoke(());
    spins.start().unwrap();
    runtime.turn(TurnBudget { tasks_max: 1 }).unwrap();
    assert!(spins.cancel());
    assert_eq!(code(spins.wait_until(NEVER)), Code::Cancelled);
    assert_eq!(spins.ending(), Some(Ending::WhileRunning));

    let mut adds = session.function("add").unwrap().invoke((1, 2));
    assert_eq!(adds.wait_until(NEVER).unwrap().to::<i32>().unwrap(), 3);
    assert!(!adds.cancel(), "too late");
    assert_eq!(adds.ending(), Some(Ending::Finished));

    let mut fails = session.function("add").unwrap().invoke((1,));
    assert_eq!(code(fails.wait_until(NEVER)), Code::InvalidArgument);
    assert_eq!(fails.ending(), Some(Ending::Failed));
}

#[test]
fn a_running_program_is_stopped_at_a_back_edge_from_another_thread() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let mut spins = session.function("spin").unwrap().invoke(());
    spins.start().unwrap();
    while runtime.executor().counts().tasks_run == 0 {
        std::thread::yield_now();
    }
    assert!(spins.cancel());
    assert_eq!(code(spins.wait_until(NEVER)), Code::Cancelled);
    assert_eq!(spins.ending(), Some(Ending::WhileRunning));
}

#[test]
fn a_deadline_says_where_it_stopped_the_invocation() {
    let runtime = runtime(0);
    let session = session(&runtime);
    let (_gate, gate_value) = event();
    let until = session.function("until").unwrap();
    let mut late = until.invoke((gate_value.clone(), 1)).deadline(1);
    assert_eq!(code(late.wait_until(NEVER)), Code::DeadlineExceeded);
    assert_eq!(late.ending(), Some(Ending::NotStarted));
    let mut waits = until.invoke((gate_value, 1)).deadline(soon(&runtime));
    waits.start().unwrap();
    turn_until_idle(&runtime);
    assert_eq!(code(waits.wait_until(NEVER)), Code::DeadlineExceeded);
    assert!(waits.ending().is_some_and(Ending::is_stopped), "{:?}", waits.ending());
    let mut spins = session.function("spin").unwrap().invoke(()).deadline(soon(&runtime));
    assert_eq!(code(spins.wait_until(NEVER)), Code::DeadlineExceeded);
    assert!(
        matches!(spins.ending(), Some(Ending::WhileRunning | Ending::NotStarted)),
        "{:?}",
        spins.ending()
    );
}

#[test]
fn what_waits_for_the_turn_of_a_stateful_session_has_not_started() {
    let runtime = runtime(0);
    let session = runtime.session().bytes(COUNTER).unwrap().build().unwrap();
    let next = session.function("next").unwrap();
    let mut first = next.invoke((LONG,));
    let mut second = next.invoke((0_i64,));
    first.start().unwrap();
    second.start().unwrap();
    turn_until_idle(&runtime);
    assert!(second.is_waiting() && second.cancel());
    assert_eq!(code(second.wait_until(NEVER)), Code::Cancelled);
    assert_eq!(second.ending(), Some(Ending::NotStarted));
    first.cancel();
    assert_eq!(code(first.wait()), Code::Cancelled);
}

#[test]
fn a_program_that_traps_harms_no_other() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let until = session.function("until").unwrap();
    let (gate, gate_value) = event();
    let mut all: Vec<_> = (0..100).map(|value| until.invoke((gate_value.clone(), value))).collect();
    all.iter_mut().for_each(|invocation| invocation.start().unwrap());
    all.iter().for_each(until_waiting);
    let wrong = EventObject::value(&gate);
    let reaches = session.function("reaches").unwrap();
    assert_eq!(code(reaches.invoke((wrong, 1_i64)).wait()), Code::InvalidArgument);
    gate.set();
    for (value, invocation) in (0..).zip(all) {
        assert_eq!(invocation.wait().unwrap().to::<i32>().unwrap(), value);
    }
}
