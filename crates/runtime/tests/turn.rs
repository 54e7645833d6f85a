//! The turn of a stateful session when its next holder is cancelled.

use raddle::*;
use std::time::Duration;

const COUNTER: &[u8] = include_bytes!("../../../tests/programs/runtime/counter.vmfb");
const LONG: i64 = 3_600_000_000_000;

#[test]
fn an_invocation_that_is_cancelled_as_it_gets_the_turn_gives_it_back() {
    let runtime = Runtime::builder().workers(0).build().unwrap();
    let session = runtime.session().bytes(COUNTER).unwrap().build().unwrap();
    let next = session.function("counter.next").unwrap();
    let one = || TurnBudget { tasks_max: 1 };
    let turn_until_idle = || while runtime.turn(one()).unwrap().is_more {};

    let (mut first, mut second) = (next.invoke((LONG,)), next.invoke((0_i64,)));
    first.start().unwrap();
    turn_until_idle();
    second.start().unwrap();
    turn_until_idle();
    assert!(first.is_waiting() && second.is_waiting(), "one holds the turn, the other waits for it");

    first.cancel();
    while !first.is_done() {
        let _ = runtime.turn(one()).unwrap();
    }
    // The turn has been handed to the second, which has not run yet.
    assert!(!second.is_done());
    second.cancel();
    turn_until_idle();
    assert_eq!(second.wait().unwrap_err().code(), Code::Cancelled);

    let limit = raddle::wait::after(runtime.now(), Duration::from_secs(20));
    let third = next.invoke((0_i64,)).deadline(limit).wait();
    assert_eq!(third.expect("the turn is free").to::<i32>().unwrap(), 1);
}
