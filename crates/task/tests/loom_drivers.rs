//! Models of threads that wait on an executor which they drive themselves (`src/drivers.rs`): one turns, the others stand by.
//!
//! A turn is a lock and a look at what is to be done, so that three threads can be explored; who turns while it waits is
//! modelled with the whole executor in `loom_blocking.rs`. Nobody else wakes a thread that stands by: a turn that is not passed
//! on is a deadlock.
//!
//! # Models
//! - `drivers_are_told_of_the_hosts_turn`: a thread begins to wait while the host turns, too late to be seen: it is
//!   told when that turn ends. 2 threads, exhaustive: 957 schedules, 0.03 s. Fails under drivers.wake, drivers.late.
//! - `drivers_turn_is_passed_on`: two threads each wait for an order of their own, and one of them turns: the other is
//!   told when it stops. 2 threads, exhaustive: 95749 schedules, 4.23 s. Fails under drivers.pass.
//! - `drivers_who_leaves_passes_it_on`: a thread that is told to turn and has what it waited for tells the next, whose
//!   order is not done yet. 3 threads, at most 2 preemptions: 1598 schedules, 0.11 s; 3: 34173 schedules, 2.06 s. Fails
//!   under drivers.pass, drivers.busy.

#![cfg(raddle_loom)]

use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use raddle_sync::model::Model;
use raddle_sync::{Mutex, Parker, thread};
use raddle_task::internals::Drivers;
use std::sync::Arc;

/// What an executor without workers is to its drivers.
#[derive(Default)]
struct Turnable {
    drivers: Drivers,
    turn: Mutex<()>,
    orders: Mutex<Vec<Arc<Order>>>,
    /// The end of a turn, which sees nothing of what comes by then.
    ends: AtomicUsize,
}

/// Something that a turn does for a thread that waits.
#[derive(Default)]
struct Order {
    is_done: AtomicBool,
    parker: Parker,
}

impl Turnable {
    /// Has an order done, and waits for it.
    fn order(&self) {
        let order = Arc::new(Order::default());
        self.orders.lock().push(order.clone());
        let turn = || {
            let turned = self.turn();
            self.drivers.note(&turned);
            turned
        };
        self.drivers.drive(&order.parker, || order.is_done.load(Relaxed), turn).unwrap();
    }

    fn turn(&self) -> Result {
        let Some(_turn) = self.turn.try_lock() else { return Err(Error::from(Code::Unavailable)) };
        let orders = std::mem::take(&mut *self.orders.lock());
        for order in orders {
            order.is_done.store(true, Relaxed);
            order.parker.unpark();
        }
        self.ends.fetch_add(1, Relaxed);
        Ok(())
    }

    /// A turn of the host's, which waits for nothing.
    fn host(&self) {
        let turned = self.turn();
        self.drivers.note(&turned);
    }
}

fn order_on_threads(threads: usize) {
    let host = Arc::new(Turnable::default());
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let host = host.clone();
            thread::spawn(move || host.order())
        })
        .collect();
    host.order();
    others.into_iter().for_each(|other| other.join().unwrap());
}

#[test]
fn drivers_turn_is_passed_on() {
    Model::new(
        "drivers_turn_is_passed_on",
        "two threads each wait for an order of their own, and one of them turns: the other is told when it stops",
    )
    .kills("drivers.pass", "deadlock")
    .check(|| order_on_threads(2));
}

#[test]
fn drivers_are_told_of_the_hosts_turn() {
    Model::new(
        "drivers_are_told_of_the_hosts_turn",
        "a thread begins to wait while the host turns, too late to be seen: it is told when that turn ends",
    )
    .kills("drivers.wake", "deadlock")
    .kills("drivers.late", "deadlock")
    .check(|| {
        let host = Arc::new(Turnable::default());
        let other = {
            let host = host.clone();
            thread::spawn(move || host.order())
        };
        host.host();
        other.join().unwrap();
    });
}

#[test]
fn drivers_who_leaves_passes_it_on() {
    Model::new(
        "drivers_who_leaves_passes_it_on",
        "a thread that is told to turn and has what it waited for tells the next, whose order is not done yet",
    )
    .preemptions(2)
    .kills("drivers.pass", "deadlock")
    .kills("drivers.busy", "exceeded maximum number of branches")
    .check(|| order_on_threads(3));
}
