//! A task of a graph as it lies in memory: what it does, and what comes next.

use crate::context::TaskCx;
use raddle_status::{Error, Result};

/// What a call returns: one word, since it is returned a hundred million times a second.
pub(crate) type CallResult = Result<(), Box<Error>>;
/// The function of a call.
pub(crate) type Call = Box<dyn Fn(&TaskCx<'_>) -> CallResult + Send + Sync>;
/// What is called after a task.
pub(crate) type Cleanup = Box<dyn Fn(Result) + Send + Sync>;

/// What a task does. The numbers are places in the graph's tables.
pub(crate) enum Work {
    Nop,
    Call(Call),
    Wait(u32),
    Dispatch(u32),
}

/// What becomes ready after a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// Nothing: the task is a sink.
    End,
    /// One task, at once if it has no other predecessor.
    One { after: u32, is_sole: bool },
    /// A range of tasks: a place in the graph's list of ranges, which is also the number of its claim.
    Range(u32),
    /// Tasks named in the graph's list of successors.
    Many { start: u32, end: u32 },
}

/// Consecutive tasks that become ready together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RangeShape {
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// The task after them, or [`RangeShape::NO_JOIN`] if they are sinks.
    pub(crate) join: u32,
}

impl RangeShape {
    /// The join of a range of sinks.
    pub(crate) const NO_JOIN: u32 = u32::MAX;
}

/// One task.
pub(crate) struct Node {
    pub(crate) work: Work,
    pub(crate) next: Next,
    pub(crate) has_cleanup: bool,
    /// Whether it has more than one predecessor.
    pub(crate) is_join: bool,
}

const _: () = assert!(size_of::<Node>() <= 40);
