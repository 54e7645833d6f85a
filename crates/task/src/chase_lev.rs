//! A worker's deque under the model checker: the algorithm of the product's deque, with four places.
//!
//! Not here: the product's deque, which is crossbeam's (`deque.rs`), and of which this has the interface.
//!
//! # State
//! | field | meaning | written by |
//! |---|---|---|
//! | top | the first task's place, ever rising | who takes a task there, by compare-exchange |
//! | bottom | the place after the last task | the owner |
//! | places | tasks, at their place modulo four | the owner, where no task is |
//!
//! # Invariants
//! - I1: each task that was pushed is taken once. [mutants: deque.pop, deque.steal, deque.take]
//! - I2: who takes a task has what its pusher wrote before. [mutants: deque.push]
//!
//! # Orderings
//! The owner of a last-in-first-out deque lowers `bottom` and then looks at `top`; a thief looks at `top` and then at
//! `bottom`: sequentially consistent fences between (I1). The last task is taken by a compare-exchange on either side.
//! `push` publishes with a release fence before it raises `bottom`; a thief loads that with Acquire (I2). It is a fence since
//! `pop` stores `bottom` too: whichever store the thief reads comes after the fence of every task below it. A thief reads the
//! place before it knows that it may: the compare-exchange tells.
//! Models: `tests/loom_deque.rs`.
//!
//! # Sources
//! Lê, Pop, Cohen, Zappa Nardelli: Correct and Efficient Work-Stealing for Weak Memory Models, PPoPP 2013.

#![allow(unsafe_code)]
// orderings: where they have no name, they are those of the crate that this stands for, or weaker.

use crate::header::{Header, TaskRef};
use raddle_sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};
use raddle_sync::{fence, mutant};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

const PLACES: usize = 4;
/// Where a new deque begins, so that `bottom` can be lowered below its beginning.
const BEGIN: usize = 2 * PLACES;

struct Shared {
    top: AtomicUsize,
    bottom: AtomicUsize,
    places: [AtomicPtr<Header>; PLACES],
    is_lifo: bool,
}

/// The owner's end.
pub struct Deque(Arc<Shared>);
/// The thieves' end.
pub struct Thief(Arc<Shared>);

/// What came of an attempt to take the first task.
enum Attempt {
    Taken(TaskRef),
    Empty,
    Beaten,
}

impl Shared {
    fn place(&self, at: usize) -> &AtomicPtr<Header> {
        &self.places[at % PLACES]
    }

    /// How many tasks there are, as somebody who does not own the deque sees it.
    fn len(&self) -> usize {
        let top = self.top.load(Acquire);
        raddle_sync::atomic::fence(SeqCst);
        self.bottom.load(Acquire).saturating_sub(top)
    }

    fn read(&self, at: usize) -> *mut Header {
        self.place(at).load(Relaxed)
    }

    /// Takes `count` tasks at `top`, if it still is there.
    fn advance(&self, top: usize, count: usize) -> bool {
        if mutant!("deque.take") {
            self.top.store(top + count, Relaxed);
            return true;
        }
        self.top.compare_exchange(top, top + count, AcqRel, Relaxed).is_ok()
    }

    /// Takes the first task; with it, from a first-in-first-out deque, up to half of them.
    fn steal(&self, mine: Option<&Deque>) -> Attempt {
        let top = self.top.load(Acquire);
        fence!("deque.steal");
        let bottom = self.bottom.load(Acquire);
        if bottom <= top {
            return Attempt::Empty;
        }
        // The owner of a last-in-first-out deque can only lose its last task to a thief, so that they go one by one.
        let count = if self.is_lifo || mine.is_none() { 1 } else { (bottom - top).div_ceil(2) };
        let headers: Vec<_> = (top..top + count).map(|at| self.read(at)).collect();
        if !self.advance(top, count) {
            return Attempt::Beaten;
        }
        for header in &headers[1..] {
            mine.expect("a batch has a receiver").push(task(*header));
        }
        Attempt::Taken(task(headers[0]))
    }
}

fn task(header: *mut Header) -> TaskRef {
    TaskRef(NonNull::new(header).expect("a place between top and bottom holds a task"))
}

impl Deque {
    fn new(is_lifo: bool) -> Deque {
        Deque(Arc::new(Shared {
            top: AtomicUsize::new(BEGIN),
            bottom: AtomicUsize::new(BEGIN),
            places: std::array::from_fn(|_| AtomicPtr::new(null_mut())),
            is_lifo,
        }))
    }

    /// The owner takes what it pushed last; thieves what it pushed first.
    pub fn last_in_first_out() -> Deque {
        Deque::new(true)
    }

    /// Owner and thieves take what was pushed first.
    pub fn first_in_first_out() -> Deque {
        Deque::new(false)
    }

    /// A thieves' end.
    pub fn thief(&self) -> Thief {
        Thief(self.0.clone())
    }

    /// Appends a task. Owner only.
    pub fn push(&self, task: TaskRef) {
        let bottom = self.0.bottom.load(Relaxed);
        let top = self.0.top.load(Acquire);
        assert!(bottom - top < PLACES, "a deque of four places grows");
        self.0.place(bottom).store(task.0.as_ptr(), Relaxed);
        fence!("deque.push", Release);
        self.0.bottom.store(bottom + 1, Relaxed);
    }

    /// Takes a task. Owner only. Whether there is any is known without a fence, as in the product: a fence more would order what
    /// nothing orders there, and hide faults.
    pub fn pop(&self) -> Option<TaskRef> {
        if self.is_empty() {
            return None;
        }
        if self.0.is_lifo { self.pop_last() } else { self.pop_first() }
    }

    fn pop_first(&self) -> Option<TaskRef> {
        loop {
            match self.0.steal(None) {
                Attempt::Taken(task) => return Some(task),
                Attempt::Empty => return None,
                Attempt::Beaten => {}
            }
        }
    }

    fn pop_last(&self) -> Option<TaskRef> {
        let bottom = self.0.bottom.load(Relaxed) - 1;
        self.0.bottom.store(bottom, Relaxed);
        fence!("deque.pop");
        let top = self.0.top.load(Relaxed);
        if top < bottom {
            return Some(task(self.0.read(bottom)));
        }
        let taken = (top == bottom && self.0.advance(top, 1)).then(|| task(self.0.read(bottom)));
        self.0.bottom.store(bottom + 1, Relaxed);
        taken
    }

    /// How many tasks there are. Owner only.
    pub fn len(&self) -> usize {
        self.0.bottom.load(Relaxed).saturating_sub(self.0.top.load(Relaxed))
    }

    /// Whether there is none. Owner only.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Thief {
    /// Moves up to half of the victim's tasks to `mine` and returns one of them.
    pub fn steal_into(&self, mine: &Deque) -> Option<TaskRef> {
        loop {
            match self.0.steal(Some(mine)) {
                Attempt::Taken(task) => return Some(task),
                Attempt::Empty => return None,
                Attempt::Beaten => {}
            }
        }
    }

    /// How many there are, racily.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to steal, racily.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}
