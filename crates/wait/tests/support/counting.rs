//! A kernel that counts the calls made to it.

#![allow(dead_code)]

use raddle_status::Result;
use raddle_wait::*;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub struct Counting<K> {
    inner: K,
    counts: [AtomicUsize; 5],
}

/// One system call each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calls {
    pub watch: usize,
    pub forget: usize,
    pub set_timer: usize,
    pub sleep: usize,
    pub wake: usize,
}

impl Calls {
    pub fn since(self, before: Calls) -> Calls {
        Calls {
            watch: self.watch - before.watch,
            forget: self.forget - before.forget,
            set_timer: self.set_timer - before.set_timer,
            sleep: self.sleep - before.sleep,
            wake: self.wake - before.wake,
        }
    }
}

impl<K: Kernel> Counting<K> {
    pub fn new(inner: K) -> Counting<K> {
        Counting { inner, counts: Default::default() }
    }

    pub fn calls(&self) -> Calls {
        let [watch, forget, set_timer, sleep, wake] =
            std::array::from_fn(|index| self.counts[index].load(Relaxed));
        Calls { watch, forget, set_timer, sleep, wake }
    }

    fn count(&self, index: usize) -> &K {
        self.counts[index].fetch_add(1, Relaxed);
        &self.inner
    }
}

impl<K: Kernel> Kernel for Counting<K> {
    fn now(&self) -> Moment {
        self.inner.now()
    }

    fn watch(&self, number: RawFd, registration: Registration) -> Result {
        self.count(0).watch(number, registration)
    }

    fn forget(&self, number: RawFd) {
        self.count(1).forget(number);
    }

    fn set_timer(&self, moment: Moment) {
        self.count(2).set_timer(moment);
    }

    fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result {
        self.count(3).sleep(events, sleep)
    }

    fn wake(&self) {
        self.count(4).wake();
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.inner.fd()
    }

    fn is_readable(&self) -> bool {
        self.inner.is_readable()
    }
}
