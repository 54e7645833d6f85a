//! Descriptor numbers that are closed and given out again. Numbers are the whole process's, so this is one test.

#![cfg(all(feature = "set", not(raddle_loom)))]

#[path = "support/driven.rs"]
mod driven;

use driven::Waiter;
use raddle_wait::*;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

fn set() -> WaitSet {
    WaitSet::new(Limits::default()).expect("a wait set")
}

fn is_ready(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ready { .. })
}

#[test]
fn numbers_are_reused_without_harm() {
    an_owner_closes_its_descriptor_while_a_wait_is_armed();
    a_number_that_is_used_again_is_another_descriptor();
}

fn an_owner_closes_its_descriptor_while_a_wait_is_armed() {
    let (set, pool) = (set(), SlotPool::new());
    let (reader, mut writer) = std::io::pipe().unwrap();
    let number = reader.as_raw_fd();
    let source = Arc::new(Descriptor::duplicate(&reader).unwrap().readable());
    let mut waiter = Waiter::begun(&set, &pool, source, NEVER);
    drop(reader);
    let (again, mut other) = std::io::pipe().unwrap();
    assert_eq!(again.as_raw_fd(), number, "the number is given out again");
    let mut second = Waiter::begun(&set, &pool, Arc::new(Descriptor::new(again).readable()), NEVER);
    writer.write_all(b"x").unwrap();
    assert!(is_ready(waiter.as_mut().finish(&set)));
    assert!(!second.is_scheduled(), "a report of the old file");
    other.write_all(b"x").unwrap();
    assert!(is_ready(second.as_mut().finish(&set)));
}

fn a_number_that_is_used_again_is_another_descriptor() {
    let (set, pool) = (set(), SlotPool::new());
    let mut number = None;
    for _ in 0..100 {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let duplicate = reader.try_clone().unwrap();
        let source = Arc::new(Descriptor::new(reader).readable());
        assert_eq!(*number.get_or_insert(source.descriptor().as_fd().as_raw_fd()), fd_of(&source));
        let mut waiter = Waiter::begun(&set, &pool, source, NEVER);
        writer.write_all(b"x").unwrap();
        assert!(is_ready(waiter.as_mut().finish(&set)));
        drop(waiter);
        writer.write_all(b"x").unwrap();
        assert!(!set.kernel().is_readable(), "it was forgotten before it was closed");
        drop(duplicate);
    }
}

fn fd_of(source: &DescriptorSource) -> i32 {
    source.descriptor().as_fd().as_raw_fd()
}
