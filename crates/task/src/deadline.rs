//! The deadline of a run: a wait for nothing but a moment, which stops the run when it comes.
//!
//! Not here: what stopping means (`block.rs`), deadlines of single waits (`waiting.rs`).
//!
//! # Invariants
//! - I1: while the wait is armed it holds the block once more; whoever ends the wait gives that up: the run at its
//!   end, or, if the moment was faster, `expire`, as its last access. [mutants: deadline.hold]
//! - I2: the frame is touched by whoever prepares the run, and by the thread that ends it. (by construction: `begin`, `end`)

#![allow(unsafe_code)]

use crate::block::{Block, BlockRef};
use raddle_status::{Code, Error};
use raddle_sync::mutant;
use raddle_wait::{Event, Frame, Moment, Progress, Resume};
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::Arc;

/// See the head of this file.
#[repr(C)]
pub(crate) struct RunDeadline {
    /// First, so that a resume is its deadline.
    resume: Resume,
    block: BlockRef,
    state: UnsafeCell<State>,
}

struct State {
    frame: Frame,
    is_armed: bool,
}

// SAFETY: I2 for the state; the rest is Sync.
unsafe impl Sync for RunDeadline {}
// SAFETY: as above.
unsafe impl Send for RunDeadline {}

/// # Safety
/// The resume is that of a deadline whose wait was armed, and ended by its moment.
unsafe fn expire(resume: NonNull<Resume>) {
    // SAFETY: the caller's promise; the block is held (I1), and with it what it owns.
    let block = unsafe { resume.cast::<RunDeadline>().as_ref() }.block;
    // SAFETY: I1: the wait's hold.
    unsafe { block.get() }.ask_to_stop(passed());
    if !mutant!("deadline.hold") {
        // SAFETY: the wait's hold.
        unsafe { Block::release(block) };
    }
}

#[cold]
fn passed() -> Error {
    Error::new(Code::DeadlineExceeded, "the deadline of the run passed")
}

impl RunDeadline {
    /// Begins the wait of a run that is prepared and not yet enqueued.
    pub(crate) fn begin(this: BlockRef, deadline: Moment) {
        // SAFETY: the preparer holds the block.
        let block = unsafe { this.get() };
        let core = block.state().scope.core();
        if deadline <= core.now() {
            return block.ask_to_stop(passed());
        }
        let slot = block.deadline.get_or_init(|| {
            let never = Arc::new(Event::manual());
            Box::new(RunDeadline {
                // SAFETY: `expire` takes the deadline of the resume.
                resume: unsafe { Resume::new(expire) },
                block: this,
                state: UnsafeCell::new(State {
                    frame: Frame::new(&core.slots, never.into(), deadline).expect("a wait for one source"),
                    is_armed: false,
                }),
            })
        });
        // SAFETY: I2.
        let state = unsafe { &mut *slot.state.get() };
        state.frame.set_deadline(deadline);
        let hold = Block::hold(this);
        let header = NonNull::from(&**slot).cast::<Resume>();
        // SAFETY: frame and header stay with the block, which is held until `expire` or `end`.
        match unsafe { state.frame.begin(&*core.set, header, None) } {
            Progress::Waiting => state.is_armed = true,
            Progress::Done(_) => {
                block.ask_to_stop(passed());
                // SAFETY: I1: nothing waits, so the hold is ours.
                unsafe { Block::release(hold) };
            }
        }
    }

    /// The run has come to its end.
    pub(crate) fn end(&self, this: BlockRef) {
        // SAFETY: I2.
        let state = unsafe { &mut *self.state.get() };
        if !std::mem::take(&mut state.is_armed) {
            return;
        }
        // SAFETY: the run holds the block.
        let block = unsafe { this.get() };
        let core = block.state().scope.core();
        // SAFETY: `begin` returned that it waits, and nobody else concludes it.
        if unsafe { state.frame.abandon(&*core.set, None) } {
            // SAFETY: the wait's hold (I1). The run has its own.
            unsafe { Block::release(this) };
        }
    }
}
