//! A thread that waits: it lends itself to what it waits for, and only then sleeps.
//!
//! Not here: waiting without a thread, which is everything else.
//!
//! # Invariants
//! - I1: a thread that waits runs only tasks of the scope that it waits for, to a stated depth: unrelated work is how
//!   nested waits deadlock or run away. (by construction: `help` looks at each task's scope)
//! - I2: the last worker that is not inside a wait never sleeps in one: it gets FAILED_PRECONDITION.
//!   [mutants: blocking.last]
//! - I3: the header of a wait outlives its schedule: the thread leaves `wait` after its bell was answered, or after the frame
//!   ended without waiting. (by construction: `wait`)

#![allow(unsafe_code)]

use crate::bell::Bell;
use crate::block::Block;
use crate::core::Core;
use crate::executor::{Driver, SubmitOptions, prepare};
use crate::graph::Graph;
use crate::header::Task;
use crate::local::Local;
use crate::priority::PRIORITIES;
use crate::run_handle::Run;
use crate::scope::{self, Scope};
use crate::tuning::DONATION_DEPTH_MAX;
use crate::worker::Cx;
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::Ordering::*;
use raddle_sync::mutant;
use raddle_wait::{Condition, Frame, Moment, NEVER, Progress, WaitSource};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// Waits for a source on this thread, helping tasks of `scope` meanwhile.
///
/// # Errors
/// The source's; DEADLINE_EXCEEDED; FAILED_PRECONDITION (I2, or nested too deep).
pub(crate) fn wait(
    core: &Arc<Core>,
    scope: &Arc<scope::Inner>,
    source: &dyn WaitSource,
    deadline: Moment,
) -> Result {
    core.check_fork()?;
    // A thread that parks keeps the time itself: a worker that would look at the clock may never come back.
    let (in_frame, in_parker) = if is_driven_here(core) { (deadline, NEVER) } else { (NEVER, deadline) };
    let frame = Frame::new(&core.slots, Condition::Until(source), in_frame)?;
    let bell = Bell::new(core);
    let header = bell.header();
    // SAFETY: the frame and the bell stay until the bell has rung (I3).
    let mut progress = unsafe { frame.begin(&*core.set, header, None) };
    loop {
        match progress {
            Progress::Done(outcome) => return outcome.into_result().map(|_| ()),
            Progress::Waiting => {
                if let Err(error) = sleep(core, scope, &bell, in_parker) {
                    // SAFETY: the frame waits; if its header is on its way, it has to arrive first (I3).
                    if !unsafe { frame.abandon(&*core.set, None) } {
                        bell.answer();
                    }
                    return Err(error);
                }
                bell.answer();
                // SAFETY: the bell has rung.
                progress = unsafe { frame.conclude(&*core.set, header, None) };
            }
        }
    }
}

/// Runs a graph to its end, beginning on this thread.
pub(crate) fn run(graph: &Arc<Graph>, scope: &Scope) -> Result {
    begin(graph, scope)?.wait_until(NEVER)
}

/// Begins a run of a graph on this thread and leaves it when nothing of it is at hand.
pub(crate) fn begin(graph: &Arc<Graph>, scope: &Scope) -> Result<Run> {
    let core = scope.core();
    let block = prepare(graph, scope, SubmitOptions::default())?;
    let run = Run::new(block);
    let entry = Block::entry(block);
    let is_begun = Local::with_current(core, |local| lend(core, scope, Cx { core, local }, entry)).is_some();
    if !is_begun {
        let guest = core.is_home().then(|| core.take_guest()).flatten();
        match guest {
            Some(guest) => {
                let entered = guest.enter(core);
                guest.woke(core.now());
                lend(core, scope, Cx { core, local: &guest }, entry);
                drop(entered);
                core.give_guest(guest);
            }
            None => Block::enqueue(block, core),
        }
    }
    Ok(run)
}

/// Runs what is ready of a run, as long as it is at hand.
fn lend(core: &Core, scope: &Scope, cx: Cx<'_>, entry: NonNull<Task>) {
    // SAFETY: `prepare` made it, and only we have it.
    let mut next = Some(unsafe { Task::task_ref(entry) });
    while let Some(task) = next {
        if crate::worker::run_chain(cx, task) {
            cx.local.looked(core.now());
            cx.local.share(core);
        }
        next = cx.local.own().pop();
        if next.as_ref().is_some_and(|task| !task.is_of(scope.inner())) {
            core.spill(next.take().expect("just seen"));
        }
    }
}

