//! A worker's deques: crossbeam's in the product, a stand-in of the same algorithm under the model checker.
//!
//! Not here: who takes from which deque, and when (`worker.rs`).

#[cfg(not(raddle_loom))]
pub use native::*;

#[cfg(raddle_loom)]
pub use crate::chase_lev::*;

#[cfg(not(raddle_loom))]
mod native {
    use crate::header::TaskRef;
    use crossbeam_deque::{Steal, Stealer, Worker};

    /// The owner's end.
    pub struct Deque(Worker<TaskRef>);
    /// The thieves' end.
    pub struct Thief(Stealer<TaskRef>);

    impl Deque {
        /// The owner takes what it pushed last; thieves what it pushed first.
        pub fn last_in_first_out() -> Deque {
            Deque(Worker::new_lifo())
        }

        /// Owner and thieves take what was pushed first.
        pub fn first_in_first_out() -> Deque {
            Deque(Worker::new_fifo())
        }

        /// A thieves' end.
        pub fn thief(&self) -> Thief {
            Thief(self.0.stealer())
        }

        /// Appends a task. Owner only.
        #[inline]
        pub fn push(&self, task: TaskRef) {
            self.0.push(task);
        }

        /// Takes a task. Owner only. Whether there is any is known without a call.
        #[inline]
        pub fn pop(&self) -> Option<TaskRef> {
            if self.0.is_empty() { None } else { self.0.pop() }
        }

        /// How many tasks there are. Owner only.
        #[inline]
        pub fn len(&self) -> usize {
            self.0.len()
        }

        /// Whether there is none.
        #[inline]
        pub fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    impl Thief {
        /// Moves up to half of the victim's tasks to `mine` and returns one of them.
        pub fn steal_into(&self, mine: &Deque) -> Option<TaskRef> {
            loop {
                match self.0.steal_batch_and_pop(&mine.0) {
                    Steal::Success(task) => return Some(task),
                    Steal::Empty => return None,
                    Steal::Retry => raddle_sync::spin_loop(),
                }
            }
        }

        /// How many there are, racily.
        pub fn len(&self) -> usize {
            self.0.len()
        }

        /// Whether there is none.
        pub fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }
}
