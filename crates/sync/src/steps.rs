//! What the threads of the present schedule did last, so that a model that fails or hangs says at which step.
//!
//! A step is noted before it is taken: a thread that never comes back from one is found at it. Only its place is kept, which
//! costs a tenth of what loom does for the step itself.

use std::fmt::Write;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many are kept. Unit: steps.
const KEPT: usize = 24;

/// The steps of the present schedule. std's lock: the checker does not see it.
static STEPS: Mutex<Steps> =
    Mutex::new(Steps { count: 0, kept: [None; KEPT], last: [None; loom::MAX_THREADS] });

struct Steps {
    count: usize,
    /// A ring: a step is at its number modulo the length.
    kept: [Option<Step>; KEPT],
    /// By thread.
    last: [Option<Step>; loom::MAX_THREADS],
}

#[derive(Clone, Copy)]
struct Step {
    thread: usize,
    what: &'static str,
    at: &'static Location<'static>,
}

fn lock() -> MutexGuard<'static, Steps> {
    STEPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The present thread is about to do something.
#[track_caller]
pub(crate) fn note(what: &'static str) {
    // While a failed schedule is taken down, loom may be gone.
    if std::thread::panicking() {
        return;
    }
    let step = Step { thread: crate::model::thread_number(), what, at: Location::caller() };
    let mut steps = lock();
    let place = steps.count % KEPT;
    steps.kept[place] = Some(step);
    steps.last[step.thread % loom::MAX_THREADS] = Some(step);
    steps.count += 1;
}

/// Another schedule begins.
pub(crate) fn clear() {
    let mut steps = lock();
    *steps = Steps { count: 0, kept: [None; KEPT], last: [None; loom::MAX_THREADS] };
}

/// The last steps, and the last of each thread, for people.
pub(crate) fn report() -> String {
    let steps = lock();
    let first = steps.count.saturating_sub(KEPT);
    let mut text = format!("the last of {} steps of this schedule:\n", steps.count);
    let ring = (first..steps.count).filter_map(|number| steps.kept[number % KEPT]);
    ring.for_each(|step| line(&mut text, step));
    text.push_str("each thread is at its last step:\n");
    steps.last.iter().flatten().for_each(|step| line(&mut text, *step));
    text
}

fn line(text: &mut String, Step { thread, what, at }: Step) {
    let name = if thread == 0 { "main".to_owned() } else { format!("thread {thread}") };
    let _ = writeln!(text, "  {name:8}  {what:8}  {}:{}", at.file(), at.line());
}