/// Parks until the bell has rung, or fails at the deadline.
fn until_rung(core: &Core, bell: &Bell<'_>, deadline: Moment) -> Result {
    while !bell.has_rung() {
        if deadline == NEVER {
            bell.parker.park();
            continue;
        }
        let left = deadline.saturating_sub(core.now());
        if left == 0 {
            let text = "the deadline passed while a thread waited";
            return Err(Error::new(Code::DeadlineExceeded, text));
        }
        bell.parker.park_timeout(Duration::from_nanos(left));
    }
    Ok(())
}

/// Returns when the bell has rung.
fn sleep(core: &Arc<Core>, scope: &Arc<scope::Inner>, bell: &Bell<'_>, deadline: Moment) -> Result {
    let here = Local::with_current(core, |local| {
        let depth = local.depth.get() + 1;
        if depth > DONATION_DEPTH_MAX {
            return Err(Error::new(
                Code::FailedPrecondition,
                format!(
                    "a blocking wait inside {DONATION_DEPTH_MAX} others on one thread: use wait tasks instead"
                ),
            ));
        }
        local.depth.set(depth);
        let result = sleep_on_worker(core, scope, bell, deadline, Cx { core, local });
        local.depth.set(depth - 1);
        result
    });
    match here {
        Some(result) => result,
        None if is_driven_here(core) => drive(core, bell),
        None => until_rung(core, bell, deadline),
    }
}

/// On a worker: helps the awaited scope, then sleeps unless this is the last worker (I2).
fn sleep_on_worker(
    core: &Arc<Core>,
    scope: &Arc<scope::Inner>,
    bell: &Bell<'_>,
    deadline: Moment,
    cx: Cx<'_>,
) -> Result {
    while !bell.has_rung() {
        if !help(core, scope, cx) {
            break;
        }
    }
    if bell.has_rung() {
        return Ok(());
    }
    // A guest is none of the workers that somebody relies on.
    let counted = usize::from(!cx.local.is_guest());
    let awake = core.worker_count.saturating_sub(core.blocked.fetch_add(counted, Relaxed));
    if awake <= counted && counted > 0 && !mutant!("blocking.last") {
        core.blocked.fetch_sub(counted, Relaxed);
        let text = "a blocking wait would put the last worker to sleep: use a wait task, or more workers";
        return Err(Error::new(Code::FailedPrecondition, text));
    }
    // Somebody else has to look after what we leave behind.
    cx.local.hand_over(core);
    let result = until_rung(core, bell, deadline);
    core.blocked.fetch_sub(counted, Relaxed);
    result
}

/// Runs one task of the scope; `false` if there is none at hand. What is met on the way goes to the shared list.
fn help(core: &Core, scope: &Arc<scope::Inner>, cx: Cx<'_>) -> bool {
    let is_guest = cx.local.is_guest();
    loop {
        let mut task = cx.local.take();
        for level in 0..PRIORITIES {
            if task.is_none() && !is_guest {
                core.take_outside(level, || 1, |outside| task = Some(outside));
            }
        }
        match task {
            Some(task) if task.is_of(scope) => {
                crate::worker::run_chain(cx, task);
                return true;
            }
            Some(task) => core.spill(task),
            None => break,
        }
    }
    match core.take_spilled_of(scope) {
        Some(task) => {
            crate::worker::run_chain(cx, task);
            true
        }
        None => false,
    }
}

/// Whether this thread turns the executor while it waits.
fn is_driven_here(core: &Core) -> bool {
    core.driver == Driver::Host && core.is_home()
}

/// With nobody else to drive the executor: turns it until the bell has rung.
fn drive(core: &Arc<Core>, bell: &Bell<'_>) -> Result {
    core.drivers.drive(&bell.parker, || bell.has_rung(), || crate::turn::turn_blocking(core, bell))?;
    // The last handle is gone, on this thread or by its doing: nobody else would end what was cancelled.
    while core.is_closed.load(Relaxed) && crate::turn::turn_once(core).is_ok_and(|turned| turned.tasks > 0) {
        raddle_sync::spin_loop();
    }
    Ok(())
}
