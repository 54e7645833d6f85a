//! Functions with Rust types.

mod support;

use raddle::*;
use std::sync::mpsc;
use support::*;

#[test]
fn types_are_checked_once_and_then_relied_on() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let add = session.function("add").unwrap().typed::<(i32, i32), i32>().unwrap();
    assert_eq!(add.invoke((3, 4)).wait().unwrap(), 7);
    let (sender, receiver) = mpsc::channel();
    add.invoke((5, 6)).on_complete(move |sum| sender.send(sum).unwrap());
    assert_eq!(receiver.recv().unwrap().unwrap(), 11);
    let yields = session.function("yields").unwrap().typed::<(i32,), i32>().unwrap();
    let mut patient = yields.invoke((2,)).priority(Priority::High);
    patient.start().unwrap();
    assert_eq!(patient.wait_until(NEVER).unwrap(), 2);
    assert_eq!(patient.ending(), Some(Ending::Finished));
    let spin = session.function("spin").unwrap().typed::<(), ()>().unwrap();
    let error = spin.invoke(()).deadline(soon(&runtime)).wait().unwrap_err();
    assert!(error.is_deadline_exceeded());
}

#[test]
fn a_wrong_type_is_refused_with_both_signatures() {
    let runtime = runtime(0);
    let session = session(&runtime);
    let add = session.function("add").unwrap();
    let error = add.typed::<(i32, f32), i64>().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(text.contains("waits.add takes (i32, i32) and returns (i32)"), "{text}");
    assert!(text.contains("not (i32, f32) and (i64)"), "{text}");
    assert!(add.typed::<(i32,), i32>().is_err() && add.typed::<(i32, i32), ()>().is_err());
}
