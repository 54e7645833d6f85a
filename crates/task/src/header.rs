//! The header of everything that runs.
//!
//! A [`Header`] is what a deque holds a pointer to: sixteen bytes, so that a cell of a graph is nothing but one.
//! A [`Task`] adds the link by which work comes from outside: it is the header of things that are scheduled by
//! themselves (a run, a wait, an invocation).
//!
//! # Invariants
//! - I1: a header is in at most one queue, or being run by one thread. Whoever takes it out of a queue runs it.
//!   (by construction: deques and lists hand out each item once)
//! - I2: a header stays where it is until the thing that it heads has run to its end.
//!   (by construction: headers lie in blocks, residents and boxes that do not move, and whoever has the duty keeps
//!   those)
//! - I3: `run` may free or re-queue the thing; its caller does not touch the header afterwards.
//!   (by construction: `TaskRef::run` takes the duty by value)

#![allow(unsafe_code)]

use crate::priority::Priority;
use crate::scope::{self, Member, Place};
use crate::worker::Cx;
use raddle_sync::atomic::AtomicU32;
use raddle_sync::counter::{self, AtomicU8};
use raddle_wait::Resume;
use std::ptr::NonNull;

/// What a thing that runs has in common with its siblings: how it is run. The first field of whatever a header's
/// `owner` points to, or a constant.
pub struct Owner {
    /// Runs the thing; returns a header that is ready and should run next on this thread.
    pub(crate) run: fn(TaskRef, Cx<'_>) -> Option<TaskRef>,
    /// The scope of the thing; null for none.
    pub(crate) scope: fn(&TaskRef) -> *const scope::Inner,
    /// What a scope holds of a thing that enters scopes, from the task that stands for it there.
    pub(crate) member: fn(NonNull<Task>) -> NonNull<dyn Member>,
}

/// The `member` of what enters no scope.
pub(crate) fn no_member(_: NonNull<Task>) -> NonNull<dyn Member> {
    unreachable!("it enters no scope")
}

/// See the head of this file.
#[repr(C)]
pub struct Header {
    pub(crate) owner: NonNull<Owner>,
    /// Predecessors that have not completed; of a program: its holders.
    pub(crate) pending: AtomicU32,
    /// Which of its owner's things this is.
    pub(crate) index: u32,
}

const _: () = assert!(size_of::<Header>() == 16 || !raddle_sync::IS_NATIVE);

impl Header {
    pub(crate) fn new(owner: NonNull<Owner>, pending: u32, index: u32) -> Header {
        Header { owner, pending: AtomicU32::new(pending), index }
    }
}

/// The duty to run what a header heads, once (I1). Neither `Clone` nor `Copy`: it moves through the queues.
#[must_use = "a duty that is dropped is a task that never runs"]
#[derive(PartialEq, Eq, Debug)]
pub struct TaskRef(pub(crate) NonNull<Header>);

// SAFETY: I1: one thread at a time holds the duty; things behind headers are Send (their constructors ask for it).
unsafe impl Send for TaskRef {}

impl TaskRef {
    /// # Safety
    /// The caller made the thing ready, so that the duty is his (I1). The header is the field of something whose
    /// `owner` is as [`Owner`] says, and stays in place (I2).
    #[inline]
    pub(crate) unsafe fn new(header: NonNull<Header>) -> TaskRef {
        TaskRef(header)
    }

    /// Runs it; returns what is ready and should run next on this thread.
    #[inline]
    pub(crate) fn run(self, cx: Cx<'_>) -> Option<TaskRef> {
        // SAFETY: I2.
        let owner = unsafe { self.0.as_ref() }.owner;
        // SAFETY: an owner outlives its things (I2).
        let run = unsafe { owner.as_ref() }.run;
        run(self, cx)
    }

    /// Whether it belongs to this scope.
    pub(crate) fn is_of(&self, scope: &scope::Inner) -> bool {
        // SAFETY: I2.
        let owner = unsafe { self.0.as_ref() }.owner;
        // SAFETY: an owner outlives its things (I2).
        let scope_of = unsafe { owner.as_ref() }.scope;
        std::ptr::eq(scope_of(self), scope)
    }

    /// Which of its owner's things it is.
    pub fn index(&self) -> u32 {
        // SAFETY: I2.
        unsafe { self.0.as_ref() }.index
    }

    /// The owner, as what it is the first field of.
    ///
    /// # Safety
    /// The owner is the first field of a `T`, which is not used after the thing has run to its end (I2).
    #[inline]
    pub(crate) unsafe fn owner<'a, T>(&self) -> &'a T {
        // SAFETY: I2.
        let owner = unsafe { self.0.as_ref() }.owner;
        // SAFETY: the caller's promise.
        unsafe { owner.cast::<T>().as_ref() }
    }
}

/// The place of a thing that has entered no scope.
pub(crate) const NOWHERE: Place = Place::MAX;

/// A header that can come from outside.
#[repr(C)]
pub(crate) struct Task {
    pub(crate) header: Header,
    pub(crate) resume: Resume,
    pub(crate) priority: AtomicU8,
    /// Of a member of a scope: where it is in there, [`NOWHERE`] before; written by who starts it, read by the run.
    pub(crate) place: counter::AtomicU32,
}

impl Task {
    /// A task whose resume enqueues it on `core_of(owner)`.
    pub(crate) fn new(owner: NonNull<Owner>, index: u32, schedule: unsafe fn(NonNull<Resume>)) -> Task {
        // SAFETY: the functions passed here (in this crate) take the task of the resume and enqueue it.
        let resume = unsafe { Resume::new(schedule) };
        let priority = AtomicU8::new(Priority::Normal as u8);
        Task {
            header: Header::new(owner, 0, index),
            resume,
            priority,
            place: counter::AtomicU32::new(NOWHERE),
        }
    }

    /// The duty to run it.
    ///
    /// # Safety
    /// As for [`TaskRef::new`].
    pub(crate) unsafe fn task_ref(this: NonNull<Task>) -> TaskRef {
        // SAFETY: the caller's promise; the header is the first field.
        unsafe { TaskRef::new(this.cast()) }
    }

    pub(crate) fn resume_of(this: NonNull<Task>) -> NonNull<Resume> {
        // SAFETY: the offset lies in the task.
        unsafe { this.cast::<u8>().add(std::mem::offset_of!(Task, resume)) }.cast()
    }

    /// The task whose resume this is.
    pub(crate) fn of_resume(resume: NonNull<Resume>) -> NonNull<Task> {
        let offset = std::mem::offset_of!(Task, resume);
        // SAFETY: every `Resume` that reaches an executor is the field of a `Task` (constructors in this crate).
        unsafe { resume.cast::<u8>().sub(offset) }.cast()
    }
}
